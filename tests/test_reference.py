"""pytbl against an independent solver, on uneven rectangular grids and one to four ranks."""

import numpy as np
import pytest
from reference import Reference
from tolerances import ROUNDING, ROUNDING_RUN

from pytbl import Flow, Grid, Solver, initial

GRIDS = [
    dict(nx=48, ny=36, ly=3 * np.pi),
    dict(nx=20, ny=42, lx=5.0, dealias="3/2"),
    dict(nx=36, ny=50, dealias="3/2"),
]
PHYSICS = dict(viscosity=2e-3, drag=0.1, beta=1.5)


def start(arguments):
    return initial.random_spectrum(Grid(**arguments, reproducible=True), k_peak=4, rng=2)


@pytest.mark.parametrize("arguments", GRIDS)
def test_right_hand_side(arguments):
    grid, plain, omega = Grid(**arguments), Reference(**arguments), start(arguments)
    expected = plain.field(plain.advection(plain.spectrum(omega)))
    tendency = grid.to_physical(grid.nonlinear_term(grid.to_spectral(omega)))
    np.testing.assert_allclose(tendency, expected, atol=ROUNDING * np.abs(expected).max())


def check_run(arguments, comm=None, steps=60, dt=2e-3):
    omega, plain = start(arguments), Reference(**arguments)
    hat, previous = plain.spectrum(omega), None
    operator = plain.linear_operator(**PHYSICS)
    for _ in range(steps):
        hat, previous = plain.step(hat, previous, dt=dt, operator=operator)
    expected = plain.field(hat)
    sim = Solver(Grid(**arguments, comm=comm), Flow(**PHYSICS), dt=dt)
    sim.set_vorticity(initial.from_array(sim.grid, omega))
    sim.step(steps)
    rows = slice(sim.grid.y_start, sim.grid.y_start + sim.grid.ny_local)
    np.testing.assert_allclose(
        sim.omega, expected[rows], rtol=0, atol=ROUNDING_RUN * np.abs(expected).max()
    )


@pytest.mark.parametrize("arguments", GRIDS)
def test_a_run(arguments):
    check_run(arguments)


@pytest.mark.mpi(nprocs=(1, 2, 3, 4))
def test_a_run_on_ranks(comm):
    for arguments in GRIDS:
        check_run(arguments, comm)
