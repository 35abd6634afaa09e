"""How a network is trained, apart from the data: what decides the weights that come out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import InputError

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; two trainings of one recipe on the CPU give the same weights.

    Raises
    ------
    InputError
        A value cannot be used.
    """

    epochs: int
    batch: int
    learning_rate: float
    optimiser: str
    weight_decay: float
    schedule: str | None
    loss: Any
    augment: tuple[str, ...]
    rng: int
    mixed_precision: bool

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 1), ("rng", 0)):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= least):
                raise InputError(f"{name} must be an integer >= {least}, got {value!r}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"learning_rate must be a finite number > 0, got {self.learning_rate}")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InputError(f"weight_decay must be a finite number >= 0, got {self.weight_decay}")
        if self.optimiser not in OPTIMISERS:
            expected = " or ".join(map(repr, OPTIMISERS))
            raise InputError(f"optimiser must be {expected}, got {self.optimiser!r}")
        if self.schedule not in (None, "cosine"):
            raise InputError(f"schedule must be None or 'cosine', got {self.schedule!r}")

    def describe(self) -> dict[str, Any]:
        """Plain values; how long to train matters only to a schedule."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values |= {"loss": repr(self.loss), "augment": list(self.augment)}
        if self.schedule is None:
            values["epochs"] = "any"
        return values

    def rate(self, epoch: int, part: float) -> float:
        """Learning rate after so many whole epochs and a part of one."""
        if self.schedule is None:
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch + part) / self.epochs))

    def optimise(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """A fresh optimiser of some parameters, with the epsilon of Keras."""
        return OPTIMISERS[self.optimiser](
            parameters, lr=self.learning_rate, eps=1e-7, weight_decay=self.weight_decay
        )
