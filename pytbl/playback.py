"""The exact sub-grid-scale term, played back from a dataset of the filtered DNS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from .composition import Composable
from .errors import InputError
from .hdf5 import agree, one_line

if TYPE_CHECKING:
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class Playback(Composable):
    """The SGS term that a DNS had at the same time, linear between the samples.

    A simulation that starts from the first sample, with the filtered forcing, and steps as the DNS
    did while every step was sampled in float64, follows the filtered DNS to rounding: nothing but
    the closure stands between the two.

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
        self.path, self.start = Path(path), start

    def __repr__(self) -> str:
        start = "" if self.start is None else f", start={self.start:g}"
        return f"Playback({str(self.path)!r}{start})"

    def bind(self, grid: Grid) -> None:
        """Open the dataset."""
        problem: Exception | None = None
        try:
            self._open(grid)
        except InputError as error:
            problem = error
        except (OSError, KeyError) as error:
            problem = InputError(f"{self.path} cannot be played back: {one_line(error)}")
        agree(grid.exchange, problem)
        self._grid = grid
        self._offset = self.times[0] if self.start is None else self.start
        self._spectra: dict[int, Array] = {}

    def _open(self, grid: Grid) -> None:
        with h5py.File(self.path, "r") as file:
            if "pi" not in file:
                raise InputError(f"{self.path} is no dataset: it holds no variable pi")
            self.times = file["time"][:]
            if not len(self.times):
                raise InputError(f"{self.path} holds no samples")
            found = tuple(file.attrs[name] for name in ("nx", "ny", "lx", "ly"))
        expected = (grid.nx, grid.ny, grid.lx, grid.ly)
        if found != expected:
            raise InputError(
                f"{self.path} is of another grid: expected (nx, ny, lx, ly) = {expected}, got "
                f"{tuple(value.item() for value in found)}"
            )

    def _spectrum(self, record: int) -> Array:
        if record not in self._spectra:
            grid = self._grid
            rows = slice(grid.y_start, grid.y_start + grid.ny_local)
            with h5py.File(self.path, "r") as file:
                pi = file["pi"][record, rows]
            latest = list(self._spectra.items())[-1:]  # the one before is needed no more
            self._spectra = dict(latest) | {record: grid.to_spectral(pi)}
        return self._spectra[record]

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the term of this time (of the stage of a step where the state knows it)."""
        t = getattr(state, "stage_time", state.t) + self._offset
        times = self.times
        slack = 1e-6 * np.min(np.diff(times), initial=1.0)
        if not times[0] - slack <= t <= times[-1] + slack:
            raise InputError(
                f"{self.path} has samples from t = {times[0]:.6g} to {times[-1]:.6g}, and t = "
                f"{t:.6g} was asked for"
            )
        after = int(np.searchsorted(times, t - slack))
        if abs(times[after] - t) <= slack:
            source_hat += self._spectrum(after)
            return
        weight = (t - times[after - 1]) / (times[after] - times[after - 1])
        source_hat += (1 - weight) * self._spectrum(after - 1)
        source_hat += weight * self._spectrum(after)
