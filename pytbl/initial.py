"""Initial vorticity fields: pure functions of a grid and keywords, real, shape (ny_local, nx)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import filters
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import h5py
    from numpy.typing import ArrayLike

    from .filters import Filter
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a finite number > 0, got {value}")


def _modes(grid: Grid) -> tuple[Array, Array]:
    """Integer mode numbers of this rank's slab, broadcastable."""
    mx = np.arange(grid.kx_start, grid.kx_start + grid.nkx_local)[:, None]
    my = np.rint(np.fft.fftfreq(grid.ny, 1 / grid.ny)).astype(int)[None, :]
    return mx, my


def random_phases(grid: Grid, rng: int) -> Array:
    """Unit complex numbers, one per mode, Hermitian at kx = 0, zero at k = 0.

    The phase of a mode depends on the seed and its mode numbers alone: not on the resolution, so
    that two grids share their large scales, nor on the ranks. Column mx of the plane is drawn from
    a Philox generator keyed by the seed, with mx in its counter, in the order
    ``my = 0, 1, -1, 2, -2, ...``.
    """
    if rng != int(rng) or rng < 0:
        raise InputError(f"rng must be an integer >= 0, got {rng}")
    phases = grid.zeros_spectral()
    my = np.arange(1, grid.ky_max + 1)
    for column in range(grid.nkx_local):
        mx = grid.kx_start + column
        bits = np.random.Philox(key=int(rng), counter=[0, 0, 0, mx])
        draws = np.exp(1j * np.random.Generator(bits).uniform(0, 2 * np.pi, 2 * grid.ky_max + 1))
        if mx > 0:
            phases[column, 0] = draws[0]
            phases[column, -my] = draws[2::2]
            phases[column, my] = draws[1::2]
        else:
            phases[column, my] = draws[1::2]
            phases[column, -my] = draws[1::2].conj()
    return phases


def isotropic(
    grid: Grid,
    spectrum: Callable[[Array], Array],
    *,
    rng: int = 0,
    energy: float | None = None,
) -> Array:
    r"""A field with a given energy spectrum and random phases.

    Parameters
    ----------
    grid : Grid
    spectrum : callable
        Energy spectrum :math:`E(k)`, energy per unit wavenumber [length^3/time^2]. Each mode gets
        :math:`|\hat\omega|^2 = k E(k)\,dk_x dk_y / \pi`, which puts the energy
        :math:`E(k)\,dk` into a shell: all modes of one k are equal, and only phases are random.
    rng : int
        Seed; see `random_phases`.
    energy : float, optional
        Scale the field to this energy per unit area [length^2/time^2].

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    k = np.sqrt(grid.k2)
    area = (2 * np.pi / grid.lx) * (2 * np.pi / grid.ly)
    density = np.where(k > 0, k * spectrum(np.where(k > 0, k, 1.0)) * area / np.pi, 0.0)
    hat = np.sqrt(density) * random_phases(grid, rng)
    if energy is not None:
        _positive(energy=energy)
        present = 0.5 * grid.sum_modes(np.abs(hat) ** 2 * grid.inverse_k2)
        if present == 0:
            raise InputError("the spectrum has no energy on the modes of this grid")
        hat *= np.sqrt(energy / present)
    return grid.to_physical(hat)


def random_spectrum(
    grid: Grid, *, k_peak: float = 10.0, energy: float | None = None, rng: int = 0
) -> Array:
    r"""Decaying-turbulence start of Subel et al. (2023) and its predecessors.

    .. math:: E(k) = A k^4 e^{-(k/k_p)^2}, \qquad A = \tfrac{4}{3\pi} k_p^{-5}

    with the energy :math:`1/(2\sqrt\pi) = 0.2821` and, for :math:`k_p = 10`, an rms vorticity of
    11.88. Phases are exactly Hermitian, so that the spectrum is imposed exactly; the published
    codes' are not on the axes, which costs them about 2 % of the energy.

    Parameters
    ----------
    grid : Grid
    k_peak : float
        :math:`k_p` [1/length].
    energy : float, optional
        Scale to this energy per unit area [length^2/time^2].
    rng : int
        Seed.

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    _positive(k_peak=k_peak)
    scale = 4 / (3 * np.pi) * k_peak**-5
    return isotropic(
        grid, lambda k: scale * k**4 * np.exp(-((k / k_peak) ** 2)), rng=rng, energy=energy
    )


def mcwilliams(grid: Grid, *, k_peak: float = 6.0, energy: float = 0.5, rng: int = 0) -> Array:
    r"""Random start from which coherent vortices emerge.

    The spectrum of the streamfunction is :math:`|\hat\psi|^2 \propto 1 / (k[1 + (k/k_p)^4])`
    (McWilliams, J. Fluid Mech. 146, 1984), that is
    :math:`E(k) \propto k^2 / (1 + (k/k_p)^4)` summed over shells.

    Parameters
    ----------
    grid : Grid
    k_peak : float
        :math:`k_p` [1/length].
    energy : float
        Energy per unit area [length^2/time^2]; McWilliams has 0.5.
    rng : int
        Seed.

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    _positive(k_peak=k_peak)
    return isotropic(grid, lambda k: k**2 / (1 + (k / k_peak) ** 4), rng=rng, energy=energy)


def random_ring(
    grid: Grid, *, k_min: float, k_max: float, energy: float = 0.5, rng: int = 0
) -> Array:
    """Equal energy per unit wavenumber for ``k_min <= k <= k_max`` [1/length], none elsewhere.

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    _positive(k_max=k_max)
    if not 0 <= k_min < k_max:
        raise InputError(f"a ring needs 0 <= k_min < k_max, got {k_min} and {k_max}")
    return isotropic(grid, lambda k: ((k >= k_min) & (k <= k_max)) * 1.0, rng=rng, energy=energy)


def _points(grid: Grid) -> tuple[Array, Array]:
    return np.meshgrid(grid.x, grid.y)


def _field(grid: Grid, values: Array) -> Array:
    return np.ascontiguousarray(values, grid.dtype)


def taylor_green(grid: Grid, *, mx: int = 1, my: int = 1, amplitude: float = 1.0) -> Array:
    r"""The array of vortices :math:`\omega = A \cos(k_x x) \cos(k_y y)`.

    It does not advect itself, and decays as :math:`\exp(-\nu (k_x^2 + k_y^2) t)` exactly
    (Taylor & Green 1937).

    Parameters
    ----------
    grid : Grid
    mx, my : int
        Mode numbers.
    amplitude : float
        A [1/time].

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    for name, mode, largest in (("mx", mx, grid.kx_max), ("my", my, grid.ky_max)):
        if not 0 <= mode <= largest:
            raise InputError(f"{name} must be a kept mode, 0 .. {largest}, got {mode}")
    x, y = _points(grid)
    wave = np.cos(2 * np.pi * mx * x / grid.lx) * np.cos(2 * np.pi * my * y / grid.ly)
    return _field(grid, amplitude * wave)


def lamb_dipole(
    grid: Grid,
    *,
    speed: float = 1.0,
    radius: float | None = None,
    centre: tuple[float, float] | None = None,
    direction: float = 0.0,
) -> Array:
    r"""The Lamb-Chaplygin dipole, which moves without change of form.

    .. math:: \omega = -\frac{2 U \lambda J_1(\lambda r)}{J_0(\lambda R)} \sin\theta
              \quad (r < R), \qquad \lambda R = 3.8317

    with :math:`\theta` the angle from the direction of motion (Lamb 1932, art. 165; Meleshko & van
    Heijst 1994). In a periodic box its images change the speed by order :math:`(R/l)^2`.

    Parameters
    ----------
    grid : Grid
    speed : float
        U [length/time].
    radius : float, optional
        R [length]; a twelfth of the shorter side by default.
    centre : (float, float), optional
        Centre [length]; that of the domain by default.
    direction : float
        Angle of the motion from the x axis [rad].

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    from scipy.special import j0, j1, jn_zeros

    shorter = min(grid.lx, grid.ly)
    radius = shorter / 12 if radius is None else radius
    _positive(radius=radius)
    if radius > shorter / 2:
        raise InputError(
            f"radius must be at most half the shorter side, {shorter / 2}, got {radius}"
        )
    cx, cy = (grid.lx / 2, grid.ly / 2) if centre is None else centre
    x, y = _points(grid)
    x = (x - cx + grid.lx / 2) % grid.lx - grid.lx / 2  # to the nearest image
    y = (y - cy + grid.ly / 2) % grid.ly - grid.ly / 2
    r = np.hypot(x, y)
    wavenumber = jn_zeros(1, 1)[0] / radius
    strength = -2 * speed * wavenumber / j0(wavenumber * radius)
    sine = np.sin(np.arctan2(y, x) - direction)
    return _field(grid, np.where(r < radius, strength * j1(wavenumber * r) * sine, 0.0))


def double_shear_layer(
    grid: Grid, *, thickness: float | None = None, speed: float = 1.0, perturbation: float = 0.05
) -> Array:
    r"""Two shear layers that roll up (Bell, Colella & Glaz 1989; Brown & Minion 1995).

    :math:`u = U\tanh((y - l_y/4)/\delta)` below the middle and
    :math:`U\tanh((3 l_y/4 - y)/\delta)` above it, :math:`v = U\epsilon\sin(2\pi x/l_x)`.

    Parameters
    ----------
    grid : Grid
    thickness : float, optional
        :math:`\delta` [length]; ``ly / 80`` by default.
    speed : float
        U [length/time].
    perturbation : float
        :math:`\epsilon`.

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
    """
    thickness = grid.ly / 80 if thickness is None else thickness
    _positive(thickness=thickness)
    x, y = _points(grid)
    kx = 2 * np.pi / grid.lx
    lower = 1 / np.cosh(np.clip((y - grid.ly / 4) / thickness, -300, 300)) ** 2
    upper = 1 / np.cosh(np.clip((3 * grid.ly / 4 - y) / thickness, -300, 300)) ** 2
    shear = np.where(y <= grid.ly / 2, lower, -upper) / thickness
    return _field(grid, speed * (kx * perturbation * np.cos(kx * x) - shear))


def from_array(grid: Grid, omega: ArrayLike) -> Array:
    """This rank's rows of a whole field that every rank holds.

    Parameters
    ----------
    grid : Grid
    omega : ndarray, shape (ny, nx), real [1/time]

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]

    Raises
    ------
    InputError
        The array has another shape, is not real, or is not finite.
    """
    array = np.asarray(omega)
    if array.shape != (grid.ny, grid.nx):
        raise InputError(f"the field must have shape {(grid.ny, grid.nx)}, got {array.shape}")
    _check_values(array, "the field")
    return _field(grid, array[grid.y_start : grid.y_start + grid.ny_local])


def _check_values(array: Array, name: str) -> None:
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} must hold real numbers, got {array.dtype}")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise InputError(f"{name} must be finite, got {bad} values NaN or infinite")


def resample(grid: Grid, omega: Array) -> Array:
    """This rank's rows of a whole field of any resolution, by spectral interpolation.

    Parameters
    ----------
    grid : Grid
    omega : ndarray, shape (any ny, any nx), real [1/time]
        On the same domain as the grid.

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]
        With the modes that both resolutions carry; the Nyquist modes of the source are dropped.
    """
    from scipy import fft

    ny, nx = omega.shape
    hat = fft.rfft2(omega, norm="forward")  # (ny, nx // 2 + 1)
    columns = min((nx - 1) // 2, grid.kx_max) + 1
    rows = min((ny - 1) // 2, grid.ky_max)
    whole = np.zeros((grid.nkx, grid.ny), complex)
    whole[:columns, : rows + 1] = hat[: rows + 1, :columns].T
    if rows:
        whole[:columns, -rows:] = hat[-rows:, :columns].T
    return grid.to_physical(whole[grid.kx_start : grid.kx_start + grid.nkx_local])


def from_file(
    grid: Grid, path: str | Path, *, record: int = -1, filter: Filter | str | None = None
) -> Array:
    """A field from a file, of any resolution.

    Parameters
    ----------
    grid : Grid
    path : str or Path
        An output of pytbl (HDF5, variable ``omega``); or a MATLAB file of any version with a
        variable ``Omega``, which is how py2d stores initial conditions. py2d's arrays are indexed
        [x, y] and are transposed here.
    record : int
        Which time of an output; the last by default. Negative ones are counted from the last that
        was written to its end.
    filter : Filter or str, optional
        Applied to the field, as the start of a large-eddy simulation; a dataset's fields, which
        are filtered already, are taken as they are, and must be by this filter and its widths.

    Returns
    -------
    ndarray, shape (ny_local, nx) [1/time]

    Raises
    ------
    InputError
        On all ranks: the file cannot be read, holds no such field, or one that is not finite, of
        another domain or filtered by another filter.
    """
    if isinstance(filter, str):
        filter = filters.make(filter)
    answer: Array | str | None = None
    filtered: _Filtered | None = None
    if grid.exchange.rank == 0:
        try:
            answer, filtered = _read(Path(path), record, (grid.lx, grid.ly))
            _check_values(answer, f"{path}")
            if filtered is not None and filter is not None:
                _check_filter(path, filtered, _Filtered(filter.kind, *filter.widths(grid)))
        except InputError as error:
            answer = str(error)
        except (OSError, KeyError, ValueError, IndexError) as error:
            answer = f"no vorticity can be read from {path}: {error}"
    answer = grid.exchange.bcast(answer)
    if isinstance(answer, str):
        raise InputError(answer)
    assert answer is not None
    field = resample(grid, answer)
    if filter is None or grid.exchange.bcast(filtered is not None):
        return field
    return grid.to_physical(filter.transfer(grid) * grid.to_spectral(field))


class _Filtered(NamedTuple):
    """How fields were filtered: the kind of the filter, and its widths along x and y [length]."""

    kind: str
    width_x: float
    width_y: float

    def __str__(self) -> str:
        return f"{self.kind} of width {self.width_x:.6g} x {self.width_y:.6g}"


def _check_filter(path: str | Path, found: _Filtered, wanted: _Filtered) -> None:
    if found.kind != wanted.kind or not np.allclose(found[1:], wanted[1:], rtol=1e-9, atol=0):
        raise InputError(f"the fields of {path} are filtered by {found}, expected {wanted}")


def _read(path: Path, record: int, lengths: tuple[float, float]) -> tuple[Array, _Filtered | None]:
    """The whole field, indexed [y, x], and the filter that was applied to it, if any."""
    import h5py

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not h5py.is_hdf5(path):
        from scipy.io import loadmat

        return np.asarray(loadmat(path, variable_names=["Omega"])["Omega"], float).T, None
    with h5py.File(path, "r") as file:
        if "omega" in file:
            found = tuple(float(file.attrs[name]) for name in ("lx", "ly") if name in file.attrs)
            if found and not np.allclose(found, lengths):
                raise InputError(f"{path} is of a domain {found}, and the grid's is {lengths}")
            data = file["omega"]
            if not -len(data) <= record < len(data):
                raise InputError(f"{path} has {len(data)} records, got record {record}")
            if record < 0 and -len(data) < record and np.isnan(data[-1]).any():
                record -= 1  # the run ended while the last one was being written
            return np.asarray(data[record], float), _filter_of(file)
        if "Omega" in file:  # MATLAB 7.3 stores column-major: h5py sees [y, x] of an [x, y] array
            return np.asarray(file["Omega"], float), None
        raise InputError(
            f"{path} holds no variable omega (pytbl) or Omega (py2d), but {', '.join(file)}"
        )


def _filter_of(file: h5py.File) -> _Filtered | None:
    """The filter of a dataset; None for an output."""
    if "pi" not in file:
        return None
    widths = (float(file.attrs[f"filter_width_{axis}"]) for axis in "xy")
    return _Filtered(str(file.attrs["filter"]), *widths)
