r"""Closures: models of the sub-grid-scale (SGS) term. They add with ``+`` and scale with ``*``.

A closure is any object with ``add(source_hat, state)``, which adds its estimate of

.. math:: \Pi = \overline{N(\omega)} - N_c(\bar\omega)

(`pytbl.subgrid`) to the right-hand side of the filtered vorticity equation; ``bind(grid)`` is
called once before, where it exists. `evaluate` gives the estimate for any field.

Constants are only meaningful with the width that they multiply. A closure that has a width has a
`ratio`, and its width is ``ratio * sqrt(dx dy)``: 1 for eddy viscosities (the width is the grid's
spacing L/N, as in the codes of Guan et al.), 2 for gradient models (the width is that of the
filter, 2 L/N in Subel et al. 2023). py2d's eddy viscosities use 2 L/N: double its constants, or say
``ratio=2``.
"""

from __future__ import annotations

from typing import Any

from ..composition import Composable, Sum
from .base import Closure, ClosureOfWidth, State, evaluate
from .clipping import WithoutBackscatter
from .dynamic import Dynamic, DynamicLeith, DynamicSmagorinsky
from .eddy_viscosity import EddyViscosity, Hyperviscosity, Leith, Smagorinsky
from .gradient import Gradient
from .jansen_held import JansenHeld

__all__ = [
    "CLOSURES",
    "Closure",
    "ClosureOfWidth",
    "Composable",
    "Dynamic",
    "DynamicLeith",
    "DynamicSmagorinsky",
    "EddyViscosity",
    "Gradient",
    "Hyperviscosity",
    "JansenHeld",
    "Leith",
    "Smagorinsky",
    "State",
    "Sum",
    "WithoutBackscatter",
    "evaluate",
]

#: By the names of case files.
CLOSURES: dict[str, Any] = {
    "hyperviscosity": Hyperviscosity,
    "smagorinsky": Smagorinsky,
    "leith": Leith,
    "dynamic-smagorinsky": DynamicSmagorinsky,
    "dynamic-leith": DynamicLeith,
    "jansen-held": JansenHeld,
    "gradient": Gradient,
}
