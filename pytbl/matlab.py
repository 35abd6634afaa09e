"""The published layout of datasets: MATLAB v7.3 files of filtered fields and their SGS term.

Subel et al. (2023, Zenodo 6621142) keep a part in two files, ``FDNS Psi W_train.mat`` with the
arrays W and Psi, and ``FDNS PI_train.mat`` with the array PI; ``_val`` for validation. PI has the
opposite sign to ours: it is subtracted from the right-hand side.

In MATLAB an array is indexed ``W(sample, y, x)``; MATLAB stores the first index fastest, so HDF5
sees ``[x, y, sample]``. This follows from the published scripts: training transposes what h5py
reads and has the sample first, and the LES, whose fields are indexed [x, y], transposes each before
it enters the network. A file with the axes x and y exchanged looks, in this as in any mirrored
flow, like one of the other sign; `read` refuses both.

The files say nothing of times, filter or domain: the reader has to know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from . import closures, filters
from .dataset_file import layout, write_samples
from .errors import InputError
from .grid import Grid
from .hdf5 import one_line
from .record_file import check_target, created

if TYPE_CHECKING:
    from .filters import Filter
    from .samples import Samples

    Array = np.ndarray[Any, np.dtype[Any]]

_FIELDS = {"omega": "W", "psi": "Psi", "pi": "PI"}
_FILES = {"FDNS Psi W": ("W", "Psi"), "FDNS PI": ("PI",)}
_USERBLOCK = 512
_BATCH_BYTES = 64 << 20
_CHUNK_SAMPLES = 16

#: Correlation with the gradient model below which the sign of PI or the order of axes is wrong;
#: the right one is near 1 for filters that it describes, and unclear for sharp ones.
_WRONG_SIGN = -0.3


def _path(folder: Path, stem: str, part: str) -> Path:
    return folder / f"{stem}_{part}.mat"


# -------------------------------------------------------------------------------------- writing ---


def targets(folder: str | Path, part: str = "train") -> list[Path]:
    """The files that `write` makes."""
    return [_path(Path(folder), stem, part) for stem in _FILES]


def write(
    samples: Samples, folder: str | Path, *, part: str = "train", overwrite: bool = False
) -> list[Path]:
    """Write samples in the published layout.

    Parameters
    ----------
    samples : Samples
    folder : str or Path
        Where the two files are put.
    part : str
        End of their names: "train", "val", "test".
    overwrite : bool
        Replace earlier files.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        A file exists, or is one that the samples are read from.
    OSError
        It cannot be written.
    """
    paths = targets(folder, part)
    for path in paths:
        check_target(path, overwrite=overwrite, sources=samples.paths)
    for path, keys in zip(paths, _FILES.values(), strict=True):
        try:
            with created(path, userblock=_header()) as file:
                _fill(file, samples, keys)
        except OSError as error:
            raise OSError(f"{path} cannot be written: {one_line(error)}") from None
    return paths


def _fill(file: h5py.File, samples: Samples, keys: tuple[str, ...]) -> None:
    names = [name for name, key in _FIELDS.items() if key in keys]
    shape = samples.nx, samples.ny, len(samples)
    for name in names:
        chunks = (*shape[:2], min(_CHUNK_SAMPLES, max(1, shape[2])))
        dtype = np.dtype(str(samples.attributes["dtype"]))
        data = file.create_dataset(_FIELDS[name], shape, dtype, chunks=chunks)
        matlab_class = "single" if dtype == np.float32 else "double"
        data.attrs["MATLAB_class"] = np.bytes_(matlab_class)
        for first in range(0, len(samples), _CHUNK_SAMPLES):
            part = slice(first, first + _CHUNK_SAMPLES)
            fields = samples.read(name, part)
            data[:, :, part] = _sign(name) * fields.transpose(2, 1, 0)


def _sign(name: str) -> int:
    return -1 if name == "pi" else 1


def _header() -> bytes:
    """What MATLAB looks for in front of the HDF5 file: text, version 2.0, byte order."""
    made = time.strftime("%a %b %d %H:%M:%S %Y")
    text = f"MATLAB 7.3 MAT-file, Platform: pytbl, Created on: {made} HDF5 schema 1.00 ."
    return (text.encode().ljust(116) + bytes(8) + b"\x00\x02IM").ljust(_USERBLOCK, b"\0")


# -------------------------------------------------------------------------------------- reading ---


def read(
    folder: str | Path,
    part: str = "train",
    *,
    out: str | Path,
    interval: float,
    filter: Filter | None = None,
    lengths: tuple[float, float] = (2 * np.pi, 2 * np.pi),
    overwrite: bool = False,
) -> Path:
    """Make a dataset of two files in the published layout.

    Parameters
    ----------
    folder : str or Path
        Where the files are.
    part : str
        End of their names: "train", "val".
    out : str or Path
        The dataset to write; times begin at 0.
    interval : float
        Time between samples [time].
    filter : Filter, optional
        With which they were made; the published Gaussian of ratio 2 by default.
    lengths : (float, float)
        Of the domain [length].
    overwrite : bool
        Replace an earlier file.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A file cannot be read, or its arrays do not fit each other: other shapes, a psi that is not
        the streamfunction of W, a PI of the other sign or with exchanged axes.
    OSError
        The dataset cannot be written.
    """
    folder, out = Path(folder), Path(out)
    filter = filter or filters.Gaussian(2.0)
    if not interval > 0:
        raise InputError(f"interval must be > 0, got {interval}")
    files = {key: _path(folder, stem, part) for stem, keys in _FILES.items() for key in keys}
    check_target(out, overwrite=overwrite, sources=files.values())
    shapes = {key: _shape(path, key) for key, path in files.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(f"the arrays of {folder} must have one shape, got {shapes}")
    nx, ny, count = shapes["W"]
    if not count:
        raise InputError(f"{files['W']} holds no samples")
    lx, ly = lengths
    grid = Grid(nx, ny, lx=lx, ly=ly, dealias="3/2", reproducible=True)
    dtype = _dtype(files["W"], "W")
    _check_consistent(_fields(files, slice(0, 1)), grid, filter)
    size = max(1, _BATCH_BYTES // (8 * nx * ny))

    def batches() -> Iterator[tuple[Array, dict[str, Array]]]:
        for first in range(0, count, size):
            chosen = slice(first, min(first + size, count))
            yield interval * np.arange(chosen.start, chosen.stop), _fields(files, chosen)

    attributes = {"case": "", "origin": f"{files['W'].name} and {files['PI'].name}"}
    whole = layout(grid, filter, include=(), dtype=dtype, attributes=attributes)
    write_samples(out, whole, batches())
    return out


def _array(path: Path, key: str, look: Any) -> Any:
    """What `look` sees of an array of a file."""
    try:
        with h5py.File(path, "r") as file:
            if key not in file:
                raise InputError(f"{path} holds no array {key}, but {', '.join(file)}")
            return look(file[key])
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from None


def _shape(path: Path, key: str) -> tuple[int, ...]:
    shape: tuple[int, ...] = _array(path, key, lambda data: data.shape)
    if len(shape) != 3:
        raise InputError(f"{key} of {path} must be indexed [x, y, sample], got shape {shape}")
    return shape


def _dtype(path: Path, key: str) -> Any:
    found = _array(path, key, lambda data: data.dtype)
    return found if found in (np.dtype("f4"), np.dtype("f8")) else np.dtype("f8")


def _fields(files: dict[str, Path], chosen: slice) -> dict[str, Array]:
    """Our fields, indexed [sample, y, x]."""
    fields = {}
    for name, key in _FIELDS.items():
        stored = _array(files[key], key, lambda data: data[:, :, chosen])
        fields[name] = _sign(name) * stored.transpose(2, 1, 0)
        if not np.isfinite(fields[name]).all():
            raise InputError(f"{key} of {files[key]} is not finite")
    return fields


def _check_consistent(fields: dict[str, Array], grid: Grid, filter: Filter) -> None:
    """Signs and axes, by the first sample."""
    omega, psi, pi = (fields[name][0].astype(float) for name in _FIELDS)
    omega_hat = grid.to_spectral(omega)
    expected = grid.to_physical(omega_hat * grid.inverse_k2)
    if not _correlation(psi, expected) > 0:
        raise InputError("Psi is not the streamfunction of W: expected laplace(Psi) = -W")
    model = closures.Gradient(order=2, ratio=filter.ratio)
    found = _correlation(pi, grid.to_physical(closures.evaluate(model, grid, omega_hat)))
    if found < _WRONG_SIGN:
        raise InputError(
            f"PI is of the other sign, or x and y are exchanged: expected -PI to be like the "
            f"gradient model, got a correlation of {found:.2f}"
        )


def _correlation(a: Array, b: Array) -> float:
    """Pattern correlation; 0 where there is no pattern."""
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power else 0.0
