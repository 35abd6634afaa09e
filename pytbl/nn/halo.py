"""Rows of a slab's neighbours on a periodic domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..grid import Grid

    Array = np.ndarray[Any, np.dtype[Any]]


class Halo:
    """Gives every rank its rows and those that its convolutions reach beyond them.

    Where a slab and its halo would be as many rows as the domain has, a rank takes the whole
    domain, and evaluates all of it. Collective over the ranks of the grid.

    Parameters
    ----------
    grid : Grid
    reach : int
        Rows on either side; of any number of neighbours.
    whole : bool
        Take the whole domain in any case.

    Attributes
    ----------
    whole : bool
        Whether what a rank receives is the whole domain.
    shape : (int, int)
        Rows and columns of what a network makes of it.
    """

    def __init__(self, grid: Grid, reach: int, *, whole: bool = False) -> None:
        self.grid, self.reach = grid, reach
        rows = grid.ny_local
        self.whole = bool(whole) or rows + 2 * reach >= grid.ny
        self.shape = (grid.ny if self.whole else rows, grid.nx)
        start = grid.y_start
        self._mine = (start, start + rows)
        self._wanted = (0, grid.ny) if self.whole else (start - reach, start + rows + reach)
        if not rows:
            self._wanted = (0, 0)
        first, stop = self._wanted
        #: the part of what is wanted that lies in the domain and in its images below and above
        self._parts = [
            (min(max(first - image, 0), grid.ny), min(max(stop - image, 0), grid.ny))
            for image in (-grid.ny, 0, grid.ny)
        ]

    def extend(self, local: Array) -> Array:
        """The rows that are wanted.

        Parameters
        ----------
        local : ndarray, shape (ny_local, ...)

        Returns
        -------
        ndarray, shape (rows, ...)
        """
        exchange = self.grid.exchange
        if exchange.size == 1:
            return local
        return np.concatenate([exchange.move(local, self._mine, part) for part in self._parts])

    def crop(self, output: Array) -> Array:
        """This rank's rows of what a network made, shape (..., rows, columns)."""
        return output[..., slice(*self._mine), :] if self.whole else output
