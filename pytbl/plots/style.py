"""The look that figures have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..hdf5 import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Okabe and Ito's colours and four of Tol's, which the colour-blind tell apart; dashes tell them
#: apart in print.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#882255", "#332288", "#999933", "#117733"),
)
DASHES = ("-", "--", "-.", (0, (5, 1.2, 1.2, 1.2, 1.2, 1.2)), (0, (8, 2)), ":")
GREY = "#8a8a8a"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(path: Path, figure: Figure) -> None:
    """Replace a file by a picture, PNG, that appears when it is whole."""
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150, format="png")


def look(index: int) -> dict[str, Any]:
    """Colour and dashes of a line."""
    turn = index + index // len(COLOURS)
    return {"color": COLOURS[index % len(COLOURS)], "ls": DASHES[turn % len(DASHES)]}


def open_corner(axes: Any) -> None:
    """Without the lines above and at the right."""
    axes.spines[["top", "right"]].set_visible(False)


def few_ticks(axis: Any) -> None:
    """Plain numbers at 1, 2 and 5 of an axis in logarithms that spans a few decades."""
    from matplotlib import ticker

    axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0), numticks=9))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(ticker.NullFormatter())
