"""Datasets: a running flow against the same filtered afterwards, appending, damage, parallel."""

import os
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest
import xarray
from ranks import mpirun
from test_case import TEXT
from test_output import cut_short, make, read, started
from tolerances import ROUNDING, ROUNDING_RUN

from pytbl import Checkpoint, Dataset, Grid, Output, checkpoint, initial
from pytbl.case import Case
from pytbl.dataset_file import PI_SIGN
from pytbl.errors import BlowUp, InputError
from pytbl.filters import Box, Gaussian, SharpSquare
from pytbl.samples import Samples
from pytbl.stored import filter_stored
from pytbl.subgrid import SubgridTerms

#: Relative error of a field stored in float32.
STORED = 2e-7


def dataset(path, **changes):
    arguments = dict(every=0.005, coarse=16, filter=Gaussian(2.0), dtype="float64") | changes
    return Dataset(path, **arguments)


def written(folder, **changes):
    """A short run's dataset, and the solver at its end."""
    sim = started()
    sim.run(until=0.02, outputs=[dataset(folder / "data.h5", **changes)])
    return sim, folder / "data.h5"


def coarse_grid(path):
    with h5py.File(path) as file:
        return Grid(*(int(file.attrs[n]) for n in ("nx", "ny")), ly=file.attrs["ly"], dealias="3/2")


# ------------------------------------------------------------------------------------ contents ---


@pytest.mark.parametrize("filter", [Gaussian(2.0), Box(1.5), SharpSquare(2.0)])
def test_a_sample_is_what_the_terms_give_afterwards(tmp_path, filter):
    sim, path = written(tmp_path, filter=filter, include=("stress", "flux"))
    coarse = coarse_grid(path)
    terms = SubgridTerms(sim.grid, coarse, filter)
    hats = dict(
        omega=terms.coarsen(sim.omega_hat),
        psi=terms.coarsen(sim.omega_hat * sim.grid.inverse_k2),
        pi=terms.source(sim.omega_hat),
    )
    hats |= zip(("tau_xx", "tau_xy", "tau_yy"), terms.stress(sim.omega_hat), strict=True)
    hats |= zip(("sigma_x", "sigma_y"), terms.vorticity_flux(sim.omega_hat), strict=True)
    data = read(path)
    for name, hat in hats.items():
        exact = coarse.to_physical(hat)
        scale = np.abs(exact).max()
        assert scale > 0
        np.testing.assert_allclose(data[name][-1], exact, atol=100 * ROUNDING * scale, err_msg=name)


def test_the_fields_of_a_file_obey_their_identities(tmp_path):
    _, path = written(tmp_path, include=("stress", "flux"), dtype="float32")
    grid, data = coarse_grid(path), read(path)
    assert data.omega.dtype == np.float32
    hat = {
        name: grid.to_spectral(data[name][-1]) for name in data.data_vars if "y" in data[name].dims
    }
    kx, ky = grid.kx, grid.ky
    vorticity = grid.k2 * hat["psi"]
    stress = -kx * ky * (hat["tau_xx"] - hat["tau_yy"]) + (kx**2 - ky**2) * hat["tau_xy"]
    flux = -1j * (kx * hat["sigma_x"] + ky * hat["sigma_y"])
    k2_max = grid.k2.max()
    for found, exact, derived in (
        (vorticity, hat["omega"], hat["psi"]),
        (stress, hat["pi"], hat["tau_xx"]),
        (flux, hat["pi"], hat["sigma_x"]),
    ):
        error = 10 * STORED * k2_max * np.abs(derived).max()
        assert error < 1e-2 * np.abs(exact).max()
        np.testing.assert_allclose(found, exact, atol=error)


def test_xarray_sees_axes_units_and_what_was_done(tmp_path):
    sim, path = written(tmp_path, include="stress")
    data = read(path)
    assert set(data.data_vars) > {"omega", "psi", "pi", "tau_xx", "tau_xy", "tau_yy"}
    assert "sigma_x" not in data
    assert data.pi.dims == ("time", "y", "x")
    assert data.pi.shape == (5, 12, 16)
    np.testing.assert_allclose(data.time, 0.005 * np.arange(5), atol=1e-12)
    np.testing.assert_allclose(data.y, 3 * np.pi / 12 * np.arange(12))
    for name in [*data.data_vars, *data.coords]:
        assert data[name].attrs["units"], name
        assert data[name].attrs["long_name"], name
    expected = dict(nx=16, ny=12, dealias="3/2", dns_nx=48, dns_ny=36, dns_viscosity=1e-3)
    expected |= dict(filter="gaussian", filter_ratio=2.0, pi_sign=PI_SIGN, include="stress")
    expected |= dict(dns_forcing="Deterministic(mx=2, ny=0)", complete=1, Conventions="CF-1.11")
    assert {name: data.attrs[name] for name in expected} == expected
    assert data.attrs["filter_width_y"] == pytest.approx(2 * 3 * np.pi / 12)
    assert data.attrs["lx"] == sim.grid.lx


def test_a_coarse_field_can_start_a_run(tmp_path):
    _, path = written(tmp_path)
    grid = coarse_grid(path)
    np.testing.assert_allclose(initial.from_file(grid, path), read(path).omega[-1], atol=1e-11)


def check_moments(path):
    data = read(path)
    for name in ("omega", "psi", "pi", "tau_xx"):
        scale = float(data[name].std())
        assert data[name].attrs["mean"] == pytest.approx(float(data[name].mean()), abs=1e-9 * scale)
        assert data[name].attrs["standard_deviation"] == pytest.approx(scale, rel=1e-9)


def test_moments_follow_every_sample(tmp_path):
    sim = started()
    output = dataset(tmp_path / "data.h5", include=["stress"])
    output.open(sim)
    for _ in range(3):
        output.write(sim)
        check_moments(tmp_path / "data.h5")
        assert read(tmp_path / "data.h5").attrs["complete"] == 0
        sim.step(20)
    again = make()
    again.set_vorticity(sim.omega)
    again.t, again.steps = 0.03, 30  # in the middle of what was written
    dataset(tmp_path / "data.h5", include=["stress"]).open(again)
    assert len(read(tmp_path / "data.h5").time) == 2
    check_moments(tmp_path / "data.h5")


def test_several_datasets_share_the_work_of_a_step(tmp_path, monkeypatch):
    sim = started()
    calls = []
    whole = sim.grid.nonlinear_term
    monkeypatch.setattr(sim.grid, "nonlinear_term", lambda hat: calls.append(1) or whole(hat))
    variants = {
        "a": dict(),
        "b": dict(filter=Box(2.0)),
        "c": dict(coarse=(24, 12), every=0.01),
    }
    sim.run(until=0.01, outputs=[dataset(tmp_path / f"{n}.h5", **v) for n, v in variants.items()])
    assert len(calls) == 3  # at t = 0, 0.005 and 0.01
    assert [len(read(tmp_path / f"{name}.h5").time) for name in variants] == [3, 3, 2]
    assert read(tmp_path / "c.h5").pi.shape == (2, 12, 24)
    alone = started()
    alone.run(until=0.01)
    np.testing.assert_array_equal(alone.omega_hat, sim.omega_hat)  # watching changes nothing


def test_samples_begin_when_the_flow_has_spun_up(tmp_path):
    _, path = written(tmp_path, start=0.012)
    np.testing.assert_allclose(Samples(path).times, [0.012, 0.015, 0.02], atol=1e-12)
    (tmp_path / "none").mkdir()
    _, path = written(tmp_path / "none", start=9)  # a run that ends before
    assert len(Samples(path)) == 0


# ------------------------------------------------------------------------------------ refusals ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(filter="gaussian"), "filter must be one of pytbl.filters, got 'gaussian'"),
        (dict(include=("stress", "heat")), "include must be among stress, flux, got 'heat'"),
        (dict(dtype="int32"), "dtype must be float32 or float64, got int32"),
        (dict(every=-1), "every must be a finite number > 0"),
    ],
)
def test_bad_parameters(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        dataset(tmp_path / "data.h5", **changes)


@pytest.mark.parametrize(
    ("coarse", "message"),
    [
        (20, "coarse = 20 points along x, in proportion to 48 x 36, would be 15 along y"),
        (18, "would be 13.5 along y: expected an even integer"),
        (64, "must carry no modes that the fine one lacks: .* got 31 x 23"),
        ((22, 12), r"coarse = \(22, 12\): nx must be an even integer"),
        (4, "coarse = 4.* would be 3 along y"),
    ],
)
def test_grids_that_do_not_fit(tmp_path, coarse, message):
    with pytest.raises(InputError, match=message):
        dataset(tmp_path / "data.h5", coarse=coarse).open(started())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(coarse=(24, 12)), "nx 16 in the file and 24 in the run"),
        (dict(filter=Box(2.0)), "filter gaussian in the file and box in the run"),
        (dict(filter=Gaussian(1.0)), "filter_ratio 2.0 in the file and 1.0 in the run"),
        (dict(include="flux"), "include nothing more in the file and flux in the run"),
        (dict(dtype="float32"), "dtype float64 in the file and float32 in the run"),
    ],
)
def test_other_samples_are_not_appended(tmp_path, changes, message):
    _, path = written(tmp_path)
    before = path.read_bytes()
    sim = started()
    sim.step()
    with pytest.raises(InputError, match=f"is of another run, and is left as it is: .*{message}"):
        dataset(path, **changes).open(sim)
    assert path.read_bytes() == before


def test_a_file_of_the_other_sign_or_flow_is_not_appended_to(tmp_path):
    _, path = written(tmp_path)
    other = started(viscosity=2e-3)
    other.step()
    with pytest.raises(InputError, match="dns_viscosity 0.001 in the file and 0.002 in the run"):
        dataset(path).open(other)
    with h5py.File(path, "r+") as file:
        file.attrs["pi_sign"] = "subtracted"
    sim = started()
    sim.step()
    with pytest.raises(InputError, match="pi_sign subtracted in the file and pi is added"):
        dataset(path).open(sim)
    with pytest.raises(InputError, match="exists: name another file"):
        dataset(path).open(started())
    sim.run(until=0.005, outputs=[Output(tmp_path / "run.h5", every=0.005)])
    with pytest.raises(InputError, match="of another run"):
        dataset(tmp_path / "run.h5").open(sim)


def test_a_sample_that_is_not_finite_is_refused(tmp_path):
    sim = started()
    output = dataset(tmp_path / "data.h5", dtype="float32")
    output.open(sim)
    output.write(sim)
    sim.set_spectral(sim.omega_hat * 1e30)  # finite in float64, and its square not in float32
    with pytest.raises(BlowUp, match="the sample at t = 0 is not finite, and is not written"):
        output.write(sim)
    assert len(read(tmp_path / "data.h5").time) == 1


# -------------------------------------------------------------------------- parallel and stored ---


@pytest.mark.mpi(nprocs=(1, 2, 3))
def test_the_same_file_on_any_number_of_ranks(comm, shared_tmp):
    variants = dict(include=("stress", "flux"))
    together = started(comm)
    together.run(until=0.01, outputs=[dataset(shared_tmp / "together.h5", **variants)])
    if comm.rank == 0:
        started().run(until=0.01, outputs=[dataset(shared_tmp / "alone.h5", **variants)])
        one, many = read(shared_tmp / "alone.h5"), read(shared_tmp / "together.h5")
        for name in ("omega", "psi", "pi", "tau_xx", "sigma_y"):
            assert np.array_equal(one[name], many[name]), name
        xarray.testing.assert_allclose(one, many, rtol=1e-12, atol=1e-14)
        for name in ("omega", "pi"):
            for note in ("standard_deviation", "decorrelation_time", "effective_samples"):
                assert many[name].attrs[note] == pytest.approx(one[name].attrs[note], rel=1e-9)
    comm.Barrier()


@pytest.mark.mpi(nprocs=(5,))
def test_ranks_without_modes(comm, shared_tmp):
    """Five ranks share the four columns of a coarse grid."""
    sim = started(comm, nx=24, ny=20)
    output = dataset(shared_tmp / "data.h5", coarse=(8, 10), include="flux")
    sim.run(until=0.01, outputs=[output])
    if comm.rank == 0:
        alone = started(nx=24, ny=20)
        alone.run(until=0.01, outputs=[dataset(shared_tmp / "alone.h5", coarse=(8, 10))])
        one, many = read(shared_tmp / "alone.h5"), read(shared_tmp / "data.h5")
        np.testing.assert_array_equal(one.pi, many.pi)
        assert many.pi.attrs["mean"] == pytest.approx(one.pi.attrs["mean"], abs=1e-12)
    comm.Barrier()


@pytest.mark.mpi(nprocs=(3,))
def test_errors_reach_all_ranks(comm, shared_tmp):
    with pytest.raises(InputError, match="cannot be written: No such file"):
        dataset(shared_tmp / "nowhere" / "data.h5").open(started(comm))
    with pytest.raises(InputError, match="carry no modes"):
        dataset(shared_tmp / "data.h5", coarse=64).open(started(comm))


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytbl", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_stored_fields_give_the_dataset_of_the_run(tmp_path):
    run, live, later = (tmp_path / name for name in ("run.h5", "live.h5", "later.h5"))
    started().run(
        until=0.02,
        outputs=[Output(run, every=0.005), dataset(live, include=["stress"])],
    )
    options = ("--coarse", 16, "--filter", "gaussian", "--ratio", 2, "--include", "stress")
    arguments = ("filter", run, *options, "--dtype", "float64", "--out", later)
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert "wrote 5 samples" in done.stderr
    one, two = read(live), read(later)
    xarray.testing.assert_allclose(one, two, rtol=ROUNDING_RUN, atol=ROUNDING_RUN)
    keep = [name for name in one.attrs if name not in ("history", "ranks")]
    assert {n: one.attrs[n] for n in keep} == {n: two.attrs[n] for n in keep}
    assert "exists: name another file" in command(*arguments).stderr
    parallel = tmp_path / "parallel.h5"
    done = mpirun(2, "-m", "pytbl", *map(str, arguments[:-1]), str(parallel))
    assert done.returncode == 0, done.stderr
    xarray.testing.assert_allclose(two, read(parallel), rtol=ROUNDING_RUN, atol=ROUNDING_RUN)


def test_an_output_is_not_replaced_by_its_own_samples(tmp_path):
    run = tmp_path / "run.h5"
    started().run(until=0.002, outputs=[Output(run, every=0.001)])
    (tmp_path / "symbolic.h5").symlink_to(run)
    (tmp_path / "hard.h5").hardlink_to(run)
    before = run.read_bytes()
    for name in ("run.h5", "symbolic.h5", "hard.h5"):
        out = tmp_path / name
        with pytest.raises(InputError, match=f"{name} is the file that is read: name another"):
            filter_stored(run, dataset(out, overwrite=True))
        assert run.read_bytes() == before
    done = command("filter", run, "--coarse", 16, "--out", run, "--overwrite")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert run.read_bytes() == before


def test_a_record_that_was_cut_short_is_no_sample(tmp_path):
    run = tmp_path / "run.h5"
    started().run(until=0.002, outputs=[Output(run, every=0.001)])
    cut_short(run)
    assert filter_stored(run, dataset(tmp_path / "data.h5")) == 3
    np.testing.assert_allclose(Samples(tmp_path / "data.h5").times, [0, 0.001, 0.002], atol=1e-12)
    with h5py.File(run, "r+") as file:  # some of its rows were written
        file["time"][-1] = 0.003
        file["omega"][-1, :20] = 1.0
    assert filter_stored(run, dataset(tmp_path / "again.h5")) == 3


@pytest.mark.parametrize("name", ["dtype", "scheme", "forcing", "closure", "case", "drag"])
def test_an_output_must_say_what_it_is_of(tmp_path, name):
    run = tmp_path / "run.h5"
    started().run(until=0.001, outputs=[Output(run, every=0.001)])
    with h5py.File(run, "r+") as file:
        del file.attrs[name]
    with pytest.raises(InputError, match=f"is not an output of pytbl .*: it has no {name}"):
        filter_stored(run, dataset(tmp_path / "data.h5"))
    assert not (tmp_path / "data.h5").exists()


@pytest.mark.mpi(nprocs=(2,))
def test_an_output_that_cannot_be_read_is_an_error_on_all_ranks(comm, shared_tmp):
    run = shared_tmp / "run.h5"
    started(comm).run(until=0.001, outputs=[Output(run, every=0.001)])
    if comm.rank == 0:
        with h5py.File(run, "r+") as file:
            del file.attrs["scheme"]
    comm.Barrier()
    with pytest.raises(InputError, match="it has no scheme"):
        filter_stored(run, dataset(shared_tmp / "data.h5"), comm=comm)
    for path in (run, shared_tmp / "none.h5"):
        with pytest.raises(InputError):
            filter_stored(path, dataset(run, overwrite=True), comm=comm)


def test_a_type_that_is_none(tmp_path):
    started().run(until=0.001, outputs=[Output(tmp_path / "run.h5", every=0.001)])
    arguments = ("--coarse", 16, "--out", tmp_path / "data.h5", "--dtype", "real")
    done = command("filter", tmp_path / "run.h5", *arguments)
    assert done.returncode == 2
    assert done.stderr == "pytbl: dtype must be float32 or float64, got real\n"


def test_stored_fields_that_are_not_there(tmp_path):
    started().run(until=0.001, outputs=[Output(tmp_path / "run.h5", every=1, fields=["psi"])])
    for name, message in (
        ("run.h5", "is not an output of pytbl with a vorticity: it has no omega"),
        ("nothing.h5", "cannot be read: No such file"),
    ):
        done = command("filter", tmp_path / name, "--coarse", 16, "--out", tmp_path / "data.h5")
        assert done.returncode == 2
        assert message in done.stderr


def test_datasets_of_a_case(tmp_path):
    table = '[[dataset]]\nfile = "{}.h5"\nevery = 0.01\ncoarse = {}\n'
    text = TEXT + table.format("a", 12) + table.format("b", "[8, 10]")
    text += 'filter = "box"\nratio = 1.5\ninclude = ["flux"]\ndtype = "float64"\n'
    sim, outputs = Case.parse(text).build(folder=tmp_path)
    sim.run(until=0.02, outputs=outputs)
    one, two = read(tmp_path / "a.h5"), read(tmp_path / "b.h5")
    assert (one.pi.shape, one.pi.dtype, one.attrs["filter"]) == ((3, 10, 12), "f4", "gaussian")
    assert (two.pi.shape, two.pi.dtype, two.attrs["filter"]) == ((3, 10, 8), "f8", "box")
    assert two.attrs["filter_ratio"] == 1.5
    assert "sigma_x" in two
    assert Case.parse(one.attrs["case"]) == Case.parse(text)
    single = Case.parse(TEXT + table.format("a", 12).replace("[[dataset]]", "[dataset]"))
    assert [d.file for d in single.dataset] == ["a.h5"]
    for bad, message in (
        ("coarsen = 12", r"unknown \[dataset\] key 'coarsen' \(did you mean 'coarse'"),
        ('dtype = "float16"', r"\[dataset\] dtype: "),
    ):
        with pytest.raises(InputError, match=message):
            Case.parse(TEXT + table.format("a", 12) + bad)
    with pytest.raises(InputError, match="unknown filter 'hat': expected one of gaussian, box"):
        Case.parse(TEXT + table.format("a", 12) + 'filter = "hat"').build(folder=tmp_path)


# -------------------------------------------------------------------------------------- damage ---

RUN = """
    import os, resource, signal, sys
    sys.path[:0] = {path!r}
    from test_dataset import *
    from pytbl import records
    whole = records.write_rows
    def dying(*arguments):
        if {within} and sim.steps == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        whole(*arguments)
    records.write_rows = dying
    class Killer:
        def due(self, t, step):
            if step == 23:
                os.kill(os.getpid(), signal.SIGKILL)
    sim = started()
    sim.run(until=1, outputs=interrupted({folder!r}) + [Killer()])
"""


def interrupted(folder):
    """Outputs of a run that is killed and goes on."""
    return [
        dataset(os.path.join(folder, "data.h5"), include=["stress"]),
        Checkpoint(os.path.join(folder, "checkpoint"), every=0.012),
    ]


@pytest.mark.parametrize("within", [False, True], ids=["between samples", "within a sample"])
def test_a_killed_run_goes_on(tmp_path, within):
    path = tmp_path / "data.h5"
    script = RUN.format(path=[p for p in sys.path if p], within=within, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -9
    with pytest.raises(InputError, match="is of a run that has not reached its end"):
        Samples(path)
    early = Samples(path, incomplete=True)
    np.testing.assert_allclose(early.times, 0.005 * np.arange(4 if within else 5), atol=1e-12)
    assert np.isfinite(early.read("pi")).all()

    sim = make()
    checkpoint.load(tmp_path / "checkpoint", sim)
    assert sim.t == pytest.approx(0.012)
    outputs = interrupted(str(tmp_path))
    outputs[0].open(sim)
    with h5py.File(path) as file:
        assert (file.attrs["complete"], len(file["time"])) == (0, 3)
    sim.run(until=0.04, outputs=outputs)

    started().run(until=0.04, outputs=[dataset(tmp_path / "whole.h5", include=["stress"])])
    resumed, one = read(path), read(tmp_path / "whole.h5")
    assert resumed.attrs["complete"] == 1
    for data in (resumed, one):
        del data.attrs["history"]
    xarray.testing.assert_identical(resumed, one)


FULL = """
    import os, resource, sys
    sys.path[:0] = {path!r}
    from test_dataset import *
    sim = started()
    output = dataset({file!r})
    output.open(sim)
    while True:
        output.write(sim)
        sim.step()
        if sim.steps == 3:
            size = os.path.getsize({file!r}) + 1000
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
"""


def test_a_full_disk_leaves_the_earlier_samples(tmp_path):
    path = tmp_path / "data.h5"
    script = FULL.format(path=[p for p in sys.path if p], file=str(path))
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "data.h5: a record cannot be written: File too large" in done.stderr
    early = Samples(path, incomplete=True)
    assert len(early) == 3
    assert np.isfinite(early.read("pi")).all()
    assert read(path).attrs["complete"] == 0
    assert read(path).omega.attrs["standard_deviation"] == pytest.approx(early.read("omega").std())
