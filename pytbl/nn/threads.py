"""Torch's threads, set for a piece of work only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import InputError


def check(count: int) -> int:
    """A number of threads.

    Raises
    ------
    InputError
        It is not an integer >= 1.
    """
    if not (isinstance(count, int) and count >= 1):
        raise InputError(f"threads must be an integer >= 1, got {count!r}")
    return count


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Use so many threads inside, and as many as before afterwards; None leaves them alone."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
