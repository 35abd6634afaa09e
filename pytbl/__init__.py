"""Two-dimensional turbulence, its sub-grid closures, and how they transfer between flows."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        analysis,
        checkpoint,
        closures,
        diagnostics,
        errors,
        filters,
        forcing,
        initial,
        metrics,
        nn,
        samples,
    )
    from .checkpoint import Checkpoint
    from .dataset import Dataset
    from .flow import Flow
    from .grid import Grid
    from .output import Output
    from .solver import Solver

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "Dataset",
    "Flow",
    "Grid",
    "Output",
    "Solver",
    "analysis",
    "checkpoint",
    "closures",
    "diagnostics",
    "errors",
    "filters",
    "forcing",
    "initial",
    "metrics",
    "nn",
    "samples",
]

#: Where each public name lives. They are imported when first used: `import pytbl` alone loads no
#: h5py, mpi4py, torch or matplotlib.
_HOMES = {
    "Checkpoint": "checkpoint",
    "Dataset": "dataset",
    "Flow": "flow",
    "Grid": "grid",
    "Output": "output",
    "Solver": "solver",
}
_MODULES = set(__all__) - set(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
