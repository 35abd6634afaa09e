"""Training, validation and test samples that know nothing of each other.

Neighbouring samples of a run are alike, so a model that is tested between its training samples is
tested on what it has seen. Parts are therefore blocks of time with gaps, or different runs; never
frames drawn from all of a run.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..record_file import check_target, make_folder
from .reading import Samples

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]
    Parts = Sequence[str | Path | Samples]

#: Fields whose decorrelation sets the gaps.
_SLOWEST_OF = ("omega", "pi")
#: Two fields of the same description that are more alike than this are of the same run.
_ALIKE = 1 / math.e


class Split(NamedTuple):
    """Views of samples."""

    train: Samples
    validation: Samples
    test: Samples

    def table(self) -> str:
        """Times of the parts, and how much independent information is in them."""
        lines = [
            f"{'part':<11}{'samples':>8}{'from t':>10}{'to t':>10}"
            f"{'N_eff omega':>13}{'pi':>8}{'decorrelation omega':>21}{'pi':>8}"
        ]
        for name, part in self._asdict().items():
            count = [part.effective(field) for field in _SLOWEST_OF]
            time = [part.decorrelation_time(field) for field in _SLOWEST_OF]
            first, last = (part.times[0], part.times[-1]) if len(part) else (math.nan, math.nan)
            lines.append(
                f"{name:<11}{len(part):>8}{first:>10.4g}{last:>10.4g}"
                f"{count[0]:>13.1f}{count[1]:>8.1f}{time[0]:>21.3g}{time[1]:>8.3g}"
            )
        return "\n".join(lines)

    def save(
        self, folder: str | Path, *, matlab: bool = False, overwrite: bool = False
    ) -> list[Path]:
        """Write train.h5, validation.h5 and test.h5, all or none.

        Parameters
        ----------
        folder : str or Path
            Made if it does not exist.
        matlab : bool
            Write the files of `pytbl.matlab` too.
        overwrite : bool
            Replace earlier files; never those that the samples are read from.

        Returns
        -------
        list of Path

        Raises
        ------
        InputError
            A file exists, or samples are read from it; or a part is of several runs.
        OSError
            A file cannot be written.
        """
        from .. import matlab as published

        folder, named = Path(folder), self._asdict()
        paths = [folder / f"{name}.h5" for name in named]
        suffixes = ["train", "val", "test"]
        others = [path for s in suffixes for path in published.targets(folder, s)] if matlab else []
        sources = {path for part in self for path in part.paths}
        for path in (*paths, *others):
            check_target(path, overwrite=overwrite, sources=sources)
        for part, path in zip(self, paths, strict=True):
            part.check_save(path, overwrite=overwrite)
        make_folder(folder)
        for part, path, suffix in zip(self, paths, suffixes, strict=True):
            part.save(path, overwrite=overwrite)
            if matlab:
                published.write(part, folder, part=suffix, overwrite=overwrite)
        return paths + others


def split(
    samples: Samples,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    *,
    gap: float = 3.0,
) -> Split:
    """Cut the samples of one run into three blocks of time, with gaps between them.

    Parameters
    ----------
    samples : Samples
        With increasing times.
    fractions : (float, float, float)
        Of the time that the gaps leave: training, validation, test.
    gap : float
        Length of a gap in decorrelation times, of the vorticity or the SGS term, whichever is
        longer.

    Raises
    ------
    InputError
        A parameter cannot be used, or the run is too short for blocks of at least a decorrelation
        time each: how long it would have to be.
    """
    shares = np.asarray(fractions, float)
    if shares.shape != (3,) or not (shares > 0).all() or not math.isclose(shares.sum(), 1):
        raise InputError(f"fractions must be three numbers > 0 with the sum 1, got {fractions}")
    _check_gap(gap)
    times = samples.times
    steps = np.diff(times)
    if len(samples) < 3 or not (steps > 0).all():
        raise InputError(
            f"a split needs at least 3 samples of one run, in order of time, got {samples!r}; "
            f"part several runs by separate_runs"
        )
    slowest = max(samples.decorrelation_time(name) for name in _SLOWEST_OF)
    span, pause = float(times[-1] - times[0]), gap * slowest
    needed = 2 * pause + max(slowest, float(steps.max())) / float(shares.min())
    if not needed <= span:
        raise InputError(
            f"the run is too short to be split: it spans {span:.4g}, and with the decorrelation "
            f"time {slowest:.4g} it would have to span {needed:.4g}"
        )
    lengths = shares * (span - 2 * pause)
    starts = times[0] + np.r_[0.0, np.cumsum(lengths[:-1] + pause)]
    first = np.searchsorted(times, starts - 1e-9 * span)
    stop = np.searchsorted(times, starts + lengths + 1e-9 * span, side="right")
    stop = np.minimum(stop, np.r_[first[1:], len(times)])  # without a gap, no sample is in two
    return Split(*(samples[a:b] for a, b in zip(first, stop, strict=True)))


def _check_gap(gap: float) -> None:
    if not (math.isfinite(gap) and gap >= 0):
        raise InputError(f"gap must be a finite number >= 0, got {gap}")


def separate_runs(*, train: Parts, validation: Parts, test: Parts, gap: float = 3.0) -> Split:
    """Training, validation and test samples from different runs, or distant times of one.

    Two files are of the same run if they have the same case file, but for what it writes and how
    fast; or, of runs without one, the same parameters and like fields.

    Parameters
    ----------
    train, validation, test : sequence of paths or Samples
    gap : float
        Least gap between times of one run in two parts, in decorrelation times, of the vorticity
        or the SGS term, whichever is longer: see `split`.

    Raises
    ------
    InputError
        A file cannot be used; two are of the same run at overlapping times, in one part or in two;
        or in two parts, with a smaller gap.
    """
    _check_gap(gap)
    named = {"train": train, "validation": validation, "test": test}
    runs: dict[str, list[Samples]] = {}
    for name, parts in named.items():
        if isinstance(parts, str | Path | Samples):
            parts = [parts]
        runs[name] = [part if isinstance(part, Samples) else Samples(part) for part in parts]
        if not runs[name]:
            raise InputError(f"{name} needs at least one dataset, got none")
    every = [(name, run) for name in runs for part in runs[name] for run in part.by_file()]
    for (name, one), (place, other) in itertools.combinations(every, 2):
        if _same_run(one, other):
            _check_apart(one, other, gap if name != place else 0.0)
    return Split(*(Samples.joined(parts) for parts in runs.values()))


def _check_apart(one: Samples, other: Samples, gap: float) -> None:
    """Refuse times of one run that overlap, or are not so many decorrelation times apart."""
    first, second = one.times, other.times
    found = float(max(first.min() - second.max(), second.min() - first.max()))
    if found <= 0:
        raise InputError(
            f"{one!r} and {other!r} are of the same run at overlapping times: expected different "
            f"runs"
        )
    if not gap:
        return
    longer = max((one, other), key=lambda run: float(np.ptp(run.times)))
    slowest = max(longer.stated_decorrelation_time(name) for name in _SLOWEST_OF)
    if not found >= gap * slowest * (1 - 1e-6):
        raise InputError(
            f"{one!r} and {other!r} are of the same run, {found:.4g} apart: expected different "
            f"runs, or a gap of {gap:g} decorrelation times, {gap * slowest:.4g}"
        )


def _same_run(one: Samples, other: Samples) -> bool:
    if not (len(one) and len(other)) or _description(one) != _description(other):
        return False
    if one.attributes.get("case"):
        return True
    first, second = one.times, other.times
    apart = np.abs(first[:, None] - second)
    i, j = np.unravel_index(np.argmin(apart), apart.shape)
    a, b = (s.read("omega", int(k)).astype(float) for s, k in ((one, i), (other, j)))
    power = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return power == 0 or float((a * b).sum()) > _ALIKE * power


def _description(samples: Samples) -> dict[str, Any]:
    """What the flow is, and how it began; not what was written, for how long, or how fast."""
    values: dict[str, Any] = {
        name: value
        for name, value in samples.attributes.items()
        if name.startswith("dns_") and name != "dns_dtype"
    }
    case = tomllib.loads(str(samples.attributes.get("case", "")))
    for table in ("title", "output", "dataset", "checkpoint"):
        case.pop(table, None)
    case.get("time", {}).pop("until", None)
    for name in ("threads", "reproducible"):
        case.get("grid", {}).pop(name, None)
    return values | {"case": case}
