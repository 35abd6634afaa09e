"""The gathered analysis: true words, tables and figures in a folder, and what is left out."""

import csv
import json
import re
import shutil
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from test_cli import pytbl

from pytbl import Dataset, Flow, Solver, filters, initial
from pytbl.analysis import Stack
from pytbl.analysis.landscape import FEWEST_POINTS
from pytbl.analyze import analyze
from pytbl.errors import InputError
from pytbl.nn import history, save, sweep, transfer

QUICK = {"samples": 4, "epochs": 2, "learning_rate": 1e-2}
SAMPLES = 6
#: Of float32 weights and fields.
SINGLE = 1e-5


@pytest.fixture(scope="module", autouse=True)
def coarse():
    """Surfaces of the fewest points: what they are like is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytbl.analyze.landscapes._POINTS", FEWEST_POINTS)
        patch.setattr("pytbl.analyze.landscapes._PAIRS", 2)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A base network, two flows, two transfers and a sweep."""
    folder = tmp_path_factory.mktemp("analyze")
    of = networks.square(dealias="3/2")
    for name, viscosity, coarse in (("base", 1e-2, 16), ("target", 1e-3, 16), ("fine", 1e-2, 18)):
        grid = networks.grid_of(networks.square(36, dealias="2/3"))
        sim = Solver(grid, Flow(viscosity=viscosity), dt=0.01)
        sim.set_vorticity(initial.random_spectrum(grid, k_peak=4, rng=1))
        data = Dataset(folder / f"{name}.h5", every=0.02, coarse=coarse, filter=filters.Gaussian())
        sim.run(until=0.2, outputs=[data])
    base, target = folder / "base.closure", folder / "target.h5"
    save(networks.fitted(of, depth=4, width=4, kernel=3), base, programs=())
    for layers, name in (("2", "2"), ("3:bias", "3-bias")):
        (folder / name).mkdir()
        result = transfer(base, target, layers=layers, **QUICK)
        save(result.model, folder / name / "best.closure", programs=())
        history.write(result.history, folder / name / "history.csv")
    options = QUICK | {"epochs": 1, "sets": ["singles", "nothing", "gain", "all", "scratch"]}
    test = folder / "base.h5"
    sweep(base, target, test=test, out=folder / "sweep", seeds=2, reference=base, **options)
    return folder


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def run(folder, **options):
    return analyze(folder / "base.closure", **{"samples": SAMPLES} | options)


@pytest.fixture(scope="module")
def whole(folder):
    """With everything."""
    return run(
        folder,
        target=folder / "target.h5",
        base_data=folder / "base.h5",
        transferred=[folder / "2" / "best.closure", folder / "3-bias" / "best.closure"],
        sweep=folder / "sweep",
    )


def test_everything_is_written_and_drawn(whole, tmp_path):
    assert whole.left_out == []
    written = whole.save(tmp_path)
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()}
    report = (tmp_path / "report.md").read_text()
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", report)
    assert pictures
    assert {path.name for path in tmp_path.glob("*.png")} == set(pictures)
    for name in pictures:
        assert (tmp_path / name).stat().st_size > 5_000
    tables = re.findall(r"[\w-]+\.csv", report)
    assert {path.name for path in tmp_path.glob("*.csv")} == set(tables)
    for name in tables:
        assert rows(tmp_path / name)
    titles = [
        one["title"] for one in json.loads((tmp_path / "analysis.json").read_text())["sections"]
    ]
    assert titles == [one.title for one in whole.sections]
    # the paper's main figures that a network and its data allow
    expected = {"correlation", "losses", "kernels-2-layer-2", "clusters", "activation-spectra"}
    assert {f"{name}.png" for name in expected | {"landscapes", "flow-spectra"}} <= set(pictures)


def test_a_transfer_changes_the_spectra_from_its_layer_on_only(whole):
    compared = whole["Activation spectra"].tables["activation-departures"]
    apart = {
        row["layer"]: row["departure"] for row in compared if "re-trained 2" in row["compared"]
    }
    assert apart[1] == 0
    assert min(apart[layer] for layer in (2, 3, 4)) > 0
    biased = {row["layer"]: row["departure"] for row in compared if "3:bias" in row["compared"]}
    assert biased[1] == biased[2] == 0
    assert biased[4] > 0
    linear = whole["Linear or ReLU"].tables["linear-shares"]
    own = [row for row in linear if "3:bias" in row["compared"] and row["layer"] == 3]
    # a bias moves the mean of the pre-activations, which no shell holds: all the change is ReLU's
    assert own[0]["linear"] < SINGLE < own[0]["relu"]


def test_changes_are_those_of_the_weights(whole, folder):
    before = Stack.of(folder / "base.closure").layers[1].weight
    after = Stack.of(folder / "2" / "best.closure").layers[1].weight
    overview = whole["Kernels before and after"].tables["kernel-changes"]
    assert [(row["transfer"], row["layer"]) for row in overview] == [("2", 2)]
    relative = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert overview[0]["relative"] == pytest.approx(relative)
    first = whole["Kernels before and after"].tables["changed-kernels"][0]
    distance = np.linalg.norm(after - before, axis=(2, 3))
    assert first["space"] == pytest.approx(distance.max())
    assert (first["output"], first["input"]) == np.unravel_index(distance.argmax(), (4, 4))
    step = whole["Loss landscapes"].tables["steps"][0]
    assert 0 <= step["within_the_steepest_plane"] <= 1


def test_identities_hold_and_zero_padding_has_a_defect(whole, folder):
    for row in whole["Identities in Fourier space"].tables["identities"]:
        assert row["padding_defect"] == row["convolution"] < SINGLE
        assert not row["relu"] > SINGLE
    of = networks.square(dealias="3/2")
    zeros = networks.fitted(of, depth=3, width=4, padding="zeros")
    found = analyze(zeros, base_data=folder / "base.h5", samples=SAMPLES)
    section = found["Identities in Fourier space"]
    assert "padding with zeros makes the theorem wrong" in section.gist
    for row in section.tables["identities"]:
        assert row["convolution"] < SINGLE < 1e-3 < row["padding_defect"]


def test_the_sweep_is_told_with_its_baselines(whole):
    section = whole["Transfers"]
    kept = {row["layers"]: row for row in section.tables["transfers"]}
    assert {"1", "2", "3", "4", "nothing", "gain", "all", "scratch", "reference"} <= set(kept)
    best = min("1234", key=lambda name: kept[name]["error"])
    assert f"re-training {best} leaves the least error" in section.gist
    assert "| reference | 1 |" in section.words[1]


def test_chance_is_not_called_learned(tmp_path):
    rng = np.random.default_rng(3)
    noise = [(rng.uniform(-1, 1, (16, 16, 5, 5)), None) for _ in range(2)]
    found = analyze(Stack(noise))
    assert "In no layer" in found["Kernel classes"].gist
    assert "do not fall into groups" in found["Clusters of kernels"].gist
    x, y = np.meshgrid(np.arange(-2, 3), np.arange(-2, 3))
    blur = np.exp(-(x**2 + y**2) / 2) * rng.uniform(0.5, 1, (16, 16, 1, 1))
    blur = blur + 0.01 * rng.standard_normal(blur.shape)
    found = analyze(Stack([(blur, None), noise[0]]))
    assert "layer 1: more low-pass (100 %" in found["Kernel classes"].gist
    assert "layer 2" not in found["Kernel classes"].gist


def test_what_is_missing_is_said(folder, tmp_path):
    found = run(folder)
    reasons = "\n".join(found.left_out)
    for reason in (
        "spectra of the flows: no target data were given",
        "correlation by layer: no sweep was given",
        "training losses: no transferred network was given",
        "kernels before and after: no transferred network was given",
        "activation spectra: neither base nor target data were given",
        "loss landscapes: no target data were given",
    ):
        assert reason in reasons
    assert [one.title for one in found.sections] == ["Kernel classes", "Clusters of kernels"]
    found = run(folder, target=folder / "target.h5", layers=["1+2"])
    assert "no base data were given to compare the target with" in found.summary()
    assert {"Activation spectra", "Loss landscapes"} <= {one.title for one in found.sections}
    found.save(tmp_path, picture=False)
    assert not list(tmp_path.glob("*.png"))
    assert "![" not in (tmp_path / "report.md").read_text()


def test_a_network_that_is_no_stack_is_analysed_as_far_as_it_goes(folder, tmp_path):
    rng = np.random.default_rng(1)
    state = {
        "encoder.weight": torch.from_numpy(rng.standard_normal((8, 2, 5, 5))),
        "encoder.bias": torch.zeros(8),
        "head.weight": torch.from_numpy(rng.standard_normal((3, 100))),
    }
    torch.save(state, tmp_path / "other.pt")
    found = analyze(
        tmp_path / "other.pt", target=folder / "target.h5", base_data=folder / "base.h5"
    )
    assert {"Kernel classes", "Spectra of the flows"} <= {one.title for one in found.sections}
    assert "part of the network: head.weight: a dense layer from 100 to 3 values" in found.left_out
    assert any("holds arrays only" in reason for reason in found.left_out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["9"]}, "there is no layer '9': expected 1 .. 4, first, last, hidden, all"),
        ({"target": "fine.h5"}, "does not fit the network: expected nx 16, got 18"),
        ({"target": "target.h5", "samples": 400}, "must have at least 400 samples, got 11"),
        ({"samples": 1}, "samples must be an integer >= 2, got 1"),
        ({"transferred": ["other.npz"]}, "is no transfer of"),
        ({"transferred": ["same.npz"]}, "same.npz holds arrays only: what re-training made of"),
        ({"transferred": ["odd.closure"]}, "odd.csv is not the table of a training"),
        ({"sweep": "base.h5"}, "is not the table of a sweep"),
        ({"rng": -1}, "rng must be an integer of 0 .. 4294967295, got -1"),
    ],
)
def test_bad_input_is_a_line(folder, monkeypatch, options, message):
    monkeypatch.chdir(folder)
    np.savez("other.npz", w=np.ones((2, 2, 3, 3)))
    layers = Stack.of("base.closure").layers
    np.savez("same.npz", **{f"weight{i}": layer.weight for i, layer in enumerate(layers)})
    shutil.copy("base.closure", "odd.closure")
    Path("odd.csv").write_text(f"{','.join(history.COLUMNS)}\n1{',one' * 6}\n")
    with pytest.raises(InputError) as error:
        run(folder, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_not_a_network(folder, tmp_path):
    np.savez(tmp_path / "dense.npz", w=np.ones((3, 4)))
    with pytest.raises(InputError, match=r"has no kernels: expected arrays of shape .* got w"):
        analyze(tmp_path / "dense.npz")
    with pytest.raises(InputError, match="is not a whole closure"):
        analyze(folder / "base.h5")


def test_data_are_read_whatever_the_network(tmp_path):
    np.savez(tmp_path / "other.npz", w=np.ones((2, 2, 3, 3)))
    with pytest.raises(InputError, match=r"no\.h5"):
        analyze(tmp_path / "other.npz", target=tmp_path / "no.h5")


def test_a_table_of_something_else_is_no_history(folder, tmp_path):
    shutil.copy(folder / "2" / "best.closure", tmp_path)
    (tmp_path / "best.csv").write_text("layers,error\ntwo,0.1\n")
    found = run(folder, transferred=[tmp_path / "best.closure"])
    assert any(line.startswith("training losses: no table") for line in found.left_out)
    shutil.copy(folder / "2" / "history.csv", tmp_path)
    found = run(folder, transferred=[tmp_path / "best.closure"])
    assert len(found["Training losses"].tables["losses"]) == QUICK["epochs"]


def test_the_command(folder, tmp_path):
    done = pytbl(
        *("analyze", folder / "base.closure", "--target", folder / "target.h5"),
        *("--transferred", folder / "2" / "best.closure", "--samples", SAMPLES),
        *("--layers", "2+3", "--no-picture", "--out", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert "Loss landscapes: " in done.stdout
    assert "left out: spectra of the flows: no base data were given" in done.stdout
    assert (tmp_path / "out" / "report.md").exists()
    told = {row["layers"] for row in rows(tmp_path / "out" / "hessian.csv")}
    assert told == {"2+3"}
    file = folder / "target.h5"
    done = pytbl("analyze", folder / "base.closure", "--layers", "5", "--out", file)
    assert done.stderr == f"pytbl: {file} cannot be written: it is no folder\n"
    done = pytbl("analyze", folder / "base.closure", "--layers", "5")
    assert done.returncode == 2
    assert done.stderr.startswith("pytbl: there is no layer '5': expected 1 .. 4")
    assert len(done.stderr.splitlines()) == 1
