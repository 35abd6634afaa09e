"""Directions, surfaces and Hessians of a small network, against dense algebra."""

import networks
import numpy as np
import pytest
import torch
from objectives import DEPTH, NETWORKS, dense_hessian, fields, network, objective
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl.errors import InputError
from pytbl.nn.landscape import (
    LAZY,
    hessian_density,
    hessian_eigenpairs,
    landscape,
    random_directions,
    surface,
)
from pytbl.nn.objective import Objective
from pytbl.nn.selection import Selection

#: Of eigenvalues over the largest.
EIGENVALUE = 1e-8


# ------------------------------------------------------------------------------------ Hessian ---


@pytest.mark.parametrize("layers", ["2:weight", "4", "1:bias+3:bias"])
def test_eigenvalues_are_those_of_the_dense_hessian(layers):
    dense = np.linalg.eigvalsh(dense_hessian(objective(layers)).numpy())[::-1]
    found = hessian_eigenpairs(
        network(), fields(), layers, wanted=3, tolerance=1e-6, steps=len(dense)
    )
    assert found.converged
    np.testing.assert_allclose(found.values, dense[:3], atol=EIGENVALUE * dense[0])
    assert dense[-1] - EIGENVALUE * dense[0] <= found.ritz[-1]


def test_eigenvectors_are_eigenvectors():
    matrix = dense_hessian(objective("3")).numpy()
    found = hessian_eigenpairs(network(), fields(), 3, tolerance=1e-9, steps=148)
    np.testing.assert_allclose(
        matrix @ found.vectors.T,
        found.vectors.T * found.values,
        atol=EIGENVALUE * found.values[0],
    )


def test_the_share_of_negative_eigenvalues_is_that_of_the_dense_hessian():
    values = np.linalg.eigvalsh(dense_hessian(objective("2")).numpy())
    found = hessian_density(network(), fields(), "2", probes=3, steps=40)
    assert found.negative_share == pytest.approx(np.mean(values < 0), abs=0.1)
    assert found.values[0] < values[0]
    assert found.values[-1] > values[-1]


def test_residuals_bound_the_error_of_few_products():
    matrix = dense_hessian(objective("2")).numpy()
    found = hessian_eigenpairs(network(), fields(), 2, tolerance=1e-15, steps=6)
    assert not found.converged
    for value, vector, residual in zip(found.values, found.vectors, found.residuals, strict=True):
        rest = np.linalg.norm(matrix @ vector - value * vector)
        assert rest == pytest.approx(residual, rel=1e-6)
        assert np.abs(np.linalg.eigvalsh(matrix) - value).min() <= residual


def test_memory_is_bounded_without_another_result():
    one, all_ = (
        hessian_eigenpairs(network(), fields(), 3, tolerance=1e-8, chunk=chunk) for chunk in (1, 99)
    )
    np.testing.assert_allclose(one.values, all_.values, rtol=1e-7)


# --------------------------------------------------------------------------------- directions ---


def test_a_whole_direction_is_as_long_as_the_parameters():
    error = objective("2+4")
    found = random_directions(error, 3, rng=1)
    assert found.shape == (3, 2, error.parameters)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), float(error.theta.norm()))
    # Gaussian: all elements alike, and no two directions related
    unit = found.reshape(6, -1) / float(error.theta.norm())
    assert np.abs(unit @ unit.T - np.eye(6)).max() < 6 / np.sqrt(error.parameters)


def test_a_filter_direction_is_as_long_as_every_filter():
    error = objective("2+4")
    found = random_directions(error, 3, kind="filter", rng=1)
    for piece in error.filters():
        norms = np.linalg.norm(found[..., piece], axis=-1)
        np.testing.assert_allclose(norms, float(error.theta[piece].norm()))
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), float(error.theta.norm()))


def test_filters_of_other_lengths_have_other_directions():
    """What the whole direction gives to a small filter, the other one does not."""
    model = network()
    with torch.no_grad():
        model.layers[1].weight[0] *= 1e-3
    error = Objective(model, fields(), Selection.of("2:weight", DEPTH))
    whole, each = (random_directions(error, 2, kind=kind) for kind in ("whole", "filter"))
    small = error.filters()[0]
    length = float(error.theta[small].norm())
    assert (np.linalg.norm(whole[..., small], axis=-1) > 100 * length).all()
    np.testing.assert_allclose(np.linalg.norm(each[..., small], axis=-1), length)


def test_the_seed_decides():
    error = objective("2")
    first, again, other = (random_directions(error, 2, rng=rng) for rng in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_parameters_without_a_length_have_no_directions():
    model = networks.fitted(networks.square(12), width=4, depth=DEPTH, kernel=3)
    with pytest.raises(InputError, match="the parameters are all zero"):
        landscape(model, fields(), "2:bias")


# ----------------------------------------------------------------------------------- surfaces ---


@pytest.mark.parametrize("kind", ["whole", "filter", "hessian"])
@pytest.mark.parametrize("layers", ["2", "1+4"])
def test_the_centre_is_the_error_and_points_are_those_of_their_parameters(kind, layers):
    error = objective(layers)
    found = landscape(
        network(), fields(), layers, kind=kind, points=7, pairs=2, dtype=torch.float64
    )
    reach = 1.0 if kind == "hessian" else 2.0
    np.testing.assert_allclose(found.coordinates, np.linspace(-reach, reach, 7), atol=ROUNDING)
    assert found.layers == layers
    for pair, one in zip(found.directions, found.surfaces, strict=True):
        assert one.shape == (7, 7)
        assert one[3, 3] == pytest.approx(float(error.loss(error.theta)), rel=100 * ROUNDING)
        moved = found.coordinates[[5, 1]] @ pair
        expected = float(error.loss(error.theta + torch.from_numpy(moved)))
        assert one[5, 1] == pytest.approx(expected, rel=100 * ROUNDING)


def test_the_last_layer_has_parabolas():
    """Pi is linear in its parameters, so that second differences are the Hessian's."""
    found = landscape(network(), fields(), "last", points=7, pairs=2, dtype=torch.float64)
    matrix = dense_hessian(objective("last")).numpy()
    step = found.coordinates[1] - found.coordinates[0]
    for (first, second), one in zip(found.directions, found.surfaces, strict=True):
        for direction, bent in ((first, np.diff(one, 2, axis=0)), (second, np.diff(one, 2))):
            np.testing.assert_allclose(bent / step**2, direction @ matrix @ direction, rtol=1e-8)
    summary = found.summary()
    assert summary["non_convex"].mean == 0
    assert summary["roughness"].mean < 1e-10 * summary["range"].mean


def test_eigenvectors_bend_the_surface_by_their_eigenvalues():
    found = landscape(
        network(), fields(), 2, kind="hessian", reach=1e-5, points=7, dtype=torch.float64
    )
    (one,), eigenpairs = found.surfaces, found.hessian
    assert len(eigenpairs.values) == 2
    for axis, value in enumerate(eigenpairs.values):
        along = np.take(one, 3, axis=1 - axis)
        bent = (along[2] - 2 * along[3] + along[4]) / (found.coordinates[4] ** 2)
        # so near, no unit of ReLU switches; eigenvectors are converged to a hundredth
        assert bent == pytest.approx(value, rel=0.05)


def test_a_lazy_square_is_flatter():
    wide, lazy = (
        landscape(network(), fields(), 2, reach=reach, points=7, pairs=2) for reach in (2.0, LAZY)
    )
    assert np.array_equal(wide.directions, lazy.directions)
    assert lazy.summary()["range"].mean < 0.3 * wide.summary()["range"].mean
    assert all(one.centre == wide.scores()[0].centre for one in lazy.scores())


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_kind_of_network_has_a_landscape(kind):
    found = landscape(network(kind), fields(), 2, points=7, pairs=2, kind="filter")
    double = landscape(
        network(kind), fields(), 2, points=7, pairs=2, kind="filter", dtype=torch.float64, chunk=2
    )
    np.testing.assert_allclose(found.surfaces, double.surfaces, rtol=10 * ROUNDING_SINGLE)
    assert repr(found) == "Landscape(layers 2, filter, 2 of 7 x 7 points within 2)"


def test_a_surface_keeps_no_graph():
    error = objective("4")
    pair = random_directions(error, 1)[0]
    model = network()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    one = surface(error, pair, np.linspace(-1, 1, 3))
    assert one.shape == (3, 3)
    assert not error.theta.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 9}, r"there is no layer '9': expected 1 \.\. 4"),
        ({"kind": "random"}, "kind must be whole, filter, hessian, got 'random'"),
        ({"reach": 0.0}, "reach must be > 0, got 0"),
        ({"points": 8}, "points must be odd and >= 7, got 8"),
        ({"points": 5}, "points must be odd and >= 7, got 5"),
        ({"pairs": 0}, "pairs must be an integer >= 1, got 0"),
    ],
)
def test_landscapes_that_cannot_be_made(options, message):
    with pytest.raises(InputError, match=message):
        landscape(network(), fields(), **{"layers": 2, **options})


def test_a_network_whose_error_is_a_summit():
    """Only the bias of the last layer, which the projection removes: the Hessian is zero."""
    with pytest.raises(InputError, match="wanted must be an integer of 1 .. 1, got 2"):
        landscape(network(), fields(), "4:bias", kind="hessian")
    eigenpairs = hessian_eigenpairs(network(), fields(), "4:bias", wanted=1)
    assert eigenpairs.values == pytest.approx(0, abs=1e-12)
