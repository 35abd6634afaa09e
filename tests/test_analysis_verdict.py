"""Judging recommendations by what re-training led to."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pytbl.analysis import Pair, choose_combination, compare_scores, verdict
from pytbl.errors import InputError

ERRORS = {"1": 0.5, "2": 0.4, "3": 0.44, "4": 0.8}


def test_a_score_that_knows():
    found = verdict({name: -error for name, error in ERRORS.items()}, ERRORS, cost=0.03)
    assert (found.choice, found.best, found.regret, found.hit) == ("2", "2", 0.0, True)
    assert found.spearman == (1, 1, 1)
    assert found.text() == (
        "first choice 2, best 2: within tolerance of the best, regret 0.0%; "
        "Spearman 1.00 (1.00 .. 1.00); cost 3.0% of the sweep"
    )


def test_a_score_that_is_wrong():
    found = verdict(ERRORS, ERRORS)
    assert found.spearman.value == -1
    assert (found.choice, found.best, found.hit) == ("4", "2", False)
    assert found.regret == pytest.approx(1.0)
    assert "cost" not in found.text()


def test_a_score_that_says_nothing_is_judged_by_chance():
    found = verdict(dict.fromkeys(ERRORS, 1.0), ERRORS)
    assert math.isnan(found.spearman.value)
    assert found.regret == pytest.approx(np.mean(list(ERRORS.values())) / 0.4 - 1)


def test_a_score_that_does_not_know_the_best_has_missed_it():
    found = verdict({"1": 3.0, "3": 2.0, "4": 1.0}, ERRORS)
    assert (found.choice, found.best, found.hit) == ("1", "2", False)
    assert found.regret == pytest.approx(0.25)
    assert found.spearman.value == pytest.approx(0.5)


def test_regret_within_the_tolerance_is_a_hit():
    near = {"1": 0.1, "2": 0.2, "3": 0.3, "4": 0.0}
    assert not verdict(near, ERRORS).hit
    assert verdict(near, ERRORS, tolerance=0.11).hit


def test_seeds_count_by_their_mean_and_widen_the_interval():
    scores = {str(i): float(i) for i in range(8)}
    sure = {str(i): 1 - 0.02 * i for i in range(8)}
    noise = np.random.default_rng(1).normal(0, 0.05, (8, 4))
    noise -= noise.mean(1, keepdims=True)
    unsure = {name: error + noise[int(name)] for name, error in sure.items()}
    one, other = (verdict(scores, actual) for actual in (sure, unsure))
    assert one.spearman.value == other.spearman.value == 1
    assert one.spearman.low == 1
    assert other.spearman.low < 0.95


@given(
    st.lists(st.integers(0, 5), min_size=4, max_size=9).filter(lambda x: len(set(x)) > 1),
    st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_the_coefficient_is_that_of_statistics(scores, seed):
    errors = np.random.default_rng(seed).uniform(0.1, 1, len(scores))
    found = verdict(
        {str(i): float(score) for i, score in enumerate(scores)},
        {str(i): error for i, error in enumerate(errors)},
    )
    assert found.spearman.value == pytest.approx(spearmanr(scores, -errors)[0])
    assert found.regret >= 0


def pair(best: int, *, rng: int = 0) -> Pair:
    """Layer `best` is best; "good" knows it, "noise" does not, "two" always says 2."""
    errors = {str(i): 0.5 + 0.1 * abs(i - best) for i in range(1, 8)}
    noise = np.random.default_rng(rng).permutation(7)
    return Pair(
        scores={
            "two": {name: -abs(int(name) - 2.0) for name in errors},
            "good": {name: -error for name, error in errors.items()},
            "noise": {name: float(n) for name, n in zip(errors, noise, strict=True)},
        },
        actual=errors,
    )


def test_the_choice_is_tested_where_it_was_not_made():
    """On shallow pairs "two" and "good" are equal; only a deep pair tells them apart."""
    pairs = {"a": pair(2, rng=1), "b": pair(2, rng=2), "deep": pair(6, rng=3)}
    found = choose_combination(pairs)
    assert found.scores == ("good",)
    chosen, left_out = found.tested["deep"]
    assert chosen == ("two",)
    assert left_out.regret == pytest.approx(0.8)
    assert [found.tested[name][0] for name in "ab"] == [("good",), ("good",)]
    assert found.hits == 2
    assert "2 of 3 pairs are within tolerance" in found.text()


def test_ranks_are_averaged():
    """Two scores that each miss in another place are right together."""
    actual = {"1": 0.4, "2": 0.5, "3": 0.6, "4": 0.7}
    one = {"1": 3.0, "2": 4.0, "3": 1.0, "4": 2.0}
    other = {"1": 30.0, "2": 10.0, "3": 40.0, "4": 20.0}
    pairs = {name: Pair({"one": one, "other": other}, actual) for name in "ab"}
    assert not any(row["hit"] for row in compare_scores(pairs))
    found = choose_combination(pairs)
    assert found.scores == ("one", "other")
    assert found.hits == 2


def test_bad_input():
    with pytest.raises(InputError, match="needs at least 3 candidates in both, got 2"):
        verdict({"1": 1.0, "2": 2.0, "x": 3.0}, ERRORS)
    with pytest.raises(InputError, match="errors must be finite and > 0"):
        verdict(ERRORS, ERRORS | {"1": math.nan})
    with pytest.raises(InputError, match="scores must be finite"):
        verdict(ERRORS | {"1": math.nan}, ERRORS)
    few = {"few": {"1": 1.0, "2": 2.0}, "whole": {name: -error for name, error in ERRORS.items()}}
    assert [row["score"] for row in compare_scores({"a": Pair(few, ERRORS)})] == ["whole"]
    pairs = {name: Pair(few, ERRORS) for name in "ab"}
    assert choose_combination(pairs).scores == ("whole",)
    with pytest.raises(InputError, match="needs at least 2 of them, got 1"):
        choose_combination({"a": pair(2)})
    with pytest.raises(InputError, match="no score is known for all pairs"):
        choose_combination({"a": pair(2), "b": Pair({}, ERRORS)})
