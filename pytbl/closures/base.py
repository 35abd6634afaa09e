"""What closures share: the wavenumbers of a grid, and how stresses enter the vorticity equation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..composition import Composable
from ..errors import InputError

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class State(NamedTuple):
    """A flow at one time, as closures see it; a `Solver` is one, too."""

    grid: Grid
    omega_hat: Array
    t: float = 0.0


def evaluate(closure: Any, grid: Grid, omega_hat: Array, *, t: float = 0.0) -> Array:
    """The SGS term that a closure predicts for a field.

    Parameters
    ----------
    closure : Closure
    grid : Grid
        The coarse grid; the closure is bound to it.
    omega_hat : ndarray, shape (nkx_local, ny) [1/time]
    t : float
        Time, for closures that depend on it [time].

    Returns
    -------
    ndarray, shape (nkx_local, ny), complex [1/time^2]
    """
    if hasattr(closure, "bind"):
        closure.bind(grid)
    source = grid.zeros_spectral()
    closure.add(source, State(grid, omega_hat, t))
    return source


class Closure(Composable, ABC):
    """What the closures of this module share.

    Parameters
    ----------
    ratio : float
        Width over the grid's spacing.

    Raises
    ------
    InputError
        The ratio is not a finite number > 0.
    """

    def __init__(self, *, ratio: float) -> None:
        self.ratio = positive("ratio", ratio)

    def bind(self, grid: Grid) -> None:
        """Take the wavenumbers of a grid."""
        self.grid = grid
        self.width = self.ratio * math.sqrt(grid.dx * grid.dy)
        # the strain is S_xx + i S_xy = (strain_xx + i strain_xy) psi, and the source of a stress
        # is its adjoint: see `stress_source`
        self._inverse_k2 = grid.inverse_k2.astype(grid.dtype)
        self._k2 = grid.k2.astype(grid.dtype)
        self._strain_xx = (-grid.kx * grid.ky).astype(grid.dtype)
        self._strain_xy = ((grid.kx**2 - grid.ky**2) / 2).astype(grid.dtype)

    @abstractmethod
    def add(self, source_hat: Array, state: Any) -> None:
        """Add the SGS term to the right-hand side, in place.

        Parameters
        ----------
        source_hat : ndarray, shape (nkx_local, ny), complex [1/time^2]
        state : Solver or State
        """

    def _strain(self, omega_hat: Array) -> tuple[Array, Array]:
        """Spectra of S_xx and S_xy."""
        psi_hat = omega_hat * self._inverse_k2
        return self._strain_xx * psi_hat, self._strain_xy * psi_hat

    def _stress_source(self, difference_hat: Array, shear_hat: Array) -> Array:
        r"""SGS term of a stress, from ``tau_xx - tau_yy`` and ``2 tau_xy``.

        .. math:: \Pi = \partial_{xy}(\tau_{xx}-\tau_{yy}) -
                  \tfrac12(\partial_{xx}-\partial_{yy})(2\tau_{xy})
        """
        return self._strain_xx * difference_hat + self._strain_xy * shear_hat

    def _mean_square(self, hat: Array, power_of_k: int = 0) -> float:
        """Mean of ``abs(grad^power omega)^2`` over the domain."""
        power = np.square(np.abs(hat), dtype=float)
        if power_of_k:
            power *= self._k2
        return self.grid.sum_modes(power)


def positive(name: str, value: float) -> float:
    """The value, if it is a finite number > 0."""
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} must be a finite number > 0, got {value}")
    return float(value)


def finite(name: str, value: float) -> float:
    """The value, if it is finite."""
    if not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {value}")
    return float(value)
