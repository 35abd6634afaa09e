"""Case files: TOML, checked, and built into a solver with its outputs."""

from __future__ import annotations

import difflib
import inspect
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from . import filters, forcing, initial
from .checkpoint import Checkpoint
from .composition import Sum
from .dataset import Dataset
from .errors import InputError
from .flow import Flow
from .grid import Grid
from .output import Output
from .solver import Solver

if TYPE_CHECKING:
    from mpi4py import MPI

_INITIAL: dict[str, Callable[..., Any]] = {
    "random_spectrum": initial.random_spectrum,
    "mcwilliams": initial.mcwilliams,
    "random_ring": initial.random_ring,
    "taylor_green": initial.taylor_green,
    "lamb_dipole": initial.lamb_dipole,
    "double_shear_layer": initial.double_shear_layer,
    "file": initial.from_file,
}

_FORCING: dict[str, Callable[..., Any]] = {
    "deterministic": forcing.Deterministic,
    "kolmogorov": forcing.Kolmogorov,
    "ring": forcing.Ring,
}


class Table(BaseModel):
    """A table of a case file; a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


class GridTable(Table):
    """``[grid]``; see `pytbl.Grid`."""

    nx: int
    ny: int
    lx: float = 2 * math.pi
    ly: float = 2 * math.pi
    dealias: Literal["2/3", "3/2"] = "2/3"
    dtype: Literal["float64", "float32"] = "float64"
    threads: int = 1
    reproducible: bool = False


class FlowTable(Table):
    """``[flow]``; see `pytbl.Flow`. Either viscosity, or reynolds = 1 / viscosity."""

    viscosity: float | None = None
    reynolds: float | None = None
    viscosity_order: int = 1
    drag: float = 0.0
    beta: float = 0.0

    @model_validator(mode="after")
    def _one_of_two(self) -> FlowTable:
        if self.viscosity is not None and self.reynolds is not None:
            raise ValueError("give viscosity or reynolds, not both")
        if self.reynolds is not None and not self.reynolds > 0:
            raise ValueError(f"reynolds must be > 0, got {self.reynolds}")
        return self

    def build(self) -> Flow:
        """The flow."""
        viscosity = 1 / self.reynolds if self.reynolds is not None else self.viscosity or 0.0
        return Flow(viscosity, self.viscosity_order, self.drag, self.beta)


class TimeTable(Table):
    """``[time]``; see `pytbl.Solver`."""

    until: float
    dt: float | None = None
    cfl: float | None = None
    scheme: Literal["ab2cn", "rk3cn", "rk4cn"] = "ab2cn"


class KindTable(BaseModel):
    """A table whose `kind` says which other keys it has."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    def make(self, table: str, kinds: dict[str, Callable[..., Any]], *leading: Any) -> Any:
        """Call what `kind` names with the other keys."""
        if self.kind not in kinds:
            raise InputError(unknown(f"[{table}] kind", self.kind, list(kinds)))
        function = kinds[self.kind]
        names = list(inspect.signature(function).parameters)[len(leading) :]
        arguments = self.model_extra or {}
        for name in arguments:
            if name not in names:
                raise InputError(unknown(f"[{table}] key", name, ["kind", *names]))
        try:
            return function(*leading, **arguments)
        except InputError:
            raise
        except (TypeError, ValueError) as error:  # a value of the wrong type, or none
            raise InputError(f"[{table}] kind {self.kind!r}: {error}") from None


class OutputTable(Table):
    """``[output]``; see `pytbl.Output`."""

    file: str
    every: float
    fields: tuple[str, ...] = ("omega",)
    dtype: Literal["float64", "float32"] | None = None


class DatasetTable(Table):
    """``[dataset]``, or ``[[dataset]]`` for several; see `pytbl.Dataset`."""

    file: str
    every: float
    coarse: int | tuple[int, int]
    filter: str = "gaussian"
    ratio: float = 2.0
    start: float = 0.0
    include: tuple[str, ...] = ()
    dtype: Literal["float64", "float32"] = "float32"

    def build(self, folder: Path, overwrite: bool) -> Dataset:
        """The output."""
        return Dataset(
            folder / self.file,
            filter=filters.make(self.filter, ratio=self.ratio),
            **self.model_dump(include={"every", "coarse", "start", "include", "dtype"}),
            overwrite=overwrite,
        )


class CheckpointTable(Table):
    """``[checkpoint]``; see `pytbl.Checkpoint`."""

    folder: str = "checkpoint"
    every: float
    keep: int = 2


class Case(Table):
    """A whole case: what is computed, how, and what is written."""

    title: str = ""
    grid: GridTable
    flow: FlowTable = FlowTable()
    time: TimeTable
    initial: KindTable
    forcing: KindTable | tuple[KindTable, ...] = ()
    output: OutputTable | None = None
    dataset: tuple[DatasetTable, ...] = ()
    checkpoint: CheckpointTable | None = None
    source: Path | None = Field(default=None, exclude=True)

    @field_validator("dataset", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a case file.

        Raises
        ------
        InputError
            The file cannot be read, or a key or value cannot be used: in one line, with the valid
            names where one is unknown.
        """
        path = Path(path)
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"the case file {path} cannot be read: {reason}") from None
        try:
            return cls.parse(text).model_copy(update={"source": path})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def parse(cls, text: str) -> Self:
        """A case from TOML text; errors as `load`."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"not TOML: {error}") from None
        if "source" in values:
            raise InputError(unknown("key", "source", cls._names(())))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(cls._explain(error)) from None

    def to_toml(self) -> str:
        """The case as TOML, with every default written out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def build(
        self,
        comm: MPI.Intracomm | None = None,
        *,
        folder: Path = Path(),
        overwrite: bool = False,
        start: bool = True,
    ) -> tuple[Solver, list[Any]]:
        """A solver at its initial state, and the outputs.

        Parameters
        ----------
        comm : mpi4py communicator, optional
        folder : Path
            Where relative names of outputs begin; names of input files begin at the case file.
        overwrite : bool
            Let outputs replace what an earlier run left.
        start : bool
            Set the initial field; a run that continues from a checkpoint needs none.

        Raises
        ------
        InputError
            A value cannot be used.
        """
        grid = Grid(**self.grid.model_dump(), comm=comm)
        time = self.time
        sim = Solver(
            grid,
            self.flow.build(),
            dt=time.dt,
            cfl=time.cfl,
            scheme=time.scheme,
            forcing=total(self._forcings()),
            closure=total(self._closures()),
        )
        sim.case_toml = self.to_toml()
        if start:
            sim.set_vorticity(self._initial().make("initial", _INITIAL, grid))
        outputs: list[Any] = []
        if self.output is not None:
            values = self.output.model_dump(exclude={"file"})
            outputs.append(Output(folder / self.output.file, **values, overwrite=overwrite))
        outputs += [table.build(folder, overwrite) for table in self.dataset]
        if self.checkpoint is not None:
            values = self.checkpoint.model_dump(exclude={"folder"})
            place = folder / self.checkpoint.folder
            outputs.append(Checkpoint(place, **values, overwrite=overwrite))
        return sim, outputs

    def _forcings(self) -> list[Any]:
        return [table.make("forcing", _FORCING) for table in as_tuple(self.forcing)]

    def _closures(self) -> list[Any]:
        return []

    def _initial(self) -> KindTable:
        return self._located(self.initial)

    def _located(self, table: KindTable) -> KindTable:
        """With the path of a file made to begin at the case file."""
        extra = table.model_extra or {}
        if self.source is None or "path" not in extra:
            return table
        return KindTable(kind=table.kind, **extra | {"path": self.source.parent / extra["path"]})

    @classmethod
    def _names(cls, place: tuple[str, ...]) -> list[str]:
        """Keys of the table at a place in a case."""
        model: Any = cls
        for name in place:
            annotation = model.model_fields[name].annotation
            options = getattr(annotation, "__args__", (annotation,))
            model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
        return [name for name, field in model.model_fields.items() if not field.exclude]

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        """The first thing that is wrong, in one line."""
        first = error.errors()[0]
        place = tuple(str(part) for part in first["loc"])
        table = f"[{place[0]}] " if len(place) > 1 else ""
        if first["type"] == "extra_forbidden":
            where = f"{table}key" if len(place) > 1 else "table or key"
            return unknown(where, place[-1], cls._names(place[:1] if len(place) > 1 else ()))
        if first["type"] == "missing":
            kind = "key" if len(place) > 1 else "table"
            return f"{table}{kind} {place[-1]!r} is missing"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "value_error":
            return f"[{place[0]}] {message}" if place else message
        return f"{table}{place[-1]}: {message[0].lower()}{message[1:]}, got {first['input']!r}"


def as_tuple(tables: KindTable | tuple[KindTable, ...]) -> tuple[KindTable, ...]:
    """One table or several, as several."""
    return tables if isinstance(tables, tuple) else (tables,)


def total(members: list[Any]) -> Any:
    """The sum of some terms; None of none."""
    return members[0] if len(members) == 1 else Sum(members) if members else None


def unknown(what: str, name: Any, valid: list[str]) -> str:
    """What to say of a name that is not among the valid ones."""
    close = difflib.get_close_matches(str(name), valid, 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}: expected one of {', '.join(valid)}"
