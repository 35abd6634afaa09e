"""Large-eddy simulations with physics-based closures, against the DNS that they replace.

A DNS of forced turbulence at 512^2 spins up and is filtered while it runs on (Gaussian, ratio 2, to
64^2). From its first sample start large-eddy simulations without a model and with several; then all
are compared: spectra, probability densities, transfers, cost.

    python examples/les.py --threads 2          # 8 to 12 minutes on 2 cores
    python examples/les.py --out les            # everything goes there; a second call goes on

leaves dns.h5, data.h5 (filtered samples with the exact SGS term), one file per closure, and in
comparison/ the tables and figures. Each step is a command, too:

    pytbl dns examples/cases/les-dns.toml --out les
    pytbl les examples/cases/les.toml --out les          # with the [closure] of that file
    pytbl compare les/dns.h5 les/leith.h5 --dataset les/data.h5
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from pytbl import cli
from pytbl.case import Case
from pytbl.les import LESCase
from pytbl.toml_file import KindTable

CASES = Path(__file__).parent / "cases"

CLOSURES: dict[str, dict[str, Any]] = {
    "none": dict(kind="none"),
    "smagorinsky": dict(kind="smagorinsky"),
    "smagorinsky-local": dict(kind="smagorinsky", local=True),
    "leith": dict(kind="leith"),
    "leith-local": dict(kind="leith", local=True),
    "dynamic-smagorinsky": dict(kind="dynamic-smagorinsky"),
    "dynamic-leith": dict(kind="dynamic-leith"),
    "jansen-held-smagorinsky": dict(kind="jansen-held", base="smagorinsky"),
    "jansen-held-leith": dict(kind="jansen-held", base="leith"),
}


def main(
    dns: Annotated[Path, typer.Option(help="Case file with [dataset].")] = CASES / "les-dns.toml",
    les: Annotated[Path, typer.Option(help="Case file with [filter].")] = CASES / "les.toml",
    out: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("les"),
    threads: cli.Threads = None,
    picture: cli.Picture = True,
) -> None:
    """Run the DNS, the large-eddy simulations, and the comparison."""
    whole, case = Case.load(dns), LESCase.load(les)
    cli.run_case(whole, out=out, resume=True, threads=threads, picture=picture)
    assert whole.output and whole.dataset and case.output, "the cases name their files"
    data = out / whole.dataset[0].file
    for name, closure in CLOSURES.items():
        changes = {
            "title": f"LES, {name}",
            "initial": KindTable.model_validate(
                {"kind": "file", "path": str(data.resolve()), "record": 0}
            ),
            "closure": KindTable(**closure),
            "output": case.output.model_copy(update={"file": f"{name}.h5"}),
        }
        cli.run_case(case.model_copy(update=changes), out=out, overwrite=True, picture=picture)
    cli.compare(
        out / whole.output.file,
        [out / f"{name}.h5" for name in CLOSURES],
        dataset=data,
        start=0.2 * case.time.until,
        reference_start=whole.dataset[0].start,
        out=out / "comparison",
        picture=picture,
    )


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
