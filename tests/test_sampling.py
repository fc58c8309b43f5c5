"""`sample`: keys, warm-up, thinning, moments, resuming, many devices, bad input, and 2D Ising against theory."""

import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ebmlab as eb

KEY = jax.random.key(7)
GRAPH = eb.graphs.cubic(4)
GLASS = eb.Pairwise(GRAPH, eb.graphs.plus_minus(GRAPH, key=KEY))


class Parity(eb.AbstractEnergy):
    """A student's energy: all spins in one bond."""

    units: tuple = (eb.Spin(5),)

    def energy(self, x):
        (s,) = x
        return -jnp.prod(s)


def magnetisation(x):
    return x[0].mean()


def draw(**changes):
    options = {"key": KEY, "chains": 6, "steps": 8, "beta": 0.5} | changes
    return eb.sample(eb.Gibbs(), options.pop("model", GLASS), **options)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("model", "shape", "dtype"),
    [
        (GLASS, (64,), np.float32),
        (eb.IsingLattice((4, 6)), (4, 6), np.float32),
        (Parity(), (5,), np.float32),
        (eb.Potts(eb.graphs.ring(5), 3), (5,), np.int32),
    ],
)
def test_states_are_kept_in_the_layers_shape(model, shape, dtype):
    samples = draw(model=model)
    assert samples.values[0].shape == (6, 8, *shape)
    assert samples.values[0].dtype == dtype
    assert samples.last[0].shape == (6, *shape)
    assert set(np.unique(samples.values[0])) <= set(model.units[0].values)
    np.testing.assert_array_equal(samples.accepted, np.ones(6))


@pytest.mark.quick
def test_same_key_same_numbers_and_other_key_other_numbers():
    one, two, other = draw(), draw(), draw(key=jax.random.key(8))
    np.testing.assert_array_equal(one.values[0], two.values[0])
    assert (one.values[0] != other.values[0]).any()
    assert (one.values[0][0] != one.values[0][1]).any(), "two chains must differ"


@pytest.mark.quick
def test_thinning_and_warm_up_pick_from_one_long_run():
    every = draw(steps=26).values[0]
    np.testing.assert_array_equal(draw(steps=8, warmup=2, thin=3).values[0], every[:, 4::3])


@pytest.mark.quick
@pytest.mark.parametrize("kernel", [eb.Gibbs(), eb.Gibbs("random"), eb.Metropolis()])
def test_a_resumed_run_is_the_long_run(kernel):
    options = {"key": KEY, "chains": 4, "thin": 2, "beta": 0.5}
    whole = eb.sample(kernel, GLASS, steps=9, warmup=3, **options)
    first = eb.sample(kernel, GLASS, steps=5, warmup=3, **options)
    second = eb.sample(kernel, GLASS, steps=4, resume=first, **options)
    np.testing.assert_array_equal(np.concatenate([first.values[0], second.values[0]], 1), whole.values[0])
    assert second.done == whole.done == 3 + 9 * 2


@pytest.mark.quick
def test_progress_changes_no_number(capsys):
    np.testing.assert_array_equal(draw(steps=50, progress=True).values[0], draw(steps=50).values[0])


@pytest.mark.quick
def test_running_moments_are_those_of_the_stored_draws():
    stored, running = draw(steps=40), draw(steps=40, moments=True)
    assert running.values is None
    values = np.asarray(stored.values[0], float)
    np.testing.assert_allclose(running.moments.mean[0], values.mean(1), atol=1e-6)
    np.testing.assert_allclose(running.moments.variance[0], values.var(1), atol=1e-6)
    np.testing.assert_array_equal(stored.last[0], running.last[0])


@pytest.mark.quick
def test_keep_chooses_what_is_stored():
    kept = draw(keep=magnetisation).values
    np.testing.assert_allclose(kept, np.asarray(draw().values[0], float).mean(-1), atol=1e-6)


@pytest.mark.quick
def test_every_chain_may_have_its_own_beta():
    betas = jnp.array([0.0, 0.0, 5.0, 5.0])
    model = eb.Pairwise(eb.graphs.chain(2))
    bond = draw(model=model, chains=4, beta=betas, steps=500, warmup=10).values[0].prod(-1).mean(1)
    assert np.abs(bond[:2]).max() < 5 / np.sqrt(500)
    assert bond[2:].min() > 0.99


@pytest.mark.quick
def test_first_states_may_be_one_for_all_or_one_for_each():
    up = jnp.ones(64)
    one = draw(x0=(up,), beta=0.0, steps=1).values[0]
    each = draw(x0=(jnp.tile(up, (6, 1)),), beta=0.0, steps=1).values[0]
    np.testing.assert_array_equal(one, each)


BAD = [
    ({"chains": 0}, ValueError, "chains must be at least 1"),
    ({"chains": 2.5}, TypeError, "chains must be a whole number"),
    ({"steps": 0}, ValueError, "steps must be at least 1"),
    ({"warmup": -1}, ValueError, "warmup must be at least 0"),
    ({"beta": -0.1}, ValueError, "not negative"),
    ({"beta": float("nan")}, ValueError, "finite"),
    ({"beta": jnp.ones(5)}, ValueError, "each of 6 chains"),
    ({"x0": jnp.ones(64)}, TypeError, "tuple"),
    ({"x0": (jnp.ones(63),)}, ValueError, "expected a state"),
    ({"x0": (jnp.zeros(64),)}, ValueError, r"allows \(-1, 1\)"),
    ({"chains": 10**6, "steps": 10**6}, ValueError, "GiB"),
]


@pytest.mark.quick
@pytest.mark.parametrize(("change", "error", "text"), BAD)
def test_bad_input_says_what_to_do(change, error, text):
    with pytest.raises(error, match=text):
        draw(**change)


@pytest.mark.quick
def test_an_energy_that_returns_a_vector_is_refused():
    class Vector(eb.AbstractEnergy):
        units: tuple = (eb.Spin(5),)

        def energy(self, x):
            return -x[0]

    with pytest.raises(ValueError, match="must return one number"):
        draw(model=Vector())


@pytest.mark.quick
def test_a_block_with_inner_couplings_is_refused():
    class Chain(eb.AbstractConditional):
        units: tuple = (eb.Spin(4),)
        blocks: tuple = (np.array([0, 1]), np.array([2, 3]))

        def energy(self, x):
            (s,) = x
            return -(s[:-1] * s[1:]).sum()

    with pytest.raises(ValueError, match="units inside the block are coupled"):
        draw(model=Chain())


SCANS = ("blocks", "sequential")


@pytest.mark.quick
def test_an_odd_periodic_lattice_goes_site_by_site():
    with pytest.raises(ValueError, match="even"):
        eb.IsingLattice((5, 5)).split((jnp.ones((5, 5)),))
    both = [eb.sample(eb.Gibbs(scan), eb.IsingLattice((5, 5)), key=KEY, chains=2, steps=3) for scan in SCANS]
    np.testing.assert_array_equal(*(run.values[0] for run in both))


DEVICES = """
    import jax, numpy as np, ebmlab as eb
    assert len(jax.devices()) == 8
    graph = eb.graphs.cubic(4)
    model = eb.Pairwise(graph, eb.graphs.plus_minus(graph, key=jax.random.key(7)))
    options = dict(key=jax.random.key(7), chains=16, steps=5, warmup=3, thin=2, beta=0.5)
    for kernel in (eb.Gibbs(), eb.Metropolis(), eb.SwendsenWang()):
        spread = eb.sample(kernel, model, **options)
        single = eb.sample(kernel, model, devices=jax.devices()[:1], **options)
        assert len(spread.last[0].sharding.device_set) == 8
        assert len(single.last[0].sharding.device_set) == 1
        np.testing.assert_array_equal(spread.values[0], single.values[0])
        later = [eb.sample(kernel, model, **(options | dict(warmup=0)), resume=r).values[0] for r in (spread, single)]
        np.testing.assert_array_equal(*later)
    try:
        eb.sample(eb.Gibbs(), model, devices=jax.devices(), **(options | dict(chains=12)))
    except ValueError as error:
        assert "spread evenly" in str(error)
    else:
        raise AssertionError("12 chains on 8 devices must be refused when asked for")
    print("same numbers")
"""


def test_eight_devices_give_the_numbers_of_one(fresh_python):
    flags = "--xla_force_host_platform_device_count=8"
    assert "same numbers" in fresh_python(textwrap.dedent(DEVICES), XLA_FLAGS=flags)


LATTICE = eb.IsingLattice((64, 64))


def energy_per_site(x):
    return LATTICE.energy(x) / LATTICE.units[0].size


@pytest.mark.parametrize("temperature", [2.0, 2.6])
def test_ising_64_energy_is_exact_within_its_error_bar(temperature):
    """Kaufman's finite torus; the error bar from the scatter of 32 independent chains' means."""
    beta = 1 / temperature
    start = (jnp.ones((64, 64)),) if temperature < 2.2 else None
    chains = eb.sample(
        eb.Gibbs(),
        LATTICE,
        key=KEY,
        chains=32,
        steps=400,
        thin=5,
        warmup=500,
        beta=beta,
        x0=start,
        keep=energy_per_site,
    ).values
    means = np.asarray(chains, float).mean(1)
    error = means.std(ddof=1) / np.sqrt(len(means))
    exact = float(eb.exact.onsager.torus((64, 64), beta=beta).energy) / 64**2
    assert error < 2e-3
    assert abs(means.mean() - exact) < 4 * error
    wrong = float(eb.exact.onsager.torus((64, 64), beta=1.05 * beta).energy) / 64**2
    assert abs(means.mean() - wrong) > 8 * error, "the test must see an error of 5 % in beta"
