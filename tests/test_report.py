"""Figures: drawn from a file, and right where they claim a power law."""

import numpy as np
import pytest
from matplotlib import image

from pytbl import Flow, Grid, Output, Solver, initial
from pytbl.errors import InputError
from pytbl.report import figure, guide


def test_a_figure_has_something_on_it(tmp_path):
    grid = Grid(32, 24, ly=3.0)
    sim = Solver(grid, Flow(viscosity=1e-3), dt=2e-3)
    sim.set_vorticity(initial.random_spectrum(grid, k_peak=4))
    sim.run(until=0.02, outputs=[Output(tmp_path / "run.h5", every=0.01)])
    picture = image.imread(figure(tmp_path / "run.h5", tmp_path / "run.png"))
    assert picture.shape[0] > 500
    assert len(np.unique(picture[..., :3].reshape(-1, 3), axis=0)) > 200


def test_the_guide_is_a_power_law_above_the_spectrum():
    k = np.arange(1.0, 200)
    span, law = guide(k, 7 * k**-3.0)
    assert np.log(law[1] / law[0]) / np.log(span[1] / span[0]) == pytest.approx(-3)
    assert law[0] > 7 * span[0] ** -3.0


def test_files_without_a_picture(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match="cannot be drawn"):
        figure(tmp_path / "text.h5", tmp_path / "run.png")
    grid = Grid(16, 16)
    sim = Solver(grid, Flow(), dt=1e-3)
    Output(tmp_path / "none.h5", every=1, fields=[]).open(sim)
    with pytest.raises(InputError, match="no record of the vorticity"):
        figure(tmp_path / "none.h5", tmp_path / "run.png")
