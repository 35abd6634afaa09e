"""The linear physics of the flow: viscosity, drag and the beta effect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .grid import Grid


@dataclass(frozen=True)
class Flow:
    r"""Parameters of the vorticity equation on a doubly periodic domain.

    .. math:: \partial_t \omega + u\cdot\nabla\omega + \beta v
              = -\nu (-\nabla^2)^p \omega - r\,\omega + \text{sources}

    Parameters
    ----------
    viscosity : float
        :math:`\nu` [length^(2p)/time]; not negative.
    viscosity_order : int
        :math:`p`: 1 is molecular viscosity, more is hyperviscosity.
    drag : float
        :math:`r`, linear drag [1/time]; not negative.
    beta : float
        Gradient of the planetary vorticity along y [1/(length time)], with the textbook's sign:
        :math:`D\omega/Dt = -\beta v`. (Subel et al. 2023 has none; codes of that family that write
        :math:`+\beta v` solve the mirror image in y.)

    Raises
    ------
    InputError
        A value is not finite or out of range.
    """

    viscosity: float = 0.0
    viscosity_order: int = 1
    drag: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        for name in ("viscosity", "drag"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} must be a finite number >= 0, got {value}")
        if not math.isfinite(self.beta):
            raise InputError(f"beta must be a finite number, got {self.beta}")
        if self.viscosity_order != int(self.viscosity_order) or not 1 <= self.viscosity_order <= 8:
            raise InputError(f"viscosity_order must be 1 .. 8, got {self.viscosity_order}")

    def linear_operator(self, grid: Grid) -> np.ndarray[Any, np.dtype[Any]]:
        r"""L(k) of :math:`\partial_t\hat\omega = \hat N + L\hat\omega` [1/time].

        Returns
        -------
        ndarray, shape (nkx_local, ny), complex
            ``-viscosity k^(2 order) - drag + i beta kx / k^2``; zero for modes that are cut.
        """
        damping = -self.viscosity * grid.k2**self.viscosity_order - self.drag
        rossby = self.beta * grid.kx * grid.inverse_k2
        return np.where(grid.mask, damping + 1j * rossby, 0)
