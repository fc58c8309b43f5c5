"""Checks on what a user hands in: each error says what came, what was expected and what to do."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def as_parameter(value: Any) -> Any:
    """A model parameter: a JAX array stays as it is, anything else becomes float64 NumPy.

    NumPy parameters are cut to float32 by `jit` in JAX's default mode and keep their digits in a float64 context,
    so one model serves fast sampling and exact sums.
    """
    if isinstance(value, jax.Array):
        strong = jnp.issubdtype(value.dtype, jnp.floating) and not value.weak_type
        return value if strong else jax.lax.convert_element_type(value, jnp.result_type(float))
    if type(value) is object:  # `object()` marks leaves inside JAX transformations
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a parameter must be a number or an array of numbers; got {value!r}")
    return array.astype(np.float64)


def as_arrays(tree: Any) -> Any:
    """The model or kernel with every Python float as a float64 array: a new value then does not compile anew."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64) if isinstance(leaf, float) else leaf, tree)


def concrete(*values: Any) -> bool:
    """Whether the values can be looked at now (they are not traced by `jit`, `vmap` or `grad`)."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def finite(name: str, value: Any) -> None:
    """Raise ValueError when a concrete array holds NaN or infinity."""
    if concrete(value) and not np.isfinite(np.asarray(value)).all():
        bad = int((~np.isfinite(np.asarray(value))).sum())
        raise ValueError(f"{name} must be finite; {bad} of its {np.size(value)} entries are NaN or infinite")


def inverse_temperature(beta: Any) -> Float[Array | np.ndarray, "..."]:
    """beta as an array; ValueError when it is negative, infinite or NaN."""
    try:
        array = beta if isinstance(beta, jax.Array) else np.asarray(beta, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"beta must be a number or an array of numbers; got {beta!r}") from error
    if concrete(array):
        values = np.asarray(array)
        if not np.isfinite(values).all() or (values < 0).any():
            raise ValueError(f"beta = 1/(k_B T) must be finite and not negative; got {beta}")
    return array


def positive(name: str, value: Any) -> None:
    """Raise ValueError when a concrete value is not a finite number above zero."""
    if not concrete(value):
        return
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be a number above zero; got {value!r}")
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ValueError(f"{name} must be a finite number above zero; got {value}")


def one_key(key: Any) -> jax.Array:
    """`key` if it is one JAX key; TypeError or ValueError otherwise."""
    if not isinstance(key, jax.Array):
        raise TypeError(f"key must be a JAX key such as jax.random.key(0); got {key!r}")
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed and key.dtype != np.uint32:
        raise TypeError(f"key must be a JAX key such as jax.random.key(0); got an array of {key.dtype}")
    if key.ndim != (0 if typed else 1):
        raise ValueError(f"expected one key; got an array of shape {key.shape}. Take one of them, or use jax.vmap")
    return key


def one_number(name: str, value: Any) -> None:
    """Raise TypeError where `value` is not one number; ValueError where it is an array of them, or not finite."""
    kind = value.dtype.kind if hasattr(value, "dtype") else np.asarray(value).dtype.kind
    if kind not in "biuf":
        raise TypeError(f"{name} must be a number; got {value!r}")
    if np.ndim(value):
        raise ValueError(f"{name} must be one number; got shape {np.shape(value)}. For many values use a loop")
    finite(name, value)


def whole(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`; TypeError or ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    return int(value)


def yes_or_no(name: str, value: Any) -> bool:
    """`value` as a bool; TypeError where it is anything else (a tuple would silently count as True)."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, for all axes alike; got {value!r}")
    return bool(value)
