"""Figures of transfers: correlation by the layer that was re-trained, and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .style import COLOURS, GREY, look, new_figure, open_corner

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..nn.sweep_table import Sweep

_LABELS = {
    "correlation": r"correlation $c(\Pi_p, \Pi)$  [1]",
    "error": r"error  $\langle(\Pi_p-\Pi)^2\rangle\,/\,\langle\Pi^2\rangle$  [1]",
}
_NAMES = {
    "nothing": "as it is",
    "scale": "output re-scaled",
    "statistics": "re-normalised",
    "gain": "best gain",
    "all:bias": "all biases",
    "all": "all layers",
    "scratch": "from scratch",
    "reference": "trained on the target",
}
#: Lines beyond so many times the largest error of a layer are not shown: they would hide the rest.
_BEYOND = 1.6


def correlation_per_layer(sweep: Sweep) -> Figure:
    """Correlation and error by the layers that were re-trained, baselines as horizontal lines.

    As Fig. 2 A to C of Subel et al. (2023), which has single layers and no baselines.

    Parameters
    ----------
    sweep : Sweep

    Returns
    -------
    matplotlib Figure
        Means over seeds, bars of a standard deviation over seeds, and crosses for every seed.

    Raises
    ------
    InputError
        The sweep has no layers.
    """
    trained = [name for name in sweep.names if name[0].isdecimal()]
    if not trained:
        raise InputError("the sweep has no layers to draw: expected single layers or sets of them")
    lines = [name for name in sweep.names if name not in trained]
    figure = new_figure(max(7.0, 0.55 * len(trained) + 3.2), 6.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, metric in ((upper, "correlation"), (lower, "error")):
        _draw(axes, sweep, metric, (trained, lines))
    lower.set_xticks(range(len(trained)), trained, rotation=0 if len(trained) < 16 else 60)
    lower.set_xlabel("re-trained layers")
    handles, labels = upper.get_legend_handles_labels()
    heights = [sweep.mean("correlation")[name] for name in lines]
    # the points, then the lines from top to bottom
    order = [len(lines) + 1, 0, *(1 + i for i in np.argsort(heights)[::-1])]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside right upper",
        frameon=False,
    )
    return figure


def _draw(axes: Axes, sweep: Sweep, metric: str, names: tuple[list[str], list[str]]) -> None:
    trained, lines = names
    seeds = [sweep.of(name, metric) for name in trained]
    means = np.array([values.mean() for values in seeds])
    spread = [values.std(ddof=1) if len(values) > 1 else 0.0 for values in seeds]
    x = np.arange(len(trained))
    axes.errorbar(
        x, means, spread, fmt="o", ms=4, color="black", capsize=5, label="re-trained", zorder=4
    )
    every = np.repeat(x + 0.18, [len(values) for values in seeds])
    axes.plot(every, np.concatenate(seeds), "x", color=GREY, ms=4, label="each seed", zorder=3)
    most = _BEYOND * float(np.max(np.concatenate(seeds)))
    beyond = []
    for i, name in enumerate(lines):
        value = float(sweep.of(name, metric).mean())
        if metric == "error" and value > most:
            beyond.append(f"{_NAMES.get(name, name)}: {value:.3g}")
            continue
        axes.axhline(value, label=_NAMES.get(name, name), lw=1.4, zorder=2, **look(i))
    if beyond:
        axes.set_title("beyond the axis: " + ", ".join(beyond), fontsize=9, loc="right")
    axes.set_ylabel(_LABELS[metric])
    open_corner(axes)


def training_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """The loss over the epochs of some transfers, on a common scale.

    As Fig. 5 G to I of Subel et al. (2023).

    Parameters
    ----------
    histories : dict of list of dict
        Rows of `pytbl.nn.history`, by what was re-trained.

    Returns
    -------
    matplotlib Figure
        Of validation samples, where there were any, with dots.

    Raises
    ------
    InputError
        There is no history.
    """
    if not any(histories.values()):
        raise InputError("there is no history to draw")
    figure = new_figure(5.6, 3.6)
    axes = figure.subplots()
    for i, (name, rows) in enumerate(histories.items()):
        epochs = [row["epoch"] for row in rows]
        axes.plot(epochs, [r["training_loss"] for r in rows], label=f"re-trained {name}", **look(i))
        checked = [(r["epoch"], r["validation_loss"]) for r in rows if "validation_loss" in r]
        if checked:
            axes.plot(*np.transpose(checked), ".", ms=4, color=COLOURS[i % len(COLOURS)])
    axes.set(xlabel="epoch  [1]", ylabel="loss  [1]", ylim=(0, None))
    axes.legend(frameon=False)
    open_corner(axes)
    return figure
