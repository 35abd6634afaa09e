"""Outputs and datasets, read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from .errors import InputError
from .grid import Grid
from .hdf5 import one_line, plain
from .record_file import whole_records

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


class Run:
    """A file with records of a vorticity: an output, or a dataset of filtered samples.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    InputError
        The file cannot be read, or is not such a file.

    Attributes
    ----------
    path : Path
    attrs : dict
        The file's attributes.
    times : ndarray, shape (records,)
        Time of each record that was written to its end [time].
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._open() as file:
            self.attrs: dict[str, Any] = {name: plain(value) for name, value in file.attrs.items()}
            self._names = frozenset(name for name in file if isinstance(file[name], h5py.Dataset))
            missing = [f"attribute {a}" for a in ("nx", "ny", "lx", "ly") if a not in self.attrs]
            missing += [f"variable {v}" for v in ("time", "omega") if v not in self._names]
            if missing:
                raise InputError(
                    f"{self.path} is not an output or a dataset of pytbl: it has no {missing[0]}"
                )
            fields = [name for name in ("omega", "pi") if name in self._names]
            self.times: Array = file["time"][: whole_records(file, fields)]

    @contextmanager
    def _open(self) -> Iterator[h5py.File]:
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {one_line(error)}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def grid(self) -> Grid:
        """The grid of its fields."""
        names = ("nx", "ny", "lx", "ly", "dealias")
        values = {name: self.attrs[name] for name in names if name in self.attrs}
        return Grid(**values, reproducible=True)

    def since(self, start: float | None, *, least: int = 2) -> Array:
        """Indices of the records from a time on.

        Raises
        ------
        InputError
            There are fewer than `least`.
        """
        records = np.flatnonzero(self.times >= (-np.inf if start is None else start - 1e-9))
        if len(records) < least:
            place = f" from t = {start:g}" if start is not None else ""
            span = f" (it spans t = {self.times[0]:g} .. {self.times[-1]:g})" * bool(
                self.times.size
            )
            raise InputError(
                f"{self.path} holds too few records{place}: expected at least {least}, got "
                f"{len(records)}{span}"
            )
        return records

    def read(self, name: str, records: Sequence[int] | Array | None = None) -> Array:
        """A variable at some records, in increasing order; by default at each of `times`."""
        with self._open() as file:
            values: Array = file[name][slice(len(self.times)) if records is None else records]
            return values

    def each(self, name: str, records: Sequence[int] | Array) -> Iterator[Array]:
        """A variable at one record after the other."""
        with self._open() as file:
            for record in records:
                yield file[name][record]

    def shells(self) -> tuple[Array, int]:
        """Wavenumbers of the shells of its spectra [1/length], and how many are complete."""
        with self._open() as file:
            return file["k"][:], int(file["k"].attrs["complete_shells"])
