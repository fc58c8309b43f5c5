"""Wang-Landau sampling against exact numbers of states."""

from collections import deque
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ebmlab as eb
from ebmlab import exact, graphs
from ebmlab.energies.expanded import FlatHistogram
from ebmlab.rugged import flips
from ebmlab.rugged.wang_landau import Landau, wang_landau
from ebmlab.sampling import sample


def last(snapshots):
    return deque(snapshots, maxlen=1)[0]


def compared(snapshot, model):
    """log g at the levels that exist, and the exact values; every other bin must be empty."""
    truth = exact.density_of_states(model)
    at = np.searchsorted(snapshot.edges, truth.energies) - 1
    assert set(np.flatnonzero(snapshot.visited)) == set(at)
    return snapshot.log_g[at], truth.log_counts


def plus_minus(seed=1):
    grid = graphs.square(4, 4)
    return eb.Pairwise(grid, graphs.plus_minus(grid, key=jax.random.key(seed)))


@pytest.fixture(scope="module")
def square():
    """A finished run of 4x4, and all its snapshots."""
    return list(wang_landau(eb.IsingLattice((4, 4)), key=jax.random.key(20), final=1e-6))


def test_the_small_square_lattice(square):
    found, truth = compared(square[-1], eb.IsingLattice((4, 4)))
    assert np.abs(found - truth).max() < 0.03
    assert square[-1].f <= 1e-6
    assert square[-1].stage == "1/t"
    assert square[-1].outside == 0
    np.testing.assert_allclose(
        square[-1].energies[square[-1].visited], exact.density_of_states(eb.IsingLattice((4, 4))).energies, atol=1e-3
    )


def test_every_snapshot_is_normalised_and_f_follows_its_rule(square):
    for snapshot in square:
        assert np.logaddexp.reduce(snapshot.log_g[snapshot.visited]) == pytest.approx(16 * np.log(2), abs=1e-9)
    f = np.array([snapshot.f for snapshot in square])
    stage = np.array([snapshot.stage for snapshot in square])
    assert (np.diff(f) <= 0).all()
    walk = f[stage == "halving"]
    assert set(np.round(np.log2(walk[:-1] / walk[1:]), 6)) <= {0.0, 1.0}
    late = [s for s in square if s.stage == "1/t"]
    for snapshot in late:
        assert snapshot.f == pytest.approx(snapshot.visited.sum() / (snapshot.sweeps * 16 * 64))
    assert late[-1].flatness > 0.9


def test_thermodynamics_from_log_g(square):
    betas = np.linspace(0, 1, 11)
    truth, found = eb.thermodynamics(eb.IsingLattice((4, 4)), beta=betas), square[-1].thermodynamics(beta=betas)
    np.testing.assert_allclose(found.log_z, truth.log_z, atol=0.03)
    np.testing.assert_allclose(found.energy, truth.energy, atol=0.3)
    assert found.log_z[0] == pytest.approx(16 * np.log(2), abs=1e-9)


def test_the_eight_by_eight_lattice_within_half_a_percent():
    """63 levels, 2^64 states; the two ground states and their neighbours are the hard ones: log 2 to 0.003."""
    model = eb.IsingLattice((8, 8))
    found, truth = compared(last(wang_landau(model, key=jax.random.key(11), final=2.5e-7)), model)
    assert (np.abs(found - truth) <= 0.005 * truth).mean() >= 0.95
    assert np.abs(found - truth).max() < 0.1


def test_a_small_glass_against_enumeration():
    model = plus_minus()
    found, truth = compared(last(wang_landau(model, key=jax.random.key(3), final=1e-6)), model)
    assert np.abs(found - truth).max() < 0.04


def test_a_glass_of_real_couplings_has_no_grid_and_gives_its_log_z_all_the_same():
    grid = graphs.square(4, 4)
    model = eb.Pairwise(grid, graphs.gaussian(grid, key=jax.random.key(1)))
    snapshot = last(wang_landau(model, key=jax.random.key(4), final=2e-6))
    assert len(snapshot.energies) == 64
    betas = np.linspace(0, 2, 9)
    found, truth = snapshot.thermodynamics(beta=betas), eb.thermodynamics(model, beta=betas)
    np.testing.assert_allclose(found.log_z, truth.log_z, atol=0.08)
    np.testing.assert_allclose(found.energy, truth.energy, atol=0.15)


def test_units_of_three_values_and_of_bits():
    potts = eb.Potts(graphs.square(2, 3, periodic=False), 3, 1.0, np.array([0.0, 1.0, 0.0]) * np.ones((6, 1)))
    bits = eb.Pairwise(graphs.ring(6), 2.0, -1.0, eb.Binary(6))
    for model in (potts, bits):
        found, truth = compared(last(wang_landau(model, key=jax.random.key(5), final=4e-6, walkers=16)), model)
        assert np.abs(found - truth).max() < 0.05


def test_a_run_goes_on_bit_for_bit():
    model, key = plus_minus(2), jax.random.key(6)
    whole = list(islice(wang_landau(model, key=key, every=20), 12))
    half = list(islice(wang_landau(model, key=key, every=20), 5))[-1]
    rest = list(islice(wang_landau(model, key=half.key, every=20, resume=half), 7))
    for a, b in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(a.log_g, b.log_g)
        np.testing.assert_array_equal(a.state[0], b.state[0])
        assert (a.f, a.stage, a.sweeps, a.outside) == (b.f, b.stage, b.sweeps, b.outside)
    with pytest.raises(ValueError, match="own key"):
        wang_landau(model, key=jax.random.key(7), resume=half)
    with pytest.raises(ValueError, match="keeps its bins"):
        wang_landau(model, key=key, resume=half, bins=10)
    with pytest.raises(TypeError, match="snapshot"):
        wang_landau(model, key=key, resume=3)
    with pytest.raises(ValueError, match="shapes"):
        wang_landau(eb.IsingLattice((4, 4)), key=key, resume=half)


def test_a_window_is_kept_and_counts_what_would_leave_it():
    """Inside the window differences of log g are right; the share outside is not known."""
    model = eb.IsingLattice((4, 4))
    snapshot = last(wang_landau(model, key=jax.random.key(8), window=(-24.0, -8.0), final=2e-6, walkers=32))
    truth = exact.density_of_states(model)
    inside = (truth.energies >= -24) & (truth.energies <= -8)
    np.testing.assert_allclose(snapshot.energies, np.arange(-24.0, -7, 4), atol=1e-3)
    assert snapshot.visited.all()
    shift = snapshot.log_g - truth.log_counts[inside]
    assert np.ptp(shift) < 0.04
    assert snapshot.outside > 0
    assert (snapshot.energy >= -26).all()
    assert (snapshot.energy <= -6).all()


def test_ground_states_may_set_the_scale_instead():
    model = eb.IsingLattice((2, 4), periodic=False)
    snapshot = last(wang_landau(model, key=jax.random.key(9), final=1e-5, walkers=16, ground=2))
    assert snapshot.log_g[snapshot.visited][0] == pytest.approx(np.log(2))
    assert np.logaddexp.reduce(snapshot.log_g[snapshot.visited]) == pytest.approx(8 * np.log(2), abs=0.1)


def test_a_flat_histogram_run_with_the_learned_log_g_is_flat(square):
    snapshot, model = square[-1], eb.IsingLattice((4, 4))
    flat = FlatHistogram(model, snapshot.edges, snapshot.log_g)
    x0 = snapshot.state
    found = sample(eb.Metropolis(), flat, key=jax.random.key(1), chains=64, steps=2000, x0=x0, keep=model.energy)
    counts = np.histogram(np.asarray(found.values), snapshot.edges)[0][snapshot.visited]
    assert counts.min() > 0.8 * counts.mean()


def test_grids_are_found_where_there_are_any():
    rng = np.random.default_rng(0)
    assert flips.spacing(4.0 * rng.integers(-30, 30, 500)) == pytest.approx(4.0)
    assert flips.spacing(0.1 + 0.3 * rng.integers(0, 50, 500)) == pytest.approx(0.3)
    assert flips.spacing(6.0 * rng.integers(0, 9, 100) + 10.0 * rng.integers(0, 9, 100)) == pytest.approx(2.0)
    assert flips.spacing(rng.normal(size=500)) is None
    assert flips.spacing(np.full(9, 2.0)) is None


def test_bad_requests_are_refused_at_once():
    model, key = eb.IsingLattice((4, 4)), jax.random.key(0)
    for options, message in (
        ({"window": (-100.0, -50.0)}, "no state"),
        ({"window": (3.0, -3.0)}, "lowest, highest"),
        ({"window": (-3.0, 3.0), "bins": [0.0, 1.0, 2.0]}, "not both"),
        ({"bins": [0.0, 2.0, 1.0]}, "rising"),
        ({"bins": [-31.0, -30.0, -29.0]}, "no state found"),
        ({"flatness": 1.5}, "between 0 and 1"),
        ({"walkers": 1}, "at least 2"),
        ({"final": 0.0}, "above zero"),
    ):
        with pytest.raises(ValueError, match=message):
            wang_landau(model, key=key, **options)
    with pytest.raises(TypeError, match="discrete"):
        wang_landau(eb.Harmonic(2, 1.0), key=key)
    with pytest.raises(ValueError, match="nothing to flatten"):
        wang_landau(eb.Pairwise(graphs.ring(4), 0.0), key=key)


def test_empty_bins_and_states_beyond_the_bins_are_reported():
    model, key = eb.IsingLattice((2, 4), periodic=False), jax.random.key(2)
    with pytest.warns(UserWarning, match="never visited"):
        last(wang_landau(model, key=key, bins=np.arange(-11.0, 12.0), final=1e-4, walkers=16))
    with pytest.warns(UserWarning, match="would have left"):
        last(wang_landau(model, key=key, bins=np.array([-7.0, -3.0, 1.0, 5.0]), final=1e-4, walkers=16))


def test_levels_found_late_send_f_back():
    """A walk that starts without the two lowest levels finds them, and still ends up right."""
    model = eb.IsingLattice((4, 4))
    begun = next(wang_landau(model, key=jax.random.key(1)))
    hidden = begun.energies < -22
    blind = begun._replace(
        visited=begun.visited & ~hidden, log_g=np.where(hidden, -np.inf, begun.log_g), f=1e-4, stage="1/t"
    )
    first = next(wang_landau(model, key=begun.key, resume=blind))
    assert isinstance(first, Landau)
    assert first.stage == "halving"
    assert first.f == 1 / 64 / 16
    found, truth = compared(last(wang_landau(model, key=begun.key, resume=first, final=1e-6)), model)
    assert np.abs(found - truth).max() < 0.04


def test_walkers_are_states_of_their_energies(square):
    energy = jax.vmap(eb.IsingLattice((4, 4)).energy)(tuple(jnp.asarray(a) for a in square[-1].state))
    np.testing.assert_allclose(energy, square[-1].energy, atol=1e-4)


def test_a_run_goes_on_with_its_own_model_and_has_something_to_do():
    model = eb.IsingLattice((4, 4))
    snap = next(wang_landau(model, key=jax.random.key(0), walkers=8, every=10))
    other = eb.IsingLattice((4, 4), coupling=-0.7)
    with pytest.raises(ValueError, match="own couplings"):
        wang_landau(other, key=snap.key, resume=snap)
    with pytest.raises(ValueError, match="nothing left"):
        wang_landau(model, key=snap.key, resume=snap, final=1.0)
    with pytest.raises(ValueError, match="2\\^31"):
        wang_landau(model, key=jax.random.key(0), every=10**8)
    top = next(wang_landau(model, key=jax.random.key(0), walkers=8, every=10, window=(-32.0, 0.0), bins=8))
    assert top.edges[-1] > 0
    assert top.energies[-1] == pytest.approx(-2, abs=0.1)
