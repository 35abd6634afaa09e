"""Communication between the ranks that share a domain, or its absence.

The engine works on two sides of one exchange buffer: columns (spectral) and rows (physical). Here
the sides are exchanged, with mpi4py between ranks and by doing nothing on a single one. The same
object carries the few other words that ranks have to say to each other, so that nothing above
this floor knows whether it runs in parallel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ._core import Memory, Plan

if TYPE_CHECKING:
    from mpi4py import MPI

    Array = np.ndarray[Any, np.dtype[Any]]

Reader = Callable[[int, int], "Array"]


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Zeros on a cache line, in huge pages where the system has them."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    flat = np.frombuffer(Memory(max(count, 1) * dtype.itemsize), dtype, count)
    return flat.reshape(shape)


class Buffer(Protocol):
    """The two sides of an exchange buffer."""

    columns: Array
    rows: Array

    def to_rows(self) -> None:
        """Exchange after a column pass."""

    def to_columns(self) -> None:
        """Exchange after a row pass."""


class SharedBuffer:
    """One rank: both sides are the same memory, and there is nothing to exchange."""

    def __init__(self, plan: Plan, dtype: Any) -> None:
        self.columns = self.rows = aligned_zeros(plan.column_length, dtype)

    def to_rows(self) -> None:
        """Nothing to do."""

    def to_columns(self) -> None:
        """Nothing to do."""


class SplitBuffer:
    """Several ranks: an all-to-all of contiguous chunks."""

    def __init__(self, plan: Plan, dtype: Any, comm: MPI.Intracomm) -> None:
        from mpi4py import MPI

        self.columns = aligned_zeros(plan.column_length, dtype)
        self.rows = aligned_zeros(plan.row_length, dtype)
        kind = MPI.C_FLOAT_COMPLEX if self.columns.itemsize == 8 else MPI.C_DOUBLE_COMPLEX
        self._comm = comm
        self._columns = [self.columns, plan.column_chunks, kind]
        self._rows = [self.rows, plan.row_chunks, kind]

    def to_rows(self) -> None:
        """All-to-all, columns to rows."""
        self._comm.Alltoallv(self._columns, self._rows)

    def to_columns(self) -> None:
        """All-to-all, rows to columns."""
        self._comm.Alltoallv(self._rows, self._columns)


class SerialExchange:
    """What one rank has to say: everything it knows, to itself."""

    rank = 0
    size = 1

    def buffer(self, plan: Plan, dtype: Any) -> Buffer:
        """Exchange buffer for a plan."""
        return SharedBuffer(plan, dtype)

    def sum(self, value: Any) -> Any:
        """Sum over ranks of a number or a small array."""
        return value

    def max(self, value: Any) -> Any:
        """Largest over ranks; NaN if any is."""
        return value

    def min(self, value: Any) -> Any:
        """Smallest over ranks."""
        return value

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return bool(flag)

    def bcast(self, value: Any, root: int = 0) -> Any:
        """The value that `root` has."""
        return value

    def gather(self, value: Any) -> list[Any] | None:
        """The values of all ranks, on rank 0."""
        return [value]

    def barrier(self) -> None:
        """Wait for all ranks."""

    def slabs(self, local: Array) -> Iterator[tuple[int, Array]]:
        """On rank 0, ``(first row, slab)`` of every rank in turn; one slab in memory at a time."""
        if len(local):
            yield 0, local

    def scatter(
        self, read: Reader | None, rows: tuple[int, int], row_shape: tuple[int, ...], dtype: Any
    ) -> Array:
        """Give every rank its rows ``(start, stop)``, which rank 0 reads slab by slab."""
        assert read is not None
        return np.ascontiguousarray(read(*rows), dtype).reshape(rows[1] - rows[0], *row_shape)

    def move(self, local: Array, rows: tuple[int, int], wanted: tuple[int, int]) -> Array:
        """Rows ``wanted`` of an array of which every rank holds the ``rows`` given."""
        return local[wanted[0] - rows[0] : wanted[1] - rows[0]]


class ParallelExchange:
    """The same words between the ranks of an mpi4py communicator."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.rank = comm.Get_rank()
        self.size = comm.Get_size()

    def buffer(self, plan: Plan, dtype: Any) -> Buffer:
        """Exchange buffer for a plan."""
        return SplitBuffer(plan, dtype, self.comm)

    def _reduce(self, value: Any, operation: MPI.Op) -> Any:
        local = np.array(value, dtype=float if np.isrealobj(value) else complex)
        total = np.empty_like(local)
        self.comm.Allreduce(local, total, operation)
        return total if np.ndim(value) else total.item()

    def sum(self, value: Any) -> Any:
        """Sum over ranks of a number or a small array."""
        from mpi4py import MPI

        return self._reduce(value, MPI.SUM)

    def max(self, value: Any) -> Any:
        """Largest over ranks; NaN if any is, which MPI's own maximum does not promise."""
        from mpi4py import MPI

        lost = np.isnan(value)
        largest, any_lost = self._reduce(
            np.stack([np.where(lost, -np.inf, value), np.asarray(lost, float)]), MPI.MAX
        )
        largest = np.where(any_lost > 0, np.nan, largest)
        return largest if np.ndim(value) else largest.item()

    def min(self, value: Any) -> Any:
        """Smallest over ranks."""
        return -self.max(-np.asarray(value) if np.ndim(value) else -value)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return bool(self.max(float(flag)))

    def bcast(self, value: Any, root: int = 0) -> Any:
        """The value that `root` has."""
        return self.comm.bcast(value, root)

    def gather(self, value: Any) -> list[Any] | None:
        """The values of all ranks, on rank 0."""
        return self.comm.gather(value)

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.comm.Barrier()

    def slabs(self, local: Array) -> Iterator[tuple[int, Array]]:
        """On rank 0, ``(first row, slab)`` of every rank in turn; one slab in memory at a time."""
        local = np.ascontiguousarray(local)
        counts = self.comm.gather(len(local))
        if counts is None:
            if len(local):
                self.comm.Send(_as_bytes(local), dest=0)
            return
        start = 0
        for rank, count in enumerate(counts):
            if count and rank == 0:
                yield start, local
            elif count:
                slab = np.empty((count, *local.shape[1:]), local.dtype)
                self.comm.Recv(_as_bytes(slab), source=rank)
                yield start, slab
            start += count

    def scatter(
        self, read: Reader | None, rows: tuple[int, int], row_shape: tuple[int, ...], dtype: Any
    ) -> Array:
        """Give every rank its rows ``(start, stop)``, which rank 0 reads slab by slab."""
        wanted = self.comm.gather(rows)
        if wanted is not None:
            assert read is not None
            mine = np.ascontiguousarray(read(*rows), dtype).reshape(rows[1] - rows[0], *row_shape)
            for rank, (start, stop) in enumerate(wanted):
                if rank and stop > start:
                    self.comm.Send(_as_bytes(np.ascontiguousarray(read(start, stop), dtype)), rank)
            return mine
        slab = np.empty((rows[1] - rows[0], *row_shape), dtype)
        if len(slab):
            self.comm.Recv(_as_bytes(slab), source=0)
        return slab

    def move(self, local: Array, rows: tuple[int, int], wanted: tuple[int, int]) -> Array:
        """Rows ``wanted`` of an array of which every rank holds the ``rows`` given."""
        from mpi4py import MPI

        moved = np.empty((wanted[1] - wanted[0], *local.shape[1:]), local.dtype)
        row_bytes = local.dtype.itemsize * math.prod(local.shape[1:])
        others = self.comm.allgather((rows, wanted))
        sends = [_overlap(rows, theirs, row_bytes) for _, theirs in others]
        receives = [_overlap(wanted, theirs, row_bytes) for theirs, _ in others]
        self.comm.Alltoallv(
            [_as_bytes(np.ascontiguousarray(local)), tuple(zip(*sends, strict=True)), MPI.BYTE],
            [_as_bytes(moved), tuple(zip(*receives, strict=True)), MPI.BYTE],
        )
        return moved


Exchange = SerialExchange | ParallelExchange


def _overlap(mine: tuple[int, int], theirs: tuple[int, int], row_bytes: int) -> tuple[int, int]:
    """Bytes that two ranges of rows share, and where they begin in the first."""
    start, stop = max(mine[0], theirs[0]), min(mine[1], theirs[1])
    count = max(stop - start, 0)
    return count * row_bytes, (start - mine[0]) * row_bytes if count else 0


def _as_bytes(array: Array) -> Array:
    """The same memory as bytes: a message of any type, without a table of types."""
    return array.reshape(-1).view(np.uint8)


def make_exchange(comm: MPI.Intracomm | None) -> Exchange:
    """The facade for a communicator, or for none."""
    return SerialExchange() if comm is None or comm.Get_size() == 1 else ParallelExchange(comm)
