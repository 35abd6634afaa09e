"""The examples run, on less than they ask for, and say how."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_case import TEXT

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_dns(tmp_path):
    (tmp_path / "case.toml").write_text(TEXT)
    command = (EXAMPLES / "dns.py", "--case", tmp_path / "case.toml", "--out", tmp_path)
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run.h5").exists()
    assert (tmp_path / "run.png").exists()
    done = run(*command, "--resume", "--until", "0.03")
    assert done.returncode == 0, done.stderr
    assert "continuing from" in done.stderr


def test_dns_names_every_option():
    said = re.sub(r"\x1b\[[0-9;]*m", "", run(EXAMPLES / "dns.py", "--help").stdout)
    for option in ("--case", "--until", "--out", "--resume", "--overwrite", "--threads"):
        assert option in said


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short_and_say_how_to_run(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 100
    assert f"examples/{path.name}" in text.split('"""')[1]
