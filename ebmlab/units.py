"""What a variable is: its values, and how it is drawn when its neighbours are held fixed.

The factor 2 between +-1 and {0, 1} exists in this file only: p(high) = sigmoid(beta (high - low) field).
"""

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab import bits
from ebmlab._check import as_parameter, positive, whole


def as_shape(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    """A shape from an int or a tuple of ints, all at least 1."""
    lengths = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    return tuple(whole("a length in a shape", length) for length in lengths)


class AbstractUnits(eqx.Module):
    """A layer of alike variables; `shape` is the shape of its state."""

    shape: eqx.AbstractVar[tuple[int, ...]]
    dtype: ClassVar[Any] = jnp.float32

    @property
    def size(self) -> int:
        """Number of variables."""
        return int(np.prod(self.shape))

    @abstractmethod
    def draw(self, field: Float[Array, "..."], *, beta: Any, key: Array) -> Array:
        """States drawn independently, each given its field (see the class for the formula)."""

    @abstractmethod
    def random(self, *, key: Array) -> Array:
        """A state at infinite temperature (Gaussian: of unit beta and no field)."""


class AbstractDiscrete(AbstractUnits):
    """Units with finitely many values."""

    @property
    @abstractmethod
    def values(self) -> tuple[int, ...]:
        """The values a unit can take, lowest first."""


class AbstractTwoValued(AbstractDiscrete):
    """Units with two values, `low` and `high`: p(high) = sigmoid(beta (high - low) field)."""

    low: eqx.AbstractClassVar[int]
    high: eqx.AbstractClassVar[int]

    @property
    def values(self) -> tuple[int, ...]:
        """(low, high)."""
        return (self.low, self.high)

    def probability(self, field: Float[Array, "..."], *, beta: Any) -> Float[Array, "..."]:
        """p(high) = sigmoid(beta (high - low) field), in the field's shape."""
        return jax.nn.sigmoid(beta * (self.high - self.low) * field)

    def draw(self, field: Float[Array, "..."], *, beta: Any, key: Array) -> Array:
        """`high` with probability sigmoid(beta (high - low) field), else `low`."""
        chance = self.probability(field, beta=beta)
        return jnp.where(bits.uniform(key, chance.shape) < chance, self.high, self.low).astype(self.dtype)

    def random(self, *, key: Array) -> Array:
        """Each value with probability one half."""
        return jnp.where(bits.uniform(key, self.shape) < 0.5, self.high, self.low).astype(self.dtype)


class Spin(AbstractTwoValued):
    """Ising spins, s = -1 or +1: p(+1) = sigmoid(2 beta field)."""

    shape: tuple[int, ...] = eqx.field(static=True)
    low: ClassVar[int] = -1
    high: ClassVar[int] = 1

    def __init__(self, shape: int | tuple[int, ...]):
        self.shape = as_shape(shape)


class Binary(AbstractTwoValued):
    """Bits, b = 0 or 1: p(1) = sigmoid(beta field)."""

    shape: tuple[int, ...] = eqx.field(static=True)
    low: ClassVar[int] = 0
    high: ClassVar[int] = 1

    def __init__(self, shape: int | tuple[int, ...]):
        self.shape = as_shape(shape)


class Categorical(AbstractDiscrete):
    """Potts-like units with values 0 ... levels - 1: p(v) proportional to exp(beta field[..., v])."""

    shape: tuple[int, ...] = eqx.field(static=True)
    levels: int = eqx.field(static=True)
    dtype: ClassVar[Any] = jnp.int32

    def __init__(self, shape: int | tuple[int, ...], levels: int):
        self.shape = as_shape(shape)
        self.levels = whole("levels", levels, 2)
        if levels > 127:
            raise ValueError(f"levels must be at most 127 (lists of states hold 8 bits a unit); got {levels}")

    @property
    def values(self) -> tuple[int, ...]:
        """(0, 1, ..., levels - 1)."""
        return tuple(range(self.levels))

    def draw(self, field: Float[Array, "... levels"], *, beta: Any, key: Array) -> Array:
        """Value v with probability softmax(beta field)[v], by inverting the cumulative sum."""
        chance = jnp.cumsum(jax.nn.softmax(beta * field, axis=-1), axis=-1)[..., :-1]
        return (bits.uniform(key, chance.shape[:-1])[..., None] >= chance).sum(-1).astype(self.dtype)

    def random(self, *, key: Array) -> Array:
        """Each value equally often."""
        return (bits.uniform(key, self.shape) * self.levels).astype(self.dtype)


class Walkers(AbstractDiscrete):
    """Which walker stands at each of `count` temperatures: whole numbers 0 ... count - 1, each once.

    The last layer of `Tempered`: only swaps of replicas move it, so that a walker can be followed up and down the
    ladder. A random state is 0, 1, ..., count - 1 in order. At most 127 (lists of states hold 8 bits a unit).
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    dtype: ClassVar[Any] = jnp.int32

    def __init__(self, count: int):
        if whole("count", count) > 127:
            raise ValueError(f"at most 127 walkers fit (lists of states hold 8 bits a unit); got {count}")
        self.shape = (int(count),)

    @property
    def values(self) -> tuple[int, ...]:
        """(0, 1, ..., count - 1)."""
        return tuple(range(self.size))

    def draw(self, field: Float[Array, "..."], *, beta: Any, key: Array) -> Array:
        """TypeError: walkers are moved by swaps of replicas, never drawn."""
        raise TypeError("walkers are not drawn; swaps of replicas move them. Use ebmlab.kernels.ParallelTempering")

    def random(self, *, key: Array) -> Array:
        """0, 1, ..., count - 1: every walker starts at the temperature of its number."""
        return jnp.arange(self.size, dtype=self.dtype)


class Gaussian(AbstractUnits):
    """Real variables with energy x^2 / (2 scale^2) - field x: normal, mean scale^2 field, variance scale^2 / beta.

    scale: one number above zero, or one for each unit.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    scale: Float[Array | np.ndarray, "..."]

    def __init__(self, shape: int | tuple[int, ...], scale: Any = 1.0):
        self.shape = as_shape(shape)
        self.scale = as_parameter(scale)
        positive("scale", self.scale)
        if self.scale.shape not in ((), self.shape):
            raise ValueError(f"scale must be one number or of shape {self.shape}; got shape {self.scale.shape}")

    def draw(self, field: Float[Array, "..."], *, beta: Any, key: Array) -> Array:
        """Normal with mean scale^2 field and standard deviation scale / sqrt(beta)."""
        noise = jax.random.normal(key, field.shape, field.dtype)
        return jnp.asarray(self.scale**2 * field + self.scale / jnp.sqrt(beta) * noise)

    def random(self, *, key: Array) -> Array:
        """Standard normal times `scale`."""
        return jnp.asarray(self.scale * jax.random.normal(key, self.shape, self.dtype), self.dtype)
