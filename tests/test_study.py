"""A study runs its flows, networks and pairs once, and goes on where it was."""

import pytest
import studies

from pytbl.errors import InputError
from pytbl.nn import load_model
from pytbl.samples import Samples
from pytbl.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study.load(studies.small(tmp_path_factory.mktemp("study")))


def test_the_example_has_the_cases_of_the_paper_and_their_reversals():
    whole = Study.load(studies.CASES / "study.toml")
    assert len(whole.pairs) == 6
    pairs = set(whole.pairs.values())
    assert {(target, base) for base, target in pairs} == pairs
    for flow in whole.flows:
        assert whole.case(flow).dataset[0].coarse == 32


def test_a_flow_is_simulated_and_split_once(study, tmp_path):
    parts = study.samples("forced-62", tmp_path)
    counts = {name: len(Samples(files)) for name, files in parts.items()}
    assert counts["train"] > counts["test"] > counts["validation"] > 0
    (tmp_path / "forced-62" / "dns.h5").unlink()  # needed no more
    assert study.samples("forced-62", tmp_path) == parts


def test_starts_of_a_decaying_flow_are_runs_of_their_own(study, tmp_path):
    parts = study.samples("decaying", tmp_path)
    assert {name: len(files) for name, files in parts.items()} == {
        "train": 1,
        "validation": 1,
        "test": 2,
    }
    first, second = (Samples(path).read("omega", [0]) for path in parts["test"])
    assert abs(first - second).max() > 0.1 * abs(first).max()


def test_a_pair_is_verified_and_its_networks_are_kept(study, tmp_path):
    result = study.verify("Case 2", tmp_path)
    folder = study.place("Case 2", tmp_path)
    assert folder.name == "forced-62-to-forced-6250"
    kept = load_model(folder / "closures" / "2-0.closure")
    assert kept.config["width"] == 4
    assert (folder / "verdict.txt").read_text().strip() == result.text().strip()
    assert set(result.pair.actual) == {"1", "2", "3"}
    assert "reference" in result.sweep.names
    again = study.verify("Case 2", tmp_path)
    assert again.sweep.mean() == result.sweep.mean()


def test_names_that_do_not_exist_are_refused(study, tmp_path):
    with pytest.raises(InputError, match="pair 'Case 9'.*Case 1"):
        study.pair("Case 9")
    with pytest.raises(InputError, match="flow 'laminar'.*decaying"):
        study.samples("laminar", tmp_path)
    other = study.model_copy(update={"pairs": {"one": ("decaying", "laminar")}})
    with pytest.raises(InputError, match="flow 'laminar'"):
        other.pair("one")
    text = (studies.CASES / "study.toml").read_text()
    with pytest.raises(InputError, match="sweeps"):
        Study.parse(text.replace("[sweep]", "[sweeps]"))
    few = study.model_copy(
        update={"flows": {"decaying": study.flows["decaying"].model_copy(update={"starts": 3})}}
    )
    with pytest.raises(InputError, match="starts .* at least 4, got 3"):
        few.samples("decaying", tmp_path)
