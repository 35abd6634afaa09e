"""How many kernels of a layer are of which nature, by rule.

What a count means depends on what chance gives, so a census gives that too: the fractions among
kernels of the same size whose weights are independent and uniform, as in an untrained network.
Weights that training has left small count as much as those that carry the signal; fractions of the
energy, the sum of the squares of the weights, count them by their size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .classes import CLASSES, Thresholds, classify
from .kernels import as_kernels, kernel_energy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

#: Bootstrap draws.
DRAWS = 1000
#: Random kernels that chance is estimated from: to half a percent.
_RANDOM = 10_000


@dataclass(frozen=True)
class Fractions:
    """Shares, each of shape (classes,) or (clusters,), with 95 % bootstrap intervals."""

    value: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Census:
    """Kernels by class, in the order of `pytbl.analysis.CLASSES`.

    Attributes
    ----------
    kernels : int
        How many were classified.
    fractions : Fractions
        Of their number.
    energy : Fractions
        Of their energy.
    chance : ndarray, shape (classes,)
        Fractions among kernels of the same size in an untrained network.
    """

    kernels: int
    fractions: Fractions
    energy: Fractions
    chance: Array

    def __str__(self) -> str:
        rows = [f"{'class':10} {'fraction':>8} {'95 % interval':>16} {'energy':>8} {'chance':>8}"]
        f = self.fractions
        columns = zip(CLASSES, f.value, f.low, f.high, self.energy.value, self.chance, strict=True)
        for name, value, low, high, energy, chance in columns:
            interval = f"{low:.3f} .. {high:.3f}"
            rows.append(f"{name:10} {value:8.3f} {interval:>16} {energy:8.3f} {chance:8.3f}")
        return "\n".join(rows)


def bootstrap(labels: Array, size: int, *, weight: Array | None = None, rng: int = 0) -> Fractions:
    """Shares of labels 0 .. size - 1, as if kernels were drawn independently of each other.

    Parameters
    ----------
    labels : ndarray of int, shape (kernels,)
    size : int
    weight : ndarray, shape (kernels,), optional
        What a kernel counts; by default all the same.
    rng : int
    """
    weight = np.ones(len(labels)) if weight is None else weight

    def shares(chosen: Array) -> Array:
        sums = np.bincount(labels[chosen], weight[chosen], size)
        return sums / (sums.sum() or 1.0)

    generator = np.random.default_rng(rng)
    draws = [shares(generator.integers(len(labels), size=len(labels))) for _ in range(DRAWS)]
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    return Fractions(shares(np.arange(len(labels))), low, high)


@lru_cache(maxsize=16)
def _chance(points: tuple[int, int], thresholds: Thresholds | None, rng: int) -> Array:
    weights = np.random.default_rng(rng).uniform(-1, 1, (_RANDOM, 1, *points))
    labels = classify(weights, thresholds).ravel()
    fractions: Array = np.bincount(labels, minlength=len(CLASSES)) / _RANDOM
    fractions.flags.writeable = False
    return fractions


def chance_fractions(
    points: tuple[int, int], thresholds: Thresholds | None = None, *, rng: int = 0
) -> Array:
    """Class fractions in an untrained network: kernels of independent, uniform weights.

    Parameters
    ----------
    points : (int, int)
        Of a kernel, (ky, kx).
    thresholds : Thresholds, optional
    rng : int

    Returns
    -------
    ndarray, shape (classes,)
        Known to about 0.005.
    """
    ky, kx = points
    return _chance((int(ky), int(kx)), thresholds, rng)


def draw_kernels(weights: ArrayLike, subsample: int | None, rng: int) -> Array:
    """All kernels, or at most some of them at random, shape (some, 1, ky, kx)."""
    kernels = as_kernels(weights)
    flat = kernels.reshape(-1, 1, *kernels.shape[-2:])
    if subsample is None or subsample >= len(flat):
        return flat
    if subsample < 1:
        raise InputError(f"subsample must be at least 1, got {subsample}")
    chosen = np.random.default_rng(rng).choice(len(flat), subsample, replace=False)
    return flat[np.sort(chosen)]


def census(
    weights: ArrayLike,
    thresholds: Thresholds | None = None,
    *,
    subsample: int | None = None,
    rng: int = 0,
) -> Census:
    """Class fractions of a layer's kernels by the rule of `classify`.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    thresholds : Thresholds, optional
    subsample : int, optional
        Kernels to take at random where there are more.
    rng : int
        Of the bootstrap, of the kernels taken, and of those that chance is estimated from.

    Returns
    -------
    Census

    Raises
    ------
    InputError
        The weights are no kernels.
    """
    kernels = draw_kernels(weights, subsample, rng)
    labels = classify(kernels, thresholds).ravel()
    weight = kernel_energy(kernels).ravel()
    ky, kx = kernels.shape[-2:]
    return Census(
        kernels=len(kernels),
        fractions=bootstrap(labels, len(CLASSES), rng=rng),
        energy=bootstrap(labels, len(CLASSES), weight=weight, rng=rng),
        chance=chance_fractions((ky, kx), thresholds, rng=rng),
    )
