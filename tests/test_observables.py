"""Observables against their definitions over all pairs of states, closed forms, and independent samples."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from ebmlab import exact, graphs, observables
from ebmlab.energies import DensePairwise, Harmonic, IsingLattice, Pairwise, Potts
from ebmlab.kernels import Gibbs
from ebmlab.sampling import sample
from ebmlab.units import Binary

quick = pytest.mark.quick
BETAS = np.array([0.0, 0.4, 1.5, 20.0])


def sk(seed, n, fields=0.0):
    J = np.triu(np.random.default_rng(seed).normal(size=(n, n)), 1) / np.sqrt(n)
    return DensePairwise(J + J.T, fields)


def grid_glass(seed, shape, fields=0.0):
    graph = graphs.grid(shape, periodic=False)
    return Pairwise(graph, graphs.plus_minus(graph, key=jax.random.key(seed)), fields)


MODELS = {
    "SK": sk(0, 8),
    "SK in a field": sk(1, 8, 0.4),
    "glass 2x4": grid_glass(0, (2, 4)),
    "lattice": IsingLattice((3, 3), 0.7),
    "one spin": Pairwise(graphs.chain(1), fields=0.3),
    "seven": sk(2, 7),
}


def spins(*shape, seed=0):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), shape)


def all_pairs(model, beta):
    """Every overlap of two copies with its probability: (N, N) each."""
    found = exact.boltzmann(model, beta=beta)
    s = found.states[0].reshape(len(found.energies), -1).astype(float)
    return s @ s.T / s.shape[1], np.outer(found.p, found.p), s


# --- overlaps -------------------------------------------------------------------------------------------------------


@quick
def test_overlaps_of_many_states_at_once():
    a, b = spins(5, 3, 40), spins(5, 3, 40, seed=1)
    expected = (a.astype(float) * b).sum(-1) / 40
    np.testing.assert_allclose(observables.overlap(a, b), expected, rtol=1e-15)
    fast = jax.jit(observables.overlap)(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32))
    np.testing.assert_allclose(fast, expected, atol=1e-6)
    one = jax.vmap(jax.vmap(lambda a, b: observables.overlap((a,), (b,))))(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(one, expected, atol=1e-6)
    lattice = observables.overlap(a.reshape(5, 3, 8, 5), b.reshape(5, 3, 8, 5), axes=2)
    np.testing.assert_allclose(lattice, expected, rtol=1e-15)
    assert observables.overlap(a, a).tolist() == np.ones((5, 3)).tolist()
    assert observables.overlap(a[:, None], b[0, :1]).shape == (5, 1, 3)


@quick
def test_eight_bit_spins_do_not_overflow():
    a = np.ones(1000, np.int8)
    assert observables.overlap(a, -a) == -1.0
    assert float(observables.overlap(jnp.asarray(a), jnp.asarray(a))) == 1.0


@quick
@pytest.mark.parametrize("model", [MODELS["SK"], MODELS["lattice"], grid_glass(3, (2, 3, 2))])
def test_link_overlaps_are_sums_over_bonds(model):
    shape = model.units[0].shape
    a, b = spins(4, *shape), spins(4, *shape, seed=1)
    expected = []
    for s, t in zip(a.reshape(4, -1).astype(int), b.reshape(4, -1).astype(int), strict=True):
        expected.append(np.mean([s[i] * s[j] * t[i] * t[j] for i, j in model.edges]))
    np.testing.assert_allclose(observables.link_overlap(model, a, b), expected)
    np.testing.assert_allclose(observables.link_overlap(model, (jnp.asarray(a),), b), expected, atol=1e-6)
    q = observables.overlap(a, b, axes=len(shape))
    if isinstance(model, DensePairwise):  # on the complete graph the two say the same
        np.testing.assert_allclose(observables.link_overlap(model, a, b), (8 * q**2 - 1) / 7)


@quick
def test_a_flipped_half_shows_in_q_and_hardly_in_its_links():
    model = Pairwise(graphs.chain(100))
    a = np.ones(100)
    b = np.where(np.arange(100) < 50, -1.0, 1.0)
    assert observables.overlap(a, b) == 0.0
    assert observables.link_overlap(model, a, b) == pytest.approx(97 / 99)


# --- distributions --------------------------------------------------------------------------------------------------


@quick
@pytest.mark.parametrize("name", MODELS)
def test_exact_overlaps_are_those_of_all_pairs_of_states(name):
    model = MODELS[name]
    values, p = observables.exact_overlap_distribution(model, beta=BETAS)
    n = model.units[0].size
    assert p.shape == (len(BETAS), n + 1)
    for beta, row in zip(BETAS, p, strict=True):
        q, weight, _ = all_pairs(model, beta)
        direct = observables.overlap_distribution(q, n, weights=weight)
        np.testing.assert_allclose(direct.values, values)
        np.testing.assert_allclose(row, direct.p, atol=2e-14)
        one = observables.exact_overlap_distribution(model, beta=beta)
        np.testing.assert_array_equal(one.p, row)


@quick
def test_limits_of_the_exact_distribution():
    hot = observables.exact_overlap_distribution(sk(5, 12), beta=0.0)
    binomial = [math.comb(12, k) / 2**12 for k in range(13)]
    np.testing.assert_allclose(hot.p, binomial, atol=1e-15)
    cold = observables.exact_overlap_distribution(sk(5, 12), beta=300.0).p
    np.testing.assert_allclose(cold[[0, -1]], 0.5, atol=1e-10)
    bits = DensePairwise(sk(5, 6).matrix, 0.3, Binary(6))
    assert observables.exact_overlap_distribution(bits, beta=1.0).p.sum() == pytest.approx(1)


def test_seventeen_spins_add_up_to_their_moments():
    model = sk(6, 17)
    beta = np.array([0.7, 2.0])
    values, p = observables.exact_overlap_distribution(model, beta=beta)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-13)
    np.testing.assert_allclose(p, p[:, ::-1], atol=1e-13)
    pair = exact.moments(model, beta=beta).pair
    np.testing.assert_allclose(p @ values**2, (pair**2).mean((1, 2)), rtol=1e-11)


def counted(q, n):
    return np.bincount(np.rint((1 + np.asarray(q)) * n / 2).astype(int).ravel(), minlength=n + 1)


def misfit(counts, p):
    """The probability of a chi-square this large."""
    keep = p * counts.sum() > 5
    expected, seen = p[keep] * counts.sum(), counts[keep]
    rest, rest_seen = counts.sum() - expected.sum(), counts.sum() - seen.sum()
    extra = (rest_seen - rest) ** 2 / rest if rest > 5 else 0.0
    return chi2.sf(((seen - expected) ** 2 / expected).sum() + extra, keep.sum() - 1 + (rest > 5))


def test_samples_follow_the_exact_distribution_and_a_wrong_temperature_does_not():
    model = sk(7, 10)
    last = [
        sample(Gibbs(), model, key=jax.random.key(k), chains=6000, steps=1, warmup=150, beta=0.9).last for k in (1, 2)
    ]
    q = observables.overlap(*last)
    measured = observables.overlap_distribution(q, 10)
    np.testing.assert_allclose(measured.p, counted(q, 10) / q.size)
    right, wrong = (observables.exact_overlap_distribution(model, beta=b).p for b in (0.9, 0.8))
    assert misfit(counted(q, 10), right) > 1e-3
    assert misfit(counted(q, 10), wrong) < 1e-5


# --- order parameters -----------------------------------------------------------------------------------------------


@quick
@pytest.mark.parametrize("name", MODELS)
def test_order_parameters_from_moments_pairs_and_distribution(name):
    model = MODELS[name]
    exactly = observables.exact_edwards_anderson(model, beta=BETAS)
    values, p = observables.exact_overlap_distribution(model, beta=BETAS)
    from_p = observables.edwards_anderson(values, weights=p, axis=-1)
    for a, b in zip(exactly, from_p, strict=True):
        assert a.shape == BETAS.shape
        np.testing.assert_allclose(a, b, atol=1e-12)
    for k, beta in enumerate(BETAS):
        q, weight, s = all_pairs(model, beta)
        assert exactly.absolute[k] == pytest.approx((np.abs(q) * weight).sum())
        single = exact.boltzmann(model, beta=beta).p @ s
        assert exactly.mean[k] == pytest.approx((single**2).mean(), abs=1e-14)
    if name == "SK":
        np.testing.assert_allclose(exactly.mean, 0, atol=1e-14)


@quick
def test_order_parameters_beyond_the_reach_of_the_distribution():
    found = observables.exact_edwards_anderson(sk(3, 22), beta=1.0)
    assert np.isnan(found.absolute)
    assert 1 / 22 < found.square < 1


@quick
def test_binder_ratios_in_both_conventions():
    normal = np.random.default_rng(0).normal(size=200_000)
    assert abs(observables.binder_ratio(normal)) < 5 * np.sqrt(24 / normal.size) / 2
    signs = spins(1000)
    assert observables.binder_ratio(signs) == pytest.approx(1)
    assert observables.binder_cumulant(signs) == pytest.approx(2 / 3)
    m = normal[:300].reshape(3, 100)
    each = observables.binder_cumulant(m, axis=1)
    np.testing.assert_allclose(each, [1 - (r**4).mean() / (3 * (r**2).mean() ** 2) for r in m])
    np.testing.assert_allclose(observables.binder_ratio(m, axis=1), 1.5 * each)
    doubled = observables.binder_ratio(np.append(m[0], m[0, :50]))
    weighted = observables.binder_ratio(m[0], weights=np.where(np.arange(100) < 50, 2.0, 1.0))
    assert weighted == pytest.approx(doubled)
    assert np.isnan(observables.binder_ratio(np.zeros(5)))


@quick
def test_the_cumulant_of_the_four_by_four_lattice_at_its_critical_point():
    found = exact.boltzmann(IsingLattice((4, 4)), beta=np.log(1 + np.sqrt(2)) / 2)
    m = found.states[0].mean((1, 2))
    assert observables.binder_cumulant(m, weights=found.p) == pytest.approx(0.6171993184, abs=1e-9)


# --- correlation length ---------------------------------------------------------------------------------------------


@quick
@pytest.mark.parametrize("beta", [0.2, 0.8])
def test_the_length_of_a_ring_from_its_closed_form(beta):
    n, t = 12, np.tanh(beta)
    found = exact.boltzmann(Pairwise(graphs.ring(n)), beta=beta)
    xi = observables.correlation_length(found.states[0], n, weights=found.p)
    r = np.arange(n)
    c = (t**r + t ** (n - r)) / (1 + t**n)
    waves = [(c * np.cos(2 * np.pi * m * r / n)).sum() for m in (0, 1)]
    assert xi == pytest.approx(np.sqrt(waves[0] / waves[1] - 1) / (2 * np.sin(np.pi / n)), rel=1e-10)
    if beta == 0.2:  # the endless chain: sqrt(t) / (1 - t) at every k
        assert xi == pytest.approx(np.sqrt(t) / (1 - t), rel=1e-6)


@quick
def test_the_length_on_a_grid_uses_its_longest_sides():
    found = exact.boltzmann(IsingLattice((3, 4)), beta=0.3)
    s = found.states[0].astype(float)
    k = 2 * np.pi / 4
    total = found.p @ s.sum((1, 2)) ** 2
    wave = found.p @ np.abs((s * np.exp(1j * k * np.arange(4))).sum((1, 2))) ** 2
    expected = np.sqrt(total / wave - 1) / (2 * np.sin(k / 2))
    flat = s.reshape(len(s), 12)
    assert observables.correlation_length(flat, (3, 4), weights=found.p) == pytest.approx(expected)
    square = exact.boltzmann(IsingLattice((3, 3)), beta=0.3)
    turned = np.moveaxis(square.states[0], 1, 2)
    one, two = (observables.correlation_length(x, (3, 3), weights=square.p) for x in (square.states[0], turned))
    assert one == pytest.approx(two)
    skew = exact.boltzmann(IsingLattice((3, 3), (0.7, 0.2)), beta=0.3)  # the two axes differ: both waves count
    s, k = skew.states[0].astype(float), 2 * np.pi / 3
    modes = [np.exp(1j * k * np.arange(3))[:, None], np.exp(1j * k * np.arange(3))]
    waves = [skew.p @ np.abs((s * mode).sum((1, 2))) ** 2 for mode in modes]
    total = skew.p @ s.sum((1, 2)) ** 2
    expected = np.sqrt(total / np.mean(waves) - 1) / (2 * np.sin(k / 2))
    assert abs(waves[0] / waves[1] - 1) > 0.1
    assert observables.correlation_length(s, (3, 3), weights=skew.p) == pytest.approx(expected)
    assert observables.correlation_length(np.ones((2, 8)), 8) == math.inf
    assert observables.correlation_length(spins(50_000, 8), 8) < 0.3


# --- triangles and chaos --------------------------------------------------------------------------------------------


@quick
def test_triangles_of_a_tree_of_states_are_isosceles():
    overlaps = {frozenset(pair): q for pair, q in (("ab", 0.8), ("bc", 0.3), ("ca", 0.3))}
    for a, b, c in itertools.permutations("abc"):
        found = observables.ultrametricity(*(overlaps[frozenset(p)] for p in (a + b, b + c, c + a)))
        assert found.overlaps.tolist() == [0.8, 0.3, 0.3]
        assert found.k == 0.0
    line = observables.ultrametricity(0.5, 0.5, 0.0)  # b stands half-way between a and c
    assert line.k == pytest.approx(1.0)
    assert observables.ultrametricity(0.2, 0.5, 0.4).k == pytest.approx(0.2 / 0.5)
    assert np.isnan(observables.ultrametricity(1.0, 0.2, 0.2).k)


@quick
def test_mirror_images_make_no_difference_where_they_count_as_one():
    a, b, c = (spins(500, 30, seed=k).astype(int) for k in range(3))

    def triangles(a, b, c):
        q = observables.overlap
        return observables.ultrametricity(q(a, b), q(b, c), q(c, a), symmetric=True)

    plain = triangles(a, b, c)
    turned = triangles(a * spins(500, 1, seed=4), b * spins(500, 1, seed=5), c)
    np.testing.assert_allclose(plain.overlaps, turned.overlaps)
    np.testing.assert_allclose(plain.k, turned.k)
    assert (plain.overlaps[:, :2] >= 0).all()
    assert ((plain.k >= 0) & (plain.k <= 1 + 1e-12)).all()
    assert plain.k.mean() > 0.05  # unrelated states form no tree


@quick
def test_temperature_chaos_over_all_pairs_of_states():
    model = sk(4, 8)
    one, two = (exact.boltzmann(model, beta=b) for b in (0.5, 3.0))
    s = one.states[0].astype(float)
    q = (s @ s.T / 8) ** 2
    expected = one.p @ q @ two.p / np.sqrt((one.p @ q @ one.p) * (two.p @ q @ two.p))
    assert observables.temperature_chaos(model, 0.5, 3.0) == pytest.approx(expected)
    both = observables.temperature_chaos(model, 0.5, np.array([0.5, 3.0]))
    np.testing.assert_allclose(both, [1.0, expected])
    generator = np.random.default_rng(0)
    draws = [s[generator.choice(256, 40_000, p=p)] for p in (one.p, one.p, two.p, two.p)]
    a, b, c, d = draws
    pairs = ((a, c), (a, b), (c, d))
    measured = observables.sampled_temperature_chaos(*(observables.overlap(x, y) for x, y in pairs))
    assert measured == pytest.approx(expected, abs=0.01)
    assert abs(expected - 1) > 0.05  # the test could tell


# --- bad input ------------------------------------------------------------------------------------------------------


@quick
def test_bad_input_is_refused_with_the_remedy():
    s = spins(3, 8)
    refused = [
        (ValueError, "2 b - 1", lambda: observables.overlap(s > 0, s > 0)),
        (ValueError, "differ", lambda: observables.overlap(s, s[:, :7])),
        (ValueError, "layers", lambda: observables.overlap((s, s), s)),
        (TypeError, "bonds", lambda: observables.link_overlap(Harmonic(2, 1.0), s, s)),
        (ValueError, "shape", lambda: observables.link_overlap(MODELS["seven"], s, s)),
        (ValueError, "number of spins", lambda: observables.overlap_distribution([0.1], 8)),
        (ValueError, "came none|got none", lambda: observables.overlap_distribution([], 8)),
        (ValueError, "weights", lambda: observables.overlap_distribution([0.0], 8, weights=[-1.0])),
        (ValueError, "limit", lambda: observables.exact_overlap_distribution(sk(0, 21), beta=1.0)),
        (TypeError, "two-valued", lambda: observables.exact_overlap_distribution(Potts(graphs.ring(3), 3), beta=1.0)),
        (ValueError, "beta", lambda: observables.exact_overlap_distribution(MODELS["SK"], beta=-1.0)),
        (TypeError, "Spin", lambda: observables.temperature_chaos(Potts(graphs.ring(3), 3), 1.0, 2.0)),
        (ValueError, "finite", lambda: observables.binder_ratio([np.nan])),
        (ValueError, "empty", lambda: observables.edwards_anderson([])),
        (ValueError, "weights", lambda: observables.binder_cumulant([1.0], weights=[-1.0])),
        (ValueError, "samples of shape", lambda: observables.correlation_length(s, (3, 3))),
        (ValueError, "wave", lambda: observables.correlation_length(s, (2, 2))),
        (ValueError, "one weight", lambda: observables.correlation_length(s, 8, weights=[1.0])),
        (ValueError, "between -1 and 1", lambda: observables.ultrametricity(1.2, 0.0, 0.0)),
    ]
    for error, words, call in refused:
        with pytest.raises(error, match=words):
            call()
