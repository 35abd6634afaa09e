"""The examples run, on less than they ask for, and say how."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import studies
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


def changed(name, folder, **values):
    """An example's case file with other values where a key comes first, in a folder."""
    text = (EXAMPLES / "cases" / name).read_text()
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text, count=1)
        assert count, key
    (folder / name).write_text(text)
    return folder / name


def test_les(tmp_path):
    small = changed(
        "les-dns.toml", tmp_path, nx=96, ny=96, until=0.5, every=0.05, start=0.1, coarse=32
    )
    les = changed("les.toml", tmp_path, nx=32, ny=32, until=0.4, every=0.05)
    done = run(EXAMPLES / "les.py", "--dns", small, "--les", les, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "comparison" / "table.csv").read_text()
    for name in ("none", "smagorinsky-local", "dynamic-leith", "jansen-held-leith"):
        assert name in table
    assert (tmp_path / "comparison" / "spectra.png").exists()


def test_lilly():
    done = run(EXAMPLES / "lilly.py", "--n", "96", "--until", "4")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split()[:5] == ["N", "samples", "slope", "C_prime", "C_L"]
    assert [int(row.split()[0]) for row in rows] == [8, 12, 16]


def test_cnn_and_sample_count(tmp_path):
    """From two small runs, one for training and one for the test."""
    data, out = tmp_path / "les", tmp_path / "cnn"
    values = dict(nx=96, ny=96, every=0.2, start=1.0, coarse=32)
    data.mkdir()
    test = changed("les-dns.toml", data, until=3, **values)
    done = run("-m", "pytbl", "dns", test, "--out", data, "--no-picture")
    assert done.returncode == 0, done.stderr
    dns = changed("cnn-data.toml", tmp_path, until=30, **values)
    les = changed("les.toml", tmp_path, nx=32, ny=32, until=0.3, every=0.05)
    training = changed("cnn-train.toml", tmp_path, width=4, depth=2, epochs=1)
    files = ("--dns", dns, "--les", les, "--training", training, "--data", data, "--out", out)
    done = run(EXAMPLES / "cnn.py", *files, "--starts", 2)
    assert done.returncode == 0, done.stderr
    assert (out / "training-0" / "best.closure").exists()
    table = (out / "comparison" / "table.csv").read_text()
    assert "cnn-0-0" in table and "cnn-0-1" in table
    counts = ("--counts", 4, "--counts", 1000, "--steps", 2)
    done = run(
        EXAMPLES / "sample_count.py", "--parts", out / "parts", "--test", data / "data.h5", *counts
    )
    assert done.returncode == 0, done.stderr
    few, many = (int(row.split()[0]) for row in done.stdout.splitlines()[1:])
    assert few == 4 < many


def test_transfer(tmp_path):
    """One pair: recommended, swept, and run online."""
    study, out = studies.small(tmp_path), tmp_path / "out"
    options = ("--study", study, "--pair", "Case 2", "--out", out)
    done = run(EXAMPLES / "transfer.py", *options)
    assert done.returncode == 0, done.stderr
    assert "Recommended beforehand" in done.stdout
    folder = out / "pairs" / "forced-62-to-forced-6250"
    assert (folder / "layers.png").exists()
    les = ("--les", study.parent / "les.toml", "--layers", "2", "--starts", 1)
    done = run(EXAMPLES / "transfer_les.py", *options, *les)
    assert done.returncode == 0, done.stderr
    table = (folder / "les" / "comparison" / "table.csv").read_text()
    for name in ("base-0", "layer-2-0", "target-0", "dynamic-leith-0"):
        assert name in table
