"""What re-training every layer gave: correlation by layer, beside the baselines, and losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .sections import LeftOut, Row, Section, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..nn.sweep_table import Sweep
    from .subject import Subject

_UNTOUCHED, _REFERENCE = "nothing", "reference"
#: Hidden layers whose order can be told.
_ORDERED = 4


def transfers(subject: Subject) -> Section:
    """The table of a sweep, and whether shallow layers or deep ones are better."""
    from ..nn.sweep_table import with_spread
    from ..plots.transfer import correlation_per_layer

    if subject.sweep is None:
        raise LeftOut("correlation by layer: no sweep was given")
    rows = subject.sweep.summary()
    shown: list[Row] = [
        {
            "re-trained": row["layers"],
            "seeds": row["seeds"],
            "correlation": with_spread(row, "correlation"),
            "error": with_spread(row, "error"),
            "over samples": f"{row['correlation_spread']:.3f}",
            "gap closed": _closed(subject.sweep, row["correlation"]),
        }
        for row in rows
    ]
    sweep = subject.sweep
    return Section(
        "Transfers",
        _gist(sweep, rows),
        [
            "Mean and standard deviation over seeds, that is, over draws of the samples; "
            "over samples, the standard deviation of the correlation over test samples. The gap is "
            "that in correlation between the unchanged network and the one trained on the target.",
            table(shown),
            *_order(sweep, len(subject.network.stack)),
        ],
        {"transfers": rows},
        {"correlation": lambda: correlation_per_layer(sweep)},
    )


def _closed(sweep: Sweep, value: float) -> str:
    means = sweep.mean("correlation")
    if _UNTOUCHED not in means or _REFERENCE not in means:
        return ""
    gap = means[_REFERENCE] - means[_UNTOUCHED]
    return f"{round(100 * (value - means[_UNTOUCHED]) / gap)} %" if gap > 0 else ""


def _singles(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["layers"].isdecimal()]


def _gist(sweep: Sweep, rows: list[Row]) -> str:
    single = sorted(_singles(rows), key=lambda row: row["error"])
    if not single:
        return "The sweep has no single layers."
    best = single[0]
    near = [row["layers"] for row in single[1:] if row["error"] <= 1.05 * best["error"]]
    text = (
        f"Of single layers, re-training {best['layers']} leaves the least error, "
        f"{best['error']:.3f} (c = {best['correlation']:.3f})"
    )
    text += f", and within 5 % of it {', '.join(near)}" if near else ", no other within 5 % of it"
    means, seen = sweep.mean(), sweep.mean("correlation")
    beside = [
        f"{name} {means[name]:.3f} (c = {seen[name]:.3f})"
        for name in (_UNTOUCHED, "gain", "all", "scratch", _REFERENCE)
        if name in means
    ]
    return f"{text}; {', '.join(beside)}." if beside else f"{text}."


def _order(sweep: Sweep, depth: int) -> list[str]:
    """Rank correlation of depth and c over hidden layers, beside the published ones."""
    from scipy import stats

    means = sweep.mean("correlation")
    hidden = [n for n in range(2, depth) if str(n) in means]
    if len(hidden) < _ORDERED:
        return []
    rank = float(stats.spearmanr(hidden, [means[str(n)] for n in hidden]).statistic)
    if math.isnan(rank):
        return []
    spread = float(np.ptp([means[str(n)] for n in hidden]))
    return [
        f"Spearman's rank correlation of depth and c over the hidden layers {hidden[0]} to "
        f"{hidden[-1]} is {rank:+.2f}, and c differs by {spread:.3f} over them. Of the values in "
        f"Fig. 2 of Subel et al. (2023) it is -0.98, -0.12 and -1.00 in the three cases, and c "
        f"differs by 0.54, 0.14 and 0.19."
    ]


def losses(subject: Subject) -> Section:
    """The loss over the epochs of each transfer."""
    from ..plots.transfer import training_curves

    known = {name: one.history for name, one in subject.transferred.items() if one.history}
    if not known:
        reason = (
            "no table of the epochs lies beside the transferred networks"
            if subject.transferred
            else "no transferred network was given"
        )
        raise LeftOut(f"training losses: {reason}")
    rows = [{"re-trained": name} | row for name, of in known.items() for row in of]
    said = [
        f"re-training {name}, from {of[0]['training_loss']:.3g} to "
        f"{of[-1]['training_loss']:.3g} in {len(of)} epochs"
        for name, of in known.items()
    ]
    figures: dict[str, Callable[[], Figure]] = {"losses": lambda: training_curves(known)}
    text = "; ".join(said)
    return Section(
        "Training losses", f"{text[0].upper()}{text[1:]}.", [], {"losses": rows}, figures
    )
