"""Milliseconds per right-hand side: pytbl, the FFT floor, a scipy reference, and peers.

    python benchmarks/bench_step.py                       # all sizes, float64 and float32
    python benchmarks/bench_step.py --sizes 1024 --dtypes float64 --rounds 40

Everything is timed in one run, contestants in turn, round after round, so that a busy machine is
busy for all; the table has medians, and the ratios are medians of the ratios in each round. Peers
that cannot be imported are named and left out. README.md beside this file says what each does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # peers and libraries: one thread unless asked

import numpy as np
import peers
from reference import Reference

import pytbl

Contestant = Callable[[], float]  # does its work once or a few times; seconds per right-hand side


def vorticity(n: int) -> np.ndarray:
    """A smooth turbulent field."""
    grid = pytbl.Grid(n, n, reproducible=True)
    return pytbl.initial.random_spectrum(grid, k_peak=10, rng=1)


class Timed:
    """Seconds per call of some work, and the cores that it kept busy."""

    def __init__(self, work: Callable[[], object], repeat: int) -> None:
        self.work, self.repeat = work, repeat
        self.cores: list[float] = []

    def __call__(self) -> float:
        start, busy = time.perf_counter(), time.process_time()
        for _ in range(self.repeat):
            self.work()
        seconds = time.perf_counter() - start
        self.cores.append((time.process_time() - busy) / seconds)
        return seconds / self.repeat


def repeats(n: int) -> int:
    return max(1, (1024 // n) ** 2)


def solver(n: int, dtype: str, threads: int = 1, comm: object = None) -> pytbl.Solver:
    """One right-hand side per step, and a step too short to change anything."""
    grid = pytbl.Grid(n, n, dtype=dtype, threads=threads, comm=comm)
    sim = pytbl.Solver(grid, pytbl.Flow(viscosity=1e-5, drag=0.1), dt=1e-6)
    sim.set_vorticity(pytbl.initial.random_spectrum(grid, k_peak=10, rng=1))
    sim.step(5)
    return sim


def engine(n: int, dtype: str, threads: int) -> Contestant:
    sim = solver(n, dtype, threads)
    return Timed(sim.step, repeats(n))


def floor(n: int, dtype: str) -> Contestant:
    """(10/3) n in-cache 1-D transforms: what the transforms of a right-hand side cost at least.

    Two thirds of the columns and all rows, there and back; one contiguous line, out of place, with
    the engine's FFTW and plans, the best of some hundred tries: nothing moves through memory.
    """
    plan = pytbl.Grid(n, n, dtype=dtype).products.plan

    def seconds() -> float:
        along_x, along_y = plan.line_seconds()
        return 2 * n * (along_x + 2 / 3 * along_y)

    return seconds


def reference(n: int, dtype: str) -> Contestant:
    plain = Reference(n, n, dtype=np.dtype(dtype))
    hat = plain.spectrum(vorticity(n).astype(dtype))
    return Timed(lambda: plain.advection(hat), 1)


def ranks(n: int, dtype: str, count: int = 2) -> Contestant:
    """Time some ranks: a fresh mpirun per round, which times a few steps when it is warm."""
    beside = Path(sysconfig.get_path("scripts")) / "mpirun"
    program = str(beside) if beside.exists() else "mpirun"
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    here = [sys.executable, __file__, "--rank-of", str(n), "--dtypes", dtype]
    command = [program, "--oversubscribe", "-n", str(count), *here]

    def seconds() -> float:
        done = subprocess.run(
            command,
            env=os.environ | allowed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return float(done.stdout)

    return seconds


def one_rank(n: int, dtype: str) -> None:
    """What each of the ranks does."""
    from mpi4py import MPI

    sim = solver(n, dtype, comm=MPI.COMM_WORLD)
    work = Timed(sim.step, repeats(n))
    taken = [work() for _ in range(5)]
    if MPI.COMM_WORLD.rank == 0:
        print(float(np.median(taken)))


def bytes_per_point(n: int, dtype: str) -> float:
    """Growth of the peak resident memory of a fresh process by a solver that has run."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bench_step as b, pytbl\n"
        "b.solver(64, 'float64')\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "before = peak(); n = int(sys.argv[2]); grid = pytbl.Grid(n, n, dtype=sys.argv[3])\n"
        "sim = pytbl.Solver(grid, pytbl.Flow(viscosity=1e-5), dt=1e-6)\n"
        "sim.omega_hat[1, 1:9] = 1\n"
        "sim.step(5); print((peak() - before) * 1024 / n**2)"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, here, str(n), dtype],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def contest(n: int, dtype: str, rounds: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds per right-hand side of every contestant, round by round, and the cores they use."""
    contestants: dict[str, Contestant] = {
        "floor": floor(n, dtype),
        "pytbl": engine(n, dtype, 1),
        "pytbl, 2 threads": engine(n, dtype, 2),
        "pytbl, 2 ranks": ranks(n, dtype),
        "scipy reference": reference(n, dtype),
    }
    if dtype == "float64":
        for name, make in peers.CONTESTANTS.items():
            with contextlib.redirect_stdout(io.StringIO()):
                work = make(n)
            if work is not None:
                contestants[name] = Timed(work, repeats(n))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, seconds in contestants.items():
            times[name].append(seconds())
    cores = {k: float(np.median(c.cores)) for k, c in contestants.items() if isinstance(c, Timed)}
    return times, cores


def report(n: int, dtype: str, times: dict[str, list[float]], cores: dict[str, float]) -> None:
    print(f"\n{n} x {n}, {dtype}: memory {bytes_per_point(n, dtype):.1f} bytes per point, 1 rank")
    print(f"{'':28}{'ms, median':>12}{'ms, best':>10}{'x floor':>9}{'x pytbl':>9}{'cores':>7}")
    for name, seconds in times.items():
        to_floor = np.median(np.array(seconds) / times["floor"])
        to_pytbl = np.median(np.array(seconds) / times["pytbl"])
        print(
            f"{name:28}{1e3 * np.median(seconds):12.2f}{1e3 * min(seconds):10.2f}"
            f"{to_floor:9.2f}{to_pytbl:9.2f}" + (f"{cores[name]:7.1f}" if name in cores else "")
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write all times [s] to this file")
    parser.add_argument("--rank-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank_of:
        one_rank(options.rank_of, options.dtypes[0])
        return
    for line in peers.absent():
        print(line)
    everything = {}
    for dtype in options.dtypes:
        for n in options.sizes:
            times, cores = contest(n, dtype, options.rounds)
            everything[f"{n} {dtype}"] = times
            report(n, dtype, times, cores)
    if options.json:
        options.json.write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
