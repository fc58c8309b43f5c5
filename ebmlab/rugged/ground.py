"""The lowest states: by descent, by annealing many chains, and by looking at every state."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab._check import as_arrays, one_key, whole
from ebmlab.energies.base import (
    AbstractEnergy,
    State,
    check_energy,
    discrete_values,
    random_state,
    site_count,
)
from ebmlab.exact.enumeration import energies
from ebmlab.exact.thermo import float64_leaves
from ebmlab.kernels.gibbs import Gibbs
from ebmlab.rugged.annealing import anneal
from ebmlab.rugged.minima import SAME, states_at
from ebmlab.units import AbstractTwoValued

PROBES = 256  # energy differences that set the temperatures of an annealing
HOT, COLD = 2.0, 0.1  # its first and last temperature, in units of the typical field


class Ground(NamedTuple):
    """What `ground_state` returns: the best state and its energy (float64), the number of chains that ended there.

    energies (chains,): where each chain ended. Many hits in many chains make it likely, not certain, that nothing
    lies lower.
    """

    state: State
    energy: float
    hits: int
    chains: int
    energies: Float[np.ndarray, " chains"]


class GroundStates(NamedTuple):
    """What `ground_states` returns: the lowest energy, the states that have it, their number, and log of that number.

    states: int8 (k, *shape) for each layer, in the order of `exact.states`; k = min(count, `most`).
    """

    energy: float
    states: tuple[Int[np.ndarray, "k ..."], ...]
    count: int  # type: ignore[assignment]  # hides tuple.count
    entropy: float


def ground_state(model: AbstractEnergy, *, key: Array, chains: int = 64, sweeps: int = 2000) -> Ground:
    """The lowest state found by annealing `chains` chains over `sweeps` Gibbs sweeps, each quenched at its end.

    The temperature falls evenly from 2 to 0.1 of the typical field (the root mean square over random states of half
    the energy of a flip). Energies are compared in float64; equal to 1e-9 of the largest counts as a hit. Where only
    few chains hit, give more sweeps. Discrete units of one kind. Source: S. Kirkpatrick, C. D. Gelatt and
    M. P. Vecchi, Science 220, 671 (1983).
    """
    check_energy(model)
    discrete_values(model.units)
    Gibbs().check(model)
    one_key(key)
    whole("chains", chains)
    whole("sweeps", sweeps)
    temperatures = float(_typical_field(as_arrays(model), bits.fold_in(key, 1))) * np.linspace(HOT, COLD, sweeps)
    x = anneal(model, key=bits.fold_in(key, 0), chains=chains, betas=1 / temperatures, quench=True).state
    with jax.enable_x64(True):
        found = np.asarray(_energies(float64_leaves(model), x))
    best = int(found.argmin())
    hits = int((found - found[best] <= SAME * max(1e-300, np.abs(found).max())).sum())
    return Ground(tuple(a[best] for a in x), float(found[best]), hits, chains, found)


@eqx.filter_jit
def _energies(model: AbstractEnergy, x: State) -> Array:
    wide = tuple(a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a for a in x)
    return jax.vmap(model.energy)(wide)


@eqx.filter_jit
def _typical_field(model: AbstractEnergy, key: Array) -> Array:
    """Root mean square over random states and sites of half the spread of a unit's energies."""

    def one(key: Array) -> Array:
        which, draw = bits.split(key)
        site = (bits.uniform(which, ()) * site_count(model)).astype(jnp.int32)
        field = model.local_field(random_state(model, key=draw), site)
        values = discrete_values(model.units)
        gain = field * jnp.asarray(values) if isinstance(model.units[0], AbstractTwoValued) else field
        return (gain.max() - gain.min()) / 2

    scale = jnp.sqrt((jax.vmap(one)(bits.split(key, PROBES)) ** 2).mean())
    return jnp.where(scale > 0, scale, 1.0)


def ground_states(model: AbstractEnergy, *, most: int = 1 << 16) -> GroundStates:
    """All states of lowest energy, by enumeration up to 2^24 states of any discrete units.

    Energies that agree to 1e-9 of the largest are equal. entropy = log(count), k_B = 1. At most `most` states are
    listed; `count` is always that of all.
    """
    whole("most", most)
    levels = energies(model)
    lowest = levels.min()
    reach = np.abs(levels[np.isfinite(levels)]).max()
    index = np.flatnonzero(levels <= lowest + SAME * max(1e-300, reach))
    return GroundStates(float(lowest), states_at(model, index[:most]), index.size, float(np.log(index.size)))
