"""A study of transfers from one TOML file: flows, their samples and networks, and pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .case import Case
from .errors import InputError
from .samples import Samples, split
from .toml_file import Table, TomlFile, unknown

if TYPE_CHECKING:
    from .analysis import Verification

Parts = dict[str, list[Path]]

#: Training, validation, test, in blocks of time with gaps between them.
FRACTIONS = (0.72, 0.08, 0.2)


class FlowTable(Table):
    """A flow: its case file, and from how many starts it is run.

    Of several starts the last two are the test, and the one before them is the validation.
    """

    case: str
    starts: int = 1


class SweepTable(Table):
    """``[sweep]``; see `pytbl.nn.sweep`."""

    sets: tuple[str, ...] = ("singles", "baselines")
    seeds: int = 3


class TransferTable(Table):
    """``[transfer]``; see `pytbl.nn.transfer`."""

    fraction: float = 0.1
    draw: str = "random"
    normalisation: str = "base"
    epochs: int = 50
    batch: int = 16
    learning_rate: float = 5e-5


class Study(TomlFile):
    """Flows, networks that are trained on them, and pairs whose transfers are compared.

    Everything goes to one folder, and goes on where it was stopped: the simulations of a flow to
    ``FLOW`` or ``FLOW-START``, its samples to ``parts/FLOW``, its network to ``base/FLOW``, and
    what is found of a pair to ``pairs/BASE-to-TARGET``. Names of files begin at the study's.
    """

    what = "study"

    title: str = ""
    network: str
    flows: dict[str, FlowTable]
    pairs: dict[str, tuple[str, str]]
    transfer: TransferTable = TransferTable()
    sweep: SweepTable = SweepTable()

    def _file(self, name: str) -> Path:
        return (self.source.parent if self.source else Path()) / name

    def pair(self, name: str) -> tuple[str, str]:
        """Base and target of a pair.

        Raises
        ------
        InputError
            There is no such pair, or one of its flows is missing: those that there are.
        """
        if name not in self.pairs:
            raise InputError(unknown("pair", name, list(self.pairs)))
        for flow in self.pairs[name]:
            self._flow(flow)
        return self.pairs[name]

    def _flow(self, name: str) -> FlowTable:
        if name not in self.flows:
            raise InputError(unknown("flow", name, list(self.flows)))
        return self.flows[name]

    def case(self, flow: str) -> Case:
        """The simulation of a flow, from its first start."""
        case = Case.load(self._file(self._flow(flow).case))
        if case.output is None or not case.dataset:
            raise InputError(f"{case.source}: a flow of a study needs [output] and [[dataset]]")
        return case

    def folders(self, flow: str, out: Path) -> list[Path]:
        """Where the simulations of a flow are, one for each start."""
        starts = self._flow(flow).starts
        if starts == 1:
            return [out / flow]
        if starts < 4:
            raise InputError(f"starts of flow {flow!r} must be 1, or at least 4, got {starts}")
        return [out / f"{flow}-{start}" for start in range(1, starts + 1)]

    def samples(self, flow: str, out: Path, *, threads: int | None = None) -> Parts:
        """Files of training, validation and test of a flow, simulated if they are not there."""
        from .cli import run_case

        case = self.case(flow)
        folders = self.folders(flow, out)
        data = [folder / case.dataset[0].file for folder in folders]
        parts = {
            name: out / "parts" / flow / f"{name}.h5" for name in ("train", "validation", "test")
        }
        if len(folders) == 1 and all(path.exists() for path in parts.values()):
            return {name: [path] for name, path in parts.items()}
        for start, folder in enumerate(folders, 1):
            if _is_complete(data[start - 1]):
                continue
            extra = case.initial.model_extra or {}
            changes = {"rng": start} if len(folders) > 1 else {}
            initial = type(case.initial)(kind=case.initial.kind, **extra | changes)
            one = case.model_copy(update={"initial": initial})
            run_case(one, out=folder, resume=True, threads=threads, picture=False)
        if len(folders) > 1:
            return {"train": data[:-3], "validation": data[-3:-2], "test": data[-2:]}
        split(Samples(data[0]), FRACTIONS).save(out / "parts" / flow, overwrite=True)
        return {name: [path] for name, path in parts.items()}

    def base(self, flow: str, out: Path) -> Path:
        """The closure that is trained on a flow, trained if it is not there."""
        from .nn.config import TrainingFile
        from .nn.history import Monitor

        closure = out / "base" / flow / "best.closure"
        if closure.exists():
            return closure
        parts = self.samples(flow, out)
        training = TrainingFile.load(self._file(self.network))
        files = {
            name: tuple(str(path.resolve()) for path in parts[name])
            for name in ("train", "validation")
        }
        data = training.data.model_copy(update=files)
        with Monitor() as progress:
            training.model_copy(update={"data": data}).run(
                out, closure.parent, resume=True, progress=progress
            )
        return closure

    def place(self, pair: str, out: Path) -> Path:
        """The folder of a pair."""
        return out / "pairs" / "-to-".join(self.pair(pair))

    def verify(
        self, pair: str, out: Path, *, processes: int = 1, report: Any = None
    ) -> Verification:
        """Recommend, re-train, and compare, for a pair; see `pytbl.analysis.verify`."""
        from .analysis import verify
        from .nn.scores import SCORES

        base, target = self.pair(pair)
        parts = self.samples(target, out)
        folder = self.place(pair, out)
        result = verify(
            self.base(base, out),
            parts["train"],
            test=parts["test"],
            out=folder,
            base_data=self.samples(base, out)["train"],
            scores=tuple(SCORES),
            reference=self.base(target, out),
            keep=True,
            processes=processes,
            report=report,
            **self.sweep.model_dump(),
            **self.transfer.model_dump(),
        )
        result.save(folder)
        return result


def _is_complete(data: Path) -> bool:
    """Whether a dataset is there, of a simulation that has reached its end."""
    try:
        return len(Samples(data)) > 0
    except InputError:
        return False
