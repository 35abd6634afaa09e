"""``pytbl dns`` and ``pytbl les``: a case, run to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .launching import say, world
from .options import Out, Overwrite, Picture, Resume, Threads, Until

if TYPE_CHECKING:
    from ..case import Case


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
    from .. import checkpoint
    from ..hdf5 import on_root
    from ..progress import Progress
    from ..record_file import make_folder

    if threads is not None:
        case = case.model_copy(update={"grid": case.grid.model_copy(update={"threads": threads})})
    found = resume and case.checkpoint is not None and _has_checkpoint(out / case.checkpoint.folder)
    sim, outputs = case.build(world(), folder=out, overwrite=overwrite, start=not found)
    exchange = sim.grid.exchange
    if found and case.checkpoint is not None:
        used = checkpoint.load(out / case.checkpoint.folder, sim)
        say(f"continuing from {used}, t = {sim.t:.6g}", rank=exchange.rank)
    elif resume:
        say("there is no checkpoint to continue from: starting afresh", rank=exchange.rank)
    on_root(exchange, lambda: make_folder(out))
    with Progress() as progress:
        sim.run(
            until=case.time.until if until is None else until, outputs=outputs, progress=progress
        )
    if picture and case.output is not None and "omega" in case.output.fields:
        output = out / case.output.file
        on_root(exchange, lambda: _draw(output, case.title))


def _has_checkpoint(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("ckpt-*.h5"))


def _draw(output: Path, title: str) -> None:
    try:
        from ..report import figure

        say(f"wrote {output} and {figure(output, output.with_suffix('.png'), title=title)}")
    except ImportError:
        say(f"wrote {output}; for a picture, install pytbl[plot]")


def command(load: Callable[[Path], Case]) -> Callable[..., None]:
    """The command that runs a file of one kind of case."""

    def run(
        case: Annotated[Path, typer.Argument(help="Case file (TOML).")],
        until: Until = None,
        out: Out = Path(),
        resume: Resume = False,
        overwrite: Overwrite = False,
        threads: Threads = None,
        picture: Picture = True,
    ) -> None:
        run_case(
            load(case),
            until=until,
            out=out,
            resume=resume,
            overwrite=overwrite,
            threads=threads,
            picture=picture,
        )

    return run


def load_case(path: Path) -> Case:
    """That of a direct numerical simulation."""
    from ..case import Case

    return Case.load(path)


def load_les_case(path: Path) -> Case:
    """That of a large-eddy simulation."""
    from ..les import LESCase

    return LESCase.load(path)
