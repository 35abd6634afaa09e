"""Case files: TOML, checked, and built into a solver with its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator, model_validator

from . import filters, forcing, initial
from .checkpoint import Checkpoint
from .composition import Sum
from .dataset import Dataset
from .flow import Flow
from .grid import Grid
from .output import Output
from .solver import Solver
from .toml_file import KindTable, Table, TomlFile, as_tuple

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


class Case(TomlFile):
    """A whole case: what is computed, how, and what is written."""

    what = "case"

    title: str = ""
    grid: GridTable
    flow: FlowTable = FlowTable()
    time: TimeTable
    initial: KindTable
    forcing: KindTable | tuple[KindTable, ...] = ()
    output: OutputTable | None = None
    dataset: tuple[DatasetTable, ...] = ()
    checkpoint: CheckpointTable | None = None

    @field_validator("dataset", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

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
        path = extra.get("path")
        if self.source is None or not isinstance(path, str) or path.startswith("zoo:"):
            return table
        return KindTable(kind=table.kind, **extra | {"path": self.source.parent / path})


def total(members: list[Any]) -> Any:
    """The sum of some terms; None of none."""
    return members[0] if len(members) == 1 else Sum(members) if members else None
