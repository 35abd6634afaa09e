"""Derivatives and pointwise products of a grid, as closures put them together."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]
    Pair = tuple[Array, Array]


class Operators:
    """Spectral operators of a grid, which work in one pair of arrays.

    Each pair that a method returns is lost with the next call: fresh arrays would cost more than
    the work on them.

    Parameters
    ----------
    grid : Grid
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._pair = grid.zeros_spectral(), grid.zeros_spectral()

    # --------------------------------------------------------------------------------- symbols ---

    @cached_property
    def k2(self) -> Array:
        """Minus the Laplacian."""
        return self.grid.k2.astype(self.grid.dtype)

    @cached_property
    def gradient_symbols(self) -> Pair:
        """Of the derivatives along x and y."""
        grid = self.grid
        x, y = (
            np.broadcast_to(1j * k, grid.mask.shape).astype(grid.complex_dtype)
            for k in (grid.kx, grid.ky)
        )
        return x, y

    @cached_property
    def velocity_symbols(self) -> Pair:
        """Of u and v, from the vorticity."""
        x, y = self.gradient_symbols
        inverse_k2 = self.grid.inverse_k2.astype(self.grid.dtype)
        return y * inverse_k2, -x * inverse_k2

    @cached_property
    def stress_symbols(self) -> Pair:
        """Of the SGS term, from ``tau_xx - tau_yy`` and ``2 tau_xy``."""
        grid = self.grid
        difference, shear = -grid.kx * grid.ky, (grid.kx**2 - grid.ky**2) / 2
        return difference.astype(grid.dtype), shear.astype(grid.dtype)

    @cached_property
    def strain_symbols(self) -> Pair:
        """Of S_xx and S_xy, from the vorticity: the source of a stress is the strain's adjoint."""
        xx, xy = self.stress_symbols
        inverse_k2 = self.grid.inverse_k2.astype(self.grid.dtype)
        return xx * inverse_k2, xy * inverse_k2

    # ----------------------------------------------------------------------- linear, of omega ---

    def times(self, symbols: Pair, hat: Array) -> Pair:
        """A spectrum times each of two symbols."""
        for symbol, part in zip(symbols, self._pair, strict=True):
            np.multiply(symbol, hat, out=part)
        return self._pair

    def gradient(self, hat: Array) -> Pair:
        """Spectra of the derivatives along x and y."""
        return self.times(self.gradient_symbols, hat)

    def mean_square(self, hat: Array, *, gradient: bool = False) -> float:
        """Mean over the domain of the square of a field, or of its gradient."""
        power = np.square(np.abs(hat), dtype=float)
        if gradient:
            power *= self.k2
        return self.grid.sum_modes(power)

    # ------------------------------------------------------------------- products, of omega ---

    def square_of_velocity(self, omega_hat: Array) -> Pair:
        """Spectra of ``u^2 - v^2`` and ``2 u v``."""
        return self.square(self.velocity_symbols, omega_hat)

    def square(self, symbols: Pair, hat: Array) -> Pair:
        """Spectra of the square of ``a + i b``, a and b the field times two symbols."""
        return self.grid.square(*self.times(symbols, hat), out=self._pair)

    def strain_times_modulus(self, omega_hat: Array) -> Pair:
        """Spectra of ``abs(S) S_xx`` and ``abs(S) S_xy``, with ``S = S_xx + i S_xy``."""
        strain = self.times(self.strain_symbols, omega_hat)
        return self.grid.times_modulus(*strain, out=self._pair)

    def gradient_times_modulus(self, omega_hat: Array) -> Pair:
        """Spectra of ``abs(grad omega) grad omega``."""
        return self.grid.times_modulus(*self.gradient(omega_hat), out=self._pair)

    @cached_property
    def _points(self) -> tuple[Pair, Pair]:
        return self.grid.zeros_points(), self.grid.zeros_points()

    def gradient_times_laplacian(self, omega_hat: Array) -> Array:
        """Spectrum of ``abs(grad omega) laplace(omega)``."""
        grid, (vector, scalar) = self.grid, self._points
        x, y = grid.to_points(*self.gradient(omega_hat), out=vector)
        minus_laplacian, zero = grid.to_points(self.k2 * omega_hat, None, out=scalar)
        x *= x
        y *= y
        x += y
        minus_laplacian *= np.sqrt(x, out=x)
        hat, _ = grid.from_points(minus_laplacian, zero, out=self._pair)
        return np.negative(hat, out=hat)

    # ----------------------------------------------------------------- what products add to Pi ---

    @staticmethod
    def _sum(factor: float, symbols: Pair, pair: Pair) -> Array:
        for symbol, part in zip(symbols, pair, strict=True):
            part *= symbol
        total, other = pair
        total += other
        total *= factor
        return total

    def divergence(self, factor: float, vector: Pair) -> Array:
        """Spectrum of a factor times the divergence of a vector field, which is lost."""
        return self._sum(factor, self.gradient_symbols, vector)

    def stress_source(self, factor: float, stress: Pair) -> Array:
        r"""SGS term of a factor times a stress, ``tau_xx - tau_yy`` and ``2 tau_xy``, now lost.

        .. math:: \Pi = \partial_{xy}(\tau_{xx}-\tau_{yy}) -
                  \tfrac12(\partial_{xx}-\partial_{yy})(2\tau_{xy})
        """
        return self._sum(factor, self.stress_symbols, stress)
