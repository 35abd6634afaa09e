r"""The error of a network around its own parameters, along random and along steepest directions.

.. math:: L(d_1, d_2) = L(\theta + d_1 v_1 + d_2 v_2)

over the parameters :math:`\theta` of some layers, with all others as they are (Subel et al. 2023,
Eq. 9).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..analysis.lanczos import Eigenpairs, SpectralDensity, largest_eigenpairs, spectral_density
from ..analysis.landscape import (
    FEWEST_POINTS,
    Interval,
    LandscapeScores,
    landscape_scores,
    summarise_landscapes,
)
from ..errors import InputError
from .data import CHUNK
from .objective import Objective
from .selection import Selection

if TYPE_CHECKING:
    from .model import PeriodicCNN
    from .selection import Layers

    Array = np.ndarray[Any, np.dtype[Any]]

#: Half the side of the square by kind of direction: that of Subel et al. (2023).
REACH = {"whole": 2.0, "filter": 2.0, "hessian": 1.0}
#: Half a side in which a transfer happens: parameters move by a fraction of their norm, not by
#: twice it.
LAZY = 0.2


@dataclass(frozen=True)
class Landscape:
    """Surfaces of the error over the parameters of some layers.

    Attributes
    ----------
    layers : str
    kind : {"whole", "filter", "hessian"}
    coordinates : ndarray, shape (points,)
    directions : ndarray, shape (pairs, 2, parameters)
    surfaces : ndarray, shape (pairs, points, points)
        The first index of a surface is along the pair's first direction.
    hessian : Eigenpairs or None
        Of the layers' Hessian, where its eigenvectors are the directions.
    """

    layers: str
    kind: str
    coordinates: Array
    directions: Array
    surfaces: Array
    hessian: Eigenpairs | None = None

    def __repr__(self) -> str:
        pairs, points, _ = self.surfaces.shape
        return (
            f"Landscape(layers {self.layers}, {self.kind}, {pairs} of {points} x {points} points "
            f"within {self.coordinates[-1]:g})"
        )

    def scores(self) -> list[LandscapeScores]:
        """Of every surface; see `pytbl.analysis.landscape.landscape_scores`."""
        return [landscape_scores(surface, self.coordinates) for surface in self.surfaces]

    def summary(self) -> dict[str, Interval]:
        """Over the pairs; see `pytbl.analysis.landscape.summarise_landscapes`."""
        return summarise_landscapes(list(self.surfaces), self.coordinates)


def landscape(
    model: PeriodicCNN,
    fields: tuple[Tensor, Tensor],
    layers: Layers,
    *,
    kind: str = "whole",
    reach: float | None = None,
    points: int = 21,
    pairs: int = 10,
    rng: int = 0,
    dtype: torch.dtype = torch.float32,
    chunk: int = CHUNK,
) -> Landscape:
    """The error of a network on samples over planes in the parameters of some layers.

    Parameters
    ----------
    model : PeriodicCNN
        Not changed.
    fields : (Tensor, Tensor)
        Filtered vorticity [1/time] and the exact Pi [1/time^2], each (samples, ny, nx).
    layers : str, int, or a sequence of them
        See `pytbl.nn.selection.Selection`.
    kind : {"whole", "filter", "hessian"}
        Random directions, see `random_directions`; or the two eigenvectors of norm 1 of the
        Hessian's largest eigenvalues (Yao et al. 2020).
    reach : float, optional
        Half the side of the square; by default 2, and 1 of "hessian". `LAZY` is that of transfers.
    points : int
        Along each direction, odd.
    pairs : int
        Random direction pairs; of "hessian" there is one. A single pair is no evidence.
    rng : int
        Seed of the directions.
    dtype : torch dtype
        Of the surfaces; the Hessian's eigenvectors are found in float64.
    chunk : int
        Samples that are evaluated together.

    Returns
    -------
    Landscape

    Raises
    ------
    InputError
        A layer does not exist, a parameter or the samples cannot be used, or the Hessian's second
        eigenvalue is not positive.
    """
    if kind not in REACH:
        raise InputError(f"kind must be {', '.join(REACH)}, got {kind!r}")
    reach = REACH[kind] if reach is None else reach
    if not reach > 0:
        raise InputError(f"reach must be > 0, got {reach}")
    if points < FEWEST_POINTS or points % 2 == 0:
        raise InputError(f"points must be odd and >= {FEWEST_POINTS}, got {points}")
    selection = Selection.of(layers, model.config["depth"])
    objective = Objective(model, fields, selection, dtype=dtype, chunk=chunk)
    found = None
    if kind == "hessian":
        found = hessian_eigenpairs(model, fields, layers, chunk=chunk, rng=rng)
        if not found.values[-1] > 0:
            raise InputError(
                "the Hessian must have two positive eigenvalues, got "
                f"{', '.join(f'{value:.3g}' for value in found.values)}"
            )
        directions = found.vectors[None]
    else:
        directions = random_directions(objective, pairs, kind=kind, rng=rng)
    at = np.linspace(-reach, reach, points)
    at[points // 2] = 0.0
    surfaces = np.stack([surface(objective, pair, at) for pair in directions])
    return Landscape(str(selection), kind, at, directions, surfaces, found)


def hessian_eigenpairs(
    model: PeriodicCNN,
    fields: tuple[Tensor, Tensor],
    layers: Layers,
    *,
    chunk: int = CHUNK,
    **options: Any,
) -> Eigenpairs:
    """The largest eigenvalues of the error's Hessian over the parameters of some layers.

    In float64: rounding in float32 is of the size of the small eigenvalues.

    Parameters
    ----------
    model, fields, layers, chunk
        See `landscape`.
    options
        Those of `pytbl.analysis.lanczos.largest_eigenpairs`.

    Returns
    -------
    Eigenpairs

    Raises
    ------
    InputError
        A layer does not exist, the samples or an option cannot be used, or the Hessian is not
        finite.
    """
    return largest_eigenpairs(*_hessian(model, fields, layers, chunk), **options)


def hessian_density(
    model: PeriodicCNN,
    fields: tuple[Tensor, Tensor],
    layers: Layers,
    *,
    chunk: int = CHUNK,
    **options: Any,
) -> SpectralDensity:
    """The density of the Hessian's eigenvalues, and how many are negative.

    Parameters and errors are those of `hessian_eigenpairs`; the options are those of
    `pytbl.analysis.lanczos.spectral_density`.
    """
    return spectral_density(*_hessian(model, fields, layers, chunk), **options)


def _hessian(
    model: PeriodicCNN, fields: tuple[Tensor, Tensor], layers: Layers, chunk: int
) -> tuple[Callable[[Array], Array], int]:
    """Products with the Hessian, and the number of parameters."""
    selection = Selection.of(layers, model.config["depth"])
    objective = Objective(model, fields, selection, dtype=torch.float64, chunk=chunk)

    def product(direction: Array) -> Array:
        vector = torch.from_numpy(direction).to(objective.theta)
        return objective.hessian_product(vector).cpu().numpy()

    return product, objective.parameters


def random_directions(
    objective: Objective, pairs: int, *, kind: str = "whole", rng: int = 0
) -> Array:
    """Pairs of Gaussian directions that are as long as the parameters.

    Parameters
    ----------
    objective : Objective
    pairs : int
    kind : {"whole", "filter"}
        The norm of all parameters together, as Subel et al. (2023) read; or, as Li et al. (2018)
        propose, that of every output channel's kernels on its own, and of every layer's biases.
    rng : int
        Seed.

    Returns
    -------
    ndarray, shape (pairs, 2, parameters)

    References
    ----------
    Li, Xu, Taylor, Studer & Goldstein, NeurIPS (2018).
    """
    if pairs < 1:
        raise InputError(f"pairs must be an integer >= 1, got {pairs}")
    theta = objective.theta.double().cpu().numpy()
    if not theta.any():
        raise InputError("the parameters are all zero, and directions as long as they are as well")
    drawn = np.random.default_rng(rng).standard_normal((pairs, 2, len(theta)))
    pieces = [slice(None)] if kind == "whole" else objective.filters()
    for piece in pieces:
        norms = np.linalg.norm(drawn[..., piece], axis=-1, keepdims=True)
        drawn[..., piece] *= np.linalg.norm(theta[piece]) / norms
    return drawn


@torch.no_grad()
def surface(objective: Objective, directions: Array, coordinates: Array) -> Array:
    """The error on a plane.

    Parameters
    ----------
    objective : Objective
    directions : ndarray, shape (2, parameters)
    coordinates : ndarray, shape (points,)
        Along each of them.

    Returns
    -------
    ndarray, shape (points, points)
        The first index is along the first direction.
    """
    first, second = torch.from_numpy(directions).to(objective.theta)
    return np.array(
        [
            [float(objective.loss(objective.theta + a * first + b * second)) for b in coordinates]
            for a in coordinates
        ]
    )
