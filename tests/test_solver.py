"""The solver against exact solutions, conservation laws, and what it must refuse."""

import os
import signal
import threading

import numpy as np
import pytest
from tolerances import ROUNDING

from pytbl import Flow, Grid, Solver, diagnostics, initial
from pytbl.errors import BlowUp, InputError, Interrupted
from pytbl.forcing import Deterministic, Sum, Waves
from pytbl.schemes import SCHEMES

#: Exact decay against a second-order treatment of L with a short step.
IMPLICIT_ERROR = 1e-7
#: Drift of a quadratic invariant of a fourth-order scheme over a thousand steps.
INVARIANT_DRIFT = 1e-8


@pytest.mark.parametrize("scheme", SCHEMES)
def test_taylor_green_decays_exactly(scheme):
    grid = Grid(24, 20, ly=3 * np.pi)
    flow = Flow(viscosity=0.05, drag=0.1)
    start = initial.taylor_green(grid, mx=2, my=3, amplitude=1.7)
    sim = Solver(grid, flow, dt=1e-3, scheme=scheme)
    sim.set_vorticity(start)
    sim.run(until=1.0)
    decay = np.exp(-(0.05 * (4 + 4) + 0.1) * sim.t)  # k = (2, 3 * 2/3)
    np.testing.assert_allclose(sim.omega, decay * start, atol=IMPLICIT_ERROR)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_viscous_decay_is_the_scheme_s_factor(order):
    """One wave: Crank-Nicolson has a closed form."""
    grid, dt, steps = Grid(24, 20), 0.01, 50
    sim = Solver(grid, Flow(viscosity=1e-3, viscosity_order=order, drag=0.2), dt=dt)
    x, y = np.meshgrid(grid.x, grid.y)
    sim.set_vorticity(np.cos(3 * x + 2 * y))
    sim.step(steps)
    rate = 1e-3 * 13.0**order + 0.2
    factor = ((1 - dt * rate / 2) / (1 + dt * rate / 2)) ** steps
    np.testing.assert_allclose(sim.omega, factor * np.cos(3 * x + 2 * y), atol=ROUNDING * steps)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rossby_wave_phase_speed(scheme):
    grid, beta, dt = Grid(24, 20, ly=4.0), 6.0, 1e-3
    sim = Solver(grid, Flow(beta=beta), dt=dt, scheme=scheme)
    k, m = 3.0, 2 * np.pi / 4.0 * 2
    x, y = np.meshgrid(grid.x, grid.y)
    sim.set_vorticity(np.cos(k * x + m * y))
    sim.run(until=0.5)
    frequency = -beta * k / (k**2 + m**2)  # textbook: westward for beta > 0
    expected = np.cos(k * x + m * y - frequency * sim.t)
    np.testing.assert_allclose(sim.omega, expected, atol=IMPLICIT_ERROR)


def test_manufactured_steady_state():
    """The forcing that balances advection, viscosity and drag keeps a flow of two waves."""
    grid, flow = Grid(32, 36, ly=3.0), Flow(viscosity=0.02, drag=0.3)
    x, y = np.meshgrid(grid.x, 2 * np.pi / 3.0 * grid.y)
    hat = grid.to_spectral(np.sin(2 * x) * np.cos(2 * y) + 2 * np.sin(x) * np.cos(3 * y))
    balance = -grid.nonlinear_term(hat) - flow.linear_operator(grid) * hat

    class Balance:
        steady = True

        def add(self, source_hat, t, step):
            source_hat += balance

    for scheme in SCHEMES:
        sim = Solver(grid, flow, dt=2e-3, scheme=scheme, forcing=Balance())
        sim.set_spectral(hat)
        sim.step(200)
        np.testing.assert_allclose(sim.omega_hat, hat, atol=1e-12)


@pytest.mark.parametrize("dealias", ["2/3", "3/2"])
def test_inviscid_flow_conserves_energy_and_enstrophy(dealias):
    grid = Grid(48, 40, ly=3 * np.pi, dealias=dealias)
    sim = Solver(grid, Flow(), dt=2e-3, scheme="rk4cn")
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=5, energy=0.5, rng=1))
    before = diagnostics.moments(grid, sim.omega_hat, (-1, 0))
    sim.step(1000)
    after = diagnostics.moments(grid, sim.omega_hat, (-1, 0))
    np.testing.assert_allclose(after, before, rtol=INVARIANT_DRIFT)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_enstrophy_of_a_decaying_flow_falls(scheme):
    grid = Grid(64, 64)
    sim = Solver(grid, Flow(viscosity=5e-3), cfl=0.2, scheme=scheme)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=5))
    enstrophy = []
    for _ in range(40):
        enstrophy.append(diagnostics.enstrophy(grid, sim.omega_hat))
        sim.step(2)
    assert (np.diff(enstrophy) < 0).all()


def test_fields_fit_each_other():
    grid = Grid(48, 36, ly=3 * np.pi, dealias="3/2")
    sim = Solver(grid, Flow(), dt=1e-3)
    x, y = np.meshgrid(grid.x, 2 / 3 * grid.y)
    sim.set_vorticity((9 + 4 / 9 * 4) * np.sin(3 * x) * np.sin(2 * y))
    u, v = sim.velocity()
    np.testing.assert_allclose(sim.psi, np.sin(3 * x) * np.sin(2 * y), atol=ROUNDING)
    np.testing.assert_allclose(u, 4 / 3 * np.sin(3 * x) * np.cos(2 * y), atol=ROUNDING * 10)
    np.testing.assert_allclose(v, -3 * np.cos(3 * x) * np.sin(2 * y), atol=ROUNDING * 10)
    cfl = 1e-3 * (np.abs(u).max() / grid.dx + np.abs(v).max() / grid.dy)
    assert sim.cfl() == pytest.approx(cfl)
    sim.step()
    assert sim.cfl() == pytest.approx(cfl, rel=1e-2)


def test_every_entry_point_is_masked():
    grid = Grid(24, 20)
    sim = Solver(grid, Flow(), dt=1e-3, forcing=Everywhere())
    noise = np.random.default_rng(0).standard_normal((2, grid.nkx, grid.ny))
    sim.set_spectral(noise[0] + 1j * noise[1])
    sim.step(3)
    assert np.all(sim.omega_hat[~grid.mask] == 0)
    assert sim.omega_hat[0, 0] == 0
    assert np.array_equal(sim.omega_hat[0, 1:], sim.omega_hat[0, :0:-1].conj())


class Everywhere:
    def add(self, source_hat, t, step):
        source_hat += 1 + 1j


def test_adaptive_step_keeps_the_cfl_number():
    grid = Grid(64, 48)
    sim = Solver(grid, Flow(viscosity=1e-3), cfl=0.2)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=5))
    for _ in range(20):
        sim.step()
        assert sim.cfl() == pytest.approx(0.2)
    capped = Solver(grid, Flow(viscosity=1e-3), cfl=0.2, dt=1e-4)
    capped.set_vorticity(initial.random_spectrum(grid, k_peak=5))
    capped.step()
    assert capped.dt == 1e-4


def test_a_closure_is_part_of_the_right_hand_side():
    """An eddy viscosity given as a closure, which uses the grid's transforms, against Flow's."""
    grid = Grid(32, 24)

    class Eddy:
        def add(self, source_hat, state):
            omega = state.omega  # a round trip through the transforms that a step uses
            source_hat -= 0.05 * grid.k2 * grid.to_spectral(omega)

    start = initial.random_spectrum(grid, k_peak=4)
    results = []
    for flow, closure in ((Flow(viscosity=0.05), None), (Flow(), Eddy())):
        sim = Solver(grid, flow, dt=2e-4, scheme="rk4cn", closure=closure)
        sim.set_vorticity(start)
        sim.step(200)
        results.append(sim.omega)
    np.testing.assert_allclose(*results, atol=1e-5)


def test_two_solvers_may_share_a_grid():
    grid = Grid(32, 24)
    alone, first, second = (Solver(grid, Flow(), dt=1e-3) for _ in range(3))
    start = initial.random_spectrum(grid, k_peak=4)
    for sim in (alone, first, second):
        sim.set_vorticity(start if sim is not second else 2 * start)
    alone.step(10)
    for _ in range(10):
        first.step()
        second.step()
    assert np.array_equal(first.omega_hat, alone.omega_hat)


def test_single_precision_follows_double():
    fields = []
    for dtype in (np.float64, np.float32):
        grid = Grid(48, 36, dtype=dtype)
        sim = Solver(grid, Flow(viscosity=1e-3), dt=1e-3, forcing=Deterministic(mx=2))
        sim.set_vorticity(initial.random_spectrum(grid, k_peak=4))
        sim.step(100)
        assert sim.omega.dtype == dtype
        fields.append(sim.omega)
    np.testing.assert_allclose(fields[1], fields[0], atol=1e-3)


# ------------------------------------------------------------------------------ what goes wrong ---


def test_a_blow_up_is_noticed_within_a_few_steps():
    grid = Grid(32, 24)
    sim = Solver(grid, Flow(), dt=0.5)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=4))
    with pytest.raises(BlowUp, match=r"blew up at step 0, t = 0: CFL number .* expected at most"):
        sim.step(100)
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=4))
    sim.step(9)
    sim.omega_hat[3, 4] = np.nan
    sim._forget()
    with pytest.raises(BlowUp, match=r"at step 9, t = 0.009: CFL number nan"):
        sim.step(100)


def test_nothing_is_written_of_a_flow_that_is_not_finite():
    grid = Grid(16, 16)
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=2))
    sim.step(5)
    sim.omega_hat[...] = np.inf
    recorder = Recorder(every=1)
    with pytest.raises(BlowUp, match="it is not finite"):
        sim.run(until=1, outputs=[recorder])
    assert recorder.written == []


class Recorder:
    def __init__(self, every, saves_state=False):
        self.every, self.saves_state, self.written, self.log = every, saves_state, [], []

    def due(self, t, step):
        return step % self.every == 0

    def open(self, sim):
        self.log.append("open")

    def write(self, sim):
        self.written.append(sim.steps)

    def close(self):
        self.log.append("close")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_checkpoint(number):
    grid = Grid(16, 16)
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=2))
    plain, keeper = Recorder(10**9), Recorder(10**9, saves_state=True)
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"stopped by signal {number.value} at step") as stopped:
        sim.run(until=1e9, outputs=[plain, keeper])
    assert stopped.value.number == number
    assert keeper.written == [0, sim.steps]
    assert plain.written == [0]
    assert plain.log == keeper.log == ["open", "close"]
    assert signal.getsignal(number) == before


def test_outputs_are_closed_whatever_happens():
    class Broken(Recorder):
        def open(self, sim):
            raise OSError("no room")

    grid = Grid(16, 16)
    sim = Solver(grid, Flow(), dt=1e-3)
    first = Recorder(1)
    with pytest.raises(OSError, match="no room"):
        sim.run(until=1, outputs=[first, Broken(1)])
    assert first.log == ["open", "close"]
    assert sim.steps == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(), "a time step is needed"),
        (dict(dt=0.0), "dt must be a finite number > 0, got 0.0"),
        (dict(dt=-1.0), "dt must be a finite number > 0, got -1.0"),
        (dict(cfl=float("nan")), "cfl must be a finite number > 0, got nan"),
        (dict(cfl=0.5), "cfl must be at most 0.25, the stability limit of ab2cn on this grid"),
        (dict(dt=1.0, scheme="rk5"), "scheme must be one of ab2cn, rk3cn, rk4cn, got 'rk5'"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(InputError, match=message):
        Solver(Grid(16, 16), Flow(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(viscosity=-1.0), "viscosity must be a finite number >= 0, got -1.0"),
        (dict(drag=float("inf")), "drag must be a finite number >= 0, got inf"),
        (dict(viscosity_order=0), "viscosity_order must be 1 .. 8, got 0"),
        (dict(beta=float("nan")), "beta must be a finite number, got nan"),
    ],
)
def test_bad_flows(arguments, message):
    with pytest.raises(InputError, match=message):
        Flow(**arguments)


def test_bad_fields_change_nothing():
    grid = Grid(16, 12)
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=2))
    before = sim.omega_hat.copy()
    nan = sim.omega
    nan[3, 4] = np.nan
    for bad, message in (
        (nan, "must be finite, got 1 values NaN or infinite"),
        (np.zeros((16, 12)), r"shape \(12, 16\), got \(16, 12\)"),
        (np.zeros((12, 16), complex), "real numbers, got complex128"),
        (np.full((12, 16), "x"), "real numbers, got <U1"),
    ):
        with pytest.raises(InputError, match=message):
            sim.set_vorticity(bad)
    assert np.array_equal(sim.omega_hat, before)


def test_a_fluid_at_rest_needs_a_longest_step():
    grid = Grid(16, 16)
    sim = Solver(grid, Flow(), cfl=0.2, forcing=Deterministic(mx=1))
    with pytest.raises(InputError, match="at rest: give dt"):
        sim.step()
    Solver(grid, Flow(), cfl=0.2, dt=0.01, forcing=Deterministic(mx=1)).step(3)


def test_it_says_what_it_is():
    sim = Solver(Grid(16, 12), Flow(viscosity=1e-3), dt=1e-3, forcing=Deterministic(mx=2))
    for part in ("16 x 12 points", "viscosity=0.001", "ab2cn, dt=0.001", "Deterministic(mx=2"):
        assert part in repr(sim)
    assert isinstance(Deterministic(mx=2) + Waves([(1, 0, 1.0)]), Sum)
