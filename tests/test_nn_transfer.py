"""Transfer changes what it should, bit for bit, and nothing else."""

import dataclasses
import resource

import networks
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerances import ROUNDING

from pytbl.errors import InputError
from pytbl.nn import load_model, save, transfer
from pytbl.nn.data import Arrays, Samples
from pytbl.nn.score import score
from pytbl.nn.tail import Tail

DEPTH = 3
QUICK = {"samples": 6, "epochs": 2, "batch": 4, "learning_rate": 1e-3}
SINGLE = 2e-5  #: of sums of float32


@pytest.fixture(scope="module")
def base():
    return networks.fitted(networks.square(), depth=DEPTH, width=4, kernel=3)


@pytest.fixture(scope="module")
def target():
    return networks.learnable(networks.square(), 20, rng=5)


def changed(before, after):
    """Names of the entries of two networks that differ in any bit."""
    pairs = zip(before.state_dict().items(), after.state_dict().values(), strict=True)
    return {name for (name, one), two in pairs if not torch.equal(one, two)}


STATISTICS = {"input_mean", "input_deviation", "output_scale"}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (2, {"layers.1.weight", "layers.1.bias"}),
        ([1, "3:weight"], {"layers.0.weight", "layers.0.bias", "layers.2.weight"}),
        ("all:bias", {"layers.0.bias", "layers.1.bias"}),  # the last one's has no effect
        ("hidden:weight", {"layers.1.weight"}),
        (np.int64(2), {"layers.1.weight", "layers.1.bias"}),
        ("nothing", set()),
        ("scale", {"output_scale"}),
        ("statistics", STATISTICS),
        ("gain", {"output_scale"}),
    ],
)
def test_only_what_was_chosen_changes(base, target, layers, expected):
    before = {name: value.clone() for name, value in base.state_dict().items()}
    result = transfer(base, target, layers=layers, **QUICK)
    assert all(torch.equal(value, base.state_dict()[name]) for name, value in before.items())
    assert changed(base, result.model) - {"layers.2.bias"} == expected
    assert all(parameter.requires_grad for parameter in result.model.parameters())


def test_statistics_of_the_target_are_taken_on_request(base, target):
    result = transfer(base, target, layers=2, normalisation="target", **QUICK)
    assert changed(base, result.model) == {"layers.1.weight", "layers.1.bias", *STATISTICS}
    result = transfer(base, target, layers="gain", normalisation="target", **QUICK)
    assert changed(base, result.model) == STATISTICS


def test_statistics_are_those_of_the_drawn_samples(base, target):
    result = transfer(base, target, layers="statistics", samples=7, rng=3)
    fields = target.read("omega", result.drawn)
    deviation = result.model.input_deviation[result.model.inputs.index("omega")]
    assert float(deviation) == pytest.approx(fields.std(), rel=SINGLE)
    pi = target.read("pi", result.drawn)
    assert float(result.model.output_scale) == pytest.approx(np.sqrt((pi**2).mean()), rel=SINGLE)


def test_a_transfer_to_a_gained_target_is_undone_by_the_gain(base):
    """Where Pi is what the base predicts, three times over."""
    of = networks.square()
    omega = networks.vorticity(of, 8)
    data = Arrays(omega, 3 * networks.predict(base, omega), of)
    result = transfer(base, data, layers="gain", fraction=1.0, normalisation="base")
    scores = score(result.model, Samples(data, "data", memory_limit=1 << 20))
    assert scores["error"] < SINGLE**2 * 100
    assert scores["gain"] == pytest.approx(1, rel=SINGLE)
    assert float(result.model.output_scale / base.output_scale) == pytest.approx(3, rel=SINGLE)


def test_it_learns(base, target):
    """From samples of a linear operator, on others of it."""
    test = Samples(networks.learnable(networks.square(), 10, rng=9), "test", memory_limit=1 << 20)
    before = score(base, test)["error"]
    options = {"samples": 20, "epochs": 40, "learning_rate": 1e-2}
    one = score(transfer(base, target, layers=2, **options).model, test)
    everything = score(transfer(base, target, layers="all", **options).model, test)
    assert everything["error"] < one["error"] < before
    assert everything["correlation"] > 0.9


def test_it_is_the_same_again_for_a_seed_and_other_for_another(base, target):
    one, same, other = (transfer(base, target, layers=2, **QUICK, rng=r) for r in (1, 1, 2))
    assert not changed(one.model, same.model)
    assert np.array_equal(one.drawn, same.drawn)
    assert not np.array_equal(one.drawn, other.drawn)


def test_a_new_network_is_trained_from_scratch(base, target):
    result = transfer(base, target, layers="scratch", **QUICK)
    assert result.model.config["width"] == base.config["width"]
    other = transfer(base, target, layers="scratch", **QUICK, rng=1)
    assert changed(result.model, other.model) >= {f"layers.{i}.weight" for i in range(DEPTH)}


@given(count=st.integers(1, 20), rng=st.integers(0, 100))
def test_a_draw_has_every_sample_at_most_once(base, target, count, rng):
    drawn = transfer(base, target, layers="nothing", samples=count, rng=rng).drawn
    assert len(drawn) == count == len(set(drawn.tolist()))
    assert drawn.min() >= 0 and drawn.max() < len(target)


def test_the_first_samples_are_those_of_the_published_scripts(base, target):
    result = transfer(base, target, layers="nothing", fraction=0.2, draw="first")
    assert result.drawn.tolist() == [0, 1, 2, 3]


def test_a_file_says_where_the_network_comes_from(base, target, tmp_path):
    from pytbl.nn import artifact

    path = save(base, tmp_path / "base.closure", programs=())
    result = transfer(path, target, layers="2:bias", out=tmp_path / "new", **QUICK)
    said = artifact.describe(tmp_path / "new" / "best.closure")["provenance"]["origin"]
    assert said["base"] == "base.closure"
    assert said["layers"] == "2:bias"
    assert said["drawn"] == result.drawn.tolist()
    assert not changed(load_model(tmp_path / "new" / "best.closure"), result.model)


def test_nothing_is_replaced_unasked(base, target, tmp_path):
    path = save(base, tmp_path / "best.closure", programs=())
    whole = path.read_bytes()
    for layers in ("gain", 2):
        with pytest.raises(InputError, match="would replace the base network"):
            transfer(path, target, layers=layers, out=tmp_path, overwrite=True, **QUICK)
        with pytest.raises(InputError, match="best.closure is of an earlier training"):
            transfer(base, target, layers=layers, out=tmp_path, **QUICK)
        assert path.read_bytes() == whole
    transfer(base, target, layers="gain", out=tmp_path, resume=True, **QUICK)
    assert path.read_bytes() != whole
    folder = tmp_path / "new" / "trained"
    transfer(base, target, layers=2, out=folder, **QUICK)
    with pytest.raises(InputError, match="training.pt is of an earlier training"):
        transfer(base, target, layers="gain", out=folder, resume=True, **QUICK)


def test_a_full_disk_is_an_error_of_the_disk_and_leaves_the_last_whole_state(
    base, target, tmp_path
):
    options = QUICK | {"out": tmp_path, "layers": 2}
    transfer(base, target, **options | {"epochs": 1})
    whole = (tmp_path / "training.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            transfer(base, target, **options | {"resume": True})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "training.pt").read_bytes() == whole
    transfer(base, target, **options | {"resume": True})


def test_folders_are_made(base, target, tmp_path):
    for layers in ("gain", 2):
        folder = tmp_path / str(layers) / "deep"
        transfer(base, target, layers=layers, out=folder, **QUICK)
        assert (folder / "best.closure").is_file()


def test_it_resumes_to_the_same_weights(base, target, tmp_path):
    options = QUICK | {"out": tmp_path, "layers": 2}
    transfer(base, target, **options)
    longer = transfer(base, target, **options | {"epochs": 4, "resume": True})
    straight = transfer(base, target, layers=2, **QUICK | {"epochs": 4})
    assert not changed(longer.model, straight.model)
    with pytest.raises(InputError, match="another training.*origin"):
        transfer(base, target, **options | {"rng": 0, "draw": "first", "resume": True})


@pytest.mark.parametrize("first", range(DEPTH))
def test_a_tail_gives_what_the_network_gives(base, first):
    omega = torch.from_numpy(networks.vorticity(networks.square(), 3))
    tail = Tail(base, first)
    with torch.no_grad():
        expected, got = base(omega), tail(tail.enter(omega))
    assert torch.allclose(expected, got, rtol=ROUNDING, atol=float(expected.abs().max()) * SINGLE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": 4}, "no layer '4': expected 1 .. 3, first, last, hidden, all"),
        ({"layers": "2:kernel"}, "no layer '2:kernel': expected 1 .. 3"),
        ({"layers": []}, "no layer '': expected 1 .. 3"),
        ({"layers": 2.5}, "no layer '2.5': expected 1 .. 3"),
        ({"layers": 2, "fraction": 0.0}, "fraction must be in 0 < fraction <= 1, got 0.0"),
        ({"layers": 2, "samples": 21}, "samples must be an integer of 1 .. 20, got 21"),
        ({"layers": 2, "draw": "last"}, "draw must be 'random' or 'first', got 'last'"),
        (
            {"layers": 2, "normalisation": "none"},
            "must be 'base' or 'target', got 'none'",
        ),
        ({"layers": 2, "rng": -1}, "rng must be an integer >= 0, got -1"),
        ({"layers": 2, "epochs": 0}, "epochs must be an integer >= 1, got 0"),
    ],
)
def test_bad_input_is_refused(base, target, options, said):
    with pytest.raises(InputError, match=said):
        transfer(base, target, **options)


def test_a_network_and_data_that_do_not_fit_are_refused(base, target):
    other = networks.learnable(networks.square(24), 4)
    with pytest.raises(InputError, match="nx is 16 .* and 24|24"):
        transfer(base, other, layers=2)
    with pytest.raises(InputError, match="the base must be"):
        transfer(3, target, layers=2)
    new = networks.fitted(networks.square())
    new.setting = None
    with pytest.raises(InputError, match="was not trained"):
        transfer(new, target, layers=2)
    filtered = networks.learnable(dataclasses.replace(networks.square(), filter="box"), 4)
    with pytest.raises(InputError, match="filter"):
        transfer(base, filtered, layers=2)
