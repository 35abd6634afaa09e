r"""Spectra of activations: which wavenumbers each layer of a network carries.

For every layer, :math:`A(k)=\langle|\hat g_j|\rangle`, the mean over samples and channels of the
moduli, and the same of the pre-activations h. Transforms divide by the number of points, as
everywhere in this package; `numpy.fft.fft2`, and so Subel et al. (2023), Fig. 3, do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..periodic import Modes

if TYPE_CHECKING:
    from .stack import Activation

    Array = np.ndarray[Any, np.dtype[Any]]

#: What is averaged over the channels of a sample.
AVERAGES = ("spectra", "activation")
#: Which side of a layer's nonlinearity.
SIDES = ("before", "after")
PERCENTILES = (25, 75)


@dataclass(frozen=True)
class LayerSpectra:
    """Spectra of a layer on some samples.

    Attributes
    ----------
    layer : int
        From 1.
    k : ndarray, shape (shells,)
        Centres of the complete shells from the first, without the mean [1/length].
    before, after : ndarray, shape (samples, shells)
        Of pre-activations and of activations: averages over the modes of each shell.
    kx, ky : ndarray, shape (columns,) and (rows,)
        Wavenumbers of the maps, ascending, without those of Nyquist [1/length].
    map_before, map_after : ndarray, shape (rows, columns)
        Averages over samples at every wavenumber, k = 0 in the centre.
    """

    layer: int
    k: Array
    before: Array
    after: Array
    kx: Array
    ky: Array
    map_before: Array
    map_after: Array

    def mean(self, side: str = "after") -> Array:
        """Mean over samples, shape (shells,)."""
        mean: Array = self._side(side).mean(axis=0)
        return mean

    def percentiles(self, side: str = "after") -> tuple[Array, Array]:
        """25th and 75th percentile over samples, each of shape (shells,)."""
        low, high = np.percentile(self._side(side), PERCENTILES, axis=0)
        return low, high

    def _side(self, side: str) -> Array:
        if side not in SIDES:
            raise InputError(f"side must be 'before' or 'after', got {side!r}")
        spectra: Array = getattr(self, side)
        return spectra


def activation_spectra(
    activations: Iterable[Activation],
    *,
    lx: float = 2 * math.pi,
    ly: float = 2 * math.pi,
    average: str = "spectra",
) -> list[LayerSpectra]:
    """Spectra of every layer.

    Parameters
    ----------
    activations : iterable of Activation
        Of `Stack.run` or `pytbl.nn.activations.activations`; one is in memory at a time.
    lx, ly : float
        Lengths of the domain [length].
    average : {"spectra", "activation"}
        The mean over channels of the moduli of their spectra; or the modulus of the spectrum of
        the mean over channels. The text of Subel et al. has the former, the caption of their
        Fig. 3 the latter.

    Returns
    -------
    list of LayerSpectra

    Raises
    ------
    InputError
        There are no activations, they are not finite, or a parameter cannot be used.
    """
    if average not in AVERAGES:
        raise InputError(f"average must be 'spectra' or 'activation', got {average!r}")
    parts: dict[int, _Parts] = {}
    for activation in activations:
        if activation.layer not in parts:
            parts[activation.layer] = _Parts(Modes(activation.after.shape, lx, ly), average)
        parts[activation.layer].add(activation)
    if not parts:
        raise InputError("there are no activations: expected those of at least a sample")
    return [parts[layer].spectra(layer) for layer in sorted(parts)]


class _Parts:
    """Moduli of the spectra of a layer: shells of each sample, and sums over samples."""

    def __init__(self, modes: Modes, average: str) -> None:
        self.modes, self.average = modes, average
        self.inside = np.ones(modes.k2.shape)
        for axis, n in ((-1, modes.nx), (-2, modes.ny)):
            if n % 2 == 0:
                np.moveaxis(self.inside, axis, -1)[..., n // 2] = 0
        self.complete = slice(1, modes.complete_shells)
        self.count = modes.shell_sums(self.inside)[self.complete]
        self.shells: dict[str, list[Array]] = {side: [] for side in SIDES}
        self.sums: dict[str, Array | float] = dict.fromkeys(SIDES, 0.0)

    def add(self, activation: Activation) -> None:
        for side in SIDES:
            fields = np.asarray(getattr(activation, side), float)
            if not np.isfinite(fields).all():
                raise InputError(
                    f"activations must be finite, got some of layer {activation.layer} that are not"
                )
            if self.average == "activation":
                fields = fields.mean(axis=1, keepdims=True)
            moduli = np.abs(self.modes.to_spectral(fields)).mean(axis=1)
            self.shells[side].append(self.modes.shell_sums(moduli)[..., self.complete] / self.count)
            self.sums[side] = self.sums[side] + moduli.sum(axis=0)

    def spectra(self, layer: int) -> LayerSpectra:
        before, after = (np.concatenate(self.shells[side]) for side in SIDES)
        maps = [self._map(np.asarray(self.sums[side]) / len(after)) for side in SIDES]
        rows, columns = (self.modes.ny - 1) // 2, (self.modes.nx - 1) // 2
        spacing_y, spacing_x = self.modes.ky[1, 0], self.modes.kx[1]
        return LayerSpectra(
            layer,
            self.modes.k[self.complete],
            before,
            after,
            spacing_x * np.arange(-columns, columns + 1),
            spacing_y * np.arange(-rows, rows + 1),
            *maps,
        )

    def _map(self, half: Array) -> Array:
        """From kx >= 0 to the whole plane: moduli are even."""
        rows, columns = (self.modes.ny - 1) // 2, (self.modes.nx - 1) // 2
        right = half[np.arange(-rows, rows + 1), : columns + 1]
        return np.concatenate([right[::-1, :0:-1], right], axis=1)
