"""Layered energies: half of the layers one state at a time, the other half summed out by formula.

Given the even layers of a Boltzmann machine the odd ones are independent, and the other way round. So log Z, moments,
the likelihood of data and its gradient need the states of the smaller half only, up to 2^24 of them.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab.energies.layered import AbstractSummable, Layers
from ebmlab.energies.machine import BoltzmannMachine
from ebmlab.exact import products, split
from ebmlab.exact.thermo import Thermodynamics, betas, float64_leaves, from_moments, outside_jit
from ebmlab.units import AbstractDiscrete, Categorical

LIMIT = 1 << 24  # states listed one by one
ENTRIES = 1 << 21  # fields computed together
NEGLIGIBLE = 1e-22  # listed states of a smaller probability are left out of averages


class Plan(NamedTuple):
    """Which layers are summed out, which are listed, and how many states the listed ones have."""

    summed: tuple[int, ...]
    listed: tuple[int, ...]
    states: int


class LayerMoments(NamedTuple):
    """mean_k = <x_k> of each layer, and pair_k = <x_k x_(k+1)> of each two layers that follow each other.

    A categorical layer counts as (n, levels): the probability of each value. Shapes (*beta.shape, ...).
    """

    mean: tuple[Float[np.ndarray, "..."], ...]
    pair: tuple[Float[np.ndarray, "..."], ...]


def plan(model: AbstractSummable, limit: int = LIMIT) -> Plan:
    """The cheapest way to list one half and sum the other; ValueError where even that is too much."""
    options = []
    for summed in (*model.summable, ()):
        listed = tuple(k for k in range(len(model.units)) if k not in summed)
        layers = [model.units[k] for k in listed]
        if all(isinstance(layer, AbstractDiscrete) for layer in layers):
            count = math.prod(len(layer.values) ** layer.size for layer in layers)  # type: ignore[attr-defined]
            options.append(Plan(summed, listed, count))
    if not options:
        raise TypeError("real units can be summed out only where no coupling joins them; use density, or sampling")
    best = min(options, key=lambda option: option.states)
    if best.states > limit:
        sizes = [layer.size for layer in model.units]
        raise ValueError(
            f"layers of {sizes} units: even the smaller half has 2^{math.log2(best.states):.0f} states, "
            f"{best.states / limit:.3g} times the limit of 2^{math.log2(limit):.0f}. Beyond it estimate log Z by "
            "annealed importance sampling"
        )
    return best


def settings(model: AbstractSummable, listed: tuple[int, ...], index: Array) -> Layers:
    """The states of the given numbers, (len(index), *shape) for each listed layer, None for the others."""
    layers: list[Any] = [None] * len(model.units)
    stride = 1
    for k in reversed(listed):
        values = model.units[k].values  # type: ignore[attr-defined]
        base, size = len(values), model.units[k].size
        strides = np.array([stride * base**i for i in reversed(range(size))], np.int32)
        digits = index[:, None] // strides % base
        kind = model.units[k].dtype if jnp.issubdtype(model.units[k].dtype, jnp.integer) else jnp.result_type(float)
        chosen = (values[0] + (values[1] - values[0]) * digits).astype(kind)
        layers[k] = chosen.reshape(-1, *model.units[k].shape)
        stride *= base**size
    return tuple(layers)


def log_weights(model: AbstractSummable, way: Plan, index: Array, beta: Any) -> Float[Array, " k"]:
    """log of the weight of each listed state, the other layers summed out; -inf beyond the last state."""
    x = settings(model, way.listed, index)
    axes = tuple(None if layer is None else 0 for layer in x)
    found = jax.vmap(lambda *x: model.log_weight(x, way.summed, beta=beta), axes, axis_size=len(index))(*x)
    return jnp.where(index < way.states, found, -jnp.inf)


def chunk_size(model: AbstractSummable, way: Plan) -> int:
    """How many states are looked at together."""
    width = max(layer.size for layer in model.units)
    return max(1, min(way.states, 1 << max(6, int(math.log2(ENTRIES / width)))))


def _uncoupled(model: AbstractSummable) -> bool:
    return all(not np.asarray(weights).any() for weights in model.interactions)


@eqx.filter_jit
def _formula(model: AbstractSummable, beta: Array) -> tuple[Array, Array, Array]:
    """log Z of units without couplings, mean and variance of the energy, one of each for every beta."""
    layers = tuple(range(len(model.units)))

    def log_z(b: Array) -> Array:
        return model._log_weight((None,) * len(layers), layers, b)

    slope = jax.grad(log_z)
    return jax.vmap(log_z)(beta), -jax.vmap(slope)(beta), jax.vmap(jax.grad(slope))(beta)


_some_log_weights = eqx.filter_jit(log_weights)


def _all_log_weights(model: AbstractSummable, way: Plan, beta: float) -> Float[np.ndarray, " count"]:
    """log of the weight of every listed state, by products of matrices where they do; inside x64."""
    if products.reaches(model, way.summed, way.listed):
        found = products.log_weights(model, way.summed, way.listed, beta)
        if found is not None:
            return found
    size = chunk_size(model, way)
    parts = [
        np.asarray(
            _some_log_weights(model, way, jnp.arange(size, dtype=jnp.int32) + np.int32(start), jnp.float64(beta))
        )
        for start in range(0, way.states, size)
    ]
    return np.concatenate(parts)[: way.states]


class _Listed(NamedTuple):
    """The numbers of the states that matter, in equal chunks, their probabilities (0 for padding), and log Z."""

    numbers: np.ndarray
    p: np.ndarray
    log_z: float


def listed_states(model: AbstractSummable, way: Plan, beta: float) -> _Listed:
    """Probabilities of the listed states; those below NEGLIGIBLE are left out."""
    logs = _all_log_weights(model, way, beta)
    log_z = float(_log_of_sum(logs))
    index = np.flatnonzero(logs - log_z > math.log(NEGLIGIBLE))
    size = min(chunk_size(model, way), 1 << (len(index) - 1).bit_length())
    empty = -len(index) % size
    chosen = np.concatenate([index, np.zeros(empty, index.dtype)]).astype(np.int32)
    p = np.concatenate([np.exp(logs[index] - log_z), np.zeros(empty)])
    return _Listed(chosen.reshape(-1, size), (p / p.sum()).reshape(-1, size), log_z)


def _log_of_sum(logs: np.ndarray) -> float:
    top = logs.max()
    return top + np.log(np.exp(logs - top).sum())


@eqx.filter_jit
def _energies(model: AbstractSummable, way: Plan, index: Array, beta: Array) -> tuple[Array, Array]:
    """Mean and variance of the energy given each listed state: with L its log weight, -dL/dbeta and d^2 L/dbeta^2."""

    def logs(b: Array) -> Array:
        return log_weights(model, way, index, b)

    def slope(b: Array) -> Array:
        return jax.jvp(logs, (b,), (jnp.ones_like(b),))[1]

    first, second = jax.jvp(slope, (beta,), (jnp.ones_like(beta),))
    return -first, second


def layered_model(model: Any) -> AbstractSummable:
    if not isinstance(model, AbstractSummable):
        raise TypeError(f"expected a layered energy such as RBM, DBM, BoltzmannMachine; got {type(model).__name__}")
    outside_jit(model)
    return model


def _on_graph(model: BoltzmannMachine, method: Callable[..., Any], beta: np.ndarray) -> Any:
    """All units of a Boltzmann machine at once, by splitting: up to 32 units."""
    form = split.quadratic(model.pairwise)
    assert form is not None
    return method(form, beta=beta)


def log_partition(model: AbstractSummable, *, beta: Any) -> Float[np.ndarray, "..."]:
    """log Z of a layered energy in float64, in the shape of beta.

    The smaller of the halves that can be listed (even or odd layers) has at most 2^24 states; a BoltzmannMachine
    at most 32 units; units without couplings: any number, by formula.
    """
    model, beta = layered_model(model), betas(beta)
    with jax.enable_x64(True):
        wide = float64_leaves(model)
        if _uncoupled(model):
            return np.reshape(_formula(wide, jnp.asarray(beta.ravel()))[0], beta.shape)[()]
        if isinstance(model, BoltzmannMachine):
            return _on_graph(model, split.log_partition, beta)
        way = plan(model)
        found = [_log_of_sum(_all_log_weights(wide, way, float(b))) for b in beta.ravel()]
    return np.reshape(found, beta.shape)[()]


def thermodynamics(model: AbstractSummable, *, beta: Any) -> Thermodynamics:
    """log Z, energy, heat capacity, entropy and free energy (totals) of a layered energy, in the shape of beta."""
    model, beta = layered_model(model), betas(beta)
    if isinstance(model, BoltzmannMachine):
        return _on_graph(model, split.thermodynamics, beta)
    found = np.empty((beta.size, 3))
    with jax.enable_x64(True):
        wide = float64_leaves(model)
        if _uncoupled(model):
            rows = _formula(wide, jnp.asarray(beta.ravel()))
            return from_moments(beta, 0.0, *(np.reshape(row, beta.shape) for row in rows))
        way = plan(model)
        for k, b in enumerate(beta.ravel()):
            states = listed_states(wide, way, float(b))
            parts = [_energies(wide, way, index, jnp.float64(b)) for index in states.numbers]
            mean, variance = np.stack([np.stack(part) for part in parts], axis=1)
            middle = (states.p * mean).sum()
            found[k] = states.log_z, middle, (states.p * (variance + (mean - middle) ** 2)).sum()
    log_z, middle, spread = np.reshape(found.T, (3, *beta.shape))
    return from_moments(beta, 0.0, log_z, middle, spread)


@eqx.filter_jit
def _layer_moments(model: AbstractSummable, way: Plan, index: Any, p: Any, beta: Array) -> tuple[Any, Any]:
    """The part of the moments that comes from some of the listed states."""
    x = settings(model, way.listed, index)
    axes = tuple(None if layer is None else 0 for layer in x)
    means = []
    for k, units in enumerate(model.units):
        if k in way.summed:
            average = partial(_layer_mean, model, k, beta)
            found = jax.vmap(average, axes, axis_size=len(index))(*x)
        else:
            found = jax.nn.one_hot(x[k], units.levels, dtype=p.dtype) if isinstance(units, Categorical) else x[k]
        means.append(found)
    pairs = [jnp.tensordot(a * p.reshape(-1, *[1] * (a.ndim - 1)), b, (0, 0)) for a, b in pairwise(means)]
    return tuple(jnp.tensordot(p, a, (0, 0)) for a in means), tuple(pairs)


def _layer_mean(model: AbstractSummable, k: int, beta: Array, *x: Any) -> Array:
    return model.layer_mean(x, k, beta=beta)


def layer_moments(model: AbstractSummable, *, beta: Any = 1.0) -> LayerMoments:
    """<x_k> of each layer and <x_k x_(k+1)> of each two that follow each other, exact, for one beta or many."""
    model, beta = layered_model(model), betas(beta)
    way = plan(model)
    found = []
    with jax.enable_x64(True):
        wide = float64_leaves(model)
        for b in beta.ravel():
            states = listed_states(wide, way, float(b))
            rows = zip(states.numbers, states.p, strict=True)
            parts = [_layer_moments(wide, way, index, p, jnp.float64(b)) for index, p in rows]
            found.append(jax.tree.map(lambda *a: np.sum(a, axis=0), *parts))
    return LayerMoments(*jax.tree.map(lambda *a: np.reshape(a, (*beta.shape, *a[0].shape)), *found))
