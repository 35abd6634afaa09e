r"""What one kernel does: a layer's output channel with that kernel before and after re-training.

Everything else of the layer stays as it was, so that the difference of the channel's
pre-activations is :math:`(\hat W'_{jb} - \hat W_{jb})\,\hat g_b` and nothing else; ReLU spreads it
over other wavenumbers. Panels D and H of Fig. 4 of Subel et al. (2023).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..periodic import as_field
from .activations import activation_spectra
from .identities import convolved
from .kernels import as_kernels
from .stack import Activation, Layer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]


class ChannelSpectra(NamedTuple):
    """Mean moduli of the modes in each shell, averaged over samples, each of shape (shells,).

    Attributes
    ----------
    before, after : ndarray
        Of the channel with the kernel as it was, and as it has become.
    change : ndarray
        Of the difference of the two fields: it sees phases, the difference of the spectra does not.
    """

    before: Array
    after: Array
    change: Array


class Ablation(NamedTuple):
    """The effect of one kernel on its output channel.

    Attributes
    ----------
    k : ndarray, shape (shells,)
        Centres of the complete shells from the first, without the mean [1/length].
    linear, relu : ChannelSpectra
        Of the pre-activations, and of the activations.
    """

    k: Array
    linear: ChannelSpectra
    relu: ChannelSpectra


def kernel_ablation(
    activation: ArrayLike,
    weights: tuple[ArrayLike, ArrayLike],
    kernel: tuple[int, int],
    *,
    bias: ArrayLike | None = None,
    lx: float = 2 * math.pi,
    ly: float = 2 * math.pi,
    convention: str = "correlation",
) -> Ablation:
    r"""Replace one kernel of a layer by what it became, and compare the output channel.

    Parameters
    ----------
    activation : ndarray, shape (samples, channels in, ny, nx)
        What goes into the layer; taken to be periodic.
    weights : (before, after), each of shape (channels out, channels in, ky, kx)
    kernel : (int, int)
        Output and input channel, counted from 0, as in the shape of the weights. The paper's
        :math:`(\beta, j)` are the input and the output, counted from 1.
    bias : ndarray, shape (channels out,), optional
        Of the layer; by default zeros. It decides where ReLU cuts.
    lx, ly : float
        Lengths of the domain [length].
    convention : {"correlation", "convolution"}
        What the layer computes.

    Returns
    -------
    Ablation

    Raises
    ------
    InputError
        The arrays do not fit each other, or the kernel does not exist.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Fig. 4 D and H.
    """
    before, after = (
        as_kernels(w, name) for w, name in zip(weights, ("before", "after"), strict=True)
    )
    if before.shape != after.shape:
        raise InputError(
            f"before and after must have the same shape, got {before.shape} and {after.shape}"
        )
    outputs, inputs = before.shape[:2]
    out, into = kernel
    if not (0 <= out < outputs and 0 <= into < inputs):
        raise InputError(
            f"kernel must be (output, input) within ({outputs}, {inputs}), got {tuple(kernel)}"
        )
    g = as_field(activation, "activation")
    if g.ndim != 4 or g.shape[1] != inputs or not np.isfinite(g).all():
        raise InputError(
            f"activation must be finite, of shape (samples, {inputs}, ny, nx), got shape {g.shape}"
        )
    biases = np.zeros(outputs) if bias is None else np.asarray(bias, float)
    if biases.shape != (outputs,):
        raise InputError(f"bias must have shape ({outputs},), got {biases.shape}")

    one = before[out : out + 1]
    other = one.copy()
    other[0, into] = after[out, into]
    linear = [
        convolved(g, Layer(w, biases[out : out + 1], "linear"), convention=convention)[:, 0]
        for w in (one, other)
    ]
    relu = [np.maximum(h, 0.0) for h in linear]
    fields = [
        (linear[0], relu[0]),
        (linear[1], relu[1]),
        (linear[1] - linear[0], relu[1] - relu[0]),
    ]
    spectra = [
        activation_spectra([Activation(1, 0, h[:, None], g[:, None])], lx=lx, ly=ly)[0]
        for h, g in fields
    ]
    return Ablation(
        k=spectra[0].k,
        linear=ChannelSpectra(*(one.mean("before") for one in spectra)),
        relu=ChannelSpectra(*(one.mean("after") for one in spectra)),
    )
