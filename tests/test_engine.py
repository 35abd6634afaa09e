"""The fused right-hand side and the compiled interface."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl import Grid
from pytbl._core import Memory, Plan

GRIDS = [
    dict(nx=48, ny=36, ly=3 * np.pi),
    dict(nx=36, ny=50, lx=1.0, dealias="3/2"),
    dict(nx=20, ny=70, lx=7.0),
]


def random_vorticity(grid, seed=0):
    full = np.random.default_rng(seed).standard_normal((grid.ny, grid.nx))
    hat = grid.to_spectral(full[grid.y_start : grid.y_start + grid.ny_local])
    if grid.kx_start == 0 and len(hat):
        hat[0, 0] = 0
    return hat


def advection_on_a_fine_grid(grid, seed=0):
    """-u . grad(omega) in the convective form, on three times the points: nothing can alias."""
    serial = Grid(grid.nx, grid.ny, lx=grid.lx, ly=grid.ly, dealias=grid.dealias)
    hat = random_vorticity(serial, seed)
    nx, ny = 3 * grid.nx, 3 * grid.ny
    modes_x = np.arange(-grid.kx_max, grid.kx_max + 1)
    modes_y = np.arange(-grid.ky_max, grid.ky_max + 1)
    full = np.zeros((nx, ny), complex)
    for m in modes_x:
        column = hat[m, modes_y] if m >= 0 else hat[-m, -modes_y].conj()
        full[m, modes_y] = column
    kx = 2 * np.pi / grid.lx * np.fft.fftfreq(nx, 1 / nx)[:, None]
    ky = 2 * np.pi / grid.ly * np.fft.fftfreq(ny, 1 / ny)[None, :]
    k2 = kx**2 + ky**2
    k2[0, 0] = 1
    psi = full / k2

    def points(spectrum):
        return np.fft.ifft2(spectrum, norm="forward").real

    u, v = points(1j * ky * psi), points(-1j * kx * psi)
    product = u * points(1j * kx * full) + v * points(1j * ky * full)
    spectrum = -np.fft.fft2(product, norm="forward")
    expected = np.zeros((grid.nkx, grid.ny), complex)
    expected[:, modes_y] = spectrum[: grid.nkx, modes_y]
    return expected[grid.kx_start : grid.kx_start + grid.nkx_local]


def check_advection(arguments, comm=None, dtype=np.float64):
    grid = Grid(**arguments, comm=comm, dtype=dtype)
    expected = advection_on_a_fine_grid(grid)
    scale = grid.exchange.max(float(np.abs(expected).max(initial=0)))
    tolerance = ROUNDING if dtype == np.float64 else ROUNDING_SINGLE
    result = grid.nonlinear_term(random_vorticity(grid))
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("arguments", GRIDS)
def test_complex_form_is_the_convective_form(arguments, dtype):
    check_advection(arguments, dtype=dtype)


@pytest.mark.mpi(nprocs=(3, 4))
def test_complex_form_on_uneven_slabs(comm):
    for arguments in GRIDS:
        check_advection(arguments, comm)


@settings(max_examples=25, deadline=None)
@given(
    half=st.tuples(st.sampled_from([4, 5, 6, 7, 9, 12, 15]), st.sampled_from([4, 7, 8, 10, 14])),
    lx=st.floats(0.5, 20),
    dealias=st.sampled_from(["2/3", "3/2"]),
    seed=st.integers(0, 99),
)
def test_advection_conserves_energy_and_enstrophy(half, lx, dealias, seed):
    grid = Grid(2 * half[0], 2 * half[1], lx=lx, dealias=dealias, reproducible=True)
    hat = random_vorticity(grid, seed)
    tendency = grid.nonlinear_term(hat)
    for weight in (1.0, grid.inverse_k2):
        transfer = weight * (hat.conj() * tendency).real
        size = grid.sum_modes(np.abs(transfer))
        assert abs(grid.sum_modes(transfer)) <= ROUNDING * size


def test_a_single_wave_does_not_advect_itself():
    grid = Grid(32, 24, ly=3.0)
    x, y = np.meshgrid(grid.x, grid.y)
    wave = np.cos(2 * np.pi * (3 * x / grid.lx - 2 * y / grid.ly))
    assert np.abs(grid.nonlinear_term(grid.to_spectral(wave))).max() < ROUNDING


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_rotation(quarter_turns):
    """Vorticity is a scalar under rotation, and so is its tendency."""
    grid = Grid(24, 24)

    def turn(field):  # about the origin, which np.rot90 is not
        for _ in range(quarter_turns):
            field = np.roll(np.rot90(field), 1, axis=0)
        return field

    omega = grid.to_physical(random_vorticity(grid))
    tendency = grid.to_physical(grid.nonlinear_term(grid.to_spectral(omega)))
    turned = grid.to_physical(grid.nonlinear_term(grid.to_spectral(turn(omega))))
    np.testing.assert_allclose(turned, turn(tendency), atol=ROUNDING * np.abs(tendency).max())


def test_reflection_changes_the_sign():
    grid = Grid(24, 20)
    omega = grid.to_physical(random_vorticity(grid))
    mirrored = -np.roll(omega[:, ::-1], 1, axis=1)
    tendency = grid.to_physical(grid.nonlinear_term(grid.to_spectral(omega)))
    result = grid.to_physical(grid.nonlinear_term(grid.to_spectral(mirrored)))
    np.testing.assert_allclose(
        result, -np.roll(tendency[:, ::-1], 1, axis=1), atol=ROUNDING * np.abs(tendency).max()
    )


def test_threads_change_nothing():
    hats = []
    for threads in (1, 3):
        grid = Grid(60, 42, threads=threads, reproducible=True)
        hats.append(grid.nonlinear_term(random_vorticity(grid)))
    assert np.array_equal(*hats)


def test_velocity_maxima_and_their_nan():
    grid = Grid(32, 24)
    hat = random_vorticity(grid)
    work = grid.products

    def maxima():
        work.claim()
        work.plan.columns_velocity(hat, work.buffer.columns)
        return work.plan.rows_square(work.buffer.rows)

    psi_hat = hat * grid.inverse_k2
    u, v = grid.to_physical_pair(1j * grid.ky * psi_hat, -1j * grid.kx * psi_hat)
    assert maxima() == pytest.approx((np.abs(u).max(), np.abs(v).max()), rel=ROUNDING)
    hat[3, 2] = np.nan
    assert np.isnan(maxima()).all()


def test_lines_take_time():
    assert all(
        0 < seconds < 1 for seconds in Plan((24, 16), (7, 5), (1.0, 1.0), ny=16).line_seconds()
    )


def test_plans_check_what_they_are_given():
    plan = Plan((24, 16), (7, 5), (1.0, 1.0), ny=16)
    buffer = np.frombuffer(Memory(plan.column_length * 16), complex)
    with pytest.raises(TypeError, match="expected format 'Zd', got 'Zf'"):
        plan.columns_velocity(np.zeros((8, 16), np.complex64), buffer)
    with pytest.raises(ValueError, match="expected 128 numbers, got 112"):
        plan.columns_velocity(np.zeros((7, 16), complex), buffer)
    with pytest.raises((ValueError, BufferError)):
        plan.columns_velocity(np.zeros((16, 8), complex).T, buffer)


def test_memory_is_aligned_and_zero():
    memory = np.frombuffer(Memory(5 << 20), np.uint8)
    assert memory.ctypes.data % 64 == 0
    assert not memory.any()
