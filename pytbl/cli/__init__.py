"""The command ``pytbl``: the library's verbs on files, one module for each kind."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .analysing import analyze
from .comparison import compare
from .datasets import filter_output, split
from .inspection import info
from .launching import exit_status, launch, world
from .options import Out, Overwrite, Picture, Resume, Threads, Until
from .recommending import recommend, verify_recommendation
from .runs import command, load_case, load_les_case, run_case
from .training import train
from .transferring import say_row, sweep, transfer

__all__ = [
    "Out",
    "Overwrite",
    "Picture",
    "Resume",
    "Threads",
    "Until",
    "analyze",
    "app",
    "compare",
    "exit_status",
    "filter_output",
    "info",
    "launch",
    "main",
    "recommend",
    "run_case",
    "say_row",
    "split",
    "sweep",
    "train",
    "transfer",
    "verify_recommendation",
    "world",
]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Two-dimensional turbulence and its sub-grid closures.",
)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from .._revision import REVISION

        typer.echo(f"pytbl {__version__}, revision {REVISION}")
        raise typer.Exit


_RUNS = {
    "dns": (load_case, "Run a direct numerical simulation; also under mpirun."),
    "les": (load_les_case, "Run a large-eddy simulation with a closure; also under mpirun."),
}
for _name, (_load, _help) in _RUNS.items():
    app.command(_name, help=_help)(command(_load))
app.command("filter")(filter_output)
for _verb in (compare, split, train, transfer, sweep, analyze, recommend, info):
    app.command()(_verb)
app.command("verify-recommendation")(verify_recommendation)


def main() -> None:
    """Entry point of the command ``pytbl``."""
    launch(app)
