"""The error on the target around the network, layer by layer, and the Hessian's eigenvalues."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.landscape import path_on
from ..errors import InputError
from .sections import LeftOut, Row, Section, listed, table

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
    "near": "random directions, up to a fifth of the norm, where transfers end",
    "hessian": "the two steepest directions of the Hessian, up to a length of 1",
}
_SCORES = ("favourability", "mean", "range", "roughness", "non_convex", "displacement", "descent")


def landscapes(subject: Subject) -> Section:
    """Surfaces of the error, their scores, and the largest eigenvalues."""
    from ..nn.selection import Selection
    from ..plots import landscape as plot

    subject.network.known("loss landscapes")
    flow = subject.on_target("loss landscapes")
    model, setting = subject.start, flow.few.setting
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
                left_out.append(f"the landscape of layers {name}, {kind}: {reason}")
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
        f"The error <(Pi_p - Pi)^2> / <Pi^2> on {samples} samples of the target, from the network "
        f"with the target's normalisation, where a transfer begins; {pairs} pairs of random "
        f"directions, {_POINTS} x {_POINTS} points."
        + (f" Fewer than {flow.count} samples, for the cost." if samples < flow.count else ""),
        table(_shown(rows)),
        "Favourable is low, smooth, convex and with its minimum near: a number between 0 and 1 of "
        "this package's own. " + _legend(),
    ]
    if hessians:
        heads = {"layers": "layers", "first": "largest eigenvalue", "second": "second"}
        words.append(table(hessians, heads | {"negative": "share of negative Ritz values"}))
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
        "converged": one.hessian.converged,
    }


def _steps(subject: Subject, planes: dict[str, Landscape]) -> list[Row]:
    """How far transfers of the same layers went, and how much of it the steepest plane shows."""
    rows = []
    for name, one in subject.transferred.items():
        step = _step(subject, one, name)
        if step is None:
            continue
        moved, norm = step
        row = {"re-trained": name, "step": float(np.linalg.norm(moved)), "parameters": norm}
        if name in planes:
            row["within_the_steepest_plane"] = float(
                path_on(moved[None], planes[name].directions[0])[1][0]
            )
        rows.append(row)
    return rows


def _step(subject: Subject, one: Transferred, name: str) -> tuple[Array, float] | None:
    """Change of the re-trained parameters, and the norm they had."""
    from ..nn.selection import Selection

    if not one.layers or one.network.model is None:
        return None
    selection = Selection.of(name.split(",")[0], len(subject.network.stack))
    before, after = (
        np.concatenate(
            [p.detach().double().cpu().numpy().ravel() for p in selection.parameters(m).values()]
        )
        for m in (subject.network.known("steps"), one.network.model)
    )
    return after - before, float(np.linalg.norm(before))


def _of_the_steps(steps: list[Row]) -> str:
    shares = [100 * row["step"] / row["parameters"] for row in steps]
    return (
        f"Transfers moved the parameters by {min(shares):.0f} to {max(shares):.0f} % of their norm: "
        f"the far surfaces are of where training does not go."
        if max(shares) < 100
        else f"Transfers moved the parameters by up to {max(shares):.0f} % of their norm."
    )


def _draw(subject: Subject, kind: str, of: dict[str, Landscape]) -> Any:
    from ..plots.landscape import surfaces

    panels = {f"layers {name}": one.surfaces[0] for name, one in of.items()}
    paths = {}
    if kind == "hessian":
        for name, one in of.items():
            step = (
                _step(subject, subject.transferred[name], name)
                if name in subject.transferred
                else None
            )
            if step is not None:
                end = path_on(step[0][None], one.directions[0])[0][0]
                paths[f"layers {name}"] = np.stack([np.zeros(2), end])
    return surfaces(panels, next(iter(of.values())).coordinates, paths=paths)


def _gist(subject: Subject, rows: list[Row]) -> str:
    """The most favourable layers near and far, and whether a sweep says the same."""
    said = []
    for kind in ("far", "near"):
        marks = {
            row["layers"]: row
            for row in rows
            if row["directions"] == kind and row["score"] == "favourability"
        }
        if len(marks) < 2:
            continue
        order = sorted(marks, key=lambda name: -marks[name]["mean"])
        first, second = (marks[name] for name in order[:2])
        sure = "clearly" if first["low"] > second["high"] else "not significantly"
        said.append(
            f"{kind} from the network, layers {order[0]} are the most favourable, {sure} "
            f"({first['mean']:.3g} to {second['mean']:.3g} of layers {order[1]})"
        )
    if not said:
        return "There is one set of layers only, and nothing to compare."
    text = "; ".join(said)
    known = [n for n in subject.layers if subject.sweep and n in subject.sweep.names]
    if subject.sweep is not None and len(known) > 1:
        errors = {name: subject.sweep.mean()[name] for name in known}
        best = min(errors, key=lambda name: errors[name])
        text += f"; in the sweep, of layers {listed(known)}, {best} have the least error"
    return f"{text[0].upper()}{text[1:]}."
