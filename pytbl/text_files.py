"""Tables and values as text, in files that appear when they are whole."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .hdf5 import replacing


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text."""
    with replacing(path) as partial:
        partial.write_text(text)


def write_csv(
    path: Path, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str] | None = None
) -> None:
    """Replace a file by a table, whose columns are by default those that any row has."""
    text = io.StringIO()
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    table = csv.DictWriter(text, names, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, values: Any) -> None:
    """Replace a file by values, of which dataclasses and named tuples become names with values."""
    write_text(path, json.dumps(_plain(values), indent=1, allow_nan=False) + "\n")


def _plain(values: Any) -> Any:
    """What JSON can hold, with null where it has no number."""
    if is_dataclass(values):
        values = {one.name: getattr(values, one.name) for one in fields(values)}
    if hasattr(values, "_asdict"):
        values = values._asdict()
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, np.generic):
        values = values.item()
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
