"""Training files: TOML, checked, and run."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import InputError
from . import artifact, losses
from .model import PeriodicCNN
from .train import train

if TYPE_CHECKING:
    from .history import Monitor
    from .training import Result


class Table(BaseModel):
    """A table of a training file; a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        return artifact.load_model(folder / self.start)


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


class TrainingFile(Table):
    """A whole training: the network, the data, the loss, the steps."""

    title: str = ""
    model: ModelTable = ModelTable()
    data: DataTable
    loss: LossTable = LossTable()
    train: TrainTable

    @classmethod
    def load(cls, path: str | Path) -> TrainingFile:
        """Read a training file.

        Raises
        ------
        InputError
            The file cannot be read, or a key or value cannot be used: in one line, with the valid
            names where one is unknown.
        """
        try:
            return cls.model_validate(tomllib.loads(Path(path).read_text()))
        except ValidationError as error:
            raise InputError(f"{path}: {_explain(error)}") from None
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: not TOML: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"the training file {path} cannot be read: {reason}") from None

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


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    first = error.errors()[0]
    place = tuple(str(part) for part in first["loc"])
    table = f"[{place[0]}] " if len(place) > 1 else ""
    kind = "key" if len(place) > 1 else "table or key"
    if first["type"] == "extra_forbidden":
        valid = _names(place[0] if len(place) > 1 else None)
        close = difflib.get_close_matches(place[-1], valid, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        expected = ", ".join(valid)
        return f"unknown {table}{kind} {place[-1]!r}{hint}: expected one of {expected}"
    if first["type"] == "missing":
        return f"{table}{kind} {place[-1]!r} is missing"
    message = first["msg"]
    return f"{table}{place[1] if table else place[0]}: {message}, got {first['input']!r}"


def _names(table: str | None) -> list[str]:
    if table is None:
        return list(TrainingFile.model_fields)
    model: Any = TrainingFile.model_fields[table].annotation
    return list(model.model_fields)
