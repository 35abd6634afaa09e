"""Fields that several tests start from."""

import numpy as np

from pytbl import Grid, initial


def turbulent(grid: Grid, *, k_peak: float = 4, rng: int = 1) -> np.ndarray:
    """Spectrum of a random field."""
    return grid.to_spectral(initial.random_spectrum(grid, k_peak=k_peak, rng=rng))


def rotated(hat: np.ndarray, grid: Grid) -> np.ndarray:
    """A field of a square grid, turned by 90 degrees about a point of it."""
    field = grid.to_physical(hat)
    return grid.to_spectral(np.roll(np.rot90(field), 1, axis=0))


def mirrored(hat: np.ndarray, grid: Grid) -> np.ndarray:
    """A pseudo-scalar mirrored in y: its values change places and sign."""
    field = grid.to_physical(hat)
    return grid.to_spectral(-np.roll(field[::-1], 1, axis=0))


def shifted(hat: np.ndarray, grid: Grid, x: float, y: float) -> np.ndarray:
    """A field moved by any distance."""
    return hat * np.exp(-1j * (grid.kx * x + grid.ky * y))
