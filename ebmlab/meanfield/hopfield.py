"""Hopfield's memory with infinitely many spins: the equations of Amit, Gutfreund and Sompolinsky.

K = alpha N random patterns are stored by Hebb's rule (`energies.hopfield.hebb`). With one pattern recalled, and all
others a normal noise of variance alpha r, X = (m + sqrt(alpha r) z) / T and z standard normal,

    m = E tanh X        overlap with the pattern
    q = E tanh^2 X      overlap of two replicas
    r = q / (1 - C)^2   noise of the other patterns, C = (1 - q) / T

in the replica-symmetric approximation. Solutions with m > 0 are found from y = m / sqrt(alpha r): for every y there is
one sigma = sqrt(alpha r), from E tanh((z + y) sigma / T) = sigma y, and alpha = sigma^2 (1 - C)^2 / q follows. So a
curve alpha(y) holds all solutions at one temperature; its top is the capacity, and the states beyond it are stable.
All functions take numbers or arrays; T below 1e-10 and alpha below 1e-16 count as 0.
Source: D. J. Amit, H. Gutfreund and H. Sompolinsky, Phys. Rev. Lett. 55, 1530 (1985) and Ann. Phys. 173, 30 (1987).
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ebmlab._check import one_number
from ebmlab.meanfield._normal import COLD, each, log_2cosh, no_less, nodes, not_negative, sech2

SPARSE = 1e-16  # loads below count as 0


class Solution(NamedTuple):
    """A solution of the mean-field equations; arrays in the shape of (alpha, T)."""

    m: Float[np.ndarray, "..."]
    q: Float[np.ndarray, "..."]
    r: Float[np.ndarray, "..."]


class _Point(NamedTuple):
    """A solution, and the load and temperature at which it is one."""

    alpha: float
    m: float
    q: float
    sigma: float
    C: float
    T: float

    @property
    def r(self) -> float:
        return self.q / (1 - self.C) ** 2

    @property
    def free_energy(self) -> float:
        """f per spin; see `free_energy`."""
        alpha, m, q, sigma, C, T = self
        if T == 0:
            z_mean = m * math.erf(m / sigma / math.sqrt(2)) + sigma * _density(m / sigma) * 2 if sigma else m
            return m * m / 2 + alpha * self.r * C * C / 2 - z_mean
        z, w = _normal(m, sigma, T)
        crystal = m * m / 2 - T * float(w @ log_2cosh((m + sigma * z) / T))
        return crystal + alpha / 2 * (1 + self.r * C + T * math.log1p(-C) - q / (1 - C))


def _density(y: float) -> float:
    return math.exp(-y * y / 2) / math.sqrt(2 * math.pi)


def _normal(m: float, sigma: float, T: float) -> tuple[np.ndarray, np.ndarray]:
    return nodes(-m / sigma, T / sigma) if sigma > 0 else nodes()


def _averages(m: float, sigma: float, T: float) -> tuple[float, float, float]:
    """E tanh X, E tanh^2 X and E sech^2 X / T."""
    if T == 0:
        return math.erf(m / sigma / math.sqrt(2)), 1.0, 2 * _density(m / sigma) / sigma
    z, w = _normal(m, sigma, T)
    x = (m + sigma * z) / T
    tanh = np.tanh(x)
    return float(w @ tanh), float(w @ tanh**2), float(w @ sech2(x)) / T


def _on_branch(y: float, T: float) -> _Point:
    """The solution with m / sqrt(alpha r) = y > 0."""
    from scipy.optimize import brentq  # SciPy is loaded when it is used: `import ebmlab` stays light

    top = math.erf(y / math.sqrt(2)) / y  # sigma at T = 0, the largest
    sigma = top
    if T > 0:
        low = 1e-9 * top

        def excess(s: float) -> float:
            return _averages(s * y, s, T)[0] / (s * y) - 1

        if excess(low) <= 0:
            return _Point(0.0, 0.0, 0.0, 0.0, 1.0, T)
        sigma = float(brentq(excess, low, top * (1 + 1e-12), xtol=1e-15, rtol=1e-13))
    m, q, C = _averages(sigma * y, sigma, T)
    return _Point(sigma**2 * (1 - C) * abs(1 - C) / q, m, q, sigma, C, T)


@lru_cache(maxsize=4096)
def _top(T: float) -> tuple[float, _Point]:
    """y and the solution where alpha is largest: the end of the retrieval states."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_y: -_on_branch(math.exp(log_y), T).alpha,
        bounds=(-1.0, 2.0),
        method="bounded",
        options={"xatol": 1e-7},
    )
    y = math.exp(found.x)
    return y, _on_branch(y, T)


def _retrieval(alpha: float, T: float) -> _Point | None:
    """The stable solution with m > 0, None where there is none."""
    from scipy.optimize import brentq

    if T >= 1:
        return None
    if alpha == 0:
        return _clean(T)
    y, top = _top(T)
    if alpha > top.alpha:
        return None
    high = 2 * y
    while _on_branch(high, T).alpha > alpha:
        high *= 2
    y = brentq(lambda v: math.sqrt(max(_on_branch(v, T).alpha, 0)) - math.sqrt(alpha), y, high, xtol=1e-12, rtol=1e-12)
    return _on_branch(y, T)


def _clean(T: float) -> _Point:
    """One pattern without noise, m = tanh(m / T): the ferromagnet."""
    from scipy.optimize import brentq

    if T == 0:
        return _Point(0.0, 1.0, 1.0, 0.0, 0.0, T)
    if 1 - T < 1e-9:
        return _Point(0.0, math.sqrt(3 * (1 - T)), 3 * (1 - T), 0.0, (1 - 3 * (1 - T)) / T, T)
    m = brentq(lambda v: math.tanh(v / T) / v - 1, 1e-9, 1.0, xtol=1e-15, rtol=1e-14)
    return _Point(0.0, m, m * m, 0.0, (1 - m * m) / T, T)


def _glass(alpha: float, T: float) -> _Point:
    """The solution with m = 0: the glass, or the paramagnet (q = 0) above 1 + sqrt(alpha)."""
    from scipy.optimize import brentq

    if alpha == 0 or 1 + math.sqrt(alpha) <= T:
        return _Point(alpha, 0.0, 0.0, 0.0, 1 / T if alpha else 0.0, T)
    top = math.sqrt(alpha) + math.sqrt(2 / math.pi)  # sigma at T = 0

    def excess(sigma: float) -> float:
        _, q, C = _averages(0.0, sigma, T)
        return sigma * (1 - C) / math.sqrt(q) - math.sqrt(alpha)

    sigma = top if T == 0 else float(brentq(excess, 1e-8, 2 * top + T, xtol=1e-15, rtol=1e-13))
    _, q, C = _averages(0.0, sigma, T)
    return _Point(alpha, 0.0, q, sigma, C, T)


def _state(alpha: float, T: float, start: float) -> _Point:
    """The solution that the equations reach from overlap `start`."""
    from scipy.optimize import brentq

    found = _retrieval(alpha, T) if start > 0 else None
    if found is None or alpha == 0:
        return found or _glass(alpha, T)
    y, top = _top(T)
    low = y / 2
    while low > 1e-6 and _on_branch(low, T).alpha > alpha:
        low /= 2
    if low <= 1e-6:
        return found
    y = brentq(lambda v: _on_branch(v, T).alpha - alpha, low, y, xtol=1e-10, rtol=1e-10) if alpha < top.alpha else y
    return found if start >= _on_branch(y, T).m else _glass(alpha, T)


def solve(alpha: Any, T: Any, start: float = 1.0) -> Solution:
    """m, q and r of the state that is reached from overlap `start`; m = 0 where no pattern is recalled.

    start: 1 (the pattern itself) leads to the retrieval state where there is one; 0 to the glass, m = 0. Between
    them an unstable solution of the equations divides the two. T >= 0; alpha >= 0.
    """
    _check_start(start)
    a, t = np.broadcast_arrays(*_checked(alpha, T))
    points = [_state(float(x), float(y), start) for x, y in zip(a.ravel(), t.ravel(), strict=True)]
    columns = np.reshape([(p.m, p.q, p.r) for p in points], (*a.shape, 3))
    return Solution(*np.moveaxis(columns, -1, 0))


def _loads(alpha: Any) -> Float[np.ndarray, "..."]:
    not_negative("alpha = K / N", alpha)
    return no_less(alpha, SPARSE)


def _temperatures(T: Any) -> Float[np.ndarray, "..."]:
    not_negative("T", T)
    return no_less(T, COLD)


def _checked(alpha: Any, T: Any) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    return _loads(alpha), _temperatures(T)


def _check_start(start: Any) -> None:
    one_number("start", start)
    if not 0 <= start <= 1:
        raise ValueError(f"start is an overlap in [0, 1]; got {start}")


def retrieval(alpha: Any, T: Any) -> Float[np.ndarray, "..."]:
    """m of the retrieval state, 0 where it is lost (beyond `capacity`)."""
    return each(lambda a, t: 0.0 if (found := _retrieval(a, t)) is None else found.m, *_checked(alpha, T))


def capacity(T: Any = 0.0) -> Float[np.ndarray, "..."]:
    """alpha_c(T), the largest load at which patterns are recalled: 0.137906 at T = 0 (there m = 0.9674), 0 for T >= 1.

    It rises to 0.1382 near T = 0.02 before it falls: a flaw of the replica-symmetric approximation.
    """
    return each(lambda t: _top(t)[1].alpha if t < 1 else 0.0, _temperatures(T))


def spinodal(alpha: Any) -> Float[np.ndarray, "..."]:
    """T_M(alpha), below which retrieval states exist: the inverse of `capacity`; 0 for alpha >= capacity(0).

    (Between 0.1379 and 0.1382 such states exist in a window of T near 0.02, which is not returned.)
    """
    return each(lambda a: _inverse(lambda t: _top(t)[1].alpha, a), _loads(alpha))


def _inverse(falling: Any, alpha: float) -> float:
    """T at which a curve that falls from T = 0 to 0 at T = 1 reaches alpha; 0 above the curve."""
    from scipy.optimize import brentq

    if alpha == 0:
        return 1.0
    if falling(0.0) <= alpha:
        return 0.0
    root = math.sqrt(alpha)  # near T = 1 the curves are parabolas in 1 - T: their square root is nearly straight
    return float(brentq(lambda t: math.sqrt(max(falling(t), 0)) - root, 0.0, 1 - 1e-9, xtol=1e-9, rtol=1e-9))


def glass_temperature(alpha: Any) -> Float[np.ndarray, "..."]:
    """T_g = 1 + sqrt(alpha), below which a glass freezes that resembles no pattern."""
    not_negative("alpha = K / N", alpha)
    return (1 + np.sqrt(np.asarray(alpha, np.float64)))[()]


def _crossing(T: float) -> float:
    from scipy.optimize import brentq

    if 1 - T < 1e-9:
        return 0.0
    y, _ = _top(T)

    def gap(v: float) -> float:
        point = _on_branch(v, T)
        return point.free_energy - _glass(point.alpha, T).free_energy

    high = 2 * y
    while gap(high) > 0:
        high *= 2
    return _on_branch(brentq(gap, y, high, xtol=1e-10, rtol=1e-10), T).alpha


def ground_state_line(T: Any = 0.0) -> Float[np.ndarray, "..."]:
    """alpha below which the retrieval states have a lower free energy than the glass; 0.0519 at T = 0, 0 for T >= 1.

    Between this line and `capacity` patterns are recalled from states that are metastable only.
    """
    return each(_crossing, _temperatures(T))


def free_energy(alpha: Any, T: Any, start: float = 1.0) -> Float[np.ndarray, "..."]:
    """f per spin of the state that `solve` finds from the same start.

    f = m^2/2 - T E log 2 cosh X + (alpha/2) [1 + r C + T log(1 - C) - q / (1 - C)]; at T = 0 it is the energy
    m^2/2 + alpha r C^2 / 2 - E |m + sqrt(alpha r) z|, which is -1/2 for alpha -> 0.
    """
    _check_start(start)
    return each(lambda a, t: _state(a, t, start).free_energy, *_checked(alpha, T))
