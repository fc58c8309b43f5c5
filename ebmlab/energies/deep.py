"""Deep Boltzmann machines: any number of layers, each coupled to the next."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ebmlab import bits
from ebmlab._check import one_key, whole
from ebmlab.energies.layered import (
    AbstractLayered,
    Layers,
    as_bias,
    as_units,
    as_weights,
    dot,
    product,
    pull,
    pull_back,
)
from ebmlab.units import AbstractUnits


class DBM(AbstractLayered):
    """The deep Boltzmann machine: E(x_0, ..., x_L) = -sum_k x_k^T W_k x_(k+1) - sum_k b_k^T x_k.

    weights: L matrices W_k (n_k, n_(k+1)); biases: one number, or L + 1 entries, each one number or (n_k,); units:
    "binary", "spin", or one entry of Binary(n_k), Spin(n_k) or such a word for each layer. Layer 0 is the visible one.
    Source: R. Salakhutdinov and G. Hinton, AISTATS 2009, 448.
    """

    weights: tuple[Float[Array, "n m"], ...]
    biases: tuple[Float[Array, " n"], ...]
    units: tuple[AbstractUnits, ...]

    def __init__(self, weights: Sequence[Any], biases: Any = 0.0, units: Any = "binary"):
        if not isinstance(weights, tuple | list) or not weights:
            raise TypeError(f"weights must be a tuple of matrices, one for each pair of layers; got {weights!r}")
        self.weights = tuple(as_weights(f"weights[{k}]", w, "n m") for k, w in enumerate(weights))
        for k, (low, high) in enumerate(pairwise(self.weights)):
            if low.shape[1] != high.shape[0]:
                raise ValueError(
                    f"weights[{k}] of shape {low.shape} ends in {low.shape[1]} units, but weights[{k + 1}] of shape "
                    f"{high.shape} starts with {high.shape[0]}"
                )
        sizes = (self.weights[0].shape[0], *(w.shape[1] for w in self.weights))
        kinds = _each("units", units, len(sizes))
        self.units = tuple(as_units(kinds[k], n, f"layer {k}") for k, n in enumerate(sizes))
        given = _each("biases", biases, len(sizes))
        self.biases = tuple(as_bias(f"biases[{k}]", given[k], (n,)) for k, n in enumerate(sizes))

    @property
    def interactions(self) -> tuple[Any, ...]:
        """The matrices W_k."""
        return self.weights

    def energy(self, x: Layers) -> Float[Array, ""]:
        """-sum_k x_k^T W_k x_(k+1) - sum_k b_k^T x_k."""
        own = sum(dot(bias, layer) for bias, layer in zip(self.biases, x, strict=True))
        return jnp.asarray(-own - sum(product(x[k], w, x[k + 1]) for k, w in enumerate(self.weights)))

    def layer_field(self, x: Layers, k: int) -> Array:
        """b_k + W_(k-1)^T x_(k-1) + W_k x_(k+1)."""
        field = jnp.asarray(self.biases[k])
        if k > 0:
            field = field + pull(x[k - 1], self.weights[k - 1])
        if k < len(self.weights):
            field = field + pull_back(x[k + 1], self.weights[k])
        return field


def _each(name: str, given: Any, count: int) -> tuple[Any, ...]:
    """One entry for each layer, from a tuple or list of them or one for all."""
    if not isinstance(given, tuple | list):
        return (given,) * count
    if len(given) != count:
        raise ValueError(f"{name} must be one for all layers or one for each of {count}; got {len(given)}")
    return tuple(given)


def random_dbm(sizes: Sequence[int], *, key: Array, scale: float = 0.01, units: Any = "binary") -> DBM:
    """A DBM to start training from: weights normal with standard deviation `scale`, biases 0 (float32).

    sizes: units in each layer, the visible one first, as (784, 500, 500).
    """
    if not isinstance(sizes, tuple | list) or len(sizes) < 2:
        raise ValueError(f"sizes must name at least two layers, as (8, 32, 8); got {sizes!r}")
    counts = [whole("the size of a layer", n) for n in sizes]
    keys = bits.split(one_key(key), len(counts) - 1)
    shapes = zip(pairwise(counts), keys, strict=True)
    weights = tuple(scale * jax.random.normal(k, shape, jnp.float32) for shape, k in shapes)
    return DBM(weights, tuple(jnp.zeros(n, jnp.float32) for n in counts), units)
