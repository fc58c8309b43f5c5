"""How well draws fit exact probabilities, and how well perfect draws would.

A distance from a finite sample is never zero. Each distance here comes with its floor: the value that as many
independent draws from the exact distribution give on average. A ratio near 1 means: as good as can be seen.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ebmlab.energies.base import layer_values
from ebmlab.units import AbstractUnits

LARGEST = 2**24  # states that are counted


class ChiSquare(NamedTuple):
    """Pearson's statistic, its degrees of freedom, and the chance of a larger one if the draws are perfect."""

    statistic: float
    dof: int
    p_value: float


class Distance(NamedTuple):
    """A distance, the floor (its mean for as many perfect independent draws), and value / floor."""

    value: float
    floor: float
    ratio: float


def empirical(states: Any, units: tuple[AbstractUnits, ...]) -> Int[np.ndarray, " count"]:
    """How often each state of discrete `units` occurs, as whole numbers in the order of `exact`'s enumeration.

    states: a tuple with one array for each layer, any leading axes (those of `Samples.values`). Order: the sites
    through all layers in C order are the digits of a number, first site slowest, the lowest value counting 0; layers
    of different kinds are digits of different bases.
    """
    tables = layer_values(units)
    total = math.prod(len(values) ** layer.size for values, layer in zip(tables, units, strict=True))
    if total > LARGEST:
        raise ValueError(
            f"{sum(layer.size for layer in units)} units have {total:.3g} states, too many to count (limit 2^24). "
            "Compare moments instead, such as the mean energy"
        )
    if not isinstance(states, tuple) or len(states) != len(units):
        raise TypeError(f"expected a tuple of {len(units)} arrays, one for each layer; got {type(states).__name__}")
    number: Any = 0
    for layer, kind, values in zip(states, units, tables, strict=True):
        array = np.asarray(layer)
        if array.shape[array.ndim - len(kind.shape) :] != kind.shape:
            raise ValueError(f"expected arrays that end in the units' shape {kind.shape}; got shape {array.shape}")
        weights = len(values) ** np.arange(kind.size - 1, -1, -1)
        number = number * len(values) ** kind.size + _digits(array.reshape(-1, kind.size), values) @ weights
    return np.bincount(number, minlength=total)


def _digits(flat: np.ndarray, values: tuple[int, ...]) -> np.ndarray:
    """Which of `values` each entry is; ValueError where it is none."""
    known = np.array(values)
    digit = np.clip(np.searchsorted(known, flat), 0, len(known) - 1)
    if not np.array_equal(known[digit], flat):
        raise ValueError(f"expected values {known.tolist()}; got {flat[known[digit] != flat][0]}")
    return digit


def chi_square(counts: Any, p: Any, *, least: float = 5.0) -> ChiSquare:
    """sum (counts - n p)^2 / (n p) and its p-value, for n independent draws counted in cells of probability p.

    Cells that expect fewer than `least` draws are pooled, the smallest first, into cells that expect at least that
    many, so that the chi-square distribution with cells - 1 degrees of freedom holds.
    A count in a cell of probability zero gives p_value 0. Draws from one chain are not independent: thin them, or
    take one draw from each of many chains. Source: K. Pearson, Philosophical Magazine 50, 157 (1900).
    """
    from scipy import special  # imported where it is used: it is slow to load

    count, chance, n = _counted(counts, p)
    if (count[chance == 0] > 0).any():
        return ChiSquare(math.inf, max(1, int((chance > 0).sum()) - 1), 0.0)
    seen, expected = _pooled(count[chance > 0], n * chance[chance > 0], least)
    if len(seen) < 2:
        raise ValueError(f"{n:.0f} draws leave a single cell that expects at least {least:g}: draw more, or lump cells")
    statistic = float(((seen - expected) ** 2 / expected).sum())
    return ChiSquare(statistic, len(seen) - 1, float(special.chdtrc(len(seen) - 1, statistic)))


def _pooled(seen: np.ndarray, expected: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Small cells in groups: cells below `least`, in rising order, cut wherever their running sum passes 2 least."""
    order = np.argsort(expected, kind="stable")
    seen, expected = seen[order], expected[order]
    group = np.cumsum(np.minimum(expected, least)) // (2 * least)
    group[expected >= least] = group[expected < least].max(initial=-1) + 1 + np.arange((expected >= least).sum())
    place = np.unique(group, return_inverse=True)[1]
    seen, expected = np.bincount(place, seen), np.bincount(place, expected)
    while len(expected) > 1 and expected.min() < least:  # the last group of small cells may be short
        short = int(expected.argmin())
        there = short - 1 if short else 1
        seen[there], expected[there] = seen[there] + seen[short], expected[there] + expected[short]
        seen, expected = np.delete(seen, short), np.delete(expected, short)
    return seen, expected


def total_variation(counts: Any, p: Any) -> Distance:
    """1/2 sum |counts/n - p|, with its floor.

    The floor is the exact mean for n independent draws, by de Moivre's formula for the mean absolute deviation of a
    binomial: E|k - n p| = 2 m (1 - p) Binomial(m; n, p), m = floor(n p) + 1; about sqrt(2 n p (1 - p) / pi) for
    large n p. Source: P. Diaconis and S. Zabell, Statistical Science 6, 284 (1991).
    """
    from scipy import special  # imported where it is used: it is slow to load

    count, chance, n = _counted(counts, p)
    value = 0.5 * np.abs(count / n - chance).sum()
    m = np.minimum(np.floor(n * chance) + 1, n)
    ways = special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
    log_pmf = ways + special.xlogy(m, chance) + special.xlog1py(n - m, -chance)
    deviation = 2 * m * (1 - chance) * np.exp(log_pmf)
    return _distance(value, 0.5 * deviation.sum() / n)


def kl_divergence(counts: Any, p: Any) -> Distance:
    """KL(draws || exact) = sum (counts/n) log(counts / (n p)), in nats, with its floor; infinite where p is 0.

    The floor is the mean for n independent draws, with Poisson counts in each cell: (cells - 1) / (2n) where all
    cells are well filled, up to 16 % more with one to three draws a cell, less below a half.
    Source of the limit: G. A. Miller (1955).
    """
    count, chance, n = _counted(counts, p)
    if (count[chance == 0] > 0).any():
        return _distance(math.inf, _kl_floor(chance, n))
    seen = count > 0
    value = (count[seen] / n * np.log(count[seen] / (n * chance[seen]))).sum()
    return _distance(max(float(value), 0.0), _kl_floor(chance, n))


def _kl_floor(chance: np.ndarray, n: float) -> float:
    rate, table = _poisson_table()
    mean = n * chance[chance > 0]
    inside = mean * np.interp(np.log(mean), np.log(rate), table)  # E[k log(k / mean)], k Poisson
    each = np.where(mean > rate[-1], 0.5 + 1 / (12 * np.maximum(mean, 1)), inside)
    return float(((1 - chance[chance > 0]) * each).sum() / n)


@cache
def _poisson_table() -> tuple[np.ndarray, np.ndarray]:
    """E[k log(k / mean)] / mean for Poisson k, over means from 1e-9 to 60."""
    from scipy import special  # imported where it is used: it is slow to load

    rate = np.geomspace(1e-9, 60.0, 600)
    k = np.arange(1, 200)
    weight = np.exp(k * np.log(rate[:, None]) - rate[:, None] - special.gammaln(k + 1))
    return rate, (weight * k * np.log(k / rate[:, None])).sum(1) / rate


def _distance(value: float, floor: float) -> Distance:
    value, floor = float(value), float(floor)
    ratio = value / floor if floor > 0 else (0.0 if value == 0 else math.inf)
    return Distance(value, floor, ratio)


def _counted(counts: Any, p: Any) -> tuple[Float[np.ndarray, " cells"], Float[np.ndarray, " cells"], float]:
    """Counts, probabilities that sum to 1, and the number of draws, all checked."""
    count, chance = np.asarray(counts, np.float64), np.asarray(p, np.float64)
    if count.shape != chance.shape or count.ndim != 1:
        raise ValueError(
            f"expected counts and probabilities of one shape (cells,); got {count.shape} and {chance.shape}. "
            "`empirical` counts the states of discrete units"
        )
    if not np.isfinite(count).all() or (count < 0).any() or (count != np.round(count)).any():
        raise ValueError("counts must be whole numbers, not negative; frequencies need to be multiplied by the draws")
    if not np.isfinite(chance).all() or (chance < 0).any() or not np.isclose(chance.sum(), 1.0, rtol=0, atol=1e-4):
        raise ValueError(f"probabilities must be finite, not negative and sum to 1; their sum is {chance.sum():.6g}")
    if count.sum() < 1:
        raise ValueError("expected at least one draw; all counts are zero")
    return count, chance / chance.sum(), float(count.sum())
