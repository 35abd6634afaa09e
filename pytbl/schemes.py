"""Time schemes as rows of one table.

Every stage of every scheme is the same update of the two registers ``omega_hat`` and ``H``::

    omega_hat <- [ (1 + a dt L) omega_hat + dt (g N + s H) ] / (1 - b dt L),      H <- N + h H

with N the explicit right-hand side (advection and sources) and L the linear operator, which is
treated implicitly. A scheme is a list of stages (g, s, h, a, b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Stage(NamedTuple):
    """Coefficients of one stage."""

    g: float  #: weight of N
    s: float  #: weight of H
    h: float  #: decay of H
    a: float  #: explicit part of L
    b: float  #: implicit part of L


@dataclass(frozen=True)
class Scheme:
    """A time scheme.

    Attributes
    ----------
    name : str
    stages : tuple of Stage
    order : int
        Order of accuracy of the explicit part; the implicit part (Crank-Nicolson) is of order 2.
    multistep : bool
        H carries N of the step before, so that the first step is special.
    reach : float
        Largest ``abs(lambda) dt`` of an imaginary eigenvalue at which advection is integrated
        stably. Adams-Bashforth 2 grows weakly at any; at 0.5 by 2 % per step at most, in the
        fastest mode alone, which viscosity makes up for in a flow that is resolved.
    """

    name: str
    stages: tuple[Stage, ...]
    order: int
    multistep: bool
    reach: float

    def stages_at(self, dt: float, dt_previous: float | None) -> tuple[Stage, ...]:
        """Stages of a step of length `dt` after one of length `dt_previous` (None: the first)."""
        if not self.multistep:
            return self.stages
        (stage,) = self.stages
        if dt_previous is None:  # Euler: one step of local error dt^2 keeps the order
            return (stage._replace(g=1.0, s=0.0),)
        ratio = 0.5 * dt / dt_previous
        return (stage._replace(g=1.0 + ratio, s=-ratio),)


def _spalart_moser_rogers() -> tuple[Stage, ...]:
    """Spalart, Moser & Rogers, J. Comput. Phys. 96 (1991), appendix A."""
    alpha = (29 / 96, -3 / 40, 1 / 6)
    beta = (37 / 160, 5 / 24, 1 / 6)
    gamma = (8 / 15, 5 / 12, 3 / 4)
    zeta = (0.0, -17 / 60, -5 / 12)
    return tuple(
        Stage(g=g, s=z, h=0.0, a=a, b=b)
        for a, b, g, z in zip(alpha, beta, gamma, zeta, strict=True)
    )


def _carpenter_kennedy() -> tuple[Stage, ...]:
    """Carpenter & Kennedy, NASA TM 109112 (1994), 5 stages; Crank-Nicolson between the nodes."""
    decay = (
        0.0,
        -567301805773 / 1357537059087,
        -2404267990393 / 2016746695238,
        -3550918686646 / 2091501179385,
        -1275806237668 / 842570457699,
    )
    weight = (
        1432997174477 / 9575080441755,
        5161836677717 / 13612068292357,
        1720146321549 / 2090206949498,
        3134564353537 / 4481467310338,
        2277821191437 / 14882151754819,
    )
    node = (
        0.0,
        1432997174477 / 9575080441755,
        2526269341429 / 6820363962896,
        2006345519317 / 3224310063776,
        2802321613138 / 2924317926251,
        1.0,
    )
    return tuple(
        Stage(g=w, s=w * d, h=d, a=(end - start) / 2, b=(end - start) / 2)
        for d, w, start, end in zip(decay, weight, node[:-1], node[1:], strict=True)
    )


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("ab2cn", (Stage(1.5, -0.5, 0.0, 0.5, 0.5),), 2, True, 0.5),
        Scheme("rk3cn", _spalart_moser_rogers(), 3, False, 1.73),
        Scheme("rk4cn", _carpenter_kennedy(), 4, False, 3.34),
    )
}
