"""An analysis: its sections, in words and as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..hdf5 import one_line
from ..plots.style import save_figure
from ..text_files import write_csv, write_json, write_text

if TYPE_CHECKING:
    from .sections import Section


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

        def write(name: str, how: Callable[..., None], what: Any) -> None:
            how(folder / name, what)
            written.append(folder / name)

        try:
            folder.mkdir(parents=True, exist_ok=True)
            write("report.md", write_text, self.text(pictures=picture))
            write("analysis.json", write_json, self._values())
            for one in self.sections:
                for name, rows in one.tables.items():
                    write(f"{name}.csv", write_csv, rows)
                for name, draw in one.figures.items() if picture else ():
                    write(f"{name}.png", save_figure, draw())
        except OSError as error:
            raise InputError(f"{folder} cannot be written: {one_line(error)}") from None
        return written

    def _values(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "subject": self.subject,
            "sections": [
                {"title": one.title, "gist": one.gist, "tables": one.tables}
                for one in self.sections
            ],
            "left_out": self._reasons(),
            "seconds": self.seconds,
        }
