"""Initial fields: energies, spectra, independence of resolution and ranks, files."""

import h5py
import numpy as np
import pytest
import scipy.io
from tolerances import ROUNDING

from pytbl import Dataset, Flow, Grid, Solver, diagnostics, initial
from pytbl.errors import InputError
from pytbl.filters import Box, Gaussian


def test_papers_spectrum_energy_and_rms_vorticity():
    grid = Grid(192, 192)
    hat = grid.to_spectral(initial.random_spectrum(grid, k_peak=10, rng=3))
    # sums over modes against integrals over k: discreteness of the modes at k ~ 1
    assert diagnostics.energy(grid, hat) == pytest.approx(1 / (2 * np.sqrt(np.pi)), rel=2e-3)
    rms = np.sqrt(2 * diagnostics.enstrophy(grid, hat))
    assert rms == pytest.approx(np.sqrt(2.5 * 100 / np.sqrt(np.pi)), rel=2e-3)


def test_papers_spectrum_mode_by_mode():
    grid = Grid(96, 72, ly=2 * np.pi)
    hat = grid.to_spectral(initial.random_spectrum(grid, k_peak=8))
    k = np.sqrt(grid.k2)
    energy = 4 / (3 * np.pi) * 8**-5 * k**4 * np.exp(-((k / 8) ** 2))
    np.testing.assert_allclose(
        np.abs(hat) ** 2, np.where(grid.mask, k * energy / np.pi, 0), atol=1e-14
    )


@pytest.mark.parametrize("make", [initial.mcwilliams, initial.random_spectrum])
def test_energy_is_imposed(make):
    grid = Grid(48, 36, lx=3.0, ly=5.0)
    hat = grid.to_spectral(make(grid, energy=0.7))
    assert diagnostics.energy(grid, hat) == pytest.approx(0.7, rel=ROUNDING)


def test_ring_is_empty_outside():
    grid = Grid(64, 48)
    hat = grid.to_spectral(initial.random_ring(grid, k_min=5, k_max=9, energy=1.0))
    k = np.sqrt(grid.k2)
    assert np.abs(hat[(k < 5) | (k > 9)]).max() < ROUNDING
    assert diagnostics.energy(grid, hat) == pytest.approx(1.0, rel=ROUNDING)


def test_two_resolutions_share_their_large_scales():
    coarse, fine = Grid(36, 48), Grid(96, 60, dealias="3/2")
    hats = [g.to_spectral(initial.random_spectrum(g, k_peak=4, rng=5)) for g in (coarse, fine)]
    m = min(coarse.ky_max, fine.ky_max)
    for rows in (slice(0, m + 1), slice(-m, None)):
        np.testing.assert_allclose(
            hats[0][: coarse.nkx, rows], hats[1][: coarse.nkx, rows], atol=ROUNDING
        )


def test_seeds_differ():
    grid = Grid(32, 32)
    fields = [initial.mcwilliams(grid, rng=seed) for seed in (1, 1, 2)]
    assert np.array_equal(fields[0], fields[1])
    assert not np.allclose(fields[0], fields[2])


@pytest.mark.mpi(nprocs=(3,))
def test_every_rank_gets_its_rows(comm):
    serial, grid = Grid(48, 36), Grid(48, 36, comm=comm)
    rows = slice(grid.y_start, grid.y_start + grid.ny_local)
    for make in (
        initial.random_spectrum,
        initial.mcwilliams,
        initial.taylor_green,
        initial.lamb_dipole,
        initial.double_shear_layer,
    ):
        np.testing.assert_allclose(make(grid), make(serial)[rows], rtol=0, atol=1e-12)


def test_lamb_dipole_carries_no_circulation_and_moves_at_its_speed():
    grid = Grid(256, 128, lx=4 * np.pi, ly=2 * np.pi)
    omega = initial.lamb_dipole(grid, speed=1.5, radius=0.8)
    assert abs(grid.mean(omega)) < 1e-12 * np.abs(omega).max()
    sim = Solver(grid, Flow(viscosity=1e-8, viscosity_order=2), cfl=0.4, scheme="rk4cn")
    sim.set_vorticity(omega)

    def centre():
        upper = np.maximum(sim.omega, 0) ** 2
        return (upper * grid.x).sum() / upper.sum()

    start = centre()
    sim.run(until=0.5)
    # without a mean flow, the images carry the impulse of the pair back: 2 pi R^2 U / (lx ly)
    expected = 1.5 * (1 - 2 * np.pi * 0.8**2 / (grid.lx * grid.ly))
    assert (centre() - start) / sim.t == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_lamb_dipole_directions(turn):
    grid = Grid(64, 64)
    along_x = initial.lamb_dipole(grid)
    turned = initial.lamb_dipole(grid, direction=turn * np.pi / 2)
    expected = along_x
    for _ in range(turn):  # about the origin; rows are y, so rot90 turns clockwise here
        expected = np.roll(np.rot90(expected, -1), 1, axis=1)
    np.testing.assert_allclose(turned, expected, atol=1e-10)


def test_shear_layer_is_the_curl_of_its_velocity():
    grid = Grid(64, 256, dealias="3/2")
    sim = Solver(grid, Flow(), dt=1e-3)
    sim.set_vorticity(initial.double_shear_layer(grid, thickness=grid.ly / 20))
    u, v = sim.velocity()
    _, y = np.meshgrid(grid.x, grid.y)
    layer = np.where(
        y <= np.pi,
        np.tanh((y - np.pi / 2) / (grid.ly / 20)),
        np.tanh((3 * np.pi / 2 - y) / (grid.ly / 20)),
    )
    np.testing.assert_allclose(u, layer, atol=1e-3)
    assert np.abs(v).max() == pytest.approx(0.05, rel=1e-3)


def test_arrays_and_files_of_any_resolution(tmp_path):
    fine, coarse = Grid(64, 48), Grid(32, 36)
    omega = initial.random_spectrum(coarse, k_peak=3)
    x = initial.resample(fine, omega)
    np.testing.assert_allclose(
        fine.to_spectral(x)[:11, :12], coarse.to_spectral(omega)[:11, :12], atol=ROUNDING
    )
    np.testing.assert_allclose(initial.resample(coarse, x), omega, atol=1e-12)

    with h5py.File(tmp_path / "run.h5", "w") as file:
        file["omega"] = np.stack([0 * omega, omega])
        file.attrs["lx"] = file.attrs["ly"] = 2 * np.pi
    np.testing.assert_allclose(initial.from_file(fine, tmp_path / "run.h5"), x, atol=ROUNDING)
    assert not initial.from_file(fine, tmp_path / "run.h5", record=0).any()

    scipy.io.savemat(tmp_path / "py2d.mat", {"Omega": omega.T})  # indexed [x, y]
    np.testing.assert_allclose(initial.from_file(fine, tmp_path / "py2d.mat"), x, atol=ROUNDING)
    with h5py.File(tmp_path / "v73.mat", "w") as file:
        file["Omega"] = omega  # as MATLAB 7.3 lays out an array indexed [x, y]
    np.testing.assert_allclose(initial.from_file(fine, tmp_path / "v73.mat"), x, atol=ROUNDING)


def test_the_fields_of_a_dataset_are_filtered_already(tmp_path):
    """By widths, whatever the ratio is that they have on another grid."""
    fine, grid = Grid(48, 36), Grid(24, 18, dealias="3/2")
    sim = Solver(fine, Flow(viscosity=1e-3), dt=1e-3)
    sim.set_vorticity(initial.random_spectrum(fine, k_peak=3))
    path = tmp_path / "data.h5"
    sim.run(until=0, outputs=[Dataset(path, every=1, coarse=24, filter=Gaussian(2), dtype="f8")])
    found = initial.from_file(grid, path, filter=Gaussian(2.0))
    np.testing.assert_allclose(found, initial.from_file(grid, path), rtol=0, atol=1e-14)
    with h5py.File(path) as file:
        np.testing.assert_allclose(found, file["omega"][-1], atol=1e-12)
    coarse = Grid(12, 18, dealias="3/2")
    widths = "of width 0.523599 x 0.698132, expected gaussian of width 1.0472 x 0.698132"
    with pytest.raises(InputError, match=f"data.h5 are filtered by gaussian {widths}"):
        initial.from_file(coarse, path, filter=Gaussian(2.0))
    half = Grid(12, 10, ly=2 * np.pi, dealias="3/2")
    with pytest.raises(InputError, match="expected gaussian of width 0.523599 x 0.628319"):
        initial.from_file(half, path, filter=Gaussian(1.0))
    finer = Grid(72, 54, dealias="3/2")
    again = initial.from_file(finer, path, filter=Gaussian(6.0))
    np.testing.assert_allclose(again, initial.from_file(finer, path), rtol=0, atol=1e-14)
    with pytest.raises(InputError, match=r"by gaussian of width .* expected box of width"):
        initial.from_file(grid, path, filter=Box(2.0))


def test_a_record_that_was_cut_short_is_not_the_last(tmp_path):
    grid = Grid(16, 12)
    omega = initial.random_spectrum(grid, k_peak=3)
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file["omega"] = np.stack([omega, 2 * omega, 3 * omega])
        file["omega"][-1, 5:] = np.nan
    for record, factor in ((-1, 2), (-2, 1), (1, 2)):
        found = initial.from_file(grid, tmp_path / "run.h5", record=record)
        np.testing.assert_allclose(found, factor * omega, atol=ROUNDING)
    with pytest.raises(InputError, match="values NaN"):
        initial.from_file(grid, tmp_path / "run.h5", record=2)


def test_bad_files(tmp_path):
    grid = Grid(16, 16)

    def fails(name, message, **arguments):
        with pytest.raises(InputError, match=message):
            initial.from_file(grid, tmp_path / name, **arguments)

    fails("none.h5", "no such file")
    (tmp_path / "text.mat").write_text("not a MATLAB file at all, just some words " * 9)
    fails("text.mat", "no vorticity can be read")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["psi"] = np.zeros((4, 4))
    fails("other.h5", "no variable omega .* but psi")
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file["omega"] = np.full((1, 16, 16), np.nan)
    fails("run.h5", "256 values NaN")
    fails("run.h5", "has 1 records, got record 3", record=3)
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        file["omega"] = np.zeros((1, 16, 16))
        file.attrs["lx"], file.attrs["ly"] = 1.0, 2.0
    fails("wide.h5", r"domain \(1.0, 2.0\)")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda g: initial.random_spectrum(g, k_peak=0), "k_peak must be a finite number > 0"),
        (lambda g: initial.mcwilliams(g, energy=-1), "energy must be a finite number > 0, got -1"),
        (lambda g: initial.mcwilliams(g, rng=-1), "rng must be an integer >= 0, got -1"),
        (lambda g: initial.random_ring(g, k_min=5, k_max=4), "0 <= k_min < k_max, got 5 and 4"),
        (lambda g: initial.random_ring(g, k_min=100, k_max=101), "no energy on the modes"),
        (lambda g: initial.taylor_green(g, mx=9), "mx must be a kept mode, 0 .. 5, got 9"),
        (lambda g: initial.lamb_dipole(g, radius=4), "at most half the shorter side"),
        (lambda g: initial.from_array(g, np.zeros((3, 3))), r"shape \(16, 16\), got \(3, 3\)"),
        (lambda g: initial.from_array(g, np.zeros((16, 16), complex)), "real numbers"),
    ],
)
def test_bad_parameters(make, message):
    with pytest.raises(InputError, match=message):
        make(Grid(16, 16))
