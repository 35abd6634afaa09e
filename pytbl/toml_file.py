"""Files of users in TOML: tables whose keys are checked, and errors in one line."""

from __future__ import annotations

import difflib
import inspect
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import InputError


class Table(BaseModel):
    """A table of a file; a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


class KindTable(BaseModel):
    """A table whose `kind` says which other keys it has."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    def make(self, table: str, kinds: dict[str, Callable[..., Any]], *leading: Any) -> Any:
        """Call what `kind` names with the other keys."""
        if self.kind not in kinds:
            raise InputError(unknown(f"[{table}] kind", self.kind, list(kinds)))
        function = kinds[self.kind]
        names = list(inspect.signature(function).parameters)[len(leading) :]
        arguments = self.model_extra or {}
        for name in arguments:
            if name not in names:
                raise InputError(unknown(f"[{table}] key", name, ["kind", *names]))
        try:
            return function(*leading, **arguments)
        except InputError:
            raise
        except (TypeError, ValueError) as error:  # a value of the wrong type, or none
            raise InputError(f"[{table}] kind {self.kind!r}: {error}") from None


class TomlFile(Table):
    """A whole file: its tables are fields of a subclass."""

    #: In messages.
    what: ClassVar[str]
    source: Path | None = Field(default=None, exclude=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file.

        Raises
        ------
        InputError
            The file cannot be read, or a key or value cannot be used: in one line, with the valid
            names where one is unknown.
        """
        path = Path(path)
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"the {cls.what} file {path} cannot be read: {reason}") from None
        try:
            return cls.parse(text).model_copy(update={"source": path})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From TOML text; errors as `load`."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"not TOML: {error}") from None
        if "source" in values:
            raise InputError(unknown("key", "source", cls._names(())))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(cls._explain(error)) from None

    def to_toml(self) -> str:
        """The same as TOML, with every default written out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def _names(cls, place: tuple[str, ...]) -> list[str]:
        """Keys of the table at a place."""
        model: Any = cls
        for name in place:
            annotation = model.model_fields[name].annotation
            options = getattr(annotation, "__args__", (annotation,))
            model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
        return [name for name, field in model.model_fields.items() if not field.exclude]

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        """The first thing that is wrong, in one line."""
        first = error.errors()[0]
        place = tuple(str(part) for part in first["loc"])
        table = f"[{place[0]}] " if len(place) > 1 else ""
        if first["type"] == "extra_forbidden":
            where = f"{table}key" if len(place) > 1 else "table or key"
            return unknown(where, place[-1], cls._names(place[:1] if len(place) > 1 else ()))
        if first["type"] == "missing":
            kind = "key" if len(place) > 1 else "table"
            return f"{table}{kind} {place[-1]!r} is missing"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "value_error":
            return f"[{place[0]}] {message}" if place else message
        return f"{table}{place[-1]}: {message[0].lower()}{message[1:]}, got {first['input']!r}"


def as_tuple(tables: KindTable | tuple[KindTable, ...]) -> tuple[KindTable, ...]:
    """One table or several, as several."""
    return tables if isinstance(tables, tuple) else (tables,)


def unknown(what: str, name: Any, valid: list[str]) -> str:
    """What to say of a name that is not among the valid ones."""
    close = difflib.get_close_matches(str(name), valid, 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}: expected one of {', '.join(valid)}"
