"""Changes of kernels: planted ones are found, by measures that are related as theory says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_analysis_kernels import gabor, gaussian, laplacian
from tolerances import ROUNDING

from pytbl.analysis.ablation import kernel_ablation
from pytbl.analysis.changes import MEASURES, kernel_changes
from pytbl.analysis.classes import CLASSES
from pytbl.analysis.kernels import kernel_spectra
from pytbl.errors import InputError
from pytbl.plots import kernels as plots


def layer(rng=0, shape=(6, 4, 5, 5)):
    return 0.01 * np.random.default_rng(rng).standard_normal(shape)


def planted():
    """A layer, and the same with three kernels replaced, the last one by most."""
    before = layer()
    after = before.copy()
    after[0, 3], after[5, 0] = gaussian(1.0), laplacian() / 4
    after[3, 3] = 2 * gabor(0.55, 0.5, 0.0)
    return before, after


@pytest.mark.parametrize("measure", MEASURES)
def test_planted_changes_are_found(measure):
    changes = kernel_changes(*planted())
    found = changes.most_changed(measure, count=3)
    assert [(one.output, one.input, one.after) for one in found] == [
        (3, 3, "Gabor"),
        (5, 0, "high-pass"),
        (0, 3, "low-pass"),
    ]
    assert [one.change for one in found] == list(changes.sorted(measure)[:3])
    assert found == changes.most_changed(measure, count=20)  # no other has changed
    assert changes.most_changed(measure) == found[:1]  # the 99.9th percentile of 24
    assert changes.most_changed(measure, percentile=90) == found


def test_kernels_of_the_last_channels_are_not_moved_on():
    """The published script took the wrong column for every kernel in the last row."""
    for place in np.ndindex(4, 3):
        before = np.zeros((4, 3, 3, 3))
        after = before.copy()
        after[place] = laplacian(3, 3)
        (found,) = kernel_changes(before, after).most_changed(count=1)
        assert (found.output, found.input) == place
        assert (found.before, found.after) == ("mixed", "high-pass")


@given(
    shape=st.tuples(st.integers(7, 20), st.integers(7, 20)),
    seed=st.integers(0, 99),
    size=st.sampled_from([(3, 3), (5, 5), (3, 7)]),
)
@settings(max_examples=20, deadline=None)
def test_the_measures_are_related(shape, seed, size):
    before, after = layer(seed, (3, 2, *size)), layer(seed + 100, (3, 2, *size))
    changes = kernel_changes(before, after, shape=shape)
    first, second = (kernel_spectra(w, shape) for w in (before, after))
    np.testing.assert_allclose(
        changes.spectrum, np.linalg.norm(second - first, axis=(2, 3)), rtol=100 * ROUNDING
    )
    np.testing.assert_allclose(
        changes.amplitude, np.linalg.norm(abs(second) - abs(first), axis=(2, 3)), rtol=1e-10
    )
    assert (changes.amplitude <= changes.spectrum * (1 + ROUNDING)).all()
    np.testing.assert_array_equal(
        np.argsort(changes.space, axis=None), np.argsort(changes.spectrum, axis=None)
    )


def test_moduli_see_neither_shifts_nor_signs():
    before = np.zeros((2, 1, 5, 5))
    before[:, 0, 1:4, 1:4] = gaussian(0.8, 3, 3)
    after = np.stack([np.roll(before[0], 1, -1), -before[1]])
    changes = kernel_changes(before, after)
    assert changes.space.min() > 0.1
    assert changes.amplitude.max() < ROUNDING


def test_transitions_count_every_kernel():
    changes = kernel_changes(*planted())
    table = changes.transitions()
    assert table.sum() == 24
    np.testing.assert_array_equal(
        table.sum(1), np.bincount(changes.classes_before.ravel(), minlength=len(CLASSES))
    )
    moved = table - np.diag(np.diag(table))
    at = [(changes.classes_before[i], changes.classes_after[i]) for i in ((0, 3), (3, 3), (5, 0))]
    assert moved.sum() == sum(a != b for a, b in at)
    assert all(table[pair] > 0 for pair in at)


def test_nothing_has_changed():
    before = layer()
    changes = kernel_changes(before, before)
    assert changes.most_changed(count=5) == changes.most_changed() == []
    assert not changes.sorted("amplitude").any()
    with pytest.raises(InputError, match="no kernel has changed"):
        plots.changed_kernels(changes)


def test_what_cannot_be_compared_or_chosen():
    before, after = planted()
    with pytest.raises(InputError, match=r"same shape, got \(6, 4, 5, 5\) and \(5, 4, 5, 5\)"):
        kernel_changes(before, after[1:])
    after[1, 2, 0, 0] = np.inf
    with pytest.raises(InputError, match=r"after must be finite, got inf in \[1, 2\]"):
        kernel_changes(before, after)
    changes = kernel_changes(before, before)
    with pytest.raises(InputError, match="one of space, spectrum, amplitude, got 'phase'"):
        changes.sorted("phase")
    with pytest.raises(InputError, match="a count or a percentile, got 3 and 99"):
        changes.most_changed(count=3, percentile=99)
    with pytest.raises(InputError, match="count must be at least 1, got 0"):
        changes.most_changed(count=0)
    with pytest.raises(InputError, match=r"percentile must be in \[0, 100\], got 101"):
        changes.most_changed(percentile=101)


# -------------------------------------------------------------------------------------- figures ---


def test_the_figure_shows_the_spectra_before_and_after():
    before, after = planted()
    changes = kernel_changes(before, after)
    chosen = changes.most_changed(count=3)
    activation = np.random.default_rng(0).standard_normal((2, 4, 16, 16))
    ablations = [
        kernel_ablation(activation, (before, after), (one.output, one.input)) for one in chosen
    ]
    figure = plots.changed_kernels(changes, chosen, ablations=ablations)
    first, second, third = np.reshape(figure.axes[:9], (3, 3))
    assert [axes.get_title() for axes in second] == ["Gabor", "high-pass", "low-pass"]
    shown = [axes.images[0] for axes in (*first, *second)]
    assert len({image.get_clim() for image in shown}) == 1
    # the lobes of the Gabor function stand where its wave is, as the axes say
    picture, (left, right, bottom, top) = shown[3].get_array(), shown[3].get_extent()
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    ky = bottom + (row + 0.5) / len(picture) * (top - bottom)
    kx = left + (column + 0.5) / len(picture) * (right - left)
    wave = 0.55 * np.array([np.sin(0.5), np.cos(0.5)])
    assert min(np.hypot(ky - s * wave[0], kx - s * wave[1]) for s in (1, -1)) < 0.08
    np.testing.assert_array_equal(third[1].lines[0].get_ydata(), ablations[1].linear.change)
    with pytest.raises(
        InputError, match="every chosen kernel needs an ablation: expected 3, got 1"
    ):
        plots.changed_kernels(changes, chosen, ablations=ablations[:1])


def test_the_figure_of_sorted_changes():
    changes = kernel_changes(*planted())
    (axes,) = plots.sorted_changes({"layer 2": changes}, "space").axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), changes.sorted("space"))
    with pytest.raises(InputError, match="expected changes by their names, got none"):
        plots.sorted_changes({})
