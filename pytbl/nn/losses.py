r"""What training minimises: all are of Pi normalised by its standard deviation, so that predicting
zero costs 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ..errors import InputError

if TYPE_CHECKING:
    from .data import Statistics
    from .model import PeriodicCNN


@dataclass
class MeanSquare:
    r""":math:`\langle(\Pi_p - \Pi)^2\rangle / \langle\Pi^2\rangle_\mathrm{data}`."""

    kind: ClassVar[str] = "mse"

    def prepare(self, statistics: Statistics) -> None:
        """Take over the scales of the training data."""
        self._square = statistics.pi_square

    def __call__(self, prediction: Tensor, pi: Tensor, omega: Tensor, model: PeriodicCNN) -> Tensor:
        """The mean over a batch of fields, shape (batch, ny, nx)."""
        return (prediction - pi).square().mean() / self._square


@dataclass
class TransferConstrained(MeanSquare):
    r"""The mean square, and that of the error of a snapshot's mean transfer (Guan et al. 2023).

    .. math:: \frac{\langle(\Pi_p - \Pi)^2\rangle}{\langle\Pi^2\rangle} + \lambda
              \frac{\overline{(\langle q\,\Pi_p\rangle - \langle q\,\Pi\rangle)^2}}
                   {\overline{\langle q\,\Pi\rangle^2}}

    with :math:`q = \bar\omega` for enstrophy and :math:`\bar\psi` for energy; angles are means over
    the domain, bars over snapshots, and denominators are of the training data.

    Parameters
    ----------
    weight : float
        :math:`\lambda \ge 0`.
    quantity : {"enstrophy", "energy"}

    Raises
    ------
    InputError
        A parameter cannot be used.
    """

    weight: float = 1.0
    quantity: str = "enstrophy"
    kind: ClassVar[str] = "transfer"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise InputError(
                f"the weight of a loss must be a finite number >= 0, got {self.weight}"
            )
        if self.quantity not in ("enstrophy", "energy"):
            raise InputError(f"quantity must be 'enstrophy' or 'energy', got {self.quantity!r}")

    def prepare(self, statistics: Statistics) -> None:
        """Take over the scales of the training data."""
        super().prepare(statistics)
        self._transfer_square = (
            statistics.enstrophy_transfer_square
            if self.quantity == "enstrophy"
            else statistics.energy_transfer_square
        )

    def __call__(self, prediction: Tensor, pi: Tensor, omega: Tensor, model: PeriodicCNN) -> Tensor:
        """The mean over a batch of fields, shape (batch, ny, nx)."""
        carrier = (
            omega if self.quantity == "enstrophy" else model.spectral.derive(omega, ["psi"])[:, 0]
        )
        error = ((prediction - pi) * carrier).mean([-2, -1]).square().mean()
        square = super().__call__(prediction, pi, omega, model)
        return square + self.weight * error / self._transfer_square


LOSSES: dict[str, type[MeanSquare]] = {
    loss.kind: loss for loss in (MeanSquare, TransferConstrained)
}


def make(kind: str, **parameters: Any) -> MeanSquare:
    """A loss by name.

    Raises
    ------
    InputError
        There is no such loss: the names of those there are.
    """
    if kind not in LOSSES:
        raise InputError(f"unknown loss {kind!r}: expected one of {', '.join(LOSSES)}")
    return LOSSES[kind](**parameters)


def correlation(prediction: Tensor, pi: Tensor) -> Tensor:
    """Pattern correlation of every pair of fields, shape (batch,); 0 where one is constant."""
    a = (prediction - prediction.mean([-2, -1], keepdim=True)).double()
    b = (pi - pi.mean([-2, -1], keepdim=True)).double()
    norm = (a.square().sum([-2, -1]) * b.square().sum([-2, -1])).sqrt()
    product = (a * b).sum([-2, -1])
    return torch.where(norm > 0, product / norm.clamp(min=1e-300), torch.zeros_like(norm))
