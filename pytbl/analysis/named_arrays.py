"""Finding the convolutions among the named arrays of a network from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


class Found(NamedTuple):
    """Kernels and biases in the order of the arrays, and in words what the others are."""

    kernels: list[tuple[Array, Array | None]]
    left_out: list[str]


def find_kernels(arrays: Mapping[str, Array], what: str) -> Found:
    """Tell kernels, which have four axes (out, in, k, k), from the rest.

    The bias of a kernel has its name with "bias" for "weight"; or, if there is no "weight" in the
    name, comes next.

    Parameters
    ----------
    arrays : dict of str and ndarray
    what : str
        Where they are from, for messages.

    Raises
    ------
    InputError
        There is no kernel.
    """
    names = list(arrays)
    biases = {name: _bias_of(name, names, arrays) for name in names if _is_kernel(arrays[name])}
    if not biases:
        seen = ", ".join(f"{name} {arrays[name].shape}" for name in names[:5]) or "nothing"
        raise InputError(
            f"{what} has no kernels: expected arrays of shape (out, in, k, k), got {seen}"
        )
    used = {*biases, *biases.values()}
    return Found(
        [(arrays[w], None if b is None else arrays[b]) for w, b in biases.items()],
        [_words(name, arrays[name]) for name in names if name not in used],
    )


def _is_kernel(array: Array) -> bool:
    return array.ndim == 4 and array.dtype.kind == "f" and 0 not in array.shape


def _bias_of(name: str, names: list[str], arrays: Mapping[str, Array]) -> str | None:
    head, weight, tail = name.rpartition("weight")
    following = names[names.index(name) + 1 :][:1]
    bias = f"{head}bias{tail}" if weight else "".join(following)
    matches = bias in arrays and arrays[bias].shape == arrays[name].shape[:1]
    return bias if matches else None


def _words(name: str, array: Array) -> str:
    if array.ndim == 2 and array.dtype.kind == "f":
        outputs, inputs = array.shape
        return f"{name}: a dense layer from {inputs} to {outputs} values"
    return f"{name}: an array of shape {array.shape}, no kernel"
