"""Random bits: the same numbers as `jax.random`, written so that they fuse into whatever uses them.

JAX lowers its Threefry to rolled loops on a CPU. One straight-line expression over a counter gives the very same
bits and melts into the sampler's own loop: two to four times faster there, and no slower on an accelerator.
Outside `jit` each function hands over to `jax.random`.
Algorithm: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (20 rounds).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from ebmlab._check import concrete

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry(key: tuple[Array, Array], counter: tuple[Array, Array]) -> tuple[Array, Array]:
    """Threefry-2x32, 20 rounds: two uint32 words from a key of two words and a counter of two words."""
    words = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    a, b = counter[0] + words[0], counter[1] + words[1]
    for i in range(5):
        for r in ROTATIONS[i % 2]:
            a = a + b
            b = a ^ ((b << np.uint32(r)) | (b >> np.uint32(32 - r)))
        a, b = a + words[(i + 1) % 3], b + words[(i + 2) % 3] + np.uint32(i + 1)
    return a, b


def _counts_up() -> bool:
    """Whether JAX numbers its draws by one counter (its default), as this file does."""
    return bool(jax.config.jax_threefry_partitionable)  # type: ignore[attr-defined]


def _words(key: Array) -> tuple[Array, Array] | None:
    """The two words of a Threefry key under `jit`; None for other generators and outside, which keep JAX's own path."""
    if concrete(key):
        return None
    data = jax.random.key_data(key)
    return (data[..., 0], data[..., 1]) if data.shape == (2,) else None


def _counter(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """0, 1, 2, ... in C order as the two words of a 64-bit counter."""
    size = int(np.prod(shape))
    if size < 2**32:
        low = jnp.zeros(shape, jnp.uint32)
        for axis, stride in enumerate(np.cumprod((1, *shape[:0:-1]))[::-1] if shape else ()):
            low = low + jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * np.uint32(stride)
        return jnp.zeros((), jnp.uint32), low
    raise ValueError(f"one draw of {size} numbers is above 2^32; split the key and draw in parts")


def bits(key: Array, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """32 random bits each: bit for bit `jax.random.bits(key, shape)`."""
    words = _words(key)
    if words is None or not _counts_up():
        return jax.random.bits(key, shape, jnp.uint32)  # the default would be 64 bits under x64
    a, b = threefry(words, _counter(shape))
    return a ^ b


def uniform(key: Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Uniform in [0, 1), float32: the same numbers as `jax.random.uniform(key, shape)`."""
    mantissa = (bits(key, shape) >> np.uint32(9)) | np.uint32(0x3F800000)
    return jax.lax.bitcast_convert_type(mantissa, jnp.float32) - jnp.float32(1)


def _as_key(data: Array, key: Array) -> Array:
    """Key words as a key of the kind of `key`: typed, or raw words."""
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(key)) if typed else data


def fold_in(key: Array, number: Array | int) -> Array:
    """A new key from a key and a number: the same key as `jax.random.fold_in`."""
    words = _words(key)
    if words is None:
        return jax.random.fold_in(key, number)
    data = jnp.stack(threefry(words, (jnp.zeros((), jnp.uint32), jnp.asarray(number).astype(jnp.uint32))))
    return _as_key(data, key)


def split(key: Array, count: int = 2) -> Array:
    """`count` new keys: the same keys as `jax.random.split`."""
    words = _words(key)
    if words is None or not _counts_up():
        return jax.random.split(key, count)
    data = jnp.stack(threefry(words, _counter((count,))), axis=-1)
    return _as_key(data, key)
