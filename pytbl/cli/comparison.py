"""``pytbl compare``: simulations against a reference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .launching import say


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
    from .. import tables
    from ..compare import compare as compare_files

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
            from ..plots.comparison import draw

            written += draw(result, out)
        except ImportError:
            say("for pictures, install pytbl[plot]")
    say(f"wrote {', '.join(path.name for path in written)} in {out}")
