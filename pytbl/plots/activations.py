"""Figures of activation spectra, and of the spectra of the flows that cause them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.activations import SIDES, LayerSpectra
from ..analysis.bands import VARIABLES
from ..analysis.departures import check_layers, linear_shares
from ..errors import InputError
from .style import GREY, few_ticks, look, new_figure, open_corner

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis.bands import FlowComparison

    Spectra = Mapping[str, Sequence[LayerSpectra]]

_COLUMNS = 4
_SYMBOLS = {"before": r"$\langle|\hat h|\rangle$", "after": r"$\langle|\hat g|\rangle$"}
_POWERS = {
    "psi": (r"$\bar\psi$", r"power of $\bar\psi$  [length$^4$ time$^{-2}$]"),
    "omega": (r"$\bar\omega$", r"power of $\bar\omega$  [time$^{-2}$]"),
    "pi": (r"$\Pi$", r"power of $\Pi$  [time$^{-4}$]"),
}


def activation_spectra(spectra: Spectra, *, layers: Sequence[int] | None = None) -> Figure:
    """Activation spectra of some networks on some flows, an axes for each layer.

    As Fig. 3 of Subel et al. (2023), which is of the last hidden layer.

    Parameters
    ----------
    spectra : dict of str and list of LayerSpectra
        By what the legend is to call them.
    layers : sequence of int, optional
        Counted from 1; all by default.

    Returns
    -------
    matplotlib Figure
        Means over samples; bands reach from the 25th to the 75th percentile.

    Raises
    ------
    InputError
        The lists are not of the same layers, or one that is asked for is not among them.
    """
    chosen = _chosen(spectra, layers)
    columns = min(_COLUMNS, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    figure = new_figure(2.9 * columns + 0.4, 2.5 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, layer in zip(grid.flat, chosen, strict=False):
        for i, of in enumerate(spectra.values()):
            _draw(axes, next(one for one in of if one.layer == layer), "after", look(i))
        axes.set_title(f"layer {layer}")
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    for axes in grid.flat[max(len(chosen) - columns, 0) : len(chosen)]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("k  [1/length]")
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{_SYMBOLS['after']}  [1]")
    _legend(figure, grid.flat[0], list(spectra))
    return figure


def linear_and_relu(spectra: Spectra, *, layers: Sequence[int] | None = None) -> Figure:
    """Spectra of two networks or flows before and after the ReLU of each layer, and their ratios.

    Parameters
    ----------
    spectra : dict of str and list of LayerSpectra
        Two: the first is what the second is compared with.
    layers : sequence of int, optional
        Counted from 1; all by default.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InputError
        As `activation_spectra`; or they are not two.
    """
    if len(spectra) != 2:
        raise InputError(f"two lists of spectra can be compared, got {len(spectra)}")
    chosen = _chosen(spectra, layers)
    shares = {row.layer: row.share for row in linear_shares(*spectra.values())}
    figure = new_figure(2.9 * len(chosen) + 0.6, 4.6)
    grid = figure.subplots(2, len(chosen), squeeze=False, sharex=True, height_ratios=(3, 2))
    for (upper, lower), layer in zip(grid.T, chosen, strict=True):
        pair = [next(one for one in of if one.layer == layer) for of in spectra.values()]
        for i, side in enumerate(SIDES):
            for one, dashes in zip(pair, ("--", "-"), strict=True):
                _draw(upper, one, side, look(i) | {"ls": dashes})
            ratio = pair[1].mean(side) / np.maximum(pair[0].mean(side), 1e-300)
            name = "linear" if side == "before" else "with ReLU"
            lower.semilogx(pair[0].k, ratio, label=name, color=look(i)["color"])
        share = shares[layer]
        made = "no change" if math.isnan(share) else f"linear share {share:.0%}"
        upper.set_title(f"layer {layer}: {made}", fontsize=10)
        lower.axhline(1, color=GREY, lw=0.8, zorder=0)
        lower.set_xlabel("k  [1/length]")
        open_corner(lower)
    first, second = spectra
    grid[0, 0].set_ylabel(f"{_SYMBOLS['before']}, {_SYMBOLS['after']}  [1]")
    grid[1, 0].set_ylabel("ratio  [1]")
    handles, labels = grid[1, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title=f"dashed: {first}; solid: {second}",
        loc="outside upper center",
        ncols=2,
        frameon=False,
    )
    return figure


def flow_spectra(
    comparison: FlowComparison, *, names: tuple[str, str] = ("base", "target")
) -> Figure:
    """Spectra of what goes into a network and of what is to come out, of two flows, by bands.

    Parameters
    ----------
    comparison : FlowComparison
    names : (str, str)
        Of the two flows.

    Returns
    -------
    matplotlib Figure
        Below, the ratio with the interval of each shell; bands that differ significantly are
        shaded.
    """
    figure = new_figure(10.5, 5.4)
    grid = figure.subplots(2, len(VARIABLES), sharex=True, height_ratios=(3, 2))
    k = comparison.k
    for (upper, lower), variable in zip(grid.T, VARIABLES, strict=True):
        symbol, label = _POWERS[variable]
        for i, of in enumerate((comparison.base, comparison.target)):
            upper.loglog(k, of[variable], label=names[i], **look(i))
        lower.fill_between(
            k, comparison.low[variable], comparison.high[variable], color=GREY, alpha=0.35, lw=0
        )
        lower.loglog(k, comparison.ratio[variable], color="black", lw=1.2)
        lower.axhline(1, color=GREY, lw=0.8, zorder=0)
        few_ticks(lower.yaxis)
        for band in comparison.differing(variable):
            for axes in (upper, lower):
                axes.axvspan(max(band.k_min, k[0]), band.k_max, color="#F0E442", alpha=0.3, lw=0)
        for band in comparison.bands[1 : len(comparison.bands) // len(VARIABLES)]:
            for axes in (upper, lower):
                axes.axvline(band.k_min, color=GREY, lw=0.8, ls=":")
        upper.set(title=symbol, ylabel=label)
        lower.set(xlabel="k  [1/length]", ylabel=f"{names[1]} / {names[0]}  [1]")
        lower.set_xlim(k[0], comparison.bands[-1].k_max)
        for axes in (upper, lower):
            open_corner(axes)
    _legend(figure, grid[0, 0], list(names))
    return figure


# -------------------------------------------------------------------------------------- parts ---


def _chosen(spectra: Spectra, layers: Sequence[int] | None) -> list[int]:
    if not spectra:
        raise InputError("there are no spectra to draw")
    check_layers(**spectra)
    there = [one.layer for one in next(iter(spectra.values()))]
    for layer in layers or ():
        if layer not in there:
            raise InputError(f"there is no layer {layer}: expected one of {there}")
    return there if layers is None else list(layers)


def _draw(axes: Axes, one: LayerSpectra, side: str, style: dict[str, Any]) -> None:
    low, high = one.percentiles(side)
    axes.fill_between(one.k, low, high, color=style["color"], alpha=0.2, lw=0)
    axes.loglog(one.k, one.mean(side), **style)
    few_ticks(axes.yaxis)
    open_corner(axes)


def _legend(figure: Figure, axes: Axes, names: list[str]) -> None:
    handles = axes.get_lines()[: len(names)]  # spectra are drawn before all else
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
