"""Annealing finds ground states that enumeration knows; population annealing gives log Z with an honest error bar."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from notebooks import strain
from scipy import stats

import ebmlab as eb
from ebmlab import exact, graphs
from ebmlab.rugged.annealing import anneal
from ebmlab.rugged.population import GROUPS, population_annealing, systematic


def glass(side=4, seed=1):
    grid = graphs.square(side, side)
    return eb.Pairwise(grid, graphs.gaussian(grid, key=jax.random.key(seed)))


SCHEDULE = np.linspace(0.0, 3.0, 100)


@pytest.mark.quick
def test_annealing_finds_the_ground_state_and_keeps_what_it_saw(key):
    model = glass()
    found = anneal(model, key=key, chains=50, betas=SCHEDULE, quench=True)
    ground = exact.energies(model).min()
    assert float(found.best_energy.min()) == pytest.approx(ground, abs=1e-4)
    assert (np.asarray(found.best_energy) <= np.asarray(found.energy) + 1e-5).all()
    assert (np.asarray(found.best_energy) <= np.asarray(found.trace).min(0) + 1e-5).all()
    assert found.trace.shape == (100, 50)
    for states, energy in ((found.state, found.energy), (found.best_state, found.best_energy)):
        np.testing.assert_allclose(jax.vmap(model.energy)(states), energy, atol=1e-5)
    plain = anneal(model, key=key, chains=50, betas=SCHEDULE)
    np.testing.assert_array_equal(plain.trace, found.trace)
    np.testing.assert_array_equal(plain.energy, plain.trace[-1])


def test_a_quench_ends_where_no_single_flip_lowers_the_energy(key):
    model = glass(5, 3)
    found = anneal(model, key=key, chains=40, betas=[0.0, 0.2], quench=True)
    sites = jnp.arange(25)
    field = jax.vmap(lambda s: jax.vmap(lambda i: model.local_field((s,), i))(sites))(found.state[0])
    assert (np.asarray(field * found.state[0]) >= -1e-5).all()


def test_a_slow_schedule_follows_the_exact_mean_energy(key):
    """At each beta of a slow schedule the chains are in equilibrium: z-scores of <E> over 2000 chains."""
    model = glass(3, 2)
    betas = np.repeat(np.linspace(0, 1, 6), 30)
    trace = np.asarray(anneal(model, key=key, chains=2000, betas=betas, sweeps=2).trace)[29::30]
    truth = eb.thermodynamics(model, beta=np.linspace(0, 1, 6)).energy
    z = (trace.mean(1) - truth) / (trace.std(1) / np.sqrt(2000))
    assert np.abs(z).max() < 4
    assert np.abs(trace.mean(1) - 1.05 * truth)[2:].max() > 4 * trace.std(1).max() / np.sqrt(2000)


@pytest.mark.quick
def test_another_schedule_of_the_same_length_does_not_compile_anew_and_runs_in_a_slider_s_time():
    matrix = np.triu(np.random.default_rng(0).normal(size=(48, 48)), 1) / np.sqrt(48)
    model, seconds = eb.DensePairwise(matrix + matrix.T), []
    for k in range(6):
        start = time.perf_counter()
        jax.block_until_ready(
            anneal(model, key=jax.random.key(k), chains=64, betas=np.linspace(0, 2 + k, 200)[:: (-1) ** k])
        )
        seconds.append(time.perf_counter() - start)
    assert min(seconds[1:]) < 0.06 * strain()
    assert min(seconds[1:]) < seconds[0] / 3


@pytest.mark.quick
def test_schedules_may_reheat_and_bad_ones_are_refused(key):
    model = glass(3)
    found = anneal(model, key=key, chains=3, betas=[1.0, 0.0, 2.0, 0.5], x0=(jnp.ones(9),), kernel=eb.Metropolis())
    assert found.trace.shape == (4, 3)
    for betas, message in (
        ([0.1, -1.0], "not negative"),
        ([0.1, np.nan], "finite"),
        ([], "at least one"),
        (1.0, "list"),
    ):
        with pytest.raises(ValueError, match=message):
            anneal(model, key=key, chains=3, betas=betas)
    with pytest.raises(TypeError, match="kernel"):
        anneal(model, key=key, chains=3, betas=[1.0], kernel="gibbs")
    with pytest.raises(ValueError, match="shape"):
        anneal(model, key=key, chains=3, betas=[1.0], x0=(jnp.ones(4),))


@pytest.mark.quick
def test_systematic_resampling_rounds_the_expected_numbers_up_or_down():
    weights = jnp.asarray(np.random.default_rng(0).exponential(size=200), jnp.float32)
    expected = np.asarray(200 * weights / weights.sum())
    total = np.zeros(200)
    for k in range(400):
        chosen = np.asarray(systematic(weights, key=jax.random.key(k)))
        assert (np.diff(chosen) >= 0).all()
        counts = np.bincount(chosen, minlength=200)
        assert (np.abs(counts - expected) < 1 + 1e-3).all()
        total += counts
    assert np.abs(total / 400 - expected).max() < 5 * 0.5 / np.sqrt(400)


def test_log_z_and_its_error_bar_are_right():
    """z-scores over 40 runs and 3 models spread by 1 within chance (a wrong bar is noticed), and Z has no bias."""
    betas, scores = np.linspace(0, 2, 21), []
    for seed in (1, 2, 3):
        model = glass(4, seed)
        truth = exact.log_partition(model, beta=betas)
        runs = [
            population_annealing(model, key=jax.random.key(k), population=1000, betas=betas, sweeps=2)
            for k in range(40)
        ]
        wrong = np.array([run.log_z - truth for run in runs])
        error = np.array([run.error for run in runs])
        assert (wrong[:, 0] == 0).all()
        assert (error[:, 0] == 0).all()
        scores.append(wrong[:, 5::5] / error[:, 5::5])
        share = np.exp(wrong[:, -1])
        assert abs(share.mean() - 1) < 4 * share.std() / np.sqrt(40)
    z = np.concatenate(scores)[:, -1]
    low, high = stats.chi2.ppf([0.001, 0.999], 120) / 120 * 31 / 29  # of Student's t with 31 degrees of freedom
    square = (z**2).mean()
    assert low < square < 1.15 * high
    assert 4 * square > 1.15 * high  # an error bar of half the size would be noticed, and one of twice the size
    assert square / 4 < low
    assert np.abs(np.mean(np.concatenate(scores), axis=0)).max() < 0.5


def test_a_population_knows_energies_families_and_its_states(key):
    model, betas = glass(4, 5), np.linspace(0, 1.5, 16)
    run = population_annealing(model, key=key, population=4000, betas=betas, sweeps=5)
    truth = eb.thermodynamics(model, beta=betas)
    assert (np.abs(run.energy - truth.energy) < 6 * np.sqrt(run.variance * run.rho / 4000)).all()
    np.testing.assert_allclose(run.variance[1:], (truth.heat_capacity / np.maximum(betas, 1e-9) ** 2)[1:], rtol=0.3)
    assert run.families[0] == 4000
    assert (np.diff(run.families) <= 0).all()
    assert run.rho[0] == pytest.approx(1)
    assert len(np.unique(run.ancestor)) <= run.families[-1]
    np.testing.assert_allclose(jax.vmap(model.energy)(run.state), run.energies, atol=1e-4)
    np.testing.assert_allclose(run.free_energy[1:], -run.log_z[1:] / betas[1:])
    again = population_annealing(model, key=key, population=4000, betas=betas, sweeps=5)
    np.testing.assert_array_equal(run.log_z, again.log_z)


def test_gaussian_units_start_from_exact_draws(key):
    model, betas = eb.Harmonic(2, 1.0), np.array([1.0, 2.0, 4.0])
    x0 = (jax.random.normal(key, (4000, 2)),)
    run = population_annealing(
        model, key=key, population=4000, betas=betas, kernel=eb.MALA(0.5), x0=x0, log_z0=np.log(2 * np.pi)
    )
    assert (np.abs(run.log_z - np.log(2 * np.pi / betas))[1:] < 4.5 * run.error[1:]).all()


@pytest.mark.quick
def test_bad_populations_are_refused(key):
    model = glass(3)
    run = {"key": key, "population": 100}
    for betas, message in (([0.0, 0.5, 0.4], "rise"), ([0.1, 0.5], "starts at beta = 0"), ([0.0, 0.0], "rise")):
        with pytest.raises(ValueError, match=message):
            population_annealing(model, betas=betas, **run)
    with pytest.raises(ValueError, match="starts at beta = 0"):
        population_annealing(eb.Harmonic(2, 1.0), betas=[0.0, 1.0], kernel=eb.MALA(0.5), **run)
    with pytest.raises(ValueError, match="x0"):
        population_annealing(model, betas=[0.5, 1.0], log_z0=1.0, **run)
    with pytest.raises(ValueError, match=f"at least {2 * GROUPS}"):
        population_annealing(model, key=key, population=10, betas=[0.0, 1.0])


@pytest.mark.quick
def test_starts_that_are_no_exact_draws_are_refused():
    model = eb.IsingLattice((3, 3))
    with pytest.raises(ValueError, match="exact draws"):
        population_annealing(model, key=jax.random.key(0), population=64, betas=[0.0, 0.5], x0=(jnp.ones((3, 3)),))
    with pytest.raises(ValueError, match="finite number"):
        population_annealing(
            model, key=jax.random.key(0), population=64, betas=[0.0, 0.5], x0=(jnp.ones((3, 3)),), log_z0="x"
        )
    with pytest.raises(TypeError, match="discrete"):
        anneal(eb.Harmonic(2), key=jax.random.key(0), chains=2, betas=[1.0], kernel=eb.HMC(0.1, 3), quench=True)
