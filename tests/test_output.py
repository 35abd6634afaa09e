"""Outputs: what xarray sees, appending, cutting back, damage, parallel writing."""

import os
import signal
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest
import xarray
from tolerances import ROUNDING

from pytbl import Checkpoint, Flow, Grid, Output, Solver, diagnostics, initial
from pytbl.errors import InputError
from pytbl.forcing import Deterministic


def make(comm=None, nx=48, ny=36, dtype=np.float64, **flow):
    grid = Grid(nx, ny, ly=3 * np.pi, comm=comm, dtype=dtype, reproducible=True)
    flow = Flow(**(dict(viscosity=1e-3, drag=0.1) | flow))
    return Solver(grid, flow, dt=1e-3, forcing=Deterministic(mx=2))


def started(comm=None, **arguments):
    sim = make(comm, **arguments)
    sim.set_vorticity(initial.random_spectrum(sim.grid, k_peak=5, rng=1))
    return sim


def read(path):
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        return data.load()


def test_xarray_sees_labelled_axes_and_units(tmp_path):
    sim = started()
    sim.run(until=0.02, outputs=[Output(tmp_path / "run.h5", every=0.01, fields=["omega", "psi"])])
    data = read(tmp_path / "run.h5")
    assert data.omega.dims == data.psi.dims == ("time", "y", "x")
    assert data.energy_spectrum.dims == ("time", "k")
    np.testing.assert_allclose(data.time, [0, 0.01, 0.02], atol=1e-12)
    np.testing.assert_allclose(data.x, sim.grid.x)
    np.testing.assert_allclose(data.y, sim.grid.y)
    np.testing.assert_allclose(data.omega[-1], sim.omega, atol=ROUNDING * 100)
    for name in [*data.data_vars, *data.coords]:
        assert data[name].attrs["units"], name
        assert data[name].attrs["long_name"], name
    for scalar in diagnostics.SCALARS:
        assert data[scalar.name].dims == ("time",)
    assert data.energy[-1] == pytest.approx(diagnostics.energy(sim.grid, sim.omega_hat))
    np.testing.assert_allclose(data.energy_spectrum.sum("k"), data.energy, rtol=1e-12)
    assert data.attrs["Conventions"] == "CF-1.11"
    assert (data.attrs["viscosity"], data.attrs["nx"]) == (1e-3, 48)
    assert data.attrs["forcing"] == "Deterministic(mx=2, ny=0)"


def test_records_come_at_the_first_step_that_reaches_a_multiple(tmp_path):
    sim = started()
    sim.run(until=0.0205, outputs=[Output(tmp_path / "run.h5", every=0.0045)])
    np.testing.assert_allclose(
        read(tmp_path / "run.h5").time, [0, 0.005, 0.009, 0.014, 0.018], atol=1e-12
    )


def test_a_continued_run_appends_and_drops_what_lies_beyond(tmp_path):
    path = tmp_path / "run.h5"
    whole, first = started(), started()
    whole.run(until=0.05, outputs=[Output(tmp_path / "whole.h5", every=0.01)])
    first.run(until=0.023, outputs=[])
    state = {k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in first.state().items()}
    lost = started()
    lost.run(until=0.04, outputs=[Output(path, every=0.01)])  # went on, and was killed
    second = make()
    second.restore(state)
    second.run(until=0.05, outputs=[Output(path, every=0.01)])
    parts, one = (
        read(p).drop_vars("wall_time").drop_attrs() for p in (path, tmp_path / "whole.h5")
    )
    xarray.testing.assert_identical(parts, one)


def test_an_earlier_file_is_not_lost(tmp_path):
    path = tmp_path / "run.h5"
    started().run(until=0.002, outputs=[Output(path, every=0.001)])
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists: name another file"):
        started().run(until=0.002, outputs=[Output(path, every=0.001)])
    other = started(viscosity=2e-3)
    other.step()
    with pytest.raises(InputError, match=r"another run.* viscosity 0.001 in the file and 0.002"):
        other.run(until=0.002, outputs=[Output(path, every=0.001)])
    more = started()
    more.step()
    with pytest.raises(InputError, match="it has no variable psi"):
        more.run(until=0.002, outputs=[Output(path, every=0.001, fields=["psi"])])
    assert path.read_bytes() == before
    started().run(until=0.001, outputs=[Output(path, every=0.001, overwrite=True)])
    assert len(read(path).time) == 2


def test_nothing_is_touched_unless_every_output_can_be_written(tmp_path):
    earlier = tmp_path / "run.h5"
    started().run(until=0.003, outputs=[Output(earlier, every=0.001)])
    started().run(until=0.002, outputs=[Checkpoint(tmp_path / "checkpoint", every=0.001)])
    before = earlier.read_bytes()
    (tmp_path / "folder.h5").mkdir()
    good = Output(earlier, every=0.001, overwrite=True), Output(tmp_path / "new.h5", every=0.001)
    for bad, message in (
        (Output(tmp_path / "no" / "run.h5", every=1), "No such file or directory"),
        (Output(tmp_path / "folder.h5", every=1, overwrite=True), "written: Is a directory"),
        (Checkpoint(tmp_path / "checkpoint", every=1), "of an earlier run: name another folder"),
        (Checkpoint(earlier, every=1), "run.h5 is named by two outputs"),
        (Checkpoint(tmp_path / "folder.h5" / ".." / "new.h5", every=1), "is named by two outputs"),
    ):
        with pytest.raises(InputError, match=message):
            started().run(until=0.002, outputs=[*good, bad])
        assert earlier.read_bytes() == before
        assert not (tmp_path / "new.h5").exists()
    later = started()
    later.step()
    other = Output(earlier, every=0.001, fields=["psi"])
    Output(tmp_path / "mine.h5", every=0.001).open(later)
    with h5py.File(tmp_path / "mine.h5", "r+") as file:
        file["time"].resize((7,))
    with pytest.raises(InputError, match="another run, and is left as it is: it has no variable"):
        later.run(until=0.002, outputs=[Output(tmp_path / "mine.h5", every=0.001), other])
    assert len(read(tmp_path / "mine.h5").time) == 7, "it was not cut back"


def test_two_outputs_must_not_share_a_file(tmp_path):
    (tmp_path / "link.h5").symlink_to(tmp_path / "run.h5")
    for overwrite in (False, True):
        for name in ("run.h5", "link.h5", "../" + tmp_path.name + "/run.h5"):
            outputs = [
                Output(tmp_path / other, every=0.001, overwrite=overwrite)
                for other in ("run.h5", name)
            ]
            with pytest.raises(InputError, match="is named by two outputs: Output.* and Output"):
                started().run(until=0.002, outputs=outputs)
            assert not (tmp_path / "run.h5").exists()


def cut_short(path):
    """Leave the file of a run that was killed when it had made room for one more record."""
    with h5py.File(path, "r+") as file:
        count = len(file["time"])
        for name in file:
            if file[name].maxshape[0] is None:
                file[name].resize(count + 1, axis=0)
        return {name: file[name][-1] for name in file if file[name].maxshape[0] is None}


def test_what_was_not_written_is_no_number(tmp_path):
    path = tmp_path / "run.h5"
    started().run(until=0.002, outputs=[Output(path, every=0.001, fields=["omega", "psi"])])
    last = cut_short(path)
    assert {"time", "omega", "psi", "energy", "energy_spectrum", "cfl"} < set(last)
    for name, values in last.items():
        assert np.isnan(values).all(), name
    with h5py.File(path, "r+") as file:
        file["time"][-1] = 0.0025
    sim = started()
    sim.step(3)
    output = Output(path, every=0.001, fields=["omega", "psi"])
    output.open(sim)
    np.testing.assert_allclose(read(path).time, [0, 0.001, 0.002], atol=1e-12)


def test_bad_parameters(tmp_path):
    for dtype in ("f2", "int32", "real"):
        with pytest.raises(InputError, match=f"dtype must be float32 or float64, got {dtype}"):
            Output("run.h5", every=1, dtype=dtype)
    with pytest.raises(InputError, match="fields must be among omega, psi, u, v, got 'vorticity'"):
        Output("run.h5", every=1, fields=["vorticity"])
    with pytest.raises(InputError, match="every must be a finite number > 0, got 0"):
        Output("run.h5", every=0)
    with pytest.raises(InputError, match="run.h5 cannot be written: No such file or directory"):
        Output(tmp_path / "nowhere" / "run.h5", every=1).open(started())
    (tmp_path / "text.h5").write_text("not HDF5")
    sim = started()
    sim.step()
    with pytest.raises(InputError, match="text.h5 cannot be written: .*file signature not found"):
        Output(tmp_path / "text.h5", every=1).open(sim)
    assert (tmp_path / "text.h5").read_text() == "not HDF5"


def test_a_file_is_complete_once_its_run_has_reached_the_end(tmp_path):
    path = tmp_path / "run.h5"
    sim, output = started(), Output(path, every=0.001)
    output.open(sim)
    output.write(sim)
    assert read(path).attrs["complete"] == 0
    sim.run(until=0.002, outputs=[Output(path, every=0.001, overwrite=True)])
    assert read(path).attrs["complete"] == 1
    output.open(sim)
    assert read(path).attrs["complete"] == 0
    output.finish(sim)
    assert read(path).attrs["complete"] == 1


def test_single_precision(tmp_path):
    sim = started(dtype=np.float32)
    sim.run(until=0.001, outputs=[Output(tmp_path / "run.h5", every=0.001)])
    assert read(tmp_path / "run.h5").omega.dtype == np.float32
    sim = started()
    sim.run(until=0.001, outputs=[Output(tmp_path / "half.h5", every=0.001, dtype="f4")])
    assert read(tmp_path / "half.h5").omega.dtype == np.float32


@pytest.mark.mpi(nprocs=(2, 3))
def test_the_same_file_on_any_number_of_ranks(comm, shared_tmp):
    """Collective where this h5py has MPI, through rank 0 where it has not."""
    together = started(comm)
    together.run(until=0.02, outputs=[Output(shared_tmp / "together.h5", every=0.01)])
    if comm.rank == 0:
        started().run(until=0.02, outputs=[Output(shared_tmp / "alone.h5", every=0.01)])
        one, many = (
            read(shared_tmp / name).drop_vars("wall_time") for name in ("alone.h5", "together.h5")
        )
        assert np.array_equal(one.omega, many.omega)
        xarray.testing.assert_allclose(one, many, rtol=1e-12)
    comm.Barrier()


@pytest.mark.mpi(nprocs=(5,))
def test_empty_slabs(comm, shared_tmp):
    """Five ranks share eight rows and three columns."""
    sim = started(comm, nx=8, ny=8)
    assert sim.grid.exchange.min(sim.grid.nkx_local) == 0
    sim.run(until=0.002, outputs=[Output(shared_tmp / "run.h5", every=0.001)])
    if comm.rank == 0:
        alone = started(nx=8, ny=8)
        alone.run(until=0.002)
        np.testing.assert_array_equal(read(shared_tmp / "run.h5").omega[-1], alone.omega)
    comm.Barrier()


@pytest.mark.mpi(nprocs=(3,))
def test_errors_reach_all_ranks(comm, shared_tmp):
    with pytest.raises(InputError, match="cannot be written: No such file"):
        Output(shared_tmp / "nowhere" / "run.h5", every=1).open(started(comm))


@pytest.mark.mpi(nprocs=(2,))
def test_collective_writing(comm, shared_tmp):
    if not h5py.get_config().mpi:
        pytest.skip("this h5py is built without MPI")
    from pytbl.hdf5 import collective

    assert collective(started(comm).grid.exchange)


RUN = """
    import os, resource, sys, threading
    sys.path[:0] = {path!r}
    from test_output import *
    sim = started(nx=128, ny=128)
    output = Output({file!r}, every=1e-3)
    output.open(sim)
    while True:
        output.write(sim)
        sim.step()
        print(sim.steps, flush=True)
        {then}
"""


def script(file, then="pass"):
    return textwrap.dedent(RUN).format(path=[p for p in sys.path if p], file=str(file), then=then)


def test_a_full_disk_leaves_the_earlier_records(tmp_path):
    limit = "sim.steps == 3 and resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script(tmp_path / "run.h5", limit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "run.h5: a record cannot be written: File too large" in done.stderr
    data = read(tmp_path / "run.h5")
    assert len(data.time) >= 3
    assert np.isfinite(data.omega).all()
    assert (np.abs(data.omega).max(("x", "y")) > 0).all()


def test_a_kill_leaves_the_earlier_records(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script(tmp_path / "run.h5")], stdout=subprocess.PIPE, text=True
    ) as run:
        for line in run.stdout:
            if int(line) == 5:
                break
        os.kill(run.pid, signal.SIGKILL)
    assert len(read(tmp_path / "run.h5").time) >= 5
