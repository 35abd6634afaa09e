"""The published MATLAB layout: axes, signs, and what a MATLAB reader looks for."""

import h5py
import numpy as np
import pytest
from test_dataset import dataset
from test_output import make, read

from pytbl import initial, matlab
from pytbl.errors import InputError
from pytbl.samples import Samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Of a smooth flow, for which the gradient model is a good one."""
    sim = make()
    sim.set_vorticity(initial.random_spectrum(sim.grid, k_peak=3, rng=1))
    path = tmp_path_factory.mktemp("data") / "data.h5"
    sim.run(until=0.1, outputs=[dataset(path, every=0.005, coarse=24, dtype="float32")])
    return Samples(path)


def again(folder, out, **changes):
    arguments = dict(out=out, interval=0.005, lengths=(2 * np.pi, 3 * np.pi)) | changes
    return matlab.read(folder, **arguments)


def test_a_round_trip(samples, tmp_path):
    paths = matlab.write(samples, tmp_path)
    assert [path.name for path in paths] == ["FDNS Psi W_train.mat", "FDNS PI_train.mat"]
    out = again(tmp_path, tmp_path / "back.h5")
    back, data = Samples(out), read(out)
    for name in ("omega", "psi", "pi"):
        np.testing.assert_array_equal(back.read(name), samples.read(name))
    np.testing.assert_allclose(back.times, samples.times, atol=1e-12)
    assert (back.sign, back.filter, back.lx, back.ly) == (
        samples.sign,
        samples.filter,
        samples.lx,
        samples.ly,
    )
    assert data.pi.attrs["standard_deviation"] == pytest.approx(samples.moments("pi")[1], rel=1e-6)
    assert data.attrs["origin"] == "FDNS Psi W_train.mat and FDNS PI_train.mat"


def test_the_published_script_would_read_it(samples, tmp_path):
    """Train_BNN.py transposes what h5py reads, and has [sample, y, x]; PI is subtracted there."""
    matlab.write(samples, tmp_path, part="val")
    with h5py.File(tmp_path / "FDNS Psi W_val.mat") as file:
        assert set(file) == {"W", "Psi"}
        np.testing.assert_array_equal(np.array(file["W"], "f4").T, samples.read("omega"))
        np.testing.assert_array_equal(np.array(file["Psi"], "f4").T, samples.read("psi"))
        assert file["W"].attrs["MATLAB_class"] == b"single"
        assert file.userblock_size == 512
    with h5py.File(tmp_path / "FDNS PI_val.mat") as file:
        np.testing.assert_array_equal(np.array(file["PI"], "f4").T, -samples.read("pi"))
        assert file["PI"].attrs["MATLAB_class"] == b"single"


def test_the_header_is_that_of_matlab_7_3(samples, tmp_path):
    from scipy.io.matlab import matfile_version

    path = matlab.write(samples[:1], tmp_path)[0]
    head = path.read_bytes()[:520]
    assert head.startswith(b"MATLAB 7.3 MAT-file, Platform: ")
    assert head[116:128] == bytes(8) + b"\x00\x02IM"
    assert head[512:520] == b"\x89HDF\r\n\x1a\n"
    assert matfile_version(str(path)) == (2, 0)


def edit(path, key, change):
    with h5py.File(path, "r+") as file:
        values = change(file[key][:])
        attributes = dict(file[key].attrs)
        del file[key]
        file[key] = values
        file[key].attrs.update(attributes)


def test_files_that_do_not_fit(samples, tmp_path):
    flow, pi = matlab.write(samples[:3], tmp_path)
    out = tmp_path / "back.h5"
    cases = [
        (pi, "PI", lambda a: -a, "PI is of the other sign, or x and y are exchanged"),
        (flow, "Psi", lambda a: -a, r"Psi is not the streamfunction of W: expected laplace\(Psi\)"),
        (flow, "W", lambda a: np.where(a == a.max(), np.nan, a), "W of .* is not finite"),
        (flow, "W", lambda a: a[:, :, :2], "must have one shape"),
        (
            flow,
            "W",
            lambda a: a[0],
            r"W of .* must be indexed \[x, y, sample\], got shape \(18, 3\)",
        ),
    ]
    for path, key, change, message in cases:
        good = path.read_bytes()
        edit(path, key, change)
        with pytest.raises(InputError, match=message):
            again(tmp_path, out)
        path.write_bytes(good)
        assert not out.exists()
    again(tmp_path, out)
    with pytest.raises(InputError, match="back.h5 exists"):
        again(tmp_path, out)
    with pytest.raises(InputError, match="interval must be > 0, got 0"):
        again(tmp_path, out, overwrite=True, interval=0)
    with pytest.raises(InputError, match="Psi W_test.mat cannot be read: No such file"):
        again(tmp_path, tmp_path / "test.h5", part="test")
    with pytest.raises(InputError, match="FDNS Psi W_train.mat exists"):
        matlab.write(samples, tmp_path)


def test_exchanged_axes_are_noticed(samples, tmp_path):
    """A transposed flow is a mirrored one, whose SGS term has the other sign."""
    for path in matlab.write(samples[:2], tmp_path):
        with h5py.File(path) as file:
            keys = list(file)
        for key in keys:
            edit(path, key, lambda a: a.transpose(1, 0, 2))
    with pytest.raises(InputError, match="or x and y are exchanged"):
        again(tmp_path, tmp_path / "back.h5", lengths=(3 * np.pi, 2 * np.pi))
