"""Figures of loss landscapes: surfaces of the error, and eigenvalues of layers' Hessians."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .style import COLOURS, GREY, new_figure, open_corner

if TYPE_CHECKING:
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from ..analysis.lanczos import Eigenpairs

    Array = np.ndarray[Any, np.dtype[Any]]

_LEVELS = 17
_FOUND, _PATH, *_ = COLOURS


def surfaces(
    panels: Mapping[str, Array],
    coordinates: Array,
    *,
    paths: Mapping[str, Array] | None = None,
    columns: int = 4,
) -> Figure:
    """Contours of surfaces of the error, all with the same colours.

    Parameters
    ----------
    panels : dict of ndarray, shape (points, points)
        Surfaces by title, the first index along the first direction.
    coordinates : ndarray, shape (points,)
        Along both directions.
    paths : dict of ndarray, shape (steps, 2)
        Of some titles, the way that training went, as seen on the plane.
    columns : int
        Panels beside each other.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        There is no surface, or a path has the title of none.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Fig. 5.
    """
    if not panels:
        raise InputError("there is no surface to draw")
    paths = {} if paths is None else paths
    for title in paths:
        if title not in panels:
            raise InputError(f"the path {title!r} has no surface: expected {', '.join(panels)}")
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(1.2 + 2.7 * columns, 0.4 + 2.8 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    norm, levels = _common(np.stack([np.asarray(panel) for panel in panels.values()]))
    reach = float(coordinates[-1])
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        error = np.asarray(panel).T
        look: dict[str, Any] = {"levels": levels, "norm": norm}
        drawn = axes.contourf(coordinates, coordinates, error, cmap="viridis", **look)
        axes.contour(coordinates, coordinates, error, colors="white", linewidths=0.4, **look)
        if title in paths:
            x, y = np.asarray(paths[title]).T
            axes.plot(x, y, color=_PATH, lw=1.8)
            axes.plot(x[-1], y[-1], "s", color=_PATH, ms=5)
        axes.plot(0, 0, "+", color="white", ms=11, mew=3)
        axes.plot(0, 0, "+", color="black", ms=9, mew=1.3)
        axes.set(title=title, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    for i in range(len(panels), grid.size):
        grid.flat[i].set_axis_off()
        grid.flat[i - columns].tick_params(labelbottom=True)
    figure.supxlabel(r"$d_1$  [lengths of $v_1$]")
    figure.supylabel(r"$d_2$  [lengths of $v_2$]")
    bar = figure.colorbar(drawn, ax=grid, shrink=0.9, format="%.3g")
    bar.set_label(r"error  $\langle(\Pi_p-\Pi)^2\rangle\,/\,\langle\Pi^2\rangle$  [1]")
    return figure


def eigenvalues(layers: Mapping[str, Eigenpairs]) -> Figure:
    """All Ritz values of layers' Hessians, and the largest eigenvalues with their bounds.

    Parameters
    ----------
    layers : dict of Eigenpairs
        By the layers' names.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        There is no layer.
    """
    if not layers:
        raise InputError("there is no layer to draw")
    figure = new_figure(2.5 + 1.0 * len(layers), 4.0)
    axes = figure.subplots()
    names = [
        name if found.converged else f"{name}\n(not converged)" for name, found in layers.items()
    ]
    largest = max(float(np.abs(found.ritz).max()) for found in layers.values())
    for x, found in enumerate(layers.values()):
        axes.plot(np.full(len(found.ritz), x), found.ritz, "_", color=GREY, ms=14)
        axes.errorbar(
            np.full(len(found.values), x), found.values, found.residuals, fmt="o", color=_FOUND,
            capsize=4, ms=5,
        )  # fmt: skip
        axes.annotate(
            f"{100 * found.negative_share:.0f} %\nof {len(found.ritz)}", (x, 1.0),
            ha="center", va="bottom", xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.axhline(0.0, color="black", lw=0.6)
    lowest = min(float(found.ritz.min()) for found in layers.values())
    linear = 10.0 ** math.floor(math.log10(largest) - 3) if largest else 1.0
    axes.set_yscale("symlog", linthresh=linear)
    axes.set_ylim(min(2 * lowest, -2 * linear), 3 * max(largest, linear))
    axes.set_xticks(range(len(layers)), names)
    axes.set(
        xlim=(-0.6, len(layers) - 0.4),
        title="share of negative Ritz values\n\n",
        xlabel="layers",
        ylabel=r"eigenvalues of the error's Hessian  [1/parameter$^2$]",
    )
    open_corner(axes)
    return figure


def _common(errors: Array) -> tuple[Normalize, Array]:
    """Colours and levels for all surfaces: those of a bowl are equally wide rings.

    So a flat surface shows its shape beside one that rises a hundred times as far.
    """
    from matplotlib.colors import PowerNorm

    low, high = float(errors.min()), float(errors.max())
    if high <= low:  # contours need a range
        high = low + 1.0
    return PowerNorm(0.5, low, high), low + (high - low) * np.linspace(0, 1, _LEVELS) ** 2
