"""Which layers of a network to re-train on another flow: recommended, and then tried, on six pairs.

The three cases of Subel et al. (2023), scaled to 32^2, and their reversals. For each pair a
network of 7 layers is trained on the base flow; the recommendation sees 20 samples of the target;
then every layer, and every baseline, is re-trained on a tenth of the target's samples with three
seeds.

    python examples/transfer.py --processes 2 --out transfer
    python examples/transfer.py --pair "Case 1" --out transfer      # one of them

takes on 2 cores half an hour for the data, as much for the networks, and 5 minutes for each pair;
it goes on where it was stopped. For each pair it leaves tables, verdict.txt and figures in
``pairs/BASE-to-TARGET``; across pairs, scores are chosen on all but one and tested on that one.
For two flows of your own:

    pytbl recommend BASE.closure TARGET.h5
    pytbl transfer BASE.closure TARGET.h5 --layers 2 --learning-rate 1e-3 --out new
    pytbl verify-recommendation BASE.closure TARGET.h5 --test TEST.h5 --out verified
"""

from pathlib import Path
from typing import Annotated

import typer

from pytbl import analysis, cli
from pytbl.plots import recommendation, transfer
from pytbl.plots.style import save_figure
from pytbl.study import Study

FILE = Path(__file__).parent / "cases" / "transfer" / "study.toml"


def main(
    file: Annotated[Path, typer.Option("--study", help="Flows and pairs (TOML).")] = FILE,
    pair: Annotated[list[str] | None, typer.Option(help="A pair; by default all.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("transfer"),
    processes: Annotated[int, typer.Option(help="Transfers at a time.")] = 1,
    picture: cli.Picture = True,
) -> None:
    """Make data, train, recommend, re-train, compare."""
    study = Study.load(file)
    found = {}
    for name in pair or study.pairs:
        base, target = study.pair(name)
        print(f"\n== {name}: {base} -> {target}", flush=True)
        result = study.verify(name, out, processes=processes, report=cli.say_row)
        print(result.text(), flush=True)
        found[name] = result.pair
        if picture:
            folder = study.place(name, out)
            figures = {
                "recommendation": recommendation.recommendation(
                    result.recommendation, actual=result.sweep.each()
                ),
                "layers": transfer.correlation_per_layer(result.sweep),
            }
            for kind, figure in figures.items():
                save_figure(folder / f"{kind}.png", figure)
    if len(found) > 1:
        text = analysis.choose_combination(found).text()
        (out / "combination.txt").write_text(text + "\n")
        print(f"\n== scores chosen on all pairs but one, and tested on that one\n{text}")


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
