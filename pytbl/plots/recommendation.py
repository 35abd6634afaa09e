"""Figure of a recommendation: expected errors, what became of them, and what scales they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.recommendation import SCALES
from .style import COLOURS, GREY, new_figure, open_corner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis.recommendation import Recommendation

_TRAINED, _ACTUAL, *_ = COLOURS
_UNTRAINED = GREY


def recommendation(
    result: Recommendation, *, actual: Mapping[str, float | Sequence[float]] | None = None
) -> Figure:
    """Expected error of every candidate with its interval, and the error it removes by band.

    Parameters
    ----------
    result : Recommendation
    actual : dict of float, or of a sequence of float, optional
        Errors after re-training, by candidate and of each seed.

    Returns
    -------
    Figure
    """
    figure = new_figure(9.5, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    _errors(upper, result, actual or {})
    image = _bands(lower, result)
    figure.colorbar(image, ax=lower, label="part removed", extend="both", pad=0.01)
    for axes in (upper, lower):
        open_corner(axes)
    return figure


def _errors(
    axes: Axes, result: Recommendation, actual: Mapping[str, float | Sequence[float]]
) -> None:
    known: list[float] = []
    for trained, colour, marker in ((False, _UNTRAINED, "s"), (True, _TRAINED, "o")):
        some = [i for i, one in enumerate(result.candidates) if one.trained == trained]
        rows = [result.candidates[i].error for i in some]
        values = np.array([row.value for row in rows])
        spread = np.array([[row.value - row.low, row.high - row.value] for row in rows]).T
        axes.errorbar(
            some,
            values,
            yerr=np.maximum(spread, 0).reshape(2, -1),
            fmt=marker,
            color=colour,
            capsize=3,
            label="expected, re-trained" if trained else "expected, not trained",
        )
        known += list(values)
    shown = [i for i, one in enumerate(result.candidates) if one.name in actual]
    seeds = [np.atleast_1d(np.asarray(actual[result.candidates[i].name], float)) for i in shown]
    if shown:
        x = np.repeat(np.array(shown) + 0.2, [len(one) for one in seeds])
        axes.plot(x, np.concatenate(seeds), "x", color=_ACTUAL, label="actual, each seed")
        known += [float(one.mean()) for one in seeds]
    nothing = result["nothing"].error.value
    axes.axhline(nothing, color=_UNTRAINED, lw=0.8, ls=":")
    # a scale that fits badly may be off by any factor, and would hide all others
    axes.set_ylim(0, 1.15 * min(max(known), 2 * max(nothing, 1e-6)))
    axes.set(
        ylabel=r"error  $\langle(\Pi_p-\Pi)^2\rangle\,/\,\langle\Pi^2\rangle$",
        title=f"recommended: {result.choice}  (from {result.samples} samples)",
    )
    axes.legend(frameon=False, ncols=3, loc="lower left")


def _bands(axes: Axes, result: Recommendation) -> Any:
    names = [one.name for one in result.candidates]
    removed = np.array([one.bands for one in result.candidates]).T
    image = axes.imshow(removed, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
    for i, row in enumerate(removed):
        for j, part in enumerate(row):
            text = f"{part:.0%}" if part > -1 else "worse"
            colour = "white" if abs(part) > 0.65 else "black"
            axes.text(j, i, text, ha="center", va="center", fontsize=7, color=colour)
    low, high = result.edges
    spans = (f"k < {low:.3g}", f"{low:.3g} to {high:.3g}", f"k > {high:.3g}")
    labels = [
        f"{scale}, {span}\n{share:.0%} of the error"
        for scale, span, share in zip(SCALES, spans, result.failing, strict=True)
    ]
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set(xlabel="what is re-trained", title="error of the network removed, by wavenumber k")
    axes.title.set_fontsize(10)
    return image
