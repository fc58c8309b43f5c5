"""What a kernel is: one Markov step that leaves exp(-beta E) as it is."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab.energies.base import AbstractEnergy, State


class Info(NamedTuple):
    """What a step did: the mean acceptance probability, in [0, 1].

    A kernel may return another NamedTuple of arrays; `sample` averages whatever it holds over the kept steps.
    """

    accepted: Float[Array, ""]


def info(accepted: Any = 1.0) -> Info:
    """An `Info` in float32."""
    return Info(jnp.asarray(accepted, jnp.float32))


class AbstractKernel(eqx.Module):
    """A Markov kernel: `step` moves a state and leaves exp(-beta E) invariant.

    The model is an argument, not a part of the kernel, so new weights do not recompile; beta multiplies energy
    differences only, never a proposal's correction.
    """

    @abstractmethod
    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Any]:
        """One step from the state `x`; the new state has the shapes and dtypes of `x`."""

    def steps(
        self,
        model: AbstractEnergy,
        x: State,
        *,
        beta: Any,
        key: Array,
        first: Int[Array, ""] | int,
        count: Int[Array, ""] | int,
    ) -> tuple[State, Any]:
        """`count` steps, the t-th with the key fold_in(key, first + t); the mean of their infos."""

        def body(t: Array, carry: tuple[State, Any]) -> tuple[State, Any]:
            x, total = carry
            x, now = self.step(model, x, beta=beta, key=bits.fold_in(key, first + t))
            return x, jax.tree.map(jnp.add, total, now)

        blank = jax.eval_shape(lambda x: self.step(model, x, beta=beta, key=key)[1], x)
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.result_type(leaf.dtype, jnp.float32)), blank)
        x, total = jax.lax.fori_loop(0, count, body, (x, nothing))
        return x, jax.tree.map(lambda value: value / count, total)

    def check(self, model: AbstractEnergy) -> None:
        """Raise TypeError or ValueError where the kernel does not fit the model; called once by `sample`."""
        return


def accepted_of(told: Any) -> Array:
    """The mean acceptance probability that a kernel's info names; nan where it names none, such as a `Cycle`'s."""
    return jnp.asarray(getattr(told, "accepted", jnp.nan), jnp.float32)


def probability(log_chance: Array) -> Array:
    """min(1, exp(log_chance)), float32; 0 where the energy is NaN, so that a broken proposal is refused."""
    chance = jnp.exp(jnp.minimum(log_chance, 0.0))
    return jnp.where(jnp.isnan(chance), 0.0, chance).astype(jnp.float32)


def accept(x: State, new: State, log_chance: Array, *, key: Array) -> tuple[State, Info]:
    """`new` with probability min(1, exp(log_chance)), else `x`; `new` is brought to the dtypes of `x`."""
    chance = probability(log_chance)
    taken = bits.uniform(key, ()) < chance
    return tuple(jnp.where(taken, b.astype(a.dtype), a) for a, b in zip(x, new, strict=True)), info(chance)
