"""Spin glasses: their energies, their ensembles, and the exact facts known about them."""

from itertools import combinations, pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmlab import exact, graphs
from ebmlab.energies import AbstractEnergy, Pairwise
from ebmlab.energies.glasses import PSpin, edwards_anderson, mattis, p_spin, planted, sherrington_kirkpatrick
from ebmlab.kernels import Gibbs
from ebmlab.meanfield import sk
from ebmlab.sampling import sample

quick = pytest.mark.quick


def keys(count):
    return jax.random.split(jax.random.key(11), count)


def half(n):
    """Half of all states of n spins (the others are turned over)."""
    bits = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
    return 2.0 * bits - 1.0


@quick
def test_sk_couplings_have_the_mean_and_variance_said():
    n, mean = 400, 3.0
    J = np.asarray(sherrington_kirkpatrick(n, key=jax.random.key(1), mean=mean).matrix)
    pairs = J[np.triu_indices(n, 1)]
    assert (J == J.T).all()
    assert (np.diag(J) == 0).all()
    error = np.sqrt(1 / n / pairs.size)
    assert abs(pairs.mean() - mean / n) < 5 * error
    assert pairs.var() * n == pytest.approx(1, abs=5 * np.sqrt(2 / pairs.size))


@pytest.mark.parametrize(("n", "count", "reference", "error"), [(10, 1000, -0.602, 0.007), (14, 400, -0.639, 0.008)])
def test_sk_ground_states_of_few_spins(n, count, reference, error):
    states = half(n)
    lowest = []
    for key in keys(count):
        J = np.asarray(sherrington_kirkpatrick(n, key=key).matrix)
        lowest.append(-0.5 * ((states @ J) * states).sum(1).max() / n)
    mine = np.std(lowest) / np.sqrt(count)
    assert abs(np.mean(lowest) - reference) < 3 * np.hypot(mine, error)
    assert abs(np.mean(lowest) - sk.finite_size_energy(n) - 0.13 / n) < 5 * mine  # the next order, measured


@quick
def test_sk_enumeration_by_exact_agrees_with_the_formula_by_hand():
    model = sherrington_kirkpatrick(8, key=jax.random.key(3), fields=0.2)
    J, s = np.asarray(model.matrix), np.asarray(exact.states(model)[0], float)
    wanted = -sum(J[i, j] * s[:, i] * s[:, j] for i, j in combinations(range(8), 2)) - 0.2 * s.sum(1)
    np.testing.assert_allclose(exact.energies(model), wanted, atol=1e-12)


def test_sk_free_energy_above_freezing():
    """E log Z = n (log 2 + b^2/4) + log(1 - b^2)/4 + O(1/n) with variance -(log(1 - b^2) + b^2)/2, at b < 1.

    M. Aizenman, J. L. Lebowitz and D. Ruelle, Commun. Math. Phys. 112, 3 (1987).
    """
    n, beta, count = 14, 0.5, 300
    logs = [exact.log_partition(sherrington_kirkpatrick(n, key=key), beta=beta) for key in keys(count)]
    rest = np.array(logs) + n * beta * float(sk.free_energy(1 / beta))
    variance = -(np.log(1 - beta**2) + beta**2) / 2
    assert rest.mean() == pytest.approx(np.log(1 - beta**2) / 4, abs=4 * np.sqrt(variance / count) + 0.1 / n)
    assert rest.var() == pytest.approx(variance, rel=0.4)


@quick
def test_edwards_anderson_couplings():
    model = edwards_anderson((6, 5, 4), key=jax.random.key(0), p=0.8)
    assert set(np.unique(model.couplings)) == {-1.0, 1.0}
    assert len(model.couplings) == 3 * 120
    assert np.mean(model.couplings == 1) == pytest.approx(0.8, abs=5 * np.sqrt(0.16 / 360))
    normal = edwards_anderson((40, 40), key=jax.random.key(0), kind="gaussian", fields=0.1)
    assert np.std(normal.couplings) == pytest.approx(1, abs=5 / np.sqrt(2 * 3200))
    assert (normal.fields == 0.1).all()
    assert len(edwards_anderson((3, 4), key=jax.random.key(0), periodic=False).couplings) == 17
    again = edwards_anderson((40, 40), key=jax.random.key(0), kind="gaussian")
    np.testing.assert_array_equal(normal.couplings, again.couplings)


@pytest.mark.parametrize("K", [0.3, 0.9])
def test_nishimori_line(K):
    """+-J with p = 1 / (1 + exp(-2K)): <E> per bond, averaged over the disorder, is -tanh K, for every lattice."""
    graph = graphs.square(3, periodic=False)
    i, j = graph.edges.T
    s = half(9)
    bonds = s[:, i] * s[:, j]
    J = 2.0 * ((np.arange(4096)[:, None] >> np.arange(12)) & 1) - 1
    p = 1 / (1 + np.exp(-2 * K))
    chance = np.prod(np.where(J > 0, p, 1 - p), axis=1)
    e = -J @ bonds.T
    w = np.exp(-K * e)
    means = (w * e).sum(1) / w.sum(1)
    assert chance @ means / 12 == pytest.approx(-np.tanh(K), abs=1e-13)
    for number in (0, 1234, 4095):  # the library's models are the ones averaged here
        ours = exact.thermodynamics(Pairwise(graph, J[number]), beta=K).energy
        assert ours == pytest.approx(means[number], abs=1e-12)


@quick
@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0])
def test_mattis_is_a_ferromagnet_in_disguise(beta):
    graph = graphs.square(4)
    xi = np.random.default_rng(0).choice((-1, 1), 16)
    strengths = np.random.default_rng(1).random(32)
    open_one, hidden = Pairwise(graph, strengths), mattis(graph, xi, strengths)
    assert exact.log_partition(hidden, beta=beta) == pytest.approx(exact.log_partition(open_one, beta=beta), rel=1e-10)


@quick
def test_mattis_ground_states_are_the_pattern_and_its_reverse():
    xi = np.random.default_rng(0).choice((-1, 1), 9)
    model = mattis(graphs.square(3), xi)
    energies = exact.energies(model)
    found = np.asarray(exact.states(model)[0])[energies == energies.min()]
    assert sorted(map(tuple, found)) == sorted([tuple(xi), tuple(-xi)])
    assert energies.min() == -18


@quick
@pytest.mark.parametrize("signs", [(1, 1, 1, 1, 1), (1, -1, 1, 1, 1), (-1, -1, -1, 1, 1), (-1, -1, -1, -1, -1)])
def test_ring_of_signs(signs):
    """Z = 2^N [cosh^N K + (prod sign J) sinh^N K]."""
    K, n = 0.7, len(signs)
    wanted = 2**n * (np.cosh(K) ** n + np.prod(signs) * np.sinh(K) ** n)
    model = Pairwise(graphs.ring(n), np.array(signs, float)[[0, 4, 1, 2, 3]])
    assert exact.log_partition(model, beta=K) == pytest.approx(np.log(wanted), rel=1e-12)


GROUPS = [(0, 1, 2), (1, 2, 4), (0, 3, 4), (2, 3, 4)]


@quick
def test_p_spin_energy_and_fields(x64):
    J = np.random.default_rng(0).normal(size=4)
    model = PSpin(GROUPS, J, 6)  # spin 5 is in no group
    for s in np.random.default_rng(1).choice((-1.0, 1.0), (5, 6)):
        wanted = -sum(Jg * s[a] * s[b] * s[c] for Jg, (a, b, c) in zip(J, GROUPS, strict=True))
        assert model.energy((jnp.asarray(s),)) == pytest.approx(wanted)
        for site in range(6):
            fast = model.local_field((jnp.asarray(s),), jnp.int32(site))
            slow = AbstractEnergy.local_field(model, (jnp.asarray(s),), jnp.int32(site))
            assert fast == pytest.approx(float(slow), abs=1e-12)


@quick
def test_two_spin_is_sherrington_kirkpatrick():
    """The same numbers in the same order: p! / (2 n^(p-1)) is 1/n at p = 2."""
    key = jax.random.key(5)
    one, other = p_spin(7, 2, key=key), sherrington_kirkpatrick(7, key=key)
    np.testing.assert_allclose(exact.energies(one), exact.energies(other), atol=1e-12)


@quick
def test_p_spin_energies_have_variance_n_over_2():
    """Var E(s) = (groups) p! / (2 n^(p-1)) over instances: n/2 for large n, the units of the random-energy model."""
    n, p = 12, 3
    values = [np.asarray(p_spin(n, p, key=key).couplings).sum() for key in keys(400)]  # -E of all spins up
    wanted = 220 * 6 / (2 * n**2)
    assert np.var(values) == pytest.approx(wanted, abs=5 * wanted * np.sqrt(2 / 400))


def test_p_spin_is_sampled():
    model = p_spin(6, 3, key=jax.random.key(2))
    run = sample(Gibbs(), model, key=jax.random.key(3), chains=4000, steps=1, warmup=30, beta=0.8, keep=model.energy)
    energies = np.asarray(run.values)
    wanted = exact.thermodynamics(model, beta=0.8)
    assert abs(energies.mean() - wanted.energy) < 5 * np.sqrt(wanted.heat_capacity) / 0.8 / np.sqrt(4000)


@quick
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "graph",
    [
        graphs.square(4),
        graphs.square(3, 5, periodic=False),
        graphs.triangular(3, 4, periodic=False),
        graphs.complete(9),
    ],
    ids=["torus", "open", "triangular", "complete"],
)
def test_the_planted_state_is_a_ground_state(graph, seed):
    given = np.random.default_rng(seed).choice((-1, 1), graph.n)
    made = planted(graph, key=jax.random.key(seed), state=given, loops=graph.n // 2 + seed)
    np.testing.assert_array_equal(made.state[0], given)
    assert exact.energies(made.model).min() == pytest.approx(made.energy, abs=1e-12)
    assert made.model.energy(made.state) == pytest.approx(made.energy, abs=1e-4)


@quick
def test_planted_glasses_are_frustrated_and_leave_dead_ends_alone():
    graph = graphs.from_edges([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4)])
    made = planted(graph, key=jax.random.key(0), loops=1)
    J = dict(zip(map(tuple, graph.edges.tolist()), made.model.couplings, strict=True))
    assert J[0, 1] * J[1, 2] * J[0, 2] == -1
    assert J[2, 3] == J[3, 4] == 0
    assert made.energy == -1
    one, other = (planted(graphs.square(4), key=jax.random.key(k)) for k in (0, 1))
    assert (one.model.couplings != other.model.couplings).any()


@quick
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda k: sherrington_kirkpatrick(0, key=k), ValueError, "at least 1"),
        (lambda k: sherrington_kirkpatrick(4, key=0), TypeError, "JAX key"),
        (lambda k: sherrington_kirkpatrick(4, key=k, fields=[1, 2]), ValueError, "one for each unit"),
        (lambda k: edwards_anderson((3, 3), key=k, kind="uniform"), ValueError, "'plus_minus' or 'gaussian'"),
        (lambda k: edwards_anderson((2, 3), key=k), ValueError, "periodic=False"),
        (lambda k: edwards_anderson((3, 3), key=k, p=2), ValueError, "probability"),
        (lambda k: mattis(graphs.ring(4), [1, 0, 1, 1]), ValueError, r"entry \[1\] is 0"),
        (lambda k: mattis(graphs.ring(4), [1, 1, 1]), ValueError, r"shape \(4,\)"),
        (lambda k: mattis(graphs.ring(4), np.ones(4), np.ones(3)), ValueError, r"one for each edge, shape \(4,\)"),
        (lambda k: mattis(graphs.ring(4), np.ones(4), np.ones((2, 4))), ValueError, "one for each edge"),
        (lambda k: sherrington_kirkpatrick(4, key=k, mean=[1.0, 2.0]), ValueError, "mean must be one number"),
        (lambda k: sherrington_kirkpatrick(4, key=k, mean="high"), TypeError, "mean must be a number"),
        (lambda k: jax.jit(lambda k: sherrington_kirkpatrick(4, key=k).matrix)(k), TypeError, "outside jit"),
        (lambda k: jax.jit(lambda k: edwards_anderson((3, 3), key=k).couplings)(k), TypeError, "outside jit"),
        (lambda k: jax.jit(lambda k: p_spin(4, 3, key=k).couplings)(k), TypeError, "outside jit"),
        (lambda k: jax.jit(lambda k: planted(graphs.ring(4), key=k).model.couplings)(k), TypeError, "outside jit"),
        (lambda k: jax.jit(lambda t: mattis(graphs.ring(4), t).couplings)(np.ones(4)), TypeError, "outside jit"),
        (lambda k: PSpin([[0, 2**32 + 1]]), ValueError, "Number the spins"),
        (lambda k: planted(graphs.ring(4), key=k, state=(np.ones(4), np.ones(4))), ValueError, "one layer"),
        (lambda k: mattis(4, [1, 1, 1, 1]), TypeError, "Graph"),
        (lambda k: PSpin([[0, 1, 1]]), ValueError, "twice"),
        (lambda k: PSpin([[0, 1], [1, 0]]), ValueError, "repeated"),
        (lambda k: PSpin([[0, 5]], n=4), ValueError, "outside 0 ... 3"),
        (lambda k: PSpin([[0.0, 1.0]]), ValueError, "whole numbers"),
        (lambda k: PSpin([[0, 1]], [1.0, 2.0]), ValueError, r"\(1,\)"),
        (lambda k: PSpin([[0, 1]], np.nan), ValueError, "finite"),
        (lambda k: p_spin(4, 5, key=k), ValueError, "between 2 and"),
        (lambda k: p_spin(1000, 3, key=k), ValueError, "fewer spins"),
        (lambda k: planted(graphs.chain(5), key=k), ValueError, "no cycle"),
        (lambda k: planted(graphs.ring(5), key=k, loops=0), ValueError, "at least 1"),
        (lambda k: planted(graphs.ring(5), key=k, state=[1, 2, 1, 1, 1]), ValueError, r"entry \[1\] is 2"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call(jax.random.key(0))


@quick
def test_walks_of_loops_are_simple_cycles():
    from ebmlab.energies.glasses import _random_loop, _two_core

    graph = graphs.square(5, periodic=False)
    bonds = set(map(tuple, graph.edges.tolist()))
    near, rng = _two_core(graph), np.random.default_rng(0)
    for _ in range(200):
        loop = _random_loop(near, list(range(25)), rng)
        assert len(loop) >= 4
        assert len(set(loop)) == len(loop)
        assert all((min(e), max(e)) in bonds for e in pairwise([*loop, loop[0]]))
