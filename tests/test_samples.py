"""Samples: reading, independence, and splits that leak nothing."""

import itertools
import math

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_dataset import STORED, command, dataset
from test_output import read, started
from test_statistics import MEAN_REMOVED, markov

from pytbl import Grid
from pytbl.dataset_file import layout, write_samples
from pytbl.errors import InputError
from pytbl.filters import Box, Gaussian
from pytbl.samples import Samples, separate_runs, split
from pytbl.statistics import anomaly_gram, time_correlation

NX, NY = 16, 12
NAMES = ("omega", "psi", "pi")


def synthetic(path, times, *, memory=0.0, seed=0, filter=None, nx=NX, **attributes):
    """A dataset of Markov series of fields with unit variance at every point."""
    grid = Grid(nx, NY, ly=3 * np.pi, dealias="3/2", reproducible=True)
    shape = (len(times), NY, nx)
    fields = {
        name: markov(len(times), memory, points=NY * nx, seed=7 * seed + i).reshape(shape)
        for i, name in enumerate(NAMES)
    }
    attributes = {"case": "", "dns_viscosity": 1e-3} | attributes
    whole = layout(
        grid, filter or Gaussian(2.0), include=(), dtype="float64", attributes=attributes
    )
    times = np.asarray(times, float)
    middle = len(times) // 2
    write_samples(
        path,
        whole,
        (
            (times[part], {name: field[part] for name, field in fields.items()})
            for part in (slice(0, middle), slice(middle, None))
        ),
    )
    return fields


# ------------------------------------------------------------------------------------- reading ---


def test_fields_are_read_where_they_are_asked_for(tmp_path):
    one = synthetic(tmp_path / "a.h5", np.arange(6.0), seed=1)
    two = synthetic(tmp_path / "b.h5", np.arange(4.0), seed=2)
    samples = Samples([tmp_path / "a.h5", tmp_path / "b.h5"])
    whole = {name: np.concatenate([one[name], two[name]]) for name in NAMES}
    assert len(samples) == 10
    assert (samples.nx, samples.ny, samples.names) == (NX, NY, list(NAMES))
    assert samples.filter == Gaussian(2.0)
    assert samples.sign.startswith("pi is added to the right-hand side")
    assert samples.grid.kx_max == NX // 2 - 1
    np.testing.assert_array_equal(samples.times, [*range(6), *range(4)])
    for chosen in (slice(None), slice(3, 8), [7, 0, 5, 7], np.array([9]), [], slice(4, 4)):
        found, expected = (
            samples.read("pi", chosen),
            whole["pi"][chosen or slice(0)] if isinstance(chosen, list) else whole["pi"][chosen],
        )
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(samples.read("psi", 8), whole["psi"][8])
    np.testing.assert_array_equal(
        samples.read("psi", [8, 1], rows=slice(2, 5)), whole["psi"][[8, 1], 2:5]
    )
    view = samples[[8, 2, 6]][1:]
    np.testing.assert_array_equal(view.where, [[0, 2], [1, 0]])
    np.testing.assert_array_equal(view.read("omega"), whole["omega"][[2, 6]])
    assert [path.name for path in samples[7:].paths] == ["b.h5"]
    for part, fields in ((samples, whole["pi"]), (view, whole["pi"][[2, 6]])):
        assert part.moments("pi") == pytest.approx((fields.mean(), fields.std()), abs=1e-12)
    assert len(samples[[]]) == 0
    with pytest.raises(IndexError):
        samples.read("pi", 10)


def test_files_that_do_not_go_together(tmp_path):
    synthetic(tmp_path / "a.h5", np.arange(3.0))
    synthetic(tmp_path / "box.h5", np.arange(3.0), filter=Box(2.0))
    synthetic(tmp_path / "wide.h5", np.arange(3.0), filter=Gaussian(3.0))
    synthetic(tmp_path / "fine.h5", np.arange(3.0), nx=24)
    synthetic(tmp_path / "sign.h5", np.arange(3.0), pi_sign="subtracted")
    for name, message in (
        ("box", r"filter is gaussian in \S+a.h5 and box in \S+box.h5"),
        ("wide", r"filter_ratio is 2.0 in \S+a.h5 and 3.0 in \S+wide.h5"),
        ("fine", r"nx is 16 in \S+a.h5 and 24 in \S+fine.h5"),
        ("sign", r"pi_sign is pi is added .* in \S+a.h5 and subtracted in \S+sign.h5"),
    ):
        with pytest.raises(InputError, match=message):
            Samples([tmp_path / "a.h5", tmp_path / f"{name}.h5"])


def test_files_that_are_no_datasets(tmp_path):
    (tmp_path / "text.h5").write_text("text")
    h5py.File(tmp_path / "empty.h5", "w").close()
    synthetic(tmp_path / "a.h5", np.arange(3.0))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs["complete"] = 0
    for name, message in (
        ("text", "text.h5 cannot be read: .*file signature not found"),
        ("none", "none.h5 cannot be read: No such file"),
        ("empty", "empty.h5 is not a dataset of pytbl"),
        ("a", "a.h5 is of a run that has not reached its end"),
    ):
        with pytest.raises(InputError, match=message):
            Samples(tmp_path / f"{name}.h5")
    assert len(Samples(tmp_path / "a.h5", incomplete=True)) == 3
    with pytest.raises(InputError, match="at least one dataset"):
        Samples([])
    with pytest.raises(InputError, match="no field 'tau_xx': expected one of omega, psi, pi"):
        Samples(tmp_path / "a.h5", incomplete=True).read("tau_xx")


def test_a_view_is_saved_as_a_dataset(tmp_path):
    sim = started()
    sim.run(until=0.03, outputs=[dataset(tmp_path / "data.h5", include=["flux"], dtype="float32")])
    view = Samples(tmp_path / "data.h5")[2:6]
    view.save(tmp_path / "part.h5")
    part, whole = read(tmp_path / "part.h5"), read(tmp_path / "data.h5")
    for name in ("omega", "pi", "sigma_x", "time"):
        np.testing.assert_array_equal(part[name], whole[name][2:6])
    scale = float(part.pi.std())
    assert part.pi.attrs["standard_deviation"] == pytest.approx(scale, rel=10 * STORED)
    assert part.pi.attrs["effective_samples"] == pytest.approx(view.effective("pi"))
    same = [n for n in whole.attrs if n not in ("history",)]
    assert {n: part.attrs[n] for n in same} == {n: whole.attrs[n] for n in same}
    again = Samples(tmp_path / "part.h5")
    assert again.names == view.names
    with pytest.raises(InputError, match="part.h5 exists"):
        view.save(tmp_path / "part.h5")
    with pytest.raises(InputError, match="samples of 2 runs cannot be saved in one file"):
        Samples([tmp_path / "part.h5", tmp_path / "data.h5"]).save(tmp_path / "both.h5")


# -------------------------------------------------------------------------------- independence ---


def test_effective_samples_of_a_markov_series(tmp_path, monkeypatch):
    memory, n = 0.8, 800
    synthetic(tmp_path / "a.h5", 0.25 * np.arange(n), memory=memory)
    # a series of 192 points scatters more than that of the statistics' own test
    tolerance = MEAN_REMOVED + 0.08
    samples = Samples(tmp_path / "a.h5")
    assert samples.effective("pi") == pytest.approx(n * (1 - memory) / (1 + memory), rel=tolerance)
    expected = -0.25 / math.log(memory)
    assert samples.decorrelation_time("pi") == pytest.approx(expected, rel=tolerance)
    assert read(tmp_path / "a.h5").pi.attrs["mean"] == pytest.approx(samples.moments("pi")[0])

    near, far = samples[:100], samples[::8]  # as many, in an eighth of the time and in all of it
    assert near.effective("pi") < 0.2 * far.effective("pi")
    assert far.effective("pi") == pytest.approx(100, rel=0.4)
    monkeypatch.setattr("pytbl.samples.reading._CORRELATED", 400)
    monkeypatch.setattr("pytbl.samples.reading._SLAB_BYTES", 400 * NX * 8 * 5)  # five rows
    thinned = Samples(tmp_path / "a.h5")
    run = np.arange(0, n, 2)
    gram = anomaly_gram([samples.read("pi", run)])
    np.testing.assert_allclose(
        thinned.correlation("pi"), time_correlation([(samples.times[run], gram)]), atol=1e-12
    )
    assert len(thinned.correlation("pi")[0]) == 400
    assert thinned.effective("pi") == pytest.approx(samples.effective("pi"), rel=0.1)


def test_runs_are_independent(tmp_path):
    for seed in (1, 2):
        synthetic(tmp_path / f"{seed}.h5", np.arange(300.0), memory=0.8, seed=seed)
    one, two = (Samples(tmp_path / f"{seed}.h5") for seed in (1, 2))
    both = Samples([tmp_path / "1.h5", tmp_path / "2.h5"])
    total = one.effective("omega") + two.effective("omega")
    assert both.effective("omega") == pytest.approx(total, rel=0.05)


# -------------------------------------------------------------------------------------- splits ---


class Series(Samples):
    """Times alone, with a decorrelation time that is known."""

    def __init__(self, times, slowest):
        self._times, self._slowest = np.asarray(times), slowest
        self.chosen = np.arange(len(times))

    def __repr__(self):
        return f"Series({len(self)})"

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, chosen):
        view = Series(self._times, self._slowest)
        view.chosen = self.chosen[chosen]
        return view

    @property
    def times(self):
        return self._times[self.chosen]

    def decorrelation_time(self, name):
        return self._slowest if name == "omega" else 0.5 * self._slowest


fractions = st.tuples(*[st.floats(0.05, 1)] * 3).map(lambda f: tuple(np.array(f) / sum(f)))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    steps=st.lists(st.floats(0.1, 1.0), min_size=2, max_size=300),
    start=st.floats(-100, 100),
    fractions=fractions,
    gap=st.floats(0, 5),
    slowest=st.floats(0.01, 5),
)
def test_a_split_leaks_nothing(steps, start, fractions, gap, slowest):
    times = start + np.cumsum(steps)
    span = times[-1] - times[0]
    needed = 2 * gap * slowest + max(slowest, np.diff(times).max()) / min(fractions)
    if span < needed * (1 - 1e-9):
        with pytest.raises(InputError, match="too short|at least 3 samples"):
            split(Series(times, slowest), fractions, gap=gap)
        return
    if span < needed * (1 + 1e-9):
        return  # which of the two is a matter of rounding
    parts = split(Series(times, slowest), fractions, gap=gap)
    blocks = [part.chosen for part in parts]
    for part, block in zip(parts, blocks, strict=True):
        assert len(block)
        np.testing.assert_array_equal(np.diff(block), 1)  # contiguous, in order
        assert part.times[0] <= part.times[-1]
    for before, after in itertools.pairwise(parts):
        assert before.chosen[-1] < after.chosen[0]
        assert after.times[0] - before.times[-1] >= gap * slowest - 1e-8 * span
    left = span - 2 * gap * slowest
    widest = np.diff(times).max()
    for part, fraction in zip(parts, fractions, strict=True):
        covered = part.times[-1] - part.times[0]
        assert fraction * left - 2 * widest <= covered + 1e-8 * span
        assert covered <= fraction * left + 1e-8 * span


def test_a_run_that_is_too_short_says_how_long_it_should_be():
    with pytest.raises(
        InputError,
        match="it spans 9.9, and with the decorrelation time 2 it would have to span 25.33",
    ):
        split(Series(0.1 * np.arange(100), 2.0), gap=3)
    assert len(split(Series(0.1 * np.arange(255), 2.0), gap=3).test)
    with pytest.raises(InputError, match="it would have to span inf"):
        split(Series(0.1 * np.arange(100), math.inf))


def test_parameters_of_a_split(tmp_path):
    series = Series(0.1 * np.arange(1000), 0.2)
    for bad in ((0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 0.0, 0.0)):
        with pytest.raises(InputError, match="fractions must be three numbers > 0 with the sum 1"):
            split(series, bad)
    with pytest.raises(InputError, match="gap must be a finite number >= 0, got -1"):
        split(series, gap=-1)
    for name in "ab":
        synthetic(tmp_path / f"{name}.h5", np.arange(9.0))
    with pytest.raises(InputError, match="in order of time, .* part several runs by separate_runs"):
        split(Samples([tmp_path / "a.h5", tmp_path / "b.h5"]))


def test_a_split_on_the_command_line(tmp_path):
    fields = synthetic(tmp_path / "data.h5", 0.5 * np.arange(200), memory=0.5)
    arguments = ("--fractions", 0.6, 0.2, 0.2, "--gap", 3, "--matlab")
    done = command("split", tmp_path / "data.h5", *arguments, "--out", tmp_path / "parts")
    assert done.returncode == 0, done.stderr
    parts = split(Samples(tmp_path / "data.h5"), (0.6, 0.2, 0.2), gap=3)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["part", "samples"]
    for line, (name, part) in zip(lines[1:], parts._asdict().items(), strict=True):
        assert line.split()[:2] == [name, str(len(part))]
        np.testing.assert_array_equal(
            read(tmp_path / "parts" / f"{name}.h5").pi, fields["pi"][part.where[:, 1]]
        )
    assert (tmp_path / "parts" / "FDNS PI_val.mat").exists()
    said = command("info", tmp_path / "parts" / "train.h5").stdout
    assert "filter = gaussian" in said
    assert "pi_sign = pi is added to the right-hand side: bar(N) - N_c" in said
    assert f"effective_samples {parts.train.effective('pi'):.5g}" in said
    short = command("split", tmp_path / "data.h5", "--gap", 99, "--out", tmp_path / "parts")
    assert short.returncode == 2
    assert "too short to be split" in short.stderr


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_split_is_written_whole_or_not_at_all(tmp_path):
    synthetic(tmp_path / "train.h5", 0.5 * np.arange(200), memory=0.5)
    before = contents_of(tmp_path)
    done = command("split", tmp_path / "train.h5", "--out", tmp_path, "--overwrite", "--matlab")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "train.h5 is the file that is read: name another file" in done.stderr
    assert contents_of(tmp_path) == before
    samples = Samples(tmp_path / "train.h5")
    with pytest.raises(InputError, match="train.h5 is the file that is read"):
        samples[:20].save(tmp_path / "train.h5", overwrite=True)
    parts = split(samples)
    for taken in ("test.h5", "FDNS PI_val.mat"):
        folder = tmp_path / taken.replace(".", " ")
        folder.mkdir()
        (folder / taken).write_text("an earlier file")
        with pytest.raises(InputError, match=f"{taken} exists: name another"):
            parts.save(folder, matlab=True)
        assert len(list(folder.iterdir())) == 1
    written = parts.save(folder, matlab=True, overwrite=True)
    assert sorted(written) == sorted(folder.iterdir())
    assert len(written) == 9
    assert contents_of(folder)[taken] != b"an earlier file"
    both = Samples.joined([samples, Samples(folder / "test.h5")])
    with pytest.raises(InputError, match="samples of 2 runs cannot be saved in one file"):
        parts._replace(test=both).save(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file cannot be made: File exists"):
        parts.save(tmp_path / "file")


# ------------------------------------------------------------------------------- separate runs ---

CASE = '[initial]\nkind = "mcwilliams"\nrng = {seed}\n[time]\nuntil = {until}\n'


def test_separate_runs(tmp_path):
    for seed in (1, 2, 3, 4):
        case = CASE.format(seed=seed, until=3)
        synthetic(tmp_path / f"{seed}.h5", np.arange(4.0), seed=seed, case=case)
    paths = [tmp_path / f"{seed}.h5" for seed in (1, 2, 3, 4)]
    parts = separate_runs(train=paths[:2], validation=paths[2:3], test=[Samples(paths[3])[1:]])
    assert [len(part) for part in parts] == [8, 4, 3]
    np.testing.assert_array_equal(parts.test.read("pi"), Samples(paths[3]).read("pi", slice(1, 4)))
    np.testing.assert_array_equal(parts.train.where[:, 0], [0] * 4 + [1] * 4)
    with pytest.raises(InputError, match="test needs at least one dataset"):
        separate_runs(train=paths[:1], validation=paths[1:2], test=[])
    synthetic(tmp_path / "box.h5", np.arange(4.0), seed=9, filter=Box(2.0))
    with pytest.raises(InputError, match="filter is gaussian in .* and box in"):
        separate_runs(train=[paths[0], tmp_path / "box.h5"], validation=paths[1], test=paths[2])


def test_a_run_must_not_appear_twice(tmp_path):
    """By its case file, apart from what it writes; without one, by its fields."""
    one, two, three, later, longer, same, twin = (
        tmp_path / f"{name}.h5"
        for name in ("one", "two", "three", "later", "longer", "same", "twin")
    )
    case = CASE.format(seed=1, until=5)
    synthetic(one, np.arange(5.0), seed=1, case=case)
    synthetic(two, np.arange(5.0), seed=2, case=CASE.format(seed=2, until=5))
    synthetic(three, np.arange(5.0), seed=3)
    synthetic(later, 9 + np.arange(5.0), seed=4, case=case)
    synthetic(longer, 3.5 + np.arange(5.0), seed=5, case=CASE.format(seed=1, until=9))
    synthetic(same, np.arange(5.0), seed=3)  # the same fields
    synthetic(twin, np.arange(5.0), seed=6)  # the same parameters, another start
    separate_runs(train=one, validation=two, test=later)
    separate_runs(train=one, validation=three, test=twin)
    for parts in (
        dict(train=one, validation=two, test=longer),
        dict(train=[one, longer], validation=two, test=three),
        dict(train=one, validation=three, test=same),
        dict(train=one, validation=one, test=two),
    ):
        with pytest.raises(InputError, match="are of the same run at overlapping times"):
            separate_runs(**parts)


@pytest.mark.parametrize("grid", ["threads = 2", "reproducible = true", 'dtype = "float32"'])
def test_the_same_flow_computed_otherwise_is_the_same_run(tmp_path, grid):
    """In another precision it is another one before long."""
    case = CASE.format(seed=1, until=5)
    synthetic(tmp_path / "one.h5", np.arange(5.0), seed=1, case="[grid]\nnx = 64\n" + case)
    other = f"[grid]\nnx = 64\n{grid}\n" + case
    synthetic(tmp_path / "two.h5", np.arange(5.0), seed=2, case=other)
    synthetic(tmp_path / "three.h5", np.arange(5.0), seed=3, case=CASE.format(seed=2, until=5))
    parts = {name: tmp_path / f"{name}.h5" for name in ("one", "two", "three")}
    named = dict(zip(("train", "validation", "test"), parts.values(), strict=True))
    if "dtype" in grid:
        assert len(separate_runs(**named).train) == 5
        return
    with pytest.raises(InputError, match="are of the same run at overlapping times"):
        separate_runs(**named)


def test_parts_of_one_run_must_be_far_apart(tmp_path):
    case = CASE.format(seed=1, until=100)
    synthetic(tmp_path / "run.h5", 0.5 * np.arange(400), memory=0.8, case=case)
    samples = Samples(tmp_path / "run.h5")
    slowest = max(samples.decorrelation_time(name) for name in ("omega", "pi"))
    for gap in (0, 1.5):
        parts = split(samples, (0.4, 0.3, 0.3), gap=gap)
        assert separate_runs(**parts._asdict(), gap=gap).test.times[-1] == 199.5
        match = f"are of the same run, .* apart: .* 3 decorrelation times, {3 * slowest:.4g}"
        with pytest.raises(InputError, match=match):
            separate_runs(**parts._asdict())
    with pytest.raises(InputError, match="gap must be a finite number >= 0, got -1"):
        separate_runs(**parts._asdict(), gap=-1)
    # pieces of one part may touch
    halves = [samples[:100], samples[100:200]]
    other = dict(validation=samples[250:300], test=samples[350:])
    assert len(separate_runs(train=halves, **other).train) == 200
    # what a split has written knows how slow the whole run is
    parts = split(samples, (0.4, 0.3, 0.3))
    paths = parts.save(tmp_path / "parts")
    named = dict(zip(parts._fields, paths, strict=True))
    separate_runs(**named)
    for path in paths:
        part = Samples(path)
        for name in ("omega", "pi"):
            whole = samples.decorrelation_time(name)
            assert part.stated_decorrelation_time(name) == pytest.approx(whole)
            assert part.decorrelation_time(name) != pytest.approx(whole)
    with h5py.File(named["train"], "r+") as file:  # the longest of them knows it best
        file["pi"].attrs["decorrelation_time"] = 1.1 * slowest
    with pytest.raises(InputError, match=f"3 decorrelation times, {3.3 * slowest:.4g}"):
        separate_runs(**named)


def test_runs_without_a_case_that_touch(tmp_path):
    """They are parts of one if they are alike where they touch."""
    fields = synthetic(tmp_path / "run.h5", 0.1 * np.arange(80), memory=0.99)
    samples = Samples(tmp_path / "run.h5")
    synthetic(tmp_path / "other.h5", 4.0 + 0.1 * np.arange(40), memory=0.99, seed=5)
    synthetic(tmp_path / "third.h5", 100 + 0.1 * np.arange(40), memory=0.99, seed=6)
    assert len(fields["omega"]) == 80
    with pytest.raises(InputError, match="are of the same run, 0.1 apart"):
        separate_runs(train=samples[:40], validation=samples[40:], test=tmp_path / "third.h5")
    parts = dict(validation=tmp_path / "other.h5", test=tmp_path / "third.h5")
    assert len(separate_runs(train=samples[:40], **parts).train) == 40
