r"""Spectra of convolution kernels.

A layer of a network computes :math:`h_j = \sum_b W_{jb} \star g_b + b_j`. On a periodic domain
every kernel multiplies each wavenumber of its input by a complex number,

.. math:: \hat h_j(k) = \sum_b \hat W_{jb}(k)\,\hat g_b(k), \qquad
          \hat W(k) = \sum_s W(s)\,e^{\pm i k\cdot s},

with s counted from the kernel's centre: + for the cross-correlation that torch and TensorFlow call
convolution, - for a convolution proper (Subel et al., PNAS Nexus 2 (2023), eq. 4-8). A kernel of
5 x 5 points is 25 numbers: its spectrum has a resolution of about a fifth of the band, whatever the
grid on which it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

#: Points of the grid of wavenumbers, (ny, nx): twice what kernels of up to 15 points need.
SHAPE = (32, 32)
#: Sign of the exponent of a kernel's spectrum.
CONVENTIONS = {"correlation": 1, "convolution": -1}
#: Edges of the bands k < 10, 10 .. 40 and > 40 of Subel et al. (2023) on their grid of 128 points.
BANDS = (10 / 64, 40 / 64)
#: Kernels whose spectra are in memory at once.
_CHUNK = 4096


def as_kernels(weights: ArrayLike, name: str = "weights") -> Array:
    """Kernels of a layer in double precision.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    name : str
        For messages.

    Raises
    ------
    InputError
        They are not real and finite, or not of that shape.
    """
    array = np.asarray(weights)
    if array.ndim != 4 or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise InputError(
            f"{name} must be real, of shape (channels out, channels in, ky, kx), got "
            f"{array.dtype}, shape {array.shape}"
        )
    array = array.astype(float, copy=False)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        out, into = (int(index) for index in bad[0][:2])
        raise InputError(f"{name} must be finite, got {array[tuple(bad[0])]} in [{out}, {into}]")
    return array


def kernel_spectra(
    weights: ArrayLike, shape: tuple[int, int] = SHAPE, *, convention: str = "correlation"
) -> Array:
    """What kernels multiply each wavenumber by: their spectra about their centres.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
        The centre is the point ``((ky - 1) // 2, (kx - 1) // 2)``.
    shape : (int, int)
        Points (ny, nx) of the domain, or of any finer or coarser grid of wavenumbers.
    convention : {"correlation", "convolution"}
        What the layer computes. Networks compute cross-correlations; the spectra of the two are
        complex conjugates of each other.

    Returns
    -------
    ndarray, shape (channels out, channels in, ny, nx), complex
        In the order of `numpy.fft.fftfreq`. Real for a kernel that is even about its centre.

    Raises
    ------
    InputError
        The weights are no kernels, or do not fit in the domain.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), eq. 4-8.
    """
    kernels = as_kernels(weights)
    if convention not in CONVENTIONS:
        expected = " or ".join(map(repr, CONVENTIONS))
        raise InputError(f"convention must be {expected}, got {convention!r}")
    if len(shape) != 2 or any(n < k for n, k in zip(shape, kernels.shape[-2:], strict=True)):
        raise InputError(
            f"shape must be (ny, nx) of at least the kernels' {kernels.shape[-2:]}, got {shape}"
        )
    along_y, along_x = (
        _waves(points, n, CONVENTIONS[convention])
        for points, n in zip(kernels.shape[-2:], shape, strict=True)
    )
    spectra: Array = along_y @ kernels @ along_x.T
    return spectra


def _waves(points: int, n: int, sign: int) -> Array:
    """exp(sign i k s) of all k and of the points s about the centre, shape (n, points)."""
    turns = np.outer(np.arange(n), np.arange(points) - (points - 1) // 2) % n
    waves: Array = np.exp(sign * 2j * math.pi / n * turns)
    return waves


def amplitude_chunks(weights: Array, shape: tuple[int, int]) -> Iterator[Array]:
    """Moduli of the spectra of all kernels in order, some at a time, shape (some, ny, nx)."""
    flat = weights.reshape(-1, 1, *weights.shape[-2:])
    for start in range(0, len(flat), _CHUNK):
        yield np.abs(kernel_spectra(flat[start : start + _CHUNK], shape)[:, 0])


# ------------------------------------------------------------------------------------- energies ---


def radial_wavenumber(shape: tuple[int, int] = SHAPE) -> Array:
    """Modulus of the wavenumber over that of Nyquist along an axis, shape (ny, nx).

    At most the square root of 2, in the corners. Points of the domain are taken to be as far apart
    along x as along y.
    """
    ny, nx = shape
    return np.hypot(2 * np.fft.fftfreq(ny)[:, None], 2 * np.fft.fftfreq(nx))


def kernel_energy(weights: ArrayLike) -> Array:
    """Sums of the squares of the weights, shape (channels out, channels in)."""
    energy: Array = np.square(as_kernels(weights)).sum((-2, -1))
    return energy


def spectral_energy(spectra: Array) -> Array:
    """The same from spectra on any grid that holds the kernels, shape (...): Parseval's theorem.

    Parameters
    ----------
    spectra : ndarray, shape (..., ny, nx)
        Of `kernel_spectra`, or their moduli.
    """
    energy: Array = np.square(np.abs(spectra)).mean((-2, -1))
    return energy


def radial_energy(spectra: Array) -> tuple[Array, Array]:
    """Energy of kernels by the modulus of the wavenumber.

    Parameters
    ----------
    spectra : ndarray, shape (..., ny, nx)

    Returns
    -------
    k : ndarray, shape (shells,)
        Centres of shells over Nyquist's wavenumber; they are a wavenumber of the shorter axis wide.
    energy : ndarray, shape (..., shells)
        Its sum over shells is `spectral_energy`.
    """
    spacing = 2 / min(spectra.shape[-2:])
    shell = np.floor(radial_wavenumber(spectra.shape[-2:]) / spacing + 0.5).astype(int)
    shells = int(shell.max()) + 1
    members = shell.ravel() == np.arange(shells)[:, None]
    density = np.square(np.abs(spectra)).reshape(*spectra.shape[:-2], -1) / shell.size
    return spacing * np.arange(shells), density @ members.T.astype(float)


def band_energies(spectra: Array, edges: Sequence[float] = BANDS) -> Array:
    """Energy of kernels in bands of the modulus of the wavenumber.

    Parameters
    ----------
    spectra : ndarray, shape (..., ny, nx)
    edges : sequence of float
        Increasing wavenumbers between the bands, over that of Nyquist. The first band begins at 0,
        the last one ends in the corners.

    Returns
    -------
    ndarray, shape (..., len(edges) + 1)
        Its sum over bands is `spectral_energy`.

    Raises
    ------
    InputError
        The edges do not increase from above 0.
    """
    if list(edges) != sorted(set(edges)) or (len(edges) and not edges[0] > 0):
        raise InputError(f"edges must be increasing and > 0, got {list(edges)}")
    band = np.digitize(radial_wavenumber(spectra.shape[-2:]).ravel(), edges)
    members = band == np.arange(len(edges) + 1)[:, None]
    density = np.square(np.abs(spectra)).reshape(*spectra.shape[:-2], -1) / band.size
    energies: Array = density @ members.T.astype(float)
    return energies
