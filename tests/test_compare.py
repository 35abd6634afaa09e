"""Comparisons, from real files: a perfect simulation, a perfect closure, tables and figures."""

import csv
import io
import json
import math
import re
import shutil

import h5py
import numpy as np
import pytest
from matplotlib import image
from test_cli import pytbl
from test_output import cut_short
from tolerances import ROUNDING

from pytbl import Dataset, Flow, Grid, Output, Solver, diagnostics, initial, metrics, tables
from pytbl.closures import Leith, evaluate
from pytbl.compare import closure_from_case, compare
from pytbl.errors import InputError
from pytbl.filters import Box, Gaussian
from pytbl.les import LESCase
from pytbl.playback import Playback
from pytbl.plots.comparison import draw
from pytbl.runs import Run
from pytbl.subgrid import SubgridTerms

#: Rounding of spectra and of distances of distributions, and of what files keep in double.
CLOSE = 1000 * ROUNDING
LY = 1.5 * np.pi
FLOW = Flow(viscosity=2e-3, drag=0.1)

CASE = """
[grid]
nx = 24
ny = 18
ly = 4.71238898038469
[flow]
viscosity = 2e-3
drag = 0.1
[time]
until = 0.4
dt = 0.01
[initial]
kind = "random_spectrum"
k_peak = 4
rng = 2
[output]
file = "leith.h5"
every = 0.05
[filter]
kind = "gaussian"
ratio = 2.0
[closure]
kind = "leith"
coefficient = 0.5
"""


def grid(nx, ny, dealias="2/3", ly=LY):
    return Grid(nx, ny, ly=ly, dealias=dealias, reproducible=True)


FINE, COARSE = grid(48, 36), grid(24, 18, "3/2")


class Replay:
    """An output of what a simulation would be that follows the filtered flow exactly."""

    def __init__(self, path, coarse, filter):
        self.sim = Solver(coarse, FLOW, dt=0.01)
        self.output = Output(path, every=0.05)
        self.terms = SubgridTerms(FINE, coarse, filter)

    def open(self, sim):
        self.output.open(self.sim)

    def due(self, t, step):
        return self.output.due(t, step)

    def write(self, sim):
        self.sim.set_spectral(self.terms.coarsen(sim.omega_hat))
        self.sim.t = sim.t
        self.output.write(self.sim)

    def finish(self, sim):
        self.output.finish(self.sim)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A DNS, its samples, simulations that follow it exactly, and one with a closure."""
    folder = tmp_path_factory.mktemp("runs")
    sim = Solver(FINE, FLOW, dt=0.01)
    sim.set_vorticity(initial.random_spectrum(FINE, k_peak=4, rng=1))
    sim.run(
        until=0.4,
        outputs=[
            Output(folder / "dns.h5", every=0.05),
            Dataset(folder / "samples.h5", every=0.05, coarse=24, filter=Gaussian(2.0), dtype="f8"),
            Dataset(
                folder / "late.h5",
                every=0.05,
                start=0.1,
                coarse=24,
                filter=Gaussian(2.0),
                dtype="f8",
            ),
            Replay(folder / "perfect.h5", COARSE, Gaussian(2.0)),
            Replay(folder / "boxed.h5", COARSE, Box(1.0)),
            Replay(folder / "wide.h5", grid(24, 18), Gaussian(2.0)),
        ],
    )
    les, outputs = LESCase.parse(CASE).build(folder=folder)
    les.run(until=0.4, outputs=outputs)
    return folder


class Known:
    """A closure that knows the exact term of the samples, and gives a multiple of it."""

    def __init__(self, samples, gain):
        self.samples, self.gain = samples, gain

    def add(self, source_hat, state):
        flows, exact = self.samples
        nearest = np.argmin([np.abs(hat - state.omega_hat).max() for hat in flows])
        source_hat += self.gain * exact[nearest]


def exact_samples(folder):
    terms = SubgridTerms(FINE, COARSE, Gaussian(2.0))
    with h5py.File(folder / "dns.h5") as file:
        hats = [FINE.to_spectral(omega) for omega in file["omega"]]
    return [terms.coarsen(hat) for hat in hats], [terms.source(hat) for hat in hats]


# ------------------------------------------------------------------------------- a posteriori ---


@pytest.mark.parametrize("reference", ["dns.h5", "samples.h5"])
def test_a_perfect_simulation(files, reference):
    result = compare(files / reference, [files / "perfect.h5"])
    found = result.online["perfect"]
    for name in ("energy_ratio", "enstrophy_ratio", "tail_ratio"):
        assert found[name] == pytest.approx(1, abs=CLOSE)
    for name in ("spectral_gap", "wasserstein", "jensen_shannon"):
        assert found[name] == pytest.approx(0, abs=CLOSE)
    assert found["flatness"] == pytest.approx(result.online["reference"]["flatness"])
    assert math.isinf(found["stability_time"])
    assert found["duration"] == pytest.approx(0.4)
    assert result.online["halves"]["energy_ratio"] > 1, "the flow decays"
    assert not result.a_priori
    assert not result.notes
    assert repr(result).startswith("Comparison(perfect with ")


def test_an_imperfect_simulation(files):
    """Against the metrics of the fields themselves."""
    result = compare(files / "dns.h5", [files / "leith.h5"], start=0.1)
    found = result.online["leith"]
    truth = np.array([COARSE.to_physical(hat) for hat in exact_samples(files)[0]])[2:]
    with h5py.File(files / "leith.h5") as file:
        omega, wall, times = file["omega"][2:], file["wall_time"][2:], file["time"][2:]
    sigma = truth.std()
    assert found["enstrophy"] == pytest.approx((omega**2).mean() / 2)
    assert found["enstrophy_ratio"] == pytest.approx((omega**2).mean() / (truth**2).mean())
    assert found["wasserstein"] == pytest.approx(metrics.wasserstein(omega, truth) / sigma)
    assert found["tail_ratio"] == pytest.approx(metrics.tail_ratio(omega, truth))
    spectra = [
        np.mean([diagnostics.energy_spectrum(COARSE, COARSE.to_spectral(f))[1] for f in fields], 0)
        for fields in (omega, truth)
    ]
    assert result.k_range == (5.5, 11.0)
    assert found["spectral_gap"] == pytest.approx(
        metrics.spectral_gap(result.k, *spectra, k_min=5.5, k_max=11)
    )
    assert found["spectral_gap"] > 0.01
    assert found["wall_time"] == pytest.approx((wall[-1] - wall[0]) / (times[-1] - times[0]))
    with h5py.File(files / "dns.h5") as file:
        pace = np.diff(file["wall_time"][2:][[0, -1]])[0] / np.diff(times[[0, -1]])[0]
    assert found["wall_time_ratio"] == pytest.approx(found["wall_time"] / pace)
    assert compare(files / "dns.h5", [files / "leith.h5"], k_min=2.0).k_range == (2.0, 11.0)


def test_the_filter_is_that_of_the_options_or_of_the_files(files, tmp_path):
    boxed = files / "boxed.h5"
    assert compare(files / "dns.h5", [boxed]).online["boxed"]["spectral_gap"] > 0.05
    asked = compare(files / "dns.h5", [boxed], filter="box", ratio=1.0)
    assert asked.online["boxed"]["spectral_gap"] < CLOSE
    assert asked.filter == Box(1.0)
    stated = tmp_path / "stated.h5"
    shutil.copy(boxed, stated)
    with h5py.File(stated, "r+") as file:
        file.attrs.update(filter="box", filter_ratio=1.0)
    assert compare(files / "dns.h5", [stated]).online["stated"]["spectral_gap"] < CLOSE
    with pytest.raises(InputError, match=r"different filters, Box\(ratio=1\), Gaussian\(ratio=2"):
        compare(files / "dns.h5", [stated, files / "leith.h5"])
    with pytest.raises(InputError, match=r"samples.h5 is filtered by Gaussian\(ratio=2\), and"):
        compare(files / "samples.h5", [stated])


def test_another_flow_is_noted(files, tmp_path):
    other = tmp_path / "other.h5"
    shutil.copy(files / "perfect.h5", other)
    with h5py.File(other, "r+") as file:
        file.attrs["viscosity"] = 1e-3
    for reference in ("dns.h5", "samples.h5"):
        result = compare(files / reference, [other])
        assert result.notes == ["other: its viscosity is 0.001, and the reference's 0.002"]


def test_a_run_that_did_not_end_is_noted(files, tmp_path):
    sim, output = Solver(COARSE, FLOW, dt=1e-3), Output(tmp_path / "cut.h5", every=1e-3)
    sim.set_vorticity(3 * initial.random_spectrum(COARSE, k_peak=4, rng=1))
    output.open(sim)
    for _ in range(3):
        output.write(sim)
        sim.step()
    result = compare(files / "dns.h5", [tmp_path / "cut.h5"])
    assert "cut: the run blew up, was stopped or is still going on: the last" in result.notes[0]
    assert result.online["cut"]["stability_time"] == 0, "it began with too much enstrophy"


def test_a_run_that_broke_off_too_early_has_a_stability_time(files, tmp_path):
    early = tmp_path / "early.h5"
    sim, output = Solver(COARSE, FLOW, dt=0.01), Output(early, every=0.01)
    terms = SubgridTerms(FINE, COARSE, Gaussian(2.0))
    with h5py.File(files / "dns.h5") as file:
        sim.set_spectral(terms.coarsen(FINE.to_spectral(file["omega"][0])))
    output.open(sim)
    for step in range(4):
        output.write(sim)
        sim.step()
        if step == 2:
            sim.set_spectral(4 * sim.omega_hat)
    runs = [files / "perfect.h5", early, files / "leith.h5"]
    result = compare(files / "dns.h5", runs, start=0.2)
    alone = compare(files / "dns.h5", [files / "perfect.h5", files / "leith.h5"], start=0.2)
    assert result.online["perfect"] == pytest.approx(alone.online["perfect"], nan_ok=True)
    assert result.online["leith"] == pytest.approx(alone.online["leith"], nan_ok=True)
    found = result.online["early"]
    assert list(found) == list(result.online["leith"])
    assert found["stability_time"] == pytest.approx(0.03)
    assert found["duration"] == pytest.approx(0.03)
    known = {name for name, value in found.items() if not math.isnan(value)}
    assert known == {"stability_time", "duration"}
    (note,) = result.notes
    assert note.startswith("early: the run blew up, was stopped or is still going on: the last")
    assert note.endswith("t = 0.03, too early to be compared")
    assert len(draw(result, tmp_path)) == 5
    tables.write(result, tmp_path)
    stream = io.StringIO()
    tables.show(result, stream)
    (line,) = (line for line in stream.getvalue().splitlines() if "stability time" in line)
    assert line.split() == ["stability", "time", ">", "0.4", "0.03", ">", "0.4", "time"]
    values = json.loads((tmp_path / "table.json").read_text())
    assert values["a_posteriori"]["early"]["wasserstein"] is None
    with h5py.File(early, "r+") as file:  # a whole run that is too short is a wrong start
        file.attrs["complete"] = 1
    with pytest.raises(InputError, match=r"early.h5 holds too few records from t = 0.2"):
        compare(files / "dns.h5", [early], start=0.2)


def test_stability_counts_from_the_beginning(files, tmp_path):
    """Whether or not the comparison begins later."""
    late = tmp_path / "late.h5"
    shutil.copy(files / "perfect.h5", late)
    with h5py.File(late, "r+") as file:
        file["enstrophy"][6:] *= 10
        file["enstrophy"][0] *= 10  # as a flow that spins up
    for start, expected in ((None, 0), (0.1, 0.3), (0.2, 0.3)):
        found = compare(files / "dns.h5", [late], start=start).online["late"]
        assert found["stability_time"] == pytest.approx(expected)
        assert found["duration"] == pytest.approx(0.4)


def test_a_record_that_was_cut_short_is_not_compared(files, tmp_path):
    for name in ("dns.h5", "perfect.h5", "samples.h5"):
        shutil.copy(files / name, tmp_path / name)
        cut_short(tmp_path / name)
        assert len(Run(tmp_path / name).times) == 9
        assert len(Run(tmp_path / name).read("time")) == 9
    for name in ("dns.h5", "samples.h5"):
        one, two = (compare(f / name, [f / "perfect.h5"]).online for f in (files, tmp_path))
        assert one["perfect"] == pytest.approx(two["perfect"], nan_ok=True)
    with h5py.File(tmp_path / "samples.h5", "r+") as file:  # all but the last field was written
        file["time"][-1] = 0.45
        for field in ("omega", "psi"):
            file[field][-1] = 1.0
    assert len(Run(tmp_path / "samples.h5").times) == 9


# ---------------------------------------------------------------------------------- a priori ---


class Recorder:
    """Keeps the times at which it is asked, and is bound as seldom as can be."""

    def __init__(self):
        self.times, self.bound = [], 0

    def bind(self, grid):
        self.bound += 1

    def add(self, source_hat, state):
        assert self.bound
        self.times.append(state.t)
        source_hat += state.omega_hat


def test_closures_see_the_time_since_the_first_sample(files):
    for reference, options, first in (
        ("late.h5", {}, 0.0),
        ("dns.h5", {"reference_start": 0.2}, 0.2),
        ("dns.h5", {"dataset": files / "late.h5"}, 0.0),
    ):
        closure = Recorder()
        given = {"perfect": closure}
        result = compare(files / reference, [files / "perfect.h5"], closures=given, **options)
        assert closure.bound == 1
        count = result.a_priori["exact"]["samples"]
        np.testing.assert_allclose(closure.times, first + 0.05 * np.arange(count), atol=1e-12)


@pytest.mark.parametrize(
    ("reference", "played", "start"),
    [
        ("samples.h5", "samples.h5", None),
        ("late.h5", "late.h5", None),
        ("late.h5", "samples.h5", 0.1),
        ("dns.h5", "samples.h5", None),
        ("dns.h5", "late.h5", 0.1),
    ],
)
def test_the_exact_term_played_back_is_perfect(files, reference, played, start):
    term = Playback(files / played, start=start)
    closures = {"perfect": term, "wide": 0.5 * term + 0.25 * term}
    result = compare(
        files / reference,
        [files / "perfect.h5"] * 2,
        names=list(closures),
        closures=closures,
        reference_start=0.1,
    )
    for name, gain in (("perfect", 1.0), ("wide", 0.75)):
        found = result.a_priori[name]
        assert found["correlation"] == pytest.approx(1)
        assert found["relative_rmse"] == pytest.approx(1 - gain, abs=1e-9)
        assert found["correlation_spread"] == pytest.approx(0, abs=CLOSE)


def test_a_closure_that_fails_is_noted(files):
    closures = {"perfect": Playback(files / "late.h5"), "leith": Leith(0.5)}
    result = compare(
        files / "dns.h5", [files / "perfect.h5", files / "leith.h5"], closures=closures
    )
    (note,) = result.notes
    assert note.startswith("perfect: no a priori metrics of Playback(")
    assert "has samples from t = 0.1 to 0.4, and t = 0 was asked for" in note
    assert list(result.a_priori) == ["exact", "leith"]


@pytest.mark.parametrize("reference", ["dns.h5", "samples.h5"])
def test_a_perfect_closure_and_one_with_a_gain(files, reference):
    samples = exact_samples(files)
    result = compare(
        files / reference,
        [files / "perfect.h5", files / "perfect.h5"],
        names=["exact term", "twice"],
        closures={"exact term": Known(samples, 1.0), "twice": Known(samples, 2.0)},
    )
    perfect, twice = result.a_priori["exact term"], result.a_priori["twice"]
    for name in ("correlation", "correlation_forward", "correlation_backscatter"):
        assert perfect[name] == pytest.approx(1)
        assert twice[name] == pytest.approx(1)
    assert perfect["correlation_spread"] == pytest.approx(0, abs=CLOSE)
    for name in (
        "relative_rmse",
        "spectral_rmse",
        "energy_transfer_error",
        "enstrophy_transfer_error",
    ):
        assert perfect[name] == pytest.approx(0, abs=CLOSE)
        assert twice[name] == pytest.approx(1)
    exact = result.a_priori["exact"]
    assert exact["samples"] == 9
    assert exact["enstrophy_transfer"] == pytest.approx(
        np.mean([diagnostics.transfers(COARSE, *pair)[1] for pair in zip(*samples, strict=True)])
    )
    assert twice["energy_transfer"] == pytest.approx(2 * exact["energy_transfer"])
    np.testing.assert_allclose(
        result.transfers["twice"].enstrophy, 2 * result.transfers["exact"].enstrophy, atol=CLOSE
    )


def test_the_closure_of_a_case_file(files):
    """A DNS alone, a dataset beside it, and the dataset alone say the same."""
    cases = [
        compare(files / "dns.h5", [files / "leith.h5"]),
        compare(files / "dns.h5", [files / "leith.h5"], dataset=files / "samples.h5"),
        compare(files / "samples.h5", [files / "leith.h5"]),
    ]
    flows, exact = exact_samples(files)
    pi = [COARSE.to_physical(evaluate(Leith(0.5), COARSE, hat)) for hat in flows]
    c = metrics.correlation(pi, [COARSE.to_physical(hat) for hat in exact])
    for result in cases:
        assert result.a_priori["leith"]["correlation"] == pytest.approx(c.mean())
        assert result.a_priori["leith"]["correlation_spread"] == pytest.approx(c.std())
        assert result.a_priori["leith"]["enstrophy_transfer"] < 0
        assert result.a_priori["exact"] == pytest.approx(cases[0].a_priori["exact"])
    few = compare(files / "dns.h5", [files / "leith.h5"], samples=2).a_priori
    assert few["exact"]["samples"] == 2
    assert few["leith"]["correlation"] == pytest.approx(c[[0, -1]].mean())


def test_closures_that_cannot_be_had_are_noted(files, tmp_path):
    for name, case in (("script", ""), ("moved", CASE.replace('"leith"', '"none.py:Mine"'))):
        shutil.copy(files / "leith.h5", tmp_path / f"{name}.h5")
        with h5py.File(tmp_path / f"{name}.h5", "r+") as file:
            file.attrs["case"] = case
    result = compare(files / "dns.h5", [tmp_path / "script.h5", tmp_path / "moved.h5"])
    assert "script: no a priori metrics of Leith" in result.notes[0]
    assert "the run was not made from a case file" in result.notes[0]
    assert "moved: no a priori metrics of Leith" in result.notes[1]
    assert "none.py:Mine is not run on the word of a data file" in result.notes[1]
    assert not result.a_priori


def test_a_case_without_a_closure(files):
    assert closure_from_case(CASE.replace('"leith"\ncoefficient = 0.5', '"none"'), COARSE) is None


# ------------------------------------------------------------------------------ what is written ---


@pytest.fixture(scope="module")
def result(files):
    simulations = [files / "perfect.h5", files / "leith.h5"]
    return compare(files / "dns.h5", simulations, names=["no closure", "Leith"])


def test_tables(result, tmp_path):
    tables.write(result, tmp_path / "new" / "folder")
    with (tmp_path / "new" / "folder" / "table.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["reference", "halves", "no closure", "Leith", "exact"]
    assert float(rows["Leith"]["wasserstein"]) == result.online["Leith"]["wasserstein"]
    assert float(rows["Leith"]["correlation"]) == result.a_priori["Leith"]["correlation"]
    assert rows["no closure"]["correlation"] == ""
    values = json.loads((tmp_path / "new" / "folder" / "table.json").read_text())
    assert (values["filter"], values["filter_ratio"], values["nx"]) == ("gaussian", 2.0, 24)
    assert values["a_priori"]["exact"] == result.a_priori["exact"]
    assert values["a_posteriori"]["no closure"]["stability_time"] is None
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="taken cannot be written: File exists"):
        tables.write(result, tmp_path / "taken")


def test_the_tables_in_a_log_are_plain(result):
    stream = io.StringIO()
    tables.show(result, stream)
    said = stream.getvalue()
    assert said.isascii()
    assert "reference filtered by Gaussian(ratio=2); 9 records, t = 0 .. 0.4" in said
    (line,) = (line for line in said.splitlines() if line.lstrip().startswith("stability time"))
    assert line.split() == ["stability", "time", ">", "0.4", "0", "time"]
    (line,) = (line for line in said.splitlines() if line.lstrip().startswith("correlation c"))
    assert line.split()[-1] == f"{result.a_priori['Leith']['correlation']:.3f}"


def test_a_narrow_terminal_gets_several_tables(result, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    stream.isatty = lambda: True
    tables.show(result, stream)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= 60
    assert sum("a posteriori" in line for line in lines) == 2
    assert sum("Leith" in line for line in lines) == 2, "once of each kind"


def test_figures_show_every_flow(result, tmp_path):
    paths = draw(result, tmp_path)
    assert sorted(path.name for path in paths) == sorted(
        f"{name}.png" for name in ("spectra", "pdf", "fields", "series", "transfers")
    )
    blue, orange, black = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0, 0, 0)
    for path in paths:
        pixels = np.round(255 * image.imread(path)[..., :3]).astype(int).reshape(-1, 3)
        if path.name == "fields.png":
            assert len(np.unique(pixels, axis=0)) > 200
            continue
        expected = [orange, black] if path.name == "transfers.png" else [blue, orange, black]
        for colour in expected:
            assert (pixels == colour).all(axis=1).sum() > 20, (path.name, colour)


def test_the_command(files, tmp_path):
    done = pytbl(
        "compare", files / "dns.h5", files / "perfect.h5", files / "leith.h5", "--names", "a,b",
        "--from", 0.1, "--filter", "gaussian", "--ratio", 2, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "7 records, t = 0.1 .. 0.4" in done.stdout
    assert "a priori, 7 samples" in done.stdout
    assert len(list((tmp_path / "out").glob("*.png"))) == 5
    assert json.loads((tmp_path / "out" / "table.json").read_text())["a_priori"]["b"]


# --------------------------------------------------------------------------------- bad input ---


@pytest.fixture(scope="module")
def bad(files, tmp_path_factory):
    """Files that do not fit, by name."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.h5").write_text("no")
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["data"] = np.zeros(3)
    for name, other in (
        ("long", grid(24, 18, "3/2", ly=6.0)),
        ("large", grid(64, 48, "3/2")),
        ("rest", FINE),
    ):
        sim = Solver(other, FLOW, dt=0.01)
        if name != "rest":
            sim.set_vorticity(initial.random_spectrum(other, k_peak=4, rng=1))
        sim.run(until=0.02, outputs=[Output(folder / f"{name}.h5", every=0.01)])
    return folder


@pytest.mark.parametrize(
    ("reference", "simulations", "options", "message"),
    [
        ("none.h5", ["leith.h5"], {}, "none.h5 cannot be read: .*No such file"),
        ("text.h5", ["leith.h5"], {}, "text.h5 cannot be read: .*file signature not found"),
        ("dns.h5", ["foreign.h5"], {}, "foreign.h5 is not an output or a dataset .* attribute nx"),
        ("dns.h5", ["samples.h5"], {}, "samples.h5 is not an output .* variable energy_spectrum"),
        ("dns.h5", ["long.h5"], {}, "dns.h5 cannot be filtered: .* domain of the fine one, 6.28"),
        ("dns.h5", ["large.h5"], {}, "must carry no modes that the fine one lacks: .* got 31 x 23"),
        ("samples.h5", ["long.h5"], {}, "on the grid of the simulations: expected ly = 6.0, got"),
        ("samples.h5", ["large.h5"], {}, "on the grid of the sim.*: expected nx = 64, got 24"),
        ("dns.h5", ["leith.h5", "wide.h5"], {}, "on one grid: dealias is 3/2 in .* and 2/3 in"),
        ("dns.h5", ["leith.h5"], {"start": 0.4}, "dns.h5 holds too few records from t = 0.4: exp"),
        (
            "dns.h5",
            ["leith.h5"],
            {"start": 1.0, "reference_start": 0.0},
            r"leith.h5 holds .* from t = 1: expected at least 2, got 0 \(.* 0.4\)",
        ),
        ("samples.h5", ["wide.h5"], {}, "on the grid of the sim.*: expected dealias = 2/3, got 3/"),
        ("dns.h5", ["leith.h5"], {"dataset": "leith.h5"}, "leith.h5 is not a dataset of samples"),
        ("dns.h5", ["perfect.h5"], {"dataset": "dns.h5"}, "dns.h5 is not a dataset of samples"),
        ("rest.h5", ["leith.h5"], {}, "the reference is at rest"),
        ("dns.h5", ["leith.h5"], {"names": "ab"}, "names must be as many as simulations, 1, got 2"),
        ("dns.h5", ["leith.h5"] * 2, {}, "names must differ"),
        ("dns.h5", ["leith.h5"], {"names": ["exact"]}, "names must differ, also from 'reference'"),
        ("dns.h5", ["leith.h5"], {"filter": "boxx"}, "unknown filter 'boxx'"),
        ("dns.h5", ["leith.h5"], {"k_min": 50.0}, "no shell with energy lies in 50 <= k <= 11"),
        ("dns.h5", ["leith.h5"], {"samples": 0}, "samples must be >= 1, got 0"),
        ("dns.h5", ["leith.h5"], {"closures": {"x": None}}, "of simulations compared, got 'x'"),
        ("dns.h5", [], {}, "at least one simulation, got none"),
    ],
)
def test_mistakes(files, bad, reference, simulations, options, message):
    def find(name):
        return bad / name if (bad / name).exists() else files / name

    if "dataset" in options:
        options = {"dataset": files / options["dataset"]}
    with pytest.raises(InputError, match=message) as error:
        compare(find(reference), [find(name) for name in simulations], **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["text.h5", "large.h5"])
def test_mistakes_are_one_line_and_status_2(files, bad, tmp_path, name):
    done = pytbl("compare", files / "dns.h5", bad / name, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("pytbl: ")
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
    assert not (tmp_path / "out").exists()


def test_files_of_one_name_are_told_apart_by_their_folders(files, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        shutil.copy(files / "perfect.h5", tmp_path / name / "les.h5")
    result = compare(files / "dns.h5", [tmp_path / name / "les.h5" for name in "ab"])
    assert [flow.name for flow in result.simulations] == ["a/les", "b/les"]


def test_records_are_read_one_by_one(files):
    run = Run(files / "dns.h5")
    assert "energy" in run
    assert "pi" not in run
    one, other = run.each("omega", [1, 4])
    assert np.array_equal(run.read("omega", [1, 4]), [one, other])


def test_a_data_file_cannot_have_a_python_file_run(tmp_path):
    (tmp_path / "own.py").write_text("raise SystemExit('this was run')")
    case = f"""
        grid = {{ nx = 24, ny = 18 }}
        time = {{ until = 1.0, dt = 0.1 }}
        initial = {{ kind = "taylor_green" }}
        closure = {{ kind = "{tmp_path / "own.py"}:Own" }}
    """
    with pytest.raises(InputError, match="own.py:Own is not run on the word of a data file"):
        closure_from_case(case, Grid(24, 18, reproducible=True))
