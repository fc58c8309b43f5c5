"""Gibbs sampling (heat bath): draw units from their distribution given all others."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from ebmlab import bits
from ebmlab.energies.base import (
    AbstractConditional,
    AbstractEnergy,
    State,
    check_blocks,
    discrete_values,
    place,
    site_count,
)
from ebmlab.kernels.base import AbstractKernel, Info, info
from ebmlab.units import AbstractDiscrete

MOST_BLOCKS = 24


class Gibbs(AbstractKernel):
    """One step is one sweep: as many single-unit draws as there are units, each from p(x_i | rest).

    Two-valued units: p(high) = sigmoid(beta (high - low) field). scan: "blocks" updates whole blocks at once, in
    order (chromatic Gibbs); it falls back to "sequential" for a model without blocks, or of discrete units in more
    than MOST_BLOCKS, which would compile slowly. "sequential" goes through the units one by one; "random" picks a
    unit at random each time, and is the only reversible one of the three.
    Source: S. Geman and D. Geman, IEEE PAMI 6, 721 (1984).
    """

    scan: Literal["blocks", "sequential", "random"] = eqx.field(static=True, default="blocks")

    def __check_init__(self) -> None:
        if self.scan not in ("blocks", "sequential", "random"):
            raise ValueError(f"scan must be 'blocks', 'sequential' or 'random'; got {self.scan!r}")

    def check(self, model: AbstractEnergy) -> None:
        """Blocks must be free of inner couplings; single-unit scans need discrete units."""
        if self.by_blocks(model):
            assert isinstance(model, AbstractConditional)
            check_blocks(model)
        else:
            discrete_values(model.units)

    def by_blocks(self, model: AbstractEnergy) -> bool:
        """Whether a step goes by whole blocks for this model."""
        if self.scan != "blocks" or not isinstance(model, AbstractConditional):
            return False
        discrete = all(isinstance(layer, AbstractDiscrete) for layer in model.units)
        return 0 < len(model.blocks) <= (MOST_BLOCKS if discrete else len(model.blocks))

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One sweep."""
        if self.by_blocks(model):
            assert isinstance(model, AbstractConditional)
            return model.merge(sweep(model, model.split(x), beta=beta, key=key)), info()
        return _single_units(model, x, beta=beta, key=key, random=self.scan == "random"), info()

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
        """`count` sweeps; by blocks the state stays split from the first sweep to the last."""
        if not self.by_blocks(model) or (isinstance(count, int) and count == 1):
            return AbstractKernel.steps(self, model, x, beta=beta, key=key, first=first, count=count)
        assert isinstance(model, AbstractConditional)

        def body(t: Array, parts: State) -> State:
            return sweep(model, parts, beta=beta, key=bits.fold_in(key, first + t))

        return model.merge(jax.lax.fori_loop(0, count, body, model.split(x))), info()


def sweep(model: AbstractConditional, parts: State, *, beta: Any, key: Array) -> State:
    """Each block in turn, drawn given the others."""
    keys = jax.lax.optimization_barrier(bits.split(key, len(parts)))  # else derived anew for every unit
    for b, old in enumerate(parts):
        new = model.part_units(b).draw(model.field(parts, b), beta=beta, key=keys[b])
        parts = (*parts[:b], new.astype(old.dtype), *parts[b + 1 :])
    return parts


def _single_units(model: AbstractEnergy, x: State, *, beta: Any, key: Array, random: bool) -> State:
    """n single-unit draws, in order or at random places."""
    kind = model.units[0]
    assert isinstance(kind, AbstractDiscrete)
    n = site_count(model)
    which, draw = bits.split(key)
    sites = (bits.uniform(which, (n,)) * n).astype(jnp.int32) if random else jnp.arange(n)

    def body(t: Array, x: State) -> State:
        field = model.local_field(x, sites[t])
        return place(x, sites[t], kind.draw(field, beta=beta, key=bits.fold_in(draw, t)))

    return jax.lax.fori_loop(0, n, body, x)
