r"""A priori metrics: a closure's term against the exact one, on given filtered flows.

Fields are arrays of shape (..., ny, nx); a leading axis holds samples. `predicted` and `truth` are
SGS terms :math:`\Pi` in the sign of this package: what is added to the right-hand side of the
vorticity equation. A factor common to both cancels where a metric is a ratio, but not in transfers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import InputError
from .periodic import Modes, as_field, gradient, laplacian, streamfunction

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Array = np.ndarray[Any, np.dtype[Any]]

_POINTS = (-2, -1)


def _fields(**named: ArrayLike) -> list[Array]:
    """Fields of one shape."""
    arrays = {name: as_field(field, name) for name, field in named.items()}
    first, *others = arrays
    for name in others:
        if arrays[name].shape != arrays[first].shape:
            raise InputError(
                f"{first} and {name} must have the same shape, got {arrays[first].shape} and "
                f"{arrays[name].shape}"
            )
    return list(arrays.values())


# ---------------------------------------------------------------------------------- agreement ---


def correlation(predicted: ArrayLike, truth: ArrayLike, *, where: ArrayLike | None = None) -> Array:
    r"""Pattern correlation c of every sample: blind to a gain and to an offset.

    .. math:: c = \frac{\langle(\Pi_t-\langle\Pi_t\rangle)(\Pi_p-\langle\Pi_p\rangle)\rangle}
              {\sigma(\Pi_t)\,\sigma(\Pi_p)}

    Parameters
    ----------
    predicted, truth : ndarray, shape (..., ny, nx)
    where : ndarray of bool, shape (..., ny, nx), optional
        The points that count.

    Returns
    -------
    ndarray, shape (...)
        In [-1, 1]; NaN where a field is constant, or no point counts.

    References
    ----------
    Subel, Guan, Chattopadhyay & Hassanzadeh, PNAS Nexus 2 (2023), Fig. 2.
    """
    p, t = _fields(predicted=predicted, truth=truth)
    counts = np.ones_like(t) if where is None else np.broadcast_to(where, t.shape).astype(float)
    points = counts.sum(_POINTS, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = counts * (p - (counts * p).sum(_POINTS, keepdims=True) / points)
        t = counts * (t - (counts * t).sum(_POINTS, keepdims=True) / points)
        norms = np.sqrt((p**2).sum(_POINTS) * (t**2).sum(_POINTS))
        return np.clip((p * t).sum(_POINTS) / norms, -1.0, 1.0)


def relative_rmse(predicted: ArrayLike, truth: ArrayLike) -> float:
    r"""Root-mean-square error over the rms of the truth, over all samples together.

    .. math:: \sqrt{\textstyle\sum_i\|\Pi_p-\Pi_t\|^2}\;/\;\sqrt{\textstyle\sum_i\|\Pi_t\|^2}

    Parameters
    ----------
    predicted, truth : ndarray, shape (..., ny, nx)

    Returns
    -------
    float
        0 for a perfect prediction, 1 for a prediction of nothing; NaN if the truth is zero.

    References
    ----------
    Darman, Hassanzadeh, Zanna & Chattopadhyay, arXiv:2504.15487 (2025).
    """
    p, t = _fields(predicted=predicted, truth=truth)
    norm = float(np.sqrt((t**2).sum()))
    return float(np.sqrt(((p - t) ** 2).sum())) / norm if norm else float("nan")


def amplitude_spectrum(field: ArrayLike, *, lx: float, ly: float) -> tuple[Array, Array]:
    r"""Shell sums of :math:`|\hat f|`.

    Parameters
    ----------
    field : ndarray, shape (..., ny, nx)
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    k : ndarray, shape (shells,) [1/length]
    amplitude : ndarray, shape (..., shells)
    """
    array = as_field(field)
    modes = Modes(array.shape, lx, ly)
    return modes.k, modes.shell_sums(np.abs(modes.to_spectral(array)))


def spectral_rmse(predicted: ArrayLike, truth: ArrayLike, *, lx: float, ly: float) -> float:
    r"""Mean relative error of the shell spectra of :math:`|\hat\Pi|`: blind to phases.

    .. math:: \frac1{N_k}\sum_k\left|\frac{S_p(k)-S_t(k)}{S_t(k)}\right|,
              \qquad S(k)=\sum_{\text{shell}}|\hat\Pi|

    A prediction can correlate well and still have the wrong spectrum, which then shows in a
    simulation: this metric tells the two apart.

    Parameters
    ----------
    predicted, truth : ndarray, shape (..., ny, nx)
        Spectra are averaged over samples before they are divided.
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    float
        ``abs(a - 1)`` for a prediction that is a > 0 times the truth. Complete shells from the
        first count, where the truth stands above rounding; NaN if there are none.

    References
    ----------
    Darman, Hassanzadeh, Zanna & Chattopadhyay, arXiv:2504.15487 (2025).
    """
    p, t = _fields(predicted=predicted, truth=truth)
    inside = slice(1, Modes(t.shape, lx, ly).complete_shells)
    spectra = [amplitude_spectrum(field, lx=lx, ly=ly)[1][..., inside] for field in (p, t)]
    s_p, s_t = (s.reshape(-1, s.shape[-1]).mean(0) for s in spectra)
    stored = np.result_type(np.asarray(truth).dtype, np.float32)  # integers round like floats
    above = s_t > 100 * np.finfo(stored).eps * s_t.max(initial=0.0)
    if not above.any():
        return float("nan")
    return float(np.mean(np.abs(s_p[above] - s_t[above]) / s_t[above]))


# ------------------------------------------------------------------- diffusion and backscatter ---


def diffusion(pi: ArrayLike, omega: ArrayLike, *, lx: float, ly: float) -> Array:
    r"""The indicator :math:`T=\Pi\,\nabla^2\bar\omega` of diffusion and of backscatter.

    Positive where :math:`\Pi` acts as a diffusion (forward transfer), as an eddy viscosity does
    everywhere, and negative where it acts against one (backscatter).

    Parameters
    ----------
    pi : ndarray, shape (..., ny, nx) [1/time^2]
    omega : ndarray, shape (..., ny, nx)
        Filtered vorticity [1/time].
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, shape (..., ny, nx) [1/(length^2 time^3)]

    References
    ----------
    Guan, Chattopadhyay, Subel & Hassanzadeh, J. Comput. Phys. 458 (2022) 111090.
    """
    term, flow = _fields(pi=pi, omega=omega)
    return term * laplacian(flow, lx=lx, ly=ly)


def correlation_forward(
    predicted: ArrayLike, truth: ArrayLike, omega: ArrayLike, *, lx: float, ly: float
) -> Array:
    """Correlation over the points where the exact term diffuses, T > 0; see `diffusion`.

    Parameters
    ----------
    predicted, truth, omega : ndarray, shape (..., ny, nx)
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, shape (...)
    """
    return correlation(predicted, truth, where=diffusion(truth, omega, lx=lx, ly=ly) > 0)


def correlation_backscatter(
    predicted: ArrayLike, truth: ArrayLike, omega: ArrayLike, *, lx: float, ly: float
) -> Array:
    """Correlation over the points where the exact term scatters back, T < 0; see `diffusion`.

    Parameters and the result are those of `correlation_forward`.
    """
    return correlation(predicted, truth, where=diffusion(truth, omega, lx=lx, ly=ly) < 0)


# ---------------------------------------------------------------------------------- transfers ---


def energy_transfer(pi: ArrayLike, omega: ArrayLike, *, lx: float, ly: float) -> Array:
    r"""Energy that the SGS term gives to the resolved flow, :math:`\langle\bar\psi\Pi\rangle`.

    The rate of change of :math:`E=\langle u^2+v^2\rangle/2` that is due to :math:`\Pi`: there is no
    factor 1/2. Negative where energy goes to the sub-grid scales.

    Parameters
    ----------
    pi : ndarray, shape (..., ny, nx) [1/time^2]
    omega : ndarray, shape (..., ny, nx) [1/time]
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, shape (...) [length^2/time^3]
    """
    term, flow = _fields(pi=pi, omega=omega)
    return (streamfunction(flow, lx=lx, ly=ly) * term).mean(_POINTS)


def enstrophy_transfer(pi: ArrayLike, omega: ArrayLike) -> Array:
    r"""Enstrophy that the SGS term gives to the resolved flow, :math:`\langle\bar\omega\Pi\rangle`.

    Parameters
    ----------
    pi : ndarray, shape (..., ny, nx) [1/time^2]
    omega : ndarray, shape (..., ny, nx) [1/time]

    Returns
    -------
    ndarray, shape (...) [1/time^3]
        The rate of change of :math:`Z=\langle\omega^2\rangle/2` that is due to :math:`\Pi`.
    """
    term, flow = _fields(pi=pi, omega=omega)
    return (flow * term).mean(_POINTS)


class ShellTransfers(NamedTuple):
    """Transfers by shell: ``k`` (shells,), ``energy`` and ``enstrophy`` (..., shells)."""

    k: Array
    energy: Array
    enstrophy: Array


def shell_transfers(pi: ArrayLike, omega: ArrayLike, *, lx: float, ly: float) -> ShellTransfers:
    r"""Energy and enstrophy that the SGS term gives to every shell of wavenumbers.

    .. math:: T_E(k)=\sum_{\text{shell}}\mathrm{Re}\,\hat\psi^*\hat\Pi,\qquad
              T_Z(k)=\sum_{\text{shell}}\mathrm{Re}\,\hat\omega^*\hat\Pi

    Their sums over shells are `energy_transfer` and `enstrophy_transfer`.

    Parameters
    ----------
    pi : ndarray, shape (..., ny, nx) [1/time^2]
    omega : ndarray, shape (..., ny, nx) [1/time]
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ShellTransfers
        k [1/length], energy [length^2/time^3], enstrophy [1/time^3].
    """
    term, flow = _fields(pi=pi, omega=omega)
    modes = Modes(flow.shape, lx, ly)
    product = (modes.to_spectral(flow).conj() * modes.to_spectral(term)).real
    return ShellTransfers(
        modes.k, modes.shell_sums(modes.inverse_k2 * product), modes.shell_sums(product)
    )


class TransferErrors(NamedTuple):
    """Relative errors of the domain's transfers."""

    energy: float
    enstrophy: float


def transfer_errors(
    predicted: ArrayLike, truth: ArrayLike, omega: ArrayLike, *, lx: float, ly: float
) -> TransferErrors:
    """Relative errors of `energy_transfer` and `enstrophy_transfer`.

    Parameters
    ----------
    predicted, truth, omega : ndarray, shape (..., ny, nx)
        Transfers are averaged over samples before they are divided: that of energy has no sign of
        its own, and may nearly vanish in one sample.
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    TransferErrors
        energy, enstrophy; NaN where the exact transfer is zero.

    References
    ----------
    Guan, Subel, Chattopadhyay & Hassanzadeh, Physica D 443 (2023) 133568.
    """
    p, t, flow = _fields(predicted=predicted, truth=truth, omega=omega)
    pairs = [
        [float(energy_transfer(term, flow, lx=lx, ly=ly).mean()) for term in (p, t)],
        [float(enstrophy_transfer(term, flow).mean()) for term in (p, t)],
    ]
    return TransferErrors(*(abs(a - b) / abs(b) if b else float("nan") for a, b in pairs))


def local_energy_transfer(
    stress: tuple[ArrayLike, ArrayLike, ArrayLike], omega: ArrayLike, *, lx: float, ly: float
) -> Array:
    r"""Energy that passes to the sub-grid scales at every point.

    .. math:: P_\tau=-(\tau_{xx}-\tau_{yy})\,\partial_x\bar u-\tau_{xy}(\partial_y\bar u +
              \partial_x\bar v)

    Parameters
    ----------
    stress : (tau_xx, tau_xy, tau_yy), each of shape (..., ny, nx) [length^2/time^2]
        As `pytbl.subgrid.SubgridTerms.stress`, in space.
    omega : ndarray, shape (..., ny, nx) [1/time]
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, shape (..., ny, nx) [length^2/time^3]
        Positive for forward transfer, negative for backscatter; the mean is minus
        `energy_transfer`.
    """
    names = ("tau_xx", "tau_xy", "tau_yy")
    xx, xy, yy, flow = _fields(**dict(zip(names, stress, strict=True)), omega=omega)
    modes = Modes(flow.shape, lx, ly)
    psi_hat = modes.inverse_k2 * modes.to_spectral(flow)
    u_x = modes.to_physical(-modes.kx * modes.ky * psi_hat)
    shear = modes.to_physical((modes.kx**2 - modes.ky**2) * psi_hat)
    return -(xx - yy) * u_x - xy * shear


def local_enstrophy_transfer(
    flux: tuple[ArrayLike, ArrayLike], omega: ArrayLike, *, lx: float, ly: float
) -> Array:
    r"""Enstrophy that passes to the sub-grid scales at every point.

    .. math:: P_Z=-\sigma_x\,\partial_x\bar\omega-\sigma_y\,\partial_y\bar\omega

    Parameters
    ----------
    flux : (sigma_x, sigma_y), each of shape (..., ny, nx) [length/time^2]
        As `pytbl.subgrid.SubgridTerms.vorticity_flux`, in space.
    omega : ndarray, shape (..., ny, nx) [1/time]
    lx, ly : float
        Lengths of the domain [length].

    Returns
    -------
    ndarray, shape (..., ny, nx) [1/time^3]
        Positive for forward transfer; the mean is minus `enstrophy_transfer`.
    """
    names = ("sigma_x", "sigma_y")
    x, y, flow = _fields(**dict(zip(names, flux, strict=True)), omega=omega)
    along_x, along_y = gradient(flow, lx=lx, ly=ly)
    return -x * along_x - y * along_y
