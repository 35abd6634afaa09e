"""Samples of a filtered flow: reading them, how independent they are, and splitting them."""

from __future__ import annotations

from .reading import Samples
from .splits import Split, separate_runs, split

__all__ = ["Samples", "Split", "separate_runs", "split"]
