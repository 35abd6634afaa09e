"""Closures that come with the package, each with a card beside it that says how it was made."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError

PREFIX = "zoo:"
_HERE = Path(__file__).parent


def names() -> list[str]:
    """Names of the closures."""
    return sorted(path.stem for path in _HERE.glob("*.closure"))


def card(name: str) -> str:
    """What there is to know of a closure, as Markdown; errors as `path`."""
    return path(name).with_suffix(".md").read_text()


def path(name: str) -> Path:
    """The file of a closure.

    Raises
    ------
    InputError
        There is none of that name: the names of those there are.
    """
    name = name.removeprefix(PREFIX)
    if name not in names():
        raise InputError(f"no closure {name!r} in the zoo: expected one of {', '.join(names())}")
    return _HERE / f"{name}.closure"


def located(name: str | Path, folder: Path = Path()) -> Path:
    """The file that a user names: ``zoo:NAME``, or a path that begins at a folder."""
    return path(str(name)) if str(name).startswith(PREFIX) else folder / name
