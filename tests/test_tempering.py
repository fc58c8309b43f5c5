"""Replicas: swaps and cluster exchanges keep the exact joint distribution, and wrong ones are caught.

The joint distribution of K replicas is the product of exp(-beta_k E) / Z(beta_k), from `exact.boltzmann`. Chains start
from exact draws of it, run a few steps, and all K replicas together are compared by chi-square.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ebmlab import exact, graphs
from ebmlab.diagnostics import chi_square, empirical, total_variation, walkers
from ebmlab.energies import AbstractEnergy, DensePairwise, Harmonic, IsingLattice, Pairwise, Potts
from ebmlab.energies.base import random_state
from ebmlab.energies.replicas import Tempered
from ebmlab.kernels import (
    HMC,
    AbstractKernel,
    Cycle,
    Gibbs,
    Houdayer,
    Metropolis,
    ParallelTempering,
    SwendsenWang,
    houdayer,
    tempering,
)
from ebmlab.kernels.base import info
from ebmlab.rugged import ladder, respace
from ebmlab.sampling import sample
from ebmlab.units import Binary, Gaussian, Spin, Walkers

sweep = pytest.mark.sweep  # more of the same; the default run keeps one of each kind
CHAINS = 2**15
WRONG, RIGHT = 1e-4, 1e-3  # p-values: a planted error must fall below, the right kernel stay above
BETAS = np.array([0.2, 0.7, 1.3])
TWINS = np.array([0.8, 0.8])

TRIANGLE = graphs.from_edges([(0, 1), (1, 2), (0, 2)])
CHAIN = graphs.chain(3)
MODELS = {
    "triangle": Pairwise(TRIANGLE, [1.0, -0.8, -0.6], [0.3, 0.2, -0.1]),
    "chain": Pairwise(CHAIN, [1.1, -0.9], [0.3, -0.4, 0.2]),
    "bits": Pairwise(CHAIN, [1.5, -1.0], [0.3, -0.4, 0.2], Binary(3)),
    "dense": DensePairwise([[0, 0.5, -0.4], [0.5, 0, 0.9], [-0.4, 0.9, 0]], [0.3, 0.0, -0.2]),
    "lattice": IsingLattice((2, 2), 0.4, 0.2, periodic=False),
    "potts": Potts(graphs.chain(2), 3, 0.8, np.arange(6.0).reshape(2, 3) / 6),
}


class Still(AbstractKernel):
    """Moves nothing, so that swaps are alone."""

    def step(self, model, x, *, beta, key):
        return x, info()


def joint(model, betas):
    """The states of one replica, and the probabilities of all replicas together, first replica slowest."""
    each = [exact.boltzmann(model, beta=beta) for beta in betas]
    p = each[0].p
    for one in each[1:]:
        p = np.multiply.outer(p, one.p).ravel()
    return each[0].states, p


@eqx.filter_jit
def run(kernel, model, x, keys, count):
    return jax.vmap(lambda x, key: kernel.steps(model, x, beta=1.0, key=key, first=0, count=count))(x, keys)


def p_value(kernel, model, betas, *, seed, sampled=None, coldest=False, count=4):
    """Chi-square after `count` steps from exact draws, of all replicas together or of the coldest alone.

    sampled: other betas for the kernel.
    """
    states, p = joint(model, betas)
    single, size = len(states[0]), len(betas)
    start = np.random.default_rng(seed).choice(p.size, CHAINS, p=p)
    digits = start[:, None] // single ** np.arange(size)[::-1] % single
    replicas = Tempered(model, betas if sampled is None else sampled)
    layers = tuple(jnp.asarray(a[digits], u.dtype) for a, u in zip(states, model.units, strict=True))
    x = (*layers, jnp.broadcast_to(jnp.arange(size, dtype=jnp.int32), (CHAINS, size)))
    keys = jax.random.split(jax.random.key(seed), CHAINS)
    x, _ = run(kernel, replicas, x, keys, count)
    if coldest:
        last = empirical(tuple(a[:, -1] for a in x[:-1]), model.units)
        return chi_square(last, exact.boltzmann(model, beta=betas[-1]).p).p_value
    return chi_square(empirical(x[:-1], replicas.units[:-1]), p).p_value


@pytest.mark.parametrize(
    ("name", "within"),
    [
        pytest.param("chain", Gibbs(), marks=pytest.mark.quick),
        pytest.param("triangle", Gibbs(), marks=sweep),
        pytest.param("triangle", Gibbs(scan="random"), marks=sweep),
        ("triangle", SwendsenWang()),
        ("bits", Metropolis()),
        pytest.param("dense", Gibbs(), marks=sweep),
        pytest.param("lattice", Gibbs(), marks=sweep),
        pytest.param("lattice", Metropolis(scan="blocks"), marks=sweep),
        pytest.param("potts", Gibbs(), marks=sweep),
    ],
)
def test_parallel_tempering_keeps_the_exact_joint_and_a_wrong_beta_is_caught(name, within):
    kernel, model = ParallelTempering(within), MODELS[name]
    betas = BETAS if name != "lattice" else BETAS[1:]
    assert p_value(kernel, model, betas, seed=1) > RIGHT
    assert p_value(kernel, model, betas, seed=2, sampled=1.05 * betas, coldest=True) < WRONG


@pytest.mark.parametrize(
    "betas",
    [
        BETAS[[0, 0, 1]],
        pytest.param(BETAS, marks=sweep),
        pytest.param(BETAS[::-1], marks=sweep),
        pytest.param(BETAS[:1], marks=sweep),
    ],
    ids=str,
)
def test_swaps_alone_keep_the_exact_joint(betas):
    assert p_value(ParallelTempering(Still()), MODELS["triangle"], betas, seed=3) > RIGHT


def test_a_wrong_sign_in_the_swaps_is_caught(monkeypatch):
    right = tempering.swap_neighbours
    monkeypatch.setattr(tempering, "swap_neighbours", lambda b, e, slot, dice: right(-b, e, slot, dice))
    jax.clear_caches()
    assert p_value(ParallelTempering(Still()), MODELS["triangle"], BETAS, seed=3) < WRONG
    jax.clear_caches()


@pytest.mark.quick
def test_states_and_walkers_travel_together_and_swaps_are_as_likely_as_the_formula_says(key):
    model = MODELS["triangle"]
    replicas = Tempered(model, BETAS)
    x = random_state(replicas, key=key)
    (s, walker), told = eqx.filter_jit(ParallelTempering(Still()).steps)(
        replicas, x, beta=1.0, key=key, first=0, count=7
    )
    assert sorted(walker.tolist()) == [0, 1, 2]
    np.testing.assert_array_equal(s, x[0][walker])
    energies = np.asarray(replicas.energies(x))
    chance = np.minimum(1, np.exp((BETAS[0] - BETAS[1]) * (energies[0] - energies[1])))
    _, told = ParallelTempering(Still()).step(replicas, x, beta=1.0, key=key)
    assert float(told.swapped[0]) == pytest.approx(chance, rel=1e-5)
    assert told.swapped.shape == (2,)
    assert float(replicas.energy(x)) == pytest.approx(BETAS @ energies, rel=1e-5)


def test_gaussian_replicas_have_their_own_widths_under_hmc(key):
    model = Harmonic(2, 1.5)
    found = sample(ParallelTempering(HMC(0.4, 5)), Tempered(model, BETAS), key=key, chains=4000, steps=1, warmup=60)
    x = np.asarray(found.values[0], float)[:, 0]
    expected = 1 / (1.5 * BETAS)
    error = expected * np.sqrt(2 / (2 * 4000))
    assert (np.abs((x**2).mean((0, 2)) - expected) < 5 * error).all()


@pytest.mark.parametrize("within", [Gibbs(), pytest.param(Metropolis(), marks=sweep)], ids=["Gibbs", "Metropolis"])
def test_parts_of_a_run_are_the_whole_run_and_walkers_stay_a_permutation(within, key):
    replicas = Tempered(
        Pairwise(graphs.square(4), graphs.plus_minus(graphs.square(4), key=key)), np.linspace(0.1, 2, 5)
    )
    kernel = ParallelTempering(within)
    whole = sample(kernel, replicas, key=key, chains=6, steps=12)
    half = sample(kernel, replicas, key=key, chains=6, steps=6)
    rest = sample(kernel, replicas, key=key, chains=6, steps=6, resume=half)
    thinned = sample(kernel, replicas, key=key, chains=6, steps=3, thin=4)
    for a, b, c, d in zip(whole.values, half.values, rest.values, thinned.values, strict=True):
        np.testing.assert_array_equal(a, np.concatenate([b, c], axis=1))
        np.testing.assert_array_equal(a[:, 3::4], d)
    steps = np.asarray(whole.values[-1])
    np.testing.assert_array_equal(np.sort(steps, axis=-1), np.broadcast_to(np.arange(5), steps.shape))
    assert whole.info.swapped.shape == (6, 4)
    np.testing.assert_array_equal(np.sort(walkers.paths(steps), -1), np.sort(steps, -1))


@pytest.mark.quick
@pytest.mark.parametrize(
    "model",
    [
        Pairwise(graphs.square(4), np.linspace(-1, 1, 32), np.linspace(-0.5, 0.7, 16)),
        Pairwise(graphs.triangular(4, 4), np.linspace(-1, 1, 48), 0.3, Binary(16)),
        Pairwise(graphs.complete(40), np.linspace(-1, 1, 780)),
        Pairwise(graphs.from_edges([], n=3), 1.0, 0.5),
    ],
    ids=["two blocks", "three blocks of bits", "many neighbours", "no bonds"],
)
def test_fields_and_energies_of_parts_are_the_same_for_one_state_many_and_many_times_many(model, key):
    x = jax.vmap(jax.vmap(lambda k: random_state(model, key=k)))(jax.random.split(key, (3, 5)))

    def both(x):
        parts = model.split(x)
        return model.energy(x), model.parts_energy(parts), [model.field(parts, b) for b in range(len(parts))]

    single, row_of, all_of = jax.jit(both), jax.jit(jax.vmap(both)), jax.jit(jax.vmap(jax.vmap(both)))
    energy, fast, fields = all_of(x)
    np.testing.assert_allclose(fast, energy, rtol=1e-4, atol=1e-4)
    for i, j in [(0, 0), (2, 3)]:
        one = single(tuple(a[i, j] for a in x))
        np.testing.assert_allclose(one[1], energy[i, j], rtol=1e-4, atol=1e-4)
        for a, b in zip(one[2], fields, strict=True):
            np.testing.assert_allclose(a, b[i, j], rtol=1e-4, atol=1e-4)
        row = row_of(tuple(a[i] for a in x))
        np.testing.assert_allclose(row[1], energy[i], rtol=1e-4, atol=1e-4)
    wrt_weights = jax.jit(jax.vmap(lambda c: _parts_energy(model, c, x)))(
        jnp.stack([model.couplings, 2 * model.couplings])
    )
    assert wrt_weights.shape == (2,)


def _parts_energy(model, couplings, x):
    other = eqx.tree_at(lambda m: m.couplings, model, couplings)
    return other.parts_energy(other.split(tuple(a[0, 0] for a in x)))


@pytest.mark.quick
def test_one_key_outside_sample_gives_the_numbers_of_many(key):
    model = Pairwise(graphs.cubic(4), graphs.plus_minus(graphs.cubic(4), key=key))
    x = random_state(model, key=key)
    keys = jax.random.split(key, 3)
    many, _ = run(Gibbs(), model, tuple(jnp.stack([a] * 3) for a in x), keys, 4)
    one, _ = eqx.filter_jit(Gibbs().steps)(model, x, beta=1.0, key=keys[1], first=0, count=4)
    np.testing.assert_array_equal(one[0], many[0][1])


# Houdayer


@pytest.mark.parametrize(
    ("name", "betas"),
    [
        ("triangle", TWINS),
        pytest.param("bits", np.repeat([0.4, 0.9], 2), marks=sweep),
        ("potts", TWINS),
        pytest.param("lattice", TWINS, marks=sweep),
        pytest.param("free", TWINS, marks=sweep),
    ],
)
def test_houdayer_keeps_the_exact_joint(name, betas):
    model = MODELS.get(name, Pairwise(graphs.ring(4), [1.0, -0.8, 0.9, 1.2]))  # free: no fields, so clusters may flip
    assert p_value(Houdayer(), model, betas, seed=5) > RIGHT
    if name in ("triangle", "potts"):
        assert p_value(Cycle(ParallelTempering(), Houdayer()), model, betas, seed=6) > RIGHT


def test_houdayer_at_unequal_betas_or_turning_spins_in_a_field_would_be_caught(monkeypatch):
    assert p_value(Houdayer(), MODELS["chain"], BETAS[1:], seed=5) < WRONG
    monkeypatch.setattr(houdayer, "_symmetric", lambda model, flip: jnp.array(True))
    jax.clear_caches()
    odd = 3  # one site that agrees, turned over an even number of times, is as it was
    assert p_value(Houdayer(), MODELS["triangle"], TWINS, seed=5, count=odd) < WRONG
    jax.clear_caches()


@pytest.mark.parametrize("flip", [True, False])
def test_houdayer_moves_one_connected_cluster_and_keeps_the_sum_of_energies(flip, key):
    graph = graphs.square(8)
    model = Pairwise(graph, graphs.gaussian(graph, key=key))
    replicas = Tempered(model, np.repeat([0.5, 1.0], 2))
    x = jax.vmap(lambda k: random_state(replicas, key=k))(jax.random.split(key, 40))
    new, told = run(Houdayer(flip=flip), replicas, x, jax.random.split(key, 40), 1)
    before, after = (np.asarray(jax.jit(jax.vmap(replicas.energies))(y)).reshape(40, 2, 2) for y in (x, new))
    np.testing.assert_allclose(before.sum(-1), after.sum(-1), rtol=1e-5, atol=1e-4)
    assert (np.abs(before - after) > 1e-3).any(-1).mean() > 0.7
    old, now = (np.asarray(y[0]).reshape(40, 2, 2, 64) for y in (x, new))
    sizes = []
    for a, b in zip(old.reshape(80, 2, 64), now.reshape(80, 2, 64), strict=True):
        differ = a[0] != a[1]
        turned = flip and differ.mean() > 0.5
        moved = (a != b).any(0)
        np.testing.assert_array_equal(b[:, moved], (-a if turned else a[::-1])[:, moved])
        active = differ ^ turned
        inside = active[graph.edges].all(1)
        table = sparse.coo_matrix((np.ones(inside.sum()), graph.edges[inside].T), shape=(64, 64))
        member = connected_components(table, directed=False)[1]
        np.testing.assert_array_equal(moved, active & (member == member[moved.argmax()]))
        sizes.append(moved.mean())
    np.testing.assert_allclose(np.mean(told.size), np.mean(sizes), rtol=1e-5)


@pytest.mark.quick
def test_houdayer_leaves_equal_replicas_alone(key):
    replicas = Tempered(Pairwise(graphs.ring(6), 1.0, 0.1), TWINS)
    x = (jnp.ones((2, 6)), jnp.arange(2))
    new, told = eqx.filter_jit(Houdayer().step)(replicas, x, beta=1.0, key=key)
    np.testing.assert_array_equal(new[0], x[0])
    assert float(told.size) == 0


def test_cycle_runs_under_sample_and_tells_of_each(key):
    graph = graphs.square(4)
    model = Pairwise(graph, graphs.plus_minus(graph, key=key))
    kernel = Cycle(ParallelTempering(), Houdayer())
    found = sample(kernel, Tempered(model, np.repeat([0.3, 1.0, 2.0], 2)), key=key, chains=4, steps=10)
    first, second = found.info
    assert first.swapped.shape == (4, 5)
    np.testing.assert_allclose(first.swapped[:, ::2], 1)  # equal temperatures always swap
    assert second.size.shape == (4,)


# Ladders and walkers


@pytest.fixture(scope="module")
def spaced():
    """A glass of 16 Gaussian spins and its ladder from beta = 0.1 to 3."""
    graph = graphs.square(4)
    model = Pairwise(graph, graphs.gaussian(graph, key=jax.random.key(3)), 0.05)
    return model, ladder(model, 0.1, 3.0, key=jax.random.key(20), replicas=8, rounds=3)


def test_the_ladder_makes_all_swaps_equally_hard(spaced, key):
    model, found = spaced
    assert found.betas[0] == 0.1
    assert found.betas[-1] == 3.0
    assert (np.diff(found.betas) > 0).all()
    assert found.rejection.std() < 0.1 * found.rejection.mean()
    assert found.barrier == pytest.approx(found.rejection.sum())
    even = Tempered(model, np.linspace(0.1, 3.0, 8))
    plain = 1 - np.asarray(sample(ParallelTempering(), even, key=key, chains=16, steps=1, thin=300).info.swapped).mean(
        0
    )
    assert plain.std() > 3 * found.rejection.std()
    chosen = ladder(model, 0.1, 3.0, key=key, rounds=1)
    assert abs(len(chosen.betas) - (2 * chosen.barrier + 1)) <= 2


@pytest.mark.quick
def test_respace_finds_equal_steps_of_a_known_barrier():
    """Rejections 1 - exp(-d) would do as well; with Lambda(beta) = log(1 + beta) the betas are known."""
    old = np.linspace(0, 3, 13)
    rejection = np.diff(np.log1p(old))
    new = respace(old, 1 - rejection, count=7)
    np.testing.assert_allclose(new, np.expm1(np.linspace(0, np.log(4), 7)), atol=0.01)
    np.testing.assert_allclose(respace(old[::-1], 1 - rejection[::-1], count=7), new[::-1], atol=0.01)
    np.testing.assert_allclose(respace([0.0, 1.0, 1.0, 2.0], [0.5, 1.0, 0.5], count=3), [0, 1, 2], atol=1e-9)
    np.testing.assert_allclose(respace([0.0, 1.0, 2.0], np.full((5, 2), 0.7)), [0, 1, 2], atol=1e-9)


@pytest.mark.quick
def test_round_trips_by_hand():
    down = [[0, 1, 2], [1, 0, 2], [1, 2, 0], [1, 0, 2], [0, 1, 2]]  # walker 0 goes 0 1 2 1 0; walker 2 goes 2 2 1 2 2
    np.testing.assert_array_equal(walkers.paths(down)[:, 0], [0, 1, 2, 1, 0])
    np.testing.assert_array_equal(walkers.round_trips(down, cold=0), [1, 0, 0])
    np.testing.assert_array_equal(walkers.round_trips(down), [0, 0, 0])
    twice = np.array(down + down[1:])
    np.testing.assert_array_equal(walkers.round_trips(twice, cold=0), [2, 0, 0])
    np.testing.assert_array_equal(walkers.round_trips(twice), [1, 0, 0])
    np.testing.assert_array_equal(walkers.round_trips(np.stack([twice, twice]), cold=0), [[2, 0, 0]] * 2)
    assert walkers.round_trip_rate(twice, cold=0) == pytest.approx(2 / 9)
    wide = np.array([[0, 1, 2, 3], [0, 2, 1, 3], [2, 0, 1, 3], [2, 1, 0, 3], [2, 1, 3, 0], [1, 2, 0, 3]])
    assert walkers.round_trips(wide, cold=0, width=2).sum() >= walkers.round_trips(wide, cold=0).sum()
    np.testing.assert_array_equal(walkers.round_trips(wide, cold=0, width=2), [0, 1, 0, 0])


def test_round_trips_come_at_most_as_often_as_the_barrier_allows(spaced, key):
    model, found = spaced
    replicas = Tempered(model, found.betas)
    kept = sample(ParallelTempering(), replicas, key=key, chains=16, steps=800, keep=_walkers).values
    best = 1 / (1 + (found.rejection / (1 - found.rejection)).sum())
    rate = walkers.round_trip_rate(kept).mean()
    assert 0.3 * best < rate < 1.1 * best


def _walkers(x):
    return x[-1]


def test_a_glass_at_low_temperature_is_sampled_where_gibbs_is_stuck(spaced, key):
    """16 Gaussian spins at beta = 3, one draw for each of many chains from random starts, equal numbers of sweeps."""
    model, (betas, *_) = spaced
    p = exact.boltzmann(model, beta=3.0).p
    cold = sample(ParallelTempering(), Tempered(model, betas), key=key, chains=4096, steps=1, warmup=150)
    tempered = total_variation(empirical((cold.values[0][:, :, -1],), model.units), p)
    stuck = sample(Gibbs(), model, key=key, chains=4096, steps=1, warmup=8 * 150, beta=3.0)
    plain = total_variation(empirical(stuck.values, model.units), p)
    print(f"\ntotal variation over its floor: tempering {tempered.ratio:.2f}, Gibbs {plain.ratio:.1f}")
    assert tempered.ratio < 1.5
    assert plain.ratio > 4


# What is refused


class OwnBonds(AbstractEnergy):
    """Claims the bonds of a chain, but holds a product of three as well."""

    units = (Spin(5),)
    edges = graphs.chain(5).edges

    def energy(self, x):
        s = x[0]
        return -(s[1:] * s[:-1]).sum() - 2 * s[0] * s[2] * s[4]


class OwnChain(OwnBonds):
    """Only what its bonds say."""

    def energy(self, x):
        return -(x[0][1:] * x[0][:-1]).sum() + 0.3 * x[0].sum()


@pytest.mark.quick
def test_replicas_are_not_enumerated_with_the_orders_of_their_walkers():
    model = MODELS["triangle"]
    for count in (exact.log_partition, exact.boltzmann):
        with pytest.raises(TypeError, match=r"sum of log_partition\(model, beta=betas\)"):
            count(Tempered(model, TWINS), beta=1.0)


@pytest.mark.quick
def test_units_of_replicas():
    model = Tempered(Harmonic(2, [1.0, 4.0]), [1.0, 0.5, 0.5])
    assert [u.shape for u in model.units] == [(3, 2), (3,)]
    assert isinstance(model.units[0], Gaussian)
    scaled = Tempered(_Scaled(), [1.0, 0.5]).units[0].scale
    np.testing.assert_array_equal(scaled, [[1.0, 2.0], [1.0, 2.0]])
    walk = Walkers(4)
    assert (walk.shape, walk.size, walk.values) == ((4,), 4, (0, 1, 2, 3))
    np.testing.assert_array_equal(walk.random(key=jax.random.key(0)), np.arange(4))
    with pytest.raises(TypeError, match="not drawn"):
        walk.draw(jnp.zeros(4), beta=1.0, key=jax.random.key(0))
    with pytest.raises(ValueError, match="at most 127"):
        Walkers(128)


class _Scaled(AbstractEnergy):
    units = (Gaussian(2, [1.0, 2.0]),)

    def energy(self, x):
        return (x[0] ** 2).sum() / 2


CHAIN_MODEL = MODELS["chain"]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Tempered(CHAIN_MODEL, [0.1, 0.5, 0.4]), ValueError, "out of order"),
        (lambda: Tempered(CHAIN_MODEL, [0.1, np.nan]), ValueError, "finite"),
        (lambda: Tempered(CHAIN_MODEL, [-0.1, 0.5]), ValueError, "not negative"),
        (lambda: Tempered(CHAIN_MODEL, 0.5), ValueError, "shape"),
        (lambda: Tempered(Tempered(CHAIN_MODEL, [0.1]), [0.5]), TypeError, "replicas already"),
        (lambda: Tempered("model", [0.5]), TypeError, "AbstractEnergy"),
        (lambda: ParallelTempering(3), TypeError, "kernel"),
        (lambda: ParallelTempering().check(CHAIN_MODEL), TypeError, "Tempered"),
        (lambda: ParallelTempering(HMC(0.1, 2)).check(Tempered(CHAIN_MODEL, TWINS)), TypeError, "Gaussian"),
        (lambda: Houdayer().check(Tempered(CHAIN_MODEL, BETAS)), ValueError, "np.repeat"),
        (lambda: Houdayer().check(Tempered(CHAIN_MODEL, BETAS[:2])), ValueError, "np.repeat"),
        (lambda: Houdayer().check(CHAIN_MODEL), TypeError, "Tempered"),
        (lambda: Houdayer().check(Tempered(Harmonic(2), TWINS)), TypeError, "model.edges"),
        (lambda: Houdayer().check(Tempered(OwnBonds(), TWINS)), ValueError, "holds more"),
        (lambda: Houdayer(flip=2), TypeError, "True or False"),
        (lambda: Cycle(), ValueError, "at least one"),
        (lambda: Cycle(Gibbs), TypeError, "kernels"),
        (lambda: Cycle(Gibbs(), HMC(0.1, 2)).check(CHAIN_MODEL), TypeError, "Gaussian"),
        (lambda: respace([0.1, 0.2], [0.5, 0.5]), ValueError, "1 pairs"),
        (lambda: respace([0.1, 0.2], [1.5]), ValueError, "between 0 and 1"),
        (lambda: respace([0.1, 0.1], [1.0]), ValueError, "nothing to space"),
        (lambda: ladder(CHAIN_MODEL, 2.0, 1.0, key=jax.random.key(0)), ValueError, "hottest < coldest"),
        (lambda: ladder(CHAIN_MODEL, 0.1, 1.0, key=jax.random.key(0), replicas=200), ValueError, "127"),
        (lambda: walkers.paths(np.zeros((5, 3), int)), ValueError, "one temperature"),
        (lambda: walkers.paths(np.zeros(3)), ValueError, "steps, K"),
        (lambda: walkers.round_trips([[0, 1]], width=2), ValueError, "width"),
        (lambda: walkers.round_trips([[0, 1]], cold=1), ValueError, "cold"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.quick
def test_good_fits_pass_the_check():
    Houdayer().check(Tempered(OwnChain(), TWINS))
    for model in MODELS.values():
        Cycle(ParallelTempering(), Houdayer()).check(Tempered(model, TWINS))
