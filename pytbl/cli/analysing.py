"""``pytbl analyze``: all that can be said of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .launching import say
from .options import Picture
from .transferring import one_rank


def analyze(
    network: Annotated[
        Path,
        typer.Argument(
            help="A closure, zoo:NAME, a file .npz of arrays, or a state dict of torch, .pt."
        ),
    ],
    target: Annotated[
        list[Path] | None, typer.Option(help="Datasets of the flow it is to serve; repeatable.")
    ] = None,
    base_data: Annotated[
        list[Path] | None, typer.Option(help="Datasets of the flow it is of; repeatable.")
    ] = None,
    transferred: Annotated[
        list[Path] | None, typer.Option(help="A closure that re-training gave; repeatable.")
    ] = None,
    sweep: Annotated[Path | None, typer.Option(help="Folder of a finished pytbl sweep.")] = None,
    samples: Annotated[int, typer.Option(help="Whose activations and errors are looked at.")] = 20,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            help="Layers of clusters and landscapes: 2, 2+5, ...; repeatable. By default 2 and the "
            "last hidden one."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of bootstraps, clusters and directions.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of report, tables and figures.")] = Path(
        "analysis"
    ),
    picture: Picture = True,
) -> None:
    """Study a network: its kernels, activations and landscapes, and what transfers changed."""
    from ..analyze import analyze as run

    one_rank("an analysis")
    if out.exists() and not out.is_dir():  # before minutes are spent
        raise InputError(f"{out} cannot be written: it is no folder")
    result = run(
        network,
        target=target or None,
        base_data=base_data or None,
        transferred=transferred or (),
        sweep=sweep,
        samples=samples,
        layers=layers or None,
        rng=seed,
    )
    typer.echo(result.summary())
    try:
        written = result.save(out, picture=picture)
    except ImportError:
        say("for pictures, install pytbl[plot]")
        written = result.save(out, picture=False)
    say(f"wrote {', '.join(path.name for path in written)} in {out}")
