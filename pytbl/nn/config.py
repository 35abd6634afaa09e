"""Training files: TOML, checked, and run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..toml_file import Table, TomlFile
from . import artifact, losses, zoo
from .model import PeriodicCNN
from .train import train

if TYPE_CHECKING:
    from .history import Monitor
    from .training import Result


class ModelTable(Table):
    """``[model]``; see `PeriodicCNN`. With `start`, the network of a closure is trained further."""

    start: str | None = None
    width: int = 64
    depth: int = 11
    kernel: int = 5
    inputs: tuple[str, ...] = ("psi", "omega")
    output: str = "pi"
    padding: str = "circular"
    symmetry: str | None = None
    normalisation: str = "dataset"
    dealias: str = "3/2"
    rng: int = 0

    def build(self, folder: Path) -> PeriodicCNN:
        """The network; the name of a file begins at `folder`."""
        if self.start is None:
            return PeriodicCNN(**self.model_dump(exclude={"start"}))
        others = sorted(self.model_fields_set - {"start"})
        if others:
            raise InputError(f"[model] with start, the file says the rest: remove {others[0]!r}")
        return artifact.load_model(zoo.located(self.start, folder))


class DataTable(Table):
    """``[data]``: files of `pytbl.Dataset`, whose names begin at the training file."""

    train: str | tuple[str, ...]
    validation: str | tuple[str, ...] | None = None


class LossTable(Table):
    """``[loss]``; see `pytbl.nn.losses`."""

    kind: str = "mse"
    weight: float | None = None
    quantity: str | None = None

    def build(self) -> losses.MeanSquare:
        """The loss."""
        parameters = self.model_dump(exclude={"kind"}, exclude_none=True)
        try:
            return losses.make(self.kind, **parameters)
        except TypeError:
            raise InputError(f"[loss] kind {self.kind!r} has no {', '.join(parameters)}") from None


class TrainTable(Table):
    """``[train]``; see `pytbl.nn.train`."""

    epochs: int
    batch: int = 16
    learning_rate: float = 5e-5
    optimiser: str = "adam"
    weight_decay: float = 0.0
    schedule: str | None = None
    augment: tuple[str, ...] = ()
    rng: int = 0
    patience: int | None = None
    device: str = "cpu"
    mixed_precision: bool = False
    threads: int | None = None
    memory_limit: int = 2 << 30
    tensorboard: bool = False


class TrainingFile(TomlFile):
    """A whole training: the network, the data, the loss, the steps."""

    what = "training"

    title: str = ""
    model: ModelTable = ModelTable()
    data: DataTable
    loss: LossTable = LossTable()
    train: TrainTable

    def run(
        self,
        folder: Path,
        out: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        progress: Monitor | None = None,
    ) -> Result:
        """Train; names of files begin at `folder`, and results go to `out`. Errors as `train`."""
        return train(
            self.model.build(folder),
            _located(folder, self.data.train),
            validation=_located(folder, self.data.validation),
            loss=self.loss.build(),
            out=out,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            **self.train.model_dump(),
        )


def _located(folder: Path, names: str | tuple[str, ...] | None) -> Any:
    if names is None or isinstance(names, str):
        return None if names is None else folder / names
    return [folder / name for name in names]
