"""One flow on one to four ranks: the same bits, the same stops."""

import os
import signal
import threading

import numpy as np
import pytest

from pytbl import Checkpoint, Flow, Grid, Solver, checkpoint, initial
from pytbl.errors import BlowUp, InputError, Interrupted
from pytbl.forcing import Deterministic, Ring

GRIDS = [
    dict(nx=48, ny=36, ly=3 * np.pi),
    dict(nx=20, ny=42, lx=5.0, dealias="3/2"),
    dict(nx=36, ny=24, dtype=np.float32),
    dict(nx=14, ny=8, dealias="3/2"),
]


def run(arguments, comm=None, **more):
    grid = Grid(**arguments, comm=comm, reproducible=True, **more)
    forcing = Deterministic(mx=1, ny=1) + Ring(k=2, width=1.2, energy_rate=0.1, rng=3)
    flow = Flow(viscosity=1e-3, drag=0.1, beta=1.0)
    sim = Solver(grid, flow, cfl=0.15, scheme="ab2cn", forcing=forcing)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=3, rng=1))
    sim.step(25)
    return sim


@pytest.mark.mpi(nprocs=(1, 2, 3, 4))
def test_the_same_bits(comm):
    for arguments in GRIDS:
        alone, together = run(arguments), run(arguments, comm)
        first = together.grid.kx_start
        mine = alone.omega_hat[first : first + together.grid.nkx_local]
        assert np.array_equal(together.omega_hat, mine), arguments
        assert together.t == alone.t
        rows = slice(together.grid.y_start, together.grid.y_start + together.grid.ny_local)
        assert np.array_equal(together.omega, alone.omega[rows])


def test_the_same_bits_on_any_number_of_threads():
    for arguments in GRIDS:
        one, three = run(arguments), run(arguments, threads=3)
        assert np.array_equal(one.omega_hat, three.omega_hat)


@pytest.mark.mpi(nprocs=(2,))
def test_measured_plans_are_shared_by_the_ranks(comm):
    grid = Grid(60, 42, comm=comm)
    plans = comm.allgather(sorted(grid.wisdom.splitlines()))
    assert plans[0] == plans[1]


@pytest.mark.mpi(nprocs=(3,))
def test_what_is_wrong_on_one_rank_is_an_error_on_all(comm):
    grid = Grid(24, 20, comm=comm)
    sim = Solver(grid, Flow(), dt=1e-3)
    field = grid.zeros_physical()
    if comm.rank == 1:
        field[0, 0] = np.nan
    expected = "got 1 values NaN" if comm.rank == 1 else "of another rank cannot be used"
    with pytest.raises(InputError, match=expected):
        sim.set_vorticity(field)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=3))
    sim.step()
    if comm.rank == 2:
        sim.omega_hat[0, 1] = np.nan
    sim._forget()
    with pytest.raises(BlowUp, match="CFL number nan"):
        sim.step(20)


@pytest.mark.mpi(nprocs=(2,))
def test_a_signal_to_one_rank_stops_all(comm, shared_tmp):
    grid = Grid(24, 20, comm=comm)
    sim = Solver(grid, Flow(), dt=1e-4)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=3))
    if comm.rank == 1:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    keeper = Checkpoint(shared_tmp / "ckpt", every=1e9)
    with pytest.raises(Interrupted):
        sim.run(until=1e9, outputs=[keeper])
    assert len(set(comm.allgather(sim.steps))) == 1
    other = Solver(Grid(24, 20, comm=comm), Flow(), dt=1e-4)
    checkpoint.load(shared_tmp / "ckpt", other)
    assert other.steps == sim.steps
