"""What closures share: a grid that they are bound to, and how they are evaluated."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..composition import Composable
from ..errors import InputError
from .operators import Operators

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class State(NamedTuple):
    """A flow at one time, as closures see it; a `Solver` is one, too."""

    grid: Grid
    omega_hat: Array
    t: float = 0.0


def evaluate(closure: Any, grid: Grid, omega_hat: Array, *, t: float = 0.0) -> Array:
    """The SGS term that a closure predicts for a field.

    Parameters
    ----------
    closure : Closure
        It is bound to the grid.
    grid : Grid
        The coarse grid.
    omega_hat : ndarray, shape (nkx_local, ny) [1/time]
    t : float
        Time, for closures that depend on it [time].

    Returns
    -------
    ndarray, shape (nkx_local, ny), complex [1/time^2]
    """
    if hasattr(closure, "bind"):
        closure.bind(grid)
    source = grid.zeros_spectral()
    closure.add(source, State(grid, omega_hat, t))
    return source


class Closure(Composable, ABC):
    """A closure that is bound to the grid on which it was used last."""

    _on: Operators | None = None

    def bind(self, grid: Grid) -> None:
        """Prepare for a grid, unless that is done.

        Raises
        ------
        InputError
            The closure cannot work on the grid.
        """
        if self._on is None or self._on.grid is not grid:
            on = Operators(grid)
            self._prepare(on)
            self._on = on

    def _prepare(self, on: Operators) -> None:
        """What a closure keeps for a grid besides its operators, which `on` will be."""

    @property
    def on(self) -> Operators:
        """Operators of the grid that the closure is bound to."""
        if self._on is None:
            raise InputError(f"{self!r} is bound to no grid: call bind(grid)")
        return self._on

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the SGS term to the right-hand side, in place.

        Parameters
        ----------
        source_hat : ndarray, shape (nkx_local, ny), complex [1/time^2]
        state : Solver or State
        """
        self.bind(state.grid)
        self._add(source_hat, state)

    @abstractmethod
    def _add(self, source_hat: Array, state: Any) -> None:
        """Add the term; the closure is bound to the state's grid."""


class ClosureOfWidth(Closure):
    """A closure with a width.

    Parameters
    ----------
    ratio : float
        Width over the grid's spacing.

    Raises
    ------
    InputError
        The ratio is not a finite number > 0.
    """

    def __init__(self, *, ratio: float) -> None:
        self.ratio = finite("ratio", ratio)
        if not self.ratio > 0:
            raise InputError(f"ratio must be a finite number > 0, got {ratio}")

    @property
    def width(self) -> float:
        """On the grid that the closure is bound to [length]."""
        grid = self.on.grid
        return self.ratio * math.sqrt(grid.dx * grid.dy)


def finite(name: str, value: float) -> float:
    """The value, if it is a finite number."""
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def flag(name: str, value: bool) -> bool:
    """The value, if it is true or false."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be true or false, got {value!r}")
    return bool(value)
