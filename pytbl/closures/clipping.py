"""A closure without its backscatter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import Closure

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class WithoutBackscatter(Closure):
    r"""Another closure where it diffuses vorticity, :math:`\Pi\nabla^2\bar\omega > 0`.

    Elsewhere it is set to 0 at the points of the grid, and then cut to the kept modes, which leaves
    ripples of a few per cent of its maximum there.

    The clipping of Maulik et al. (J. Fluid Mech. 858, 2019), and of the ablation in Guan et al.
    (2022).

    Parameters
    ----------
    closure : Closure
    """

    def __init__(self, closure: Any) -> None:
        self.closure = closure

    def __repr__(self) -> str:
        return f"WithoutBackscatter({self.closure!r})"

    def _prepare(self, grid: Grid) -> None:
        if hasattr(self.closure, "bind"):
            self.closure.bind(grid)

    def _add(self, source_hat: Array, state: Any) -> None:
        grid, pi_hat = state.grid, state.grid.zeros_spectral()
        self.closure.add(pi_hat, state)
        pi, laplacian = grid.to_physical_pair(pi_hat, -self.on.k2 * state.omega_hat)
        kept = grid.to_spectral(np.where(pi * laplacian > 0, pi, 0))
        if len(kept) and grid.kx_start == 0:
            kept[0, 0] = 0  # clipping leaves a mean, which vorticity cannot have
        source_hat += kept
