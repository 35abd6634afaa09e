"""All that can be said of a network from what there is: words, tables and figures in one folder.

The pieces are in `pytbl.analysis`, arrays in and numbers out; here they are gathered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from . import activations, changes, flows, kernels, landscapes, transfers
from .report import Analysis
from .sections import LeftOut, Section
from .subject import Subject

__all__ = ["Analysis", "Section", "analyze"]

_PARTS: tuple[Callable[[Subject], Section], ...] = (
    flows.flows,
    transfers.transfers,
    transfers.losses,
    kernels.classes,
    kernels.clusters,
    changes.changes,
    activations.activations,
    activations.linear,
    activations.identities,
    landscapes.landscapes,
)


def analyze(
    network: Any,
    *,
    target: Any = None,
    base_data: Any = None,
    transferred: Iterable[Any] = (),
    sweep: Any = None,
    samples: int = 20,
    layers: Iterable[str | int] | None = None,
    rng: int = 0,
) -> Analysis:
    """Study a network, the flows it is used on, and what transfers made of it.

    Parameters
    ----------
    network : path, PeriodicCNN or Stack
        A closure or "zoo:NAME"; or arrays: a file .npz, or a state dict of torch, .pt or .pth.
    target, base_data : path, paths, or samples, optional
        Of the flow that it is to serve, and of the one that it was trained for.
    transferred : iterable of paths or PeriodicCNN
        What re-training made of the network.
    sweep : path or Sweep, optional
        The folder of a finished `pytbl sweep`.
    samples : int
        Whose activations and errors are looked at, evenly spaced over the data.
    layers : iterable of str or int, optional
        Sets of layers whose clusters and landscapes are looked at, "2" or "2+5"; by default 2 and
        the last hidden one.
    rng : int
        Seed of bootstraps, clusters and directions.

    Returns
    -------
    Analysis
        What the inputs do not allow is in its `left_out`.

    Raises
    ------
    InputError
        An input cannot be read or does not fit the network, a layer does not exist (those that do
        are named), or there are too few samples.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Figs. 2-6.
    """
    start = time.perf_counter()
    subject = Subject.of(
        network,
        target=target,
        base_data=base_data,
        transferred=transferred,
        sweep=sweep,
        samples=samples,
        layers=layers,
        rng=rng,
    )
    sections: list[Section] = []
    left_out = [f"part of the network: {part}" for part in subject.network.stack.left_out]
    for part in _PARTS:
        try:
            sections.append(part(subject))
        except LeftOut as reason:
            left_out.append(str(reason))
    return Analysis(
        title=f"Analysis of {subject.network.name}",
        subject=_lines(subject),
        sections=sections,
        left_out=left_out,
        seconds=time.perf_counter() - start,
    )


def _lines(subject: Subject) -> list[str]:
    """What was looked at."""
    lines = [f"network: {subject.network.model or subject.network.stack!r}"]
    lines += [
        f"{what}: {flow.called}"
        for what, flow in (("target", subject.target), ("base data", subject.base_data))
        if flow is not None
    ]
    lines += [f"re-trained {name}: {one.network.name}" for name, one in subject.transferred.items()]
    if subject.sweep is not None:
        lines.append(f"sweep: {subject.sweep!r}")
    return lines
