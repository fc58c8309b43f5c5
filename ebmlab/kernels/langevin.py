"""Moves of continuous units along the gradient: Langevin dynamics with and without correction, and HMC."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab._check import as_parameter, positive, whole
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.kernels.base import AbstractKernel, Info, accept, info
from ebmlab.kernels.metropolis import normal_like
from ebmlab.units import Gaussian


class ULA(AbstractKernel):
    """Unadjusted Langevin: x' = x - step beta grad E(x) + sqrt(2 step) xi, xi standard normal.

    step: a time step above zero. Nothing is refused, so the stationary density is off by O(step): for E = k x^2/2
    its variance is 1 / (beta k (1 - step beta k / 2)), and the chain runs away for step beta k >= 2. `MALA` corrects
    it. Source: G. O. Roberts and R. L. Tweedie, Bernoulli 2, 341 (1996).
    """

    step_size: Float[Array | np.ndarray, ""]

    def __init__(self, step: Any):
        self.step_size = as_parameter(step)
        positive("step", self.step_size)

    def check(self, model: AbstractEnergy) -> None:
        """TypeError for discrete units."""
        require_gaussian(model, "ULA")

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One time step."""
        self.check(model)
        new, _ = _drift_and_noise(x, jax.grad(model.energy)(x), self.step_size, beta=beta, key=key)
        return new, info()


class MALA(AbstractKernel):
    """Langevin step as a Metropolis proposal: exact for any step.

    Accepted with probability min(1, exp(-beta dE + log q(x|x') - log q(x'|x))), where
    log q(x'|x) = -|x' - x + step beta grad E(x)|^2 / (4 step). step: a time step above zero; an acceptance near
    0.57 is best in high dimension. Source: G. O. Roberts and J. S. Rosenthal, J. R. Stat. Soc. B 60, 255 (1998).
    """

    step_size: Float[Array | np.ndarray, ""]

    def __init__(self, step: Any):
        self.step_size = as_parameter(step)
        positive("step", self.step_size)

    def check(self, model: AbstractEnergy) -> None:
        """TypeError for discrete units."""
        require_gaussian(model, "MALA")

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One proposal."""
        self.check(model)
        propose, decide = bits.split(key)
        energy, slope = jax.value_and_grad(model.energy)(x)
        new, noise = _drift_and_noise(x, slope, self.step_size, beta=beta, key=propose)
        new_energy, new_slope = jax.value_and_grad(model.energy)(new)
        back = tuple(a - b + self.step_size * beta * g for a, b, g in zip(x, new, new_slope, strict=True))
        log_ratio = 0.5 * _square(noise) - _square(back) / (4 * self.step_size)
        return accept(x, new, -beta * (new_energy - energy) + log_ratio, key=decide)


class HMC(AbstractKernel):
    """Hamiltonian Monte Carlo: H = beta E(x) + |p|^2/2, fresh p ~ N(0, 1), `leaps` leapfrog steps of size `step`.

    Accepted with probability min(1, exp(-dH)). step and leaps are numbers above zero; both may change without
    recompiling. An acceptance of 0.65 to 0.9 is good; step * leaps should reach about as far as the distribution
    is wide. Source: S. Duane, A. D. Kennedy, B. J. Pendleton and D. Roweth, Phys. Lett. B 195, 216 (1987).
    """

    step_size: Float[Array | np.ndarray, ""]
    leaps: Int[np.ndarray, ""]

    def __init__(self, step: Any, leaps: int):
        self.step_size = as_parameter(step)
        positive("step", self.step_size)
        self.leaps = np.asarray(whole("leaps", leaps), np.int32)

    def check(self, model: AbstractEnergy) -> None:
        """TypeError for discrete units."""
        require_gaussian(model, "HMC")

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One trajectory."""
        self.check(model)
        push, decide = bits.split(key)
        p = normal_like(x, key=push)
        new, new_p = leapfrog(model, x, p, self.step_size, self.leaps, beta=beta)
        change = beta * (model.energy(new) - model.energy(x)) + 0.5 * (_square(new_p) - _square(p))
        return accept(x, new, -change, key=decide)


def leapfrog(model: AbstractEnergy, x: State, p: State, step: Any, leaps: Any, *, beta: Any) -> tuple[State, State]:
    """`leaps` steps of dx/dt = p, dp/dt = -beta grad E: half a kick, drift, half a kick. Reversible, error step^2."""

    def kick(x: State, p: State, time: Any) -> State:
        return _add(p, jax.grad(model.energy)(x), -time * beta)

    def body(_: Array, carry: tuple[State, State]) -> tuple[State, State]:
        x, p = carry
        x = _add(x, p, step)
        return x, kick(x, p, step)

    x, p = jax.lax.fori_loop(0, leaps - 1, body, (x, kick(x, p, 0.5 * step)))
    x = _add(x, p, step)
    return x, kick(x, p, 0.5 * step)


def require_gaussian(model: AbstractEnergy, name: str) -> None:
    """TypeError where some units are discrete."""
    kinds = [type(layer).__name__ for layer in model.units]
    if not all(isinstance(layer, Gaussian) for layer in model.units):
        raise TypeError(f"{name} follows the gradient and needs Gaussian units; got {kinds}. Use Gibbs or Metropolis")


def _drift_and_noise(x: State, slope: State, step: Any, *, beta: Any, key: Array) -> tuple[State, State]:
    noise = normal_like(x, key=key)
    return _add(_add(x, slope, -step * beta), noise, jnp.sqrt(2 * step)), noise


def _add(x: State, y: State, factor: Any) -> State:
    """x + factor y in the dtypes of x."""
    return tuple(a + (factor * b).astype(a.dtype) for a, b in zip(x, y, strict=True))


def _square(x: State) -> Array:
    return sum((jnp.sum(a**2) for a in x), jnp.zeros(()))
