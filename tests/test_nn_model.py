"""The network: its size and reach, its symmetries, and what its output can and cannot hold."""

import numpy as np
import pytest
import torch
from networks import fitted, grid_of, learnable, predict, setting, square, vorticity
from tolerances import ROUNDING

from pytbl.errors import InputError
from pytbl.nn import PeriodicCNN

#: Relative to the largest value, after a few layers in float64.
LAYERS = 100 * ROUNDING


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


# ------------------------------------------------------------------------------------ the network -


def test_the_papers_network_has_its_parameters():
    model = PeriodicCNN()
    counts = [sum(p.numel() for p in layer.parameters()) for layer in model.layers]
    assert counts == [3264, *[102_464] * 9, 1601]
    assert model.parameter_count == 927_041
    assert model.receptive_field == 45
    assert repr(model) == "PeriodicCNN(width=64, depth=11, kernel=5)"


def test_a_symmetric_network_shares_its_weights():
    model = PeriodicCNN(width=64, depth=11, symmetry="p4")
    lifting, group, pooling = 16 * (2 * 25 + 1), 16 * (4 * 16 * 25 + 1), 4 * 16 * 25 + 1
    assert model.parameter_count == lifting + 9 * group + pooling
    assert model.plain().parameter_count == 927_041


def test_initial_weights_are_glorots_and_seeded():
    one, same, other = (PeriodicCNN(rng=rng) for rng in (1, 1, 2))
    weight = one.layers[3].weight.detach()
    bound = np.sqrt(6 / (2 * 64 * 25))
    assert 0.99 * bound < weight.abs().max() <= bound
    assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert not any(layer.bias.any() for layer in one.layers)
    assert torch.equal(weight, same.layers[3].weight)
    assert not torch.equal(weight, other.layers[3].weight)


@pytest.mark.parametrize(("depth", "kernel"), [(3, 5), (4, 3), (1, 7), (2, 1)])
def test_the_receptive_field_is_what_a_gradient_reaches(depth, kernel):
    model = PeriodicCNN(4, depth, kernel)
    for parameter in model.parameters():  # every ReLU open
        parameter.data.abs_()
    x = torch.ones(1, 2, 20, 24, requires_grad=True)
    model.convolve(x)[0, 0, 3, 5].backward()
    reached = x.grad[0].abs().sum(0).numpy() > 0
    rows, columns = (set(np.flatnonzero(reached.any(axis))) for axis in (1, 0))
    reach = model.receptive_field // 2
    assert model.receptive_field == 1 + depth * (kernel - 1)
    assert rows == {(3 + i) % 20 for i in range(-reach, reach + 1)}
    assert columns == {(5 + i) % 24 for i in range(-reach, reach + 1)}


# ----------------------------------------------------------------------------------- symmetries ---


def double(of, **config):
    return fitted(of, **config).double()


@pytest.mark.parametrize("options", [{}, {"output": "stress"}, {"inputs": ("u", "v")}])
def test_a_shifted_field_has_the_shifted_term(options):
    of = setting()
    model, omega = double(of, **options), vorticity(of, 2)
    moved = predict(model, np.roll(omega, (3, 7), (1, 2)))
    assert relative(moved, np.roll(predict(model, omega), (3, 7), (1, 2))) < LAYERS


def test_zero_padding_breaks_the_shift():
    of = setting()
    model, omega = double(of, padding="zeros"), vorticity(of, 2)
    moved = predict(model, np.roll(omega, (3, 7), (1, 2)))
    assert relative(moved, np.roll(predict(model, omega), (3, 7), (1, 2))) > 0.01


@pytest.mark.parametrize("output", ["pi", "stress"])
@pytest.mark.parametrize("depth", [2, 4])
def test_the_symmetric_network_turns_with_the_field(output, depth):
    of = square()
    model = double(of, symmetry="p4", output=output, depth=depth)
    omega = vorticity(of, 2)
    turned = predict(model, np.rot90(omega, axes=(1, 2)))
    assert relative(turned, np.rot90(predict(model, omega), axes=(1, 2))) < LAYERS


def test_the_symmetric_network_turns_after_training():
    of = square()
    model, omega = double(of, symmetry="p4"), torch.from_numpy(vorticity(of, 4))
    before = predict(model, omega.numpy())
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(5):  # on aligned data: the target prefers x
        optimiser.zero_grad()
        (model(omega) - omega.roll(1, 2)).square().mean().backward()
        optimiser.step()
    after = predict(model, omega.numpy())
    assert relative(after, before) > 0.1
    turned = predict(model, np.rot90(omega.numpy(), axes=(1, 2)))
    assert relative(turned, np.rot90(after, axes=(1, 2))) < LAYERS


def test_an_ordinary_network_does_not_turn():
    of = square()
    model, omega = double(of), vorticity(of, 2)
    turned = predict(model, np.rot90(omega, axes=(1, 2)))
    assert relative(turned, np.rot90(predict(model, omega), axes=(1, 2))) > 0.01


@pytest.mark.parametrize("options", [{}, {"symmetry": "p4"}, {"padding": "zeros"}])
def test_the_plain_network_is_the_same(options):
    of = square()
    model = double(of, **options)
    omega = vorticity(of, 2)
    assert relative(predict(model.plain(), omega), predict(model, omega)) < LAYERS
    assert model.plain().setting == of


# --------------------------------------------------------------------------------- input, output --


def test_fields_follow_from_the_vorticity_as_in_the_grid():
    of = setting()
    grid, model = grid_of(of), double(of, inputs=("psi", "omega", "u", "v"))
    omega = vorticity(of, 1)
    psi_hat = grid.to_spectral(omega[0]) * grid.inverse_k2
    expected = [
        grid.to_physical(psi_hat),
        omega[0],
        grid.to_physical(1j * grid.ky * psi_hat),
        grid.to_physical(-1j * grid.kx * psi_hat),
    ]
    got = model.channels(torch.from_numpy(omega))[0].numpy()
    np.testing.assert_allclose(got, expected, atol=LAYERS)


@pytest.mark.parametrize("dealias", ["3/2", "2/3"])
@pytest.mark.parametrize("output", ["pi", "stress"])
def test_the_term_has_no_mean_and_only_kept_modes(dealias, output):
    of = setting(dealias=dealias)
    model, grid = double(of, dealias=dealias, output=output), grid_of(of)
    rough = np.random.default_rng(1).standard_normal((1, of.ny, of.nx))
    hat = np.fft.fft2(predict(model, rough)[0])
    kx, ky = (np.abs(np.fft.fftfreq(n, 1 / n)) for n in (of.nx, of.ny))
    kept = (kx <= grid.kx_max) & (ky[:, None] <= grid.ky_max)
    kept[0, 0] = False
    largest = np.abs(hat).max()
    assert np.abs(hat[~kept]).max() < LAYERS * largest
    assert np.abs(hat[kept]).min() > 1e-6 * largest


def test_the_term_is_the_curl_divergence_of_the_stress():
    of = setting()
    model, grid = double(of, output="stress"), grid_of(of)
    omega = vorticity(of, 1)
    with torch.no_grad():
        stress = model.stress(torch.from_numpy(omega))
    xx, xy, yy = (grid.to_spectral(component[0].numpy()) for component in stress)
    pi_hat = -grid.kx * grid.ky * (xx - yy) + (grid.kx**2 - grid.ky**2) * xy
    np.testing.assert_allclose(xx, -yy, atol=LAYERS)
    assert relative(predict(model, omega)[0], grid.to_physical(pi_hat)) < LAYERS


def test_a_stress_of_unit_size_makes_a_term_of_the_datas_size():
    of = setting(64, 48)
    model = double(of, output="stress")
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((8, 2, of.ny, of.nx)))
    term = model.spectral.source_of_stress(noise * model.output_scale)
    deviation = float(double(of).output_scale)
    assert float(term.std()) == pytest.approx(deviation, rel=0.05)


def test_normalisation_by_snapshot_forgets_the_strength():
    of = setting()
    snapshot, dataset = double(of, normalisation="snapshot"), double(of)
    omega = vorticity(of, 1)
    np.testing.assert_allclose(predict(snapshot, 2 * omega), predict(snapshot, omega), atol=1e-11)
    assert relative(predict(dataset, 2 * omega), predict(dataset, omega)) > 0.1


def test_normalisation_by_the_dataset():
    of = setting()
    model = double(of)
    omega = torch.from_numpy(learnable(of, 4).read("omega", range(4)))
    normal = model.normalise(model.channels(omega))
    np.testing.assert_allclose(normal.mean((0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(normal.std((0, 2, 3), unbiased=False), 1, rtol=1e-6)


# ------------------------------------------------------------------------------------ bad input ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be an integer >= 1, got 0"),
        ({"kernel": 4}, "kernel must be odd, got 4"),
        ({"inputs": ("psi", "w")}, "inputs must be among psi, omega, u, v"),
        ({"output": "tau"}, "output must be 'pi' or 'stress', got 'tau'"),
        ({"padding": "reflect"}, "padding must be 'circular' or 'zeros', got 'reflect'"),
        ({"symmetry": "p8"}, "symmetry must be None or 'p4', got 'p8'"),
        ({"symmetry": "p4", "width": 6}, "a width that is a multiple of 4 .* got width 6"),
        ({"symmetry": "p4", "inputs": ("u", "v")}, "needs inputs psi or omega"),
        ({"symmetry": "p4", "padding": "zeros"}, "needs padding 'circular', got 'zeros'"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        PeriodicCNN(**{"width": 8, "depth": 3} | options)


def test_a_symmetric_network_needs_a_square():
    with pytest.raises(InputError, match="needs a square grid, got 24 x 16 points"):
        fitted(setting(), symmetry="p4")


def test_only_a_stress_network_has_a_stress():
    with pytest.raises(InputError, match='only a network of output "stress" has a stress'):
        fitted(setting()).stress(torch.zeros(1, 16, 24))
