"""The constants of Leith and Smagorinsky, measured in a DNS and beside Lilly-type theory.

In a range with the spectrum E(k) = C' eta^(2/3) k^-3, cut off sharply at k_c = pi / D, a closure
that takes the enstrophy flux eta out of the resolved scales must have

    C_L = 1 / (pi sqrt(C'))                                             (Leith)
    C_s = 1 / (pi (2 ln(k_c / k_1))^(1/4) C'^(3/4))                     (Smagorinsky)

with k_1 the lower end of the range. Here the flow is stirred by noise at wavenumbers near 4, and
hyperviscosity leaves a wide range; C' is measured from the spectrum around k_c, and the constants
from the exact SGS term, -<omega Pi> = nu_e <|grad omega|^2>, for several cut-offs.

    python examples/lilly.py                    # 4 to 6 minutes on one core

prints a table of means over time, with standard deviations.
"""

import math
from typing import Annotated

import numpy as np
import typer

import pytbl
from pytbl import cli, diagnostics
from pytbl.progress import Progress
from pytbl.subgrid import SubgridTerms

FORCED = 4.0


class Constants:
    """An output of one's own: what every cut-off says of the constants, at regular times."""

    def __init__(self, grid: pytbl.Grid, cuts: list[int], *, start: float, every: float) -> None:
        self.next, self.every = start, every
        sharp = pytbl.filters.SharpSquare(ratio=2)
        coarse = [pytbl.Grid(n, n, dealias="3/2") for n in cuts]
        self.terms = [SubgridTerms(grid, one, sharp) for one in coarse]
        self.rows: list[list[list[float]]] = [[] for _ in cuts]

    def due(self, t: float, step: int) -> bool:
        """Whether to measure now."""
        return t >= self.next

    def write(self, sim: pytbl.Solver) -> None:
        """Measure."""
        self.next += self.every
        k, energy = diagnostics.energy_spectrum(sim.grid, sim.omega_hat)
        for terms, rows in zip(self.terms, self.rows, strict=True):
            coarse, omega = terms.coarse, terms.coarsen(sim.omega_hat)
            pi = terms.source(sim.omega_hat, sim.advection_hat())
            flux = -diagnostics.transfers(coarse, omega, pi)[1]
            if flux <= 0:  # enstrophy came back at this time: there is no constant
                continue
            square, gradient = 2 * diagnostics.moments(coarse, omega, (0, 1))
            width, cut = coarse.dx, math.pi / coarse.dx
            near = (k > 0.5 * cut) & (k < cut)
            level = np.mean(k[near] ** 3 * energy[near]) / flux ** (2 / 3)
            leith = (flux / gradient**1.5) ** (1 / 3) / width
            smagorinsky = math.sqrt(flux / (math.sqrt(square) * gradient)) / width
            rows.append([
                np.polyfit(np.log(k[near]), np.log(energy[near]), 1)[0],
                level,
                leith,
                1 / (math.pi * math.sqrt(level)),
                smagorinsky,
                1 / (math.pi * (2 * math.log(cut / FORCED)) ** 0.25 * level**0.75),
            ])  # fmt: skip


def main(
    n: Annotated[int, typer.Option(help="Points of the DNS in each direction.")] = 512,
    until: Annotated[float, typer.Option(help="Measures over the second half of this time.")] = 10,
    threads: Annotated[int, typer.Option(help="OpenMP threads.")] = 1,
) -> None:
    """Measure C_L and C_s a priori."""
    grid = pytbl.Grid(n, n, threads=threads)
    flow = pytbl.Flow(viscosity=40 / grid.kx_max**8, viscosity_order=4, drag=0.05)
    forcing = pytbl.forcing.Ring(k=FORCED, width=2, energy_rate=1.0, rng=2)
    sim = pytbl.Solver(grid, flow, cfl=0.7, scheme="rk3cn", forcing=forcing)
    sim.set_vorticity(pytbl.initial.random_spectrum(grid, k_peak=6, rng=1))
    cuts = [4 * round(n / (4 * part)) for part in (12, 8, 6)]
    constants = Constants(grid, cuts, start=until / 2, every=until / 40)
    with Progress() as progress:
        sim.run(until=until, outputs=[constants], progress=progress)
    columns = ("slope", "C_prime", "C_L", "theory", "C_s", "theory")
    print("   N samples" + "".join(f"{name:>17}" for name in columns))
    for cut, rows in zip(cuts, constants.rows, strict=True):
        if not rows:
            print(f"{cut:4} {0:7}  no enstrophy went through this cut-off")
            continue
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        shown = [f"{m:8.3f} +- {s:.3f}" for m, s in zip(mean, spread, strict=True)]
        print(f"{cut:4} {len(rows):7} ", *shown)


if __name__ == "__main__":
    cli.launch(lambda: typer.run(main))
