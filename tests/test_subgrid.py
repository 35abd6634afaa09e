"""Exact sub-grid terms: identities between their forms, symmetries, ranks, an LES they drive."""

import numpy as np
import pytest
from fields import mirrored, rotated, shifted, turbulent
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import ROUNDING, ROUNDING_RUN, ROUNDING_SINGLE

from pytbl import Flow, Grid, Solver, filters
from pytbl.errors import InputError
from pytbl.forcing import Deterministic, Filtered
from pytbl.subgrid import Coarsening, SubgridTerms

PAIRS = [
    (dict(nx=96, ny=72, ly=3 * np.pi), dict(nx=24, ny=18, ly=3 * np.pi, dealias="3/2")),
    (dict(nx=60, ny=40, lx=5.0, dealias="3/2"), dict(nx=24, ny=32, lx=5.0)),
    (dict(nx=48, ny=48, dtype="f4"), dict(nx=16, ny=16, dealias="3/2", dtype="f4")),
]
FILTERS = [filters.make(kind) for kind in filters.FILTERS]


def pair(arguments, comm=None):
    return [Grid(**one, comm=comm, reproducible=True) for one in arguments]


def curl_div(grid, xx, xy, yy):
    return grid.kx * grid.ky * (yy - xx) + (grid.kx**2 - grid.ky**2) * xy


@pytest.mark.parametrize("arguments", PAIRS)
@pytest.mark.parametrize("filter", FILTERS, ids=repr)
def test_three_forms_of_one_term(arguments, filter):
    """bar(N) - N_c, the curl of the divergence of the stress, the divergence of the flux."""
    fine, coarse = pair(arguments)
    terms, hat = SubgridTerms(fine, coarse, filter), turbulent(fine, k_peak=6)
    pi = terms.source(hat)
    bound = (ROUNDING if fine.dtype == "f8" else ROUNDING_SINGLE) * np.abs(pi).max() * 10
    assert np.abs(pi).max() > 1e-3
    np.testing.assert_allclose(curl_div(coarse, *terms.stress(hat)), pi, atol=bound)
    x, y = terms.vorticity_flux(hat)
    np.testing.assert_allclose(-1j * (coarse.kx * x + coarse.ky * y), pi, atol=bound)
    filtered = terms.coarsen(fine.nonlinear_term(hat))
    resolved = coarse.nonlinear_term(terms.coarsen(hat))
    np.testing.assert_allclose(filtered, resolved + pi, atol=bound)


def test_the_sign_and_the_trace_of_the_stress():
    """The stress of a positive filter is positive definite; its trace is twice the SGS energy."""
    fine, coarse = pair(PAIRS[0])
    xx, xy, yy = SubgridTerms(fine, coarse, filters.Gaussian(2)).stress(turbulent(fine, k_peak=6))
    mean_xx, mean_xy, mean_yy = (hat[0, 0].real for hat in (xx, xy, yy))
    assert mean_xx > 0 and mean_yy > 0 and mean_xx * mean_yy > mean_xy**2


def test_coarsening_keeps_amplitudes():
    fine, coarse = pair(PAIRS[0])
    field = np.cos(3 * fine.x)[None, :] + np.sin(4 / 3 * fine.y)[:, None]
    kept = coarse.to_physical(Coarsening(fine, coarse)(fine.to_spectral(field)))
    expected = np.cos(3 * coarse.x)[None, :] + np.sin(4 / 3 * coarse.y)[:, None]
    np.testing.assert_allclose(kept, expected, atol=ROUNDING * 10)


def test_coarsening_in_two_steps_is_coarsening_in_one():
    fine, coarse = pair(PAIRS[0])
    middle = Grid(48, 36, ly=3 * np.pi, reproducible=True, dealias="3/2")
    hat = turbulent(fine)
    once = Coarsening(fine, coarse)(hat)
    np.testing.assert_array_equal(Coarsening(middle, coarse)(Coarsening(fine, middle)(hat)), once)


@pytest.mark.mpi(nprocs=(1, 2, 3))
def test_the_same_bits_on_any_number_of_ranks(comm):
    for arguments in PAIRS:
        hats = []
        for ranks in (None, comm):
            fine, coarse = pair(arguments, ranks)
            terms, hat = SubgridTerms(fine, coarse, filters.Gaussian(2)), turbulent(fine)
            stress, flux = terms.stress(hat), terms.vorticity_flux(hat)
            hats.append([terms.coarsen(hat), terms.source(hat), *stress, *flux])
        mine = slice(coarse.kx_start, coarse.kx_start + coarse.nkx_local)
        for alone, together in zip(*hats, strict=True):
            np.testing.assert_array_equal(together, alone[mine])


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 6), st.floats(0, 6))
def test_the_term_moves_with_the_flow(x, y):
    fine, coarse = pair(PAIRS[0])
    terms, hat = SubgridTerms(fine, coarse, filters.Gaussian(2)), turbulent(fine)
    moved = terms.source(shifted(hat, fine, x, y))
    expected = shifted(terms.source(hat), coarse, x, y)
    np.testing.assert_allclose(moved, expected, atol=ROUNDING * np.abs(expected).max() * 100)


@pytest.mark.parametrize("change", [rotated, mirrored])
@pytest.mark.parametrize("filter", FILTERS, ids=repr)
def test_the_term_turns_and_mirrors_with_the_flow(change, filter):
    fine = Grid(48, 48, reproducible=True)
    coarse = Grid(16, 16, dealias="3/2", reproducible=True)
    terms, hat = SubgridTerms(fine, coarse, filter), turbulent(fine)
    changed = terms.source(change(hat, fine))
    expected = change(terms.source(hat), coarse)
    np.testing.assert_allclose(changed, expected, atol=ROUNDING * np.abs(expected).max() * 100)


class Exact:
    """The exact term, of a DNS that steps along."""

    def __init__(self, dns, terms):
        self.dns, self.terms = dns, terms

    def add(self, source_hat, state):
        assert state.t == self.dns.t
        source_hat += self.terms.source(self.dns.omega_hat)


@pytest.mark.parametrize("filter", FILTERS, ids=repr)
def test_an_les_driven_by_the_exact_term_follows_the_filtered_dns(filter):
    fine, coarse = pair(PAIRS[0])
    flow, terms = Flow(viscosity=2e-3, drag=0.1, beta=0.5), SubgridTerms(fine, coarse, filter)
    dns = Solver(fine, flow, dt=2e-3, forcing=Deterministic(mx=2, ny=1))
    dns.set_spectral(turbulent(fine))
    forcing = Filtered(Deterministic(mx=2, ny=1), filter)
    les = Solver(coarse, flow, dt=2e-3, forcing=forcing, closure=Exact(dns, terms))
    les.set_spectral(terms.coarsen(dns.omega_hat))
    lone = Solver(coarse, flow, dt=2e-3, forcing=forcing)
    lone.set_spectral(les.omega_hat)
    for _ in range(100):
        les.step()
        dns.step()
        lone.step()
    truth = terms.coarsen(dns.omega_hat)
    scale = np.abs(truth).max()
    np.testing.assert_allclose(les.omega_hat, truth, atol=ROUNDING_RUN * scale)
    assert np.abs(lone.omega_hat - truth).max() > 1e6 * ROUNDING_RUN * scale


def test_what_cannot_be_coarsened():
    grid = Grid(48, 48, reproducible=True)
    with pytest.raises(InputError, match="modes up to 15 x 15 .* got 23 x 23"):
        SubgridTerms(grid, Grid(48, 48, dealias="3/2", reproducible=True), filters.Gaussian())
    with pytest.raises(InputError, match="must have the domain"):
        Coarsening(grid, Grid(16, 16, lx=1.0, reproducible=True))
