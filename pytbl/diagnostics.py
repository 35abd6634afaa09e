"""Diagnostics with units: pure functions of a grid and spectra.

Energy and enstrophy are per unit area, ``E = <u^2 + v^2> / 2`` and ``Z = <omega^2> / 2``. Spectra
are summed over shells: shell n holds the modes with ``n - 1/2 <= k / dk < n + 1/2``, ``dk`` the
smaller spacing of wavenumbers, and the sum over shells is the total. Shells beyond the largest
circle that fits into the kept modes are only partly filled; `complete_shells` counts those before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

if TYPE_CHECKING:
    from .flow import Flow
    from .grid import Grid
    from .solver import Solver

    Array = np.ndarray[Any, np.dtype[Any]]

#: Columns worked on at a time: temporaries stay small beside the state.
_BLOCK = 64

_shells: WeakKeyDictionary[Grid, list[Array]] = WeakKeyDictionary()


def _blocks(grid: Grid) -> list[slice]:
    return [slice(i, i + _BLOCK) for i in range(0, grid.nkx_local, _BLOCK)]


def _k2(grid: Grid, columns: slice) -> Array:
    """k^2 of a few columns, with 1 at k = 0, where every spectrum is zero anyway."""
    k2 = grid.kx[columns] ** 2 + grid.ky**2
    k2[k2 == 0] = 1.0
    return k2


def _power(hat: Array, columns: slice) -> Array:
    """Squares of the moduli, in double precision."""
    part = hat[columns]
    return np.square(part.real, dtype=float) + np.square(part.imag, dtype=float)


# ------------------------------------------------------------------------------ sums over modes ---


def moments(grid: Grid, omega_hat: Array, powers: tuple[int, ...]) -> Array:
    r"""Sums :math:`\tfrac12\sum k^{2p}|\hat\omega|^2` over the whole plane, for each p of `powers`.

    p = -1 gives the energy, 0 the enstrophy, 1 the palinstrophy; one pass over the modes.
    """
    sums = np.zeros(len(powers))
    for columns in _blocks(grid):
        k2, power = _k2(grid, columns), 0.5 * grid.weight[columns] * _power(omega_hat, columns)
        sums += [float((power * k2**p).sum()) if p else float(power.sum()) for p in powers]
    return grid.exchange.sum(sums)


def energy(grid: Grid, omega_hat: Array) -> float:
    """Kinetic energy per unit area, ``<u^2 + v^2> / 2`` [length^2/time^2]."""
    return float(moments(grid, omega_hat, (-1,))[0])


def enstrophy(grid: Grid, omega_hat: Array) -> float:
    """Enstrophy per unit area, ``<omega^2> / 2`` [1/time^2]."""
    return float(moments(grid, omega_hat, (0,))[0])


def palinstrophy(grid: Grid, omega_hat: Array) -> float:
    """Palinstrophy per unit area, ``<abs(grad omega)^2> / 2`` [1/(length^2 time^2)]."""
    return float(moments(grid, omega_hat, (1,))[0])


def _loss(grid: Grid, omega_hat: Array, power: int, factor: float) -> float:
    return 2 * factor * float(moments(grid, omega_hat, (power,))[0]) if factor else 0.0


def energy_dissipation(grid: Grid, omega_hat: Array, flow: Flow) -> float:
    r"""Energy lost to viscosity, :math:`\nu\sum k^{2p-2}|\hat\omega|^2` [length^2/time^3]."""
    return _loss(grid, omega_hat, flow.viscosity_order - 1, flow.viscosity)


def enstrophy_dissipation(grid: Grid, omega_hat: Array, flow: Flow) -> float:
    r"""Enstrophy lost to viscosity, :math:`\nu\sum k^{2p}|\hat\omega|^2` [1/time^3]."""
    return _loss(grid, omega_hat, flow.viscosity_order, flow.viscosity)


def energy_drag(grid: Grid, omega_hat: Array, flow: Flow) -> float:
    """Energy lost to linear drag, ``2 drag E`` [length^2/time^3]."""
    return _loss(grid, omega_hat, -1, flow.drag)


def enstrophy_drag(grid: Grid, omega_hat: Array, flow: Flow) -> float:
    """Enstrophy lost to linear drag, ``2 drag Z`` [1/time^3]."""
    return _loss(grid, omega_hat, 0, flow.drag)


def transfers(grid: Grid, omega_hat: Array, source_hat: Array) -> tuple[float, float]:
    r"""Energy and enstrophy that a term of the vorticity equation puts in.

    Parameters
    ----------
    grid : Grid
    omega_hat : ndarray, shape (nkx_local, ny) [1/time]
    source_hat : ndarray, shape (nkx_local, ny) [1/time^2]

    Returns
    -------
    (float, float)
        :math:`\langle\psi F\rangle` [length^2/time^3], :math:`\langle\omega F\rangle` [1/time^3].
    """
    sums = np.zeros(2)
    for columns in _blocks(grid):
        product = grid.weight[columns] * (omega_hat[columns].conj() * source_hat[columns]).real
        sums += [float((product / _k2(grid, columns)).sum()), float(product.sum())]
    into_energy, into_enstrophy = grid.exchange.sum(sums)
    return float(into_energy), float(into_enstrophy)


def injection(sim: Solver) -> tuple[float, float]:
    """Energy [length^2/time^3] and enstrophy [1/time^3] that the forcing puts in now.

    Of a forcing that is white in time, the mean rates: its impulses are independent of the flow.
    """
    from .forcing import split

    grid = sim.grid
    if sim.forcing is None:
        return 0.0, 0.0
    rates, impulses = split(sim.forcing)
    source = grid.zeros_spectral()
    for member in rates:
        member.add(source, sim.t, sim.steps)
    into = np.array(transfers(grid, sim.omega_hat, source))
    for member in impulses:
        source[...] = 0
        member.add(source, sim.t, sim.steps)
        into += moments(grid, source, (-1, 0))
    return float(into[0]), float(into[1])


# --------------------------------------------------------------------------------------- shells ---


def _spacing(grid: Grid) -> float:
    return min(2 * math.pi / grid.lx, 2 * math.pi / grid.ly)


def _shell_of(grid: Grid) -> list[Array]:
    """Shell of every mode, block by block; kept with the grid."""
    if grid not in _shells:
        _shells[grid] = [
            np.floor(np.sqrt(grid.kx[c] ** 2 + grid.ky**2) / _spacing(grid) + 0.5).astype(np.int32)
            for c in _blocks(grid)
        ]
    return _shells[grid]


def _shell_count(grid: Grid) -> int:
    corner = math.hypot(2 * math.pi / grid.lx * grid.kx_max, 2 * math.pi / grid.ly * grid.ky_max)
    return math.floor(corner / _spacing(grid) + 0.5) + 1


def shell_wavenumbers(grid: Grid) -> Array:
    """Centres of the shells, ``n dk`` for n = 0, 1, ... [1/length]."""
    return _spacing(grid) * np.arange(_shell_count(grid))


def complete_shells(grid: Grid) -> int:
    """Number of shells, counted from 0, that lie wholly inside the kept modes."""
    nearest_cut = min(
        2 * math.pi / grid.lx * (grid.kx_max + 1), 2 * math.pi / grid.ly * (grid.ky_max + 1)
    )
    return math.floor(nearest_cut / _spacing(grid) + 0.5)


def shell_sum(grid: Grid, density: Callable[[slice], Array]) -> Array:
    """Sums over shells of a density, given by columns; the weight of kx > 0 is put in here."""
    total = np.zeros(_shell_count(grid))
    kept = grid.mask[:1].ravel() if grid.nkx_local else np.zeros(0, bool)
    for columns, shells in zip(_blocks(grid), _shell_of(grid), strict=True):
        values = (grid.weight[columns] * density(columns))[:, kept]
        total += np.bincount(shells[:, kept].ravel(), values.ravel(), len(total))
    return grid.exchange.sum(total)


def energy_spectrum(grid: Grid, omega_hat: Array) -> tuple[Array, Array]:
    """Shell spectrum of the kinetic energy.

    Parameters
    ----------
    grid : Grid
    omega_hat : ndarray, shape (nkx_local, ny) [1/time]

    Returns
    -------
    k : ndarray, shape (shells,) [1/length]
    E : ndarray, shape (shells,) [length^2/time^2]
        Energy of each shell; the sum is `energy`.
    """
    power = shell_sum(grid, lambda c: 0.5 * _power(omega_hat, c) / _k2(grid, c))
    return shell_wavenumbers(grid), power


def enstrophy_spectrum(grid: Grid, omega_hat: Array) -> tuple[Array, Array]:
    """Shell spectrum of the enstrophy: k [1/length] and Z [1/time^2], as `energy_spectrum`."""
    return shell_wavenumbers(grid), shell_sum(grid, lambda c: 0.5 * _power(omega_hat, c))


def transfer_spectra(grid: Grid, omega_hat: Array, term_hat: Array) -> tuple[Array, Array, Array]:
    r"""Energy and enstrophy that a term of the vorticity equation puts into each shell.

    Parameters
    ----------
    grid : Grid
    omega_hat : ndarray, shape (nkx_local, ny) [1/time]
    term_hat : ndarray, shape (nkx_local, ny) [1/time^2]

    Returns
    -------
    k, T_E, T_Z : ndarray, shape (shells,)
        [1/length], [length^2/time^3] and [1/time^3].
    """

    def product(columns: slice) -> Array:
        return (omega_hat[columns].conj() * term_hat[columns]).real.astype(float)

    into_energy = shell_sum(grid, lambda c: product(c) / _k2(grid, c))
    return shell_wavenumbers(grid), into_energy, shell_sum(grid, product)


def fluxes(grid: Grid, omega_hat: Array) -> tuple[Array, Array, Array]:
    r"""Energy and enstrophy fluxes through each wavenumber, by the nonlinear term.

    .. math:: \Pi_E(K) = -\sum_{k \le K} T_E(k), \qquad \Pi_Z(K) = -\sum_{k \le K} T_Z(k)

    Positive towards small scales. In two-dimensional turbulence the enstrophy flux is positive in
    the range of the direct cascade, and the energy flux negative below the forcing.

    Returns
    -------
    k, flux_E, flux_Z : ndarray, shape (shells,)
        [1/length], [length^2/time^3] and [1/time^3]; both fluxes are zero at the last shell.
    """
    k, into_energy, into_enstrophy = transfer_spectra(
        grid, omega_hat, grid.nonlinear_term(omega_hat)
    )
    return k, -np.cumsum(into_energy), -np.cumsum(into_enstrophy)


# --------------------------------------------------------------------------------------- points ---


def pdf(
    grid: Grid, field: Array, *, bins: int = 100, limits: tuple[float, float] | None = None
) -> tuple[Array, Array]:
    """Probability density of a field over the domain.

    Parameters
    ----------
    grid : Grid
    field : ndarray, shape (ny_local, nx)
    bins : int
    limits : (float, float), optional
        Range of the bins; that of the field by default. What lies outside is not counted, and the
        density still refers to all points.

    Returns
    -------
    centres, density : ndarray, shape (bins,)
    """
    if limits is None:
        low = grid.exchange.min(float(field.min(initial=np.inf)))
        high = grid.exchange.max(float(field.max(initial=-np.inf)))
        limits = (low, high if high > low else low + 1.0)
    counts, edges = np.histogram(field, bins, limits)
    counts = grid.exchange.sum(counts.astype(float))
    density = counts / (grid.nx * grid.ny * np.diff(edges))
    return 0.5 * (edges[1:] + edges[:-1]), density


def standardized_moment(grid: Grid, field: Array, order: int) -> float:
    """Central moment over the power of the standard deviation: 3 is skewness, 4 flatness."""
    centred = np.asarray(field, float) - grid.mean(field)
    deviation = math.sqrt(grid.mean(centred**2))
    return grid.mean(centred**order) / deviation**order if deviation else math.nan


# -------------------------------------------------------------------------------------- summary ---


class Scalar(NamedTuple):
    """A number that describes a flow at one time."""

    name: str
    description: str
    units: str


#: What `summary` returns, and what outputs record.
SCALARS = (
    Scalar("dt", "length of the time step", "time"),
    Scalar("wall_time", "wall-clock time spent in steps since the start or the restart", "s"),
    Scalar("cfl", "CFL number of the last right-hand side", "1"),
    Scalar("energy", "kinetic energy per unit area", "length^2 time^-2"),
    Scalar("enstrophy", "enstrophy per unit area", "time^-2"),
    Scalar("palinstrophy", "palinstrophy per unit area", "length^-2 time^-2"),
    Scalar("energy_dissipation", "energy lost to viscosity", "length^2 time^-3"),
    Scalar("enstrophy_dissipation", "enstrophy lost to viscosity", "time^-3"),
    Scalar("energy_drag", "energy lost to drag", "length^2 time^-3"),
    Scalar("enstrophy_drag", "enstrophy lost to drag", "time^-3"),
    Scalar("energy_injection", "energy put in by the forcing", "length^2 time^-3"),
    Scalar("enstrophy_injection", "enstrophy put in by the forcing", "time^-3"),
    Scalar("rms_velocity", "root mean square of the speed", "length time^-1"),
    Scalar("rms_vorticity", "root mean square of the vorticity", "time^-1"),
    Scalar("eddy_turnover_time", "2 pi over the rms vorticity", "time"),
    Scalar("integral_scale", "2 pi sqrt(E / Z), the energy-weighted eddy size", "length"),
    Scalar("reynolds", "rms velocity x integral scale / viscosity (p = 1)", "1"),
    Scalar("resolution", "largest kept k over the dissipation wavenumber (p = 1)", "1"),
)


def summary(sim: Solver) -> dict[str, float]:
    r"""All of `SCALARS` for the present state; collective over ranks.

    The dissipation wavenumber is that of the enstrophy cascade, :math:`(\eta/\nu^3)^{1/6}` with
    :math:`\eta` the enstrophy dissipation. What needs a molecular viscosity is NaN without one.
    """
    grid, flow, hat = sim.grid, sim.flow, sim.omega_hat
    p = flow.viscosity_order
    e, z, pal, low, high = map(float, moments(grid, hat, (-1, 0, 1, p - 1, p)))
    into_energy, into_enstrophy = injection(sim)
    speed, vorticity = math.sqrt(2 * e), math.sqrt(2 * z)
    scale = 2 * math.pi * math.sqrt(e / z) if z > 0 else math.nan
    molecular = flow.viscosity > 0 and p == 1
    enstrophy_loss = 2 * flow.viscosity * high
    k_max = min(2 * math.pi / grid.lx * grid.kx_max, 2 * math.pi / grid.ly * grid.ky_max)
    k_dissipation = (enstrophy_loss / flow.viscosity**3) ** (1 / 6) if molecular else math.nan
    values = {
        "dt": sim.dt,
        "wall_time": sim.wall_time,
        "cfl": sim.cfl(),
        "energy": e,
        "enstrophy": z,
        "palinstrophy": pal,
        "energy_dissipation": 2 * flow.viscosity * low,
        "enstrophy_dissipation": enstrophy_loss,
        "energy_drag": 2 * flow.drag * e,
        "enstrophy_drag": 2 * flow.drag * z,
        "energy_injection": into_energy,
        "enstrophy_injection": into_enstrophy,
        "rms_velocity": speed,
        "rms_vorticity": vorticity,
        "eddy_turnover_time": 2 * math.pi / vorticity if vorticity else math.inf,
        "integral_scale": scale,
        "reynolds": speed * scale / flow.viscosity if molecular else math.nan,
        "resolution": k_max / k_dissipation if molecular and k_dissipation else math.nan,
    }
    assert list(values) == [scalar.name for scalar in SCALARS]
    return values
