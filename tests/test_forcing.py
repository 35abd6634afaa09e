"""Forcings: sign, size, symmetry, composition, independence of the slabs."""

import numpy as np
import pytest
from tolerances import ROUNDING

from pytbl import Flow, Grid, Solver, filters
from pytbl.errors import InputError
from pytbl.forcing import Deterministic, Filtered, Kolmogorov, Ring, filtered, split


def source(grid, forcing, step=0):
    forcing.bind(grid)
    hat = grid.zeros_spectral()
    forcing.add(hat, 0.0, step)
    return hat


@pytest.mark.parametrize(("mx", "ny"), [(4, 0), (0, 3), (2, 5)])
def test_deterministic_is_minus_the_papers_f(mx, ny):
    grid = Grid(32, 24, lx=3.0, ly=5.0)
    x, y = np.meshgrid(2 * np.pi * grid.x / grid.lx, 2 * np.pi * grid.y / grid.ly)
    expected = -(mx * np.cos(mx * x) + ny * np.cos(ny * y))
    field = grid.to_physical(source(grid, Deterministic(mx=mx, ny=ny)))
    np.testing.assert_allclose(field, expected, atol=ROUNDING * max(mx, ny))


def test_kolmogorov_is_the_curl_of_its_force():
    grid = Grid(32, 24, ly=5.0)
    wavenumber = 3 * 2 * np.pi / grid.ly
    _, y = np.meshgrid(grid.x, grid.y)
    field = grid.to_physical(source(grid, Kolmogorov(mode=3, amplitude=0.7)))
    np.testing.assert_allclose(field, -0.7 * wavenumber * np.cos(wavenumber * y), atol=ROUNDING)


@pytest.mark.parametrize("dt", [5e-3, 1e-4])
def test_steady_forced_balance(dt):
    """With one direction of forcing, omega = f / (nu k^2 + r) is steady, whatever the step."""
    grid = Grid(32, 24)
    flow = Flow(viscosity=5e-5, drag=0.1)
    forcing = Deterministic(mx=4, ny=0)
    sim = Solver(grid, flow, dt=dt, forcing=forcing)
    balanced = source(grid, forcing) / (flow.viscosity * 16 + flow.drag)
    assert 2 * np.abs(balanced).max() == pytest.approx(4 / (8e-4 + 0.1))
    sim.set_spectral(balanced)
    sim.step(20)
    np.testing.assert_allclose(sim.omega_hat, balanced, atol=ROUNDING * 40)


def energy_of(grid, hat):
    return 0.5 * grid.sum_modes(np.abs(hat) ** 2 * grid.inverse_k2)


@pytest.mark.parametrize("step", [0, 1, 12345])
def test_ring_has_exactly_its_energy(step):
    grid = Grid(48, 36, ly=3 * np.pi)
    hat = source(grid, Ring(k=6, width=2, energy_rate=0.3, rng=7), step)
    assert energy_of(grid, hat) == pytest.approx(0.3, rel=ROUNDING)
    radius = np.sqrt(grid.k2[np.abs(hat) > 0])
    assert radius.min() >= 5
    assert radius.max() <= 7
    assert np.array_equal(hat[0, 1:], hat[0, :0:-1].conj())
    field = grid.to_physical(hat)
    np.testing.assert_allclose(grid.to_spectral(field), hat, atol=ROUNDING)


def test_ring_is_white_and_seeded():
    grid = Grid(48, 36)
    first = source(grid, Ring(k=6, rng=1), 5)
    assert np.array_equal(first, source(grid, Ring(k=6, rng=1), 5))
    others = [source(grid, Ring(k=6, rng=1), 6), source(grid, Ring(k=6, rng=2), 5)]
    for other in others:
        overlap = energy_of(grid, first + other) - energy_of(grid, first) - energy_of(grid, other)
        assert abs(overlap) < 0.5


def test_ring_puts_its_energy_into_the_flow():
    """The first impulse meets a fluid at rest: its energy is exactly that of the rate."""
    grid = Grid(48, 36)
    sim = Solver(grid, Flow(), dt=0.01, forcing=Ring(k=6, energy_rate=0.3))
    sim.step()
    assert energy_of(grid, sim.omega_hat) == pytest.approx(0.3 * 0.01, rel=1e-10)


def test_mean_energy_input_of_the_ring():
    """Over many steps the energy grows as the rate says, within its statistical error."""
    grid, rate, steps, dt = Grid(32, 32), 0.5, 2000, 1e-3
    sim = Solver(grid, Flow(), dt=dt, forcing=Ring(k=8, width=2, energy_rate=rate, rng=3))
    sim.step(steps)
    gained = energy_of(grid, sim.omega_hat)
    modes = len(sim.forcing._mx)
    # sum of `steps` impulses of random phase: the spread of |sum|^2 over independent modes
    assert gained == pytest.approx(rate * steps * dt, rel=4 / np.sqrt(modes))


@pytest.mark.mpi(nprocs=(3,))
def test_ring_does_not_depend_on_the_ranks(comm):
    ring = Ring(k=6, width=3, rng=4)
    serial = source(Grid(48, 36), ring)
    grid = Grid(48, 36, comm=comm)
    mine = source(grid, ring)
    assert np.array_equal(mine, serial[grid.kx_start : grid.kx_start + grid.nkx_local])


def test_sums_and_multiples():
    grid = Grid(32, 24)
    waves, ring = Deterministic(mx=2), Ring(k=5, energy_rate=1.0)
    both = 0.5 * (waves + ring) + Kolmogorov(mode=3)
    assert repr(both) == (
        "0.5 * Deterministic(mx=2, ny=0) + 0.5 * Ring(k=5, width=1, energy_rate=1, rng=0) + "
        "Kolmogorov(mode=3, amplitude=1)"
    )
    both.bind(grid)
    rates, impulses = split(both)
    assert len(rates) == 2
    assert len(impulses) == 1
    assert impulses[0].energy_rate == 0.25
    hat = source(grid, 0.5 * waves)
    np.testing.assert_allclose(hat, 0.5 * source(grid, waves), atol=ROUNDING)


class Gust:
    """A user's forcing: no base class, no registration, and it depends on time."""

    def add(self, source_hat, t, step):
        source_hat[1, 1] += np.cos(t)


def test_a_users_own_forcing():
    """d omega / dt = cos(t) in one mode that does not advect itself."""
    grid = Grid(16, 16)
    sim = Solver(grid, Flow(), dt=0.01, scheme="rk4cn", forcing=Gust() + Deterministic(mx=1) * 0)
    sim.step(100)
    assert sim.omega_hat[1, 1] == pytest.approx(np.sin(1.0), rel=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Deterministic(mx=0, ny=0), "needs mx or ny > 0"),
        (lambda: Deterministic(mx=-1), "mx must be an integer >= 0, got -1"),
        (lambda: Deterministic(mx=1.5), "mx must be an integer >= 0, got 1.5"),
        (lambda: Kolmogorov(mode=0), "needs mode > 0"),
        (lambda: Ring(k=-1), "k of a ring must be a finite number > 0, got -1"),
        (lambda: Ring(k=3, energy_rate=np.nan), "energy_rate must be a finite number >= 0"),
        (lambda: Deterministic(mx=6).bind(Grid(16, 16)), r"mode \(6, 0\) is not kept .* \(5, 5\)"),
        (lambda: Ring(k=7).bind(Grid(16, 16)), "is not kept"),
        (lambda: Ring(k=1.5, width=0.01).bind(Grid(16, 16)), "holds no mode"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_filtering_keeps_what_is_white_in_time():
    """Each member of a sum on its own: an impulse stays one, with the filter's share of it."""
    grid = Grid(32, 24, dealias="3/2", reproducible=True)
    gaussian = filters.Gaussian(ratio=4)
    both = filtered(Deterministic(mx=2) + Ring(k=5, energy_rate=0.3, rng=1), gaussian)
    both.bind(grid)
    rates, impulses = split(both)
    assert len(rates) == len(impulses) == 1
    assert rates[0].steady and impulses[0].impulsive
    plain, impulse = grid.zeros_spectral(), grid.zeros_spectral()
    impulses[0].add(impulse, 0.0, 3)
    ring = Ring(k=5, energy_rate=0.3, rng=1)
    ring.bind(grid)
    ring.add(plain, 0.0, 3)
    np.testing.assert_allclose(impulse, gaussian.transfer(grid) * plain, rtol=1e-13)
    with pytest.raises(InputError, match="filtered one by one"):
        Filtered(Deterministic(mx=2) + Ring(k=5), gaussian)
