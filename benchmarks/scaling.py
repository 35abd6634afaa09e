"""Strong and weak scaling: what can be measured here, and what a model makes of it.

    mpirun -n 2 python benchmarks/scaling.py             # passes and exchange on these ranks
    python benchmarks/scaling.py --model                 # passes here, and the tables of scaling.md

A step costs a column pass, a row pass and two exchanges. The passes are measured; the exchange is
modelled as an all-to-all with latency and bandwidth, and with the layout's own overheads: columns
are shared out whole, and sent in blocks of a cache line.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np

import pytbl
from pytbl.cli import world
from pytbl.schemes import SCHEMES

BLOCK = 4  # kx in a block, float64
COMPLEX = 16  # bytes


@dataclass(frozen=True)
class Machine:
    """A cluster, in the terms of the alpha-beta model."""

    alpha: float = 2e-6  #: latency of a message between nodes [s]
    bandwidth: float = 25e9  #: of a node's network, each way [bytes/s]
    ranks_per_node: int = 64
    memory_share: float = 2.5  #: slow-down of a pass when all cores of a node share its memory


def passes(n: int, rounds: int = 9, comm: object = None) -> tuple[float, float, float]:
    """Seconds of a column pass, a row pass and an exchange; medians, on this rank."""
    grid = pytbl.Grid(n, n, comm=comm)
    omega = grid.to_spectral(pytbl.initial.random_spectrum(grid, k_peak=10))
    history = np.zeros_like(omega)
    work, stage = grid.products, SCHEMES["ab2cn"].stages[0]
    work.plan.columns_velocity(omega, work.buffer.columns)
    taken: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        marks = [time.perf_counter()]
        work.buffer.to_rows()
        marks.append(time.perf_counter())
        work.plan.rows_square(work.buffer.rows)
        marks.append(time.perf_counter())
        work.buffer.to_columns()
        marks.append(time.perf_counter())
        work.plan.columns_step(
            stage, (1e-5, 1, 0.1, 0.0), omega, history, work.buffer.columns, dt=1e-6
        )
        marks.append(time.perf_counter())
        there, rows, back, columns = np.diff(marks)
        for series, value in zip(taken, (columns, rows, (there + back) / 2), strict=True):
            series.append(value)
    columns, rows, exchange = (float(np.median(series)) for series in taken)
    return columns, rows, exchange


def exchange_time(n: int, ranks: int, machine: Machine) -> float:
    """One all-to-all: pairwise, or by Bruck's algorithm where messages are small [s]."""
    if ranks == 1:
        return 0.0
    columns = math.ceil((n // 3 + 1) / ranks)
    padded = math.ceil(columns / BLOCK) * BLOCK
    volume = 2 * padded * n * COMPLEX  # of a rank with the most columns
    share = machine.bandwidth / min(ranks, machine.ranks_per_node)
    outside = max(0.0, 1 - machine.ranks_per_node / ranks)
    pairwise = ranks * machine.alpha + volume * outside / share
    steps = math.log2(ranks)
    bruck = steps * (machine.alpha + volume / 2 / share)
    return min(pairwise, bruck)


def step_time(n: int, ranks: int, per_point: tuple[float, float], machine: Machine) -> float:
    """One right-hand side [s]; slabs are whole rows and whole columns."""
    columns, rows = (1.0 if ranks == 1 else machine.memory_share) * np.array(per_point)
    column_share = math.ceil((n // 3 + 1) / ranks) / (n // 3 + 1)
    row_share = math.ceil(n / ranks) / n
    compute = n * n * (columns * column_share + rows * row_share)
    return float(compute + 2 * exchange_time(n, ranks, machine))


def print_model(per_point: tuple[float, float], machine: Machine) -> None:
    print(f"passes: {1e9 * per_point[0]:.2f} + {1e9 * per_point[1]:.2f} ns per point; {machine}")
    for n in (8192, 32768):
        one = step_time(n, 1, per_point, machine)
        print(f"\nstrong scaling, {n}^2 (a step on one core: {one:.2f} s)")
        print("| ranks | columns, rows per rank | step, ms | exchange | efficiency to one node |")
        print("|---|---|---|---|---|")
        node = step_time(n, machine.ranks_per_node, per_point, machine) * machine.ranks_per_node
        for ranks in (64, 128, 256, 512, 1024, 2048, 4096):
            t = step_time(n, ranks, per_point, machine)
            moved = 2 * exchange_time(n, ranks, machine) / t
            share = f"{(n // 3 + 1) / ranks:.1f}, {n / ranks:.0f}"
            print(f"| {ranks} | {share} | {1e3 * t:.1f} | {moved:.0%} | {node / (t * ranks):.0%} |")
    print("\nweak scaling, 2^20 points per rank")
    print("| ranks | points | step, ms | exchange |")
    print("|---|---|---|---|")
    for ranks in (64, 256, 1024, 4096):
        n = 1024 * math.isqrt(ranks)
        t = step_time(n, ranks, per_point, machine)
        moved = 2 * exchange_time(n, ranks, machine) / t
        print(f"| {ranks} | {n}^2 | {1e3 * t:.1f} | {moved:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--model", action="store_true", help="print the tables of scaling.md")
    options = parser.parse_args()
    if options.model:
        columns, rows, _ = passes(2048)
        print_model((columns / 2048**2, rows / 2048**2), Machine())
        return
    comm = world()
    ranks = comm.Get_size() if comm is not None else 1
    if comm is None or comm.Get_rank() == 0:
        print(f"{ranks} ranks: n, column pass, row pass, one exchange [ms], exchange [GB/s]")
    for n in options.sizes:
        columns, rows, exchange = passes(n, comm=comm)
        if comm is None or comm.Get_rank() == 0:
            volume = 2 * (n // 3 + 1) * n * COMPLEX / ranks
            rate = f"{volume / exchange / 1e9:8.1f}" if ranks > 1 else ""
            print(f"{n:6}{1e3 * columns:9.2f}{1e3 * rows:9.2f}{1e3 * exchange:9.3f}{rate}")


if __name__ == "__main__":
    main()
