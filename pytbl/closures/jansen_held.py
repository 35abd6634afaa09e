"""Dissipation at small scales that gives energy back at large ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import InputError
from .base import ClosureOfWidth, finite

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


class JansenHeld(ClosureOfWidth):
    r"""Biharmonic dissipation that gives a part of the energy back at large scales.

    .. math:: \Pi = -\nu_4\nabla^4\bar\omega - \nu_b\nabla^2\bar\omega, \qquad
              \nu_b = C_B\,\nu_4\,\frac{\langle|\nabla\bar\omega|^2\rangle}
                                       {\langle\bar\omega^2\rangle}

    so that the second term returns :math:`C_B` times the energy that the first one takes.

    Parameters
    ----------
    base : {"smagorinsky", "leith"}
        :math:`\nu_4 = (C\Delta)^4\langle|S|^2\rangle^{1/2}` or
        :math:`(C\Delta)^5\langle|\nabla\bar\omega|^2\rangle^{1/2}`.
    coefficient : float, optional
        C; 0.22 and 0.29 by default.
    backscatter : float, optional
        :math:`C_B`; 0.951 and 0.95 by default.
    ratio : float
        Width over the grid's spacing.

    References
    ----------
    Jansen & Held, Ocean Modelling 80 (2014); constants as in the code of Guan et al. (2024),
    arXiv:2409.04985, for :math:`\Delta = L/N`.
    """

    _DEFAULTS: ClassVar = {"smagorinsky": (0.22, 0.951), "leith": (0.29, 0.95)}

    def __init__(
        self,
        base: str = "smagorinsky",
        *,
        coefficient: float | None = None,
        backscatter: float | None = None,
        ratio: float = 1.0,
    ) -> None:
        super().__init__(ratio=ratio)
        if base not in self._DEFAULTS:
            raise InputError(f"base must be one of {', '.join(self._DEFAULTS)}, got {base!r}")
        usual = self._DEFAULTS[base]
        self.base = base
        self.coefficient = finite(
            "the coefficient of JansenHeld", usual[0] if coefficient is None else coefficient
        )
        self.backscatter = finite("backscatter", usual[1] if backscatter is None else backscatter)
        if not 0 <= self.backscatter <= 1:
            raise InputError(f"backscatter must be 0 .. 1, got {self.backscatter}")

    def __repr__(self) -> str:
        return (
            f"JansenHeld({self.base!r}, coefficient={self.coefficient:g}, "
            f"backscatter={self.backscatter:g}, ratio={self.ratio:g})"
        )

    def viscosities(self, omega_hat: Array) -> tuple[float, float]:
        """The biharmonic viscosity [length^4/time], and the one that gives back [length^2/time]."""
        omega = self.on.mean_square(omega_hat)
        gradient = self.on.mean_square(omega_hat, gradient=True)
        length = self.coefficient * self.width
        if self.base == "smagorinsky":
            biharmonic = length**4 * math.sqrt(omega)
        else:
            biharmonic = length**5 * math.sqrt(gradient)
        returned = self.backscatter * biharmonic * gradient / omega if omega > 0 else 0.0
        return biharmonic, returned

    def _add(self, source_hat: Array, state: Any) -> None:
        biharmonic, returned = self.viscosities(state.omega_hat)
        source_hat += (self.on.k2 * (returned - biharmonic * self.on.k2)) * state.omega_hat
