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
from typing import Annotated

import typer

from pytbl import cli
from pytbl.case import Case, KindTable
from pytbl.les import LESCase

CASES = Path(__file__).parent / "cases"

CLOSURES = {
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
    out: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("les"),
    until: Annotated[float, typer.Option(help="Length of every simulation.")] = 100.0,
    threads: cli.Threads = None,
    picture: cli.Picture = True,
) -> None:
    """Run the DNS, the large-eddy simulations, and the comparison."""
    dns = Case.load(CASES / "les-dns.toml")
    cli.run_case(dns, out=out, until=until, resume=True, threads=threads, picture=picture)
    les = LESCase.load(CASES / "les.toml")
    start = KindTable(kind="file", path=str((out / "data.h5").resolve()), record=0)
    assert les.output is not None
    for name, closure in CLOSURES.items():
        output = les.output.model_copy(update={"file": f"{name}.h5"})
        case = les.model_copy(
            update={
                "title": f"LES, {name}",
                "initial": start,
                "closure": KindTable(**closure),
                "output": output,
            }
        )
        cli.run_case(case, out=out, until=until, overwrite=True, picture=picture)
    cli.compare(
        out / "dns.h5",
        [out / f"{name}.h5" for name in CLOSURES],
        dataset=out / "data.h5",
        start=0.2 * until,
        reference_start=0.4 * until,
        out=out / "comparison",
        picture=picture,
    )


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
