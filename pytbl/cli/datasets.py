"""``pytbl filter`` and ``pytbl split``: datasets of filtered samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .launching import say, world
from .options import Replace


def filter_output(
    run: Annotated[Path, typer.Argument(help="Output of a DNS with the field omega.")],
    coarse: Annotated[int, typer.Option(help="Points of the coarse grid along x.")],
    out: Annotated[Path, typer.Option(help="File of the dataset.")],
    filter: Annotated[str, typer.Option(help="Kind of the filter.")] = "gaussian",
    ratio: Annotated[float, typer.Option(help="Width over the coarse grid's spacing.")] = 2.0,
    include: Annotated[list[str] | None, typer.Option(help="stress, flux; repeatable.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the stored fields.")] = "float32",
    overwrite: Replace = False,
    threads: Annotated[int, typer.Option(help="OpenMP threads of each rank.")] = 1,
) -> None:
    """Make a dataset of filtered samples from the output of a DNS; also under mpirun."""
    from .. import filters
    from ..dataset import Dataset
    from ..stored import filter_stored

    dataset = Dataset(
        out,
        every=1.0,  # one sample for each record, whatever its time
        coarse=coarse,
        filter=filters.make(filter, ratio=ratio),
        include=include or (),
        dtype=dtype,
        overwrite=overwrite,
    )
    comm = world()
    count = filter_stored(run, dataset, comm=comm, threads=threads)
    say(f"wrote {count} samples to {out}", rank=comm.Get_rank() if comm is not None else 0)


def split(
    data: Annotated[list[Path], typer.Argument(help="Dataset of one run.")],
    out: Annotated[Path, typer.Option(help="Folder of train.h5, validation.h5, test.h5.")],
    fractions: Annotated[
        tuple[float, float, float], typer.Option(help="Training, validation, test.")
    ] = (0.7, 0.15, 0.15),
    gap: Annotated[float, typer.Option(help="Gaps, in decorrelation times.")] = 3.0,
    matlab: Annotated[bool, typer.Option("--matlab", help="Write MATLAB files too.")] = False,
    overwrite: Replace = False,
) -> None:
    """Split a dataset into blocks of time that are far apart: training, validation, test."""
    from ..samples import Samples
    from ..samples import split as cut

    parts = cut(Samples(data), fractions, gap=gap)
    parts.save(out, matlab=matlab, overwrite=overwrite)
    typer.echo(parts.table())
