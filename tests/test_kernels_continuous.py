"""Kernels on continuous units against densities known exactly: chi-square on bins of equal probability."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from ebmlab.diagnostics import chi_square
from ebmlab.energies import AbstractEnergy, DoubleWell, Harmonic, MuellerBrown
from ebmlab.kernels import HMC, MALA, NUTS, ULA, Metropolis
from ebmlab.kernels.langevin import leapfrog
from ebmlab.units import Gaussian

CHAINS, CELLS, BETA = 2**17, 24, 1.7
WRONG, RIGHT = 1e-4, 1e-3


class Exponential(AbstractEnergy):
    """E(x) = x on x > 0: a user's own energy and, below, the user's own proposal."""

    units = (Gaussian(1),)

    def energy(self, x):
        return jnp.where(x[0][0] > 0, x[0][0], jnp.inf)


def stretch(x, key):
    """x' = x exp(z / 2), z normal: q(x|x') / q(x'|x) = x' / x."""
    factor = jnp.exp(0.5 * jax.random.normal(key))
    return (x[0] * factor,), jnp.log(factor)


MODELS = {"oscillator": Harmonic(1, 2.5), "double well": DoubleWell(1.5, 0.3), "exponential": Exponential()}
STEPS = {  # how many steps forget the wrong start
    "oscillator": [(Metropolis(0.8), 30), (MALA(0.2), 20), (HMC(0.35, 3), 10), (NUTS(0.6), 3)],
    "double well": [(Metropolis(1.0), 60), (MALA(0.05), 60), (HMC(0.2, 5), 30), (NUTS(0.3), 4)],
    "exponential": [(Metropolis(proposal=stretch), 60)],
}
QUICK = {("double well", "HMC"), ("exponential", "Metropolis")}


def combinations():
    for name, kernels in STEPS.items():
        for kernel, count in kernels:
            marks = [pytest.mark.quick] if (name, type(kernel).__name__) in QUICK else []
            yield pytest.param(name, kernel, count, id=f"{name}-{type(kernel).__name__}", marks=marks)


def quantiles(model, beta, u):
    """The inverse of the cumulative distribution, by the trapezoidal rule on a fine grid in float64."""
    grid = np.linspace(1e-6, 40, 400_001) if isinstance(model, Exponential) else np.linspace(-6, 6, 120_001)
    with jax.enable_x64(True):
        energy = np.asarray(jax.vmap(lambda x: model.energy((x[None],)))(jnp.asarray(grid)))
    weight = np.exp(-beta * (energy - energy.min()))
    total = integrate.cumulative_trapezoid(weight, grid, initial=0)
    return np.interp(u, total / total[-1], grid)


@eqx.filter_jit
def run(kernel, model, x, beta, keys, count):
    return jax.vmap(lambda x, key: kernel.steps(model, x, beta=beta, key=key, first=0, count=count))(x, keys)


def after(kernel, model, count, *, beta, seed):
    """Cell counts, between exact quantiles at BETA, of one draw from each chain."""
    start = quantiles(model, BETA, np.random.default_rng(seed).random(CHAINS))
    keys = jax.random.split(jax.random.key(seed), CHAINS)
    x, _ = run(kernel, model, (jnp.asarray(start[:, None], jnp.float32),), jnp.asarray(beta, jnp.float32), keys, count)
    edges = quantiles(model, BETA, np.arange(1, CELLS) / CELLS)
    return np.bincount(np.searchsorted(edges, np.asarray(x[0])[:, 0]), minlength=CELLS)


@pytest.mark.parametrize(("name", "kernel", "count"), list(combinations()))
def test_the_kernel_keeps_the_exact_density_and_a_wrong_beta_is_caught(name, kernel, count):
    """Swept when written over 60 keys each (NUTS: 6).

    The right beta fell below RIGHT in 1 of 432 runs, where perfect kernels would in 0.4; the wrong one never rose
    above 1e-7.
    """
    uniform = np.full(CELLS, 1 / CELLS)
    assert chi_square(after(kernel, MODELS[name], count, beta=BETA, seed=1), uniform).p_value > RIGHT
    assert chi_square(after(kernel, MODELS[name], count, beta=1.05 * BETA, seed=2), uniform).p_value < WRONG


@pytest.mark.quick
@pytest.mark.parametrize("step", [0.1, 0.4])
def test_the_bias_of_ula_on_the_oscillator_is_the_known_one(step):
    """Variance 1 / (beta k (1 - step beta k / 2)): neither 1 / (beta k) nor that of another beta."""
    stiffness, chains = 2.0, 2**16
    model, exact = Harmonic(1, stiffness), 1 / (BETA * stiffness)
    biased = exact / (1 - step * BETA * stiffness / 2)
    start = np.sqrt(exact) * np.random.default_rng(1).standard_normal((chains, 1))
    keys = jax.random.split(jax.random.key(1), chains)
    x, info = run(ULA(step), model, (jnp.asarray(start, jnp.float32),), jnp.asarray(BETA), keys, 40)
    measured = np.asarray(x[0], np.float64)[:, 0] ** 2
    error = measured.std() / np.sqrt(chains)
    assert abs(measured.mean() - biased) < 4.5 * error
    assert abs(measured.mean() - exact) > 15 * error
    assert (np.asarray(info.accepted) == 1).all()


@pytest.mark.quick
def test_the_energy_error_of_hmc_falls_as_the_square_of_the_step(x64):
    model = DoubleWell(1.0, 0.2)
    rng = np.random.default_rng(3)
    x, p = jnp.asarray(rng.normal(size=(400, 1))), jnp.asarray(rng.normal(size=(400, 1)))

    @jax.jit
    def error(step, leaps):
        def one(x, p):
            (y,), (q,) = leapfrog(model, (x,), (p,), step, leaps, beta=BETA)
            return BETA * (model.energy((y,)) - model.energy((x,))) + (q @ q - p @ p) / 2

        return jnp.sqrt((jax.vmap(one)(x, p) ** 2).mean())

    errors = np.array([float(error(1.0 / n, n)) for n in (20, 40, 80)])
    np.testing.assert_allclose(errors[:-1] / errors[1:], 4, rtol=0.05)


@pytest.mark.quick
def test_leapfrog_runs_backwards(x64):
    model = MuellerBrown()
    start = ((jnp.asarray([-0.5, 1.4]),), (jnp.asarray([0.7, -0.3]),))
    (x,), (p,) = jax.jit(lambda x, p: leapfrog(model, x, p, 0.02, 25, beta=BETA))(*start)
    (y,), (q,) = jax.jit(lambda x, p: leapfrog(model, x, p, 0.02, 25, beta=BETA))((x,), (-p,))
    assert abs(np.asarray(x) - [-0.5, 1.4]).max() > 0.1
    np.testing.assert_allclose(y, start[0][0], atol=1e-10)
    np.testing.assert_allclose(-q, start[1][0], atol=1e-10)


def test_the_acceptance_of_mala_is_the_written_out_one():
    """Mean over many keys against an integral over the noise, in one dimension."""
    model, step, x = DoubleWell(1.0, 0.4), 0.15, 0.6
    z = np.linspace(-8, 8, 20001)

    def energy(y):
        return (y**2 - 1) ** 2 + 0.4 * y

    def drift(y):
        return y - step * BETA * (4 * y * (y**2 - 1) + 0.4)

    y = drift(x) + np.sqrt(2 * step) * z
    log_ratio = ((y - drift(x)) ** 2 - (x - drift(y)) ** 2) / (4 * step)
    accept = np.minimum(1, np.exp(-BETA * (energy(y) - energy(x)) + log_ratio))
    exact = integrate.trapezoid(accept * stats.norm.pdf(z), z)
    keys = jax.random.split(jax.random.key(4), 2**16)
    _, info = run(MALA(step), model, (jnp.full((2**16, 1), x, jnp.float32),), jnp.asarray(BETA), keys, 1)
    measured = np.asarray(info.accepted, np.float64)
    assert abs(measured.mean() - exact) < 4.5 * measured.std() / 256


@pytest.mark.quick
def test_a_proposal_without_a_finite_energy_is_refused(key):
    def away(x, key):
        return (jnp.full_like(x[0], jnp.nan),), 0.0

    x, info = Metropolis(proposal=away).step(Harmonic(2), (jnp.ones(2),), beta=1.0, key=key)
    assert (x[0] == 1).all()
    assert float(info.accepted) == 0


def test_nuts_says_what_to_install_where_blackjax_is_missing(fresh_python):
    code = """
import sys
sys.modules["blackjax"] = None
from ebmlab.energies import Harmonic
from ebmlab.kernels import NUTS
try:
    NUTS(0.1).check(Harmonic(1))
except ImportError as error:
    print(error)
"""
    assert "pip install blackjax" in fresh_python(code)
