"""Energies against their formulas written with loops, and fields against energy differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmlab import graphs
from ebmlab.energies import (
    AbstractConditional,
    AbstractEnergy,
    DensePairwise,
    DoubleWell,
    GaussianMixture,
    Harmonic,
    IsingLattice,
    MuellerBrown,
    Pairwise,
    Potts,
    check_model,
)
from ebmlab.energies.base import check_state, place, read, site_count
from ebmlab.units import Binary, Categorical, Gaussian, Spin

pytestmark = pytest.mark.quick
RNG = np.random.default_rng(0)
TRIANGLES = graphs.triangular(3, 4)
UPPER = np.triu(RNG.normal(size=(6, 6)), 1)

MODELS = {
    "ring": Pairwise(graphs.ring(5), RNG.normal(size=5), 0.3),
    "triangular": Pairwise(TRIANGLES, RNG.normal(size=36), RNG.normal(size=12)),
    "bits": Pairwise(TRIANGLES, RNG.normal(size=36), RNG.normal(size=12), Binary((3, 4))),
    "no bonds": Pairwise(graphs.from_edges(np.zeros((0, 2), int), 4), 1.0, RNG.normal(size=4)),
    "dense": DensePairwise(UPPER + UPPER.T, RNG.normal(size=6)),
    "dense bits": DensePairwise(UPPER + UPPER.T, RNG.normal(size=6), Binary(6)),
    "chain lattice": IsingLattice(6, 0.7, 0.1),
    "square lattice": IsingLattice((4, 6), (1.0, -0.4), RNG.normal(size=(4, 6))),
    "open lattice": IsingLattice((3, 4), 0.8, 0.2, periodic=False),
    "double bonds": IsingLattice((2, 2), 1.0, 0.3),
    "cube": IsingLattice((2, 4, 2), (0.3, 0.5, 0.7)),
    "odd lattice": IsingLattice((3, 3), 1.0),
    "potts": Potts(TRIANGLES, 3, RNG.normal(size=36), RNG.normal(size=(12, 3))),
    "potts without bonds": Potts(graphs.from_edges(np.zeros((0, 2), int), 2), 4, fields=RNG.normal(size=(2, 4))),
}
PAIRWISE = [name for name in MODELS if "potts" not in name]
BLOCKED = [name for name in MODELS if name not in ("dense", "dense bits", "odd lattice")]


@eqx.filter_jit
def energy(model, x):
    return model.energy(x)


@eqx.filter_jit
def local_fields(model, x, slow=False):
    """What every site feels, by the model's own formula or by energy differences."""
    rule = AbstractEnergy.local_field if slow else type(model).local_field
    return jax.vmap(lambda site: rule(model, x, site))(jnp.arange(site_count(model)))


def start(model, key):
    """A random state, drawn by NumPy (nothing to compile)."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return tuple(jnp.asarray(rng.choice(u.values, u.shape), u.dtype) for u in model.units)


def flat(x):
    return np.concatenate([np.asarray(layer, float).ravel() for layer in x])


@pytest.mark.parametrize("name", PAIRWISE)
def test_pairwise_energies_count_each_bond_once(name, key, x64):
    model = MODELS[name]
    x = start(model, key)
    s = flat(x)
    fields = np.ravel(model.external if isinstance(model, IsingLattice) else model.fields) * np.ones(len(s))
    wanted = -sum(float(J) * s[i] * s[j] for (i, j), J in zip(model.edges, np.asarray(model.couplings), strict=True))
    np.testing.assert_allclose(energy(model, x), wanted - fields @ s, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (4, 6), (2, 3), (2, 4, 3)])
@pytest.mark.parametrize("periodic", [True, False])
def test_lattice_is_the_sum_over_next_neighbours(shape, periodic, key, x64):
    J, h = np.arange(1.0, len(shape) + 1), RNG.normal(size=shape)
    model = IsingLattice(shape, J, h, periodic=periodic)
    x = start(model, key)
    s, wanted = np.asarray(x[0], float), 0.0
    for site in np.ndindex(*shape):
        wanted -= h[site] * s[site]
        for axis in range(len(shape)):
            there = list(site)
            there[axis] += 1
            if periodic or there[axis] < shape[axis]:
                there[axis] %= shape[axis]
                wanted -= J[axis] * s[site] * s[tuple(there)]
    np.testing.assert_allclose(energy(model, x), wanted, rtol=1e-12)


def test_potts_energy(key, x64):
    model = MODELS["potts"]
    s = np.asarray(start(model, key)[0])
    wanted = -sum(J for (i, j), J in zip(model.edges, np.asarray(model.couplings), strict=True) if s[i] == s[j])
    wanted -= sum(model.fields[i, s[i]] for i in range(12))
    np.testing.assert_allclose(energy(model, (jnp.asarray(s),)), wanted, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_local_field_is_the_energy_difference(name, key, x64):
    model = MODELS[name]
    x = start(model, key)
    slow, fast = local_fields(model, x, slow=True), local_fields(model, x)
    if slow.ndim == 2:  # Potts: up to a constant
        slow, fast = slow - slow[:, :1], fast - fast[:, :1]
    np.testing.assert_allclose(fast, slow, atol=1e-10)


@pytest.mark.parametrize("name", BLOCKED)
def test_block_fields_split_and_merge(name, key, x64):
    model = MODELS[name]
    check_model(model)
    x = start(model, key)
    parts = model.split(x)
    for a, b in zip(model.merge(parts), x, strict=True):
        np.testing.assert_array_equal(a, b)
    edges = {tuple(e) for e in np.asarray(model.edges).tolist()}
    local = np.asarray(local_fields(model, x))
    fields = eqx.filter_jit(lambda m, p: [m.field(p, b) for b in range(len(p))])(model, parts)
    for b, block in enumerate(model.blocks):
        sites = np.asarray(block).ravel()
        assert not any((i, j) in edges for i in sites.tolist() for j in sites.tolist())
        np.testing.assert_array_equal(np.ravel(parts[b]), flat(x)[sites])
        np.testing.assert_allclose(np.reshape(fields[b], local[sites].shape), local[sites], atol=1e-5)


@pytest.mark.parametrize("name", ["ring", "bits", "square lattice"])
def test_default_field_by_derivative_agrees(name, key, x64):
    model = MODELS[name]
    parts = tuple(part.astype(jnp.float64) for part in model.split(start(model, key)))
    both = eqx.filter_jit(lambda m, p: [(m.field(p, b), AbstractConditional.field(m, p, b)) for b in range(len(p))])
    for fast, slow in both(model, parts):
        np.testing.assert_allclose(fast, slow, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_energies_survive_jit_vmap_and_float32(name, key):
    model = MODELS[name]
    x = tuple(jnp.stack(layer) for layer in zip(*(start(model, k) for k in jax.random.split(key, 3)), strict=True))
    many = eqx.filter_jit(lambda m, x: jax.vmap(m.energy)(x))(model, x)
    one = energy(model, tuple(layer[1] for layer in x))
    np.testing.assert_allclose(many[1], one, rtol=1e-5, atol=1e-5)
    assert many.dtype == jnp.float32


def test_sites_are_counted_through_the_layers():
    x = (jnp.arange(4.0).reshape(2, 2), jnp.arange(10, 13))
    assert [int(read(x, jnp.asarray(k))) for k in (0, 3, 4, 6)] == [0, 3, 10, 12]
    changed = place(x, jnp.asarray(5), 7)
    assert changed[1].tolist() == [10, 7, 12]
    assert changed[0].tolist() == x[0].tolist()


def test_potentials(x64):
    x = jnp.array([0.3, -0.7])
    np.testing.assert_allclose(Harmonic(2, [1.0, 4.0]).energy((x,)), 0.5 * (0.09 + 4 * 0.49))
    well = DoubleWell(2.0, tilt=0.5, a=1.5)
    np.testing.assert_allclose(well.energy((jnp.array([0.6]),)), 2 * (0.16 - 1) ** 2 + 0.5 * 0.4)
    mixture = GaussianMixture([[0.0, 0.0], [1.0, 1.0]], [1.0, 0.5], [1.0, 3.0])
    p = 0.25 * np.exp(-0.29) / (2 * np.pi) + 0.75 * np.exp(-(0.49 + 2.89) / 0.5) / (2 * np.pi * 0.25)
    np.testing.assert_allclose(mixture.energy((x,)), -np.log(p))
    gradient = jax.grad(lambda y: MuellerBrown(1.0).energy((y,)))
    for minimum in ((-0.558223634633, 1.441725841805), (0.623499404931, 0.028037758528)):
        assert np.abs(gradient(jnp.array(minimum))).max() < 1e-6


class Cubic(AbstractConditional):
    """A three-body term in one block of three coupled spins: wrong on purpose."""

    blocks = (np.arange(3),)
    units = (Spin(3),)

    def energy(self, x):
        return -x[0].prod() - x[0][0] * x[0][1]


class Vector(AbstractEnergy):
    units = (Spin(3),)

    def energy(self, x):
        return x[0]


class Missing(AbstractConditional):
    blocks = (np.arange(2),)
    units = (Spin(3),)

    def energy(self, x):
        return x[0].sum()


BAD = [
    (lambda: DensePairwise([[0.0, 1.0], [2.0, 0.0]]), ValueError, r"symmetric; J\[0, 1\] = 1"),
    (lambda: DensePairwise([[1.0, 0.0], [0.0, 0.0]]), ValueError, "zero diagonal"),
    (lambda: DensePairwise([[0.0, np.nan], [np.nan, 0.0]]), ValueError, "finite"),
    (lambda: DensePairwise(np.zeros((2, 3))), ValueError, "square"),
    (lambda: DensePairwise(np.zeros((2, 2)), np.zeros(3)), ValueError, "fields"),
    (lambda: DensePairwise(np.zeros((2, 2)), 0.0, Spin(3)), ValueError, "units"),
    (lambda: DensePairwise(np.zeros((2, 2)), 0.0, Gaussian(2)), TypeError, "Spin or Binary"),
    (lambda: DensePairwise([["a"]]), TypeError, "number"),
    (lambda: Pairwise(graphs.ring(4), np.ones(3)), ValueError, r"couplings .* \(4,\); got shape \(3,\)"),
    (lambda: Pairwise(graphs.ring(4), [1.0, np.inf, 1.0, 1.0]), ValueError, "finite"),
    (lambda: Pairwise(graphs.ring(4), 1.0, np.ones(5)), ValueError, "fields"),
    (lambda: Pairwise(graphs.ring(4), units=Categorical(4, 3)), TypeError, "Spin or Binary"),
    (lambda: Pairwise(np.eye(3)), TypeError, "Graph"),
    (lambda: IsingLattice((2, 2, 2, 2)), ValueError, "dimensions"),
    (lambda: IsingLattice((4, 4), np.ones(3)), ValueError, "coupling"),
    (lambda: IsingLattice((4, 4), 1.0, np.ones(4)), ValueError, "field"),
    (lambda: IsingLattice((4, 4), np.nan), ValueError, "finite"),
    (lambda: IsingLattice((3, 3)).split((np.ones((3, 3)),)), ValueError, "even"),
    (lambda: Potts(graphs.ring(3), 1), ValueError, "levels"),
    (lambda: Potts(graphs.ring(3), 3, fields=np.ones(3)), ValueError, "fields"),
    (lambda: Harmonic(2, np.ones(3)), ValueError, "stiffness"),
    (lambda: Harmonic(1, -1.0), ValueError, "stiffness"),
    (lambda: DoubleWell(0.0), ValueError, "barrier"),
    (lambda: GaussianMixture([0.0, 1.0]), ValueError, "means"),
    (lambda: GaussianMixture([[0.0], [1.0]], 1.0, [1.0, -1.0]), ValueError, "weights"),
    (lambda: check_model(3.0), TypeError, "AbstractEnergy"),
    (lambda: check_model(Vector()), ValueError, "one number"),
    (lambda: check_model(Cubic()), ValueError, "block 0"),
    (lambda: check_model(Missing()), ValueError, "every site"),
    (lambda: check_state(MODELS["ring"], jnp.ones(5)), TypeError, "tuple"),
    (lambda: check_state(MODELS["ring"], (jnp.ones(4),)), ValueError, "shape"),
    (lambda: check_state(MODELS["ring"], (jnp.zeros(5),)), ValueError, "Spin"),
    (lambda: check_state(Harmonic(), (jnp.array([jnp.nan]),)), ValueError, "finite"),
]


@pytest.mark.parametrize(("call", "error", "match"), BAD)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()
