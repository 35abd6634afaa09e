r"""Scores of some layers from derivatives of the error: what re-training them may gain.

They cost little, and are compared with `pytbl.nn.linearised`: none of them knows how much of what
it sees can be learned from few samples and holds on others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .objective import Objective

if TYPE_CHECKING:
    from .model import PeriodicCNN
    from .selection import Selection

#: Part of the curvature along the gradient that damps the quadratic model.
DAMPING = 1e-3


@dataclass(frozen=True)
class QuadraticGain:
    """Decrease of the error in its quadratic model.

    Attributes
    ----------
    gain : float
    iterations : int
        Of conjugate gradients.
    negative : bool
        They met a direction of negative curvature, and ended there.
    """

    gain: float
    iterations: int
    negative: bool


def gradient_norm(objective: Objective) -> float:
    r"""Norm of the gradient, :math:`|g|`."""
    return float(objective.gradient().norm())


def gradient_square(objective: Objective) -> float:
    r"""Mean square of the gradient's components, :math:`|g|^2/p` of p parameters."""
    return float(objective.gradient().square().mean())


def fisher(objective: Objective) -> float:
    r"""Trace of the empirical Fisher information per parameter.

    .. math:: \frac1{np}\sum_{s=1}^n |g_s|^2

    with the gradient :math:`g_s` of the error of each sample on its own.
    """
    return float(objective.sample_gradients().square().mean())


def quadratic_gain(
    objective: Objective, *, iterations: int = 10, damping: float = DAMPING, tolerance: float = 1e-2
) -> QuadraticGain:
    r"""Decrease of the error to the minimum of its quadratic model.

    .. math:: \Delta L = \tfrac12\, g^T (H + \mu I)^{-1} g

    by conjugate gradients, truncated where the curvature is not positive (Steihaug 1983).

    Parameters
    ----------
    objective : Objective
    iterations : int
        At most.
    damping : float
        :math:`\mu` over the curvature along the gradient, :math:`|g^THg|/|g|^2`.
    tolerance : float
        Part of the gradient's norm at which the residual is small enough.

    Returns
    -------
    QuadraticGain
        Of gain 0 where the gradient is zero, or the curvature along it not positive.
    """
    gradient = objective.gradient()
    first = float(gradient.square().sum())
    residual, direction = gradient, gradient
    solution = torch.zeros_like(gradient)
    square, mu = first, 0.0
    for i in range(iterations):
        if square <= tolerance**2 * first:
            return QuadraticGain(float(gradient @ solution) / 2, i, False)
        product = objective.hessian_product(direction)
        if i == 0:
            mu = damping * abs(float(direction @ product)) / first
        product = product + mu * direction
        curvature = float(direction @ product)
        if curvature <= 0:
            return QuadraticGain(float(gradient @ solution) / 2, i, True)
        solution = solution + square / curvature * direction
        residual = residual - square / curvature * product
        square, old = float(residual.square().sum()), square
        direction = residual + square / old * direction
    return QuadraticGain(float(gradient @ solution) / 2, iterations, False)


#: By name, from the cheapest to the dearest.
SCORES = {
    "gradient": gradient_norm,
    "gradient_square": gradient_square,
    "fisher": fisher,
    "quadratic": lambda objective: quadratic_gain(objective).gain,
}
#: What they cost, in steps of training for each sample; a Hessian product is two.
STEPS = {"gradient": 1, "gradient_square": 1, "fisher": 1, "quadratic": 21}


def scores(
    model: PeriodicCNN,
    fields: tuple[Tensor, Tensor],
    selection: Selection,
    *,
    names: Iterable[str] = tuple(SCORES),
) -> dict[str, float]:
    """Scores of a selection by name, of `SCORES`, in float32.

    Parameters
    ----------
    model, fields, selection
        See `Objective`.
    names : iterable of str
    """
    chosen = tuple(names)
    if not chosen:
        return {}
    objective = Objective(model, fields, selection, dtype=torch.float32)
    return {name: SCORES[name](objective) for name in chosen}
