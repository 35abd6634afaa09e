r"""Filters: what a large-eddy simulation is taken to see of a flow.

A filter multiplies every mode by its transfer function G(k). Its width is a multiple of the coarse
grid's spacing, ``width = ratio * dx`` (in each direction), and the ratio is always stated: codes
and papers differ in it. That of Subel et al. (2023) is a Gaussian of ratio 2.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Filter(ABC):
    """A filter of a width.

    Parameters
    ----------
    ratio : float
        Width over the spacing of the grid to which the filtered field is cut.

    Raises
    ------
    InputError
        The ratio is not a finite number > 0.
    """

    ratio: float = 2.0
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and self.ratio > 0):
            raise InputError(f"the ratio of a filter must be a finite number > 0, got {self.ratio}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(ratio={self.ratio:g})"

    def widths(self, grid: Grid) -> tuple[float, float]:
        """Widths along x and y on a coarse grid [length]."""
        return self.ratio * grid.dx, self.ratio * grid.dy

    def transfer(self, grid: Grid) -> Array:
        """G(k) for the modes of a coarse grid, shape (nkx_local, ny); 0 where modes are cut."""
        x, y = self.widths(grid)
        return np.where(grid.mask, self._transfer(grid.kx * x, grid.ky * y), 0.0)

    @abstractmethod
    def _transfer(self, x: Array, y: Array) -> Array:
        """G as a function of ``kx * width`` and ``ky * width``."""


class Gaussian(Filter):
    r""":math:`G = \exp(-k^2\Delta^2/24)`, whose second moment is that of the box."""

    kind = "gaussian"

    def _transfer(self, x: Array, y: Array) -> Array:
        return np.exp(-(x**2 + y**2) / 24)


class Box(Filter):
    r"""The mean over a box, :math:`G = \mathrm{sinc}(k_x\Delta/2)\,\mathrm{sinc}(k_y\Delta/2)`."""

    kind = "box"

    def _transfer(self, x: Array, y: Array) -> Array:
        return np.sinc(x / (2 * np.pi)) * np.sinc(y / (2 * np.pi))


class GaussianBox(Filter):
    """The Gaussian and the box, one after the other."""

    kind = "gaussian+box"

    def _transfer(self, x: Array, y: Array) -> Array:
        return Gaussian._transfer(self, x, y) * Box._transfer(self, x, y)  # type: ignore[arg-type]


class SharpCircle(Filter):
    r"""Keeps :math:`|k| < 2\pi/\Delta`: with ratio 2, up to the Nyquist wavenumber."""

    kind = "sharp-circle"

    def _transfer(self, x: Array, y: Array) -> Array:
        return np.where(x**2 + y**2 < (2 * np.pi) ** 2 * (1 - 1e-12), 1.0, 0.0)


class SharpSquare(Filter):
    r"""Keeps :math:`|k_x|, |k_y| < 2\pi/\Delta`: with ratio 2, all that the coarse grid keeps."""

    kind = "sharp-square"

    def _transfer(self, x: Array, y: Array) -> Array:
        return np.where(np.maximum(abs(x), abs(y)) < 2 * np.pi * (1 - 1e-12), 1.0, 0.0)


FILTERS: dict[str, type[Filter]] = {
    filter.kind: filter for filter in (Gaussian, Box, GaussianBox, SharpCircle, SharpSquare)
}


def make(kind: str, *, ratio: float = 2.0) -> Filter:
    """A filter by name.

    Raises
    ------
    InputError
        There is no such filter: the names of those there are.
    """
    if kind not in FILTERS:
        raise InputError(f"unknown filter {kind!r}: expected one of {', '.join(FILTERS)}")
    return FILTERS[kind](ratio)
