"""Descent at zero temperature: to the valley's floor, one unit or one block at a time."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ebmlab._check import as_arrays
from ebmlab.energies.base import (
    AbstractConditional,
    AbstractEnergy,
    State,
    check_energy,
    check_state,
    discrete_values,
    place,
    read,
    site_count,
)
from ebmlab.energies.recall import field_slack
from ebmlab.kernels.gibbs import MOST_BLOCKS
from ebmlab.units import AbstractTwoValued

MOST_SWEEPS = 1000  # a descent ends here, should rounding ever let it turn in circles


def quench(model: AbstractEnergy, x: State) -> State:
    """The state at the end of a descent at zero temperature: no change of one unit lowers its energy.

    Sweeps over blocks, or over the sites in order; each unit takes its best value given the rest and keeps its own at
    a tie (`energies.recall.field_slack` says what counts as one). So it may end on a plateau that has an exit further
    on. Discrete units; one state: use `jax.vmap` for many.
    """
    check_energy(model)
    discrete_values(model.units)
    return _quench(as_arrays(model), check_state(model, x))


@eqx.filter_jit
def _quench(model: AbstractEnergy, x: State) -> State:
    by_blocks = (
        isinstance(model, AbstractConditional)
        and isinstance(model.units[0], AbstractTwoValued)
        and 0 < len(model.blocks) <= MOST_BLOCKS
    )
    sweep = _block_sweep if by_blocks else _site_sweep
    start = model.split(x) if by_blocks else x  # type: ignore[attr-defined]
    slack_at = field_slack(model)

    def body(carry: Any) -> Any:
        x, _, count = carry
        new = sweep(model, x, slack_at(model.merge(x) if by_blocks else x))  # type: ignore[attr-defined]
        moved = jnp.stack([(a != b).any() for a, b in zip(x, new, strict=True)]).any()
        return new, moved, count + 1

    end, _, _ = jax.lax.while_loop(lambda c: c[1] & (c[2] < MOST_SWEEPS), body, (start, jnp.array(True), 0))
    return model.merge(end) if by_blocks else end  # type: ignore[attr-defined]


def _block_sweep(model: Any, parts: State, slack: Any) -> State:
    """Each block in turn: every unit on the side of its field."""
    for b, old in enumerate(parts):
        field, kind = model.field(parts, b), model.part_units(b)
        least = slack[jnp.asarray(model.blocks[b])].reshape(old.shape) if slack.ndim else slack
        best = jnp.where(field > least, kind.high, jnp.where(field < -least, kind.low, old))
        parts = (*parts[:b], best.astype(old.dtype), *parts[b + 1 :])
    return parts


def _site_sweep(model: AbstractEnergy, x: State, slack: Any) -> State:
    """One site after another: its best value, the present one at a tie."""
    values = jnp.asarray(discrete_values(model.units))
    two = isinstance(model.units[0], AbstractTwoValued)
    spread = values[1] - values[0] if two else 2  # a gain is field times spread, or the difference of two fields

    def body(site: Array, x: State) -> State:
        field = model.local_field(x, site)
        gain, now = (values * field if two else field), read(x, site)
        best = jnp.argmax(gain)
        better = gain[best] > jnp.where(values == now, gain, -jnp.inf).max() + spread * (
            slack[site] if slack.ndim else slack
        )
        return place(x, site, jnp.where(better, values[best], now))

    return jax.lax.fori_loop(0, site_count(model), body, x)
