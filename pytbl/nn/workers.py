"""Tasks in several processes, which end when told to, and with the process that began them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TypeVar

import torch

from ..errors import Interrupted, PytblError
from ..signals import StopRequest

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Seconds between looks at the request to stop.
_PATIENCE = 0.2


def results(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int,
    stop: StopRequest,
) -> Iterator[tuple[Task, Result]]:
    """Results as they come, of processes with one thread each.

    Parameters
    ----------
    function : callable
        Of a module, or a `functools.partial` of one: it is sent to the processes.
    tasks : sequence
    processes : int
    stop : StopRequest
        In force.

    Yields
    ------
    task, result

    Raises
    ------
    Interrupted
        As was asked for; what runs is given up.
    PytblError
        A process died.
    """
    # spawned: a forked process would inherit torch's threads in whatever state they are
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(reading,)
    )
    # however this ends, the pipe is closed first: the pool need not wait for what still runs
    with reading, pool, writing:
        try:
            with _blocked():
                of = {pool.submit(function, task): task for task in tasks}
            left = set(of)
            while left:
                done, left = wait(left, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                if stop.number:
                    raise Interrupted(f"stopped by signal {stop.number}", stop.number)
                for future in done:
                    yield of[future], future.result()
        except BrokenProcessPool:
            raise PytblError("a process died, perhaps for want of memory") from None


@contextmanager
def _blocked() -> Iterator[None]:
    """Begin processes that signals do not reach: the first one, which gets them too, decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(reading: Connection) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_leave, args=(reading,), daemon=True).start()


def _leave(reading: Connection) -> None:
    """End this process when the other end of the pipe is closed, or its process killed."""
    with suppress(OSError):
        reading.poll(None)
    os._exit(1)
