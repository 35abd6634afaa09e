"""Transfer: a network of one flow is fitted to another by re-training some of its layers.

Subel et al. (2023): load the base network, freeze it but for the chosen layers, train these with a
fresh optimiser on a tenth of the samples that the base was trained with, keep the last epoch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from . import artifact, zoo
from .data import Samples, source
from .model import PeriodicCNN
from .score import best_gain, predict
from .selection import Selection, listed
from .train import train
from .training import BEST, CHECKPOINT, LAST, claim

if TYPE_CHECKING:
    from .data import Statistics
    from .history import Monitor, Row
    from .selection import Layers

    Array = np.ndarray[Any, np.dtype[Any]]

#: What can be done to a network without training its layers, from the least to the most.
UNTRAINED = ("nothing", "scale", "statistics", "gain")
#: All parameters, from new random values instead of the base's.
SCRATCH = "scratch"
NORMALISATIONS = ("base", "target")
DRAWS = ("random", "first")


@dataclass(frozen=True)
class Transfer:
    """A network that was transferred.

    Attributes
    ----------
    model : PeriodicCNN
    layers : str
        What was re-trained, or one of "nothing", "scale", "statistics", "gain", "scratch".
    drawn : ndarray of int
        The target samples that were used.
    history : list of dict
        A row for each epoch; see `pytbl.nn.history.COLUMNS`.
    """

    model: PeriodicCNN
    layers: str
    drawn: Array
    history: list[Row]

    def __repr__(self) -> str:
        return f"Transfer({self.layers}, {len(self.drawn)} samples, {len(self.history)} epochs)"


def transfer(
    base: str | Path | PeriodicCNN,
    data: Any,
    *,
    layers: Layers,
    fraction: float = 0.1,
    samples: int | None = None,
    draw: str = "random",
    normalisation: str = "base",
    validation: Any = None,
    epochs: int = 50,
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
    device: str = "cpu",
    threads: int | None = None,
    memory_limit: int = 2 << 30,
    progress: Monitor | None = None,
) -> Transfer:
    r"""Fit a network to another flow by re-training some layers on few samples of it.

    Parameters
    ----------
    base : path or PeriodicCNN
        The trained network; not changed.
    data : path, paths, or samples
        Filtered samples of the target flow; see `pytbl.Dataset`.
    layers : str, int, or a sequence of them
        Which to re-train, weights and biases: numbers of 1 .. depth, "first", "last", "hidden",
        "all", each alone or followed by ":weight" or ":bias", joined by "+". Without training:
        "nothing" leaves the network as it is; "scale" gives its output the scale of the target,
        "statistics" its inputs as well; "gain" multiplies the output by the best number,
        :math:`\langle\Pi_p\Pi\rangle/\langle\Pi_p^2\rangle` of the drawn samples. "scratch" trains
        a new network of the same shape.
    fraction : float
        Part of the samples that is used.
    samples : int, optional
        Their number, instead of the fraction.
    draw : {"random", "first"}
        Without replacement, by the seed; or, as the published scripts do, the first ones, which
        are alike.
    normalisation : {"base", "target"}
        Whose statistics scale inputs and output: the network's, so that nothing but the chosen
        layers changes; or those of the drawn samples, which a network from scratch always takes.
        Which of them the paper used is not known.
    validation : path, paths, or samples, optional
        The epoch of least loss on them is kept instead of the last one.
    epochs, batch, learning_rate, optimiser, weight_decay, schedule, loss, augment
        See `train`; the defaults are those of Subel et al. (2023).
    rng : int
        Seed of draw and order.
    out, resume, overwrite, device, threads, memory_limit, progress
        See `train`.

    Returns
    -------
    Transfer

    Raises
    ------
    InputError
        A layer does not exist (those that do are named); there are no samples, or they do not fit
        the network; a parameter cannot be used; the result would replace the base network.
    Interrupted
        See `train`.
    """
    _spare(base, out)
    model = base_network(base)
    assert model.setting is not None
    words = "+".join(listed(layers))
    if words not in (*UNTRAINED, SCRATCH):
        selection = Selection.of(words, model.config["depth"])
        words = str(selection)
    if normalisation not in NORMALISATIONS:
        raise InputError(f"normalisation must be 'base' or 'target', got {normalisation!r}")
    whole = source(data)
    drawn = _draw(len(whole), fraction=fraction, samples=samples, draw=draw, rng=rng)
    view = _Drawn(whole, drawn)
    few = Samples(view, "the target data", memory_limit=memory_limit)
    model.setting.check(few.setting, "the base network", few.what)
    origin = {
        "base": zoo.located(base).name if isinstance(base, str | Path) else repr(model),
        "layers": words,
        "normalisation": normalisation,
        "drawn": drawn.tolist(),
    }
    if words in UNTRAINED:
        model = _adapted(model, few, words, normalisation)
        if out is not None:
            again = resume and not (Path(out) / CHECKPOINT).exists()
            claim(Path(out), overwrite=overwrite or again)
            artifact.save(model, Path(out) / BEST, provenance={"origin": origin})
        return Transfer(model, words, drawn, [])
    if words == SCRATCH:
        model = PeriodicCNN(**model.config | {"rng": rng})
        model.adopt(few.setting)
    if normalisation == "target" or words == SCRATCH:
        model.fit(few.statistics(model))
    if words != SCRATCH:
        selection.free(model)
    result = train(
        model,
        view,
        validation=validation,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        optimiser=optimiser,
        weight_decay=weight_decay,
        schedule=schedule,
        loss=loss,
        augment=augment,
        rng=rng,
        out=out,
        resume=resume,
        overwrite=overwrite,
        device=device,
        threads=threads,
        memory_limit=memory_limit,
        progress=progress,
        origin=origin,
    )
    return Transfer(result.model.requires_grad_(True), words, drawn, result.history)


def base_network(base: str | Path | PeriodicCNN) -> PeriodicCNN:
    """The network of a closure's file, or a copy of one that is given.

    Raises
    ------
    InputError
        It is neither, or was not trained.
    """
    if isinstance(base, str | Path):
        return artifact.load_model(base)
    if not isinstance(base, PeriodicCNN):
        raise InputError(
            f"the base must be a closure's file or a network, got {type(base).__name__}"
        )
    if base.setting is None:
        raise InputError("the base network was not trained: it has no grid, filter and sign")
    return copy.deepcopy(base)


def rescaled(model: PeriodicCNN, statistics: Statistics, kind: str) -> PeriodicCNN:
    """A copy with other samples' scale of the output, "scale", or of inputs too, "statistics"."""
    fitted = copy.deepcopy(model)
    fitted.fit(statistics)
    if kind == "scale":
        for name in ("input_mean", "input_deviation"):
            getattr(fitted, name).copy_(getattr(model, name))
    return fitted


def _spare(base: Any, out: str | Path | None) -> None:
    """Refuse a folder in which the result would take the place of the base network."""
    if out is None or not isinstance(base, str | Path):
        return
    path = zoo.located(base).resolve()
    if path.parent == Path(out).resolve() and path.name in (BEST, LAST):
        raise InputError(f"the result would replace the base network, {base}: name another folder")


class _Drawn:
    """Some of the samples of a source."""

    def __init__(self, whole: Any, drawn: Array) -> None:
        self._whole, self._drawn = whole, drawn
        self.attributes: dict[str, Any] = whole.attributes

    def __repr__(self) -> str:
        return f"{len(self)} of {self._whole!r}"

    def __len__(self) -> int:
        return len(self._drawn)

    def read(self, name: str, indices: Any) -> Array:
        return self._whole.read(name, self._drawn[np.asarray(indices)])


def _draw(count: int, *, fraction: float, samples: int | None, draw: str, rng: int) -> Array:
    """Which samples are used, in ascending order."""
    if draw not in DRAWS:
        raise InputError(f"draw must be 'random' or 'first', got {draw!r}")
    if not (isinstance(rng, int) and rng >= 0):
        raise InputError(f"rng must be an integer >= 0, got {rng!r}")
    if samples is None:
        if not (math.isfinite(fraction) and 0 < fraction <= 1):
            raise InputError(f"fraction must be in 0 < fraction <= 1, got {fraction}")
        samples = max(1, round(fraction * count))
    if not (isinstance(samples, int) and 1 <= samples <= count):
        raise InputError(f"samples must be an integer of 1 .. {count}, got {samples!r}")
    if draw == "first":
        return np.arange(samples)
    return np.sort(np.random.default_rng(rng).choice(count, samples, replace=False))


def _adapted(model: PeriodicCNN, few: Samples, kind: str, normalisation: str) -> PeriodicCNN:
    """With other scales only."""
    if kind == "nothing":
        return model
    statistics = few.statistics(model)  # refuses samples whose Pi is zero
    if kind != "gain":
        return rescaled(model, statistics, kind)
    if normalisation == "target":
        model = rescaled(model, statistics, "statistics")
    _, pi, predicted = predict(model, few)
    model.output_scale.mul_(best_gain(predicted, pi))
    return model
