"""Case files of large-eddy simulations: a case, the filter that it stands for, and a closure."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from . import filters
from .case import Case, GridTable, total
from .closures import CLOSURES
from .composition import Scaled
from .errors import InputError
from .filters import Filter
from .forcing import filtered
from .playback import Playback
from .toml_file import KindTable, Table, as_tuple, unknown


def _cnn(
    path: Path,
    *,
    every: int = 1,
    threads: int = 1,
    backend: str | None = None,
    backscatter: bool = True,
) -> Any:
    """See `pytbl.nn.CNNClosure.load`; torch is imported only where there is a network."""
    from .nn import CNNClosure

    return CNNClosure.load(
        path, every=every, threads=threads, backend=backend, backscatter=backscatter
    )


def _none() -> None:
    """No closure."""


KINDS: dict[str, Any] = {**CLOSURES, "playback": Playback, "cnn": _cnn, "none": _none}


class LESGridTable(GridTable):
    """``[grid]`` of an LES: N points carry the modes that N points can."""

    dealias: Literal["2/3", "3/2"] = "3/2"


class FilterTable(Table):
    """``[filter]``; see `pytbl.filters`."""

    kind: str = "gaussian"
    ratio: float = 2.0

    def build(self) -> Filter:
        """The filter."""
        return filters.make(self.kind, ratio=self.ratio)


class LESCase(Case):
    """A case with closures, and with the filter that the resolved field stands for.

    The filter is applied to the forcing, and to an initial field that comes from an output of a
    DNS; without the table, neither is filtered.
    """

    grid: LESGridTable
    filter: FilterTable | None = None
    closure: KindTable | tuple[KindTable, ...] = ()

    def build_closure(self, *, own_files: bool = True) -> Any:
        """The closure alone; None where there is none.

        Parameters
        ----------
        own_files : bool
            Run the Python files that the case names. A case that comes out of a data file is not
            the user's own word for it.

        Raises
        ------
        InputError
            A kind or key is unknown, a value cannot be used, or a file must not be run.
        """
        for table in as_tuple(self.closure):
            if ".py:" in table.kind and not own_files:
                raise InputError(f"{table.kind} is not run on the word of a data file")
        return total(self._closures())

    def _closures(self) -> list[Any]:
        tables = [self._located(table) for table in as_tuple(self.closure)]
        made = [term for table in tables if (term := self._make(table)) is not None]
        for closure in made:
            if self.filter is not None and hasattr(closure, "check_filter"):
                closure.check_filter(self.filter.kind, self.filter.ratio)
        return made

    def _make(self, table: KindTable) -> Any:
        extra = dict(table.model_extra or {})
        factor = extra.pop("factor", 1.0)
        if not isinstance(factor, int | float) or isinstance(factor, bool):
            raise InputError(f"[closure] factor must be a number, got {factor!r}")
        try:
            made = KindTable(kind=table.kind, **extra).make("closure", self._kinds(table.kind))
        except InputError:
            raise
        except Exception as error:  # whatever a user's own class raises
            raise InputError(f"[closure] kind {table.kind!r}: {error}") from None
        if made is not None and not callable(getattr(made, "add", None)):
            raise InputError(f"[closure] kind {table.kind!r} has no method add(source_hat, state)")
        return made if made is None or factor == 1 else Scaled.of(made, factor)

    def _kinds(self, kind: str) -> dict[str, Callable[..., Any]]:
        """Closures by name, with the one of a user's own file, ``path.py:Class``, if it is that."""
        if ".py:" not in kind:
            return KINDS
        path, _, name = kind.rpartition(":")
        return {kind: _from_file((self.source.parent if self.source else Path()) / path, name)}

    def _forcings(self) -> list[Any]:
        members = super()._forcings()
        if self.filter is None:
            return members
        return [filtered(member, self.filter.build()) for member in members]

    def _initial(self) -> KindTable:
        table = super()._initial()
        if table.kind != "file" or self.filter is None:
            return table
        extra = {"filter": self.filter.build(), **(table.model_extra or {})}
        return KindTable(kind="file", **extra)


def _from_file(path: Path, name: str) -> Callable[..., Any]:
    """A class or function of a Python file."""
    if not path.is_file():
        raise InputError(f"[closure] kind: {path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"[closure] kind: {path} cannot be imported: {error}") from None
    found = getattr(module, name, None)
    if not callable(found):
        classes = [n for n, member in vars(module).items() if inspect.isclass(member)]
        raise InputError(unknown(f"class of {path}", name, classes))
    return found
