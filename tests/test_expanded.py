"""Expanded ensembles: the temperature as a unit of the state, flat histograms, and what layers of mixed kind need."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ebmlab as eb
from ebmlab import exact, graphs
from ebmlab.diagnostics import chi_square, empirical
from ebmlab.energies.expanded import Expanded, FlatHistogram
from ebmlab.kernels.expanded import SimulatedTempering
from ebmlab.sampling import sample

CHAINS = 2**16
WRONG, RIGHT = 1e-4, 1e-3  # p-values: a planted mistake must fall below, the right kernel stay above
BETAS = np.array([0.2, 0.7, 1.5])
GRAPH = graphs.from_edges([(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)])
GLASS = eb.Pairwise(GRAPH, [1.0, -0.8, 0.9, 0.7, 1.1], [0.3, -0.2, 0.4, 0.1])


class Mixed(eb.AbstractEnergy):
    """Four spins and two dials of three values: kinds that differ in values and number."""

    units: tuple = (eb.Spin(4), eb.Categorical((2,), 3), eb.Binary(()))

    def energy(self, x):
        s, k, b = x
        return -0.3 * (k.sum() - 1.5 + b) * s.sum() - 0.5 * s[0] * s[1] + 0.2 * b


def after(kernel, model, target, *, seed, count=6):
    """How often each state occurs after `count` steps from exact draws at beta = 1."""
    start = np.random.default_rng(seed).choice(len(target.p), CHAINS, p=target.p)
    x = tuple(jnp.asarray(a[start], u.dtype) for a, u in zip(target.states, model.units, strict=True))
    keys = jax.random.split(jax.random.key(seed), CHAINS)
    x = eqx.filter_jit(
        jax.vmap(lambda x, key: kernel.steps(model, x, beta=jnp.float32(1), key=key, first=0, count=count)[0])
    )(x, keys)
    return empirical(x, model.units)


@pytest.mark.quick
def test_counting_states_of_mixed_layers_is_the_order_of_the_enumeration():
    model = Mixed()
    listed = exact.states(model)
    np.testing.assert_array_equal(empirical(listed, model.units), 1)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(listed[0]), 1000)
    counts = empirical(tuple(layer[chosen] for layer in listed), model.units)
    np.testing.assert_array_equal(counts, np.bincount(chosen, minlength=len(listed[0])))


@pytest.mark.quick
def test_exact_sums_over_mixed_layers_agree_with_each_other():
    model = Mixed()
    table = exact.boltzmann(model, beta=0.8)
    assert exact.log_partition(model, beta=0.8) == pytest.approx(float(table.log_z), abs=1e-12)
    flat = np.concatenate([a.reshape(len(table.p), -1) for a in table.states], axis=1)
    np.testing.assert_allclose(exact.moments(model, beta=0.8).mean, table.p @ flat, atol=1e-12)
    dials = exact.marginals(model, beta=0.8)[1]
    by_hand = [[table.p[table.states[1][:, i] == v].sum() for v in range(3)] for i in range(2)]
    np.testing.assert_allclose(dials, by_hand, atol=1e-12)


@pytest.mark.quick
def test_a_model_that_a_jitted_function_closed_over_is_still_summed_exactly():
    """XLA may remember the 32-bit form of an integer array that it has met as a constant."""
    model = eb.Potts(graphs.ring(4), 3)
    x = (jnp.array([0, 1, 2, 0]),)
    assert float(jax.jit(lambda x: model.energy(x))(x)) == -1
    assert exact.energies(model).min() == -4


@pytest.mark.quick
def test_single_unit_kernels_refuse_mixed_layers_and_say_what_to_use():
    model = Expanded(GLASS, BETAS)
    for kernel in (eb.Gibbs(), eb.Metropolis()):
        with pytest.raises(TypeError, match="SimulatedTempering"):
            sample(kernel, model, key=jax.random.key(0), chains=2, steps=2)


@pytest.mark.quick
def test_best_weights_are_minus_log_z_and_make_every_temperature_equally_likely():
    log_z = exact.log_partition(GLASS, beta=BETAS)
    model = Expanded(GLASS, BETAS, -log_z)
    np.testing.assert_allclose(exact.marginals(model, beta=1.0)[1], 1 / 3, atol=1e-12)
    assert exact.log_partition(model, beta=1.0) == pytest.approx(np.log(3), abs=1e-12)
    bare = exact.marginals(Expanded(GLASS, BETAS), beta=1.0)[1]
    np.testing.assert_allclose(bare, np.exp(log_z) / np.exp(log_z).sum(), atol=1e-12)


@pytest.mark.parametrize("within", [eb.Gibbs(), eb.Metropolis(), eb.SwendsenWang()], ids=lambda k: type(k).__name__)
def test_simulated_tempering_keeps_the_joint_distribution(within):
    model = Expanded(GLASS, BETAS, -exact.log_partition(GLASS, beta=BETAS) + np.array([0.0, 0.3, -0.2]))
    target = exact.boltzmann(model, beta=1.0)
    counts = after(SimulatedTempering(within), model, target, seed=1)
    assert chi_square(counts, target.p).p_value > RIGHT


@pytest.mark.parametrize("mistake", ["beta", "weight", "sign"])
def test_a_planted_mistake_in_the_move_is_caught(mistake):
    weights = -exact.log_partition(GLASS, beta=BETAS)
    target = exact.boltzmann(Expanded(GLASS, BETAS, weights), beta=1.0)
    wrong = {
        "beta": Expanded(GLASS, BETAS * np.array([1, 1, 1.05]), weights),
        "weight": Expanded(GLASS, BETAS, weights + np.array([0, 0, 0.2])),
        "sign": Expanded(GLASS, BETAS, -weights),
    }[mistake]
    assert chi_square(after(SimulatedTempering(), wrong, target, seed=2), target.p).p_value < WRONG


def test_from_anywhere_it_reaches_the_joint_distribution_and_reports_its_moves():
    """One draw from each chain after many steps from random states; acceptance by the exact joint law."""
    model = Expanded(GLASS, BETAS, -exact.log_partition(GLASS, beta=BETAS))
    kernel = SimulatedTempering()
    found = sample(kernel, model, key=jax.random.key(3), chains=CHAINS // 8, steps=1, warmup=100)
    target = exact.boltzmann(model, beta=1.0)
    assert chi_square(empirical(found.values, model.units), target.p).p_value > RIGHT
    k, levels = target.states[1], np.concatenate([exact.energies(GLASS)[:, None]] * 3, 1).ravel()
    moved = 0.0
    for by in (-1, 1):
        there = np.clip(k + by, 0, 2)
        gain = -(BETAS[there] - BETAS[k]) * levels + np.asarray(model.weights)[there] - np.asarray(model.weights)[k]
        moved += 0.5 * (target.p * np.minimum(1, np.exp(gain)) * (there != k)).sum()
    assert abs(float(found.info.moved.mean()) - moved) < 5 * float(found.info.moved.std()) / np.sqrt(CHAINS / 8)
    assert float(found.accepted.mean()) == 1


def test_it_crosses_a_barrier_that_gibbs_cannot():
    """Two wells of a ferromagnet at beta = 1.5: started in one, half of the cold draws lie in the other; none under
    Gibbs.
    """
    model, betas = eb.IsingLattice((4, 4)), np.linspace(0.1, 1.5, 12)
    x0 = (jnp.ones((4, 4)),)
    expanded = Expanded(model, betas, -exact.log_partition(model, beta=betas))
    run = {"key": jax.random.key(4), "chains": 64, "steps": 600, "warmup": 400, "keep": lambda x: (x[0].mean(), x[-1])}
    m, k = sample(SimulatedTempering(), expanded, x0=(*x0, jnp.int32(11)), **run).values
    cold = np.asarray(k) == 11
    assert 0.35 < (np.asarray(m)[cold] < 0).mean() < 0.65
    still = sample(eb.Gibbs(), model, beta=1.5, x0=x0, **run).values[0]
    assert (np.asarray(still) > 0).all()


@pytest.mark.quick
def test_the_ladder_of_an_expanded_model_is_checked():
    with pytest.raises(ValueError, match="out of order"):
        Expanded(GLASS, [0.1, 0.5, 0.4])
    with pytest.raises(ValueError, match="stands once"):
        Expanded(GLASS, [0.1, 0.1])
    with pytest.raises(ValueError, match="not negative"):
        Expanded(GLASS, [-0.1, 0.5])
    with pytest.raises(ValueError, match="2 to 127"):
        Expanded(GLASS, [0.5])
    with pytest.raises(ValueError, match="one for each of 3"):
        Expanded(GLASS, BETAS, [0.0, 1.0])
    with pytest.raises(TypeError, match="AbstractEnergy"):
        Expanded("glass", BETAS)
    with pytest.raises(TypeError, match="Expanded"):
        sample(SimulatedTempering(), GLASS, key=jax.random.key(0), chains=2, steps=1)
    with pytest.raises(TypeError, match="within"):
        SimulatedTempering("gibbs")


def test_expanded_works_over_gaussian_units_and_under_jit():
    model = Expanded(eb.Harmonic(2, 1.0), [0.5, 1.0, 2.0], [0.0, np.log(2), np.log(4)])  # Z goes as 1 / beta
    found = sample(SimulatedTempering(eb.MALA(0.8)), model, key=jax.random.key(5), chains=2048, steps=1, warmup=100)
    x, k = found.values
    for level, beta in enumerate([0.5, 1.0, 2.0]):
        here = np.asarray(x)[np.asarray(k) == level]
        assert abs(len(here) - 2048 / 3) < 5 * np.sqrt(2048 * 2 / 9)
        assert abs(here.var() * beta - 1) < 5 * np.sqrt(2 / here.size)


@pytest.mark.quick
def test_a_flat_histogram_visits_every_level_equally_often():
    model = eb.IsingLattice((2, 3), periodic=False)
    levels = exact.density_of_states(model)
    edges = np.append(levels.energies - 0.5, levels.energies[-1] + 0.5)
    flat = FlatHistogram(model, edges, levels.log_counts)
    p = exact.boltzmann(flat, beta=1.0).p
    number = np.searchsorted(levels.energies, exact.energies(model) - 0.1)
    np.testing.assert_allclose(np.bincount(number, p), 1 / len(levels.energies), atol=1e-6)
    for kernel in (eb.Gibbs(), eb.Metropolis()):
        counts = after(kernel, flat, exact.boltzmann(flat, beta=1.0), seed=7, count=3)
        assert chi_square(counts, p).p_value > RIGHT


@pytest.mark.quick
def test_a_window_is_never_left_and_bad_bins_are_refused():
    model = eb.IsingLattice((2, 3), periodic=False)
    flat = FlatHistogram(model, [-4.0, -2.0, 0.5, 3.5], [1.0, -np.inf, 2.0])
    assert np.isinf(float(flat.energy((jnp.ones((2, 3)),))))  # E = -7 lies below the window
    x0 = tuple(jnp.asarray(a[np.flatnonzero(exact.energies(model) == 3)[0]]) for a in exact.states(model))
    found = sample(eb.Metropolis(), flat, key=jax.random.key(1), chains=50, steps=50, x0=x0)
    met = np.asarray(jax.vmap(jax.vmap(model.energy))(found.values))
    assert set(np.unique(met)) == {-3.0, 1.0, 3.0}  # -1 is not allowed, though moves jump over it
    for edges, log_g, message in (
        ([0.0, 1.0], [1.0, 2.0], "m \\+ 1"),
        ([0.0, 1.0, 0.5], [1.0, 2.0], "rise"),
        ([0.0, 1.0, 2.0], [1.0, np.nan], "-inf"),
    ):
        with pytest.raises(ValueError, match=message):
            FlatHistogram(model, edges, log_g)


@pytest.mark.quick
def test_a_flat_histogram_refuses_to_start_outside_its_window():
    model = eb.IsingLattice((4, 4))
    flat = eb.FlatHistogram(model, [-34.0, -26.0, -22.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="outside the window"):
        sample(eb.Metropolis(), flat, key=jax.random.key(0), chains=8, steps=2)
    inside = (jnp.ones((4, 4)),)
    assert sample(eb.Metropolis(), flat, key=jax.random.key(0), chains=8, steps=2, x0=inside).done == 2


@pytest.mark.quick
def test_single_unit_kernels_keep_off_the_walkers():
    """Binary(…) and Walkers(2) share the values 0 and 1: a kernel must not mistake one for the other."""
    ladder = eb.Tempered(eb.Pairwise(graphs.ring(3), units=eb.Binary(3)), [0.5, 1.0])
    for kernel in (eb.Gibbs(), eb.Metropolis()):
        with pytest.raises(TypeError, match="replicas"):
            sample(kernel, ladder, key=jax.random.key(0), chains=2, steps=2)
    wrong = (jnp.zeros((2, 3)), jnp.array([0, 0]))
    with pytest.raises(ValueError, match="each of 2 walkers"):
        sample(eb.ParallelTempering(), ladder, key=jax.random.key(0), chains=2, steps=2, x0=wrong)
