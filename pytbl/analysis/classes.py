r"""The nature of a kernel: low-pass, band-pass, Gabor or high-pass, or none that is clear.

The rule looks at the power :math:`P=|\hat W|^2` on a grid of wavenumbers, all of them over that of
Nyquist, and at its shares :math:`q = P / \sum P`. The wavenumber of the largest power says where a
kernel passes; the shares say whether it does so clearly. The first of these that holds is taken:

=========  ================  ===================================================================
class      peak              and
=========  ================  ===================================================================
low-pass   at most 0.25      at k = 0 half the largest power; a third of the energy below 0.4, the
                             width of a lobe of 5 points, and 45 % at most above 0.75
high-pass  at least 0.75     70 % of the energy above 0.75, and 6 % at most below 0.4
Gabor      no low-pass's     38 % of the energy in two lobes about plus and minus the peak, and an
                             orientation of at least 0.4; derivatives along one direction are these
band-pass  below 0.75        at k = 0 less than half the largest power; 55 % of the energy between
                             0.25 and 0.75
mixed      anywhere          none of these: all-pass, several lobes, stripes; and kernels of zeros
=========  ================  ===================================================================

Any kernel has a peak somewhere, and that of independent random weights is most often above 0.75,
because most wavenumbers are. Peaks alone would find high-pass filters in a network that was never
trained. The thresholds are such that kernels of theory (Gaussians, differences of them, Laplacians,
Gabor functions of all orientations) get their names, and about nine in ten random kernels of 5 x 5
get none; `pytbl.analysis.chance_fractions` says how many for any size. The classes are those that
Subel et al. (2023) gave by eye to clusters of kernels; the paper has no rule.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .kernels import SHAPE, amplitude_chunks, as_kernels, radial_wavenumber

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

#: In the order of their wavenumbers. A class is an index into this.
CLASSES = ("low-pass", "band-pass", "Gabor", "high-pass", "mixed")
LOW_PASS, BAND_PASS, GABOR, HIGH_PASS, MIXED = range(len(CLASSES))
#: Edges of wavenumber, over Nyquist's, of the shares of energy.
_LOW, _MIDDLE, _LOBE = 0.4, (0.25, 0.75), 0.25
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Thresholds:
    """Of the rule; wavenumbers are over that of Nyquist, shares are of a kernel's energy.

    Attributes
    ----------
    peak_low, peak_high : float
        Where the peak of a low-pass filter lies at most, and that of a high-pass filter at least.
    mean : float
        Power at k = 0 over that at the peak: a low-pass filter has at least this, a band-pass
        filter less.
    low_share, low_leak : float
        Least share below 0.4 of a low-pass filter, and its largest share above 0.75.
    high_share, high_leak : float
        Least share above 0.75 of a high-pass filter, and its largest share below 0.4.
    lobes_share, orientation : float
        Least share of a Gabor filter within 0.25 of plus and minus its peak, and its least
        orientation.
    middle_share : float
        Least share between 0.25 and 0.75 of a band-pass filter.

    Raises
    ------
    InputError
        One of them is not between 0 and the square root of 2, or no band is left in the middle.
    """

    peak_low: float = 0.25
    peak_high: float = 0.75
    mean: float = 0.50
    low_share: float = 0.33
    low_leak: float = 0.45
    high_share: float = 0.70
    high_leak: float = 0.06
    lobes_share: float = 0.38
    orientation: float = 0.40
    middle_share: float = 0.55

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not 0 <= value <= np.sqrt(2):
                raise InputError(f"{name} must be between 0 and sqrt(2), got {value}")
        if not self.peak_low < self.peak_high:
            raise InputError(
                f"peak_low must be below peak_high, got {self.peak_low} and {self.peak_high}"
            )


class Features(NamedTuple):
    """What the rule looks at, each of shape (kernels,).

    Attributes
    ----------
    peak : ndarray
        Modulus of the wavenumber of the largest power over Nyquist's.
    centroid : ndarray
        Mean modulus of the wavenumber, weighted with the energy, over Nyquist's.
    mean : ndarray
        Power at k = 0 over that at the peak.
    low, middle, high : ndarray
        Shares of the energy below 0.4, between 0.25 and 0.75, and from 0.75.
    lobes : ndarray
        Share of the energy within 0.25 of plus and minus the peak.
    orientation : ndarray
        ``abs(sum(q exp(2 i theta)))`` over k != 0: 0 for an isotropic kernel, 1 for one direction.
    """

    peak: Array
    centroid: Array
    mean: Array
    low: Array
    middle: Array
    high: Array
    lobes: Array
    orientation: Array


def features(amplitude: Array) -> Features:
    """Features of spectra.

    Parameters
    ----------
    amplitude : ndarray, shape (kernels, ny, nx)
        Moduli of spectra, in the order of `numpy.fft.fftfreq`; only their form matters.
    """
    count, ny, nx = amplitude.shape
    power = np.square(amplitude)
    largest = power.max((1, 2))
    alive = largest > 0
    shares = power / np.where(alive, power.sum((1, 2)), 1.0)[:, None, None]
    k = radial_wavenumber((ny, nx))
    # where several wavenumbers are the peak but for rounding, the lowest is taken
    is_peak = (power >= (1 - _ROUNDING) * largest[:, None, None]).reshape(count, -1)
    where = np.where(is_peak, k.ravel(), np.inf).argmin(1)
    inside = {
        "low": k <= _LOW,
        "middle": (k > _MIDDLE[0]) & (k < _MIDDLE[1]),
        "high": k >= _MIDDLE[1],
    }
    return Features(
        peak=np.where(alive, k.ravel()[where], 0.0),
        centroid=(shares * k).sum((1, 2)),
        mean=power[:, 0, 0] / np.where(alive, largest, 1.0),
        **{name: shares[:, mask].sum(1) for name, mask in inside.items()},
        lobes=_lobes(shares, where),
        orientation=_orientation(shares),
    )


def _lobes(shares: Array, peak: Array) -> Array:
    """Share within a radius of the peak or its opposite, on the torus of wavenumbers."""
    ny, nx = shares.shape[-2:]
    peak_y, peak_x = (index[:, None] for index in np.unravel_index(peak, (ny, nx)))
    near = np.zeros(shares.shape, bool)
    for sign in (1, -1):
        along_y, along_x = (
            np.square((2 * (np.arange(n) - sign * centre) / n + 1) % 2 - 1)
            for n, centre in ((ny, peak_y), (nx, peak_x))
        )
        near |= along_y[:, :, None] + along_x[:, None, :] <= _LOBE**2 + _ROUNDING
    total: Array = (shares * near).sum((1, 2))
    return total


def _orientation(shares: Array) -> Array:
    """How much the energy keeps to one direction; Nyquist's modes have either sign."""
    ny, nx = shares.shape[-2:]
    theta = np.arctan2(np.fft.fftfreq(ny)[:, None], np.fft.fftfreq(nx))
    cosine, sine = np.cos(2 * theta), np.sin(2 * theta)
    for n, lines in ((ny, sine), (nx, sine.T)):
        if n % 2 == 0:
            lines[n // 2] = 0.0
    cosine[0, 0] = sine[0, 0] = 0.0
    moving = shares.sum((1, 2)) - shares[:, 0, 0]
    vector = np.hypot((shares * cosine).sum((1, 2)), (shares * sine).sum((1, 2)))
    return np.divide(vector, moving, out=np.zeros_like(vector), where=moving > _ROUNDING)


def kernel_features(weights: ArrayLike, *, shape: tuple[int, int] = SHAPE) -> Features:
    """Features of kernels, each of shape (channels out, channels in).

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    shape : (int, int)
        Grid of wavenumbers.
    """
    kernels = as_kernels(weights)
    parts = [features(amplitude) for amplitude in amplitude_chunks(kernels, shape)]
    joined = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Features(*(values.reshape(kernels.shape[:2]) for values in joined))


def decide(found: Features, thresholds: Thresholds | None = None) -> Array:
    """Classes of features, indices into `CLASSES`."""
    t = thresholds or Thresholds()
    mean, high = found.mean >= t.mean, found.peak >= t.peak_high
    low = mean & (found.peak <= t.peak_low)
    gabor = (found.lobes >= t.lobes_share) & (found.orientation >= t.orientation)
    rules = {
        LOW_PASS: low & (found.low >= t.low_share) & (found.high <= t.low_leak),
        HIGH_PASS: high & (found.high >= t.high_share) & (found.low <= t.high_leak),
        GABOR: ~low & gabor,
        BAND_PASS: ~(mean | high) & (found.middle >= t.middle_share),
    }
    return np.select(list(rules.values()), list(rules), MIXED)  # the first that holds


def classify(
    weights: ArrayLike,
    thresholds: Thresholds | None = None,
    *,
    shape: tuple[int, int] = SHAPE,
) -> Array:
    """Class of every kernel.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    thresholds : Thresholds, optional
    shape : (int, int)
        Grid of wavenumbers.

    Returns
    -------
    ndarray of int, shape (channels out, channels in)
        Indices into `CLASSES`.

    Raises
    ------
    InputError
        The weights are no kernels.
    """
    return decide(kernel_features(weights, shape=shape), thresholds)


class Sensitivity(NamedTuple):
    """What the class fractions become when one threshold changes.

    Attributes
    ----------
    threshold : str
    value : float
        The one taken instead.
    fractions : ndarray, shape (classes,)
    changed : float
        Share of the kernels that change class.
    """

    threshold: str
    value: float
    fractions: Array
    changed: float


def threshold_sensitivity(
    weights: ArrayLike, thresholds: Thresholds | None = None, *, by: float = 0.2
) -> list[Sensitivity]:
    """Class fractions with every threshold a share lower and higher, one at a time.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    thresholds : Thresholds, optional
    by : float
        Share by which they change, between 0 and 1.

    Raises
    ------
    InputError
        The weights are no kernels, or the share is not in between.
    """
    if not 0 < by < 1:
        raise InputError(f"by must be between 0 and 1, got {by}")
    base = thresholds or Thresholds()
    found = kernel_features(weights)
    kept = decide(found, base)
    results = []
    for name, value in dataclasses.asdict(base).items():
        for factor in (1 - by, 1 + by):
            other = min(factor * value, np.sqrt(2))
            classes = decide(found, dataclasses.replace(base, **{name: other}))
            fractions = np.bincount(classes.ravel(), minlength=len(CLASSES)) / classes.size
            results.append(Sensitivity(name, other, fractions, float((classes != kept).mean())))
    return results
