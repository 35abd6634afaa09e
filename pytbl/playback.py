"""The exact sub-grid-scale term, played back from a dataset of the filtered DNS."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .closures.base import finite
from .composition import Composable
from .errors import InputError
from .hdf5 import agree
from .samples import Samples

if TYPE_CHECKING:
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class Playback(Composable):
    """The SGS term that a DNS had at the same time, linear between the samples.

    A simulation that starts from the first sample, with the filtered forcing, and steps as the DNS
    did while every step was sampled in float64, follows the filtered DNS to rounding: nothing but
    the closure stands between the two. The last sample is held as long as the one before it was.

    Parameters
    ----------
    path : str or Path
        File of `pytbl.Dataset`, on the grid of the simulation.
    start : float, optional
        Time of the dataset at time 0 of the simulation; that of its first sample by default.

    Raises
    ------
    InputError
        On all ranks, when bound: the file cannot be read, or is of another grid; when asked: the
        time lies outside the samples.
    """

    def __init__(self, path: str | Path, *, start: float | None = None) -> None:
        self.path = Path(path)
        self.start = None if start is None else finite("start", start)
        self._grid: Grid | None = None

    def __repr__(self) -> str:
        start = "" if self.start is None else f", start={self.start:g}"
        return f"Playback({str(self.path)!r}{start})"

    def bind(self, grid: Grid) -> None:
        """Look what the dataset holds, unless that is done."""
        if grid is self._grid:
            return
        problem = None
        try:
            self._samples = self._fitting(grid)
        except InputError as error:  # on one rank, maybe
            problem = error
        agree(grid.exchange, problem)
        self.times = self._samples.times
        self._offset = float(self.times[0]) if self.start is None else self.start
        self._spectra: dict[int, Array] = {}
        self._grid = grid

    def _fitting(self, grid: Grid) -> Samples:
        samples = Samples(self.path, incomplete=True)
        dealias = samples.attributes["dealias"]
        found = (samples.nx, samples.ny, samples.lx, samples.ly, dealias)
        expected = (grid.nx, grid.ny, grid.lx, grid.ly, grid.dealias)
        if found != expected:
            raise InputError(
                f"{self.path} is of another grid: expected (nx, ny, lx, ly, dealias) = {expected}, "
                f"got {found}"
            )
        if not len(samples):
            raise InputError(f"{self.path} holds no samples")
        return samples

    def _spectrum(self, grid: Grid, record: int) -> Array:
        if record not in self._spectra:
            rows = slice(grid.y_start, grid.y_start + grid.ny_local)
            pi, problem = grid.zeros_physical(), None
            try:
                pi = self._samples.read("pi", record, rows=rows)
            except InputError as error:
                problem = error
            agree(grid.exchange, problem)
            latest = list(self._spectra.items())[-1:]  # the one before is needed no more
            self._spectra = dict(latest) | {record: grid.to_spectral(pi)}
        return self._spectra[record]

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the term of this time (of the stage of a step where the state knows it)."""
        grid = state.grid
        self.bind(grid)
        times, t = self.times, getattr(state, "stage_time", state.t) + self._offset
        spacing = float(np.min(np.diff(times[-2:]), initial=np.inf))
        slack = 1e-6 * min(spacing, 1.0)
        beyond = spacing if math.isfinite(spacing) else slack
        if not times[0] - slack <= t <= times[-1] + beyond:
            raise InputError(
                f"{self.path} has samples from t = {times[0]:.6g} to {times[-1]:.6g}, and t = "
                f"{t:.6g} was asked for"
            )
        after = min(int(np.searchsorted(times, t - slack)), len(times) - 1)
        if times[after] <= t + slack:  # at a sample, or a little beyond the last
            source_hat += self._spectrum(grid, after)
            return
        weight = (t - times[after - 1]) / (times[after] - times[after - 1])
        source_hat += (1 - weight) * self._spectrum(grid, after - 1)
        source_hat += weight * self._spectrum(grid, after)
