"""Closures: closed forms, energy identities, dynamic constants, symmetries, ranks, composition."""

import numpy as np
import pytest
from fields import mirrored, rotated, shifted, turbulent
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl import Flow, Grid, Solver, closures, diagnostics, filters
from pytbl.closures import (
    DynamicLeith,
    DynamicSmagorinsky,
    Gradient,
    Hyperviscosity,
    JansenHeld,
    Leith,
    Smagorinsky,
    WithoutBackscatter,
    evaluate,
)
from pytbl.errors import InputError
from pytbl.subgrid import SubgridTerms

ALL = [
    Hyperviscosity(1e-4),
    Smagorinsky(),
    Smagorinsky(local=True),
    Leith(),
    Leith(local=True),
    DynamicSmagorinsky(),
    DynamicSmagorinsky(local=True),
    DynamicLeith(),
    DynamicLeith(local=True),
    JansenHeld(),
    JansenHeld("leith"),
    Gradient(order=2),
    Gradient(order=4),
    Gradient(order=6),
    WithoutBackscatter(Gradient(order=2)),
    0.8 * Leith(0.21) + Gradient(order=2),
]
EDDY = [c for c in ALL if isinstance(c, closures.EddyViscosity)]


def rectangle(comm=None, **more):
    return Grid(48, 36, ly=3 * np.pi / 2, dealias="3/2", comm=comm, reproducible=True, **more)


def square():
    return Grid(32, 32, dealias="3/2", reproducible=True)


def norm(grid, hat):
    return np.sqrt(grid.sum_modes(np.abs(hat) ** 2))


# --------------------------------------------------------------------------------- closed forms ---


@pytest.mark.parametrize("closure", [Smagorinsky(0.2, ratio=2), Leith(0.3)], ids=repr)
def test_a_mean_eddy_viscosity_takes_what_theory_says(closure):
    """<psi Pi> = -nu <omega^2>, <omega Pi> = -nu <|grad omega|^2>."""
    grid = rectangle()
    hat = turbulent(grid)
    pi = evaluate(closure, grid, hat)
    enstrophy, palinstrophy = diagnostics.moments(grid, hat, (0, 1))
    if isinstance(closure, Smagorinsky):
        viscosity = (0.2 * 2 * grid.dx) ** 2 * np.sqrt(2 * enstrophy)
    else:
        viscosity = (0.3 * grid.dx) ** 3 * np.sqrt(2 * palinstrophy)
    energy, vorticity = diagnostics.transfers(grid, hat, pi)
    assert energy == pytest.approx(-viscosity * 2 * enstrophy, rel=ROUNDING * 10)
    assert vorticity == pytest.approx(-viscosity * 2 * palinstrophy, rel=ROUNDING * 10)


def test_the_mean_square_of_the_strain_is_that_of_the_vorticity():
    grid = rectangle()
    hat = turbulent(grid)
    smagorinsky = Smagorinsky()
    smagorinsky.bind(grid)
    on = smagorinsky.on
    xx, xy = (grid.to_physical(part) for part in on.times(on.strain_symbols, hat))
    assert 4 * grid.mean(xx**2 + xy**2) == pytest.approx(
        2 * diagnostics.enstrophy(grid, hat), rel=ROUNDING * 10
    )


def test_local_leith_of_one_wave():
    """omega = a cos(kx): Pi = C^3 d/dx(|omega_x| omega_x), the flux's first harmonic 8/(3 pi)."""
    grid, k, amplitude = rectangle(), 3, 1.7
    hat = grid.to_spectral(np.broadcast_to(amplitude * np.cos(k * grid.x), (grid.ny, grid.nx)))
    pi = evaluate(Leith(0.25, local=True), grid, hat)
    flux = (0.25 * grid.dx) ** 3 * (k * amplitude) ** 2 * 8 / (3 * np.pi)
    # |sin| sin is not a trigonometric polynomial: what is aliased falls as the points grow
    assert 2 * pi[k, 0].real == pytest.approx(-k * flux, rel=2e-3)
    assert np.abs(np.delete(pi, [0], axis=1)).max() < ROUNDING * k * flux * 10


def test_local_smagorinsky_is_the_stress_of_its_viscosity():
    """Pi of tau_ij = -2 nu S_ij, formed at points with numpy."""
    grid = rectangle()
    hat = turbulent(grid)
    closure = Smagorinsky(0.2, local=True)
    pi = evaluate(closure, grid, hat)
    xx, xy = grid.to_points(*closure.on.times(closure.on.strain_symbols, hat))
    viscosity = (0.2 * grid.dx) ** 2 * 2 * np.hypot(xx, xy)
    t_xx, t_xy = grid.from_points(-2 * viscosity * xx, -2 * viscosity * xy)
    expected = grid.kx * grid.ky * (-2 * t_xx) + (grid.kx**2 - grid.ky**2) * t_xy
    np.testing.assert_allclose(pi, expected, atol=ROUNDING * np.abs(pi).max() * 10)


def test_local_viscosities_dissipate_what_they_should():
    """<psi Pi> = -<2 nu S_ij S_ij> at points, <omega Pi> = -<nu |grad omega|^2>; both negative."""
    grid = rectangle()
    hat = turbulent(grid)
    smagorinsky, leith = Smagorinsky(0.2, local=True), Leith(0.3, local=True)
    energy, _ = diagnostics.transfers(grid, hat, evaluate(smagorinsky, grid, hat))
    on = smagorinsky.on
    xx, xy = grid.to_points(*on.times(on.strain_symbols, hat))
    strain = 2 * np.hypot(xx, xy)
    expected = -np.mean((0.2 * grid.dx) ** 2 * strain**3)
    assert energy == pytest.approx(expected, rel=ROUNDING * 10)
    _, enstrophy = diagnostics.transfers(grid, hat, evaluate(leith, grid, hat))
    x, y = grid.to_points(1j * grid.kx * hat, 1j * grid.ky * hat)
    expected = -np.mean((0.3 * grid.dx) ** 3 * np.hypot(x, y) ** 3)
    assert enstrophy == pytest.approx(expected, rel=ROUNDING * 10)


@pytest.mark.parametrize("base", ["smagorinsky", "leith"])
@given(backscatter=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_jansen_held_returns_its_share_of_the_energy(base, backscatter):
    grid = rectangle()
    hat = turbulent(grid)
    closure = JansenHeld(base, backscatter=backscatter)
    total, _ = diagnostics.transfers(grid, hat, evaluate(closure, grid, hat))
    biharmonic, _ = closure.viscosities(hat)
    taken, _ = diagnostics.transfers(grid, hat, -biharmonic * grid.k2**2 * hat)
    assert total == pytest.approx((1 - backscatter) * taken, rel=1e-11, abs=1e-11 * -taken)


@pytest.mark.parametrize("closure", ALL, ids=repr)
def test_a_fluid_at_rest_needs_no_closure(closure):
    grid = rectangle()
    assert not np.any(evaluate(closure, grid, grid.zeros_spectral()))


# ------------------------------------------------------------------------------------- gradient ---


def derivative(grid, hat, x, y):
    return grid.to_points((1j * grid.kx) ** x * (1j * grid.ky) ** y * hat, 0 * hat)[0]


def published(grid, hat, width, order):
    """GM2, GM4 as printed for the vorticity equation (Jakhar et al.), in the sign of Pi here."""
    psi = hat * grid.inverse_k2
    u, v = 1j * grid.ky * psi, -1j * grid.kx * psi

    def d(field, x, y):
        return derivative(grid, field, x, y)

    term = (width**2 / 12) * (
        d(hat, 1, 1) * (d(u, 0, 1) + d(v, 1, 0)) + d(u, 1, 0) * (d(hat, 2, 0) - d(hat, 0, 2))
    )
    if order == 4:
        term += (width**4 / 288) * (
            d(hat, 2, 1) * (2 * d(u, 1, 1) + d(v, 2, 0))
            + d(u, 2, 0) * (d(hat, 3, 0) - 2 * d(hat, 1, 2))
            - d(u, 1, 1) * d(hat, 0, 3)
            + d(u, 0, 2) * d(hat, 1, 2)
        )
    return grid.from_points(-term, 0 * term)[0]


@pytest.mark.parametrize("order", [2, 4])
def test_gradient_models_are_those_that_are_printed(order):
    grid = Grid(48, 48, dealias="3/2", reproducible=True)
    hat = turbulent(grid)
    pi = evaluate(Gradient(order=order), grid, hat)
    expected = published(grid, hat, 2 * grid.dx, order)
    np.testing.assert_allclose(pi, expected, atol=1e-11 * np.abs(pi).max())


def test_order_2_transfers_no_energy_at_any_point():
    """Before it is cut to the grid's modes, the stress at the points of its products."""
    grid, closure = rectangle(), Gradient(order=2)
    hat = turbulent(grid)
    closure.bind(grid)
    psi = hat * grid.inverse_k2
    u_x, u_y = grid.to_points(-grid.kx * grid.ky * psi, -(grid.ky**2) * psi)
    v_x, v_y = grid.to_points(grid.kx**2 * psi, grid.kx * grid.ky * psi)
    xx, xy, yy = u_x**2 + u_y**2, u_x * v_x + u_y * v_y, v_x**2 + v_y**2
    transfer = -(xx - yy) * u_x - xy * (u_y + v_x)
    assert np.abs(transfer).max() < ROUNDING * np.abs(xx * u_x).max()
    factor = (2 * grid.dx) ** 2 / 12
    expected = grid.from_points(factor * (xx - yy), 2 * factor * xy)
    for part, truth in zip(closure.stress(hat), expected, strict=True):
        np.testing.assert_allclose(part, truth, atol=ROUNDING * np.abs(truth).max() * 10)


def test_higher_orders_come_closer_on_smooth_fields():
    fine = Grid(192, 144, ly=3 * np.pi / 2, reproducible=True)
    coarse = Grid(64, 48, ly=3 * np.pi / 2, dealias="3/2", reproducible=True)
    terms, hat = SubgridTerms(fine, coarse, filters.Gaussian(2)), turbulent(fine)
    truth = terms.source(hat)
    errors = [
        norm(coarse, evaluate(Gradient(order=n), coarse, terms.coarsen(hat)) - truth)
        / norm(coarse, truth)
        for n in (2, 4, 6)
    ]
    assert errors[0] < 0.1
    assert errors[1] < errors[0] / 10
    assert errors[2] < errors[1] / 10


def test_widths_may_differ_along_x_and_y():
    fine = Grid(96, 144, reproducible=True)
    coarse = Grid(32, 64, dealias="3/2", reproducible=True)
    terms, hat = SubgridTerms(fine, coarse, filters.Gaussian(2)), turbulent(fine, k_peak=3)
    truth = terms.source(hat)
    error = norm(coarse, evaluate(Gradient(order=6), coarse, terms.coarsen(hat)) - truth)
    assert error < 5e-3 * norm(coarse, truth)


# -------------------------------------------------------------------------------------- dynamic ---


def strain(grid, hat):
    psi = hat * grid.inverse_k2
    xx, xy = -grid.kx * grid.ky * psi, (grid.kx**2 - grid.ky**2) / 2 * psi
    return grid.to_points(xx, xy)


def smagorinsky_model(grid, hat):
    """8 |S| S at points, the stress of which C^2 width^2 is the constant, minus its sign."""
    xx, xy = strain(grid, hat)
    modulus = np.hypot(xx, xy)
    return grid.from_points(8 * modulus * xx, 8 * modulus * xy)


def leith_model(grid, hat):
    """|grad omega| laplace(omega) at points."""
    x, y = grid.to_points(1j * grid.kx * hat, 1j * grid.ky * hat)
    laplacian, zero = grid.to_points(-grid.k2 * hat, 0 * hat)
    return grid.from_points(np.hypot(x, y) * laplacian, zero)[0]


@pytest.mark.parametrize("dealias", ["2/3", "3/2"])
@pytest.mark.parametrize("kind", [DynamicSmagorinsky, DynamicLeith])
def test_a_dynamic_constant_finds_a_planted_one(kind, dealias, monkeypatch):
    """The resolved terms of both scales are replaced by the models', formed with numpy."""
    grid = Grid(64, 48, ly=3 * np.pi / 2, dealias=dealias, reproducible=True)
    hat, planted, closure = turbulent(grid, k_peak=6), 0.19, kind()
    closure.bind(grid)
    strength = (planted * closure.width) ** closure.power
    if kind is DynamicSmagorinsky:

        def square(on, omega_hat):
            width_squared = 1 if on is closure.on else 4
            model = smagorinsky_model(on.grid, omega_hat)
            return tuple(width_squared * strength * part for part in model)

        monkeypatch.setattr(closures.operators.Operators, "square_of_velocity", square)
    else:
        for on, width_cubed in ((closure.on, 1), (closure._test, 8)):

            def term(omega_hat, grid=on.grid, factor=width_cubed):
                # what is resolved at half the scale is the difference of the models' terms
                return factor * -strength * leith_model(grid, omega_hat)

            monkeypatch.setattr(on.grid, "nonlinear_term", term)
        sign = -1
        resolved = closure._cut(closure.on.grid.nonlinear_term(hat))
        resolved -= closure._test.grid.nonlinear_term(closure._cut(hat))
        model = 8 * leith_model(closure._test.grid, closure._cut(hat))
        model -= closure._cut(leith_model(grid, hat))
        np.testing.assert_allclose(resolved, -sign * strength * model, rtol=1e-9, atol=1e-12)
    assert closure.measure(hat) == pytest.approx(strength, rel=1e-9)


def test_dynamic_constants_of_turbulence_are_of_the_usual_size():
    """Of a field with a k^-3 spectrum up to the cut-off, which the resolved advection drives."""
    grid = Grid(128, 128, dealias="3/2", reproducible=True)
    fine = Grid(256, 256, reproducible=True)
    sim = Solver(fine, Flow(viscosity=1e-15, viscosity_order=4), cfl=0.7, scheme="rk3cn")
    sim.set_spectral(turbulent(fine, k_peak=6))
    sim.run(until=2.0)
    hat = SubgridTerms(fine, grid, filters.SharpSquare(2)).coarsen(sim.omega_hat)
    for kind, low, high in ((DynamicSmagorinsky, 0.03, 0.2), (DynamicLeith, 0.1, 0.4)):
        closure = kind()
        evaluate(closure, grid, hat)
        assert low < closure.coefficient < high, closure


def test_a_dynamic_constant_is_never_negative_and_clips_at_points():
    from pytbl.closures.dynamic import clipped_mean_ratio

    grid = rectangle()
    product = np.array([[3.0, -5.0], [1.0, 0.0]])
    assert clipped_mean_ratio(grid, product, np.full((2, 2), 2.0)) == 0.5
    assert clipped_mean_ratio(grid, product, np.zeros((2, 2))) == 0


def test_a_dynamic_closure_tells_its_constant():
    grid = rectangle()
    closure = DynamicSmagorinsky()
    evaluate(closure, grid, turbulent(grid, k_peak=8))
    fixed = Smagorinsky(closure.coefficient)
    hat = turbulent(grid, k_peak=8)
    np.testing.assert_allclose(
        evaluate(closure, grid, hat), evaluate(fixed, grid, hat), rtol=ROUNDING * 10
    )


# ------------------------------------------------------------------------- symmetries and ranks ---


@pytest.mark.parametrize("closure", ALL, ids=repr)
@pytest.mark.parametrize("change", [rotated, mirrored])
def test_closures_turn_and_mirror_with_the_flow(closure, change):
    grid = square()
    hat = turbulent(grid)
    changed = evaluate(closure, grid, change(hat, grid))
    expected = change(evaluate(closure, grid, hat), grid)
    np.testing.assert_allclose(changed, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("closure", ALL, ids=repr)
@settings(max_examples=5, deadline=None)
@given(cells=st.tuples(st.integers(0, 11), st.integers(0, 8)))
def test_closures_move_with_the_flow(closure, cells):
    grid = rectangle()
    # by 4 spacings, after which the points of products of a dynamic closure's both scales coincide
    x, y = 4 * cells[0] * grid.dx, 4 * cells[1] * grid.dy
    hat = turbulent(grid)
    moved = evaluate(closure, grid, shifted(hat, grid, x, y))
    expected = shifted(evaluate(closure, grid, hat), grid, x, y)
    np.testing.assert_allclose(moved, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.mpi(nprocs=(1, 2, 3))
def test_closures_agree_on_any_number_of_ranks(comm):
    for dtype, bound in (("f8", ROUNDING), ("f4", ROUNDING_SINGLE)):
        alone, together = rectangle(dtype=dtype), rectangle(comm, dtype=dtype)
        mine = slice(together.kx_start, together.kx_start + together.nkx_local)
        for closure in ALL:
            expected = evaluate(closure, alone, turbulent(alone))
            got = evaluate(closure, together, turbulent(together))
            scale = np.abs(expected).max()
            np.testing.assert_allclose(
                got, expected[mine], atol=10 * bound * scale, err_msg=repr(closure)
            )


@pytest.mark.parametrize("closure", ALL, ids=repr)
def test_terms_have_no_mean_and_no_cut_modes(closure):
    grid = rectangle()
    pi = evaluate(closure, grid, turbulent(grid))
    assert pi[0, 0] == 0
    assert not np.any(pi[~grid.mask])


# ---------------------------------------------------------------------------------- composition ---


def test_closures_add_scale_and_say_so():
    grid = rectangle()
    hat = turbulent(grid)
    mixed = 0.8 * Leith(0.21) + Gradient(order=2) + -1 * Smagorinsky(0.1, local=True)
    assert repr(mixed) == (
        "0.8 * Leith(0.21, ratio=1) + Gradient(order=2, ratio=2) + "
        "-1 * Smagorinsky(0.1, ratio=1, local=True)"
    )
    parts = [Leith(0.21), Gradient(order=2), Smagorinsky(0.1, local=True)]
    leith, gradient, smagorinsky = (evaluate(part, grid, hat) for part in parts)
    expected = 0.8 * leith + gradient - smagorinsky
    np.testing.assert_allclose(evaluate(mixed, grid, hat), expected, rtol=1e-12, atol=1e-15)
    assert repr(2 * (0.5 * Leith())) == "1 * Leith(0.21, ratio=1)"


class Damping:
    """A user's own closure: one method."""

    def add(self, source_hat, state):
        source_hat -= 0.5 * state.omega_hat


def test_differences_quotients_and_sums():
    parts = [Leith(), Gradient(), Smagorinsky()]
    assert repr(sum(parts)) == " + ".join(map(repr, parts))
    assert repr(Leith() - Gradient() / 2) == (
        "Leith(0.21, ratio=1) + -0.5 * Gradient(order=2, ratio=2)"
    )
    assert repr(-(2 * Leith() + Gradient())) == (
        "-2 * Leith(0.21, ratio=1) + -1 * Gradient(order=2, ratio=2)"
    )


@pytest.mark.parametrize("closure", ALL, ids=repr)
def test_a_closure_may_serve_two_solvers(closure):
    """On grids of unlike domains, in turn: each gets what it would get alone."""
    alike = dict(nx=48, ny=36, dealias="3/2", reproducible=True)
    grids = [Grid(**alike), Grid(**alike, lx=3.0), square()]
    hats = [turbulent(grid) for grid in grids]
    alone = [evaluate(closure, grid, hat) for grid, hat in zip(grids, hats, strict=True)]
    for _ in range(2):
        for grid, hat, expected in zip(grids, hats, alone, strict=True):
            source = grid.zeros_spectral()
            closure.add(source, closures.State(grid, hat))
            np.testing.assert_array_equal(source, expected)


def test_without_backscatter_the_term_diffuses_everywhere():
    """Of a term whose clipped part needs no cut: one wave against its own Laplacian."""
    grid = rectangle()
    wave = grid.to_spectral(np.cos(2 * grid.x)[None, :] + np.zeros((grid.ny, 1)))

    class Opposite:
        def add(self, source_hat, state):
            source_hat += state.omega_hat  # feeds every wave: all of it is backscatter

    assert np.abs(evaluate(WithoutBackscatter(Opposite()), grid, wave)).max() < ROUNDING
    assert np.abs(evaluate(Opposite(), grid, wave)).max() == pytest.approx(0.5)
    kept = evaluate(WithoutBackscatter(-1.0 * (Leith() - Leith() + Smagorinsky())), grid, wave)
    assert np.abs(kept).max() < ROUNDING  # -Smagorinsky feeds as well
    diffusive = evaluate(WithoutBackscatter(Smagorinsky()), grid, wave)
    np.testing.assert_allclose(diffusive, evaluate(Smagorinsky(), grid, wave), atol=ROUNDING)


def test_hyperviscosity_of_high_order_in_single_precision():
    grid = Grid(1024, 8, dealias="3/2", dtype=np.float32, reproducible=True)
    hat = grid.zeros_spectral()
    hat[500, 0] = 1
    pi = evaluate(Hyperviscosity(1e-22, order=8), grid, hat)
    assert pi[500, 0] == pytest.approx(-1e-22 * 500.0**16, rel=1e-5)
    assert np.isfinite(pi).all()


def test_a_users_own_class_is_a_closure():
    grid = rectangle()
    hat = turbulent(grid)
    np.testing.assert_array_equal(evaluate(Damping(), grid, hat), -0.5 * hat)
    mixed = Leith() + Damping()
    assert mixed.members[1].__class__ is Damping
    sim = Solver(grid, Flow(), dt=1e-3, closure=mixed)
    sim.set_spectral(hat)
    sim.step(10)
    assert diagnostics.enstrophy(grid, sim.omega_hat) < diagnostics.enstrophy(grid, hat)


def test_a_constant_may_change_during_a_run():
    grid, leith = rectangle(), Leith(0.1)
    sim = Solver(grid, Flow(), dt=1e-3, closure=leith)
    sim.set_spectral(turbulent(grid))
    sim.step()
    leith.coefficient = 0.2
    assert repr(sim.closure) == "Leith(0.2, ratio=1)"
    source = grid.zeros_spectral()
    leith.add(source, sim)
    np.testing.assert_array_equal(source, evaluate(Leith(0.2), grid, sim.omega_hat))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Smagorinsky(np.nan),
            "of Smagorinsky must be a finite number, got nan",
        ),
        (lambda: Leith(0.2, ratio=0), "ratio must be a finite number > 0, got 0"),
        (lambda: Gradient(order=3), "must be 2, 4 or 6, got 3"),
        (lambda: JansenHeld("smag"), "base must be one of smagorinsky, leith, got 'smag'"),
        (lambda: JansenHeld(backscatter=2), "backscatter must be 0 .. 1, got 2"),
        (lambda: Hyperviscosity(1.0, order=0), "must be 1 .. 8, got 0"),
        (lambda: np.inf * Leith(), "scaled by a finite number, got inf"),
        (lambda: True * Leith(), "scaled by a finite number, got True"),
        (lambda: Leith(local="no"), "local must be true or false, got 'no'"),
        (lambda: Leith(True), "of Leith must be a finite number, got True"),
        (lambda: Leith() + 3, "3 is no term of the vorticity equation: it has no method add"),
        (lambda: Leith().on, "is bound to no grid"),
        (lambda: DynamicLeith().bind(Grid(18, 16, reproducible=True)), "divisible by 4, got 18"),
    ],
)
def test_what_cannot_be_a_closure(make, message):
    with pytest.raises(InputError, match=message):
        make()
