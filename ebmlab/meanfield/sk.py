"""The Sherrington-Kirkpatrick glass with infinitely many spins, replica symmetric.

E = -sum_(i<j) J_ij s_i s_j - h sum_i s_i with J_ij normal of mean 0 and variance 1/n: the model that
`glasses.sherrington_kirkpatrick` draws. Each spin feels a normal field: with X = (sqrt(q) z + h) / T and z standard
normal, q = E tanh^2 X is the overlap of two replicas. The solution is exact above the line of de Almeida and Thouless
(`at_line`) and wrong below it: at T = 0 its entropy is negative. All functions take numbers or arrays, T >= 0
(below 1e-10 as 0), and give values per spin.
Source: D. Sherrington and S. Kirkpatrick, Phys. Rev. Lett. 35, 1792 (1975).
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from ebmlab._check import finite
from ebmlab.meanfield._normal import COLD, each, log_2cosh, no_less, nodes, not_negative, sech2

PARISI_ENERGY = -0.7631667265  # ground-state energy per spin; R. Oppermann, M. J. Schmidt, D. Sherrington (2007)


def _checked(T: Any, h: Any = 0.0) -> Float[np.ndarray, "..."]:
    """T as an array, 0 where it is too small to tell."""
    not_negative("T", T)
    finite("h", h)
    return no_less(T, COLD)


def _fields(q: float, T: float, h: float) -> tuple[np.ndarray, np.ndarray]:
    """X = (sqrt(q) z + h) / T at the nodes, and their weights."""
    root = math.sqrt(q)
    z, w = nodes(-h / root, T / root) if root > 0 else nodes()
    return (root * z + h) / T, w


def _order_parameter(T: float, h: float) -> float:
    from scipy.optimize import brentq  # SciPy is loaded when it is used: `import ebmlab` stays light

    if T == 0:
        return 1.0
    if h == 0 and T >= 1:
        return 0.0

    def excess(q: float) -> float:  # E tanh^2 X / q falls with q, and is 1 at the solution
        x, w = _fields(q, T, h)
        return float(w @ np.tanh(x) ** 2) / q - 1

    low = min(1e-12, 0.5 * math.tanh(h / T) ** 2) if h else 1e-12
    if low == 0 or excess(low) <= 0:
        return low
    return float(brentq(excess, low, 1.0, xtol=1e-15, rtol=1e-14))


def order_parameter(T: Any, h: Any = 0.0) -> Float[np.ndarray, "..."]:
    """q = E tanh^2 X, the Edwards-Anderson order parameter: 0 for T >= 1 and h = 0, and 1 - 0.798 T near T = 0."""
    return each(_order_parameter, _checked(T, h), h)


def _energy(T: float, h: float) -> float:
    if T == 0:
        return -math.sqrt(2 / math.pi) * math.exp(-h * h / 2) - h * math.erf(h / math.sqrt(2))
    q = _order_parameter(T, h)
    x, w = _fields(q, T, h)
    return float(-(w @ sech2(x)) * (1 + q) / (2 * T) - h * (w @ np.tanh(x)))


def energy(T: Any, h: Any = 0.0) -> Float[np.ndarray, "..."]:
    """u = -(1 - q^2) / (2T) - h E tanh X; -1/(2T) above T_c = 1 without field, -sqrt(2/pi) = -0.79788 at T = 0."""
    return each(_energy, _checked(T, h), h)


def _entropy(T: float, h: float) -> float:
    if T == 0:
        return -math.exp(-h * h) / (2 * math.pi)
    x, w = _fields(_order_parameter(T, h), T, h)
    return float(w @ (log_2cosh(x) - x * np.tanh(x)) - ((w @ sech2(x)) / (2 * T)) ** 2)


def entropy(T: Any, h: Any = 0.0) -> Float[np.ndarray, "..."]:
    """s = E[log 2 cosh X - X tanh X] - ((1 - q) / 2T)^2; at T = 0 and h = 0 it is -1/(2 pi), below any true entropy."""
    return each(_entropy, _checked(T, h), h)


def free_energy(T: Any, h: Any = 0.0) -> Float[np.ndarray, "..."]:
    """f = u - T s = -T E log 2 cosh X - (1 - q)^2 / (4T); -T log 2 - 1/(4T) above T_c without field."""
    return each(lambda t, field: _energy(t, field) - t * _entropy(t, field), _checked(T, h), h)


def _stability(T: float, h: float) -> float:
    if T == 0:
        return -math.inf
    x, w = _fields(_order_parameter(T, h), T, h)
    return float(1 - (w @ sech2(x) ** 2) / T**2)


def at_stability(T: Any, h: Any = 0.0) -> Float[np.ndarray, "..."]:
    """1 - T^-2 E sech^4 X: negative where the replica-symmetric solution is unstable (inside the glass).

    Source: J. R. L. de Almeida and D. J. Thouless, J. Phys. A 11, 983 (1978).
    """
    return each(_stability, _checked(T, h), h)


def _at_line(T: float) -> float:
    from scipy.optimize import brentq

    if T == 0:
        return math.inf
    if T >= 1:
        return 0.0
    if T < 1e-6:
        return math.sqrt(-2 * math.log(0.75 * T * math.sqrt(2 * math.pi)))
    if (below := 1 - T) < 1e-4:  # the series, right to 1e-8: the root drowns in rounding
        return math.sqrt(4 / 3) * below**1.5 * (1 + below / 2)
    high = math.sqrt(2 * math.log1p(1 / T)) + 0.1  # 3/4 T is the normal density at h_AT for small T
    return float(brentq(lambda h: _stability(T, h), 1e-3 * (1 - T) ** 1.5, high, xtol=1e-13, rtol=1e-12))


def at_line(T: Any) -> Float[np.ndarray, "..."]:
    """h_AT(T): the field below which the replica-symmetric solution is unstable, T^2 = E sech^4 X.

    About sqrt(4/3) (1 - T)^(3/2) near T_c = 1, 0 above; for T to 0 the normal density at h_AT is 3 T / 4.
    Source: J. R. L. de Almeida and D. J. Thouless, J. Phys. A 11, 983 (1978).
    """
    _checked(T)
    return each(_at_line, T)


def finite_size_energy(n: Any) -> Float[np.ndarray, "..."]:
    """e_0(n) = -0.7632 + 0.70 n^(-2/3), the mean ground-state energy per spin of n spins, to leading order.

    Small systems lie above it by about 0.13/n: by 0.013 at n = 10 and 0.012 at n = 12 (exact, 30 000 and 12 000
    instances). The constant is Parisi's solution (R. Oppermann, M. J. Schmidt and D. Sherrington, Phys. Rev. Lett. 98,
    127201, 2007); the second term was fitted to instances (S. Boettcher, Eur. Phys. J. B 46, 501, 2005).
    """
    array = np.asarray(n, np.float64)
    if not (np.isfinite(array).all() and (array >= 1).all()):
        raise ValueError(f"n, the number of spins, must be at least 1; got {n}")
    return (PARISI_ENERGY + 0.70 * array ** (-2 / 3))[()]
