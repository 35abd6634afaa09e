"""Sweeps: every set and seed once, resumed after a kill, in one process or several."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import h5py
import networks
import numpy as np
import pytest

from pytbl.errors import InputError
from pytbl.nn import load_model, save, sweep, transfer
from pytbl.nn.losses import TransferConstrained
from pytbl.nn.sweep import BASELINES, expand
from pytbl.nn.sweep_table import Sweep, read

QUICK = {"samples": 4, "epochs": 1, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A base network, target samples, test samples: paths."""
    from pytbl import Dataset, Flow, Solver, filters, initial

    folder = tmp_path_factory.mktemp("sweep")
    of = networks.square(dealias="3/2")
    for name, rng in (("data", 1), ("test", 2)):
        grid = networks.grid_of(networks.square(32, dealias="2/3"))
        sim = Solver(grid, Flow(viscosity=1e-2), dt=0.01)
        sim.set_vorticity(initial.random_spectrum(grid, k_peak=4, rng=rng))
        target = Dataset(folder / f"{name}.h5", every=0.02, coarse=16, filter=filters.Gaussian())
        sim.run(until=0.2, outputs=[target])
    model = networks.fitted(of, depth=3, width=4, kernel=3)
    return save(model, folder / "base.closure"), folder / "data.h5", folder / "test.h5"


def run(files, out, **options):
    base, data, test = files
    return sweep(base, data, test=test, out=out, **QUICK | options)


def test_sets_are_expanded_each_once():
    assert expand(["singles"], 3) == ["1", "2", "3"]
    assert expand(["pairs"], 3) == ["1+2", "1+3", "2+3"]
    assert len(expand(["triples"], 11)) == 165
    assert expand(["singles", "last", "3", "gain"], 3) == ["1", "2", "3", "gain"]
    assert set(BASELINES) - {"last"} <= set(expand(["baselines"], 4))
    with pytest.raises(InputError, match=r"no layer '5': expected 1 \.\. 3"):
        expand(["5"], 3)
    with pytest.raises(InputError, match="at least one set"):
        expand([], 3)


def test_a_sweep_has_every_transfer_and_its_scores(files, tmp_path):
    seen = []
    result = run(
        files,
        tmp_path,
        sets=["singles", "gain", "scratch"],
        seeds=2,
        reference=files[0],
        report=lambda row, done, count: seen.append((done, count)),
    )
    assert seen == [(i + 1, 11) for i in range(11)]
    assert result.names == ["1", "2", "3", "gain", "scratch", "reference"]
    assert all(len(result.of(name)) == 2 for name in result.names[:-1])
    assert np.isfinite(result.of("2", "error")).all()
    mean = result.mean()["2"]
    assert mean == pytest.approx(result.of("2").mean())
    assert result.summary()[1]["error_over_seeds"] == pytest.approx(result.of("2").std(ddof=1))
    table = result.to_xarray()
    assert table.error.sel(layers="2", seed=1) == result.of("2")[1]
    again = read(tmp_path)
    assert again.names == result.names
    assert again.of("gain").tolist() == result.of("gain").tolist()
    assert "scratch" in result.text()


def test_a_row_is_what_the_transfer_alone_gives(files, tmp_path):
    base, data, _ = files
    run(files, tmp_path, sets=["2"], seeds=[3], keep=True)
    kept = load_model(tmp_path / "closures" / "2-3.closure").state_dict()
    assert "training_loss" in (tmp_path / "closures" / "2-3.csv").read_text()
    alone = transfer(base, data, layers=2, rng=3, threads=1, **QUICK).model.state_dict()
    assert all((kept[name] == value).all() for name, value in alone.items())


def test_processes_give_the_same_rows(files, tmp_path):
    one = run(files, tmp_path / "one", sets=["2", "gain"], seeds=2)
    two = run(files, tmp_path / "two", sets=["2", "gain"], seeds=2, processes=2)
    assert one.of("2").tolist() == two.of("2").tolist()
    assert one.names == two.names


def test_a_sweep_goes_on_where_it_was(files, tmp_path):
    run(files, tmp_path, sets=["1"], seeds=1)
    done = tmp_path / "transfers" / "1-0.json"
    row = json.loads(done.read_text()) | {"error": 123.0}
    done.write_text(json.dumps(row))  # recognised again by its value
    result = run(files, tmp_path, sets=["1", "2"], seeds=1)
    assert result.mean()["1"] == 123.0
    assert result.mean()["2"] != 123.0
    with pytest.raises(InputError, match="is of another sweep"):
        run(files, tmp_path, sets=["1"], seeds=1, epochs=2)
    done.write_text("{")
    with pytest.raises(InputError, match="is no whole result"):
        run(files, tmp_path, sets=["1"], seeds=1)


def test_a_sweep_that_failed_has_not_taken_the_folder(files, tmp_path):
    with pytest.raises(InputError, match="layers 2, seed 0: samples must be"):
        run(files, tmp_path, sets=["2"], seeds=1, samples=99)
    assert len(run(files, tmp_path, sets=["2"], seeds=1).rows) == 1


def test_options_that_are_objects_tell_sweeps_apart(files, tmp_path):
    options = {"sets": ["1"], "seeds": 1}
    run(files, tmp_path, loss=TransferConstrained(0.5), **options)
    assert len(run(files, tmp_path, loss=TransferConstrained(0.5), **options).rows) == 1
    for other in (
        {"loss": TransferConstrained(0.25)},
        {"loss": TransferConstrained(0.5), "validation": files[2]},
    ):
        with pytest.raises(InputError, match="is of another sweep"):
            run(files, tmp_path, **options | other)


def test_networks_are_kept_on_request_even_if_the_rows_are_known(files, tmp_path):
    run(files, tmp_path, sets=["1"], seeds=1)
    run(files, tmp_path, sets=["1"], seeds=1, keep=True)
    assert load_model(tmp_path / "closures" / "1-0.closure").config["depth"] == 3


def test_another_reference_is_scored_anew(files, tmp_path):
    base = files[0]
    options = {"sets": ["nothing"], "seeds": 1}
    one = run(files, tmp_path, reference=base, **options).mean()
    assert one["reference"] == one["nothing"]
    other = transfer(base, files[1], layers="gain", samples=4).model
    path = save(other, tmp_path / "other.closure", programs=())
    assert run(files, tmp_path, reference=path, **options).mean()["reference"] != one["reference"]


def test_files_are_read_anew_by_every_sweep(files, tmp_path):
    base, data, test = files
    moving = tmp_path / "test.h5"
    shutil.copy(test, moving)
    one = run((base, data, moving), tmp_path / "one", sets=["nothing"], seeds=1)
    with h5py.File(moving, "r+") as file:
        file["pi"][...] *= 2
    two = run((base, data, moving), tmp_path / "two", sets=["nothing"], seeds=1)
    assert one.mean() != two.mean()


def endless(files, out):
    """A sweep in two processes, of which one transfer is done."""
    base, data, test = map(str, files)
    command = [sys.executable, "-P", "-m", "pytbl", "sweep", base, data, "--test", test]
    command += ["--set", "nothing", "--set", "singles", "--epochs", "1000000", "--processes", "2"]
    sweeping = subprocess.Popen(
        [*command, "--out", str(out)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert sweeping.stderr.readline().startswith("1/12 ")
    return sweeping


@pytest.mark.parametrize("group", [False, True])
def test_a_stop_ends_all_processes_and_keeps_what_is_done(files, tmp_path, group):
    """A signal to the first process, or, as from a terminal, to all."""
    out = tmp_path / "out"
    with endless(files, out) as sweeping:
        (os.killpg if group else os.kill)(sweeping.pid, signal.SIGINT)
        said = sweeping.stderr.read()  # to its end: no process holds it open
        assert sweeping.wait(60) == 128 + signal.SIGINT
    assert re.fullmatch(r"pytbl: stopped by signal 2 after 1 of 12 transfers; .*\n", said)
    assert [path.name for path in (out / "transfers").iterdir()] == ["nothing-0.json"]


def test_processes_end_with_the_one_that_began_them(files, tmp_path):
    with endless(files, tmp_path) as sweeping:
        sweeping.kill()
        sweeping.stderr.read()  # ends when the last process has


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seeds": 0}, "seeds must be a number >= 1"),
        ({"processes": 0}, "processes must be an integer >= 1, got 0"),
        ({"sets": ["7"]}, r"no layer '7': expected 1 \.\. 3"),
        ({"samples": 100}, "samples must be an integer of 1"),
        ({"reference": "nowhere.closure"}, "nowhere.closure is not a whole closure"),
    ],
)
def test_bad_input_is_refused(files, tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        run(files, tmp_path, **{"sets": ["2"]} | options)
    assert not list(tmp_path.glob("transfers/*"))


def test_samples_are_not_tested_on_that_were_trained_on(files, tmp_path):
    base, data, test = files
    with pytest.raises(InputError, match=r"data\.h5 is among the target data and the test data"):
        sweep(base, data, test=[test, data.parent / "." / data.name], out=tmp_path, **QUICK)


def test_test_samples_and_reference_that_do_not_fit_are_refused_first(files, tmp_path):
    base, data, test = files
    other = tmp_path / "other.h5"
    shutil.copy(test, other)
    with h5py.File(other, "r+") as file:
        file.attrs["filter"] = "box"
    with pytest.raises(InputError, match="test data .* does not fit .* expected filter gaussian"):
        run((base, data, other), tmp_path / "out", sets=["2"])
    wide = networks.fitted(networks.square(24, dealias="3/2"), depth=3, width=4, kernel=3)
    path = save(wide, tmp_path / "wide.closure", programs=())
    with pytest.raises(InputError, match="the reference does not fit .* expected nx 16, got 24"):
        run(files, tmp_path / "out", sets=["2"], reference=path)
    assert not (tmp_path / "out").exists()


def test_one_seed_has_no_spread():
    row = {"layers": "2", "seed": 0, "error": 0.5, "correlation": 0.7, "spectral_rmse": 0.1}
    one = Sweep([row | {"seconds": 1.0}])
    assert np.isnan(one.summary()[0]["error_over_seeds"])
    assert "0.5000            0.7000" in one.text()
    two = Sweep([*one.rows, one.rows[0] | {"seed": 1, "error": 0.7}])
    assert "0.6000 +- 0.1414" in two.text()


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not the table of a sweep"):
        read(tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["epoch", "training_loss"], [1, 0.5]])
    with pytest.raises(InputError, match="no rows with layers, seed and error"):
        read(tmp_path)
