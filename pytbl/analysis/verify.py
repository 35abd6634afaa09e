"""A recommendation held against the sweep that it is to make needless."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..text_files import write_csv, write_text
from .recommend import LINEARISED, every_score, recommend
from .recommendation import UNTRAINED
from .verdict import LEAST, Pair, Verdict, combined, compare_scores, verdict

if TYPE_CHECKING:
    from ..nn.sweep_table import Row, Sweep
    from .recommendation import Recommendation


@dataclass(frozen=True)
class Verification:
    """What re-training showed of a recommendation.

    Attributes
    ----------
    recommendation : Recommendation
    sweep : Sweep
    verdict : Verdict
        Of the score that the recommendation ranks by, on single layers.
    verdicts : list of dict
        Of every score: a row of `pytbl.analysis.compare_scores` for each.
    choice_regret : float
        Error of what was recommended, trained or not, over the least error of what the sweep tried
        with one layer or less, less 1.
    """

    recommendation: Recommendation
    sweep: Sweep
    verdict: Verdict
    verdicts: list[dict[str, Any]]
    choice_regret: float

    @property
    def pair(self) -> Pair:
        """Scores and errors of the single layers, for `pytbl.analysis.choose_combination`."""
        return pair_of(self.recommendation, self.sweep)

    def text(self) -> str:
        """For people, failures too."""
        from ..nn.sweep_table import with_spread

        recommended = self.recommendation
        lines = [
            f"Recommended beforehand: {recommended.choice} ({recommended.reason}).",
            f"Its error is {self.choice_regret:+.1%} of the least that one layer or no training "
            f"reached.",
            f"Layers, by {recommended.score}: {self.verdict.text()}.",
            f"Recommending took {recommended.seconds:.1f} s, the trainings of the sweep "
            f"{self.sweep.seconds:.0f} s.",
            "",
            f"{'score':14}{'Spearman (95 %)':>26}{'choice':>8}{'best':>6}{'regret':>9}  within",
        ]
        for row in self.verdicts:
            interval = f"{row['spearman']:.2f} ({row['low']:.2f} .. {row['high']:.2f})"
            lines.append(
                f"{row['score']:14}{interval:>26}{row['choice']:>8}{row['best']:>6}"
                f"{row['regret']:>9.1%}  {'yes' if row['hit'] else 'no'}"
            )
        expected = {one.name: one.error for one in recommended.candidates}
        lines += ["", f"{'re-trained':14}{'expected error':>26}{'error':>22}"]
        for row in self.sweep.summary():
            name = row["layers"]
            said = str(expected[name]) if name in expected else ""
            got = with_spread(row, "error")
            lines.append(f"{name:14}{said:>26}{got:>22}")
        return "\n".join(lines)

    def save(self, folder: str | Path) -> list[Path]:
        """Write verdict.txt and verdict.csv beside the recommendation and the sweep's tables."""
        folder = Path(folder)
        paths = [*self.recommendation.save(folder), folder / "verdict.txt", folder / "verdict.csv"]
        write_text(paths[-2], self.text() + "\n")
        write_csv(paths[-1], self.verdicts)
        return paths


def verify(
    base: str | Path,
    target: Any,
    *,
    test: Any,
    out: str | Path,
    samples: int = 20,
    base_data: Any = None,
    scores: Iterable[str] | None = None,
    columns: Mapping[str, Mapping[str, float]] | None = None,
    sets: Iterable[str] = ("singles", "baselines"),
    seeds: int = 3,
    normalisation: str = "base",
    processes: int = 1,
    reference: str | Path | None = None,
    keep: bool = False,
    report: Callable[[Row, int, int], None] | None = None,
    rng: int = 0,
    **options: Any,
) -> Verification:
    """Recommend, re-train every layer, and say what the recommendation was worth.

    Parameters
    ----------
    base, target, samples, base_data, columns, normalisation, rng
        See `recommend`; the recommendation sees nothing of the test samples, or of the sweep.
    scores : iterable of str, optional
        As there; by default all, the departure only with base data.
    test, out, sets, seeds, processes, reference, keep, report, **options
        See `pytbl.nn.sweep`; a sweep that is in the folder is gone on with.

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        As `recommend` and `pytbl.nn.sweep`; or the sets have less than 3 single layers.
    """
    from ..nn import artifact
    from ..nn.sweep import expand, sweep

    sets = tuple(sets)
    depth = artifact.describe(base)["model"]["depth"]
    singles = [name for name in expand(sets, depth) if name.isdecimal()]
    if len(singles) < LEAST:
        raise InputError(
            f"a verdict needs at least {LEAST} single layers in the sets, got {singles}"
        )
    recommended = recommend(
        base,
        target,
        samples=samples,
        base_data=base_data,
        normalisation=normalisation,
        scores=every_score(base_data) if scores is None else tuple(scores),
        columns=columns,
        rng=rng,
    )
    done = sweep(
        base,
        target,
        test=test,
        sets=sets,
        seeds=seeds,
        out=out,
        reference=reference,
        processes=processes,
        keep=keep,
        report=report,
        normalisation=normalisation,
        **options,
    )
    return judge(recommended, done)


def judge(recommended: Recommendation, done: Sweep) -> Verification:
    """Hold a recommendation against a sweep."""
    pair = pair_of(recommended, done)
    ranking = [pair.scores[part] for part in recommended.score.split("+")]
    training = done.seconds
    cost = recommended.seconds / training if training else float("nan")
    errors = done.mean()
    simple = [name for name in errors if name in UNTRAINED or name.isdecimal()]
    least = min(errors[name] for name in simple)
    chosen = errors.get(recommended.choice, float("nan"))
    return Verification(
        recommended,
        done,
        verdict(combined(ranking), pair.actual, cost=cost),
        compare_scores({"": pair}),
        chosen / least - 1,
    )


def pair_of(recommended: Recommendation, done: Sweep) -> Pair:
    """Scores and errors of the single layers that both know."""
    layers = [one for one in recommended.candidates if one.name.isdecimal()]
    layers = [one for one in layers if one.name in done.names]
    scores = {LINEARISED: {one.name: -one.error.value for one in layers}}
    for score in dict.fromkeys(name for one in layers for name in one.scores):
        scores[score] = {one.name: one.scores[score] for one in layers if score in one.scores}
    errors = done.each()
    return Pair(scores, {one.name: errors[one.name] for one in layers})
