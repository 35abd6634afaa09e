"""The flows that are compared: simulations, and what they should be, on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import diagnostics, filters, metrics
from .errors import InputError
from .subgrid import SubgridTerms

if TYPE_CHECKING:
    from .filters import Filter
    from .grid import Grid
    from .runs import Run

    Array = np.ndarray[Any, np.dtype[Any]]

#: Records whose fields are kept for distributions, spread evenly over those compared.
FIELDS = 400


@dataclass(frozen=True)
class Statistics:
    """What flows on one grid are compared by; series have a record per time, and may have none.

    Attributes
    ----------
    name : str
    times, energy, enstrophy : ndarray, shape (records,)
    spectra : dict of ndarray, shape (records, shells)
        "energy" and "enstrophy".
    omega : ndarray, shape (fields, ny, nx)
        Vorticity at some of the records, the last one among them.
    wall : float
        Wall-clock seconds per unit of time; NaN where it is unknown.
    """

    name: str
    times: Array
    energy: Array
    enstrophy: Array
    spectra: Mapping[str, Array]
    omega: Array
    wall: float = float("nan")

    def __bool__(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.times) > 0

    def half(self, number: int) -> Statistics:
        """The first or the second half of its records."""

        def part(series: Array) -> Array:
            return np.array_split(series, 2)[number]

        return replace(
            self,
            times=part(self.times),
            energy=part(self.energy),
            enstrophy=part(self.enstrophy),
            spectra={name: part(series) for name, series in self.spectra.items()},
            omega=part(self.omega),
        )

    def mean_spectrum(self, name: str) -> metrics.MeanSpectrum:
        """Mean, and the band over ten pieces of time, or as many as there are records."""
        pieces = min(10, len(self.times))
        return metrics.mean_spectrum(self.spectra[name], self.times, pieces=pieces)


def names_of(runs: list[Run], names: Sequence[str]) -> list[str]:
    """What simulations are called: as given, or by their files, with the folder if need be."""
    if names and len(names) != len(runs):
        raise InputError(f"names must be as many as simulations, {len(runs)}, got {len(names)}")
    called = list(names) or [run.path.stem for run in runs]
    if not names and len(set(called)) < len(called):
        called = [f"{run.path.resolve().parent.name}/{run.path.stem}" for run in runs]
    reserved = {"reference", "halves", "exact", "DNS"} & set(called)
    if len(set(called)) < len(called) or reserved:
        raise InputError(f"names must differ, also from 'reference' and 'exact', got {called}")
    return called


def common_grid(runs: list[Run]) -> Grid:
    """The grid that all simulations share."""
    first, *others = runs
    for other in others:
        for name in ("nx", "ny", "lx", "ly", "dealias"):
            if other.attrs.get(name) != first.attrs.get(name):
                raise InputError(
                    f"simulations must be on one grid: {name} is {first.attrs.get(name)} in "
                    f"{first.path}, and {other.attrs.get(name)} in {other.path}"
                )
    return first.grid()


def common_filter(runs: list[Run], kind: str | None, ratio: float | None) -> Filter | None:
    """What the options say, else the simulations' files; None if neither says anything."""
    said = {stated for run in runs if (stated := _stated_filter(run)) is not None}
    if len(said) > 1 and (kind is None or ratio is None):
        listed = ", ".join(sorted(map(repr, said)))
        raise InputError(f"simulations are of different filters, {listed}: name one to use")
    if not said and kind is None and ratio is None:
        return None
    default = said.pop() if len(said) == 1 else filters.Gaussian(2.0)
    return filters.make(
        default.kind if kind is None else kind, ratio=default.ratio if ratio is None else ratio
    )


def _stated_filter(run: Run) -> Filter | None:
    """The filter that a simulation stands for, by its attributes or by its case file."""
    from .les import LESCase

    if "filter" in run.attrs and "filter_ratio" in run.attrs:
        return filters.make(str(run.attrs["filter"]), ratio=float(run.attrs["filter_ratio"]))
    try:
        case = LESCase.parse(str(run.attrs.get("case", "")))
    except InputError:  # no case file, or not one of a simulation
        return None
    return None if case.filter is None else case.filter.build()


def simulation(run: Run, name: str, start: float | None) -> Statistics:
    """Statistics of an output on its own grid; of no record, if it broke off before the start."""
    needed = ("energy_spectrum", "enstrophy_spectrum", "energy", "enstrophy")
    missing = [variable for variable in needed if variable not in run]
    if missing:
        raise InputError(f"{run.path} is not an output of pytbl: it has no variable {missing[0]}")
    early = run.attrs.get("complete") == 0 and len(run.since(start, least=0)) < 2
    records = run.since(None, least=1)[:0] if early else run.since(start)
    return Statistics(
        name,
        run.times[records],
        run.read("energy", records),
        run.read("enstrophy", records),
        {kind: run.read(f"{kind}_spectrum", records) for kind in ("energy", "enstrophy")},
        run.read("omega", spread(records, FIELDS)).astype(float),
        _wall(run, records),
    )


def _wall(run: Run, records: Array) -> float:
    if "wall_time" not in run or len(records) < 2:
        return float("nan")
    return metrics.wall_time_per_time(run.times[records], run.read("wall_time", records))


def spread(records: Array, most: int) -> Array:
    """At most so many of some records, evenly spread, the first and the last among them."""
    if len(records) <= most:
        return records
    return records[np.linspace(len(records) - 1, 0, most).round().astype(int)[::-1]]


def sampled(run: Run, grid: Grid, filter: Filter) -> Reference:
    """A dataset, which holds the exact SGS term, as the reference of closures."""
    if "pi" not in run:
        raise InputError(
            f"{run.path} is not a dataset of samples: expected the exact SGS term, the variable pi"
        )
    return Reference(run, grid, filter)


class Reference:
    """What the simulations should be: filtered flows on their grid, and the exact SGS term.

    Parameters
    ----------
    run : Run
        Output of a DNS, or a dataset of filtered samples, which has the variable pi.
    grid : Grid
        That of the simulations.
    filter : Filter or None
        None is the dataset's own, or a Gaussian of ratio 2.

    Raises
    ------
    InputError
        The reference does not fit the grid, or the filter.
    """

    def __init__(self, run: Run, grid: Grid, filter: Filter | None) -> None:
        self.run, self.grid = run, grid
        self.terms: SubgridTerms | None = None
        if "pi" in run:
            self.filter = self._own_filter(filter)
            return
        self.filter = filter or filters.Gaussian(2.0)
        try:
            self.terms = SubgridTerms(run.grid(), grid, self.filter)
        except InputError as error:
            raise InputError(f"{run.path} cannot be filtered: {error}") from None

    def _own_filter(self, asked: Filter | None) -> Filter:
        """That of a dataset, which must be what was asked for."""
        attrs, grid = self.run.attrs, self.grid
        for name in ("nx", "ny", "lx", "ly", "dealias"):
            if attrs.get(name) != getattr(grid, name):
                raise InputError(
                    f"{self.run.path} must be on the grid of the simulations: expected {name} = "
                    f"{getattr(grid, name)}, got {attrs.get(name)}"
                )
        if "filter" not in attrs or "filter_ratio" not in attrs:
            raise InputError(f"{self.run.path} is not a dataset of pytbl: it names no filter")
        own = filters.make(str(attrs["filter"]), ratio=float(attrs["filter_ratio"]))
        if asked is not None and asked != own:
            raise InputError(
                f"{self.run.path} is filtered by {own!r}, and cannot be compared under {asked!r}"
            )
        return own

    @property
    def flow(self) -> dict[str, Any]:
        """The constants of its flow, as far as the file states them."""
        stated = {k.removeprefix("dns_"): v for k, v in self.run.attrs.items()}
        names = ("viscosity", "viscosity_order", "drag", "beta")
        return {name: stated[name] for name in names if name in stated}

    def flows(self, records: Array) -> Iterator[Array]:
        """Spectra of the filtered vorticity, one record after the other."""
        for omega in self.run.each("omega", records):
            if self.terms is None:
                yield self.grid.to_spectral(omega)
            else:
                yield self.terms.coarsen(self.terms.fine.to_spectral(omega))

    def samples(self, records: Array) -> tuple[Array, Array]:
        """Spectra of the filtered vorticity and of the exact SGS term, (samples, nkx, ny) each."""
        if self.terms is None:
            exact = [self.grid.to_spectral(pi) for pi in self.run.each("pi", records)]
            return np.array(list(self.flows(records))), np.array(exact)
        terms = self.terms
        fine = (terms.fine.to_spectral(omega) for omega in self.run.each("omega", records))
        flows, sources = zip(*((terms.coarsen(o), terms.source(o)) for o in fine), strict=True)
        return np.array(flows), np.array(sources)

    def statistics(self, records: Array) -> Statistics:
        """Statistics of its flows on the simulations' grid."""
        records = spread(records, FIELDS)
        spectra: dict[str, list[Array]] = {"energy": [], "enstrophy": []}
        omega = []
        for hat in self.flows(records):
            spectra["energy"].append(diagnostics.energy_spectrum(self.grid, hat)[1])
            spectra["enstrophy"].append(diagnostics.enstrophy_spectrum(self.grid, hat)[1])
            omega.append(self.grid.to_physical(hat))
        series = {name: np.array(each) for name, each in spectra.items()}
        return Statistics(
            "reference",
            self.run.times[records],
            series["energy"].sum(axis=1),
            series["enstrophy"].sum(axis=1),
            series,
            np.array(omega),
            _wall(self.run, records),
        )

    def unfiltered(self, records: Array) -> dict[str, tuple[Array, Array]]:
        """Mean spectra of the DNS itself over its complete shells; empty for a dataset."""
        if self.terms is None or "energy_spectrum" not in self.run:
            return {}
        k, whole = self.run.shells()
        return {
            name: (k[1:whole], self.run.read(f"{name}_spectrum", records).mean(axis=0)[1:whole])
            for name in ("energy", "enstrophy")
        }
