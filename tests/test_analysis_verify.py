"""What a sweep says of a recommendation: known answers, and both together on tiny files."""

import csv
import math
from dataclasses import replace

import pytest
import test_nn_sweep

from pytbl.analysis import Candidate, Recommendation, judge, verify
from pytbl.analysis.recommend import LINEARISED, every_score
from pytbl.analysis.recommendation import UNTRAINED, Interval
from pytbl.errors import InputError
from pytbl.nn.sweep_table import Sweep

files = test_nn_sweep.files

EXPECTED = {"nothing": 1.0, "gain": 0.9, "1": 0.5, "2": 0.4, "3": 0.6, "4": 0.8, "all": 0.3}
#: By layer; larger is better, and wrong.
LUCK = {"1": 1.0, "2": 2.0, "3": 3.0, "4": 4.0}


def recommendation(choice="2", expected=EXPECTED, **other):
    """What was expected of some candidates."""
    candidates = tuple(
        Candidate(
            name,
            UNTRAINED.get(name, 10),
            Interval(error, error - 0.01, error + 0.01),
            Interval(1 - error, 0.99 - error, 1.01 - error),
            (0.0, 0.0, 1 - error),
            {"luck": LUCK[name]} if name in LUCK else {},
        )
        for name, error in expected.items()
    )
    values = {
        "choice": choice,
        "layer": "2",
        "equal": (),
        "reason": "it was planted",
        "candidates": candidates,
        "curve": None,
        "edges": (1.0, 2.0),
        "failing": (0.2, 0.3, 0.5),
        "relative": (1.0, 1.0, 1.0),
        "flows": None,
        "samples": 20,
        "tolerance": 0.05,
        "score": LINEARISED,
        "cost": 0.04,
        "seconds": 3.0,
    }
    return Recommendation(**values | other)


def sweep(**errors):
    """Errors of layers l1, l2, ..., and of the rest, for each seed."""
    return Sweep(
        [
            {"layers": name.removeprefix("l"), "seed": seed, "error": error, "seconds": 10.0}
            | {"correlation": 0.9}
            for name, each in errors.items()
            for seed, error in enumerate(each)
        ]
    )


DONE = sweep(
    l1=(0.55, 0.65), l2=(0.4, 0.6), l3=(0.7, 0.9), l4=(0.8, 1.0), nothing=(1.1,), all=(0.2, 0.2)
)

# ---------------------------------------------------------------------------------------- judge ---


def test_a_right_recommendation():
    found = judge(recommendation(), DONE)
    assert found.choice_regret == pytest.approx(0)  # of one layer or less
    assert (found.verdict.choice, found.verdict.best, found.verdict.hit) == ("2", "2", True)
    assert found.verdict.regret == pytest.approx(0)
    assert found.verdict.spearman.value == pytest.approx(1)
    assert found.verdict.cost == pytest.approx(3 / (11 * 10))


def test_a_wrong_recommendation():
    found = judge(recommendation("3", EXPECTED | {"3": 0.2}), DONE)
    assert found.choice_regret == pytest.approx(0.8 / 0.5 - 1)
    assert found.verdict.choice == "3"
    assert not found.verdict.hit
    assert found.verdict.regret == pytest.approx(0.6)
    assert "missed the best, regret 60.0%" in found.text()
    assert "Its error is +60.0% of the least" in found.text()


def test_every_score_is_judged():
    found = judge(recommendation(), DONE)
    assert [row["score"] for row in found.verdicts] == [LINEARISED, "luck"]
    right, wrong = found.verdicts
    assert (right["spearman"], right["regret"], right["hit"]) == (1, 0, True)
    assert (wrong["choice"], wrong["best"], wrong["hit"]) == ("4", "2", False)
    assert wrong["regret"] == pytest.approx(0.9 / 0.5 - 1)
    assert found.pair.actual["1"] == [0.55, 0.65]
    assert set(found.pair.actual) == {"1", "2", "3", "4"}


def test_a_score_may_rank_in_place_of_the_expected_errors():
    assert judge(recommendation(score="luck"), DONE).verdict.choice == "4"


def test_scores_may_be_combined():
    """Ranks 1 to 4 by luck, and 3, 4, 2, 1 by the expected error: layer 2 is first with 3."""
    found = judge(recommendation(score="luck+linearised"), DONE)
    assert found.verdict.choice == "2"


def test_to_leave_it_as_it_is_may_be_right():
    sure = recommendation("nothing")
    assert judge(sure, DONE).choice_regret == pytest.approx(1.1 / 0.5 - 1)
    worse = sweep(l1=(2.0,), l2=(3.0,), l3=(4.0,), nothing=(1.0,))
    assert judge(sure, worse).choice_regret == 0
    assert math.isnan(judge(sure, sweep(l1=(2.0,), l2=(3.0,), l3=(4.0,))).choice_regret)


def test_a_verdict_is_of_layers_that_both_know():
    few = sweep(l1=(2.0,), l2=(3.0,), all=(1.0,))
    with pytest.raises(InputError, match="at least 3 candidates in both, got 2"):
        judge(recommendation(), few)


# ----------------------------------------------------------------------------------------- save ---


def test_files_are_whole(tmp_path):
    found = judge(recommendation(), DONE)
    paths = found.save(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {path.name for path in paths}
    assert [path.name for path in paths[-2:]] == ["verdict.txt", "verdict.csv"]
    text = paths[-2].read_text()
    assert text == found.text() + "\n"
    for part in ("Recommended beforehand: 2 (it was planted).", "0.400 (0.390 .. 0.410)", "0.5000"):
        assert part in text
    with paths[-1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows] == [LINEARISED, "luck"]
    assert float(rows[1]["regret"]) == found.verdicts[1]["regret"]
    before = paths[-1].read_bytes()
    replace(found).save(tmp_path / "new")  # again over its own files
    assert paths[-1].read_bytes() == before


# --------------------------------------------------------------------------------------- verify ---


def run(files, out, **options):
    base, data, test = files
    quick = {"samples": 8, "sets": ["singles", "gain"], "seeds": 1, "epochs": 1}
    return verify(base, data, test=test, out=out, **quick | {"fraction": 0.5} | options)


def test_a_verification_recommends_sweeps_and_judges(files, tmp_path):
    _, data, _ = files
    found = run(files, tmp_path, base_data=data)
    assert found.sweep.names == ["1", "2", "3", "gain"]
    assert [row["score"] for row in found.verdicts] == [LINEARISED, *every_score(data)]
    assert found.recommendation.samples == 8
    assert found.verdict.cost == pytest.approx(found.recommendation.seconds / found.sweep.seconds)
    assert "departure" in found.text()
    # the sweep is there: only the recommendation is made again
    again = run(files, tmp_path, scores=["coverage"], columns={"luck": LUCK})
    assert [row["score"] for row in again.verdicts] == [LINEARISED, "coverage", "luck"]
    assert again.sweep.mean("seconds") == found.sweep.mean("seconds")


def test_without_base_data_all_scores_but_the_departure(files, tmp_path):
    found = run(files, tmp_path)
    assert [row["score"] for row in found.verdicts] == [LINEARISED, *every_score()]
    assert run(files, tmp_path, scores=()).pair.scores.keys() == {LINEARISED}


def test_too_few_layers_are_refused_before_any_work(files, tmp_path):
    with pytest.raises(InputError, match=r"at least 3 single layers in the sets, got \['2'\]"):
        run(files, tmp_path, sets=["2", "1+3", "gain"])
    assert list(tmp_path.iterdir()) == []
