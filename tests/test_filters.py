"""Filters: transfer functions in closed form, and what they keep."""

import numpy as np
import pytest
from fields import turbulent
from hypothesis import given
from hypothesis import strategies as st
from tolerances import ROUNDING

from pytbl import Grid, filters
from pytbl.errors import InputError

GRID = Grid(32, 24, ly=3 * np.pi, dealias="3/2", reproducible=True)


def at(filter, kx, ky, grid=GRID):
    """G at a mode of a wavenumber."""
    column = round(kx * grid.lx / (2 * np.pi))
    row = round(ky * grid.ly / (2 * np.pi))
    return filter.transfer(grid)[column, row]


@pytest.mark.parametrize("n", [16, 64])
def test_the_gaussian_at_the_published_points(n):
    """G = exp(-pi^2/6) at Nyquist for ratio 2; 0.663 at half of it, 0.902 at a quarter."""
    grid = Grid(4 * n, n, dealias="3/2", reproducible=True)
    transfer = filters.Gaussian(ratio=2)._transfer(np.pi * 2 / 2 * np.array([2, 1, 0.5]), 0)
    np.testing.assert_allclose(transfer, [0.193, 0.663, 0.902], atol=5e-4)
    width = 2 * grid.dy
    assert at(filters.Gaussian(2), 0, n // 4, grid) == pytest.approx(
        np.exp(-((n / 4 * width) ** 2) / 24), rel=ROUNDING
    )


def test_widths_are_counted_in_each_direction():
    assert filters.Box(3).widths(GRID) == pytest.approx((3 * GRID.dx, 3 * GRID.dy))
    kx, ky = 3.0, 4 / 3
    expected = np.sinc(kx * 3 * GRID.dx / (2 * np.pi)) * np.sinc(ky * 3 * GRID.dy / (2 * np.pi))
    assert at(filters.Box(3), kx, ky) == pytest.approx(expected, rel=ROUNDING)


def test_a_box_is_the_mean_over_a_box():
    """Over a whole number of spacings the mean of cos(k x) is known in closed form."""
    k, width = 3.0, 4 * GRID.dx
    fine = np.linspace(-width / 2, width / 2, 20001)
    mean = np.trapezoid(np.cos(k * fine), fine) / width
    assert at(filters.Box(4), k, 0) == pytest.approx(mean, rel=1e-7)


@given(st.floats(0.5, 4))
def test_gaussians_combine_in_the_squares_of_their_widths(ratio):
    twice = filters.Gaussian(ratio).transfer(GRID) ** 2
    once = filters.Gaussian(ratio * np.sqrt(2)).transfer(GRID)
    np.testing.assert_allclose(twice, once, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kind", filters.FILTERS)
@given(ratio=st.floats(0.5, 4))
def test_every_filter_keeps_the_mean_and_is_even(kind, ratio):
    transfer = filters.make(kind, ratio=ratio).transfer(GRID)
    assert transfer[0, 0] == 1
    assert np.abs(transfer).max() <= 1
    assert np.all(transfer[~GRID.mask] == 0)
    half = GRID.ky_max
    np.testing.assert_array_equal(transfer[:, 1 : half + 1], transfer[:, : -half - 1 : -1])


def test_the_sharp_filters_are_symmetric_and_keep_what_they_say():
    square = filters.SharpSquare(2).transfer(GRID)
    np.testing.assert_array_equal(square, np.where(GRID.mask, 1.0, 0.0))
    circle = filters.SharpCircle(4).transfer(GRID)
    inside = (GRID.kx * 4 * GRID.dx) ** 2 + (GRID.ky * 4 * GRID.dy) ** 2 < (2 * np.pi) ** 2
    np.testing.assert_array_equal(circle == 1, inside & GRID.mask)
    hat = turbulent(GRID)
    np.testing.assert_array_equal(circle * (circle * hat), circle * hat)


def test_what_cannot_be_a_filter():
    with pytest.raises(InputError, match="expected one of gaussian, box, gaussian.box, sharp"):
        filters.make("gauss")
    with pytest.raises(InputError, match="ratio of a filter must be a finite number > 0, got -1"):
        filters.Gaussian(-1)
    assert repr(filters.Gaussian(2)) == "Gaussian(ratio=2)"
