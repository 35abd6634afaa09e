"""Convolutional networks as closures: define, train, keep in one file, run in an LES.

The only part of the package that needs torch.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:  # pragma: no cover
    raise ImportError("pytbl.nn needs torch: pip install 'pytbl[nn]'") from error

from . import artifact, zoo
from .artifact import load_model, save
from .closure import CNNClosure
from .losses import MeanSquare, TransferConstrained
from .model import PeriodicCNN
from .setting import Setting
from .sweep import sweep
from .sweep_table import Sweep
from .train import train
from .training import Result
from .transfer import Transfer, transfer

__all__ = [
    "CNNClosure",
    "MeanSquare",
    "PeriodicCNN",
    "Result",
    "Setting",
    "Sweep",
    "Transfer",
    "TransferConstrained",
    "artifact",
    "load_model",
    "save",
    "sweep",
    "train",
    "transfer",
    "zoo",
]
