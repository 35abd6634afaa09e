r"""Which wavenumbers of a flow are different from those of another, with confidence.

Step 1 of the framework of Subel et al. (2023), Fig. 6: the spectra of the inputs and of the output
of a network, of the flow that it was trained for and of the one that it is to serve. The power of
a shell, :math:`S(k)=\sum_\mathrm{shell}|\hat f|^2`, is averaged over samples, and the ratio of the
two averages has an interval from a block bootstrap; see `pytbl.analysis.blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..periodic import Modes
from .blocks import Blocks, blocks_of, ratio_of_means
from .fields import Fields
from .kernels import BANDS

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

VARIABLES = ("psi", "omega", "pi")
_RESAMPLES = 1000
_SMALLEST = 1e-300


class BandRatio(NamedTuple):
    """A band of a variable.

    Attributes
    ----------
    variable : str
        "psi", "omega" or "pi".
    k_min, k_max : float
        The band is ``k_min <= k < k_max`` [1/length].
    ratio, low, high : float
        Target over base of the power in the band, and the ends of its interval.
    least, most : float
        The smallest and the largest ratio of its shells, which may make up for each other.
    differs : bool
        Whether the power in the band, or that of any of its shells, differs significantly.
    base_samples, target_samples : float
        Independent samples of the two flows, as the power in this band counts them.
    """

    variable: str
    k_min: float
    k_max: float
    ratio: float
    low: float
    high: float
    least: float
    most: float
    differs: bool
    base_samples: float
    target_samples: float


@dataclass(frozen=True)
class FlowComparison:
    """Spectra of two flows.

    Attributes
    ----------
    k : ndarray, shape (shells,)
        Shells from the first that are complete in both [1/length].
    base, target : dict of ndarray, shape (shells,)
        Mean power of each shell of "psi", "omega" and "pi" [their units squared].
    ratio, low, high : dict of ndarray, shape (shells,)
        Of target over base, with intervals for each shell on its own.
    bands : list of BandRatio
    level : float
        Of the intervals.
    """

    k: Array
    base: dict[str, Array]
    target: dict[str, Array]
    ratio: dict[str, Array]
    low: dict[str, Array]
    high: dict[str, Array]
    bands: list[BandRatio]
    level: float

    def differing(self, variable: str) -> list[BandRatio]:
        """The bands of a variable that differ significantly."""
        return [b for b in self.bands if b.variable == variable and b.differs]

    def words(self) -> list[str]:
        """A line for each band of each variable."""
        return [_words(band) for band in self.bands]


def _words(band: BandRatio) -> str:
    where = f"{band.variable} at {band.k_min:g} <= k < {band.k_max:g}"
    if not math.isfinite(band.high):
        return f"{where}: cannot be told from fewer than 2 independent samples of either flow"
    verdict = "no significant difference"
    if band.differs and band.low <= 1 <= band.high:
        verdict = f"as much power in all, but shells have {band.least:.3g} .. {band.most:.3g} times"
    elif band.differs:
        verdict = f"{'more' if band.ratio > 1 else 'less'} power in the target"
    return (
        f"{where}: {verdict}, {band.ratio:.3g} times the base's ({band.low:.3g} .. {band.high:.3g})"
    )


def compare_flows(
    base: Any,
    target: Any,
    *,
    edges: Sequence[float] | None = None,
    level: float = 0.95,
    resamples: int = _RESAMPLES,
    rng: int = 0,
) -> FlowComparison:
    """Compare the spectra of two flows by bands of wavenumbers.

    Parameters
    ----------
    base, target : Fields, path, paths, or samples
        See `Fields.of`; their domains must be equal, their grids need not be.
    edges : sequence of float, optional
        Increasing wavenumbers between the bands [1/length]; by default 10/64 and 40/64 of the
        largest, as in the paper. The first band begins above the mean; the last one ends with the
        shells that are complete in both flows.
    level : float
        Of the intervals: of each shell on its own; and of what is said of bands, of all of it
        together.
    resamples : int
        Of the bootstrap.
    rng : int
        Seed of it.

    Returns
    -------
    FlowComparison

    Raises
    ------
    InputError
        The flows cannot be read or compared, or a band holds no shell.

    Notes
    -----
    How many independent samples there are is counted of the power in each band, which remembers
    longer than the fields do. Of less than two in either flow nothing can be said: the interval is
    open.
    """
    if not 0 < level < 1:
        raise InputError(f"level must be in 0 < level < 1, got {level}")
    if not (isinstance(resamples, int) and resamples >= 100):
        raise InputError(f"resamples must be an integer >= 100, got {resamples!r}")
    flows = [Fields.of(base, name="the base flow"), Fields.of(target, name="the target flow")]
    if (flows[0].lx, flows[0].ly) != (flows[1].lx, flows[1].ly):
        lengths = " and ".join(f"{flow.lx:g} x {flow.ly:g}" for flow in flows)
        raise InputError(f"the flows must have the same domain, got {lengths}")
    spectra = [_powers(flow) for flow in flows]
    shells = min(len(k) for k, _ in spectra)
    k = spectra[0][0][:shells]
    powers = [power[..., :shells] for _, power in spectra]
    bands = _bands(k, edges)
    generator = np.random.default_rng(rng)
    # Bonferroni's: half of what may go wrong is for the bands, half for the shells
    levels = [level, *(1 - (1 - level) / (2 * n * len(VARIABLES)) for n in (len(bands), shells))]
    shell_ratios = np.empty((3, len(VARIABLES), shells))  # itself and the ends of its interval
    rows: list[BandRatio] = []
    for k_min, k_max, inside in bands:
        base_part, target_part = (_part(*of, inside) for of in zip(flows, powers, strict=True))
        log, halves = ratio_of_means(
            target_part, base_part, levels=levels, resamples=resamples, rng=generator
        )
        shell_ratios[..., inside] = np.exp([log, log - halves[0], log + halves[0]])[..., :-1]
        counts = (base_part[1].independent, target_part[1].independent)
        rows += _rows((k_min, k_max), log, halves[1:], samples=counts)
    rows.sort(key=lambda row: VARIABLES.index(row.variable))
    return FlowComparison(
        k=k,
        base=_named(powers[0].mean(axis=0)),
        target=_named(powers[1].mean(axis=0)),
        ratio=_named(shell_ratios[0]),
        low=_named(shell_ratios[1]),
        high=_named(shell_ratios[2]),
        bands=rows,
        level=level,
    )


def _named(values: Array) -> dict[str, Array]:
    return dict(zip(VARIABLES, values, strict=True))


def _rows(
    band: tuple[float, float], log: Array, halves: list[Array], *, samples: tuple[float, float]
) -> list[BandRatio]:
    """A row for each variable; the last column of the ratios is the band, the others its shells."""
    for_bands, for_shells = halves
    ratio, low, high = np.exp([log, log - for_bands, log + for_bands])[..., -1]
    apart = np.abs(log) > np.concatenate([for_shells[:, :-1], for_bands[:, -1:]], axis=1)
    shells = np.exp(log[:, :-1])
    return [
        BandRatio(
            name,
            *band,
            ratio=float(ratio[v]),
            low=float(low[v]),
            high=float(high[v]),
            least=float(shells[v].min()),
            most=float(shells[v].max()),
            differs=bool(apart[v].any()),
            base_samples=samples[0],
            target_samples=samples[1],
        )
        for v, name in enumerate(VARIABLES)
    ]


def _part(flow: Fields, powers: Array, inside: Array) -> tuple[Array, Blocks]:
    """Powers of the shells of a band and, last, of the band; and blocks for them."""
    shells = powers[..., inside]
    band = shells.sum(axis=-1)
    blocks = blocks_of(np.log(band + _SMALLEST), np.asarray(flow.times, float), flow.by_run())
    return np.concatenate([shells, band[..., None]], axis=-1), blocks


def _powers(flow: Fields) -> tuple[Array, Array]:
    """Complete shells from the first, and their powers, shape (samples, variables, shells)."""
    modes = Modes(flow.omega.shape, flow.lx, flow.ly)
    inside = slice(1, modes.complete_shells)
    powers = []
    for omega, pi in zip(flow.omega, flow.pi, strict=True):
        omega_hat = modes.to_spectral(omega)
        hats = {"psi": omega_hat * modes.inverse_k2, "omega": omega_hat}
        hats["pi"] = modes.to_spectral(pi)
        density = np.stack([np.square(np.abs(hats[name])) for name in VARIABLES])
        powers.append(modes.shell_sums(density)[:, inside])
    return modes.k[inside], np.array(powers)


def band_edges(k: Array) -> tuple[float, ...]:
    """The wavenumbers between large, middle and small scales, of shells complete up to the last."""
    spacing = k[1] - k[0] if len(k) > 1 else k[-1]
    return tuple(share * float(k[-1] + spacing) for share in BANDS)


def _bands(k: Array, edges: Sequence[float] | None) -> list[tuple[float, float, Array]]:
    """Ends and shells of the bands."""
    if len(k) < 2:
        raise InputError(f"bands need at least 2 complete shells of wavenumbers, got {len(k)}")
    spacing = float(k[1] - k[0])
    top = float(k[-1]) + spacing
    inner = list(band_edges(k) if edges is None else map(float, edges))
    whole = [0.0, *inner, top]
    if not all(math.isfinite(edge) for edge in whole) or whole != sorted(set(whole)):
        raise InputError(f"edges must increase between 0 and {top:g}, got {list(inner)}")
    bands = []
    for low, high in pairwise(whole):
        inside = (low <= k) & (k < high)
        if not inside.any():
            raise InputError(
                f"no shell lies in {low:g} <= k < {high:g}: they are {spacing:g} apart"
            )
        bands.append((low, high, inside))
    return bands
