r"""Large-eddy simulations against a reference: the metrics that a paper reports, from files.

The reference is an output of a DNS, which is filtered and cut to the grid of the simulations, or a
dataset of samples that are filtered already. A posteriori, statistics of the simulations are
compared with its; a priori, the term of each simulation's closure with the exact one, on the
reference's own flows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import diagnostics, metrics
from .compared import (
    Reference,
    Statistics,
    common_filter,
    common_grid,
    names_of,
    simulation,
    spread,
)
from .errors import InputError, PytblError
from .runs import Run

if TYPE_CHECKING:
    from .filters import Filter
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]

#: Limits of the common bins, in standard deviations of the reference, and their number.
PDF_LIMITS, PDF_BINS = (-12.0, 12.0), 120


@dataclass(repr=False)
class Comparison:
    """The result of `compare`.

    Attributes
    ----------
    grid : Grid
        That of the simulations.
    filter : Filter
        What the reference was filtered with.
    reference : Statistics
    simulations : list of Statistics
    k_range : (float, float)
        Of the spectral gap [1/length].
    online, a_priori : dict of dict
        Metrics by the name of a simulation; "reference" and "exact" hold what they are measured
        against, and "halves" the first half of the reference against the second: what
        lies below is within the reference's own uncertainty.
    transfers : dict of ShellTransfers
        Means over samples, of "exact" and by the name of a simulation.
    unfiltered : dict of (k, spectrum)
        Mean spectra of the DNS itself, "energy" and "enstrophy", where it is the reference.
    notes : list of str
        What a reader of the tables must know.
    """

    grid: Grid
    filter: Filter
    reference: Statistics
    simulations: list[Statistics]
    k_range: tuple[float, float]
    online: dict[str, dict[str, float]] = field(default_factory=dict)
    a_priori: dict[str, dict[str, float]] = field(default_factory=dict)
    transfers: dict[str, metrics.ShellTransfers] = field(default_factory=dict)
    unfiltered: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        names = ", ".join(flow.name for flow in self.simulations)
        return f"Comparison({names} with a reference filtered by {self.filter!r})"

    @property
    def k(self) -> Array:
        """Wavenumbers of the shells of the grid [1/length]."""
        return diagnostics.shell_wavenumbers(self.grid)


def compare(
    reference: str | Path,
    simulations: Sequence[str | Path],
    *,
    names: Sequence[str] = (),
    start: float | None = None,
    reference_start: float | None = None,
    filter: str | None = None,
    ratio: float | None = None,
    dataset: str | Path | None = None,
    k_min: float | None = None,
    samples: int = 100,
    closures: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare simulations with a reference.

    Parameters
    ----------
    reference : str or Path
        Output of a DNS with the field omega, or a dataset of filtered samples.
    simulations : sequence of str or Path
        Outputs of large-eddy simulations on one grid, with the field omega.
    names : sequence of str
        What to call them; their files' names by default.
    start, reference_start : float, optional
        Compare from these times on; `reference_start` is `start` by default [time].
    filter : str, optional
        Name of the filter of a DNS, see `pytbl.filters`; by default that which the simulations'
        files name, else "gaussian".
    ratio : float, optional
        Its width over the spacing of the simulations' grid; by default that of the files, else 2.
    dataset : str or Path, optional
        Filtered samples with the exact SGS term for the a priori metrics; by default those of the
        reference, of which a DNS gives the exact term too.
    k_min : float, optional
        First wavenumber of the spectral gap; by default that of the tenth shell, or half of the
        last one where that is smaller [1/length].
    samples : int
        Samples of the a priori metrics at most, spread evenly.
    closures : dict, optional
        Closures by the names of simulations, instead of those that their case files name.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        A file cannot be used, or the files do not fit together.
    """
    if not simulations:
        raise InputError("a comparison needs at least one simulation, got none")
    if samples < 1:
        raise InputError(f"samples must be >= 1, got {samples}")
    runs = [Run(path) for path in simulations]
    called = names_of(runs, names)
    grid = common_grid(runs)
    reference_start = start if reference_start is None else reference_start
    truth = Reference(Run(reference), grid, common_filter(runs, filter, ratio))
    records = truth.run.since(reference_start)
    flows = [simulation(run, name, start) for run, name in zip(runs, called, strict=True)]
    last = float(diagnostics.shell_wavenumbers(grid)[diagnostics.complete_shells(grid) - 1])
    first = min(10 * min(2 * np.pi / grid.lx, 2 * np.pi / grid.ly), last / 2)
    result = Comparison(
        grid,
        truth.filter,
        truth.statistics(records),
        flows,
        (first if k_min is None else k_min, last),
        unfiltered=truth.unfiltered(records),
    )
    for run, name in zip(runs, called, strict=True):
        if run.attrs.get("complete") == 0:
            end = f"the last record is at t = {run.times[-1]:g}"
            result.notes.append(f"{name}: the run blew up, was stopped or is still going on: {end}")
        for constant, value in truth.flow.items():
            own = run.attrs.get(constant)
            if own != value:
                result.notes.append(f"{name}: its {constant} is {own}, and the reference's {value}")
    _online(result)
    built = _closures(result, runs, closures or {})
    if built:
        if dataset is not None:
            truth = Reference(Run(dataset), grid, truth.filter)
            records = truth.run.since(None, least=1)
        _a_priori(result, truth.samples(spread(records, samples)), built)
    return result


# ------------------------------------------------------------------------------- a posteriori ---


def density(flow: Statistics, sigma: float) -> metrics.Density:
    """Density of the vorticity over a standard deviation, on bins common to all flows.

    What lies beyond the outermost bins counts in them.
    """
    values = np.clip(flow.omega / sigma, *PDF_LIMITS)
    return metrics.pdf(values, limits=PDF_LIMITS, bins=PDF_BINS)


def _online(result: Comparison) -> None:
    reference = result.reference
    if not reference.omega.std() > 0:
        raise InputError("the reference is at rest: there is nothing to compare with")
    result.online["reference"] = {
        "energy": float(reference.energy.mean()),
        "enstrophy": float(reference.enstrophy.mean()),
        "flatness": metrics.flatness(reference.omega),
        "wall_time": reference.wall,
    }
    halves = _against(result, reference.half(0), reference.half(1))
    result.online["halves"] = halves
    for flow in result.simulations:
        values = _against(result, flow, reference)
        values["stability_time"] = metrics.stability_time(
            flow.times, flow.enstrophy, float(reference.enstrophy.mean())
        )
        values["duration"] = float(flow.times[-1] - flow.times[0])
        values["wall_time"] = flow.wall
        values["wall_time_ratio"] = flow.wall / reference.wall
        result.online[flow.name] = values


def _against(result: Comparison, flow: Statistics, reference: Statistics) -> dict[str, float]:
    """Metrics of one flow against another."""
    sigma = float(reference.omega.std())
    energy, enstrophy = float(flow.energy.mean()), float(flow.enstrophy.mean())
    k_min, k_max = result.k_range
    return {
        "energy": energy,
        "energy_ratio": energy / float(reference.energy.mean()),
        "enstrophy": enstrophy,
        "enstrophy_ratio": enstrophy / float(reference.enstrophy.mean()),
        "spectral_gap": metrics.spectral_gap(
            result.k,
            flow.spectra["energy"].mean(axis=0),
            reference.spectra["energy"].mean(axis=0),
            k_min=k_min,
            k_max=k_max,
        ),
        "wasserstein": metrics.wasserstein(flow.omega, reference.omega) / sigma,
        "jensen_shannon": metrics.jensen_shannon(density(flow, sigma), density(reference, sigma)),
        "tail_ratio": metrics.tail_ratio(flow.omega, reference.omega),
        "flatness": metrics.flatness(flow.omega),
    }


# ------------------------------------------------------------------------------------ a priori ---


def closure_from_case(text: str, grid: Grid) -> Any:
    """The closure that a case file names, bound to a grid, or None if it names none.

    Parameters
    ----------
    text : str
        The case file, TOML.
    grid : Grid

    Raises
    ------
    PytblError
        The text is no case file of a simulation, or the closure cannot be built.
    """
    from .les import LESCase

    closure = LESCase.parse(text).build_closure(own_files=False)
    if hasattr(closure, "bind"):
        closure.bind(grid)
    return closure


def _closures(result: Comparison, runs: list[Run], given: Mapping[str, Any]) -> dict[str, Any]:
    """Closures by the names of simulations; a note for each that cannot be had."""
    closures = {}
    for run, flow in zip(runs, result.simulations, strict=True):
        name, stated = flow.name, str(run.attrs.get("closure", "None"))
        if name in given:
            closures[name] = given[name]
        elif stated != "None" and run.attrs.get("case"):
            try:
                closures[name] = closure_from_case(str(run.attrs["case"]), result.grid)
            except PytblError as error:
                result.notes.append(f"{name}: no a priori metrics of {stated}: {error}")
        elif stated != "None":
            result.notes.append(
                f"{name}: no a priori metrics of {stated}: the run was not made from a case file"
            )
    unknown = set(given) - {flow.name for flow in result.simulations}
    if unknown:
        raise InputError(f"closures must be of simulations compared, got {sorted(unknown)[0]!r}")
    return {name: closure for name, closure in closures.items() if closure is not None}


def _a_priori(
    result: Comparison, samples: tuple[Array, Array], closures: Mapping[str, Any]
) -> None:
    """Fill in the a priori metrics, from spectra of filtered flows and their exact terms."""
    from .closures import evaluate

    grid = result.grid
    box = {"lx": grid.lx, "ly": grid.ly}
    flows = samples[0]
    omega, truth = (np.array([grid.to_physical(hat) for hat in hats]) for hats in samples)

    def describe(pi: Array, name: str) -> dict[str, float]:
        shells = metrics.shell_transfers(pi, omega, **box)
        result.transfers[name] = metrics.ShellTransfers(
            shells.k, shells.energy.mean(axis=0), shells.enstrophy.mean(axis=0)
        )
        return {
            "energy_transfer": float(metrics.energy_transfer(pi, omega, **box).mean()),
            "enstrophy_transfer": float(metrics.enstrophy_transfer(pi, omega).mean()),
        }

    result.a_priori["exact"] = describe(truth, "exact") | {"samples": float(len(truth))}
    for name, closure in closures.items():
        pi = np.array([grid.to_physical(evaluate(closure, grid, hat)) for hat in flows])
        c = metrics.correlation(pi, truth)
        errors = metrics.transfer_errors(pi, truth, omega, **box)
        result.a_priori[name] = {
            "correlation": float(c.mean()),
            "correlation_spread": float(c.std()),
            "correlation_forward": float(
                metrics.correlation_forward(pi, truth, omega, **box).mean()
            ),
            "correlation_backscatter": float(
                metrics.correlation_backscatter(pi, truth, omega, **box).mean()
            ),
            "relative_rmse": metrics.relative_rmse(pi, truth),
            "spectral_rmse": metrics.spectral_rmse(pi, truth, **box),
            **describe(pi, name),
            "energy_transfer_error": errors.energy,
            "enstrophy_transfer_error": errors.enstrophy,
        }
