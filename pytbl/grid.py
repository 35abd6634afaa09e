"""The grid: wavenumbers, the modes that are kept, transforms, sums over modes and points."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import wisdom
from ._core import Plan
from .errors import InputError
from .exchange import Buffer, Exchange, make_exchange

if TYPE_CHECKING:
    from mpi4py import MPI
    from numpy.typing import ArrayLike, DTypeLike

    Array = np.ndarray[Any, np.dtype[Any]]
    Pair = tuple[Array, Array]

SMALLEST = 8


def _check_points(name: str, n: int) -> None:
    if not isinstance(n, int | np.integer):
        raise InputError(f"{name} must be an even integer >= {SMALLEST}, got {n!r}")
    rest = int(n)
    for factor in (2, 3, 5, 7):
        while rest > 1 and rest % factor == 0:
            rest //= factor
    if n < SMALLEST or n % 2 or rest != 1:
        raise InputError(
            f"{name} must be an even integer >= {SMALLEST} with no prime factor above 7, got {n}"
        )


class Workspace:
    """A plan and its exchange buffer, on loan to whoever used it last.

    `stamp` changes whenever the buffer is used: a solver that left its velocity there can tell
    whether it still is.
    """

    def __init__(self, plan: Plan, exchange: Exchange, dtype: Any) -> None:
        self.plan = plan
        self.buffer: Buffer = exchange.buffer(plan, dtype)
        self.stamp = 0

    def claim(self) -> int:
        """Take the buffer over; returns the stamp under which it is now held."""
        self.stamp += 1
        return self.stamp


class Grid:
    r"""A doubly periodic grid, the modes that it keeps, and the transforms between them.

    A field is sampled at ``x = i dx``, ``y = j dy`` and stored as a real array of shape
    ``(ny_local, nx)``; its spectrum as a complex array of shape ``(nkx_local, ny)``, with
    ``kx >= 0`` and ky in FFT order. The forward transform divides by ``nx ny``: spectra are
    amplitudes, and ``cos(3 x)`` has 0.5 at ``kx = 3``. Modes that are not kept are exactly zero.

    Parameters
    ----------
    nx, ny : int
        Points along x and y: even, at least 8, with no prime factor above 7.
    lx, ly : float
        Lengths of the domain [length].
    dealias : {"2/3", "3/2"}
        How products are freed of aliasing. "2/3" keeps the modes ``abs(kx) <= (nx - 1) // 3`` and
        forms products on this grid; "3/2" keeps ``abs(kx) <= nx / 2 - 1`` and forms products on
        one of ``3 nx / 2`` points. Both are exact (Orszag 1971). Likewise along y.
    comm : mpi4py communicator, optional
        Ranks that share the domain: rows of fields, columns kx of spectra. Some may have none.
    dtype : float64 or float32
        Precision of all state and transforms.
    threads : int
        OpenMP threads of this rank.
    reproducible : bool
        Plan transforms by FFTW's estimate, which is the same in every run, rather than by
        measurement, which is faster but may differ in the last bit from run to run.

    Raises
    ------
    InputError
        A parameter cannot be used, or there are more ranks than rows.

    Notes
    -----
    Transforms are kept in one buffer per grid; objects of one grid must not be used by two Python
    threads at once.
    """

    def __init__(
        self,
        nx: int,
        ny: int,
        *,
        lx: float = 2 * np.pi,
        ly: float = 2 * np.pi,
        dealias: str = "2/3",
        comm: MPI.Intracomm | None = None,
        dtype: DTypeLike = np.float64,
        threads: int = 1,
        reproducible: bool = False,
    ) -> None:
        _check_points("nx", nx)
        _check_points("ny", ny)
        for name, length in (("lx", lx), ("ly", ly)):
            if not (math.isfinite(length) and length > 0):
                raise InputError(f"{name} must be a finite number > 0, got {length}")
        if dealias not in ("2/3", "3/2"):
            raise InputError(f'dealias must be "2/3" or "3/2", got {dealias!r}')
        if np.dtype(dtype) not in (np.dtype("f8"), np.dtype("f4")):
            raise InputError(f"dtype must be float64 or float32, got {np.dtype(dtype)}")
        if threads < 1:
            raise InputError(f"threads must be >= 1, got {threads}")

        self.nx, self.ny, self.lx, self.ly = int(nx), int(ny), float(lx), float(ly)
        self.dealias, self.comm, self.threads = dealias, comm, int(threads)
        self.reproducible = bool(reproducible)
        self.dtype = np.dtype(dtype)
        self.complex_dtype = np.dtype("c16" if self.dtype == np.float64 else "c8")
        self.dx, self.dy = self.lx / self.nx, self.ly / self.ny
        if dealias == "2/3":
            self.kx_max, self.ky_max = (self.nx - 1) // 3, (self.ny - 1) // 3
            self.product_points = (self.nx, self.ny)
        else:
            self.kx_max, self.ky_max = self.nx // 2 - 1, self.ny // 2 - 1
            self.product_points = (3 * self.nx // 2, 3 * self.ny // 2)
        self.nkx = self.kx_max + 1

        self.exchange = make_exchange(comm)
        if self.exchange.size > self.ny:
            raise InputError(
                f"{self.exchange.size} ranks cannot share {self.ny} rows: use at most {self.ny}"
            )
        self.fields = self._workspace((self.nx, self.ny))
        self.products = (
            self.fields
            if self.product_points == (self.nx, self.ny)
            else self._workspace(self.product_points)
        )
        plan = self.fields.plan
        self.kx_start, self.nkx_local = plan.kx_start, plan.kx_count
        self.y_start, self.ny_local = plan.y_start, plan.y_count

        self.x = self.dx * np.arange(self.nx)
        self.y = self.dy * np.arange(self.y_start, self.y_start + self.ny_local)
        dkx, dky = 2 * np.pi / self.lx, 2 * np.pi / self.ly
        self.kx = dkx * np.arange(self.kx_start, self.kx_start + self.nkx_local)[:, None]
        self.ky = dky * np.fft.fftfreq(self.ny, 1 / self.ny)[None, :]
        self.weight = np.where(self.kx == 0, 1.0, 2.0)

    def __repr__(self) -> str:
        ranks = f", {self.exchange.size} ranks" if self.exchange.size > 1 else ""
        return (
            f"Grid({self.nx} x {self.ny} points, {self.lx:.4g} x {self.ly:.4g}, "
            f'dealias="{self.dealias}", kept modes {self.kx_max} x {self.ky_max}, {self.dtype}'
            f"{ranks})"
        )

    # -------------------------------------------------------------------------------- planning ---

    def _plan(self, points: tuple[int, int], text: str | None, measure: bool) -> Plan:
        return Plan(
            points,
            (self.kx_max, self.ky_max),
            (2 * np.pi / self.lx, 2 * np.pi / self.ly),
            ny=self.ny,
            size=self.exchange.size,
            rank=self.exchange.rank,
            threads=self.threads,
            single=self.dtype == np.float32,
            measure=measure,
            wisdom=text,
        )

    def _workspace(self, points: tuple[int, int]) -> Workspace:
        """Rank 0 plans, from the user's cache or by measuring; the others repeat its plans."""
        plan = None
        text: str | None = None
        measure = not self.reproducible
        if self.exchange.rank == 0:
            known = wisdom.recall(points, self.dtype.name) if measure else None
            plan = self._plan(points, known, measure)
            text = plan.wisdom
            if measure and text != known:
                wisdom.keep(points, self.dtype.name, text)
        text = self.exchange.bcast(text)
        plan = plan or self._plan(points, text, measure)
        return Workspace(plan, self.exchange, self.complex_dtype)

    @property
    def wisdom(self) -> str:
        """FFTW wisdom of the transforms that a time step uses."""
        return self.products.plan.wisdom

    def plan_from(self, text: str, *, measured: bool) -> None:
        """Plan the transforms of a time step again from wisdom, as after a restart."""
        if text != self.wisdom:
            self.products.plan = self._plan(self.product_points, text, measured)
            self.products.claim()

    # ----------------------------------------------------------------------------- wavenumbers ---

    @property
    def k2(self) -> Array:
        """kx^2 + ky^2, shape (nkx_local, ny) [1/length^2]."""
        return self.kx**2 + self.ky**2

    @property
    def inverse_k2(self) -> Array:
        """1 / k^2, and 0 at k = 0, shape (nkx_local, ny) [length^2]."""
        k2 = self.k2
        return np.divide(1.0, k2, out=np.zeros_like(k2), where=k2 > 0)

    @cached_property
    def _kept_ky(self) -> Array:
        return np.abs(np.fft.fftfreq(self.ny, 1 / self.ny)) <= self.ky_max

    @property
    def mask(self) -> Array:
        """The modes that are kept, shape (nkx_local, ny), bool."""
        return np.broadcast_to(self._kept_ky, (self.nkx_local, self.ny))

    def velocity_hat(self, omega_hat: Array) -> Pair:
        """Spectra of the velocity (u, v) of a vorticity, each of shape (nkx_local, ny)."""
        psi_hat = omega_hat * self.inverse_k2
        return 1j * self.ky * psi_hat, -1j * self.kx * psi_hat

    # ------------------------------------------------------------------------------ transforms ---

    def zeros_physical(self) -> Array:
        """A field of zeros, shape (ny_local, nx)."""
        return np.zeros((self.ny_local, self.nx), self.dtype)

    def zeros_spectral(self) -> Array:
        """A spectrum of zeros, shape (nkx_local, ny)."""
        return np.zeros((self.nkx_local, self.ny), self.complex_dtype)

    def _field(self, field: ArrayLike) -> Array:
        array = np.asarray(field)
        expected = (self.ny_local, self.nx)
        if array.dtype.kind not in "fiu":
            raise InputError(f"a field must hold real numbers, got {array.dtype}")
        if array.shape != expected:
            raise InputError(f"a field must have shape {expected}, got {array.shape}")
        return np.ascontiguousarray(array, self.dtype)

    def _spectrum(self, hat: ArrayLike) -> Array:
        array = np.asarray(hat)
        expected = (self.nkx_local, self.ny)
        if array.shape != expected:
            raise InputError(f"a spectrum must have shape {expected}, got {array.shape}")
        return np.ascontiguousarray(array, self.complex_dtype)

    def to_spectral(self, field: ArrayLike) -> Array:
        """Spectrum of a real field, cut to the kept modes.

        Parameters
        ----------
        field : ndarray, shape (ny_local, nx), real

        Returns
        -------
        ndarray, shape (nkx_local, ny), complex
        """
        work = self.fields
        hat = self.zeros_spectral()
        work.claim()
        work.plan.rows_write(self._field(field), None, work.buffer.rows)
        work.buffer.to_columns()
        work.plan.columns_analyze(work.buffer.columns, hat, None)
        return hat

    def to_physical(self, hat: ArrayLike) -> Array:
        """Real field of a spectrum.

        Parameters
        ----------
        hat : ndarray, shape (nkx_local, ny), complex

        Returns
        -------
        ndarray, shape (ny_local, nx)
        """
        return self._synthesize(self._spectrum(hat), None)[0]

    def to_physical_pair(self, a_hat: ArrayLike, b_hat: ArrayLike) -> tuple[Array, Array]:
        """Two real fields of two spectra, for the price of one complex transform."""
        a, b = self._synthesize(self._spectrum(a_hat), self._spectrum(b_hat))
        assert b is not None
        return a, b

    def _synthesize(self, a_hat: Array, b_hat: Array | None) -> tuple[Array, Array | None]:
        work = self.fields
        a = self.zeros_physical()
        b = None if b_hat is None else self.zeros_physical()
        work.claim()
        work.plan.columns_synthesize(a_hat, b_hat, work.buffer.columns)
        work.buffer.to_rows()
        work.plan.rows_read(work.buffer.rows, a, b)
        return a, b

    def nonlinear_term(self, omega_hat: ArrayLike) -> Array:
        r"""Advection :math:`\hat N = -\widehat{u\cdot\nabla\omega}`, free of aliasing.

        Parameters
        ----------
        omega_hat : ndarray, shape (nkx_local, ny), complex [1/time]

        Returns
        -------
        ndarray, shape (nkx_local, ny), complex [1/time^2]
        """
        work = self.products
        tendency = self.zeros_spectral()
        work.claim()
        work.plan.columns_velocity(self._spectrum(omega_hat), work.buffer.columns)
        work.buffer.to_rows()
        work.plan.rows_square(work.buffer.rows)
        work.buffer.to_columns()
        work.plan.columns_tendency(work.buffer.columns, tendency)
        return tendency

    # ----------------------------------------------------------------- work at product points ---

    # What these return may be arrays of the caller's: fresh memory costs more than the work on it.

    def zeros_points(self) -> tuple[Array, Array]:
        """Two fields of zeros at the points where products are formed."""
        shape = self.products.plan.y_count, self.product_points[0]
        return np.zeros(shape, self.dtype), np.zeros(shape, self.dtype)

    def to_points(
        self, a_hat: ArrayLike, b_hat: ArrayLike | None, *, out: Pair | None = None
    ) -> Pair:
        """Two real fields at the points where products are formed, free of aliasing.

        Parameters
        ----------
        a_hat, b_hat : ndarray, shape (nkx_local, ny), complex
            The second may be None: zero.
        out : pair of ndarray, optional
            Where to put the fields, as `zeros_points` makes it.

        Returns
        -------
        a, b : ndarray, shape (rows of this rank, product points along x)
            Of ``product_points``: as many as the grid has, or half as many again with "3/2".
        """
        work = self._to_rows(a_hat, b_hat)
        a, b = out if out is not None else self.zeros_points()
        work.plan.rows_read(work.buffer.rows, a, b)
        return a, b

    def from_points(self, a: Array, b: Array, *, out: Pair | None = None) -> Pair:
        """Spectra of two real fields given at the points of `to_points`, cut to the kept modes."""
        work = self.products
        work.claim()
        work.plan.rows_write(
            np.ascontiguousarray(a, self.dtype),
            np.ascontiguousarray(b, self.dtype),
            work.buffer.rows,
        )
        return self._to_columns(work, out)

    def times_modulus(self, a_hat: ArrayLike, b_hat: ArrayLike, *, out: Pair | None = None) -> Pair:
        """Spectra of ``abs(f) a`` and ``abs(f) b``, with ``f = a + i b``, formed at `to_points`."""
        work = self._to_rows(a_hat, b_hat)
        work.plan.rows_modulus(work.buffer.rows)
        return self._to_columns(work, out)

    def square(self, a_hat: ArrayLike, b_hat: ArrayLike, *, out: Pair | None = None) -> Pair:
        """Spectra of ``a^2 - b^2`` and ``2 a b``, the square of ``a + i b``, free of aliasing."""
        work = self._to_rows(a_hat, b_hat)
        work.plan.rows_square(work.buffer.rows)
        return self._to_columns(work, out)

    def _to_rows(self, a_hat: ArrayLike, b_hat: ArrayLike | None) -> Workspace:
        work = self.products
        work.claim()
        b = None if b_hat is None else self._spectrum(b_hat)
        work.plan.columns_synthesize(self._spectrum(a_hat), b, work.buffer.columns)
        work.buffer.to_rows()
        return work

    def _to_columns(self, work: Workspace, out: Pair | None) -> Pair:
        a_hat, b_hat = out if out is not None else (self.zeros_spectral(), self.zeros_spectral())
        work.buffer.to_columns()
        work.plan.columns_analyze(work.buffer.columns, a_hat, b_hat)
        return a_hat, b_hat

    # ------------------------------------------------------------------------------------ sums ---

    def sum_modes(self, density: ArrayLike) -> float:
        """Sum over the whole plane of modes of a real density, shape (nkx_local, ny)."""
        rows = np.asarray(density).sum(axis=1, dtype=float, keepdims=True)
        return float(self.exchange.sum(float((self.weight * rows).sum())))

    def mean(self, field: ArrayLike) -> float:
        """Mean over the domain of a field, shape (ny_local, nx)."""
        total = float(np.asarray(field).sum(dtype=float))
        return float(self.exchange.sum(total)) / (self.nx * self.ny)
