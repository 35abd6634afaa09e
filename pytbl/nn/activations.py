"""Pre-activations and activations of a network on given vorticity fields, as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..analysis.stack import Activation
from ..errors import InputError
from ..periodic import as_field

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .model import PeriodicCNN

    Array = np.ndarray[Any, np.dtype[Any]]


def inputs(model: PeriodicCNN, omega: ArrayLike) -> Array:
    """What the first layer sees: the network's inputs, normalised.

    Parameters
    ----------
    model : PeriodicCNN
    omega : ndarray, shape (samples, ny, nx)
        Filtered vorticity [1/time].

    Returns
    -------
    ndarray, shape (samples, inputs, ny, nx)

    Raises
    ------
    InputError
        As `activations`.
    """
    return _enter(model, _checked(model, omega)).numpy()


def activations(model: PeriodicCNN, omega: ArrayLike, *, batch: int = 4) -> Iterator[Activation]:
    """Pre-activations and activations, layer by layer, of a few samples at a time.

    Parameters
    ----------
    model : PeriodicCNN
    omega : ndarray, shape (samples, ny, nx)
        Filtered vorticity [1/time].
    batch : int
        Samples in memory at a time.

    Yields
    ------
    Activation
        In the precision of the network; see `pytbl.analysis.Stack.run`.

    Raises
    ------
    InputError
        The fields are not finite, or not of the grid that the network was trained for.
    """
    fields = _checked(model, omega)
    if not (isinstance(batch, int) and batch >= 1):
        raise InputError(f"batch must be an integer >= 1, got {batch!r}")
    return _run(model, fields, batch)


def _run(model: PeriodicCNN, fields: Array, batch: int) -> Iterator[Activation]:
    last = len(model.layers)
    for first in range(0, len(fields), batch):
        g = _enter(model, fields[first : first + batch])
        for number, layer in enumerate(model.layers, start=1):
            with torch.no_grad():  # not around the yield: it would reach into the caller
                h = layer(g)
                g = torch.relu(h) if number < last else h
            yield Activation(number, first, h.cpu().numpy(), g.cpu().numpy())


@torch.no_grad()
def _enter(model: PeriodicCNN, fields: Array) -> torch.Tensor:
    omega = torch.from_numpy(np.ascontiguousarray(fields))
    return model.enter(omega.to(model.input_mean.device))


def _checked(model: PeriodicCNN, omega: ArrayLike) -> Array:
    fields = as_field(omega, "omega")
    setting = model.setting
    grid = fields.shape[-2:] if setting is None else (setting.ny, setting.nx)
    if fields.ndim != 3 or fields.shape[-2:] != grid:
        raise InputError(
            f"omega must have shape (samples, {grid[0]}, {grid[1]}), got {fields.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(fields).all(axis=(1, 2)))
    if len(bad):
        raise InputError(f"omega must be finite, got sample {bad[0]} that is not")
    return fields
