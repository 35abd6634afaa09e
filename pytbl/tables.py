"""Tables of a comparison: on a terminal or in a log, and as files."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from .errors import InputError

if TYPE_CHECKING:
    from .compare import Comparison


class Row(NamedTuple):
    """A metric: its name in files, what it is called, its unit, and how it is written."""

    key: str
    label: str
    unit: str = ""
    style: str = ".3g"


ONLINE = (
    Row("energy", "energy E", "length^2 time^-2", ".4g"),
    Row("energy_ratio", "E / reference", style=".3f"),
    Row("enstrophy", "enstrophy Z", "time^-2", ".4g"),
    Row("enstrophy_ratio", "Z / reference", style=".3f"),
    Row("spectral_gap", "spectral gap", "decades"),
    Row("wasserstein", "Wasserstein distance", "sigma"),
    Row("jensen_shannon", "Jensen-Shannon", "bits"),
    Row("tail_ratio", "tail ratio, 3 sigma"),
    Row("flatness", "flatness", style=".3f"),
    Row("stability_time", "stability time", "time"),
    Row("wall_time", "wall time", "s per time"),
    Row("wall_time_ratio", "wall time / reference"),
)

A_PRIORI = (
    Row("correlation", "correlation c", style=".3f"),
    Row("correlation_spread", "its spread", style=".3f"),
    Row("correlation_forward", "c, diffusion", style=".3f"),
    Row("correlation_backscatter", "c, backscatter", style=".3f"),
    Row("relative_rmse", "relative RMSE"),
    Row("spectral_rmse", "spectral RMSE"),
    Row("energy_transfer", "<psi Pi>", "length^2 time^-3"),
    Row("energy_transfer_error", "its relative error"),
    Row("enstrophy_transfer", "<omega Pi>", "time^-3"),
    Row("enstrophy_transfer_error", "its relative error"),
)


def _text(row: Row, values: dict[str, float]) -> str:
    value = values.get(row.key, math.nan)
    if row.key == "stability_time" and math.isinf(value):
        return f"> {values['duration']:.3g}"
    return "" if math.isnan(value) else format(value, row.style)


def show(result: Comparison, stream: TextIO) -> None:
    """Write the tables: drawn with lines on a terminal, else in plain aligned text."""
    from rich.console import Console

    console = Console(file=stream, width=None if stream.isatty() else 1000, highlight=False)
    grid, (k_min, k_max) = result.grid, result.k_range
    console.print(
        f"{grid.nx} x {grid.ny} points; reference filtered by {result.filter!r}; "
        f"{len(result.reference.times)} records, t = {result.reference.times[0]:.4g} .. "
        f"{result.reference.times[-1]:.4g}; gap over {k_min:g} <= k <= {k_max:g}",
        markup=False,
    )
    _print(console, "a posteriori", ONLINE, result.online)
    if result.a_priori:
        count = result.a_priori["exact"]["samples"]
        _print(console, f"a priori, {count:.0f} samples", A_PRIORI, result.a_priori)
    for note in ("halves: the first half of the reference against the second", *result.notes):
        console.print(f"note: {note}", markup=False)


def _print(
    console: Any, title: str, rows: tuple[Row, ...], columns: dict[str, dict[str, float]]
) -> None:
    """Columns beside each other in a log; on a terminal in as many tables as its width needs."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    plain = not console.is_terminal
    label = max(len(row.label) for row in rows)
    names = list(columns)
    fitting = len(names) if plain else max(1, (console.width - label - 4) // 14)
    for first in range(0, len(names), fitting):
        table = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=not plain)
        table.add_column(title, min_width=label)
        for name in names[first : first + fitting]:
            table.add_column(Text(name), justify="right", min_width=min(11, len(name)))
        if plain:
            table.add_column("unit")
        for row in rows:
            texts = [_text(row, columns[name]) for name in names[first : first + fitting]]
            table.add_row(row.label, *texts, *([row.unit] if plain else []))
        console.print()
        console.print(table)


def write(result: Comparison, folder: Path) -> list[Path]:
    """Write table.csv, a row per flow, and table.json.

    Raises
    ------
    InputError
        They cannot be written.
    """
    rows = {
        name: result.online.get(name, {}) | result.a_priori.get(name, {})
        for name in (*result.online, *result.a_priori)
    }
    keys = list(dict.fromkeys(key for values in rows.values() for key in values))
    values = {
        "filter": result.filter.kind,
        "filter_ratio": result.filter.ratio,
        "nx": result.grid.nx,
        "ny": result.grid.ny,
        "k_min": result.k_range[0],
        "k_max": result.k_range[1],
        "a_posteriori": _finite(result.online),
        "a_priori": _finite(result.a_priori),
        "notes": result.notes,
    }
    paths = [folder / "table.csv", folder / "table.json"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with paths[0].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", *keys])
            writer.writerows([name, *(v.get(k, "") for k in keys)] for name, v in rows.items())
        paths[1].write_text(json.dumps(values, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}") from None
    return paths


def _finite(columns: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """With null for what JSON has no number for: not known, or not reached within the run."""
    return {
        name: {key: value if math.isfinite(value) else None for key, value in values.items()}
        for name, values in columns.items()
    }
