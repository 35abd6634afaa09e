r"""The Jacobian of a network with respect to some of its parameters, on fixed samples.

ReLU's derivative is 0 or 1: a small change of the parameters goes through the layers as through
a linear network with masks, at the cost of an evaluation,

.. math:: \delta h^l = W^l * \delta g^{l-1} + \delta W^l * g^{l-1} + \delta b^l,
          \qquad \delta g^l = [h^l > 0]\,\delta h^l.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import functional_call

from .tail import Tail

if TYPE_CHECKING:
    from torch import nn

    from .model import PeriodicCNN
    from .selection import Selection

#: Samples that are evaluated together.
CHUNK = 8
#: What an evaluation keeps over the size of the layers' inputs: torch has its own, padded.
_KEPT = 2.5


class Work:
    """Cost of some layers for one sample, by multiplications; 1 is that of the whole network.

    Attributes
    ----------
    entering, evaluation : float
        Of the layers before the first chosen one; of those from it on.
    change : float
        Of a product with the Jacobian, or with its transpose, once evaluated.
    training : float
        Of a step of training, with the leading layers' results at hand.
    """

    def __init__(self, model: PeriodicCNN, selection: Selection) -> None:
        sizes = [weight.numel() for weight, _ in model.kernels()]
        first = selection.layers[0] - 1
        chosen = sum(sizes[layer - 1] for layer, part in selection.chosen if part == "weight")
        whole = sum(sizes)
        self.entering = sum(sizes[:first]) / whole
        self.evaluation = sum(sizes[first:]) / whole
        self.change = (sum(sizes[first + 1 :]) + chosen) / whole
        self.training = self.evaluation + self.change


@dataclass(frozen=True)
class _Evaluation:
    inputs: list[Tensor]  #: of each layer from the first chosen one on
    active: list[Tensor]  #: where ReLU lets something through
    output: Tensor  #: the SGS term, with its graph


class Jacobian:
    r"""Products with the Jacobian of :math:`\Pi`, and with its transpose, in float32.

    Parameters
    ----------
    model : PeriodicCNN
        Not changed.
    omega : Tensor, shape (samples, ny, nx)
        Filtered vorticity [1/time].
    selection : Selection
        Directions are flat vectors, shape (parameters,), in its order.
    memory_limit : int
        Bytes up to which evaluations are kept; beyond, every product repeats them.

    Attributes
    ----------
    parameters : int
    theta : Tensor, shape (parameters,)
        The network's own.
    output : Tensor, shape (samples, ny, nx)
        The network's SGS term [1/time^2].
    evaluations : float
        Work so far: evaluations of the whole network for one sample, by multiplications.
    """

    def __init__(
        self,
        model: PeriodicCNN,
        omega: Tensor,
        selection: Selection,
        *,
        memory_limit: int = 1 << 30,
    ) -> None:
        self._model = copy.deepcopy(model).float().eval().requires_grad_(False)
        self._chosen = selection.chosen
        self._free = list(selection.parameters(self._model).values())
        for parameter in self._free:
            parameter.requires_grad_(True)
        self.theta = torch.cat([parameter.detach().flatten() for parameter in self._free])
        self.parameters = len(self.theta)
        self._first = selection.layers[0] - 1
        self._work = Work(self._model, selection)
        self._x = Tail(self._model, self._first).enter(omega.float()).split(CHUNK)
        self.evaluations = len(omega) * self._work.entering
        self._kept: list[_Evaluation] = []
        outputs = []
        for x in self._x:
            evaluation = self._evaluate(x)
            sample = sum(part.nbytes for part in evaluation.inputs) // len(x)
            if _KEPT * len(omega) * sample <= memory_limit:  # all chunks are kept, or none
                self._kept.append(evaluation)
            outputs.append(evaluation.output.detach())
        self.output = torch.cat(outputs)

    def _evaluate(self, x: Tensor) -> _Evaluation:
        self.evaluations += len(x) * self._work.evaluation
        inputs: list[Tensor] = []
        active: list[Tensor] = []
        for layer in list(self._model.layers)[self._first :]:
            inputs.append(x.detach())
            x = layer(x)
            if len(active) < len(self._model.layers) - self._first - 1:
                active.append(x.detach() > 0)
                x = torch.relu(x)
        return _Evaluation(inputs, active, self._model.project(self._model.scale(x)))

    def _evaluated(self) -> Iterator[_Evaluation]:
        yield from self._kept if self._kept else map(self._evaluate, self._x)

    def _changes(self, direction: Tensor) -> dict[int, dict[str, Tensor]]:
        """Pieces of a direction by layer, from 1, and name."""
        pieces = direction.split([parameter.numel() for parameter in self._free])
        changes: dict[int, dict[str, Tensor]] = {}
        for (layer, part), piece, parameter in zip(self._chosen, pieces, self._free, strict=True):
            changes.setdefault(layer, {})[part] = piece.reshape(parameter.shape)
        return changes

    @torch.no_grad()
    def predict(self, direction: Tensor) -> Tensor:
        """The SGS term of the network itself with its parameters changed by a direction."""
        twin = copy.deepcopy(self._model)
        for layer, change in self._changes(direction).items():
            for name, piece in change.items():
                getattr(twin.layers[layer - 1], name).add_(piece)
        tail = Tail(twin, self._first)
        self.evaluations += len(self.output) * self._work.evaluation
        return torch.cat([tail(x) for x in self._x])

    @torch.no_grad()
    def product(self, direction: Tensor) -> Tensor:
        """Change of the SGS term along a direction, to first order, shape (samples, ny, nx)."""
        changes = self._changes(direction)
        self.evaluations += len(self.output) * self._work.change
        return torch.cat([self._push(one, changes) for one in self._evaluated()])

    def _push(self, evaluation: _Evaluation, changes: dict[int, dict[str, Tensor]]) -> Tensor:
        x: Tensor | None = None
        for i, entering in enumerate(evaluation.inputs):
            number = self._first + i + 1
            layer = self._model.layers[number - 1]
            # a layer is linear in what enters it, and in its parameters
            terms = (
                [] if x is None else [_with(layer, {"weight": layer.get_parameter("weight")}, x)]
            )
            if number in changes:
                terms.append(_with(layer, changes[number], entering))
            x = torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]
            if i < len(evaluation.active):
                x = x * evaluation.active[i]
        assert x is not None
        return self._model.project(self._model.scale(x))

    def transpose_product(self, output: Tensor) -> Tensor:
        """The transposed Jacobian times fields of shape (samples, ny, nx)."""
        self.evaluations += len(self.output) * self._work.change
        total = torch.zeros_like(self.theta)
        for one, part in zip(self._evaluated(), output.split(CHUNK), strict=True):
            pieces = torch.autograd.grad(one.output, self._free, part, retain_graph=True)
            total += torch.cat([piece.flatten() for piece in pieces])
        return total


def _with(layer: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """What a layer makes of its input with other parameters, those not given being zero."""
    zero = {name: torch.zeros_like(own) for name, own in layer.named_parameters()}
    result: Tensor = functional_call(layer, zero | parameters, (x,))
    return result
