"""A closure without its backscatter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import Closure

if TYPE_CHECKING:
    from ..grid import Grid
    from .operators import Operators

    Array = np.ndarray[Any, np.dtype[Any]]


def without_backscatter(grid: Grid, omega_hat: Array, pi_hat: Array) -> Array:
    r"""An SGS term where it diffuses, :math:`\Pi\nabla^2\bar\omega > 0`; else 0, then cut.

    Parameters
    ----------
    grid : Grid
    omega_hat : ndarray, shape (nkx_local, ny) [1/time]
    pi_hat : ndarray, shape (nkx_local, ny) [1/time^2]

    Returns
    -------
    ndarray, shape (nkx_local, ny) [1/time^2]
    """
    pi, laplacian = grid.to_physical_pair(pi_hat, -grid.k2 * omega_hat)
    kept = grid.to_spectral(np.where(pi * laplacian > 0, pi, 0))
    if len(kept) and grid.kx_start == 0:
        kept[0, 0] = 0  # clipping leaves a mean, which vorticity cannot have
    return kept


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

    def _prepare(self, on: Operators) -> None:
        if hasattr(self.closure, "bind"):
            self.closure.bind(on.grid)

    def _add(self, source_hat: Array, state: Any) -> None:
        pi_hat = state.grid.zeros_spectral()
        self.closure.add(pi_hat, state)
        source_hat += without_backscatter(state.grid, state.omega_hat, pi_hat)
