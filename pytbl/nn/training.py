"""The course of a training: epochs, each followed by a state that a kill cannot spoil."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from .._revision import REVISION
from ..errors import InputError, Interrupted
from ..hdf5 import differences, one_line, replacing, sync, to_json
from ..signals import StopRequest
from . import artifact, history, losses
from . import augment as symmetries
from .tail import Tail

if TYPE_CHECKING:
    from .data import Samples
    from .history import Monitor, Row
    from .model import PeriodicCNN
    from .recipe import Recipe

    Weights = dict[str, Tensor]

FORMAT = 1
CHECKPOINT = "training.pt"
HISTORY = "history.csv"
BEST, LAST = "best.closure", "last.closure"


@dataclass(frozen=True)
class Result:
    """A trained network.

    Attributes
    ----------
    model : PeriodicCNN
        With the weights of the best epoch.
    history : list of dict
        A row per epoch; see `pytbl.nn.history.COLUMNS`.
    best, last : dict of Tensor
        Weights and buffers of the epoch of least validation loss, and of the last one.
    best_epoch : int
        Counted from 1.
    """

    model: PeriodicCNN
    history: list[Row]
    best: Weights
    last: Weights
    best_epoch: int

    def __repr__(self) -> str:
        return f"Result({len(self.history)} epochs, best {self.history[self.best_epoch - 1]})"


class Training:
    """A training between two epochs: all that a resumption needs, and the next step.

    Order and augmentation are drawn from (seed, epoch) alone, so there is no generator to save.
    """

    def __init__(
        self,
        model: PeriodicCNN,
        recipe: Recipe,
        samples: Sequence[Samples | None],
        *,
        device: torch.device,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.origin = dict(origin or {})
        data, self.validation = samples
        if data is None:
            raise InputError("training needs data, got None")
        self.data, self.model, self.device = data, model, device
        model.to(self.device)
        setting = data.setting
        symmetries.check(
            recipe.augment, square=(setting.nx, setting.lx) == (setting.ny, setting.ly)
        )
        self.recipe = replace(recipe, augment=symmetries.check(recipe.augment, square=True))
        if self.validation is not None:
            setting.check(self.validation.setting, data.what, self.validation.what)
        fresh = model.setting is None
        if model.setting is not None:
            model.setting.check(setting, "the network", data.what)
        else:
            model.adopt(setting)
        statistics = data.statistics(model)
        if fresh:
            model.fit(statistics)
        self.recipe.loss.prepare(statistics)
        free = [p for p in model.parameters() if p.requires_grad]
        if not free:
            raise InputError("the network has no parameters to train: all are frozen")
        self.optimiser = recipe.optimise(free)
        self.tail = Tail(model, _first_free(model))
        self.cached = self._enter()
        self.history: list[Row] = []
        self.best: Weights = _copy(model)
        self.best_epoch = 0
        self.folder: Path | None = None
        self.board: history.Board | None = None

    def _enter(self) -> Tensor | None:
        """What frozen leading layers make of the samples: they need to be evaluated only once."""
        first, data = self.tail.first, self.data
        channels = self.model.config["width"] if first else len(self.model.inputs)
        needed = len(data) * channels * data.setting.nx * data.setting.ny * data.dtype.itemsize
        if self.recipe.augment or needed > data.memory_limit:
            return None
        return torch.cat([self.tail.enter(omega) for omega, _ in data.chunks()])

    # -------------------------------------------------------------------------------- the loop ---

    def run(self, *, patience: int | None, progress: Monitor | None) -> Result:
        """Train to the last epoch."""
        if progress is not None:
            progress.begin(len(self.history), self.recipe.epochs, len(self.data))
        with StopRequest() as stop:
            while len(self.history) < self.recipe.epochs and not self._exhausted(patience):
                row = self._epoch(stop, progress)
                self.history.append(row)
                if not self._is_worse(row):
                    self.best, self.best_epoch = _copy(self.model), len(self.history)
                if self.folder is not None:
                    self._save(self.folder)
                if self.board is not None:
                    self.board.write(row)
                if progress is not None:
                    progress.epoch(row)
        last = _copy(self.model)
        if self.folder is not None:
            self._write_artefacts(self.folder, last)
        self.model.load_state_dict(self.best)
        return Result(self.model, self.history, self.best, last, self.best_epoch)

    def _exhausted(self, patience: int | None) -> bool:
        return patience is not None and len(self.history) - self.best_epoch >= patience

    def _is_worse(self, row: Row) -> bool:
        if not self.best_epoch or "validation_loss" not in row:
            return False
        return row["validation_loss"] >= self.history[self.best_epoch - 1]["validation_loss"]

    def _epoch(self, stop: StopRequest, progress: Monitor | None) -> Row:
        epoch, recipe = len(self.history), self.recipe
        rng = np.random.Generator(np.random.Philox(key=np.array([recipe.rng, epoch], np.uint64)))
        order = rng.permutation(len(self.data))
        begun = time.monotonic()
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        self.model.train()
        for start in range(0, len(order), recipe.batch):
            rate = recipe.rate(epoch, start / len(order))
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            indices = order[start : start + recipe.batch]
            omega, pi = symmetries.augment(self.data.batch(indices), recipe.augment, rng)
            loss = self._loss(omega, pi, self._entered(omega, indices))[0]
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            total += loss.detach() * len(indices)
            if progress is not None:
                progress.batch(len(indices))
            if stop.number:
                self._stop(stop.number)
        training_loss = float(total) / len(order)
        if not math.isfinite(training_loss):
            raise InputError(
                f"the training diverged in epoch {epoch + 1}: lower the learning rate, "
                f"{recipe.learning_rate:g}"
            )
        seconds = time.monotonic() - begun
        row = {"epoch": epoch + 1, "learning_rate": rate, "training_loss": training_loss}
        return (
            row
            | self._validate()
            | {
                "seconds": seconds,
                "samples_per_second": len(order) / max(seconds, 1e-9),
            }
        )

    def _entered(self, omega: Tensor, indices: np.ndarray[Any, np.dtype[Any]]) -> Tensor:
        if self.cached is None:
            return self.tail.enter(omega)
        return self.cached[torch.from_numpy(indices).to(self.device)]

    def _loss(self, omega: Tensor, pi: Tensor, entered: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.mixed_precision):
            prediction = self.tail(entered)
        return self.recipe.loss(prediction, pi, omega, self.model), prediction

    @torch.no_grad()
    def _validate(self) -> Row:
        if self.validation is None:
            return {}
        self.model.eval()
        loss = correlation = 0.0
        for omega, pi in self.validation.chunks():
            part, prediction = self._loss(omega, pi, self.tail.enter(omega))
            loss += float(part) * len(omega)
            correlation += float(losses.correlation(prediction, pi).sum())
        count = len(self.validation)
        return {"validation_loss": loss / count, "validation_correlation": correlation / count}

    def _stop(self, number: int) -> None:
        saved = f"the state of epoch {len(self.history)} is in {self.folder}"
        if self.folder is None or not self.history:
            saved = "no state was saved"
        raise Interrupted(
            f"stopped by signal {number} in epoch {len(self.history) + 1}; {saved}", number
        )

    # ------------------------------------------------------------------------------- the folder ---

    def use_folder(self, folder: Path, *, resume: bool, overwrite: bool) -> None:
        """Save there, and continue from what is there if asked to."""
        path = folder / CHECKPOINT
        if resume and path.exists():
            self._load(path)
        else:
            claim(folder, overwrite=overwrite)
        self.folder = folder

    def _describe(self) -> dict[str, Any]:
        """What must agree between a training and its resumption."""
        return self.recipe.describe() | {
            "samples": len(self.data),
            "model": repr(self.model),
            "setting": to_json(self.data.setting.to_dict()),
            "origin": self.origin,
        }

    def _save(self, folder: Path) -> None:
        """Replace the state and the history; each is whole at every moment."""
        state = {
            "format": FORMAT,
            "version": __version__,
            "description": to_json(self._describe()),
            "model": _copy(self.model),
            "best": self.best,
            "best_epoch": self.best_epoch,
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
        }
        whole = io.BytesIO()  # on a full disk torch's own writing fails with an error of its own
        torch.save(state, whole)
        with replacing(folder / CHECKPOINT) as partial:
            partial.write_bytes(whole.getbuffer())
        sync(folder)
        history.write(self.history, folder / HISTORY)

    def _load(self, path: Path) -> None:
        try:
            # tensors and plain values only: nothing in the file is executed
            state = torch.load(path, map_location=self.device, weights_only=True)
            kept = json.loads(state["description"])
        except Exception as error:  # of a damaged file, the reader may raise anything
            raise InputError(f"{path} is not a whole training state: {one_line(error)}") from None
        if state["format"] != FORMAT:
            raise InputError(
                f"{path} has format {state['format']}, expected {FORMAT}: it is of pytbl "
                f"{state['version']}, and this is {__version__}"
            )
        now = json.loads(to_json(self._describe()))
        other = differences(kept, now, tuple(now))
        if other:
            raise InputError(f"{path} is of another training: {other}")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.best = list(state["history"]), state["best"]
        self.best_epoch = int(state["best_epoch"])

    def _write_artefacts(self, folder: Path, last: Weights) -> None:
        for name, weights in ((BEST, self.best), (LAST, last)):
            epoch = self.best_epoch if name == BEST else len(self.history)
            self.model.load_state_dict(weights)
            provenance = self._describe() | {
                "data": repr(self.data.source),
                "validation": repr(self.validation.source) if self.validation else None,
                "revision": REVISION,
                "epochs": epoch,
                "result": self.history[epoch - 1],
            }
            artifact.save(self.model, folder / name, provenance=provenance)


def claim(folder: Path, *, overwrite: bool) -> None:
    """Make a folder for a training, in which there must be none unless it may be overwritten."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {one_line(error)}") from None
    for path in (folder / CHECKPOINT, folder / BEST):
        if path.exists() and not overwrite:
            raise InputError(
                f"{path} is of an earlier training: name another folder, resume that training, or "
                f"allow it to be overwritten"
            )


def _first_free(model: PeriodicCNN) -> int:
    """The first layer, counted from 0, that has a parameter to train."""
    free = (any(p.requires_grad for p in layer.parameters()) for layer in model.layers)
    return next(i for i, one in enumerate(free) if one)


def _copy(model: PeriodicCNN) -> Weights:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
