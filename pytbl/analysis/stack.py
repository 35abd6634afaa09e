r"""A network as plain arrays: convolutions, biases, what follows them, and how edges are padded.

Whatever a network was trained with, what can be said of its kernels and activations needs no more
than this. With :math:`g^0` the normalised inputs and layers counted from 1,

.. math:: h^l_j = \sum_b W^l_{jb} * g^{l-1}_b + b^l_j, \qquad g^l_j = \sigma^l(h^l_j)

(Subel et al. 2023, Eqs. 4-5), h being the pre-activations and g the activations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .kernels import CONVENTIONS, as_kernels
from .named_arrays import find_kernels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..nn.model import PeriodicCNN

    Array = np.ndarray[Any, np.dtype[Any]]

ACTIVATIONS = ("relu", "linear")
PADDINGS = ("circular", "zeros")


class Layer(NamedTuple):
    """A convolution: weight (out, in, k, k), bias (out,), and "relu" or "linear"."""

    weight: Array
    bias: Array
    activation: str


class Activation(NamedTuple):
    """What a layer makes of some samples.

    Attributes
    ----------
    layer : int
        From 1.
    first : int
        Number of the first of these samples.
    before, after : ndarray, shape (samples, channels, ny, nx)
        Pre-activations h and activations g.
    """

    layer: int
    first: int
    before: Array
    after: Array


class Stack:
    """Convolutions of stride 1, one after the other.

    Parameters
    ----------
    kernels : sequence of (weight, bias)
        Arrays of shape (out, in, k, k) and (out,); a bias may be None.
    activations : sequence of {"relu", "linear"}, optional
        After each layer; by default ReLU after all but the last.
    padding : {"circular", "zeros"}
        What lies beyond the edges.
    convention : {"correlation", "convolution"}
        Whether kernels are applied as they are, as torch and TensorFlow do, or turned by 180
        degrees first.
    left_out : sequence of str
        In words, parts of the network that these layers are not.

    Attributes
    ----------
    layers : tuple of Layer
        In double precision.

    Raises
    ------
    InputError
        There are no kernels, or an array or a name cannot be used.
    """

    def __init__(
        self,
        kernels: Sequence[tuple[ArrayLike, ArrayLike | None]],
        *,
        activations: Sequence[str] | None = None,
        padding: str = "circular",
        convention: str = "correlation",
        left_out: Iterable[str] = (),
    ) -> None:
        if not len(kernels):
            raise InputError("a stack needs at least one kernel, got none")
        if activations is None:
            activations = ["relu"] * (len(kernels) - 1) + ["linear"]
        if len(activations) != len(kernels):
            raise InputError(
                f"every layer needs an activation: expected {len(kernels)}, got {len(activations)}"
            )
        for name, value, valid in (
            ("padding", padding, PADDINGS),
            ("convention", convention, CONVENTIONS),
            *(("activation", activation, ACTIVATIONS) for activation in activations),
        ):
            if value not in valid:
                expected = " or ".join(map(repr, valid))
                raise InputError(f"{name} must be {expected}, got {value!r}")
        self.padding, self.convention = padding, convention
        self.left_out = tuple(left_out)
        self.layers = tuple(
            Layer(*_checked(number, *kernel), activation)
            for number, (kernel, activation) in enumerate(
                zip(kernels, activations, strict=True), start=1
            )
        )

    def __repr__(self) -> str:
        first, last = self.layers[0].weight, self.layers[-1].weight
        left_out = f", {len(self.left_out)} parts left out" if self.left_out else ""
        return (
            f"Stack({len(self.layers)} layers, {first.shape[1]} -> {last.shape[0]} channels, "
            f"padding {self.padding!r}{left_out})"
        )

    def __len__(self) -> int:
        return len(self.layers)

    # ----------------------------------------------------------------------------------- origin ---

    @classmethod
    def of(cls, network: Any, *, padding: str = "circular") -> Stack:
        """The convolutions of a network.

        Parameters
        ----------
        network : Stack, PeriodicCNN, path, or sequence of (weight, bias)
            Of paths, those that end in .npz hold arrays, in .pt or .pth a state dict of torch;
            others, and names that begin with "zoo:", are closures.
        padding : {"circular", "zeros"}
            Of arrays and state dicts, which do not say it.

        Raises
        ------
        InputError
            A file cannot be read, or there is no kernel in it.
        """
        if isinstance(network, Stack):
            return network
        if hasattr(network, "kernels"):
            return cls.from_model(network)
        if not isinstance(network, str | Path):
            return cls(network, padding=padding)
        suffix = Path(network).suffix
        if suffix == ".npz":
            return cls.from_npz(network, padding=padding)
        if suffix in (".pt", ".pth"):
            return cls.from_state_dict(network, padding=padding)
        from ..nn.artifact import load_model

        return cls.from_model(load_model(network))

    @classmethod
    def from_model(cls, model: PeriodicCNN) -> Stack:
        """The layers of a PeriodicCNN, without the normalisation and the cut around them."""
        kernels = [
            (weight.detach().cpu().double().numpy(), bias.detach().cpu().double().numpy())
            for weight, bias in model.kernels()
        ]
        return cls(kernels, padding=model.config["padding"])

    @classmethod
    def from_npz(cls, path: str | Path, *, padding: str = "circular") -> Stack:
        """The kernels among the arrays of a file of numpy; see `from_arrays`."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # of a damaged file, the reader may raise anything
            raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
        return cls.from_arrays(arrays, padding=padding, what=str(path))

    @classmethod
    def from_state_dict(cls, path: str | Path, *, padding: str = "circular") -> Stack:
        """The kernels of a network that torch saved; see `from_arrays`.

        Only tensors are read: nothing in the file is executed.
        """
        from ..nn.foreign import read_state_dict

        return cls.from_arrays(read_state_dict(path), padding=padding, what=str(path))

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Array],
        *,
        padding: str = "circular",
        what: str = "the network",
    ) -> Stack:
        """The kernels among named arrays, in their order, and in words what else there is.

        Parameters
        ----------
        arrays : dict of str and ndarray
            See `pytbl.analysis.named_arrays.find_kernels`.
        padding : {"circular", "zeros"}
        what : str
            Where they are from, for messages.

        Raises
        ------
        InputError
            There is no kernel.
        """
        kernels, left_out = find_kernels(arrays, what)
        return cls(kernels, padding=padding, left_out=left_out)

    # ---------------------------------------------------------------------------------- running ---

    @property
    def obstacle(self) -> str:
        """In words, why the layers cannot be run one after the other; empty if they can."""
        for number, (one, other) in enumerate(pairwise(self.layers), start=1):
            gives, takes = one.weight.shape[0], other.weight.shape[1]
            if gives != takes:
                return f"layer {number} gives {gives} channels, layer {number + 1} takes {takes}"
        return ""

    def run(self, inputs: ArrayLike, *, batch: int = 4) -> Iterator[Activation]:
        """Pre-activations and activations, layer by layer, of a few samples at a time.

        Parameters
        ----------
        inputs : ndarray, shape (samples, channels, ny, nx)
            Normalised, as the first layer sees them.
        batch : int
            Samples in memory at a time.

        Yields
        ------
        Activation

        Raises
        ------
        InputError
            The inputs are not finite or not of the first layer's channels, or the layers do not
            follow each other.
        """
        x = self.check_inputs(inputs)
        if not (isinstance(batch, int) and batch >= 1):
            raise InputError(f"batch must be an integer >= 1, got {batch!r}")
        return self._run(x, batch)

    def _run(self, x: Array, batch: int) -> Iterator[Activation]:
        for first in range(0, len(x), batch):
            g = x[first : first + batch]
            for number, layer in enumerate(self.layers, start=1):
                h = self.convolve(g, layer)
                g = np.maximum(h, 0.0) if layer.activation == "relu" else h
                yield Activation(number, first, h, g)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Activations of the last layer, shape (samples, channels, ny, nx); errors as `run`."""
        return np.concatenate([a.after for a in self.run(inputs) if a.layer == len(self)])

    def check_inputs(self, inputs: ArrayLike) -> Array:
        """Inputs in double precision; errors as `run`."""
        if self.obstacle:
            raise InputError(f"the layers do not follow each other: {self.obstacle}")
        x, channels = np.asarray(inputs), self.layers[0].weight.shape[1]
        if x.ndim != 4 or x.shape[1] != channels or 0 in x.shape or x.dtype.kind not in "fiu":
            raise InputError(
                f"inputs must be real, of shape (samples, {channels}, ny, nx), got {x.dtype}, "
                f"shape {x.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2, 3)))
        if len(bad):
            raise InputError(f"inputs must be finite, got sample {bad[0]} that is not")
        return x.astype(float, copy=False)

    def convolve(self, g: Array, layer: Layer) -> Array:
        """Pre-activations of one layer, of what goes into it, shape (samples, in, ny, nx)."""
        weight, bias, _ = layer
        outputs, _, rows, columns = weight.shape
        samples, _, ny, nx = g.shape
        edges = [(0, 0), (0, 0), *(((points - 1) // 2, points // 2) for points in (rows, columns))]
        if self.convention == "convolution":
            weight, edges = weight[..., ::-1, ::-1], [edge[::-1] for edge in edges]
        mode: Any = "wrap" if self.padding == "circular" else "constant"
        padded = np.pad(g, edges, mode=mode)
        h = np.repeat(bias[None, :, None], samples, 0) + np.zeros(ny * nx)
        for i, j in np.ndindex(rows, columns):
            window = padded[:, :, i : i + ny, j : j + nx].reshape(samples, -1, ny * nx)
            h += weight[:, :, i, j] @ window
        return h.reshape(samples, outputs, ny, nx)


def _checked(number: int, weight: ArrayLike, bias: ArrayLike | None) -> tuple[Array, Array]:
    """Weights and biases in double precision."""
    w = as_kernels(weight, f"the weights of layer {number}")
    b = np.zeros(len(w)) if bias is None else np.asarray(bias, float)
    if b.shape != w.shape[:1] or not np.isfinite(b).all():
        raise InputError(
            f"the biases of layer {number} must be finite, of shape {w.shape[:1]}, got shape "
            f"{b.shape}, the first {b.flat[:3]}"
        )
    return w, b
