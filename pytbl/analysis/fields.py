"""Filtered samples of a flow in memory: vorticity, SGS term, domain, and when they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..periodic import Modes, as_field

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Fields:
    """Samples of a flow.

    Parameters
    ----------
    omega, pi : ndarray, shape (samples, ny, nx)
        Filtered vorticity [1/time] and the SGS term [1/time^2].
    lx, ly : float
        Lengths of the domain [length].
    times : ndarray, shape (samples,), optional
        Increasing within every run [time]; by default samples follow each other at equal distances.
    runs : ndarray of int, shape (samples,), optional
        Which run every sample is of; runs are independent. By default all are of one.
    name : str
        For messages.

    Raises
    ------
    InputError
        Fields are not finite or not of one shape, or times do not increase.
    """

    omega: Array
    pi: Array
    lx: float
    ly: float
    times: Array | None = None
    runs: Array | None = None
    name: str = "the flow"

    def __post_init__(self) -> None:
        fields = {name: as_field(getattr(self, name), name) for name in ("omega", "pi")}
        shape = fields["omega"].shape
        for name, field in fields.items():
            if field.ndim != 3 or field.shape != shape:
                raise InputError(
                    f"{self.name}: {name} must have the shape (samples, ny, nx) of omega, got "
                    f"{field.shape} and {shape}"
                )
            bad = np.flatnonzero(~np.isfinite(field).all(axis=(1, 2)))
            if len(bad):
                raise InputError(f"{self.name}: {name} of sample {bad[0]} is not finite")
            object.__setattr__(self, name, field)
        Modes(shape, self.lx, self.ly)  # refuses lengths that cannot be
        for name, default in (("runs", np.zeros(len(self), int)), ("times", np.arange(len(self)))):
            given = getattr(self, name)
            values = default if given is None else np.asarray(given)
            if values.shape != (len(self),):
                raise InputError(
                    f"{self.name}: {name} must have shape {(len(self),)}, got {values.shape}"
                )
            object.__setattr__(self, name, values)
        for run in self.by_run():
            if not (np.diff(np.asarray(self.times)[run]) > 0).all():
                raise InputError(f"{self.name}: times must increase within every run")

    def __len__(self) -> int:
        return len(self.omega)

    def __repr__(self) -> str:
        ny, nx = self.omega.shape[-2:]
        return f"Fields({len(self)} samples of {self.name}, {nx} x {ny} points)"

    def by_run(self) -> list[Array]:
        """Indices of the samples of each run."""
        return [np.flatnonzero(self.runs == run) for run in np.unique(np.asarray(self.runs))]

    @classmethod
    def of(cls, flow: Any, *, name: str = "the flow", at_most: int | None = None) -> Fields:
        """The samples of a flow.

        Parameters
        ----------
        flow : Fields, path, paths, or pytbl.samples.Samples
        name : str
            For messages.
        at_most : int, optional
            Evenly thinned to no more than so many.

        Raises
        ------
        InputError
            A file cannot be read, or is no dataset.
        """
        if isinstance(flow, Fields):
            return flow
        if isinstance(flow, str | Path) or (
            isinstance(flow, Sequence) and flow and all(isinstance(f, str | Path) for f in flow)
        ):
            from ..samples import Samples

            name, flow = f"{name} {flow}" if isinstance(flow, str | Path) else name, Samples(flow)
        if not all(hasattr(flow, part) for part in ("read", "times", "where")):
            raise InputError(
                f"{name} must be paths of datasets, samples or Fields, got {type(flow).__name__}"
            )
        if not len(flow):
            raise InputError(f"{name}: there are no samples")
        step = 1 if at_most is None else -(-len(flow) // at_most)
        order = np.lexsort((flow.times, flow.where[:, 0]))[::step]
        return cls(
            flow.read("omega", order),
            flow.read("pi", order),
            flow.lx,
            flow.ly,
            times=flow.times[order],
            runs=flow.where[order, 0],
            name=name,
        )
