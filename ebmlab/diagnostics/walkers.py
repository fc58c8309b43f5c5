"""Walkers on a ladder of temperatures: where each one was, and how often it went all the way and back.

`walkers` is the last layer of a `Tempered`, kept along a run: shape (..., steps, K), walkers[..., t, k] the number of
the walker that stood at the k-th temperature after step t. Leading axes, such as chains, are kept.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ebmlab._check import whole


def paths(walkers: Any) -> Int[np.ndarray, "... steps K"]:
    """Where each walker was: paths[..., t, w] is the index of the temperature at which walker w stood after step t."""
    array = _permutations(walkers)
    return np.argsort(array, axis=-1)


def round_trips(walkers: Any, *, width: int = 1, cold: int = -1) -> Int[np.ndarray, "... K"]:
    """How often each walker went from the cold end to the hot end and back to the cold end.

    cold: -1 where betas rise along the ladder (as `ladder` returns them), 0 where they fall. width: that many
    temperatures at each end count as the end; 2 for a ladder with every beta twice. The way to the first visit of the
    cold end does not count, nor does a trip that is not finished.
    """
    where = paths(walkers)
    count = where.shape[-1]
    whole("width", width)
    if 2 * width > count:
        raise ValueError(f"width = {width} at both ends of {count} temperatures leaves nothing between; take less")
    if cold not in (0, -1):
        raise ValueError(f"cold must be 0 (betas fall) or -1 (betas rise); got {cold!r}")
    low, high = where < width, where >= count - width
    at_cold, at_hot = (low, high) if cold == 0 else (high, low)
    trips = np.zeros((*where.shape[:-2], count), int)
    out, back = np.zeros(trips.shape, bool), np.zeros(trips.shape, bool)  # has left the cold end; was at the hot end
    for t in range(where.shape[-2]):
        here, there = at_cold[..., t, :], at_hot[..., t, :]
        trips += here & back
        out, back = out | here, (back & ~here) | (out & there)
    return trips


def round_trip_rate(walkers: Any, *, width: int = 1, cold: int = -1) -> Float[np.ndarray, "..."]:
    """Round trips of all walkers together per step; arguments as in `round_trips`.

    The best possible for a ladder with rejections r_k of its swaps is 1 / (1 + sum_k r_k / (1 - r_k)) per step of
    `ParallelTempering`, which swaps even pairs and then odd ones: at most 1 / (1 + Lambda) for a barrier Lambda.
    It would take energies drawn anew for each swap. Source: S. Syed, A. Bouchard-Cote, G. Deligiannidis and A. Doucet,
    J. R. Stat. Soc. B 84, 321 (2022).
    """
    return round_trips(walkers, width=width, cold=cold).sum(-1) / np.shape(walkers)[-2]


def _permutations(walkers: Any) -> np.ndarray:
    array = np.asarray(walkers)
    if array.ndim < 2 or array.dtype.kind not in "iu":
        raise ValueError(
            f"expected whole numbers of shape (..., steps, K), the last layer of a Tempered; got {array.dtype} of "
            f"shape {array.shape}. Keep it with sample(..., keep=lambda x: x[-1])"
        )
    wrong = (np.sort(array, axis=-1) != np.arange(array.shape[-1])).any(-1)
    if wrong.any():
        bad = array[tuple(np.argwhere(wrong)[0])]
        raise ValueError(f"each walker must stand at one temperature at every step; got {bad.tolist()}")
    return array
