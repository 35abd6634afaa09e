"""Activation spectra: waves whose spectra are known, and networks that differ in a known way."""

import numpy as np
import pytest
import torch
from networks import fitted, setting, vorticity
from test_analysis_stack import kernels
from tolerances import ROUNDING

from pytbl.analysis.activations import activation_spectra
from pytbl.analysis.departures import departure, departures, linear_shares
from pytbl.analysis.stack import Activation, Stack
from pytbl.errors import InputError
from pytbl.nn.activations import activations
from pytbl.plots import activations as plots

LX, LY = 2 * np.pi, 3 * np.pi
BOX = {"lx": LX, "ly": LY}
NY, NX = 16, 24


def wave(mx, my, amplitude=1.0):
    x, y = np.arange(NX) / NX, np.arange(NY)[:, None] / NY
    return amplitude * np.cos(2 * np.pi * (mx * x + my * y))


def layer(*fields, number=1, first=0):
    """An activation of one sample, linear."""
    h = np.array(fields)[None]
    return Activation(number, first, h, h)


def noise(samples, rng=1):
    return np.random.default_rng(rng).standard_normal((samples, 2, NY, NX))


# -------------------------------------------------------------------------------------- spectra ---


def test_the_spectrum_of_a_wave():
    """cos(3 x - 2 ky y) has 1/2 at two wavenumbers; the domain's spacings are 1 and 2/3."""
    (one,) = activation_spectra([layer(wave(3, -2, 4.0))], **BOX)
    peaks = {(kx, ky): 2.0 for kx, ky in [(3.0, -4 / 3), (-3.0, 4 / 3)]}
    for (kx, ky), expected in peaks.items():
        column, row = (int(np.argmin(abs(a - b))) for a, b in ((one.kx, kx), (one.ky, ky)))
        assert one.map_after[row, column] == pytest.approx(expected)
    assert one.map_after.sum() == pytest.approx(4.0)
    assert one.map_after.shape == (len(one.ky), len(one.kx)) == (15, 23)
    # the shell of |k| = 3.28, which is 5 spacings of 2/3
    shell = int(np.argmax(one.mean()))
    assert one.k[shell] == pytest.approx(5 * 2 / 3)
    kx, ky = np.meshgrid(one.kx, one.ky)
    inside = np.floor(np.hypot(kx, ky) / (2 / 3) + 0.5) == 5
    assert one.mean()[shell] == pytest.approx(4.0 / inside.sum())


def test_maps_are_the_moduli_of_numpy():
    activation = Activation(1, 0, noise(3, 1), noise(3, 2))
    (one,) = activation_spectra([activation], **BOX)
    for map_, fields in ((one.map_before, activation.before), (one.map_after, activation.after)):
        plane = np.fft.fftshift(np.abs(np.fft.fft2(fields)).mean((0, 1))) / (NX * NY)
        np.testing.assert_allclose(map_, plane[1:, 1:], atol=ROUNDING)  # without Nyquist's


def test_the_two_averages():
    """Channels that cancel have spectra, and their average has none."""
    opposite = layer(wave(3, 0), -wave(3, 0))
    (spectra,) = activation_spectra([opposite])
    (average,) = activation_spectra([opposite], average="activation")
    assert spectra.mean().sum() > 0.01
    assert average.mean().max() < ROUNDING
    same = [layer(wave(2, 1), wave(2, 1))]
    (one,), (other,) = activation_spectra(same), activation_spectra(same, average="activation")
    np.testing.assert_allclose(one.after, other.after, atol=ROUNDING)


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_parts_are_put_together(batch):
    stack, x = Stack(kernels(2, 3, 1)), noise(7)
    whole = activation_spectra(stack.run(x, batch=7))
    for one, other in zip(activation_spectra(stack.run(x, batch=batch)), whole, strict=True):
        assert one.layer == other.layer
        np.testing.assert_allclose(one.before, other.before, atol=ROUNDING)
        np.testing.assert_allclose(one.map_after, other.map_after, atol=ROUNDING)


def test_percentiles_are_over_samples():
    (one,) = activation_spectra([layer(wave(3, 0, a), first=a) for a in range(5)])
    low, high = one.percentiles()
    np.testing.assert_allclose(low, one.after[1], atol=ROUNDING)
    np.testing.assert_allclose(high, one.after[3], atol=ROUNDING)
    np.testing.assert_allclose(one.mean(), one.after[2], atol=ROUNDING)


# ----------------------------------------------------------------------------------- departures ---


def test_a_gain_departs_by_its_logarithm():
    (one,) = activation_spectra([layer(noise(1)[0, 0])])
    (other,) = activation_spectra([layer(100 * noise(1)[0, 0])])
    assert departure(one, other) == pytest.approx(2)
    assert departure(other, one, band=(2, 5)) == pytest.approx(2)
    assert departure(one, one) == 0


def test_a_band_is_found_where_it_is():
    field = noise(1)[0, 0]
    (one,) = activation_spectra([layer(field)])
    (other,) = activation_spectra([layer(field + wave(5, 0, 3.0))])
    assert departure(one, other, band=(4.5, 5.5)) > 0.3
    assert departure(one, other, band=(0, 4.5)) < ROUNDING
    assert departure(one, other, band=(5.5, 99)) < ROUNDING


def test_a_layer_without_power():
    (dead,) = activation_spectra([layer(np.zeros((NY, NX)))])
    (alive,) = activation_spectra([layer(noise(1)[0, 0])])
    assert departure(dead, dead) == 0
    assert departure(dead, alive) == np.inf
    (share,) = linear_shares([dead], [alive])
    assert np.isnan(share.share)


def test_only_the_layers_from_the_changed_one_on_depart():
    omega, other = vorticity(setting(), 4, rng=3), vorticity(setting(), 4, rng=4)
    base, transferred = fitted(setting()), fitted(setting())
    with torch.no_grad():
        transferred.layers[1].weight.mul_(1.5)
    spectra = [
        activation_spectra(activations(model, fields), **BOX)
        for model, fields in ((base, omega), (base, other), (transferred, other))
    ]
    rows = departures(*spectra)
    assert [row.layer for row in rows] == [1, 2, 3]
    assert rows[0].transfer == 0
    assert rows[0].distance == rows[0].flow > 0
    assert rows[1].transfer > 0.1
    assert rows[2].transfer > 0.1
    assert all(np.isnan(row.transfer) for row in departures(*spectra[:2]))
    shares = linear_shares(spectra[1], spectra[2])
    assert np.isnan(shares[0].share)
    assert shares[2].share == pytest.approx(1)  # there is no ReLU
    assert shares[2].relu == 0


def test_a_change_is_shared_between_kernels_and_relu():
    """A gain passes ReLU, and is linear; a bias is nothing to h but at k = 0, and is all ReLU's."""
    ((weight, _),), x = kernels(2, 4), noise(3)
    none, some = np.zeros(4), np.full(4, 3.0)

    def spectra(gain, bias):
        return activation_spectra(Stack([(gain * weight, bias)], activations=["relu"]).run(x))

    (gain,) = linear_shares(spectra(1, none), spectra(2, none))
    assert gain.share == pytest.approx(1)
    assert gain.change == pytest.approx(np.log10(2))
    assert gain.relu < ROUNDING
    (bias,) = linear_shares(spectra(1, none), spectra(1, some))
    assert bias.share == pytest.approx(0, abs=1e-9)
    assert bias.linear < 1e-9
    assert bias.relu == pytest.approx(bias.change)
    assert bias.change > 0.01


# -------------------------------------------------------------------------------------- figures ---


@pytest.fixture(scope="module")
def named():
    """Spectra of two stacks."""
    stacks = [Stack(kernels(2, 3, 3, 1, rng=seed)) for seed in (0, 1)]
    return {
        name: activation_spectra(stack.run(noise(3)))
        for name, stack in zip(("one", "other"), stacks, strict=True)
    }


def test_a_figure_has_an_axes_for_each_layer_and_a_line_for_each_network(named, tmp_path):
    figure = plots.activation_spectra(named, layers=[1, 3])
    assert [axes.get_title() for axes in figure.axes] == ["layer 1", "layer 3"]
    lines = figure.axes[1].get_lines()
    np.testing.assert_array_equal(lines[1].get_ydata(), named["other"][2].mean())
    figure.savefig(tmp_path / "spectra.png")
    figure = plots.linear_and_relu(named, layers=[2])
    linear, nonlinear = figure.axes[1].get_lines()[:2]
    expected = [
        named["other"][1].mean(side) / named["one"][1].mean(side) for side in ("before", "after")
    ]
    np.testing.assert_allclose(linear.get_ydata(), expected[0])
    np.testing.assert_allclose(nonlinear.get_ydata(), expected[1])
    figure.savefig(tmp_path / "linear.png")


def test_figures_of_what_is_not_there(named):
    with pytest.raises(InputError, match=r"there is no layer 4: expected one of \[1, 2, 3\]"):
        plots.activation_spectra(named, layers=[4])
    with pytest.raises(InputError, match="two lists of spectra can be compared, got 1"):
        plots.linear_and_relu({"one": named["one"]})
    with pytest.raises(InputError, match="there are no spectra to draw"):
        plots.activation_spectra({})


# ------------------------------------------------------------------------------------ bad input ---


def test_bad_input(named):
    with pytest.raises(InputError, match="average must be 'spectra' or 'activation', got 'all'"):
        activation_spectra([layer(wave(1, 1))], average="all")
    with pytest.raises(InputError, match="there are no activations"):
        activation_spectra([])
    with pytest.raises(InputError, match="some of layer 2 that are not"):
        activation_spectra([layer(wave(1, 1) * np.nan, number=2)])
    (one,) = activation_spectra([layer(wave(1, 1))])
    (coarse,) = activation_spectra([layer(wave(1, 1)[:, ::2])])
    with pytest.raises(InputError, match="the same wavenumbers, got 7 up to 7 and 5 up to 5"):
        departure(one, coarse)
    with pytest.raises(InputError, match="no shell lies in 20 <= k < 30: they are 1 .. 7"):
        departure(one, one, band=(20, 30))
    with pytest.raises(InputError, match="side must be 'before' or 'after', got 'left'"):
        one.mean("left")
    with pytest.raises(InputError, match=r"the same layers, got \[1, 2, 3\] and \[1, 2\]"):
        departures(named["one"], named["one"][:2])
