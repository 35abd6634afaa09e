"""Checkpoints: all that a restart needs, in a layout that is free of the number of ranks.

A checkpoint is written under a temporary name, made durable, and renamed: a file with its final
name is whole. Every row of the state has a checksum, and the description has one over itself and
them; both are verified when it is loaded, and an older checkpoint is used where they fail.
"""

from __future__ import annotations

import logging
import os
import re
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from . import __version__
from ._revision import REVISION
from .errors import CheckpointError, InputError
from .hdf5 import describe, differences, on_root, one_line, reserve, sync, to_json, write_rows
from .schedule import Schedule

if TYPE_CHECKING:
    from .grid import Grid
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]

log = logging.getLogger(__name__)

FORMAT = 1
_ARRAYS = ("omega_hat", "tendency_hat")
_NAME = re.compile(r"ckpt-(\d{9,})\.h5")
_PARTIAL = ".partial"

#: What must agree between a checkpoint and the run that continues from it.
_SAME_STATE = ("nx", "ny", "lx", "ly", "dealias", "dtype", "scheme")


class Checkpoint:
    """Keeps the state of a run, at regular times and when it is stopped by a signal.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist.
    every : float
        Interval of simulated time [time].
    keep : int
        How many of the latest checkpoints stay.
    overwrite : bool
        Let a run that starts afresh remove the checkpoints of an earlier one.

    Raises
    ------
    InputError
        A parameter cannot be used; or, on opening, the folder cannot be written, or holds the
        checkpoints of an earlier run and this one starts afresh.
    """

    #: `Solver.run` writes it when a signal ends the run.
    saves_state = True

    def __init__(
        self, folder: str | Path, *, every: float, keep: int = 2, overwrite: bool = False
    ) -> None:
        if keep < 1:
            raise InputError(f"keep must be >= 1, got {keep}")
        self.overwrite = overwrite
        self.folder, self.keep = Path(folder), int(keep)
        self._schedule = Schedule(every)

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.folder)!r}, every={self._schedule.every:g}, keep={self.keep})"

    def due(self, t: float, step: int) -> bool:
        """Whether a multiple of the interval has been reached."""
        return self._schedule.due(t)

    def check(self, sim: Solver) -> None:
        """Refuse what cannot be written, and change nothing; collective over ranks."""
        on_root(sim.grid.exchange, lambda: self._check(sim.steps))

    def _check(self, steps: int) -> None:
        try:
            earlier = _found(self.folder) if self.folder.exists() else []
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written: {one_line(error)}") from None
        if earlier and not steps and not self.overwrite:
            raise InputError(
                f"{self.folder} holds {earlier[0].name} of an earlier run: name another folder, "
                f"resume that run, or allow it to be overwritten"
            )

    def open(self, sim: Solver) -> None:
        """Make the folder; the state at this moment needs no checkpoint."""
        self.check(sim)
        on_root(sim.grid.exchange, lambda: self._prepare(sim.steps))
        self._schedule.done(sim.t)

    def _prepare(self, steps: int) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".probe{_PARTIAL}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written: {one_line(error)}") from None
        if steps:
            # what lies ahead is damaged, or of a course that was left: it must not be resumed
            for path in _found(self.folder):
                if _steps(path) > steps:
                    path.rename(path.with_name(path.name + ".left"))
            return
        for path in _found(self.folder):
            path.unlink()

    def write(self, sim: Solver) -> None:
        """Save, then remove what is older than the latest `keep`; collective over ranks.

        Raises
        ------
        OSError
            On all ranks: the state cannot be saved. Earlier checkpoints stay.
        """
        save(self.folder / f"ckpt-{sim.steps:09d}.h5", sim)
        on_root(sim.grid.exchange, self._prune)
        self._schedule.done(sim.t)

    def _prune(self) -> None:
        for path in _found(self.folder)[self.keep :]:
            path.unlink()
        for partial in self.folder.glob(f"*{_PARTIAL}"):
            partial.unlink()


def _steps(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else -1


def _found(folder: Path) -> list[Path]:
    """Whole checkpoints in a folder, the latest first."""
    names = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(names, key=_steps, reverse=True)


def _checksums(rows: Array) -> Array:
    """CRC-32 of every row."""
    return np.array([zlib.crc32(row) for row in np.ascontiguousarray(rows)], np.uint32)


def _seal(description: str, sums: Array) -> int:
    return zlib.crc32(sums.tobytes(), zlib.crc32(description.encode()))


# ---------------------------------------------------------------------------------------- save ---


def save(path: str | Path, sim: Solver) -> None:
    """Write one checkpoint; collective over ranks.

    Parameters
    ----------
    path : str or Path
        The file; it appears when it is whole.
    sim : Solver

    Raises
    ------
    OSError
        On all ranks: it cannot be written. Nothing else is touched.
    """
    path, grid = Path(path), sim.grid
    partial = path.with_name(path.name + _PARTIAL)
    state = sim.state()
    arrays = {name: state.pop(name) for name in _ARRAYS}
    description = to_json(
        {
            "format": FORMAT,
            "version": __version__,
            "revision": REVISION,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "ranks": grid.exchange.size,
            "case": sim.case_toml,
            "run": describe(sim),
            "state": state,
        }
    )
    local = np.stack([_checksums(arrays[name]) for name in _ARRAYS])
    gathered = grid.exchange.gather(local)

    def lay_out() -> None:
        sums = np.concatenate(gathered or [], axis=1)
        with h5py.File(partial, "w") as file:
            for name in _ARRAYS:
                file.create_dataset(name, (grid.nkx, grid.ny), grid.complex_dtype)
            file["checksums"] = sums
            file["description"] = np.frombuffer(description.encode(), np.uint8)
            file.attrs["seal"] = _seal(description, sums)
        reserve(partial, 2 * grid.nkx * grid.ny * grid.complex_dtype.itemsize + (1 << 16))

    def finish() -> None:
        sync(partial)
        os.replace(partial, path)
        sync(path.parent)

    try:
        on_root(grid.exchange, lay_out)
        rows: dict[str, tuple[tuple[int, ...], Array]] = {n: ((), arrays[n]) for n in _ARRAYS}
        write_rows(partial, grid.exchange, grid.kx_start, rows)
        on_root(grid.exchange, finish)
    except OSError as error:
        on_root(grid.exchange, lambda: partial.unlink(missing_ok=True))
        raise OSError(f"{path}: the checkpoint cannot be written: {one_line(error)}") from None


# ---------------------------------------------------------------------------------------- load ---


def describe_file(path: str | Path) -> dict[str, Any]:
    """What a checkpoint says of itself; its seal is verified, its state is not.

    Raises
    ------
    CheckpointError
        The file is not a whole checkpoint of a known format.
    """
    import json

    try:
        with h5py.File(path, "r") as file:
            description = file["description"][:].tobytes().decode()
            sums, seal = file["checksums"][:], int(file.attrs["seal"])
        if seal != _seal(description, sums):
            raise CheckpointError(f"{path}: the description does not match its checksum")
        values: dict[str, Any] = json.loads(description)
    except CheckpointError:
        raise
    except Exception as error:  # of a damaged file, HDF5 may raise anything
        raise CheckpointError(f"{path} is not a whole checkpoint: {one_line(error)}") from None
    if values["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {values['format']}, expected {FORMAT}: it is of pytbl "
            f"{values['version']}, and this is {__version__}"
        )
    return values


def _read(path: Path, sim: Solver) -> dict[str, Any]:
    """The state on this rank's slab, verified."""
    values, grid = describe_file(path), sim.grid
    other = differences(values["run"], describe(sim), _SAME_STATE)
    if other:
        hint = "; start from another resolution with pytbl.initial.from_file"
        raise MismatchError(f"{path} does not fit this run: {other}{hint if 'nx' in other else ''}")
    return values["state"] | _read_slabs(path, grid)


def _read_slabs(path: Path, grid: Grid) -> dict[str, Array]:
    rows = slice(grid.kx_start, grid.kx_start + grid.nkx_local)
    slabs = {}
    try:
        with h5py.File(path, "r") as file:
            for i, name in enumerate(_ARRAYS):
                slabs[name] = file[name][rows]
                bad = np.flatnonzero(_checksums(slabs[name]) != file["checksums"][i, rows])
                if len(bad):
                    raise CheckpointError(
                        f"{path}: row {grid.kx_start + bad[0]} of {name} does not match its "
                        f"checksum"
                    )
    except CheckpointError:
        raise
    except Exception as error:  # of a damaged file, HDF5 may raise anything
        raise CheckpointError(f"{path} is not a whole checkpoint: {one_line(error)}") from None
    return slabs


class MismatchError(CheckpointError):
    """The checkpoint is good, but of another run: an older one would not fit either."""


def load(path: str | Path, sim: Solver) -> Path:
    """Continue from a checkpoint; collective over ranks.

    Parameters
    ----------
    path : str or Path
        A file, or a folder, of which the latest good checkpoint is taken. That an older one is used
        because a newer one is damaged is logged as a warning.
    sim : Solver
        On any number of ranks; its state is left alone if there is an error.

    Returns
    -------
    Path
        The checkpoint that was used.

    Raises
    ------
    CheckpointError
        On all ranks: there is no checkpoint, none is good, or it is of another grid or scheme.
    """
    path, exchange = Path(path), sim.grid.exchange
    candidates = on_root(exchange, lambda: _candidates(path))
    failures: list[str] = []
    for candidate in candidates:
        problem: CheckpointError | None = None
        try:
            state = _read(candidate, sim)
        except CheckpointError as error:
            problem = error
        if not exchange.any(problem is not None):
            if failures and exchange.rank == 0:
                log.warning("%s; continuing from %s", "; ".join(failures), candidate)
            sim.restore(state)
            return candidate
        problems = exchange.bcast([p for p in exchange.gather(problem) or [] if p is not None])
        if isinstance(problems[0], MismatchError):
            raise problems[0]
        failures.append(str(problems[0]))
    raise CheckpointError("no checkpoint can be used: " + "; ".join(failures))


def _candidates(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = _found(path) if path.is_dir() else []
    if not found:
        raise CheckpointError(f"{path} holds no checkpoint")
    return found
