"""The engine against a plain scipy solver of the same equations, which shares no code with it."""

import numpy as np
import pytest
from reference import Reference
from tolerances import ROUNDING, ROUNDING_RUN, ROUNDING_SINGLE

from pytbl import Flow, Grid, Solver

GRIDS = [
    dict(nx=48, ny=36, lx=2 * np.pi, ly=3 * np.pi),
    dict(nx=30, ny=56, lx=1.7, ly=4.0, dealias="3/2"),
    dict(nx=40, ny=42, lx=5.0, ly=2.0, dealias="3/2"),
]
FLOW = dict(viscosity=2e-3, drag=0.1, beta=4.0)
STEPS = 50
COURANT = 0.3


def vorticity(reference, seed=5):
    """A field of mean square one with a falling spectrum, all kept modes excited."""
    noise = reference.spectrum(np.random.default_rng(seed).standard_normal(reference.shape))
    smooth = reference.field(noise / (1 + reference.k2 / reference.k2[0, 2]))
    return smooth / np.sqrt(np.mean(smooth**2))


def columns(reference, hat):
    """A spectrum of the reference in the engine's layout: (nkx, ny), kx first."""
    return hat[reference.rows, : reference.shape[1] // 2 + 1].T


def local(grid, field):
    return field[grid.y_start : grid.y_start + grid.ny_local]


def assert_close(grid, result, expected, tolerance):
    """Both in the engine's layout; `expected` on all columns, and the scale is its largest mode."""
    mine = expected[grid.kx_start : grid.kx_start + grid.nkx_local]
    np.testing.assert_allclose(result, mine, rtol=0, atol=tolerance * np.abs(expected).max())


def check_advection(arguments, comm=None, dtype=np.float64, tolerance=ROUNDING):
    grid, reference = Grid(**arguments, comm=comm, dtype=dtype), Reference(**arguments)
    omega = vorticity(reference)
    result = grid.nonlinear_term(grid.to_spectral(local(grid, omega)))
    expected = columns(reference, reference.advection(reference.spectrum(omega)))
    assert_close(grid, result, expected, tolerance)


def check_steps(arguments, comm=None):
    grid, reference = Grid(**arguments, comm=comm), Reference(**arguments)
    omega = vorticity(reference)
    hat, tendency = reference.spectrum(omega), None
    sim = Solver(grid, Flow(**FLOW), dt=1.0)
    sim.set_vorticity(local(grid, omega))
    dt = sim.dt = COURANT / sim.cfl()
    operator = reference.linear_operator(**FLOW)
    for _ in range(STEPS):
        hat, tendency = reference.step(hat, tendency, dt=dt, operator=operator)
    sim.step(STEPS)
    assert sim.steps == STEPS
    moved = reference.field(hat) - omega
    assert np.abs(moved).max() > 0.1  # else there would be little to compare
    assert_close(grid, sim.omega_hat, columns(reference, hat), ROUNDING_RUN)


@pytest.mark.parametrize("arguments", GRIDS)
def test_advection(arguments):
    check_advection(arguments)


@pytest.mark.parametrize("arguments", GRIDS)
def test_advection_in_single_precision(arguments):
    check_advection(arguments, dtype=np.float32, tolerance=ROUNDING_SINGLE)


@pytest.mark.parametrize("arguments", GRIDS)
def test_steps_with_viscosity_drag_and_beta(arguments):
    check_steps(arguments)


@pytest.mark.mpi(nprocs=(1, 2, 3, 4))
def test_on_ranks(comm):
    for arguments in GRIDS:
        check_advection(arguments, comm)
        check_steps(arguments, comm)
