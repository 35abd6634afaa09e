"""The census of kernels: known fractions, intervals, chance, and clusters that were planted."""

import numpy as np
import pytest
from test_analysis_kernels import gabor, gaussian, laplacian

from pytbl.analysis.census import DRAWS, bootstrap, census, chance_fractions
from pytbl.analysis.classes import CLASSES
from pytbl.analysis.clusters import cluster_census
from pytbl.errors import InputError
from pytbl.plots import kernels as plots

LOW, BAND, GABOR, HIGH, MIXED = range(len(CLASSES))
#: Of a fraction of random kernels estimated from 10 000.
CHANCE = 0.015


def planted(counts, *, noise=0.0, rng=0):
    """Kernels low-pass, Gabor and high-pass, so many of each, with random gains and noise."""
    generator = np.random.default_rng(rng)
    prototypes = [gaussian(1.0), gabor(0.55, 0.5, 0.0), laplacian()]
    kernels = np.concatenate(
        [
            np.repeat(p[None] / np.linalg.norm(p), n, 0)
            for p, n in zip(prototypes, counts, strict=True)
        ]
    )
    kernels *= generator.uniform(0.1, 10, (len(kernels), 1, 1))
    return (kernels + noise * generator.standard_normal(kernels.shape) * 0.1)[:, None]


def test_fractions_are_those_put_in():
    found = census(planted((30, 50, 20)))
    assert found.kernels == 100
    np.testing.assert_allclose(found.fractions.value, [0.3, 0, 0.5, 0.2, 0])
    # binomial intervals: 1.96 sqrt(f (1 - f) / n), to the noise of a percentile
    f = found.fractions
    half = 1.96 * np.sqrt(f.value * (1 - f.value) / 100)
    np.testing.assert_allclose((f.high - f.low) / 2, half, atol=0.012)
    assert ((f.low <= f.value) & (f.value <= f.high)).all()
    text = str(found).splitlines()
    assert len(text) == 1 + len(CLASSES)
    assert text[3].split()[:2] == ["Gabor", "0.500"]


def test_energy_counts_kernels_by_their_size():
    weights = np.stack([2 * laplacian() / np.sqrt(20), gaussian(1.0), 0 * gaussian(1.0)])[:, None]
    weights[1] /= np.linalg.norm(weights[1])
    found = census(weights)
    np.testing.assert_allclose(found.fractions.value, [1 / 3, 0, 0, 1 / 3, 1 / 3])
    np.testing.assert_allclose(found.energy.value, [1 / 5, 0, 0, 4 / 5, 0])


def test_chance_is_what_random_kernels_give():
    """Of the law of the weights little depends."""
    generator = np.random.default_rng(5)
    for weights, error in (
        (generator.uniform(-0.1, 0.1, (64, 64, 5, 5)), CHANCE),
        (generator.standard_normal((64, 64, 5, 5)), 3 * CHANCE),
    ):
        found = census(weights, rng=1)
        np.testing.assert_allclose(found.fractions.value, found.chance, atol=error)
    assert found.chance[MIXED] > 0.85  # what the thresholds are for
    np.testing.assert_allclose(chance_fractions((3, 3)).sum(), 1)
    assert chance_fractions((3, 3))[MIXED] < found.chance[MIXED] < chance_fractions((7, 7))[MIXED]


def test_seeds_decide_everything():
    weights = np.random.default_rng(0).standard_normal((20, 20, 5, 5))
    one, same, other = (census(weights, subsample=150, rng=seed) for seed in (3, 3, 4))
    assert one.kernels == 150
    np.testing.assert_array_equal(one.fractions.low, same.fractions.low)
    np.testing.assert_array_equal(one.energy.value, same.energy.value)
    assert (one.energy.value != other.energy.value).any()
    assert census(weights, subsample=10**6).kernels == 400
    with pytest.raises(InputError, match="subsample must be at least 1, got 0"):
        census(weights, subsample=0)


def test_intervals_of_shares_that_cannot_vary():
    found = bootstrap(np.zeros(7, int), 2)
    assert DRAWS >= 1000
    for part in (found.value, found.low, found.high):
        np.testing.assert_array_equal(part, [1, 0])
    nothing = bootstrap(np.zeros(3, int), 2, weight=np.zeros(3))
    np.testing.assert_array_equal(nothing.value, [0, 0])


# ------------------------------------------------------------------------------------- clusters ---


def test_planted_clusters_are_found_and_in_order():
    weights = planted((40, 60, 50), noise=0.2)
    shuffled = np.random.default_rng(1).permutation(len(weights))
    truth = np.repeat([0, 1, 2], (40, 60, 50))[shuffled]
    found = cluster_census(weights[shuffled], clusters=3, candidates=range(2, 7))
    assert len(found.chosen.centroids) == 3
    assert found.chosen is found.fixed
    np.testing.assert_array_equal(found.fixed.labels, truth)
    assert [CLASSES[i] for i in found.fixed.classes] == ["low-pass", "Gabor", "high-pass"]
    assert (np.diff(found.fixed.centroids) > 0).all()
    np.testing.assert_allclose(found.fixed.fractions.value, [4 / 15, 6 / 15, 5 / 15])
    assert found.fixed.silhouette > 0.7 > 0.1 > found.chance
    assert set(found.silhouettes) == {2, 3, 4, 5, 6}
    # by Parseval's theorem the root mean square of a normalised spectrum is that of its kernel
    rms = np.sqrt(np.square(found.fixed.centres).mean((1, 2)))
    np.testing.assert_allclose(rms, 1, atol=0.02)


def test_clusters_see_forms_not_sizes_signs_or_shifts():
    prototypes = [gaussian(0.7, 3, 3), laplacian(3, 3)]
    generator = np.random.default_rng(2)
    kernels = np.zeros((40, 1, 5, 5))
    for i in range(40):
        y, x = generator.integers(0, 3, 2)
        kernels[i, 0, y : y + 3, x : x + 3] = generator.normal(0, 5) * prototypes[i % 2]
    found = cluster_census(kernels, clusters=2, candidates=[2])
    np.testing.assert_array_equal(found.fixed.labels, np.arange(40) % 2)
    assert found.fixed.silhouette == pytest.approx(1)


def test_zero_kernels_belong_nowhere():
    weights = planted((10, 10, 10), noise=0.2)
    weights[[3, 17]] = 0.0
    found = cluster_census(weights, clusters=3, candidates=[3]).fixed
    assert list(np.flatnonzero(found.labels < 0)) == [3, 17]
    np.testing.assert_allclose(found.fractions.value, np.array([9, 9, 10]) / 28)


def test_one_seed_gives_one_answer_and_few_kernels_none():
    weights = np.random.default_rng(0).standard_normal((8, 8, 3, 5))
    one, same = (cluster_census(weights, 4, candidates=[5], rng=2) for _ in range(2))
    np.testing.assert_array_equal(one.fixed.labels, same.fixed.labels)
    assert (len(one.fixed.centroids), len(one.chosen.centroids)) == (4, 5)
    assert one.fixed.centres.shape == (4, 32, 32)
    with pytest.raises(InputError, match="got 4 to 12 clusters for 12 kernels$"):
        cluster_census(weights[:3, :4])
    with pytest.raises(InputError, match="got 4 to 12 clusters for 1 kernels$"):
        cluster_census(np.ones((8, 8, 3, 3)))
    with pytest.raises(InputError, match="clusters must be at least 2"):
        cluster_census(weights, 1)


# -------------------------------------------------------------------------------------- figures ---


def test_the_figure_of_centres_is_in_order_and_centred():
    found = cluster_census(planted((40, 60, 50), noise=0.2), clusters=3, candidates=[3]).fixed
    figure = plots.cluster_centres({"layer 2": found})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["low-pass\n27%", "Gabor\n40%", "high-pass\n33%"]
    picture = figure.axes[0].images[0].get_array()
    assert picture.shape == (33, 33)
    assert np.unravel_index(picture.argmax(), picture.shape) == (16, 16)
    np.testing.assert_allclose(picture, picture[::-1, ::-1], atol=1e-12)
    with pytest.raises(InputError, match="expected clusters by their names, got none"):
        plots.cluster_centres({})


def test_the_figure_of_fractions():
    found = census(planted((30, 50, 20)))
    (axes,) = plots.class_fractions({"layer 1": found, "layer 2": found}).axes
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, np.repeat([0.3, 0, 0.5, 0.2], 2))
