r"""Transfer of a linearised network: what re-training some layers can gain, without training them.

Near its parameters a network is linear in them, :math:`\Pi(\theta+\delta)=\Pi(\theta)+J\delta`, and
re-training is least squares. Conjugate gradients on :math:`J^TJ\delta=J^T(\Pi_t-\Pi(\theta))` learn
first what is easily learned, as training does, and where they overfit is seen on held-out samples.

Where the network's output has the wrong size, that is learned before anything else, and by any
layer with weights, since ReLU is homogeneous. Such layers start from the network with the output
gain that fits best; else one large step for the size would lead beyond where it is linear.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..periodic import Modes
from .jacobian import CHUNK, Jacobian

if TYPE_CHECKING:
    from .model import PeriodicCNN
    from .selection import Selection

    Array = np.ndarray[Any, np.dtype[Any]]

#: Part of its first value below which a gradient's square is float32's rounding.
_ROUNDING = 1e-12
_POINTS = (-2, -1)


@dataclass(frozen=True)
class LinearisedTransfer:
    r"""Errors on held-out samples after each iteration; the first row is before any, of a gain.

    Attributes
    ----------
    linear : ndarray, shape (iterations + 1, samples)
        Mean square over a sample of :math:`\Pi(\theta)+J\delta-\Pi_t` [1/time^4].
    realised : ndarray, shape (iterations + 1, samples)
        Of :math:`\Pi(\theta+\delta)-\Pi_t`: of the network itself after the same change.
    truth : ndarray, shape (samples,)
        Of :math:`\Pi_t`.
    spectrum : ndarray, shape (samples, shells)
        Of `errors`, by shells of wavenumbers.
    displacement : ndarray, shape (iterations + 1,)
        RMS change of a parameter, mean over the folds.
    fitted : float
        Samples that a fit used, mean over the folds.
    evaluations : float
        Cost, in evaluations of the network for one sample.
    seconds : float
    """

    linear: Array
    realised: Array
    truth: Array
    spectrum: Array
    displacement: Array
    fitted: float
    evaluations: float
    seconds: float

    @property
    def best(self) -> tuple[str, int]:
        """Which of "realised" and "linear" gets to the least error, and in which iteration.

        Of a single layer it is the former as a rule. Of several, whose changes multiply, one step
        may lead beyond where the network is linear; training, which takes many, is not held up.
        """
        return _best(self.linear, self.realised)

    @property
    def errors(self) -> Array:
        """The mean squares of `best`, shape (samples,) [1/time^4]."""
        kind, iteration = self.best
        rows: Array = getattr(self, kind)
        return rows[iteration]


def _best(linear: Array, realised: Array) -> tuple[str, int]:
    least = {"realised": realised.sum(1), "linear": linear.sum(1)}
    kind = min(least, key=lambda one: least[one].min())
    return kind, int(least[kind].argmin())


def linearised_transfer(
    model: PeriodicCNN,
    fields: tuple[Tensor, Tensor],
    selection: Selection,
    *,
    folds: int = 2,
    part: float = 1.0,
    iterations: int = 12,
    memory_limit: int = 1 << 30,
) -> LinearisedTransfer:
    """Fit the linearised network to all folds of the samples but one, for each of them in turn.

    Parameters
    ----------
    model : PeriodicCNN
        Normalised as it will be re-trained; not changed.
    fields : (Tensor, Tensor)
        Filtered vorticity [1/time] and the exact Pi [1/time^2], each (samples, ny, nx), in the
        order of time: folds are contiguous, since neighbours are alike.
    selection : Selection
    folds : int
        At least 2, at most the samples.
    part : float
        Of the samples that are not held out, evenly spaced ones are used: this part of them.
    iterations : int
        Of conjugate gradients, at most.
    memory_limit : int
        Bytes for what is kept of the evaluations; beyond, they are repeated.

    Returns
    -------
    LinearisedTransfer

    Raises
    ------
    InputError
        `folds` or `part` cannot be.
    """
    start = time.perf_counter()
    omega, pi = (field.float() for field in fields)
    if not 2 <= folds <= len(pi):
        raise InputError(f"folds must be 2 .. {len(pi)}, the samples, got {folds}")
    if not 0 < part <= 1:
        raise InputError(f"part must be in 0 < part <= 1, got {part}")
    linear: list[Array] = []
    realised: list[Array] = []
    displacements, fitted, evaluations = [], 0, 0.0
    for held in np.array_split(np.arange(len(pi)), folds):
        others = np.setdiff1d(np.arange(len(pi)), held)
        count = max(1, round(part * len(others)))
        used = others[np.linspace(0, len(others) - 1, count).round().astype(int)]
        sized, cost = _sized(model, (omega[used], pi[used]), selection)
        fit, test = (
            Jacobian(sized, omega[one], selection, memory_limit=memory_limit // 2)
            for one in (used, held)
        )
        steps = list(_descend((fit, test), (pi[used], pi[held]), iterations))
        linear.append(np.stack([left.double().numpy() for _, left in steps]))
        realised.append(
            np.stack([(pi[held] - test.predict(delta)).double().numpy() for delta, _ in steps])
        )
        displacements.append([float(delta.square().mean().sqrt()) for delta, _ in steps])
        fitted += count
        evaluations += cost + fit.evaluations + test.evaluations
    residuals = {"linear": np.concatenate(linear, 1), "realised": np.concatenate(realised, 1)}
    squares = {kind: np.square(field).mean(_POINTS) for kind, field in residuals.items()}
    kind, iteration = _best(**squares)
    return LinearisedTransfer(
        **squares,
        truth=np.square(pi.double().numpy()).mean(_POINTS),
        spectrum=_spectrum(model, residuals[kind][iteration]),
        displacement=np.mean(displacements, axis=0),
        fitted=fitted / folds,
        evaluations=evaluations,
        seconds=time.perf_counter() - start,
    )


def _sized(
    model: PeriodicCNN, fields: tuple[Tensor, Tensor], selection: Selection
) -> tuple[PeriodicCNN, int]:
    """The network with its best output gain, if the layers can learn it, and what that costs."""
    if not any(part == "weight" for _, part in selection.chosen):
        return model, 0
    omega, pi = fields
    with torch.no_grad():
        predicted = torch.cat([model(chunk) for chunk in omega.split(CHUNK)])
    gain = float((predicted * pi).sum() / predicted.square().sum().clamp(min=1e-30))
    sized = copy.deepcopy(model)
    if gain > 0:
        sized.output_scale.mul_(gain)
    return sized, len(omega)


def _spectrum(model: PeriodicCNN, field: Array) -> Array:
    assert model.setting is not None
    return Modes(field.shape, model.setting.lx, model.setting.ly).power(field)


def _descend(
    parts: tuple[Jacobian, Jacobian], truths: tuple[Tensor, Tensor], iterations: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Conjugate gradients for least squares on the first part, seen on the second.

    Yields
    ------
    delta : Tensor, shape (parameters,)
        Change of the parameters.
    left : Tensor, shape (samples, ny, nx)
        What it leaves of the second part's truth, to first order.
    """
    fit, test = parts
    residual, left = (truth - one.output for truth, one in zip(truths, parts, strict=True))
    delta = torch.zeros_like(fit.theta)
    direction = fit.transpose_product(residual)
    square = first = float(direction.square().sum())
    yield delta, left
    for _ in range(iterations):
        if square > _ROUNDING * first:
            change = fit.product(direction)
            length = square / float(change.square().sum())
            delta = delta + length * direction
            residual = residual - length * change
            left = left - length * test.product(direction)
            descent, old = fit.transpose_product(residual), square
            square = float(descent.square().sum())
            direction = descent + square / old * direction
        yield delta, left
