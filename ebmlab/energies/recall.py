"""Zero-temperature dynamics of many starts at once: a memory recalls, a glass falls into a local minimum."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab._check import as_arrays, concrete, one_key, whole
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.energies.glasses import PSpin, one_layer, spins
from ebmlab.energies.lattice import IsingLattice
from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.energies.potts import Potts
from ebmlab.units import Spin

BLOCK = 32  # spins whose fields are found by one matrix product
ROUNDING = 2.0**-20  # 8 times the spacing of float32 at 1: smaller fields, in units of their terms, count as none
MOST_SWEEPS = 2**31 - 1


def as_array(s: Any) -> Any:
    """A state of one layer as its array."""
    return jnp.asarray(one_layer(s))


def field_slack(model: AbstractEnergy) -> Callable[[State], Array]:
    """How large a field must be at a state to turn a unit, one number or one for each site: the rule of all descents.

    Below lies rounding, and a unit without a field keeps its value. 8 eps (sum_j |J_ij| + |h_i|) where the couplings
    are known; else 8 eps times the scale of the energy: |E| where fields are differences of energies, |E| / n else.
    """
    size = _field_size(model)
    if size is not None:
        return lambda x: ROUNDING * size
    if (of_products := getattr(model, "size_of", None)) is not None:
        return lambda x: ROUNDING * of_products(jnp.asarray(model.patterns) @ x[0])  # type: ignore[attr-defined]
    differences = type(model).local_field is AbstractEnergy.local_field
    count = 1 if differences else sum(layer.size for layer in model.units)
    return lambda x: ROUNDING * jnp.abs(model.energy(x)) / count


def _field_size(model: AbstractEnergy) -> Array | None:
    """sum_j |J_ij| + |h_i| of every site, None for energies of other kinds."""
    if isinstance(model, Pairwise | DensePairwise | PSpin):
        return model.field_size()
    if isinstance(model, Potts):
        return model.bonds.field_size() + jnp.abs(jnp.asarray(model.fields)).max(-1)
    if isinstance(model, IsingLattice):
        pull = 2 * jnp.abs(jnp.broadcast_to(jnp.asarray(model.coupling), (len(model.shape),))).sum()
        return pull + jnp.broadcast_to(jnp.abs(jnp.asarray(model.external)), model.shape).ravel()
    return None


class Retrieval(NamedTuple):
    """Where the dynamics ended: `state` in the form of the start, `sweeps` until the last flip, and the `energy`.

    sweeps: 0 where the start was stable, and the largest allowed where it may not have come to rest.
    """

    state: Any
    sweeps: Int[Array, "..."]
    energy: Float[Array, "..."]


def retrieve(model: AbstractEnergy, s: Any, *, key: Array, sweeps: int = 50) -> Retrieval:
    """Zero-temperature dynamics: spins in a random order turn to their local field, until none moves.

    A spin with no field keeps its value, so the energy never rises. s: (N,), or many starts (..., N), which share
    the order of visits (faster than jax.vmap with a key for each, which works too); or the tuple (s,).
    model: any energy over one layer of spins; a visit costs O(N) for `DensePairwise`, O(K) for `DenseHopfield`,
    else one `local_field`.
    """
    _check_spins(model)
    if whole("sweeps", sweeps) > MOST_SWEEPS:
        raise ValueError(f"sweeps must be at most 2^31 - 1; got {sweeps}. The descent ends by itself, so 50 are many")
    starts, shape = as_array(s), model.units[0].shape
    if starts.shape[starts.ndim - len(shape) :] != shape:
        raise ValueError(f"the model's states have shape {shape}; got {starts.shape}")
    if concrete(starts):
        spins("the start", starts, starts.shape)
    many = starts.shape[: starts.ndim - len(shape)]
    columns = starts.reshape(-1, model.units[0].size).T.astype(model.units[0].dtype)
    end, last, energy = _descend(as_arrays(model), columns, one_key(key), jnp.int32(sweeps))
    state = end.T.reshape(starts.shape)
    return Retrieval((state,) if isinstance(s, tuple) else state, last.reshape(many), energy.reshape(many))


def _check_spins(model: Any) -> None:
    if not isinstance(model, AbstractEnergy):
        raise TypeError(f"expected an energy over one layer of Spin units; got {type(model).__name__}")
    if len(model.units) != 1 or not isinstance(model.units[0], Spin):
        kinds = [type(layer).__name__ for layer in model.units]
        remedy = ". Bits are turned into spins by convert.to_spin" if kinds == ["Binary"] else ""
        raise TypeError(
            f"expected an energy over one layer of Spin units; got {type(model).__name__} of {kinds}{remedy}"
        )


@eqx.filter_jit
def _descend(model: AbstractEnergy, s: Array, key: Array, sweeps: Array) -> tuple[Array, Array, Array]:
    """States (N, starts) at rest, the last sweep in which each moved, and their energies."""
    n, starts = s.shape
    through = _through_matrix(model, s.dtype) if isinstance(model, DensePairwise) else _one_by_one(model)

    def sweep(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        t, s, last, _ = carry
        new = through(s, jax.random.permutation(bits.fold_in(key, t), n))
        moved = (new != s).any(0)
        return t + 1, new, jnp.where(moved, t + 1, last), moved

    def go_on(carry: tuple[Any, ...]) -> Array:
        return (carry[0] < sweeps) & carry[-1].any()

    begin = (jnp.int32(0), s, jnp.zeros(starts, jnp.int32), jnp.ones(starts, bool))
    _, s, last, _ = jax.lax.while_loop(go_on, sweep, begin)
    return s, last, jax.vmap(lambda one: model.energy((one.reshape(model.units[0].shape),)), 1)(s)


def _through_matrix(model: DensePairwise, dtype: Any) -> Callable[[Array, Array], Array]:
    """One sweep: the fields of BLOCK sites at once by a matrix product, then corrected spin by spin."""
    J, h = jnp.asarray(model.matrix, dtype), jnp.asarray(model.fields, dtype)
    n = h.size
    size = min(BLOCK, n)
    slack = ROUNDING * model.field_size()

    def block(b: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        s, order = carry
        sites = jax.lax.dynamic_slice(order, (b * size,), (size,))
        rows = J[sites]
        inner, least = rows[:, sites], jnp.where(b * size + jnp.arange(size) < n, slack[sites], jnp.inf)

        def visit(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            mine, field = carry
            change = jnp.where(mine[k] * field[k] < -least[k], -2 * mine[k], 0.0)
            return mine.at[k].add(change), field + inner[:, k, None] * change

        mine, _ = jax.lax.fori_loop(0, size, visit, (s[sites], h[sites, None] + rows @ s))
        return s.at[sites].set(mine, mode="drop"), order

    def sweep(s: Array, order: Array) -> Array:
        blocks = -(-n // size)
        filled = jnp.concatenate([order, order[: blocks * size - n]])  # these stand idle: their slack is infinite
        return jax.lax.fori_loop(0, blocks, block, (s, filled))[0]

    return sweep


def _one_by_one(model: AbstractEnergy) -> Callable[[Array, Array], Array]:
    """One sweep of visits, each with one local field for every start."""
    if hasattr(model, "field_of_products"):
        return _by_products(model)
    shape, slack_at = model.units[0].shape, field_slack(model)
    local = jax.vmap(lambda one, i: model.local_field((one.reshape(shape),), i), (1, None))

    def sweep(s: Array, order: Array) -> Array:
        slack = jax.vmap(lambda one: slack_at((one.reshape(shape),)), 1, -1)(s)  # (starts,) or (n, starts)

        def visit(k: Array, s: Array) -> Array:
            i = order[k]
            least = slack[i] if slack.ndim == 2 else slack
            return s.at[i].add(jnp.where(s[i] * local(s, i) < -least, -2 * s[i], 0.0))

        return jax.lax.fori_loop(0, s.shape[0], visit, s)

    return sweep


def _by_products(memory: Any) -> Callable[[Array, Array], Array]:
    """The same for a memory that finds its fields from the products xi_mu . s, which follow every flip."""
    xi = jnp.asarray(memory.patterns)
    fields, sizes = jax.vmap(memory.field_of_products, (1, 0, None)), jax.vmap(memory.size_of, 1)

    def sweep(s: Array, order: Array) -> Array:
        def visit(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            s, known = carry
            i = order[k]
            flips = s[i] * fields(known, s[i], i) < -ROUNDING * sizes(known)
            change = jnp.where(flips, -2 * s[i], 0.0)
            return s.at[i].add(change), known + xi[:, i, None] * change

        return jax.lax.fori_loop(0, s.shape[0], visit, (s, xi @ s))[0]

    return sweep
