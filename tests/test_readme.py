"""The README's Python runs as it stands, and what it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(compile(block.replace("256, 256", "64, 64"), "README.md", "exec"), names)
    assert names["sim"].t >= 1.2
    assert "Deterministic(mx=4, ny=0)" in capsys.readouterr().out
    assert (tmp_path / "run.h5").exists()


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "benchmarks/README.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_files_it_names_exist():
    for name in re.findall(r"(?:tools|examples)/[\w/.-]+\w", README):
        assert (ROOT / name).exists(), name
