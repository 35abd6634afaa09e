"""Options that several commands and examples share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Until = Annotated[float | None, typer.Option(help="Stop at this time instead of the case's.")]
Out = Annotated[Path, typer.Option(help="Folder of the outputs.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue from the latest checkpoint, if there is one.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier run left in the folder.")
]
Replace = Annotated[bool, typer.Option("--overwrite", help="Replace earlier files.")]
Threads = Annotated[int | None, typer.Option(help="OpenMP threads of each rank.")]
Picture = Annotated[bool, typer.Option(help="Draw a figure of the output at the end.")]
