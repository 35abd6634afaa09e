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
    Pair = tuple[Array, Array]


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
        self._k2 = grid.k2.astype(grid.dtype)
        # the strain is S_xx + i S_xy = (strain_xx + i strain_xy) psi, and the source of a stress
        # is its adjoint: see `_stress_source`
        strain_xx, strain_xy = -grid.kx * grid.ky, (grid.kx**2 - grid.ky**2) / 2
        self._strain_symbols = [
            (strain * grid.inverse_k2).astype(grid.dtype) for strain in (strain_xx, strain_xy)
        ]
        self._stress_symbols = [strain.astype(grid.dtype) for strain in (strain_xx, strain_xy)]
        self._gradient_symbols = [
            np.broadcast_to(1j * k, grid.mask.shape).astype(grid.complex_dtype)
            for k in (grid.kx, grid.ky)
        ]
        self._velocity_symbols = [
            (symbol * grid.inverse_k2).astype(grid.complex_dtype)
            for symbol in (1j * grid.ky, -1j * grid.kx)
        ]
        self._pair = grid.zeros_spectral(), grid.zeros_spectral()

    @abstractmethod
    def add(self, source_hat: Array, state: Any) -> None:
        """Add the SGS term to the right-hand side, in place.

        Parameters
        ----------
        source_hat : ndarray, shape (nkx_local, ny), complex [1/time^2]
        state : Solver or State
        """

    # What follows works in one pair of arrays: each result is lost with the next one.

    def _times(self, symbols: list[Array], hat: Array) -> Pair:
        for symbol, part in zip(symbols, self._pair, strict=True):
            np.multiply(symbol, hat, out=part)
        return self._pair

    def _strain(self, omega_hat: Array) -> Pair:
        """Spectra of S_xx and S_xy."""
        return self._times(self._strain_symbols, omega_hat)

    def _velocity(self, omega_hat: Array) -> Pair:
        """Spectra of the velocity."""
        return self._times(self._velocity_symbols, omega_hat)

    def _gradient(self, hat: Array) -> Pair:
        """Spectra of the gradient of a field."""
        return self._times(self._gradient_symbols, hat)

    def _strain_times_modulus(self, omega_hat: Array) -> Pair:
        """Spectra of ``abs(S) S_xx`` and ``abs(S) S_xy``, with ``S = S_xx + i S_xy``."""
        return self.grid.times_modulus(*self._strain(omega_hat), out=self._pair)

    @staticmethod
    def _weighted_sum(factor: float, symbols: list[Array], pair: Pair) -> Array:
        """``factor * sum(symbol * part)``; the pair is lost."""
        for symbol, part in zip(symbols, pair, strict=True):
            part *= symbol
        total, other = pair
        total += other
        total *= factor
        return total

    def _divergence(self, factor: float, vector: Pair) -> Array:
        """Spectrum of a factor times the divergence of a vector field, which is lost."""
        return self._weighted_sum(factor, self._gradient_symbols, vector)

    def _stress_source(self, factor: float, stress: Pair) -> Array:
        r"""SGS term of a factor times a stress, ``tau_xx - tau_yy`` and ``2 tau_xy``, now lost.

        .. math:: \Pi = \partial_{xy}(\tau_{xx}-\tau_{yy}) -
                  \tfrac12(\partial_{xx}-\partial_{yy})(2\tau_{xy})
        """
        return self._weighted_sum(factor, self._stress_symbols, stress)

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
