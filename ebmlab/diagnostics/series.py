"""Correlated numbers from Markov chains: how long they remember, and what their mean is worth.

Everywhere `x` has shape (chains, steps), or (steps,) for one chain: numbers measured along the chains, such as
energies. Work is in float64 NumPy; the answers are floats. Where nothing moved (all numbers equal), nothing can be
said and the answers are NaN.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

WINDOW = 5.0  # the sum over lags stops at this many autocorrelation times
LONG_ENOUGH = 50.0  # a chain shorter than this many autocorrelation times is called unreliable


class Time(NamedTuple):
    """An autocorrelation time in steps, its standard error, and whether the chains are long enough to believe it."""

    value: float
    error: float
    reliable: bool


class Estimate(NamedTuple):
    """A mean and its standard error."""

    mean: float
    error: float


class Blocking(NamedTuple):
    """A mean, its standard error read off the plateau, and the whole curve.

    error +- uncertainty: at block length `block`. reliable: a plateau was found. sizes, errors, uncertainties: arrays,
    one entry for each block length 1, 2, 4, ...
    """

    mean: float
    error: float
    uncertainty: float
    block: int
    reliable: bool
    sizes: np.ndarray
    errors: np.ndarray
    uncertainties: np.ndarray


def chains_of(x: Any, least: int = 4) -> Float[np.ndarray, "chains steps"]:
    """`x` as float64 (chains, steps); ValueError where it has another shape, NaN, or fewer than `least` steps."""
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        if array.dtype.kind == "c":
            raise TypeError("expected real numbers; got complex ones: measure the real and imaginary parts separately")
        try:
            array = array.astype(np.float64)  # float types that NumPy does not know by itself, such as bfloat16
        except (TypeError, ValueError) as error:
            raise TypeError(f"expected real numbers of shape (chains, steps); got {type(x).__name__}") from error
    array = array.astype(np.float64)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2:
        raise ValueError(
            f"expected shape (chains, steps) or (steps,); got {array.shape}. Measure one number of each state first "
            "(its energy, its magnetisation), or pass one unit at a time"
        )
    if array.shape[0] < 1 or array.shape[1] < least:
        raise ValueError(f"expected at least {least} steps in at least one chain; got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{int((~np.isfinite(array)).sum())} of {array.size} numbers are NaN or infinite")
    return array


def _still(x: np.ndarray) -> bool:
    return bool(x.min() == x.max())


def autocorrelation(x: Any) -> Float[np.ndarray, " steps"]:
    """rho(t) = c(t) / c(0), c(t) = mean over chains and times of (x_s - m)(x_(s+t) - m), m the mean of all chains.

    Array over lags t = 0 ... steps - 1, rho(0) = 1; the late lags are mostly noise. By FFT, padded to twice the
    length. With m common to all chains, chains that stay apart give a rho that does not fall to zero.
    Source: M. B. Priestley, Spectral Analysis and Time Series (1981), chapter 5.
    """
    array = chains_of(x, 2)
    steps = array.shape[1]
    if _still(array):
        return np.full(steps, np.nan)
    centred = array - array.mean()
    size = 2 ** int(2 * steps - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(power.mean(0), size)[:steps] / (steps - np.arange(steps))
    return covariance / covariance[0]


def autocorrelation_time(x: Any) -> Time:
    """tau = 1 + 2 sum_(t=1)^M rho(t): the mean of N correlated numbers is worth that of N / tau independent ones.

    The window M is the smallest with M >= 5 tau(M) and M >= 5, so that noise at late lags stays out (where
    rho(1) < 0 the sum of |rho| sets it). The standard error is tau sqrt(2 (2M + 1) / N), N all numbers. Not reliable
    where no window closes, the chains are shorter than 50 (tau + 2 errors), or the error is above tau / 2. (Half of
    this tau is the tau_int of many physics texts.)
    Source: A. Sokal, "Monte Carlo methods in statistical mechanics" (1997), section 3, equations 3.16 to 3.19.
    """
    array = chains_of(x)
    if _still(array):
        return Time(float("nan"), float("nan"), False)
    steps = array.shape[1]
    rho = autocorrelation(array)
    sums = 2 * np.cumsum(rho) - 1
    reach = 2 * np.cumsum(np.abs(rho)) - 1 if rho[1] < 0 else sums
    closed = np.flatnonzero(np.arange(steps) >= WINDOW * np.maximum(reach, 1))
    window = int(closed[0]) if len(closed) else steps - 1
    tau = max(float(sums[window]), 1 / steps)  # noise could make it negative
    error = tau * np.sqrt(2 * (2 * window + 1) / array.size)
    # a tau that came out low would call too short a chain long enough, so the upper end of its error bar decides
    sure = len(closed) and steps >= LONG_ENOUGH * (tau + 2 * error) and tau > 1 / steps and error < 0.5 * tau
    return Time(tau, float(error), bool(sure))


def ess(x: Any) -> float:
    """Effective sample size of the mean, chains * steps / tau (see `autocorrelation_time`).

    It can exceed the number of draws where successive draws avoid each other.
    """
    array = chains_of(x)
    return float(array.size / autocorrelation_time(array).value)


def error_bar(x: Any) -> Estimate:
    """Mean of all chains and its standard error sqrt(var(x) tau / (chains * steps)).

    tau comes from the autocorrelation about the common mean, so chains that disagree widen the bar.
    """
    array = chains_of(x)
    error = np.sqrt(array.var() * autocorrelation_time(array).value / array.size)
    return Estimate(float(array.mean()), float(error))


def rhat(x: Any, *, rank: bool = True) -> float:
    """Split R-hat = sqrt((W (n-1)/n + B/n) / W): 1 where all chains look alike; above 1.01 is a warning.

    Each chain is cut in two halves of n steps; W is the mean variance inside the pieces, B is n times the variance of
    their means. rank=True (default) replaces numbers by the normal scores of their ranks and takes the larger of the
    values for x and for |x - median|, so that heavy tails and chains of different width are seen.
    Source: A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Buerkner, Bayesian Analysis 16, 667 (2021).
    """
    array = chains_of(x)
    half = array.shape[1] // 2
    pieces = np.concatenate([array[:, :half], array[:, -half:]])
    if _still(pieces):
        return float("nan")
    if not rank:
        return _rhat(pieces)
    folded = np.abs(pieces - np.median(pieces))
    return float(np.nanmax([_rhat(_normal_scores(pieces)), _rhat(_normal_scores(folded))]))


def _rhat(pieces: np.ndarray) -> float:
    n = pieces.shape[1]
    within = pieces.var(1, ddof=1).mean()
    between = pieces.mean(1).var(ddof=1)
    if within == 0:
        return float("inf") if between > 0 else float("nan")
    return float(np.sqrt((n - 1) / n + between / within))


def _normal_scores(pieces: np.ndarray) -> np.ndarray:
    from scipy import special  # imported where it is used: it is slow to load

    _, place, count = np.unique(pieces, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place].reshape(pieces.shape)  # equal numbers share a rank
    return special.ndtri((rank - 0.375) / (pieces.size + 0.25))


def blocked_error(x: Any) -> Blocking:
    """Standard error of the mean by blocking: average neighbours in pairs again and again until the error stops rising.

    With k blocks of length b and variance c of the block means: error = sqrt(c / (k - 1)), uncertain by
    error / sqrt(2 (k - 1)), times the root of the covered share where blocks leave a remainder. The plateau is read
    at the smallest b with b^3 > 2 N (error(b) / error(1))^4; where no b qualifies, the largest error is given and
    `reliable` is False. Blocks never cross from one chain into the next.
    Sources: H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989); the rule for b: R. M. Lee et al.,
    Phys. Rev. E 83, 066706 (2011).
    """
    array = chains_of(x)
    chains, steps = array.shape
    sizes, errors, counts = [], [], []
    size = 1
    while steps // size >= 1 and chains * (steps // size) >= 4:
        blocks = array[:, : steps // size * size].reshape(chains, -1, size).mean(2)
        sizes.append(size)
        counts.append(blocks.size)
        errors.append(np.sqrt(blocks.var() / (blocks.size - 1) * blocks.size * size / array.size))
        size *= 2
    size_of, error = np.array(sizes), np.array(errors)
    doubt = error / np.sqrt(2 * (np.array(counts) - 1))
    mean = float(array.mean())
    if _still(array):
        nan = float("nan")
        return Blocking(mean, nan, nan, 1, False, size_of, error * nan, doubt * nan)
    growth = error / error[0] if error[0] > 0 else np.ones_like(error)
    flat = np.flatnonzero(size_of.astype(float) ** 3 > 2 * array.size * growth**4)
    at = int(flat[0]) if len(flat) else int(np.argmax(error))
    return Blocking(mean, float(error[at]), float(doubt[at]), int(size_of[at]), bool(len(flat)), size_of, error, doubt)
