r"""Convolutions on a periodic domain, plain and equivariant under rotations by 90 degrees.

Every layer gives its `kernel`, the weights and biases of the ordinary convolution that it is, so
that whoever evaluates networks knows one kind of layer only. A layer of the group p4 (Cohen and
Welling 2016) carries every feature in four orientations r, as channels ``4 c + r``: rotating its
input by 90 degrees rotates its output and moves each orientation on to the next.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Signs with which the orientations are summed: of a pseudo-scalar, and of a deviatoric stress,
#: whose components both change sign under a rotation by 90 degrees.
POOLING = {"pi": (1.0, 1.0, 1.0, 1.0), "stress": (1.0, -1.0, 1.0, -1.0)}


class Layer(nn.Module):
    """A convolution of stride 1 whose output has the shape of its input.

    Parameters
    ----------
    inputs, outputs : int
        Channels; of a layer of the group, features.
    kernel_size : int
        Odd.
    periodic : bool
        Pad with the other side of the domain, else with zeros.
    """

    #: Orientations of the features that come in, and go out.
    orientations = (1, 1)

    def __init__(self, inputs: int, outputs: int, kernel_size: int, *, periodic: bool) -> None:
        super().__init__()
        self.pad = kernel_size // 2
        self.periodic = periodic
        group = (self.orientations[0],) if self.orientations[0] > 1 else ()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *group, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(outputs))

    @torch.jit.unused
    def initialise(self, generator: torch.Generator) -> None:
        """Glorot's uniform weights and zero biases, those of Subel et al. (2023)."""
        outputs, inputs, *rest = self.weight.shape
        points = rest[-1] * rest[-2]
        fan = points * (inputs * self.orientations[0] + outputs * self.orientations[1])
        with torch.no_grad():
            self.weight.uniform_(-1, 1, generator=generator).mul_(math.sqrt(6 / fan))
            self.bias.zero_()

    def kernel(self) -> tuple[Tensor, Tensor]:
        """Weights, shape (channels out, channels in, k, k), and biases, (channels out,)."""
        return self.weight, self.bias

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, channels in, ny, nx) to (batch, channels out, ny, nx)."""
        weight, bias = self.kernel()
        if not self.periodic:
            return F.conv2d(x, weight, bias, padding=self.pad)
        pad = self.pad
        return F.conv2d(F.pad(x, [pad, pad, pad, pad], mode="circular"), weight, bias)


class Lifting(Layer):
    """From scalar fields to features in four orientations."""

    orientations = (1, 4)

    def kernel(self) -> tuple[Tensor, Tensor]:
        """The same filter, rotated to each orientation."""
        turned = [torch.rot90(self.weight, r, [-2, -1]) for r in range(4)]
        return torch.stack(turned, 1).flatten(0, 1), self.bias.repeat_interleave(4)


class Group(Layer):
    """Between features in four orientations."""

    orientations = (4, 4)

    def oriented(self) -> Tensor:
        """Weights, shape (outputs, 4, 4 inputs, k, k): those of orientation r see the others
        relative to r, and are rotated by r.
        """
        turned = [
            torch.rot90(torch.roll(self.weight, r, 2), r, [-2, -1]).flatten(1, 2) for r in range(4)
        ]
        return torch.stack(turned, 1)

    def kernel(self) -> tuple[Tensor, Tensor]:
        """All orientations beside each other."""
        return self.oriented().flatten(0, 1), self.bias.repeat_interleave(4)


class Pooling(Group):
    """From features in four orientations to fields: a layer of the group, and a signed mean."""

    orientations = (4, 1)
    signs: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, *, periodic: bool, kind: str
    ) -> None:
        super().__init__(inputs, outputs, kernel_size, periodic=periodic)
        self.register_buffer("signs", torch.tensor(POOLING[kind]) / 4, persistent=False)

    def kernel(self) -> tuple[Tensor, Tensor]:
        """The signed mean commutes with the convolution: it is taken of the weights."""
        signs = self.signs.to(self.weight.dtype)
        weight = torch.einsum("r,orikl->oikl", signs, self.oriented())
        return weight, self.bias * signs.sum()
