"""Stacks: a network of torch and direct sums as oracles, files from elsewhere, and bad input."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import fitted, setting, vorticity
from tolerances import ROUNDING, ROUNDING_SINGLE
from torch import nn

from pytbl.analysis.stack import Stack
from pytbl.errors import InputError
from pytbl.nn import save
from pytbl.nn.activations import activations, inputs
from pytbl.nn.foreign import read_state_dict


def kernels(*channels, size=(5, 5), rng=0):
    """Random kernels and biases of layers between so many channels."""
    draw = np.random.default_rng(rng).standard_normal
    return [(draw((b, a, *size)), draw(b)) for a, b in pairwise(channels)]


@pytest.mark.parametrize("padding", ["circular", "zeros"])
def test_a_stack_is_the_convolutions_of_the_network(padding):
    model = fitted(setting(), padding=padding).double()
    x = np.random.default_rng(7).standard_normal((3, 2, 16, 24))
    with torch.no_grad():
        expected = model.convolve(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(Stack.of(model)(x), expected, atol=10 * ROUNDING)


def test_a_network_with_a_symmetry_is_a_stack_of_ordinary_convolutions():
    square = setting(16, 16, ly=2 * np.pi)
    model = fitted(square, symmetry="p4").double()
    x = inputs(model, vorticity(square, 2, rng=3))
    with torch.no_grad():
        expected = model.convolve(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(Stack.of(model)(x), expected, atol=10 * ROUNDING)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_activations_of_torch_are_those_of_numpy(batch):
    """Also in parts: layers come in order for each of them."""
    model, omega = fitted(setting()).double(), vorticity(setting(), 5, rng=4)
    own = list(activations(model, omega, batch=batch))
    other = list(Stack.of(model).run(inputs(model, omega), batch=batch))
    assert [(a.layer, a.first) for a in own] == [
        (layer, first) for first in range(0, 5, batch) for layer in (1, 2, 3)
    ]
    for a, b in zip(own, other, strict=True):
        assert a[:2] == b[:2]
        np.testing.assert_allclose(a.before, b.before, atol=10 * ROUNDING)
        np.testing.assert_allclose(a.after, b.after, atol=10 * ROUNDING)
    np.testing.assert_array_equal(own[0].after, np.maximum(own[0].before, 0))
    np.testing.assert_array_equal(own[2].after, own[2].before)


def test_activations_end_in_the_term_of_the_network():
    model, omega = fitted(setting()), vorticity(setting(), 2, rng=5)
    (last,) = [a.after for a in activations(model, omega) if a.layer == 3]
    with torch.no_grad():
        term = model.project(model.scale(torch.from_numpy(last))).numpy()
        expected = model(torch.from_numpy(omega)).numpy()
    np.testing.assert_allclose(term, expected, atol=ROUNDING_SINGLE * np.abs(expected).max())


@pytest.mark.parametrize("size", [(5, 5), (3, 4), (2, 5)])
def test_a_convolution_is_a_correlation_with_the_turned_kernel(size):
    """By the definition, with an impulse: h(x) is W(x - c), or W(c - x)."""
    ((weight, _),) = kernels(1, 1, size=size)
    impulse = np.zeros((1, 1, 12, 16))
    impulse[..., 6, 7] = 1
    expected = np.zeros((12, 16))
    y, x = ((n - 1) // 2 for n in size)
    expected[6 - y : 6 - y + size[0], 7 - x : 7 - x + size[1]] = weight[0, 0]
    spread = Stack([(weight, None)], convention="convolution")(impulse)[0, 0]
    np.testing.assert_allclose(spread, expected, atol=ROUNDING)
    turned = Stack([(weight, None)])(impulse)[0, 0]
    np.testing.assert_allclose(
        np.roll(turned[::-1, ::-1], (1, 15), (0, 1)), expected, atol=ROUNDING
    )


# ---------------------------------------------------------------------------------------- files ---


def test_a_closure_is_read(tmp_path):
    model = fitted(setting())
    path = save(model, tmp_path / "net.closure", programs=())
    x = np.random.default_rng(1).standard_normal((1, 2, 16, 24))
    np.testing.assert_array_equal(Stack.of(path)(x), Stack.of(model)(x))


@pytest.mark.parametrize("names", ["w{}.weight w{}.bias", "kernel_{} offset_{}"])
def test_arrays_are_read_in_their_order(tmp_path, names):
    """More than ten: an alphabetical order would be another one."""
    made = kernels(2, *[3] * 11, 1)
    pairs = zip(range(12), made, strict=True)
    arrays = {
        name.format(i): array
        for i, pair in pairs
        for name, array in zip(names.split(), pair, strict=True)
    }
    np.savez(tmp_path / "net.npz", **arrays)
    x = np.random.default_rng(1).standard_normal((1, 2, 8, 10))
    stack = Stack.of(tmp_path / "net.npz")
    np.testing.assert_array_equal(stack(x), Stack(made)(x))
    assert stack.left_out == ()


def test_of_a_network_that_is_no_stack_the_kernels_are_kept(tmp_path):
    network = nn.Sequential(
        nn.Conv2d(2, 4, 5, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3), nn.Linear(12, 10)
    )
    torch.save({"epoch": 3, "state": network.state_dict()}, tmp_path / "net.pt")
    stack = Stack.of(tmp_path / "net.pt", padding="zeros")
    assert [layer.weight.shape for layer in stack.layers] == [(4, 2, 5, 5), (3, 4, 3, 3)]
    np.testing.assert_array_equal(stack.layers[0].bias, 0)  # and not the weights of the next
    np.testing.assert_array_equal(stack.layers[1].bias, network[2].bias.detach())
    words = " ".join(stack.left_out)
    assert "3.weight: a dense layer from 12 to 10 values" in words
    assert "1.running_mean: an array of shape (4,)" in words
    assert len(stack.left_out) == 7


def test_a_stack_with_a_gap_has_kernels_and_cannot_be_run():
    stack = Stack([*kernels(2, 3), *kernels(8, 1)])
    assert len(stack) == 2
    with pytest.raises(InputError, match="layer 1 gives 3 channels, layer 2 takes 8"):
        stack(np.zeros((1, 2, 8, 8)))


def test_what_would_be_executed_is_not_read(tmp_path):
    torch.save(nn.Conv2d(1, 1, 3), tmp_path / "whole.pt")
    with pytest.raises(InputError, match="whole.pt cannot be read as a state dict") as caught:
        read_state_dict(tmp_path / "whole.pt")
    assert "\n" not in str(caught.value)
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(InputError, match="holds no tensors: expected a state dict, got dict"):
        read_state_dict(tmp_path / "empty.pt")


def test_files_without_kernels(tmp_path):
    np.savez(tmp_path / "dense.npz", a=np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"has no kernels: .* got a \(3, 4\)"):
        Stack.of(tmp_path / "dense.npz")
    (tmp_path / "no.npz").write_text("nothing")
    with pytest.raises(InputError, match="no.npz cannot be read"):
        Stack.of(tmp_path / "no.npz")


# ------------------------------------------------------------------------------------ bad input ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "reflect"}, "padding must be 'circular' or 'zeros', got 'reflect'"),
        ({"activations": ["tanh", "linear"]}, "activation must be 'relu' or 'linear', got 'tanh'"),
        ({"activations": ["relu"]}, "every layer needs an activation: expected 2, got 1"),
        ({"convention": "both"}, "convention must be 'correlation' or 'convolution', got 'both'"),
    ],
)
def test_names_that_there_are_not(options, message):
    with pytest.raises(InputError, match=message):
        Stack(kernels(2, 3, 1), **options)


def test_arrays_that_are_no_layers():
    ((weight, bias),) = kernels(2, 3)
    with pytest.raises(InputError, match="a stack needs at least one kernel, got none"):
        Stack([])
    with pytest.raises(InputError, match=r"the weights of layer 1 must be real, of shape .* \(2,"):
        Stack([(weight[0], bias)])
    with pytest.raises(InputError, match="the weights of layer 1 must be finite, got nan"):
        Stack([(weight * np.nan, bias)])
    with pytest.raises(InputError, match=r"biases of layer 1 must be finite, of shape \(3,\)"):
        Stack([(weight, bias[:-1])])


def test_inputs_that_do_not_fit():
    stack = Stack(kernels(2, 1))
    with pytest.raises(InputError, match=r"of shape \(samples, 2, ny, nx\), got float64, .* 3, 8"):
        stack(np.zeros((1, 3, 8, 8)))
    x = np.zeros((3, 2, 8, 8))
    x[1, 0, 2, 2] = np.inf
    with pytest.raises(InputError, match="inputs must be finite, got sample 1"):
        stack.run(x)
    with pytest.raises(InputError, match="batch must be an integer >= 1, got 0"):
        stack.run(np.zeros((1, 2, 8, 8)), batch=0)


def test_vorticity_that_does_not_fit_the_network():
    model, omega = fitted(setting()), vorticity(setting(), 2)
    with pytest.raises(InputError, match=r"shape \(samples, 16, 24\), got \(2, 16, 22\)"):
        activations(model, omega[..., :-2])
    omega[1, 3, 4] = np.nan
    with pytest.raises(InputError, match="omega must be finite, got sample 1"):
        activations(model, omega)
    with pytest.raises(InputError, match="batch must be an integer >= 1, got 1.5"):
        activations(model, omega[:1], batch=1.5)
