"""``pytbl recommend`` and ``pytbl verify-recommendation``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .launching import say
from .options import Picture
from .transferring import (
    Base,
    Batch,
    Draw,
    Epochs,
    Fraction,
    Rate,
    Target,
    Whose,
    one_rank,
    say_row,
)

if TYPE_CHECKING:
    from ..analysis import Recommendation

Few = Annotated[int, typer.Option("--samples", help="Target samples that are looked at.")]
BaseData = Annotated[
    list[Path] | None, typer.Option(help="Datasets of the base flow, to compare; repeatable.")
]
Scores = Annotated[
    list[str] | None,
    typer.Option(
        "--score", help="Further scores: quadratic, smoothness, coverage, ...; repeatable."
    ),
]


def recommend(
    base: Base,
    data: Target,
    samples: Few = 20,
    base_data: BaseData = None,
    scores: Scores = None,
    normalisation: Whose = "base",
    seed: Annotated[int, typer.Option(help="Of the draw and the bootstrap.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of table and figure.")] = None,
    picture: Picture = True,
) -> None:
    """Say which layers to re-train on a new flow, before any re-training."""
    from ..analysis import recommend as run

    one_rank("a recommendation")
    result = run(
        base,
        data,
        samples=samples,
        base_data=base_data or None,
        scores=scores or (),
        normalisation=normalisation,
        rng=seed,
    )
    typer.echo(result.text())
    if out is not None:
        _say_written(result.save(out) + (_draw(out, result) if picture else []))


def verify_recommendation(
    base: Base,
    data: Target,
    test: Annotated[list[Path], typer.Option(help="Datasets to score on; repeatable.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, resumed if it is there.")],
    samples: Few = 20,
    base_data: BaseData = None,
    scores: Annotated[
        list[str] | None, typer.Option("--score", help="Scores to judge, by default all.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="As of pytbl sweep; repeatable."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws of samples for each.")] = 3,
    reference: Annotated[
        Path | None, typer.Option(help="A closure that was trained on the target.")
    ] = None,
    processes: Annotated[int, typer.Option(help="Transfers at a time, one thread each.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep every network.")] = False,
    fraction: Fraction = 0.1,
    draw: Draw = "random",
    normalisation: Whose = "base",
    epochs: Epochs = 50,
    batch: Batch = 16,
    learning_rate: Rate = 5e-5,
    picture: Picture = True,
) -> None:
    """Recommend, re-train every layer, and report what the recommendation was worth."""
    from ..analysis import verify

    one_rank("a sweep")
    result = verify(
        base,
        data,
        test=test,
        out=out,
        samples=samples,
        base_data=base_data or None,
        scores=scores or None,
        sets=sets or ("singles", "baselines"),
        seeds=seeds,
        reference=reference,
        processes=processes,
        keep=keep,
        report=say_row,
        fraction=fraction,
        draw=draw,
        normalisation=normalisation,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
    )
    typer.echo(result.text())
    paths = result.save(out)
    if picture:
        paths += _draw(out, result.recommendation, actual=result.sweep.each())
    _say_written(paths)


def _draw(
    out: Path, result: Recommendation, *, actual: Mapping[str, list[float]] | None = None
) -> list[Path]:
    from ..plots.recommendation import recommendation as plot
    from ..plots.style import save_figure

    path = out / "recommendation.png"
    save_figure(path, plot(result, actual=actual))
    return [path]


def _say_written(paths: list[Path]) -> None:
    say("wrote " + ", ".join(map(str, paths)))
