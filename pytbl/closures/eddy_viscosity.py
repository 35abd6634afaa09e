"""Eddy viscosities with given constants."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import InputError
from .base import Closure, ClosureOfWidth, finite, flag

if TYPE_CHECKING:
    import numpy as np

    from .operators import Operators

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
        self.coefficient = finite("the coefficient of Hyperviscosity", coefficient)
        if order != int(order) or not 1 <= order <= 8:
            raise InputError(f"the order of Hyperviscosity must be 1 .. 8, got {order}")
        self.order = int(order)

    def __repr__(self) -> str:
        return f"Hyperviscosity({self.coefficient:g}, order={self.order})"

    def _prepare(self, on: Operators) -> None:
        self._power = on.grid.k2**self.order  # in double precision: float32 would overflow

    def _add(self, source_hat: Array, state: Any) -> None:
        rate = (self.coefficient * self._power).astype(self.on.grid.dtype)
        source_hat -= rate * state.omega_hat


class EddyViscosity(ClosureOfWidth):
    """An eddy viscosity that is either the same everywhere or that of each point.

    Its strength is the constant times the width, in the power in which the viscosity has it.

    Parameters
    ----------
    coefficient : float
        The constant.
    ratio : float
        Width over the grid's spacing.
    local : bool
        Form the viscosity at every point; else from the mean square over the domain.
    """

    power: ClassVar[int]  #: of the width in the viscosity

    def __init__(self, coefficient: float, *, ratio: float = 1.0, local: bool = False) -> None:
        super().__init__(ratio=ratio)
        self.coefficient = finite(f"the coefficient of {type(self).__name__}", coefficient)
        self.local = flag("local", local)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.coefficient:g}, {self._options()})"

    def _options(self) -> str:
        return f"ratio={self.ratio:g}" + (", local=True" if self.local else "")

    @abstractmethod
    def viscosity(self, omega_hat: Array, strength: float) -> float:
        """The viscosity of a field that is the same everywhere [length^2/time]."""

    @abstractmethod
    def _local_term(self, omega_hat: Array, strength: float) -> Array:
        """The term with the viscosity of each point."""

    def _add(self, source_hat: Array, state: Any) -> None:
        self._apply(source_hat, state.omega_hat, (self.coefficient * self.width) ** self.power)

    def _apply(self, source_hat: Array, omega_hat: Array, strength: float) -> None:
        if self.local:
            source_hat += self._local_term(omega_hat, strength)
        else:
            source_hat -= (self.viscosity(omega_hat, strength) * self.on.k2) * omega_hat


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

    power = 2

    def __init__(
        self, coefficient: float = 0.17, *, ratio: float = 1.0, local: bool = False
    ) -> None:
        super().__init__(coefficient, ratio=ratio, local=local)

    def viscosity(self, omega_hat: Array, strength: float) -> float:
        """Of the domain: the mean of |S|^2 is that of omega^2."""
        return strength * math.sqrt(self.on.mean_square(omega_hat))

    def _local_term(self, omega_hat: Array, strength: float) -> Array:
        # tau_xx - tau_yy + 2i tau_xy = -4 nu_e S, nu_e = 2 strength abs(S), S = S_xx + i S_xy
        return self.on.stress_source(-8 * strength, self.on.strain_times_modulus(omega_hat))


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

    power = 3

    def __init__(
        self, coefficient: float = 0.21, *, ratio: float = 1.0, local: bool = False
    ) -> None:
        super().__init__(coefficient, ratio=ratio, local=local)

    def viscosity(self, omega_hat: Array, strength: float) -> float:
        """Of the domain."""
        return strength * math.sqrt(self.on.mean_square(omega_hat, gradient=True))

    def _local_term(self, omega_hat: Array, strength: float) -> Array:
        return self.on.divergence(strength, self.on.gradient_times_modulus(omega_hat))
