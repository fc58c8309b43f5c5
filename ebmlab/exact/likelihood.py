"""The likelihood of data under layered energies, and its gradient: exact, the target of all learning."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import concrete
from ebmlab.energies.clamped import Clamped
from ebmlab.energies.layered import AbstractSummable
from ebmlab.exact.layered import (
    ENTRIES,
    Plan,
    chunk_size,
    layered_model,
    listed_states,
    log_partition,
    log_weights,
    plan,
)
from ebmlab.exact.thermo import betas, float64_leaves
from ebmlab.units import AbstractDiscrete, Categorical

INSIDE = 1 << 20  # states listed inside jit


def differentiable_log_partition(model: AbstractSummable, *, beta: Any = 1.0) -> Float[Array, ""]:
    """log Z as a JAX expression: for jit, grad and vmap, in the precision of the mode; up to 2^20 listed states.

    Its gradient with respect to the model is the negative phase of learning: -beta <dE / d parameter>.
    """
    if not isinstance(model, AbstractSummable):
        raise TypeError(f"expected a layered energy such as RBM, DBM, BoltzmannMachine; got {type(model).__name__}")
    way = plan(model, INSIDE)
    size = chunk_size(model, way)
    if size >= way.states:
        return jax.nn.logsumexp(log_weights(model, way, jnp.arange(way.states), beta))

    @jax.checkpoint
    def part(start: Array) -> Array:
        return jax.nn.logsumexp(log_weights(model, way, start + jnp.arange(size), beta))

    return jax.nn.logsumexp(jax.lax.map(part, jnp.arange(0, way.states, size)))


def visible_log_weight(model: AbstractSummable, v: Any, *, beta: Any = 1.0) -> Float[Array, ""]:
    """log sum over all hidden layers of exp(-beta E(v, hidden)) of one v, as a JAX expression."""
    if len(model.units) == 1:
        return model.log_weight((v,), beta=beta)
    return differentiable_log_partition(Clamped(model, {0: v}), beta=beta)


def _rows(model: AbstractSummable, v: Any) -> tuple[np.ndarray, np.ndarray]:
    """Different rows of the data (float64, or whole numbers) and which of them each row is."""
    if not concrete(v):
        raise TypeError("exact likelihoods run outside jit, vmap and grad; inside use visible_log_weight")
    data, units = np.asarray(v), model.units[0]
    if data.ndim != 1 + len(units.shape) or data.shape[1:] != units.shape or not len(data):
        raise ValueError(f"expected data of shape {('N', *units.shape)}, one state in each row; got {data.shape}")
    kind = np.int32 if isinstance(units, Categorical) else np.float64
    rows, which = np.unique(data.reshape(len(data), -1), axis=0, return_inverse=True)
    wrong = ~np.isin(rows, units.values) if isinstance(units, AbstractDiscrete) else ~np.isfinite(rows)
    if wrong.any():
        allowed = units.values if isinstance(units, AbstractDiscrete) else "finite numbers"
        raise ValueError(f"visible units ({type(units).__name__}) allow {allowed}; got {rows[wrong][0]}")
    return rows.reshape(-1, *units.shape).astype(kind), which.ravel()


@eqx.filter_jit
def _visible_log_weights(model: AbstractSummable, v: Any, beta: Array) -> Array:
    return jax.vmap(lambda v: visible_log_weight(model, v, beta=beta))(v)


def _batches(model: AbstractSummable, rows: np.ndarray) -> list[np.ndarray]:
    """Rows in equal parts that fit into memory with all listed hidden states."""
    hidden = plan(Clamped(model, {0: rows[0]}), INSIDE) if len(model.units) > 1 else Plan((), (), 1)
    width = max(layer.size for layer in model.units)
    most = max(1, 4 * ENTRIES // (width * min(hidden.states, ENTRIES // width)))
    return np.array_split(rows, -(-len(rows) // most))


def log_likelihood(model: AbstractSummable, v: Any, *, beta: Any = 1.0) -> Float[np.ndarray, " N"]:
    """log P(v) of each visible state v (N, V), in float64 and nats: log sum_h exp(-beta E(v, h)) - log Z.

    For the mean over data take `.mean()`. Real v: the log of the density. Reach as `log_partition`.
    """
    model, beta = layered_model(model), _one_beta(beta)
    rows, which = _rows(model, v)
    with jax.enable_x64(True):
        wide = float64_leaves(model)
        found = [np.asarray(_visible_log_weights(wide, part, jnp.float64(beta))) for part in _batches(model, rows)]
    return (np.concatenate(found) - log_partition(model, beta=beta))[which]


def _one_beta(beta: Any) -> np.ndarray:
    one = betas(beta)
    if one.shape != ():
        raise ValueError(f"expected one beta; got shape {one.shape}. Call it once for each")
    return one


@eqx.filter_jit
def _grad_of_data(model: AbstractSummable, v: Any, share: Any, beta: Array) -> Any:
    return eqx.filter_grad(lambda m: share @ jax.vmap(lambda v: visible_log_weight(m, v, beta=beta))(v))(model)


@eqx.filter_jit
def _grad_of_log_z(model: AbstractSummable, way: Plan, index: Array, p: Array, beta: Array) -> Any:
    """The part of d log Z = sum_x p(x) dL(x) that comes from some of the listed states, L their log weights."""
    return eqx.filter_grad(lambda m: p @ log_weights(m, way, index, beta))(model)


def likelihood_gradient(model: AbstractSummable, data: Any, *, beta: Any = 1.0) -> Any:
    """The exact gradient of the mean of log P(v) over data (N, V): a pytree like the model, float64 NumPy.

    With respect to a weight it is beta (<v_i h_j> given the data - <v_i h_j> of the model); leaves that are no
    parameters are None, as from `equinox.filter_grad`. Inside jit use `differentiable_log_partition`.
    """
    model, beta = layered_model(model), _one_beta(beta)
    rows, which = _rows(model, data)
    shares = np.bincount(which, minlength=len(rows)) / len(which)
    way = plan(model)
    with jax.enable_x64(True):
        wide, b = float64_leaves(model), jnp.float64(beta)
        batches = _batches(model, rows)
        parts = np.split(shares, np.cumsum([len(batch) for batch in batches])[:-1])
        states = listed_states(wide, way, float(beta))
        plus = [_grad_of_data(wide, batch, share, b) for batch, share in zip(batches, parts, strict=True)]
        minus = [_grad_of_log_z(wide, way, index, p, b) for index, p in zip(states.numbers, states.p, strict=True)]
    total, taken = (jax.tree.map(lambda *a: np.sum(a, axis=0), *part) for part in (plus, minus))
    return jax.tree.map(np.subtract, total, taken)
