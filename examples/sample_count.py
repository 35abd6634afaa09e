"""Correlation of a network with the exact SGS term against the number of samples it has seen.

The same small network (16 channels, 7 layers of 5 x 5) is trained with the same number of steps on
30, 120, 480 and all samples that examples/cnn.py made, drawn at random over its training block; the
test is the independent run of examples/les.py. Guan et al. (2022) report such a table for decaying
turbulence: 0.78 with 500 samples, 0.93 with 50,000, and less on backscatter than on diffusion.

    python examples/sample_count.py --parts cnn/parts --test les/data.h5

takes half an hour on one core and prints a row for each number of samples.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pytbl import cli
from pytbl.nn import PeriodicCNN, train
from pytbl.nn.data import Samples as TestSamples
from pytbl.nn.score import score
from pytbl.samples import Samples

BATCH = 8
#: Samples of the test.
TESTED = 60
SHOWN = "correlation", "correlation_forward", "correlation_backscatter"


def main(
    parts: Annotated[Path, typer.Option(help="Folder of train.h5.")],
    test: Annotated[Path, typer.Option(help="Dataset of an independent run.")],
    counts: Annotated[list[int] | None, typer.Option(help="Numbers of samples.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of every training.")] = 2400,
    seed: Annotated[int, typer.Option(help="Of weights, order and draw.")] = 0,
) -> None:
    """Train on ever more samples."""
    whole, every = Samples(parts / "train.h5"), Samples(test)
    tested = every[np.linspace(0, len(every) - 1, TESTED).astype(int)]
    exact = TestSamples(tested, "the test", memory_limit=1 << 30)
    print(f"{'samples':>8} {'c':>16} {'c, diffusion':>16} {'c, backscatter':>16}")
    for count in counts or [30, 120, 480, len(whole)]:
        drawn = np.random.default_rng(seed).choice(
            len(whole), min(count, len(whole)), replace=False
        )
        model = PeriodicCNN(width=16, depth=7, kernel=5, rng=seed)
        train(
            model,
            whole[drawn],
            validation=None,  # the last epoch counts: few samples make many short epochs
            epochs=max(1, steps * BATCH // len(drawn)),
            batch=BATCH,
            learning_rate=1e-3,
            optimiser="adamw",
            schedule="cosine",
            augment=("rotations", "reflections"),
            rng=seed,
        )
        found = score(model, exact)
        shown = "".join(f"  {found[of]:6.3f} +- {found[f'{of}_spread']:.3f}" for of in SHOWN)
        print(f"{len(drawn):8}{shown}", flush=True)


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
