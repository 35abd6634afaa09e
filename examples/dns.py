"""Forced two-dimensional turbulence, from a random start to its statistically steady state.

A steady force at wavenumber 4 stirs the flow, linear drag takes the energy out again at large
scales, and viscosity the enstrophy at small ones; between them the spectrum falls as k^-3 or
steeper, and coherent vortices form. The flow is that of Subel et al. (PNAS Nexus 2023), at a size
for two cores; their cases, at full size, are in examples/cases.

    mpirun -n 2 python examples/dns.py          # 2 to 3 minutes on 2 cores
    python examples/dns.py --threads 2          # the same without MPI
    python examples/dns.py --help               # every option
    python examples/dns.py --case examples/cases/case3-base.toml --out case3

leaves dns.h5 (fields, time series, spectra: xarray.open_dataset opens it), dns.png, and a folder of
checkpoints, from which --resume continues. The same in Python is

    grid = pytbl.Grid(512, 512)
    flow = pytbl.Flow(viscosity=2e-4, drag=0.1)
    sim = pytbl.Solver(grid, flow, cfl=0.7, scheme="rk3cn",
                       forcing=pytbl.forcing.Deterministic(mx=4))
    sim.set_vorticity(pytbl.initial.random_spectrum(grid, k_peak=10, rng=1))
    sim.run(until=40, outputs=[pytbl.Output("dns.h5", every=0.5)])
"""

from pathlib import Path
from typing import Annotated

import typer

from pytbl import cli
from pytbl.case import Case

CASES = Path(__file__).parent / "cases"


def main(
    case: Annotated[Path, typer.Option(help="Case file (TOML).")] = CASES / "forced.toml",
    until: cli.Until = None,
    out: cli.Out = Path(),
    resume: cli.Resume = False,
    overwrite: cli.Overwrite = False,
    threads: cli.Threads = None,
    picture: cli.Picture = True,
) -> None:
    """Run a direct numerical simulation of two-dimensional turbulence."""
    cli.run_case(
        Case.load(case),
        until=until,
        out=out,
        resume=resume,
        overwrite=overwrite,
        threads=threads,
        picture=picture,
    )


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
