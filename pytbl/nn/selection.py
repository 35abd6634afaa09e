"""Which parameters of a network to re-train: layers, numbered from 1 as in the paper, or names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from .model import PeriodicCNN

    Layers = str | int | Iterable[str | int]

PARTS = ("weight", "bias")
_GROUPS = ("first", "last", "hidden", "all")


@dataclass(frozen=True)
class Selection:
    """Weights and biases of some layers of a network.

    Attributes
    ----------
    depth : int
        Layers of the network.
    chosen : tuple of (int, str)
        Layers, from 1, and "weight" or "bias", in order.
    """

    depth: int
    chosen: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, layers: Layers, depth: int) -> Selection:
        """What a text, a number or several of them choose.

        Parameters
        ----------
        layers : str, int, or a sequence of them
            A number of 1 .. depth; "first", "last", "hidden" (all but these) or "all"; one of them
            and ":weight" or ":bias"; several joined by "+".
        depth : int

        Raises
        ------
        InputError
            A layer does not exist: the names of those that do.
        """
        terms = [term.strip() for part in listed(layers) for term in part.split("+")]
        chosen = {one for term in terms for one in _parse(term, depth)}
        if not chosen:
            raise InputError(f"no layers were chosen: expected {_valid(depth)}")
        return cls(depth, tuple(sorted(chosen, key=lambda one: (one[0], PARTS.index(one[1])))))

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers, from 1, of which anything is chosen."""
        return tuple(sorted({layer for layer, _ in self.chosen}))

    def __str__(self) -> str:
        parts = {
            layer: [part for one, part in self.chosen if one == layer] for layer in self.layers
        }
        if self.depth > 1 and len(parts) == self.depth:
            kinds = {tuple(one) for one in parts.values()}
            if len(kinds) == 1:
                return _named("all", list(kinds.pop()))
        return "+".join(_named(str(layer), one) for layer, one in parts.items())

    def parameters(self, model: PeriodicCNN) -> dict[str, nn.Parameter]:
        """The chosen parameters by their names in the network."""
        named = dict(model.named_parameters())
        names = [f"layers.{layer - 1}.{part}" for layer, part in self.chosen]
        return {name: named[name] for name in names}

    def free(self, model: PeriodicCNN) -> None:
        """Let only the chosen parameters be trained."""
        chosen = self.parameters(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in chosen)


def listed(layers: Layers) -> list[str]:
    """A text, a number (of any kind) or several of them, as texts."""
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        return [str(layers)]
    return [str(layer) for layer in layers]


def _named(layer: str, parts: list[str]) -> str:
    return layer if len(parts) == len(PARTS) else f"{layer}:{parts[0]}"


def _valid(depth: int) -> str:
    return f"1 .. {depth}, {', '.join(_GROUPS)}, each alone or with :weight or :bias"


def _parse(term: str, depth: int) -> list[tuple[int, str]]:
    name, colon, part = term.partition(":")
    groups = {
        "first": range(1, 2),
        "last": range(depth, depth + 1),
        "hidden": range(2, depth),
        "all": range(1, depth + 1),
    }
    if name.isdecimal() and 1 <= int(name) <= depth:
        layers = range(int(name), int(name) + 1)
    elif name in groups:
        layers = groups[name]
    else:
        raise InputError(f"there is no layer {term!r}: expected {_valid(depth)}")
    if colon and part not in PARTS:
        raise InputError(f"there is no layer {term!r}: expected {_valid(depth)}")
    return [(layer, one) for layer in layers for one in ((part,) if colon else PARTS)]
