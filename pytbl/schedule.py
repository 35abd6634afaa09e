"""When an output is due."""

from __future__ import annotations

import math

from .errors import InputError


class Schedule:
    """Due at every multiple of an interval of simulated time, at the first step that reaches it.

    Parameters
    ----------
    every : float
        Interval [time], > 0.
    start : float
        Not before this time.

    Raises
    ------
    InputError
        The interval is not a finite number > 0, or the start is not finite.
    """

    def __init__(self, every: float, *, start: float = 0.0) -> None:
        if not math.isfinite(start):
            raise InputError(f"start must be a finite number, got {start}")
        if not (math.isfinite(every) and every > 0):
            raise InputError(f"every must be a finite number > 0, got {every}")
        self.every = float(every)
        self.start = float(start)
        self._done = -1

    def _count(self, t: float) -> int:
        # times are sums of steps: their rounding must not delay a record by a step
        return math.floor(t / self.every + 1e-6)

    def due(self, t: float) -> bool:
        """Whether a multiple has been reached since the last call of `done`."""
        return self._count(t) > self._done and t >= self.start - 1e-6 * self.every

    def done(self, t: float) -> None:
        """What was due up to time t has been written."""
        self._done = self._count(t)
