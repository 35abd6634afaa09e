"""Transferred networks online: large-eddy simulations of the target flow of each pair.

The base network, networks with one layer re-trained, with all, the one that was trained on the
target, and physics closures run from three of the target's test samples, beside the filtered DNS.

    python examples/transfer.py --processes 2 --out transfer        # first: leaves the networks
    python examples/transfer_les.py --out transfer
    python examples/transfer_les.py --pair "Case 1" --layers 2 --layers 6 --out transfer

takes a minute for each closure of a pair. It leaves one file per simulation and the comparison,
with spectra and probability densities, in ``pairs/BASE-to-TARGET/les``.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pytbl import cli
from pytbl.les import LESCase
from pytbl.samples import Samples
from pytbl.study import Study
from pytbl.toml_file import KindTable

CASES = Path(__file__).parent / "cases" / "transfer"
PHYSICS = {name: {"kind": name} for name in ("none", "dynamic-smagorinsky", "dynamic-leith")}


def closures(study: Study, pair: str, layers: list[str], out: Path) -> dict[str, dict[str, Any]]:
    """Closures of a pair by name; of the transfers that were kept, the one of seed 0."""
    base, target = study.pair(pair)
    kept = study.place(pair, out) / "closures"
    files = {"base": study.base(base, out)}
    files |= {f"layer-{one}": kept / f"{one}-0.closure" for one in layers}
    files["target"] = study.base(target, out)
    networks = {name: {"kind": "cnn", "path": str(path.resolve())} for name, path in files.items()}
    return networks | PHYSICS


def main(
    study_file: Annotated[Path, typer.Option("--study", help="As of transfer.py.")] = CASES
    / "study.toml",
    les: Annotated[Path, typer.Option(help="Case file with [filter].")] = CASES / "les.toml",
    pair: Annotated[list[str] | None, typer.Option(help="A pair; by default all.")] = None,
    layers: Annotated[list[str] | None, typer.Option(help="Re-trained; 2, 6 and all.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of transfer.py.")] = Path("transfer"),
    starts: Annotated[int, typer.Option(help="Simulations of each closure.")] = 3,
    picture: cli.Picture = True,
) -> None:
    """Run and compare."""
    study, case = Study.load(study_file), LESCase.load(les)
    assert case.output, "the case names its file"
    for name in pair or study.pairs:
        target = study.pair(name)[1]
        dns = study.case(target)
        if study.flows[target].starts > 1:
            print(f"{name}: {target} decays, its simulations have no statistics to compare")
            continue
        test = study.samples(target, out)["test"][0]
        records = np.linspace(0, len(Samples(test)) - 1, starts).astype(int)
        folder = study.place(name, out) / "les"
        files = []
        for closure, table in closures(study, name, layers or ["2", "6", "all"], out).items():
            for i, record in enumerate(records):
                start = {"kind": "file", "path": str(test.resolve()), "record": int(record)}
                files.append(folder / f"{closure}-{i}.h5")
                changes = {
                    "title": f"{name}: {closure}",
                    "flow": dns.flow,
                    "forcing": dns.forcing,
                    "initial": KindTable.model_validate(start),
                    "closure": KindTable.model_validate(table),
                    "output": case.output.model_copy(update={"file": files[-1].name}),
                }
                one = case.model_copy(update=changes)
                cli.run_case(one, out=folder, overwrite=True, picture=False)
        cli.compare(
            out / target / "dns.h5",
            files,
            dataset=test,
            start=0.2 * case.time.until,
            reference_start=dns.dataset[0].start,
            out=folder / "comparison",
            picture=picture,
        )


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
