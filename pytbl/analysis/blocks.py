r"""Ratios of means over correlated samples, with intervals from a block bootstrap (Künsch 1989).

Samples that follow each other know less than independent ones: they are drawn in blocks, each as
long as the samples that count as an independent one. Blocks of that length are not independent of
their neighbours yet; the variance that this hides is put back, as it is for a memory that fades
exponentially.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..statistics import effective_count, time_correlation

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_SMALLEST = 1e-300


class Blocks(NamedTuple):
    """How samples are drawn.

    Attributes
    ----------
    indices : list of ndarray of int
        The samples of each block.
    independent : float
        Number of independent samples that know the mean as well.
    hidden : float
        Variance of the mean over that which draws of these blocks show.
    """

    indices: list[Array]
    independent: float
    hidden: float


def blocks_of(series: Array, times: Array, runs: Sequence[Array]) -> Blocks:
    """Cut samples into blocks.

    Parameters
    ----------
    series : ndarray, shape (samples, quantities)
        What is averaged; the one with the longest memory counts.
    times : ndarray, shape (samples,)
    runs : sequence of ndarray of int
        Indices of the samples of each run in order of time; runs are independent.
    """
    independent = min(_independent(one, times, runs) for one in series.T)
    length = len(series) / independent
    indices: list[Array] = []
    for run in runs:
        indices += np.array_split(run, max(1, math.floor(len(run) / length)))
    memory = (length - 1) / (length + 1)  # of a Markov series that knows as much
    size = len(series) / len(indices)
    shown = 1 - 2 * memory * (1 - memory**size) / (size * (1 - memory**2))
    neighbours = 1 - len(runs) / len(indices)  # blocks that follow one of the same run
    return Blocks(indices, independent, 1 + neighbours * (1 / shown - 1))


def _independent(series: Array, times: Array, runs: Sequence[Array]) -> float:
    anomaly = series - series.mean()
    grams = []
    for run in runs:
        gram = np.outer(anomaly[run], anomaly[run])
        # products over the variance, and not over the two samples' own squares as for fields
        np.fill_diagonal(gram, np.square(anomaly).mean())
        grams.append((times[run], gram))
    return effective_count([times[run] for run in runs], *time_correlation(grams))


class MeanRatio(NamedTuple):
    """Natural logarithm of a ratio of means, and half the width of its interval at each level."""

    log: Array
    half_widths: list[Array]


def ratio_of_means(
    numerator: tuple[Array, Blocks],
    denominator: tuple[Array, Blocks],
    *,
    levels: Sequence[float],
    resamples: int,
    rng: np.random.Generator,
) -> MeanRatio:
    """Ratio of the means over samples of positive quantities.

    Parameters
    ----------
    numerator, denominator : (ndarray, Blocks)
        The quantities, shape (samples, ...), and how to draw them.
    levels : sequence of float
        Of the intervals: Student's, for the logarithm, with a degree of freedom less than blocks
        (Welch 1947). They are infinite if either is but one block.
    resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    MeanRatio
    """
    from scipy import stats

    logs = [np.log(values.mean(axis=0) + _SMALLEST) for values, _ in (numerator, denominator)]
    log = logs[0] - logs[1]
    counts = [len(blocks.indices) for _, blocks in (numerator, denominator)]
    if min(counts) < 2:
        return MeanRatio(log, [np.full_like(log, math.inf) for _ in levels])
    variances = [_variance(*one, resamples, rng) for one in (numerator, denominator)]
    variance = variances[0] + variances[1]
    spread = sum(np.square(v) / (n - 1) for v, n in zip(variances, counts, strict=True))
    freedom = np.maximum(np.square(variance) / np.maximum(spread, _SMALLEST), 1.0)
    half_widths = [stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(variance) for level in levels]
    return MeanRatio(log, half_widths)


def _variance(values: Array, blocks: Blocks, resamples: int, rng: np.random.Generator) -> Array:
    """Variance of the logarithm of the mean."""
    count = len(blocks.indices)
    sums = np.array([values[block].sum(axis=0) for block in blocks.indices])
    sizes = np.array([len(block) for block in blocks.indices], float)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    means = np.tensordot(drawn, sums, 1) / (drawn @ sizes).reshape(-1, *[1] * (sums.ndim - 1))
    # draws from n blocks vary less than n new ones, by (n - 1) / n
    variance: Array = np.log(means + _SMALLEST).var(axis=0) * count / (count - 1)
    return variance * blocks.hidden
