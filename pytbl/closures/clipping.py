"""A closure without its backscatter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import Closure

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class WithoutBackscatter(Closure):
    r"""Another closure where it diffuses vorticity, :math:`\Pi\nabla^2\bar\omega > 0`; 0 elsewhere.

    The clipping of Maulik et al. (J. Fluid Mech. 858, 2019), and of the ablation in Guan et al.
    (2022).

    Parameters
    ----------
    closure : Closure
    """

    def __init__(self, closure: Any) -> None:
        super().__init__(ratio=1.0)
        self.closure = closure

    def __repr__(self) -> str:
        return f"WithoutBackscatter({self.closure!r})"

    def bind(self, grid: Grid) -> None:
        """Take the wavenumbers of a grid, for the other closure as well."""
        super().bind(grid)
        if hasattr(self.closure, "bind"):
            self.closure.bind(grid)

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the term."""
        pi_hat = self.grid.zeros_spectral()
        self.closure.add(pi_hat, state)
        pi, laplacian = self.grid.to_physical_pair(pi_hat, -self._k2 * state.omega_hat)
        kept = self.grid.to_spectral(np.where(pi * laplacian > 0, pi, 0))
        if len(kept) and self.grid.kx_start == 0:
            kept[0, 0] = 0  # clipping leaves a mean, which vorticity cannot have
        source_hat += kept
