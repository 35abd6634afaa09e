"""Case files: what they build, and the one line that a mistake gets."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytbl import initial
from pytbl.case import Case
from pytbl.composition import Sum
from pytbl.errors import InputError
from pytbl.les import LESCase
from pytbl.nn.config import TrainingFile

CASES = sorted((Path(__file__).parents[1] / "examples" / "cases").glob("*.toml"))

TEXT = """
title = "a test"
[grid]
nx = 24
ny = 20
[flow]
reynolds = 500
drag = 0.1
[time]
until = 0.02
dt = 0.002
[initial]
kind = "mcwilliams"
rng = 3
[forcing]
kind = "deterministic"
mx = 2
[output]
file = "run.h5"
every = 0.01
[checkpoint]
every = 0.01
"""


def test_a_case_is_the_solver_it_says(tmp_path):
    sim, outputs = Case.parse(TEXT).build(folder=tmp_path)
    assert (sim.grid.nx, sim.grid.ny, sim.dt, sim.scheme) == (24, 20, 0.002, "ab2cn")
    assert (sim.flow.viscosity, sim.flow.drag) == (1 / 500, 0.1)
    assert repr(sim.forcing) == "Deterministic(mx=2, ny=0)"
    np.testing.assert_allclose(sim.omega, initial.mcwilliams(sim.grid, rng=3), atol=1e-12)
    assert [output.__class__.__name__ for output in outputs] == ["Output", "Checkpoint"]
    assert outputs[0].path == tmp_path / "run.h5"
    sim.run(until=0.02, outputs=outputs)
    assert Case.parse(sim.case_toml) == Case.parse(TEXT)


def test_several_forcings():
    text = TEXT.replace("[forcing]", "[[forcing]]") + '[[forcing]]\nkind = "ring"\nk = 3\n'
    sim, _ = Case.parse(text).build()
    assert isinstance(sim.forcing, Sum)
    assert len(sim.forcing.members) == 2


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path):
    kind = {"les": LESCase, "cnn-train": TrainingFile}.get(path.stem, Case)
    case = kind.load(path)
    assert kind.parse(case.to_toml()) == case.model_copy(update={"source": None})


@settings(max_examples=50, deadline=None)
@given(
    nx=st.integers(8, 4096),
    drag=st.floats(0, 10),
    viscosity=st.floats(0, 1),
    until=st.floats(0.1, 1e4),
    title=st.text(max_size=20).filter(lambda text: "\r" not in text),
    scheme=st.sampled_from(["ab2cn", "rk3cn", "rk4cn"]),
)
def test_toml_round_trip(nx, drag, viscosity, until, title, scheme):
    case = Case.model_validate(
        {
            "title": title,
            "grid": {"nx": nx, "ny": 16},
            "flow": {"viscosity": viscosity, "drag": drag},
            "time": {"until": until, "dt": 0.1, "scheme": scheme},
            "initial": {"kind": "random_ring", "k_min": 1.5, "k_max": 3},
        }
    )
    assert Case.parse(case.to_toml()) == case


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nx = 24", "nx = 25", "nx must be an even integer >= 8 .* got 25"),
        ("nx = 24", "nx = 2.5", r"\[grid\] nx: .*integer.*, got 2.5"),
        ("nx = 24", "", r"\[grid\] key 'nx' is missing"),
        (
            "nx = 24",
            "nz = 24",
            r"\[grid\] (unknown )?key 'n[xz]'",
        ),
        (
            "drag = 0.1",
            "dragg = 0.1",
            r"unknown \[flow\] key 'dragg' \(did you mean 'drag'\?\): expected one of viscosity, "
            "reynolds, viscosity_order, drag, beta",
        ),
        (
            "[output]",
            "[outputs]",
            r"unknown table or key 'outputs' \(did you mean 'output'\?\): expected one of title, "
            "grid, flow, time, initial, forcing, output, dataset, checkpoint",
        ),
        ("reynolds = 500", "reynolds = 500\nviscosity = 1", r"\[flow\] give viscosity or reynolds"),
        ("reynolds = 500", "viscosity = -1", "viscosity must be a finite number >= 0, got -1"),
        ("dt = 0.002", "", "a time step is needed"),
        ("dt = 0.002", "dt = -1", "dt must be a finite number > 0, got -1"),
        ("dt = 0.002", 'scheme = "rk9"', r"\[time\] scheme: .*'rk4cn', got 'rk9'"),
        (
            'kind = "mcwilliams"',
            'kind = "mcwiliams"',
            r"unknown \[initial\] kind 'mcwiliams' \(did you mean 'mcwilliams'\?\)",
        ),
        ("rng = 3", "seed = 3", r"unknown \[initial\] key 'seed': expected one of kind, k_peak"),
        ("mx = 2", "m_x = 2", r"unknown \[forcing\] key 'm_x' \(did you mean 'mx'\?\)"),
        ("mx = 2", "mx = 20", r"mode \(20, 0\) is not kept"),
        ("mx = 2", 'mx = "two"', r"\[forcing\] kind 'deterministic': .*"),
        ("every = 0.01", "every = 0", "every must be a finite number > 0, got 0"),
        ('file = "run.h5"', 'file = "run.h5"\nfields = ["w"]', "fields must be among omega"),
        ("[grid]", "[grid", "not TOML: "),
        ("[grid]", "source = 3\n[grid]", "unknown key 'source'"),
    ],
)
def test_mistakes_get_one_line(old, new, message):
    with pytest.raises(InputError, match=message) as caught:
        Case.parse(TEXT.replace(old, new, 1)).build()
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="none.toml cannot be read: No such file or directory"):
        Case.load(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="bytes.toml cannot be read: "):
        Case.load(tmp_path / "bytes.toml")


def test_the_path_of_an_initial_file_begins_at_the_case_file(tmp_path):
    sim, outputs = Case.parse(TEXT).build(folder=tmp_path)
    sim.run(until=0.01, outputs=outputs)
    path = tmp_path / "next.toml"
    path.write_text(
        TEXT.replace('kind = "mcwilliams"\nrng = 3', 'kind = "file"\npath = "run.h5"').replace(
            "nx = 24", "nx = 30"
        )
    )
    again, _ = Case.load(path).build()
    np.testing.assert_allclose(again.omega_hat[:8, :7], sim.omega_hat[:8, :7], atol=1e-12)
