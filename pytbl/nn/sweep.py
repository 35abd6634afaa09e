"""Many transfers of one network to one flow: what is re-trained times seeds, in parallel processes.

Every transfer that is done leaves a small file in the folder, so that a sweep that is killed goes
on where it was.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError, Interrupted
from ..hdf5 import one_line, replacing, to_json
from ..signals import StopRequest
from . import artifact, history
from .data import Samples
from .score import score
from .selection import Selection
from .sweep_table import Row, Sweep
from .transfer import SCRATCH, UNTRAINED, transfer

CLOSURES = "closures"
#: A network that was trained on the target: a row beside the transfers.
REFERENCE = "reference"
#: What every layer must be compared with.
BASELINES = (*UNTRAINED, "last", "all:bias", "all", SCRATCH)
#: Options of a transfer that its result depends on.
_DECIDING = (
    *("fraction", "samples", "draw", "normalisation", "epochs", "batch", "learning_rate"),
    *("optimiser", "weight_decay", "schedule", "loss", "augment"),
)
_GROUPS = {"singles": 1, "pairs": 2, "triples": 3}


def expand(sets: Iterable[str], depth: int) -> list[str]:
    """What to re-train, each once.

    Parameters
    ----------
    sets : iterable of str
        "singles", "pairs" and "triples" of layers; "baselines"; or what `transfer` understands.
    depth : int
        Layers of the network.

    Raises
    ------
    InputError
        A layer does not exist: the names of those that do.
    """
    expanded: dict[str, None] = {}
    for one in sets:
        if one in _GROUPS:
            layers = combinations(range(1, depth + 1), _GROUPS[one])
            names: Iterable[str] = ("+".join(map(str, some)) for some in layers)
        else:
            names = BASELINES if one == "baselines" else [one]
        for name in names:
            keep = name in (*UNTRAINED, SCRATCH)
            expanded[name if keep else str(Selection.of(name, depth))] = None
    if not expanded:
        raise InputError("a sweep needs at least one set of layers, got none")
    return list(expanded)


def sweep(
    base: str | Path,
    data: Any,
    *,
    test: Any,
    sets: Sequence[str] = ("singles", "baselines"),
    seeds: int | Sequence[int] = 3,
    out: str | Path,
    reference: str | Path | None = None,
    processes: int = 1,
    keep: bool = False,
    report: Callable[[Row, int, int], None] | None = None,
    **options: Any,
) -> Sweep:
    """Transfer a network in many ways and score each on the same test samples.

    Parameters
    ----------
    base : path
        A closure's file.
    data, test : path or paths
        Target samples to re-train on, and others to score on: of other times, or another run.
    sets : sequence of str
        See `expand`.
    seeds : int or sequence of int
        How many, or which; each draws its own samples.
    out : path
        A folder: results so far are taken from it, the table is written to it.
    reference : path, optional
        A network that was trained on the target flow, scored beside the others.
    processes : int
        Transfers at a time, each on one thread.
    keep : bool
        Keep every network, as ``closures/LAYERS-SEED.closure`` in the folder, and its epochs
        beside it.
    report : callable, optional
        Called with a row, how many are done, and how many there are.
    **options
        Of `transfer`.

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        As `transfer`; or the folder is of another sweep.
    Interrupted
        SIGTERM or SIGINT came; results so far are in the folder.
    """
    folder = Path(out)
    depth = artifact.describe(base)["model"]["depth"]
    names = expand(sets, depth)
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or not all(isinstance(seed, int) and seed >= 0 for seed in chosen):
        raise InputError(f"seeds must be a number >= 1 or integers >= 0, got {seeds!r}")
    if not (isinstance(processes, int) and processes >= 1):
        raise InputError(f"processes must be an integer >= 1, got {processes!r}")
    plan = _Plan(str(base), _plain(data), _plain(test), dict(options), str(folder), keep)
    plan.claim(folder)
    tasks = [(name, seed) for seed in chosen for name in names]
    if reference is not None:
        tasks.append((REFERENCE, 0))
    rows: dict[tuple[str, int], Row] = {}
    left = []
    for task in tasks:
        known = plan.known(*task)
        if known is None:
            left.append(task)
        else:
            rows[task] = known
    with StopRequest() as stop:
        for task, row in _each(plan, left, reference, processes):
            rows[task] = row
            plan.note(row)
            if report is not None:
                report(row, len(rows), len(tasks))
            if stop.number:
                raise Interrupted(
                    f"stopped by signal {stop.number} after {len(rows)} of {len(tasks)} transfers; "
                    f"they are in {folder}",
                    stop.number,
                )
    result = Sweep([rows[task] for task in tasks])
    result.save(folder)
    return result


def _plain(data: Any) -> Any:
    if isinstance(data, str | Path):
        return str(data)
    if isinstance(data, Sequence) and all(isinstance(one, str | Path) for one in data):
        return [str(one) for one in data]
    raise InputError(f"a sweep reads its samples from files, got {type(data).__name__}")


def _each(
    plan: _Plan, tasks: list[tuple[str, int]], reference: str | Path | None, processes: int
) -> Iterator[tuple[tuple[str, int], Row]]:
    """Results as they come."""
    if processes == 1:
        for task in tasks:
            yield task, _one(plan, task, reference)
        return
    # spawned: a forked process would inherit torch's threads in whatever state they are
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread) as pool:
        futures = {pool.submit(_one, plan, task, reference): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True)
class _Plan:
    """All that the transfers of a sweep share."""

    base: str
    data: Any
    test: Any
    options: Mapping[str, Any]
    folder: str
    keep: bool

    def _describe(self) -> str:
        known = signature(transfer).parameters
        options = {name: self.options.get(name, known[name].default) for name in _DECIDING}
        shared = {"base": artifact.describe(self.base)["checksums"], "options": options}
        return to_json(shared | {"data": self.data, "test": self.test})

    def claim(self, folder: Path) -> None:
        """Make the folder, or check that it is of the same sweep."""
        path = folder / "sweep.json"
        try:
            (folder / "transfers").mkdir(parents=True, exist_ok=True)
            if path.exists() and path.read_text() != self._describe():
                raise InputError(
                    f"{path} is of another sweep: its base, data, test or options differ; name "
                    f"another folder"
                )
            with replacing(path) as partial:
                partial.write_text(self._describe())
        except OSError as error:
            raise InputError(f"{folder} cannot be used: {one_line(error)}") from None

    def _file(self, name: str, seed: int) -> Path:
        return Path(self.folder) / "transfers" / f"{name.replace(':', '-')}-{seed}.json"

    def known(self, name: str, seed: int) -> Row | None:
        """The row of a transfer that was done before."""
        try:
            return json.loads(self._file(name, seed).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            path = self._file(name, seed)
            raise InputError(f"{path} is no whole result: {one_line(error)}; remove it") from None

    def note(self, row: Row) -> None:
        """Keep a row for a resumption."""
        with replacing(self._file(row["layers"], row["seed"])) as partial:
            partial.write_text(json.dumps(row))


@lru_cache(maxsize=4)
def _samples(data: str, what: str) -> Samples:
    """Samples of files, given as JSON, read once in each process."""
    return Samples(json.loads(data), what, memory_limit=2 << 30)


def _one(plan: _Plan, task: tuple[str, int], reference: str | Path | None) -> Row:
    """One transfer and its scores."""
    name, seed = task
    test = _samples(json.dumps(plan.test), "the test data")
    if name == REFERENCE:
        assert reference is not None
        row: Row = {"layers": name, "seed": seed, "samples": 0, "training_loss": np.nan}
        return row | {"seconds": 0.0} | score(artifact.load_model(reference), test)
    begun = time.monotonic()
    data = _samples(json.dumps(plan.data), "the target data").source
    result = transfer(plan.base, data, layers=name, rng=seed, threads=1, **plan.options)
    seconds = time.monotonic() - begun
    if plan.keep:
        closures = Path(plan.folder) / CLOSURES
        closures.mkdir(exist_ok=True)
        provenance = {"base": plan.base, "layers": name, "drawn": result.drawn.tolist()}
        path = closures / f"{name.replace(':', '-')}-{seed}.closure"
        artifact.save(result.model, path, provenance=provenance, programs=())
        if result.history:
            history.write(result.history, path.with_suffix(".csv"))
    loss = result.history[-1]["training_loss"] if result.history else np.nan
    row = {"layers": name, "seed": seed, "samples": len(result.drawn), "training_loss": loss}
    return row | {"seconds": seconds} | score(result.model, test)
