"""Lanczos against dense eigenvalues, and scores of surfaces whose shape is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytbl.analysis.lanczos import Eigenpairs, largest_eigenpairs, spectral_density
from pytbl.analysis.landscape import (
    LandscapeScores,
    landscape_scores,
    path_on,
    summarise_landscapes,
)
from pytbl.errors import InputError
from pytbl.plots import landscape as plots

#: Of eigenvalues over the norm, where Lanczos may go on to rounding.
EXACT = 1e-10
#: Of sums over a surface.
SUMS = 1e-12
#: Between the scores of a surface on two grids.
SAMPLING = 0.08

# ------------------------------------------------------------------------------------ Lanczos ---


def symmetric(values, rng=0):
    """A matrix with these eigenvalues, and its eigenvectors as columns."""
    size = len(values)
    basis = np.linalg.qr(np.random.default_rng(rng).standard_normal((size, size)))[0]
    return basis * values @ basis.T, basis


CLUSTERED = np.r_[5.0, 4.99, 4.9, np.linspace(-1, 1, 40), np.full(30, 1e-3), -3.0, -2.999]


def test_clustered_eigenvalues_are_those_of_the_dense_matrix():
    matrix, basis = symmetric(CLUSTERED)
    found = largest_eigenpairs(matrix.dot, len(matrix), wanted=3, tolerance=1e-11, steps=80)
    assert found.converged
    dense = np.linalg.eigvalsh(matrix)[::-1]
    np.testing.assert_allclose(found.values, dense[:3], atol=EXACT * 5)
    np.testing.assert_allclose(np.abs(found.vectors @ basis[:, :3]), np.eye(3), atol=1e-7)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=EXACT)
    assert found.ritz[-1] == pytest.approx(-3.0, abs=EXACT * 5)


@given(values=st.lists(st.floats(-10, 10), min_size=2, max_size=25), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_an_eigenvalue_lies_within_each_residual(values, seed):
    values = np.array(values)
    matrix, _ = symmetric(values, seed)
    found = largest_eigenpairs(matrix.dot, len(values), wanted=2, tolerance=1e-3, rng=seed)
    rounding = 1e-9 * (1 + np.abs(values).max())
    for value, vector, residual in zip(found.values, found.vectors, found.residuals, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1)
        assert np.linalg.norm(matrix @ vector - value * vector) <= residual + rounding
        assert np.abs(values - value).min() <= residual + rounding
    assert found.ritz.max() <= values.max() + rounding


def test_it_stops_as_soon_as_the_residuals_are_small():
    matrix, _ = symmetric(np.r_[100.0, 50.0, np.linspace(0, 1, 200)])
    calls = []

    def product(vector):
        calls.append(1)
        return matrix @ vector

    found = largest_eigenpairs(product, len(matrix), tolerance=1e-3, steps=100)
    assert found.converged
    assert len(calls) == len(found.ritz) < 12
    assert (found.residuals <= 0.1).all()
    np.testing.assert_allclose(found.values, (100, 50), rtol=1e-4)


def test_too_few_products_are_said_to_be_too_few():
    matrix, _ = symmetric(np.linspace(0, 1, 100))
    found = largest_eigenpairs(matrix.dot, 100, tolerance=1e-9, steps=5)
    assert not found.converged
    assert len(found.ritz) == 5
    assert (found.residuals > 1e-9).all()


def test_a_space_that_closes_at_once_is_left():
    found = largest_eigenpairs(lambda vector: 3 * vector, 6, wanted=2)
    np.testing.assert_allclose(found.values, (3, 3), rtol=EXACT)
    assert abs(found.vectors[0] @ found.vectors[1]) < EXACT
    nothing = largest_eigenpairs(np.zeros_like, 6, wanted=2)
    assert nothing.converged
    assert np.array_equal(nothing.values, (0, 0))
    assert nothing.negative_share == 0
    alone = largest_eigenpairs(lambda vector: -2 * vector, 1, wanted=1)
    assert alone.values == pytest.approx(-2)


def test_the_seed_decides():
    matrix, _ = symmetric(CLUSTERED)
    runs = [largest_eigenpairs(matrix.dot, len(matrix), steps=10, rng=rng) for rng in (3, 3, 4)]
    assert np.array_equal(runs[0].ritz, runs[1].ritz)
    assert not np.array_equal(runs[0].ritz, runs[2].ritz)


def test_all_steps_give_the_share_of_negative_eigenvalues():
    matrix, _ = symmetric(np.r_[np.arange(-7.0, 0), np.arange(1.0, 14)])
    found = largest_eigenpairs(matrix.dot, 20, wanted=20, tolerance=1e-14)
    assert len(found.ritz) == 20
    assert found.negative_share == 7 / 20


def test_the_spectral_density_has_the_moments_of_the_matrix():
    values = np.r_[np.full(60, 1.0), np.full(30, 3.0), np.full(10, -2.0)]
    matrix, _ = symmetric(values)
    at, density, negative = spectral_density(matrix.dot, 100, probes=40, points=2000)
    step = at[1] - at[0]
    assert density.sum() * step == pytest.approx(1, abs=1e-3)
    # the weights of random vectors scatter by about sqrt(2 / (size * probes))
    assert (at * density).sum() * step == pytest.approx(values.mean(), abs=0.15)
    assert negative == pytest.approx(0.1, abs=0.04)
    middle = (at > 0.5) & (at < 1.5)
    assert density[middle].sum() * step == pytest.approx(0.6, abs=0.06)


def test_products_that_are_no_symmetric_matrix_are_refused():
    matrix = np.random.default_rng(0).standard_normal((30, 30))
    with pytest.raises(InputError, match="not those of a symmetric matrix"):
        largest_eigenpairs(matrix.dot, 30)
    slightly = np.diag(np.arange(30.0))
    slightly[3, 20] = 3.0
    with pytest.raises(InputError, match="not those of a symmetric matrix"):
        spectral_density(slightly.dot, 30)
    with pytest.raises(InputError, match="a product is not finite"):
        largest_eigenpairs(lambda vector: np.full_like(vector, np.inf), 30)
    with pytest.raises(InputError, match=r"a product must have shape \(30,\), got \(29,\)"):
        largest_eigenpairs(lambda vector: vector[1:], 30)


def test_rounding_of_single_precision_is_no_asymmetry():
    matrix = symmetric(CLUSTERED)[0].astype(np.float32)
    found = largest_eigenpairs(
        lambda vector: matrix @ vector.astype(np.float32), len(matrix), tolerance=1e-4
    )
    np.testing.assert_allclose(found.values, (5, 4.99), rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wanted": 4}, "wanted must be an integer of 1 .. 3, got 4"),
        ({"wanted": 0}, "wanted must be an integer of 1 .. 3, got 0"),
        ({"steps": 1}, "steps must be >= wanted = 2, got 1"),
        ({"tolerance": 0.0}, "tolerance must be > 0, got 0.0"),
    ],
)
def test_numbers_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        largest_eigenpairs(np.eye(3).dot, 3, **options)


@pytest.mark.parametrize("name", ["probes", "steps", "points"])
def test_densities_of_nothing(name):
    with pytest.raises(InputError, match=f"{name} must be >= 1, got 0"):
        spectral_density(np.eye(3).dot, 3, **{name: 0})
    with pytest.raises(InputError, match="width must be > 0, got 0"):
        spectral_density(np.eye(3).dot, 3, width=0.0)


# ------------------------------------------------------------------------------------- scores ---


def square(of, *, points=21, reach=1.0):
    """A surface and its coordinates."""
    at = np.linspace(-reach, reach, points)
    return of(at[:, None], at[None, :]) + np.zeros((points, points)), at


def bowl(x, y):
    return 0.3 + 0.4 * (x**2 + 2 * y**2)


def plane(x, y):
    return 0.9 + 0.2 * x + 0.3 * y


def egg_carton(x, y):
    return 0.7 + 0.3 * np.sin(12.1 * x + 0.4) * np.sin(12.7 * y + 0.3)


def steep_bowl(x, y):
    return 20 * bowl(x, y)


def test_a_bowl_is_convex_and_a_quadratic():
    surface, at = square(bowl)
    found = landscape_scores(surface, at)
    assert found.centre == pytest.approx(0.3)
    assert found.range == pytest.approx(1.2)
    assert found.mean == pytest.approx(surface.mean())
    assert found.median == pytest.approx(np.median(surface))
    assert found.roughness < SUMS
    assert found.non_convex == found.displacement == found.descent == 0


def test_the_minimum_of_a_bowl_beside_the_centre():
    surface, at = square(lambda x, y: bowl(x - 0.8, y + 0.6), reach=2.0)
    found = landscape_scores(surface, at)
    assert found.displacement == pytest.approx(0.5)
    assert found.descent == pytest.approx(0.4 * (0.64 + 0.72))


def test_a_plane_is_smooth_and_its_minimum_in_a_corner():
    found = landscape_scores(*square(plane))
    assert found.roughness < SUMS
    assert found.non_convex == 0
    assert found.displacement == pytest.approx(math.sqrt(2))
    assert found.descent == pytest.approx(0.5)


@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_saddles_and_domes_are_nowhere_convex(tilt):
    saddle = landscape_scores(*square(lambda x, y: 2 + x**2 - y**2 + tilt * x))
    turned = landscape_scores(*square(lambda x, y: 2 + x * y + tilt * y))
    dome = landscape_scores(*square(lambda x, y: 2 - x**2 - y**2 + tilt * x))
    assert saddle.non_convex == turned.non_convex == dome.non_convex == 1


def test_half_a_wave_is_convex_on_one_side():
    found = landscape_scores(*square(lambda x, y: 2 + np.sin(np.pi * x) + y**2, points=41))
    assert found.non_convex == pytest.approx(0.5, abs=0.03)


def test_roughness_is_what_waves_add_to_a_quadratic():
    """Short waves have nothing in common with quadratics over many of their lengths."""
    amplitude = 0.1
    wavy, at = square(
        lambda x, y: bowl(x, y) + amplitude * np.sin(16 * np.pi * x) * np.ones_like(y), points=129
    )
    found = landscape_scores(wavy, at)
    assert found.roughness == pytest.approx(amplitude / math.sqrt(2), rel=0.05)
    # three points of eight along every wave, but for the edges
    assert found.non_convex == pytest.approx(3 / 8, abs=0.01)


@given(
    gain=st.floats(0.1, 10),
    coefficients=st.lists(st.floats(-1, 1), min_size=5, max_size=5),
)
@settings(max_examples=20, deadline=None)
def test_roughness_is_blind_to_quadratics_and_scales_with_the_error(gain, coefficients):
    a, b, c, d, e = coefficients
    surface, at = square(egg_carton)
    changed, _ = square(
        lambda x, y: gain * egg_carton(x, y) + a * x + b * y + c * x**2 + d * x * y + e * y**2
    )
    assert landscape_scores(changed, at).roughness == pytest.approx(
        gain * landscape_scores(surface, at).roughness
    )


@given(turns=st.integers(0, 3), mirrored=st.booleans(), reach=st.sampled_from((0.2, 1.0, 2.0)))
@settings(max_examples=20, deadline=None)
def test_scores_do_not_depend_on_how_directions_are_named_or_how_long_they_are(
    turns, mirrored, reach
):
    surface, at = square(lambda x, y: bowl(x - 0.3, y) + 0.2 * np.sin(5 * x) * np.cos(7 * y))
    moved = np.rot90(surface.T if mirrored else surface, turns)
    expected, found = landscape_scores(surface, at), landscape_scores(moved, reach * at)
    for name in LandscapeScores.__dataclass_fields__:
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name


@pytest.mark.parametrize("of", [bowl, plane, egg_carton, steep_bowl])
def test_scores_do_not_depend_on_the_number_of_points(of):
    coarse, fine = (landscape_scores(*square(of, points=points)) for points in (33, 65))
    for name in ("mean", "roughness", "non_convex", "favourability"):
        expected = getattr(fine, name)
        assert getattr(coarse, name) == pytest.approx(expected, rel=SAMPLING, abs=SUMS), name


@pytest.mark.parametrize("reach", [0.2, 1.0, 2.0])
def test_favourable_is_smooth_and_low_about_the_network(reach):
    best, tilted, carton, high = (
        landscape_scores(
            *square(lambda x, y, of=of: of(x / reach, y / reach), points=33, reach=reach)
        )
        for of in (bowl, plane, egg_carton, steep_bowl)
    )
    assert best.favourability > 1.5 * tilted.favourability
    assert tilted.favourability > 2 * carton.favourability
    assert tilted.favourability > 2 * high.favourability
    for one in (best, tilted, carton, high):
        assert 0 < one.favourability <= 1


def test_each_fault_costs_favour():
    surface, at = square(bowl)
    best = landscape_scores(surface, at).favourability
    x, y = at[:, None], at[None, :]
    faulty = {
        "higher": surface + 0.5,
        "rougher": surface + 0.1 * np.sin(40 * x) * np.sin(37 * y),
        "minimum beside": bowl(x - 0.5, y),
        "not convex": surface + 0.3 * np.cos(6 * x) - 0.3,
    }
    for fault, other in faulty.items():
        assert landscape_scores(other, at).favourability < 0.95 * best, fault


def test_a_perfect_network_has_nothing_against_it():
    found = landscape_scores(*square(lambda x, y: 0 * x * y))
    assert found.favourability == 1
    assert found.displacement == found.non_convex == found.range == 0


def test_rounding_of_single_precision_is_not_rough():
    surface, at = square(plane)
    found = landscape_scores(surface.astype(np.float32), at)
    assert found.non_convex == 0
    assert found.favourability == pytest.approx(
        landscape_scores(surface, at).favourability, rel=1e-5
    )


def test_the_summary_is_over_pairs():
    at = square(bowl)[1]
    surfaces = [square(bowl)[0] + height for height in np.linspace(0, 1.1, 12)]
    found = summarise_landscapes(surfaces, at)
    mean = found["mean"]
    values = [surface.mean() for surface in surfaces]
    assert mean.mean == pytest.approx(np.mean(values))
    assert mean.spread == pytest.approx(np.std(values, ddof=1))
    half = 1.96 * np.std(values) / math.sqrt(12)
    assert mean.low == pytest.approx(mean.mean - half, abs=0.15 * half)
    assert mean.high == pytest.approx(mean.mean + half, abs=0.15 * half)
    assert found["range"].spread == pytest.approx(0, abs=SUMS)
    assert set(found) == set(LandscapeScores.__dataclass_fields__)
    assert found == summarise_landscapes(np.array(surfaces), at)


def test_one_pair_is_no_evidence():
    surface, at = square(bowl)
    with pytest.raises(InputError, match="at least 2 direction pairs, got 1"):
        summarise_landscapes([surface], at)


def test_surfaces_that_cannot_be_scored():
    surface, at = square(bowl)
    for wrong, where in (
        (surface[:-1], at),
        (surface[:-1, :-1], at[:-1]),
        (surface[8:13, 8:13], at[8:13]),
        (surface, at[:, None]),
    ):
        with pytest.raises(InputError, match="odd points >= 7"):
            landscape_scores(wrong, where)
    for where in (at + 0.1, at[::-1], at**3, 0 * at):
        with pytest.raises(InputError, match="equal steps from -a to a"):
            landscape_scores(surface, where)
    surface[3, 4] = np.nan
    with pytest.raises(InputError, match="the surface is not finite"):
        landscape_scores(surface, at)


def test_a_path_is_seen_by_its_part_in_the_plane():
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((2, 30))
    outside = rng.standard_normal(30)
    basis = np.linalg.qr(directions.T)[0]
    outside -= basis @ (basis.T @ outside)
    inside = np.array([0.5, -0.2]) @ directions
    outside *= np.linalg.norm(inside) / np.linalg.norm(outside)
    coordinates, within = path_on([0 * inside, inside, inside + outside, outside], directions)
    np.testing.assert_allclose(coordinates, [(0, 0), (0.5, -0.2), (0.5, -0.2), (0, 0)], atol=SUMS)
    np.testing.assert_allclose(within, (1, 1, math.sqrt(0.5), 0), atol=SUMS)


# ------------------------------------------------------------------------------------ figures ---


def test_surfaces_share_their_colours_and_say_what_they_are(tmp_path):
    low, at = square(bowl)
    panels = {f"layer {i}": height * low for i, height in enumerate((1, 2, 3, 4, 5), 1)}
    path = np.linspace((0, 0), (0.4, 0.2), 5)
    figure = plots.surfaces(panels, at, paths={"layer 2": path})
    figure.savefig(tmp_path / "surfaces.png")
    drawn = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in drawn] == list(panels)
    limits = {axes.collections[0].get_clim() for axes in drawn}
    assert limits == {(low.min(), 5 * low.max())}
    np.testing.assert_array_equal(drawn[1].lines[0].get_xydata(), path)
    assert "[1]" in figure.axes[-1].get_ylabel()


def test_the_first_direction_goes_to_the_right():
    surface, at = square(lambda x, y: 3 + x + 0 * y)
    figure = plots.surfaces({"slope": surface}, at)
    lines = figure.axes[0].collections[1].get_paths()
    for line in lines:
        assert np.ptp(line.vertices[:, 0], axis=0) < 1e-6 if len(line.vertices) else True
    assert any(len(line.vertices) for line in lines)


def test_eigenvalues_of_layers(tmp_path):
    found = largest_eigenpairs(symmetric(CLUSTERED)[0].dot, len(CLUSTERED))
    short = Eigenpairs(found.values, found.vectors, found.residuals, found.ritz, False)
    figure = plots.eigenvalues({"2": found, "7": short})
    figure.savefig(tmp_path / "eigenvalues.png")
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["2", "7\n(not converged)"]


def test_nothing_to_draw():
    surface, at = square(bowl)
    with pytest.raises(InputError, match="no surface to draw"):
        plots.surfaces({}, at)
    with pytest.raises(InputError, match="no layer to draw"):
        plots.eigenvalues({})
    with pytest.raises(InputError, match="the path 'b' has no surface: expected a"):
        plots.surfaces({"a": surface}, at, paths={"b": np.zeros((2, 2))})


@pytest.mark.parametrize("height", [0.0, 1.0])
def test_a_flat_surface_can_be_drawn(height, tmp_path):
    surface, at = square(lambda x, y: height + 0 * x * y)
    plots.surfaces({"flat": surface}, at).savefig(tmp_path / "flat.png")
