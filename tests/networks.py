"""Small networks, and samples that they can learn from."""

from __future__ import annotations

import numpy as np
import torch

from pytbl import Grid
from pytbl.dataset_file import PI_SIGN
from pytbl.nn import PeriodicCNN, Setting
from pytbl.nn.data import Arrays, Samples

DEVIATION = 3.0  #: of the vorticity of `vorticity`


def setting(nx: int = 24, ny: int = 16, **other) -> Setting:
    """A setting on a rectangle."""
    values = {"lx": 2 * np.pi, "ly": 3 * np.pi, "filter": "gaussian", "filter_ratio": 2.0}
    return Setting(nx=nx, ny=ny, pi_sign=PI_SIGN, **values | other)


def square(n: int = 16, **other) -> Setting:
    """A setting on a square."""
    return setting(n, n, ly=2 * np.pi, **other)


def grid_of(of: Setting, **options) -> Grid:
    """The grid of a setting."""
    return Grid(of.nx, of.ny, lx=of.lx, ly=of.ly, dealias=of.dealias, reproducible=True, **options)


def vorticity(of: Setting, count: int, *, rng: int = 1) -> np.ndarray:
    """Smooth random fields of zero mean, cut to the kept modes, shape (count, ny, nx)."""
    grid = grid_of(of)
    noise = np.random.default_rng(rng).standard_normal((count, of.ny, of.nx))
    decay = np.exp(-grid.k2 / 12) * (grid.k2 > 0)
    fields = np.stack([grid.to_physical(decay * grid.to_spectral(field)) for field in noise])
    return fields * (DEVIATION / fields.std())


def learnable(of: Setting, count: int, *, rng: int = 1, **attributes) -> Arrays:
    """Samples whose Pi is a viscosity's: a linear, local operator of the vorticity."""
    grid = grid_of(of)
    omega = vorticity(of, count, rng=rng)
    pi = np.stack([grid.to_physical(-0.1 * grid.k2 * grid.to_spectral(field)) for field in omega])
    samples = Arrays(omega, pi, of)
    samples.attributes |= attributes
    return samples


def fitted(of: Setting, **config) -> PeriodicCNN:
    """A network with random weights and plausible normalisation."""
    model = PeriodicCNN(**{"width": 8, "depth": 3, "kernel": 5} | config)
    samples = Samples(learnable(of, 4), "samples", memory_limit=1 << 20)
    model.adopt(of)
    model.fit(samples.statistics(model))
    return model


def predict(model: PeriodicCNN, omega: np.ndarray) -> np.ndarray:
    """The SGS term of fields, shape (count, ny, nx)."""
    with torch.no_grad():
        return model(torch.from_numpy(np.ascontiguousarray(omega))).numpy()
