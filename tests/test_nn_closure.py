"""The network in the LES: the term that it has offline, on any number of ranks."""

import numpy as np
import pytest
import torch
from fields import turbulent
from networks import fitted, grid_of, predict, setting, square
from tolerances import ROUNDING, ROUNDING_SINGLE

from pytbl import Flow, Solver, closures
from pytbl.errors import InputError
from pytbl.nn import CNNClosure, PeriodicCNN, artifact, stack

#: Between numbers of ranks, relative to the largest value.
RANKS = 1e-6

BACKENDS = [*(["nnpack"] if stack.has_nnpack() else []), "direct"]


def les(closure, comm=None, **options):
    sim = Solver(
        grid_of(closure.setting, comm=comm, **options),
        Flow(viscosity=1e-3, drag=0.1),
        dt=1e-3,
        closure=closure,
    )
    sim.set_spectral(3 * turbulent(sim.grid))
    return sim


def term(closure, comm=None, **options):
    """The term on this rank's rows."""
    sim = les(closure, comm, **options)
    return sim, sim.grid.to_physical(closure.evaluate(sim.grid, sim.omega_hat))


# ---------------------------------------------------------------------------------- on one rank ---


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"output": "stress"},
        {"inputs": ("u", "omega", "v")},
        {"padding": "zeros"},
        {"normalisation": "snapshot"},
        {"kernel": 3, "depth": 1},
    ],
)
def test_the_term_is_that_of_the_network(config, backend):
    model = fitted(setting(), **config)
    sim, pi = term(CNNClosure(model, backend=backend))
    expected = predict(model, sim.omega[None])[0]
    np.testing.assert_allclose(pi, expected, atol=ROUNDING_SINGLE * np.abs(expected).max())


@pytest.mark.parametrize("every", [1, 3])
def test_a_state_that_is_no_solver_is_always_evaluated(every):
    closure = CNNClosure(fitted(setting()), every=every)
    grid = grid_of(closure.setting)
    for hat in (turbulent(grid), 2 * turbulent(grid)):
        source = grid.zeros_spectral()
        closure.add(source, closures.State(grid, hat))
        np.testing.assert_array_equal(source, closure.evaluate(grid, hat))


def test_networks_add_and_scale_like_other_closures():
    mixed = 0.5 * CNNClosure(fitted(setting())) + closures.Leith(0.3)
    grid = grid_of(setting())
    hat = turbulent(grid)
    expected = 0.5 * CNNClosure(fitted(setting())).evaluate(grid, hat)
    expected = expected + closures.evaluate(closures.Leith(0.3), grid, hat)
    np.testing.assert_allclose(closures.evaluate(mixed, grid, hat), expected, atol=1e-12)
    assert repr(mixed).startswith("0.5 * CNNClosure(PeriodicCNN(")


def test_the_symmetric_network_online():
    model = fitted(square(), symmetry="p4", output="stress")
    sim, pi = term(CNNClosure(model))
    expected = predict(model, sim.omega[None])[0]
    np.testing.assert_allclose(pi, expected, atol=ROUNDING_SINGLE * np.abs(expected).max())


def test_double_precision():
    model = fitted(setting()).double()
    sim, pi = term(CNNClosure(model))
    expected = predict(model, sim.omega[None])[0]
    np.testing.assert_allclose(pi, expected, atol=100 * ROUNDING * np.abs(expected).max())
    with pytest.raises(InputError, match="backend 'nnpack' needs .* got torch.float64"):
        CNNClosure(model, backend="nnpack")


def test_a_single_precision_les():
    model = fitted(setting())
    sim, pi = term(CNNClosure(model), dtype=np.float32)
    expected = predict(model, sim.omega[None])[0]
    np.testing.assert_allclose(pi, expected, atol=ROUNDING_SINGLE * np.abs(expected).max())


def test_the_mean_vorticity_and_cut_modes_stay_zero():
    sim = les(CNNClosure(fitted(setting())))
    before = sim.omega_hat.copy()
    sim.step(5)
    assert np.abs(sim.omega_hat - before).max() > 1e-6
    assert sim.omega_hat[0, 0] == 0
    assert not sim.omega_hat[~sim.grid.mask].any()


def test_without_backscatter_no_point_feeds_the_gradients():
    model = fitted(setting())
    sim, pi = term(CNNClosure(model))
    _, clipped = term(CNNClosure(model, backscatter=False))
    laplacian = sim.grid.to_physical(-sim.grid.k2 * sim.omega_hat)
    assert (pi * laplacian < 0).any()
    kept = np.where(pi * laplacian > 0, pi, 0)
    np.testing.assert_allclose(
        clipped, sim.grid.to_physical(sim.grid.to_spectral(kept - kept.mean())), atol=1e-12
    )


def test_terms_add_and_scale():
    closure = CNNClosure(fitted(setting()))
    sim = les(closure)
    once, both = sim.grid.zeros_spectral(), sim.grid.zeros_spectral()
    closure.add(once, sim)
    (0.5 * closure + closure).add(both, sim)
    np.testing.assert_allclose(both, 1.5 * once, atol=1e-14)
    assert repr(0.5 * closure) == f"0.5 * {closure!r}"


def test_buffers_are_not_shared_between_calls():
    closure = CNNClosure(fitted(setting()))
    sim = les(closure)
    one = closure.evaluate(sim.grid, sim.omega_hat)
    kept = one.copy()
    two = closure.evaluate(sim.grid, 2 * sim.omega_hat)
    assert np.array_equal(one, kept)
    assert not np.array_equal(two, kept)


@pytest.mark.parametrize(
    ("scheme", "every", "count"),
    [("ab2cn", 1, 6), ("ab2cn", 3, 2), ("rk3cn", 1, 18), ("rk3cn", 3, 2)],
)
def test_evaluations_every_few_steps(scheme, every, count):
    class Counting(CNNClosure):
        count = 0

        def evaluate(self, grid, omega_hat):
            self.count += 1
            return super().evaluate(grid, omega_hat)

    closure = Counting(fitted(setting()), every=every)
    sim = les(closure)
    sim.scheme = scheme
    sim.step(6)
    assert closure.count == count


def test_a_restart_between_evaluations():
    whole = les(CNNClosure(fitted(setting()), every=4))
    whole.step(6)
    kept = {k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in whole.state().items()}
    term = whole.closure.state()
    whole.step(6)
    parts = les(CNNClosure(fitted(setting()), every=4))
    parts.restore(kept)
    parts.closure.restore(term)
    parts.step(6)
    assert np.array_equal(parts.omega_hat, whole.omega_hat)


def test_threads_are_set_for_the_evaluation_only(monkeypatch):
    seen = []
    run = stack.Stack.__call__
    monkeypatch.setattr(
        stack.Stack, "__call__", lambda self: (seen.append(torch.get_num_threads()), run(self))[1]
    )
    before = torch.get_num_threads()
    term(CNNClosure(fitted(setting()), threads=before + 1))
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_loading(tmp_path):
    path = artifact.save(fitted(setting()), tmp_path / "a.closure", programs=())
    grid = grid_of(setting())
    closure = CNNClosure.load(path, grid, every=2, backend="direct")
    assert repr(closure) == f"CNNClosure({str(path)!r}, every=2)"
    hat = turbulent(grid)
    expected = CNNClosure(fitted(setting()), backend="direct").evaluate(grid, hat)
    assert np.array_equal(closure.evaluate(grid, hat), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be an integer >= 1, got 0"),
        ({"threads": 0}, "threads must be an integer >= 1, got 0"),
        ({"backend": "gpu"}, "unknown backend 'gpu': expected one of direct, nnpack"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        CNNClosure(fitted(setting()), **options)
    with pytest.raises(InputError, match="the network was not trained"):
        CNNClosure(PeriodicCNN(8, 2, 3))


def test_the_solver_refuses_another_grid():
    closure = CNNClosure(fitted(setting()))
    with pytest.raises(InputError, match="the grid does not fit the network: expected ny 16, got"):
        Solver(grid_of(setting(ny=32)), Flow(viscosity=1e-3), dt=1e-3, closure=closure)


# -------------------------------------------------------------------------------- on some ranks ---


@pytest.mark.mpi(nprocs=(1, 2, 3))
def test_the_term_does_not_depend_on_the_ranks(comm):
    for ny, config in (
        (64, {}),  # halos of 6 rows
        (50, {"output": "stress", "normalisation": "snapshot"}),  # uneven slabs
        (16, {}),  # slabs thinner than their halos
        (64, {"padding": "zeros", "inputs": ("u", "v")}),
    ):
        check_on_ranks(comm, ny, config)


def check_on_ranks(comm, ny, config):
    of = setting(ny=ny)
    model = fitted(of, **config)
    sim, mine = term(CNNClosure(model), comm)
    alone, whole = term(CNNClosure(model))
    rows = slice(sim.grid.y_start, sim.grid.y_start + sim.grid.ny_local)
    largest = np.abs(whole).max()
    assert largest > 0
    np.testing.assert_allclose(mine, whole[rows], atol=RANKS * largest)
    halo = sim.closure.halo
    if comm.size > 1 and config.get("padding") != "zeros":
        assert halo.whole == (halo.grid.ny_local + 12 >= ny)
        assert halo.whole == (ny == 16)
    for s in (sim, alone):
        s.step(3)
    np.testing.assert_allclose(sim.omega, alone.omega[rows], atol=1e-6 * np.abs(alone.omega).max())


@pytest.mark.mpi(nprocs=(5,))
def test_ranks_without_rows_of_spectra(comm):
    """Five ranks share sixteen rows, and a halo spans several of them."""
    model = fitted(setting(8), depth=2, kernel=3)
    sim, mine = term(CNNClosure(model), comm)
    _, whole = term(CNNClosure(model))
    assert not sim.closure.halo.whole
    assert sim.grid.exchange.min(sim.grid.nkx_local) == 0
    rows = slice(sim.grid.y_start, sim.grid.y_start + sim.grid.ny_local)
    np.testing.assert_allclose(mine, whole[rows], atol=RANKS * np.abs(whole).max())


@pytest.mark.mpi(nprocs=(3,))
def test_errors_reach_all_ranks(comm, shared_tmp):
    if comm.rank == 0:
        artifact.save(fitted(setting()), shared_tmp / "a.closure", programs=())
    comm.Barrier()
    with pytest.raises(InputError, match="expected nx 24, got 32"):
        CNNClosure.load(shared_tmp / "a.closure", grid_of(setting(32), comm=comm))
    with pytest.raises(InputError, match="No such file"):
        path = "a.closure" if comm.rank else "none.closure"
        CNNClosure.load(shared_tmp / path, grid_of(setting(), comm=comm))
