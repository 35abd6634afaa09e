"""Diagnostics against exact rationals, Parseval's identity, and closed budgets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import ROUNDING

from pytbl import Flow, Grid, Solver, initial
from pytbl import diagnostics as d
from pytbl.forcing import Deterministic, Kolmogorov, Ring


def test_energy_enstrophy_palinstrophy_are_exact_rationals():
    """psi = sin(2x) cos(2y') + 2 sin(x) cos(3y'), y' = 2 pi y / ly, on a grid of unlike sides."""
    grid = Grid(128, 126, lx=2 * np.pi, ly=3 * np.pi)
    x, y = np.meshgrid(grid.x, 2 / 3 * grid.y)
    omega = (4 + 16 / 9) * np.sin(2 * x) * np.cos(2 * y) + 10 * np.sin(x) * np.cos(3 * y)
    hat = grid.to_spectral(omega)
    assert d.energy(grid, hat) == pytest.approx(29 / 9, rel=ROUNDING)
    assert d.enstrophy(grid, hat) == pytest.approx(2701 / 162, rel=ROUNDING)
    assert d.palinstrophy(grid, hat) == pytest.approx(126277 / 1458, rel=ROUNDING)


@settings(max_examples=25, deadline=None)
@given(
    half=st.tuples(st.sampled_from([4, 7, 12, 20]), st.sampled_from([4, 5, 9, 16])),
    lengths=st.tuples(st.floats(0.5, 9), st.floats(0.5, 9)),
    dealias=st.sampled_from(["2/3", "3/2"]),
    seed=st.integers(0, 99),
)
def test_parseval(half, lengths, dealias, seed):
    grid = Grid(
        2 * half[0], 2 * half[1], lx=lengths[0], ly=lengths[1], dealias=dealias, reproducible=True
    )
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(np.random.default_rng(seed).standard_normal((grid.ny, grid.nx)))
    hat, (u, v) = sim.omega_hat, sim.velocity()
    energy, enstrophy = grid.mean(u**2 + v**2) / 2, grid.mean(sim.omega**2) / 2
    assert d.energy(grid, hat) == pytest.approx(energy, rel=ROUNDING)
    assert d.enstrophy(grid, hat) == pytest.approx(enstrophy, rel=ROUNDING)
    k, spectrum = d.energy_spectrum(grid, hat)
    assert len(k) == len(spectrum)
    assert spectrum.sum() == pytest.approx(energy, rel=ROUNDING)
    assert d.enstrophy_spectrum(grid, hat)[1].sum() == pytest.approx(enstrophy, rel=ROUNDING)


@pytest.mark.parametrize(
    ("mx", "my", "shell"), [(0, 3, 3), (3, 0, 3), (2, 2, 3), (1, 1, 1), (5, 3, 6)]
)
def test_one_wave_fills_one_shell(mx, my, shell):
    grid = Grid(36, 32)
    x, y = np.meshgrid(grid.x, grid.y)
    hat = grid.to_spectral(np.cos(mx * x + my * y))
    expected = np.zeros(len(d.shell_wavenumbers(grid)))
    expected[shell] = 0.25
    np.testing.assert_allclose(d.enstrophy_spectrum(grid, hat)[1], expected, atol=ROUNDING)
    np.testing.assert_allclose(
        d.energy_spectrum(grid, hat)[1], expected / (mx**2 + my**2), atol=ROUNDING
    )


def test_shells_count_modes_of_the_whole_plane():
    grid = Grid(30, 48, lx=2 * np.pi, ly=4 * np.pi)
    mx, my = np.meshgrid(np.arange(-9, 10), np.arange(-15, 16))
    shells = np.floor(np.hypot(2 * mx, my) + 0.5)  # in units of dk = 1/2
    expected = np.bincount(shells.astype(int).ravel())
    counted = d.shell_sum(grid, lambda c: np.ones((len(grid.kx[c]), grid.ny)))
    np.testing.assert_array_equal(counted, expected)
    complete = d.complete_shells(grid)
    radius = np.hypot(2 * np.arange(-99, 100)[:, None], np.arange(-99, 100))
    everywhere = np.bincount(np.floor(radius + 0.5).astype(int).ravel())
    np.testing.assert_array_equal(counted[:complete], everywhere[:complete])
    assert counted[complete] < everywhere[complete]


def turbulence(flow, forcing=None, **arguments):
    grid = Grid(96, 80, ly=3.0, **arguments)
    sim = Solver(grid, flow, dt=1e-4, scheme="rk4cn", forcing=forcing)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=12, rng=2))
    return sim


@pytest.mark.parametrize("order", [1, 2])
def test_budgets_close(order):
    """dE/dt and dZ/dt against injection, dissipation and drag."""
    flow = Flow(viscosity=2e-2 if order == 1 else 1e-5, viscosity_order=order, drag=0.3, beta=2.0)
    sim = turbulence(flow, Deterministic(mx=4, ny=2) + Kolmogorov(mode=3))
    h = 1e-4
    values = []
    for _ in range(3):
        values.append(d.summary(sim))
        sim.step()
    before, now, after = values
    for name in ("energy", "enstrophy"):
        change = (after[name] - before[name]) / (2 * h)
        budget = now[f"{name}_injection"] - now[f"{name}_dissipation"] - now[f"{name}_drag"]
        # the central difference and the second-order treatment of L
        assert change == pytest.approx(budget, rel=1e-5)


def test_mean_injection_of_white_noise():
    sim = turbulence(Flow(), Ring(k=12, width=3, energy_rate=0.7))
    energy, enstrophy = d.injection(sim)
    assert energy == pytest.approx(0.7, rel=ROUNDING)
    assert 0.7 * 10.5**2 < enstrophy < 0.7 * 13.5**2


def test_fluxes_close_and_point_the_right_way():
    sim = turbulence(Flow(viscosity=1e-3))
    sim.step(300)
    k, energy, enstrophy = d.fluxes(sim.grid, sim.omega_hat)
    assert abs(energy[-1]) < ROUNDING * np.abs(energy).max() * len(k)
    assert abs(enstrophy[-1]) < ROUNDING * np.abs(enstrophy).max() * len(k)
    beyond = (k > 25) & (k < 45)
    assert enstrophy[beyond].min() > 0


def test_transfer_of_linear_damping_is_minus_twice_the_spectrum():
    sim = turbulence(Flow())
    _, into_energy, into_enstrophy = d.transfer_spectra(sim.grid, sim.omega_hat, -sim.omega_hat)
    np.testing.assert_allclose(
        into_energy, -2 * d.energy_spectrum(sim.grid, sim.omega_hat)[1], atol=1e-14
    )
    assert into_enstrophy.sum() == pytest.approx(-2 * d.enstrophy(sim.grid, sim.omega_hat))


def test_pdf_and_moments_of_a_cosine():
    grid = Grid(256, 8)
    field = np.tile(np.cos(grid.x + 0.001), (8, 1))
    centres, density = d.pdf(grid, field, bins=16, limits=(-1, 1))
    assert (density * np.diff(centres)[0]).sum() == pytest.approx(1)
    # arcsine law, in bins that hold whole numbers of points
    edges = np.linspace(-1, 1, 17)
    expected = np.diff(np.arcsin(edges)) / np.pi / np.diff(edges)
    np.testing.assert_allclose(density, expected, atol=2 / 256 * 8)
    assert d.standardized_moment(grid, field, 3) == pytest.approx(0, abs=1e-10)
    assert d.standardized_moment(grid, field, 4) == pytest.approx(1.5)
    assert d.pdf(grid, 0 * field)[1].max() > 0


def test_summary_of_taylor_green():
    grid = Grid(32, 32)
    sim = Solver(grid, Flow(viscosity=0.01, drag=0.1), dt=1e-3)
    sim.set_vorticity(initial.taylor_green(grid, mx=2, my=2, amplitude=4))
    values = d.summary(sim)
    assert values["enstrophy"] == pytest.approx(2.0)
    assert values["energy"] == pytest.approx(2.0 / 8)
    assert values["energy_dissipation"] == pytest.approx(2 * 0.01 * 2.0)
    assert values["enstrophy_dissipation"] == pytest.approx(2 * 0.01 * 16.0)
    assert values["energy_drag"] == pytest.approx(0.2 * 0.25)
    assert values["integral_scale"] == pytest.approx(2 * np.pi / np.sqrt(8))
    assert values["cfl"] == pytest.approx(1e-3 * 2 / grid.dx)
    assert values["energy_injection"] == 0
    assert [s.name for s in d.SCALARS] == list(values)


@pytest.mark.mpi(nprocs=(3,))
def test_the_same_on_any_number_of_ranks(comm):
    full = initial.random_spectrum(Grid(48, 36), rng=1)
    answers = []
    for grid in (Grid(48, 36), Grid(48, 36, comm=comm)):
        sim = Solver(grid, Flow(viscosity=1e-3), dt=1e-3, forcing=Ring(k=6))
        sim.set_vorticity(initial.from_array(grid, full))
        centres, density = d.pdf(grid, sim.omega)
        answers.append(
            np.concatenate(
                [
                    list(d.summary(sim).values()),
                    d.energy_spectrum(grid, sim.omega_hat)[1],
                    *d.fluxes(grid, sim.omega_hat),
                    density,
                    centres,
                ]
            )
        )
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-10, atol=1e-10)
