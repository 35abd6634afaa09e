"""Outputs of a run that append one record per time to a file: what they have in common.

The file (`pytbl.record_file`) is closed after each record, so that it can be read while the run
goes on, and what was written survives the run's end, whatever ends it. The root attribute
``complete`` is 1 once a run has reached its end, else 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import h5py
import numpy as np

from .errors import InputError
from .hdf5 import differences, on_root, one_line, reserve, write_rows
from .record_file import (
    SLACK_BYTES,
    Layout,
    created,
    probe,
    record_bytes,
    recorded,
    whole_records,
)
from .schedule import Schedule

if TYPE_CHECKING:
    from .grid import Grid
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]


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
        """The grid whose rows the fields are; collective where it has to be made."""
        raise NotImplementedError

    def _record(self, sim: Solver) -> tuple[dict[str, Any], dict[str, Array]]:
        """Values that rank 0 writes, and fields of which every rank writes its rows."""
        raise NotImplementedError

    def _changed(self, file: h5py.File) -> None:
        """Bring attributes up to date with the records, on rank 0."""

    def due(self, t: float, step: int) -> bool:
        """Whether a multiple of the interval has been reached."""
        return self._schedule.due(t)

    def check(self, sim: Solver) -> None:
        """Refuse what cannot be written, and change nothing; collective over ranks."""
        self._grid(sim)  # collective, and may be refused
        on_root(sim.grid.exchange, lambda: self._check(sim))

    def open(self, sim: Solver) -> None:
        """Make the file, or cut it back to the run's time."""
        self.check(sim)
        last = on_root(sim.grid.exchange, lambda: self._prepare(sim))
        if last is not None:
            self._schedule.done(last)

    def _fresh(self, sim: Solver) -> bool:
        return sim.steps == 0 or not self.path.exists()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {one_line(error)}") from None

    def _check(self, sim: Solver) -> None:
        """On rank 0."""
        fresh = self._fresh(sim)
        if fresh and self.path.exists() and not self.overwrite:
            raise InputError(
                f"{self.path} exists: name another file, resume its run, or allow it to be "
                f"overwritten"
            )
        with self._explained():
            if fresh:
                probe(self.path)
            else:
                with h5py.File(self.path, "r+") as file:
                    self._check_same(file, self._layout(sim))

    def _check_same(self, file: h5py.File, layout: Layout) -> None:
        """Refuse a file to which this run must not append."""
        kept = dict(file.attrs)
        if "time" not in file or self.same[0] not in kept:
            raise InputError(f"{self.path} is not {self.what} of pytbl; it is left as it is")
        other = differences(kept, dict(layout.attributes), self.same)
        missing = [name for name in layout.variables if name not in file]
        if other or missing:
            reason = other or f"it has no variable {missing[0]}"
            raise InputError(f"{self.path} is of another run, and is left as it is: {reason}")

    def _prepare(self, sim: Solver) -> float | None:
        """On rank 0. Returns the time of the last record that stays, or None."""
        layout, last = self._layout(sim), None
        with self._explained():
            if self._fresh(sim):
                with created(self.path) as file:
                    layout.lay_out(file)
            else:
                last = self._cut_back(sim, layout)
            with h5py.File(self.path, "r") as file:
                self._room = record_bytes(file)
        return last

    def _cut_back(self, sim: Solver, layout: Layout) -> float | None:
        with h5py.File(self.path, "r+") as file:
            fields = [name for name, variable in layout.variables.items() if variable.dims]
            times = file["time"][: whole_records(file, fields)]
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
        reserve(self.path, SLACK_BYTES)
        with h5py.File(self.path, "r+") as file:
            for name, attributes in notes.items():
                file[name].attrs.update(attributes)
            file.attrs.modify("complete", 1)

    def _notes(self) -> dict[str, dict[str, Any]]:
        """Attributes of variables that are known only at the end, on rank 0."""
        return {}
