"""How many patterns the best possible couplings can store: Gardner's volume and Cover's count.

A spin with couplings w (N,) stores P patterns xi_mu with wanted values y_mu when y_mu w . xi_mu >= kappa |w| for all
mu; kappa is the margin (stability), alpha = P / N. Which Hebb's rule reaches is another question (0.138).
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from ebmlab._check import whole
from ebmlab.meanfield._normal import each, not_negative


def _needed(margin: float) -> float:
    """E (z + margin)^2 over z > -margin, z standard normal."""
    tail = 0.5 * math.erfc(-margin / math.sqrt(2))
    return (1 + margin**2) * tail + margin * math.exp(-margin * margin / 2) / math.sqrt(2 * math.pi)


def capacity(margin: Any = 0.0) -> Float[np.ndarray, "..."]:
    """alpha_c = 1 / E[(z + kappa)^2, z > -kappa] = 1 / ((1 + kappa^2) Phi(kappa) + kappa phi(kappa)); 2 at kappa = 0.

    The volume of the w on the sphere |w|^2 = N with all margins y_mu w . xi_mu / sqrt(N) >= kappa is averaged over
    random patterns by replicas. Two solutions w have overlap q, a margin is sqrt(q) t + sqrt(1 - q) z with t, z
    normal, and the replica-symmetric q makes

        log V / N = 1/2 log(1 - q) + q / (2 (1 - q)) + alpha E_t log P(sqrt(q) t + sqrt(1 - q) z > kappa)

    stationary. As alpha grows the volume shrinks to one point, q -> 1. There log P -> -(kappa - t)^2 / (2 (1 - q)) for
    t < kappa and 0 else, so the two terms of order 1 / (1 - q) balance at alpha E_t[(kappa - t)^2, t < kappa] = 1.
    Exact for kappa >= 0 (the solutions form a convex set); negative margins are refused.
    Source: E. Gardner, J. Phys. A 21, 257 (1988); T. M. Cover, IEEE Trans. EC-14, 326 (1965) for kappa = 0.
    """
    not_negative("the margin (replica symmetry breaks for margins below 0)", margin)
    return each(lambda kappa: 1 / _needed(kappa), margin)


def margin(alpha: Any) -> Float[np.ndarray, "..."]:
    """The largest margin at a load of alpha <= 2 patterns a coupling: the inverse of `capacity`."""
    from scipy.optimize import brentq  # SciPy is loaded when it is used: `import ebmlab` stays light

    array = np.asarray(alpha, np.float64)
    if not (np.isfinite(array).all() and (array > 0).all() and (array <= 2).all()):
        raise ValueError(f"alpha = P / N must lie in (0, 2]: beyond 2 no margin is left; got {alpha}")

    def one(a: float) -> float:
        return float(brentq(lambda k: _needed(k) - 1 / a, 0.0, 1 / math.sqrt(a), xtol=1e-15, rtol=1e-14))

    return each(one, array)


def dichotomies(patterns: int, n: int) -> int:
    """C(P, N) = 2 sum_(k < N) binom(P - 1, k): how many of the 2^P labellings a plane through 0 realises, exactly.

    For P points in general position in N dimensions: 2^P for P <= N, half of them at P = 2 N.
    Source: T. M. Cover, IEEE Trans. Electronic Computers EC-14, 326 (1965).
    """
    P, N = whole("the number of patterns", patterns), whole("n", n)
    return 2 * sum(math.comb(P - 1, k) for k in range(min(N, P)))


def stored_share(patterns: int, n: int) -> float:
    """The probability that P random labels of P points in N dimensions can be stored: C(P, N) / 2^P."""
    return dichotomies(patterns, n) / 2**patterns
