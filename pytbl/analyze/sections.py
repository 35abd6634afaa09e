"""Parts of a report: words, tables and figures, and what an input did not allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]


class LeftOut(Exception):
    """What an input does not allow, and why, in a line."""


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    title : str
    gist : str
        In a sentence, what was found.
    words : list of str
        Paragraphs of Markdown.
    tables : dict of list of dict
        Rows by the name of their file.
    figures : dict of callable
        What draws each, by the name of its file: drawing needs matplotlib, the numbers do not.
    left_out : list of str
        What could not be said.
    """

    title: str
    gist: str
    words: list[str] = field(default_factory=list)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    figures: dict[str, Callable[[], Figure]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def markdown(self, *, pictures: bool) -> str:
        """The section in Markdown, with or without its figures."""
        parts = [f"## {self.title}", self.gist, *self.words]
        if self.tables:
            parts.append("Tables: " + ", ".join(f"{name}.csv" for name in self.tables) + ".")
        if pictures:
            parts += [f"![{name}]({name}.png)" for name in self.figures]
        parts += [f"Left out: {reason}." for reason in self.left_out]
        return "\n\n".join(parts)


def table(rows: Sequence[Row], columns: Mapping[str, str] | None = None) -> str:
    """Rows as a table of Markdown: all columns, or some by what their heads are to be."""
    heads = dict(columns) if columns else {name: name for name in rows[0]}
    lines = [list(heads.values()), ["---"] * len(heads)]
    lines += [[cell(row.get(name)) for name in heads] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """A number to three figures, or a text; nothing where there is none."""
    if value is None or value != value:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def listed(names: Sequence[Any]) -> str:
    """Names in a sentence: "a, b and c"."""
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def called(layers: str) -> str:
    """Layers in a sentence: "layer 2", "layers 2+5", "all"."""
    if layers.split(":")[0].isdecimal():
        return f"layer {layers}"
    return f"layers {layers}" if layers[0].isdecimal() else layers
