"""The error as a function of some parameters: against the network, finite differences, autograd."""

import copy

import networks
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from objectives import DEPTH, NETWORKS, dense_hessian, fields, network, objective, random_vector
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl import metrics
from pytbl.errors import InputError
from pytbl.nn.objective import Objective
from pytbl.nn.selection import Selection
from pytbl.nn.tail import Tail

#: Of second derivatives, which sum over many products.
SECOND = 1e-9
#: Of differences: as small as rounding allows, so that few units of ReLU switch.
STEP = 1e-8


# -------------------------------------------------------------------------------------- error ---


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("layers", ["1", "3", "4", "2+4:bias", "all"])
def test_the_error_is_that_of_the_network(kind, layers):
    model, (omega, pi) = network(kind), fields()
    predicted = networks.predict(model.double(), omega.numpy())
    error = objective(layers, kind)
    expected = metrics.relative_rmse(predicted, pi.numpy()) ** 2
    assert float(error.loss(error.theta)) == pytest.approx(expected, rel=100 * ROUNDING)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("layers", ["2", "3:weight", "2:bias+4", "last"])
def test_other_parameters_are_those_of_a_changed_network(kind, layers):
    """The layers before the first chosen one are evaluated once, and nothing is lost by it."""
    model, (omega, pi) = network(kind).double(), fields()
    error = objective(layers, kind)
    theta = error.theta + 0.3 * random_vector(error.parameters)
    start = 0
    with torch.no_grad():
        for parameter in Selection.of(layers, DEPTH).parameters(model).values():
            piece = theta[start : start + parameter.numel()]
            parameter.copy_(piece.reshape(parameter.shape))
            start += parameter.numel()
    assert start == error.parameters
    predicted = networks.predict(model, omega.numpy())
    scale = float(pi.square().mean().sqrt())
    np.testing.assert_allclose(error.predict(theta) * scale, predicted, atol=1e3 * ROUNDING)


def test_predicting_nothing_costs_one():
    error = objective("last")
    assert float(error.loss(torch.zeros_like(error.theta))) == pytest.approx(1, abs=ROUNDING)
    assert float(error.truth.square().mean()) == pytest.approx(1)


def test_the_model_is_left_as_it_was():
    model = network()
    before = copy.deepcopy(model.state_dict())
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    error = Objective(model, fields(), Selection.of("all", DEPTH))
    error.gradient()
    error.hessian_product(error.theta)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == before[name].dtype
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_samples_may_be_taken_a_few_at_a_time(chunk):
    whole, some = objective("2+3", chunk=5), objective("2+3", chunk=chunk)
    direction = random_vector(whole.parameters)
    for of in (
        lambda error: error.loss(error.theta),
        lambda error: error.gradient(),
        lambda error: error.hessian_product(direction),
    ):
        expected = of(whole)
        scale = float(expected.abs().max())
        torch.testing.assert_close(of(some), expected, rtol=0, atol=1e3 * ROUNDING * scale)


def test_single_precision_is_near_double():
    double, single = objective("2"), objective("2", dtype=torch.float32)
    assert single.theta.dtype == torch.float32
    assert float(single.loss(single.theta)) == pytest.approx(
        float(double.loss(double.theta)), rel=ROUNDING_SINGLE
    )


# -------------------------------------------------------------------------------- derivatives ---


def test_the_gradient_is_that_of_differences():
    error = objective("1+3")
    direction = random_vector(error.parameters)
    step = STEP * direction
    with torch.no_grad():
        change = error.loss(error.theta + step) - error.loss(error.theta - step)
    slope = float(error.gradient() @ direction)
    assert float(change) / (2 * STEP) == pytest.approx(slope, rel=1e-6)
    elsewhere = error.theta + 0.1 * direction
    with torch.no_grad():
        change = error.loss(elsewhere + step) - error.loss(elsewhere - step)
    assert float(change) / (2 * STEP) == pytest.approx(
        float(error.gradient(elsewhere) @ direction), rel=1e-6
    )


@pytest.mark.parametrize("layers", ["1:bias+2:bias", "4", "3:weight"])
def test_products_with_the_hessian_are_those_of_the_dense_one(layers):
    error = objective(layers)
    dense = dense_hessian(error)
    direction = random_vector(error.parameters)
    product = error.hessian_product(direction)
    atol = SECOND * float(dense.norm())
    torch.testing.assert_close(product, dense @ direction, rtol=0, atol=atol)


@given(seeds=st.tuples(st.integers(0, 99), st.integers(100, 199)))
@settings(max_examples=8, deadline=None)
def test_the_hessian_is_symmetric_and_linear(seeds):
    error = objective("2+3")
    a, b = (random_vector(error.parameters, seed) for seed in seeds)
    of_a, of_b = error.hessian_product(a), error.hessian_product(b)
    scale = float(of_a.norm() * b.norm())
    assert abs(float(of_a @ b - of_b @ a)) < SECOND * scale
    both = error.hessian_product(2 * a - b)
    torch.testing.assert_close(both, 2 * of_a - of_b, rtol=0, atol=SECOND * scale)


def test_products_with_the_jacobian_are_those_of_the_dense_one():
    error = objective("2:bias+4")
    dense = torch.func.jacrev(error.predict)(error.theta)
    direction = random_vector(error.parameters)
    forward = error.jacobian_product(direction)
    torch.testing.assert_close(forward, dense @ direction, rtol=0, atol=SECOND)
    output = random_vector(dense[..., 0].numel()).reshape(dense.shape[:-1])
    backward = error.jacobian_transpose_product(output)
    expected = torch.einsum("sxyp,sxy->p", dense, output)
    torch.testing.assert_close(backward, expected, rtol=0, atol=SECOND * float(expected.norm()))
    some = slice(1, 3)
    torch.testing.assert_close(
        error.jacobian_product(direction, some), forward[some], rtol=0, atol=SECOND
    )
    masked = torch.zeros_like(output)
    masked[some] = output[some]
    torch.testing.assert_close(
        error.jacobian_transpose_product(output[some], some),
        error.jacobian_transpose_product(masked),
        rtol=0,
        atol=SECOND * float(expected.norm()),
    )


def test_the_gradient_is_the_mean_over_samples():
    error = objective("2+4")
    each = error.sample_gradients()
    assert each.shape == (5, error.parameters)
    torch.testing.assert_close(each.mean(0), error.gradient(), rtol=0, atol=1e3 * ROUNDING)
    omega, pi = fields()
    # on its own, a sample's error is relative to its own Pi
    one = Objective(network(), (omega[2:3], pi[2:3]), Selection.of("2+4", DEPTH))
    share = float(pi[2].square().mean() / pi.square().mean())
    torch.testing.assert_close(
        each[2], share * one.gradient(), rtol=0, atol=1e3 * ROUNDING * float(each.norm())
    )


@pytest.mark.parametrize("kind", ["plain", "symmetric"])
def test_filters_are_the_kernels_of_an_output_channel(kind):
    model, error = network(kind), objective("2+3:bias+4:weight", kind)
    kernels = model.layers[1].weight, model.layers[3].weight
    expected = [
        *(kernel.flatten() for kernel in kernels[0]),
        model.layers[1].bias,
        model.layers[2].bias,
        *(kernel.flatten() for kernel in kernels[1]),
    ]
    pieces = error.filters()
    assert len(pieces) == len(expected)
    for piece, parameters in zip(pieces, expected, strict=True):
        assert torch.equal(error.theta[piece], parameters.detach().double())
    assert pieces[-1].stop == error.parameters


def test_norms_of_parameter_tensors():
    model, error = network(), objective("2+3:bias")
    tensors = *model.layers[1].parameters(), model.layers[2].bias
    expected = [float(tensor.detach().norm()) for tensor in tensors]
    np.testing.assert_allclose(error.layer_norms(), expected, rtol=ROUNDING_SINGLE)


def test_samples_that_define_no_error():
    omega, pi = fields()
    chosen = Selection.of(2, DEPTH)
    with pytest.raises(InputError, match="pi is zero in every sample"):
        Objective(network(), (omega, 0 * pi), chosen)
    for wrong in ((omega[:2], pi), (omega[0], pi[0]), (omega[:0], pi[:0])):
        with pytest.raises(InputError, match=r"one shape \(samples, ny, nx\) with samples >= 1"):
            Objective(network(), wrong, chosen)


# --------------------------------------------------------------------------------------- tail ---


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("first", range(DEPTH))
def test_a_tail_ends_what_was_begun(kind, first):
    model, (omega, _) = network(kind), fields()
    tail = Tail(model, first)
    x = tail.enter(omega)
    assert not x.requires_grad
    channels = 2 if first == 0 else 4
    assert x.shape == (5, channels, 12, 12)
    with torch.no_grad():
        assert torch.equal(tail(x), model(omega))


def test_a_tail_has_the_weights_of_its_network():
    model, (omega, _) = network(), fields()
    tail = Tail(model, 2)
    x = tail.enter(omega)
    with torch.no_grad():
        model.layers[3].weight.mul_(2)
        assert torch.equal(tail(x), model(omega))


# ---------------------------------------------------------------------------------- selection ---


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [
        (2, "2"),
        ("2", "2"),
        ("first", "1"),
        ("last", "4"),
        ("hidden", "2+3"),
        ("all", "all"),
        ("1+2+3+4", "all"),
        ("all:bias", "all:bias"),
        ("2:weight", "2:weight"),
        ("2:bias+2:weight", "2"),
        ("4+2", "2+4"),
        (" 2 + 3:bias ", "2+3:bias"),
        ([4, "2:bias", 2], "2+4"),
        (["first", "last"], "1+4"),
        (("1+2", 2), "1+2"),
        (range(1, 4), "1+2+3"),
    ],
)
def test_what_a_selection_says(layers, chosen):
    selection = Selection.of(layers, DEPTH)
    assert str(selection) == chosen
    assert Selection.of(str(selection), DEPTH) == selection


@pytest.mark.parametrize(
    "layers", ["5", "0", 0, -1, 5, "middle", "2:kernel", "2:", ":bias", "", "2+", "1.5", "2-3", "²"]
)
def test_layers_that_do_not_exist_and_those_that_do(layers):
    message = r"there is no layer '.*': expected 1 \.\. 4, first, last, hidden, all, each alone"
    with pytest.raises(InputError, match=message) as caught:
        Selection.of(layers, DEPTH)
    wrong = str(layers).split("+")[-1]
    assert f"{wrong!r}" in str(caught.value)


@pytest.mark.parametrize(("layers", "depth"), [([], 4), ("hidden", 2), ("hidden", 1)])
def test_no_layers(layers, depth):
    with pytest.raises(InputError, match=rf"no layers were chosen: expected 1 \.\. {depth}"):
        Selection.of(layers, depth)


@given(
    chosen=st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(("", ":weight", ":bias"))), min_size=1
    )
)
def test_a_selection_is_a_set_that_its_words_give_back(chosen):
    terms = [f"{layer}{part}" for layer, part in chosen]
    selection = Selection.of(terms, 6)
    assert Selection.of("+".join(reversed(terms)), 6) == selection
    assert Selection.of(str(selection), 6) == selection
    assert selection.layers == tuple(sorted({layer for layer, _ in chosen}))


def test_parameters_are_those_of_the_layers_in_order():
    model = network()
    found = Selection.of("3+1:bias", DEPTH).parameters(model)
    assert list(found) == ["layers.0.bias", "layers.2.weight", "layers.2.bias"]
    assert found["layers.2.weight"] is model.layers[2].weight


def test_only_what_is_chosen_is_trained():
    model = network()
    Selection.of("2:weight+4", DEPTH).free(model)
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert free == {"layers.1.weight", "layers.3.weight", "layers.3.bias"}
    Selection.of("1", DEPTH).free(model)
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert free == {"layers.0.weight", "layers.0.bias"}
