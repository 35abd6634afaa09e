"""The closures of the simulations that are compared, on the reference's own flows: a priori."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from .closures import State
from .errors import InputError, PytblError
from .playback import Playback

if TYPE_CHECKING:
    from .compare import Comparison
    from .compared import Reference
    from .grid import Grid
    from .runs import Run

    Array = np.ndarray[Any, np.dtype[Any]]


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


def closures_of(result: Comparison, runs: list[Run], given: Mapping[str, Any]) -> dict[str, Any]:
    """Closures by the names of simulations; a note for each that cannot be had.

    Parameters
    ----------
    result : Comparison
    runs : list of Run
        Those of its simulations.
    given : dict
        Closures by name, instead of what the case files say.

    Raises
    ------
    InputError
        One is given for what is not compared.
    """
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


def _began(closure: Any, first: float) -> float:
    """When, by the samples' clock, a simulation with a closure began: that of a term that is played
    back says so, any other is taken to have begun with the first sample.
    """
    for member in getattr(closure, "members", [closure]):
        term = getattr(member, "term", member)
        if isinstance(term, Playback):
            return float(term.times[0] if term.start is None else term.start)
    return first


def _estimates(closure: Any, grid: Grid, samples: tuple[Array, Array], first: float) -> Array:
    """What a closure gives for flows at some times, shape (samples, ny, nx)."""
    if hasattr(closure, "bind"):
        closure.bind(grid)
    began = _began(closure, first)
    fields = []
    for omega_hat, t in zip(*samples, strict=True):
        source = grid.zeros_spectral()
        closure.add(source, State(grid, omega_hat, float(t) - began))
        fields.append(grid.to_physical(source))
    return np.array(fields)


def a_priori(
    result: Comparison, exact: Reference, records: Array, closures: Mapping[str, Any]
) -> None:
    """Fill in the a priori metrics, from filtered flows and their exact terms.

    Parameters
    ----------
    result : Comparison
    exact : Reference
    records : ndarray, shape (samples,)
        Of the reference, on which the closures are tried.
    closures : dict
        By the names of simulations; a note for each that fails.
    """
    grid, times = result.grid, exact.run.times
    box = {"lx": grid.lx, "ly": grid.ly}
    flows, sources = exact.samples(records)
    omega, truth = (np.array([grid.to_physical(hat) for hat in hats]) for hats in (flows, sources))

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
        try:
            pi = _estimates(closure, grid, (flows, times[records]), float(times[0]))
        except PytblError as error:
            result.notes.append(f"{name}: no a priori metrics of {closure!r}: {error}")
            continue
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
