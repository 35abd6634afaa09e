"""Training: seeded, resumable after a kill, the same again on the CPU for a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import InputError
from . import losses
from . import threads as torch_threads
from .data import Samples
from .history import Board
from .recipe import Recipe
from .training import Result, Training

if TYPE_CHECKING:
    from .history import Monitor
    from .model import PeriodicCNN


def train(
    model: PeriodicCNN,
    data: Any,
    *,
    validation: Any,
    epochs: int,
    batch: int = 16,
    learning_rate: float = 5e-5,
    optimiser: str = "adam",
    weight_decay: float = 0.0,
    schedule: str | None = None,
    loss: Any = "mse",
    augment: Sequence[str] = (),
    rng: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    patience: int | None = None,
    device: str = "cpu",
    mixed_precision: bool = False,
    threads: int | None = None,
    memory_limit: int = 2 << 30,
    tensorboard: bool = False,
    progress: Monitor | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Result:
    """Train a network on filtered samples.

    A network that was not trained before takes over the data's grid, filter and sign, and their
    statistics as its normalisation; one that was keeps its own. Only parameters that require a
    gradient are changed.

    Parameters
    ----------
    model : PeriodicCNN
        Trained in place; left with the weights of the best epoch.
    data, validation : path, paths, or samples
        Datasets with "omega" and "pi"; see `pytbl.Dataset`. Without validation (None) the last
        epoch is the best.
    epochs, batch : int
        Passes over the data, and samples per step.
    learning_rate : float
    optimiser : {"adam", "adamw"}
        With the epsilon of Keras, 1e-7.
    weight_decay : float
    schedule : {None, "cosine"}
        Let the learning rate fall to 0 along half a cosine.
    loss : {"mse", "transfer"} or object
        See `pytbl.nn.losses`.
    augment : sequence of str
        Of "rotations" and "reflections"; see `pytbl.nn.augment`.
    rng : int
        Seed of order and augmentation; that of the weights is the network's.
    out : path, optional
        A folder, made if need be: the state after every epoch, the history, and at the end
        ``best.closure`` and ``last.closure``.
    resume : bool
        Continue from the state in `out`, if there is one: to the weights of a training that was
        never interrupted.
    overwrite : bool
        Let a training that starts afresh replace an earlier one in `out`.
    patience : int, optional
        Stop after so many epochs without a lower validation loss.
    device : str
        "cpu", "cuda", "cuda:1".
    mixed_precision : bool
        Convolve in bfloat16.
    threads : int, optional
        Threads of torch while training; by default as many as it has.
    memory_limit : int
        Bytes up to which a set of samples is kept in memory, else it is read batch by batch.
    tensorboard : bool
        Log to `out` for TensorBoard.
    progress : Monitor, optional
    origin : dict of plain values, optional
        Where the network comes from: kept in the closures, and a resumption must agree with it.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        A parameter cannot be used; the data are not finite, do not fit the network or each other;
        there is no such device; the state in `out` is of another training.
    Interrupted
        SIGTERM or SIGINT came; the state of the last whole epoch is in `out`.
    """
    if isinstance(loss, str):
        loss = losses.make(loss)
    recipe = Recipe(
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        optimiser=optimiser,
        weight_decay=weight_decay,
        schedule=schedule,
        loss=loss,
        augment=(augment,) if isinstance(augment, str) else tuple(augment),
        rng=rng,
        mixed_precision=mixed_precision,
    )
    if patience is not None and not (isinstance(patience, int) and patience >= 1):
        raise InputError(f"patience must be an integer >= 1, got {patience!r}")
    if threads is not None:
        torch_threads.check(threads)
    if out is None and (resume or tensorboard):
        raise InputError("resume and tensorboard need a folder: give out")
    place = _device(device)
    with torch_threads.threads(threads):
        samples = [
            None if part is None else Samples(part, what, memory_limit=memory_limit, device=place)
            for part, what in ((data, "the training data"), (validation, "the validation data"))
        ]
        training = Training(model, recipe, samples, device=place, origin=origin)
        if out is not None:
            training.use_folder(Path(out), resume=resume, overwrite=overwrite)
            if tensorboard:
                training.board = Board(Path(out) / "tensorboard")
        return training.run(patience=patience, progress=progress)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device must be 'cpu' or 'cuda', got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {name!r} was asked for, and torch {torch.__version__} finds none")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {name!r} was asked for, and torch finds {torch.cuda.device_count()}"
        )
    return device
