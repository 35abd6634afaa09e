"""Sweeps: every set and seed once, resumed after a kill, in one process or several."""

import json

import networks
import numpy as np
import pytest

from pytbl.errors import InputError
from pytbl.nn import load_model, save, sweep, transfer
from pytbl.nn.sweep import BASELINES, expand
from pytbl.nn.sweep_table import read

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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seeds": 0}, "seeds must be a number >= 1"),
        ({"processes": 0}, "processes must be an integer >= 1, got 0"),
        ({"sets": ["7"]}, r"no layer '7': expected 1 \.\. 3"),
        ({"samples": 100}, "samples must be an integer of 1"),
    ],
)
def test_bad_input_is_refused(files, tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        run(files, tmp_path, **{"sets": ["2"]} | options)


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not the table of a sweep"):
        read(tmp_path / "sweep.csv")
