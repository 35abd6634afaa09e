"""Figures of kernels: spectra before and after re-training, clusters, classes and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.classes import CLASSES
from ..analysis.kernels import kernel_spectra
from ..errors import InputError
from .style import GREY, look, new_figure, open_corner

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis.ablation import Ablation
    from ..analysis.census import Census
    from ..analysis.changes import ChangedKernel, KernelChanges
    from ..analysis.clusters import Clusters

    Array = np.ndarray[Any, np.dtype[Any]]

#: Odd: as many wavenumbers on either side of zero, none of them Nyquist's.
_SHAPE = (65, 65)
_MAP = "viridis"
_UNITS = {
    "space": r"$\|W' - W\|_F$  [1]",
    "spectrum": r"$\|\hat W' - \hat W\|_F$  [1]",
    "amplitude": r"$\|\,|\hat W'| - |\hat W|\,\|_F$  [1]",
}


def changed_kernels(
    changes: KernelChanges,
    chosen: Sequence[ChangedKernel] | None = None,
    *,
    ablations: Sequence[Ablation] | None = None,
) -> Figure:
    """Moduli of the spectra of kernels before and after re-training, in one scale of colours.

    As Fig. 4 of Subel et al. (2023).

    Parameters
    ----------
    changes : KernelChanges
    chosen : sequence of ChangedKernel, optional
        By default the four that have changed most.
    ablations : sequence of Ablation, optional
        Of the chosen kernels: a third row shows what each alone does to its output channel.

    Raises
    ------
    InputError
        No kernel has changed, or there are not as many ablations as kernels.
    """
    chosen = changes.most_changed(count=4) if chosen is None else chosen
    if not chosen:
        raise InputError("no kernel has changed: there is nothing to draw")
    if ablations is not None and len(ablations) != len(chosen):
        raise InputError(
            f"every chosen kernel needs an ablation: expected {len(chosen)}, got {len(ablations)}"
        )
    rows = 2 if ablations is None else 3
    figure = new_figure(2.2 * len(chosen) + 1.2, 2.25 * rows + 0.5)
    grid = figure.subplots(rows, len(chosen), squeeze=False)
    where = [(one.output, one.input) for one in chosen]
    maps = [
        [kernel_spectra(weights[i : i + 1, j : j + 1], _SHAPE)[0, 0] for i, j in where]
        for weights in (changes.before, changes.after)
    ]
    limits = (0.0, float(np.abs(maps).max()))
    for row, (spectra, when) in enumerate(zip(maps, ("before", "after"), strict=True)):
        for axes, spectrum, one in zip(grid[row], spectra, chosen, strict=True):
            image = _draw_map(axes, spectrum, limits=limits)
            title = one.before if row == 0 else one.after
            place = f"output {one.output}, input {one.input}\n" if row == 0 else ""
            axes.set_title(f"{place}{title}", fontsize=9)
        grid[row, 0].set_ylabel(f"{when}\n$k_y / k_N$  [1]")
    for axes in grid[1]:
        axes.set_xlabel("$k_x / k_N$  [1]")
    figure.colorbar(image, ax=grid[:2], label=r"$|\hat W|$  [1]", shrink=0.8)
    for axes, ablation in zip(grid[2] if rows == 3 else (), ablations or (), strict=True):
        _draw_ablation(axes, ablation)
    if rows == 3:
        grid[2, 0].set_ylabel("change of the\noutput channel  [1]")
        figure.legend(
            *grid[2, 0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=2,
            frameon=False,
        )
    return figure


def _draw_ablation(axes: Axes, ablation: Ablation) -> None:
    for i, (spectra, name) in enumerate(
        ((ablation.linear, "linear"), (ablation.relu, "with ReLU"))
    ):
        axes.semilogx(ablation.k, spectra.change, label=name, **look(i))
    axes.set_xlabel("k  [1/length]")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    open_corner(axes)


def _draw_map(axes: Axes, spectrum: Array, *, limits: tuple[float, float]) -> Any:
    """The modulus of a spectrum over the wavenumbers between those of Nyquist, both included."""
    modulus = np.fft.fftshift(np.abs(spectrum))
    modulus = np.pad(modulus, [(0, 1 - n % 2) for n in modulus.shape], mode="wrap")
    reach_y, reach_x = (m / n for m, n in zip(modulus.shape, spectrum.shape, strict=True))
    image = axes.imshow(
        modulus,
        origin="lower",
        extent=(-reach_x, reach_x, -reach_y, reach_y),
        cmap=_MAP,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    axes.set(xlim=(-1, 1), ylim=(-1, 1), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes.tick_params(labelsize=8)
    return image


def cluster_centres(clusters: Mapping[str, Clusters]) -> Figure:
    """Centres of clusters, from low-pass on the left to high-pass on the right.

    As Fig. S2 of Subel et al. (2023). The colours of a centre go from its least to its largest
    value. Kernels of independent weights give centres that look alike: the silhouette is said.

    Parameters
    ----------
    clusters : dict of str and Clusters
        A row for each, by the name that it is to be given.

    Raises
    ------
    InputError
        There are none.
    """
    _some(clusters, "clusters")
    columns = max(len(one.centroids) for one in clusters.values())
    figure = new_figure(1.35 * columns + 0.8, 1.95 * len(clusters) + 0.5)
    grid = figure.subplots(len(clusters), columns, squeeze=False, sharex=True, sharey=True)
    for row, (name, one) in zip(grid, clusters.items(), strict=True):
        for i, axes in enumerate(row):
            if i >= len(one.centroids):
                axes.set_axis_off()
                continue
            centre = one.centres[i]
            _draw_map(axes, centre, limits=(float(centre.min()), float(centre.max())))
            axes.set_title(f"{CLASSES[one.classes[i]]}\n{one.fractions.value[i]:.0%}", fontsize=9)
        row[0].set_ylabel(f"{name}\nsilhouette {one.silhouette:.2f}\n$k_y / k_N$  [1]", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("$k_x / k_N$  [1]", fontsize=9)
    return figure


def class_fractions(censuses: Mapping[str, Census]) -> Figure:
    """Fractions of kernels in each class but "mixed", with 95 % intervals and those of chance.

    Parameters
    ----------
    censuses : dict of str and Census
        A group of bars for each, by the name that it is to be given.

    Raises
    ------
    InputError
        There are none.
    """
    _some(censuses, "censuses")
    figure = new_figure(1.0 * len(censuses) + 2.6, 3.4)
    axes = figure.subplots()
    places = np.arange(len(censuses))
    width = 0.8 / (len(CLASSES) - 1)
    for i, name in enumerate(CLASSES[:-1]):
        x = places + (i - (len(CLASSES) - 2) / 2) * width
        parts = [
            (c.fractions.value[i], c.fractions.low[i], c.fractions.high[i], c.chance[i])
            for c in censuses.values()
        ]
        value, low, high, chance = np.array(parts).T
        axes.bar(x, value, width, color=look(i)["color"], label=name)
        axes.vlines(x, low, high, color="black", lw=1)
        axes.hlines(chance, x - width / 2, x + width / 2, color=GREY, lw=2.2)
    axes.plot([], [], color=GREY, lw=2.2, label="chance")
    axes.set_xticks(places, list(censuses))
    axes.set(ylabel="share of the kernels  [1]", ylim=(0, None))
    open_corner(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def sorted_changes(changes: Mapping[str, KernelChanges], measure: str = "spectrum") -> Figure:
    """Changes of the kernels from the largest to the least: few change much if training is lazy.

    As Fig. S3 of Subel et al. (2023).

    Parameters
    ----------
    changes : dict of str and KernelChanges
        A line for each, by the name that it is to be given.
    measure : {"spectrum", "space", "amplitude"}

    Raises
    ------
    InputError
        There are none, or there is no such measure.
    """
    _some(changes, "changes")
    figure = new_figure(5.2, 3.4)
    axes = figure.subplots()
    for i, (name, one) in enumerate(changes.items()):
        values = one.sorted(measure)
        axes.semilogx(np.arange(1, len(values) + 1), values, label=name, **look(i))
    axes.set(xlabel="rank of the kernel  [1]", ylabel=_UNITS[measure], ylim=(0, None))
    open_corner(axes)
    axes.legend(frameon=False)
    return figure


def _some(given: Mapping[str, Any], what: str) -> None:
    if not given:
        raise InputError(f"there is nothing to draw: expected {what} by their names, got none")
