"""Clusters of kernels by the form of their spectra: k-means, as Subel et al. (2023) did.

K-means divides whatever it is given. The centres of kernels of independent weights range from
low-pass to high-pass as well, so a row of centres shows what a layer has learned only where its
silhouette stands above that of chance, or where the rule of `pytbl.analysis.classify` agrees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .census import Fractions, bootstrap, draw_kernels
from .classes import decide, features
from .kernels import SHAPE, amplitude_chunks, kernel_energy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

#: Spectra of up to 8 points need no finer grid than this for their distances.
_COARSE = (16, 16)
#: Kernels from which the silhouette is estimated; its cost is their square.
_SILHOUETTE = 2000
_STARTS = 10


@dataclass(frozen=True)
class Clusters:
    r"""Clusters of kernels by the form of :math:`|\hat W|`, from low to high wavenumbers.

    Attributes
    ----------
    centres : ndarray, shape (clusters, ny, nx)
        Mean of :math:`|\hat W|`, each over its own root mean square; in the order of
        `numpy.fft.fftfreq`.
    centroids : ndarray, shape (clusters,)
        Energy-weighted mean wavenumber of the centres over Nyquist's, increasing; above the
        floor, as the classes.
    classes : ndarray of int, shape (clusters,)
        What the rule calls the centres, indices into `pytbl.analysis.CLASSES`. A mean of unlike
        kernels has a floor at all wavenumbers; the rule is given what stands above it, as is the
        eye by a picture whose colours begin at the lowest value. A name of a centre is therefore
        no name of its members: those have `classify`.
    fractions : Fractions
        Of the number of kernels, each of shape (clusters,).
    labels : ndarray of int, shape (kernels,)
        The cluster of every kernel; -1 for kernels of zeros, which have no form.
    silhouette : float
        In [-1, 1]: near 1 where clusters are apart, near 0 where they divide one cloud.
    """

    centres: Array
    centroids: Array
    classes: Array
    fractions: Fractions
    labels: Array
    silhouette: float


@dataclass(frozen=True)
class ClusterCensus:
    """Clusters of a layer's kernels.

    Attributes
    ----------
    fixed : Clusters
        As many as were asked for: 8 in the paper.
    chosen : Clusters
        As many as have the largest silhouette.
    silhouettes : dict of int to float
        By number of clusters.
    chance : float
        Silhouette of the fixed number for as many kernels of independent weights, whose centres
        also range from low-pass to high-pass. A layer that is not above it has no clusters, only
        kernels of many kinds.
    """

    fixed: Clusters
    chosen: Clusters
    silhouettes: dict[int, float]
    chance: float


def cluster_census(
    weights: ArrayLike,
    clusters: int = 8,
    *,
    candidates: Iterable[int] = range(4, 13),
    subsample: int | None = None,
    shape: tuple[int, int] = SHAPE,
    rng: int = 0,
) -> ClusterCensus:
    r"""Cluster kernels by :math:`|\hat W|` with k-means, every kernel normalised on its own.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    clusters : int
        The fixed number.
    candidates : iterable of int
        Numbers among which the silhouette chooses.
    subsample : int, optional
        Kernels to take at random where there are more.
    shape : (int, int)
        Grid of wavenumbers of the centres.
    rng : int
        Of the starts of k-means (the best of 10 by k-means++ is kept), the kernels taken, and the
        bootstrap.

    Returns
    -------
    ClusterCensus

    Raises
    ------
    InputError
        The weights are no kernels, or not more than clusters; scikit-learn is missing.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Fig. S2.
    """
    kernels = draw_kernels(weights, subsample, rng)
    scale = np.sqrt(kernel_energy(kernels))[:, 0]
    alive = scale > 0
    unit = kernels[alive] / scale[alive, None, None, None]
    tried = sorted(set(candidates)) or [clusters]
    numbers = sorted({*tried, clusters})
    different = len(np.unique(unit, axis=0))
    if numbers[0] < 2 or different <= numbers[-1]:
        raise InputError(
            "clusters must be at least 2, and fewer than the different kernels that are not zero, "
            f"got {numbers[0]} to {numbers[-1]} clusters for {different} kernels"
        )
    found = {number: _k_means(unit, number, rng) for number in numbers}
    scores = {number: score for number, (_, score) in found.items()}
    best = max(tried, key=lambda number: scores[number])

    def describe(number: int) -> Clusters:
        labels = np.full(len(kernels), -1)
        labels[alive], score = found[number]
        return _describe(unit, labels, score, shape=shape, rng=rng)

    fixed = describe(clusters)
    noise = np.random.default_rng(rng).standard_normal(unit.shape)
    noise /= np.sqrt(kernel_energy(noise))[..., None, None]
    return ClusterCensus(
        fixed=fixed,
        chosen=fixed if best == clusters else describe(best),
        silhouettes=scores,
        chance=_k_means(noise, clusters, rng)[1],
    )


def _k_means(unit: Array, clusters: int, rng: int) -> tuple[Array, float]:
    """Labels and silhouette of normalised kernels."""
    try:
        from sklearn.cluster import KMeans
        from sklearn.metrics import silhouette_score
    except ImportError:
        raise InputError("clusters need scikit-learn: pip install 'pytbl[analysis]'") from None

    ny, nx = (max(pair) for pair in zip(_COARSE, unit.shape[-2:], strict=True))
    points = np.concatenate([a.reshape(len(a), -1) for a in amplitude_chunks(unit, (ny, nx))])
    labels = KMeans(clusters, n_init=_STARTS, random_state=rng).fit_predict(points)
    some = np.random.default_rng(rng).permutation(len(points))[:_SILHOUETTE]
    apart = len(np.unique(labels[some])) > 1
    return labels, float(silhouette_score(points[some], labels[some])) if apart else 0.0


def _describe(
    unit: Array, labels: Array, silhouette: float, *, shape: tuple[int, int], rng: int
) -> Clusters:
    """Clusters with their centres in order."""
    inside = labels >= 0
    members = [unit[labels[inside] == label] for label in range(labels.max() + 1)]
    centres = np.stack(
        [sum(a.sum(0) for a in amplitude_chunks(one, shape)) / len(one) for one in members]
    )
    form = features(centres - centres.min((1, 2), keepdims=True))
    order = np.argsort(form.centroid, kind="stable")
    ordered = np.where(inside, np.argsort(order)[labels], -1)
    return Clusters(
        centres=centres[order],
        centroids=form.centroid[order],
        classes=decide(form)[order],
        fractions=bootstrap(ordered[inside], len(order), rng=rng),
        labels=ordered,
        silhouette=silhouette,
    )
