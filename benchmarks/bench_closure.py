"""Milliseconds per evaluation of a network in the LES, by every runtime that is installed.

    python benchmarks/bench_closure.py                        # small and paper widths, 64^2, 128^2
    python benchmarks/bench_closure.py --sizes 128 --widths 16 --rounds 20 --no-compile

One sample in float32, as in an LES. All contestants of a row of the table run in turn, round after
round, so that a busy machine is busy for all; the table has medians. GFLOP/s counts the direct
algorithm's operations, whatever a contestant does: a fast algorithm may exceed the peak, which is
that of a matrix product of 1024 x 1024 on as many threads. Runtimes that cannot be imported, or
fail, are named and left out.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import pytbl
from pytbl.nn import CNNClosure, PeriodicCNN, Setting, export, stack
from pytbl.nn.data import Statistics

Contestant = Callable[[], object]


def network(n: int, width: int, depth: int) -> PeriodicCNN:
    """Random weights cost what trained ones do."""
    model = PeriodicCNN(width, depth, 5)
    model.adopt(Setting(n, n, 2 * np.pi, 2 * np.pi, "gaussian", 2.0))
    model.fit(Statistics(torch.zeros(2), torch.ones(2), 1.0, 1.0, 1.0))
    return model.eval()


class Convolutions(torch.nn.Module):
    """The convolutions alone: what runtimes without complex transforms can run."""

    def __init__(self, model: PeriodicCNN) -> None:
        super().__init__()
        self.layers = model.plain().layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 1:
                x = torch.relu(x)
        return x


def flop(model: PeriodicCNN, n: int) -> int:
    """Operations of the direct algorithm."""
    return sum(2 * weight.numel() for weight, _ in model.kernels()) * n * n


# ------------------------------------------------------------------------------------ contestants -


def closure(n: int, model: PeriodicCNN, threads: int, backend: str) -> Contestant:
    """The whole term, transforms of the grid included, as the LES asks for it."""
    grid = pytbl.Grid(n, n, dealias="3/2")
    hat = grid.to_spectral(pytbl.initial.random_spectrum(grid, k_peak=10, rng=1))
    term = CNNClosure(model, threads=threads, backend=backend)
    return lambda: term.evaluate(grid, hat)


def eager(n: int, model: PeriodicCNN) -> Contestant:
    omega = torch.randn(1, n, n)
    return lambda: model(omega)


def frozen(n: int, model: PeriodicCNN) -> Contestant:
    script, omega = export.frozen(model.plain()), torch.randn(1, n, n)
    return lambda: script(omega)


def compiled(n: int, model: PeriodicCNN) -> Contestant:
    module, x = torch.compile(Convolutions(model)), torch.randn(1, 2, n, n)
    module(x)
    return lambda: module(x)


def ahead_of_time(n: int, model: PeriodicCNN) -> Contestant:
    x = torch.randn(1, 2, n, n)
    program = torch.export.export(Convolutions(model), (x,))
    with tempfile.TemporaryDirectory() as folder:
        path = torch._inductor.aoti_compile_and_package(
            program, package_path=str(Path(folder) / "network.pt2")
        )
        module = torch._inductor.aoti_load_package(path)
    return lambda: module(x)


def onnx_runtime(n: int, model: PeriodicCNN, threads: int) -> Contestant:
    import onnxruntime

    stream = io.BytesIO()
    x = torch.randn(1, 2, n, n)
    torch.onnx.export(Convolutions(model), (x,), stream, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(stream.getvalue(), options)
    feed = {"x": x.numpy()}
    return lambda: session.run(None, feed)


def openvino(n: int, model: PeriodicCNN, threads: int) -> Contestant:
    import openvino

    x = torch.randn(1, 2, n, n)
    converted = openvino.convert_model(Convolutions(model), example_input=x)
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    program = openvino.Core().compile_model(converted, "CPU", options)
    array = x.numpy()
    return lambda: program(array)


def contestants(
    n: int, model: PeriodicCNN, threads: int, compile: bool
) -> dict[str, Callable[[], Contestant]]:
    makers: dict[str, Callable[[], Contestant]] = {
        "eager": lambda: eager(n, model),
        "TorchScript, frozen": lambda: frozen(n, model),
        "ONNX Runtime, convolutions": lambda: onnx_runtime(n, model, threads),
        "OpenVINO, convolutions": lambda: openvino(n, model, threads),
        "CNNClosure, direct": lambda: closure(n, model, threads, "direct"),
    }
    if compile:
        makers["compile, convolutions"] = lambda: compiled(n, model)
        makers["AOTInductor, convolutions"] = lambda: ahead_of_time(n, model)
    if stack.has_nnpack():
        makers["CNNClosure, nnpack"] = lambda: closure(n, model, threads, "nnpack")
    return makers


# --------------------------------------------------------------------------------------- measure --


def seconds(work: Contestant) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def product() -> Contestant:
    """What the machine can do: 2 x 1024^3 operations."""
    a, b, out = torch.randn(1024, 1024), torch.randn(1024, 1024), torch.empty(1024, 1024)
    return lambda: torch.mm(a, b, out=out)


def contest(works: dict[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Seconds of every contestant, round by round, after two that do not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    with torch.no_grad():
        for number in range(rounds + 2):
            for name, work in works.items():
                taken = seconds(work)
                if number >= 2:
                    times[name].append(taken)
    return times


def step(n: int, dealias: str) -> Contestant:
    """A step of a DNS, or of an LES without a closure."""
    grid = pytbl.Grid(n, n, dealias=dealias)
    sim = pytbl.Solver(grid, pytbl.Flow(viscosity=1e-5, drag=0.1), dt=1e-6)
    sim.set_vorticity(pytbl.initial.random_spectrum(grid, k_peak=10, rng=1))
    return sim.step


def row(n: int, width: int, options: argparse.Namespace) -> dict[str, list[float]]:
    model = network(n, width, options.depth)
    works: dict[str, Contestant] = {"matrix product": product()}
    for name, make in contestants(n, model, options.threads, options.compile).items():
        try:
            works[name] = make()
            with torch.no_grad():
                works[name]()
        except Exception as error:
            works.pop(name, None)
            reason = str(error).strip().splitlines() or [type(error).__name__]
            print(f"left out: {name}: {reason[0][:80]}", file=sys.stderr)
    works["LES step, no closure"] = step(n, "3/2")
    works[f"DNS step, {8 * n}^2"] = step(8 * n, "2/3")
    times = contest(works, options.rounds)
    report(n, model, times)
    return times


def report(n: int, model: PeriodicCNN, times: dict[str, list[float]]) -> None:
    work = flop(model, n)
    peak = 2 * 1024**3 / np.array(times["matrix product"])
    print(
        f"\n{n} x {n}, {model!r}, {work / 1e9:.2f} GFLOP; peak {np.median(peak) / 1e9:.0f} GFLOP/s"
    )
    print(f"{'':30}{'ms, median':>12}{'ms, best':>10}{'GFLOP/s':>9}{'of peak':>9}")
    for name, taken in times.items():
        line = f"{name:30}{1e3 * np.median(taken):12.2f}{1e3 * min(taken):10.2f}"
        if "step" not in name and name != "matrix product":
            rate = work / np.array(taken)
            line += f"{np.median(rate) / 1e9:9.0f}{np.median(rate / peak):9.2f}"
        print(line)
    online = {name: taken for name, taken in times.items() if name.startswith("CNNClosure")}
    best = min(online, key=lambda name: float(np.median(online[name])))
    les = np.array(online[best]) + times["LES step, no closure"]
    dns = np.array(times[f"DNS step, {8 * n}^2"])
    print(
        f"a time unit of the LES with {best}, at ten times the DNS's step, costs "
        f"{np.median(les / (10 * dns)):.2f} of the DNS at {8 * n}^2"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--depth", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path, help="write all times [s] to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    everything = {
        f"{n} {width}": row(n, width, options) for n in options.sizes for width in options.widths
    }
    if options.json:
        options.json.write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
