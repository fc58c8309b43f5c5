"""Averages over a normal variable, sharp steps included, and functions of numbers applied to arrays."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

NODES = 16  # Gauss-Legendre nodes of a panel
FAR = 9.0  # the normal density beyond is below 1e-17
COLD = 1e-10  # temperatures below count as 0
WIDEST = 1.5  # of a panel


@lru_cache(maxsize=1)
def _panel() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


def nodes(centre: float = 0.0, width: float = math.inf) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Points z and weights w with sum w f(z) = E f(z) for normal z, to about 1e-14.

    f may turn sharply at z = centre over a distance `width`: panels there are as narrow, and double outwards.
    """
    even = np.linspace(-FAR, FAR, math.ceil(2 * FAR / WIDEST) + 1)
    if width < WIDEST and abs(centre) < 2 * FAR:
        steps = width * 2.0 ** np.arange(math.ceil(math.log2(3 * FAR / width)))
        around = centre + np.concatenate([-steps, [0.0], steps])
        even = np.unique(np.concatenate([even, around[np.abs(around) < FAR]]))
    x, w = _panel()
    half = np.diff(even)[:, None] / 2
    z = ((even[:-1] + even[1:])[:, None] / 2 + half * x).ravel()
    return z, (half * w).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def each(function: Callable[..., float], *values: Any) -> Any:
    """function at every element of the broadcast values; numbers give a number."""
    arrays = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in values))
    found = [function(*map(float, one)) for one in zip(*(a.ravel() for a in arrays), strict=True)]
    return np.reshape(np.asarray(found, np.float64), arrays[0].shape)[()]


def not_negative(name: str, value: Any) -> None:
    """Raise ValueError or TypeError where a value is not a finite number of at least 0."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be a number, or an array of numbers; got {value!r}")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError(f"{name} must be finite and not negative; got {value}")


def no_less(value: Any, least: float) -> Float[np.ndarray, "..."]:
    """The values, 0 in place of those below `least`, which rounding would spoil."""
    array = np.asarray(value, np.float64)
    return np.where(array < least, 0.0, array)


def log_2cosh(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """log(2 cosh x) without overflow."""
    return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x)))


def sech2(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """1 / cosh(x)^2 = 1 - tanh(x)^2 without cancellation."""
    decay = np.exp(-2 * np.abs(x))
    return 4 * decay / (1 + decay) ** 2
