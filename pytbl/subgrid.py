r"""What a coarse grid sees of a fine flow, and the sub-grid-scale (SGS) terms that it misses.

With a bar for filtering and cutting to the coarse grid's modes, N the advection of a fine flow and
N_c that of the coarse grid, formed from the coarse grid's own dealiased products,

.. math:: \Pi = \overline{N(\omega)} - N_c(\bar\omega)

is what a large-eddy simulation must add to its right-hand side to follow the filtered flow. This
is the sign of Subel et al. (2023), eq. 3; datasets of py2d and its relatives store the opposite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .filters import Filter
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


def check_coarser(fine: Grid, coarse: Grid) -> None:
    """Whether one grid can be coarsened to another.

    Raises
    ------
    InputError
        The domains differ, or the coarse grid carries modes that the fine one does not.
    """
    if (fine.lx, fine.ly) != (coarse.lx, coarse.ly):
        raise InputError(
            f"a coarse grid must have the domain of the fine one, {fine.lx:g} x {fine.ly:g}, got "
            f"{coarse.lx:g} x {coarse.ly:g}"
        )
    if coarse.kx_max > fine.kx_max or coarse.ky_max > fine.ky_max:
        raise InputError(
            f"a coarse grid must carry no modes that the fine one lacks: expected kept modes up to "
            f"{fine.kx_max} x {fine.ky_max} (of {fine.nx} x {fine.ny} points), got "
            f"{coarse.kx_max} x {coarse.ky_max} (of {coarse.nx} x {coarse.ny})"
        )


class Coarsening:
    """Filters spectra of a fine grid and cuts them to the modes of a coarse one.

    Parameters
    ----------
    fine, coarse : Grid
        On the same ranks.
    filter : Filter, optional
        None only cuts.

    Raises
    ------
    InputError
        See `check_coarser`.
    """

    def __init__(self, fine: Grid, coarse: Grid, filter: Filter | None = None) -> None:
        check_coarser(fine, coarse)
        self.fine, self.coarse, self.filter = fine, coarse, filter
        self._transfer = None if filter is None else filter.transfer(coarse).astype(coarse.dtype)
        have = min(max(coarse.nkx - fine.kx_start, 0), fine.nkx_local)
        self._rows = (fine.kx_start, fine.kx_start + have)
        self._wanted = (coarse.kx_start, coarse.kx_start + coarse.nkx_local)

    def __call__(self, hat: Array) -> Array:
        """Filtered and cut.

        Parameters
        ----------
        hat : ndarray, shape (fine.nkx_local, fine.ny), complex

        Returns
        -------
        ndarray, shape (coarse.nkx_local, coarse.ny), complex
        """
        here, half = self._rows[1] - self._rows[0], self.coarse.ky_max
        kept = np.empty((here, 2 * half + 1), hat.dtype)  # ky = 0 .. half, then -half .. -1
        kept[:, : half + 1] = hat[:here, : half + 1]
        kept[:, half + 1 :] = hat[:here, self.fine.ny - half :]
        moved = self.coarse.exchange.move(kept, self._rows, self._wanted)
        out = self.coarse.zeros_spectral()
        out[:, : half + 1] = moved[:, : half + 1]
        out[:, self.coarse.ny - half :] = moved[:, half + 1 :]
        if self._transfer is not None:
            out *= self._transfer
        return out


class SubgridTerms:
    r"""The exact SGS terms of a fine flow on a coarse grid.

    Parameters
    ----------
    fine, coarse : Grid
        On the same ranks.
    filter : Filter

    Raises
    ------
    InputError
        See `check_coarser`.
    """

    def __init__(self, fine: Grid, coarse: Grid, filter: Filter) -> None:
        self.fine, self.coarse, self.filter = fine, coarse, filter
        self.coarsen = Coarsening(fine, coarse, filter)

    def source(self, omega_hat: Array, advection_hat: Array | None = None) -> Array:
        r"""The SGS term :math:`\Pi = \overline{N(\omega)} - N_c(\bar\omega)`.

        Parameters
        ----------
        omega_hat : ndarray, shape (fine.nkx_local, fine.ny) [1/time]
        advection_hat : ndarray, optional
            N of it, where it is known [1/time^2].

        Returns
        -------
        ndarray, shape (coarse.nkx_local, coarse.ny), complex [1/time^2]
        """
        if advection_hat is None:
            advection_hat = self.fine.nonlinear_term(omega_hat)
        return self.coarsen(advection_hat) - self.coarse.nonlinear_term(self.coarsen(omega_hat))

    def stress(self, omega_hat: Array) -> tuple[Array, Array, Array]:
        r"""SGS stress :math:`\tau_{ij} = \overline{u_i u_j} - \bar u_i \bar u_j`.

        Returns
        -------
        tau_xx, tau_xy, tau_yy : ndarray, shape (coarse.nkx_local, coarse.ny) [length^2/time^2]
            :math:`\Pi = -\nabla\times\nabla\cdot\tau = \partial_{xy}(\tau_{xx} - \tau_{yy}) -
            (\partial_{xx} - \partial_{yy})\tau_{xy}`.
        """
        fine = self._coarsened(*_velocity_products(self.fine, omega_hat))
        coarse = _velocity_products(self.coarse, self.coarsen(omega_hat))
        xx, xy, yy = (f - c for f, c in zip(fine, coarse, strict=True))
        return xx, xy, yy

    def vorticity_flux(self, omega_hat: Array) -> tuple[Array, Array]:
        r"""SGS flux of vorticity :math:`\sigma_i = \overline{u_i\omega} - \bar u_i\bar\omega`.

        Returns
        -------
        sigma_x, sigma_y : ndarray, shape (coarse.nkx_local, coarse.ny) [length/time^2]
            :math:`\Pi = -\nabla\cdot\sigma`.
        """
        fine = self._coarsened(*_vorticity_products(self.fine, omega_hat))
        coarse = _vorticity_products(self.coarse, self.coarsen(omega_hat))
        x, y = (f - c for f, c in zip(fine, coarse, strict=True))
        return x, y

    def _coarsened(self, *hats: Array) -> list[Array]:
        return [self.coarsen(hat) for hat in hats]


def _velocity_products(grid: Grid, omega_hat: Array) -> tuple[Array, Array, Array]:
    u, v = grid.to_points(*grid.velocity_hat(omega_hat))
    xx, xy = grid.from_points(u * u, u * v)
    yy, _ = grid.from_points(v * v, np.zeros_like(v))
    return xx, xy, yy


def _vorticity_products(grid: Grid, omega_hat: Array) -> tuple[Array, Array]:
    u, v = grid.to_points(*grid.velocity_hat(omega_hat))
    omega, _ = grid.to_points(omega_hat, None)
    return grid.from_points(u * omega, v * omega)
