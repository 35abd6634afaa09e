"""Errors on held-out samples of what can be done to a network, without training it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..periodic import Modes
from .bands import band_edges
from .fields import Fields
from .recommendation import Curve, Interval

if TYPE_CHECKING:
    from ..nn.data import Samples
    from ..nn.jacobian import Work
    from ..nn.linearised import LinearisedTransfer
    from ..nn.model import PeriodicCNN

    Array = np.ndarray[Any, np.dtype[Any]]

#: Two folds leave the more of a budget to iterations, which rank better than more folds do.
FOLDS = 2
#: Samples of which a quarter of a fold is one.
LEAST = 4 * FOLDS
#: Parts of a fold whose errors make the learning curve.
PARTS = (0.25, 0.5, 1.0)
#: Of the sweep that the cost is compared with.
EPOCHS, SAMPLES, SEEDS = 50, 100, 3
_DRAWS = 2000
#: Which of the untrained networks the re-trained begin with, by their normalisation.
_BEGINS = {"target": "statistics", "base": "nothing"}


def spread(data: Any, what: str, *, samples: int, rng: int) -> tuple[Samples, Fields]:
    """Some samples, in order: one at random from each of so many equal pieces of the data.

    Returns
    -------
    few : pytbl.nn.data.Samples
        For networks.
    flow : Fields
        The same with their times and runs, if the data know these.

    Raises
    ------
    InputError
        There are not so many, or they are too few to tell anything.
    """
    from .. import samples as files
    from ..nn import data as torch_data

    whole = torch_data.source(data)
    if not (isinstance(samples, int) and samples >= LEAST):
        raise InputError(f"a recommendation needs at least {LEAST} samples, got {samples!r}")
    if not (isinstance(rng, int) and rng >= 0):
        raise InputError(f"rng must be an integer >= 0, got {rng!r}")
    if len(whole) < samples:
        raise InputError(f"{what} must have at least {samples} samples, got {len(whole)}")
    order, known = np.arange(len(whole)), {}
    if isinstance(whole, files.Samples):
        runs = whole.where[:, 0]
        order, known = np.lexsort((whole.times, runs)), {"times": whole.times, "runs": runs}
    generator = np.random.default_rng(rng)
    pieces = np.array_split(order, samples)
    indices = np.array([generator.choice(piece) for piece in pieces])
    few = torch_data.Samples.few(whole, indices, what)
    omega, pi = (few.source.read(name, np.arange(samples)) for name in ("omega", "pi"))
    when = {name: values[indices] for name, values in known.items()}
    return few, Fields(omega, pi, few.setting.lx, few.setting.ly, name=what, **when)


class Scales:
    """Sums over bands of wavenumbers.

    Attributes
    ----------
    edges : tuple of float
        Wavenumbers between them [1/length].
    """

    def __init__(self, shape: tuple[int, ...], *, lx: float, ly: float) -> None:
        self._modes = Modes(shape, lx, ly)
        self.edges = band_edges(self._modes.k[: self._modes.complete_shells])
        self._band = np.searchsorted(self.edges, self._modes.k, side="right")

    def spectra(self, field: Array) -> Array:
        """Shell sums of the power of fields, shape (samples, shells)."""
        return self._modes.power(field)

    def sums(self, spectra: Array) -> Array:
        """Of spectra, shape (samples, shells): shape (samples, 3)."""
        return np.stack([spectra[:, self._band == band].sum(1) for band in range(3)], axis=1)


class Draws:
    """A bootstrap over samples, the same for all that is drawn.

    Parameters
    ----------
    truth : ndarray, shape (samples,)
        What ratios are over.
    rng : int
    """

    def __init__(self, truth: Array, rng: int) -> None:
        count = len(truth)
        self._truth = truth
        self._chosen = np.random.default_rng(rng).integers(count, size=(_DRAWS, count))

    def interval(self, values: Array, over: Array | None = None) -> Interval:
        """Of sum(values) / sum(truth), or over other values drawn like them."""
        over = self._truth if over is None else over
        ratios = values[self._chosen].sum(1) / np.maximum(over[self._chosen].sum(1), 1e-300)
        low, high = np.percentile(ratios, (2.5, 97.5))
        return Interval(float(values.sum() / max(over.sum(), 1e-300)), float(low), float(high))


class Trial:
    """What can be done to a network for a target flow, each tried on samples held out.

    Errors are mean squares over each sample, shape (samples,), and their spectra, of shape
    (samples, shells) [1/time^4].

    Parameters
    ----------
    model : PeriodicCNN
    few : Samples
        Of the target.
    normalisation : {"base", "target"}
        Whose statistics scale inputs and output of what is re-trained.
    iterations, memory_limit : int
        See `pytbl.nn.linearised.linearised_transfer`.

    Attributes
    ----------
    truth : ndarray, shape (samples,)
        Mean squares of Pi.
    model, adapted : PeriodicCNN
        As it is, and normalised as it will be re-trained.
    few : Samples
    fields : (Tensor, Tensor)
        Vorticity and Pi of the samples.
    scales : Scales
    evaluations, sweep : float
        Work done, and that of a sweep over the layers that were tried, in evaluations of the
        network for one sample.
    """

    def __init__(
        self,
        model: PeriodicCNN,
        few: Samples,
        *,
        normalisation: str,
        iterations: int,
        memory_limit: int,
    ) -> None:
        from ..nn.transfer import rescaled

        if normalisation not in _BEGINS:
            expected = " or ".join(map(repr, _BEGINS))
            raise InputError(f"normalisation must be {expected}, got {normalisation!r}")
        self._begin = _BEGINS[normalisation]
        self.model, self.few = model, few
        self._iterations, self._memory_limit = iterations, memory_limit
        self._results: dict[tuple[str, float], LinearisedTransfer] = {}
        statistics = few.statistics(model)
        self._untrained = {"nothing": model} | {
            kind: rescaled(model, statistics, kind) for kind in ("scale", "statistics")
        }
        self.adapted = self._untrained[self._begin]
        setting = few.setting
        self.scales = Scales((setting.ny, setting.nx), lx=setting.lx, ly=setting.ly)
        omega, pi = few.batch(np.arange(len(few)))
        self.fields = omega, pi
        self.pi = pi.double().numpy()
        self.truth = np.square(self.pi).mean((-2, -1))
        self.evaluations = self.sweep = 0.0

    def _measured(self, predicted: Array) -> tuple[Array, Array]:
        left = predicted - self.pi
        return np.square(left).mean((-2, -1)), self.scales.spectra(left)

    def untrained(self) -> dict[str, tuple[Array, Array]]:
        """Errors and spectra of "nothing", "scale", "statistics" and "gain"."""
        from ..nn.score import best_gain, predict

        predicted = {name: predict(one, self.few)[2] for name, one in self._untrained.items()}
        self.evaluations += len(self._untrained) * len(self.few)
        adapted = predicted[self._begin]
        gained = np.empty_like(adapted)
        for held in np.array_split(np.arange(len(self.few)), FOLDS):
            gain = best_gain(*(np.delete(fields, held, axis=0) for fields in (adapted, self.pi)))
            gained[held] = gain * adapted[held]
        return {name: self._measured(one) for name, one in (predicted | {"gain": gained}).items()}

    def trained(self, layers: str) -> tuple[Array, Array]:
        """Errors and spectra after re-training some layers."""
        result = self._fitted(layers, 1.0)
        self.sweep += EPOCHS * SAMPLES * SEEDS * self.work(layers).training
        return result.errors, result.spectrum

    def curve(self, layers: str, draws: Draws) -> Curve:
        """Errors of some layers, re-trained on ever more of the samples."""
        results = [self._fitted(layers, part) for part in PARTS]
        errors = tuple(draws.interval(result.errors) for result in results)
        return Curve(tuple(result.fitted for result in results), errors)

    def _fitted(self, layers: str, part: float) -> LinearisedTransfer:
        from ..nn.linearised import linearised_transfer

        if (layers, part) not in self._results:
            result = linearised_transfer(
                self.adapted,
                self.fields,
                self._selection(layers),
                folds=FOLDS,
                part=part,
                iterations=self._iterations,
                memory_limit=self._memory_limit,
            )
            self.evaluations += result.evaluations
            self._results[layers, part] = result
        return self._results[layers, part]

    def scores(self, layers: str, names: Sequence[str]) -> dict[str, float]:
        """Some of `pytbl.nn.scores.SCORES`."""
        from ..nn.scores import STEPS, scores

        steps = sum(STEPS[name] for name in names)
        self.evaluations += len(self.few) * self.work(layers).training * steps
        return scores(self.adapted, self.fields, self._selection(layers), names=names)

    def work(self, layers: str) -> Work:
        """Cost of some layers for one sample."""
        from ..nn.jacobian import Work

        return Work(self.model, self._selection(layers))

    def parameters(self, layers: str) -> int:
        """Free numbers of some layers."""
        chosen = self._selection(layers).parameters(self.model).values()
        return sum(parameter.numel() for parameter in chosen)

    def _selection(self, layers: str) -> Any:
        from ..nn.selection import Selection

        return Selection.of(layers, self.model.config["depth"])
