"""Reading datasets: their samples, a few at a time, and how independent these are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from .. import filters
from ..dataset_file import (
    FIELDS,
    INCLUDE,
    SAME_SAMPLES,
    Contents,
    contents,
    layout,
    write_samples,
)
from ..errors import InputError
from ..grid import Grid
from ..hdf5 import one_line
from ..record_file import check_target
from ..statistics import (
    anomaly_gram,
    decorrelation_time,
    effective_count,
    pooled,
    time_correlation,
)

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]
    Paths = str | Path | Sequence[str | Path]

#: Samples whose correlation is measured, and memory for parts of them [bytes].
_CORRELATED = 1000
_SLAB_BYTES = 64 << 20


def _index(chosen: Any) -> Any:
    """What numpy can index by; an empty list as well."""
    array = None if isinstance(chosen, slice) else np.asarray(chosen)
    return chosen if array is None else array if array.size else slice(0)


class Samples:
    """Samples of one or several datasets, read when they are asked for.

    Parameters
    ----------
    paths : str, Path, or a sequence of them
        Files of `pytbl.Dataset`; each is taken as a run of its own.
    incomplete : bool
        Read also files of runs that have not reached their end.

    Raises
    ------
    InputError
        A file cannot be read, is no dataset or is incomplete, or is of another grid, filter or
        sign than the first.

    Attributes
    ----------
    names : list of str
        The fields that every file has.
    nx, ny, lx, ly : int, float
        Points and lengths of the coarse grid.
    filter : Filter
    sign : str
        In words, how the SGS term enters.
    where : ndarray, shape (n, 2)
        Number of the file, and of the record in it, of each sample.
    """

    def __init__(self, paths: Paths, *, incomplete: bool = False) -> None:
        listed = [paths] if isinstance(paths, str | Path) else list(paths)
        if not listed:
            raise InputError("samples need at least one dataset, got none")
        sources = [contents(Path(path), incomplete) for path in listed]
        counts = [len(source.times) for source in sources]
        self._hold(sources, [(i, j) for i, count in enumerate(counts) for j in range(count)])

    def _hold(self, sources: list[Contents], where: Any) -> None:
        first = sources[0]
        for other in sources[1:]:
            for name in SAME_SAMPLES:
                one, two = first.attributes.get(name), other.attributes.get(name)
                if one != two:
                    raise InputError(f"{name} is {one} in {first.path} and {two} in {other.path}")
        self._sources = sources
        self.where: Array = np.array(where, int).reshape(-1, 2)
        self._whole = self
        self._correlations: dict[str, tuple[Array, Array]] = {}
        self.names = [n for n in FIELDS if all(n in source.names for source in sources)]
        common = first.attributes
        self.nx, self.ny = int(common["nx"]), int(common["ny"])
        self.lx, self.ly = float(common["lx"]), float(common["ly"])
        self.filter = filters.make(str(common["filter"]), ratio=float(common["filter_ratio"]))
        self.sign = str(common["pi_sign"])

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """All samples of some parts, one after the other.

        Raises
        ------
        InputError
            They are of different grids, filters or signs.
        """
        offsets = np.cumsum([0, *(len(part._sources) for part in parts)])
        where = [
            part.where + np.array([offset, 0])
            for part, offset in zip(parts, offsets[:-1], strict=True)
        ]
        whole = object.__new__(cls)
        whole._hold([s for part in parts for s in part._sources], np.concatenate(where))
        return whole

    def __repr__(self) -> str:
        files = ", ".join(str(path) for path in self.paths)
        return f"Samples({len(self)} of {files}, {self.nx} x {self.ny} points, {self.filter!r})"

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, chosen: slice | Sequence[int] | Array) -> Samples:
        """A view of some of the samples, by a slice, indices or flags."""
        view = object.__new__(Samples)
        view.__dict__.update(self.__dict__)
        view.where = self.where[_index(chosen)]
        return view

    def by_file(self) -> list[Samples]:
        """The samples of each file apart."""
        return [self[self.where[:, 0] == number] for number in np.unique(self.where[:, 0])]

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes of the file of the first sample."""
        return self._sources[self.where[0, 0] if len(self) else 0].attributes

    @property
    def paths(self) -> list[Path]:
        """Files that have any of these samples."""
        return [self._sources[i].path for i in np.unique(self.where[:, 0])]

    @cached_property
    def grid(self) -> Grid:
        """The coarse grid, on one rank."""
        return Grid(
            self.nx,
            self.ny,
            lx=self.lx,
            ly=self.ly,
            dealias=str(self.attributes["dealias"]),
            reproducible=True,
        )

    @property
    def times(self) -> Array:
        """Time of each sample, shape (n,) [time]."""
        return np.array([self._sources[i].times[j] for i, j in self.where], float)

    # --------------------------------------------------------------------------------- reading ---

    def read(self, name: str, indices: Any = slice(None), *, rows: slice = slice(None)) -> Array:
        """Fields of some samples.

        Parameters
        ----------
        name : str
            One of `names`.
        indices : int, slice or sequence of int
        rows : slice
            Rows y.

        Returns
        -------
        ndarray, shape (n, ny, nx)
            As stored; (ny, nx) for a single index.

        Raises
        ------
        InputError
            There is no such field, or a file cannot be read any more.
        """
        self._check(name)
        where = np.atleast_2d(self.where[_index(indices)])
        out: Array | None = None
        for number in np.unique(where[:, 0]):
            places = np.flatnonzero(where[:, 0] == number)
            try:
                with h5py.File(self._sources[number].path, "r") as file:
                    data = file[name]
                    if out is None:
                        height = len(range(*rows.indices(self.ny)))
                        out = np.empty((len(where), height, self.nx), data.dtype)
                    for place, record in zip(places, where[places, 1], strict=True):
                        out[place] = data[record, rows]
            except OSError as error:
                path = self._sources[number].path
                raise InputError(f"{path} cannot be read: {one_line(error)}") from None
        if out is None:
            out = np.empty((0, self.ny, self.nx), self.attributes["dtype"])
        return out[0] if isinstance(indices, int | np.integer) else out

    def _check(self, name: str) -> None:
        if name not in self.names:
            raise InputError(f"there is no field {name!r}: expected one of {', '.join(self.names)}")

    def moments(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of a field over all points of all samples."""
        self._check(name)
        chosen = [[self._sources[i].moments[name][m][j] for i, j in self.where] for m in (0, 1)]
        return pooled(np.array(chosen[0]), np.array(chosen[1]))

    # ---------------------------------------------------------------------------- independence ---

    def _runs(self, at_most: int | None = None) -> list[Array]:
        """Indices of the samples of each file in order of time, evenly thinned to a number."""
        times = self.times
        step = 1 if at_most is None else max(1, math.ceil(len(self) / at_most))
        runs = [np.flatnonzero(self.where[:, 0] == i) for i in range(len(self._sources))]
        return [run[np.argsort(times[run], kind="stable")][::step] for run in runs if len(run)]

    def correlation(self, name: str) -> tuple[Array, Array]:
        """Mean pattern correlation of two samples of a field, by their distance in time.

        Of all samples of the files, also in a view; of about 1000 of them where there are more.

        Returns
        -------
        lags, correlation : ndarray
            See `pytbl.statistics.time_correlation`.
        """
        self._check(name)
        if name not in self._correlations:
            whole = self._whole
            times = whole.times
            self._correlations[name] = time_correlation(
                [
                    (times[run], anomaly_gram(whole._slabs(name, run)))
                    for run in whole._runs(_CORRELATED)
                ]
            )
        return self._correlations[name]

    def _slabs(self, name: str, indices: Array) -> Iterator[Array]:
        rows = max(1, _SLAB_BYTES // (8 * len(indices) * self.nx))
        for first in range(0, self.ny, rows):
            yield self.read(name, indices, rows=slice(first, min(first + rows, self.ny)))

    def decorrelation_time(self, name: str) -> float:
        """First fall of the correlation to 1 / e [time]; infinite if it does not fall so far."""
        return decorrelation_time(*self.correlation(name))

    def stated_decorrelation_time(self, name: str) -> float:
        """As the files state it, of the runs that they are parts of; where none is, as measured."""
        self._check(name)
        stated = [self._sources[i].decorrelation.get(name) for i in np.unique(self.where[:, 0])]
        known = [time for time in stated if time is not None]
        return max(known) if known else self.decorrelation_time(name)

    def effective(self, name: str) -> float:
        """How many independent samples know the mean of a field as well as these."""
        times = self.times
        return effective_count([times[run] for run in self._runs()], *self.correlation(name))

    def independence(self) -> dict[str, dict[str, float]]:
        """Decorrelation time and effective number of samples of the vorticity and the SGS term."""
        return {
            name: {
                "decorrelation_time": self.decorrelation_time(name),
                "effective_samples": self.effective(name),
            }
            for name in ("omega", "pi")
        }

    # --------------------------------------------------------------------------------- writing ---

    def check_save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Refuse what `save` would, and write nothing."""
        check_target(Path(path), overwrite=overwrite, sources=self.paths)
        if len(self.paths) > 1:
            raise InputError(
                f"samples of {len(self.paths)} runs cannot be saved in one file: save one by one"
            )

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write these samples as a dataset of the same format.

        Raises
        ------
        InputError
            The file exists or is one of those that they are read from, or the samples are of
            several runs.
        OSError
            It cannot be written.
        """
        path = Path(path)
        self.check_save(path, overwrite=overwrite)
        include = [group for group, names in INCLUDE.items() if set(names) <= set(self.names)]
        kept = {
            name: value
            for name, value in self.attributes.items()
            if name.startswith("dns_") or name in ("case", "ranks", "origin")
        }
        dtype = self.attributes["dtype"]
        whole = layout(self.grid, self.filter, include=include, dtype=dtype, attributes=kept)
        notes = self.independence() if len(self) else {}
        write_samples(path, whole, self.batches(), notes)

    def batches(self) -> Iterator[tuple[Array, dict[str, Array]]]:
        """All samples in turn, as (times, fields), in parts of bounded size."""
        size = max(1, _SLAB_BYTES // (8 * self.nx * self.ny * len(self.names)))
        times = self.times
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            yield times[part], {name: self.read(name, part) for name in self.names}
