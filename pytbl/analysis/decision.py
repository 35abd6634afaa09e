"""The rule by which expected errors become a recommendation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .recommendation import Candidate


def decide(
    candidates: Mapping[str, Candidate],
    order: Sequence[str],
    *,
    tolerance: float,
    negligible: float,
    samples: int,
) -> tuple[str, str]:
    """What to do, and why.

    1. Nothing, unless the gain of something exceeds the tolerance even at the lower end of its
       interval. Only what does so is considered further.
    2. The least change that needs no training, if its error is within the tolerance of the best.
    3. The best single layer, unless several layers beat it by more than the tolerance.

    Parameters
    ----------
    candidates : dict of Candidate
        From the least change of the network to the most; "nothing" is one of them.
    order : sequence of str
        Those that need training, from the best on.
    tolerance : float
        Part of an error within which it equals another.
    negligible : float
        Error, and difference of errors, that does not matter.
    samples : int
        From which the errors were found.

    Returns
    -------
    choice, reason : str
    """
    nothing = candidates["nothing"].error.value
    if nothing <= negligible:
        return "nothing", f"the error on the target, {nothing:.2g}, is negligible"
    worthwhile = max(tolerance * nothing, negligible)
    useful = {name: one for name, one in candidates.items() if one.gain.low > worthwhile}
    if not useful:
        return "nothing", _doubt(candidates, worthwhile, samples)
    least = min(one.error.value for one in useful.values())
    for name, one in useful.items():
        if not one.trained and one.error.value <= (1 + tolerance) * least + negligible:
            return name, (
                f"it removes {one.gain.value / nothing:.0%} of the error, and no training is "
                f"expected to remove more than {tolerance:.0%} of what is left"
            )
    order = [name for name in order if name in useful]
    single = [name for name in order if name.isdecimal()]
    choice = (single or order)[0]
    for name in order:
        better = useful[name].error.value < (1 - tolerance) * useful[choice].error.value
        if name not in single and better:
            choice = name
    reason = f"it removes {useful[choice].gain.value / nothing:.0%} of the error"
    if len(single) > 1:
        gains = [useful[name].gain.value / nothing for name in single]
        reason += (
            f"; single layers, from the best to the worst, {max(gains):.0%} to {min(gains):.0%}"
        )
    return choice, reason


def _doubt(candidates: Mapping[str, Candidate], worthwhile: float, samples: int) -> str:
    """That nothing is sure to gain; and what may."""
    best = min(candidates.values(), key=lambda one: one.error.value)
    if best.gain.value <= worthwhile:
        return "nothing else is expected to lower the error by more than the tolerance"
    # half the width of an interval falls with the root of the samples
    ratio = (best.gain.value - best.gain.low) / (best.gain.value - worthwhile)
    return (
        f"nothing else is sure to lower the error by more than the tolerance; {best.name} may "
        f"lower it by {best.gain}: {samples} samples are too few, about "
        f"{math.ceil(samples * ratio**2)} would tell"
    )
