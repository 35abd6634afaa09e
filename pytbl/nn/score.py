"""How well a network predicts Pi, offline, in the numbers that tables of it give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import metrics
from .data import Samples

if TYPE_CHECKING:
    from .model import PeriodicCNN

    Array = np.ndarray[Any, np.dtype[Any]]


def predict(model: PeriodicCNN, samples: Samples) -> tuple[Array, Array, Array]:
    """Vorticity, the exact Pi and the network's, each (samples, ny, nx), in float64."""
    parts = []
    model.eval()
    device = model.input_mean.device  # where it was trained; the samples may be elsewhere
    with torch.no_grad():
        for omega, pi in samples.chunks():
            fields = omega, pi, model(omega.to(device))
            parts.append([field.cpu().double().numpy() for field in fields])
    whole = [np.concatenate(field) for field in zip(*parts, strict=True)]
    return whole[0], whole[1], whole[2]


def best_gain(predicted: Array, pi: Array) -> float:
    r""":math:`\langle\Pi_p\Pi\rangle/\langle\Pi_p^2\rangle`, 0 for a prediction of zero."""
    return float((predicted * pi).mean() / max(np.square(predicted).mean(), 1e-300))


def score(model: PeriodicCNN, samples: Samples) -> dict[str, float]:
    r"""Offline errors of a network on samples.

    Parameters
    ----------
    model : PeriodicCNN
    samples : Samples
        Of the network's grid and filter.

    Returns
    -------
    dict of float
        ``error``, :math:`\langle(\Pi_p-\Pi)^2\rangle / \langle\Pi^2\rangle` over all samples;
        ``gain``, :math:`\langle\Pi_p\Pi\rangle / \langle\Pi_p^2\rangle`, by which the output had
        better be multiplied; ``spectral_rmse``; and the means over samples, and the ``_spread``,
        their standard deviations, of ``correlation``, ``correlation_forward`` (where Pi diffuses)
        and ``correlation_backscatter``. See `pytbl.metrics`.

    Raises
    ------
    InputError
        The samples do not fit the network.
    """
    if model.setting is not None:
        model.setting.check(samples.setting, "the network", samples.what)
    omega, pi, predicted = predict(model, samples)
    box = {"lx": samples.setting.lx, "ly": samples.setting.ly}
    values = {
        "error": float(np.square(predicted - pi).mean() / np.square(pi).mean()),
        "gain": best_gain(predicted, pi),
        "spectral_rmse": metrics.spectral_rmse(predicted, pi, **box),
    }
    for name, correlations in (
        ("correlation", metrics.correlation(predicted, pi)),
        ("correlation_forward", metrics.correlation_forward(predicted, pi, omega, **box)),
        ("correlation_backscatter", metrics.correlation_backscatter(predicted, pi, omega, **box)),
    ):
        values |= {name: float(correlations.mean()), f"{name}_spread": float(correlations.std())}
    return values
