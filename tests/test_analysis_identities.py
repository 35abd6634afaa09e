"""Identities of networks in Fourier space: to rounding where they hold, and seen where not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import fitted, setting, vorticity
from test_analysis_stack import kernels
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl.analysis.identities import check_identities, convolved
from pytbl.analysis.stack import Activation, Layer, Stack
from pytbl.errors import InputError
from pytbl.nn.activations import activations, inputs


def noise(samples=3, channels=2, ny=16, nx=24, rng=1):
    return np.random.default_rng(rng).standard_normal((samples, channels, ny, nx))


@given(
    ny=st.integers(5, 12),
    nx=st.integers(5, 14),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    convention=st.sampled_from(("correlation", "convolution")),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_identities_hold_on_a_periodic_domain(ny, nx, rows, columns, convention, seed):
    """Rectangles of odd and even points, kernels of any shape."""
    made = kernels(2, 3, 3, 1, size=(rows, columns), rng=seed)
    stack = Stack(made, convention=convention)
    checked = check_identities(stack, noise(2, 2, ny, nx, seed))
    assert [one.layer for one in checked] == [1, 2, 3]
    for one in checked:
        assert one.convolution == one.padding_defect < ROUNDING
        assert one.defect.shape == (ny, nx)
    assert all(one.relu < ROUNDING for one in checked[:-1])
    assert np.isnan(checked[-1].relu)  # there is no ReLU


def test_zeros_beyond_the_edges_are_a_defect_in_a_frame_of_half_a_kernel():
    checked = check_identities(Stack(kernels(2, 3, 1), padding="zeros"), noise())
    for one in checked:
        assert one.convolution < ROUNDING
        assert one.padding_defect > 0.1
        frame = np.ones((16, 24), bool)
        frame[2:-2, 2:-2] = False
        assert (one.defect[frame] > 1e-3).all()
        assert one.defect[~frame].max() < ROUNDING
        total = np.sqrt(np.square(one.defect).mean())
        assert one.padding_defect == pytest.approx(total)


def test_the_defect_of_a_shift_is_known():
    """h is the point above: with zeros, the first row is missing, one of 16."""
    shift = np.zeros((1, 1, 3, 3))
    shift[0, 0, 0, 1] = 1
    x = np.sign(noise(1, 1))  # every point weighs the same
    (one,) = check_identities(Stack([(shift, None)], padding="zeros"), x)
    assert one.padding_defect == pytest.approx(np.sqrt(1 / 15))  # over what is left
    assert (one.defect[0] > 1).all()
    assert one.defect[1:].max() < ROUNDING


@pytest.mark.parametrize("padding", ["circular", "zeros"])
def test_the_activations_of_a_network_of_torch(padding):
    """In single precision, and in parts."""
    model, omega = fitted(setting(), padding=padding), vorticity(setting(), 5)
    own = activations(model, omega, batch=2)
    checked = check_identities(Stack.of(model), inputs(model, omega), own)
    assert [one.layer for one in checked] == [1, 2, 3]
    for one in checked:
        assert ROUNDING < one.convolution < ROUNDING_SINGLE
        assert (one.padding_defect > 1e-2) == (padding == "zeros")
    assert all(one.relu < ROUNDING_SINGLE for one in checked[:-1])


def test_activations_of_other_weights_and_another_nonlinearity_are_found():
    made, x = kernels(2, 3, 1), noise()
    stack = Stack(made)
    other = Stack([(made[0][0], made[0][1] + 1), made[1]])
    first, second = check_identities(stack, x, other.run(x))
    assert first.convolution > 0.01
    assert second.convolution < ROUNDING

    def leaky(a: Activation) -> Activation:
        return a._replace(after=np.where(a.before > 0, a.before, 0.1 * a.before))

    first, _ = check_identities(stack, x, map(leaky, stack.run(x)))
    assert first.convolution < ROUNDING
    assert first.relu > 0.001


def test_a_bias_is_the_mean_alone():
    weight = np.zeros((2, 1, 3, 3))
    layer = Layer(weight, np.array([1.5, -2.0]), "linear")
    np.testing.assert_allclose(
        convolved(noise(1, 1), layer)[0], np.array([1.5, -2.0])[:, None, None] * np.ones((16, 24))
    )


def test_activations_that_are_of_something_else():
    stack, x = Stack(kernels(2, 3, 1)), noise()
    with pytest.raises(InputError, match="those of 2 layers and 3 samples, got layer 3"):
        check_identities(stack, x, [Activation(3, 0, x, x)])
    with pytest.raises(InputError, match=r"got layer 1 of shape \(3, 2, 16, 24\) from sample 2"):
        check_identities(stack, x, [Activation(1, 2, x, x)])
    with pytest.raises(InputError, match="inputs must be real"):
        check_identities(stack, x[0])
