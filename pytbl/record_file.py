"""Files with one record per time: their layout, and how they are made, grow and are read.

Root variables over ``time`` and further axes, with attached dimension scales, CF-1.11 attributes
and units as text, so that xarray and ParaView open them. What was never written is NaN.
"""

from __future__ import annotations

import errno
import math
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from . import __version__
from ._revision import REVISION
from .errors import InputError
from .hdf5 import one_line

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK_BYTES = 1 << 20
SLACK_BYTES = 1 << 20  #: for HDF5's own bookkeeping


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
    """All of a file but its records; NaN stands where nothing was written."""

    attributes: Mapping[str, Any]
    axes: Mapping[str, Axis]
    variables: Mapping[str, Variable]

    def lay_out(self, file: h5py.File) -> None:
        """Put it into an empty file."""
        file.attrs.update(provenance() | dict(self.attributes) | {"complete": 0})
        axis = file.create_dataset(
            "time", (0,), float, maxshape=(None,), chunks=(1024,), fillvalue=np.nan
        )
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
                fillvalue=np.nan,
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


def stored_dtype(dtype: Any) -> np.dtype[Any]:
    """The type of stored fields.

    Raises
    ------
    InputError
        It is not one of the two.
    """
    with suppress(TypeError):
        found = np.dtype(dtype)
        if found in (np.dtype("f4"), np.dtype("f8")):
            return found
    raise InputError(f"dtype must be float32 or float64, got {dtype}")


# ---------------------------------------------------------------------------------------- files ---


def check_target(path: Path, *, overwrite: bool, sources: Iterable[Path] = ()) -> None:
    """Refuse to write over a file that must stay, or from which what is written comes.

    Raises
    ------
    InputError
        The file exists, and is one of the sources or must not be overwritten.
    """
    if not path.exists():
        return
    if any(source.exists() and path.samefile(source) for source in sources):
        raise InputError(f"{path} is the file that is read: name another file to write")
    if not overwrite:
        raise InputError(f"{path} exists: name another file, or allow it to be overwritten")


def make_folder(path: Path) -> None:
    """Make a folder unless it is there.

    Raises
    ------
    InputError
        It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made: {one_line(error)}") from None


def _beside(path: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".pytbl-")


def probe(path: Path) -> None:
    """Raise the OSError that would keep `created` from making a file."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with _beside(path):
        pass


@contextmanager
def created(path: Path, *, userblock: bytes = b"") -> Iterator[h5py.File]:
    """A new file, in place only when it is whole; `userblock` is put in front of the HDF5 part."""
    with _beside(path) as temporary:
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
    return total + SLACK_BYTES


def whole_records(file: h5py.File, names: Iterable[str]) -> int:
    """How many records have the time and these fields.

    The last one has not where the run ended, however suddenly, while it was being written.
    """
    count = len(file["time"])
    if count and any(np.isnan(file[name][-1]).any() for name in ("time", *names)):
        count -= 1
    return count
