"""Output: fields, scalars and spectra in one HDF5 file that xarray and ParaView open.

Root variables ``omega(time, y, x)``, one variable per scalar over ``time``, and
``energy_spectrum(time, k)``; what is common to all files of this kind is in `pytbl.record_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import diagnostics
from .errors import InputError
from .hdf5 import describe
from .record_file import Axis, Layout, Variable, space, stored_dtype
from .records import Records

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


class Output(Records):
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
    dtype : float32 or float64, optional
        Of the stored fields; the grid's by default.
    overwrite : bool
        Replace a file of an earlier run; else it is left alone, and the new run refused.

    Raises
    ------
    InputError
        A parameter cannot be used; or, on opening, the file exists already, cannot be written, or
        is of another flow.
    """

    what = "an output"
    same = ("nx", "ny", "lx", "ly", "dealias", "viscosity", "viscosity_order", "drag", "beta")

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
        super().__init__(path, every=every, overwrite=overwrite)
        self.fields = tuple(fields)
        self.dtype = None if dtype is None else stored_dtype(dtype)

    def _grid(self, sim: Solver) -> Grid:
        return sim.grid

    def _layout(self, sim: Solver) -> Layout:
        grid = sim.grid
        attributes = {
            "case": sim.case_toml,
            "ranks": grid.exchange.size,
            "fft_wisdom": grid.wisdom,
            **describe(sim),
        }
        shells = Axis(
            diagnostics.shell_wavenumbers(grid),
            "wavenumber of a shell",
            "length^-1",
            attributes={"complete_shells": diagnostics.complete_shells(grid)},
        )
        dtype = self.dtype or grid.dtype
        fields = {name: Variable(("y", "x"), dtype, *FIELDS[name][1:]) for name in self.fields}
        spectra = {
            n: Variable(("k",), float, text, units) for n, (_, text, units) in _SPECTRA.items()
        }
        scalars = {s.name: Variable((), float, s.description, s.units) for s in diagnostics.SCALARS}
        axes = space(grid.nx, grid.ny, (grid.lx, grid.ly)) | {"k": shells}
        return Layout(attributes, axes, fields | spectra | scalars)

    def _record(self, sim: Solver) -> tuple[dict[str, Any], dict[str, Array]]:
        spectra = {name: f(sim.grid, sim.omega_hat)[1] for name, (f, *_) in _SPECTRA.items()}
        fields = {name: FIELDS[name][0](sim) for name in self.fields}
        return diagnostics.summary(sim) | spectra, fields
