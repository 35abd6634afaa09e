"""How far activation spectra depart from each other, layer by layer, and what makes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .activations import SIDES

if TYPE_CHECKING:
    from .activations import LayerSpectra

    Array = np.ndarray[Any, np.dtype[Any]]

#: Changes of spectra below this are single precision's [decades].
_UNCHANGED = 1e-5


def departure(
    one: LayerSpectra,
    other: LayerSpectra,
    *,
    side: str = "after",
    band: tuple[float, float] = (0.0, math.inf),
) -> float:
    r"""Root mean square over shells of :math:`\log_{10}` of the ratio of two spectra [decades].

    Parameters
    ----------
    one, other : LayerSpectra
        Of the same layer of two networks, or on two flows.
    side : {"before", "after"}
        Of pre-activations, or of activations.
    band : (float, float)
        The shells that count have ``band[0] <= k < band[1]`` [1/length].

    Returns
    -------
    float
        0 for equal spectra; infinite if only one of them is zero anywhere.

    Raises
    ------
    InputError
        The two have different wavenumbers, or none of them lies in the band.
    """
    k, change = _change(one, other, side)
    inside = (band[0] <= k) & (k < band[1])
    if not inside.any():
        raise InputError(
            f"no shell lies in {band[0]:g} <= k < {band[1]:g}: they are {k[0]:g} .. {k[-1]:g}"
        )
    return _rms(change[inside])


def _change(one: LayerSpectra, other: LayerSpectra, side: str) -> tuple[Array, Array]:
    """Wavenumbers and the logarithm of the ratio other / one; 0 where both are zero."""
    if one.k.shape != other.k.shape or not np.allclose(one.k, other.k):
        raise InputError(
            f"spectra must have the same wavenumbers, got {len(one.k)} up to {one.k[-1]:g} and "
            f"{len(other.k)} up to {other.k[-1]:g}"
        )
    a, b = one.mean(side), other.mean(side)
    with np.errstate(divide="ignore", invalid="ignore"):
        return one.k, np.where((a == 0) & (b == 0), 0.0, np.log10(b) - np.log10(a))


def _rms(values: Array) -> float:
    return math.sqrt(float(np.square(values).mean()))


class Departure(NamedTuple):
    """How far spectra of a layer depart from each other, in decades.

    Attributes
    ----------
    layer : int
    flow : float
        The base network on the target flow from the base network on its own flow.
    transfer : float
        The transferred network from the base network, both on the target flow.
    distance : float
        The transferred network on the target flow from the base network on its own flow.
    """

    layer: int
    flow: float
    transfer: float
    distance: float


def departures(
    base_on_base: Sequence[LayerSpectra],
    base_on_target: Sequence[LayerSpectra],
    transferred_on_target: Sequence[LayerSpectra] | None = None,
    *,
    band: tuple[float, float] = (0.0, math.inf),
) -> list[Departure]:
    """Compare three lists of activation spectra layer by layer; see `departure`.

    Without a transferred network the last two numbers are NaN.
    """
    check_layers(
        base_on_base=base_on_base,
        base_on_target=base_on_target,
        transferred_on_target=transferred_on_target or base_on_target,
    )
    rows = []
    for i, (own, target) in enumerate(zip(base_on_base, base_on_target, strict=True)):
        transfer = distance = math.nan
        if transferred_on_target is not None:
            transferred = transferred_on_target[i]
            transfer = departure(target, transferred, band=band)
            distance = departure(own, transferred, band=band)
        rows.append(Departure(own.layer, departure(own, target, band=band), transfer, distance))
    return rows


def check_layers(**spectra: Sequence[LayerSpectra]) -> None:
    """Refuse lists of spectra that are not of the same layers."""
    named: Mapping[str, list[int]] = {n: [one.layer for one in of] for n, of in spectra.items()}
    first, *others = named
    for name in others:
        if named[name] != named[first]:
            raise InputError(
                f"{first} and {name} must have the same layers, got {named[first]} and "
                f"{named[name]}"
            )


# ----------------------------------------------------------------------------- linear and ReLU ---


class LinearShare(NamedTuple):
    """What of a change of a layer's activation spectrum its linear part makes.

    Attributes
    ----------
    layer : int
    change : float
        Of the activations, in decades; see `departure`.
    linear : float
        Of the pre-activations: what there would be with the layer's ReLU replaced by the identity.
    relu : float
        What the nonlinearity adds to it.
    share : float
        Projection of the linear change on the whole, 1 if it is all, above 1 if ReLU opposes it;
        ``1 - share`` is ReLU's. NaN where nothing changes.
    """

    layer: int
    change: float
    linear: float
    relu: float
    share: float


def linear_shares(one: Sequence[LayerSpectra], other: Sequence[LayerSpectra]) -> list[LinearShare]:
    """The linear-activation experiment: split changes of spectra between kernels and ReLU.

    With ReLU kept in all layers before, a layer without its own gives its pre-activations. Their
    spectra change by what the kernels do, and by what reaches the layer from those before it.

    Parameters
    ----------
    one, other : sequence of LayerSpectra
        For instance of the base network and of the transferred one, both on the target flow.

    Returns
    -------
    list of LinearShare

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), p. 5 and Fig. S1.
    """
    check_layers(one=one, other=other)
    rows = []
    for a, b in zip(one, other, strict=True):
        (_, linear), (_, whole) = (_change(a, b, side) for side in SIDES)
        size, share = _rms(whole), math.nan
        if _UNCHANGED < size < math.inf:
            share = float((linear * whole).sum() / np.square(whole).sum())
        with np.errstate(invalid="ignore"):  # a spectrum that vanishes
            nonlinear = _rms(whole - linear)
        rows.append(LinearShare(a.layer, size, _rms(linear), nonlinear, share))
    return rows
