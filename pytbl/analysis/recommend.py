"""Which layers of a network to re-train on another flow, from few samples and before any training.

For each candidate the error that it will leave on samples it has not seen is measured by
cross-validation: of re-fitted scales and of the best output gain as they are, of re-trained layers
by the transfer of the linearised network (`pytbl.nn.linearised`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .bands import compare_flows
from .decision import decide
from .evidence import EVIDENCE, evidence
from .recommendation import UNTRAINED, Candidate, Recommendation
from .trial import Draws, Trial, spread
from .verdict import combined

if TYPE_CHECKING:
    from pathlib import Path

    from ..nn.data import Samples
    from ..nn.model import PeriodicCNN
    from .fields import Fields

#: The score that ranks by the expected error of the linearised transfer.
LINEARISED = "linearised"
_SMALLEST = 1e-300
#: Error, in units of <Pi^2>, that does not matter.
NEGLIGIBLE = 1e-4


def recommend(
    base: str | Path | PeriodicCNN,
    target: Any,
    *,
    samples: int = 20,
    base_data: Any = None,
    normalisation: str = "base",
    candidates: Iterable[str | int] | None = None,
    score: str = LINEARISED,
    scores: Sequence[str] = (),
    columns: Mapping[str, Mapping[str, float]] | None = None,
    tolerance: float = 0.05,
    iterations: int = 12,
    rng: int = 0,
    memory_limit: int = 1 << 30,
) -> Recommendation:
    r"""Say which layers of a network to re-train on a target flow, and what that will gain.

    Parameters
    ----------
    base : path or PeriodicCNN
        The trained network; not changed.
    target : path, paths, or samples
        Filtered samples of the target flow; see `pytbl.Dataset`.
    samples : int
        How many are used, spread over the data; at least 8.
    base_data : path, paths, or samples, optional
        Of the base flow, whose spectra the target's are then compared with; the score "departure"
        needs them.
    normalisation : {"base", "target"}
        Whose statistics scale inputs and output in the transfer; see `pytbl.nn.transfer.transfer`.
    candidates : iterable of str or int, optional
        What may be re-trained, by default every layer, "all:bias" and "all". "nothing", "scale",
        "statistics" and "gain" always take part.
    score : str
        What ranks the layers: "linearised", their expected error, a name of `scores` or `columns`,
        or several of these joined by "+", whose ranks are averaged.
    scores : sequence of str
        More scores to compute: "gradient", "gradient_square", "fisher", "quadratic" (see
        `pytbl.nn.scores`), "departure", "smoothness", "coverage" (see `pytbl.analysis.evidence`).
    columns : dict of dict of float, optional
        Scores from elsewhere, larger for better: {"mine": {"2": 0.7, ...}}. They stand for those
        of the same name, which are not computed then.
    tolerance : float
        Part of an error within which it equals another.
    iterations : int
        Of conjugate gradients, for each candidate.
    rng : int
        Seed of the draw of samples and of the bootstrap.
    memory_limit : int
        Bytes for what is kept of evaluations.

    Returns
    -------
    Recommendation
        Its errors are those on unseen samples after fitting half of those at hand. They tell
        candidates apart; more data lowers them, as the learning curve says.

    Raises
    ------
    InputError
        A candidate or a score does not exist (those that do are named) or has no base data,
        samples are too few, or do not fit the network.

    Notes
    -----
    The rule is that of `pytbl.analysis.decision.decide`. Intervals are those of a bootstrap over
    the held-out samples, drawn for all candidates alike; what depends on the draw of samples as a
    whole is not in them. What several layers gain together is underestimated: their changes
    multiply, and one linearised step knows only their sum.
    """
    from ..nn.transfer import base_network

    start = time.perf_counter()
    model = base_network(base)
    assert model.setting is not None
    names = _candidates(candidates, model.config["depth"])
    columns = columns or {}
    derived, seen = _scores(score, scores, columns)
    if "departure" in seen and base_data is None:
        raise InputError("the score 'departure' is one from the base flow: it needs base data")
    few, flow = spread(target, "the target data", samples=samples, rng=rng)
    model.setting.check(few.setting, "the base network", few.what)
    flows = None if base_data is None else (_base_flow(base_data, few, rng), flow)
    trial = Trial(
        model, few, normalisation=normalisation, iterations=iterations, memory_limit=memory_limit
    )
    draws = Draws(trial.truth, rng)
    measured = trial.untrained() | {name: trial.trained(name) for name in names}
    own_errors, own_spectra = measured["nothing"]
    failing = trial.scales.sums(own_spectra).sum(0)
    shares = tuple(map(float, failing / max(failing.sum(), _SMALLEST)))
    columns = {**evidence(trial, names, seen, failing=shares, flows=flows), **columns}
    kept = {}
    for name, (errors, spectra) in measured.items():
        other = {kind: float(values[name]) for kind, values in columns.items() if name in values}
        left = trial.scales.sums(spectra).sum(0)
        kept[name] = Candidate(
            name,
            trial.parameters(name) if name in names else UNTRAINED[name],
            draws.interval(errors),
            draws.interval(own_errors - errors),
            tuple(float(part) for part in 1 - left / np.maximum(failing, _SMALLEST)),
            (trial.scores(name, derived) if name in names else {}) | other,
        )
    order = _order([kept[name] for name in names], score)
    choice, reason = decide(
        kept, order, tolerance=tolerance, negligible=NEGLIGIBLE, samples=samples
    )
    layer = next((name for name in order if name.isdecimal()), None)
    least = min((kept[name].error.value for name in names), default=0.0)
    equal = [name for name in names if kept[name].error.value <= (1 + tolerance) * least]
    exact = trial.scales.sums(trial.scales.spectra(trial.pi)).sum(0)
    return Recommendation(
        choice=choice,
        layer=layer,
        equal=tuple(name for name in equal if name != choice) if kept[choice].trained else (),
        reason=reason,
        candidates=tuple(kept.values()),
        curve=trial.curve(layer, draws) if layer and kept[choice].trained else None,
        edges=trial.scales.edges,
        failing=shares,
        relative=tuple(map(float, failing / np.maximum(exact, _SMALLEST))),
        flows=None if flows is None else compare_flows(*flows, rng=rng),
        samples=samples,
        tolerance=tolerance,
        score=score,
        cost=trial.evaluations / trial.sweep if trial.sweep else 0.0,
        seconds=time.perf_counter() - start,
    )


def _candidates(given: Iterable[str | int] | None, depth: int) -> list[str]:
    """Names of what may be re-trained, each once."""
    from ..nn.selection import Selection

    chosen = [*range(1, depth + 1), "all:bias", "all"] if given is None else list(given)
    words = [str(one) for one in chosen if str(one) not in UNTRAINED]
    return list(dict.fromkeys(str(Selection.of(one, depth)) for one in words))


def _scores(
    score: str, scores: Sequence[str], columns: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """The scores to compute: of derivatives, and of what is seen in the network."""
    from ..nn.scores import SCORES

    computed = (*SCORES, *EVIDENCE)
    _check_scores(scores, computed)
    parts = score.split("+")
    _check_scores(parts, (LINEARISED, *computed, *columns))
    wanted = [name for name in dict.fromkeys([*scores, *parts]) if name not in columns]
    return [one for one in wanted if one in SCORES], [one for one in wanted if one in EVIDENCE]


def _check_scores(names: Iterable[str], valid: Sequence[str]) -> None:
    for name in names:
        if name not in valid:
            raise InputError(f"there is no score {name!r}: expected {', '.join(valid)}")


def every_score(base_data: Any = None) -> tuple[str, ...]:
    """Names of all scores that can be computed, with the base data or without."""
    from ..nn.scores import SCORES

    return (*SCORES, *(name for name in EVIDENCE if base_data or name != "departure"))


def _order(candidates: Sequence[Candidate], score: str) -> list[str]:
    """Names from the best on; last are those of which a part of the score says nothing."""
    own = {LINEARISED: {one.name: -one.error.value for one in candidates}}
    ranks = combined(
        [
            own.get(part) or {one.name: one.scores.get(part, -np.inf) for one in candidates}
            for part in score.split("+")
        ]
    )
    return sorted(ranks, key=lambda name: -ranks[name])


def _base_flow(base_data: Any, few: Samples, rng: int) -> Fields:
    """As many samples of the base as of the target, which they must fit."""
    own, flow = spread(base_data, "the base data", samples=len(few), rng=rng)
    own.setting.check(few.setting, "the target data", own.what)
    return flow
