"""A posteriori metrics: what a large-eddy simulation produces, against a reference.

Spectra are those of shells, over their wavenumbers k (see `pytbl.diagnostics`); values of a field
are arrays of any shape, of which only the distribution counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]


def _series(**named: ArrayLike) -> list[Array]:
    """Arrays with a record per time, of as many records."""
    arrays = {name: np.asarray(series, float) for name, series in named.items()}
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise InputError(f"series must have as many records as times, got {said}")
    return list(arrays.values())


# ------------------------------------------------------------------------------------ spectra ---


class MeanSpectrum(NamedTuple):
    """A mean spectrum and a band of uncertainty, each of shape (shells,)."""

    mean: Array
    low: Array
    high: Array


def mean_spectrum(
    spectra: ArrayLike,
    times: ArrayLike,
    *,
    pieces: int = 10,
    percentiles: tuple[float, float] = (25, 75),
) -> MeanSpectrum:
    """Mean of a series of spectra, and the spread of the means over pieces of its time.

    Parameters
    ----------
    spectra : ndarray, shape (records, shells)
    times : ndarray, shape (records,)
        Increasing [time].
    pieces : int
        Equal pieces of time; those without a record do not count.
    percentiles : (float, float)
        Of the means of pieces, for the band.

    Returns
    -------
    MeanSpectrum
        mean, low, high.

    Raises
    ------
    InputError
        There is no record, or no piece.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023): ten pieces, 25th and 75th
    percentiles.
    """
    series, t = _series(spectra=spectra, times=times)
    if not len(t) or pieces < 1:
        raise InputError(f"at least a record and a piece are needed, got {len(t)} and {pieces}")
    length = t[-1] - t[0] or 1.0
    piece = np.minimum((pieces * (t - t[0]) / length + 1e-9).astype(int), pieces - 1)
    means = np.array([series[piece == i].mean(0) for i in np.unique(piece)])
    low, high = np.percentile(means, percentiles, axis=0)
    return MeanSpectrum(series.mean(0), low, high)


def spectral_gap(
    k: ArrayLike,
    spectrum: ArrayLike,
    reference: ArrayLike,
    *,
    k_min: float = 10.0,
    k_max: float = np.inf,
) -> float:
    r"""Distance of two spectra in decades, :math:`\overline{|\log_{10}(E/E_\mathrm{ref})|}`.

    A number for what Subel et al. (2023) show as the generalization gap, the difference between
    the spectra of a simulation and of the filtered flow that it should follow.

    Parameters
    ----------
    k : ndarray, shape (shells,) [1/length]
    spectrum, reference : ndarray, shape (shells,)
        Of the same shells.
    k_min, k_max : float
        First and last wavenumber that count [1/length].

    Returns
    -------
    float
        In decades: 0.3 is a factor of two. Infinite if a shell is empty in one of them only.

    Raises
    ------
    InputError
        No shell lies in the range, or the reference is zero there.
    """
    shells, e, ref = _series(k=k, spectrum=spectrum, reference=reference)
    inside = (shells >= k_min) & (shells <= k_max) & (ref > 0)
    if not inside.any():
        raise InputError(
            f"no shell with energy lies in {k_min:g} <= k <= {k_max:g}: the last one of "
            f"{len(shells)} is at k = {shells.max(initial=0.0):g}"
        )
    with np.errstate(divide="ignore"):
        return float(np.abs(np.log10(e[inside] / ref[inside])).mean())


# ------------------------------------------------------------------------------ distributions ---


class Density(NamedTuple):
    """A probability density on bins: ``edges`` (bins + 1,), ``density`` (bins,)."""

    edges: Array
    density: Array

    @property
    def centres(self) -> Array:
        """Centres of the bins, shape (bins,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])


def pdf(values: ArrayLike, *, limits: tuple[float, float], bins: int = 100) -> Density:
    """Probability density of values on bins that others can share.

    Parameters
    ----------
    values : ndarray
    limits : (float, float)
        Range of the bins. Values outside are not counted, and the density refers to all values.
    bins : int

    Returns
    -------
    Density
        edges, density.
    """
    array = np.asarray(values, float).ravel()
    if not array.size or not limits[1] > limits[0] or bins < 1:
        raise InputError(
            f"a density needs values, limits low < high and bins >= 1, got {array.size} values, "
            f"{limits}, {bins}"
        )
    counts, edges = np.histogram(array, bins, limits)
    return Density(edges, counts / (array.size * np.diff(edges)))


def wasserstein(values: ArrayLike, reference: ArrayLike) -> float:
    """First Wasserstein distance of two sets of values, in their unit.

    The mean distance by which values must be moved to make one distribution of the other: that of
    a shift is the shift.

    Parameters
    ----------
    values, reference : ndarray

    Returns
    -------
    float
    """
    from scipy import stats

    return float(stats.wasserstein_distance(np.ravel(values), np.ravel(reference)))


def jensen_shannon(density: Density, reference: Density) -> float:
    """Jensen-Shannon divergence of two densities on the same bins.

    Parameters
    ----------
    density, reference : Density
        See `pdf`.

    Returns
    -------
    float
        In bits: 0 for the same density, 1 for two that share no bin.

    Raises
    ------
    InputError
        The bins differ, or a density is empty.
    """
    if not np.array_equal(density.edges, reference.edges):
        raise InputError("densities must be on the same bins, got different edges")
    if not (density.density.any() and reference.density.any()):
        raise InputError("densities must have values within their bins, got an empty one")
    widths = np.diff(density.edges)
    p, q = (d.density * widths / (d.density * widths).sum() for d in (density, reference))
    middle = 0.5 * (p + q)
    bits = [float((a[a > 0] * np.log2(a[a > 0] / middle[a > 0])).sum()) for a in (p, q)]
    return max(0.5 * sum(bits), 0.0)


def tail_ratio(values: ArrayLike, reference: ArrayLike, *, deviations: float = 3.0) -> float:
    """How often extreme values come, over how often they come in a reference.

    Parameters
    ----------
    values, reference : ndarray
    deviations : float
        A value is extreme if it is further from the reference's mean than so many of the
        reference's standard deviations.

    Returns
    -------
    float
        1 where extremes are as frequent; NaN if the reference has none.
    """
    ours, theirs = np.ravel(values), np.ravel(reference)
    limit = deviations * theirs.std()
    shares = [float((np.abs(a - theirs.mean()) > limit).mean()) for a in (ours, theirs)]
    return shares[0] / shares[1] if shares[1] else float("nan")


def flatness(values: ArrayLike) -> float:
    """Fourth central moment over the squared variance: 3 for a Gaussian; NaN for a constant."""
    centred = np.ravel(np.asarray(values, float))
    centred = centred - centred.mean()
    variance = float((centred**2).mean())
    return float((centred**4).mean()) / variance**2 if variance else float("nan")


# --------------------------------------------------------------------------------------- time ---


def stability_time(
    times: ArrayLike,
    enstrophy: ArrayLike,
    reference_mean: float,
    *,
    within: tuple[float, float] = (1 / 3, 3.0),
) -> float:
    """How long a simulation stays near the reference's mean enstrophy.

    Parameters
    ----------
    times : ndarray, shape (records,) [time]
    enstrophy : ndarray, shape (records,) [1/time^2]
    reference_mean : float
        Mean enstrophy of the reference [1/time^2].
    within : (float, float)
        Bounds of the ratio to it.

    Returns
    -------
    float
        From the first record to the first that lies outside, or is not finite; infinite if none
        does [time].
    """
    t, z = _series(times=times, enstrophy=enstrophy)
    low, high = within
    outside = np.flatnonzero(~((z >= low * reference_mean) & (z <= high * reference_mean)))
    return float(t[outside[0]] - t[0]) if len(outside) else float("inf")


def decorrelation_time(
    times: ArrayLike, correlations: ArrayLike, *, threshold: float = 0.95
) -> float:
    """How long two flows stay correlated, or a flow with its own first state.

    Parameters
    ----------
    times : ndarray, shape (records,) [time]
    correlations : ndarray, shape (records,)
        Pattern correlation at each time, see `pytbl.metrics.correlation`.
    threshold : float
        Below it flows count as different.

    Returns
    -------
    float
        From the first record to where the correlation falls below the threshold, between records
        linearly; infinite if it does not, 0 if it begins below [time].

    References
    ----------
    Kochkov, Smith, Alieva, Wang, Brenner & Hoyer, PNAS 118 (2021) e2101784118: threshold 0.95.
    """
    t, c = _series(times=times, correlations=correlations)
    below = np.flatnonzero(~(c >= threshold))
    if not len(below):
        return float("inf")
    i = int(below[0])
    if i == 0 or not np.isfinite(c[i]):
        return float(t[i] - t[0])
    share = (c[i - 1] - threshold) / (c[i - 1] - c[i])
    return float(t[i - 1] + share * (t[i] - t[i - 1]) - t[0])


def wall_time_per_time(times: ArrayLike, wall_time: ArrayLike) -> float:
    """Wall-clock seconds that a run took per unit of its time.

    Parameters
    ----------
    times : ndarray, shape (records,) [time]
    wall_time : ndarray, shape (records,)
        Time spent in steps, as outputs record it [s]. It begins at 0 again when a run is resumed:
        intervals over which it does not grow are left out.

    Returns
    -------
    float
        [s/time]; NaN if no interval is left.
    """
    t, wall = _series(times=times, wall_time=wall_time)
    spent, advanced = np.diff(wall), np.diff(t)
    counts = (spent > 0) & (advanced > 0)
    return float(spent[counts].sum() / advanced[counts].sum()) if counts.any() else float("nan")
