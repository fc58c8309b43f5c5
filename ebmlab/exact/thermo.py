"""Thermodynamics from a weighted sum over energies, with nothing that overflows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from ebmlab._check import as_arrays, concrete, inverse_temperature

FAR = 700.0  # exp(-700) is nothing; beyond 745 the exponential is many times slower
CHUNK = 1 << 16  # energies looked at together: they stay in the processor's cache


class Thermodynamics(NamedTuple):
    """Totals of the whole system (divide by n for values per unit), each in the shape of beta, k_B = 1.

    log_z = log sum_x exp(-beta E); energy = <E>; heat_capacity = beta^2 Var E; entropy = log_z + beta <E>;
    free_energy = -log_z / beta, which is -inf at beta = 0.
    """

    log_z: Float[np.ndarray, "..."]
    energy: Float[np.ndarray, "..."]
    heat_capacity: Float[np.ndarray, "..."]
    entropy: Float[np.ndarray, "..."]
    free_energy: Float[np.ndarray, "..."]


def betas(beta: Any) -> np.ndarray:
    """beta as a float64 NumPy array of any shape; ValueError when negative or not finite, TypeError when traced."""
    array = inverse_temperature(beta)
    if not concrete(array):
        raise TypeError(
            "exact functions run outside jit, vmap and grad and take a plain array of beta. "
            "For derivatives use thermodynamics or moments, or jax.nn.logsumexp(-beta * energies(model))"
        )
    return np.asarray(array, np.float64)


def outside_jit(model: Any) -> None:
    """TypeError when the model holds traced arrays."""
    if not concrete(model):
        raise TypeError("exact functions take a model with plain arrays; call them outside jit, vmap and grad")


def each(beta: Any, function: Callable[[float], Any]) -> np.ndarray:
    """function(b) for every b, stacked in the shape of beta."""
    array = betas(beta)
    values = [np.asarray(function(float(b)), np.float64) for b in array.ravel()]
    shape = values[0].shape if values else ()
    return np.reshape(np.array(values), array.shape + shape)[()]


def from_moments(beta: Any, reference: Any, log_z: Any, mean: Any, variance: Any) -> Thermodynamics:
    """From log sum exp(-beta d), <d> and Var d, where d = E - reference."""
    beta = np.asarray(beta, np.float64)
    total = log_z - beta * reference
    with np.errstate(divide="ignore"):
        free = np.where(beta > 0, -total / np.where(beta > 0, beta, 1.0), -np.inf)
    answer = (total, reference + mean, beta**2 * np.maximum(variance, 0.0), log_z + beta * mean, free)
    return Thermodynamics(*(np.asarray(value, np.float64)[()] for value in answer))


def mix(log_w: np.ndarray, mean: np.ndarray, variance: np.ndarray, axis: int = -1) -> tuple[np.ndarray, ...]:
    """log of the summed weights, mean and variance of a mixture; subtracts no large numbers."""
    top = log_w.max(axis, keepdims=True)
    p = np.exp(np.maximum(log_w - top, -FAR))
    z = p.sum(axis, keepdims=True)
    p = p / z
    middle = (p * mean).sum(axis, keepdims=True)
    spread = (p * (variance + (mean - middle) ** 2)).sum(axis)
    return (top + np.log(z)).squeeze(axis), middle.squeeze(axis), spread


def from_levels(energies: Any, *, beta: Any, log_counts: Any = None) -> Thermodynamics:
    """Thermodynamics of levels E_k that hold exp(log_counts_k) states each (one each unless given).

    Infinite energies are states that never occur.
    """
    beta, energies = betas(beta), np.asarray(energies, np.float64).ravel()
    logs = np.zeros(()) if log_counts is None else np.asarray(log_counts, np.float64).ravel()
    if not (allowed := np.isfinite(energies)).all():
        energies = energies[allowed]
        logs = logs[allowed] if logs.ndim else logs
    if not energies.size:
        raise ValueError("every energy is infinite: no state is allowed")
    ground = energies.min()
    shift = np.array([(logs - b * (energies - ground)).max() if logs.ndim else 0.0 for b in beta.ravel()])
    sums = np.zeros((3, beta.size))
    for start in range(0, energies.size, CHUNK):
        d = energies[start : start + CHUNK] - ground
        count = logs[start : start + CHUNK] if logs.ndim else 0.0
        for k, b in enumerate(beta.ravel()):
            w = np.exp(np.maximum(count - b * d - shift[k], -FAR))
            wd = w * d
            sums[:, k] += w.sum(), wd.sum(), (wd * d).sum()
    z, first, second = sums.reshape(3, *beta.shape)
    mean = first / z
    return from_moments(beta, ground, np.log(z) + shift.reshape(beta.shape), mean, second / z - mean**2)


def float64_leaves(model: Any) -> Any:
    """The model with every floating parameter as float64; call it inside `jax.enable_x64(True)`."""

    def widen(leaf: Any) -> Any:
        # always a copy: XLA may remember a 32-bit constant for an array that some jitted function closed over
        if isinstance(leaf, jax.Array | np.ndarray) and np.issubdtype(leaf.dtype, np.floating):
            return np.array(leaf, np.float64)
        return leaf.copy() if isinstance(leaf, np.ndarray) else leaf

    return jax.tree.map(widen, as_arrays(model))
