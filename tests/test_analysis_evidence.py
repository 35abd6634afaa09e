"""Scores by the physics, where it is known which layer they must find."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks import fitted, learnable, predict, setting, square, vorticity

from pytbl import Dataset, Flow, Grid, Solver, filters, initial
from pytbl.analysis import (
    LayerSpectra,
    compare_flows,
    coverage,
    departure_increases,
    kernel_spectra,
    recommend,
)
from pytbl.analysis.evidence import EVIDENCE
from pytbl.analysis.recommend import every_score
from pytbl.errors import InputError
from pytbl.nn import PeriodicCNN
from pytbl.nn.data import Arrays, Samples

OF = setting()
FEW = {"samples": 8, "iterations": 1, "normalisation": "base"}
#: Of departures in decades, in float32.
DECADES = 1e-4


def scored(base, target, *names, **options):
    """Scores by name and candidate."""
    result = recommend(base, target, scores=names, **FEW | options)
    return {
        name: {one.name: one.scores[name] for one in result.candidates if name in one.scores}
        for name in names
    }


# ------------------------------------------------------------------------------------ departure ---


def relay(of, bent):
    """A network that hands the vorticity on through all layers but one, whose ReLU cuts it off.

    Where the vorticity, in standard deviations, is negative. The other layers keep it positive.
    """
    model = PeriodicCNN(width=1, depth=4, kernel=3)
    model.adopt(of)
    model.fit(Samples(learnable(of, 2), "samples", memory_limit=1 << 20).statistics(model))
    above = 0.0  #: what the vorticity has been lifted by
    with torch.no_grad():
        for number, layer in enumerate(model.layers, start=1):
            layer.weight.zero_()
            layer.weight[0, -1, 1, 1] = 1.0  # the last input is the vorticity
            lift = -above if number == bent else 20.0
            layer.bias.fill_(lift)
            above += lift
    return model


@pytest.mark.parametrize("bent", [1, 2, 3])
def test_a_departure_is_found_where_it_arises(bent):
    """A flow and its negative have the same spectra until something cuts off their peaks."""
    noise = np.random.default_rng(1).exponential(size=(8, OF.ny, OF.nx))
    omega = 0.5 * (noise - noise.mean((-2, -1), keepdims=True))
    model = relay(OF, bent)
    flows = [Arrays(sign * omega, vorticity(OF, 8), OF) for sign in (1, -1)]
    found = scored(model, flows[1], "departure", base_data=flows[0])["departure"]
    assert max(found, key=found.get) == str(bent)
    assert found[str(bent)] > 0.1
    for layer in {"1", "2", "3", "4"} - {str(bent)}:
        assert found[layer] == pytest.approx(0, abs=DECADES)


def test_of_equal_flows_nothing_departs():
    flow = learnable(OF, 8)
    found = scored(fitted(OF, width=4), flow, "departure", base_data=flow)["departure"]
    assert found == dict.fromkeys("123", 0.0)


def layer_spectra(layer, values):
    of = np.full((2, 5), 1.0) * values
    k, line = np.arange(1.0, 6.0), np.arange(-5, 6.0)
    return LayerSpectra(layer, k, of, of, line, line, np.ones((11, 11)), np.ones((11, 11)))


def test_what_layers_add_to_a_departure():
    base = [layer_spectra(layer, 1.0) for layer in range(5)]
    departed = (1.0, 10.0, 10.0, 0.01, 0.1)  # by 0, 1, 1, 2 and 1 decades
    target = [layer_spectra(layer, value) for layer, value in enumerate(departed)]
    assert departure_increases(base, target) == pytest.approx({1: 1, 2: 0, 3: 1, 4: -1})
    target[2] = replace(target[2], after=0 * target[2].after)  # no decades from nothing
    assert departure_increases(base, target) == pytest.approx({1: 1, 4: -1})
    with pytest.raises(InputError, match="must have the same layers"):
        departure_increases(base, target[1:])


# ----------------------------------------------------------------------------------- smoothness ---


def cancelling(model, layer, size):
    """Two networks of the same function; in the second a layer's weights cancel each other."""
    twin = copy.deepcopy(model)
    before, own = twin.layers[layer - 2], twin.layers[layer - 1]
    with torch.no_grad():
        for parameter in before.parameters():
            parameter[1] = parameter[0]
        plain = copy.deepcopy(twin)
        own.weight[:, 0] += size
        own.weight[:, 1] -= size
    return plain, twin


@pytest.mark.parametrize("layer", [2, 3])
def test_the_steep_layer_is_less_smooth(layer):
    plain, steep = cancelling(fitted(OF, width=4, depth=5, kernel=3), layer, 3.0)
    omega = vorticity(OF, 8).astype(np.float32)
    pi = predict(plain, omega)  # both are at their minimum
    np.testing.assert_allclose(predict(steep, omega), pi, atol=1e-4 * np.abs(pi).max())
    target = Arrays(omega, pi, OF)
    own, after = str(layer), str(layer + 1)
    options = {"candidates": [own, after]}
    was, now = (scored(of, target, "smoothness", **options)["smoothness"] for of in (plain, steep))
    assert now[own] < 0.5 * was[own]
    assert now[after] == pytest.approx(was[after], rel=1e-3)  # the same function of its weights
    assert 0 < now[own] < now[after] <= 1


# ------------------------------------------------------------------------------------- coverage ---


def waves(k, *, points=15, width=3.0):
    """Kernels of waves of a wavenumber over Nyquist's along x, y and the diagonal, windowed."""
    x = np.arange(points) - points // 2
    window = np.exp(-(x**2 + x[:, None] ** 2) / (2 * width**2))
    phases = x + 0 * x[:, None], 0 * x + x[:, None], (x + x[:, None]) / np.sqrt(2)
    return np.stack([window * np.cos(np.pi * k * phase) for phase in phases])[None]


@pytest.mark.parametrize(("k", "band"), [(0.0, 0), (0.4, 1), (1.0, 2)])
def test_kernels_of_a_band_cover_it_and_no_other(k, band):
    for other in range(3):
        found = coverage(waves(k), np.eye(3)[other])
        assert found == pytest.approx(float(other == band), abs=0.02 if k else 0.15)


def test_it_is_the_mean_power_of_the_modes():
    weights = np.random.default_rng(3).standard_normal((2, 3, 5, 5))
    power = np.square(np.abs(kernel_spectra(weights))).sum((0, 1))
    k = np.hypot(np.fft.fftfreq(32)[:, None] * 2, np.fft.fftfreq(32) * 4)
    means = power[k < 0.5].mean(), power[k >= 0.5].mean()
    found = coverage(weights, (0.3, 0.7), edges=[0.5], nyquist=(1, 2))
    assert found == pytest.approx((0.3 * means[0] + 0.7 * means[1]) / sum(means))


@given(
    arrays(float, (2, 2, 3, 3), elements=st.floats(-1, 1)),
    arrays(float, 3, elements=st.floats(0.01, 1)),
)
@settings(max_examples=20, deadline=None)
def test_coverage_is_a_mean_of_shares(weights, shares):
    shares = shares / shares.sum()
    weights[0, 0, 1, 1] = 3.0  # not all zero
    found = coverage(weights, shares)
    assert min(shares) - 1e-9 <= found <= max(shares) + 1e-9
    assert coverage(-7 * weights, shares) == pytest.approx(found)
    assert sum(coverage(weights, one) for one in np.eye(3)) == pytest.approx(1)


def test_kernels_that_pass_all_alike_prefer_nothing():
    delta = np.zeros((1, 1, 3, 3))
    assert coverage(delta, (0.2, 0.5, 0.3)) == 0
    delta[..., 1, 1] = 1
    for shares in ((1, 0, 0), (0.2, 0.5, 0.3)):
        assert coverage(delta, shares) == pytest.approx(1 / 3)


def test_shares_are_one_for_each_band():
    for wrong in ((1, 0), (1, 0, -0.1)):
        with pytest.raises(InputError, match="failing must be 3 shares >= 0, got"):
            coverage(np.ones((1, 1, 3, 3)), wrong)


# ------------------------------------------------------------------------------ recommendations ---


@pytest.mark.parametrize("depth", [3, 7])
def test_none_costs_more_than_a_hundredth_of_a_sweep(depth):
    base, target = fitted(OF, width=4, depth=depth, kernel=3), learnable(OF, 20)
    options = {"samples": 20, "iterations": 1, "candidates": range(1, depth + 1)}
    options |= {"base_data": learnable(OF, 20, rng=2), "normalisation": "base"}
    least = recommend(base, target, **options)
    for name in EVIDENCE:
        cost = recommend(base, target, scores=[name], **options).cost - least.cost
        assert 0 < cost < 0.0105, name


def test_single_layers_have_these_scores():
    flow = learnable(OF, 8)
    base = fitted(OF, width=4, kernel=3)
    result = recommend(base, flow, scores=EVIDENCE, base_data=learnable(OF, 8, rng=3), **FEW)
    assert list(result["2"].scores) == list(EVIDENCE)
    assert [one.name for one in result.candidates if one.scores] == ["1", "2", "3"]
    nyquist = np.pi * OF.ny / OF.ly, np.pi * OF.nx / OF.lx
    weights = base.layers[1].weight.detach().numpy()
    expected = coverage(weights, result.failing, edges=result.edges, nyquist=nyquist)
    assert result["2"].scores["coverage"] == pytest.approx(expected)
    ranked = recommend(base, flow, score="coverage", **FEW)
    best = max("123", key=lambda name: ranked[name].scores["coverage"])
    assert ranked.layer == best


def test_a_column_stands_for_the_score_of_its_name():
    given_by_hand = {"smoothness": {"1": 3.0, "2": 1.0}}
    base, target = fitted(OF, width=4, kernel=3), learnable(OF, 8)
    options = FEW | {"candidates": [1, 2], "columns": given_by_hand}
    result = recommend(base, target, score="smoothness", **options)
    assert result.layer == "1"
    assert result["2"].scores == {"smoothness": 1.0}


def test_without_base_data_there_is_no_departure():
    assert "departure" not in every_score()
    assert set(every_score("data.h5")) - set(every_score()) == {"departure"}
    base, target = fitted(OF, width=4, kernel=3), learnable(OF, 8)
    for options in ({"scores": ["departure"]}, {"score": "departure+linearised"}):
        with pytest.raises(InputError, match="score 'departure' .* needs base data"):
            recommend(base, target, **FEW | options)


def test_unknown_scores_are_told_the_known():
    with pytest.raises(InputError, match="no score 'luck': expected .*departure, smoothness, cov"):
        recommend(fitted(OF, width=4), learnable(OF, 8), scores=["luck"], **FEW)


# ---------------------------------------------------------------------------------- their times ---


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two short runs of a flow, the second sampled twice as often."""
    folder = tmp_path_factory.mktemp("runs")
    paths = []
    for number, every in enumerate((0.02, 0.01)):
        grid = Grid(32, 32, reproducible=True)
        sim = Solver(grid, Flow(viscosity=1e-2), dt=0.01)
        sim.set_vorticity(initial.random_spectrum(grid, k_peak=4, rng=number))
        paths.append(folder / f"{number}.h5")
        dataset = Dataset(paths[-1], every=every, coarse=16, filter=filters.Gaussian())
        sim.run(until=0.12, outputs=[dataset])
    return paths


def test_flows_are_compared_with_their_times_and_runs(runs):
    """Two runs are independent of each other, as one run of as many samples is not."""
    from pytbl.samples import Samples as Files

    model = fitted(square(dealias="3/2"), width=4, kernel=3)
    files = Files(runs)
    options = {"candidates": [1], "iterations": 1, "samples": len(files)}
    result = recommend(model, runs, base_data=runs, **options)
    assert result.flows.words() == compare_flows(runs, runs).words()
    backwards = files[::-1]
    assert recommend(model, backwards, base_data=runs, **options).table == result.table
    held = Arrays(*(files.read(name, slice(None)) for name in ("omega", "pi")), model.setting)
    held.attributes |= files.attributes
    forgotten = recommend(model, held, base_data=held, **options)
    assert forgotten.flows.words() != result.flows.words()
