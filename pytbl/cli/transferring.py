"""``pytbl transfer`` and ``pytbl sweep``: a network of one flow is fitted to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .launching import say, world
from .options import Out, Overwrite

if TYPE_CHECKING:
    from ..nn.sweep_table import Row

Base = Annotated[Path, typer.Argument(help="Closure of the base flow, or zoo:NAME.")]
Target = Annotated[list[Path], typer.Argument(help="Datasets of the target flow.")]
Fraction = Annotated[float, typer.Option(help="Part of the samples that is used.")]
Count = Annotated[int | None, typer.Option("--samples", help="Their number instead.")]
Draw = Annotated[str, typer.Option(help="random, or first as in the published scripts.")]
Whose = Annotated[str, typer.Option("--normalisation", help="Whose statistics: base or target.")]
Epochs = Annotated[int, typer.Option(help="Passes over the samples.")]
Batch = Annotated[int, typer.Option(help="Samples per step.")]
Rate = Annotated[float, typer.Option(help="Learning rate of Adam.")]
Test = Annotated[list[Path] | None, typer.Option(help="Datasets to score on; repeatable.")]


def transfer(
    base: Base,
    data: Target,
    layers: Annotated[
        str,
        typer.Option(
            help="Layers to re-train: 2, 2+5, last, all:bias, ...; or nothing, scale, statistics, "
            "gain, scratch."
        ),
    ],
    out: Out = Path(),
    fraction: Fraction = 0.1,
    samples: Count = None,
    draw: Draw = "random",
    normalisation: Whose = "base",
    epochs: Epochs = 50,
    batch: Batch = 16,
    learning_rate: Rate = 5e-5,
    seed: Annotated[int, typer.Option(help="Of draw and order.")] = 0,
    validation: Annotated[
        list[Path] | None, typer.Option(help="Keep the best epoch on these samples; repeatable.")
    ] = None,
    test: Test = None,
    threads: Annotated[int | None, typer.Option(help="Threads of torch.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue after the last whole epoch, if there is one.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Re-train layers of a network on a little data of another flow."""
    from ..nn import artifact
    from ..nn.data import Samples
    from ..nn.history import Monitor
    from ..nn.score import score
    from ..nn.transfer import transfer as run

    one_rank("a transfer")
    # before the training, which a wrong name should not cost
    judge = Samples(test, "the test data", memory_limit=2 << 30) if test else None
    if judge is not None:
        artifact.setting_of(base).check(judge.setting, "the base network", judge.what)
    with Monitor() as progress:
        result = run(
            base,
            data,
            layers=layers,
            fraction=fraction,
            samples=samples,
            draw=draw,
            normalisation=normalisation,
            validation=validation or None,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            rng=seed,
            out=out,
            threads=threads,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    say(f"wrote {out / 'best.closure'}: {result!r}")
    if judge is not None:
        scores = score(result.model, judge)
        typer.echo("\n".join(f"{name} = {value:.5g}" for name, value in scores.items()))


def sweep(
    base: Base,
    data: Target,
    test: Annotated[list[Path], typer.Option(help="Datasets to score on; repeatable.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, resumed if it is there.")],
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="singles, pairs, triples, baselines, or layers; repeatable. By default "
            "singles and baselines.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws of samples for each.")] = 3,
    reference: Annotated[
        Path | None, typer.Option(help="A closure that was trained on the target.")
    ] = None,
    processes: Annotated[int, typer.Option(help="Transfers at a time, one thread each.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep every network.")] = False,
    fraction: Fraction = 0.1,
    samples: Count = None,
    draw: Draw = "random",
    normalisation: Whose = "base",
    epochs: Epochs = 50,
    batch: Batch = 16,
    learning_rate: Rate = 5e-5,
) -> None:
    """Re-train every layer, or many sets of layers, several times, and score each."""
    from ..nn.sweep import sweep as run

    one_rank("a sweep")
    result = run(
        base,
        data,
        test=test,
        sets=sets or ("singles", "baselines"),
        seeds=seeds,
        out=out,
        reference=reference,
        processes=processes,
        keep=keep,
        report=say_row,
        fraction=fraction,
        samples=samples,
        draw=draw,
        normalisation=normalisation,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
    )
    typer.echo(result.text())


def say_row(row: Row, done: int, count: int) -> None:
    """A line for a transfer that is done."""
    say(
        f"{done}/{count} layers {row['layers']}, seed {row['seed']}: error {row['error']:.4f}, "
        f"c={row['correlation']:.4f}, {row['seconds']:.1f} s"
    )


def one_rank(what: str) -> None:
    """Refuse to run what is not parallel under mpirun."""
    if world() is not None:
        raise InputError(f"{what} runs on one rank: start it without mpirun")
