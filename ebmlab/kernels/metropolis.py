"""Metropolis sampling: propose a move, accept it with probability min(1, exp(-beta dE + correction))."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab._check import as_parameter, positive
from ebmlab.energies.base import (
    AbstractConditional,
    AbstractEnergy,
    State,
    check_blocks,
    discrete_values,
    place,
    read,
    site_count,
)
from ebmlab.kernels.base import AbstractKernel, Info, accept, info, probability
from ebmlab.units import AbstractTwoValued, Gaussian

Proposal = Callable[[State, Array], tuple[State, Any]]


class Metropolis(AbstractKernel):
    """Accept a proposed x' with probability min(1, exp(-beta (E(x') - E(x)) + log_ratio)), else stay at x.

    Discrete units: one step is a sweep of n proposals, one unit each (two-valued: the other value; Categorical: one
    of the other values, equally often). scan: "random" picks a unit at random each time (default, reversible);
    "sequential" goes through them in order; "blocks" does whole blocks at once for a model with blocks and
    two-valued units (checkerboard Metropolis, the fast one on lattices). In order or by blocks a unit whose field is
    zero flips with certainty, at any beta. Boltzmann's law stays invariant but need not be reached: a closed ring
    without field falls into several classes that never mix, a periodic lattice has states that only alternate
    (diagonal stripes), and at beta = 0 every chain alternates. Use "random" or Gibbs where fields can vanish.
    Gaussian units: one step is one proposal x' = x + step * normal, all coordinates together.
    proposal: a function of your own, (x, key) -> (x', log_ratio), on any units; one step is one proposal, and
    log_ratio = log q(x | x') - log q(x' | x) (0 where the proposal is symmetric). beta does not multiply it.
    Sources: N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953); W. K. Hastings, Biometrika 57, 97 (1970).
    """

    step_size: Float[Array | np.ndarray, ""]
    proposal: Proposal | None
    scan: Literal["random", "sequential", "blocks"] = eqx.field(static=True)

    def __init__(
        self,
        step: Any = 1.0,
        proposal: Proposal | None = None,
        scan: Literal["random", "sequential", "blocks"] = "random",
    ):
        self.step_size = as_parameter(step)
        positive("step", self.step_size)
        if proposal is not None and not callable(proposal):
            raise TypeError(f"proposal must be a function (x, key) -> (x_new, log_ratio); got {proposal!r}")
        if scan not in ("random", "sequential", "blocks"):
            raise ValueError(f"scan must be 'random', 'sequential' or 'blocks'; got {scan!r}")
        self.proposal, self.scan = proposal, scan

    def check(self, model: AbstractEnergy) -> None:
        """TypeError where the units are of mixed kind, or where blocks are asked for and there are none."""
        if self.proposal is not None or _all_gaussian(model):
            return
        if any(isinstance(layer, Gaussian) for layer in model.units):
            names = [type(layer).__name__ for layer in model.units]
            raise TypeError(f"Metropolis needs layers of one kind; got {names}. Give proposal=, or use Gibbs")
        if self.scan == "blocks":
            check_blocks(_blocks_of(model))
        discrete_values(model.units)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One sweep (discrete units), or one proposal (Gaussian units, or your own)."""
        self.check(model)
        if self.proposal is not None:
            return _proposed(model, x, self.proposal, beta=beta, key=key)
        if _all_gaussian(model):
            return _proposed(model, x, self._walk, beta=beta, key=key)
        if self.scan == "blocks":
            split = _blocks_of(model)
            parts, accepted = _blocks(split, split.split(x), beta=beta, key=key)
            return split.merge(parts), info(accepted)
        return _single_units(model, x, beta=beta, key=key, random=self.scan == "random")

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
        """`count` steps; by blocks the state stays split from the first sweep to the last."""
        if self.scan != "blocks" or self.proposal is not None or _all_gaussian(model):
            return AbstractKernel.steps(self, model, x, beta=beta, key=key, first=first, count=count)
        split = _blocks_of(model)

        def body(t: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
            parts, accepted = _blocks(split, carry[0], beta=beta, key=bits.fold_in(key, first + t))
            return parts, carry[1] + accepted

        start = (split.split(x), jnp.zeros((), jnp.float32))
        parts, total = jax.lax.fori_loop(0, count, body, start)
        return split.merge(parts), info(total / count)

    def _walk(self, x: State, key: Array) -> tuple[State, float]:
        noise = normal_like(x, key=key)
        return tuple(a + (self.step_size * z).astype(a.dtype) for a, z in zip(x, noise, strict=True)), 0.0


def normal_like(x: State, *, key: Array) -> State:
    """Independent standard normals in the shapes and dtypes of `x`."""
    keys = bits.split(key, len(x))
    return tuple(jax.random.normal(k, a.shape, a.dtype) for a, k in zip(x, keys, strict=True))


def _all_gaussian(model: AbstractEnergy) -> bool:
    return all(isinstance(layer, Gaussian) for layer in model.units)


def _blocks_of(model: AbstractEnergy) -> AbstractConditional:
    """The model, if it has blocks of two-valued units."""
    if not isinstance(model, AbstractConditional):
        raise TypeError(f"scan='blocks' needs a model with blocks; {type(model).__name__} has none. Use scan='random'")
    kinds = {type(model.part_units(b)) for b in range(len(model.blocks))}
    if not all(issubclass(kind, AbstractTwoValued) for kind in kinds):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(f"scan='blocks' needs Spin or Binary units; got {names}. Use scan='random', or Gibbs")
    return model


def _proposed(model: AbstractEnergy, x: State, proposal: Proposal, *, beta: Any, key: Array) -> tuple[State, Info]:
    """One proposal, accepted or refused."""
    propose, decide = bits.split(key)
    new, log_ratio = proposal(x, propose)
    if not isinstance(new, tuple) or tuple(map(jnp.shape, new)) != tuple(map(jnp.shape, x)):
        got = jax.tree.map(jnp.shape, new)
        raise ValueError(f"the proposal must return a state of shapes {tuple(map(jnp.shape, x))} first; got {got}")
    if jnp.shape(log_ratio) != ():
        raise ValueError(f"the proposal's log_ratio must be one number; got shape {jnp.shape(log_ratio)}")
    return accept(x, new, -beta * (model.energy(new) - model.energy(x)) + log_ratio, key=decide)


def _blocks(model: AbstractConditional, parts: State, *, beta: Any, key: Array) -> tuple[State, Array]:
    """Each block in turn: all its units at once, each offered its other value."""
    keys = bits.split(key, len(parts))
    total, n = jnp.zeros((), jnp.float32), site_count(model)
    for b, old in enumerate(parts):
        kind = model.part_units(b)
        assert isinstance(kind, AbstractTwoValued)
        other = kind.low + kind.high - old
        chance = probability(beta * (other - old) * model.field(parts, b))
        new = jnp.where(bits.uniform(keys[b], old.shape) < chance, other, old)
        parts = (*parts[:b], new, *parts[b + 1 :])
        total = total + chance.sum() / n
    return parts, total


def _single_units(model: AbstractEnergy, x: State, *, beta: Any, key: Array, random: bool) -> tuple[State, Info]:
    """n proposals of one unit each, in order or at random places."""
    values, two_valued = jnp.asarray(discrete_values(model.units)), isinstance(model.units[0], AbstractTwoValued)
    levels, n = len(values), site_count(model)
    which, value, decide = bits.split(key, 3)
    sites = (bits.uniform(which, (n,)) * n).astype(jnp.int32) if random else jnp.arange(n)
    hops = 1 + (bits.uniform(value, (n,)) * (levels - 1)).astype(jnp.int32) if levels > 2 else jnp.ones(n, jnp.int32)
    dice = bits.uniform(decide, (n,))

    def body(t: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        x, total = carry
        old = read(x, sites[t])
        new = values[(jnp.searchsorted(values, old) + hops[t]) % levels]
        field = model.local_field(x, sites[t])
        gain = (new - old) * field if two_valued else field[new] - field[old]
        chance = probability(beta * gain)
        return place(x, sites[t], jnp.where(dice[t] < chance, new, old)), total + chance

    x, total = jax.lax.fori_loop(0, n, body, (x, jnp.zeros((), jnp.float32)))
    return x, info(total / n)
