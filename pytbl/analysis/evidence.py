r"""Scores of single layers by the physics: what activations, landscapes and kernels say of them.

These are the steps of the framework of Subel et al. (2023), Fig. 6, that need no re-training, each
as a number, larger for better. The paper judges them by eye and gives no numbers; which of these
agree with re-training is for `pytbl.analysis.verify` to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .activations import activation_spectra
from .departures import check_layers, departure
from .kernels import BANDS, SHAPE, amplitude_chunks, as_kernels
from .stack import Activation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..nn.model import PeriodicCNN
    from .activations import LayerSpectra
    from .fields import Fields
    from .trial import Trial

    Array = np.ndarray[Any, np.dtype[Any]]

#: Names of the scores.
EVIDENCE = ("departure", "smoothness", "coverage")
#: Surfaces that the smoothness is a mean over, each of one sample, and their points along a side.
SURFACES, POINTS = 6, 7


# ------------------------------------------------------------------------------------ departure ---


def departure_increases(
    base: Sequence[LayerSpectra], target: Sequence[LayerSpectra]
) -> dict[int, float]:
    r"""How much more the activation spectra of two flows depart from each other after each layer.

    The departure :math:`D_l` of what leaves layer l (see `departure`) less that of what enters it,
    :math:`D_{l-1}`. A departure of the inputs, or of a layer before, is handed on by all layers
    that follow, and :math:`D_l` on its own would mostly count layers. The increase is largest
    where a departure arises: there, a layer answers the target's inputs as it did not answer the
    base's. Layers that hand on what they get have 0, and those that lessen it less. That the
    target's spectra are to be others, it does not know.

    Parameters
    ----------
    base, target : sequence of LayerSpectra
        Of the same layers, in order; the first are those of what enters the second.

    Returns
    -------
    dict of float
        By layer, from the second on [decades]; without those next to which a spectrum vanishes.

    Raises
    ------
    InputError
        They are not of the same layers, or have different wavenumbers.
    """
    check_layers(base=base, target=target)
    departed = {own.layer: departure(own, other) for own, other in zip(base, target, strict=True)}
    return {
        layer: departed[layer] - departed[before]
        for before, layer in pairwise(departed)
        if np.isfinite([departed[layer], departed[before]]).all()
    }


def _spectra(model: PeriodicCNN, flow: Fields) -> list[LayerSpectra]:
    """Of the normalised inputs, as layer 0, and of all layers."""
    from ..nn.activations import activations, inputs

    entering = inputs(model, flow.omega)
    first = Activation(0, 0, entering, entering)
    return activation_spectra(
        chain([first], activations(model, flow.omega)), lx=flow.lx, ly=flow.ly
    )


# ----------------------------------------------------------------------------------- smoothness ---


def smoothness(trial: Trial, layer: str) -> float:
    r"""Favourability of the loss landscape of a layer on the target, 0 to 1.

    The mean of `pytbl.analysis.landscape_scores` over surfaces about the network as it would be
    re-trained. They are `pytbl.nn.landscape.LAZY` of the parameters' norm wide on either side, and
    not twice the norm as in the paper: a transfer moves parameters by a small part of their norm,
    and what lies at twice of it is far from its path. Each surface is along other random
    directions and of another sample, which tells more than as many evaluations of all samples
    would: what varies most are directions.
    """
    from ..nn.landscape import LAZY, landscape

    omega, pi = trial.fields
    chosen = np.linspace(0, len(omega) - 1, SURFACES).round().astype(int)
    found = []
    for rng, sample in enumerate(chosen):
        one = slice(sample, sample + 1)
        surfaces = landscape(
            trial.adapted,
            (omega[one], pi[one]),
            layer,
            reach=LAZY,
            points=POINTS,
            pairs=1,
            rng=rng,
        )
        found += [scores.favourability for scores in surfaces.scores()]
    work = trial.work(layer)
    trial.evaluations += SURFACES * (work.entering + POINTS**2 * work.evaluation)
    return float(np.mean(found))


# ------------------------------------------------------------------------------------- coverage ---


def coverage(
    weights: ArrayLike,
    failing: Sequence[float],
    *,
    edges: Sequence[float] = BANDS,
    nyquist: tuple[float, float] = (1.0, 1.0),
) -> float:
    r"""How much the kernels of a layer pass the wavenumbers at which a network fails.

    .. math:: \sum_b f_b\,\frac{P_b}{\sum_c P_c}

    with the share :math:`f_b` of band b in the error and the mean :math:`P_b` of
    :math:`|\hat W(k)|^2` over the modes of the band, summed over the layer's kernels. It is 1 for
    kernels that pass the failing band only, and one over the number of bands for kernels that pass
    all modes alike. A mean over modes and not a sum: a filter multiplies each mode, and in sums the
    many modes of the smallest scales would drown what a low-pass does.

    Classes of kernels (`pytbl.analysis.classify`) are not used: in trained networks most of the
    energy is in kernels of no clear class, which pass something all the same.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, ky, kx)
    failing : sequence of float, shape (bands,)
        Shares of the error.
    edges : sequence of float, shape (bands - 1,)
        Wavenumbers between the bands, in units of `nyquist`.
    nyquist : (float, float)
        Wavenumbers of Nyquist along y and x.

    Returns
    -------
    float
        0 if all kernels are zero.

    Raises
    ------
    InputError
        The weights are no kernels, or there is not a share >= 0 for each band.
    """
    kernels, shares = as_kernels(weights), np.asarray(failing, float)
    if shares.shape != (len(edges) + 1,) or not (shares >= 0).all():
        raise InputError(f"failing must be {len(edges) + 1} shares >= 0, got {list(failing)}")
    ny, nx = (max(n, points) for n, points in zip(SHAPE, kernels.shape[-2:], strict=True))
    power = sum(np.square(one).sum(0) for one in amplitude_chunks(kernels, (ny, nx)))
    ky, kx = (2 * top * np.fft.fftfreq(n) for top, n in zip(nyquist, (ny, nx), strict=True))
    band = np.searchsorted(edges, np.hypot(ky[:, None], kx), side="right")
    passed = np.array([np.mean(power, where=band == i) for i in range(len(shares))])
    return float(passed @ shares / passed.sum()) if passed.any() else 0.0


# ----------------------------------------------------------------------------------------- all ---


def evidence(
    trial: Trial,
    candidates: Sequence[str],
    names: Sequence[str],
    *,
    failing: Sequence[float],
    flows: tuple[Fields, Fields] | None = None,
) -> dict[str, Mapping[str, float]]:
    """Scores by name and candidate.

    Parameters
    ----------
    trial : Trial
        Its count of evaluations grows by what they cost.
    candidates : sequence of str
        Only single layers, whole, have these scores.
    names : sequence of str
        Some of `EVIDENCE`.
    failing : sequence of float
        Share of each of the trial's bands in the error of the network as it is.
    flows : (Fields, Fields), optional
        Samples of the base and of the target; the departure needs them.

    Returns
    -------
    dict of dict of float
        As the columns of `pytbl.analysis.recommend`.
    """
    layers = [name for name in candidates if name.isdecimal()]
    found: dict[str, Mapping[str, float]] = {}
    if "departure" in names and flows is not None:
        spectra = [_spectra(*of) for of in zip((trial.model, trial.adapted), flows, strict=True)]
        trial.evaluations += sum(map(len, flows))  # beside which transforms are cheap
        increases = departure_increases(*spectra)
        found["departure"] = {
            name: increases[int(name)] for name in layers if int(name) in increases
        }
    if "smoothness" in names:
        found["smoothness"] = {name: smoothness(trial, name) for name in layers}
    if "coverage" in names:
        of = trial.few.setting
        nyquist = np.pi * of.ny / of.ly, np.pi * of.nx / of.lx
        kernels = [weight.detach().cpu().numpy() for weight, _ in trial.model.kernels()]
        trial.evaluations += 1  # about as many multiplications as all their spectra
        found["coverage"] = {
            name: coverage(
                kernels[int(name) - 1], failing, edges=trial.scales.edges, nyquist=nyquist
            )
            for name in layers
        }
    return found
