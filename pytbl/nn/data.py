"""Samples as torch wants them: checked, in memory where they fit, with their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .setting import Setting

if TYPE_CHECKING:
    from .model import PeriodicCNN

    Array = np.ndarray[Any, np.dtype[Any]]

#: Samples read at once in a pass over all of them.
CHUNK = 32
_NAMES = ("omega", "pi")


class Source(Protocol):
    """Anything that samples can be read from; `pytbl.samples.Samples` is one."""

    @property
    def attributes(self) -> dict[str, Any]:
        """At least the names of `Setting`."""

    def __len__(self) -> int:
        """Samples."""

    def read(self, name: str, indices: Any) -> Array:
        """Fields of a name, shape (len(indices), ny, nx)."""


class Arrays:
    """Samples in memory.

    Parameters
    ----------
    omega, pi : ndarray, shape (samples, ny, nx)
        Filtered vorticity [1/time] and the SGS term [1/time^2].
    setting : Setting
    """

    def __init__(self, omega: Array, pi: Array, setting: Setting) -> None:
        self._fields = {"omega": np.asarray(omega), "pi": np.asarray(pi)}
        self.attributes: dict[str, Any] = setting.to_dict()
        for name, field in self._fields.items():
            expected = (len(omega), setting.ny, setting.nx)
            if field.shape != expected:
                raise InputError(f"{name} must have shape {expected}, got {field.shape}")

    def __repr__(self) -> str:
        return f"Arrays({len(self)} samples)"

    def __len__(self) -> int:
        return len(self._fields["omega"])

    def read(self, name: str, indices: Any) -> Array:
        """Fields of a name."""
        return self._fields[name][np.asarray(indices)]


def source(data: Any) -> Source:
    """The samples of a path, of several, or of an object that has them."""
    if isinstance(data, str | Path) or (
        isinstance(data, Sequence) and data and all(isinstance(d, str | Path) for d in data)
    ):
        from ..samples import Samples

        return Samples(data)
    if not (hasattr(data, "read") and hasattr(data, "attributes")):
        raise InputError(f"data must be paths of datasets, or samples, got {type(data).__name__}")
    return data


@dataclass(frozen=True)
class Statistics:
    """Moments of training data: over all samples and points, of the channels of a network."""

    mean: Tensor  #: shape (inputs,)
    deviation: Tensor  #: shape (inputs,)
    pi_square: float  #: mean of Pi^2 [1/time^4]
    enstrophy_transfer_square: float  #: mean over samples of <omega Pi>^2
    energy_transfer_square: float  #: mean over samples of <psi Pi>^2


class Samples:
    """Pairs (omega, Pi) of a source on a device.

    Parameters
    ----------
    data : path, paths, or samples
    what : str
        What they are, for messages.
    memory_limit : int
        Bytes up to which they are kept in memory; beyond, batches are read as they are needed.
    dtype : torch dtype
    device : torch device

    Raises
    ------
    InputError
        They are none, or do not say what they are of.
    """

    def __init__(
        self,
        data: Any,
        what: str,
        *,
        memory_limit: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.source = source(data)
        self.what = f"{what} {data}" if isinstance(data, str | Path) else what
        self.dtype, self.device = dtype, torch.device(device)
        self.memory_limit = memory_limit
        if not len(self.source):
            raise InputError(f"{self.what}: there are no samples")
        self.setting = Setting.of(self.source.attributes)
        self._held: list[Tensor] | None = None
        needed = 2 * len(self) * self.setting.nx * self.setting.ny * dtype.itemsize
        if needed <= memory_limit:
            everything = np.arange(len(self))
            self._held = [tensor.to(self.device) for tensor in self._read(everything)]

    @classmethod
    def few(cls, whole: Source, indices: Array, what: str) -> Samples:
        """Some samples of a source, in memory in the precision that they have there."""
        fields = [whole.read(name, indices) for name in _NAMES]
        held = Arrays(fields[0], fields[1], Setting.of(whole.attributes))
        return cls(held, what, memory_limit=4 * max(field.nbytes for field in fields))

    def __len__(self) -> int:
        return len(self.source)

    def _read(self, indices: Array) -> list[Tensor]:
        # files are read forwards
        order = np.argsort(indices, kind="stable")
        back = torch.from_numpy(np.argsort(order, kind="stable"))
        pair = []
        for name in _NAMES:
            fields = torch.from_numpy(np.ascontiguousarray(self.source.read(name, indices[order])))
            bad = (~torch.isfinite(fields)).flatten(1).any(1).nonzero()
            if len(bad):
                number = int(indices[order][int(bad[0])])
                raise InputError(f"{self.what}: {name} of sample {number} is not finite")
            pair.append(fields[back].to(self.dtype))
        return pair

    @property
    def attributes(self) -> dict[str, Any]:
        """Those of the source; with `read`, samples are a source themselves."""
        return self.source.attributes

    def read(self, name: str, indices: Any) -> Array:
        """Fields of a name, from memory if they are held there."""
        if self._held is None:
            return self.source.read(name, indices)
        return self._held[_NAMES.index(name)][np.asarray(indices)].cpu().numpy()

    def batch(self, indices: Array) -> list[Tensor]:
        """The fields (omega, pi) of some samples, each of shape (len(indices), ny, nx)."""
        if self._held is not None:
            where = torch.from_numpy(np.asarray(indices)).to(self.device)
            return [field[where] for field in self._held]
        return [field.to(self.device) for field in self._read(np.asarray(indices))]

    def chunks(self, size: int = CHUNK) -> Iterator[list[Tensor]]:
        """All fields in order, some at a time."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))

    def statistics(self, model: PeriodicCNN) -> Statistics:
        """Moments of the samples in one pass over them."""
        sums: Tensor | float = 0.0
        for omega, pi in self.chunks():
            with torch.no_grad():
                channels = model.channels(omega).double()
                psi = model.spectral.derive(omega, ["psi"])[:, 0].double()
            omega, pi = omega.double(), pi.double()
            transfers = [(q * pi).mean([-2, -1]).square().sum() for q in (omega, psi)]
            sums = sums + torch.cat(
                [
                    channels.mean([-2, -1]).sum(0),
                    channels.square().mean([-2, -1]).sum(0),
                    torch.stack([pi.square().mean([-2, -1]).sum(), *transfers]),
                ]
            )
        assert isinstance(sums, Tensor)
        inputs = len(model.inputs)
        mean, square, rest = (sums / len(self)).split([inputs, inputs, 3])
        pi_square, enstrophy, energy = (float(value) for value in rest)
        if not pi_square > 0:
            raise InputError(f"{self.what}: pi is zero in every sample")
        return Statistics(
            mean, (square - mean**2).clamp(min=0).sqrt(), pi_square, enstrophy, energy
        )
