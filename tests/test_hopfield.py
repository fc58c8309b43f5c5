"""Associative memories: rules of storage, dynamics of recall, and the Gaussian twin of Hebb's energy."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmlab import exact, graphs
from ebmlab.energies import AbstractEnergy, DensePairwise, IsingLattice, Pairwise, check_model
from ebmlab.energies.glasses import p_spin, sherrington_kirkpatrick
from ebmlab.energies.hopfield import (
    DenseHopfield,
    HiddenPatterns,
    attention,
    corrupt,
    hebb,
    overlaps,
    pseudo_inverse,
    random_patterns,
    retrieve,
    update,
)
from ebmlab.kernels import Gibbs
from ebmlab.meanfield import hopfield as theory
from ebmlab.rugged import quench
from ebmlab.sampling import sample
from ebmlab.units import Binary, Spin

quick = pytest.mark.quick
KEY = jax.random.key(6)


def patterns(count, n, seed=0):
    return np.random.default_rng(seed).choice((-1.0, 1.0), (count, n))


@quick
def test_random_patterns_are_fair_and_independent():
    xi = np.asarray(random_patterns(300, 400, key=KEY))
    assert set(np.unique(xi)) == {-1.0, 1.0}
    assert abs(xi.mean()) < 5 / np.sqrt(xi.size)
    m = overlaps(xi, xi)
    off = m[np.triu_indices(300, 1)]
    np.testing.assert_allclose(np.diag(m), 1)
    assert float(off.var()) * 400 == pytest.approx(1, abs=0.05)


@quick
@pytest.mark.parametrize(("share", "flips"), [(0, 0), (0.1, 4), (0.5, 20), (1, 40)])
def test_corrupt_flips_that_many(share, flips):
    s = random_patterns(1, 40, key=KEY)[0]
    spoilt = jax.jit(lambda share, key: corrupt(s, share, key=key))(share, KEY)
    assert int((spoilt != s).sum()) == flips
    assert float(overlaps(s[None], spoilt)[0]) == pytest.approx(1 - 2 * flips / 40)
    other = corrupt(s, share, key=jax.random.key(7))
    assert (other != spoilt).any() == (0 < flips < 40)


@quick
def test_overlaps_by_hand():
    xi = patterns(3, 8)
    s = patterns(5, 8, 1).reshape(5, 1, 8)
    m = overlaps(xi, s)
    assert m.shape == (5, 1, 3)
    assert float(m[4, 0, 2]) == pytest.approx(xi[2] @ s[4, 0] / 8)
    np.testing.assert_array_equal(overlaps(xi, (s[4, 0],)), m[4, 0])


@quick
def test_hebbs_energy_is_that_of_the_overlaps():
    xi = patterns(3, 9)
    model = hebb(xi, fields=0.1)
    s = np.asarray(exact.states(model)[0], float)
    m = s @ xi.T / 9
    np.testing.assert_allclose(exact.energies(model), -4.5 * (m**2).sum(1) + 1.5 - 0.1 * s.sum(1), atol=1e-12)


@quick
def test_quadratic_power_is_hebb():
    xi = patterns(4, 10)
    np.testing.assert_allclose(exact.energies(DenseHopfield(xi, power=2)), exact.energies(hebb(xi)) - 2, atol=1e-12)


@quick
def test_dense_energies_by_hand():
    xi, n = patterns(3, 7), 7
    s = np.asarray(exact.states(hebb(xi))[0], float)
    products = s @ xi.T
    cubic = -(n ** (1 - 3)) / 3 * (products**3).sum(1)
    np.testing.assert_allclose(exact.energies(DenseHopfield(xi, power=3)), cubic, atol=1e-12)
    soft = -np.log(np.exp(0.7 * products).sum(1)) / 0.7
    np.testing.assert_allclose(exact.energies(DenseHopfield(xi, sharpness=0.7)), soft, atol=1e-12)
    sharp = exact.energies(DenseHopfield(xi, sharpness=200.0))
    np.testing.assert_allclose(sharp, -products.max(1), atol=0.01)  # the nearest pattern alone


@quick
@pytest.mark.parametrize("kind", [{"power": 3}, {"power": 4}, {"sharpness": 0.4}])
def test_fast_fields_are_energy_differences(kind, x64):
    model = DenseHopfield(patterns(4, 9), **kind)
    check_model(model)
    for s in patterns(3, 9, 5):
        for site in range(9):
            x = (jnp.asarray(s),)
            slow = AbstractEnergy.local_field(model, x, jnp.int32(site))
            assert float(model.local_field(x, jnp.int32(site))) == pytest.approx(float(slow), abs=1e-10)


@quick
def test_pseudo_inverse_keeps_correlated_patterns():
    """Fifteen patterns that share 70 % of their signs: every one is stable, while Hebb's rule keeps almost none."""
    rng = np.random.default_rng(2)
    xi = np.where(rng.random((15, 40)) < 0.7, 1.0, -1.0)
    model = pseudo_inverse(xi)
    J = np.asarray(model.matrix)
    assert (J == J.T).all()
    assert (xi * (xi @ J) > 0).all()
    projector = xi.T @ np.linalg.inv(xi @ xi.T) @ xi
    np.testing.assert_allclose(J, projector - np.diag(np.diag(projector)), atol=1e-12)
    kept = (xi * (xi @ np.asarray(hebb(xi).matrix)) > 0).all(1)
    assert kept.sum() < 8
    doubled = pseudo_inverse(np.concatenate([xi, -xi[:3]]))
    np.testing.assert_allclose(doubled.matrix, J, atol=1e-12)


@quick
def test_attention_is_a_softmax_and_update_lowers_the_energy():
    xi, b = patterns(6, 20), 0.5
    s = np.random.default_rng(1).normal(size=(4, 20))
    w = attention(xi, s, b)
    wanted = np.exp(b * s @ xi.T)
    np.testing.assert_allclose(w, wanted / wanted.sum(1, keepdims=True), rtol=2e-5)
    new = update(xi, s, b)
    np.testing.assert_allclose(new, np.asarray(w) @ xi, atol=1e-5)

    def energy(s):
        return -np.log(np.exp(b * s @ xi.T).sum(-1)) / b + 0.5 * (s * s).sum(-1)

    assert (energy(np.asarray(new, float)) <= energy(s) + 1e-6).all()
    start = corrupt(xi[2], 0.2, key=KEY)
    np.testing.assert_allclose(update(xi, start, 2.0), xi[2], atol=0.05)  # one step recalls
    jax.jit(update)(xi, start, jnp.float32(2.0))


@quick
def test_hidden_units_summed_out_leave_hebb():
    """The z-integral by Gauss-Hermite: P(s) and, up to the Gaussians' norm, Z are those of Hebb's energy less K/2."""
    xi, beta, n = patterns(2, 6), 1.3, 6
    model = HiddenPatterns(xi)
    s = np.asarray(exact.states(hebb(xi))[0], float)
    nodes, weights = np.polynomial.hermite.hermgauss(60)
    z = np.sqrt(2 / beta) * nodes
    pair = np.stack(np.meshgrid(z, z, indexing="ij"), -1).reshape(-1, 2)
    w = np.outer(weights * np.exp(nodes**2), weights * np.exp(nodes**2)).ravel() * 2 / beta
    with jax.enable_x64(True):
        energy = jax.vmap(lambda s: jax.vmap(lambda z: model.energy((s, z)))(pair))(jnp.asarray(s))
    summed = (np.exp(-beta * np.asarray(energy)) * w).sum(1)
    wanted = np.exp(-beta * (exact.energies(hebb(xi)) - 2 / 2)) * (2 * np.pi / beta) ** (2 / 2)
    np.testing.assert_allclose(summed, wanted, rtol=1e-9)
    assert n == model.units[0].size


@quick
def test_hidden_patterns_have_the_fields_of_their_energy(x64):
    model = HiddenPatterns(patterns(3, 8))
    check_model(model)
    x = (jnp.asarray(patterns(1, 8, 3)[0]), jnp.asarray([0.3, -1.0, 2.0]))
    for b in (0, 1):
        default = super(HiddenPatterns, model).field(x, b)
        np.testing.assert_allclose(model.field(model.split(x), b), default, atol=1e-12)
    assert [len(block) for block in model.blocks] == [8, 3]


def test_gibbs_by_layers_samples_hebb():
    xi, beta = patterns(2, 8, 4), 0.9
    run = sample(
        Gibbs(), HiddenPatterns(xi), key=KEY, chains=20_000, steps=1, warmup=40, beta=beta, keep=lambda x: x[0]
    )
    s = np.asarray(run.values).reshape(-1, 8)
    counts = np.bincount(((s + 1) // 2).astype(int) @ (2 ** np.arange(8)[::-1]), minlength=256)
    p = exact.boltzmann(hebb(xi), beta=beta).p
    often = p * len(s) > 8
    chi = ((counts - len(s) * p)[often] ** 2 / (len(s) * p)[often]).sum()
    assert abs(chi - often.sum()) < 5 * np.sqrt(2 * often.sum())
    wrong = exact.boltzmann(hebb(xi), beta=1.1 * beta).p  # the test sees a tenth in beta
    far = ((counts - len(s) * wrong)[often] ** 2 / (len(s) * wrong)[often]).sum()
    assert abs(far - often.sum()) > 5 * np.sqrt(2 * often.sum())


def by_hand(J, h, s, key, sweeps):
    """The same dynamics with NumPy, spin by spin."""
    s = s.copy()
    for t in range(sweeps):
        moved = False
        for i in np.asarray(jax.random.permutation(jax.random.fold_in(key, t), len(s))):
            field = h[i] + J[i] @ s
            if field * s[i] < -1e-9:
                s[i], moved = -s[i], True
        if not moved:
            return s, t
    return s, sweeps


@pytest.mark.parametrize("n", [1, 32, 77])
def test_recall_is_the_dynamics_by_hand(n):
    """For sizes below, at and above a block, with fields, ties included."""
    xi = patterns(max(1, n // 6), n)
    model = hebb(xi, fields=0.25 / n * patterns(1, n, 9)[0])
    starts = patterns(7, n, 1)
    found = retrieve(model, starts, key=KEY)
    for start, state, sweeps, energy in zip(starts, *found, strict=True):
        wanted, last = by_hand(np.asarray(model.matrix), np.asarray(model.fields), start, KEY, 50)
        np.testing.assert_array_equal(state, wanted)
        assert sweeps == last
        assert float(energy) == pytest.approx(
            -0.5 * wanted @ model.matrix @ wanted - model.fields @ wanted, abs=1e-4 * n
        )


@quick
def test_a_spin_without_field_stays():
    model = DensePairwise(np.zeros((4, 4)))
    start = jnp.array([1.0, -1.0, 1.0, -1.0])
    found = retrieve(model, start, key=KEY)
    np.testing.assert_array_equal(found.state, start)
    assert found.sweeps == 0


class Bonds(AbstractEnergy):
    """Couplings (n, n) and fields (n,) with no field of its own: local fields are differences of energies."""

    matrix: np.ndarray
    fields: np.ndarray
    strength: float = 1.0
    units: tuple = eqx.field(static=True, default=(Spin(4),))

    def energy(self, x):
        (s,) = x
        return -self.strength * (s @ (self.matrix @ s) / 2 + self.fields @ s)


@pytest.mark.parametrize("J", [(0.7, -0.4, -0.3), (0.3, -0.1, -0.2), (0.6, 0.1, -0.7), (0.1, 0.2, -0.3)], ids=str)
def test_a_field_that_only_rounding_makes_turns_no_spin(J):
    """The couplings to three pinned neighbours add up to 0, and in float32 to 3e-8: one rule for every descent."""
    matrix = np.zeros((4, 4))
    matrix[0, 1:] = matrix[1:, 0] = J
    fields = np.array([0.0, 3.0, 3.0, 3.0])
    star = graphs.from_edges([(0, 1), (0, 2), (0, 3)])
    models = [Pairwise(star, J, fields), DensePairwise(matrix, fields), Bonds(matrix, fields)]
    for model in models:
        for first in (1.0, -1.0):
            s = jnp.array([first, 1.0, 1.0, 1.0])
            assert retrieve(model, s, key=KEY).sweeps == 0, (model, first)
            np.testing.assert_array_equal(quench(model, (s,))[0], s)
        tipped = eqx.tree_at(lambda m: m.fields, model, fields + np.array([-1e-4, 0, 0, 0]))
        assert retrieve(tipped, jnp.ones(4), key=KEY).state[0] == -1
        assert quench(tipped, (jnp.ones(4),))[0][0] == -1


class Wall(AbstractEnergy):
    """A weak field on the first spin; the energy is large where the other two agree."""

    strength: float = 1e5
    units: tuple = eqx.field(static=True, default=(Spin(3),))

    def energy(self, x):
        (s,) = x
        return self.strength * (s[1] * s[2] + 1) - 1e-2 * s[0]


def test_slack_is_that_of_each_start_alone():
    """A start of huge energy, whose rounding hides a weak field, does not hide it from the start beside it."""
    starts = jnp.array([[-1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(retrieve(Wall(), starts, key=KEY, sweeps=1).state[0], [1, 1, -1])
    assert (retrieve(Wall(), starts, key=KEY).state[:, 0] == 1).all()


def test_a_number_in_a_users_energy_does_not_compile_anew():
    count, seen = [], []

    class Counted(Wall):
        def energy(self, x):
            count.append(1)
            return super().energy(x)

    for strength in (1.0, 2.0, 3.0):
        retrieve(Counted(strength), jnp.ones(3), key=KEY)
        seen.append(len(count))
    assert seen[0] == seen[1] == seen[2] > 0


@pytest.mark.parametrize(
    "model",
    [
        Pairwise(graphs.square(4), np.random.default_rng(0).normal(size=32), 0.1),
        sherrington_kirkpatrick(16, key=KEY),
        DenseHopfield(patterns(5, 16), power=3),
        DenseHopfield(patterns(5, 16), sharpness=1.0),
        p_spin(16, 3, key=KEY),
        IsingLattice((4, 4), -0.7, 0.3),
    ],
    ids=["sparse", "dense", "cubic", "soft", "p-spin", "lattice"],
)
def test_recall_ends_in_a_local_minimum_of_any_model(model):
    shape = model.units[0].shape
    starts = jnp.asarray(patterns(20, 16, 8).reshape(20, *shape), jnp.float32)
    found = retrieve(model, starts, key=KEY)
    assert found.state.shape == starts.shape
    assert (found.sweeps < 50).all()
    before = jax.jit(jax.vmap(lambda s: model.energy((s,))))(starts)
    assert (found.energy <= before + 1e-4).all()
    local = jax.vmap(jax.vmap(lambda s, i: model.local_field((s,), i), (None, 0)), (0, None))
    fields = jax.jit(local)(found.state, jnp.arange(16))
    assert (np.asarray(fields) * np.asarray(found.state).reshape(20, 16) > -1e-4).all()
    (inside,) = retrieve(model, (starts,), key=KEY).state
    np.testing.assert_array_equal(inside, found.state)
    assert retrieve(model, starts, key=KEY, sweeps=1).sweeps.max() == 1


def test_recall_under_vmap_and_one_start_at_a_time():
    model = sherrington_kirkpatrick(16, key=KEY)
    starts = jnp.asarray(patterns(20, 16, 8), jnp.float32)
    found = retrieve(model, starts.reshape(2, 10, 16), key=KEY)
    assert found.sweeps.shape == found.energy.shape == (2, 10)
    again = jax.vmap(lambda s: retrieve(model, s, key=KEY))(starts)
    np.testing.assert_array_equal(again.state, found.state.reshape(20, 16))
    np.testing.assert_array_equal(again.sweeps, found.sweeps.ravel())
    alone = retrieve(model, starts[3], key=KEY)
    np.testing.assert_array_equal(alone.state, again.state[3])
    own = jax.vmap(lambda s, key: retrieve(model, s, key=key).energy)(starts, keys(20))
    assert own.shape == (20,)


@pytest.mark.parametrize("load", [0.1, 0.11])
def test_the_overlap_after_recall_is_that_of_theory(load):
    """Amit, Gutfreund and Sompolinsky at T = 0: 1 - m at 1000 spins (0.0020 and 0.0037) to a third of itself."""
    xi = random_patterns(110, 1000, key=KEY)[: round(1000 * load)]
    m = np.diag(np.asarray(overlaps(xi, retrieve(hebb(xi), xi, key=KEY).state)))
    kept = m > 0.9  # a pattern that is lost ends far away
    assert kept.mean() > 0.95
    wanted = 1 - float(theory.retrieval(load, 0.0))
    assert wanted / 1.35 < 1 - m[kept].mean() < 1.35 * wanted


def test_recall_fails_above_capacity_and_cubic_energies_go_on():
    xi = random_patterns(125, 500, key=KEY)
    found = retrieve(hebb(xi), xi[:20], key=KEY, sweeps=100)
    assert float(overlaps(xi[:20], found.state).diagonal().mean()) < 0.65
    spoilt = jax.vmap(lambda s, key: corrupt(s, 0.2, key=key))(xi[:20], keys(20))
    cubic = retrieve(DenseHopfield(xi, power=3), spoilt, key=KEY)
    assert float(overlaps(xi[:20], cubic.state).diagonal().min()) == 1.0


def keys(count):
    return jax.random.split(KEY, count)


def test_recall_of_a_thousand_spins_follows_a_slider():
    xi = random_patterns(100, 1000, key=KEY)
    model = hebb(xi)
    starts = jax.vmap(lambda s, k: corrupt(s, 0.2, key=k))(xi[:64], keys(64))
    jax.block_until_ready(retrieve(model, starts, key=KEY))
    spent = []
    for k in range(4):
        begin = time.process_time()
        jax.block_until_ready(retrieve(model, starts, key=jax.random.key(k)))
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.4, f"64 starts of 1000 spins took {spent} processor seconds"


@quick
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: hebb([[1, -1, 0], [1, 1, 1]]), ValueError, r"entry \[0, 2\] is 0"),
        (lambda: hebb([1, -1, 1]), ValueError, r"shape \(K, N\)"),
        (lambda: hebb(np.zeros((0, 3))), ValueError, r"shape \(K, N\)"),
        (lambda: hebb(np.full((2, 2), np.nan)), ValueError, r"entry \[0, 0\] is nan"),
        (lambda: random_patterns(0, 3, key=KEY), ValueError, "at least 1"),
        (lambda: random_patterns(2, 3, key=1), TypeError, "JAX key"),
        (lambda: corrupt(np.ones(4), 1.5, key=KEY), ValueError, r"\[0, 1\]"),
        (lambda: corrupt(np.zeros(5), 0.5, key=KEY), ValueError, r"the pattern .* entry \[0\] is 0"),
        (lambda: corrupt(np.ones(4), "half", key=KEY), TypeError, "share must be a number"),
        (lambda: corrupt(np.ones(4), [0.1, 0.2], key=KEY), ValueError, "share must be one number"),
        (lambda: DenseHopfield(np.ones((2, 4)), sharpness=np.ones(2)), ValueError, "sharpness must be one number"),
        (lambda: attention(np.ones((2, 4)), np.ones(4), np.ones(2)), ValueError, "sharpness must be one number"),
        (lambda: corrupt(np.ones((2, 4)), 0.5, key=KEY), ValueError, "one pattern"),
        (lambda: overlaps(np.ones((2, 4)), np.ones(5)), ValueError, "4 spins"),
        (lambda: overlaps(np.ones((2, 4)), (np.ones(4), np.ones(4))), ValueError, "one layer"),
        (lambda: pseudo_inverse(np.array([[1, 1], [1, -1]])), ValueError, "store fewer"),
        (lambda: jax.jit(pseudo_inverse)(np.ones((2, 4))), TypeError, "outside jit"),
        (lambda: DenseHopfield(np.ones((2, 4))), ValueError, "one of power and sharpness"),
        (lambda: DenseHopfield(np.ones((2, 4)), 2, 1.0), ValueError, "one of power and sharpness"),
        (lambda: DenseHopfield(np.ones((2, 4)), 1), ValueError, "at least 2"),
        (lambda: DenseHopfield(np.ones((2, 4)), sharpness=-1.0), ValueError, "above zero"),
        (lambda: attention(np.ones((2, 4)), np.ones(4), 0.0), ValueError, "above zero"),
        (lambda: HiddenPatterns([[1, 2]]), ValueError, r"entry \[0, 1\] is 2"),
        (lambda: retrieve(hebb(np.ones((1, 4))), np.ones(3), key=KEY), ValueError, r"\(4,\)"),
        (lambda: retrieve(hebb(np.ones((1, 4))), np.zeros(4), key=KEY), ValueError, "the start"),
        (lambda: retrieve(hebb(np.ones((1, 4))), np.ones(4), key=KEY, sweeps=0), ValueError, "at least 1"),
        (lambda: retrieve(hebb(np.ones((1, 4))), np.ones(4), key=KEY, sweeps=2**40), ValueError, "at most"),
        (lambda: retrieve(3, np.ones(4), key=KEY), TypeError, "got int"),
        (lambda: retrieve(HiddenPatterns(np.ones((1, 4))), np.ones(4), key=KEY), TypeError, "one layer of Spin"),
        (lambda: retrieve(Pairwise(graphs.ring(4), units=Binary(4)), np.ones(4), key=KEY), TypeError, "to_spin"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


@quick
def test_models_are_built_inside_vmap():
    xi = jnp.asarray(patterns(6, 5).reshape(2, 3, 5), jnp.float32)
    energies = jax.vmap(lambda one: hebb(one).energy((one[0],)))(xi)
    for one, found in zip(xi, energies, strict=True):
        assert float(found) == pytest.approx(float(hebb(one).energy((one[0],))), abs=1e-5)
    assert isinstance(hebb(xi[0]).units[0], Spin)
