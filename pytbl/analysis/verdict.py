"""What a recommendation was worth: predictions against the sweep that they are to make needless.

Scores are larger for better; errors are those of networks that were re-trained and tested. For
expected errors as a score, give their negatives, or the expected gains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]
    Errors = Mapping[str, float | Sequence[float]]

_DRAWS = 1000
#: Candidates that a verdict needs.
LEAST = 3


class Correlation(NamedTuple):
    """Spearman's coefficient and its 95 % bootstrap interval; NaN where nothing can be ranked."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """How well one score did on one pair of flows.

    Attributes
    ----------
    spearman : Correlation
        Of the score with the actual gains.
    choice, best : str
        The candidate that the score puts first; the one of least actual error, whether the score
        knows it or not.
    regret : float
        Error of the choice over the least error, less 1; the mean if several are put first.
    hit : bool
        Whether the regret is within the tolerance.
    cost : float
        Of recommending over that of the sweep; NaN if it was not given.
    """

    spearman: Correlation
    choice: str
    best: str
    regret: float
    hit: bool
    cost: float = math.nan

    def text(self) -> str:
        """In one line."""
        rho, low, high = self.spearman
        found = "within tolerance of" if self.hit else "missed"
        line = (
            f"first choice {self.choice}, best {self.best}: {found} the best, regret "
            f"{self.regret:.1%}; Spearman {rho:.2f} ({low:.2f} .. {high:.2f})"
        )
        return line if math.isnan(self.cost) else f"{line}; cost {self.cost:.1%} of the sweep"


def verdict(
    predicted: Mapping[str, float],
    actual: Errors,
    *,
    cost: float = math.nan,
    tolerance: float = 0.05,
    rng: int = 0,
) -> Verdict:
    """Judge a score by the errors that re-training led to.

    Parameters
    ----------
    predicted : dict of float
        A score for each candidate, larger for better.
    actual : dict of float, or of a sequence of float
        Errors; of several seeds, their mean counts.
    cost : float
        Of recommending over that of the sweep.
    tolerance : float
        Regret of a hit, at most.
    rng : int
        Seed of the bootstrap: over candidates, and over the seeds of each.

    Returns
    -------
    Verdict
        The coefficient is over the candidates that both know. The regret is against the best of
        all that were tried: a score that knows nothing of the best has missed it.

    Raises
    ------
    InputError
        Less than three candidates are in both, or a value is not finite or an error not > 0.
    """
    names = known(predicted, actual)
    if len(names) < LEAST:
        raise InputError(f"a verdict needs at least {LEAST} candidates in both, got {len(names)}")
    scores = np.array([predicted[name] for name in names], float)
    seeds = {name: np.atleast_1d(np.asarray(actual[name], float)) for name in actual}
    errors = {name: float(one.mean()) for name, one in seeds.items()}
    if not np.isfinite(scores).all():
        raise InputError(f"scores must be finite, got {dict(predicted)}")
    if not all(math.isfinite(error) and error > 0 for error in errors.values()):
        raise InputError(f"errors must be finite and > 0, got {dict(actual)}")
    first = [names[i] for i in np.flatnonzero(scores == scores.max())]
    best = min(errors, key=lambda name: errors[name])
    regret = float(np.mean([errors[name] for name in first]) / errors[best] - 1)
    return Verdict(
        spearman=_spearman(scores, [seeds[name] for name in names], np.random.default_rng(rng)),
        choice=first[0],
        best=best,
        regret=regret,
        hit=regret <= tolerance,
        cost=cost,
    )


def known(predicted: Mapping[str, float], actual: Errors) -> list[str]:
    """The candidates of a score that were tried."""
    return [name for name in predicted if name in actual]


def _spearman(scores: Array, seeds: list[Array], rng: np.random.Generator) -> Correlation:
    chosen = rng.integers(len(scores), size=(_DRAWS, len(scores)))
    drawn = [one[rng.integers(len(one), size=(_DRAWS, len(one)))].mean(1) for one in seeds]
    errors = np.take_along_axis(np.stack(drawn, axis=1), chosen, axis=1)
    draws = _rank_correlations(scores[chosen], -errors)
    means = np.array([one.mean() for one in seeds])
    own = float(_rank_correlations(scores[None], -means[None])[0])
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Correlation(own, math.nan, math.nan)
    low, high = np.percentile(finite, (2.5, 97.5))
    return Correlation(own, float(low), float(high))


def _rank_correlations(one: Array, other: Array) -> Array:
    """Spearman's coefficients of rows; NaN where one is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(rows, axis=1) - (rows.shape[1] + 1) / 2 for rows in (one, other))
    norms = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    with np.errstate(invalid="ignore"):
        correlations: Array = np.clip((a * b).sum(1) / norms, -1, 1)
    return correlations


# ------------------------------------------------------------------------------ several scores ---


@dataclass(frozen=True)
class Pair:
    """A sweep of a base -> target pair, and what scores said of it beforehand.

    Attributes
    ----------
    scores : dict of dict of float
        By score and candidate, larger for better.
    actual : dict of float, or of a sequence of float
        Errors by candidate.
    """

    scores: Mapping[str, Mapping[str, float]]
    actual: Errors


def combined(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of the ranks that scores give to the candidates that all of them know."""
    from scipy.stats import rankdata

    names = [name for name in scores[0] if all(name in one for one in scores)]
    ranks = [rankdata([one[name] for name in names]) for one in scores]
    return dict(zip(names, map(float, np.mean(ranks, axis=0)), strict=True))


def compare_scores(pairs: Mapping[str, Pair], *, tolerance: float = 0.05) -> list[dict[str, Any]]:
    """The verdict of each score on each pair, a row for each that knows enough candidates."""
    rows = []
    for pair, of in pairs.items():
        for score, values in of.scores.items():
            if len(known(values, of.actual)) < LEAST:
                continue
            found = verdict(values, of.actual, tolerance=tolerance)
            rows.append(
                {
                    "pair": pair,
                    "score": score,
                    "spearman": found.spearman.value,
                    "low": found.spearman.low,
                    "high": found.spearman.high,
                    "choice": found.choice,
                    "best": found.best,
                    "regret": found.regret,
                    "hit": found.hit,
                }
            )
    return rows


@dataclass(frozen=True)
class Combination:
    """A combination of scores that was chosen on some pairs and tested on others.

    Attributes
    ----------
    scores : tuple of str
        The choice on all pairs: one score, or several whose ranks are averaged.
    tested : dict of (tuple of str, Verdict)
        For each pair: what was chosen on the others, and how it did on this one.
    """

    scores: tuple[str, ...]
    tested: dict[str, tuple[tuple[str, ...], Verdict]]

    @property
    def hits(self) -> int:
        """Pairs, left out of the choice, on which the first choice was within the tolerance."""
        return sum(found.hit for _, found in self.tested.values())

    def text(self) -> str:
        """In words, a line for each pair."""
        lines = [
            f"on all pairs: {' + '.join(self.scores)}; left out of the choice, "
            f"{self.hits} of {len(self.tested)} pairs are within tolerance"
        ]
        for pair, (scores, found) in self.tested.items():
            lines.append(f"{pair}, with {' + '.join(scores)}: {found.text()}")
        return "\n".join(lines)


def choose_combination(
    pairs: Mapping[str, Pair], *, most: int = 2, tolerance: float = 0.05
) -> Combination:
    """Choose scores on all pairs but one, and test them on that one.

    Parameters
    ----------
    pairs : dict of Pair
        At least two.
    most : int
        Scores that a combination may have. Few pairs choose badly among many combinations.
    tolerance : float
        See `verdict`.

    Returns
    -------
    Combination
        The choice is that of the least mean regret; between equals that of the larger mean Spearman
        coefficient, then of the fewer scores.

    Raises
    ------
    InputError
        There are less than two pairs, or no score is known for all of them.
    """
    if len(pairs) < 2:
        raise InputError(f"a choice on pairs needs at least 2 of them, got {len(pairs)}")
    first, *others = pairs.values()
    shared = [name for name in first.scores if all(name in other.scores for other in others)]
    options = [
        group
        for size in range(1, most + 1)
        for group in combinations(shared, size)
        if all(
            len(known(combined([pair.scores[name] for name in group]), pair.actual)) >= LEAST
            for pair in pairs.values()
        )
    ]
    if not options:
        raise InputError("no score is known for all pairs")
    found = {
        group: {
            name: verdict(
                combined([pair.scores[score] for score in group]), pair.actual, tolerance=tolerance
            )
            for name, pair in pairs.items()
        }
        for group in options
    }

    def choose(names: list[str]) -> tuple[str, ...]:
        def worth(group: tuple[str, ...]) -> tuple[float, float, int]:
            verdicts = [found[group][name] for name in names]
            coefficients = np.nan_to_num([one.spearman.value for one in verdicts])
            regret = float(np.mean([one.regret for one in verdicts]))
            return regret, -float(coefficients.mean()), len(group)

        return min(options, key=worth)

    tested = {}
    for name in pairs:
        group = choose([other for other in pairs if other != name])
        tested[name] = group, found[group][name]
    return Combination(choose(list(pairs)), tested)
