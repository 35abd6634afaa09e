r"""Kernels that re-training has changed: by how much, and from which nature to which.

The change of a kernel from W to W' can be measured in space, by its complex spectrum, or by the
modulus of its spectrum,

.. math:: d = \|W' - W\|_F, \qquad \|\hat W' - \hat W\|_F = \sqrt{n_x n_y}\;d, \qquad
          \big\|\,|\hat W'| - |\hat W|\,\big\|_F \le \sqrt{n_x n_y}\;d.

The second, printed in Subel et al. (2023), ranks kernels as the first does, by Parseval's theorem.
The third, which the scripts of that paper compute, does not see a shift of the kernel or a change
of its sign, and ranks otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .classes import CLASSES, Thresholds, classify
from .kernels import SHAPE, amplitude_chunks, as_kernels, kernel_energy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

MEASURES = ("space", "spectrum", "amplitude")


class ChangedKernel(NamedTuple):
    """One kernel: its channels, counted from 0, its change, and its classes in words."""

    output: int
    input: int
    change: float
    before: str
    after: str


@dataclass(frozen=True)
class KernelChanges:
    """Changes of all kernels of a layer.

    Attributes
    ----------
    before, after : ndarray, shape (channels out, channels in, ky, kx)
        Weights.
    space, spectrum, amplitude : ndarray, shape (channels out, channels in)
        The three measures.
    classes_before, classes_after : ndarray of int, shape (channels out, channels in)
        Indices into `pytbl.analysis.CLASSES`.
    """

    before: Array
    after: Array
    space: Array
    spectrum: Array
    amplitude: Array
    classes_before: Array
    classes_after: Array

    def measure(self, name: str) -> Array:
        """One of the measures, shape (channels out, channels in).

        Raises
        ------
        InputError
            There is no such measure.
        """
        if name not in MEASURES:
            raise InputError(f"measure must be one of {', '.join(MEASURES)}, got {name!r}")
        values: Array = getattr(self, name)
        return values

    def sorted(self, measure: str = "spectrum") -> Array:
        """All changes, the largest first, shape (kernels,)."""
        return np.sort(self.measure(measure), axis=None)[::-1]

    def most_changed(
        self,
        measure: str = "spectrum",
        *,
        count: int | None = None,
        percentile: float | None = None,
    ) -> list[ChangedKernel]:
        """The kernels that have changed most, the most changed first.

        Parameters
        ----------
        measure : {"spectrum", "space", "amplitude"}
        count : int, optional
            How many; fewer if fewer have changed at all.
        percentile : float, optional
            Those above this percentile of all changes, in [0, 100]. By default the 99.9th, if no
            count is given.

        Raises
        ------
        InputError
            Both are given, or one cannot be used.

        References
        ----------
        Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Fig. 4.
        """
        values = self.measure(measure)
        if count is not None and percentile is not None:
            raise InputError(f"give a count or a percentile, got {count} and {percentile}")
        if count is not None and count < 1:
            raise InputError(f"count must be at least 1, got {count}")
        order = np.argsort(-values, axis=None, kind="stable")
        if count is None:
            percentile = 99.9 if percentile is None else percentile
            if not 0 <= percentile <= 100:
                raise InputError(f"percentile must be in [0, 100], got {percentile}")
            count = int((values > np.percentile(values, percentile)).sum())
        places = zip(*np.unravel_index(order[:count], values.shape), strict=True)
        return [
            ChangedKernel(
                int(out),
                int(into),
                float(values[out, into]),
                CLASSES[self.classes_before[out, into]],
                CLASSES[self.classes_after[out, into]],
            )
            for out, into in places
            if values[out, into] > 0
        ]

    def transitions(self) -> Array:
        """Kernels by their class before (rows) and after (columns), shape (classes, classes)."""
        pairs = self.classes_before * len(CLASSES) + self.classes_after
        counts = np.bincount(pairs.ravel(), minlength=len(CLASSES) ** 2)
        return counts.reshape(len(CLASSES), len(CLASSES))


def kernel_changes(
    before: ArrayLike,
    after: ArrayLike,
    thresholds: Thresholds | None = None,
    *,
    shape: tuple[int, int] = SHAPE,
) -> KernelChanges:
    """Compare the kernels of a layer before and after re-training.

    Parameters
    ----------
    before, after : ndarray, shape (channels out, channels in, ky, kx)
    thresholds : Thresholds, optional
        Of the classes.
    shape : (int, int)
        Grid of wavenumbers, (ny, nx), of the measures in Fourier space: they grow with the root of
        its number of points.

    Returns
    -------
    KernelChanges

    Raises
    ------
    InputError
        The weights are no kernels, or not of one shape.
    """
    first, second = as_kernels(before, "before"), as_kernels(after, "after")
    if first.shape != second.shape:
        raise InputError(
            f"before and after must have the same shape, got {first.shape} and {second.shape}"
        )
    space = np.sqrt(kernel_energy(second - first))
    pairs = zip(amplitude_chunks(first, shape), amplitude_chunks(second, shape), strict=True)
    amplitude = np.concatenate([np.linalg.norm(b - a, axis=(1, 2)) for a, b in pairs])
    return KernelChanges(
        before=first,
        after=second,
        space=space,
        spectrum=np.sqrt(shape[0] * shape[1]) * space,
        amplitude=amplitude.reshape(space.shape),
        classes_before=classify(first, thresholds),
        classes_after=classify(second, thresholds),
    )
