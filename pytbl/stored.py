"""Datasets made afterwards, from the vorticity that an output has stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from .errors import InputError
from .exchange import make_exchange
from .flow import Flow
from .grid import Grid
from .hdf5 import agree, on_root, one_line, plain
from .record_file import check_target, whole_records
from .solver import Solver

if TYPE_CHECKING:
    from mpi4py import MPI

    from .dataset import Dataset

    Array = np.ndarray[Any, np.dtype[Any]]

_NEEDED = (
    *("nx", "ny", "lx", "ly", "dealias", "dtype", "viscosity", "viscosity_order", "drag", "beta"),
    *("scheme", "forcing", "closure", "case"),
)


class _Recorded:
    """A term of which only the name is known; it does nothing."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def add(self, *_: Any) -> None:
        """Nothing: the state comes from the file."""


class Stored(NamedTuple):
    """What an output says of its flow, and the times of its records."""

    known: dict[str, Any]
    times: Array


def look(path: Path) -> Stored:
    """Look into an output.

    Raises
    ------
    InputError
        It cannot be read, holds no vorticity or no record, or is no output of pytbl.
    """
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in _NEEDED if name not in file.attrs]
            missing += [name for name in ("time", "omega") if name not in file]
            if missing:
                raise InputError(
                    f"{path} is not an output of pytbl with a vorticity: it has no {missing[0]}"
                )
            known = {name: plain(file.attrs[name]) for name in _NEEDED}
            times: Array = file["time"][: whole_records(file, ["omega"])]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from None
    if not len(times):
        raise InputError(f"{path} holds no records")
    return Stored(known, times)


def solver_of(
    known: dict[str, Any], *, comm: MPI.Intracomm | None = None, threads: int = 1
) -> Solver:
    """A solver of the flow that an output says it is of, at rest."""
    grid = Grid(
        known["nx"],
        known["ny"],
        lx=known["lx"],
        ly=known["ly"],
        dealias=known["dealias"],
        comm=comm,
        dtype=known["dtype"],
        threads=threads,
    )
    flow = Flow(*(known[name] for name in ("viscosity", "viscosity_order", "drag", "beta")))
    forcing, closure = (
        None if known[name] == "None" else _Recorded(known[name]) for name in ("forcing", "closure")
    )
    sim = Solver(grid, flow, dt=1.0, scheme=known["scheme"], forcing=forcing, closure=closure)
    sim.case_toml = known["case"]
    return sim


def filter_stored(
    path: str | Path, dataset: Dataset, *, comm: MPI.Intracomm | None = None, threads: int = 1
) -> int:
    """Write a sample for each record of an output; collective over ranks.

    Parameters
    ----------
    path : str or Path
        File of `pytbl.Output` with the field omega.
    dataset : Dataset
    comm : mpi4py communicator, optional
    threads : int

    Returns
    -------
    int
        Samples written.

    Raises
    ------
    InputError
        The output cannot be read, or the dataset not be made of it, or not in its place.
    """
    path = Path(path)

    def prepare() -> Stored:
        check_target(dataset.path, overwrite=dataset.overwrite, sources=[path])
        return look(path)

    known, times = on_root(make_exchange(comm), prepare)
    sim = solver_of(known, comm=comm, threads=threads)
    grid = sim.grid
    dataset.open(sim)
    rows = slice(grid.y_start, grid.y_start + grid.ny_local)
    for record, t in enumerate(times):
        field = grid.zeros_physical()
        error: Exception | None = None
        try:
            with h5py.File(path, "r") as file:
                field = file["omega"][record, rows]
        except OSError as problem:
            error = InputError(f"{path} cannot be read: {one_line(problem)}")
        agree(grid.exchange, error)
        sim.set_vorticity(field)
        sim.t = float(t)
        dataset.write(sim)
    dataset.finish(sim)
    return len(times)
