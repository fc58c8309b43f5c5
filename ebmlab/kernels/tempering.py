"""Parallel tempering: replicas at a ladder of temperatures that exchange their states."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab.energies.base import AbstractConditional, AbstractEnergy, State
from ebmlab.energies.replicas import Tempered
from ebmlab.kernels.base import AbstractKernel, accepted_of, probability
from ebmlab.kernels.gibbs import Gibbs, sweep


class TemperingInfo(NamedTuple):
    """The mean acceptance probability inside the replicas, and that of the swap of each pair of neighbours (K - 1,)."""

    accepted: Float[Array, ""]
    swapped: Float[Array, " pairs"]


class ParallelTempering(AbstractKernel):
    """One step: one step of `within` in every replica of a `Tempered`, then swaps of neighbours on the ladder.

    Pairs (0, 1), (2, 3), ... come first, then (1, 2), (3, 4), ... The states of pair i, j trade places with
    probability min(1, exp[(beta_i - beta_j) (E_i - E_j)]), and their walkers with them. A hot replica crosses
    barriers, the ladder carries what it found to the cold end. Sample at beta = 1: the ladder holds the temperatures.
    Sources: R. H. Swendsen and J.-S. Wang, Phys. Rev. Lett. 57, 2607 (1986); K. Hukushima and K. Nemoto,
    J. Phys. Soc. Jpn. 65, 1604 (1996).
    """

    within: AbstractKernel = Gibbs()

    def __check_init__(self) -> None:
        if not isinstance(self.within, AbstractKernel):
            raise TypeError(f"within is a kernel such as ebmlab.Gibbs(); got {type(self.within).__name__}")

    def check(self, model: AbstractEnergy) -> None:
        """TypeError where the model is no `Tempered`, or where `within` does not fit the model inside it."""
        self.within.check(tempered(model).model)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, TemperingInfo]:
        """A step of `within` in every replica, then two rounds of swaps."""
        ladder = tempered(model)
        one = _inside(self.within, ladder.model)
        held, info = _step(one, _start(one, x), jnp.asarray(ladder.betas) * beta, key)
        return _end(one, held, x), info

    def steps(
        self,
        model: AbstractEnergy,
        x: State,
        *,
        beta: Any,
        key: Array,
        first: Int[Array, ""] | int,
        count: Int[Array, ""] | int,
    ) -> tuple[State, TemperingInfo]:
        """`count` steps: replicas stay where they are in memory (by blocks also split), temperatures move."""
        ladder = tempered(model)
        one, betas = _inside(self.within, ladder.model), jnp.asarray(ladder.betas) * beta

        def body(t: Array, carry: tuple[_Held, TemperingInfo]) -> tuple[_Held, TemperingInfo]:
            held, total = carry
            held, now = _step(one, held, betas, bits.fold_in(key, first + t))
            return held, jax.tree.map(jnp.add, total, now)

        nothing = TemperingInfo(jnp.zeros((), jnp.float32), jnp.zeros(betas.shape[0] - 1, jnp.float32))
        held, total = jax.lax.fori_loop(0, count, body, (_start(one, x), nothing))
        return _end(one, held, x), jax.tree.map(lambda value: value / count, total)


class _Inside(NamedTuple):
    """How one replica is held while it runs, how it moves, (held, beta, key) -> (held, accepted), and its energy."""

    split: Callable[[State], State]
    merge: Callable[[State], State]
    move: Callable[[State, Array, Array], tuple[State, Array]]
    energy: Callable[[State], Array]


def _inside(within: AbstractKernel, model: AbstractEnergy) -> _Inside:
    """By blocks a replica stays split; a model may know a fast energy of its parts."""
    if isinstance(within, Gibbs) and within.by_blocks(model):
        assert isinstance(model, AbstractConditional)
        blocks = model

        def by_blocks(parts: State, beta: Array, key: Array) -> tuple[State, Array]:
            return sweep(blocks, parts, beta=beta, key=key), jnp.ones((), jnp.float32)

        energy = getattr(model, "parts_energy", lambda parts: blocks.energy(blocks.merge(parts)))
        return _Inside(model.split, model.merge, by_blocks, energy)

    def move(x: State, beta: Array, key: Array) -> tuple[State, Array]:
        x, info = within.step(model, x, beta=beta, key=key)
        return x, accepted_of(info)

    return _Inside(lambda x: x, lambda x: x, move, model.energy)


class _Held(NamedTuple):
    """Replicas where they lie in memory; `slot[k]` is where that of temperature k lies."""

    parts: State
    slot: Int[Array, " K"]


def _start(one: _Inside, x: State) -> _Held:
    return _Held(jax.vmap(one.split)(x[:-1]), jnp.arange(x[-1].shape[0]))


def _end(one: _Inside, held: _Held, x: State) -> State:
    """The state in the order of the temperatures."""
    layers = jax.vmap(one.merge)(tuple(part[held.slot] for part in held.parts))
    return (*layers, x[-1][held.slot])


def _step(one: _Inside, held: _Held, betas: Array, key: Array) -> tuple[_Held, TemperingInfo]:
    """One step; random numbers go by temperature, so that they do not depend on where a replica lies."""
    slot, count = held.slot, held.slot.shape[0]
    moves, swaps = bits.split(key)
    place = jnp.argsort(slot)  # the temperature of each replica in memory
    keys = jax.lax.optimization_barrier(bits.split(moves, count)[place])
    parts, accepted = jax.vmap(one.move)(held.parts, betas[place], keys)
    energies = jax.vmap(one.energy)(parts)[slot]
    slot, swapped = swap_neighbours(betas, energies, slot, bits.uniform(swaps, (max(count - 1, 1),)))
    return _Held(parts, slot), TemperingInfo(accepted.mean(), swapped)


def swap_neighbours(betas: Array, energies: Array, slot: Array, dice: Array) -> tuple[Array, Array]:
    """Two rounds of swaps, even pairs then odd ones: the new `slot`, and min(1, exp(d beta d E)) of every pair."""
    pairs = slot.shape[0] - 1
    swapped = jnp.zeros(pairs, jnp.float32)
    for low in range(min(2, pairs)):
        i = np.arange(low, pairs, 2)
        chance = probability((betas[i] - betas[i + 1]) * (energies[i] - energies[i + 1]))
        taken = dice[i] < chance
        slot, energies = (_traded(a, i, taken) for a in (slot, energies))
        swapped = swapped.at[i].set(chance)
    return slot, swapped


def _traded(a: Array, i: np.ndarray, taken: Array) -> Array:
    """Entries i and i + 1 trade places where `taken`."""
    low, high = a[i], a[i + 1]
    return a.at[i].set(jnp.where(taken, high, low)).at[i + 1].set(jnp.where(taken, low, high))


def tempered(model: AbstractEnergy) -> Tempered:
    """The model, if it is a `Tempered`; TypeError otherwise."""
    if not isinstance(model, Tempered):
        raise TypeError(f"expected replicas, Tempered(model, betas); got {type(model).__name__}")
    return model
