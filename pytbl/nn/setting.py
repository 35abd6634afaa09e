"""What a network was trained for: grid, filter and sign, which data and LES must share."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ..dataset_file import PI_SIGN
from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..grid import Grid


@dataclass(frozen=True)
class Setting:
    """The coarse grid, the filter, and the sign of Pi.

    Parameters
    ----------
    nx, ny : int
        Points.
    lx, ly : float
        Lengths of the domain [length].
    filter : str
        See `pytbl.filters`.
    filter_ratio : float
        Width of the filter over the spacing of the grid.
    pi_sign : str
        How Pi enters the right-hand side of the vorticity equation.
    dealias : {"3/2", "2/3"}
        Which modes the grid keeps.
    """

    nx: int
    ny: int
    lx: float
    ly: float
    filter: str
    filter_ratio: float
    pi_sign: str = PI_SIGN
    dealias: str = "3/2"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Setting:
        """From a mapping with at least these names, such as the attributes of a dataset.

        Raises
        ------
        InputError
            A name is missing.
        """
        arguments = {}
        for field in fields(cls):
            if field.name in values:
                value = values[field.name]
                kind = {"int": int, "float": float, "str": str}[str(field.type)]
                arguments[field.name] = kind(value.decode() if isinstance(value, bytes) else value)
            elif field.name not in ("pi_sign", "dealias"):
                raise InputError(f"the data do not say their {field.name}")
        return cls(**arguments)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def check(self, other: Setting, this: str, that: str) -> None:
        """Refuse what does not fit.

        Parameters
        ----------
        other : Setting
        this, that : str
            What the two settings are of, for the message: "the network", "val.h5".

        Raises
        ------
        InputError
            The settings differ: the first name in which they do, and its two values.
        """
        for name, mine in self.to_dict().items():
            theirs = getattr(other, name)
            same = math.isclose(mine, theirs) if isinstance(mine, float) else mine == theirs
            if not same:
                raise InputError(
                    f"{that} does not fit {this}: expected {name} {mine}, got {theirs}"
                )

    def check_grid(self, grid: Grid, this: str) -> None:
        """Refuse another grid; errors as `check`."""
        names = ("nx", "ny", "lx", "ly", "dealias")
        theirs = self.to_dict() | {name: getattr(grid, name) for name in names}
        self.check(Setting(**theirs), this, "the grid")
