"""Which wavenumbers of the flow are new to the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.bands import VARIABLES, BandRatio, compare_flows
from ..analysis.fields import Fields
from ..errors import InputError
from .sections import LeftOut, Section, listed

if TYPE_CHECKING:
    from .subject import Subject

#: Samples of each flow whose spectra are taken, at most.
_SAMPLES = 1000
_NAMES = {"psi": "the stream function", "omega": "the vorticity", "pi": "Pi"}


def flows(subject: Subject) -> Section:
    """Spectra of inputs and output, of the target and of the base, by band."""
    from ..plots.activations import flow_spectra

    target = subject.on_target("spectra of the flows")
    if subject.base_data is None:
        raise LeftOut("spectra of the flows: no base data were given to compare the target with")
    try:
        pair = [
            Fields.of(flow.data, name=flow.what, at_most=_SAMPLES)
            for flow in (subject.base_data, target)
        ]
        found = compare_flows(*pair, rng=subject.rng)
    except InputError as reason:  # no times, another domain, or too few wavenumbers
        raise LeftOut(f"spectra of the flows: {reason}") from None
    said = []
    for variable in VARIABLES:
        bands = found.differing(variable)
        if bands:
            said.append(f"{_NAMES[variable]} differs at {listed([_span(b) for b in bands])}")
    gist = "; ".join(said) if said else "no band of any variable differs significantly"
    counts = " and ".join(str(len(flow)) for flow in pair)
    words = [
        f"From {counts} samples of base and target, with {found.level:.0%} intervals that count "
        f"neighbouring samples as far as they are independent.",
        "\n".join(f"- {line}" for line in found.words()),
    ]
    shells = [
        {"k": float(k)}
        | {
            f"{variable}_{name}": float(getattr(found, name)[variable][i])
            for variable in VARIABLES
            for name in ("base", "target", "ratio", "low", "high")
        }
        for i, k in enumerate(found.k)
    ]
    return Section(
        "Spectra of the flows",
        f"{gist[0].upper()}{gist[1:]}.",
        words,
        {"flow-bands": [band._asdict() for band in found.bands], "flow-spectra": shells},
        {"flow-spectra": lambda: flow_spectra(found)},
    )


def _span(band: BandRatio) -> str:
    return f"{band.k_min:.3g} <= k < {band.k_max:.3g} ({band.ratio:.3g} times the base's)"
