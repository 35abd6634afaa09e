"""Kernels: closed forms of their spectra, Parseval's theorem, and classes of kernels of theory."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import ROUNDING

from pytbl.analysis import classes, kernels
from pytbl.analysis.ablation import kernel_ablation
from pytbl.analysis.classes import CLASSES, Thresholds, classify, threshold_sensitivity
from pytbl.errors import InputError

#: Classes must not hang on where a lobe falls between wavenumbers: turns of a Gabor function.
DIRECTIONS = np.linspace(0, np.pi, 9)[:-1]
SIZES = [(3, 3), (5, 5), (7, 7), (3, 5), (7, 3)]


def points(ky=5, kx=5):
    """Coordinates (x, y) about the centre."""
    y, x = np.mgrid[:ky, :kx].astype(float)
    return x - kx // 2, y - ky // 2


def delta(ky=5, kx=5):
    x, y = points(ky, kx)
    return (np.hypot(x, y) == 0).astype(float)


def laplacian(ky=5, kx=5):
    x, y = points(ky, kx)
    return (np.hypot(x, y) == 1) - 4.0 * delta(ky, kx)


def gaussian(width, ky=5, kx=5):
    x, y = points(ky, kx)
    kernel = np.exp(-(x**2 + y**2) / (2 * width**2))
    return kernel / kernel.sum()


def gabor(k, direction, phase, *, width=1.2, size=5):
    """A wave of wavenumber k, over Nyquist's, under a Gaussian."""
    x, y = points(size, size)
    wave = np.cos(np.pi * k * (x * np.cos(direction) + y * np.sin(direction)) + phase)
    return wave * np.exp(-(x**2 + y**2) / (2 * width**2))


def names(*weights):
    """Classes of single kernels, in words."""
    return [CLASSES[int(classify(weight[None, None])[0, 0])] for weight in weights]


# -------------------------------------------------------------------------------------- spectra ---


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("convention", kernels.CONVENTIONS)
def test_spectra_of_closed_form(size, convention):
    ny, nx = shape = (18, 24)
    ky, kx = 2 * np.pi * np.fft.fftfreq(ny)[:, None], 2 * np.pi * np.fft.fftfreq(nx)
    derivative = np.zeros(size)
    derivative[size[0] // 2, size[1] // 2 + np.array([-1, 1])] = -0.5, 0.5
    weights = np.stack([delta(*size), laplacian(*size), derivative])[:, None]
    spectra = kernels.kernel_spectra(weights, shape, convention=convention)
    assert spectra.shape == (3, 1, ny, nx)
    # a correlation with (-1/2, 0, 1/2) is the central difference; a convolution, minus that
    sign = 1 if convention == "correlation" else -1
    expected = (
        np.ones(shape),
        2 * np.cos(kx) + 2 * np.cos(ky) - 4,
        sign * 1j * np.sin(kx) + 0 * ky,
    )
    for found, truth in zip(spectra[:, 0], expected, strict=True):
        np.testing.assert_allclose(found, truth, atol=ROUNDING)


def test_a_wide_gaussian_has_the_spectrum_of_theory():
    width, shape = 1.5, (32, 40)
    k = np.pi * np.hypot(
        *np.meshgrid(2 * np.fft.fftfreq(32), 2 * np.fft.fftfreq(40), indexing="ij")
    )
    found = kernels.kernel_spectra(gaussian(width, 21, 21)[None, None], shape)[0, 0]
    np.testing.assert_allclose(found, np.exp(-((k * width) ** 2) / 2), atol=1e-4)  # aliases
    np.testing.assert_allclose(kernels.radial_wavenumber(shape), k / np.pi)


@pytest.mark.parametrize("size", SIZES)
def test_a_layer_multiplies_by_the_spectrum(size):
    """Torch's own layer on a periodic domain as the oracle, in phase."""
    rng = np.random.default_rng(3)
    weights, field = rng.standard_normal((2, 3, *size)), rng.standard_normal((1, 3, 12, 16))
    edges = [size[1] // 2, size[1] // 2, size[0] // 2, size[0] // 2]
    padded = torch.nn.functional.pad(torch.from_numpy(field), edges, mode="circular")
    truth = torch.nn.functional.conv2d(padded, torch.from_numpy(weights)).numpy()[0]
    product = kernels.kernel_spectra(weights, (12, 16)) * np.fft.fft2(field)
    np.testing.assert_allclose(np.fft.fft2(truth), product.sum(1), atol=1e3 * ROUNDING)
    turned = kernels.kernel_spectra(weights[..., ::-1, ::-1], (12, 16), convention="convolution")
    np.testing.assert_allclose(turned, kernels.kernel_spectra(weights, (12, 16)), atol=ROUNDING)


@given(
    size=st.sampled_from(SIZES),
    shape=st.tuples(st.integers(7, 20), st.integers(7, 20)),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_parseval(size, shape, seed):
    """Of all energy, of shells and of bands, on even, odd and rectangular grids."""
    weights = np.random.default_rng(seed).standard_normal((2, 3, *size))
    spectra = kernels.kernel_spectra(weights, shape)
    energy = kernels.kernel_energy(weights)
    for found in (
        kernels.spectral_energy(spectra),
        kernels.radial_energy(spectra)[1].sum(-1),
        kernels.band_energies(spectra, (0.2, 0.7)).sum(-1),
    ):
        np.testing.assert_allclose(found, energy, rtol=100 * ROUNDING)


def test_energy_lies_where_the_wave_is():
    wave = gabor(0.5, 0.0, 0.3, width=6.0, size=31)[None, None]
    spectra = kernels.kernel_spectra(wave, (64, 64))
    k, energy = kernels.radial_energy(spectra)
    assert k[energy[0, 0].argmax()] == pytest.approx(0.5)
    low, inside, high = kernels.band_energies(spectra, (0.4, 0.6))[0, 0] / energy.sum()
    assert inside > 0.98
    assert low + high < 0.02


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_kernels(bad):
    weights = np.zeros((2, 3, 5, 5))
    weights[1, 2, 0, 4] = bad
    with pytest.raises(InputError, match=rf"weights must be finite, got {bad} in \[1, 2\]$"):
        kernels.kernel_spectra(weights)
    for wrong in (np.zeros((3, 5, 5)), np.zeros((2, 0, 5, 5)), np.zeros((1, 1, 3, 3), complex)):
        with pytest.raises(InputError, match=r"must be real, of shape \(channels out, .* got .*$"):
            classify(wrong)


def test_parameters_that_cannot_be_used():
    weights = np.ones((1, 1, 5, 5))
    with pytest.raises(InputError, match=r"at least the kernels' \(5, 5\), got \(4, 8\)"):
        kernels.kernel_spectra(weights, (4, 8))
    with pytest.raises(InputError, match="'correlation' or 'convolution', got 'conv'"):
        kernels.kernel_spectra(weights, convention="conv")
    for edges in ((0.5, 0.5), (0.6, 0.4), (0.0, 0.5)):
        with pytest.raises(InputError, match="edges must be increasing and > 0"):
            kernels.band_energies(kernels.kernel_spectra(weights), edges)


# -------------------------------------------------------------------------------------- classes ---


@pytest.mark.parametrize("size", [3, 5, 7])
def test_classes_of_theory(size):
    widths = (0.6, 0.8, 1.0) if size == 3 else (0.6, 0.8, 1.0, 1.5, 9.0)
    for width in widths:
        assert names(gaussian(width, size, size)) == ["low-pass"], width
    eight = delta(size, size) * 9.0 - (np.maximum(*map(np.abs, points(size, size))) <= 1)
    details = [delta(size, size) - gaussian(width, size, size) for width in (0.6, 0.8)]
    second = np.zeros((size, size))
    second[size // 2, size // 2 + np.array([-1, 0, 1])] = 1, -2, 1
    checker = (-1.0) ** (points(size, size)[0] + points(size, size)[1])
    for kernel in (laplacian(size, size), eight, second, second.T, checker, *details):
        assert names(kernel, -kernel) == ["high-pass"] * 2
    assert names(delta(size, size), np.zeros((size, size))) == ["mixed"] * 2


@pytest.mark.parametrize("size", [5, 7])
def test_differences_of_gaussians_are_band_pass(size):
    for width in (0.7, 0.8, 0.9, 1.0):
        kernel = gaussian(width, size, size) - gaussian(2 * width, size, size)
        assert names(kernel) == ["band-pass"], width


@pytest.mark.parametrize("size", [5, 7])
def test_gabor_functions_of_all_directions_and_phases(size):
    """At 0.7 of Nyquist's wavenumber the lobes still lie apart; nearer to it they meet."""
    for k, direction in itertools.product((0.45, 0.55, 0.65), DIRECTIONS):
        for phase in (0.0, 0.8, np.pi / 2):
            assert names(gabor(k, direction, phase, size=size)) == ["Gabor"], (k, direction, phase)


@pytest.mark.parametrize("size", [5, 7])
def test_derivatives_pass_no_mean(size):
    """Derivatives of a Gaussian peak as low as it passes, but are no low-pass filters."""
    x, y = points(size, size)
    for width in (0.2 * size, 0.3 * size):
        for direction in DIRECTIONS:
            along = x * np.cos(direction) + y * np.sin(direction)
            assert names(along * gaussian(width, size, size)) == ["Gabor"], (width, direction)


def test_two_waves_are_no_gabor_function_and_two_ends_no_filter():
    two = gabor(0.6, 0.0, 0.0) + gabor(0.6, np.pi / 2, 0.0)
    low_and_high = gaussian(1.0) / np.linalg.norm(gaussian(1.0)) + (
        laplacian() / np.linalg.norm(laplacian())
    )
    assert names(low_and_high) == ["mixed"]
    assert names(two) == ["band-pass"]


@given(
    seed=st.integers(0, 99),
    gain=st.floats(0.01, 100) | st.floats(-100, -0.01),
    turns=st.integers(0, 3),
    flip=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_features_see_neither_gain_nor_turns(seed, gain, turns, flip):
    weights = np.random.default_rng(seed).standard_normal((4, 2, 5, 5))
    other = gain * np.rot90(weights, turns, (-2, -1))
    other = other[..., ::-1] if flip else other
    for name, a, b in zip(
        classes.Features._fields,
        classes.kernel_features(weights),
        classes.kernel_features(other),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-9, err_msg=name)


def test_features_of_a_wave():
    """A pure plane wave on the torus: all energy in two modes."""
    wave = np.zeros((1, 32, 32))
    wave[0, 4, 8] = wave[0, -4, -8] = 1.0
    found = classes.features(wave)
    assert found.peak == pytest.approx(np.hypot(0.25, 0.5))
    assert found.centroid == pytest.approx(np.hypot(0.25, 0.5))
    assert found.lobes == pytest.approx(1)
    assert found.orientation == pytest.approx(1)
    assert (found.low[0], found.middle[0], found.high[0], found.mean[0]) == (0, 1, 0, 0)


def test_thresholds_decide():
    """One threshold at a time, to either side of what a kernel has."""
    kernel = gaussian(0.6)[None, None]
    share = float(classes.kernel_features(kernel).low[0, 0])
    for least, name in ((share - 0.01, "low-pass"), (share + 0.01, "mixed")):
        assert CLASSES[classify(kernel, Thresholds(low_share=least))[0, 0]] == name
    with pytest.raises(InputError, match="peak_low must be below peak_high, got 0.8 and 0.75"):
        Thresholds(peak_low=0.8)
    with pytest.raises(InputError, match=r"low_share must be between 0 and sqrt\(2\), got nan"):
        Thresholds(low_share=float("nan"))


def test_kernels_of_theory_do_not_hang_on_thresholds_and_borderline_ones_do():
    clear = np.stack([gaussian(1.0), laplacian(), gabor(0.55, 0.4, 0.3)])[:, None]
    rows = threshold_sensitivity(clear, by=0.1)
    assert len(rows) == 20
    assert all(row.changed == 0 for row in rows)
    border = np.stack([gaussian(0.6), gaussian(1.0)])[:, None]
    by_name = {(row.threshold, row.value > 0.33): row for row in threshold_sensitivity(border)}
    assert by_name["low_share", True].changed == 0.5
    np.testing.assert_allclose(by_name["low_share", True].fractions, [0.5, 0, 0, 0, 0.5])
    assert by_name["low_share", False].changed == 0
    with pytest.raises(InputError, match="by must be between 0 and 1, got 1"):
        threshold_sensitivity(border, by=1)


# ------------------------------------------------------------------------------------- ablation ---


def layer(rng=0, outputs=3, inputs=2):
    generator = np.random.default_rng(rng)
    weights = generator.standard_normal((outputs, inputs, 5, 5))
    field = generator.standard_normal((4, inputs, 24, 24))
    return weights, field


def test_one_kernel_changes_what_its_spectrum_reaches():
    """A Gabor function is added to one kernel: only its wavenumbers change, ReLU spreads them."""
    weights, field = layer()
    after = weights.copy()
    after[1, 0] += gabor(0.5, 0.0, 0.0)
    after[2] += 100.0  # other outputs do not matter
    after[1, 1] += 100.0  # nor do the other kernels of this one
    found = kernel_ablation(field, (weights, after), (1, 0))
    # at the wave's k = 6 of 12 the change is the spectrum of the kernel times that of the input
    spectrum = np.abs(kernels.kernel_spectra(gabor(0.5, 0.0, 0.0)[None, None], (24, 24))[0, 0])
    hat = np.abs(np.fft.fft2(field[:, 0], norm="forward")).mean(0) * spectrum
    n = np.fft.fftfreq(24, 1 / 24)
    shell = np.floor(np.hypot(n[:, None], n) + 0.5)
    expected = [hat[shell == k].mean() for k in found.k]
    np.testing.assert_allclose(found.linear.change, expected, rtol=1e-10)
    least, most = found.linear.change[-1], found.linear.change.max()
    assert found.relu.change[-1] / found.relu.change.max() > least / most
    assert (np.abs(found.linear.after - found.linear.before) <= found.linear.change + 1e-12).all()


def test_a_channel_that_is_cut_off_changes_only_before_relu():
    weights, field = layer()
    after = weights.copy()
    after[0, 1] *= 0.5
    bias = np.array([-1e4, 0.0, 0.0])
    found = kernel_ablation(field, (weights, after), (0, 1), bias=bias)
    assert (found.linear.change > 0).all()
    assert not found.relu.change.any()
    none = kernel_ablation(field, (weights, weights), (0, 1))
    assert not none.linear.change.any()
    np.testing.assert_array_equal(none.relu.before, none.relu.after)


def test_ablations_that_cannot_be():
    weights, field = layer()
    with pytest.raises(InputError, match=r"\(output, input\) within \(3, 2\), got \(2, 2\)"):
        kernel_ablation(field, (weights, weights), (2, 2))
    with pytest.raises(InputError, match=r"shape \(samples, 2, ny, nx\), got shape \(4, 1, 24"):
        kernel_ablation(field[:, :1], (weights, weights), (0, 0))
    with pytest.raises(InputError, match="before and after must have the same shape"):
        kernel_ablation(field, (weights, weights[:2]), (0, 0))
    with pytest.raises(InputError, match=r"bias must have shape \(3,\), got \(2,\)"):
        kernel_ablation(field, (weights, weights), (0, 0), bias=np.zeros(2))
    field[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="activation must be finite"):
        kernel_ablation(field, (weights, weights), (0, 0))
