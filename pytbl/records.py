"""Files with one record per time: what every kind of output of a run shares.

Root variables over ``time`` and further axes, with attached dimension scales, CF-1.11 attributes
and units as text, so that xarray and ParaView open them. The file is closed after each record, so
that it can be read while the run goes on, and what was written survives the run's end, whatever
ends it. The root attribute ``complete`` is 1 once a run has reached its end, else 0.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import h5py
import numpy as np

from . import __version__
from ._revision import REVISION
from .errors import InputError
from .hdf5 import differences, on_root, one_line, reserve, write_rows
from .schedule import Schedule

if TYPE_CHECKING:
    from .grid import Grid
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK_BYTES = 1 << 20
_SLACK_BYTES = 1 << 20  #: for HDF5's own bookkeeping


# --------------------------------------------------------------------------------------- layout ---


class Axis(NamedTuple):
    """An axis beside time; `letter` is its CF role, T, Y or X."""

    values: Array
    description: str
    units: str
    letter: str = ""
    attributes: Mapping[str, Any] = {}


class Variable(NamedTuple):
    """What is recorded at every time, over `dims` beside time."""

    dims: tuple[str, ...]
    dtype: Any
    description: str
    units: str
    attributes: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Layout:
    """All of a file but its records; `fill` stands where nothing was written."""

    attributes: Mapping[str, Any]
    axes: Mapping[str, Axis]
    variables: Mapping[str, Variable]
    fill: float | None = field(default=None)

    def lay_out(self, file: h5py.File) -> None:
        """Put it into an empty file."""
        file.attrs.update(provenance() | dict(self.attributes) | {"complete": 0})
        axis = file.create_dataset("time", (0,), float, maxshape=(None,), chunks=(1024,))
        axis.make_scale("time")
        axis.attrs.update(long_name="time", units="time", axis="T")
        for name, (values, description, units, letter, attributes) in self.axes.items():
            axis = file.create_dataset(name, data=values)
            axis.make_scale(name)
            axis.attrs.update(long_name=description, units=units, **attributes)
            if letter:
                axis.attrs["axis"] = letter
        for name, variable in self.variables.items():
            shape = tuple(len(self.axes[dim].values) for dim in variable.dims)
            data = file.create_dataset(
                name,
                (0, *shape),
                variable.dtype,
                maxshape=(None, *shape),
                chunks=_chunks(shape, np.dtype(variable.dtype).itemsize),
                fillvalue=self.fill,
            )
            for i, dim in enumerate(("time", *variable.dims)):
                data.dims[i].attach_scale(file[dim])
            data.attrs.update(long_name=variable.description, units=variable.units)
            data.attrs.update(variable.attributes)


def space(nx: int, ny: int, lengths: tuple[float, float]) -> dict[str, Axis]:
    """The axes y and x of a grid."""
    lx, ly = lengths
    return {
        "y": Axis(ly / ny * np.arange(ny), "y", "length", "Y"),
        "x": Axis(lx / nx * np.arange(nx), "x", "length", "X"),
    }


def provenance() -> dict[str, Any]:
    """Root attributes that say what wrote a file, and when."""
    return {
        "Conventions": "CF-1.11",
        "title": "two-dimensional turbulence",
        "source": f"pytbl {__version__}, revision {REVISION}",
        "history": f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} created",
    }


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """One record, or as many of its rows as make a chunk; many records of a number."""
    if not shape:
        return (1024,)
    rows = max(1, min(shape[0], _CHUNK_BYTES // (math.prod(shape[1:]) * itemsize)))
    return (1, rows, *shape[1:])


@contextmanager
def created(path: Path, *, userblock: bytes = b"") -> Iterator[h5py.File]:
    """A new file, in place only when it is whole; `userblock` is put in front of the HDF5 part."""
    with tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".pytbl-") as temporary:
        new = Path(temporary) / path.name
        with h5py.File(new, "w", userblock_size=len(userblock)) as file:
            yield file
        if userblock:
            with open(new, "r+b") as raw:
                raw.write(userblock)
        os.replace(new, path)


def recorded(file: h5py.File) -> list[str]:
    """Variables with a record per time, and the time itself."""
    return [name for name in file if file[name].maxshape[:1] == (None,)]


def record_bytes(file: h5py.File) -> int:
    """What the file grows by with one more record, at most."""
    total = 0
    for name in recorded(file):
        data = file[name]
        lengths = [1, *data.shape[1:]]
        parts = zip(lengths, data.chunks, strict=True)
        total += data.dtype.itemsize * math.prod(-(-length // c) * c for length, c in parts)
    return total + _SLACK_BYTES


# --------------------------------------------------------------------------------------- output ---


class Records:
    """An output of a run: one file, to which a record is appended at regular times.

    Parameters
    ----------
    path : Path
        A run that starts at t = 0 makes it; one that continues drops what lies beyond its own time
        and appends.
    every : float
        Interval between records [time].
    start : float
        No record is written before this time [time].
    overwrite : bool
        Replace a file of an earlier run; else it is left alone, and the new run refused.

    Raises
    ------
    InputError
        The interval cannot be used; or, on opening, the file exists already, cannot be written, or
        is of another run.
    """

    #: Root attributes that must agree between a file and a run that appends to it.
    same: ClassVar[tuple[str, ...]]
    #: What the file is, in messages.
    what: ClassVar[str]

    def __init__(
        self, path: str | Path, *, every: float, start: float = 0.0, overwrite: bool
    ) -> None:
        self.path = Path(path)
        self.overwrite = overwrite
        self._schedule = Schedule(every, start=start)
        self._room = 0  # for one record [bytes]; known on rank 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, every={self._schedule.every:g})"

    def _layout(self, sim: Solver) -> Layout:
        """What the file holds."""
        raise NotImplementedError

    def _grid(self, sim: Solver) -> Grid:
        """The grid whose rows the fields are."""
        raise NotImplementedError

    def _record(self, sim: Solver) -> tuple[dict[str, Any], dict[str, Array]]:
        """Values that rank 0 writes, and fields of which every rank writes its rows."""
        raise NotImplementedError

    def _changed(self, file: h5py.File) -> None:
        """Bring attributes up to date with the records, on rank 0."""

    def due(self, t: float, step: int) -> bool:
        """Whether a multiple of the interval has been reached."""
        return self._schedule.due(t)

    def open(self, sim: Solver) -> None:
        """Make the file, or cut it back to the run's time."""
        last = on_root(sim.grid.exchange, lambda: self._prepare(sim))
        if last is not None:
            self._schedule.done(last)

    def _prepare(self, sim: Solver) -> float | None:
        """On rank 0. Returns the time of the last record that stays, or None."""
        layout = self._layout(sim)
        try:
            fresh = sim.steps == 0 or not self.path.exists()
            if fresh and self.path.exists() and not self.overwrite:
                raise InputError(
                    f"{self.path} exists: name another file, resume its run, or allow it to be "
                    f"overwritten"
                )
            last = None
            if fresh:
                with created(self.path) as file:
                    layout.lay_out(file)
            else:
                last = self._cut_back(sim, layout)
            with h5py.File(self.path, "r") as file:
                self._room = record_bytes(file)
            return last
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {one_line(error)}") from None

    def _cut_back(self, sim: Solver, layout: Layout) -> float | None:
        with h5py.File(self.path, "r+") as file:
            kept = dict(file.attrs)
            if "time" not in file or self.same[0] not in kept:
                raise InputError(f"{self.path} is not {self.what} of pytbl; it is left as it is")
            other = differences(kept, dict(layout.attributes), self.same)
            missing = [name for name in layout.variables if name not in file]
            if other or missing:
                reason = other or f"it has no variable {missing[0]}"
                raise InputError(f"{self.path} is of another run, and is left as it is: {reason}")
            times = file["time"][:]
            count = int(np.searchsorted(times, sim.t + 1e-6 * sim.dt, side="right"))
            file.attrs.modify("complete", 0)
            for name in recorded(file):
                file[name].resize(count, axis=0)
            self._changed(file)
            return float(times[count - 1]) if count else None

    def write(self, sim: Solver) -> None:
        """Append a record; collective over ranks.

        Raises
        ------
        OSError
            On all ranks: the record cannot be written. Those before it stay.
        """
        grid = self._grid(sim)
        values, fields = self._record(sim)
        try:
            record = on_root(grid.exchange, lambda: self._append(sim.t, values))
            rows = {name: ((record,), field) for name, field in fields.items()}
            write_rows(self.path, grid.exchange, grid.y_start, rows)
        except OSError as error:
            raise OSError(f"{self.path}: a record cannot be written: {one_line(error)}") from None
        self._schedule.done(sim.t)

    def _append(self, t: float, values: dict[str, Any]) -> int:
        """On rank 0: room for a record, and all of it but the fields. Returns its index."""
        reserve(self.path, self._room)
        with h5py.File(self.path, "r+") as file:
            record = len(file["time"])
            for name in recorded(file):
                file[name].resize(record + 1, axis=0)
            for name, value in {"time": t, **values}.items():
                file[name][record] = value
            self._changed(file)
        return record

    def finish(self, sim: Solver) -> None:
        """Mark the file as complete; `Solver.run` calls it when the run has reached its end.

        Raises
        ------
        OSError
            On all ranks: the file cannot be written.
        """
        try:
            on_root(sim.grid.exchange, self._complete)
        except OSError as error:
            raise OSError(f"{self.path}: cannot be completed: {one_line(error)}") from None

    def _complete(self) -> None:
        notes = self._notes()
        reserve(self.path, _SLACK_BYTES)
        with h5py.File(self.path, "r+") as file:
            for name, attributes in notes.items():
                file[name].attrs.update(attributes)
            file.attrs.modify("complete", 1)

    def _notes(self) -> dict[str, dict[str, Any]]:
        """Attributes of variables that are known only at the end, on rank 0."""
        return {}
