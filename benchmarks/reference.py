"""The same equations in forty lines of scipy.fft: slow, plain, and sharing no code with pytbl.

Real fields, the convective form ``-u dω/dx - v dω/dy``, and five real transforms per right-hand
side. Spectra have scipy's own layout and norm, on the grid on which products are formed.
"""

from __future__ import annotations

import numpy as np
import scipy.fft


class Reference:
    """Vorticity equation on ``[0, lx) x [0, ly)``, for fields of shape ``(ny, nx)``."""

    def __init__(self, nx, ny, *, lx=2 * np.pi, ly=2 * np.pi, dealias="2/3", dtype=np.float64):
        self.shape = (ny, nx)
        padded = dealias == "3/2"
        self.points = (3 * ny // 2, 3 * nx // 2) if padded else (ny, nx)
        largest_y, largest_x = (n // 2 - 1 if padded else (n - 1) // 3 for n in self.shape)
        mode_y = np.fft.fftfreq(self.points[0], 1 / self.points[0])[:, None]
        mode_x = np.arange(self.points[1] // 2 + 1)[None, :]
        self.kx, self.ky = (
            (2 * np.pi / lx * mode_x).astype(dtype),
            (2 * np.pi / ly * mode_y).astype(dtype),
        )
        k2 = self.kx**2 + self.ky**2
        self.kept = (mode_x <= largest_x) & (abs(mode_y) <= largest_y) & (k2 > 0)
        self.k2, self.inverse_k2 = k2, self.kept / np.where(k2 > 0, k2, 1)
        self.rows = np.fft.fftfreq(ny, 1 / ny).astype(int)  # where our ky are on the product grid

    def spectrum(self, field):
        """Kept modes of a real field, on the product grid."""
        hat = np.zeros(self.kept.shape, np.result_type(field, np.complex64))
        hat[self.rows, : self.shape[1] // 2 + 1] = scipy.fft.rfft2(field, norm="forward")
        return hat * self.kept

    def field(self, hat):
        """Real field, shape (ny, nx), of kept modes."""
        return scipy.fft.irfft2(
            hat[self.rows, : self.shape[1] // 2 + 1], self.shape, norm="forward"
        )

    def advection(self, hat):
        """Spectrum of ``-u dω/dx - v dω/dy``, free of aliasing."""
        psi = hat * self.inverse_k2
        u, v, omega_x, omega_y = (
            scipy.fft.irfft2(one, self.points, norm="forward")
            for one in (
                1j * self.ky * psi,
                -1j * self.kx * psi,
                1j * self.kx * hat,
                1j * self.ky * hat,
            )
        )
        return scipy.fft.rfft2(-u * omega_x - v * omega_y, norm="forward") * self.kept

    def linear_operator(self, *, viscosity=0.0, drag=0.0, beta=0.0):
        """L of ``dω/dt = N + L ω``, with ``Dω/Dt = -beta v`` for beta."""
        return -viscosity * self.k2 - drag + 1j * beta * self.kx * self.inverse_k2

    def step(self, hat, previous, *, dt, operator):
        """One AB2-CN step (Euler where `previous` is None); returns the state and its tendency."""
        now = self.advection(hat)
        explicit = now if previous is None else 1.5 * now - 0.5 * previous
        return ((1 + dt / 2 * operator) * hat + dt * explicit) / (1 - dt / 2 * operator), now
