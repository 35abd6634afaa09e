"""Statistics of series of fields against processes whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytbl.statistics import (
    anomaly_gram,
    decorrelation_time,
    effective_count,
    first_below,
    pooled,
    time_correlation,
)

#: The time mean is taken from the same series, so that it looks a little too independent.
MEAN_REMOVED = 0.06


def markov(count, memory, *, points=2000, seed=0):
    """Fields with the correlation memory^lag at every point."""
    rng = np.random.default_rng(seed)
    fields = [rng.standard_normal(points)]
    for _ in range(count - 1):
        noise = math.sqrt(1 - memory**2) * rng.standard_normal(points)
        fields.append(memory * fields[-1] + noise)
    return np.array(fields)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("interval", [1.0, 0.25])
def test_a_markov_series_of_fields(memory, interval):
    n = 1000
    times = 3.0 + interval * np.arange(n)
    lags, rho = time_correlation([(times, anomaly_gram([markov(n, memory)]))])
    np.testing.assert_allclose(lags[:4], interval * np.arange(4))
    np.testing.assert_allclose(rho[:4], memory ** np.arange(4), atol=0.03)
    k = np.arange(1, n)
    exact = n / (1 + 2 * ((1 - k / n) * memory**k).sum())
    assert effective_count([times], lags, rho) == pytest.approx(exact, rel=MEAN_REMOVED)
    assert exact == pytest.approx(n * (1 - memory) / (1 + memory), rel=0.02)  # the long series
    if memory:
        expected = -interval / math.log(memory)
        assert decorrelation_time(lags, rho) == pytest.approx(expected, rel=0.08)


def test_the_mean_scatters_as_that_of_so_many_fields():
    """The definition: the variance of the mean is that of one field over the effective count."""
    series = markov(500, 0.7, points=10_000)
    times = np.arange(500.0)
    effective = effective_count([times], *time_correlation([(times, anomaly_gram([series]))]))
    assert 1 / series.mean(axis=0).var() == pytest.approx(effective, rel=MEAN_REMOVED + 0.03)


def test_chosen_times_count_by_their_distance():
    lags, rho = np.arange(50.0), 0.8 ** np.arange(50.0)
    together = effective_count([np.arange(10.0)], lags, rho)
    apart = effective_count([40 * np.arange(10.0)], lags, rho)
    runs = effective_count([np.zeros(1)] * 10, lags, rho)
    assert together < 3
    assert apart == pytest.approx(10, rel=1e-3)
    assert runs == pytest.approx(10)
    assert effective_count([], lags, rho) == 0


def test_a_decay_to_one_over_e_is_found_between_lags():
    lags = np.linspace(0, 5, 501)
    assert decorrelation_time(lags, np.exp(-lags)) == pytest.approx(1, abs=1e-4)
    assert first_below(lags, np.cos(lags), 0.0) == pytest.approx(math.pi / 2, abs=1e-4)
    assert decorrelation_time(lags, np.ones(501)) == math.inf
    assert math.isnan(decorrelation_time(np.zeros(1), np.ones(1)))


def test_a_steady_flow_is_one_sample():
    steady = np.repeat(markov(1, 0, points=100) + 3, 20, axis=0).astype("f4")
    times = np.arange(20.0)
    lags, rho = time_correlation([(times, anomaly_gram([steady]))])
    assert decorrelation_time(lags, rho) == math.inf
    assert effective_count([times], lags, rho) == pytest.approx(1)


def test_slabs_add_up():
    series = markov(30, 0.5, points=60)
    np.testing.assert_allclose(
        anomaly_gram([series[:, :7], series[:, 7:]]), anomaly_gram([series]), rtol=1e-10, atol=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.floats(-1e3, 1e3), st.floats(1e-2, 1e2), st.integers(0, 99))
def test_pooled_moments_are_those_of_all_points(count, shift, scale, seed):
    fields = shift + scale * np.random.default_rng(seed).standard_normal((count, 4, 6))
    mean, deviation = pooled(fields.mean(axis=(1, 2)), fields.var(axis=(1, 2)))
    assert mean == pytest.approx(fields.mean(), rel=1e-10, abs=1e-10 * scale)
    assert deviation == pytest.approx(fields.std(), rel=1e-9)


def test_pooled_moments_of_nothing():
    assert all(math.isnan(value) for value in pooled(np.zeros(0), np.zeros(0)))
