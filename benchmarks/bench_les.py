"""Milliseconds per LES step for every closure, beside py2d's own loop; and the cost of datasets.

    python benchmarks/bench_les.py                          # sizes 64, 128, 256; DNS 512, 1024
    PYTHONPATH=/path/to/py2d python benchmarks/bench_les.py --rounds 9

One step is AB2-CN, float64, one thread, on N x N points whose modes are all kept (dealias "3/2").
py2d runs its `Py2D_solver`, 2/3 padding as it has it (`dealias=True`), from the same field: a long
run less a short one, so that compilation and set-up drop out. Contestants take turns, round after
round; medians. "x rhs" is the closure's own cost in right-hand sides of the same grid. py2d is not
on PyPI: put a checkout of envfluids/py2d on PYTHONPATH; without it, its columns stay empty.

The second table is what `Dataset` costs a DNS that saves one sample in 100 steps.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np

import pytbl
from pytbl import closures

#: Our closure, and py2d's name and constant of the same one (its width is twice ours).
CLOSURES: dict[str, tuple[Callable[[], object], str | None]] = {
    "none": (lambda: None, "NoSGS"),
    "Smagorinsky": (lambda: closures.Smagorinsky(0.17), "SMAG"),
    "Smagorinsky, local": (lambda: closures.Smagorinsky(0.17, local=True), None),
    "Leith": (lambda: closures.Leith(0.21), "LEITH"),
    "Leith, local": (lambda: closures.Leith(0.21, local=True), None),
    "dynamic Smagorinsky": (closures.DynamicSmagorinsky, "DSMAG"),
    "dynamic Leith": (closures.DynamicLeith, "DLEITH"),
    "Jansen-Held": (closures.JansenHeld, None),
    "gradient, order 2": (lambda: closures.Gradient(order=2), "PiOmegaGM2"),
    "gradient, order 4": (lambda: closures.Gradient(order=4), "PiOmegaGM4"),
    "gradient, order 6": (lambda: closures.Gradient(order=6), "PiOmegaGM6"),
}


def vorticity(grid: pytbl.Grid) -> np.ndarray:
    return pytbl.initial.random_spectrum(grid, k_peak=10, rng=1)


def pytbl_step(n: int, closure: object) -> Callable[[], float]:
    """Seconds per step."""
    grid = pytbl.Grid(n, n, dealias="3/2")
    sim = pytbl.Solver(
        grid,
        pytbl.Flow(viscosity=5e-5, drag=0.1),
        dt=1e-5,
        closure=closure,
        forcing=pytbl.forcing.Deterministic(mx=4),
    )
    sim.set_vorticity(vorticity(grid))
    sim.step(5)
    steps = max(5, 40 * 64 // n)

    def seconds() -> float:
        start = time.perf_counter()
        sim.step(steps)
        return (time.perf_counter() - start) / steps

    return seconds


def py2d_step(n: int, model: str) -> Callable[[], float] | None:
    """Seconds per step of py2d's solver; None where it cannot be had."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import jax.numpy as jnp
            from py2d import Py2D_solver as py2d
    except ImportError:
        return None
    field = vorticity(pytbl.Grid(n, n, dealias="3/2"))
    dt = 1e-5

    def conditions(NX, Kx, Ky, invKsq, *_):
        omega = jnp.fft.rfft2(jnp.asarray(field.T))
        psi = -omega * invKsq * -1
        return omega, omega, psi, psi, 0.0, 0, 0

    py2d.initialize_conditions = conditions

    def run(steps: int) -> float:
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            py2d.Py2D_solver(
                2e4, 4, 0, 0.1, 0, n, "gaussian", model, 0.1, dt, True, False, dt * 1e6,
                dt * (steps + 0.5), False, 1, False,
            )  # fmt: skip
        return time.perf_counter() - start

    def seconds() -> float:
        here = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # where it makes its folders
            try:
                short, long = run(5), run(25)
            finally:
                os.chdir(here)
        return (long - short) / 20

    seconds()  # compiles
    return seconds


def contest(n: int, rounds: int) -> None:
    rows = {}
    for name, (make, model) in CLOSURES.items():
        theirs = py2d_step(n, model) if model else None
        rows[name] = (pytbl_step(n, make()), theirs, ([], []))
    for _ in range(rounds):
        for ours, theirs, (a, b) in rows.values():
            a.append(ours())
            b.append(theirs() if theirs else np.nan)
    plain = np.array(rows["none"][2][0])
    print(f"\nLES {n} x {n}: ms per step, medians of {rounds} rounds")
    print(f"{'':24}{'pytbl':>9}{'x rhs':>8}{'py2d':>10}{'py2d / pytbl':>14}")
    for name, (_, _, (a, b)) in rows.items():
        own = np.median(np.array(a) / plain) - 1
        print(f"{name:24}{1e3 * np.median(a):9.3f}{own:8.2f}", end="")
        ratio = np.median(np.array(b) / np.array(a))
        print(f"{1e3 * np.median(b):10.2f}{ratio:14.1f}" if np.isfinite(ratio) else f"{'':24}")


def dataset_cost(n: int, coarse: int, rounds: int) -> None:
    """A hundred steps and a sample, against a hundred steps."""
    sim = pytbl.Solver(pytbl.Grid(n, n), pytbl.Flow(viscosity=5e-5, drag=0.1), dt=1e-6)
    sim.set_vorticity(vorticity(sim.grid))
    sim.step(5)
    plain, sampled = [], []
    with tempfile.TemporaryDirectory() as folder:
        data = pytbl.Dataset(
            Path(folder) / "data.h5",
            every=1.0,
            coarse=coarse,
            filter=pytbl.filters.Gaussian(ratio=2),
        )
        data.open(sim)
        for _ in range(rounds):
            for times in (plain, sampled):
                start = time.perf_counter()
                if times is sampled:
                    data.write(sim)
                sim.step(100)
                times.append(time.perf_counter() - start)
    extra = np.array(sampled) - np.array(plain)
    print(
        f"DNS {n} x {n}, dataset {coarse} x {coarse}: a sample in 100 steps costs "
        f"{100 * np.median(extra / np.array(plain)):.1f} %, {1e3 * np.median(extra):.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 128, 256])
    parser.add_argument("--dns", type=int, nargs="*", default=[512, 1024])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for n in options.sizes:
        contest(n, options.rounds)
    print()
    for n in options.dns:
        dataset_cost(n, n // 8, options.rounds)


if __name__ == "__main__":
    main()
