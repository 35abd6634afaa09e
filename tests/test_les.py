"""LES cases: the closures that a file can name, what is filtered, and wrong input."""

import numpy as np
import pytest
from fields import turbulent
from tolerances import ROUNDING

from pytbl import Flow, Grid, Output, Solver, filters
from pytbl.errors import InputError
from pytbl.les import LESCase

BASE = """
[grid]
nx = 24
ny = 32
[flow]
viscosity = 1e-3
drag = 0.1
[time]
until = 0.02
dt = 2e-3
[initial]
kind = "random_spectrum"
k_peak = 4
rng = 1
[forcing]
kind = "deterministic"
mx = 2
"""


def parse(more, base=BASE):
    return LESCase.parse(base + more)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('kind = "smagorinsky"', "Smagorinsky(0.17, ratio=1)"),
        ('kind = "leith"\ncoefficient = 0.3\nlocal = true', "Leith(0.3, ratio=1, local=True)"),
        ('kind = "dynamic-smagorinsky"', "DynamicSmagorinsky(ratio=1)"),
        ('kind = "dynamic-leith"\nratio = 2', "DynamicLeith(ratio=2)"),
        ('kind = "gradient"\norder = 4\nfactor = 0.5', "0.5 * Gradient(order=4, ratio=2)"),
        ('kind = "hyperviscosity"\ncoefficient = 1e-6', "Hyperviscosity(1e-06, order=2)"),
        ('kind = "none"', "None"),
        (
            'kind = "jansen-held"\nbase = "leith"',
            "JansenHeld('leith', coefficient=0.29, backscatter=0.95, ratio=1)",
        ),
    ],
)
def test_closures_by_name(table, said):
    case = parse(f"[closure]\n{table}\n")
    assert repr(case.build_closure()) == said
    sim, _ = case.build()
    sim.step(2)
    assert LESCase.parse(sim.case_toml).to_toml() == case.to_toml()


def test_several_closures_add():
    case = parse('[[closure]]\nkind = "leith"\n[[closure]]\nkind = "gradient"\n')
    assert repr(case.build_closure()) == "Leith(0.21, ratio=1) + Gradient(order=2, ratio=2)"


def test_the_grid_of_an_les_carries_all_its_modes():
    assert parse("").build()[0].grid.kx_max == 11


def test_the_forcing_is_filtered():
    plain, _ = parse("").build()
    filtered, _ = parse('[filter]\nkind = "gaussian"\nratio = 3\n').build()
    assert repr(filtered.forcing) == "Filtered(Deterministic(mx=2, ny=0), Gaussian(ratio=3))"
    sources = []
    for sim in (plain, filtered):
        source = sim.grid.zeros_spectral()
        sim.forcing.add(source, 0.0, 0)
        sources.append(source)
    assert sources[1][2, 0] == pytest.approx(
        sources[0][2, 0] * np.exp(-((2 * 3 * plain.grid.dx) ** 2) / 24), rel=ROUNDING
    )


def test_the_start_from_a_dns_is_filtered(tmp_path):
    fine = Grid(96, 96, reproducible=True)
    dns = Solver(fine, Flow(), dt=1e-3)
    dns.set_spectral(turbulent(fine))
    dns.run(until=0.0, outputs=[Output(tmp_path / "dns.h5", every=1.0)])
    start = 'kind = "file"\npath = "dns.h5"'
    base = BASE.replace('kind = "random_spectrum"\nk_peak = 4\nrng = 1', start)
    (tmp_path / "les.toml").write_text(base + '[filter]\nkind = "box"\n')
    sim, _ = LESCase.load(tmp_path / "les.toml").build()
    expected = filters.Box(2).transfer(sim.grid)[5, 3] * dns.omega_hat[5, 3]
    assert sim.omega_hat[5, 3] == pytest.approx(expected, rel=ROUNDING * 10)


OWN = """
class Damping:
    def __init__(self, rate=1.0):
        self.rate = rate

    def __repr__(self):
        return f"Damping({self.rate})"

    def add(self, source_hat, state):
        source_hat -= self.rate * state.omega_hat
"""


def test_a_users_own_file(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "les.toml").write_text(BASE + '[closure]\nkind = "own.py:Damping"\nrate = 0.5\n')
    sim, _ = LESCase.load(tmp_path / "les.toml").build()
    assert repr(sim.closure) == "Damping(0.5)"
    sim.step()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[closure]\nkind = "leth"', "unknown .closure. kind 'leth' .did you mean 'leith'.*none"),
        ('[closure]\nkind = "leith"\ncoef = 1', "unknown .closure. key 'coef'.*coefficient"),
        ('[closure]\nkind = "leith"\nfactor = "x"', "factor must be a number, got 'x'"),
        ('[closure]\nkind = "gradient"\norder = 5', "must be 2, 4 or 6, got 5"),
        ('[filter]\nkind = "gaus"', "unknown filter 'gaus': expected one of gaussian, box"),
        ("[filter]\nwidth = 2", "unknown .filter. key 'width'.*expected one of kind, ratio"),
        ('[closure]\nkind = "nowhere.py:X"', "nowhere.py: no such file"),
        ('[closure]\nkind = "none"\ncoefficient = 1', "unknown .closure. key 'coefficient'"),
        ('[closure]\nkind = "leith"\nlocal = "no"', "local must be true or false, got 'no'"),
        ('[closure]\nkind = "leith"\nfactor = true', "factor must be a number, got True"),
        ('[closure]\nkind = "playback"\npath = 3', ".closure. kind 'playback'"),
        ('[closures]\nkind = "leith"', "unknown table or key 'closures' .did you mean 'closure'"),
    ],
)
def test_wrong_input_is_one_line(more, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(more + "\n").build()
    assert "\n" not in str(caught.value)


def test_a_class_that_the_users_file_lacks(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "les.toml").write_text(BASE + '[closure]\nkind = "own.py:Dampng"\n')
    with pytest.raises(InputError, match="did you mean 'Damping'"):
        LESCase.load(tmp_path / "les.toml").build()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Own:\n    pass\n", "has no method add"),
        ("class Own:\n    def __init__(self):\n        raise RuntimeError('mine')\n", "mine"),
        ("1 / 0\n", "cannot be imported: division by zero"),
    ],
)
def test_a_users_file_with_a_mistake_is_one_line(tmp_path, text, message):
    (tmp_path / "own.py").write_text(text)
    (tmp_path / "les.toml").write_text(BASE + '[closure]\nkind = "own.py:Own"\n')
    with pytest.raises(InputError, match=message):
        LESCase.load(tmp_path / "les.toml").build()
