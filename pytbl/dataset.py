"""Datasets: samples of a filtered flow and its SGS term, written while the fine flow runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset_file import INCLUDE, SAME_SAMPLES, layout, sample_moments, update_moments
from .errors import BlowUp, InputError
from .filters import Filter
from .grid import Grid
from .hdf5 import describe
from .output import Output
from .record_file import Layout, stored_dtype
from .records import Records
from .samples import Samples
from .subgrid import SubgridTerms

if TYPE_CHECKING:
    import h5py

    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]


class Dataset(Records):
    r"""Filters and coarsens a running flow at regular times, and writes what a closure learns from.

    Each sample holds :math:`\bar\omega`, :math:`\bar\psi` and
    :math:`\Pi = \overline{N(\omega)} - N_c(\bar\omega)` on a coarse grid with dealias="3/2"; see
    `pytbl.subgrid`. The file is described in `pytbl.dataset_file`, and read by `pytbl.samples`.

    Parameters
    ----------
    path : str or Path
        The HDF5 file; a run that continues appends to it.
    every : float
        Interval between samples [time].
    coarse : int or (int, int)
        Points of the coarse grid along x, and in proportion along y; or along x and y.
    filter : Filter
        See `pytbl.filters`.
    start : float
        No sample before this time, while the flow spins up [time].
    include : sequence of str
        Of "stress" (tau_xx, tau_xy, tau_yy) and "flux" (sigma_x, sigma_y).
    dtype : float32 or float64
        Of the stored fields.
    overwrite : bool
        Replace a file of an earlier run; else it is left alone, and the new run refused.

    Raises
    ------
    InputError
        A parameter cannot be used; or, on opening, the coarse grid does not fit the flow's, or the
        file exists already, cannot be written, or is of other samples.
    """

    what = "a dataset"
    same = (*SAME_SAMPLES, "include", "dtype", *(f"dns_{name}" for name in Output.same))

    def __init__(
        self,
        path: str | Path,
        *,
        every: float,
        coarse: int | tuple[int, int],
        filter: Filter,
        start: float = 0.0,
        include: Sequence[str] = (),
        dtype: Any = "float32",
        overwrite: bool = False,
    ) -> None:
        super().__init__(path, every=every, start=start, overwrite=overwrite)
        if not isinstance(filter, Filter):
            raise InputError(f"filter must be one of pytbl.filters, got {filter!r}")
        include = (include,) if isinstance(include, str) else tuple(include)
        for name in include:
            if name not in INCLUDE:
                raise InputError(f"include must be among {', '.join(INCLUDE)}, got {name!r}")
        self.dtype = stored_dtype(dtype)
        self.coarse, self.filter = coarse, filter
        self.include = tuple(name for name in INCLUDE if name in include)
        self._terms: SubgridTerms | None = None

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, coarse={self.coarse}, filter={self.filter!r})"

    def coarse_grid(self, fine: Grid) -> Grid:
        """The grid of the samples, on the same ranks.

        Raises
        ------
        InputError
            There is none of so many points, or not in proportion along y.
        """
        if isinstance(self.coarse, int | np.integer):
            nx, along_y = int(self.coarse), int(self.coarse) * fine.ny / fine.nx
            ny = int(along_y)
            if ny != along_y or ny % 2:
                raise InputError(
                    f"coarse = {nx} points along x, in proportion to {fine.nx} x {fine.ny}, would "
                    f"be {along_y:g} along y: expected an even integer, or give (nx, ny)"
                )
        else:
            nx, ny = self.coarse
        try:
            return Grid(
                nx,
                ny,
                lx=fine.lx,
                ly=fine.ly,
                dealias="3/2",
                comm=fine.comm,
                dtype=fine.dtype,
                threads=fine.threads,
                reproducible=fine.reproducible,
            )
        except InputError as error:
            raise InputError(f"coarse = {self.coarse}: {error}") from None

    def _coarsening(self, fine: Grid) -> SubgridTerms:
        """From a flow's grid; collective when it is asked for first."""
        if self._terms is None or self._terms.fine is not fine:
            self._terms = SubgridTerms(fine, self.coarse_grid(fine), self.filter)
        return self._terms

    def _grid(self, sim: Solver) -> Grid:
        return self._coarsening(sim.grid).coarse

    def _layout(self, sim: Solver) -> Layout:
        attributes = {
            "case": sim.case_toml,
            "ranks": sim.grid.exchange.size,
            **{f"dns_{name}": value for name, value in describe(sim).items()},
        }
        return layout(
            self._grid(sim),
            self.filter,
            include=self.include,
            dtype=self.dtype,
            attributes=attributes,
        )

    def fields(self, sim: Solver) -> dict[str, Array]:
        """A sample of the present state, each field of shape (ny_local, nx) of the coarse grid."""
        terms = self._coarsening(sim.grid)
        grid, omega_hat = terms.coarse, terms.coarsen(sim.omega_hat)
        pi_hat = terms.source(sim.omega_hat, sim.advection_hat())
        omega, psi = grid.to_physical_pair(omega_hat, omega_hat * grid.inverse_k2)
        fields = {"omega": omega, "psi": psi, "pi": grid.to_physical(pi_hat)}
        groups = {"stress": terms.stress, "flux": terms.vorticity_flux}
        for group in self.include:
            parts = zip(INCLUDE[group], groups[group](sim.omega_hat), strict=True)
            fields |= {name: grid.to_physical(hat) for name, hat in parts}
        return fields

    def _record(self, sim: Solver) -> tuple[dict[str, Any], dict[str, Array]]:
        """The fields as they are stored, and the moments of each."""
        grid = self._grid(sim)
        with np.errstate(over="ignore"):  # an overflow is found below
            fields = {name: f.astype(self.dtype) for name, f in self.fields(sim).items()}
        if grid.exchange.any(not all(np.isfinite(field).all() for field in fields.values())):
            raise BlowUp(
                f"the sample at t = {sim.t:.6g} is not finite, and is not written to {self.path}"
            )
        values: dict[str, Any] = {}
        for name, field in fields.items():
            mean = grid.mean(field)
            variance = grid.mean(np.square(field.astype(float) - mean))
            values |= sample_moments(name, mean, variance)
        return values, fields

    def _changed(self, file: h5py.File) -> None:
        update_moments(file)

    def _notes(self) -> dict[str, dict[str, Any]]:
        samples = Samples(self.path, incomplete=True)
        return samples.independence() if len(samples) else {}
