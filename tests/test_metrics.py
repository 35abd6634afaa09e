"""Metrics: closed forms, invariances, and the package's own terms and spectra as oracles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tolerances import ROUNDING

from pytbl import Grid, diagnostics, initial, metrics
from pytbl.errors import InputError
from pytbl.filters import Gaussian
from pytbl.periodic import gradient, laplacian, streamfunction
from pytbl.subgrid import SubgridTerms

#: Rounding of second derivatives and of ratios of sums.
SMOOTH = 100 * ROUNDING
LX, LY = 2 * np.pi, 3.0
BOX = {"lx": LX, "ly": LY}


def flow(rng=1, k_peak=5):
    """A smooth vorticity."""
    grid = Grid(32, 24, **BOX, dealias="3/2", reproducible=True)
    return initial.random_spectrum(grid, k_peak=k_peak, rng=rng)


@pytest.fixture(scope="module")
def exact():
    """The exact terms of three flows: omega, Pi, stress and flux, in space."""
    fine = Grid(96, 64, **BOX, reproducible=True)
    coarse = Grid(32, 24, **BOX, dealias="3/2", reproducible=True)
    terms = SubgridTerms(fine, coarse, Gaussian(2.0))
    hats = [fine.to_spectral(initial.random_spectrum(fine, k_peak=6, rng=i)) for i in range(3)]

    def in_space(make):
        parts = [[coarse.to_physical(part) for part in make(hat)] for hat in hats]
        return [np.array(part) for part in zip(*parts, strict=True)]

    (omega,) = in_space(lambda hat: (terms.coarsen(hat),))
    (pi,) = in_space(lambda hat: (terms.source(hat),))
    return omega, pi, in_space(terms.stress), in_space(terms.vorticity_flux)


# ---------------------------------------------------------------------------------- derivatives ---


@pytest.mark.parametrize(("nx", "ny"), [(24, 16), (15, 21), (16, 9)])
def test_derivatives_of_waves(nx, ny):
    x, y = LX / nx * np.arange(nx), LY / ny * np.arange(ny)[:, None]
    kx, ky = 2 * np.pi / LX * 3, 2 * np.pi / LY * 2
    wave = np.cos(kx * x - ky * y)
    along_x, along_y = gradient(wave, **BOX)
    np.testing.assert_allclose(along_x, -kx * np.sin(kx * x - ky * y), atol=SMOOTH)
    np.testing.assert_allclose(along_y, ky * np.sin(kx * x - ky * y), atol=SMOOTH)
    np.testing.assert_allclose(laplacian(wave, **BOX), -(kx**2 + ky**2) * wave, atol=SMOOTH)
    np.testing.assert_allclose(streamfunction(wave, **BOX), wave / (kx**2 + ky**2), atol=SMOOTH)


def test_the_mode_at_nyquist_has_no_derivative():
    stripes = np.ones((8, 1)) * (-1.0) ** np.arange(12)
    assert np.abs(laplacian(stripes, **BOX)).max() < ROUNDING
    assert np.abs(laplacian(stripes.T, **BOX)).max() < ROUNDING


# ------------------------------------------------------------------------------------- a priori ---


@given(
    gain=st.floats(0.01, 100),
    offset=st.floats(-10, 10),
    seed=st.integers(0, 99),
    flip=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_correlation_is_blind_to_gain_and_offset(gain, offset, seed, flip):
    truth = np.random.default_rng(seed).standard_normal((2, 12, 16))
    sign = -1 if flip else 1
    c = metrics.correlation(sign * gain * truth + offset, truth)
    assert c.shape == (2,)
    np.testing.assert_allclose(c, sign, atol=1e-9)


def test_correlation_is_that_of_statistics():
    p, t = np.random.default_rng(0).standard_normal((2, 12, 16))
    p += 0.5 * t
    assert metrics.correlation(p, t) == pytest.approx(np.corrcoef(p.ravel(), t.ravel())[0, 1])
    where = t > 0
    assert metrics.correlation(p, t, where=where) == pytest.approx(
        np.corrcoef(p[where], t[where])[0, 1]
    )
    assert np.isnan(metrics.correlation(np.ones_like(t), t))
    assert np.isnan(metrics.correlation(p, t, where=np.zeros_like(where)))


@given(gain=st.floats(0.0, 5.0))
@settings(max_examples=20, deadline=None)
def test_errors_of_a_gain(gain):
    omega = np.array([flow(1), flow(2)])
    truth = laplacian(omega, **BOX)
    distance = pytest.approx(abs(gain - 1), abs=SMOOTH)
    assert metrics.relative_rmse(gain * truth, truth) == distance
    assert metrics.spectral_rmse(gain * truth, truth, **BOX) == distance
    errors = metrics.transfer_errors(gain * truth, truth, omega, **BOX)
    assert errors.energy == distance
    assert errors.enstrophy == distance


def test_the_spectral_error_is_blind_to_phases_and_the_other_is_not():
    truth = flow()
    moved = np.roll(truth, (5, 3), (0, 1))
    assert metrics.spectral_rmse(moved, truth, **BOX) < SMOOTH
    assert metrics.relative_rmse(moved, truth) > 0.5


def test_the_spectral_error_counts_every_shell_alike():
    """One of two shells is doubled; the other has a thousandth of its power."""
    x = LX / 32 * np.arange(32)
    truth = np.ones((24, 1)) * (np.cos(3 * x) + 0.03 * np.cos(6 * x))
    wrong = np.ones((24, 1)) * (np.cos(3 * x) + 0.06 * np.cos(6 * x))
    assert metrics.spectral_rmse(wrong, truth, **BOX) == pytest.approx(0.5)
    assert metrics.relative_rmse(wrong, truth) < 0.04


def test_a_zero_truth_has_no_relative_error():
    zero, omega = np.zeros((24, 32)), flow()
    assert math.isnan(metrics.relative_rmse(omega, zero))
    assert math.isnan(metrics.spectral_rmse(omega, zero, **BOX))
    assert all(math.isnan(e) for e in metrics.transfer_errors(omega, zero, omega, **BOX))


def test_an_eddy_viscosity_diffuses_everywhere_and_drains_what_theory_says():
    nu, omega = 0.3, np.array([flow(1), flow(2)])
    pi = nu * laplacian(omega, **BOX)
    assert (metrics.diffusion(pi, omega, **BOX) >= 0).all()
    np.testing.assert_allclose(
        metrics.energy_transfer(pi, omega, **BOX), -nu * (omega**2).mean((1, 2)), rtol=SMOOTH
    )
    along_x, along_y = gradient(omega, **BOX)
    np.testing.assert_allclose(
        metrics.enstrophy_transfer(pi, omega),
        -nu * (along_x**2 + along_y**2).mean((1, 2)),
        rtol=SMOOTH,
    )
    assert np.isnan(metrics.correlation_backscatter(pi, pi, omega, **BOX)).all()
    np.testing.assert_allclose(metrics.correlation_forward(pi, pi, omega, **BOX), 1)


def test_correlations_of_diffusion_and_backscatter_are_apart(exact):
    omega, pi, *_ = exact
    predicted = np.where(metrics.diffusion(pi, omega, **BOX) > 0, 2 * pi, -pi)
    np.testing.assert_allclose(metrics.correlation_forward(predicted, pi, omega, **BOX), 1)
    np.testing.assert_allclose(metrics.correlation_backscatter(predicted, pi, omega, **BOX), -1)
    assert (metrics.correlation(predicted, pi) < 1).all()


def test_shells_sum_to_the_transfers_and_are_those_of_the_diagnostics(exact):
    omega, pi, *_ = exact
    k, energy, enstrophy = metrics.shell_transfers(pi, omega, **BOX)
    assert energy.shape == enstrophy.shape == (3, len(k))
    np.testing.assert_allclose(
        energy.sum(1), metrics.energy_transfer(pi, omega, **BOX), atol=SMOOTH
    )
    np.testing.assert_allclose(enstrophy.sum(1), metrics.enstrophy_transfer(pi, omega), atol=SMOOTH)
    grid = Grid(32, 24, **BOX, dealias="3/2", reproducible=True)
    own = diagnostics.transfer_spectra(grid, grid.to_spectral(omega[1]), grid.to_spectral(pi[1]))
    for ours, theirs in zip((k, energy[1], enstrophy[1]), own, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=SMOOTH)


def test_local_transfers_have_the_mean_of_the_exact_term(exact):
    omega, pi, stress, flux = exact
    energy = metrics.local_energy_transfer(stress, omega, **BOX)
    np.testing.assert_allclose(
        energy.mean((1, 2)), -metrics.energy_transfer(pi, omega, **BOX), atol=SMOOTH
    )
    enstrophy = metrics.local_enstrophy_transfer(flux, omega, **BOX)
    np.testing.assert_allclose(
        enstrophy.mean((1, 2)), -metrics.enstrophy_transfer(pi, omega), atol=SMOOTH
    )


def test_viscous_stress_and_flux_pass_everything_on():
    nu, omega = 0.3, flow()
    psi = streamfunction(omega, **BOX)
    v, u = gradient(psi, **BOX)
    (u_x, u_y), (v_x, v_y) = gradient(u, **BOX), gradient(-v, **BOX)
    stress = -2 * nu * u_x, -nu * (u_y + v_x), -2 * nu * v_y
    energy = metrics.local_energy_transfer(stress, omega, **BOX)
    np.testing.assert_allclose(energy, nu * (4 * u_x**2 + (u_y + v_x) ** 2), atol=SMOOTH)
    along_x, along_y = gradient(omega, **BOX)
    enstrophy = metrics.local_enstrophy_transfer((-nu * along_x, -nu * along_y), omega, **BOX)
    np.testing.assert_allclose(enstrophy, nu * (along_x**2 + along_y**2), rtol=SMOOTH)


def scores(predicted, truth, omega, **box):
    """All that does not depend on where the origin lies, or on the sign of rotation."""
    return np.array(
        [
            metrics.correlation(predicted, truth),
            metrics.correlation_forward(predicted, truth, omega, **box),
            metrics.correlation_backscatter(predicted, truth, omega, **box),
            metrics.relative_rmse(predicted, truth),
            metrics.spectral_rmse(predicted, truth, **box),
            metrics.energy_transfer(predicted, omega, **box),
            metrics.enstrophy_transfer(predicted, omega),
            *metrics.transfer_errors(predicted, truth, omega, **box),
        ]
    )


@given(
    shift=st.tuples(st.integers(0, 23), st.integers(0, 31)),
    sign=st.sampled_from((-1, 1)),
    seed=st.integers(0, 9),
)
@settings(max_examples=15, deadline=None)
def test_invariance_under_translation_and_sign(shift, sign, seed):
    fields = [flow(seed, 4), flow(seed + 10), flow(seed + 20)]
    moved = [sign * np.roll(field, shift, (0, 1)) for field in fields]
    np.testing.assert_allclose(scores(*moved, **BOX), scores(*fields, **BOX), rtol=1e-9)


@given(turns=st.integers(1, 3), seed=st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_invariance_under_rotation(turns, seed):
    """A rectangle becomes one of the other proportions."""
    fields = [flow(seed, 4), flow(seed + 10), flow(seed + 20)]
    turned = [np.rot90(field, turns) for field in fields]
    box = BOX if turns == 2 else {"lx": LY, "ly": LX}
    np.testing.assert_allclose(scores(*turned, **box), scores(*fields, **BOX), rtol=1e-9)


def test_fields_that_cannot_be_compared():
    omega = flow()
    with pytest.raises(InputError, match=r"predicted and truth must have the same shape, got \(24"):
        metrics.correlation(omega, omega[:-1])
    with pytest.raises(
        InputError, match=r"omega must be real, of shape \(..., ny, nx\), got compl"
    ):
        metrics.energy_transfer(omega, omega * 1j, **BOX)
    with pytest.raises(InputError, match="lx must be a finite number > 0, got 0"):
        metrics.spectral_rmse(omega, omega, lx=0.0, ly=LY)


# --------------------------------------------------------------------------------- a posteriori ---


def test_percentiles_of_the_means_of_pieces():
    """Thirty records in ten pieces, whose means are 0 to 9 in the first shell."""
    times = np.linspace(5, 8, 30, endpoint=False)
    spectra = np.stack([np.repeat(np.arange(10.0), 3), np.ones(30)], axis=1)
    spectra[:, 0] += np.tile((-1.0, 0.0, 1.0), 10)
    # pieces are of equal time up to the last record, and the last one lies in the tenth
    mean, low, high = metrics.mean_spectrum(spectra, np.r_[times[:-1], 8.0], pieces=10)
    np.testing.assert_allclose(mean, (4.5, 1))
    np.testing.assert_allclose(low, (2.25, 1))
    np.testing.assert_allclose(high, (6.75, 1))
    one = metrics.mean_spectrum(spectra, times, pieces=1)
    assert np.array_equal(one.low, one.high)


def test_a_mean_spectrum_needs_a_record():
    with pytest.raises(InputError, match="at least a record and a piece are needed, got 0 and 10"):
        metrics.mean_spectrum(np.zeros((0, 4)), [])
    with pytest.raises(InputError, match="got 3 of spectra, 2 of times"):
        metrics.mean_spectrum(np.ones((3, 4)), [0, 1])


def test_the_spectral_gap_is_in_decades_of_the_range():
    k = np.arange(20.0)
    reference = np.r_[0.0, k[1:] ** -3.0]
    twice = np.where(k >= 10, 2.0, 50.0) * reference
    assert metrics.spectral_gap(k, twice, reference) == pytest.approx(math.log10(2))
    assert metrics.spectral_gap(k, reference / 2, reference) == pytest.approx(math.log10(2))
    assert metrics.spectral_gap(k, twice, reference, k_min=1, k_max=9) == pytest.approx(
        math.log10(50)
    )
    assert math.isinf(metrics.spectral_gap(k, 0 * reference, reference))
    with pytest.raises(InputError, match="no shell with energy lies in 30 <= k <= inf"):
        metrics.spectral_gap(k, twice, reference, k_min=30)


@pytest.fixture(scope="module")
def normal():
    """Values with the distribution of a Gaussian, without chance."""
    return stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)


def test_distances_of_shifted_gaussians(normal):
    assert metrics.wasserstein(normal + 0.3, normal) == pytest.approx(0.3)
    assert metrics.wasserstein(2 * normal, normal) == pytest.approx(math.sqrt(2 / math.pi), 1e-3)
    densities = [metrics.pdf(normal + d, limits=(-6, 12), bins=300) for d in (0.0, 0.3, 0.6, 12.0)]
    near, far, further = (metrics.jensen_shannon(d, densities[0]) for d in densities[1:])
    assert metrics.jensen_shannon(densities[0], densities[0]) == 0
    # close by, the divergence is an eighth of the Fisher information times the square of the shift
    assert near == pytest.approx(0.3**2 / 8 / math.log(2), rel=0.05)
    assert near < far < further <= 1
    assert near == pytest.approx(metrics.jensen_shannon(densities[0], densities[1]))


def test_the_density_of_a_gaussian(normal):
    edges, density = metrics.pdf(normal, limits=(-2, 2), bins=40)
    np.testing.assert_allclose(density, np.diff(stats.norm.cdf(edges)) / 0.1, atol=1e-3)


def test_densities_that_share_nothing():
    one, other = (metrics.pdf([x], limits=(0, 4), bins=4) for x in (0.5, 2.5))
    assert metrics.jensen_shannon(one, other) == 1
    with pytest.raises(InputError, match="on the same bins"):
        metrics.jensen_shannon(one, metrics.pdf([0.5], limits=(0, 5), bins=4))
    with pytest.raises(InputError, match="got an empty one"):
        metrics.jensen_shannon(one, metrics.pdf([7.0], limits=(0, 4), bins=4))
    with pytest.raises(InputError, match="a density needs values"):
        metrics.pdf([], limits=(0, 4))


def test_tails_and_flatness(normal):
    share = stats.norm.sf(1.5) / stats.norm.sf(3)
    assert metrics.tail_ratio(2 * normal, normal) == pytest.approx(share, rel=0.01)
    assert metrics.tail_ratio(normal, normal) == 1
    assert metrics.tail_ratio(normal, normal, deviations=2.0) == 1
    assert math.isnan(metrics.tail_ratio(normal, np.array([0.0, 1.0])))
    assert metrics.flatness(normal) == pytest.approx(3, abs=0.01)
    assert metrics.flatness(5 + np.linspace(0, 1, 1001)) == pytest.approx(1.8, abs=0.01)
    assert math.isnan(metrics.flatness(np.ones(4)))


def test_stability_ends_when_enstrophy_leaves_its_bounds():
    times = np.arange(5, 11.0)
    assert math.isinf(metrics.stability_time(times, np.full(6, 2.9), 1.0))
    assert metrics.stability_time(times, [1, 2, 3, 3.1, 1, 1], 1.0) == 3
    assert metrics.stability_time(times, [1, 2, 0.3, 1, 1, 1], 1.0) == 2
    assert metrics.stability_time(times, [1, 1, 1, 1, np.nan, 1], 1.0) == 4
    assert metrics.stability_time(times, [1, 2, 1, 1, 1, 1], 1.0, within=(0.5, 1.5)) == 1


def test_decorrelation_is_found_between_records():
    assert metrics.decorrelation_time([3, 4, 5], [1, 0.97, 0.93]) == pytest.approx(1.5)
    assert metrics.decorrelation_time([3, 4, 5], [1, 1, 0.5], threshold=0.5) == math.inf
    assert metrics.decorrelation_time([3, 4], [0.2, 0.1]) == 0
    assert metrics.decorrelation_time([3, 4, 5], [1, 0.99, np.nan]) == 2


def test_wall_time_over_a_restart():
    """Four time units in eight seconds, and between them one in which the clock began again."""
    times = [0, 1, 2, 3, 4, 5]
    wall = [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
    assert metrics.wall_time_per_time(times, wall) == pytest.approx(2)
    assert math.isnan(metrics.wall_time_per_time([0, 1], [3.0, 0.0]))
    with pytest.raises(InputError, match="as many records as times, got 2 of times, 3 of wall"):
        metrics.wall_time_per_time([0, 1], [0, 1, 2])
