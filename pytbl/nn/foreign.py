"""Networks that were made elsewhere: the tensors of a file of torch, and nothing else of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import InputError
from ..hdf5 import one_line

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


def read_state_dict(path: str | Path) -> dict[str, Array]:
    """The tensors of a file that torch.save wrote, by their names and in their order.

    Parameters
    ----------
    path : str or Path
        Of a state dict, or of a dict that holds one, as training scripts write.

    Returns
    -------
    dict of str and ndarray

    Raises
    ------
    InputError
        It cannot be read without executing what is in it, or it holds no tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged file, the reader may raise anything
        reason = one_line(error).split(". ")[0]  # torch goes on to advise what is unsafe
        raise InputError(f"{path} cannot be read as a state dict: {reason}") from None
    candidates = [content, *(content.values() if isinstance(content, Mapping) else ())]
    for candidate in candidates:
        if isinstance(candidate, Mapping):
            tensors = {str(k): v for k, v in candidate.items() if isinstance(v, torch.Tensor)}
            if tensors:
                return {name: _numpy(tensor) for name, tensor in tensors.items()}
    raise InputError(
        f"{path} holds no tensors: expected a state dict, got {type(content).__name__}"
    )


def _numpy(tensor: torch.Tensor) -> Array:
    if tensor.dtype == torch.bfloat16:  # numpy has none
        tensor = tensor.float()
    return tensor.detach().numpy()
