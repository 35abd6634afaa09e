"""Eddy viscosities whose constant is measured in the flow itself, at twice the width (Germano)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..grid import Grid
from ..subgrid import Coarsening
from .eddy_viscosity import EddyViscosity, Leith, Smagorinsky
from .operators import Operators

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


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
    """An eddy viscosity whose constant is measured anew whenever it is used.

    The test filter is a sharp cut to a grid of half the points, whose modes reach half as far.

    Attributes
    ----------
    coefficient : float
        The constant that was measured last.
    """

    def __init__(self, *, ratio: float = 1.0, local: bool = False) -> None:
        super().__init__(0.0, ratio=ratio, local=local)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options()})"

    def _prepare(self, on: Operators) -> None:
        grid = on.grid
        if grid.nx % 4 or grid.ny % 4:
            raise InputError(
                f"a dynamic closure needs nx and ny divisible by 4, got {grid.nx} x {grid.ny}"
            )
        half = Grid(
            grid.nx // 2,
            grid.ny // 2,
            lx=grid.lx,
            ly=grid.ly,
            dealias=grid.dealias,
            comm=grid.comm,
            dtype=grid.dtype,
            threads=grid.threads,
            reproducible=grid.reproducible,
        )
        self._test = Operators(half)
        self._cut = Coarsening(grid, half)

    def _add(self, source_hat: Array, state: Any) -> None:
        strength = self.measure(state.omega_hat)
        self.coefficient = strength ** (1 / self.power) / self.width
        self._apply(source_hat, state.omega_hat, strength)

    @abstractmethod
    def measure(self, omega_hat: Array) -> float:
        """The strength of the viscosity: the constant times the width, in its power."""


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

    def measure(self, omega_hat: Array) -> float:
        """``(C_s width)^2`` [length^2]."""
        test_hat, grid = self._cut(omega_hat), self._test.grid
        # L_xx - L_yy and 2 L_xy, and the same of M: the trace of neither counts
        resolved = [self._cut(part) for part in self.on.square_of_velocity(omega_hat)]
        for part, test in zip(resolved, self._test.square_of_velocity(test_hat), strict=True):
            part -= test
        model = [self._cut(part) for part in self.on.strain_times_modulus(omega_hat)]
        for part, test in zip(model, self._test.strain_times_modulus(test_hat), strict=True):
            part -= 4 * test
            part *= 8
        (l_1, l_2), (m_1, m_2) = grid.to_points(*resolved), grid.to_points(*model)
        return clipped_mean_ratio(grid, l_1 * m_1 + l_2 * m_2, m_1**2 + m_2**2)


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

    def measure(self, omega_hat: Array) -> float:
        """``(C_L width)^3`` [length^3]."""
        test_hat, grid = self._cut(omega_hat), self._test.grid
        resolved = self._cut(self.on.grid.nonlinear_term(omega_hat))
        resolved -= grid.nonlinear_term(test_hat)
        model = 8 * self._test.gradient_times_laplacian(test_hat)
        model -= self._cut(self.on.gradient_times_laplacian(omega_hat))
        h, m = grid.to_points(resolved, model)
        return clipped_mean_ratio(grid, h * m, m**2)
