r"""Spectral operators on batches of periodic fields, in torch: what surrounds the convolutions.

Before them, every input is derived from the vorticity; after them, the SGS term is cut to the
modes that the LES keeps. The signs are the package's: ``laplace(psi) = -omega``,
``u = dpsi/dy``, ``v = -dpsi/dx``.
"""

import math

import torch
from torch import Tensor, nn

#: Fields that can be derived from the vorticity.
FIELDS = ("psi", "omega", "u", "v")


class Spectral(nn.Module):
    """Operators on fields of shape (..., ny, nx) over a doubly periodic domain.

    Parameters
    ----------
    lx, ly : float
        Lengths of the domain [length]; kept as the buffer `lengths`.
    dealias : {"3/2", "2/3"}
        Which modes are kept; see `pytbl.Grid`.
    """

    lengths: Tensor

    def __init__(self, lx: float, ly: float, dealias: str) -> None:
        super().__init__()
        self.register_buffer("lengths", torch.tensor([lx, ly], dtype=torch.float64))
        self.two_thirds = dealias == "2/3"

    def wavenumbers(self, field: Tensor) -> tuple[Tensor, Tensor]:
        """kx, shape (nx // 2 + 1,), and ky, shape (ny, 1), for the spectra of a field."""
        ny, nx = field.shape[-2], field.shape[-1]
        kx = torch.arange(nx // 2 + 1, device=field.device, dtype=field.dtype)
        row = torch.arange(ny, device=field.device, dtype=field.dtype)
        ky = torch.where(row < ny / 2, row, row - ny).unsqueeze(-1)
        scale = (2 * math.pi / self.lengths).to(field.dtype)
        return kx * scale[0], ky * scale[1]

    def mask(self, field: Tensor) -> Tensor:
        """Modes that are kept, shape (ny, nx // 2 + 1): 1, else 0; k = 0 and Nyquist are not."""
        ny, nx = field.shape[-2], field.shape[-1]
        kx_max, ky_max = nx // 2 - 1, ny // 2 - 1
        if self.two_thirds:
            kx_max, ky_max = (nx - 1) // 3, (ny - 1) // 3
        kx = torch.arange(nx // 2 + 1, device=field.device)
        row = torch.arange(ny, device=field.device).unsqueeze(-1)
        ky = torch.minimum(row, ny - row)
        return ((kx <= kx_max) & (ky <= ky_max) & (kx + ky > 0)).to(field.dtype)

    def derive(self, omega: Tensor, names: list[str]) -> Tensor:
        """Fields that follow from the vorticity.

        Parameters
        ----------
        omega : Tensor, shape (batch, ny, nx) [1/time]
        names : list of str
            Of `FIELDS`.

        Returns
        -------
        Tensor, shape (batch, len(names), ny, nx)
        """
        kx, ky = self.wavenumbers(omega)
        k2 = kx * kx + ky * ky
        omega_hat = torch.fft.rfft2(omega) * self.mask(omega)
        psi_hat = omega_hat / torch.where(k2 > 0, k2, torch.ones_like(k2))
        hats: list[Tensor] = []
        for name in names:
            if name == "psi":
                hats.append(psi_hat)
            elif name == "omega":
                hats.append(omega_hat)
            elif name == "u":
                hats.append(torch.complex(-ky * psi_hat.imag, ky * psi_hat.real))
            else:
                hats.append(torch.complex(kx * psi_hat.imag, -kx * psi_hat.real))
        return torch.fft.irfft2(torch.stack(hats, 1), s=[omega.shape[-2], omega.shape[-1]])

    def project(self, field: Tensor) -> Tensor:
        """A field without its mean and the modes that are not kept."""
        hat = torch.fft.rfft2(field) * self.mask(field)
        return torch.fft.irfft2(hat, s=[field.shape[-2], field.shape[-1]])

    def source_of_stress(self, stress: Tensor) -> Tensor:
        r"""The SGS term of a traceless stress.

        Parameters
        ----------
        stress : Tensor, shape (batch, 2, ny, nx)
            ``tau_xx = -tau_yy`` and ``tau_xy`` [length^2/time^2].

        Returns
        -------
        Tensor, shape (batch, ny, nx)
            :math:`\Pi = \partial_{xy}(\tau_{xx} - \tau_{yy}) -
            (\partial_{xx} - \partial_{yy})\tau_{xy}` [1/time^2], cut to the kept modes.
        """
        kx, ky = self.wavenumbers(stress)
        hat = torch.fft.rfft2(stress) * self.mask(stress)
        source = hat[:, 1] * (kx * kx - ky * ky) - hat[:, 0] * (2 * kx * ky)
        return torch.fft.irfft2(source, s=[stress.shape[-2], stress.shape[-1]])

    def source_of_unit_stress(self, field: Tensor) -> Tensor:
        """RMS of the SGS term of stresses that are white noise of variance 1 [1/length^2]."""
        kx, ky = self.wavenumbers(field)
        square = (2 * kx * ky) ** 2 + (kx * kx - ky * ky) ** 2
        return (square * self.mask(field)).mean().sqrt()
