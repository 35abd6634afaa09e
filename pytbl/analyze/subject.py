"""What an analysis is of: a network, flows, what transfers made of it, and a sweep of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.stack import Stack
from ..errors import InputError
from .sections import LeftOut

if TYPE_CHECKING:
    from ..nn.data import Samples, Source
    from ..nn.model import PeriodicCNN
    from ..nn.setting import Setting
    from ..nn.sweep_table import Sweep

    Array = np.ndarray[Any, np.dtype[Any]]

#: Files that hold arrays and do not say what goes into the network.
_ARRAYS = (".npz", ".pt", ".pth")
_NORMALISATION = ("input_mean", "input_deviation", "output_scale")


@dataclass(frozen=True)
class Network:
    """A network, and as much of it as is known.

    Attributes
    ----------
    name : str
    stack : Stack
        Its convolutions.
    model : PeriodicCNN or None
        None if only arrays are known.
    """

    name: str
    stack: Stack
    model: PeriodicCNN | None

    @classmethod
    def of(cls, network: Any) -> Network:
        """A closure, `zoo:NAME`, a file of arrays, a `PeriodicCNN` or a `Stack`.

        Raises
        ------
        InputError
            It is not a network.
        """
        if isinstance(network, str | Path) and Path(network).suffix not in _ARRAYS:
            from ..nn.artifact import load_model

            return cls(str(network), Stack.from_model(model := load_model(network)), model)
        name = str(network) if isinstance(network, str | Path) else repr(network)
        if not isinstance(network, str | Path) and hasattr(network, "kernels"):
            if network.setting is None:
                raise InputError("the network was not trained: it has no grid, filter and sign")
            return cls(name, Stack.from_model(network), network)
        return cls(name, Stack.of(network), None)

    @property
    def hidden(self) -> int:
        """The last hidden layer; the only one of a single layer."""
        return max(len(self.stack) - 1, 1)

    def known(self, what: str) -> PeriodicCNN:
        """The model, or why there is none."""
        if self.model is None:
            raise LeftOut(
                f"{what}: {self.name} holds arrays only, and not what goes into the first layer or "
                f"how it is normalised"
            )
        return self.model


class Flow:
    """Samples of a flow: all, and a few evenly spaced ones.

    Parameters
    ----------
    data : path, paths, or samples
    what : str
        For messages.
    count : int
        How many are a few.
    """

    def __init__(self, data: Any, what: str, count: int) -> None:
        self.data, self.count = data, count
        self.what = f"{what} {self.called}"

    @property
    def called(self) -> str:
        """Where they are from."""
        several = self.data if isinstance(self.data, list | tuple) else [self.data]
        return ", ".join(map(str, several))

    @cached_property
    def _source(self) -> Source:
        from ..nn.data import source

        return source(self.data)

    @cached_property
    def setting(self) -> Setting:
        """Grid, filter and sign; an `InputError` if the data cannot be read or do not say them."""
        from ..nn.setting import Setting

        return Setting.of(self._source.attributes)

    @cached_property
    def few(self) -> Samples:
        """Evenly spaced samples; an `InputError` if there are fewer."""
        from ..nn import data as torch_data

        whole = self._source
        if len(whole) < self.count:
            raise InputError(
                f"{self.what} must have at least {self.count} samples, got {len(whole)}"
            )
        chosen = np.linspace(0, len(whole) - 1, self.count).round().astype(int)
        return torch_data.Samples.few(whole, chosen, self.what)

    @property
    def omega(self) -> Array:
        """Filtered vorticity of the few [1/time], shape (samples, ny, nx)."""
        return self.few.source.read("omega", np.arange(self.count))


@dataclass(frozen=True)
class Transferred:
    """What a transfer has made of a network.

    Attributes
    ----------
    name : str
        What was re-trained: "2", "2+5", "all:bias".
    layers : tuple of int
        Whose parameters differ.
    network : Network
    start : PeriodicCNN or None
        The base network with the normalisation of the transferred one: where its training began.
    history : list of dict
        An epoch each, if the file of the history is beside that of the network.
    """

    name: str
    layers: tuple[int, ...]
    network: Network
    start: PeriodicCNN | None
    history: list[dict[str, float]]

    @classmethod
    def of(cls, path: Any, base: Network) -> Transferred:
        """Compare a network with its base.

        Raises
        ------
        InputError
            It is no network, not of the base's layers, or arrays only where the base is a closure.
        """
        network = Network.of(path)
        chosen = _changed(base, network)
        start = None
        if base.model is not None:
            if network.model is None:
                raise InputError(
                    f"{network.name} holds arrays only: what re-training made of the closure "
                    f"{base.name} must be a closure, too"
                )
            assert base.model.setting is not None and network.model.setting is not None
            base.model.setting.check(network.model.setting, base.name, network.name)
            start = renormalised(base.model, network.model)
        name = str(chosen) if chosen.chosen else "nothing"
        return cls(name, chosen.layers, network, start, _history(path))


def _changed(base: Network, other: Network) -> Any:
    """The selection of the parameters in which two networks differ."""
    from ..nn.selection import PARTS, Selection

    pairs = zip(base.stack.layers, other.stack.layers, strict=False)
    shapes = [[layer.weight.shape for layer in one.stack.layers] for one in (base, other)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{other.name} is no transfer of {base.name}: expected kernels of shapes "
            f"{_shapes(shapes[0])}, got {_shapes(shapes[1])}"
        )
    chosen = [
        (number, part)
        for number, (a, b) in enumerate(pairs, start=1)
        for part in PARTS
        if not np.array_equal(getattr(a, part), getattr(b, part))
    ]
    return Selection(len(base.stack), tuple(chosen))


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def renormalised(model: PeriodicCNN, like: PeriodicCNN) -> PeriodicCNN:
    """A copy with the normalisation of another network."""
    twin = copy.deepcopy(model)
    for name in _NORMALISATION:
        getattr(twin, name).copy_(getattr(like, name))
    return twin


def _history(path: Any) -> list[dict[str, float]]:
    """The table that a transfer, or a sweep, leaves beside a network; nothing if there is none."""
    if not isinstance(path, str | Path):
        return []
    from ..nn import history

    beside = Path(path).with_suffix(".csv"), Path(path).with_name("history.csv")
    return next((rows for one in beside if one.is_file() and (rows := history.read(one))), [])


@dataclass(frozen=True, eq=False)
class Subject:
    """All that is given.

    Attributes
    ----------
    network : Network
    target, base_data : Flow or None
    transferred : dict of Transferred
        By their names, which are those of what was re-trained.
    sweep : Sweep or None
    layers : list of str
        Sets of layers whose landscapes are drawn.
    rng : int
    """

    network: Network
    target: Flow | None
    base_data: Flow | None
    transferred: dict[str, Transferred]
    sweep: Sweep | None
    layers: list[str]
    rng: int

    @classmethod
    def of(
        cls,
        network: Any,
        *,
        target: Any,
        base_data: Any,
        transferred: Iterable[Any],
        sweep: Any,
        samples: int,
        layers: Iterable[str | int] | None,
        rng: int,
    ) -> Subject:
        """Read everything and check that it fits; see `pytbl.analyze.analyze`."""
        from ..nn import sweep_table
        from ..nn.selection import Selection

        if not (isinstance(samples, int) and samples >= 2):
            raise InputError(f"samples must be an integer >= 2, got {samples!r}")
        if not (isinstance(rng, int) and 0 <= rng < 2**32):  # what k-means takes
            raise InputError(f"rng must be an integer of 0 .. {2**32 - 1}, got {rng!r}")
        base = Network.of(network)
        depth = len(base.stack)
        wanted = list(layers or dict.fromkeys((min(2, depth), base.hidden)))
        chosen = [str(Selection.of(one, depth)) for one in wanted]
        flows = [
            None if data is None else Flow(data, what, samples)
            for data, what in ((target, "the target data"), (base_data, "the base data"))
        ]
        for flow in flows:
            if flow is None:
                continue
            setting = flow.setting  # refuses what cannot be read, whatever the network
            if base.model is not None:
                assert base.model.setting is not None
                base.model.setting.check(setting, "the network", flow.what)
                flow.few  # noqa: B018 - refuses too few samples before anything is computed
        found: dict[str, Transferred] = {}
        for path in transferred:
            one = Transferred.of(path, base)
            alike = sum(one.name == other.name for other in found.values())
            found[f"{one.name} #{alike + 1}" if alike else one.name] = one
        if sweep is not None and not hasattr(sweep, "rows"):
            sweep = sweep_table.read(sweep)
        return cls(base, flows[0], flows[1], found, sweep, chosen, rng)

    @property
    def start(self) -> PeriodicCNN:
        """The base network where the first transfer began; as it is if there is none."""
        starts = [one.start for one in self.transferred.values() if one.start is not None]
        return starts[0] if starts else self.network.known("the network on the target")

    def on_target(self, what: str) -> Flow:
        """The target flow, or that it was not given."""
        if self.target is None:
            raise LeftOut(f"{what}: no target data were given")
        return self.target
