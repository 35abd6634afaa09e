"""Eddy viscosities with given constants."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .base import Closure, finite

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


class Hyperviscosity(Closure):
    r""":math:`\Pi = -\nu_h (-\nabla^2)^p \bar\omega`, beside the flow's own viscosity.

    Parameters
    ----------
    coefficient : float
        :math:`\nu_h` [length^(2p)/time].
    order : int
        p.
    """

    def __init__(self, coefficient: float, *, order: int = 2) -> None:
        super().__init__(ratio=1.0)
        self.coefficient = finite("the coefficient of Hyperviscosity", coefficient)
        if order != int(order) or not 1 <= order <= 8:
            raise InputError(f"the order of Hyperviscosity must be 1 .. 8, got {order}")
        self.order = int(order)

    def __repr__(self) -> str:
        return f"Hyperviscosity({self.coefficient:g}, order={self.order})"

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the term."""
        source_hat -= self.coefficient * self._k2**self.order * state.omega_hat


class EddyViscosity(Closure):
    """An eddy viscosity that is either the same everywhere or that of each point.

    Parameters
    ----------
    coefficient : float
        The constant that multiplies the width.
    ratio : float
        Width over the grid's spacing.
    local : bool
        Form the viscosity at every point; else from the mean square over the domain.
    """

    def __init__(self, coefficient: float, *, ratio: float = 1.0, local: bool = False) -> None:
        super().__init__(ratio=ratio)
        self.coefficient = finite(f"the coefficient of {type(self).__name__}", coefficient)
        self.local = bool(local)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.coefficient:g}{self._options()})"

    def _options(self) -> str:
        local = ", local=True" if self.local else ""
        return f", ratio={self.ratio:g}{local}"

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the term."""
        self._apply(source_hat, state.omega_hat, self._squared_length())

    @abstractmethod
    def _squared_length(self) -> float:
        """The constant times the width, in the power in which the viscosity has it."""

    @abstractmethod
    def viscosity(self, omega_hat: Array, length: float) -> float:
        """The viscosity of a field that is the same everywhere [length^2/time]."""

    @abstractmethod
    def _add_local(self, source_hat: Array, omega_hat: Array, length: float) -> None:
        """Add the term with the viscosity of each point."""

    def _apply(self, source_hat: Array, omega_hat: Array, length: float) -> None:
        if self.local:
            self._add_local(source_hat, omega_hat, length)
        else:
            source_hat -= (self.viscosity(omega_hat, length) * self._k2) * omega_hat


class Smagorinsky(EddyViscosity):
    r"""Smagorinsky's eddy viscosity, :math:`\nu_e = (C_s\Delta)^2 |S|`.

    With :math:`|S|^2 = 2S_{ij}S_{ij}`. Of the domain,
    :math:`\nu_e = (C_s\Delta)^2\langle|S|^2\rangle^{1/2}` and
    :math:`\Pi = \nu_e\nabla^2\bar\omega`; of each point, :math:`\tau_{ij} = -2\nu_e S_{ij}`.

    References
    ----------
    Smagorinsky, Mon. Weather Rev. 91 (1963); the mean form as in Guan et al., J. Comput. Phys. 458
    (2022), with :math:`C_s` = 0.17 and :math:`\Delta = L/N`.
    """

    def __init__(
        self, coefficient: float = 0.17, *, ratio: float = 1.0, local: bool = False
    ) -> None:
        super().__init__(coefficient, ratio=ratio, local=local)

    def _squared_length(self) -> float:
        return (self.coefficient * self.width) ** 2

    def viscosity(self, omega_hat: Array, length: float) -> float:
        """Of the domain, from ``length = (C_s width)^2``; the mean of |S|^2 is that of omega^2."""
        return length * math.sqrt(self._mean_square(omega_hat))

    def _add_local(self, source_hat: Array, omega_hat: Array, length: float) -> None:
        # tau_xx - tau_yy + 2i tau_xy = -4 nu_e S with nu_e = 2 length abs(S), S = S_xx + i S_xy
        source_hat += self._stress_source(-8 * length, self._strain_times_modulus(omega_hat))


class Leith(EddyViscosity):
    r"""Leith's eddy viscosity, :math:`\nu_e = (C_L\Delta)^3 |\nabla\bar\omega|`.

    Of the domain, :math:`\nu_e = (C_L\Delta)^3\langle|\nabla\bar\omega|^2\rangle^{1/2}` and
    :math:`\Pi = \nu_e\nabla^2\bar\omega`; of each point,
    :math:`\Pi = \nabla\cdot(\nu_e\nabla\bar\omega)`.

    References
    ----------
    Leith, Physica D 98 (1996); the mean form as in Guan et al., J. Comput. Phys. 458 (2022), with
    :math:`C_L` = 0.21 and :math:`\Delta = L/N`.
    """

    def __init__(
        self, coefficient: float = 0.21, *, ratio: float = 1.0, local: bool = False
    ) -> None:
        super().__init__(coefficient, ratio=ratio, local=local)

    def _squared_length(self) -> float:
        return (self.coefficient * self.width) ** 3

    def viscosity(self, omega_hat: Array, length: float) -> float:
        """Of the domain, from ``length = (C_L width)^3``."""
        return length * math.sqrt(self._mean_square(omega_hat, 1))

    def _add_local(self, source_hat: Array, omega_hat: Array, length: float) -> None:
        flux = self.grid.times_modulus(*self._gradient(omega_hat), out=self._pair)
        source_hat += self._divergence(length, flux)
