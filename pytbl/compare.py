r"""Large-eddy simulations against a reference: the metrics that a paper reports, from files.

The reference is an output of a DNS, which is filtered and cut to the grid of the simulations, or a
dataset of samples that are filtered already. A posteriori, statistics of the simulations are
compared with its; a priori, the term of each simulation's closure with the exact one, on the
reference's own flows.
"""

from __future__ import annotations

import math
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
    sampled,
    simulation,
    spread,
)
from .compared_closures import a_priori, closure_from_case, closures_of
from .errors import InputError
from .runs import Run

if TYPE_CHECKING:
    from .filters import Filter
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Comparison", "closure_from_case", "compare", "density"]

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
        lies below is within the reference's own uncertainty. Stability times count from the
        first record of a simulation.
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
        Compare from these times on; `reference_start` is `start` by default [time]. A simulation
        that broke off before has a note, and no metrics but its stability time.
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
    exact, chosen = truth, records
    if dataset is not None:
        exact = sampled(Run(dataset), grid, truth.filter)
        chosen = exact.run.since(None, least=1)
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
    for run, flow in zip(runs, flows, strict=True):
        name = flow.name
        if run.attrs.get("complete") == 0:
            end = f"the last record is at t = {run.times[-1]:g}"
            end += "" if flow else ", too early to be compared"
            result.notes.append(f"{name}: the run blew up, was stopped or is still going on: {end}")
        for constant, value in truth.flow.items():
            own = run.attrs.get(constant)
            if own != value:
                result.notes.append(f"{name}: its {constant} is {own}, and the reference's {value}")
    _online(result, runs)
    built = closures_of(result, runs, closures or {})
    if built:
        a_priori(result, exact, spread(chosen, samples), built)
    return result


# ------------------------------------------------------------------------------- a posteriori ---


def density(flow: Statistics, sigma: float) -> metrics.Density:
    """Density of the vorticity over a standard deviation, on bins common to all flows.

    What lies beyond the outermost bins counts in them.
    """
    values = np.clip(flow.omega / sigma, *PDF_LIMITS)
    return metrics.pdf(values, limits=PDF_LIMITS, bins=PDF_BINS)


def _online(result: Comparison, runs: list[Run]) -> None:
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
    for flow, run in zip(result.simulations, runs, strict=True):
        values = _against(result, flow, reference) if flow else dict.fromkeys(halves, math.nan)
        values["stability_time"] = _stability_time(flow, run, float(reference.enstrophy.mean()))
        values["duration"] = float(run.times[-1] - run.times[0])
        values["wall_time"] = flow.wall
        values["wall_time_ratio"] = flow.wall / reference.wall
        result.online[flow.name] = values


def _stability_time(flow: Statistics, run: Run, enstrophy: float) -> float:
    """Since the run began; of what is compared, or of all of a run that did not get so far."""
    if not flow:
        return metrics.stability_time(run.times, run.read("enstrophy"), enstrophy)
    before = float(flow.times[0] - run.times[0])
    return before + metrics.stability_time(flow.times, flow.enstrophy, enstrophy)


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
