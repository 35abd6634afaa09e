r"""A trained network as the closure of a large-eddy simulation.

Every rank evaluates the convolutions on its rows and a halo of the receptive field's; the cut to
the kept modes is the grid's own transform. So the term is the same on any number of ranks, to
rounding.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..closures.clipping import without_backscatter
from ..composition import Composable
from ..errors import InputError
from ..hdf5 import agree
from . import artifact, stack
from . import threads as torch_threads
from .halo import Halo

if TYPE_CHECKING:
    from ..grid import Grid
    from .model import PeriodicCNN

    Array = np.ndarray[Any, np.dtype[Any]]


class CNNClosure(Composable):
    """The SGS term that a network predicts from the vorticity.

    Parameters
    ----------
    model : PeriodicCNN
        Trained; it is copied.
    every : int
        Evaluate on steps that are a multiple of it, and use the last term in between. With 1, in
        every stage of a step.
    threads : int
        Threads of torch on every rank, while the network is evaluated.
    backend : {None, "direct", "nnpack"}
        How to convolve; None takes the fastest there is. See `pytbl.nn.stack`.
    backscatter : bool
        False drops the term where it would feed the vorticity's gradients,
        ``Pi laplace(omega) <= 0``, an ablation of Guan et al. (2022).

    Raises
    ------
    InputError
        A parameter cannot be used, or the network was not trained.

    Notes
    -----
    A restart is exact where the step of the checkpoint is a multiple of `every`, or where `state`
    is kept and given to `restore`; else the term is evaluated anew on the first step.
    """

    def __init__(
        self,
        model: PeriodicCNN,
        *,
        every: int = 1,
        threads: int = 1,
        backend: str | None = None,
        backscatter: bool = True,
    ) -> None:
        if not (isinstance(every, int) and every >= 1):
            raise InputError(f"every must be an integer >= 1, got {every!r}")
        if model.setting is None:
            raise InputError("the network was not trained: it has no grid, filter and sign")
        self.model = copy.deepcopy(model).cpu().eval()
        self.setting = model.setting
        self.every, self.threads = every, torch_threads.check(threads)
        self.backscatter = bool(backscatter)
        self._dtype = self.model.input_mean.dtype
        self.backend = stack.choose(backend, self._dtype, model.config["kernel"])
        self.source = ""
        self._grid: Grid | None = None

    @classmethod
    def load(
        cls,
        path: str | Path,
        grid: Grid | None = None,
        *,
        every: int = 1,
        threads: int = 1,
        backend: str | None = None,
        backscatter: bool = True,
    ) -> CNNClosure:
        """A closure from an artefact.

        Parameters
        ----------
        path : str or Path
        grid : Grid, optional
            The grid of the LES; collective over its ranks.
        every, threads, backend, backscatter
            See `CNNClosure`.

        Raises
        ------
        InputError
            On all ranks: the file cannot be used, or is of another grid than this, with the two
            values.
        """
        closure, error = None, None
        try:
            closure = cls(
                artifact.load_model(path),
                every=every,
                threads=threads,
                backend=backend,
                backscatter=backscatter,
            )
            closure.source = str(path)
            if grid is not None:
                closure.setting.check_grid(grid, str(path))
        except InputError as problem:
            error = problem
        if grid is not None:
            agree(grid.exchange, error)
            assert closure is not None
            closure.bind(grid)
        elif error is not None:
            raise error
        assert closure is not None
        return closure

    def __repr__(self) -> str:
        options = [f"every={self.every}"] if self.every > 1 else []
        options += [] if self.backscatter else ["backscatter=False"]
        what = repr(self.source) if self.source else repr(self.model)
        return f"CNNClosure({', '.join([what, *options])})"

    def check_filter(self, kind: str, ratio: float) -> None:
        """Refuse the filter of an LES that is not the network's.

        Raises
        ------
        InputError
            With the two values.
        """
        other = type(self.setting)(
            **self.setting.to_dict() | {"filter": kind, "filter_ratio": float(ratio)}
        )
        self.setting.check(other, self.source or "the network", "the LES")

    # ------------------------------------------------------------------------------- in the LES ---

    def bind(self, grid: Grid) -> None:
        """Lay the network out for a grid, and forget the last term.

        Raises
        ------
        InputError
            The grid is not the one that the network was trained for.
        """
        self.setting.check_grid(grid, self.source or "the network")
        self._last: Array | None = None
        self._last_step = -1
        if self._grid is grid:
            return
        self._grid = grid
        circular = self.model.config["padding"] == "circular"
        self.halo = Halo(grid, self.model.halo, whole=not circular)
        edges = "zeros" if not circular else "periodic" if self.halo.whole else "halo"
        with torch.no_grad(), torch_threads.threads(self.threads):
            self._stack = stack.Stack(
                self.model.kernels(), self.halo.shape, edges=edges, backend=self.backend
            )
        self._scale = float(self.model.output_scale)

    def add(self, source_hat: Array, state: Any) -> None:
        """Add the term to the right-hand side, in place; collective over ranks."""
        source_hat += self.term(state)

    def term(self, state: Any) -> Array:
        """Spectrum of the SGS term, shape (nkx_local, ny) [1/time^2]; not to be changed."""
        if self._grid is not state.grid:
            self.bind(state.grid)
        step = getattr(state, "steps", None)  # a state that is no solver's has none
        if self.every == 1 or step is None:
            return self.evaluate(state.grid, state.omega_hat)
        if self._last is None or (step % self.every == 0 and step != self._last_step):
            self._last = self.evaluate(state.grid, state.omega_hat)
            self._last_step = step
        return self._last

    def evaluate(self, grid: Grid, omega_hat: Array) -> Array:
        """The term of a vorticity, whatever was evaluated before; see `term`."""
        if self._grid is not grid:
            self.bind(grid)
        output = self._scale * self._convolve(self._normalised(grid, omega_hat))
        hats = [grid.to_spectral(np.ascontiguousarray(field)) for field in output]
        kx, ky = grid.kx, grid.ky
        if self.model.stress_output:
            normal, shear = hats
            pi_hat = (kx**2 - ky**2) * shear - 2 * kx * ky * normal
            pi_hat = pi_hat.astype(grid.complex_dtype, copy=False)
        else:
            (pi_hat,) = hats
        if grid.kx_start == 0 and len(pi_hat):
            pi_hat[0, 0] = 0
        return pi_hat if self.backscatter else without_backscatter(grid, omega_hat, pi_hat)

    def _normalised(self, grid: Grid, omega_hat: Array) -> Array:
        """The inputs of the first convolution on this rank, shape (ny_local, inputs, nx)."""
        spectra = {
            "psi": lambda: omega_hat * grid.inverse_k2,
            "omega": lambda: omega_hat,
            "u": lambda: grid.velocity_hat(omega_hat)[0],
            "v": lambda: grid.velocity_hat(omega_hat)[1],
        }
        hats = [spectra[name]() for name in self.model.inputs]
        fields: list[Array] = []
        while len(hats) - len(fields) >= 2:
            fields += grid.to_physical_pair(*hats[len(fields) : len(fields) + 2])
        fields += [grid.to_physical(hat) for hat in hats[len(fields) :]]
        mean = self.model.input_mean.numpy().astype(float)
        deviation = self.model.input_deviation.numpy().astype(float)
        if self.model.per_snapshot:
            mean = np.array([grid.mean(field) for field in fields])
            squares = np.array([grid.mean(field**2) for field in fields])
            deviation = np.sqrt(np.maximum(squares - mean**2, 0)).clip(min=1e-30)
        channels = np.stack(fields, axis=1)
        channels -= mean[:, None]
        channels /= deviation[:, None]
        dtype = np.float64 if self._dtype == torch.float64 else np.float32
        return channels.astype(dtype, copy=False)

    def _convolve(self, channels: Array) -> Array:
        """The convolutions of this rank's rows, shape (outputs, ny_local, nx)."""
        extended = self.halo.extend(channels)
        if not len(channels):  # no rows: only the exchange was to be taken part in
            return np.empty((len(self._stack.kernels[-1][1]), 0, channels.shape[-1]))
        with torch_threads.threads(self.threads):
            self._stack.input.copy_(torch.from_numpy(extended).movedim(1, 0))
            output = self._stack()
        return self.halo.crop(output.numpy())

    # ---------------------------------------------------------------------------------- restart ---

    def state(self) -> dict[str, Any]:
        """What a restart between two evaluations needs; the array is this rank's slab."""
        return {"pi_hat": self._last, "step": self._last_step}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` gave."""
        self._last, self._last_step = state["pi_hat"], int(state["step"])
