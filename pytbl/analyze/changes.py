"""What transfers have done to kernels: which changed, how far, and from which class to which."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.ablation import Ablation, kernel_ablation
from ..analysis.changes import KernelChanges, kernel_changes
from ..analysis.classes import CLASSES
from ..analysis.kernels import BANDS, SHAPE, band_energies, kernel_spectra
from .sections import LeftOut, Row, Section, listed, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .subject import Subject, Transferred

    Array = np.ndarray[Any, np.dtype[Any]]

_LISTED = 10
_DRAWN = 4
_BANDS = tuple(f"change_{name}_k" for name in ("low", "middle", "high"))


def changes(subject: Subject) -> Section:
    """Kernels most changed by each transfer, before and after."""
    from ..plots.kernels import sorted_changes

    if not subject.transferred:
        raise LeftOut("kernels before and after: no transferred network was given")
    found: dict[str, KernelChanges] = {}
    figures: dict[str, Callable[[], Figure]] = {}
    rows: list[Row] = []
    transitions: list[Row] = []
    overview: list[Row] = []
    for name, one in subject.transferred.items():
        for layer in one.layers:
            before, after = (
                n.stack.layers[layer - 1].weight for n in (subject.network, one.network)
            )
            if np.array_equal(before, after):
                continue  # only its biases were re-trained
            changed = kernel_changes(before, after)
            found[f"layer {layer}" if name == str(layer) else f"{name}, layer {layer}"] = changed
            place = {"transfer": name, "layer": layer}
            rows += [place | row for row in _most_changed(changed)]
            transitions += [place | row for row in _transitions(changed)]
            overview.append(place | _overview(changed))
            file = f"kernels-{_file(name)}-layer-{layer}"
            figures[file] = partial(_draw, subject, one, layer, changed)
    if not found:
        raise LeftOut("kernels before and after: no transfer has changed a kernel")
    figures["kernel-changes"] = partial(sorted_changes, found)
    words = [
        table(
            overview,
            {
                "transfer": "re-trained",
                "layer": "layer",
                "relative": "change / weights",
                "half": "kernels with half of it",
                "kernels": "of",
                "reclassified": "in another class",
                _BANDS[0]: "low k",
                _BANDS[1]: "middle k",
                _BANDS[2]: "high k",
            },
        ),
        _legend(),
    ]
    words += [_of_the_most(name, one) for name, one in found.items()]
    return Section(
        "Kernels before and after",
        _gist(overview),
        words,
        {"changed-kernels": rows, "kernel-changes": overview, "class-transitions": transitions},
        figures,
        [] if subject.target is not None else ["what single kernels do: no target data were given"],
    )


def _file(name: str) -> str:
    return re.sub(r"[^\w+]+", "-", name)


def _overview(one: KernelChanges) -> Row:
    energy = np.sort(np.square(one.space), axis=None)[::-1].cumsum()
    change = one.after - one.before
    parts = band_energies(kernel_spectra(change, SHAPE)).sum(axis=(0, 1))
    return {
        "kernels": one.space.size,
        "relative": float(np.linalg.norm(one.space) / np.linalg.norm(one.before)),
        "half": int(np.searchsorted(energy, energy[-1] / 2)) + 1,
        "reclassified": int((one.classes_before != one.classes_after).sum()),
        **dict(zip(_BANDS, (parts / parts.sum() / _white()).tolist(), strict=True)),
    }


def _white() -> Array:
    """The part of the energy of a white kernel in each band."""
    parts: Array = band_energies(kernel_spectra(np.ones((1, 1, 1, 1)), SHAPE))[0, 0]
    return parts / parts.sum()


def _legend() -> str:
    low, high = BANDS
    return (
        f"Low, middle and high k, divided at {low:.2g} and {high:.2g} of Nyquist's: how much of "
        f"the squared change is there, over what would be of a white one."
    )


def _gist(overview: list[Row]) -> str:
    said = [
        f"re-training {row['transfer']} moved layer {row['layer']} by "
        f"{100 * row['relative']:.0f} % of its norm, half of it in {row['half']} of "
        f"{row['kernels']} kernels, and put {row['reclassified']} into another class"
        for row in overview[:4]
    ]
    text = "; ".join(said)
    more = f"; {len(overview) - 4} more in the table" if len(overview) > 4 else ""
    return f"{text[0].upper()}{text[1:]}{more}."


def _of_the_most(name: str, one: KernelChanges) -> str:
    most = one.most_changed(count=_DRAWN)
    said = [
        f"({k.output}, {k.input}) {k.before} to {k.after}" if k.before != k.after
        else f"({k.output}, {k.input}) stays {k.before}"
        for k in most
    ]  # fmt: skip
    whole = one.transitions()
    moved = whole.sum(axis=0) - whole.sum(axis=1)
    shifts = [f"{CLASSES[i]} {moved[i]:+d}" for i in range(len(CLASSES)) if moved[i]]
    return (
        f"Re-trained {name}: the most changed kernels (output, input, from 0): "
        f"{'; '.join(said)}. "
        f"Net change of the classes: {listed(shifts) or 'none'}."
    )


def _most_changed(one: KernelChanges) -> list[Row]:
    return [
        {
            "output": k.output,
            "input": k.input,
            "space": float(one.space[k.output, k.input]),
            "spectrum": k.change,
            "amplitude": float(one.amplitude[k.output, k.input]),
            "before": k.before,
            "after": k.after,
        }
        for k in one.most_changed(count=_LISTED)
    ]


def _transitions(one: KernelChanges) -> list[Row]:
    counts = one.transitions()
    return [
        {"before": CLASSES[i], "after": CLASSES[j], "kernels": int(counts[i, j])}
        for i, j in zip(*np.nonzero(counts), strict=True)
    ]


def _draw(subject: Subject, one: Transferred, layer: int, changed: KernelChanges) -> Figure:
    from ..plots.kernels import changed_kernels

    most = changed.most_changed(count=_DRAWN)
    ablations: list[Ablation] | None = None
    if subject.target is not None and one.start is not None:
        entering = _entering(subject, one, layer)
        setting = subject.target.setting
        ablations = [
            kernel_ablation(
                entering,
                (changed.before, changed.after),
                (k.output, k.input),
                bias=subject.network.stack.layers[layer - 1].bias,
                lx=setting.lx,
                ly=setting.ly,
            )
            for k in most
        ]
    return changed_kernels(changed, most, ablations=ablations)


def _entering(subject: Subject, one: Transferred, layer: int) -> Array:
    """What goes into a layer of the network that the transfer began with, on the target."""
    from ..nn import activations

    assert subject.target is not None and one.start is not None
    omega = subject.target.omega
    if layer == 1:
        return activations.inputs(one.start, omega)
    each = activations.activations(one.start, omega)
    return np.concatenate([a.after for a in each if a.layer == layer - 1])
