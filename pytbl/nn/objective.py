r"""The error of a network on fixed samples as a function of the parameters of some layers.

All other parameters stay; what goes into the first chosen layer is computed once. The error is

.. math:: L(\theta) = \langle(\Pi_p(\theta) - \Pi)^2\rangle / \langle\Pi^2\rangle

over the samples, so that predicting zero costs 1, whatever the network was trained on. It and its
derivatives are sums over samples, and are added up over a few of them at a time. ReLU's second
derivative is taken as 0: the Hessian is the curvature between kinks. Over a finite distance many
units switch, and the error may bend otherwise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vjp

from ..errors import InputError
from .data import CHUNK
from .tail import Tail

if TYPE_CHECKING:
    from .model import PeriodicCNN
    from .selection import Selection


class Objective:
    r"""The error, its gradient, and products with its Hessian and with the network's Jacobian.

    Directions and gradients are flat vectors, shape (parameters,), in the order of the selection;
    outputs are :math:`\Pi / \langle\Pi^2\rangle^{1/2}`, shape (samples, ny, nx).

    Parameters
    ----------
    model : PeriodicCNN
        Not changed.
    fields : (Tensor, Tensor)
        Filtered vorticity [1/time] and the exact Pi [1/time^2], each (samples, ny, nx).
    selection : Selection
    dtype : torch dtype
        Of all arithmetic: float64 for eigenvalues, float32 where speed matters.
    chunk : int
        Samples that are evaluated together, which bounds the memory.

    Attributes
    ----------
    parameters : int
    theta : Tensor, shape (parameters,)
        The network's own.
    truth : Tensor, shape (samples, ny, nx)
        The exact output.

    Raises
    ------
    InputError
        The fields are not of one shape, there is no sample, or Pi is zero everywhere.
    """

    def __init__(
        self,
        model: PeriodicCNN,
        fields: tuple[Tensor, Tensor],
        selection: Selection,
        *,
        dtype: torch.dtype = torch.float64,
        chunk: int = CHUNK,
    ) -> None:
        _check(*fields)
        model = copy.deepcopy(model).to(dtype).eval().requires_grad_(False)
        omega, pi = (field.to(dtype) for field in fields)
        self._tail = Tail(model, selection.layers[0] - 1)
        self._x = self._tail.enter(omega)
        chosen = selection.parameters(model)
        self._names = [f"model.{name}" for name in chosen]
        self._shapes = [parameter.shape for parameter in chosen.values()]
        self.theta = torch.cat([parameter.flatten() for parameter in chosen.values()])
        self.parameters = len(self.theta)
        self._chunk = chunk
        self._scale = pi.square().mean().sqrt()
        self.truth = pi / self._scale

    def _unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        sizes = [shape.numel() for shape in self._shapes]
        pieces = theta.split(sizes)
        return {
            name: piece.reshape(shape)
            for name, piece, shape in zip(self._names, pieces, self._shapes, strict=True)
        }

    def predict(self, theta: Tensor, samples: Any = slice(None)) -> Tensor:
        """The output with other parameters, of all or some samples."""
        pi = functional_call(self._tail, self._unflatten(theta), (self._x[samples],))
        return pi / self._scale

    def loss(self, theta: Tensor) -> Tensor:
        """The error, shape ()."""
        return self._add_up(lambda loss: loss(theta))

    def gradient(self, theta: Tensor | None = None) -> Tensor:
        """Of the error; by default at the network's own parameters."""
        return self._add_up(lambda loss: grad(loss)(self.theta if theta is None else theta))

    def hessian_product(self, direction: Tensor) -> Tensor:
        """The Hessian of the error times a direction."""
        return self._add_up(lambda loss: grad(lambda at: grad(loss)(at) @ direction)(self.theta))

    def _add_up(self, of: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> Tensor:
        """The sum of what is made of the errors that some samples contribute."""
        return torch.stack([of(loss) for loss in self._losses(self._chunk)]).sum(0)

    def _losses(self, size: int) -> Iterator[Callable[[Tensor], Tensor]]:
        """For so many samples at a time, the part of the error that is theirs."""
        for start in range(0, len(self.truth), size):
            some = slice(start, start + size)

            def loss(theta: Tensor, some: slice = some) -> Tensor:
                error = self.predict(theta, some) - self.truth[some]
                return error.square().sum() / self.truth.numel()

            yield loss

    def jacobian_product(self, direction: Tensor, samples: Any = slice(None)) -> Tensor:
        """Change of the output along a direction, to first order."""
        # the transpose is linear in outputs: its own transpose is taken at any of them, since
        # forward differentiation in torch depends on what it deprecates
        transpose = vjp(lambda theta: self.predict(theta, samples), self.theta)[1]
        anywhere = torch.zeros_like(self.truth[samples])
        return vjp(lambda output: transpose(output)[0], anywhere)[1](direction)[0]

    def jacobian_transpose_product(self, output: Tensor, samples: Any = slice(None)) -> Tensor:
        """The Jacobian, transposed, times an output."""
        return vjp(lambda theta: self.predict(theta, samples), self.theta)[1](output)[0]

    def sample_gradients(self) -> Tensor:
        """Gradients of the error of each sample on its own, shape (samples, parameters)."""
        each = [len(self.truth) * grad(loss)(self.theta) for loss in self._losses(1)]
        return torch.stack(each)

    def filters(self) -> list[slice]:
        """Which parameters are the kernels of one output channel, or the biases of one layer."""
        found, start = [], 0
        for shape in self._shapes:
            count = shape[0] if len(shape) > 1 else 1
            edges = range(start, start + shape.numel() + 1, shape.numel() // count)
            found += [slice(a, b) for a, b in pairwise(edges)]
            start = edges[-1]
        return found

    def layer_norms(self) -> np.ndarray[Any, np.dtype[Any]]:
        """Norm of each chosen parameter tensor, in the order of the selection."""
        return np.array([float(piece.norm()) for piece in self._unflatten(self.theta).values()])


def _check(omega: Tensor, pi: Tensor) -> None:
    if omega.ndim != 3 or omega.shape != pi.shape or not len(omega):
        raise InputError(
            "omega and pi must have one shape (samples, ny, nx) with samples >= 1, got "
            f"{tuple(omega.shape)} and {tuple(pi.shape)}"
        )
    if not pi.any():
        raise InputError("pi is zero in every sample: there is no relative error")
