"""What derivatives say of layers: products, scores, and the transfer of the linearised network."""

import numpy as np
import pytest
import torch
from networks import fitted, learnable, setting, square
from torch.nn.utils import parameters_to_vector

from pytbl.errors import InputError
from pytbl.nn import scores
from pytbl.nn.jacobian import Jacobian, Work
from pytbl.nn.linearised import linearised_transfer
from pytbl.nn.objective import Objective
from pytbl.nn.selection import Selection

SINGLE = 2e-4  #: of products in float32
FITTED = 1e-3  #: of a least-squares problem solved in float32


def fields(of, count=6):
    samples = learnable(of, count)
    return tuple(torch.from_numpy(samples.read(name, range(count))) for name in ("omega", "pi"))


def relative(one, other):
    one, other = (np.asarray(field.detach(), float) for field in (one, other))
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def random(shape, rng=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng))


# ------------------------------------------------------------------------------- the Jacobian ---

NETWORKS = [
    ({}, "2"),
    ({}, "all"),
    ({}, "1:bias+3"),
    ({"symmetry": "p4"}, "all"),
    ({"output": "stress", "padding": "zeros"}, "1+2"),
]


@pytest.mark.parametrize(("options", "layers"), NETWORKS)
def test_products_are_those_of_automatic_differentiation(options, layers):
    of = square() if options.get("symmetry") else setting()
    model, data = fitted(of, **options), fields(of)
    selection = Selection.of(layers, 3)
    jacobian = Jacobian(model, data[0], selection)
    objective = Objective(model, data, selection)
    unit = float(data[1].square().mean().sqrt())
    direction, output = random(jacobian.parameters), random(jacobian.output.shape)
    assert relative(jacobian.output, unit * objective.predict(objective.theta)) < SINGLE
    expected = unit * objective.jacobian_product(direction.double())
    assert relative(jacobian.product(direction), expected) < SINGLE
    expected = unit * objective.jacobian_transpose_product(output.double())
    assert relative(jacobian.transpose_product(output), expected) < SINGLE
    moved = unit * objective.predict(objective.theta + 0.1 * direction.double())
    assert relative(jacobian.predict(0.1 * direction), moved) < SINGLE


def size_between(jacobian):
    """Memory for the last chunk of samples, which is smaller, if all were like it."""
    first, *_, last = ([part.nbytes for part in one.inputs] for one in jacobian._kept)
    assert sum(last) < sum(first) / 2
    return int(2.5 * len(jacobian._kept) * 2 * sum(last))


def test_products_without_memory_are_the_same_and_cost_more():
    of = setting()
    model, omega = fitted(of), fields(of, 10)[0]
    kept, repeated = (
        Jacobian(model, omega, Selection.of("2", 3), memory_limit=limit) for limit in (1 << 30, 0)
    )
    direction = random(kept.parameters)
    assert torch.equal(kept.product(direction), repeated.product(direction))
    some = Jacobian(model, omega, Selection.of("2", 3), memory_limit=size_between(kept))
    assert torch.equal(some.product(direction), kept.product(direction))
    output = random(kept.output.shape)
    assert relative(kept.transpose_product(output), repeated.transpose_product(output)) < 1e-6
    assert repeated.evaluations > kept.evaluations


def test_work_counts_multiplications():
    model = fitted(setting())  # 2 -> 8 -> 8 -> 1 channels
    second, whole = (Work(model, Selection.of(layers, 3)) for layers in ("2", "all"))
    assert second.entering == pytest.approx(16 / 88)
    assert second.evaluation == pytest.approx(72 / 88)
    assert second.change == pytest.approx((8 + 64) / 88)
    assert whole.training == pytest.approx(1 + (72 + 88) / 88)


# --------------------------------------------------------------------------- linearised transfer --


def test_of_the_last_layer_it_is_least_squares():
    """The network is linear in its last layer: numpy solves the same problem densely."""
    of = setting()
    model, (omega, pi) = fitted(of, width=3, kernel=3), fields(of)
    selection = Selection.of("last", 3)
    result = linearised_transfer(model, (omega, pi), selection, iterations=60)
    jacobian = Jacobian(model, omega, selection)
    columns = [jacobian.product(one) for one in torch.eye(jacobian.parameters)]
    matrix = torch.stack(columns, -1).double().numpy()
    misfit = (pi - jacobian.output).double().numpy()
    expected = []
    for held, used in ((slice(0, 3), slice(3, 6)), (slice(3, 6), slice(0, 3))):
        a, b = matrix[used].reshape(-1, jacobian.parameters), misfit[used].ravel()
        change = np.linalg.lstsq(a, b, rcond=None)[0]
        expected.append(np.square(misfit[held] - matrix[held] @ change).mean((1, 2)))
    np.testing.assert_allclose(result.linear[-1], np.concatenate(expected), rtol=FITTED)
    np.testing.assert_allclose(result.realised, result.linear, rtol=FITTED)
    np.testing.assert_allclose(result.truth, pi.square().mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(result.spectrum.sum(1), result.errors, rtol=FITTED)


def test_what_is_fitted_is_never_what_is_judged():
    """Samples that are noise cannot be predicted, however well they can be fitted."""
    of = setting()
    model, (omega, pi) = fitted(of), fields(of, 4)
    noise = model.spectral.project(random(pi.shape).double())
    result = linearised_transfer(model, (omega, noise), Selection.of("all", 3), iterations=20)
    assert result.linear[-1].sum() > result.truth.sum()
    assert result.errors.sum() == min(result.linear.sum(1).min(), result.realised.sum(1).min())


def test_fewer_samples_fit_worse():
    of = setting()
    model, data = fitted(of), fields(of, 8)
    results = [
        linearised_transfer(model, data, Selection.of("2", 3), part=part) for part in (0.25, 1.0)
    ]
    assert [result.fitted for result in results] == [1, 4]
    assert results[0].errors.sum() > 1.05 * results[1].errors.sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, r"folds must be 2 .. 6, the samples, got 1"),
        ({"folds": 7}, r"folds must be 2 .. 6, the samples, got 7"),
        ({"part": 0.0}, "part must be in 0 < part <= 1, got 0.0"),
    ],
)
def test_folds_that_cannot_be(options, message):
    of = setting()
    with pytest.raises(InputError, match=message):
        linearised_transfer(fitted(of), fields(of), Selection.of("2", 3), **options)


# ------------------------------------------------------------------------------------- scores ---


def dense_hessian(objective):
    return torch.stack(
        [objective.hessian_product(one) for one in torch.eye(objective.parameters).double()]
    )


def test_the_quadratic_gain_is_that_of_the_dense_hessian():
    """Of the last layer, in which the error is a parabola."""
    of = setting()
    objective = Objective(fitted(of, width=3, kernel=3), fields(of), Selection.of("last", 3))
    found = scores.quadratic_gain(objective, iterations=100, damping=1e-2, tolerance=1e-10)
    hessian, gradient = dense_hessian(objective), objective.gradient()
    mu = 1e-2 * float(gradient @ hessian @ gradient / (gradient @ gradient))
    damped = hessian + mu * torch.eye(objective.parameters)
    expected = float(gradient @ torch.linalg.solve(damped, gradient)) / 2
    assert found.gain == pytest.approx(expected, rel=1e-6)
    assert not found.negative
    few = scores.quadratic_gain(objective, iterations=2, damping=1e-2)
    assert 0 < few.gain < found.gain


class Saddle:
    """An error of two parameters that falls without end along the second."""

    def gradient(self):
        return torch.tensor([1.0, 0.5], dtype=torch.float64)

    def hessian_product(self, direction):
        return direction * torch.tensor([1.0, -0.5], dtype=torch.float64)


def test_negative_curvature_ends_it():
    found = scores.quadratic_gain(Saddle(), damping=0.0)
    step = 1.25 / 0.875  # of steepest descent
    assert found.negative
    assert found.iterations == 1
    assert found.gain == pytest.approx(step * 1.25 / 2)


def test_gradients_add_up_and_fisher_bounds_them():
    of = setting()
    model, data = fitted(of), fields(of)
    found = {
        layers: scores.scores(model, data, Selection.of(layers, 3), names=["gradient", "fisher"])
        for layers in ("1", "2", "3", "all")
    }
    parts = [found[layers]["gradient"] for layers in "123"]
    assert found["all"]["gradient"] == pytest.approx(np.linalg.norm(parts), rel=1e-4)
    selection = Selection.of("2", 3)
    count = len(parameters_to_vector(selection.parameters(model).values()))
    square_mean = found["2"]["gradient"] ** 2 / count
    assert square_mean < found["2"]["fisher"]  # the mean of squares is above the mean's square
    one = tuple(field[:1] for field in data)
    alone = scores.scores(model, one, selection)
    assert set(alone) == set(scores.SCORES)
    assert alone["fisher"] == pytest.approx(alone["gradient_square"], rel=1e-4)
