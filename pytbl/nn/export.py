"""The two ways in which torch writes a network that other programs can run.

TorchScript is what libtorch in C++ and Fortran reads today; torch has declared it deprecated, and
torch.export's programs take its place. Only this module knows either. pytbl itself runs neither
when it loads a closure: it makes the network anew from its description and weights.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .model import PeriodicCNN


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that TorchScript is deprecated, and how it reads types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def frozen(module: nn.Module) -> Any:
    """A TorchScript module with its weights as constants."""
    with _quiet():
        return torch.jit.freeze(torch.jit.script(module.eval()))


def torchscript(model: PeriodicCNN) -> bytes:
    """The network as a file of TorchScript: ``forward(omega)``, shape (batch, ny, nx)."""
    stream = io.BytesIO()
    with _quiet():
        torch.jit.save(frozen(model.plain().cpu()), stream)
    return _without_sources(stream)


def _without_sources(stream: io.BytesIO) -> bytes:
    """An archive of TorchScript less its debugging tables: they name files of this machine."""
    kept = io.BytesIO()
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(kept, "w") as new:
        for item in old.infolist():
            if not item.filename.endswith(".debug_pkl"):
                new.writestr(item, old.read(item))
    return kept.getvalue()


def program(model: PeriodicCNN) -> bytes:
    """The network as a file of torch.export, for its own grid and any batch."""
    assert model.setting is not None
    plain = model.plain().cpu().eval()
    omega = torch.zeros(2, model.setting.ny, model.setting.nx, dtype=plain.input_mean.dtype)
    stream = io.BytesIO()
    with _quiet():
        exported = torch.export.export(
            plain, (omega,), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        for node in exported.graph.nodes:
            node.meta.pop("stack_trace", None)  # it names files of this machine
        torch.export.save(exported, stream)
    return stream.getvalue()


#: Name of the member of an artefact, and what makes it.
PROGRAMS: dict[str, Callable[[PeriodicCNN], bytes]] = {
    "network.ts": torchscript,
    "network.pt2": program,
}


def run(name: str, content: bytes, omega: Tensor) -> Tensor:
    """Run a program of a trusted artefact: it is code, and executes."""
    with _quiet(), torch.no_grad():
        if name == "network.ts":
            return torch.jit.load(io.BytesIO(content))(omega)
        return torch.export.load(io.BytesIO(content)).module()(omega)


def extract(artefact: str | Path, name: str, target: str | Path) -> None:
    """Write a program of an artefact to a file of its own, for another code to load."""
    from .artifact import read

    Path(target).write_bytes(read(artefact)[name])
