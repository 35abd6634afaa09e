"""Terms of the vorticity equation that add with ``+`` and scale with ``*``.

Forcings and closures alike are objects whose ``add(source_hat, ...)`` adds to a right-hand side;
what follows `source_hat` is theirs, and is passed on as it is.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class Composable:
    """Lets terms be added and scaled: ``0.5 * Kolmogorov(mode=8) + Ring(k=20)``."""

    def __add__(self, other: Any) -> Composable:
        return Sum([self, other])

    def __radd__(self, other: Any) -> Composable:
        return self if other == 0 else Sum([other, self])  # sum() begins with 0

    def __sub__(self, other: Any) -> Composable:
        return Sum([self, Scaled.of(other, -1.0)])

    def __mul__(self, factor: float) -> Composable:
        return Scaled.of(self, factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Composable:
        return Scaled.of(self, 1 / divisor)

    def __neg__(self) -> Composable:
        return Scaled.of(self, -1.0)


class Sum(Composable):
    """Several terms at once.

    Raises
    ------
    InputError
        One of them cannot be a term: it has no method `add`.
    """

    def __init__(self, members: list[Any]) -> None:
        self.members: list[Any] = [
            part for m in members for part in (m.members if isinstance(m, Sum) else [m])
        ]
        for member in self.members:
            _check_term(member)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.members))

    def bind(self, grid: Grid) -> None:
        """Bind every member."""
        for member in self.members:
            if hasattr(member, "bind"):
                member.bind(grid)

    def add(self, source_hat: Array, *context: Any) -> None:
        """Add every member."""
        for member in self.members:
            member.add(source_hat, *context)


class Scaled(Composable):
    """A term times a factor; a forcing that is white in time puts in the factor squared."""

    def __init__(self, term: Any, factor: float) -> None:
        if not isinstance(factor, Real) or isinstance(factor, bool) or not math.isfinite(factor):
            raise InputError(f"a term must be scaled by a finite number, got {factor!r}")
        _check_term(term)
        self.term: Any = term
        self.factor: float = float(factor)
        self.steady = getattr(term, "steady", False)
        self.impulsive = getattr(term, "impulsive", False)
        self._scratch: Array | None = None

    @classmethod
    def of(cls, term: Any, factor: float) -> Composable:
        """A scaled term; of a sum, each member on its own, of a scaled one, by both factors."""
        if isinstance(term, Sum):
            return Sum([cls.of(member, factor) for member in term.members])
        if isinstance(term, Scaled):
            return cls(term.term, factor * term.factor)
        return cls(term, factor)

    def __repr__(self) -> str:
        return f"{self.factor:g} * {self.term!r}"

    @property
    def kx_mode_max(self) -> int | None:
        """Largest mode number along x that the term touches."""
        return getattr(self.term, "kx_mode_max", None)

    @property
    def energy_rate(self) -> float:
        """Mean energy input of a forcing that is white in time [length^2/time^3]."""
        return self.factor**2 * float(self.term.energy_rate)

    def bind(self, grid: Grid) -> None:
        """Bind the term."""
        if hasattr(self.term, "bind"):
            self.term.bind(grid)

    def add(self, source_hat: Array, *context: Any) -> None:
        """Add the scaled term."""
        if self._scratch is None or self._scratch.shape != source_hat.shape:
            self._scratch = np.zeros_like(source_hat)
        self._scratch[...] = 0
        self.term.add(self._scratch, *context)
        source_hat += self.factor * self._scratch


def _check_term(term: Any) -> None:
    if not callable(getattr(term, "add", None)):
        raise InputError(f"{term!r} is no term of the vorticity equation: it has no method add")
