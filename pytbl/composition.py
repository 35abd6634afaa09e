"""Terms of the vorticity equation that add with ``+`` and scale with ``*``.

Forcings and closures alike are objects whose ``add(source_hat, ...)`` adds to a right-hand side;
what follows `source_hat` is theirs, and is passed on as it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class Composable:
    """Lets terms be added and scaled: ``0.5 * Kolmogorov(mode=8) + Ring(k=20)``."""

    def __add__(self, other: Any) -> Sum:
        return Sum([self, other])

    def __radd__(self, other: Any) -> Sum:
        return Sum([other, self])

    def __mul__(self, factor: float) -> Composable:
        return Scaled(self, factor)

    __rmul__ = __mul__

    def __neg__(self) -> Composable:
        return -1.0 * self


class Sum(Composable):
    """Several terms at once."""

    def __init__(self, members: list[Any]) -> None:
        self.members: list[Any] = [
            part for m in members for part in (m.members if isinstance(m, Sum) else [m])
        ]

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.members))

    def __mul__(self, factor: float) -> Composable:
        return Sum([Scaled.of(member, factor) for member in self.members])

    __rmul__ = __mul__

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
        if not math.isfinite(factor):
            raise InputError(f"a term must be scaled by a finite number, got {factor}")
        self.term, self.factor = term, float(factor)
        self.steady = getattr(term, "steady", False)
        self.impulsive = getattr(term, "impulsive", False)
        self._scratch: Array | None = None

    @classmethod
    def of(cls, term: Any, factor: float) -> Scaled:
        """A scaled term, which may be scaled already."""
        if isinstance(term, Scaled):
            return cls(term.term, factor * term.factor)
        return cls(term, factor)

    def __mul__(self, factor: float) -> Composable:
        return Scaled.of(self, factor)

    __rmul__ = __mul__

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
        self._scratch = grid.zeros_spectral()

    def add(self, source_hat: Array, *context: Any) -> None:
        """Add the scaled term."""
        scratch = self._scratch if self._scratch is not None else np.zeros_like(source_hat)
        scratch[...] = 0
        self.term.add(scratch, *context)
        source_hat += self.factor * scratch
