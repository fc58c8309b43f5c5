"""Simulated tempering: the temperature takes part in the walk."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ebmlab import bits
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.energies.expanded import Expanded
from ebmlab.kernels.base import AbstractKernel, accepted_of, probability
from ebmlab.kernels.gibbs import Gibbs


class MoveInfo(NamedTuple):
    """What a step did: the inner kernel's mean acceptance, and that of the move in temperature, both in [0, 1]."""

    accepted: Float[Array, ""]
    moved: Float[Array, ""]


class SimulatedTempering(AbstractKernel):
    """One step of an `Expanded` model: one step of `within` at betas[k], then a move from k to a neighbour.

    k' = k + 1 or k - 1, each proposed half of the time, accepted with probability
    min(1, exp(-(betas[k'] - betas[k]) E(x) + weights[k'] - weights[k])). Steps off either end are refused, which keeps
    detailed balance between neighbours exact. beta, 1 for the ensemble of the definition, multiplies all of it.
    within: any kernel that fits the inner model. Info: accepted (of `within`; nan if it names none), moved (mean
    acceptance probability of the move; at best 1 - 1/K, since two steps in 2 K lead off the ends).
    Source: E. Marinari and G. Parisi, Europhys. Lett. 19, 451 (1992).
    """

    within: AbstractKernel = eqx.field(default_factory=Gibbs)

    def __check_init__(self) -> None:
        if not isinstance(self.within, AbstractKernel):
            raise TypeError(f"within must be a kernel such as Gibbs(); got {self.within!r}")

    def check(self, model: AbstractEnergy) -> None:
        """The model must be Expanded, and `within` must fit what it expands."""
        self.within.check(_expanded(model).model)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, MoveInfo]:
        """One step of `within`, then one proposed move in temperature."""
        model = _expanded(model)
        inside, choose, decide = bits.split(key, 3)
        *inner, k = x
        betas, weights = jnp.asarray(model.betas), jnp.asarray(model.weights)
        state, info = self.within.step(model.model, tuple(inner), beta=beta * betas[k], key=inside)
        new = k + jnp.where(bits.uniform(choose, ()) < 0.5, 1, -1)
        there = jnp.clip(new, 0, betas.shape[0] - 1)
        gain = -(betas[there] - betas[k]) * model.model.energy(state) + weights[there] - weights[k]
        chance = jnp.where(there == new, probability(beta * gain), 0.0)
        k = jnp.where(bits.uniform(decide, ()) < chance, there, k).astype(k.dtype)
        return (*state, k), MoveInfo(accepted_of(info), chance)


def _expanded(model: AbstractEnergy) -> Expanded:
    """The model, if it is an expanded one."""
    if not isinstance(model, Expanded):
        raise TypeError(
            f"SimulatedTempering moves an energies.expanded.Expanded model; got {type(model).__name__}. "
            "Write Expanded(model, betas, weights)"
        )
    return model
