"""Symmetries of the vorticity equation, by which one sample becomes up to eight.

Vorticity, streamfunction and Pi are pseudo-scalars: they turn with the field, and change sign when
it is mirrored. The symmetries are the SGS term's, also where the forcing has none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

KINDS = ("rotations", "reflections")


def check(kinds: Sequence[str], *, square: bool) -> tuple[str, ...]:
    """The kinds of augmentation, checked.

    Raises
    ------
    InputError
        There is no such kind, or rotations were asked for on a grid that is not square.
    """
    if isinstance(kinds, str):
        kinds = (kinds,)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise InputError(f"augment must be among {', '.join(KINDS)}, got {unknown[0]!r}")
    if "rotations" in kinds and not square:
        raise InputError("augment 'rotations' needs a square grid, got one that is not")
    return tuple(kinds)


def transform(fields: Tensor, turns: int, mirrored: bool) -> Tensor:
    """Pseudo-scalars, shape (..., ny, nx): mirrored about x = 0, then turned by 90 degrees each.

    The turn is counter-clockwise in the plane, y pointing up.
    """
    if mirrored:  # the point x = 0 stays where it is
        fields = -fields.flip(-1).roll(1, -1)
    return torch.rot90(fields, turns, [-1, -2])


def augment(
    fields: Sequence[Tensor], kinds: Sequence[str], rng: np.random.Generator
) -> list[Tensor]:
    """Every sample of a batch under a symmetry drawn for it, the same for all of its fields.

    Parameters
    ----------
    fields : sequence of Tensor, shape (batch, ny, nx)
    kinds : sequence of str
        Of `KINDS`.
    rng : Generator
        Two numbers per sample are drawn, whatever the kinds.
    """
    count = len(fields[0])
    turns, mirrored = rng.integers(0, 4, count), rng.integers(0, 2, count)
    turns *= "rotations" in kinds
    mirrored *= "reflections" in kinds
    if not kinds:
        return list(fields)
    return [
        torch.stack([transform(f[i], int(turns[i]), bool(mirrored[i])) for i in range(count)])
        for f in fields
    ]
