"""The closures that come with the package: whole, described, and at work."""

from pathlib import Path

import numpy as np
import pytest
from fields import turbulent

from pytbl import Flow, Grid, Solver, closures
from pytbl.cli import inspection
from pytbl.errors import InputError
from pytbl.les import LESCase
from pytbl.nn import CNNClosure, artifact, zoo


def test_there_are_closures():
    assert zoo.names()


@pytest.mark.parametrize("name", zoo.names())
def test_a_closure_is_small_and_its_card_says_what_it_is(name):
    assert zoo.path(name).stat().st_size < 4 << 20
    described, card = artifact.describe(f"zoo:{name}"), zoo.card(name)
    setting = described["setting"]
    assert f"{setting['nx']} x {setting['ny']}" in card
    assert f"{described['parameters']:,}" in card
    for heading in ("## Data", "## Offline", "## Online", "## To make it again"):
        assert heading in card


@pytest.mark.parametrize("name", zoo.names())
def test_a_closure_runs_from_a_case_file(name):
    setting = artifact.describe(f"zoo:{name}")["setting"]
    case = LESCase.parse(
        f"""
        grid = {{ nx = {setting["nx"]}, ny = {setting["ny"]}, reproducible = true }}
        flow = {{ reynolds = 5000, drag = 0.1 }}
        time = {{ until = 0.02, dt = 5e-3 }}
        initial = {{ kind = "random_spectrum", k_peak = 6 }}
        filter = {{ kind = "{setting["filter"]}", ratio = {setting["filter_ratio"]} }}
        closure = {{ kind = "cnn", path = "zoo:{name}" }}
        """
    )
    sim, _ = case.build()
    sim.step(4)
    assert np.isfinite(sim.omega_hat).all()
    assert repr(sim.closure) == f"CNNClosure('zoo:{name}')"


def test_forced_turbulence_is_dissipated_and_turns_with_the_flow():
    """What physics asks of it: enstrophy goes to small scales; no direction is singled out."""
    grid = Grid(64, 64, dealias="3/2", reproducible=True)
    closure = CNNClosure.load("zoo:forced-64", grid)
    sim = Solver(grid, Flow(viscosity=2e-4), dt=5e-3)
    sim.set_spectral(turbulent(grid, k_peak=6))
    sim.step(100)
    pi = closures.evaluate(closure, grid, sim.omega_hat)
    assert np.sum(grid.weight * (np.conj(sim.omega_hat) * pi).real) < 0


def test_what_is_not_in_the_zoo():
    with pytest.raises(InputError, match="no closure 'lion' in the zoo: expected one of forced-64"):
        CNNClosure.load("zoo:lion")


def test_the_command_describes_it(capsys):
    inspection.info(Path("zoo:forced-64"))
    assert "parameters = 130593" in capsys.readouterr().out
    with pytest.raises(InputError, match="no closure 'lion'"):
        inspection.info(Path("zoo:lion"))


def test_the_command_describes_cases_of_either_kind(capsys):
    cases = Path(__file__).parents[1] / "examples" / "cases"
    for name, expected in (("les", 'kind = "leith"'), ("forced", 'dealias = "2/3"')):
        inspection.info(cases / f"{name}.toml")
        assert expected in capsys.readouterr().out
