"""Forcings: what stirs the flow. They add with ``+`` and scale with ``*``.

A forcing is any object with ``add(source_hat, t, step)`` (see `pytbl.sources.Forcing`). Those here
also have ``bind(grid)``, which the solver calls once, and say how much energy they put in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .composition import Composable, Sum
from .errors import InputError

if TYPE_CHECKING:
    from .filters import Filter
    from .grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


def split(forcing: Any) -> tuple[list[Any], list[Any]]:
    """Members that belong to the right-hand side, and members that are impulses."""
    members = forcing.members if isinstance(forcing, Sum) else [forcing]
    impulses = [m for m in members if getattr(m, "impulsive", False)]
    return [m for m in members if m not in impulses], impulses


def _check_kept(grid: Grid, name: str, mx: int, my: int) -> None:
    if mx > grid.kx_max or my > grid.ky_max:
        raise InputError(
            f"{name}: mode ({mx}, {my}) is not kept on this grid, whose largest modes are "
            f"({grid.kx_max}, {grid.ky_max})"
        )


def _mode_number(name: str, value: int) -> int:
    if value != int(value) or value < 0:
        raise InputError(f"{name} must be an integer >= 0, got {value}")
    return int(value)


class Waves(Composable):
    """A steady sum of cosines in the vorticity equation."""

    steady = True

    def __init__(self, waves: list[tuple[int, int, float]]) -> None:
        self._waves = waves  # (mode along x, mode along y, amplitude)
        self.kx_mode_max = max(mx for mx, _, _ in waves)
        self._entries: list[tuple[int, int, float]] = []

    def bind(self, grid: Grid) -> None:
        """Find the modes on the grid.

        Raises
        ------
        InputError
            A mode is not kept on the grid.
        """
        self._entries = []
        for mx, my, amplitude in self._waves:
            _check_kept(grid, type(self).__name__, mx, my)
            column = mx - grid.kx_start
            if amplitude and 0 <= column < grid.nkx_local:
                conjugates = {my, -my % grid.ny} if mx == 0 else {my}
                self._entries += [(column, row, 0.5 * amplitude) for row in conjugates]

    def add(self, source_hat: Array, t: float, step: int) -> None:
        """Add the cosines."""
        for column, row, amplitude in self._entries:
            source_hat[column, row] += amplitude


class Deterministic(Waves):
    r"""The forcing of Subel et al. (2023), eq. 1a.

    The vorticity equation has :math:`-f` on its right-hand side, with

    .. math:: f = m_x \cos(m_x x) + n_y \cos(n_y y)

    and x, y in units that make the domain :math:`2\pi` wide.

    Parameters
    ----------
    mx, ny : int
        Mode numbers; 0 leaves a direction out.
    """

    def __init__(self, mx: int = 4, ny: int = 0) -> None:
        self.mx, self.ny = _mode_number("mx", mx), _mode_number("ny", ny)
        if self.mx == self.ny == 0:
            raise InputError("a deterministic forcing needs mx or ny > 0, got 0 and 0")
        waves = [(self.mx, 0, -float(self.mx)), (0, self.ny, -float(self.ny))]
        super().__init__([wave for wave in waves if wave[2]])

    def __repr__(self) -> str:
        return f"Deterministic(mx={self.mx}, ny={self.ny})"


class Kolmogorov(Waves):
    r"""A body force along x that varies along y, :math:`(A \sin(m y), 0)`.

    Its curl, :math:`-A m \cos(m y)`, enters the vorticity equation. Without drag the laminar flow
    is :math:`u = A \sin(m y) / (\nu m^2)`.

    Parameters
    ----------
    mode : int
        m, in units that make the domain :math:`2\pi` high.
    amplitude : float
        A [length/time^2].
    """

    def __init__(self, *, mode: int = 4, amplitude: float = 1.0) -> None:
        self.mode, self.amplitude = _mode_number("mode", mode), float(amplitude)
        if self.mode == 0 or not math.isfinite(self.amplitude):
            raise InputError(
                f"a Kolmogorov forcing needs mode > 0 and a finite amplitude, got {mode} and "
                f"{amplitude}"
            )
        super().__init__([(0, self.mode, 1.0)])

    def __repr__(self) -> str:
        return f"Kolmogorov(mode={self.mode}, amplitude={self.amplitude:g})"

    def bind(self, grid: Grid) -> None:
        """Find the mode on the grid."""
        wavenumber = 2 * np.pi / grid.ly * self.mode
        self._waves = [(0, self.mode, -self.amplitude * wavenumber)]
        super().bind(grid)


class Filtered(Composable):
    """A forcing as a large-eddy simulation sees it: every mode times the filter's G(k).

    Parameters
    ----------
    forcing : Forcing
    filter : Filter
        Its width is counted on the grid of the simulation.

    Raises
    ------
    InputError
        The forcing is a sum, of which some members may be white in time: see `filtered`.
    """

    def __init__(self, forcing: Any, filter: Filter) -> None:
        if isinstance(forcing, Sum):
            raise InputError("the members of a sum are filtered one by one: use forcing.filtered")
        self.forcing, self.filter = forcing, filter
        self.steady = getattr(forcing, "steady", False)
        self.impulsive = getattr(forcing, "impulsive", False)

    def __repr__(self) -> str:
        return f"Filtered({self.forcing!r}, {self.filter!r})"

    @property
    def kx_mode_max(self) -> int | None:
        """Largest mode number along x that the forcing touches."""
        return getattr(self.forcing, "kx_mode_max", None)

    def bind(self, grid: Grid) -> None:
        """Bind the forcing, and evaluate the filter."""
        if hasattr(self.forcing, "bind"):
            self.forcing.bind(grid)
        self._transfer = self.filter.transfer(grid).astype(grid.dtype)
        self._scratch = grid.zeros_spectral()

    def add(self, source_hat: Array, t: float, step: int) -> None:
        """Add the filtered forcing."""
        self._scratch[...] = 0
        self.forcing.add(self._scratch, t, step)
        source_hat += self._transfer * self._scratch


def filtered(forcing: Any, filter: Filter) -> Any:
    """A forcing as a large-eddy simulation sees it; of a sum, each member on its own.

    Parameters
    ----------
    forcing : Forcing
    filter : Filter

    Returns
    -------
    Filtered or Sum
    """
    if isinstance(forcing, Sum):
        return Sum([Filtered(member, filter) for member in forcing.members])
    return Filtered(forcing, filter)


class Ring(Composable):
    r"""White noise in time on a ring of wavenumbers, with an exact mean energy input.

    In every step each mode of the ring gets an impulse of fixed size and random phase, with the
    energy :math:`\tfrac12\sum|\hat q|^2/k^2 = \varepsilon` per unit time, shared equally by the
    modes. An impulse is independent of the flow that it meets, so that the energy input is
    :math:`\varepsilon` in the mean, whatever the time step and the scheme.

    Parameters
    ----------
    k : float
        Radius of the ring [1/length].
    width : float
        Modes with ``abs(abs(k) - radius) <= width / 2`` are forced [1/length].
    energy_rate : float
        :math:`\varepsilon` [length^2/time^3].
    rng : int
        Seed. The phases of a step come from a Philox generator keyed by the seed and the step, so
        they are the same on any number of ranks, and after a restart.
    """

    impulsive = True

    def __init__(
        self, *, k: float, width: float = 1.0, energy_rate: float = 1.0, rng: int = 0
    ) -> None:
        for name, value in (("k", k), ("width", width)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} of a ring must be a finite number > 0, got {value}")
        if not (math.isfinite(energy_rate) and energy_rate >= 0):
            raise InputError(f"energy_rate must be a finite number >= 0, got {energy_rate}")
        self.k, self.width = float(k), float(width)
        self.energy_rate, self.rng = float(energy_rate), _mode_number("rng", rng)
        self.kx_mode_max: int | None = None

    def __repr__(self) -> str:
        return (
            f"Ring(k={self.k:g}, width={self.width:g}, energy_rate={self.energy_rate:g}, "
            f"rng={self.rng})"
        )

    def bind(self, grid: Grid) -> None:
        """Find the modes of the ring.

        Raises
        ------
        InputError
            The ring holds no mode, or one that is not kept on the grid.
        """
        dkx, dky = 2 * np.pi / grid.lx, 2 * np.pi / grid.ly
        outer = self.k + self.width / 2
        reach_x, reach_y = int(outer / dkx + 1e-9), int(outer / dky + 1e-9)
        mx, my = np.meshgrid(
            np.arange(reach_x + 1), np.arange(-reach_y, reach_y + 1), indexing="ij"
        )
        radius = np.hypot(dkx * mx, dky * my)
        # one of each pair of conjugates: at kx = 0 the other is set by symmetry
        inside = (np.abs(radius - self.k) <= self.width / 2) & ((mx > 0) | (my > 0))
        if not inside.any():
            raise InputError(f"{self!r} holds no mode of this grid: widen it")
        self._mx, self._my = mx[inside], my[inside]
        _check_kept(grid, "Ring", int(self._mx.max()), int(np.abs(self._my).max()))
        self.kx_mode_max = int(self._mx.max())
        # a mode and its conjugate together hold |q|^2 / k^2 of energy
        self._size = np.sqrt(self.energy_rate / len(self._mx)) * radius[inside]
        column = self._mx - grid.kx_start
        self._here = (column >= 0) & (column < grid.nkx_local)
        self._column, self._row = column[self._here], self._my[self._here]
        self._mirrored = self._mx[self._here] == 0

    def add(self, source_hat: Array, t: float, step: int) -> None:
        """Add the impulses of a step, per square root of time [time^(-3/2)]."""
        bits = np.random.Philox(key=self.rng, counter=[0, 0, 0, step])
        phase = np.random.Generator(bits).uniform(0, 2 * np.pi, len(self._mx))
        impulse = (self._size * np.exp(1j * phase))[self._here]
        source_hat[self._column, self._row] += impulse
        axis = self._mirrored
        source_hat[self._column[axis], -self._row[axis]] += impulse[axis].conj()

    def state(self) -> dict[str, Any]:
        """What a checkpoint records; the phases need nothing but the step."""
        return {"kind": "Ring", "rng": self.rng, "energy_rate": self.energy_rate}
