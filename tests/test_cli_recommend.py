"""``pytbl recommend`` and ``pytbl verify-recommendation``."""

import csv
import json

import networks
import pytest
import test_nn_sweep
from test_cli import pytbl

from pytbl import cli
from pytbl.errors import InputError
from pytbl.nn import save

files = test_nn_sweep.files

FEW = ("--samples", 8)


def options(base, data, test):
    """Of verify-recommendation, for a sweep of seconds."""
    return (
        *("verify-recommendation", base, data, "--test", test, *FEW, "--seeds", 1),
        *("--set", "singles", "--set", "gain", "--epochs", 1, "--fraction", 0.5),
    )


def test_recommend(files, tmp_path):
    base, data, test = files
    out = tmp_path / "new"
    done = pytbl(
        *("recommend", base, data, *FEW, "--base-data", test, "--out", out),
        *("--score", "smoothness", "--score", "departure"),
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert said.startswith("Recommendation, from 8 samples: ")
    assert "smoothness" in said
    assert "departure" in said
    assert "wrote " in done.stderr
    assert (out / "recommendation.txt").read_text() == said
    values = json.loads((out / "recommendation.json").read_text())
    scores = {one["name"]: one["scores"] for one in values["candidates"]}
    assert set(scores["2"]) == {"smoothness", "departure"}
    assert (out / "recommendation.png").stat().st_size > 10_000


def test_verify_recommendation(files, tmp_path):
    done = pytbl(*options(*files), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Recommended beforehand: " in done.stdout
    assert "4/4 layers gain, seed 0: error" in done.stderr
    with (tmp_path / "verdict.csv").open(newline="") as file:
        scores = [row["score"] for row in csv.DictReader(file)]
    assert {"linearised", "quadratic", "smoothness", "coverage"} <= set(scores)
    assert "departure" not in scores
    for name in ("verdict.txt", "recommendation.txt", "recommendation.png", "sweep.csv"):
        assert (tmp_path / name).is_file()


def refused(*arguments):
    """What is said of a mistake."""
    with pytest.raises(InputError) as error:
        cli.app(list(map(str, arguments)), standalone_mode=False)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--score", "luck"), "there is no score 'luck': expected gradient, gradient_square, "),
        (("--score", "departure"), "the score 'departure' is one from the base flow: it needs"),
        (("--samples", 7), "a recommendation needs at least 8 samples, got 7"),
        (("--samples", 500), "must have at least 500 samples, got 11"),
        (("--normalisation", "mine"), "normalisation must be 'target' or 'base', got 'mine'"),
        (("--base-data", "none.h5"), "none.h5 cannot be read: No such file"),
    ],
)
def test_mistakes(files, tmp_path, more, message):
    base, data, _ = files
    assert message in refused("recommend", base, data, *FEW, *more)
    assert message in refused(*options(*files), "--out", tmp_path, *more)
    assert list(tmp_path.iterdir()) == []  # before any training


def test_layers_that_cannot_be_judged(files, tmp_path):
    message = "there is no layer '7': expected 1 .. 3, first, last, hidden, all"
    assert message in refused(*options(*files), "--out", tmp_path, "--set", "7")
    base, data, test = files
    sweep = "verify-recommendation", base, data, "--test", test, "--out", tmp_path
    message = "a verdict needs at least 3 single layers in the sets, got ['2']"
    assert message in refused(*sweep, "--set", "2", "--set", "gain")
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_grid(files, tmp_path):
    _, data, test = files
    of = networks.square(24, dealias="3/2")
    other = save(networks.fitted(of, depth=3, width=4, kernel=3), tmp_path / "other.closure")
    message = "does not fit the base network: expected nx 24, got 16"
    assert message in refused("recommend", other, data, *FEW)
    assert message in refused(*options(other, data, test), "--out", tmp_path / "out")


def test_a_mistake_is_one_line(files):
    base, data, _ = files
    done = pytbl("recommend", base, data)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "pytbl: the target data must have at least 20 samples, got 11"
    ]
