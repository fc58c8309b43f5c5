"""Energies in layers: restricted Boltzmann machines, and what every layered energy can do.

A layer feels its neighbours only, so that whole layers are drawn, averaged or summed out at once, by matrix products.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import as_parameter, finite
from ebmlab.energies.base import AbstractConditional, State
from ebmlab.units import AbstractTwoValued, AbstractUnits, Binary, Categorical, Gaussian, Spin

Layers = tuple[Any, ...]  # a state in which a layer may be None: absent
KINDS = {"binary": Binary, "spin": Spin}
FEW = 256  # chains
RAREST = 1e-3  # means are kept this far (as a probability) from certainty when they become biases


def as_units(given: Any, n: int, what: str) -> AbstractTwoValued:
    """n two-valued units from None (Binary), "binary", "spin" or units of shape (n,)."""
    if given is None or isinstance(given, str):
        if given is not None and given not in KINDS:
            raise ValueError(f"{what} units are 'binary', 'spin', or Binary(n) or Spin(n); got {given!r}")
        return KINDS[given or "binary"](n)
    if not isinstance(given, AbstractTwoValued):
        raise TypeError(f"{what} units must be Binary or Spin, such as Binary({n}); got {given!r}")
    if given.shape != (n,):
        raise ValueError(f"the weights name {n} {what} units; got units of shape {given.shape}")
    return given


def as_bias(name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """A bias of the given shape from an array or one number."""
    array = as_parameter(value)
    if array.ndim == 0:
        array = array * np.ones(shape)
    if array.shape != shape:
        raise ValueError(f"{name} must be one number or of shape {shape}; got shape {array.shape}")
    finite(name, array)
    return array


def as_weights(name: str, value: Any, axes: str) -> Any:
    """A finite parameter with one axis for each letter of `axes`."""
    array = as_parameter(value)
    if array.ndim != len(axes.split()) or 0 in array.shape:
        raise ValueError(f"{name} must have shape ({', '.join(axes.split())}); got shape {array.shape}")
    finite(name, array)
    return array


def log_sum(units: AbstractUnits, field: Array, *, beta: Any) -> Float[Array, ""]:
    """log of the sum (Gaussian: integral) over all states of one layer of exp(beta field x - own), in its `field`.

    own is 0, and beta x^2 / (2 scale^2) for Gaussian units; a categorical x picks its entry of the field.
    """
    if isinstance(units, AbstractTwoValued):
        gap = units.high - units.low
        return (beta * units.low * field + jax.nn.softplus(beta * gap * field)).sum()
    if isinstance(units, Categorical):
        return jax.nn.logsumexp(beta * field, axis=-1).sum()
    if isinstance(units, Gaussian):
        variance = jnp.asarray(units.scale) ** 2
        return 0.5 * (jnp.log(2 * jnp.pi * variance / beta) + beta * variance * field**2).sum()
    raise TypeError(f"cannot sum out {type(units).__name__} units")


def mean(units: AbstractUnits, field: Array, *, beta: Any) -> Array:
    """The mean of each unit given its field; Categorical: the probability of each value, (..., levels)."""
    if isinstance(units, AbstractTwoValued):
        return units.low + (units.high - units.low) * units.probability(field, beta=beta)
    if isinstance(units, Categorical):
        return jax.nn.softmax(beta * field, axis=-1)
    if isinstance(units, Gaussian):
        return jnp.asarray(units.scale) ** 2 * field
    raise TypeError(f"{type(units).__name__} units have no mean")


def field_of_mean(units: AbstractUnits, means: Any) -> Float[np.ndarray, "..."]:
    """The field at which units at beta = 1 have these means: clipped log odds, divided by (high - low) of the values.

    Means: (n,); of Categorical units the frequency of each value (n, levels). Gaussian: mean / scale^2.
    """
    means = np.asarray(means, np.float64)
    shape = (*units.shape, units.levels) if isinstance(units, Categorical) else units.shape
    if means.shape != shape or not np.isfinite(means).all():
        raise ValueError(f"expected finite means of shape {shape}; got shape {means.shape}")
    if isinstance(units, Categorical):
        return np.log(np.clip(means, RAREST, 1.0))
    if isinstance(units, Gaussian):
        return means / np.asarray(units.scale) ** 2
    assert isinstance(units, AbstractTwoValued)
    gap = units.high - units.low
    p = (means - units.low) / gap
    if (p < 0).any() or (p > 1).any():
        raise ValueError(f"means of {type(units).__name__} units lie in [{units.low}, {units.high}]; got {means}")
    p = np.clip(p, RAREST, 1 - RAREST)
    return np.log(p / (1 - p)) / gap


class AbstractSummable(AbstractConditional):
    """An energy of which whole layers can be summed out: given the others, the units of such a layer are independent.

    `summable` names sets of layers that can be summed out together (the empty one where nothing can).
    A layer of `x` that is None counts as absent: its terms are dropped.
    """

    if TYPE_CHECKING:

        @property
        def summable(self) -> tuple[tuple[int, ...], ...]:
            """Sets of layers without couplings inside."""
            ...

        @property
        def interactions(self) -> tuple[Any, ...]:
            """The arrays of couplings: all zero where the units are independent."""
            ...

    else:
        summable: eqx.AbstractVar[tuple[tuple[int, ...], ...]]
        interactions: eqx.AbstractVar[tuple[Any, ...]]

    @abstractmethod
    def layer_field(self, x: Layers, k: int) -> Array:
        """What layer k feels from the others, whatever its own state; Categorical: (..., levels)."""

    def layer_mean(self, x: Layers, k: int, *, beta: Any = 1.0) -> Array:
        """<x_k> given the other layers; Categorical: the probability of each value."""
        return mean(self.units[k], self.layer_field(x, k), beta=beta)

    def log_weight(self, x: Layers, summed: tuple[int, ...] = (), *, beta: Any = 1.0) -> Float[Array, ""]:
        """log sum exp(-beta E(x)) over all states of the layers `summed`, whatever x holds there (None will do).

        With all other layers in x it is the unnormalised log probability of what is left; finite at beta = 0.
        """
        if not any(set(summed) <= set(group) for group in self.summable):
            raise ValueError(f"layers {summed} are coupled; layers that can be summed out together: {self.summable}")
        return self._log_weight(x, summed, beta)

    def _log_weight(self, x: Layers, summed: tuple[int, ...], beta: Any) -> Float[Array, ""]:
        rest: Layers = tuple(None if k in summed else layer for k, layer in enumerate(x))
        total = -beta * self.energy(rest)
        for k in summed:
            total = total + log_sum(self.units[k], self.layer_field(rest, k), beta=beta)
        return total


class AbstractLayered(AbstractSummable):
    """Layers in a chain, each coupled to the next only; every layer is a block.

    The blocks are the even layers, then the odd ones: a sweep draws all even layers given the odd ones, and back.
    Nothing is gathered: the parts of a state are its layers in that order.
    """

    @property
    def order(self) -> tuple[int, ...]:
        """The layers in the order of the blocks: 0, 2, ..., 1, 3, ..."""
        return self.summable[0] + self.summable[1]

    @property
    def summable(self) -> tuple[tuple[int, ...], ...]:
        """The even layers, the odd layers."""
        depth = len(self.units)
        return tuple(range(0, depth, 2)), tuple(range(1, depth, 2))

    @property
    def blocks(self) -> tuple[Int[np.ndarray, " k"], ...]:
        """The sites of each layer, even layers first."""
        ends = np.cumsum([0, *(layer.size for layer in self.units)])
        return tuple(np.arange(ends[k], ends[k + 1]) for k in self.order)

    def split(self, x: State) -> State:
        """The layers, even ones first."""
        return tuple(x[k] for k in self.order)

    def merge(self, parts: State) -> State:
        """The inverse of `split`."""
        layers = dict(zip(self.order, parts, strict=True))
        return tuple(layers[k] for k in range(len(parts)))

    def part_units(self, b: int) -> AbstractUnits:
        """The units of the layer that is block b."""
        return self.units[self.order[b]]

    def field(self, parts: State, b: int) -> Array:
        """`layer_field` of the layer that is block b."""
        return self.layer_field(self.merge(parts), self.order[b])


def product(left: Any, weights: Any, right: Any) -> Any:
    """left^T W right; 0 where one of the two is absent."""
    return 0.0 if left is None or right is None else jnp.vdot(jnp.asarray(left) @ jnp.asarray(weights), right)


def pull(layer: Any, weights: Any) -> Any:
    """What the next layer feels from this one, x W; 0 where it is absent."""
    return 0.0 if layer is None else jnp.asarray(layer) @ jnp.asarray(weights)


def pull_back(layer: Any, weights: Any) -> Any:
    """What the layer before feels from this one, W x; 0 where it is absent."""
    return 0.0 if layer is None else _times(jnp.asarray(weights), jnp.asarray(layer))


@jax.custom_jvp
def _times(weights: Array, x: Array) -> Array:
    return _many_times(weights, x)


@_times.defjvp
def _times_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (weights, x), (dweights, dx) = primals, tangents
    return _times(weights, x), dweights @ x + weights @ dx


@jax.custom_batching.custom_vmap
def _many_times(weights: Array, x: Array) -> Array:
    return weights @ x


@_many_times.def_vmap
def _many_times_vmap(size: int, batched: list[bool], weights: Array, x: Array) -> tuple[Array, bool]:
    """For few chains W is best read along its rows, up to three times faster on a CPU; for many as x W^T."""
    if batched != [False, True]:
        return jax.vmap(jnp.matmul, [0 if b else None for b in batched])(weights, x), True
    return (weights @ x.T).T if size <= FEW else x @ weights.T, True


def dot(bias: Any, layer: Any) -> Any:
    """bias . x; 0 where the layer is absent."""
    return 0.0 if layer is None else jnp.vdot(jnp.asarray(bias), jnp.asarray(layer))


def one_state(x: Any, units: AbstractUnits, name: str) -> Any:
    """`x` if it is one state of the layer: of a batch of them the formulas below would silently take the sum."""
    if jnp.shape(x) != units.shape:
        raise ValueError(f"expected one {name} of shape {units.shape}; got {jnp.shape(x)}. For many use jax.vmap")
    return jnp.asarray(x)


class AbstractRBM(AbstractLayered):
    """Two layers, v and h: what can be summed out and averaged in closed form. The state is (v, h)."""

    def free_energy(self, v: Any, *, beta: Any = 1.0) -> Float[Array, ""]:
        """F(v) = -(1/beta) log sum_h exp(-beta E(v, h)) of one v: P(v) is proportional to exp(-beta F(v)).

        -inf at beta = 0, where `log_weight((v, None), (1,), beta=beta)` = -beta F(v) stays finite.
        """
        return -self.log_weight((one_state(v, self.units[0], "v"), None), (1,), beta=beta) / beta

    def hidden_free_energy(self, h: Any, *, beta: Any = 1.0) -> Float[Array, ""]:
        """-(1/beta) log sum_v exp(-beta E(v, h)) of one h (H,); an integral where v is real."""
        return -self.log_weight((None, one_state(h, self.units[1], "h")), (0,), beta=beta) / beta

    def hidden_mean(self, v: Any, *, beta: Any = 1.0) -> Float[Array, " H"]:
        """<h> given one v: sigmoid(beta field) for bits, tanh(beta field) for spins."""
        return self.layer_mean((one_state(v, self.units[0], "v"), None), 1, beta=beta)

    def visible_mean(self, h: Any, *, beta: Any = 1.0) -> Float[Array, "V ..."]:
        """<v> given one h (H,); of categorical units the probability of each value, (V, levels)."""
        return self.layer_mean((None, one_state(h, self.units[1], "h")), 0, beta=beta)
