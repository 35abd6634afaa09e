"""What drives the flow besides itself: forcings and closures, summed into slabs for the engine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from .forcing import split

if TYPE_CHECKING:
    import numpy as np

    from .grid import Grid
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]


class Forcing(Protocol):
    """Any object with this method is a forcing; the attributes are optional.

    Attributes
    ----------
    steady : bool
        The source does not depend on time: it is added once and reused.
    impulsive : bool
        The source is white in time: `add` is called once per step, and what it adds is taken as
        an impulse per square root of time, outside the time scheme's history.
    kx_mode_max : int
        Largest mode number along x that it touches, which spares the other columns.
    """

    def add(self, source_hat: Array, t: float, step: int) -> None:
        """Add to the right-hand side of the vorticity equation, in place.

        Parameters
        ----------
        source_hat : ndarray, shape (nkx_local, ny), complex [1/time^2]
        t : float
            Time [time].
        step : int
            Steps completed.
        """


class Closure(Protocol):
    """Any object with this method is a closure."""

    def add(self, source_hat: Array, state: Solver) -> None:
        """Add the sub-grid-scale term to the right-hand side, in place.

        Parameters
        ----------
        source_hat : ndarray, shape (nkx_local, ny), complex [1/time^2]
        state : Solver
            The flow: ``state.grid``, ``state.omega_hat``, ``state.t``.
        """


class Accumulator:
    """A slab to which members add, cleared before they do; only its leading columns count."""

    def __init__(self, grid: Grid, members: list[Any], *, everywhere: bool = False) -> None:
        modes: list[Any] = [getattr(member, "kx_mode_max", None) for member in members]
        self.members = members
        self.columns = grid.nkx_local
        if not everywhere and None not in modes:
            reached = max(modes, default=-1) + 1 - grid.kx_start
            self.columns = min(max(reached, 0), grid.nkx_local)
        self.slab: Array | None = grid.zeros_spectral() if members or everywhere else None

    def collect(self, t: float, step: int) -> None:
        """Clear the slab and add every member."""
        if self.slab is None:
            return
        self.slab[: self.columns] = 0
        for member in self.members:
            member.add(self.slab, t, step)


class Sources:
    """The forcing and the closure of a solver, as the engine takes them.

    Parameters
    ----------
    grid : Grid
    forcing : Forcing or None
    closure : Closure or None
    """

    def __init__(self, grid: Grid, forcing: Any, closure: Any) -> None:
        rates, impulses = split(forcing) if forcing is not None else ([], [])
        self._closure = closure
        self._rate = Accumulator(grid, rates, everywhere=closure is not None)
        self._impulse = Accumulator(grid, impulses)
        self._steady = closure is None and all(getattr(f, "steady", False) for f in rates)
        self._collected = False

    def collect(self, sim: Solver, t: float, *, last: bool) -> None:
        """Evaluate everything for a stage at time t; impulses only in the last one of a step."""
        if self._rate.slab is not None and not (self._steady and self._collected):
            self._rate.collect(t, sim.steps)
            if self._closure is not None:
                self._closure.add(self._rate.slab, sim)
            self._collected = True
        if last:
            self._impulse.collect(sim.t, sim.steps)

    def arguments(self, dt: float, *, last: bool) -> dict[str, Any]:
        """What was collected, as ``Plan.columns_step`` wants it."""
        arguments: dict[str, Any] = {
            "rate": self._rate.slab,
            "rate_columns": self._rate.columns,
        }
        if last:
            arguments |= {
                "impulse": self._impulse.slab,
                "impulse_columns": self._impulse.columns,
                "impulse_scale": math.sqrt(dt),
            }
        return arguments
