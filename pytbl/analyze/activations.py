"""Which wavenumbers the layers carry, on both flows and after transfers; exact identities."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.activations import LayerSpectra, activation_spectra
from ..analysis.bands import band_edges
from ..analysis.departures import LinearShare, departure, linear_shares
from ..analysis.identities import check_identities
from .sections import LeftOut, Row, Section, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..nn.model import PeriodicCNN
    from .subject import Flow, Subject

    Spectra = dict[str, list[LayerSpectra]]

OWN, TARGET, RENORMALISED = "base on base", "base on target", "base on target, re-normalised"
_SCALES = ("large", "middle", "small")
#: Samples on which identities are checked.
_CHECKED = 4
#: A shift of a spectrum below this is none [decades].
_SHIFT = 0.005


def activations(subject: Subject) -> Section:
    """Spectra of activations layer by layer."""
    from ..plots.activations import activation_spectra as draw

    spectra, starts = _spectra(subject)
    rows = [row for name, one in spectra.items() for row in _shells(name, one)]
    pairs = _pairs(spectra, starts)
    compared = [row for one, other in pairs for row in _compare(spectra, one, other)]
    left_out = [
        f"the base network on its {what}: no such data were given"
        for what, flow in (("own flow", subject.base_data), ("target", subject.target))
        if flow is None
    ]
    hidden = subject.network.hidden
    words = [
        f"Means over {next(iter(spectra.values()))[0].after.shape[0]} samples and all channels. "
        f"How far the spectra of a layer are apart is the root mean square over shells of the "
        f"logarithm of their ratio; the ratios by scale are means of that logarithm."
    ]
    if RENORMALISED in spectra:
        words.append(
            "Re-normalised: the base network with the normalisation of the transferred one, so "
            "that what is then different is what was re-trained, and not its units."
        )
    last = [row for row in compared if row["layer"] == hidden]
    gist = f"There is one set of spectra only, of the network: {next(iter(spectra))}."
    if compared:
        heads = {"compared": "compared", "layer": "layer", "departure": "apart [decades]"}
        heads |= {f"ratio_{scale}": f"ratio, {scale} scales" for scale in _SCALES}
        words.append(table(compared, heads))
        gist = " ".join(map(_say, last))
    return Section(
        "Activation spectra",
        gist,
        words,
        {"activation-spectra": rows} | ({"activation-departures": compared} if compared else {}),
        {"activation-spectra": lambda: draw(spectra)},
        left_out,
    )


@lru_cache(maxsize=1)
def _spectra(subject: Subject) -> tuple[Spectra, dict[str, str]]:
    """Of all that can be run; and the name of what each transfer began with."""
    model = subject.network.known("activation spectra")
    if subject.target is None and subject.base_data is None:
        raise LeftOut("activation spectra: neither base nor target data were given")
    found: Spectra = {}
    starts: dict[str, str] = {}
    if subject.base_data is not None:
        found[OWN] = _run(model, subject.base_data)
    if subject.target is None:
        return found, starts
    known = {TARGET: _run(model, subject.target)}
    for name, one in subject.transferred.items():
        assert one.start is not None
        begun = _run(one.start, subject.target)
        same = [label for label, spectra in known.items() if not _differ(spectra, begun)]
        label = RENORMALISED if RENORMALISED not in known else f"{RENORMALISED} for {name}"
        starts[f"re-trained {name}"] = (same or [label])[0]
        known.setdefault(starts[f"re-trained {name}"], begun)
    found |= known
    for name, one in subject.transferred.items():
        assert one.network.model is not None
        found[f"re-trained {name}"] = _run(one.network.model, subject.target)
    return found, starts


def _run(model: PeriodicCNN, flow: Flow) -> list[LayerSpectra]:
    from ..nn.activations import activations as run

    setting = flow.setting
    return activation_spectra(run(model, flow.omega), lx=setting.lx, ly=setting.ly)


def _differ(one: list[LayerSpectra], other: list[LayerSpectra]) -> bool:
    return any(not np.array_equal(a.after, b.after) for a, b in zip(one, other, strict=True))


def _pairs(spectra: Spectra, starts: dict[str, str]) -> list[tuple[str, str]]:
    """What is compared with what: flows by the base network, then each transfer with its start."""
    seen = [name for name in (TARGET, RENORMALISED) if name in spectra and OWN in spectra]
    return [*((OWN, name) for name in seen), *((start, name) for name, start in starts.items())]


def _shells(name: str, spectra: list[LayerSpectra]) -> list[Row]:
    rows = []
    for one in spectra:
        for side in ("before", "after"):
            low, high = one.percentiles(side)
            rows += [
                {
                    "network": name,
                    "layer": one.layer,
                    "relu": side,
                    "k": float(k),
                    "mean": float(mean),
                    "percentile_25": float(a),
                    "percentile_75": float(b),
                }
                for k, mean, a, b in zip(one.k, one.mean(side), low, high, strict=True)
            ]
    return rows


def _compare(spectra: Spectra, one: str, other: str) -> list[Row]:
    rows = []
    for a, b in zip(spectra[one], spectra[other], strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.log10(b.mean()) - np.log10(a.mean())
        edges = [0.0, *band_edges(a.k), math.inf]
        inside = [(low <= a.k) & (a.k < high) for low, high in pairwise(edges)]
        ratios = [float(10 ** change[i].mean()) if i.any() else math.nan for i in inside]
        rows.append(
            {"compared": f"{other} / {one}", "layer": a.layer, "departure": departure(a, b)}
            | {f"ratio_{scale}": r for scale, r in zip(_SCALES, ratios, strict=True)}
        )
    return rows


def _say(row: Row) -> str:
    if not row["departure"] > _SHIFT:
        return f"{row['compared']}: no change at layer {row['layer']}."
    ratios = ", ".join(f"{row[f'ratio_{scale}']:.2f} at {scale}" for scale in _SCALES)
    return (
        f"{row['compared']}: at layer {row['layer']} {row['departure']:.2f} decades apart, "
        f"{ratios} scales."
    )


# ------------------------------------------------------------------------ linear and identities ---


def linear(subject: Subject) -> Section:
    """The linear-activation experiment: what kernels do to spectra, and what ReLU does."""
    spectra, starts = _spectra(subject)
    pairs = _pairs(spectra, starts)
    if not pairs:
        raise LeftOut(
            "the linear-activation experiment: it compares two flows or two networks, and there is "
            "one"
        )
    rows: list[Row] = []
    figures: dict[str, Callable[[], Figure]] = {}
    said = []
    for number, (one, other) in enumerate(pairs, start=1):
        shares = linear_shares(spectra[one], spectra[other])[: subject.network.hidden]
        rows += [{"compared": f"{other} / {one}"} | share._asdict() for share in shares]
        layers = _interesting(subject, other)
        figures[f"linear-{number}"] = partial(_draw, {n: spectra[n] for n in (one, other)}, layers)
        said.append(_share(f"{other} / {one}", shares))
    words = [
        "With ReLU kept in all layers before, a layer without its own gives its pre-activations: "
        "what of the change of the spectrum they show already is linear. A share above 1 means "
        "that ReLU opposes it.",
        table(
            rows,
            {
                "compared": "compared",
                "layer": "layer",
                "change": "change [decades]",
                "linear": "linear",
                "relu": "ReLU adds",
                "share": "linear share",
            },
        ),
    ]
    tables = {"linear-shares": rows}
    return Section("Linear or ReLU", " ".join(said), words, tables, figures)


def _interesting(subject: Subject, name: str) -> list[int]:
    """The re-trained layers, or those that were chosen, and the last hidden one."""
    one = subject.transferred.get(name.removeprefix("re-trained "))
    layers = one.layers if one else [int(n) for n in subject.layers if n.isdecimal()]
    hidden = subject.network.hidden
    return sorted({layer for layer in layers if layer <= hidden} | {hidden})[-4:]


def _share(name: str, shares: list[LinearShare]) -> str:
    known = [one.share for one in shares if not math.isnan(one.share) and one.change > _SHIFT]
    if not known:
        return f"{name}: nothing changes in the hidden layers."
    return (
        f"{name}: the linear share of the change is {min(known):.2f} to {max(known):.2f} in the "
        f"hidden layers that change, {len(known)} of {len(shares)}."
    )


def _draw(pair: dict[str, Any], layers: list[int]) -> Figure:
    from ..plots.activations import linear_and_relu

    return linear_and_relu(pair, layers=layers)


def identities(subject: Subject) -> Section:
    """The convolution theorem, ReLU's identity, and the padding defect, on this network."""
    from ..nn.activations import activations as run
    from ..nn.activations import inputs

    model = subject.network.known("identities in Fourier space")
    flow = subject.target or subject.base_data
    if flow is None:
        raise LeftOut("identities in Fourier space: neither base nor target data were given")
    omega = flow.omega[:_CHECKED]
    found = check_identities(subject.network.stack, inputs(model, omega), run(model, omega))
    rows = [{k: v for k, v in one._asdict().items() if k != "defect"} for one in found]
    theorem = max(one.convolution for one in found)
    relu = np.nanmax([one.relu for one in found]) if len(found) > 1 else 0.0
    defect = max(found, key=lambda one: one.padding_defect)
    circular = subject.network.stack.padding == "circular"
    exact = max(theorem, relu) < 1e-4
    gist = (
        f"The convolution theorem holds to {theorem:.1g} and the identity of ReLU to {relu:.1g}"
        f"{'' if exact else ', which is more than rounding'}; "
    )
    gist += (
        "circular padding has no defect."
        if circular
        else f"padding with zeros makes the theorem wrong by up to {defect.padding_defect:.2g} of "
        f"the pre-activations, at layer {defect.layer}."
    )
    words = [
        f"On {len(omega)} samples, in the network's own precision, over the norm of the "
        f"pre-activations.",
        table(
            rows,
            {
                "layer": "layer",
                "convolution": "convolution theorem",
                "relu": "identity of ReLU",
                "padding_defect": "padding defect",
            },
        ),
    ]
    return Section("Identities in Fourier space", gist, words, {"identities": rows})
