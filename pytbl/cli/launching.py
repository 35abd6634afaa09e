"""Running a command line: on one rank or on all, errors in one line, exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, InputError, Interrupted, PytblError

if TYPE_CHECKING:
    from mpi4py import MPI

#: Set by launchers of parallel programs to the number of processes.
_LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")


def world() -> MPI.Intracomm | None:
    """The communicator of all ranks, if a launcher has started more than one."""
    if not any(int(os.environ.get(name, "1")) > 1 for name in _LAUNCHERS):
        return None
    from mpi4py import MPI

    return MPI.COMM_WORLD


def say(message: str, *, rank: int = 0) -> None:
    """Tell the user something, once."""
    if rank == 0:
        print(message, file=sys.stderr, flush=True)


def exit_status(error: BaseException) -> int:
    """2 for what the user gave, 128 + n after signal n, 1 for what happened in the run."""
    if isinstance(error, InputError | CheckpointError):
        return 2
    return 128 + error.number if isinstance(error, Interrupted) else 1


def launch(command: Callable[..., Any]) -> None:
    """Run a command line to its exit: an error of pytbl is one line on rank 0, no traceback."""
    comm = world()
    rank = comm.Get_rank() if comm is not None else 0
    logging.basicConfig(
        level=logging.INFO if rank == 0 else logging.ERROR, format="%(levelname)s: %(message)s"
    )
    try:
        command()
    except (PytblError, OSError) as error:
        say(f"pytbl: {error}", rank=rank)
        status = exit_status(error)
    except SystemExit as leaving:
        raise leaving
    except BaseException:
        if comm is None:
            raise
        import traceback

        traceback.print_exc()
        comm.Abort(1)  # the other ranks are waiting in a collective
        raise
    else:
        status = 0
    sys.exit(status)
