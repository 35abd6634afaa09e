"""The error on the target around the network, layer by layer, and the Hessian's eigenvalues."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.landscape import path_on
from ..errors import InputError
from .sections import LeftOut, Row, Section, called, table

if TYPE_CHECKING:
    from ..nn.landscape import Landscape
    from ..nn.model import PeriodicCNN
    from ..nn.selection import Selection
    from .subject import Subject, Transferred

    Array = np.ndarray[Any, np.dtype[Any]]

_POINTS, _PAIRS = 11, 5
_FEWEST_SAMPLES, _FEWEST_PAIRS = 4, 2
#: Multiplications for all surfaces together: about 20 s of one core.
_BUDGET = 6e11
_KINDS = {
    "far": "random directions, up to twice the norm of the parameters, as in the paper",
    "near": "random directions, up to a fifth of the norm, where training is on its way",
    "hessian": "the two steepest directions of the Hessian, up to a length of 1",
}
#: Part of an error that is no fall.
_NOTHING = 0.01
_SCORES = ("favourability", "mean", "range", "roughness", "non_convex", "displacement", "descent")


def landscapes(subject: Subject) -> Section:
    """Surfaces of the error, their scores, and the largest eigenvalues."""
    from ..nn.selection import Selection
    from ..plots import landscape as plot

    subject.network.known("loss landscapes")
    flow = subject.on_target("loss landscapes")
    model, setting = subject.start, flow.setting
    chosen = {name: Selection.of(name, model.config["depth"]) for name in subject.layers}
    samples, pairs = _size(model, list(chosen.values()), flow.count, setting.nx * setting.ny)
    indices = np.linspace(0, flow.count - 1, samples).round().astype(int)
    omega, pi = flow.few.batch(indices)
    found: dict[str, dict[str, Landscape]] = {kind: {} for kind in _KINDS}
    left_out = []
    for name in chosen:
        for kind in _KINDS:
            try:
                found[kind][name] = _compute(model, (omega, pi), name, (kind, pairs), subject.rng)
            except InputError as reason:
                left_out.append(f"the landscape of {called(name)}, {kind}: {reason}")
    rows = [
        {"layers": name, "directions": kind} | row
        for kind, of in found.items()
        for name, one in of.items()
        for row in _rows(one)
    ]
    if not rows:
        raise LeftOut("; ".join(left_out))
    steps = _steps(subject, found["hessian"])
    hessians = [_eigen(name, one) for name, one in found["hessian"].items()]
    words = [
        f"The error <(Pi_p - Pi)^2> / <Pi^2> on {samples} samples of the target around the base "
        f"network{_beginning(subject)}; {pairs} pairs of random directions, {_POINTS} x {_POINTS} "
        f"points."
        + (f" Fewer than {flow.count} samples, for the cost." if samples < flow.count else ""),
        table(_shown(rows)),
        "Favourable is low, smooth, convex and with its minimum near: a number between 0 and 1 of "
        "this package's own. " + _legend(),
    ]
    if hessians:
        heads = {"layers": "layers", "first": "largest eigenvalue", "second": "second"}
        words.append(
            table(hessians, heads | {"negative": "share of negative", "ritz": "of Ritz values"})
        )
    if steps:
        words.append(table(steps, {name: name.replace("_", " ") for name in steps[0]}))
        words.append(_of_the_steps(steps))
    figures: dict[str, Any] = {}
    for kind, of in found.items():
        if of:
            file = "landscapes" if kind == "far" else f"landscapes-{kind}"
            figures[file] = partial(_draw, subject, kind, of)
    if found["hessian"]:
        pairs_of = {name: one.hessian for name, one in found["hessian"].items()}
        figures["hessian-eigenvalues"] = partial(plot.eigenvalues, pairs_of)  # type: ignore[arg-type]
    tables = {"landscapes": rows} | ({"hessian": hessians} if hessians else {})
    tables |= {"steps": steps} if steps else {}
    return Section("Loss landscapes", _gist(subject, rows), words, tables, figures, left_out)


def _legend() -> str:
    return "; ".join(f"{kind}: {words}" for kind, words in _KINDS.items()) + "."


def _size(model: PeriodicCNN, chosen: list[Selection], most: int, points: int) -> tuple[int, int]:
    """Samples and pairs that the budget allows, the same for all layers, or they do not compare."""
    sizes = [weight.numel() for weight, _ in model.kernels()]
    once = points * sum(sum(sizes[one.layers[0] - 1 :]) for one in chosen) * _POINTS**2
    # a point of every surface: two kinds of random pairs, and the Hessian's plane
    for pairs in range(_PAIRS, _FEWEST_PAIRS - 1, -1):
        samples = int(_BUDGET / (once * (2 * pairs + 1)))
        if samples >= _FEWEST_SAMPLES:
            break
    return min(max(samples, min(_FEWEST_SAMPLES, most)), most), pairs


def _compute(
    model: PeriodicCNN, fields: Any, layers: str, how: tuple[str, int], rng: int
) -> Landscape:
    from ..nn.landscape import LAZY, landscape

    kind, pairs = how
    if kind == "hessian":
        return landscape(model, fields, layers, kind="hessian", points=_POINTS, rng=rng)
    reach = LAZY if kind == "near" else None
    return landscape(model, fields, layers, reach=reach, points=_POINTS, pairs=pairs, rng=rng)


def _rows(one: Landscape) -> list[Row]:
    """A row for each score: the Hessian's plane is one, and has no spread."""
    if len(one.surfaces) > 1:
        return [{"score": name} | value._asdict() for name, value in one.summary().items()]
    scores = vars(one.scores()[0])
    return [{"score": name, "mean": value} for name, value in scores.items()]


def _shown(rows: list[Row]) -> list[Row]:
    """A row for each layer and kind, a column for each score."""
    shown: dict[tuple[str, str], Row] = {}
    for row in rows:
        place = row["directions"], row["layers"]
        one = shown.setdefault(place, {"directions": place[0], "layers": place[1]})
        if row["score"] in _SCORES:
            spread = f" +- {row['spread']:.2g}" if "spread" in row else ""
            one[row["score"].replace("_", " ")] = f"{row['mean']:.3g}{spread}"
    return list(shown.values())


def _eigen(name: str, one: Landscape) -> Row:
    assert one.hessian is not None
    values, residuals = one.hessian.values.tolist(), one.hessian.residuals.tolist()
    return {
        "layers": name,
        "first": values[0],
        "second": values[1],
        "first_residual": residuals[0],
        "second_residual": residuals[1],
        "negative": one.hessian.negative_share,
        "ritz": len(one.hessian.ritz),
        "converged": one.hessian.converged,
    }


def _steps(subject: Subject, planes: dict[str, Landscape]) -> list[Row]:
    """How far transfers of the same layers went, and how much of it the steepest plane shows."""
    rows = []
    for name, one in subject.transferred.items():
        step = _step(subject, one)
        if step is None:
            continue
        moved, norm = step
        length = float(np.linalg.norm(moved))
        within = math.nan
        if one.name in planes:
            within = float(path_on(moved[None], planes[one.name].directions[0])[1][0])
        rows.append(
            {
                "re-trained": name,
                "step": length,
                "parameters": norm,
                "relative": length / norm if norm else math.nan,  # biases begin as zeros
                "within_the_steepest_plane": within,
            }
        )
    return rows


def _step(subject: Subject, one: Transferred) -> tuple[Array, float] | None:
    """Change of the re-trained parameters, and the norm they had."""
    from ..nn.selection import Selection

    if not one.layers or one.network.model is None:
        return None
    selection = Selection.of(one.name, len(subject.network.stack))
    before, after = (
        np.concatenate(
            [p.detach().double().cpu().numpy().ravel() for p in selection.parameters(m).values()]
        )
        for m in (subject.network.known("steps"), one.network.model)
    )
    return after - before, float(np.linalg.norm(before))


def _of_the_steps(steps: list[Row]) -> str:
    shares = [round(100 * row["relative"]) for row in steps if row["parameters"]]
    if not shares:
        return "Transfers moved parameters that were zero."
    span = f"{shares[0]}" if len(set(shares)) == 1 else f"{min(shares)} to {max(shares)}"
    return (
        f"Transfers moved the parameters by {span} % of their norm; the near surfaces reach 20 %, "
        f"the far ones 200 %."
    )


def _beginning(subject: Subject) -> str:
    return ", with the normalisation that the transfers began with" if subject.transferred else ""


def _draw(subject: Subject, kind: str, of: dict[str, Landscape]) -> Any:
    from ..plots.landscape import surfaces

    panels = {called(name): one.surfaces[0] for name, one in of.items()}
    paths = {}
    for name, one in of.items() if kind == "hessian" else ():
        step = _step(subject, subject.transferred[name]) if name in subject.transferred else None
        if step is not None:
            end = path_on(step[0][None], one.directions[0])[0][0]
            paths[called(name)] = np.stack([np.zeros(2), end])
    return surfaces(panels, next(iter(of.values())).coordinates, paths=paths)


def _gist(subject: Subject, rows: list[Row]) -> str:
    """The most favourable layers, what is in reach, and whether a sweep says the same."""
    said = [
        _best(rows, (kind, score), words)
        for kind, score, words in (
            ("far", "favourability", "far from the network, the most favourable is"),
            ("near", "favourability", "near it"),
            ("near", "descent", "the error falls most within the near squares for"),
        )
    ]
    falls = [_share_of_fall(rows, name) for name in subject.layers]
    if max(falls) < _NOTHING:
        said[-1] = (
            f"the error falls by less than {_NOTHING:.0%} of itself within the near squares, which "
            f"show nothing of what training may gain"
        )
    if not said[0]:
        return "There is one set of layers only, and nothing to compare."
    text = "; ".join(said)
    means = subject.sweep.mean() if subject.sweep is not None else {}
    known = [name for name in subject.layers if name in means]
    if len(known) > 1:
        best = min(known, key=lambda name: means[name])
        text += f"; in the sweep, {called(best)} has the least error of these"
    return f"{text[0].upper()}{text[1:]}."


def _share_of_fall(rows: list[Row], layers: str) -> float:
    """By what part of itself the error falls, on average over the near squares of some layers."""
    place = ("near", layers)
    near = {r["score"]: r["mean"] for r in rows if (r["directions"], r["layers"]) == place}
    return near["descent"] / near["centre"] if near.get("centre") else 0.0


def _best(rows: list[Row], which: tuple[str, str], words: str) -> str:
    """The layers that come first by a score, and whether the next are told from them."""
    marks = {r["layers"]: r for r in rows if (r["directions"], r["score"]) == which}
    if len(marks) < 2:
        return ""
    order = sorted(marks, key=lambda name: -marks[name]["mean"])
    first, second = (marks[name] for name in order[:2])
    sure = "" if first["low"] > second["high"] else ", not significantly"
    return (
        f"{words} {called(order[0])}{sure} ({first['mean']:.2g}, {second['mean']:.2g} for "
        f"{called(order[1])})"
    )
