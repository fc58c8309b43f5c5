"""Single-unit moves of many walkers at once, with any rule of acceptance; and the energies that a model can have."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab import bits
from ebmlab.energies.base import AbstractEnergy, State, discrete_values, place, random_states, read, site_count
from ebmlab.units import AbstractTwoValued

MOST_LEVELS = 8192
SWEEPS = 200  # of an exploring run, and of one attempt to reach a window
MARGIN = 0.05  # of the explored range: bins on either side for levels that exploring missed
EQUAL = 1e-5  # energies that agree to this share of the largest are one level

Rule = Callable[[Any, Array, Array, Array], tuple[Any, Array]]


def sweep(model: AbstractEnergy, x: State, energy: Array, memory: Any, rule: Rule, *, key: Array) -> Any:
    """n proposals for each walker, one unit at a time: (states, energies, memory).

    All walkers try the same unit, picked at random; which value it would take and the dice are their own. rule(memory,
    energies (W,), proposed energies (W,), log dice (W,)) -> (memory, accepted (W,)). An energy changes by the unit's
    local field, so a move costs as much as a local field does.
    """
    values, two_valued = jnp.asarray(discrete_values(model.units)), isinstance(model.units[0], AbstractTwoValued)
    n, levels, walkers = site_count(model), len(values), len(energy)
    which, value, decide = bits.split(key, 3)
    sites = (bits.uniform(which, (n,)) * n).astype(jnp.int32)
    dice = jnp.log(bits.uniform(decide, (n, walkers)))
    hops = 1 + (bits.uniform(value, (n, walkers)) * (levels - 1)).astype(jnp.int32) if levels > 2 else None

    def propose(x: State, site: Array, hop: Any) -> tuple[Array, Array, Array]:
        """The value now, the proposed one, and the energy that it costs."""
        old, field = read(x, site), model.local_field(x, site)
        if two_valued:
            new = values[0] + values[1] - old
            return old, new, -(new - old) * field
        new = (old + hop) % levels
        return old, new, field[old] - field[new]

    def body(t: Array, carry: Any) -> Any:
        x, energy, memory = carry
        hop = None if hops is None else hops[t]
        old, new, cost = jax.vmap(propose, (0, None, None if hop is None else 0))(x, sites[t], hop)
        proposed = energy + cost.astype(jnp.float32)
        memory, taken = rule(memory, energy, proposed, dice[t])
        x = jax.vmap(place, (0, None, 0))(x, sites[t], jnp.where(taken, new, old))
        return x, jnp.where(taken, proposed, energy), memory

    return jax.lax.fori_loop(0, n, body, (x, energy, memory))


def energies(model: AbstractEnergy, x: State) -> Float[Array, " walkers"]:
    """E of each walker, float32."""
    return jax.vmap(model.energy)(x).astype(jnp.float32)


@eqx.filter_jit
def _random_states(model: AbstractEnergy, keys: Array) -> tuple[State, Array]:
    x = random_states(model, keys)
    return x, energies(model, x)


@eqx.filter_jit
def _pulled(model: AbstractEnergy, x: State, betas: Array, pull: Array, window: Array, key: Array) -> Any:
    """One sweep at each row of betas (SWEEPS, walkers), which may be negative: (states, energies after each sweep).

    A walker outside the window feels pull x its distance as well; one inside never leaves it.
    """

    def away(energy: Array) -> Array:
        return jnp.maximum(window[0] - energy, 0.0) + jnp.maximum(energy - window[1], 0.0)

    def rule(beta: Array, energy: Array, proposed: Array, dice: Array) -> tuple[Array, Array]:
        leaves = (away(energy) == 0) & (away(proposed) > 0)
        gain = -beta * (proposed - energy) - pull * (away(proposed) - away(energy))
        return beta, ~leaves & (dice < gain)

    def body(x: State, now: Any) -> Any:
        beta, key = now
        x, _, _ = sweep(model, x, energies(model, x), beta, rule, key=key)
        return x, energies(model, x)

    return jax.lax.scan(body, x, (betas, bits.split(key, SWEEPS)))


class Explored(NamedTuple):
    """Energies met, the walkers at the end, and the typical energy of one move."""

    met: Float[np.ndarray, " count"]
    x: State
    scale: float


def explore(model: AbstractEnergy, *, key: Array, walkers: int) -> Explored:
    """From random states, half of the walkers cool to a low temperature, half heat beyond infinite temperature."""
    begin, walk = bits.split(key)
    x, first = _random_states(model, bits.split(begin, walkers))
    scale = float(first.std()) / np.sqrt(site_count(model)) + 1e-6 * float(jnp.abs(first).max()) + 1e-30
    turn = np.where(np.arange(walkers) % 2 == 0, 6.0, -6.0) / scale
    everywhere = jnp.array([-np.inf, np.inf], jnp.float32)
    betas = jnp.asarray(np.linspace(0, 1, SWEEPS)[:, None] * turn, jnp.float32)
    x, trace = _pulled(model, x, betas, jnp.float32(0), everywhere, walk)
    met = np.concatenate([np.asarray(first), np.asarray(trace).ravel()]).astype(np.float64)
    if not np.isfinite(met).all():
        raise ValueError(f"exploring met {int((~np.isfinite(met)).sum())} energies that are NaN or infinite")
    return Explored(met, x, scale)


def spacing(met: Float[np.ndarray, " count"]) -> float | None:
    """The largest step that all differences of the energies are whole multiples of; None where there is no grid."""
    slack = EQUAL * np.abs(met).max()
    levels = np.unique(met)
    gaps = np.unique(np.diff(levels))
    step = 0.0
    for gap in gaps[gaps > slack]:
        a, b = float(gap), step
        while b > slack * 10:
            a, b = b, abs(a - b * round(a / b))
        step = a
        if step * MOST_LEVELS < np.ptp(met):
            return None
    if not step:
        return None
    number = (levels - levels[0]) / step
    step *= float((number @ number) / (np.round(number) @ number)) if np.any(number) else 1.0
    return step if np.abs(number - np.round(number)).max() < 0.05 else None


def grid(met: Float[np.ndarray, " count"], window: tuple[float, float] | None) -> Float[np.ndarray, " m+1"] | None:
    """Edges half-way between the levels, with some room on either side unless a window says where to stop."""
    step = spacing(met)
    if step is None:
        return None
    low, high = float(met.min()), float(met.max())
    room = int(np.ceil(MARGIN * (high - low) / step)) + 1
    number = np.arange(-room, round((high - low) / step) + room + 1)
    levels = low + step * number
    if window is not None:
        slack = EQUAL * np.abs(met).max()
        levels = levels[(levels >= window[0] - slack) & (levels <= window[1] + slack)]
    return np.append(levels - step / 2, levels[-1] + step / 2) if len(levels) else None


def into_window(model: AbstractEnergy, found: Explored, low: float, high: float, *, key: Array) -> State:
    """Walkers with low <= E < high, drawn towards the window; those that miss it copy one that did not."""
    x, energy = found.x, np.asarray(energies(model, found.x))
    window, calm = jnp.array([low, np.nextafter(high, low)], jnp.float32), jnp.zeros((SWEEPS, len(energy)))
    for turn in range(5):
        inside = np.flatnonzero((energy >= low) & (energy < high))
        if len(inside) == len(energy):
            return x
        x, trace = _pulled(model, x, calm, jnp.float32(2 / found.scale), window, bits.fold_in(key, turn))
        energy = np.asarray(trace[-1])
    inside = np.flatnonzero((energy >= low) & (energy < high))
    if not len(inside):
        raise ValueError(
            f"no state found with an energy between {low:g} and {high:g}: {len(energy)} walkers ended at energies "
            f"{float(energy.min()):g} to {float(energy.max()):g}. Widen the window, or let the walk find its own"
        )
    number = np.arange(len(energy))
    chosen = np.where(np.isin(number, inside), number, inside[number % len(inside)])
    return tuple(layer[chosen] for layer in x)
