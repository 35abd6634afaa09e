"""Transforms, wavenumbers and sums against numpy, on rectangular grids and uneven slabs."""

import numpy as np
import pytest
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl import Grid
from pytbl.errors import InputError

GRIDS = [
    dict(nx=48, ny=36, ly=3 * np.pi),
    dict(nx=36, ny=50, lx=1.0, dealias="3/2"),
    dict(nx=8, ny=8),
    dict(nx=8, ny=14, dealias="3/2"),
]


def noise(grid, seed=0):
    """The rows of this rank of one field of noise."""
    full = np.random.default_rng(seed).standard_normal((grid.ny, grid.nx))
    return full[grid.y_start : grid.y_start + grid.ny_local]


def numpy_spectrum(grid, seed=0):
    full = np.random.default_rng(seed).standard_normal((grid.ny, grid.nx))
    hat = np.fft.fft2(full, norm="forward").T[grid.kx_start : grid.kx_start + grid.nkx_local]
    return np.where(grid.mask, hat, 0)


def check_transforms(arguments, comm=None, dtype=np.float64):
    tolerance = ROUNDING if dtype == np.float64 else ROUNDING_SINGLE
    grid = Grid(**arguments, comm=comm, dtype=dtype)
    hat = grid.to_spectral(noise(grid))
    np.testing.assert_allclose(hat, numpy_spectrum(grid), rtol=0, atol=tolerance)
    field = grid.to_physical(hat)
    np.testing.assert_allclose(grid.to_spectral(field), hat, rtol=0, atol=tolerance)
    other = grid.to_spectral(noise(grid, 1))
    a, b = grid.to_physical_pair(hat, other)
    np.testing.assert_allclose(a, field, rtol=0, atol=10 * tolerance)
    np.testing.assert_allclose(b, grid.to_physical(other), rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("arguments", GRIDS)
def test_transforms_are_those_of_numpy(arguments, dtype):
    check_transforms(arguments, dtype=dtype)


@pytest.mark.mpi(nprocs=(2, 5))
def test_transforms_on_uneven_and_empty_slabs(comm):
    for arguments in GRIDS:
        check_transforms(arguments, comm)


def test_amplitudes_and_orientation():
    grid = Grid(24, 16, lx=2.0, ly=5.0)
    x, y = np.meshgrid(grid.x, grid.y)
    hat = grid.to_spectral(np.cos(2 * np.pi * (3 * x / grid.lx + 2 * y / grid.ly)))
    expected = grid.zeros_spectral()
    expected[3, 2] = 0.5
    np.testing.assert_allclose(hat, expected, atol=ROUNDING)


@pytest.mark.parametrize("dealias", ["2/3", "3/2"])
def test_nyquist_and_cut_modes_are_exactly_zero(dealias):
    grid = Grid(24, 16, dealias=dealias)
    x, y = np.meshgrid(np.arange(24), np.arange(16))
    for wave in ((-1.0) ** x, (-1.0) ** y, (-1.0) ** (x + y)):
        assert np.abs(grid.to_spectral(wave)).max() < ROUNDING
    assert np.all(grid.to_spectral(noise(grid))[~grid.mask] == 0)


def test_kept_modes():
    cut = Grid(128, 126)
    assert (cut.kx_max, cut.ky_max) == (42, 41)
    assert np.count_nonzero(cut.mask[0]) == 2 * 41 + 1
    full = Grid(128, 126, dealias="3/2")
    assert (full.kx_max, full.ky_max) == (63, 62)
    assert full.product_points == (192, 189)


def test_sums_over_modes_are_means_over_points():
    grid = Grid(48, 36, ly=3 * np.pi)
    hat = grid.to_spectral(noise(grid))
    field = grid.to_physical(hat)
    assert grid.sum_modes(np.abs(hat) ** 2) == pytest.approx(grid.mean(field**2), rel=ROUNDING)


def test_hermitian_symmetry_at_kx_zero_is_exact():
    grid = Grid(16, 20)
    hat = grid.to_spectral(noise(grid))
    assert np.array_equal(hat[0, 1:], hat[0, :0:-1].conj())
    assert hat[0, 0].imag == 0


def test_estimated_plans_are_the_same_every_time():
    first = Grid(48, 36, reproducible=True)
    Grid(48, 36)  # a measured plan in between leaves no trace
    second = Grid(48, 36, reproducible=True)
    assert first.wisdom == second.wisdom


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(nx=33), "nx must be an even integer >= 8.* got 33"),
        (dict(nx=4), "nx must be an even integer >= 8.* got 4"),
        (dict(ny=22), "no prime factor above 7, got 22"),
        (dict(ny=16.0), "ny must be an even integer"),
        (dict(lx=0.0), "lx must be a finite number > 0, got 0.0"),
        (dict(ly=float("nan")), "ly must be a finite number > 0, got nan"),
        (dict(dealias="1/2"), 'dealias must be "2/3" or "3/2", got \'1/2\''),
        (dict(dtype=np.int32), "dtype must be float64 or float32, got int32"),
        (dict(threads=0), "threads must be >= 1, got 0"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(InputError, match=message):
        Grid(**(dict(nx=16, ny=16) | arguments))


def test_bad_arrays():
    grid = Grid(16, 12)
    with pytest.raises(InputError, match=r"shape \(12, 16\), got \(16, 12\)"):
        grid.to_spectral(np.zeros((16, 12)))
    with pytest.raises(InputError, match="real numbers, got complex128"):
        grid.to_spectral(np.zeros((12, 16), complex))
    with pytest.raises(InputError, match=r"shape \(6, 12\), got \(6, 13\)"):
        grid.to_physical(np.zeros((6, 13), complex))


class NineRanks:
    """As much of a communicator as is looked at before the error."""

    def Get_size(self):
        return 9

    def Get_rank(self):
        return 3


def test_more_ranks_than_rows():
    with pytest.raises(InputError, match="9 ranks cannot share 8 rows: use at most 8"):
        Grid(16, 8, comm=NineRanks())


@pytest.mark.parametrize("dealias", ["2/3", "3/2"])
@pytest.mark.parametrize(("dtype", "bound"), [("f8", ROUNDING), ("f4", ROUNDING_SINGLE)])
@pytest.mark.parametrize("threads", [1, 3])
def test_products_at_points(dealias, dtype, bound, threads):
    """Squares and products with the modulus of a + i b, against numpy at the same points."""
    grid = Grid(40, 28, ly=3.0, dealias=dealias, dtype=dtype, threads=threads, reproducible=True)
    noise = np.random.default_rng(1).standard_normal((2, grid.ny, grid.nx))
    hats = [grid.to_spectral(field) for field in noise]
    a, b = grid.to_points(*hats)
    assert a.shape == grid.product_points[::-1]
    for hat, back in zip(hats, grid.from_points(a, b), strict=True):
        np.testing.assert_allclose(back, hat, atol=10 * bound)
    alone, nothing = grid.to_points(hats[0], None)
    np.testing.assert_allclose(alone, a, atol=10 * bound)
    np.testing.assert_allclose(nothing, 0, atol=10 * bound)
    modulus = np.hypot(a, b)
    pairs = [
        (grid.square(*hats), (a * a - b * b, 2 * a * b)),
        (grid.times_modulus(*hats), (modulus * a, modulus * b)),
    ]
    for spectra, fields in pairs:
        for got, expected in zip(spectra, grid.from_points(*fields), strict=True):
            np.testing.assert_allclose(got, expected, atol=30 * bound)
    out = grid.zeros_spectral(), grid.zeros_spectral()
    for given, fresh in zip(grid.square(*hats, out=out), grid.square(*hats), strict=True):
        assert given is out[0] or given is out[1]
        np.testing.assert_array_equal(given, fresh)
