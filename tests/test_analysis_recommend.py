"""Recommendations for targets of which the right answer is known."""

import copy
import csv
import dataclasses
import json

import numpy as np
import pytest
import torch
from networks import fitted, predict, setting, vorticity

from pytbl.analysis import recommend
from pytbl.analysis.decision import decide
from pytbl.analysis.recommendation import Candidate, Curve, Interval
from pytbl.errors import InputError
from pytbl.nn.data import Arrays
from pytbl.plots.recommendation import recommendation as draw

OF = setting()
COUNT = 16


@pytest.fixture(scope="module")
def base():
    return fitted(OF, width=6)


def samples(model, *, gain=1.0, of=OF, count=COUNT):
    """A flow whose Pi is what a network says, times a gain."""
    omega = vorticity(of, count, rng=5).astype(np.float32)
    return Arrays(omega, gain * predict(model, omega), of)


def perturbed(model, layer, *, size):
    """A network that differs in the weights of one layer."""
    twin = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(layer)
    with torch.no_grad():
        weight = twin.layers[layer - 1].weight
        weight += size * weight.std() * torch.randn(weight.shape, generator=generator)
    return twin


@pytest.fixture(scope="module")
def second(base):
    """The recommendation for a target that needs layer 2."""
    target = samples(perturbed(base, 2, size=0.5))
    own = samples(base)
    return recommend(base, target, samples=COUNT, base_data=own, normalisation="base")


# ----------------------------------------------------------------------------- the right answers --


def test_for_its_own_flow_nothing_is_recommended(base):
    result = recommend(base, samples(base), samples=8, normalisation="base", candidates=["2"])
    assert result.choice == "nothing"
    assert result.curve is None
    assert result["nothing"].error.value < 1e-9
    assert "leave the network as it is" in result.text()


def test_for_a_gain_no_layer_is_recommended(base):
    target = samples(base, gain=2.5)
    result = recommend(base, target, samples=8, normalisation="base")
    assert result.choice == "gain"
    assert result.equal == ()
    assert result["gain"].error.value < 1e-9
    assert result["nothing"].error.value == pytest.approx(0.6**2)  # (1 - 1 / 2.5)^2
    assert result["gain"].bands == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_layer_that_differs_is_recommended(base, layer):
    target = samples(perturbed(base, layer, size=0.5))
    result = recommend(base, target, samples=COUNT, normalisation="base")
    assert str(layer) in (result.choice, *result.equal)
    assert result.layer == str(layer)
    assert result[str(layer)].error.value < 0.5 * result["gain"].error.value


def test_noise_cannot_be_learned(base):
    """The gain that a few samples show by chance is not worth training."""
    omega = vorticity(OF, 8).astype(np.float32)
    noise = vorticity(OF, 8, rng=9).astype(np.float32)
    quiet = copy.deepcopy(base)
    quiet.output_scale.mul_(1e-3)
    result = recommend(quiet, Arrays(omega, noise, OF), samples=8, normalisation="base")
    assert result.choice == "nothing"


def test_a_score_ranks_the_layers(base):
    target = samples(perturbed(base, 2, size=0.5))
    known = {"mine": {"1": 0.1, "2": 0.8, "3": 0.9}}
    options = {"samples": 8, "normalisation": "base", "candidates": [1, 2, 3], "iterations": 4}
    result = recommend(base, target, score="mine", scores=["gradient"], columns=known, **options)
    assert result.layer == "3"
    assert [row["mine"] for row in result.table[4:]] == [0.1, 0.8, 0.9]
    assert all(row["gradient"] > 0 for row in result.table[4:])
    assert "mine" in result.text()
    both = recommend(base, target, score="mine+linearised", columns=known, **options)
    assert both.layer == "2"  # second and first
    dearer = recommend(
        base, target, score="mine+linearised", scores=["quadratic"], columns=known, **options
    )
    assert dearer.cost > 1.2 * both.cost


# -------------------------------------------------------------------------------- what it says ---


def test_it_says_why_and_how_much(second):
    text = second.text()
    assert text.startswith("Recommendation, from 16 samples: re-train")
    assert "How much data, layer 2:" in text
    assert "small scales (k >=" in text
    assert "no significant difference" in text or "power in the target" in text
    assert max(map(len, text.splitlines())) < 200
    assert len(text.splitlines()) < 50
    assert sum(second.failing) == pytest.approx(1)
    assert [row["name"] for row in second.table] == [
        *("nothing", "scale", "statistics", "gain"),
        *("1", "2", "3", "all:bias", "all"),
    ]
    assert second["2"].parameters == 6 * 6 * 25 + 6
    for one in second.candidates:
        assert one.error.low <= one.error.value <= one.error.high
    assert second["nothing"].gain == (0, 0, 0)


def test_no_layer_is_said_to_reach_what_all_make_worse(second):
    worse = tuple(
        dataclasses.replace(one, bands=(-0.2, *one.bands[1:])) for one in second.candidates
    )
    lines = dataclasses.replace(second, candidates=worse).text().splitlines()
    (large,) = (line for line in lines if line.startswith("large scales"))
    assert large.endswith("; no single layer lessens it.")
    assert "reaches them best (" in second.text()


def test_the_default_costs_less_than_a_twentieth_of_a_sweep(base):
    result = recommend(base, samples(base, count=20), candidates=[1, 2, 3])
    assert result.samples == 20
    assert 0.01 < result.cost < 0.05


def test_files_are_whole(second, tmp_path):
    paths = second.save(tmp_path / "new")
    assert [path.suffix for path in paths] == [".json", ".csv", ".txt"]
    values = json.loads(paths[0].read_text())
    assert values["choice"] == second.choice
    assert values["candidates"][5]["error"]["value"] == second["2"].error.value
    with paths[1].open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[5]["gain"]) == second["2"].gain.value
    assert paths[2].read_text() == second.text() + "\n"
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_the_same_seed_says_the_same(base):
    target = samples(base, gain=1.3)
    one, two, other = (
        recommend(base, target, samples=8, candidates=["3"], rng=rng).table for rng in (1, 1, 2)
    )
    assert one == two
    assert one != other


def test_the_figure_shows_what_was_expected_and_what_became(second):
    actual = {"1": [0.3, 0.4], "2": [0.1, 0.2]}
    figure = draw(second, actual=actual)
    upper, lower, _ = figure.axes
    assert [text.get_text() for text in lower.get_xticklabels()] == [
        one.name for one in second.candidates
    ]
    crosses = [line for line in upper.lines if line.get_marker() == "x"]
    np.testing.assert_allclose(crosses[0].get_ydata(), [0.3, 0.4, 0.1, 0.2])


# ------------------------------------------------------------------------------------- the rule ---


def candidate(name, error, *, nothing=1.0, spread=0.01):
    gain = nothing - error
    return Candidate(
        name,
        0,
        Interval(error, error - spread, error + spread),
        Interval(gain, gain - spread, gain + spread),
        (0.0, 0.0, 0.0),
    )


def decided(spread=0.01, **errors):
    names = {"l1": "1", "l2": "2", "bias": "all:bias"}
    named = {names.get(name, name): error for name, error in errors.items()}
    found = {
        name: candidate(name, error, spread=0.0 if name == "nothing" else spread)
        for name, error in {"nothing": 1.0, **named}.items()
    }
    trained = sorted((n for n, one in found.items() if one.trained), key=lambda n: found[n].error)
    return decide(found, trained, tolerance=0.05, negligible=1e-4, samples=20)


def test_the_rule():
    assert decided(gain=0.97, l1=0.96)[0] == "nothing"
    assert decided(gain=0.8, l1=0.79)[0] == "gain"
    assert decided(statistics=0.8, gain=0.79, l1=0.79)[0] == "statistics"
    assert decided(gain=0.8, l1=0.7, l2=0.6)[0] == "2"
    assert decided(gain=0.8, l1=0.6, all=0.59)[0] == "1"
    assert decided(gain=0.8, l1=0.6, all=0.5)[0] == "all"
    assert decided(gain=0.8, bias=0.5, all=0.3)[0] == "all"


def test_in_doubt_it_says_how_many_samples_would_tell():
    choice, reason = decided(spread=0.2, l1=0.85)
    assert choice == "nothing"
    # (half the width / (gain - tolerance))^2 = 4 times as many
    assert "20 samples are too few, about 80 would tell" in reason


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_the_plateau_of_a_power_law(exponent):
    n = np.array([4.0, 8.0, 16.0])
    errors = 0.3 + 0.4 * n**-exponent
    curve = Curve(tuple(n), tuple(Interval(e, e, e) for e in errors))
    needed = (0.4 / (0.05 * 0.3)) ** (1 / exponent)
    assert curve.needed() == pytest.approx(needed, abs=1)


def test_a_plateau_out_of_sight_is_not_made_up():
    falling = Curve((2, 4, 8), tuple(Interval(e, e, e) for e in (0.9, 0.8, 0.7)))
    assert falling.needed() is None
    assert "cannot be told" in falling.said()
    flat = Curve((2, 4, 8), tuple(Interval(e, e, e) for e in (0.41, 0.4, 0.4)))
    assert flat.needed() == 2
    assert "no more are needed" in flat.said()


# ------------------------------------------------------------------------------------ bad input ---


def test_mistakes(base):
    target = samples(base)
    with pytest.raises(InputError, match="a recommendation needs at least 8 samples, got 3"):
        recommend(base, target, samples=3)
    with pytest.raises(InputError, match="rng must be an integer >= 0, got -1"):
        recommend(base, target, samples=8, rng=-1)
    with pytest.raises(InputError, match="must have at least 20 samples, got 16"):
        recommend(base, target)
    with pytest.raises(InputError, match="there is no layer '9': expected 1 .. 3"):
        recommend(base, target, samples=8, candidates=[9])
    with pytest.raises(InputError, match="there is no score 'luck': expected gradient"):
        recommend(base, target, samples=8, scores=["luck"])
    with pytest.raises(InputError, match="there is no score 'luck': expected linearised"):
        recommend(base, target, samples=8, score="luck")
    with pytest.raises(InputError, match="normalisation must be 'target' or 'base', got 'mine'"):
        recommend(base, target, samples=8, normalisation="mine")
    with pytest.raises(InputError, match="the base must be a closure's file or a network, got int"):
        recommend(1, target)


def test_another_grid_or_filter_is_refused(base):
    for of, message in (
        (setting(32, 16), "does not fit the base network: expected nx 24, got 32"),
        (setting(filter="box"), "expected filter gaussian, got box"),
    ):
        with pytest.raises(InputError, match=message):
            recommend(base, samples(fitted(of), of=of), samples=8)
