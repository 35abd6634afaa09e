"""The table that a sweep of transfers leaves: a row for each, and means with spread over seeds."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..hdf5 import one_line
from ..text_files import write_csv

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Row = dict[str, Any]
TABLE, SUMMARY = "sweep.csv", "summary.csv"
_SHOWN = ("error", "correlation")


@dataclass(frozen=True)
class Sweep:
    """The results of many transfers.

    Attributes
    ----------
    rows : list of dict
        One for each transfer: ``layers``, ``seed``, ``samples``, ``training_loss``, ``seconds``,
        and the offline scores of `pytbl.nn.score.score` on the test samples.
    """

    rows: list[Row]

    def __repr__(self) -> str:
        return f"Sweep({len(self.rows)} transfers of {len(self.names)} kinds)"

    @property
    def names(self) -> list[str]:
        """What was re-trained, in the order of the sweep."""
        return list(dict.fromkeys(row["layers"] for row in self.rows))

    @property
    def seconds(self) -> float:
        """Time of all trainings, one after the other."""
        return float(sum(row["seconds"] for row in self.rows))

    def of(self, name: str, metric: str = "error") -> Array:
        """Values of a metric, shape (seeds,)."""
        return np.array([row[metric] for row in self.rows if row["layers"] == name])

    def each(self, metric: str = "error") -> dict[str, list[float]]:
        """Values of a metric for every seed, for each name."""
        return {name: self.of(name, metric).tolist() for name in self.names}

    def mean(self, metric: str = "error") -> dict[str, float]:
        """Mean over seeds of a metric, for each name."""
        return {name: float(self.of(name, metric).mean()) for name in self.names}

    def summary(self) -> list[Row]:
        """A row for each name: mean, and standard deviation over seeds, of every number.

        The deviation is NaN for a single seed.
        """
        numbers = [name for name in self.rows[0] if name not in ("layers", "seed")]
        table = []
        for name in self.names:
            row: Row = {"layers": name, "seeds": len(self.of(name))}
            for metric in numbers:
                values = self.of(name, metric).astype(float)
                spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
                row |= {metric: float(values.mean()), f"{metric}_over_seeds": spread}
            table.append(row)
        return table

    def text(self) -> str:
        """The summary for people."""
        lines = [f"{'layers':<12}{'seeds':>6}{'error':>18}{'c':>18}{'spectral RMSE':>15}{'s':>8}"]
        for row in self.summary():
            cells = "".join(f"{with_spread(row, metric):>18}" for metric in _SHOWN)
            tail = f"{row['spectral_rmse']:>15.3f}{row['seconds']:>8.1f}"
            lines.append(f"{row['layers']:<12}{row['seeds']:>6}{cells}{tail}")
        return "\n".join(lines)

    def to_xarray(self) -> Any:
        """The table as an xarray.Dataset with the dimensions layers and seed.

        Raises
        ------
        InputError
            The package xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise InputError("a table for xarray needs the package xarray") from None
        seeds = sorted({row["seed"] for row in self.rows})
        shape = len(self.names), len(seeds)
        numbers = [name for name in self.rows[0] if name not in ("layers", "seed")]
        values = {name: np.full(shape, np.nan) for name in numbers}
        for row in self.rows:
            place = self.names.index(row["layers"]), seeds.index(row["seed"])
            for name in numbers:
                values[name][place] = row[name]
        return xarray.Dataset(
            {name: (("layers", "seed"), array) for name, array in values.items()},
            coords={"layers": self.names, "seed": seeds},
        )

    def save(self, folder: Path) -> list[Path]:
        """Write the rows, and their summary, as CSV."""
        paths = folder / TABLE, folder / SUMMARY
        for path, rows in zip(paths, (self.rows, self.summary()), strict=True):
            write_csv(path, rows)
        return list(paths)


def with_spread(row: Row, metric: str) -> str:
    """A mean of a summary, and the spread over seeds if there are several."""
    spread = row[f"{metric}_over_seeds"]
    return f"{row[metric]:.4f}" + ("" if math.isnan(spread) else f" +- {spread:.4f}")


def read(path: str | Path) -> Sweep:
    """The sweep of a folder or of its ``sweep.csv``.

    Raises
    ------
    InputError
        It cannot be read.
    """
    path = Path(path)
    path = path / TABLE if path.is_dir() else path
    try:
        rows = list(csv.DictReader(path.read_text().splitlines(), strict=True))
        if not rows or not {"layers", "seed", "seconds", *_SHOWN} <= set(rows[0]):
            raise ValueError("it has no rows with layers, seed and error")
        return Sweep([{k: v if k == "layers" else _number(v) for k, v in r.items()} for r in rows])
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is not the table of a sweep: {one_line(error)}") from None


def _number(text: str) -> float | int:
    return int(text) if text.isdecimal() else float(text)
