"""Order of convergence of every scheme, on the full equation, with real and with complex L."""

import numpy as np
import pytest
from tolerances import ORDER_SLACK

from pytbl import Flow, Grid, Solver
from pytbl.schemes import SCHEMES

END = 0.4
FLOWS = {
    "no L": (Flow(), None),
    "real L": (Flow(viscosity=0.02, drag=0.1), 2),
    "complex L": (Flow(viscosity=0.02, drag=0.1, beta=3.0), 2),
}


def integrate(scheme, flow, steps, ratio=1.0):
    """A smooth nonlinear flow at t = END; `ratio` of the lengths of alternating steps."""
    grid = Grid(32, 24, ly=3 * np.pi, reproducible=True)
    sim = Solver(grid, flow, dt=END / steps, scheme=scheme)
    x, y = np.meshgrid(grid.x, grid.y)
    sim.set_vorticity(
        3 * np.sin(2 * x) * np.cos(4 / 3 * y)
        + 2 * np.cos(x + 2 / 3 * y)
        + np.sin(3 * x - 2 / 3 * y)
    )
    for i in range(steps):
        sim.dt = END / steps * (2 / (1 + ratio)) * (ratio if i % 2 else 1)
        sim.step()
    assert sim.t == pytest.approx(END)
    return sim.omega


@pytest.mark.parametrize("case", FLOWS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_of_convergence(scheme, case):
    flow, implicit_order = FLOWS[case]
    order = implicit_order or SCHEMES[scheme].order
    exact = integrate("rk4cn", flow, 2048)
    errors = [np.abs(integrate(scheme, flow, n) - exact).max() for n in (32, 64, 128)]
    rates = np.log2(errors[:-1]) - np.log2(errors[1:])
    assert (rates > order - ORDER_SLACK).all(), f"expected order {order}, got {rates}"


def test_two_step_scheme_keeps_its_order_when_the_step_varies():
    exact = integrate("rk4cn", Flow(), 512)
    errors = [np.abs(integrate("ab2cn", Flow(), n, ratio=1.6) - exact).max() for n in (32, 64, 128)]
    rates = np.log2(errors[:-1]) - np.log2(errors[1:])
    assert (rates > 2 - ORDER_SLACK).all(), rates


@pytest.mark.parametrize("scheme", SCHEMES)
def test_stages_add_up(scheme):
    """The weights of N, and those of L, sum to one step (consistency)."""
    history, advanced, linear = 0.0, 0.0, 0.0
    for stage in SCHEMES[scheme].stages_at(1.0, 1.0 if SCHEMES[scheme].multistep else None):
        if SCHEMES[scheme].multistep:
            history = 1.0
        advanced += stage.g + stage.s * history
        history = 1.0 + stage.h * history
        linear += stage.a + stage.b
    assert advanced == pytest.approx(1.0, abs=1e-14)
    assert linear == pytest.approx(1.0, abs=1e-14)
