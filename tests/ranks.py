"""Tests that run again under mpirun."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

#: Set for the ranks of a parallel test, to a folder that all of them see.
UNDER_MPI = "PYTBL_TEST_RANKS"
TIME_LIMIT = 240


def find_mpirun() -> str | None:
    """The mpirun of this Python's environment, else the one on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "mpirun"
    return str(beside) if beside.exists() else shutil.which("mpirun")


def mpi_environment() -> dict[str, str]:
    """What mpirun needs in a container, as root, on fewer cores than ranks."""
    return os.environ | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMP_NUM_THREADS": "1",
    }


def mpirun(ranks: int, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with `command` on some ranks."""
    program = find_mpirun()
    if program is None:
        pytest.skip("no mpirun beside this Python or on the path")
    return subprocess.run(
        [program, "--oversubscribe", "-n", str(ranks), sys.executable, "-P", *command],
        env=mpi_environment() | environment,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


def run_on_ranks(nodeid: str, nprocs: tuple[int, ...]) -> None:
    """Every rank runs one test; an error on any is an error here."""
    for ranks in nprocs:
        with tempfile.TemporaryDirectory() as folder:
            done = mpirun(
                ranks,
                *("-m", "pytest", "-x", "-q", "--color=no", "-p", "no:cacheprovider", nodeid),
                **{UNDER_MPI: folder},
            )
        said = f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == 0, f"on {ranks} ranks:\n{said}"
