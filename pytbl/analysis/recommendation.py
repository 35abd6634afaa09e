"""A recommendation: what re-training each layer is expected to gain, in a table and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from .bands import FlowComparison

    Array = np.ndarray[Any, np.dtype[Any]]

#: Names of the bands of wavenumbers, from the largest scales on.
SCALES = ("large", "middle", "small")
#: What needs no training, from the least change of the network to the most, and the numbers that it
#: adapts besides the normalisation.
UNTRAINED = {"nothing": 0, "scale": 0, "statistics": 0, "gain": 1}
_SAID = {
    "nothing": "leave the network as it is",
    "scale": "give the output the scale of the target, and train nothing",
    "statistics": "re-fit the normalisation of inputs and output, and train nothing",
    "gain": "multiply the output by one number, and train nothing",
}
#: Of the decay of an error with the number of samples.
_EXPONENTS = np.linspace(0.25, 2, 36)
#: Multiples of the samples at hand beyond which their number is not extrapolated.
_REACH = 50


class Interval(NamedTuple):
    """A value, and the bounds of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} .. {self.high:.3f})"


@dataclass(frozen=True)
class Candidate:
    r"""Something that can be done to the network.

    Attributes
    ----------
    name : str
        As `pytbl.nn.transfer` calls it: "nothing", "scale", "statistics", "gain", or layers.
    parameters : int
        Free numbers.
    error : Interval
        Expected :math:`\langle(\Pi_p-\Pi)^2\rangle/\langle\Pi^2\rangle` on samples of the target
        that were not fitted.
    gain : Interval
        Expected error of the network as it is less this one.
    bands : tuple of float
        Part of the error of the network as it is that is removed in each of `SCALES`.
    scores : dict of float
        Other scores.
    """

    name: str
    parameters: int
    error: Interval
    gain: Interval
    bands: tuple[float, ...]
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def trained(self) -> bool:
        """Whether it needs training."""
        return self.name not in UNTRAINED


class Curve(NamedTuple):
    """Expected error of re-trained layers against the number of samples that are fitted."""

    samples: tuple[float, ...]
    errors: tuple[Interval, ...]

    def needed(self, tolerance: float = 0.05) -> int | None:
        r"""From how many samples on the error is within a tolerance of its plateau.

        The plateau is that of the power law :math:`p + b\,n^{-a}` which comes closest, with
        1/4 <= a <= 2.

        Returns
        -------
        int or None
            None if it cannot be told: a slower decay has no plateau in sight.
        """
        n, errors = np.array(self.samples), np.array([error.value for error in self.errors])
        if np.ptp(errors) <= tolerance * errors.min():
            return math.ceil(n[0])
        misfits = {}
        for exponent in _EXPONENTS:
            slope, plateau = np.polyfit(n**-exponent, errors, 1)
            misfit = float(np.square(plateau + slope * n**-exponent - errors).sum())
            misfits[float(exponent)] = misfit, float(slope), float(plateau)
        exponent = min(misfits, key=lambda one: misfits[one][0])
        _, slope, plateau = misfits[exponent]
        if exponent == _EXPONENTS[0] or plateau <= 0 or slope <= 0:
            return None
        return math.ceil((slope / (tolerance * plateau)) ** (1 / exponent))

    def said(self) -> str:
        """In words."""
        tried = ", ".join(f"{e.value:.3f} with {n:g}" for n, e in zip(*self, strict=True))
        count, most = self.needed(), max(self.samples)
        if count is None or count > _REACH * most:
            return f"how many samples are enough cannot be told, the error still falls: {tried}"
        enough = "no more are needed" if count <= most else f"about {count} samples are needed"
        return f"{enough} for an error within 5 % of its plateau: {tried}"


@dataclass(frozen=True)
class Recommendation:
    """Which layers of a network to re-train on another flow.

    Attributes
    ----------
    choice : str
        What to do: the name of a candidate.
    layer : str or None
        The single layer that is expected to gain most.
    equal : tuple of str
        Other candidates whose expected error is within the tolerance of the best layer's.
    reason : str
    candidates : tuple of Candidate
    curve : Curve or None
    edges : tuple of float
        Wavenumbers between the bands [1/length].
    failing : tuple of float
        Share of each band in the error of the network as it is.
    relative : tuple of float
        That error over Pi's mean square, in each band on its own.
    flows : FlowComparison or None
        Of the target's spectra with the base's, if there were base data.
    samples : int
    tolerance : float
    score : str
        What ranks the layers.
    cost : float
        Multiplications over those of a sweep over all candidates that need training, of 50 epochs
        of 100 samples with 3 seeds.
    seconds : float
    """

    choice: str
    layer: str | None
    equal: tuple[str, ...]
    reason: str
    candidates: tuple[Candidate, ...]
    curve: Curve | None
    edges: tuple[float, ...]
    failing: tuple[float, ...]
    relative: tuple[float, ...]
    flows: FlowComparison | None
    samples: int
    tolerance: float
    score: str
    cost: float
    seconds: float

    def __repr__(self) -> str:
        return f"Recommendation({self.choice}: {self[self.choice].error})"

    def __getitem__(self, name: str) -> Candidate:
        """A candidate by name; a `KeyError` if there is none."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each candidate, in plain values."""
        return [
            {
                "name": one.name,
                "parameters": one.parameters,
                "error": one.error.value,
                "error_low": one.error.low,
                "error_high": one.error.high,
                "gain": one.gain.value,
                "gain_low": one.gain.low,
                "gain_high": one.gain.high,
                **{f"removed_{b}": r for b, r in zip(SCALES, one.bands, strict=True)},
                **one.scores,
            }
            for one in self.candidates
        ]

    def text(self) -> str:
        """One page for a physicist."""
        return "\n".join([*self._advice(), "", *self._rows(), "", *self._physics()])

    def _advice(self) -> list[str]:
        said = _SAID.get(self.choice, f"re-train {_layers(self.choice)}")
        lines = [f"Recommendation, from {self.samples} samples: {said}.", f"Why: {self.reason}."]
        chosen = self[self.choice]
        if self.choice != "nothing":
            lines.append(
                f"Expected error <(Pi_p - Pi)^2>/<Pi^2>: {chosen.error}; of the network as it is "
                f"{self['nothing'].error}."
            )
        if self.equal:
            lines.append(f"Equal within {self.tolerance:.0%}: {', '.join(self.equal)}.")
        if any(one.trained and not one.name.isdecimal() for one in self.candidates):
            lines.append("What several layers gain together is underestimated.")
        if self.curve is not None:
            lines.append(f"How much data, layer {self.layer}: {self.curve.said()}.")
        lines.append(f"Cost: {self.cost:.1%} of a sweep over all candidates, {self.seconds:.0f} s.")
        return lines

    def _rows(self) -> list[str]:
        extra = list(dict.fromkeys(name for one in self.candidates for name in one.scores))
        head = f"{'re-trained':12}{'parameters':>11}  {'expected error (95 %)':25}"
        head += "".join(f"{band:>9}" for band in SCALES) + "".join(
            f"  {name:>12}" for name in extra
        )
        lines = [f"{'':50}error removed by band (k)", head]
        for one in self.candidates:
            line = f"{one.name:12}{one.parameters:11}  {one.error!s:25}"
            line += "".join(f"{part:9.0%}" for part in one.bands)
            line += "".join(f"  {one.scores.get(name, math.nan):12.3g}" for name in extra)
            lines.append(line)
        return lines

    def _physics(self) -> list[str]:
        low, high = self.edges
        spans = (f"k < {low:.3g}", f"{low:.3g} <= k < {high:.3g}", f"k >= {high:.3g}")
        lines = []
        for i, (band, span) in enumerate(zip(SCALES, spans, strict=True)):
            line = (
                f"{band} scales ({span}): {self.failing[i]:.0%} of the network's error, which is "
                f"{self.relative[i]:.2g} of Pi^2 there"
            )
            reach = [one for one in self.candidates if one.trained and one.name.isdecimal()]
            if reach:
                best = max(reach, key=lambda one: one.bands[i])
                line += (
                    f"; layer {best.name} reaches them best ({best.bands[i]:.0%} removed)"
                    if best.bands[i] > 0
                    else "; no single layer lessens it"
                )
            lines.append(line + ".")
        return lines + (self.flows.words() if self.flows else [])

    def save(self, folder: str | Path) -> list[Path]:
        """Write recommendation.json, .csv (the table) and .txt; each appears when it is whole.

        Raises
        ------
        InputError
            They cannot be written.
        """
        from ..text_files import write_csv, write_json, write_text

        folder = Path(folder)
        paths = [folder / f"recommendation.{kind}" for kind in ("json", "csv", "txt")]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(paths[0], self)
            write_csv(paths[1], self.table)
            write_text(paths[2], self.text() + "\n")
        except OSError as error:
            raise InputError(f"{folder} cannot be written: {error.strerror}") from None
        return paths


def _layers(name: str) -> str:
    if name.isdecimal():
        return f"layer {name}"
    return {"all": "all layers", "all:bias": "the biases of all layers"}.get(name, f"layers {name}")
