r"""Scores of loss landscapes: how an error varies over a plane of parameters about a network's own.

A surface :math:`L(d_1, d_2)` is sampled on a square grid, :math:`\theta + d_1 v_1 + d_2 v_2`, with
the network at its centre. Subel et al. (2023) judge such surfaces by eye, by their smoothness and
their height, and by one pair of directions; here both are numbers, with their spread over pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

#: Fewest points of a surface along each direction.
FEWEST_POINTS = 7
#: Of the largest error: a second difference below this is rounding, in float32 too.
_FLAT = 1e-6
_RESAMPLES = 2000


@dataclass(frozen=True)
class LandscapeScores:
    """Of one surface.

    Attributes
    ----------
    centre : float
        The network's own error.
    range, mean, median : float
        Of the error over the square.
    roughness : float
        Root-mean-square departure of the error from a quadratic fit in windows of half the side.
    non_convex : float
        Part of the interior points where the 2 x 2 Hessian has a negative eigenvalue.
    displacement : float
        How far from the centre the minimum is, in half sides: up to the square root of 2.
    descent : float
        The error at the centre less the minimum.
    favourability : float
        See `landscape_scores`.
    """

    centre: float
    range: float
    mean: float
    median: float
    roughness: float
    non_convex: float
    displacement: float
    descent: float
    favourability: float


class Interval(NamedTuple):
    """A mean over direction pairs, their standard deviation, and where the mean lies by 95 %."""

    mean: float
    spread: float
    low: float
    high: float


def landscape_scores(surface: ArrayLike, coordinates: ArrayLike) -> LandscapeScores:
    r"""Numbers for what an eye sees in a surface.

    The favourability is this package's proposal, not a published score. It multiplies four numbers
    of ]0, 1], each 1 where nothing is to be said against a surface,

    .. math:: F = (1 - f)\;\frac{1}{1+\varrho/\sigma}\;\frac{1}{1+\langle L\rangle}\;
              \frac{1}{1+\delta},

    with the part :math:`f` of points that are not convex, the roughness :math:`\varrho` over the
    standard deviation :math:`\sigma` of the surface, its mean (an error of 1 is that of predicting
    nothing), and the displacement :math:`\delta` of its minimum. A low smooth bowl around the
    network comes first; then a tilted plane, whose minimum is out of reach; hills and valleys lose
    by the first two factors, a high steep bowl by the third.

    Parameters
    ----------
    surface : ndarray, shape (points, points)
    coordinates : ndarray, shape (points,)
        Of both directions: equally spaced about 0, which is one of them.

    Returns
    -------
    LandscapeScores

    Raises
    ------
    InputError
        The surface is not finite, or the coordinates are not those of such a square.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Eq. 9 and Fig. 5.
    """
    error, at = _sampled(surface, coordinates)
    middle = len(at) // 2
    lowest = np.array(np.unravel_index(error.argmin(), error.shape))
    if error[middle, middle] == error.min():  # of equal minima the network's own
        lowest[:] = middle
    displacement = float(np.hypot(*at[lowest]) / at[-1])
    rough, deviation = _roughness(error), float(error.std())
    non_convex = _non_convex(error)
    mean = float(error.mean())
    smoothness = 1 / (1 + rough / deviation) if deviation else 1.0
    return LandscapeScores(
        centre=float(error[middle, middle]),
        range=float(np.ptp(error)),
        mean=mean,
        median=float(np.median(error)),
        roughness=rough,
        non_convex=non_convex,
        displacement=displacement,
        descent=float(error[middle, middle] - error.min()),
        favourability=(1 - non_convex) * smoothness / (1 + mean) / (1 + displacement),
    )


def summarise_landscapes(
    surfaces: Sequence[ArrayLike], coordinates: ArrayLike, *, rng: int = 0
) -> dict[str, Interval]:
    """The scores of surfaces along several direction pairs, and how far pairs differ.

    Parameters
    ----------
    surfaces : ndarray, shape (pairs, points, points)
        At least two; ten give an interval that can be trusted.
    coordinates : ndarray, shape (points,)
    rng : int
        Seed of the bootstrap over pairs.

    Returns
    -------
    dict
        An `Interval` for each of `LandscapeScores`.

    Raises
    ------
    InputError
        There is one pair only, which has no spread; or see `landscape_scores`.
    """
    if len(surfaces) < 2:
        raise InputError(f"a spread needs at least 2 direction pairs, got {len(surfaces)}")
    each = [asdict(landscape_scores(surface, coordinates)) for surface in surfaces]
    drawn = np.random.default_rng(rng).integers(len(each), size=(_RESAMPLES, len(each)))
    found = {}
    for name in each[0]:
        values = np.array([one[name] for one in each])
        low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
        spread = float(values.std(ddof=1))
        found[name] = Interval(float(values.mean()), spread, float(low), float(high))
    return found


def path_on(path: ArrayLike, directions: ArrayLike) -> tuple[Array, Array]:
    """A path of parameters as it is seen on the plane of two directions.

    Parameters
    ----------
    path : ndarray, shape (steps, parameters)
        Parameters less those at the centre of the surface.
    directions : ndarray, shape (2, parameters)

    Returns
    -------
    coordinates : ndarray, shape (steps, 2)
        Of the nearest points on the plane.
    within : ndarray, shape (steps,)
        Part of the distance from the centre that lies in the plane, 0 to 1; of a path in many
        dimensions a plane of random directions shows next to nothing.
    """
    moved, plane = np.asarray(path, dtype=float), np.asarray(directions, dtype=float)
    found = np.linalg.lstsq(plane.T, moved.T, rcond=None)[0].T
    length, seen = (np.linalg.norm(part, axis=1) for part in (moved, found @ plane))
    return found, np.divide(seen, length, out=np.ones_like(length), where=length > 0)


def _sampled(surface: ArrayLike, coordinates: ArrayLike) -> tuple[Array, Array]:
    error, at = np.asarray(surface, dtype=float), np.asarray(coordinates, dtype=float)
    points = len(at) if at.ndim == 1 else 0
    if points < FEWEST_POINTS or points % 2 == 0 or error.shape != (points, points):
        raise InputError(
            f"a surface must have shape (points, points) with odd points >= {FEWEST_POINTS}, and "
            f"as many coordinates, got {error.shape} and {at.shape}"
        )
    expected = np.linspace(-at[-1], at[-1], points)
    if not (at[-1] > 0 and np.allclose(at, expected, atol=1e-6 * at[-1])):
        raise InputError("coordinates must ascend in equal steps from -a to a with a > 0")
    if not np.isfinite(error).all():
        raise InputError("the surface is not finite")
    return error, at


def _roughness(error: Array) -> float:
    points = len(error) // 4 * 2 + 1
    along = np.linspace(-1, 1, points)
    x, y = (axis.ravel() for axis in np.meshgrid(along, along))
    quadratics = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0]
    # the mean is no roughness, and would only add rounding
    windows = np.lib.stride_tricks.sliding_window_view(error - error.mean(), (points, points))
    values = windows.reshape(-1, points * points)
    return float(np.sqrt(np.mean((values - values @ quadratics @ quadratics.T) ** 2)))


def _non_convex(error: Array) -> float:
    inside = slice(1, -1)
    xx = error[2:, inside] - 2 * error[inside, inside] + error[:-2, inside]
    yy = error[inside, 2:] - 2 * error[inside, inside] + error[inside, :-2]
    xy = (error[2:, 2:] - error[2:, :-2] - error[:-2, 2:] + error[:-2, :-2]) / 4
    smallest = (xx + yy) / 2 - np.hypot((xx - yy) / 2, xy)
    return float(np.mean(smallest < -_FLAT * np.abs(error).max()))
