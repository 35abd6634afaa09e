"""A network from a layer on: what is left to evaluate when the layers before it are frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .model import PeriodicCNN


class Tail(nn.Module):
    """The layers of a network from one on, with its weights, not a copy of them.

    Parameters
    ----------
    model : PeriodicCNN
    first : int
        Layer, counted from 0, that the tail begins with.
    """

    def __init__(self, model: PeriodicCNN, first: int) -> None:
        super().__init__()
        self.model, self.first = model, first

    @torch.no_grad()
    def enter(self, omega: Tensor) -> Tensor:
        """What goes into the first layer, shape (batch, channels, ny, nx)."""
        return self.model.convolve(self.model.enter(omega), 0, self.first)

    def forward(self, x: Tensor) -> Tensor:
        """The SGS term, shape (batch, ny, nx) [1/time^2]."""
        model = self.model
        return model.project(model.scale(model.convolve(x, self.first)))
