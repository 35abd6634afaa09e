"""The file of a dataset: filtered fields of a fine flow on a coarse grid, and its SGS term.

Root variables ``omega``, ``psi`` and ``pi`` over ``(time, y, x)``, more where asked for, and for
each the mean and the variance of every sample over ``(time)``. Root attributes nx, ny, lx and ly
are those of the coarse grid; what describes the fine flow begins with ``dns_``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from .errors import InputError
from .hdf5 import one_line
from .record_file import (
    Layout,
    Variable,
    created,
    recorded,
    space,
    stored_dtype,
    whole_records,
)
from .statistics import pooled

if TYPE_CHECKING:
    from .filters import Filter
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]

PI_SIGN = "pi is added to the right-hand side: bar(N) - N_c"

#: What a dataset can hold, and the units.
FIELDS = {
    "omega": ("filtered vorticity", "time^-1"),
    "psi": ("filtered streamfunction, laplace(psi) = -omega", "length^2 time^-1"),
    "pi": ("sub-grid-scale term, added to the right-hand side", "time^-2"),
    "tau_xx": ("sub-grid-scale stress, bar(u u) - bar(u) bar(u)", "length^2 time^-2"),
    "tau_xy": ("sub-grid-scale stress, bar(u v) - bar(u) bar(v)", "length^2 time^-2"),
    "tau_yy": ("sub-grid-scale stress, bar(v v) - bar(v) bar(v)", "length^2 time^-2"),
    "sigma_x": ("sub-grid-scale flux, bar(u omega) - bar(u) bar(omega)", "length time^-2"),
    "sigma_y": ("sub-grid-scale flux, bar(v omega) - bar(v) bar(omega)", "length time^-2"),
}

#: What is always there, and what can be included.
ALWAYS = ("omega", "psi", "pi")
INCLUDE = {"stress": ("tau_xx", "tau_xy", "tau_yy"), "flux": ("sigma_x", "sigma_y")}

#: Attributes that samples must share to be used together.
SAME_SAMPLES = ("nx", "ny", "lx", "ly", "filter", "filter_ratio", "pi_sign")

_MOMENTS = ("mean", "variance")


def layout(
    grid: Grid, filter: Filter, *, include: Sequence[str], dtype: Any, attributes: Mapping[str, Any]
) -> Layout:
    """Layout of a file of samples on a coarse grid; `attributes` are added to its own."""
    names = [*ALWAYS, *(name for group in include for name in INCLUDE[group])]
    dtype = stored_dtype(dtype)
    variables = {}
    for name in names:
        text, units = FIELDS[name]
        unknown = {"mean": np.nan, "standard_deviation": np.nan}
        variables[name] = Variable(("y", "x"), dtype, text, units, unknown)
        for moment in _MOMENTS:
            power = f"({units})^2" if moment == "variance" else units
            says = f"{moment} of {name} over the domain"
            variables[f"{name}_{moment}"] = Variable((), float, says, power)
    width_x, width_y = filter.widths(grid)
    own = {
        "title": "filtered two-dimensional turbulence",
        "nx": grid.nx,
        "ny": grid.ny,
        "lx": grid.lx,
        "ly": grid.ly,
        "dealias": grid.dealias,
        "dtype": dtype.name,
        "filter": filter.kind,
        "filter_ratio": filter.ratio,
        "filter_width_x": width_x,
        "filter_width_y": width_y,
        "pi_sign": PI_SIGN,
        "include": ", ".join(include) or "nothing more",
    }
    axes = space(grid.nx, grid.ny, (grid.lx, grid.ly))
    return Layout(own | dict(attributes), axes, variables)


def field_names(file: h5py.File) -> list[str]:
    """The fields that a file has, in the order of `FIELDS`."""
    return [name for name in FIELDS if name in file]


def _moments(file: h5py.File, name: str) -> tuple[Array, Array]:
    mean, variance = (file[f"{name}_{moment}"][:] for moment in _MOMENTS)
    return mean, variance


def update_moments(file: h5py.File) -> None:
    """Mean and standard deviation over all samples, from those of each."""
    for name in field_names(file):
        mean, deviation = pooled(*_moments(file, name))
        file[name].attrs.modify("mean", mean)
        file[name].attrs.modify("standard_deviation", deviation)


def sample_moments(name: str, mean: Any, variance: Any) -> dict[str, Any]:
    """Under the names that they have in a file."""
    return {f"{name}_{moment}": v for moment, v in zip(_MOMENTS, (mean, variance), strict=True)}


def write_samples(
    path: Path,
    layout: Layout,
    batches: Iterable[tuple[Array, Mapping[str, Array]]],
    notes: Mapping[str, Mapping[str, Any]] = {},
) -> None:
    """Write a whole file, in place only when it is complete.

    Parameters
    ----------
    path : Path
    layout : Layout
    batches : iterable of (times, fields)
        Shapes (n,) and (n, ny, nx); one batch is in memory at a time.
    notes : dict
        Further attributes of variables.

    Raises
    ------
    OSError
        It cannot be written.
    """
    try:
        with created(path) as file:
            layout.lay_out(file)
            for times, fields in batches:
                first = len(file["time"])
                for name in recorded(file):
                    file[name].resize(first + len(times), axis=0)
                file["time"][first:] = times
                for name, values in fields.items():
                    file[name][first:] = values
                    precise = np.asarray(values, float)
                    mean, variance = precise.mean(axis=(1, 2)), precise.var(axis=(1, 2))
                    for key, moment in sample_moments(name, mean, variance).items():
                        file[key][first:] = moment
            update_moments(file)
            for name, attributes in notes.items():
                file[name].attrs.update(attributes)
            file.attrs.modify("complete", 1)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {one_line(error)}") from None


class Contents(NamedTuple):
    """What is known of a file without its fields.

    `decorrelation` holds the times that the file states of its fields [time]; those of a part of a
    run are of the whole run.
    """

    path: Path
    times: Array
    attributes: dict[str, Any]
    names: list[str]
    moments: dict[str, tuple[Array, Array]]
    decorrelation: dict[str, float]


def contents(path: Path, incomplete: bool) -> Contents:
    """Look into a file.

    Raises
    ------
    InputError
        It cannot be read, is no dataset, or is incomplete and must not be.
    """
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            names = field_names(file)
            if "time" not in file or "pi_sign" not in attributes or "pi" not in names:
                raise InputError(f"{path} is not a dataset of pytbl")
            if not attributes.get("complete") and not incomplete:
                raise InputError(
                    f"{path} is of a run that has not reached its end: resume it, or allow "
                    f"incomplete files"
                )
            times = file["time"][: whole_records(file, names)]
            kept = {name: _moments(file, name) for name in names}
            notes = {name: file[name].attrs.get("decorrelation_time") for name in names}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from None
    stated = {name: float(value) for name, value in notes.items() if value is not None}
    return Contents(path, times, attributes, names, kept, stated)
