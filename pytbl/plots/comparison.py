"""Figures of a comparison."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import diagnostics
from ..compare import PDF_LIMITS, density
from ..errors import InputError
from ..report import guide
from .style import GREY, look, new_figure, save_figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..compare import Comparison
    from ..compared import Statistics

    Array = np.ndarray[Any, np.dtype[Any]]

_STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "axes.titlesize": 11,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}


def draw(result: Comparison, folder: Path) -> list[Path]:
    """Draw spectra, densities, fields, series and, where they are known, transfers.

    Parameters
    ----------
    result : Comparison
    folder : Path
        Where the PNG files go; it is made if it is not there.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        A file cannot be written.
    """
    import matplotlib

    figures: dict[str, Callable[[Comparison], Figure]] = {
        "spectra.png": spectra,
        "pdf.png": densities,
        "fields.png": fields,
        "series.png": series,
    }
    if result.transfers:
        figures["transfers.png"] = transfers
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in figures.items():
            with matplotlib.rc_context(_STYLE):
                save_figure(folder / name, make(result))
            paths.append(folder / name)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}") from None
    return paths


def _legend(figure: Figure, axes: Axes) -> None:
    """Beside the axes: with many simulations there is no room between the lines."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")


def _flows(result: Comparison) -> list[tuple[Statistics, dict[str, Any]]]:
    """The reference in black, below, and in colours the simulations that got so far."""
    first = {"color": "black", "lw": 2.2}
    return [
        (result.reference, first),
        *((flow, look(i)) for i, flow in enumerate(result.simulations) if flow),
    ]


# ------------------------------------------------------------------------------------ spectra ---


def spectra(result: Comparison) -> Figure:
    """Energy and enstrophy spectra, and their ratios to the reference's."""
    figure = new_figure(11.0, 6.2)
    axes = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1.3))
    units = {"energy": r"$E(k)$  [length$^2$ time$^{-2}$]", "enstrophy": r"$Z(k)$  [time$^{-2}$]"}
    for column, (kind, slope, name) in enumerate((("energy", -3, "E"), ("enstrophy", -1, "Z"))):
        upper, lower = axes[:, column]
        _spectra(result, kind, upper, lower)
        whole = slice(1, diagnostics.complete_shells(result.grid))
        reference = result.reference.spectra[kind].mean(axis=0)[whole]
        line, law = guide(result.k[whole], reference, slope)
        upper.loglog(line, law, color="black", lw=1)
        upper.annotate(
            f"$k^{{{slope}}}$", (line[-1], law[-1]), textcoords="offset points", xytext=(4, 2)
        )
        upper.set(title=f"{kind} spectrum", ylabel=f"per shell  {units[kind]}")
        lower.set(
            xlabel="k  [1/length]", ylabel=rf"${name}\,/\,{name}_\mathrm{{ref}}$", yscale="log"
        )
        low, high = lower.get_ylim()
        lower.set_ylim(max(min(low, 0.5), 1e-2), min(max(high, 2.0), 1e2))
    _legend(figure, axes[0, 0])
    return figure


def _spectra(result: Comparison, kind: str, upper: Axes, lower: Axes) -> None:
    whole = slice(1, diagnostics.complete_shells(result.grid))
    k = result.k[whole]
    if kind in result.unfiltered:
        fine_k, fine = result.unfiltered[kind]
        near = (fine_k <= 2 * k[-1]) & (fine > 0)
        upper.loglog(fine_k[near], fine[near], color=GREY, lw=1.2, label="DNS, unfiltered")
    reference = result.reference.mean_spectrum(kind).mean[whole]
    for flow, shown in _flows(result):
        mean, low, high = (part[whole] for part in flow.mean_spectrum(kind))
        upper.fill_between(k, low, high, color=shown["color"], alpha=0.2, lw=0)
        upper.loglog(k, mean, label=flow.name, **shown)
        lower.fill_between(
            k, low / reference, high / reference, color=shown["color"], alpha=0.2, lw=0
        )
        lower.semilogx(k, mean / reference, **shown)


# ------------------------------------------------------------------------------ distributions ---


def densities(result: Comparison) -> Figure:
    """Density of the vorticity over the reference's standard deviation, with a Gaussian."""
    figure = new_figure(6.4, 4.6)
    axes = figure.subplots()
    sigma, reach, least = float(result.reference.omega.std()), 4.0, 1.0
    for flow, shown in _flows(result):
        found = density(flow, sigma)
        filled = found.density > 0
        axes.semilogy(found.centres[filled], found.density[filled], label=flow.name, **shown)
        reach = max(reach, float(np.abs(found.edges[1:][filled]).max()))
        least = min(least, float(found.density[filled].min()))
    x = np.linspace(*PDF_LIMITS, 400)
    axes.semilogy(
        x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), color=GREY, lw=1, zorder=0, label="normal"
    )
    axes.set(
        xlim=(-reach, reach),
        ylim=(0.5 * least, 3.0),
        xlabel=r"$\omega\,/\,\sigma_\mathrm{ref}$",
        ylabel=r"density of $\omega\,/\,\sigma_\mathrm{ref}$",
        title="vorticity",
    )
    _legend(figure, axes)
    return figure


# ---------------------------------------------------------------------------------- transfers ---


def transfers(result: Comparison) -> Figure:
    """Energy and enstrophy that the SGS term gives to each shell, exact and of each closure."""
    figure = new_figure(11.0, 4.2)
    left, right = figure.subplots(1, 2, sharex=True)
    order = {flow.name: look(i) for i, flow in enumerate(result.simulations)}
    for name, (k, energy, enstrophy) in result.transfers.items():
        whole = slice(1, diagnostics.complete_shells(result.grid))
        shown = order.get(name, {"color": "black", "lw": 2.2})
        left.semilogx(k[whole], energy[whole], label=name, **shown)
        right.semilogx(k[whole], enstrophy[whole], label=name, **shown)
    left.set(
        title="energy that the SGS term gives",
        ylabel=r"$\mathrm{Re}\,\hat\psi^*\hat\Pi$ per shell  [length$^2$ time$^{-3}$]",
    )
    right.set(
        title="enstrophy that the SGS term gives",
        ylabel=r"$\mathrm{Re}\,\hat\omega^*\hat\Pi$ per shell  [time$^{-3}$]",
    )
    for axes in (left, right):
        axes.axhline(0, color=GREY, lw=0.8, zorder=0)
        axes.set_xlabel("k  [1/length]")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    _legend(figure, left)
    return figure


# ------------------------------------------------------------------------- fields and series ---


def fields(result: Comparison) -> Figure:
    """The last vorticity of the reference and of each simulation, in one scale of colours."""
    import cmocean

    flows = [flow for flow, _ in _flows(result)]
    columns = min(len(flows), 4)
    rows = math.ceil(len(flows) / columns)
    grid = result.grid
    aspect = grid.ly / grid.lx
    figure = new_figure(3.1 * columns + 0.9, (3.1 * aspect + 0.8) * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    limit = float(np.percentile(np.abs(result.reference.omega[-1]), 99.8)) or 1.0
    for place in axes.flat[len(flows) :]:
        place.set_axis_off()
    for place in axes.flat[max(len(flows) - columns, 0) : len(flows)]:  # the lowest of each column
        place.tick_params(labelbottom=True)
        place.set_xlabel("x  [length]")
    for place, flow in zip(axes.flat, flows, strict=False):
        image = place.imshow(
            flow.omega[-1],
            origin="lower",
            extent=(0, grid.lx, 0, grid.ly),
            cmap=cmocean.cm.balance,
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
        )
        place.set_title(f"{flow.name}, t = {flow.times[-1]:.4g}")
    for place in axes[:, 0]:
        place.set_ylabel("y  [length]")
    figure.colorbar(image, ax=axes, label=r"$\omega$  [1/time]", extend="both", shrink=0.85)
    return figure


def series(result: Comparison) -> Figure:
    """Energy and enstrophy over time, from the first record that is compared."""
    figure = new_figure(7.6, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for flow, shown in _flows(result):
        t = flow.times - flow.times[0]
        upper.plot(t, flow.energy, label=flow.name, **shown)
        lower.plot(t, flow.enstrophy, label=flow.name, **shown)
    upper.set(title="energy and enstrophy of the resolved flow")
    upper.set_ylabel(r"$E$  [length$^2$ time$^{-2}$]")
    lower.set(xlabel="time since the first record compared  [time]", ylabel=r"$Z$  [time$^{-2}$]")
    for axes in (upper, lower):
        axes.set_ylim(bottom=0)
        axes.margins(x=0)
    _legend(figure, upper)
    return figure
