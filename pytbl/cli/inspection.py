"""``pytbl info``: what a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError

if TYPE_CHECKING:
    import h5py

    from ..case import Case


def info(
    path: Annotated[Path, typer.Argument(help="Case, output, checkpoint, closure or zoo:NAME.")],
) -> None:
    """Say what a file holds."""
    import zipfile

    import h5py

    if str(path).startswith("zoo:"):
        from ..nn import zoo

        path = zoo.located(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if zipfile.is_zipfile(path):
        from ..nn import artifact

        typer.echo(artifact.text(path))
        return
    if not h5py.is_hdf5(path):
        typer.echo(_case(path).to_toml().rstrip())
        return
    typer.echo(_describe(path))


def _case(path: Path) -> Case:
    """A case of a DNS or, if it is none, of an LES."""
    from ..case import Case

    try:
        return Case.load(path)
    except InputError as error:
        from ..les import LESCase

        try:
            return LESCase.load(path)
        except InputError:
            raise error from None


def _describe(path: Path) -> str:
    """Text of an HDF5 file."""
    import h5py

    from ..hdf5 import one_line

    try:
        with h5py.File(path, "r") as file:
            if "description" not in file:
                return _records(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from None
    return _checkpoint(path)


def _records(file: h5py.File) -> str:
    lines = [f"{name} = {value}" for name, value in file.attrs.items() if name != "case"]
    if "time" in file and len(file["time"]):
        times = file["time"]
        lines += [f"records = {len(times)}, t = {times[0]:.6g} .. {times[-1]:.6g}"]
    lines += [f"variable {name} {_shape_and_notes(file[name])}" for name in file]
    return "\n".join(lines)


def _checkpoint(path: Path) -> str:
    from ..checkpoint import describe_file

    values = describe_file(path)
    state = {k: v for k, v in values["state"].items() if "wisdom" not in k}
    rows = {"version": values["version"], "written": values["written"]} | state | values["run"]
    return "\n".join(f"{name} = {value}" for name, value in rows.items())


def _shape_and_notes(data: Any) -> str:
    """Shape of a variable, and the statistics that a dataset has of it."""
    names = ("mean", "standard_deviation", "decorrelation_time", "effective_samples")
    notes = [f"{name} {data.attrs[name]:.5g}" for name in names if name in data.attrs]
    return ", ".join([str(data.shape), *notes])
