"""What outputs and checkpoints share: errors that reach all ranks, and rows written in parallel."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import h5py
import numpy as np

if TYPE_CHECKING:
    from .exchange import Exchange
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]

Result = TypeVar("Result")


def one_line(error: BaseException) -> str:
    """The message of an error without HDF5's inner lines."""
    inner = re.search(r"error message = '([^']+)'", str(error))
    if inner:
        return inner[1]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def agree(exchange: Exchange, error: Exception | None) -> None:
    """Raise on all ranks what went wrong on any: that of the first rank which has something."""
    if not exchange.any(error is not None):
        return
    errors = [e for e in exchange.gather(error) or [] if e is not None]
    raise exchange.bcast(errors[0] if errors else None)


def on_root(exchange: Exchange, action: Callable[[], Result]) -> Result:
    """Do something on rank 0, and give its result, or its error, to all ranks."""
    result, error = None, None
    if exchange.rank == 0:
        try:
            result = action()
        except Exception as problem:  # whatever it is, the other ranks must not wait for ever
            error = problem
    agree(exchange, error)
    return exchange.bcast(result)


def collective(exchange: Exchange) -> bool:
    """Whether h5py can write one file from all ranks."""
    return exchange.size > 1 and bool(h5py.get_config().mpi)


def write_rows(
    path: Path, exchange: Exchange, start: int, rows: Mapping[str, tuple[tuple[int, ...], Array]]
) -> None:
    """Write every rank's rows of some datasets of a file.

    Parameters
    ----------
    path : Path
        The file, in which the datasets exist with their full shapes.
    exchange : Exchange
    start : int
        First row of this rank.
    rows : dict
        Dataset name: (leading index, this rank's rows).

    Notes
    -----
    In parallel through MPI-IO where h5py is built for it; else through rank 0, which holds one
    slab at a time.
    """
    if collective(exchange):
        _write_together(path, exchange, start, rows)
        return
    error: Exception | None = None
    file = None
    try:
        if exchange.rank == 0:
            file = h5py.File(path, "r+")
    except OSError as problem:
        error = problem
    agree(exchange, error)
    for name, (leading, local) in rows.items():
        for first, slab in exchange.slabs(local):  # received to the end, even if writing fails
            try:
                if error is None and file is not None:
                    file[name][(*leading, slice(first, first + len(slab)))] = slab
            except OSError as problem:
                error = problem
    try:
        if file is not None:
            file.close()
    except OSError as problem:
        error = error or problem
    agree(exchange, error)


def _write_together(
    path: Path, exchange: Any, start: int, rows: Mapping[str, tuple[tuple[int, ...], Array]]
) -> None:
    """Through MPI-IO: opening and closing are collective, each rank's rows are its own write.

    A slab is contiguous in the file but for the edges of chunks: collective buffering would gain
    nothing, would have to be matched by ranks that have no rows, and fails in some versions of
    Open MPI's own MPI-IO.
    """
    error: Exception | None = None
    with h5py.File(path, "r+", driver="mpio", comm=exchange.comm) as file:
        for name, (leading, local) in rows.items():
            try:
                if len(local):
                    file[name][(*leading, slice(start, start + len(local)))] = local
            except OSError as problem:
                error = problem
    agree(exchange, error)


def sync(path: Path) -> None:
    """Make a file or a folder survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside a file, to write to: it takes the file's place once it is whole and durable."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def reserve(path: Path, nbytes: int) -> None:
    """Make sure that a file can grow by so much, or leave it as it is and raise OSError.

    A disk that fills up in the middle of HDF5's own writing would leave a broken file.
    """
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), size, nbytes)
        except OSError:
            file.truncate(size)
            raise


def describe(sim: Solver) -> dict[str, Any]:
    """Plain values that say which flow is computed, and how; a restart must find them equal."""
    grid, flow = sim.grid, sim.flow
    return {
        "nx": grid.nx,
        "ny": grid.ny,
        "lx": grid.lx,
        "ly": grid.ly,
        "dealias": grid.dealias,
        "dtype": grid.dtype.name,
        "viscosity": flow.viscosity,
        "viscosity_order": flow.viscosity_order,
        "drag": flow.drag,
        "beta": flow.beta,
        "scheme": sim.scheme,
        "forcing": repr(sim.forcing),
        "closure": repr(sim.closure),
    }


def differences(kept: dict[str, Any], now: dict[str, Any], names: tuple[str, ...]) -> str:
    """The named values in which a file and a run differ, in words; empty if they agree."""
    return ", ".join(
        f"{name} {kept.get(name)} in the file and {now[name]} in the run"
        for name in names
        if plain(kept.get(name)) != plain(now[name])
    )


def plain(value: Any) -> Any:
    """A value of an attribute as Python's own, where numpy has wrapped it."""
    return value.item() if isinstance(value, np.generic) else value


def to_json(values: Any) -> str:
    """Text of plain values, the same for equal values."""
    return json.dumps(values, sort_keys=True, default=plain)
