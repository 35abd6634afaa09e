"""The solver: state, time step, and the loop that runs them with outputs."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import BlowUp, InputError, Interrupted
from .exchange import aligned_zeros
from .schemes import SCHEMES
from .signals import StopRequest
from .sources import Sources

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .flow import Flow
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]

#: A blow-up or a signal is noticed within this many steps of a fixed length.
CHECK_EVERY = 4


class Writer(Protocol):
    """Any object with these methods is an output.

    Optional are ``check(sim)``, called before any output is opened, to refuse what cannot be
    written while every file is as it was; ``open(sim)``, called before the first step;
    ``finish(sim)``, called when the run has reached its end; and ``close()``, called last whatever
    happened. No two outputs may have the same `path` or `folder`.
    """

    def due(self, t: float, step: int) -> bool:
        """Whether to write now."""

    def write(self, sim: Solver) -> None:
        """Write; called on all ranks."""


class Solver:
    r"""Integrates the vorticity equation of a two-dimensional flow.

    .. math:: \partial_t\hat\omega = \hat N(\omega) + L\hat\omega + \text{forcing} + \text{closure}

    with :math:`N = -u\cdot\nabla\omega` explicit and L implicit (Crank-Nicolson).

    Parameters
    ----------
    grid : Grid
    flow : Flow
    dt : float, optional
        Length of a step [time]; with `cfl`, the longest one allowed.
    cfl : float, optional
        Adapt each step to this CFL number, ``dt (max abs(u) / dx + max abs(v) / dy)``; at most the
        scheme's stability limit (with the 2/3 rule 0.24 for "ab2cn", 0.83 and 1.6 for the others).
    scheme : {"ab2cn", "rk3cn", "rk4cn"}
        See `pytbl.schemes`. "ab2cn" is that of Subel et al. (2023).
    forcing : Forcing, optional
        See `pytbl.forcing`; any object with ``add(source_hat, t, step)``.
    closure : Closure, optional
        See `pytbl.closures`; any object with ``add(source_hat, state)``.

    Raises
    ------
    InputError
        A parameter cannot be used.

    Attributes
    ----------
    t : float
        Time [time].
    steps : int
        Steps completed.
    dt : float
        Length of the last step, or of the next one where it is fixed [time].
    omega_hat : ndarray, shape (nkx_local, ny), complex
        The state [1/time]; read it, and change it through `set_spectral`.
    """

    def __init__(
        self,
        grid: Grid,
        flow: Flow,
        *,
        dt: float | None = None,
        cfl: float | None = None,
        scheme: str = "ab2cn",
        forcing: Any = None,
        closure: Any = None,
    ) -> None:
        if dt is None and cfl is None:
            raise InputError("a time step is needed: give dt, or cfl to adapt it")
        for name, value in (("dt", dt), ("cfl", cfl)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} must be a finite number > 0, got {value}")
        if scheme not in SCHEMES:
            raise InputError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")
        # the fastest kept mode turns at CFL * (k dx) per step
        largest_cfl = SCHEMES[scheme].reach / (
            2 * math.pi * max(grid.kx_max / grid.nx, grid.ky_max / grid.ny)
        )
        if cfl is not None and cfl > largest_cfl:
            raise InputError(
                f"cfl must be at most {largest_cfl:.2f}, the stability limit of {scheme} on this "
                f"grid, got {cfl}"
            )
        self._hopeless_cfl = 4 * largest_cfl
        self.grid, self.flow, self.forcing, self.closure = grid, flow, forcing, closure
        self.scheme = scheme
        self.cfl_target = cfl
        self._longest = dt
        self.dt = dt if dt is not None else 0.0
        self.t = 0.0
        self.steps = 0
        self.stage_time = 0.0  #: of the stage whose sources are collected; else `t` [time]
        for term in (forcing, closure):
            if hasattr(term, "bind"):
                term.bind(grid)
        self._sources = Sources(grid, forcing, closure)
        shape = (grid.nkx_local, grid.ny)
        self.omega_hat: Array = aligned_zeros(shape, grid.complex_dtype)
        self._history: Array = aligned_zeros(shape, grid.complex_dtype)
        self._dt_previous: float | None = None
        self.wall_time = 0.0  #: spent in steps since the solver was made [s]
        self._advection: Array | None = None  # of this state, once it was asked for
        self.case_toml = ""  #: the case file that the run was made from, for its outputs
        self._operator = (flow.viscosity, int(flow.viscosity_order), flow.drag, flow.beta)
        self._maxima: Array | None = None  # of abs(u) and abs(v), over all ranks
        self._stamp = -1  # of the buffer when it last held the velocity of this state

    def __repr__(self) -> str:
        step = f"dt={self.dt:.3g}" if self.cfl_target is None else f"cfl={self.cfl_target}"
        parts = [repr(self.grid), repr(self.flow), f"scheme={self.scheme}, {step}"]
        parts += [f"forcing={self.forcing!r}"] if self.forcing is not None else []
        parts += [f"closure={self.closure!r}"] if self.closure is not None else []
        parts += [f"t={self.t:.6g}, steps={self.steps}"]
        return "Solver(\n  " + ",\n  ".join(parts) + ")"

    # ----------------------------------------------------------------------------------- state ---

    def set_vorticity(self, omega: ArrayLike) -> None:
        """Start from a vorticity field; its mean and the modes that are not kept are dropped.

        Parameters
        ----------
        omega : ndarray, shape (ny_local, nx), real [1/time]

        Raises
        ------
        InputError
            On all ranks, if on any one the array has the wrong type or shape or is not finite.
        """
        self._accept(omega, self.grid._field)
        self.set_spectral(self.grid.to_spectral(omega))

    def set_spectral(self, omega_hat: ArrayLike) -> None:
        """Start from the spectrum of a vorticity field, shape (nkx_local, ny) [1/time].

        At kx = 0 the entries of ky > 0 count, and those of ky < 0 are made their conjugates.
        """
        hat = np.where(self.grid.mask, self._accept(omega_hat, self.grid._spectrum), 0)
        if self.grid.kx_start == 0 and len(hat):
            half = self.grid.ky_max
            hat[0, 0] = 0
            hat[0, : -half - 1 : -1] = hat[0, 1 : half + 1].conj()
        self.omega_hat[...] = hat
        self._history[...] = 0
        self._dt_previous = None
        self._forget()

    def _accept(self, array: ArrayLike, check: Callable[[ArrayLike], Array]) -> Array:
        """The checked array; what is wrong on one rank is an error on all."""
        problem, accepted = "", np.empty(0)
        try:
            accepted = check(array)
            bad = accepted.size - np.count_nonzero(np.isfinite(accepted))
            if bad:
                problem = f"the initial field must be finite, got {bad} values NaN or infinite"
        except InputError as error:
            problem = str(error)
        if self.grid.exchange.any(bool(problem)):
            raise InputError(problem or "the initial field of another rank cannot be used")
        return accepted

    def _forget(self) -> None:
        self._maxima = None
        self._stamp = -1
        self._advection = None

    def state(self) -> dict[str, Any]:
        """All that a restart needs; arrays are this rank's slabs, not copies."""
        return {
            "omega_hat": self.omega_hat,
            "tendency_hat": self._history,
            "t": self.t,
            "steps": self.steps,
            "dt": self.dt,
            "dt_previous": self._dt_previous,
            "scheme": self.scheme,
            "wisdom": self.grid.wisdom,
            "wisdom_measured": not self.grid.reproducible,
            "forcing": self.forcing.state() if hasattr(self.forcing, "state") else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` gave, bit for bit.

        Raises
        ------
        InputError
            The state is of another scheme.
        """
        if state["scheme"] != self.scheme:
            raise InputError(
                f"the state is of scheme {state['scheme']!r}, and the solver's is {self.scheme!r}"
            )
        self.omega_hat[...] = state["omega_hat"]
        self._history[...] = state["tendency_hat"]
        self.t, self.steps = float(state["t"]), int(state["steps"])
        self.stage_time = self.t
        self._dt_previous = state["dt_previous"]
        if self.cfl_target is not None:
            self.dt = float(state["dt"])
        if hasattr(self.forcing, "restore"):
            self.forcing.restore(state["forcing"])
        self.grid.plan_from(state["wisdom"], measured=state["wisdom_measured"])
        self._forget()

    # ---------------------------------------------------------------------------------- fields ---

    @property
    def omega(self) -> Array:
        """Vorticity, shape (ny_local, nx) [1/time]."""
        return self.grid.to_physical(self.omega_hat)

    @property
    def psi(self) -> Array:
        """Streamfunction, shape (ny_local, nx) [length^2/time]; laplace(psi) = -omega."""
        return self.grid.to_physical(self.omega_hat * self.grid.inverse_k2)

    def velocity(self) -> tuple[Array, Array]:
        """Velocity (u, v), each of shape (ny_local, nx) [length/time]."""
        return self.grid.to_physical_pair(*self.grid.velocity_hat(self.omega_hat))

    def advection_hat(self) -> Array:
        """Spectrum of ``-u . grad(omega)``, shape (nkx_local, ny) [1/time^2]; kept for a step."""
        if self._advection is None:
            self._advection = self.grid.nonlinear_term(self.omega_hat)
        return self._advection

    def cfl(self) -> float:
        """CFL number ``dt (max abs(u) / dx + max abs(v) / dy)`` of the last right-hand side."""
        if self._maxima is None:
            local = [np.abs(c).max(initial=0.0) for c in self.velocity()]
            self._maxima = self.grid.exchange.max(np.array(local, float))
        return self.dt * self._rate()

    def _rate(self) -> float:
        """CFL number per unit of time step [1/time]."""
        assert self._maxima is not None
        return float(self._maxima[0] / self.grid.dx + self._maxima[1] / self.grid.dy)

    # ------------------------------------------------------------------------------------ time ---

    def step(self, n: int = 1) -> None:
        """Advance by n steps.

        Raises
        ------
        BlowUp
            On all ranks, within a few steps of the flow leaving the stable region.
        """
        for _ in range(n):
            self._step()

    def _step(self) -> None:
        start = time.perf_counter()
        self._advection = None
        work, scheme = self.grid.products, SCHEMES[self.scheme]
        stages, node = scheme.stages, 0.0
        for i in range(len(stages)):
            last = i == len(stages) - 1
            self.stage_time = self.t + node * self.dt
            self._sources.collect(self, self.stage_time, last=last)
            self._place_velocity()
            maxima = work.plan.rows_square(work.buffer.rows)
            work.buffer.to_columns()
            if i == 0:
                self._choose_step(maxima)
                stages = scheme.stages_at(self.dt, self._dt_previous)
            work.plan.columns_step(
                stages[i],
                self._operator,
                self.omega_hat,
                self._history,
                work.buffer.columns,
                dt=self.dt,
                **self._sources.arguments(self.dt, last=last),
            )
            work.buffer.to_rows()
            node += stages[i].a + stages[i].b
        self._dt_previous = self.dt
        self.t += self.dt
        self.stage_time = self.t
        self.steps += 1
        self.wall_time += time.perf_counter() - start

    def _place_velocity(self) -> None:
        """Have the velocity of this state in the buffer; it is, unless the buffer was lent."""
        work = self.grid.products
        if self._stamp != work.stamp:
            self._stamp = work.claim()
            work.plan.columns_velocity(self.omega_hat, work.buffer.columns)
            work.buffer.to_rows()

    def _choose_step(self, maxima: tuple[float, float]) -> None:
        """Adapt dt, and stop a flow that has left the stable region."""
        if self.cfl_target is None and self.steps % CHECK_EVERY and self._maxima is not None:
            return
        self._maxima = self.grid.exchange.max(np.array(maxima))
        rate, longest = self._rate(), self._longest
        if self.cfl_target is not None and not math.isnan(rate):
            if rate == 0 and longest is None:
                raise InputError("the flow is at rest: give dt, the longest step, beside cfl")
            dt = self.cfl_target / rate if rate > 0 else math.inf
            self.dt = dt if longest is None else min(dt, longest)
        if not self.dt * rate <= self._hopeless_cfl:
            raise BlowUp(
                f"the flow blew up at step {self.steps}, t = {self.t:.6g}: CFL number "
                f"{self.dt * rate:.3g}, expected at most {self._hopeless_cfl / 4:.2g} "
                f"(dt = {self.dt:.3g})"
            )

    def _finite(self) -> bool:
        """Whether the state is finite: a transform spreads one NaN to every mode."""
        return not self.grid.exchange.any(not np.isfinite(self.omega_hat[:, 1]).all())

    def run(
        self,
        *,
        until: float,
        outputs: Iterable[Writer] = (),
        progress: Callable[[Solver, float], None] | None = None,
    ) -> None:
        """Advance to the time `until`, writing outputs when they are due.

        The last step is not shortened: the run ends on the first step that reaches `until`, so
        that a run in two parts is bit for bit the run in one.

        Parameters
        ----------
        until : float
            Time to reach [time].
        outputs : iterable of objects with ``due(t, step)`` and ``write(sim)``
            Each is asked before the first step and after every step. See `Writer` for
            what else they may have.
        progress : callable, optional
            ``progress(sim, until)``, called every few steps on all ranks.

        Raises
        ------
        InputError
            An output cannot be written, and no file was touched; or `until` cannot be used.
        BlowUp
            The flow blew up; outputs and checkpoints written before stay.
        Interrupted
            SIGTERM or SIGINT came; a checkpoint was written if there is one among the outputs.
        """
        if not math.isfinite(until):
            raise InputError(f"until must be a finite number, got {until}")
        outputs = list(outputs)
        with StopRequest() as stop, Opened(outputs, self):
            self._write(outputs)
            while self.t < until - 1e-6 * self.dt:
                self._step()
                self._write(outputs)
                if self.steps % CHECK_EVERY == 0:
                    if progress is not None:
                        progress(self, until)
                    number = int(self.grid.exchange.max(float(stop.number)))
                    if number:
                        self._stop(outputs, number)
            for output in outputs:
                if hasattr(output, "finish"):
                    output.finish(self)
            if progress is not None:
                progress(self, until)

    def _write(self, outputs: list[Writer]) -> None:
        due = [output for output in outputs if output.due(self.t, self.steps)]
        if due and not self._finite():
            raise BlowUp(
                f"the flow blew up at step {self.steps}, t = {self.t:.6g}: it is not finite"
            )
        for output in due:
            output.write(self)

    def _stop(self, outputs: list[Writer], number: int) -> None:
        keepers = [output for output in outputs if getattr(output, "saves_state", False)]
        for keeper in keepers:
            keeper.write(self)
        saved = f"state saved in {keepers[0]!r}" if keepers else "no checkpoint was asked for"
        raise Interrupted(
            f"stopped by signal {number} at step {self.steps}, t = {self.t:.6g}; {saved}", number
        )


def _check_apart(outputs: list[Writer]) -> None:
    """Refuse outputs that would write to one place."""
    places: dict[Path, Writer] = {}
    for output in outputs:
        place = getattr(output, "path", getattr(output, "folder", None))
        if not isinstance(place, str | os.PathLike):
            continue
        whole = Path(place).resolve()
        if whole in places:
            raise InputError(f"{place} is named by two outputs: {places[whole]!r} and {output!r}")
        places[whole] = output


class Opened:
    """Opens outputs in turn if all can be, and closes those that were whatever happens."""

    def __init__(self, outputs: list[Writer], sim: Solver) -> None:
        self._outputs, self._sim = outputs, sim
        self._opened: list[Writer] = []

    def __enter__(self) -> None:
        _check_apart(self._outputs)
        for output in self._outputs:
            if hasattr(output, "check"):
                output.check(self._sim)
        try:
            for output in self._outputs:
                if hasattr(output, "open"):
                    output.open(self._sim)
                self._opened.append(output)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        for output in self._opened:
            if hasattr(output, "close"):
                output.close()
