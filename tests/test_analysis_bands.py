"""Flows compared by bands: planted changes, chance, blocks of a known memory, and bad input."""

import math

import numpy as np
import pytest

from pytbl.analysis.bands import VARIABLES, compare_flows
from pytbl.analysis.blocks import blocks_of, ratio_of_means
from pytbl.analysis.fields import Fields
from pytbl.errors import InputError
from pytbl.periodic import Modes
from pytbl.plots.activations import flow_spectra

BOX = {"lx": 2 * np.pi, "ly": 2 * np.pi}
N = 32
EDGES = (4.0, 9.0)
#: How far a count of independent samples is from the theory's, of a few hundred.
COUNTED = 0.35


def markov(count, memory, *, shape, rng):
    """A stationary series of normal numbers with the correlation memory^lag."""
    draw = np.random.default_rng(rng).standard_normal
    series = [draw(shape)]
    for _ in range(count - 1):
        series.append(memory * series[-1] + math.sqrt(1 - memory**2) * draw(shape))
    return np.array(series)


def shells(n=N):
    """Number of the shell of each mode."""
    return np.floor(np.sqrt(Modes((n, n), **BOX).k2) + 0.5)


def flow(samples, *, rng, memory=0.0, gain=1.0, n=N):
    """White noise whose modes have a gain; Pi is half of the vorticity."""
    fields = markov(samples, memory, shape=(n, n), rng=rng)
    modes = Modes(fields.shape, **BOX)
    omega = modes.to_physical(gain * modes.to_spectral(fields))
    return Fields(omega, 0.5 * omega, **BOX)


def found(comparison):
    """The bands that differ, as (variable, number)."""
    three = {low: i for i, low in enumerate((0.0, *EDGES))}
    return {(b.variable, three[b.k_min]) for b in comparison.bands if b.differs}


def differ(*flows):
    """Whether any band is said to differ, on a small grid."""
    return any(row.differs for row in compare_flows(*flows, edges=(2, 4), resamples=200).bands)


# ---------------------------------------------------------------------------------- comparisons ---


@pytest.mark.parametrize("band", [0, 1, 2])
@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_a_planted_change_is_found_in_its_band_and_in_no_other(band, gain):
    inside = np.digitize(shells(), EDGES) == band
    base, target = flow(60, rng=1), flow(60, rng=2, gain=np.where(inside, gain, 1.0))
    comparison = compare_flows(base, target, edges=EDGES)
    assert found(comparison) == {(variable, band) for variable in VARIABLES}
    for row in comparison.bands:
        truth = gain**2 if row.k_min == (0.0, *EDGES)[band] else 1.0
        assert row.low < truth < row.high
    verdicts = {("more" if gain > 1 else "less") in line for line in comparison.words()}
    assert verdicts == {True, False}


def test_a_change_that_makes_up_for_itself_within_a_band_is_found():
    k, weight = shells(), Modes((N, N), **BOX).weight
    low, high = (k == 4) | (k == 5), (k == 7) | (k == 8)
    up = 1 + (1 - 0.36) * (weight * high).sum() / (weight * low).sum()
    gain = np.where(low, np.sqrt(up), np.where(high, 0.6, 1.0))
    comparison = compare_flows(flow(60, rng=1), flow(60, rng=2, gain=gain), edges=EDGES)
    assert found(comparison) == {(variable, 1) for variable in VARIABLES}
    (row,) = comparison.differing("omega")
    assert row.low < 1 < row.high
    assert row.least == pytest.approx(0.36, rel=0.2)
    assert row.most == pytest.approx(up, rel=0.2)
    line = next(line for line in comparison.words() if "omega at 4" in line)
    assert "as much power in all, but shells have" in line


def test_spectra_are_the_powers_of_the_fields():
    base, target = flow(5, rng=1), flow(5, rng=2)
    comparison = compare_flows(base, target)
    k = np.hypot(*np.meshgrid(*[np.fft.fftfreq(N, 1 / N)] * 2))
    for number in (1, 7, 15):
        shell = np.floor(k + 0.5) == number
        hat = np.fft.fft2(base.omega) / N**2
        i = number - 1
        assert comparison.k[i] == number
        expected = np.square(np.abs(hat))[:, shell].sum(1).mean()
        assert comparison.base["omega"][i] == pytest.approx(expected)
        assert comparison.base["pi"][i] == pytest.approx(expected / 4)
        psi = (np.square(np.abs(hat)) / np.maximum(k, 1) ** 4)[:, shell].sum(1).mean()
        assert comparison.base["psi"][i] == pytest.approx(psi)
    for name in VARIABLES:
        ratio = comparison.target[name] / comparison.base[name]
        np.testing.assert_allclose(comparison.ratio[name], ratio, rtol=1e-9)
        assert (comparison.low[name] < ratio).all()
        assert (ratio < comparison.high[name]).all()


def test_bands_of_the_paper_are_shares_of_the_largest_wavenumber():
    comparison = compare_flows(flow(5, rng=1), flow(5, rng=2))
    ends = [(b.k_min, b.k_max) for b in comparison.bands[:3]]
    assert ends == [(0.0, 2.5), (2.5, 10.0), (10.0, 16.0)]


def test_a_flow_does_not_differ_from_itself():
    comparison = compare_flows(flow(20, rng=1), flow(20, rng=1))
    assert not any(row.differs for row in comparison.bands)
    for name in VARIABLES:
        np.testing.assert_allclose(comparison.ratio[name], 1, rtol=1e-9)


def test_grids_need_not_be_the_same():
    """Shells that both have; white noise has four times less power in each on twice the points."""
    comparison = compare_flows(flow(40, rng=1), flow(40, rng=2, n=2 * N), edges=EDGES)
    assert comparison.k[-1] == N / 2 - 1
    for row in comparison.bands:
        assert row.low < 0.25 < row.high


def test_flows_of_the_same_kind_seldom_differ():
    """At most one in twenty, with a memory of ten samples; without blocks nearly all would."""
    wrong = ignorant = 0
    for seed in range(20):
        flows = [flow(200, rng=2 * seed + i, memory=0.9, n=16) for i in (0, 1)]
        apart = [Fields(f.omega, f.pi, **BOX, runs=np.arange(200)) for f in flows]
        wrong += differ(*flows)
        ignorant += differ(*apart)
    assert wrong <= 4  # more has a probability of 0.3 %
    assert ignorant >= 10


def test_words_say_when_there_are_too_few_samples():
    lines = compare_flows(flow(1, rng=1), flow(9, rng=2)).words()
    assert len(lines) == 9
    assert all("fewer than 2 independent samples" in line for line in lines)


def test_the_figure_shades_what_differs(tmp_path):
    comparison = compare_flows(
        flow(40, rng=1), flow(40, rng=2, gain=np.where(shells() < EDGES[1], 1.0, 2.0)), edges=EDGES
    )
    figure = flow_spectra(comparison)
    line = figure.axes[1].get_lines()[1]
    np.testing.assert_array_equal(line.get_ydata(), comparison.target["omega"])
    assert len(figure.axes[1].patches) == len(comparison.differing("omega")) >= 1
    figure.savefig(tmp_path / "flows.png")


# --------------------------------------------------------------------------------------- blocks ---


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_blocks_show_the_variance_of_the_mean(memory):
    """Of Markov series it is known: (1 + memory) / (1 - memory) times that of independent ones."""
    count, series = 400, 40
    everything = 10 + markov(count, memory, shape=(series,), rng=3)
    length = (1 + memory) / (1 - memory)
    times, runs = np.arange(float(count)), [np.arange(count)]
    one = (10 + np.zeros((count, 1)), blocks_of(everything[:, :1], times, runs))
    independent, halves = [], []
    for values in everything.T[:, :, None]:
        blocks = blocks_of(values, times, runs)
        independent.append(blocks.independent)
        rng = np.random.default_rng(0)
        _, (half,) = ratio_of_means((values, blocks), one, levels=[0.683], resamples=300, rng=rng)
        halves.append(half[0])
    assert np.mean(independent) == pytest.approx(count / length, rel=COUNTED)
    expected = math.sqrt(length / count) / 10  # of the logarithm of the mean
    assert np.mean(halves) == pytest.approx(expected, rel=COUNTED)


def test_runs_are_independent_whatever_lies_within():
    """Constant within each of 12 runs: there are 12 samples."""
    values = np.repeat(np.random.default_rng(0).standard_normal(12), 5)[:, None]
    runs = np.split(np.arange(60), 12)
    blocks = blocks_of(values, np.tile(np.arange(5.0), 12), runs)
    assert [list(block) for block in blocks.indices] == [list(run) for run in runs]
    assert blocks.independent == pytest.approx(12)
    assert blocks.hidden == 1


# -------------------------------------------------------------------------------------- samples ---


def test_samples_are_read_run_by_run_in_order_of_time():
    class Source:
        """Two runs, out of order."""

        times, where = np.array([2.0, 1.0, 0.5]), np.array([[0, 0], [0, 1], [1, 0]])
        lx = ly = 2 * np.pi

        def __len__(self):
            return 3

        def read(self, name, indices):
            return np.asarray(indices)[:, None, None] * np.ones((8, 8))

    of = Fields.of(Source())
    np.testing.assert_array_equal(of.omega[:, 0, 0], [1, 0, 2])
    np.testing.assert_array_equal(of.times, [1.0, 2.0, 0.5])
    np.testing.assert_array_equal(of.runs, [0, 0, 1])
    assert len(Fields.of(Source(), at_most=2)) == 2
    assert Fields.of(of) is of


def test_bad_input(tmp_path):
    good, field = flow(3, rng=1), flow(3, rng=1).omega
    bad = field.copy()
    bad[2, 1, 1] = np.nan
    small = Fields(field[:, :4, :4], field[:, :4, :4], **BOX)
    for make, message in (
        (lambda: Fields(bad, field, **BOX), "omega of sample 2 is not finite"),
        (lambda: Fields(field, field[:2], **BOX), r"pi must have the shape .* got \(2, 32, 32\)"),
        (lambda: Fields(field, field, lx=0.0, ly=1.0), "lx must be a finite number > 0, got 0"),
        (lambda: Fields(field, field, **BOX, times=[0, 2, 1]), "times must increase within every"),
        (lambda: Fields(field, field, **BOX, runs=[0, 1]), r"runs must have shape \(3,\), got"),
        (lambda: compare_flows(good, "no.h5"), "no.h5"),
        (lambda: compare_flows(good, 3), "the target flow must be paths .* got int"),
        (lambda: compare_flows(good, good, edges=(9, 4)), "edges must increase between 0 and 16"),
        (lambda: compare_flows(good, good, edges=(4.2, 4.8)), "no shell lies in 4.2 <= k < 4.8"),
        (lambda: compare_flows(small, small), "at least 2 complete shells of wavenumbers, got 1"),
        (lambda: compare_flows(good, good, level=1.0), "level must be in 0 < level < 1, got 1.0"),
        (lambda: compare_flows(good, good, resamples=5), "resamples must be an integer >= 100"),
        (
            lambda: compare_flows(good, Fields(field, field, lx=1.0, ly=1.0)),
            "the same domain, got 6.28319 x 6.28319 and 1 x 1",
        ),
    ):
        with pytest.raises(InputError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)
