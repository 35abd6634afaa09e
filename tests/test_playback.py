"""The exact term played back: an LES that follows the filtered DNS, times in between, bad input."""

import numpy as np
import pytest
from fields import turbulent
from tolerances import ROUNDING, ROUNDING_RUN

from pytbl import Dataset, Flow, Grid, Solver, filters
from pytbl.closures import State, evaluate
from pytbl.errors import InputError
from pytbl.forcing import Deterministic, Filtered
from pytbl.initial import from_file
from pytbl.playback import Playback
from pytbl.subgrid import Coarsening

FILTER = filters.Gaussian(ratio=2)
FLOW = Flow(viscosity=2e-3, drag=0.1)
DT, STEPS = 2e-3, 40


def coarse(comm=None, nx=24, ny=18):
    return Grid(nx, ny, ly=3 * np.pi, dealias="3/2", comm=comm, reproducible=True)


def recorded(path, *, every=DT, comm=None):
    """A DNS whose samples are kept; it has run for a while before."""
    fine = Grid(96, 72, ly=3 * np.pi, comm=comm, reproducible=True)
    dns = Solver(fine, FLOW, dt=DT, forcing=Deterministic(mx=2, ny=1))
    dns.set_spectral(turbulent(fine))
    data = Dataset(path, every=every, coarse=(24, 18), filter=FILTER, dtype="float64")
    dns.run(until=STEPS * DT, outputs=[data])
    return dns


def follower(path, comm=None):
    grid = coarse(comm)
    forcing = Filtered(Deterministic(mx=2, ny=1), FILTER)
    les = Solver(grid, FLOW, dt=DT, forcing=forcing, closure=Playback(path))
    les.set_vorticity(from_file(grid, path, record=0, filter=FILTER))
    les.step(STEPS)
    return les


@pytest.mark.mpi(nprocs=(1, 2, 3))
def test_an_les_that_is_played_the_exact_term_follows_the_filtered_dns(comm, shared_tmp):
    dns = recorded(shared_tmp / "data.h5", comm=comm)
    les = follower(shared_tmp / "data.h5", comm)
    truth = Coarsening(dns.grid, les.grid, FILTER)(dns.omega_hat)
    scale = les.grid.exchange.max(float(np.abs(truth).max(initial=0)))
    np.testing.assert_allclose(les.omega_hat, truth, atol=ROUNDING_RUN * scale)


def test_between_samples_the_term_is_linear(tmp_path):
    recorded(tmp_path / "data.h5", every=10 * DT)
    grid, playback = coarse(), Playback(tmp_path / "data.h5")
    hat = grid.zeros_spectral()
    first, later = (evaluate(playback, grid, hat, t=t) for t in (0, 10 * DT))
    between = evaluate(playback, grid, hat, t=2.5 * DT)
    assert np.abs(later - first).max() > 1e-3 * np.abs(first).max()
    expected = 0.75 * first + 0.25 * later
    np.testing.assert_allclose(between, expected, atol=10 * ROUNDING * np.abs(first).max())
    shifted = Playback(tmp_path / "data.h5", start=10 * DT)
    np.testing.assert_array_equal(evaluate(shifted, grid, hat), later)
    assert repr(shifted).endswith("data.h5', start=0.02)")


def test_what_cannot_be_played_back(tmp_path):
    recorded(tmp_path / "data.h5", every=10 * DT)
    hat = coarse().zeros_spectral()
    playback = Playback(tmp_path / "data.h5")
    last = evaluate(playback, coarse(), hat, t=0.08)
    np.testing.assert_array_equal(evaluate(playback, coarse(), hat, t=0.099), last)
    with pytest.raises(InputError, match="samples from t = 0 to 0.08, and t = 0.11 was asked for"):
        evaluate(playback, coarse(), hat, t=0.11)
    with pytest.raises(InputError, match=r"another grid: expected .*\(24, 24, .* got \(24, 18, "):
        playback.bind(coarse(ny=24))
    with pytest.raises(InputError, match=r"another grid: expected .*'2/3'\), got .*'3/2'\)"):
        playback.bind(Grid(24, 18, ly=3 * np.pi, reproducible=True))
    with pytest.raises(InputError, match="nowhere.h5"):
        Playback(tmp_path / "nowhere.h5").bind(coarse())
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match="text.h5"):
        Playback(tmp_path / "text.h5").bind(coarse())
    with pytest.raises(InputError, match="start must be a finite number, got 'x'"):
        Playback(tmp_path / "data.h5", start="x")


class BrokenSamples:
    def read(self, *_, **__):
        raise InputError("gone")


@pytest.mark.mpi(nprocs=(2,))
def test_what_one_rank_cannot_read_is_an_error_on_all(comm, shared_tmp):
    recorded(shared_tmp / "data.h5", every=10 * DT, comm=comm)
    grid = coarse(comm)
    playback = Playback(shared_tmp / "data.h5")
    playback.bind(grid)
    if comm.rank == 1:
        playback._samples = BrokenSamples()
    hat = grid.zeros_spectral()
    with pytest.raises(InputError, match="gone"):
        playback.add(hat, State(grid, hat))


def test_the_term_of_a_stage_and_of_a_step():
    """A solver's stage has a time of its own while it steps, and none after."""
    grid, times = coarse(), []

    class Clock:
        def add(self, source_hat, state):
            times.append(state.stage_time)

    sim = Solver(grid, Flow(), dt=0.03, scheme="rk3cn", closure=Clock())
    sim.set_spectral(turbulent(grid))
    sim.step(2)
    assert times == pytest.approx([0, 0.016, 0.02, 0.03, 0.046, 0.05])
    assert sim.stage_time == sim.t
