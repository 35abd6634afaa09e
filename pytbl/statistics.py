r"""Statistics of a series of fields: pooled moments, correlation in time, effective sample count.

Fields that follow each other closely in time say little new. With :math:`\rho(\tau)` the mean
pattern correlation of two fields a time :math:`\tau` apart, their time mean removed, a series of n
fields knows the mean of the flow as well as

.. math:: N_\mathrm{eff} = n^2 \Big/ \sum_{i,j} \rho(t_i - t_j)

independent ones; for long and even series this is :math:`n / (1 + 2\sum_k \rho_k)`
(Bayley & Hammersley 1946). The sum ends at the first zero of :math:`\rho`, beyond which an
estimate of it is noise. Since the mean that is removed is that of the series itself, short series
look more independent than they are, by a share of the order of :math:`1 / N_\mathrm{eff}` per lag.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: Anomalies below this share of the power of the fields are rounding of a steady field.
_STEADY = 1e-10


def pooled(means: Array, variances: Array) -> tuple[float, float]:
    """Mean and standard deviation over all points of all fields, from those of each field."""
    if not len(means):
        return math.nan, math.nan
    return float(means.mean()), math.sqrt(float(variances.mean() + means.var()))


def anomaly_gram(slabs: Iterable[Array]) -> Array:
    """Scalar products of fields whose time mean is removed.

    Parameters
    ----------
    slabs : iterable of ndarray, shape (n, ...)
        Parts of all n fields; one is in memory at a time.

    Returns
    -------
    ndarray, shape (n, n)
        Zero for a field that equals the mean to rounding.
    """
    gram: Array | float = 0.0
    power: Array | float = 0.0
    for slab in slabs:
        flat = np.asarray(slab, float).reshape(len(slab), -1)
        power = power + np.square(flat).sum(axis=1)
        flat = flat - flat.mean(axis=0)
        gram = gram + flat @ flat.T
    steady = np.diag(gram) <= _STEADY * power
    return np.where(steady[:, None] | steady, 0.0, gram)


def time_correlation(runs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Mean pattern correlation of pairs of fields of the same run, by their distance in time.

    Parameters
    ----------
    runs : sequence of (times, gram)
        Increasing times, shape (n,), and `anomaly_gram` of each run, shape (n, n).

    Returns
    -------
    lags, correlation : ndarray, shape (m,)
        In multiples of the shortest distance of two fields, as far as there are pairs; the first
        is 0, where the correlation is 1. A steady flow is correlated for ever.
    """
    distances, correlations = [np.zeros(0)], [np.zeros(0)]
    for times, gram in runs:
        first, second = np.triu_indices(len(times), 1)
        scale = np.sqrt(np.diag(gram))
        product = scale[first] * scale[second]
        moving = product > 0
        distances.append(times[second] - times[first])
        correlations.append(
            np.divide(gram[first, second], product, out=np.ones(len(first)), where=moving)
        )
    distance, correlation = np.concatenate(distances), np.concatenate(correlations)
    if not len(distance):
        return np.zeros(1), np.ones(1)
    fields = sum(len(times) for times, _ in runs)
    width = max(distance.min(), distance.max() / (10 * fields))  # whatever the times, few bins
    bins = np.rint(distance / width).astype(int)
    pairs = np.bincount(bins)
    filled = pairs > 0
    filled[0] = False
    lags = np.bincount(bins, distance)[filled] / pairs[filled]
    means = np.bincount(bins, correlation)[filled] / pairs[filled]
    return np.r_[0.0, lags], np.r_[1.0, means]


def first_below(lags: Array, correlation: Array, level: float) -> float:
    """Lag at which the correlation first falls to a level, between two lags by a straight line.

    Infinite if it never does, and NaN if there is no lag but 0.
    """
    if len(lags) < 2:
        return math.nan
    below = np.flatnonzero(correlation <= level)
    if not len(below):
        return math.inf
    i = int(below[0])
    fallen = (correlation[i - 1] - level) / (correlation[i - 1] - correlation[i])
    return float(lags[i - 1] + fallen * (lags[i] - lags[i - 1]))


def decorrelation_time(lags: Array, correlation: Array) -> float:
    """First fall of the correlation to 1 / e [time]."""
    return first_below(lags, correlation, 1 / math.e)


def effective_count(runs: Sequence[Array], lags: Array, correlation: Array) -> float:
    """How many independent fields know the mean as well as those at some times.

    Parameters
    ----------
    runs : sequence of ndarray
        Increasing times of the fields of each run; different runs are independent.
    lags, correlation : ndarray
        Of `time_correlation`.

    Returns
    -------
    float
        Between 1 and the number of fields; 0 without any.
    """
    end = first_below(lags, correlation, 0.0)
    total, count = 0.0, sum(len(times) for times in runs)
    for times in runs:
        total += len(times)
        for apart in range(1, len(times)):
            lag = times[apart:] - times[:-apart]
            near = lag[lag < end] if math.isfinite(end) else lag
            if not len(near):
                break
            total += 2 * float(np.maximum(np.interp(near, lags, correlation), 0.0).sum())
    return count**2 / total if total else 0.0
