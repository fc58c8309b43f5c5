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
    """What a step did: mean acceptance probability in [0, 1], and the share of units in the moved cluster (or NaN)."""

    accepted: Float[Array, ""]
    size: Float[Array, ""]


def info(accepted: Any = 1.0, size: Any = jnp.nan) -> Info:
    """An `Info` of float32 scalars."""
    return Info(jnp.asarray(accepted, jnp.float32), jnp.asarray(size, jnp.float32))


class AbstractKernel(eqx.Module):
    """A Markov kernel: `step` moves a state and leaves exp(-beta E) invariant.

    The model is an argument, not a part of the kernel, so new weights do not recompile; beta multiplies energy
    differences only, never a proposal's correction.
    """

    @abstractmethod
    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One step from the state `x`."""

    def steps(
        self,
        model: AbstractEnergy,
        x: State,
        *,
        beta: Any,
        key: Array,
        first: Int[Array, ""] | int,
        count: Int[Array, ""] | int,
    ) -> tuple[State, Info]:
        """`count` steps, the t-th with the key fold_in(key, first + t); the mean of their infos."""

        def body(t: Array, carry: tuple[State, Info]) -> tuple[State, Info]:
            x, total = carry
            x, now = self.step(model, x, beta=beta, key=bits.fold_in(key, first + t))
            return x, Info(*(a + b for a, b in zip(total, now, strict=True)))

        x, total = jax.lax.fori_loop(0, count, body, (x, info(0.0, 0.0)))
        return x, Info(*(value / count for value in total))

    def check(self, model: AbstractEnergy) -> None:
        """Raise TypeError or ValueError where the kernel does not fit the model; called once by `sample`."""
        return
