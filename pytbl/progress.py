"""Progress of a run: a bar where somebody looks on, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from . import diagnostics

if TYPE_CHECKING:
    from .solver import Solver


def clock(seconds: float) -> str:
    """A duration as h:mm:ss."""
    whole = round(max(seconds, 0.0))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Reporter:
    """A context in which a bar is shown where somebody looks on; elsewhere there is none.

    Parameters
    ----------
    stream : text stream
        Where to report; by default the standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start_bar(self, *, total: float, completed: float = 0, **options: Any) -> None:
        """Show a bar; `options` are rich's."""
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.description}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("ETA"),
            progress.TimeRemainingColumn(),
            console=Console(file=self._stream),
            **options,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=total, completed=completed)


class Progress(Reporter):
    """Reports on rank 0; a context manager, and the `progress` of `Solver.run`.

    Parameters
    ----------
    stream : text stream
        Where to report: a bar if it is a terminal, else a line at every twentieth of the run.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._begin: tuple[float, float, int] | None = None
        self._said = 0

    def __call__(self, sim: Solver, until: float) -> None:
        """Look at the run; collective over ranks."""
        if self._begin is None:
            self._begin = (time.monotonic(), sim.t, sim.steps)
        began, start, first = self._begin
        share = min((sim.t - start) / (until - start), 1.0) if until > start else 1.0
        parts = 20 if self._bar is None else 200
        if share < 1 and int(share * parts) <= self._said:
            return
        self._said = int(share * parts)
        e, z = diagnostics.moments(sim.grid, sim.omega_hat, (-1, 0))
        cfl = sim.cfl()
        if sim.grid.exchange.rank:
            return
        spent = time.monotonic() - began
        state = f"t={sim.t:.4g} dt={sim.dt:.2g} CFL={cfl:.2f} E={e:.4g} Z={z:.4g}"
        if self._stream.isatty():
            self._show(share, state)
            return
        done = sim.steps - first
        pace = f"{1e3 * spent / done:.3g} ms/step" if done else "starting"
        left = clock(spent / share - spent) if share > 0 else "?"
        print(f"{100 * share:3.0f}% {state} {pace} ETA {left}", file=self._stream, flush=True)

    def _show(self, share: float, state: str) -> None:
        if self._bar is None:
            self._start_bar(total=1.0)
        self._bar.update(self._task, completed=share, description=state)
