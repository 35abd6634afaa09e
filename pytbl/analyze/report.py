"""An analysis: its sections, in words and as files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..hdf5 import one_line, replacing

if TYPE_CHECKING:
    from .sections import Row, Section

_DPI = 150


@dataclass(frozen=True)
class Analysis:
    """What was found of a network.

    Attributes
    ----------
    title : str
    subject : list of str
        What was looked at, a line each.
    sections : list of Section
    left_out : list of str
        What the inputs did not allow, a line each.
    seconds : float
    """

    title: str
    subject: list[str]
    sections: list[Section]
    left_out: list[str]
    seconds: float

    def __repr__(self) -> str:
        return f"Analysis({self.title}: {', '.join(one.title for one in self.sections)})"

    def __getitem__(self, title: str) -> Section:
        """A section by its title; a `KeyError` if there is none."""
        for section in self.sections:
            if section.title == title:
                return section
        raise KeyError(title)

    def summary(self) -> str:
        """A line for each section, and for what was left out."""
        lines = [f"{one.title}: {one.gist}" for one in self.sections]
        return "\n".join(lines + [f"left out: {reason}" for reason in self._reasons()])

    def _reasons(self) -> list[str]:
        return self.left_out + [reason for one in self.sections for reason in one.left_out]

    def text(self, *, pictures: bool = False) -> str:
        """The report in Markdown, with or without its figures."""
        parts = [f"# {self.title}", "\n".join(f"- {line}" for line in self.subject)]
        found = [f"- **{one.title}.** {one.gist}" for one in self.sections]
        parts.append("\n".join(["What was found:", "", *found]))
        if self.left_out:
            parts.append("\n".join(["Left out:", "", *(f"- {line}" for line in self.left_out)]))
        parts += [one.markdown(pictures=pictures) for one in self.sections]
        return "\n\n".join(parts) + "\n"

    def save(self, folder: str | Path, *, picture: bool = True) -> list[Path]:
        """Write report.md, analysis.json, a CSV for each table, and a PNG for each figure.

        Each file appears when it is whole.

        Parameters
        ----------
        folder : path
        picture : bool
            Whether to draw, which needs matplotlib.

        Raises
        ------
        InputError
            A file cannot be written.
        """
        folder, written = Path(folder), []

        def write(name: str, how: Callable[[Path], Any]) -> None:
            with replacing(folder / name) as partial:
                how(partial)
            written.append(folder / name)

        try:
            folder.mkdir(parents=True, exist_ok=True)
            write("report.md", lambda path: path.write_text(self.text(pictures=picture)))
            write("analysis.json", lambda path: path.write_text(self._json()))
            for one in self.sections:
                for name, rows in one.tables.items():
                    write(f"{name}.csv", lambda path, rows=rows: _csv(path, rows))  # type: ignore[misc]
                for name, draw in one.figures.items() if picture else ():
                    figure = draw()
                    write(
                        f"{name}.png",
                        lambda path, f=figure: f.savefig(path, dpi=_DPI, format="png"),  # type: ignore[misc]
                    )
        except OSError as error:
            raise InputError(f"{folder} cannot be written: {one_line(error)}") from None
        return written

    def _json(self) -> str:
        values = {
            "title": self.title,
            "subject": self.subject,
            "sections": [
                {"title": one.title, "gist": one.gist, "tables": one.tables}
                for one in self.sections
            ],
            "left_out": self._reasons(),
            "seconds": self.seconds,
        }
        return json.dumps(_plain(values), indent=1, allow_nan=False) + "\n"


def _csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _plain(values: Any) -> Any:
    """For JSON: null where it has no number."""
    if isinstance(values, np.generic):
        values = values.item()
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
