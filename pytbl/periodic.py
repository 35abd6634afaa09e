"""Derivatives and shells of plain arrays that sample a doubly periodic domain.

For fields from anywhere, without a `pytbl.Grid`: arrays of shape ``(..., ny, nx)`` over ``lx`` by
``ly``, with any number of leading axes. Transforms divide by ``nx ny``, and the modes at the
Nyquist wavenumbers, which have no derivative and no partner of the other sign, are zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]


def as_field(field: ArrayLike, name: str = "a field") -> Array:
    """A real array of at least two axes, in double precision.

    Raises
    ------
    InputError
        It is not.
    """
    array = np.asarray(field)
    if array.ndim < 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise InputError(
            f"{name} must be real, of shape (..., ny, nx), got {array.dtype}, shape {array.shape}"
        )
    return array.astype(float, copy=False)


class Modes:
    """The modes of an array of the shape (..., ny, nx) over lx by ly.

    Attributes
    ----------
    kx : ndarray, shape (nx // 2 + 1,)
    ky : ndarray, shape (ny, 1)
        Wavenumbers [1/length].
    weight : ndarray, shape (nx // 2 + 1,)
        How often a stored mode counts in a sum over the plane: 2, and 1 at kx = 0.
    k : ndarray, shape (shells,)
        Centres of the shells ``n - 1/2 <= abs(k) / dk < n + 1/2``, with dk the smaller spacing of
        wavenumbers, as in `pytbl.diagnostics` [1/length].
    complete_shells : int
        Shells, counted from 0, that lie wholly inside the modes.
    """

    def __init__(self, shape: tuple[int, ...], lx: float, ly: float) -> None:
        for name, length in (("lx", lx), ("ly", ly)):
            if not (math.isfinite(length) and length > 0):
                raise InputError(f"{name} must be a finite number > 0, got {length}")
        self.ny, self.nx = shape[-2:]
        dkx, dky = 2 * math.pi / lx, 2 * math.pi / ly
        self.kx = dkx * np.arange(self.nx // 2 + 1)
        self.ky = dky * np.fft.fftfreq(self.ny, 1 / self.ny)[:, None]
        self.weight = np.where(self.kx == 0, 1.0, 2.0)
        spacing = min(dkx, dky)
        last_x, last_y = (self.nx - 1) // 2, (self.ny - 1) // 2
        shells = math.floor(math.hypot(dkx * last_x, dky * last_y) / spacing + 0.5) + 1
        self.k = spacing * np.arange(shells)
        nearest_cut = min(dkx * (last_x + 1), dky * (last_y + 1))
        self.complete_shells = math.floor(nearest_cut / spacing + 0.5)
        shell = np.floor(np.sqrt(self.k2) / spacing + 0.5).astype(int)
        self._shell = np.minimum(shell, shells - 1).ravel()  # beyond lie Nyquist modes, all zero

    @property
    def k2(self) -> Array:
        """kx^2 + ky^2, shape (ny, nx // 2 + 1) [1/length^2]."""
        return self.kx**2 + self.ky**2

    @property
    def inverse_k2(self) -> Array:
        """1 / k^2, and 0 at k = 0, shape (ny, nx // 2 + 1) [length^2]."""
        k2 = self.k2
        return np.divide(1.0, k2, out=np.zeros_like(k2), where=k2 > 0)

    def to_spectral(self, field: Array) -> Array:
        """Spectra of fields, shape (..., ny, nx // 2 + 1), complex."""
        from scipy import fft

        hat: Array = fft.rfft2(field, norm="forward")
        if self.nx % 2 == 0:
            hat[..., -1] = 0
        if self.ny % 2 == 0:
            hat[..., self.ny // 2, :] = 0
        return hat

    def to_physical(self, hat: Array) -> Array:
        """Fields of spectra, shape (..., ny, nx)."""
        from scipy import fft

        field: Array = fft.irfft2(hat, s=(self.ny, self.nx), norm="forward")
        return field

    def shell_sums(self, density: Array) -> Array:
        """Sums over shells of a real density of modes: (..., ny, nx // 2 + 1) to (..., shells)."""
        flat = (self.weight * density).reshape(-1, self._shell.size)
        sums = [np.bincount(self._shell, values, len(self.k)) for values in flat]
        return np.array(sums).reshape(*density.shape[:-2], len(self.k))

    def power(self, field: Array) -> Array:
        """Mean square of fields, by shells: (..., ny, nx) to (..., shells)."""
        return self.shell_sums(np.square(np.abs(self.to_spectral(field))))


def gradient(field: ArrayLike, *, lx: float, ly: float) -> tuple[Array, Array]:
    """Derivatives along x and y.

    Parameters
    ----------
    field : ndarray, shape (..., ny, nx), real
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, ndarray : shape (..., ny, nx)
    """
    array = as_field(field)
    modes = Modes(array.shape, lx, ly)
    hat = modes.to_spectral(array)
    return modes.to_physical(1j * modes.kx * hat), modes.to_physical(1j * modes.ky * hat)


def laplacian(field: ArrayLike, *, lx: float, ly: float) -> Array:
    """The Laplacian, shape (..., ny, nx); parameters as `gradient`."""
    array = as_field(field)
    modes = Modes(array.shape, lx, ly)
    return modes.to_physical(-modes.k2 * modes.to_spectral(array))


def streamfunction(omega: ArrayLike, *, lx: float, ly: float) -> Array:
    """Streamfunction of a vorticity, ``laplace(psi) = -omega``, of mean zero.

    Parameters
    ----------
    omega : ndarray, shape (..., ny, nx), real [1/time]
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, shape (..., ny, nx) [length^2/time]
    """
    array = as_field(omega, "omega")
    modes = Modes(array.shape, lx, ly)
    return modes.to_physical(modes.inverse_k2 * modes.to_spectral(array))
