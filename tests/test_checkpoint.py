"""Checkpoints: bit for bit on any ranks, and safe from damage, kills and full disks."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytbl import Checkpoint, Flow, Grid, Solver, checkpoint, initial
from pytbl.errors import CheckpointError, InputError
from pytbl.forcing import Deterministic, Ring


def make(comm=None, nx=48, ny=36, **arguments):
    options = dict(cfl=0.2, scheme="ab2cn") | arguments
    grid = Grid(nx, ny, comm=comm, reproducible=True)
    forcing = Deterministic(mx=2) + Ring(k=6, energy_rate=0.1, rng=5)
    return Solver(grid, Flow(viscosity=1e-3, drag=0.1, beta=1.0), forcing=forcing, **options)


def started(comm=None, **arguments):
    sim = make(comm, **arguments)
    sim.set_vorticity(initial.random_spectrum(sim.grid, k_peak=5, rng=1))
    return sim


@pytest.mark.parametrize(
    "arguments", [dict(), dict(cfl=None, dt=2e-3), dict(scheme="rk3cn"), dict(scheme="rk4cn")]
)
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, arguments):
    whole, first, second = started(**arguments), started(**arguments), make(**arguments)
    whole.step(40)
    first.step(17)
    checkpoint.save(tmp_path / "state.h5", first)
    checkpoint.load(tmp_path / "state.h5", second)
    second.step(23)
    assert np.array_equal(second.omega_hat, whole.omega_hat)
    assert (second.t, second.steps, second.dt) == (whole.t, whole.steps, whole.dt)


def test_looking_at_the_flow_changes_nothing():
    """The transforms of outputs share the step's buffer."""
    left, looked_at = started(), started()
    for _ in range(10):
        left.step()
        looked_at.step()
        looked_at.omega, looked_at.velocity(), looked_at.grid.nonlinear_term(looked_at.omega_hat)
    assert np.array_equal(left.omega_hat, looked_at.omega_hat)


def test_measured_plans_travel_with_the_checkpoint(tmp_path):
    grid = Grid(60, 42)
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(initial.mcwilliams(grid))
    sim.step(3)
    checkpoint.save(tmp_path / "state.h5", sim)
    sim.step(5)
    again = Solver(Grid(60, 42, reproducible=True), Flow(), dt=1e-3)
    checkpoint.load(tmp_path / "state.h5", again)
    plans = [sorted(g.wisdom.splitlines()) for g in (again.grid, grid)]
    assert plans[0] == plans[1]  # FFTW lists them in any order
    again.step(5)
    assert np.array_equal(again.omega_hat, sim.omega_hat)


def serial_result(steps):
    sim = started()
    sim.step(steps)
    return sim.omega_hat.copy()


@pytest.mark.mpi(nprocs=(2, 3))
def test_the_same_bits_on_any_number_of_ranks(comm, shared_tmp):
    expected = serial_result(30)
    sim = started(comm)
    rows = slice(sim.grid.kx_start, sim.grid.kx_start + sim.grid.nkx_local)
    sim.step(12)
    checkpoint.save(shared_tmp / "state.h5", sim)
    sim.step(18)
    assert np.array_equal(sim.omega_hat, expected[rows])

    alone = make()  # every rank by itself, from what all wrote
    checkpoint.load(shared_tmp / "state.h5", alone)
    alone.step(18)
    assert np.array_equal(alone.omega_hat, expected)

    comm.Barrier()
    if comm.rank == 0:
        one = started()
        one.step(12)
        checkpoint.save(shared_tmp / "one.h5", one)
    comm.Barrier()
    together = make(comm)
    checkpoint.load(shared_tmp / "one.h5", together)
    together.step(18)
    assert np.array_equal(together.omega_hat, expected[rows])


@pytest.mark.mpi(nprocs=(3,))
def test_errors_reach_all_ranks(comm, shared_tmp):
    sim = started(comm)
    with pytest.raises(OSError, match="the checkpoint cannot be written: No such file"):
        checkpoint.save(shared_tmp / "nowhere" / "state.h5", sim)
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        checkpoint.load(shared_tmp / "nowhere", sim)
    folder = shared_tmp / "ckpt"
    output = Checkpoint(folder, every=1, keep=3)
    output.open(sim)
    for _ in range(2):
        sim.step()
        output.write(sim)
    if comm.rank == 0:
        damage(folder / "ckpt-000000002.h5", -5000)
    comm.Barrier()
    assert checkpoint.load(folder, sim).name == "ckpt-000000001.h5"


def damage(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


def test_the_latest_are_kept(tmp_path):
    sim = started()
    output = Checkpoint(tmp_path / "ckpt", every=1e-3, keep=2)
    (tmp_path / "ckpt").mkdir()
    (tmp_path / "ckpt" / "ckpt-000000001.h5.partial").write_text("of a run that was killed")
    sim.run(until=0.1, outputs=[output])
    names = sorted(path.name for path in (tmp_path / "ckpt").iterdir())
    assert names == [f"ckpt-{sim.steps - 1:09d}.h5", f"ckpt-{sim.steps:09d}.h5"]


def two_checkpoints(folder):
    sim = started()
    output = Checkpoint(folder, every=1, keep=2)
    output.open(sim)
    states = []
    for _ in range(2):
        sim.step(2)
        output.write(sim)
        states.append(sim.omega_hat.copy())
    return states


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_checkpoint_is_noticed(tmp_path_factory, where, bit, cut):
    """Wherever a bit flips or the file ends, the state is either right or refused."""
    folder = tmp_path_factory.mktemp("ckpt")
    states = two_checkpoints(folder)
    latest = folder / "ckpt-000000004.h5"
    data = bytearray(latest.read_bytes())
    position = int(where * len(data))
    if cut:
        data = data[:position]
    else:
        data[position] ^= 1 << bit
    latest.write_bytes(data)
    sim = make()
    used = checkpoint.load(folder, sim)
    expected = states[1] if used == latest else states[0]
    assert np.array_equal(sim.omega_hat, expected)


def test_falling_back_is_said(tmp_path, caplog):
    two_checkpoints(tmp_path)
    latest = tmp_path / "ckpt-000000004.h5"
    latest.write_bytes(latest.read_bytes()[:3000])
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load(tmp_path, make()).name == "ckpt-000000002.h5"
    assert "ckpt-000000004.h5 is not a whole checkpoint" in caplog.text
    assert "continuing from" in caplog.text
    (tmp_path / "ckpt-000000002.h5").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint can be used: .*4.h5.*; .*2.h5"):
        checkpoint.load(tmp_path, make())


def test_another_run_is_refused_and_the_state_left_alone(tmp_path):
    checkpoint.save(tmp_path / "state.h5", started())
    other = started(nx=40)
    before = other.omega_hat.copy()
    with pytest.raises(CheckpointError, match=r"nx 48 in the file and 40 in the run; .*from_file"):
        checkpoint.load(tmp_path / "state.h5", other)
    assert np.array_equal(other.omega_hat, before)
    with pytest.raises(CheckpointError, match="scheme ab2cn in the file and rk3cn in the run"):
        checkpoint.load(tmp_path / "state.h5", started(scheme="rk3cn"))


def test_checkpoints_of_another_course_are_neither_lost_nor_resumed(tmp_path):
    two_checkpoints(tmp_path)
    with pytest.raises(InputError, match=r"holds ckpt-000000004.h5 of an earlier run"):
        Checkpoint(tmp_path, every=1).open(started())
    back = make()
    checkpoint.load(tmp_path / "ckpt-000000002.h5", back)
    Checkpoint(tmp_path, every=1).open(back)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["ckpt-000000002.h5", "ckpt-000000004.h5.left"]
    Checkpoint(tmp_path, every=1, overwrite=True).open(started())
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt-000000004.h5.left"]


def test_bad_parameters(tmp_path):
    with pytest.raises(InputError, match="keep must be >= 1, got 0"):
        Checkpoint("ckpt", every=1, keep=0)
    with pytest.raises(InputError, match="every must be a finite number > 0, got nan"):
        Checkpoint("ckpt", every=np.nan)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="file cannot be written: Not a directory"):
        Checkpoint(tmp_path / "file", every=1).open(make())


RUN = """
    import resource, sys
    sys.path[:0] = {path!r}
    from test_checkpoint import *
    sim = started(nx=128, ny=128)
    output = Checkpoint({folder!r}, every=1, keep=2)
    output.open(sim)
    while True:
        sim.step()
        output.write(sim)
        print(sim.steps, flush=True)
        {then}
"""


def script(folder, then="pass"):
    return textwrap.dedent(RUN).format(
        path=[p for p in sys.path if p], folder=str(folder), then=then
    )


def test_a_full_disk_leaves_the_earlier_checkpoints(tmp_path):
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script(tmp_path, f"sim.steps == 2 and {limit}")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ckpt-000000003.h5: the checkpoint cannot be written: File too large" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ckpt-000000001.h5", "ckpt-000000002.h5"]
    assert checkpoint.load(tmp_path, started(nx=128, ny=128)).name == "ckpt-000000002.h5"


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.007])
def test_a_kill_at_any_moment_leaves_a_good_checkpoint(tmp_path, delay):
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as run:
        for line in run.stdout:
            if int(line) == 5:
                break
        time.sleep(delay)  # somewhere in the next write
        os.kill(run.pid, signal.SIGKILL)
    sim = started(nx=128, ny=128)
    checkpoint.load(tmp_path, sim)
    assert sim.steps >= 5
