"""Every state, one by one: exact for any energy over discrete units, up to 2^24 states."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab.energies.base import AbstractEnergy
from ebmlab.exact.thermo import CHUNK as LEVELS
from ebmlab.exact.thermo import betas, float64_leaves, outside_jit
from ebmlab.units import AbstractDiscrete, AbstractUnits, Walkers

LIMIT = 1 << 24  # states whose energies are kept (128 MiB)
STATES_LIMIT = 1 << 22  # states that are listed one by one
CHUNK = 1 << 14  # states evaluated together


class Exact(NamedTuple):
    """All states in C order (the last site changes fastest) with P(x) = exp(log_p) = exp(-beta E(x) - log_z).

    states: one int8 array for each layer, (N, *shape); energies (N,); log_p (*beta.shape, N); log_z as beta.
    """

    states: tuple[Int[np.ndarray, "N ..."], ...]
    energies: Float[np.ndarray, " N"]
    log_p: Float[np.ndarray, "... N"]
    log_z: Float[np.ndarray, "..."]

    @property
    def p(self) -> Float[np.ndarray, "... N"]:
        """The probabilities."""
        return np.exp(self.log_p)


def count_states(model: AbstractEnergy) -> int:
    """The number of states; TypeError where the units are not discrete, or are the walkers of replicas."""
    if not isinstance(model, AbstractEnergy):
        raise TypeError(f"expected an AbstractEnergy (units and energy(x)); got {type(model).__name__}")
    outside_jit(model)
    if not all(isinstance(layer, AbstractDiscrete) for layer in model.units):
        names = [type(layer).__name__ for layer in model.units]
        raise TypeError(f"enumeration needs discrete units; got {names}. For one or two real variables use density")
    if any(isinstance(layer, Walkers) for layer in model.units):  # their orders carry no weight: they would count twice
        raise TypeError(
            f"{type(model).__name__} holds replicas, which are independent: take the sum of "
            "log_partition(model, beta=betas) of the model inside"
        )
    return math.prod(len(layer.values) ** layer.size for layer in model.units)  # type: ignore[attr-defined]


def check_count(model: AbstractEnergy, limit: int = LIMIT) -> int:
    """The number of states; ValueError, with the memory needed and what to do instead, where it is above `limit`."""
    count = count_states(model)
    if count > limit:
        units = sum(layer.size for layer in model.units)
        gib = count * (8 if limit == LIMIT else 8 + units) / 2**30
        raise ValueError(
            f"{units} units have {count:.3g} states, which would need {gib:.3g} GiB; the limit is {limit}. "
            "Pairwise energies go to 32 units by splitting (log_partition, thermodynamics, moments, marginals). "
            "Beyond: exact.transfer for rings and strips, exact.onsager for the square lattice, or sampling with "
            "thermodynamic integration or annealed importance sampling for log Z"
        )
    return count


def _digits(units: tuple[AbstractUnits, ...], index: Array) -> tuple[Array, ...]:
    """The states of the given numbers, (len(index), *shape) for each layer, in float64 (Categorical: int32)."""
    layers, stride = [], 1
    for layer in reversed(units):
        values = layer.values  # type: ignore[attr-defined]
        base, step = len(values), values[1] - values[0]
        strides = np.array([stride * base**k for k in reversed(range(layer.size))])
        if base == 2:
            digits = (index[:, None] >> np.log2(strides).astype(np.int32)) & 1 if _power(stride) else None
        else:
            digits = None
        if digits is None:
            digits = index[:, None] // jnp.asarray(strides, index.dtype) % base
        even = values == tuple(range(values[0], values[0] + base * step, step))
        chosen = values[0] + step * digits if even else jnp.asarray(values)[digits]
        dtype = layer.dtype if jnp.issubdtype(layer.dtype, jnp.integer) else jnp.float64
        layers.append(chosen.astype(dtype).reshape(-1, *layer.shape))
        stride *= base**layer.size
    return tuple(reversed(layers))


def _power(number: int) -> bool:
    return number & (number - 1) == 0


@eqx.filter_jit
def _evaluate(model: AbstractEnergy, start: Array, count: int, function: Callable[..., Any] | None) -> Array:
    """Energies (or function values) of `count` states from number `start` on."""
    x = _digits(model.units, start + jnp.arange(count, dtype=jnp.int32))
    return jax.vmap(model.energy if function is None else lambda y: jnp.asarray(function(y)))(x)


@eqx.filter_jit
def _flat_states(units: tuple[AbstractUnits, ...], start: Array, count: int) -> Array:
    x = _digits(units, start + jnp.arange(count, dtype=jnp.int32))
    return jnp.concatenate([layer.reshape(count, -1).astype(jnp.float64) for layer in x], axis=1)


def _chunks(total: int) -> Iterator[tuple[int, int, int]]:
    """(start, how many are evaluated, how many of them count)."""
    size = min(total, CHUNK)
    for start in range(0, total, size):
        yield start, size, min(size, total - start)


def _check_scalar(model: AbstractEnergy) -> None:
    def first(model: AbstractEnergy) -> Any:
        return model.energy(tuple(layer[0] for layer in _digits(model.units, jnp.zeros(1, jnp.int32))))

    one = eqx.filter_eval_shape(first, model)
    if getattr(one, "shape", None) != ():
        raise ValueError(
            f"energy(x) must return one number for one state; got shape {getattr(one, 'shape', one)}. "
            "Sum over the units; for many states use jax.vmap(model.energy)"
        )


def states(model: AbstractEnergy) -> tuple[Int[np.ndarray, "N ..."], ...]:
    """All states, one int8 array (N, *shape) for each layer, counted in C order: the last site changes fastest.

    Cast them to float before products of many: 8 bits overflow at 128.
    """
    total = check_count(model, STATES_LIMIT)
    sizes = [layer.size for layer in model.units]
    flat = np.empty((total, sum(sizes)), np.int8)
    with jax.enable_x64(True):
        for start, size, real in _chunks(total):
            flat[start : start + real] = np.asarray(_flat_states(model.units, jnp.int32(start), size))[:real]
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    return tuple(part.reshape(total, *layer.shape) for part, layer in zip(parts, model.units, strict=True))


def energies(model: AbstractEnergy) -> Float[np.ndarray, " N"]:
    """E(x) of every state in float64, in the order of `states`; +inf marks a state that never occurs."""
    total = check_count(model)
    found = np.empty(total)
    with jax.enable_x64(True):
        wide = float64_leaves(model)
        _check_scalar(wide)
        for start, size, real in _chunks(total):
            found[start : start + real] = np.asarray(_evaluate(wide, jnp.int32(start), size, None))[:real]
    if np.isnan(found).any() or np.isneginf(found).any():
        bad = int((np.isnan(found) | np.isneginf(found)).sum())
        raise ValueError(f"the energy is NaN or -inf for {bad} of {total} states (the first is number {_first(found)})")
    if not np.isfinite(found).any():
        raise ValueError("the energy of every state is infinite: no state is allowed")
    return found


def _first(found: np.ndarray) -> int:
    return int(np.flatnonzero(np.isnan(found) | np.isneginf(found))[0])


def boltzmann(model: AbstractEnergy, *, beta: Any) -> Exact:
    """All states with P(x) = exp(-beta E(x)) / Z, where they fit (2^22 states); beta may be an array."""
    beta, listed = betas(beta), states(model)
    levels = energies(model)
    if (need := 8 * beta.size * levels.size) > 2**30:
        raise ValueError(
            f"log_p for {beta.size} values of beta and {levels.size} states would need {need / 2**30:.3g} GiB "
            "(limit 1); use thermodynamics, expectation or marginals, which keep no table"
        )
    lowest = levels.min()
    exponent = -beta[..., None] * np.where(np.isfinite(levels), levels - lowest, 0.0)
    exponent = np.where(np.isfinite(levels), exponent, -np.inf)
    log_sum = np.log(np.exp(exponent).sum(-1))
    return Exact(listed, levels, exponent - log_sum[..., None], (log_sum - beta * lowest)[()])


def _weights(levels: np.ndarray, beta: np.ndarray) -> Callable[[int, int], np.ndarray]:
    """A function (start, count) -> exp(-beta (E - E_0)) of shape (beta.size, count)."""
    ground = levels.min()

    def weights(start: int, count: int) -> np.ndarray:
        d = levels[start : start + count] - ground
        allowed = np.isfinite(d)
        return np.exp(-beta.reshape(-1, 1) * np.where(allowed, d, 0.0)) * allowed

    return weights


def _norm(weights: Callable[[int, int], np.ndarray], total: int) -> np.ndarray:
    return np.sum([weights(start, LEVELS).sum(-1) for start in range(0, total, LEVELS)], axis=0)


def expectation(model: AbstractEnergy, f: Callable[[Any], Any], *, beta: Any) -> Float[np.ndarray, "..."]:
    """<f> = sum_x f(x) exp(-beta E(x)) / Z, of shape beta.shape + f's shape; f(x) takes one state, returns an array.

    Every state is visited once for the energy and once for f, whatever the number of betas.
    """
    beta, levels = betas(beta), energies(model)
    weights = _weights(levels, beta)
    total: Any = 0.0
    shape: tuple[int, ...] = ()
    with jax.enable_x64(True):
        wide = float64_leaves(model)
        for start, size, real in _chunks(levels.size):
            values = np.asarray(_evaluate(wide, jnp.int32(start), size, f), np.float64)[:real]
            shape = values.shape[1:]
            total = total + weights(start, real) @ values.reshape(real, -1)
    answer = total / _norm(weights, levels.size)[:, None]
    return np.reshape(answer, beta.shape + shape)[()]


def enumerate_flat(model: AbstractEnergy, beta: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of (states (k, n) as float64, probabilities (beta.size, k))."""
    levels = energies(model)
    weights = _weights(levels, beta)
    norm = _norm(weights, levels.size)[:, None]
    for start, size, real in _chunks(levels.size):
        with jax.enable_x64(True):
            x = np.asarray(_flat_states(model.units, jnp.int32(start), size))[:real]
        yield x, weights(start, real) / norm
