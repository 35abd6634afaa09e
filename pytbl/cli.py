"""The command ``pytbl``: the library's verbs on case files."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .errors import CheckpointError, InputError, Interrupted, PytblError

if TYPE_CHECKING:
    from mpi4py import MPI

    from .case import Case

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Two-dimensional turbulence and its sub-grid closures.",
)

#: Set by launchers of parallel programs to the number of processes.
_LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")

#: Options of every command that runs a case.
Until = Annotated[float | None, typer.Option(help="Stop at this time instead of the case's.")]
Out = Annotated[Path, typer.Option(help="Folder of the outputs.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue from the latest checkpoint, if there is one.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier run left in the folder.")
]
Threads = Annotated[int | None, typer.Option(help="OpenMP threads of each rank.")]
Picture = Annotated[bool, typer.Option(help="Draw a figure of the output at the end.")]


def world() -> MPI.Intracomm | None:
    """The communicator of all ranks, if a launcher has started more than one."""
    if not any(int(os.environ.get(name, "1")) > 1 for name in _LAUNCHERS):
        return None
    from mpi4py import MPI

    return MPI.COMM_WORLD


def run_case(
    case: Case,
    *,
    until: float | None = None,
    out: Path = Path(),
    resume: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    picture: bool = True,
) -> None:
    """Run a case to its end, and draw it; collective over all ranks that were launched.

    Parameters
    ----------
    case : Case
    until : float, optional
        Stop at this time instead of the case's [time].
    out : Path
        Folder of the outputs.
    resume : bool
        Continue from the latest checkpoint, if there is one.
    overwrite : bool
        Replace what an earlier run left in the folder.
    threads : int, optional
        OpenMP threads of each rank, instead of the case's.
    picture : bool
        Draw a figure beside the output file.

    Raises
    ------
    PytblError
        On all ranks; see `pytbl.errors`.
    """
    from . import checkpoint
    from .hdf5 import on_root
    from .progress import Progress

    if threads is not None:
        case = case.model_copy(update={"grid": case.grid.model_copy(update={"threads": threads})})
    found = resume and case.checkpoint is not None and _has_checkpoint(out / case.checkpoint.folder)
    sim, outputs = case.build(world(), folder=out, overwrite=overwrite, start=not found)
    if found and case.checkpoint is not None:
        used = checkpoint.load(out / case.checkpoint.folder, sim)
        _say(sim.grid.exchange.rank, f"continuing from {used}, t = {sim.t:.6g}")
    elif resume:
        _say(sim.grid.exchange.rank, "there is no checkpoint to continue from: starting afresh")
    on_root(sim.grid.exchange, lambda: _make_folder(out))
    with Progress() as progress:
        sim.run(
            until=case.time.until if until is None else until, outputs=outputs, progress=progress
        )
    if picture and case.output is not None and "omega" in case.output.fields:
        output = out / case.output.file
        on_root(sim.grid.exchange, lambda: _draw(output, case.title))


def _has_checkpoint(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("ckpt-*.h5"))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}") from None


def _draw(output: Path, title: str) -> None:
    try:
        from .report import figure

        _say(0, f"wrote {output} and {figure(output, output.with_suffix('.png'), title=title)}")
    except ImportError:
        _say(0, f"wrote {output}; for a picture, install pytbl[plot]")


def _say(rank: int, message: str) -> None:
    if rank == 0:
        print(message, file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------- commands ---


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from ._revision import REVISION

        typer.echo(f"pytbl {__version__}, revision {REVISION}")
        raise typer.Exit


@app.command()
def dns(
    case: Annotated[Path, typer.Argument(help="Case file (TOML).")],
    until: Until = None,
    out: Out = Path(),
    resume: Resume = False,
    overwrite: Overwrite = False,
    threads: Threads = None,
    picture: Picture = True,
) -> None:
    """Run a direct numerical simulation; also under mpirun."""
    from .case import Case

    run_case(
        Case.load(case),
        until=until,
        out=out,
        resume=resume,
        overwrite=overwrite,
        threads=threads,
        picture=picture,
    )


@app.command()
def les(
    case: Annotated[Path, typer.Argument(help="Case file (TOML) with [closure] and [filter].")],
    until: Until = None,
    out: Out = Path(),
    resume: Resume = False,
    overwrite: Overwrite = False,
    threads: Threads = None,
    picture: Picture = True,
) -> None:
    """Run a large-eddy simulation with a closure; also under mpirun."""
    from .les import LESCase

    run_case(
        LESCase.load(case),
        until=until,
        out=out,
        resume=resume,
        overwrite=overwrite,
        threads=threads,
        picture=picture,
    )


@app.command()
def compare(
    reference: Annotated[Path, typer.Argument(help="Output of a DNS, or dataset of samples.")],
    simulations: Annotated[list[Path], typer.Argument(help="Outputs of simulations.")],
    names: Annotated[str, typer.Option(help="What to call them, with commas between.")] = "",
    start: Annotated[float | None, typer.Option("--from", help="Compare from this time.")] = None,
    reference_start: Annotated[
        float | None, typer.Option("--reference-from", help="The same, of the reference.")
    ] = None,
    filter: Annotated[
        str | None, typer.Option(help="Filter of a DNS; gaussian if no file says otherwise.")
    ] = None,
    ratio: Annotated[float | None, typer.Option(help="Its width over the LES spacing; 2.")] = None,
    dataset: Annotated[Path | None, typer.Option(help="Samples for the a priori metrics.")] = None,
    k_min: Annotated[float | None, typer.Option(help="First k of the spectral gap.")] = None,
    samples: Annotated[int, typer.Option(help="Samples of the a priori metrics, at most.")] = 100,
    out: Annotated[Path, typer.Option(help="Folder of tables and figures.")] = Path("comparison"),
    picture: Annotated[bool, typer.Option(help="Draw the figures.")] = True,
) -> None:
    """Compare large-eddy simulations with a DNS or a dataset: metrics, tables, figures."""
    from . import tables
    from .compare import compare as compare_files

    result = compare_files(
        reference,
        simulations,
        names=[name.strip() for name in names.split(",")] if names else (),
        start=start,
        reference_start=reference_start,
        filter=filter,
        ratio=ratio,
        dataset=dataset,
        k_min=k_min,
        samples=samples,
    )
    tables.show(result, sys.stdout)
    written = tables.write(result, out)
    if picture:
        try:
            from .figures import draw

            written += draw(result, out)
        except ImportError:
            _say(0, "for pictures, install pytbl[plot]")
    _say(0, f"wrote {', '.join(path.name for path in written)} in {out}")


@app.command(name="filter")
def filter_output(
    run: Annotated[Path, typer.Argument(help="Output of a DNS with the field omega.")],
    coarse: Annotated[int, typer.Option(help="Points of the coarse grid along x.")],
    out: Annotated[Path, typer.Option(help="File of the dataset.")],
    filter: Annotated[str, typer.Option(help="Kind of the filter.")] = "gaussian",
    ratio: Annotated[float, typer.Option(help="Width over the coarse grid's spacing.")] = 2.0,
    include: Annotated[list[str] | None, typer.Option(help="stress, flux; repeatable.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the stored fields.")] = "float32",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier file.")
    ] = False,
    threads: Annotated[int, typer.Option(help="OpenMP threads of each rank.")] = 1,
) -> None:
    """Make a dataset of filtered samples from the output of a DNS; also under mpirun."""
    from . import filters
    from .dataset import Dataset
    from .stored import filter_stored

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
    _say(comm.Get_rank() if comm is not None else 0, f"wrote {count} samples to {out}")


@app.command()
def split(
    data: Annotated[list[Path], typer.Argument(help="Dataset of one run.")],
    out: Annotated[Path, typer.Option(help="Folder of train.h5, validation.h5, test.h5.")],
    fractions: Annotated[
        tuple[float, float, float], typer.Option(help="Training, validation, test.")
    ] = (0.7, 0.15, 0.15),
    gap: Annotated[float, typer.Option(help="Gaps, in decorrelation times.")] = 3.0,
    matlab: Annotated[bool, typer.Option("--matlab", help="Write MATLAB files too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier files.")] = False,
) -> None:
    """Split a dataset into blocks of time that are far apart: training, validation, test."""
    from .matlab import write
    from .samples import Samples
    from .samples import split as cut

    parts = cut(Samples(data), fractions, gap=gap)
    _make_folder(out)
    for name, part in parts._asdict().items():
        part.save(out / f"{name}.h5", overwrite=overwrite)
        if matlab:
            write(part, out, part={"validation": "val"}.get(name, name), overwrite=overwrite)
    typer.echo(parts.table())


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training file (TOML).")],
    out: Out = Path(),
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue after the last whole epoch, if there is one.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a network on filtered samples."""
    from .nn.config import TrainingFile
    from .nn.history import Monitor

    if world() is not None:
        raise InputError("a training runs on one rank: start it without mpirun")
    training = TrainingFile.load(config)
    with Monitor() as progress:
        result = training.run(
            config.parent, out, resume=resume, overwrite=overwrite, progress=progress
        )
    _say(0, f"wrote {out / 'best.closure'}, of epoch {result.best_epoch}")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="Case, output, checkpoint or closure.")],
) -> None:
    """Say what a file holds."""
    import zipfile

    import h5py

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if zipfile.is_zipfile(path):
        from .nn import artifact

        typer.echo(artifact.text(path))
        return
    if not h5py.is_hdf5(path):
        from .case import Case

        typer.echo(Case.load(path).to_toml().rstrip())
        return
    typer.echo(_describe(path))


def _describe(path: Path) -> str:
    import h5py

    from .checkpoint import describe_file

    with h5py.File(path, "r") as file:
        if "description" not in file:
            lines = [f"{name} = {value}" for name, value in file.attrs.items() if name != "case"]
            if "time" in file and len(file["time"]):
                times = file["time"]
                lines += [f"records = {len(times)}, t = {times[0]:.6g} .. {times[-1]:.6g}"]
            lines += [f"variable {name} {_shape_and_notes(file[name])}" for name in file]
            return "\n".join(lines)
    values = describe_file(path)
    state = {k: v for k, v in values["state"].items() if "wisdom" not in k}
    rows = {"version": values["version"], "written": values["written"]} | state | values["run"]
    return "\n".join(f"{name} = {value}" for name, value in rows.items())


def _shape_and_notes(data: Any) -> str:
    """Shape of a variable, and the statistics that a dataset has of it."""
    names = ("mean", "standard_deviation", "decorrelation_time", "effective_samples")
    notes = [f"{name} {data.attrs[name]:.5g}" for name in names if name in data.attrs]
    return ", ".join([str(data.shape), *notes])


# --------------------------------------------------------------------------------------- errors ---


def exit_status(error: BaseException) -> int:
    """2 for what the user gave, 128 + n after signal n, 1 for what happened in the run."""
    if isinstance(error, InputError | CheckpointError):
        return 2
    return 128 + error.number if isinstance(error, Interrupted) else 1


def launch(command: Callable[..., Any]) -> None:
    """Run a command line to its exit: an error of pytbl is one line on rank 0, no traceback."""
    comm = world()
    rank = comm.Get_rank() if comm is not None else 0
    logging.basicConfig(
        level=logging.INFO if rank == 0 else logging.ERROR, format="%(levelname)s: %(message)s"
    )
    try:
        command()
    except (PytblError, OSError) as error:
        _say(rank, f"pytbl: {error}")
        status = exit_status(error)
    except SystemExit as leaving:
        raise leaving
    except BaseException:
        if comm is None:
            raise
        import traceback

        traceback.print_exc()
        comm.Abort(1)  # the other ranks are waiting in a collective
        raise
    else:
        status = 0
    sys.exit(status)


def main() -> None:
    """Entry point of the command ``pytbl``."""
    launch(app)
