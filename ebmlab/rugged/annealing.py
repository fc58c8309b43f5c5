"""Simulated annealing: cool many chains along a schedule."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ebmlab import bits
from ebmlab._check import as_arrays, inverse_temperature, one_key, whole, yes_or_no
from ebmlab.energies.base import AbstractEnergy, State, check_energy, discrete_values, first_states
from ebmlab.kernels.base import AbstractKernel
from ebmlab.kernels.gibbs import Gibbs
from ebmlab.rugged.descent import quench as descend


class Annealed(NamedTuple):
    """What `anneal` returns; every array has the chains in it.

    state: the last states, chains first, and their energies (chains,). best_state and best_energy: the lowest that
    each chain met at the end of a step of the schedule (or after the quench). trace: energies after each step of the
    schedule, (len(betas), chains). betas: the schedule.
    """

    state: State
    energy: Float[Array, " chains"]
    best_state: State
    best_energy: Float[Array, " chains"]
    trace: Float[Array, "K chains"]
    betas: Float[Array, " K"]


def anneal(
    model: AbstractEnergy,
    *,
    key: Array,
    chains: int,
    betas: Any,
    kernel: AbstractKernel | None = None,
    sweeps: int = 1,
    x0: State | None = None,
    quench: bool = False,
) -> Annealed:
    """Cool `chains` independent chains: `sweeps` steps of `kernel` at each beta of the schedule, in its order.

    betas: (K,), any finite numbers, not negative; a schedule may reheat. It enters as an array: another schedule of
    the same length does not compile anew. kernel: Gibbs() unless given. x0: one state for all chains, or states with
    a leading chain axis (default: random). quench: end with a descent to a local minimum under single moves (discrete
    units). The answer follows Boltzmann's law at no beta: a finite schedule falls out of equilibrium.
    Source: S. Kirkpatrick, C. D. Gelatt and M. P. Vecchi, Science 220, 671 (1983).
    """
    kernel = Gibbs() if kernel is None else kernel
    check_run(kernel, model, key)
    schedule = as_schedule(betas)
    whole("chains", chains)
    whole("sweeps", sweeps)
    if yes_or_no("quench", quench):
        discrete_values(model.units)  # before the work: a descent needs discrete units
    kernel, model = as_arrays(kernel), as_arrays(model)
    x, keys = start(model, x0, key=key, count=chains)
    x, best, lowest, trace = _cool(kernel, model, x, keys, schedule, sweeps if sweeps == 1 else jnp.asarray(sweeps))
    energy = trace[-1]
    if quench:
        x, energy, best, lowest = _quenched(model, x, best, lowest)
    return Annealed(x, energy, best, lowest, trace, schedule)


def as_schedule(betas: Any) -> Float[Array, " K"]:
    """A list of inverse temperatures as float32; ValueError where one is negative or not finite."""
    array = inverse_temperature(betas)
    if array.ndim != 1 or not array.shape[0]:
        raise ValueError(f"betas must be a list of at least one number; got shape {array.shape}")
    return jnp.asarray(array, jnp.float32)


def check_run(kernel: Any, model: Any, key: Any) -> None:
    """Raise TypeError or ValueError where kernel, model and key do not fit together."""
    if not isinstance(kernel, AbstractKernel):
        raise TypeError(f"kernel must be a kernel such as ebmlab.Gibbs(); got {kernel!r}")
    check_energy(model)
    kernel.check(model)
    one_key(key)


def start(model: AbstractEnergy, x0: Any, *, key: Array, count: int) -> tuple[State, Array]:
    """First states and one key each, chains first: random states, x0 for all, or x0 as it is."""
    return first_states(model, x0, key=bits.fold_in(key, 1), count=count), bits.split(bits.fold_in(key, 0), count)


def where(chosen: Array, new: State, old: State) -> State:
    """States of `new` where `chosen`, else those of `old`; one flag for each chain."""
    return tuple(jnp.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(new, old, strict=True))


@eqx.filter_jit
def _cool(kernel: Any, model: Any, x: State, keys: Array, betas: Array, sweeps: Any) -> Any:
    """The schedule: (last states, best states, best energies, trace)."""

    def body(carry: Any, now: Any) -> Any:
        x, best, lowest = carry
        t, beta = now
        x = jax.vmap(lambda x, key: kernel.steps(model, x, beta=beta, key=key, first=t * sweeps, count=sweeps)[0])(
            x, keys
        )
        energy = jax.vmap(model.energy)(x).astype(jnp.float32)
        return (x, where(energy < lowest, x, best), jnp.minimum(energy, lowest)), energy

    lowest = jnp.full(len(keys), jnp.inf, jnp.float32)
    (x, best, lowest), trace = jax.lax.scan(body, (x, x, lowest), (jnp.arange(len(betas)), betas))
    return x, best, lowest, trace


@eqx.filter_jit
def _quenched(model: Any, x: State, best: State, lowest: Array) -> Any:
    """Last and best states after a descent; the descended state counts for the best one too."""
    x, best = (jax.vmap(lambda x: descend(model, x))(states) for states in (x, best))
    energy, low = (jax.vmap(model.energy)(states).astype(jnp.float32) for states in (x, best))
    better = energy < low
    return x, energy, where(better, x, best), jnp.minimum(energy, low)
