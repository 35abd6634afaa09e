"""A convolutional network learns the closure of a flow, and runs in large-eddy simulations of it.

A DNS of forced turbulence (512^2, Re 5000) is filtered while it runs, to 64^2. A small network (7
layers of 5 x 5, 32 channels) learns the SGS term from 120 time units of it; the flow of les.py, an
independent run, is the test. Large-eddy simulations start from five of the test's samples.

    python examples/cnn.py --data les           # les: the folder that examples/les.py left
    python examples/cnn.py --seed 1             # another start of the network

takes 20 minutes for the DNS and 20 to 40 for the training on one core; each goes on where it was
stopped. It leaves in --out the data, the training with ``best.closure``, one file per simulation,
and the comparison. Each step is a command, too:

    pytbl dns examples/cases/cnn-data.toml --out cnn
    pytbl split cnn/train.h5 --fractions 0.84 0.12 0.04 --out cnn/parts
    pytbl train cnn/cnn-train.toml --out cnn/training    # a copy of examples/cases/cnn-train.toml
    pytbl info cnn/training/best.closure
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from pytbl import cli
from pytbl.case import Case
from pytbl.les import LESCase
from pytbl.nn.config import TrainingFile
from pytbl.nn.history import Monitor
from pytbl.samples import Samples, split
from pytbl.toml_file import KindTable

CASES = Path(__file__).parent / "cases"


def parts_of(data: Path, folder: Path) -> None:
    """Training and validation from blocks of time with a gap between them."""
    folder.mkdir(exist_ok=True)
    for name, part in split(Samples(data), (0.84, 0.12, 0.04))._asdict().items():
        if not (folder / f"{name}.h5").exists():
            part.save(folder / f"{name}.h5")


def main(
    dns: Annotated[Path, typer.Option(help="Case file with [dataset].")] = CASES / "cnn-data.toml",
    training: Annotated[Path, typer.Option(help="Training file.")] = CASES / "cnn-train.toml",
    les: Annotated[Path, typer.Option(help="Case file with [filter].")] = CASES / "les.toml",
    data: Annotated[Path, typer.Option(help="Folder of examples/les.py: the test.")] = Path("les"),
    out: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("cnn"),
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    starts: Annotated[int, typer.Option(help="Number of simulations.")] = 5,
    picture: cli.Picture = True,
) -> None:
    """Make data, train, simulate, compare."""
    whole, case, file = Case.load(dns), LESCase.load(les), TrainingFile.load(training)
    cli.run_case(whole, out=out, resume=True, picture=picture)
    parts_of(out / whole.dataset[0].file, out / "parts")
    seeds = {
        "model": file.model.model_copy(update={"rng": seed}),
        "train": file.train.model_copy(update={"rng": seed}),
    }
    folder = out / f"training-{seed}"
    with Monitor() as progress:
        file.model_copy(update=seeds).run(out, folder, resume=True, progress=progress)
    test = (data / "data.h5").resolve()
    closure = KindTable.model_validate(
        {"kind": "cnn", "path": str((folder / "best.closure").resolve())}
    )
    assert case.output, "the case names its file"
    files = []
    for i in range(starts):
        record = i * (len(Samples(test)) - 1) // max(starts - 1, 1)
        start = {"kind": "file", "path": str(test), "record": record}
        changes: dict[str, Any] = {
            "title": f"LES with a network, from sample {record}",
            "initial": KindTable.model_validate(start),
            "closure": closure,
            "output": case.output.model_copy(update={"file": f"cnn-{seed}-{i}.h5"}),
        }
        files.append(out / f"cnn-{seed}-{i}.h5")
        cli.run_case(case.model_copy(update=changes), out=out, overwrite=True, picture=False)
    others = [data / f"{name}.h5" for name in ("none", "dynamic-smagorinsky", "dynamic-leith")]
    cli.compare(
        data / "dns.h5",
        files + [path for path in others if path.exists()],
        dataset=test,
        start=0.2 * case.time.until,
        reference_start=float(Samples(test).times[0]),
        out=out / "comparison",
        picture=picture,
    )


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
