"""``pytbl train``: a network from filtered samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .launching import say, world
from .options import Out, Overwrite


def train(
    config: Annotated[Path, typer.Argument(help="Training file (TOML).")],
    out: Out = Path(),
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue after the last whole epoch, if there is one.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a network on filtered samples."""
    from ..nn.config import TrainingFile
    from ..nn.history import Monitor

    if world() is not None:
        raise InputError("a training runs on one rank: start it without mpirun")
    training = TrainingFile.load(config)
    with Monitor() as progress:
        result = training.run(
            config.parent, out, resume=resume, overwrite=overwrite, progress=progress
        )
    say(f"wrote {out / 'best.closure'}, of epoch {result.best_epoch}")
