"""Layered energies against sums written out here: every model, both kinds of units, several temperatures."""

from itertools import pairwise, product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate
from scipy.special import logsumexp

from ebmlab import exact, graphs
from ebmlab.diagnostics import chi_square, empirical
from ebmlab.energies import (
    DBM,
    RBM,
    AbstractConditional,
    BoltzmannMachine,
    CategoricalRBM,
    Clamped,
    GaussianRBM,
    Harmonic,
    Independent,
    Interpolated,
    Pairwise,
    check_model,
    independent,
    random_dbm,
    random_rbm,
)
from ebmlab.energies.base import random_state
from ebmlab.energies.replicas import Tempered
from ebmlab.exact import layered, products
from ebmlab.exact.thermo import float64_leaves
from ebmlab.kernels import Gibbs, Metropolis, ParallelTempering
from ebmlab.sampling import sample
from ebmlab.units import Binary, Gaussian, Spin

KEY = jax.random.key(8)
BETA = 0.8


def normal(*shape, seed=0, scale=1.0):
    return scale * np.random.default_rng((seed, *shape)).normal(size=shape)


GRAPH = graphs.from_edges([(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (1, 3), (2, 5)])
DEEP = (normal(3, 2), normal(2, 3), normal(3, 2, seed=1))
BIASES = tuple(normal(n, seed=2) for n in (3, 2, 3, 2))
MODELS = {
    "bits": RBM(normal(4, 3), normal(4), normal(3)),
    "spins": RBM(normal(4, 3), normal(4), normal(3), "spin", "spin"),
    "spins and bits": RBM(normal(4, 3), normal(4), 0.3, Spin(4), Binary(3)),
    "categorical": CategoricalRBM(normal(3, 3, 2), normal(3, 3), normal(2)),
    "categorical, spins": CategoricalRBM(normal(2, 4, 3), normal(2, 4), normal(3), "spin"),
    "deep bits": DBM(DEEP, BIASES),
    "deep mixed": DBM(DEEP, BIASES, ("spin", "binary", "binary", "spin")),
    "graph": BoltzmannMachine(GRAPH, [4, 1, 2], normal(7), normal(6), "spin"),
    "graph, all seen": BoltzmannMachine(GRAPH, 6, normal(7), normal(6)),
}
CLAMPED = {
    "clamped bits": Clamped(MODELS["bits"], {0: np.array([1, 0, 1, 1])}),
    "clamped deep": Clamped(MODELS["deep mixed"], {1: np.array([1, 0])}),
    "clamped ends": Clamped(MODELS["deep mixed"], {0: np.array([1, -1, 1]), 3: np.array([-1, 1])}),
    "clamped categorical": Clamped(MODELS["categorical"], {1: np.array([1, 0])}),
    "clamped graph": Clamped(MODELS["graph"], {0: np.array([1, -1, 1])}),
}
WAYS = {
    "interpolated": Interpolated(independent(MODELS["bits"], np.full(4, 0.3)), MODELS["bits"], 0.6),
    "interpolated categorical": Interpolated(independent(MODELS["categorical"]), MODELS["categorical"], 0.6),
    "interpolated deep": Interpolated(independent(MODELS["deep mixed"]), MODELS["deep mixed"], 0.6),
    "interpolated graph": Interpolated(independent(MODELS["graph"]), MODELS["graph"], 0.6),
}
ALL = MODELS | CLAMPED | WAYS


def named(models):
    return [pytest.param(name) for name in models]


def states_of(units):
    """All states, one array a layer, by itertools."""
    rows = list(product(*[values for layer in units for values in [layer.values] * layer.size]))
    ends = np.cumsum([layer.size for layer in units])[:-1]
    flat = np.split(np.array(rows, float), ends, axis=1)
    return tuple(a.reshape(-1, *layer.shape) for a, layer in zip(flat, units, strict=True))


def counted(layer, units):
    """A categorical layer as one-hot rows."""
    return np.eye(units.levels)[layer.astype(int)] if hasattr(units, "levels") else layer


def typed(x, units):
    return tuple(
        jnp.asarray(a, jnp.float64 if u.dtype == jnp.float32 else u.dtype) for a, u in zip(x, units, strict=True)
    )


@eqx.filter_jit
def energies_of_states(model, x):
    return jax.vmap(model.energy)(x)


def energies_of(model):
    x = states_of(model.units)
    with jax.enable_x64(True):
        return x, np.asarray(energies_of_states(model, typed(x, model.units)))


def by_hand(model, x):
    """The energies written with loops, for those models that have a formula of their own."""
    if isinstance(model, CategoricalRBM):
        v, h = x
        picked = np.stack([model.weights[i, int(k)] for i, k in enumerate(v)])
        own = sum(model.visible_bias[i, int(k)] for i, k in enumerate(v))
        return -(picked @ h).sum() - own - model.hidden_bias @ h
    if isinstance(model, RBM):
        v, h = x
        return -v @ model.weights @ h - model.visible_bias @ v - model.hidden_bias @ h
    if isinstance(model, DBM):
        pairs = sum(x[k] @ w @ x[k + 1] for k, w in enumerate(model.weights))
        return -pairs - sum(b @ layer for b, layer in zip(model.biases, x, strict=True))
    s = np.empty(6)
    s[[4, 1, 2, 0, 3, 5] if len(x) == 2 else slice(None)] = np.concatenate(x)
    return -sum(j * s[a] * s[b] for j, (a, b) in zip(normal(7), GRAPH.edges, strict=True)) - normal(6) @ s


@pytest.mark.parametrize("name", named(MODELS))
def test_energies_by_hand(name):
    model = MODELS[name]
    x, energies = energies_of(model)
    np.testing.assert_allclose(energies, [by_hand(model, one) for one in zip(*x, strict=True)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", named(ALL))
def test_blocks_and_fields_are_those_of_the_energy(name, x64):
    """Split and merge are inverse, blocks name every site once, and fields are energy differences."""
    model = ALL[name]
    x = random_state(model, key=KEY)
    parts = model.split(x)
    for a, b in zip(model.merge(parts), x, strict=True):
        np.testing.assert_array_equal(a, b)
    sites = np.concatenate(model.blocks)
    assert sorted(sites) == list(range(sum(u.size for u in model.units)))
    flat = np.concatenate(x)
    for b, block in enumerate(model.blocks):
        np.testing.assert_array_equal(flat[block], parts[b])
        field, kind = np.asarray(model.field(parts, b)), model.part_units(b)
        low, high, n = kind.values[0], kind.values[-1], len(block)
        energies = []
        for value in kind.values:
            moved = jnp.where(jnp.eye(n, dtype=bool), value, parts[b]).astype(parts[b].dtype)
            many = tuple(moved if k == b else jnp.tile(part, (n, 1)) for k, part in enumerate(parts))
            energies.append(np.asarray(energies_of_states(model, jax.vmap(model.merge)(many))))
        if len(kind.values) == 2:
            np.testing.assert_allclose(field, (energies[0] - energies[1]) / (high - low), atol=1e-10)
        else:
            np.testing.assert_allclose(np.ptp(field + np.transpose(energies), axis=1), 0, atol=1e-10)
    check_model(model)


@pytest.mark.parametrize("name", named(ALL))
def test_log_z_thermodynamics_and_moments_by_enumeration(name):
    model = ALL[name]
    x, energies = energies_of(model)
    betas = np.array([0.0, 0.5, BETA, 3.0])
    expected = logsumexp(-betas[:, None] * energies, axis=1)
    np.testing.assert_allclose(exact.log_partition(model, beta=betas), expected, rtol=1e-12, atol=1e-12)
    thermo = exact.thermodynamics(model, beta=betas)
    p = np.exp(-betas[:, None] * energies - expected[:, None])
    mean = p @ energies
    variance = (p * (energies - mean[:, None]) ** 2).sum(1)
    np.testing.assert_allclose(thermo.log_z, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(thermo.energy, mean, atol=1e-10)
    np.testing.assert_allclose(thermo.heat_capacity, betas**2 * variance, atol=1e-9)
    found = exact.layer_moments(model, beta=betas)
    layers = [
        np.eye(u.levels)[a.astype(int)] if hasattr(u, "levels") else a for a, u in zip(x, model.units, strict=True)
    ]
    for k, layer in enumerate(layers):
        np.testing.assert_allclose(found.mean[k], np.tensordot(p, layer, 1), atol=1e-12)
    for k, (a, b) in enumerate(pairwise(layers)):
        outer = np.einsum("bs,sx,sy->bxy", p, a.reshape(len(a), -1), b.reshape(len(b), -1))
        np.testing.assert_allclose(found.pair[k].reshape(outer.shape), outer, atol=1e-12)


@pytest.mark.parametrize("name", named(ALL))
def test_layers_are_summed_out_and_averaged_by_formula(name, x64):
    """log_weight and layer_mean against sums over the layer's states, at beta != 1."""
    model = ALL[name]
    x = random_state(model, key=KEY)
    for group in model.summable:
        for k in group:
            (states,) = typed(states_of((model.units[k],)), (model.units[k],))
            many = tuple(states if i == k else jnp.tile(a, (len(states), 1)) for i, a in enumerate(x))
            e = np.asarray(energies_of_states(model, many))
            gone = (*x[:k], None, *x[k + 1 :])
            assert float(model.log_weight(gone, (k,), beta=BETA)) == pytest.approx(logsumexp(-BETA * e), abs=1e-10)
            p = np.exp(-BETA * e - logsumexp(-BETA * e))
            expected = np.tensordot(p, counted(np.asarray(states), model.units[k]), 1)
            np.testing.assert_allclose(model.layer_mean(gone, k, beta=BETA), expected, atol=1e-10)


@pytest.mark.parametrize("name", named(["bits", "spins", "spins and bits", "categorical"]))
def test_free_energies_of_two_layers(name, x64):
    model = MODELS[name]
    x, energies = energies_of(model)
    v, h = typed(x, model.units)
    for beta in (0.3, 1.0, 2.0):
        log_z = logsumexp(-beta * energies)
        free_v = jax.vmap(lambda v, beta=beta: model.free_energy(v, beta=beta))(jnp.unique(v, axis=0))
        free_h = jax.vmap(lambda h, beta=beta: model.hidden_free_energy(h, beta=beta))(jnp.unique(h, axis=0))
        assert logsumexp(-beta * np.asarray(free_v)) == pytest.approx(log_z, abs=1e-10)
        assert logsumexp(-beta * np.asarray(free_h)) == pytest.approx(log_z, abs=1e-10)
    low, gap = model.units[1].low, model.units[1].high - model.units[1].low
    field = model.layer_field((v[0], None), 1)
    np.testing.assert_allclose(
        model.hidden_mean(v[0], beta=2.0), low + gap / (1 + np.exp(-2 * gap * field)), rtol=1e-12
    )
    if name != "categorical":
        low, gap = model.units[0].low, model.units[0].high - model.units[0].low
        field = model.visible_bias + model.weights @ h[-1]
        mean = low + gap / (1 + np.exp(-0.5 * gap * field))
        np.testing.assert_allclose(model.visible_mean(h[-1], beta=0.5), mean, rtol=1e-12)


# Real visible units: integrals instead of sums.

REAL = GaussianRBM(normal(1, 3), [0.4], normal(3), [0.5])
REAL_SPINS = GaussianRBM(normal(1, 2), [0.4], normal(2), [-0.7], "spin")


@pytest.mark.parametrize("model", [REAL, REAL_SPINS])
@pytest.mark.parametrize("beta", [0.6, 1.0])
def test_real_visible_units_against_quadrature(model, beta):
    (hidden,) = states_of(model.units[1:])

    def weight(v, f=lambda v, h: 1.0):
        return sum(f(v, h) * np.exp(-beta * by_formula(model, v, h)) for h in hidden)

    z = integrate.quad(weight, -60, 60, limit=400, points=[-5, 0, 5])[0]
    mean = integrate.quad(lambda v: weight(v, lambda v, h: v), -60, 60, limit=400, points=[-5, 0, 5])[0] / z
    energy = integrate.quad(lambda v: weight(v, lambda v, h: by_formula(model, v, h)), -60, 60, limit=400)[0] / z
    assert exact.log_partition(model, beta=beta) == pytest.approx(np.log(z), abs=1e-8)
    assert exact.thermodynamics(model, beta=beta).energy == pytest.approx(energy, abs=1e-6)
    assert exact.layer_moments(model, beta=beta).mean[0][0] == pytest.approx(mean, abs=1e-7)
    v = np.array([[-1.0], [0.3], [2.0]])
    expected = [np.log(weight(one[0]) / z) for one in v]
    np.testing.assert_allclose(exact.log_likelihood(model, v, beta=beta), expected, atol=1e-8)
    with jax.enable_x64(True):
        free = [float(model.free_energy(one, beta=beta)) for one in v]
    np.testing.assert_allclose(-beta * np.array(free), [np.log(weight(one[0])) for one in v], atol=1e-10)


def by_formula(model, v, h):
    variance = np.exp(model.log_variance[0])
    own = (v - model.visible_bias[0]) ** 2 / (2 * variance)
    return own - v / variance * (model.weights[0] @ h) - model.hidden_bias @ h


def test_gaussian_rbm_is_drawn_as_it_should_be():
    """Means and covariances of v from Gibbs chains against the exact mixture."""
    model = GaussianRBM(normal(2, 3, scale=0.7), [0.4, -0.2], normal(3), [0.5, -0.5])
    run = sample(Gibbs(), model, key=KEY, chains=20000, steps=1, thin=30, beta=BETA)
    v, h = (np.asarray(a, float) for a in run.last)
    found = exact.layer_moments(model, beta=BETA)
    error = v.std(0) / np.sqrt(len(v))
    assert (abs(v.mean(0) - found.mean[0]) < 5 * error).all()
    pair = v[:, :, None] * h[:, None, :]
    assert (abs(pair.mean(0) - found.pair[0]) < 5 * pair.std(0) / np.sqrt(len(v))).all()
    wrong = exact.layer_moments(model, beta=1.3 * BETA)
    assert (abs(v.mean(0) - wrong.mean[0]) > 5 * error).any()  # the test has power


# The likelihood of data and its gradient.


@pytest.mark.parametrize("name", named(MODELS))
def test_likelihood_by_enumeration(name):
    model = MODELS[name]
    x, energies = energies_of(model)
    v = x[0][:: max(1, len(x[0]) // 7)]
    logs = -BETA * energies
    same = (v[:, None] == x[0][None]).all(-1)
    expected = [logsumexp(logs[row]) - logsumexp(logs) for row in same]
    np.testing.assert_allclose(exact.log_likelihood(model, v, beta=BETA), expected, atol=1e-12)
    everything = np.unique(x[0], axis=0)
    assert np.exp(exact.log_likelihood(model, everything, beta=BETA)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", named([*MODELS, "real"]))
def test_likelihood_gradient_against_finite_differences(name):
    """Every parameter of every model, float64, to 1e-6."""
    model = MODELS.get(name, REAL)
    real = np.array([[-1.0], [0.3], [2.0], [0.3]])
    v = real if name == "real" else states_of(model.units[:1])[0][[0, 3, 3, 1]]
    grads = exact.likelihood_gradient(model, v, beta=BETA)
    params, rest = eqx.partition(model, eqx.is_inexact_array)
    assert jax.tree.structure(grads) == jax.tree.structure(params)
    leaves, shape = jax.tree.flatten(params)
    for k, (leaf, grad) in enumerate(zip(leaves, jax.tree.leaves(grads), strict=True)):
        assert grad.dtype == np.float64
        assert grad.shape == leaf.shape
        for i in np.ndindex(leaf.shape):
            ends = []
            for step in (1e-4, -1e-4):
                moved = leaf.copy()
                moved[i] += step
                other = eqx.combine(jax.tree.unflatten(shape, [*leaves[:k], moved, *leaves[k + 1 :]]), rest)
                ends.append(exact.log_likelihood(other, v, beta=BETA).mean())
            assert grad[i] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-6)


def test_log_z_inside_jit_and_its_gradient():
    """The expression for jit agrees with the float64 sum, and d log Z / dW = beta <v h^T>."""
    model = MODELS["spins and bits"]
    log_z = eqx.filter_jit(lambda m, beta: exact.differentiable_log_partition(m, beta=beta))(model, BETA)
    assert float(log_z) == pytest.approx(float(exact.log_partition(model, beta=BETA)), rel=1e-6)
    grads = eqx.filter_jit(eqx.filter_grad(lambda m: exact.differentiable_log_partition(m, beta=BETA)))(model)
    found = exact.layer_moments(model, beta=BETA)
    np.testing.assert_allclose(grads.weights, BETA * found.pair[0], atol=1e-5)
    np.testing.assert_allclose(grads.hidden_bias, BETA * found.mean[1], atol=1e-5)


def test_log_z_inside_jit_in_parts(monkeypatch):
    model = DBM((normal(5, 8), normal(8, 4)), 0.2)
    monkeypatch.setattr(layered, "ENTRIES", 1 << 7)
    way = layered.plan(model)
    assert layered.chunk_size(model, way) == 64 == way.states // 4
    value, grads = eqx.filter_value_and_grad(lambda m: exact.differentiable_log_partition(m, beta=BETA))(model)
    assert float(value) == pytest.approx(float(exact.log_partition(model, beta=BETA)), rel=1e-6)
    np.testing.assert_allclose(grads.weights[1], BETA * exact.layer_moments(model, beta=BETA).pair[1], atol=1e-5)


# Large sums.


@pytest.mark.parametrize("scale", [0.3, 3.0, 30.0])
def test_sums_by_products_agree_with_sums_by_formula(scale):
    """Up to fields whose exponentials nearly overflow, where products give way to the formula."""
    for model in (
        RBM(normal(40, 9, scale=scale), normal(40), normal(9), "spin", "binary"),
        RBM(normal(8, 40, scale=scale), normal(8), normal(40)),
        CategoricalRBM(normal(30, 3, 8, scale=scale), normal(30, 3), normal(8)),
        DBM((normal(4, 30, scale=scale), normal(30, 5, scale=scale)), 0.1, ("spin", "binary", "binary")),
        Clamped(DBM((normal(4, 30, scale=scale), normal(30, 5, scale=scale)), 0.1), {0: np.ones(4)}),
    ):
        with jax.enable_x64(True):
            wide, way = float64_leaves(model), layered.plan(model)
            slow = np.asarray(layered.log_weights(wide, way, jnp.arange(way.states), jnp.float64(BETA)))
            fast = products.log_weights(wide, way.summed, way.listed, BETA)
        assert products.reaches(model, way.summed, way.listed)
        if scale < 30:
            assert fast is not None
        if fast is not None:
            np.testing.assert_allclose(fast, slow, rtol=1e-12, atol=1e-10)
        top = slow.max()
        expected = top + np.log(np.exp(slow - top).sum())
        np.testing.assert_allclose(exact.log_partition(model, beta=BETA), expected, rtol=1e-13)


def test_the_smaller_half_is_listed_and_too_much_is_refused():
    assert layered.plan(random_rbm(784, 20, key=KEY)) == ((0,), (1,), 2**20)
    assert layered.plan(random_dbm((8, 32, 8), key=KEY)) == ((1,), (0, 2), 2**16)
    with pytest.raises(ValueError, match="annealed importance"):
        exact.log_partition(random_rbm(784, 25, key=KEY), beta=1.0)


def test_independent_units_have_log_z_and_thermodynamics_by_formula():
    """Any size; the means are those asked for, real units keep their variance."""
    means = np.random.default_rng(0).random(784)
    base = independent(random_rbm(784, 500, key=KEY), means)
    p = np.clip(means, 1e-3, 1 - 1e-3)
    log_z = -np.log(1 - p).sum() + 500 * np.log(2)
    assert exact.log_partition(base, beta=1.0) == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(base.layer_mean((None, None), 0), p, atol=1e-5)
    assert exact.thermodynamics(base, beta=1.0).energy == pytest.approx(-(np.log(p / (1 - p)) * p).sum(), rel=1e-12)
    spins = independent(MODELS["deep mixed"], (np.array([0.5, -0.5, 0.0]), None, np.array([0.2, 0.3, 0.4]), None))
    np.testing.assert_allclose(spins.layer_mean((None,) * 4, 0), [0.5, -0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(spins.layer_mean((None,) * 4, 2), [0.2, 0.3, 0.4], atol=1e-6)
    real = independent(REAL)
    assert exact.log_partition(real, beta=0.7) == pytest.approx(
        by_gaussian(float(real.fields[0][0]), np.exp(REAL.log_variance[0]), 0.7) + 3 * np.log(2), rel=1e-6
    )
    graph = independent(MODELS["graph"], np.array([0.3, 0.1, -0.2]))
    assert not graph.couplings.any()
    np.testing.assert_allclose(exact.layer_moments(graph, beta=1.0).mean[0], [0.3, 0.1, -0.2], atol=1e-12)


def by_gaussian(field, variance, beta):
    return 0.5 * np.log(2 * np.pi * variance / beta) + beta * variance * field**2 / 2


def test_the_way_begins_at_the_base_and_ends_at_the_model():
    for model in (MODELS["deep mixed"], MODELS["graph"], REAL):
        base = independent(model)
        way = Interpolated(base, model)
        x = random_state(model, key=KEY)
        for t, end in ((0.0, base), (1.0, model)):
            assert float(way.at(t).energy(x)) == pytest.approx(float(end.energy(x)), rel=1e-6)
            log_z = exact.log_partition(way.at(t), beta=BETA)
            assert log_z == pytest.approx(float(exact.log_partition(end, beta=BETA)), abs=1e-6)
        rise = float(way.at(0.75).energy(x) - way.at(0.25).energy(x))
        assert rise == pytest.approx(0.5 * float(way.difference(x)), rel=1e-5)
        jax.jit(lambda t, way=way, x=x: way.at(t).energy(x))(0.3)
    soft = Interpolated(Harmonic(2, 1.0), Harmonic(2, 3.0), 0.5)
    assert soft.blocks == ()
    assert float(soft.energy((jnp.ones(2),))) == pytest.approx(2.0)


def test_a_way_of_real_units_is_drawn_with_its_own_width():
    """Base and model of different variance: v of the interpolated energy from Gibbs against the exact mean."""
    base = Independent((Gaussian(1, 2.0), Binary(3)), (np.array([0.1]), np.zeros(3)))
    way = Interpolated(base, REAL, 0.5)
    v = np.asarray(sample(Gibbs(), way, key=KEY, chains=20000, steps=1, thin=30).last[0], float)[:, 0]
    with jax.enable_x64(True):
        found = exact.layer_moments(way)
    assert abs(v.mean() - found.mean[0][0]) < 5 * v.std() / np.sqrt(v.size)
    stiffness = 0.5 / 4 + 0.5 / np.exp(REAL.log_variance[0])
    wide = exact.log_partition(way, beta=1.0)
    hidden = states_of((Binary(3),))[0]
    fields = np.array([0.5 * 0.1 + 0.5 * (0.4 + REAL.weights[0] @ h) / np.exp(REAL.log_variance[0]) for h in hidden])
    own = np.array([-0.5 * REAL.hidden_bias @ h + 0.25 * 0.4**2 / np.exp(REAL.log_variance[0]) for h in hidden])
    assert wide == pytest.approx(logsumexp(by_gaussian(fields, 1 / stiffness, 1.0) - own), abs=1e-9)


# Kernels leave exp(-beta E) as it is: one chain for each exact draw, chi-square after some sweeps.

CHAINS = 2**15


@eqx.filter_jit
def run(kernel, model, x, beta, keys, count):
    return jax.vmap(lambda x, key: kernel.steps(model, x, beta=beta, key=key, first=0, count=count)[0])(x, keys)


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        *((name, Gibbs()) for name in ALL),
        ("bits", Gibbs(scan="random")),
        ("bits", Metropolis()),
        ("deep bits", Metropolis(scan="blocks")),
        ("clamped graph", Metropolis(scan="blocks")),
    ],
)
def test_kernels_keep_the_exact_distribution_and_a_wrong_beta_is_caught(name, kernel):
    model = ALL[name]
    x, energies = energies_of(model)
    p = np.exp(-BETA * energies - logsumexp(-BETA * energies))
    chosen = np.random.default_rng(1).choice(len(p), CHAINS, p=p)
    start = tuple(jnp.asarray(a[chosen], u.dtype) for a, u in zip(x, model.units, strict=True))
    values = []
    for beta, seed in ((BETA, 1), (1.3 * BETA, 2)):
        keys = jax.random.split(jax.random.key(seed), CHAINS)
        end = run(kernel, model, start, jnp.float32(beta), keys, 6)
        values.append(chi_square(empirical(end, model.units), p).p_value)
    assert values[0] > 1e-3
    assert values[1] < 1e-4


def test_clamped_chains_follow_the_conditional_and_examples_can_be_vmapped():
    """p(h | v) of a deep machine for two examples at once, each clamped in its own vmap."""
    model = MODELS["deep mixed"]
    x, energies = energies_of(model)
    v = np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    clamped = Clamped(model, {0: v[0]})
    start = jax.vmap(lambda key: random_state(clamped, key=key))(jax.random.split(KEY, CHAINS))

    @jax.jit
    def drawn(v, start, keys):
        def one(x, key):
            return Gibbs().steps(Clamped(model, {0: v}), x, beta=BETA, key=key, first=0, count=30)[0]

        return jax.vmap(one)(start, keys)

    ends = jax.vmap(drawn, (0, None, 0))(v, start, jax.random.split(KEY, (2, CHAINS)))
    for i in range(2):
        here = (x[0] == v[i]).all(1)
        p = np.exp(-BETA * energies[here] - logsumexp(-BETA * energies[here]))
        counts = empirical(tuple(layer[i] for layer in ends), clamped.units)
        assert chi_square(counts, p).p_value > 1e-3
        other = (x[0] == v[1 - i]).all(1)
        wrong = np.exp(-BETA * energies[other] - logsumexp(-BETA * energies[other]))
        assert chi_square(counts, wrong).p_value < 1e-4


def test_parallel_tempering_takes_layered_models():
    model = MODELS["spins and bits"]
    ladder = Tempered(model, [0.2, BETA])
    end = sample(ParallelTempering(), ladder, key=KEY, chains=CHAINS, steps=1, thin=20).last
    _, energies = energies_of(model)
    p = np.exp(-BETA * energies - logsumexp(-BETA * energies))
    assert chi_square(empirical(tuple(layer[:, 1] for layer in end[:2]), model.units), p).p_value > 1e-3


class Mixed(AbstractConditional):
    """A user's energy on two layers whose blocks cross the layers."""

    units = (Spin(3), Spin(3))
    blocks = (np.array([0, 2, 4]), np.array([1, 3, 5]))

    def energy(self, x):
        s = jnp.concatenate(x)
        return -(s * jnp.roll(s, 1) * jnp.array([0.5, -1.0, 0.7, 0.3, 0.9, 1.1])).sum() - 0.2 * s.sum()


def test_clamped_takes_a_users_blocks_that_cross_the_layers():
    model = Clamped(Mixed(), {0: np.array([1, -1, 1])})
    x = random_state(model, key=KEY)
    parts = model.split(x)
    np.testing.assert_array_equal(model.merge(parts)[0], x[0])
    assert [len(block) for block in model.blocks] == [1, 2]
    end = sample(Gibbs(), model, key=KEY, chains=CHAINS, steps=1, thin=20).last
    _, energies = energies_of(model)
    assert chi_square(empirical(end, model.units), np.exp(-energies - logsumexp(-energies))).p_value > 1e-3
    assert exact.log_partition(model, beta=1.0) == pytest.approx(logsumexp(-energies), rel=1e-12)


# Constructors, conversions, errors.


def test_random_machines_start_at_the_means_of_the_data():
    data = np.random.default_rng(0).random((500, 6)) < np.linspace(0.05, 0.9, 6)
    for units, rows in (("binary", data * 1), ("spin", 2 * data - 1)):
        model = random_rbm(6, 4, key=KEY, scale=0.0, data=rows, units=units)
        np.testing.assert_allclose(exact.layer_moments(model).mean[0], rows.mean(0), atol=1e-5)
        assert model.weights.dtype == jnp.float32
    assert np.asarray(random_rbm(300, 200, key=KEY).weights).std() == pytest.approx(0.01, rel=0.02)
    never = random_rbm(2, 1, key=KEY, data=np.array([[0, 1], [0, 1]]))
    np.testing.assert_allclose(never.visible_bias, [-np.log(999), np.log(999)], rtol=1e-4)
    deep = random_dbm((5, 4, 3), key=KEY, units="spin")
    assert [u.shape for u in deep.units] == [(5,), (4,), (3,)]
    assert isinstance(deep.units[0], Spin)


def test_a_dbm_of_two_layers_is_an_rbm_and_a_graph_machine_is_pairwise():
    rbm = MODELS["bits"]
    deep = DBM((rbm.weights,), (rbm.visible_bias, rbm.hidden_bias))
    edges = [(i, 4 + j) for i in range(4) for j in range(3)]
    graph = BoltzmannMachine(graphs.from_edges(edges), 4, rbm.weights.ravel(), np.r_[rbm.visible_bias, rbm.hidden_bias])
    assert len(graph.blocks) == 2
    assert graph.summable == ((0,), (1,))
    flat = Pairwise(graphs.from_edges(edges), rbm.weights.ravel(), graph.fields, Binary(7))
    expected = exact.log_partition(flat, beta=BETA)
    for model in (rbm, deep, graph):
        assert exact.log_partition(model, beta=BETA) == pytest.approx(expected, abs=1e-12)
        assert exact.thermodynamics(model, beta=BETA).energy == pytest.approx(
            exact.thermodynamics(flat, beta=BETA).energy, abs=1e-10
        )


def test_gradients_reach_every_parameter_and_nothing_else():
    model = random_rbm(5, 3, key=KEY, units="spin")
    v = jnp.ones(5)
    grads = eqx.filter_grad(lambda m: m.free_energy(v))(model)
    np.testing.assert_allclose(grads.weights, -jnp.outer(v, model.hidden_mean(v)), atol=1e-6)
    assert len(jax.tree.leaves(grads)) == 3
    real = eqx.filter_grad(lambda m: m.free_energy(jnp.ones(1)))(REAL)
    assert len(jax.tree.leaves(real)) == 4


def test_many_states_are_one_matrix_product_without_gathers():
    model = random_rbm(30, 20, key=KEY)
    deep = random_dbm((30, 20, 10), key=KEY)
    v = jnp.ones((64, 30))
    free = jax.make_jaxpr(jax.vmap(model.free_energy))(v)
    step = jax.make_jaxpr(jax.vmap(lambda x, key: Gibbs().step(deep, x, beta=1.0, key=key)[0]))(
        (v, jnp.ones((64, 20)), jnp.ones((64, 10))), jax.random.split(KEY, 64)
    )
    assert str(free).count("dot_general") <= 2
    assert "gather" not in str(free)
    assert "gather" not in str(step)
    assert "scatter" not in str(step)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: RBM(np.ones(3)), ValueError, "shape"),
        (lambda: RBM(np.full((2, 2), np.nan)), ValueError, "finite"),
        (lambda: RBM(np.ones((3, 2)), np.ones(2)), ValueError, "visible_bias"),
        (lambda: RBM(np.ones((3, 2)), visible=Spin(2)), ValueError, "3 visible units"),
        (lambda: RBM(np.ones((3, 2)), visible="real"), ValueError, "'binary', 'spin'"),
        (lambda: RBM(np.ones((3, 2)), hidden=Gaussian(2)), TypeError, "Binary or Spin"),
        (lambda: MODELS["bits"].free_energy(np.ones((5, 4))), ValueError, "jax.vmap"),
        (lambda: MODELS["bits"].log_weight((np.ones(4), None), (0, 1)), ValueError, "coupled"),
        (lambda: CategoricalRBM(np.ones((3, 2))), ValueError, "levels"),
        (lambda: DBM(np.ones((3, 2))), TypeError, "tuple of matrices"),
        (lambda: DBM((np.ones((3, 2)), np.ones((3, 2)))), ValueError, r"weights\[1\]"),
        (lambda: DBM((np.ones((3, 2)),), (0.0, 0.0, 0.0)), ValueError, "each of 2"),
        (lambda: random_dbm((8,), key=KEY), ValueError, "two layers"),
        (lambda: random_rbm(3, 2, key=KEY, data=np.ones((4, 2))), ValueError, r"\(N, 3\)"),
        (lambda: random_rbm(3, 2, key=KEY, data=np.full((4, 3), -1)), ValueError, "lie in"),
        (lambda: BoltzmannMachine(GRAPH, 7), ValueError, "6 nodes"),
        (lambda: BoltzmannMachine(GRAPH, [0, 0]), ValueError, "different nodes"),
        (lambda: Clamped(MODELS["bits"], {2: np.ones(3)}), ValueError, "0 ... 1"),
        (lambda: Clamped(MODELS["bits"], {0: np.full(4, 0.5)}), ValueError, "allows"),
        (lambda: Clamped(MODELS["bits"], {0: np.ones((2, 4))}), ValueError, "jax.vmap"),
        (lambda: Clamped(MODELS["bits"], {0: np.ones(4), 1: np.ones(3)}), ValueError, "nothing is left"),
        (lambda: Clamped(Harmonic(2), {0: np.ones(2)}), TypeError, "blocks"),
        (lambda: Interpolated(MODELS["bits"], MODELS["spins"], 0.5), ValueError, "same units"),
        (lambda: Interpolated(MODELS["bits"], MODELS["bits"], 1.5), ValueError, r"\[0, 1\]"),
        (lambda: independent(Harmonic(2)), TypeError, "layered"),
        (lambda: independent(MODELS["bits"], np.full(4, 1.5)), ValueError, "lie in"),
        (lambda: exact.log_likelihood(MODELS["bits"], np.ones(4)), ValueError, "'N', 4"),
        (lambda: exact.log_likelihood(MODELS["spins"], np.zeros((2, 4))), ValueError, "allow"),
        (lambda: exact.log_likelihood(REAL, np.full((2, 1), np.nan)), ValueError, "finite"),
        (lambda: exact.log_likelihood(MODELS["bits"], np.ones((0, 4))), ValueError, "got"),
        (lambda: exact.log_likelihood(MODELS["bits"], np.ones((1, 4)), beta=[1.0, 2.0]), ValueError, "one beta"),
        (lambda: exact.layer_moments(Harmonic(2)), TypeError, "layered"),
    ],
)
def test_bad_input_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
