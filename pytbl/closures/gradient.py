"""Gradient models: the Taylor expansion of a Gaussian filter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .base import ClosureOfWidth
from .operators import Operators

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


class Gradient(ClosureOfWidth):
    r"""The gradient (or nonlinear) model, of Taylor expansion in the width of a Gaussian filter.

    .. math:: \tau_{ij} = \sum_{n=1}^{\mathrm{order}/2} \frac1{n!}\Big(\frac{\Delta^2}{12}\Big)^n
              \partial_{k_1\dots k_n}\bar u_i\,\partial_{k_1\dots k_n}\bar u_j

    exact for a Gaussian as the order grows, on smooth fields. Order 2 transfers no energy at any
    point in two dimensions, and enstrophy in both senses: by itself it does not make a stable LES.

    Parameters
    ----------
    order : {2, 4, 6}
        Order in the width: GM2, GM4, GM6.
    ratio : float
        Width of the filter over the grid's spacing.

    References
    ----------
    Leonard, Adv. Geophys. 18A (1974); Clark et al., J. Fluid Mech. 91 (1979); Jakhar et al., J.
    Adv. Model. Earth Syst. (2024) and arXiv:2509.20365 for orders above 2 in two dimensions.
    """

    def __init__(self, *, order: int = 2, ratio: float = 2.0) -> None:
        super().__init__(ratio=ratio)
        if order not in (2, 4, 6):
            raise InputError(f"the order of Gradient must be 2, 4 or 6, got {order}")
        self.order = int(order)

    def __repr__(self) -> str:
        return f"Gradient(order={self.order}, ratio={self.ratio:g})"

    def _prepare(self, on: Operators) -> None:
        grid = on.grid
        # in units of the width over sqrt(12), which may differ along x and y
        ik_x = 1j * grid.kx * (self.ratio * grid.dx / math.sqrt(12))
        ik_y = 1j * grid.ky * (self.ratio * grid.dy / math.sqrt(12))
        u, v = on.velocity_symbols
        self._derivatives = []
        for n in range(1, self.order // 2 + 1):
            for j in range(n + 1):
                weight = math.comb(n, j) / math.factorial(n)
                root = (math.sqrt(weight) * ik_x ** (n - j) * ik_y**j).astype(grid.complex_dtype)
                self._derivatives.append((root * u, root * v))
        self._stress = grid.zeros_spectral(), grid.zeros_spectral()

    def stress(self, omega_hat: Array) -> tuple[Array, Array]:
        """Spectra of ``tau_xx - tau_yy``, ``2 tau_xy`` [length^2/time^2]; lost with the next."""
        for total in self._stress:
            total[...] = 0
        for symbols in self._derivatives:
            parts = self.on.square(symbols, omega_hat)
            for total, part in zip(self._stress, parts, strict=True):
                total += part
        return self._stress

    def _add(self, source_hat: Array, state: Any) -> None:
        source_hat += self.on.stress_source(1.0, self.stress(state.omega_hat))
