r"""Exact identities of convolutional networks in Fourier space, checked on a given network.

On a periodic domain of N points, a layer multiplies every wavenumber (Subel et al. 2023, Eq. 6),

.. math:: \hat h_j(k) = \sum_b \hat W_{jb}(k)\,\hat g_b(k) + N b_j \delta_{k0},

and ReLU, which is the product of h with the indicator H of where it is positive, mixes them,

.. math:: \hat\sigma(h)(k) = \frac1N \sum_{k'} \hat h(k')\,\hat H(k - k').

Eq. 8 of the paper leaves the 1/N out. The first is broken by padding with zeros, as in the
published networks, in a frame half a kernel wide at every layer: the padding defect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .kernels import kernel_spectra

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .stack import Activation, Layer, Stack

    Array = np.ndarray[Any, np.dtype[Any]]

#: Wavenumbers at which the sum of ReLU's identity is formed.
_WAVENUMBERS = 32
#: Spectra of kernels in memory at a time [bytes].
_SPECTRA_BYTES = 64 << 20


class LayerIdentities(NamedTuple):
    """How far a layer is from the identities, over all samples and channels.

    Attributes
    ----------
    layer : int
        From 1.
    convolution : float
        Error of the convolution theorem at the points whose kernels lie within the domain, or at
        all points with circular padding, over the norm of the pre-activations. Rounding.
    padding_defect : float
        The same at all points.
    relu : float
        Error of ReLU's identity, at some wavenumbers, over the root mean square of the spectra of
        the pre-activations. Rounding; NaN if there is no ReLU.
    defect : ndarray, shape (ny, nx)
        Root mean square of the first error at every point, over that of the pre-activations.
    """

    layer: int
    convolution: float
    padding_defect: float
    relu: float
    defect: Array


def check_identities(
    stack: Stack, inputs: ArrayLike, activations: Iterable[Activation] | None = None
) -> list[LayerIdentities]:
    """Compare each layer of a network with what Fourier space says of it.

    Parameters
    ----------
    stack : Stack
    inputs : ndarray, shape (samples, channels, ny, nx)
        Normalised, as the first layer sees them.
    activations : iterable of Activation, optional
        What the network itself made of these inputs, in single precision perhaps; by default what
        `Stack.run` makes of them.

    Returns
    -------
    list of LayerIdentities

    Raises
    ------
    InputError
        The inputs do not fit the first layer, the domain is smaller than a kernel, or the
        activations are not those of so many layers and samples.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Eqs. 4-8.
    """
    x = stack.check_inputs(inputs)
    sums = [_Sums(layer) for layer in stack.layers]
    before: Array = x
    for activation in stack.run(x) if activations is None else activations:
        number, first, h, g = activation
        if number == 1:
            before = x[first : first + len(h)]
        if not 1 <= number <= len(stack) or len(h) != len(before) or h.ndim != 4:
            raise InputError(
                f"activations must be those of {len(stack)} layers and {len(x)} samples, got layer "
                f"{number} of shape {h.shape} from sample {first}"
            )
        sums[number - 1].add(stack, before, h.astype(float), g.astype(float))
        before = g.astype(float)
    return [total.identities(i, stack.padding) for i, total in enumerate(sums, start=1)]


class _Sums:
    """Squares of the errors of a layer, summed over samples."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.error: Array | float = 0.0
        self.norm = 0.0
        self.relu_error = 0.0 if layer.activation == "relu" else math.nan

    def add(self, stack: Stack, g_before: Array, h: Array, g: Array) -> None:
        difference = h - convolved(g_before, self.layer, convention=stack.convention)
        self.error = self.error + np.square(difference).sum(axis=(0, 1))
        self.norm += float(np.square(h).sum())
        if self.layer.activation == "relu":
            self.relu_error += _relu_error(h, g)

    def identities(self, number: int, padding: str) -> LayerIdentities:
        error = np.asarray(self.error)
        inside = error
        if padding == "zeros":
            rows, columns = (points // 2 for points in self.layer.weight.shape[-2:])
            inside = error[rows : len(error) - rows, columns : error.shape[1] - columns]
        return LayerIdentities(
            number,
            _ratio(float(inside.sum()), self.norm),
            _ratio(float(error.sum()), self.norm),
            _ratio(self.relu_error, self.norm),
            np.sqrt(error * error.size / self.norm) if self.norm else error,
        )


def _ratio(error: float, norm: float) -> float:
    return math.sqrt(error / norm) if norm else 0.0


def convolved(g: Array, layer: Layer, *, convention: str = "correlation") -> Array:
    """Pre-activations of a layer by the convolution theorem, as on a periodic domain.

    Parameters
    ----------
    g : ndarray, shape (samples, in, ny, nx)
    layer : Layer
    convention : {"correlation", "convolution"}

    Returns
    -------
    ndarray, shape (samples, out, ny, nx)
    """
    from scipy import fft

    weight, bias, _ = layer
    ny, nx = shape = g.shape[-2:]
    half = nx // 2 + 1
    g_hat = fft.rfft2(g)
    h = np.empty((len(g), len(weight), ny, nx))
    some = max(1, _SPECTRA_BYTES // (16 * weight.shape[1] * ny * nx))
    for first in range(0, len(weight), some):
        part = slice(first, first + some)
        spectra = kernel_spectra(weight[part], shape, convention=convention)[..., :half]
        h_hat = np.einsum("jbyx,sbyx->sjyx", spectra, g_hat, optimize=True)
        h_hat[..., 0, 0] += ny * nx * bias[part]
        h[:, part] = fft.irfft2(h_hat, s=shape)
    return h


def _relu_error(h: Array, g: Array) -> float:
    """Square of the error of ReLU's identity in space, estimated from some wavenumbers.

    The sum over wavenumbers is formed as it stands: a fast convolution would be the product in
    space that is to be checked.
    """
    from scipy import fft

    points = ny, nx = h.shape[-2:]
    h_hat, positive_hat, g_hat = (fft.fft2(field) for field in (h, (h > 0).astype(float), g))
    some = min(_WAVENUMBERS, ny * nx)
    chosen = np.random.default_rng(0).choice(ny * nx, some, replace=False)
    rows, columns = np.arange(ny)[:, None], np.arange(nx)
    error = 0.0
    for ky, kx in zip(*np.unravel_index(chosen, points), strict=True):
        turned = positive_hat[..., (ky - rows) % ny, (kx - columns) % nx]
        mixed = np.einsum("...yx,...yx->...", h_hat, turned) / (ny * nx)
        error += float(np.square(np.abs(mixed - g_hat[..., ky, kx])).sum())
    return error / some  # by Parseval's theorem, over N wavenumbers and N points
