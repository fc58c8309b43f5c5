"""Restricted Boltzmann machines: two layers of bits, spins, real or categorical visible units."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import one_key, whole
from ebmlab.energies.layered import (
    AbstractRBM,
    Layers,
    as_bias,
    as_units,
    as_weights,
    dot,
    field_of_mean,
    product,
    pull,
    pull_back,
)
from ebmlab.units import AbstractTwoValued, AbstractUnits, Categorical, Gaussian


class RBM(AbstractRBM):
    """The restricted Boltzmann machine: E(v, h) = -v^T W h - a^T v - b^T h, with no couplings inside a layer.

    weights: W (V, H); visible_bias: a, one number or (V,); hidden_bias: b, one number or (H,); visible, hidden: units,
    Binary unless given ("spin", or Spin(n)). The state is (v, h).
    Source: P. Smolensky, in Parallel Distributed Processing 1, chapter 6 (1986).
    """

    weights: Float[Array | np.ndarray, "V H"]
    visible_bias: Float[Array | np.ndarray, " V"]
    hidden_bias: Float[Array | np.ndarray, " H"]
    units: tuple[AbstractUnits, ...]

    def __init__(
        self, weights: Any, visible_bias: Any = 0.0, hidden_bias: Any = 0.0, visible: Any = None, hidden: Any = None
    ):
        self.weights = as_weights("weights", weights, "V H")
        count, hiddens = self.weights.shape
        self.units = (as_units(visible, count, "visible"), as_units(hidden, hiddens, "hidden"))
        self.visible_bias = as_bias("visible_bias", visible_bias, (count,))
        self.hidden_bias = as_bias("hidden_bias", hidden_bias, (hiddens,))

    @property
    def interactions(self) -> tuple[Any, ...]:
        """(W,)."""
        return (self.weights,)

    def energy(self, x: Layers) -> Float[Array, ""]:
        """-v^T W h - a^T v - b^T h."""
        v, h = x
        return jnp.asarray(-product(v, self.weights, h) - dot(self.visible_bias, v) - dot(self.hidden_bias, h))

    def layer_field(self, x: Layers, k: int) -> Array:
        """a + W h for the visible layer 0, b + W^T v for the hidden layer 1."""
        v, h = x
        if k == 0:
            return jnp.asarray(self.visible_bias) + pull_back(h, self.weights)
        return jnp.asarray(self.hidden_bias) + pull(v, self.weights)


def random_rbm(
    visible: int, hidden: int, *, key: Array, scale: Any = 0.01, data: Any = None, units: str = "binary"
) -> RBM:
    """An RBM to start training from: weights normal with standard deviation `scale`, hidden biases 0 (float32).

    Visible biases are 0, or with data (N, V) the log odds of its means (kept within 0.001 and 0.999), so that the
    untrained machine has the right means. units: "binary" or "spin", both layers.
    """
    shape = (whole("the number of visible units", visible), whole("the number of hidden units", hidden))
    weights = scale * jax.random.normal(one_key(key), shape, jnp.float32)
    bias = jnp.zeros(visible, jnp.float32)
    if data is not None:
        bias = jnp.asarray(field_of_mean(as_units(units, visible, "visible"), data_means(data, visible)), jnp.float32)
    return RBM(weights, bias, jnp.zeros(hidden, jnp.float32), units, units)


def data_means(data: Any, n: int) -> Float[np.ndarray, " n"]:
    """The mean of each column of data (N, n)."""
    rows = np.asarray(data)
    if rows.ndim != 2 or rows.shape[1] != n or not len(rows):
        raise ValueError(f"data must have shape (N, {n}), one example in each row; got shape {rows.shape}")
    return rows.mean(0, dtype=np.float64)


class GaussianRBM(AbstractRBM):
    """Real v, two-valued h, with learned variances s_i^2 = exp(log_variance_i).

    E(v, h) = sum_i (v_i - a_i)^2 / (2 s_i^2) - sum_ij v_i W_ij h_j / s_i^2 - b^T h. Given h, v is normal with mean
    a + W h and variance s^2 / beta. weights: W (V, H); visible_bias: a; hidden_bias: b; log_variance: one number or
    (V,); hidden: units, Binary unless given. Source: K. Cho, A. Ilin and T. Raiko, ICANN 2011, LNCS 6791, 10.
    """

    weights: Float[Array | np.ndarray, "V H"]
    visible_bias: Float[Array | np.ndarray, " V"]
    hidden_bias: Float[Array | np.ndarray, " H"]
    log_variance: Float[Array | np.ndarray, " V"]
    hidden: AbstractTwoValued

    def __init__(
        self,
        weights: Any,
        visible_bias: Any = 0.0,
        hidden_bias: Any = 0.0,
        log_variance: Any = 0.0,
        hidden: Any = None,
    ):
        self.weights = as_weights("weights", weights, "V H")
        count, hiddens = self.weights.shape
        self.hidden = as_units(hidden, hiddens, "hidden")
        self.visible_bias = as_bias("visible_bias", visible_bias, (count,))
        self.hidden_bias = as_bias("hidden_bias", hidden_bias, (hiddens,))
        self.log_variance = as_bias("log_variance", log_variance, (count,))

    @property
    def variance(self) -> Float[Array, " V"]:
        """s^2 = exp(log_variance), above zero whatever training does."""
        return jnp.exp(jnp.asarray(self.log_variance))

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """Gaussian units of scale s, and the hidden ones."""
        return Gaussian(self.weights.shape[0], jnp.sqrt(self.variance)), self.hidden

    @property
    def interactions(self) -> tuple[Any, ...]:
        """(W,)."""
        return (self.weights,)

    def energy(self, x: Layers) -> Float[Array, ""]:
        """sum (v - a)^2 / (2 s^2) - (v / s^2)^T W h - b^T h."""
        v, h = x
        scaled = None if v is None else v / self.variance
        own = (((0.0 if v is None else v) - jnp.asarray(self.visible_bias)) ** 2 / (2 * self.variance)).sum()
        return own - product(scaled, self.weights, h) - dot(self.hidden_bias, h)

    def layer_field(self, x: Layers, k: int) -> Array:
        """(a + W h) / s^2 for the visible layer 0, b + W^T (v / s^2) for the hidden layer 1."""
        v, h = x
        if k == 0:
            return (jnp.asarray(self.visible_bias) + pull_back(h, self.weights)) / self.variance
        return jnp.asarray(self.hidden_bias) + pull(None if v is None else v / self.variance, self.weights)


class CategoricalRBM(AbstractRBM):
    """Visible units with several values: E(v, h) = -sum_ij W_(i v_i j) h_j - sum_i a_(i v_i) - b^T h.

    weights: W (V, levels, H); visible_bias: a, one number or (V, levels); hidden_bias: b; hidden: units, Binary unless
    given. v holds whole numbers 0 ... levels - 1, (V,). Source: R. Salakhutdinov, A. Mnih and G. Hinton, ICML 2007.
    """

    weights: Float[Array | np.ndarray, "V levels H"]
    visible_bias: Float[Array | np.ndarray, "V levels"]
    hidden_bias: Float[Array | np.ndarray, " H"]
    units: tuple[AbstractUnits, ...]

    def __init__(self, weights: Any, visible_bias: Any = 0.0, hidden_bias: Any = 0.0, hidden: Any = None):
        self.weights = as_weights("weights", weights, "V levels H")
        count, levels, hiddens = self.weights.shape
        self.units = (Categorical(count, levels), as_units(hidden, hiddens, "hidden"))
        self.visible_bias = as_bias("visible_bias", visible_bias, (count, levels))
        self.hidden_bias = as_bias("hidden_bias", hidden_bias, (hiddens,))

    @property
    def interactions(self) -> tuple[Any, ...]:
        """(W,)."""
        return (self.weights,)

    @property
    def _matrix(self) -> Float[Array, "V*levels H"]:
        return jnp.asarray(self.weights).reshape(-1, self.weights.shape[-1])

    def _one_hot(self, v: Any) -> Any:
        """1 where a unit has that value, (V * levels,): a product with it is a sum over picked rows."""
        if v is None:
            return None
        return jax.nn.one_hot(v, self.weights.shape[1], dtype=jnp.asarray(self.weights).dtype).ravel()

    def energy(self, x: Layers) -> Float[Array, ""]:
        """-sum_ij W_(i v_i j) h_j - sum_i a_(i v_i) - b^T h."""
        v, h = self._one_hot(x[0]), x[1]
        bias = jnp.asarray(self.visible_bias).ravel()
        return jnp.asarray(-product(v, self._matrix, h) - dot(bias, v) - dot(self.hidden_bias, h))

    def layer_field(self, x: Layers, k: int) -> Array:
        """a + W h, (V, levels), for the visible layer 0; b + W^T of the picked values for the hidden layer 1."""
        if k == 0:
            field = jnp.asarray(self.visible_bias).ravel() + pull_back(x[1], self._matrix)
            return field.reshape(self.weights.shape[:2])
        return jnp.asarray(self.hidden_bias) + pull(self._one_hot(x[0]), self._matrix)
