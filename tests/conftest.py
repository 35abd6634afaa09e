"""Tests that run again under mpirun.

A test marked ``@pytest.mark.mpi(nprocs=(2, 3))`` takes the fixture `comm`. In an ordinary pytest
run it starts mpirun for each number of ranks, and every rank runs this one test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ranks import UNDER_MPI, run_on_ranks


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    marker = pyfuncitem.get_closest_marker("mpi")
    if marker is None or UNDER_MPI in os.environ:
        return None
    run_on_ranks(pyfuncitem.nodeid, marker.kwargs["nprocs"])
    return True


@pytest.fixture
def comm():
    """The communicator of a parallel test (the process that starts mpirun has none)."""
    if UNDER_MPI not in os.environ:
        return None
    from mpi4py import MPI

    return MPI.COMM_WORLD


@pytest.fixture
def shared_tmp() -> Path:
    """A folder that all ranks of a parallel test see."""
    return Path(os.environ.get(UNDER_MPI, os.devnull))


@pytest.fixture(autouse=True, scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests keep FFTW wisdom apart from the user's."""
    os.environ["XDG_CACHE_HOME"] = str(
        Path(os.environ[UNDER_MPI]) if UNDER_MPI in os.environ else tmp_path_factory.mktemp("cache")
    )
