"""The convolutions of a trained network, laid out for one shape of input and nothing else.

Every layer reads a buffer that is padded already: the layer before writes its output, with ReLU,
straight into the middle, and only the edges are copied. Nothing is allocated but what the
convolution itself returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError

Convolution = Callable[[Tensor, Tensor, Tensor], Tensor]

#: What lies beyond the first and the last row of the input.
EDGES = ("periodic", "halo", "zeros")


def _direct(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight, bias)


def _tiled_fft(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """NNPACK's convolution: transforms of tiles, a third of the arithmetic for 5 x 5 kernels."""
    return torch._nnpack_spatial_convolution(x, weight, bias, [0, 0], [1, 1])


#: Ways to convolve; "nnpack" is single-threaded, in float32, and not in every build of torch.
BACKENDS: dict[str, Convolution] = {"direct": _direct, "nnpack": _tiled_fft}


def has_nnpack() -> bool:
    """Whether this torch and processor have NNPACK; asking makes it ready."""
    return bool(torch.backends.nnpack.is_available())


def choose(name: str | None, dtype: torch.dtype, kernel: int) -> str:
    """A backend by name, or the fastest there is.

    Raises
    ------
    InputError
        There is no such backend, or not here.
    """
    usable = 1 < kernel <= 16 and dtype == torch.float32 and has_nnpack()
    if name is None:  # for 3 x 3 kernels NNPACK's way is Winograd's, which loses a digit
        return "nnpack" if usable and kernel > 3 else "direct"
    if name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}: expected one of {', '.join(BACKENDS)}")
    if name == "nnpack" and not usable:
        raise InputError(
            "backend 'nnpack' needs a torch and a processor that have it, float32, and kernels of "
            f"3 to 15 points, got {dtype} and {kernel}"
        )
    return name


class Stack:
    """Convolutions with ReLU between them, of inputs of one shape.

    Parameters
    ----------
    kernels : sequence of (weight, bias)
        See `PeriodicCNN.kernels`.
    shape : (int, int)
        Rows and columns of the output.
    edges : {"periodic", "halo", "zeros"}
        Along y. With "halo" the input has `pad * layers` more rows on either side, and every layer
        uses some up. Along x the input is periodic, or zero beyond its edges with "zeros".
    backend : {"direct", "nnpack"}

    Attributes
    ----------
    input : Tensor, shape (inputs, rows, columns)
        To be filled before every run: the middle of the first buffer.
    """

    def __init__(
        self,
        kernels: Sequence[tuple[Tensor, Tensor]],
        shape: tuple[int, int],
        *,
        edges: str,
        backend: str,
    ) -> None:
        self.kernels = [(weight.detach(), bias.detach()) for weight, bias in kernels]
        self.edges, self._convolve = edges, BACKENDS[backend]
        self.pad = self.kernels[0][0].shape[-1] // 2
        layout: Any = torch.channels_last if backend == "direct" else torch.contiguous_format
        rows, columns = shape
        if edges == "halo":
            rows += 2 * self.pad * len(self.kernels)
        self._buffers, self._middles = [], []
        pad, pad_y = self.pad, 0 if edges == "halo" else self.pad
        self.kernels = [(w.contiguous(memory_format=layout), b) for w, b in self.kernels]
        for weight, _ in self.kernels:
            size = (1, weight.shape[1], rows + 2 * pad_y, columns + 2 * pad)
            buffer = torch.zeros(size, dtype=weight.dtype).contiguous(memory_format=layout)
            self._buffers.append(buffer)
            self._middles.append(buffer[:, :, pad_y : pad_y + rows, pad : pad + columns])
            if edges == "halo":
                rows -= 2 * pad
        self.input = self._middles[0][0]

    def _wrap(self, buffer: Tensor) -> None:
        """Copy what lies on the other side of the domain to the edges."""
        pad = self.pad
        if pad == 0 or self.edges == "zeros":
            return
        if self.edges == "periodic":
            buffer[:, :, :pad] = buffer[:, :, -2 * pad : -pad]
            buffer[:, :, -pad:] = buffer[:, :, pad : 2 * pad]
        buffer[..., :pad] = buffer[..., -2 * pad : -pad]
        buffer[..., -pad:] = buffer[..., pad : 2 * pad]

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """The output, shape (outputs, rows, columns)."""
        last = len(self.kernels) - 1
        for i, (weight, bias) in enumerate(self.kernels):
            self._wrap(self._buffers[i])
            x = self._convolve(self._buffers[i], weight, bias)
            if i < last:
                torch.clamp_min(x, 0.0, out=self._middles[i + 1])
        return x[0]
