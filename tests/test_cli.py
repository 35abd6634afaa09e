"""The command line: exit status, one line per error, stopping and continuing, in parallel too."""

import os
import re
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import typer
from ranks import find_mpirun, mpi_environment, mpirun
from test_case import TEXT

from pytbl import cli


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text(TEXT)
    return path


def pytbl(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytbl", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def times(path):
    with h5py.File(path) as file:
        return file["time"][:]


def test_a_case_runs_and_leaves_its_files(case, tmp_path):
    done = pytbl("dns", case, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"100% t=0.02 dt=0.002 CFL=\S+ E=\S+ Z=\S+ \S+ ms/step ETA 0:00:00", done.stderr
    )
    np.testing.assert_allclose(times(tmp_path / "run" / "run.h5"), [0, 0.01, 0.02])
    assert (tmp_path / "run" / "run.png").stat().st_size > 10_000
    assert len(list((tmp_path / "run" / "checkpoint").iterdir())) == 2


def test_info(case, tmp_path):
    pytbl("dns", case, "--out", tmp_path, "--no-picture")
    assert "nx = 24" in pytbl("info", case).stdout
    assert "records = 3, t = 0 .. 0.02" in pytbl("info", tmp_path / "run.h5").stdout
    checkpoint = sorted((tmp_path / "checkpoint").iterdir())[-1]
    said = pytbl("info", checkpoint).stdout
    assert "steps = 10" in said
    assert "forcing = Deterministic(mx=2, ny=0)" in said
    assert pytbl("--version").stdout.startswith("pytbl 0.")
    (tmp_path / "broken.h5").write_bytes((tmp_path / "run.h5").read_bytes()[:1000])
    broken = pytbl("info", tmp_path / "broken.h5")
    assert broken.returncode == 2
    assert re.fullmatch(r"pytbl: \S+broken.h5 cannot be read: .*truncated file.*\n", broken.stderr)


def test_an_earlier_run_is_left_alone(case, tmp_path):
    assert pytbl("dns", case, "--out", tmp_path, "--no-picture").returncode == 0
    before = (tmp_path / "run.h5").read_bytes()
    again = pytbl("dns", case, "--out", tmp_path, "--no-picture")
    assert again.returncode == 2
    assert "run.h5 exists: name another file" in again.stderr
    assert (tmp_path / "run.h5").read_bytes() == before
    assert pytbl("dns", case, "--out", tmp_path, "--no-picture", "--overwrite").returncode == 0


def test_a_dataset_that_cannot_be_leaves_the_earlier_run(case, tmp_path):
    out = tmp_path / "out"
    table = '[[dataset]]\nfile = "{}"\nevery = 0.01\ncoarse = {}\n'
    case.write_text(TEXT + table.format("data.h5", 13))
    arguments = ("dns", case, "--out", out, "--no-picture")
    done = pytbl(*arguments)
    assert done.returncode == 2
    assert "coarse = 13" in done.stderr
    assert not list(out.iterdir())
    case.write_text(TEXT + table.format("data.h5", 12))
    assert pytbl(*arguments).returncode == 0, "the corrected case"
    before = {path: path.read_bytes() for path in out.glob("*.h5")}
    assert len(before) == 2
    wrong = TEXT + table.format("data.h5", 12) + table.format("other.h5", 13)
    twice = TEXT + table.format("data.h5", 12) + table.format("run.h5", 12)
    for text, message in ((wrong, "coarse = 13"), (twice, "run.h5 is named by two outputs")):
        case.write_text(text)
        done = pytbl(*arguments, "--overwrite")
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert {path: path.read_bytes() for path in out.glob("*.h5")} == before


def test_a_stopped_run_continues(case, tmp_path):
    case.write_text(
        TEXT.replace("until = 0.02", "until = 40.0").replace("every = 0.01", "every = 1")
    )
    command = [sys.executable, "-P", "-m", "pytbl", "dns", str(case), "--out", str(tmp_path)]
    with subprocess.Popen([*command, "--no-picture"], stderr=subprocess.PIPE, text=True) as run:
        while not re.match(r"\s+5%", run.stderr.readline()):
            pass
        run.send_signal(signal.SIGTERM)
        said = run.stderr.read()
        assert run.wait(60) == 128 + signal.SIGTERM
    assert re.search(
        r"pytbl: stopped by signal 15 at step \d+, t = \S+; state saved in Check", said
    )
    done = pytbl("dns", case, "--out", tmp_path, "--no-picture", "--resume", "--until", "12")
    assert done.returncode == 0, done.stderr
    assert "continuing from" in done.stderr
    np.testing.assert_allclose(times(tmp_path / "run.h5"), np.arange(13), atol=1e-6)
    fresh = pytbl("dns", case, "--out", tmp_path / "new", "--resume", "--until", "0.1")
    assert fresh.returncode == 0
    assert "no checkpoint to continue from: starting afresh" in fresh.stderr


@pytest.mark.parametrize(
    ("old", "new", "message", "status"),
    [
        ("drag = 0.1", "dragg = 0.1", "unknown [flow] key 'dragg' (did you mean 'drag'?)", 2),
        ("nx = 24", "nx = 7", "nx must be an even integer >= 8", 2),
        ("dt = 0.002", "dt = 20", "the flow blew up at step 0, t = 0: CFL number", 1),
        ('file = "run.h5"', 'file = "no/such/run.h5"', "run.h5 cannot be written: No such file", 2),
    ],
)
def test_mistakes(case, tmp_path, old, new, message, status):
    case.write_text(TEXT.replace(old, new))
    done = pytbl("dns", case, "--out", tmp_path / "out", "--no-picture")
    assert done.returncode == status
    assert message in done.stderr
    lines = [line for line in done.stderr.splitlines() if "%" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("pytbl: ")
    if status == 2:
        assert not list((tmp_path / "out").glob("*"))


def test_wrong_options():
    done = pytbl("dns", "case.toml", "--untill", "3")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert pytbl("dns", "/no/such/case.toml").returncode == 2
    assert "usage" in pytbl("--help").stdout.lower()


def test_dns_and_les_are_run_alike():
    commands = typer.main.get_command(cli.app).commands
    dns, les = ({p.name: p.opts for p in commands[name].params} for name in ("dns", "les"))
    assert dns == les
    assert list(dns) == ["case", "until", "out", "resume", "overwrite", "threads", "picture"]


def test_in_parallel(case, tmp_path):
    assert pytbl("dns", case, "--out", tmp_path / "one", "--no-picture").returncode == 0
    many = mpirun(3, "-m", "pytbl", "dns", str(case), "--out", str(tmp_path / "three"))
    assert many.returncode == 0, many.stderr
    assert many.stderr.count("100%") == 1
    with (
        h5py.File(tmp_path / "one" / "run.h5") as one,
        h5py.File(tmp_path / "three" / "run.h5") as n,
    ):
        # plans may differ in the last bit; the flow is smooth and the run short
        np.testing.assert_allclose(n["omega"][:], one["omega"][:], atol=1e-10)


def test_mistakes_in_parallel(case, tmp_path):
    case.write_text(TEXT.replace("nx = 24", "nx = 23"))
    done = mpirun(3, "-m", "pytbl", "dns", str(case), "--out", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("pytbl: nx must be") == 1


def test_a_signal_to_mpirun_saves_the_state(case, tmp_path):
    if find_mpirun() is None:
        pytest.skip("no mpirun")
    case.write_text(
        TEXT.replace("until = 0.02", "until = 1e6").replace("every = 0.01", "every = 1e5")
    )
    command = [find_mpirun(), "--oversubscribe", "-n", "2", sys.executable, "-P", "-m", "pytbl"]
    with subprocess.Popen(
        [*command, "dns", str(case), "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env=mpi_environment(),
    ) as run:
        deadline = time.monotonic() + 60
        while not (tmp_path / "run.h5").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        os.kill(run.pid, signal.SIGTERM)
        run.wait(60)
    assert len(list((tmp_path / "checkpoint").glob("ckpt-*.h5"))) == 1
