"""Many transfers of one network to one flow: what is re-trained times seeds, in parallel processes.

Every transfer that is done leaves a small file in the folder, so that a sweep that is killed goes
on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from inspect import signature
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, Interrupted
from ..hdf5 import one_line, replacing, to_json
from ..signals import StopRequest
from . import artifact, history, workers
from .data import Samples
from .score import score
from .selection import Selection
from .sweep_table import Row, Sweep
from .transfer import SCRATCH, UNTRAINED, transfer

Task = tuple[str, int]

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
        Target samples to re-train on, and others to score on: of other times, or another run. No
        file may be in both.
    sets : sequence of str
        See `expand`.
    seeds : int or sequence of int
        How many, or which; each draws its own samples.
    out : path
        A folder: results so far are taken from it, the table is written to it.
    reference : path, optional
        A network that was trained on the target flow, scored beside the others.
    processes : int
        Transfers at a time, each on one thread. A script that asks for several must keep what it
        does under ``if __name__ == "__main__":``.
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
        As `transfer`; the test samples are among the target samples, or they or the reference do
        not fit; or the folder is of another sweep.
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
    shared = None if reference is None else str(reference)
    plan = _Plan(str(base), _plain(data), _plain(test), dict(options), str(folder), keep, shared)
    plan.check()
    plan.claim(folder)
    tasks = [(name, seed) for seed in chosen for name in names]
    if reference is not None:
        tasks.append((REFERENCE, 0))
    rows = {task: row for task in tasks if (row := plan.known(*task)) is not None}
    left = [task for task in tasks if task not in rows]
    try:
        with StopRequest() as stop:
            for task, row in _each(plan, left, processes, stop):
                rows[task] = row
                plan.note(row)
                if report is not None:
                    report(row, len(rows), len(tasks))
    except Interrupted as stopped:
        raise Interrupted(
            f"stopped by signal {stopped.number} after {len(rows)} of {len(tasks)} transfers; they "
            f"are in {folder}",
            stopped.number,
        ) from None
    finally:
        _samples.cache_clear()  # the files may be others the next time
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
    plan: _Plan, tasks: list[Task], processes: int, stop: StopRequest
) -> Iterator[tuple[Task, Row]]:
    """Results as they come."""
    if processes > 1 and tasks:
        yield from workers.results(partial(_one, plan), tasks, processes=processes, stop=stop)
        return
    for task in tasks:
        yield task, _one(plan, task)
        if stop.number:
            raise Interrupted(f"stopped by signal {stop.number}", stop.number)


@dataclass(frozen=True)
class _Plan:
    """All that the transfers of a sweep share."""

    base: str
    data: Any
    test: Any
    options: Mapping[str, Any]
    folder: str
    keep: bool
    reference: str | None

    def check(self) -> None:
        """Refuse at the beginning what would be refused in the end; no field is read."""
        setting = artifact.setting_of(self.base)
        files = []
        for part, what in ((self.data, "the target data"), (self.test, "the test data")):
            samples = Samples(part, what, memory_limit=0)
            setting.check(samples.setting, "the base network", samples.what)
            paths = [part] if isinstance(part, str) else part
            files.append({Path(path).resolve() for path in paths})
        if both := files[0] & files[1]:
            raise InputError(f"{min(both)} is among the target data and the test data: name others")
        if self.reference is not None:
            theirs = artifact.setting_of(self.reference)
            setting.check(theirs, "the base network", "the reference")

    def _describe(self) -> str:
        known = signature(transfer).parameters
        options = {name: self.options.get(name, known[name].default) for name in _DECIDING}
        if not isinstance(options["loss"], str):
            options["loss"] = repr(options["loss"])
        if self.options.get("validation") is not None:
            options["validation"] = _plain(self.options["validation"])
        shared = {"base": artifact.describe(self.base)["checksums"], "options": options}
        return to_json(shared | {"data": self.data, "test": self.test})

    def claim(self, folder: Path) -> None:
        """Make the folder, or check that results in it are of the same sweep."""
        path, done = folder / "sweep.json", folder / "transfers"
        description = self._describe()
        try:
            done.mkdir(parents=True, exist_ok=True)
            other = path.exists() and path.read_text() != description
            if other and any(done.glob("*.json")):
                raise InputError(
                    f"{path} is of another sweep: its base, data, test or options differ; name "
                    f"another folder"
                )
            with replacing(path) as unfinished:
                unfinished.write_text(description)
        except OSError as error:
            raise InputError(f"{folder} cannot be used: {one_line(error)}") from None

    def _file(self, name: str, seed: int) -> Path:
        return Path(self.folder) / "transfers" / f"{name.replace(':', '-')}-{seed}.json"

    def closure(self, name: str, seed: int) -> Path:
        """Where a network is kept."""
        return Path(self.folder) / CLOSURES / f"{name.replace(':', '-')}-{seed}.closure"

    def known(self, name: str, seed: int) -> Row | None:
        """The row of a transfer that was done before, and left all that is wanted of it now."""
        # a reference may be another one each time, and costs nothing
        if name == REFERENCE or (self.keep and not self.closure(name, seed).exists()):
            return None
        try:
            return json.loads(self._file(name, seed).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            path = self._file(name, seed)
            raise InputError(f"{path} is no whole result: {one_line(error)}; remove it") from None

    def note(self, row: Row) -> None:
        """Keep a row for a resumption."""
        if row["layers"] != REFERENCE:
            with replacing(self._file(row["layers"], row["seed"])) as unfinished:
                unfinished.write_text(json.dumps(row))


@lru_cache(maxsize=4)
def _samples(data: str, what: str) -> Samples:
    """Samples of files, given as JSON, read once in each process."""
    return Samples(json.loads(data), what, memory_limit=2 << 30)


def _one(plan: _Plan, task: Task) -> Row:
    """One transfer and its scores."""
    name, seed = task
    test = _samples(json.dumps(plan.test), "the test data")
    if name == REFERENCE:
        assert plan.reference is not None
        row: Row = {"layers": name, "seed": seed, "samples": 0, "training_loss": np.nan}
        return row | {"seconds": 0.0} | score(artifact.load_model(plan.reference), test)
    data = _samples(json.dumps(plan.data), "the target data")
    begun = time.monotonic()
    try:
        result = transfer(plan.base, data, layers=name, rng=seed, threads=1, **plan.options)
    except InputError as error:
        raise InputError(f"layers {name}, seed {seed}: {error}") from None
    seconds = time.monotonic() - begun
    if plan.keep:
        path = plan.closure(name, seed)
        path.parent.mkdir(exist_ok=True)
        provenance = {"base": plan.base, "layers": name, "drawn": result.drawn.tolist()}
        artifact.save(result.model, path, provenance=provenance, programs=())
        if result.history:
            history.write(result.history, path.with_suffix(".csv"))
    loss = result.history[-1]["training_loss"] if result.history else np.nan
    row = {"layers": name, "seed": seed, "samples": len(result.drawn), "training_loss": loss}
    return row | {"seconds": seconds} | score(result.model, test)
