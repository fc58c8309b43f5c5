"""Units draw with the right odds, bits equal jax.random's, spins and bits convert with their offset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmlab import bits, exact, graphs
from ebmlab.energies import DensePairwise, Pairwise, convert
from ebmlab.units import Binary, Categorical, Gaussian, Spin

pytestmark = pytest.mark.quick
DRAWS = 40_000


def within(found, chance, draws=DRAWS, sigmas=5.0):
    """Whether frequencies lie within their own error bars."""
    error = np.sqrt(np.maximum(chance * (1 - chance), 1e-9) / draws)
    return (np.abs(np.asarray(found) - chance) < sigmas * error).all()


@pytest.mark.parametrize(("kind", "values", "gap"), [(Spin, (-1, 1), 2), (Binary, (0, 1), 1)])
def test_two_valued_units_draw_with_the_sigmoid(kind, values, gap, key):
    unit, field, beta = kind(3), jnp.array([-0.4, 0.0, 0.9]), 1.3
    chance = 1 / (1 + np.exp(-beta * gap * np.asarray(field, float)))
    x = np.asarray(jax.jit(jax.vmap(lambda k: unit.draw(field, beta=beta, key=k)))(bits.split(key, DRAWS)))
    assert set(np.unique(x)) == set(values)
    assert within((x == values[1]).mean(0), chance)
    wrong = 1 / (1 + np.exp(-1.05 * beta * gap * np.asarray(field, float)))
    assert not within((x == values[1]).mean(0)[2], wrong[2], sigmas=1.0)
    np.testing.assert_allclose(unit.probability(field, beta=beta), chance, rtol=1e-6)
    assert (unit.low, unit.high, unit.values) == (*values, values)


def test_categorical_draws_with_the_softmax(key):
    unit, field = Categorical(2, 3), jnp.array([[0.0, 0.5, -1.0], [2.0, 0.0, 0.1]])
    x = np.asarray(jax.jit(jax.vmap(lambda k: unit.draw(field, beta=0.8, key=k)))(bits.split(key, DRAWS)))
    chance = np.asarray(jax.nn.softmax(0.8 * field, axis=-1))
    assert within((x[..., None] == np.arange(3)).mean(0), chance)
    assert x.dtype == np.int32


def test_gaussian_draws_with_mean_and_width(key):
    unit, field = Gaussian(2, scale=1.5), jnp.array([0.4, -1.0])
    x = np.asarray(jax.jit(jax.vmap(lambda k: unit.draw(field, beta=2.0, key=k)))(bits.split(key, DRAWS)))
    width = 1.5 / np.sqrt(2.0)
    assert (np.abs(x.mean(0) - 1.5**2 * np.asarray(field)) < 5 * width / np.sqrt(DRAWS)).all()
    np.testing.assert_allclose(x.std(0), width, rtol=5 / np.sqrt(2 * DRAWS))


@pytest.mark.parametrize("unit", [Spin((2, 3)), Binary(4), Categorical(5, 7), Gaussian((1, 2))])
def test_random_states_have_shape_dtype_and_spread(unit, key):
    x = np.asarray(jax.jit(jax.vmap(lambda k: unit.random(key=k)))(bits.split(key, 4000)))
    assert x.shape == (4000, *unit.shape)
    assert x.dtype == unit.dtype
    assert unit.size == np.prod(unit.shape)
    if not isinstance(unit, Gaussian):
        share = np.array([(x == value).mean() for value in unit.values])
        assert within(share, np.full(len(unit.values), 1 / len(unit.values)), 4000 * unit.size)


def test_bad_units():
    for kind in (Spin, Binary, Gaussian, lambda shape: Categorical(shape, 3)):
        with pytest.raises(ValueError, match="shape"):
            kind(0)
        with pytest.raises(TypeError, match="whole number"):
            kind(2.5)
        with pytest.raises(TypeError, match="whole number"):
            kind((2, True))
    for levels in (1, 128):
        with pytest.raises(ValueError, match="levels"):
            Categorical(2, levels)
    for scale in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="scale"):
            Gaussian(2, scale)


SHAPES = [(), (1,), (2,), (7,), (64,), (3, 5), (4, 1, 6), (1, 1), (0,), (2, 0, 3), (33, 65)]


@pytest.mark.parametrize("shape", SHAPES)
def test_bits_are_those_of_jax(shape):
    ours = jax.jit(lambda key: (bits.bits(key, shape), bits.uniform(key, shape)))
    theirs = jax.jit(lambda key: (jax.random.bits(key, shape), jax.random.uniform(key, shape)))
    for seed in (0, 1, 2**31 + 5):
        key = jax.random.key(seed)
        for found, wanted in zip(ours(key), theirs(key), strict=True):
            np.testing.assert_array_equal(found, wanted)
            assert found.dtype == wanted.dtype


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_keys_are_those_of_jax(make):
    key = make(42)

    def data(keys):
        return np.asarray(jax.random.key_data(keys))

    for count in (1, 2, 5, 100):
        np.testing.assert_array_equal(data(bits.split(key, count)), data(jax.random.split(key, count)))
    for number in (0, 1, 77, 2**32 - 1):
        np.testing.assert_array_equal(data(bits.fold_in(key, number)), data(jax.random.fold_in(key, number)))
    np.testing.assert_array_equal(bits.bits(key, (9,)), jax.random.bits(key, (9,)))


def test_bits_are_the_same_under_jit_vmap_and_float64(key, x64):
    keys = jax.random.split(key, 6)
    np.testing.assert_array_equal(
        jax.jit(jax.vmap(lambda k: bits.uniform(k, (3, 4))))(keys),
        jax.vmap(lambda k: jax.random.uniform(k, (3, 4), jnp.float32))(keys),
    )
    step = jax.jit(lambda t: jax.random.key_data(bits.fold_in(key, t)))
    np.testing.assert_array_equal(step(jnp.int32(5)), jax.random.key_data(jax.random.fold_in(key, 5)))


def test_another_generator_takes_jaxs_own_path():
    key = jax.random.key(3, impl="rbg")
    np.testing.assert_array_equal(bits.bits(key, (5,)), jax.random.bits(key, (5,)))


def models():
    rng = np.random.default_rng(0)
    graph = graphs.triangular(3, 3)
    upper = np.triu(rng.normal(size=(7, 7)), 1)
    for kind in (Spin, Binary):
        yield Pairwise(graph, rng.normal(size=len(graph.edges)), rng.normal(size=9), kind(9))
        yield DensePairwise(upper + upper.T, rng.normal(size=7), kind(7))
    yield Pairwise(graph, jnp.ones(len(graph.edges)), jnp.ones(9) * 0.5)


@pytest.mark.parametrize("model", list(models()), ids=lambda m: f"{type(m).__name__}-{type(m.units[0]).__name__}")
def test_conversion_keeps_every_energy(model):
    """Enumeration: state k is the same setting in both units, since both count from the low values."""
    there, back = convert.to_binary, convert.to_spin
    if isinstance(model.units[0], Binary):
        there, back = back, there
    new, offset = there(model)
    np.testing.assert_allclose(exact.energies(model), exact.energies(new) + float(offset), atol=1e-5)
    if isinstance(model.fields, np.ndarray):
        np.testing.assert_allclose(exact.energies(model), exact.energies(new) + float(offset), atol=1e-12)
    again, other = back(new)
    np.testing.assert_allclose(exact.energies(again), exact.energies(new) - float(other), atol=1e-5)
    assert float(offset) == pytest.approx(-float(other), abs=1e-5)
    log_z = exact.log_partition(new, beta=0.7) - 0.7 * float(offset)
    np.testing.assert_allclose(exact.log_partition(model, beta=0.7), log_z, rtol=1e-6)


def test_conversion_refuses_other_models():
    with pytest.raises(TypeError, match="Pairwise and DensePairwise"):
        convert.to_binary(3.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Spin"):
        convert.to_binary(Pairwise(graphs.ring(3), units=Binary(3)))
    with pytest.raises(TypeError, match="Binary"):
        convert.to_spin(Pairwise(graphs.ring(3)))
