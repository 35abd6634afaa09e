"""Eddy viscosities whose constant is measured in the flow itself, at twice the width (Germano)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..grid import Grid
from ..subgrid import Coarsening
from .base import Closure
from .eddy_viscosity import EddyViscosity, Leith, Smagorinsky

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]
    Pair = tuple[Array, Array]


class TestScale:
    """A grid of half the points, and the sharp cut-off that leads to it (filter ratio 2)."""

    __test__ = False  # not a test of pytest's

    def __init__(self, grid: Grid) -> None:
        if grid.nx % 4 or grid.ny % 4:
            raise InputError(
                f"a dynamic closure needs nx and ny divisible by 4, got {grid.nx} x {grid.ny}"
            )
        self.grid = Grid(
            grid.nx // 2,
            grid.ny // 2,
            lx=grid.lx,
            ly=grid.ly,
            dealias="3/2",
            comm=grid.comm,
            dtype=grid.dtype,
            threads=grid.threads,
            reproducible=grid.reproducible,
        )
        self.filter = Coarsening(grid, self.grid)

    def filter_pair(self, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        """Both filtered."""
        return self.filter(pair[0]), self.filter(pair[1])


def clipped_mean_ratio(grid: Grid, product: Array, square: Array) -> float:
    """The constant c of ``resolved = c model``, clipped at each point, averaged over the domain.

    Parameters
    ----------
    grid : Grid
    product, square : ndarray
        ``resolved . model`` and ``model . model`` at the points of this rank.

    Returns
    -------
    float
        ``<max(product, 0)> / <square>``, and 0 where the model vanishes.
    """
    sums = [np.maximum(product, 0).sum(dtype=float), square.sum(dtype=float)]
    above, below = grid.exchange.sum(np.array(sums))
    return float(above / below) if below > 0 else 0.0


class Dynamic(EddyViscosity):
    """An eddy viscosity whose constant is measured at each step, at twice the width (Germano)."""

    def __init__(self, *, ratio: float = 1.0, local: bool = False) -> None:
        super().__init__(0.0, ratio=ratio, local=local)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options().removeprefix(', ')})"

    def bind(self, grid: Grid) -> None:
        """Take the wavenumbers of a grid, and make the one of half the points.

        Raises
        ------
        InputError
            The grid cannot be halved.
        """
        super().bind(grid)
        self.test = TestScale(grid)
        self._coarse = type(self)(ratio=self.ratio)
        Closure.bind(self._coarse, self.test.grid)

    def add(self, source_hat: Array, state: Any) -> None:
        """Measure the constant, and add the term; `coefficient` is the constant after that."""
        length = self.measure(state.omega_hat)
        self.coefficient = length ** (1 / self._power) / self.width
        self._apply(source_hat, state.omega_hat, length)

    _power: int
    _coarse: Any  # the same closure on the grid of half the points

    def _squared_length(self) -> float:
        return float((self.coefficient * self.width) ** self._power)

    @abstractmethod
    def measure(self, omega_hat: Array) -> float:
        """The constant times the width, in the power in which the viscosity has it."""


class DynamicSmagorinsky(Dynamic, Smagorinsky):
    r"""Smagorinsky's closure with a dynamic constant, clipped and averaged.

    With a hat for the test filter (sharp, at half the cut-off),

    .. math:: L_{ij} = \widehat{u_i u_j} - \hat u_i\hat u_j, \quad
              M_{ij} = 2\,(\widehat{|S|S_{ij}} - 4|\hat S|\hat S_{ij}), \quad
              (C_s\Delta)^2 = \langle\max(L_{ij}M_{ij}, 0)\rangle / \langle M_{ij}M_{ij}\rangle.

    References
    ----------
    Germano et al., Phys. Fluids A 3 (1991); Lilly, Phys. Fluids A 4 (1992); with clipping and the
    mean over the domain as in Guan et al., J. Comput. Phys. 458 (2022).
    """

    _power = 2

    def measure(self, omega_hat: Array) -> float:
        """``(C_s width)^2`` [length^2]."""
        test, coarse_hat = self.test, self.test.filter(omega_hat)
        fine = test.filter_pair(self._square_of_velocity(omega_hat))
        resolved = self._coarse._square_of_velocity(coarse_hat)
        leonard = [f - r for f, r in zip(fine, resolved, strict=True)]
        model = test.filter_pair(self._strain_times_modulus(omega_hat))
        model_coarse = self._coarse._strain_times_modulus(coarse_hat)
        # L_xx - L_yy and 2 L_xy, and the same of M: the trace of neither counts
        l_1, l_2 = test.grid.to_points(*leonard)
        m_1, m_2 = test.grid.to_points(
            8 * (model[0] - 4 * model_coarse[0]), 8 * (model[1] - 4 * model_coarse[1])
        )
        return clipped_mean_ratio(test.grid, l_1 * m_1 + l_2 * m_2, m_1**2 + m_2**2)

    def _square_of_velocity(self, omega_hat: Array) -> tuple[Array, Array]:
        """Spectra of ``u^2 - v^2`` and ``2 u v``."""
        return self.grid.square(*self._velocity(omega_hat), out=self._pair)


class DynamicLeith(Dynamic, Leith):
    r"""Leith's closure with a dynamic constant, clipped and averaged.

    With a hat for the test filter (sharp, at half the cut-off) and N the advection,

    .. math:: H = \widehat{N(\bar\omega)} - N(\hat{\bar\omega}), \quad
              M = 8|\nabla\hat{\bar\omega}|\nabla^2\hat{\bar\omega}
                  - \widehat{|\nabla\bar\omega|\nabla^2\bar\omega}, \quad
              (C_L\Delta)^3 = \langle\max(HM, 0)\rangle / \langle M^2\rangle.

    References
    ----------
    Guan et al., J. Comput. Phys. 458 (2022), after Germano et al. (1991).
    """

    _power = 3
    _points: tuple[Pair, Pair]

    def measure(self, omega_hat: Array) -> float:
        """``(C_L width)^3`` [length^3]."""
        test, coarse_hat = self.test, self.test.filter(omega_hat)
        resolved = test.filter(self.grid.nonlinear_term(omega_hat))
        resolved -= test.grid.nonlinear_term(coarse_hat)
        model = 8 * self._coarse._diffusion(coarse_hat) - test.filter(self._diffusion(omega_hat))
        h, m = test.grid.to_points(resolved, model)
        return clipped_mean_ratio(test.grid, h * m, m**2)

    def bind(self, grid: Grid) -> None:
        """Take the wavenumbers of a grid, and room for its gradient and Laplacian."""
        super().bind(grid)
        for closure in (self, self._coarse):
            closure._points = closure.grid.zeros_points(), closure.grid.zeros_points()

    def _diffusion(self, omega_hat: Array) -> Array:
        """Spectrum of ``abs(grad omega) laplace(omega)``; lost with the next one."""
        grid = self.grid
        vector, scalar = self._points
        x, y = grid.to_points(*self._gradient(omega_hat), out=vector)
        laplacian, zero = grid.to_points(self._k2 * omega_hat, None, out=scalar)
        x *= x
        y *= y
        x += y
        laplacian *= np.sqrt(x, out=x)
        hat, _ = grid.from_points(laplacian, zero, out=self._pair)
        np.negative(hat, out=hat)
        return hat
