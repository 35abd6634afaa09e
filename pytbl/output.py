"""Output: fields, scalars and spectra in one HDF5 file that xarray and ParaView open.

Root variables ``omega(time, y, x)``, one variable per scalar over ``time``, and
``energy_spectrum(time, k)``, with attached dimension scales, CF-1.11 attributes and units as text.
The file is closed after each record, so that it can be read while the run goes on, and what was
written survives the run's end, whatever ends it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from . import __version__, diagnostics
from ._revision import REVISION
from .errors import InputError
from .hdf5 import describe, differences, on_root, one_line, reserve, write_rows
from .schedule import Schedule

if TYPE_CHECKING:
    from .grid import Grid
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]

#: Fields that can be written: how to get them, what they are, their units.
FIELDS: dict[str, tuple[Callable[[Solver], Array], str, str]] = {
    "omega": (lambda sim: sim.omega, "vorticity, dv/dx - du/dy", "time^-1"),
    "psi": (lambda sim: sim.psi, "streamfunction, laplace(psi) = -omega", "length^2 time^-1"),
    "u": (lambda sim: sim.velocity()[0], "velocity along x", "length time^-1"),
    "v": (lambda sim: sim.velocity()[1], "velocity along y", "length time^-1"),
}

_SPECTRA = {
    "energy_spectrum": (diagnostics.energy_spectrum, "energy of a shell", "length^2 time^-2"),
    "enstrophy_spectrum": (diagnostics.enstrophy_spectrum, "enstrophy of a shell", "time^-2"),
}

#: What must agree between a file and a run that appends to it.
_SAME_FLOW = ("nx", "ny", "lx", "ly", "dealias", "viscosity", "viscosity_order", "drag", "beta")

_CHUNK_BYTES = 1 << 20


class Output:
    """Writes a record of the flow at regular times.

    Parameters
    ----------
    path : str or Path
        The HDF5 file. A run that starts at t = 0 makes it, and a run that continues drops what lies
        beyond its own time and appends.
    every : float
        Interval between records [time].
    fields : sequence of str
        Of "omega", "psi", "u", "v"; may be empty.
    dtype : dtype, optional
        Of the stored fields; the grid's by default.
    overwrite : bool
        Replace a file of an earlier run; else it is left alone, and the new run refused.

    Raises
    ------
    InputError
        A parameter cannot be used; or, on opening, the file exists already, cannot be written, or
        is of another flow.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        every: float,
        fields: Sequence[str] = ("omega",),
        dtype: Any = None,
        overwrite: bool = False,
    ) -> None:
        unknown = [name for name in fields if name not in FIELDS]
        if unknown:
            raise InputError(f"fields must be among {', '.join(FIELDS)}, got {unknown[0]!r}")
        self.path = Path(path)
        self.fields = tuple(fields)
        self.dtype = None if dtype is None else np.dtype(dtype)
        self.overwrite = overwrite
        self._schedule = Schedule(every)

    def __repr__(self) -> str:
        return f"Output({str(self.path)!r}, every={self._schedule.every:g})"

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
        try:
            if not self.path.exists():
                self._create(sim)
                return None
            if sim.steps == 0:
                if not self.overwrite:
                    raise InputError(
                        f"{self.path} exists: name another file, resume its run, or allow it to be "
                        f"overwritten"
                    )
                self._create(sim)
                return None
            return self._cut_back(sim)
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {one_line(error)}") from None

    # ---------------------------------------------------------------------------------- layout ---

    def _create(self, sim: Solver) -> None:
        """A file without records; in place only when it is whole."""
        folder = self.path.resolve().parent
        with tempfile.TemporaryDirectory(dir=folder, prefix=".pytbl-") as temporary:
            new = Path(temporary) / self.path.name
            with h5py.File(new, "w") as file:
                self._lay_out(file, sim)
            os.replace(new, self.path)

    def _lay_out(self, file: h5py.File, sim: Solver) -> None:
        grid = sim.grid
        file.attrs.update(
            Conventions="CF-1.11",
            title="two-dimensional turbulence",
            source=f"pytbl {__version__}, revision {REVISION}",
            history=f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} created",
            case=sim.case_toml,
            ranks=grid.exchange.size,
            fft_wisdom=grid.wisdom,
            **describe(sim),
        )
        time_axis = file.create_dataset("time", (0,), float, maxshape=(None,), chunks=(1024,))
        axes = {
            "time": (time_axis, "time", "time", "T"),
            "y": (grid.dy * np.arange(grid.ny), "y", "length", "Y"),
            "x": (grid.dx * np.arange(grid.nx), "x", "length", "X"),
            "k": (diagnostics.shell_wavenumbers(grid), "wavenumber of a shell", "length^-1", ""),
        }
        for name, (values, description, units, axis) in axes.items():
            scale = values if name == "time" else file.create_dataset(name, data=values)
            scale.make_scale(name)
            scale.attrs.update(long_name=description, units=units)
            if axis:
                scale.attrs["axis"] = axis
        file["k"].attrs["complete_shells"] = diagnostics.complete_shells(grid)
        dtype = self.dtype or grid.dtype
        rows = max(1, min(grid.ny, _CHUNK_BYTES // (grid.nx * dtype.itemsize)))
        for name in self.fields:
            shape, chunks = (grid.ny, grid.nx), (rows, grid.nx)
            self._variable(file, name, ("y", "x"), shape, chunks, dtype, *FIELDS[name][1:])
        shells = len(axes["k"][0])
        for name, (_, description, units) in _SPECTRA.items():
            self._variable(file, name, ("k",), (shells,), (shells,), float, description, units)
        for scalar in diagnostics.SCALARS:
            self._variable(file, scalar.name, (), (), (), float, scalar.description, scalar.units)

    @staticmethod
    def _variable(
        file: h5py.File,
        name: str,
        dims: tuple[str, ...],
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: Any,
        description: str,
        units: str,
    ) -> None:
        records = 1 if shape else 1024
        data = file.create_dataset(
            name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(records, *chunks)
        )
        for i, dim in enumerate(("time", *dims)):
            data.dims[i].attach_scale(file[dim])
        data.attrs.update(long_name=description, units=units)

    def _recorded(self, file: h5py.File) -> list[str]:
        """Variables with a record per time."""
        return [name for name in file if file[name].maxshape[:1] == (None,)]

    def _cut_back(self, sim: Solver) -> float | None:
        with h5py.File(self.path, "r+") as file:
            if "time" not in file or "nx" not in file.attrs:
                raise InputError(f"{self.path} is not an output of pytbl; it is left as it is")
            other = differences(dict(file.attrs), describe(sim), _SAME_FLOW)
            missing = [name for name in self.fields if name not in file]
            if other or missing:
                reason = other or f"it has no variable {missing[0]}"
                raise InputError(f"{self.path} is of another run, and is left as it is: {reason}")
            times = file["time"][:]
            count = int(np.searchsorted(times, sim.t + 1e-6 * sim.dt, side="right"))
            for name in self._recorded(file):
                file[name].resize(count, axis=0)
            return float(times[count - 1]) if count else None

    # --------------------------------------------------------------------------------- records ---

    def write(self, sim: Solver) -> None:
        """Append a record; collective over ranks.

        Raises
        ------
        OSError
            On all ranks: the record cannot be written. Those before it stay.
        """
        grid = sim.grid
        scalars = diagnostics.summary(sim)
        spectra = {name: f(grid, sim.omega_hat)[1] for name, (f, *_) in _SPECTRA.items()}
        try:
            record = on_root(
                grid.exchange, lambda: self._append(grid, sim.t, {**scalars, **spectra})
            )
            fields = {name: ((record,), FIELDS[name][0](sim)) for name in self.fields}
            write_rows(self.path, grid.exchange, grid.y_start, fields)
        except OSError as error:
            raise OSError(f"{self.path}: a record cannot be written: {one_line(error)}") from None
        self._schedule.done(sim.t)

    def _append(self, grid: Grid, t: float, values: dict[str, Any]) -> int:
        """On rank 0: room for a record, and all of it but the fields. Returns its index."""
        itemsize = (self.dtype or grid.dtype).itemsize
        fields = len(self.fields) * grid.nx * (grid.ny * itemsize + _CHUNK_BYTES // grid.nx)
        reserve(self.path, fields + (1 << 20))
        with h5py.File(self.path, "r+") as file:
            record = len(file["time"])
            for name in self._recorded(file):
                file[name].resize(record + 1, axis=0)
            file["time"][record] = t
            for name, value in values.items():
                file[name][record] = value
        return record
