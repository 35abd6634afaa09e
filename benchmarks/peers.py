"""The peers of the benchmark: each gives one right-hand side of the vorticity equation.

A peer is a function of n that returns a callable, or None where it cannot be imported. Each is used
through its public interface, at equal resolution, in float64, with dealiasing by the 2/3 rule
where it has that (py2d pads to 3/2 or leaves it out: it is used as it comes, without).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")


def installed(*modules: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in modules)


def smooth(n: int) -> np.ndarray:
    x = 2 * np.pi * np.arange(n) / n
    return np.sin(3 * x)[None, :] * np.cos(2 * x)[:, None] + np.cos(x)[:, None]


def fluidsim(n: int) -> Work | None:
    """The ns2d solver of fluidsim, `tendencies_nonlin` (Augier et al. 2019)."""
    if not installed("fluidsim"):
        return None
    import logging

    from fluidsim.solvers.ns2d.solver import Simul

    logging.disable(logging.INFO)
    parameters = Simul.create_default_params()
    parameters.oper.nx = parameters.oper.ny = n
    parameters.oper.Lx = parameters.oper.Ly = 2 * np.pi
    parameters.oper.coef_dealiasing = 2 / 3
    parameters.init_fields.type = "noise"
    parameters.output.HAS_TO_SAVE = False
    parameters.nu_2 = 1e-5
    sim = Simul(parameters)
    return lambda: sim.tendencies_nonlin()


def jax_cfd(n: int) -> Work | None:
    """jax-cfd's spectral NavierStokes2D: `explicit_terms`, compiled (Dresdner et al. 2022)."""
    if not installed("jax", "jax_cfd"):
        return None
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from jax_cfd.base.grids import Grid
    from jax_cfd.spectral.equations import NavierStokes2D

    grid = Grid((n, n), domain=((0, 2 * np.pi), (0, 2 * np.pi)))
    equation = NavierStokes2D(1e-5, grid, drag=0.1, smooth=True)
    explicit = jax.jit(equation.explicit_terms)
    state = jnp.fft.rfftn(jnp.asarray(smooth(n)))
    explicit(state).block_until_ready()
    return lambda: explicit(state).block_until_ready()


def py2d(n: int) -> Work | None:
    """py2d's conservative and convective forms, averaged, as its solver does in each step."""
    if not installed("jax", "py2d"):
        return None
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        import jax.numpy as jnp
        from py2d.convection_conserved import convection_conserved
        from py2d.initialize import initialize_wavenumbers_rfft2
    except ImportError:
        return None
    length = 2 * np.pi
    kx, ky, _, _, inverse = initialize_wavenumbers_rfft2(n, n, length, length, INDEXING="ij")
    kx, ky = jnp.asarray(kx), jnp.asarray(ky)
    omega = jnp.fft.rfft2(jnp.asarray(smooth(n).T))
    psi = -omega * jnp.asarray(inverse)
    u, v = 1j * ky * psi, -1j * kx * psi
    convection = jax.jit(convection_conserved)
    convection(omega, u, v, kx, ky).block_until_ready()
    return lambda: convection(omega, u, v, kx, ky).block_until_ready()


CONTESTANTS: dict[str, Callable[[int], Work | None]] = {
    "fluidsim": fluidsim,
    "jax-cfd": jax_cfd,
    "py2d": py2d,
}


def absent() -> list[str]:
    """A line for each peer that is not installed."""
    needs = {"fluidsim": ["fluidsim"], "jax-cfd": ["jax", "jax_cfd"], "py2d": ["jax", "py2d"]}
    return [
        f"{name} is not installed and is left out"
        for name, modules in needs.items()
        if not installed(*modules)
    ]
