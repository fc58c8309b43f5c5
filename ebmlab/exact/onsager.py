"""The square lattice without field: Onsager's infinite lattice, and Kaufman's finite torus.

E = -J sum_<ij> s_i s_j with J > 0, K = beta J. Sources: L. Onsager, Phys. Rev. 65, 117 (1944); B. Kaufman,
Phys. Rev. 76, 1232 (1949); C. N. Yang, Phys. Rev. 85, 808 (1952); A. E. Ferdinand and M. E. Fisher, Phys. Rev. 185,
832 (1969).
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from ebmlab._check import finite, positive, whole
from ebmlab.exact.strips import strip
from ebmlab.exact.thermo import Thermodynamics, each

LARGE = 20.0  # above this K the ground states are all there is, to float64's last digit, and sinh would overflow
SMALL = 1e-3  # below this K a series in tanh K is more exact than the closed forms


def _strength(coupling: Any) -> float:
    if np.ndim(coupling) != 0:
        raise ValueError(f"expected one coupling, the same along both axes; got {coupling!r}")
    positive("coupling", coupling)
    return float(coupling)


def critical_temperature(coupling: Any = 1.0) -> float:
    """T_c = 2 J / log(1 + sqrt 2); for a pair (J_1, J_2) the root of sinh(2 J_1 / T) sinh(2 J_2 / T) = 1."""
    from scipy.optimize import brentq  # SciPy is loaded when it is used: `import ebmlab` stays light

    J = np.asarray(coupling, np.float64)
    if J.shape not in ((), (2,)):
        raise ValueError(f"coupling must be one number or a pair; got shape {J.shape}")
    positive("coupling", J)
    if J.ndim == 0 or J[0] == J[1]:
        return 2 * float(J.ravel()[0]) / math.log(1 + math.sqrt(2))

    def excess(t: float) -> float:  # log sinh a + log sinh b, safe for large arguments
        return sum(2 * j / t + math.log(-math.expm1(-4 * j / t) / 2) for j in J.tolist())

    isotropic = 2 / math.log(1 + math.sqrt(2))
    return float(brentq(excess, isotropic * J.min() / 2, isotropic * J.max() * 2, xtol=1e-15, rtol=1e-15))


def _complement(k: float) -> float:
    """1 - k^2 = (2 tanh(2K)^2 - 1)^2 with k = 2 sinh 2K / cosh^2 2K, free of cancellation near T_c."""
    s2 = math.sinh(2 * k) ** 2
    return ((s2 - 1) / (s2 + 1)) ** 2


def log_partition_per_site(*, beta: Any, coupling: float = 1.0) -> Float[np.ndarray, "..."]:
    """log Z / N = log(sqrt 2 cosh 2K) + (1/pi) int_0^(pi/2) log(1 + sqrt(1 - k^2 sin^2 t)) dt."""
    from scipy.integrate import quad

    J = _strength(coupling)

    def one(b: float) -> float:
        k = b * J
        log_cosh = 2 * k + math.log1p(math.exp(-4 * k)) - math.log(2)
        width = math.sqrt(_complement(k) if k < LARGE else 1.0)  # of the kink at t = 0, which is sharp near T_c
        breaks = [width * factor for factor in (1, 10, 100, 1000) if 0 < width * factor < math.pi / 2]

        def integrand(t: float) -> float:
            return math.log1p(math.hypot(math.sin(t), width * math.cos(t)))

        integral = quad(integrand, 0, math.pi / 2, points=breaks or None, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
        return 0.5 * math.log(2) + log_cosh + integral / math.pi

    return each(beta, one)


def free_energy_per_site(*, beta: Any, coupling: float = 1.0) -> Float[np.ndarray, "..."]:
    """f = -log Z / (beta N); -inf at beta = 0."""
    logs = log_partition_per_site(beta=beta, coupling=coupling)
    with np.errstate(divide="ignore"):
        return -np.divide(logs, np.asarray(beta, np.float64))


def energy_per_site(*, beta: Any, coupling: float = 1.0) -> Float[np.ndarray, "..."]:
    """u = -J coth(2K) [1 + (2/pi) (2 tanh(2K)^2 - 1) K(k)]; -sqrt(2) J at T_c."""
    from scipy.special import ellipkm1

    J = _strength(coupling)

    def one(b: float) -> float:
        k, t = b * J, math.tanh(b * J)
        if k < SMALL:
            return -J * (2 * t + (4 * t**3 + 12 * t**5) * (1 - t**2))
        if k > LARGE:
            return -2 * J
        root = 2 * math.tanh(2 * k) ** 2 - 1
        rest = _complement(k)
        return -J / math.tanh(2 * k) * (1 + (2 / math.pi * root * float(ellipkm1(rest)) if rest > 0 else 0.0))

    return each(beta, one)


def heat_capacity_per_site(*, beta: Any, coupling: float = 1.0) -> Float[np.ndarray, "..."]:
    """C/N = (4/pi) (K coth 2K)^2 {K(k) - E(k) - (1 - tanh(2K)^2) [pi/2 + (2 tanh(2K)^2 - 1) K(k)]}; inf at T_c."""
    from scipy.special import ellipe, ellipkm1

    J = _strength(coupling)

    def one(b: float) -> float:
        k = b * J
        if k < SMALL:
            return k**2 * (2 + 10 * math.tanh(k) ** 2)
        if k > LARGE:
            return 0.0
        tanh2, rest = math.tanh(2 * k) ** 2, _complement(k)
        if rest == 0:
            return math.inf
        first, second = float(ellipkm1(rest)), float(ellipe(1 - rest))
        bracket = first - second - (1 - tanh2) * (math.pi / 2 + (2 * tanh2 - 1) * first)
        return max(0.0, 4 / math.pi * k**2 / tanh2 * bracket)

    return each(beta, one)


def magnetisation(*, beta: Any, coupling: Any = 1.0) -> Float[np.ndarray, "..."]:
    """m = (1 - 1 / (sinh 2K_1 sinh 2K_2)^2)^(1/8) below T_c, 0 above; coupling: one number or a pair."""
    pair = np.asarray(coupling, np.float64)
    tc = critical_temperature(coupling)

    def one(b: float) -> float:
        if b * tc <= 1:
            return 0.0
        a, c = np.broadcast_to(2 * b * pair, (2,)).tolist()
        log_sinh = sum(x + math.log(-math.expm1(-2 * x) / 2) for x in (a, c))
        return max(0.0, -math.expm1(-2 * log_sinh)) ** 0.125

    return each(beta, one)


def torus(shape: Any, coupling: float = 1.0, *, beta: Any) -> Thermodynamics:
    """The periodic rows x columns lattice exactly, for any size (Kaufman): totals, in the shape of beta.

    Z = 1/2 (2 sinh 2K)^(mn/2) [prod 2 cosh(m g_odd/2) + prod 2 sinh(m g_odd/2) + prod 2 cosh(m g_even/2) +
    prod 2 sinh(m g_even/2)] with cosh g_l = sinh 2K + 1 / sinh 2K - cos(pi l / n); g_0 = 2K + log tanh K is negative
    above T_c. Exact to about 1e-13 relative in log Z. J < 0 is allowed where both sides are even.
    """
    rows, columns = (whole("a side of the lattice", side, 2) for side in np.broadcast_to(shape, 2).tolist())
    finite("coupling", coupling)
    if np.ndim(coupling) != 0:
        raise ValueError("the torus takes one coupling for both axes; use exact.transfer.strip for two")
    J = float(coupling)
    if J < 0 and (rows % 2 or columns % 2):
        raise ValueError(f"J < 0 on a {rows} x {columns} torus is frustrated; use exact.transfer.strip or sampling")
    log_z, first, second = np.moveaxis(each(beta, lambda b: _torus(rows, columns, b * abs(J))), -1, 0)
    b = np.asarray(beta, np.float64)
    energy, heat = -abs(J) * first, np.maximum((b * J) ** 2 * second, 0.0)  # derivatives with respect to K
    with np.errstate(divide="ignore"):
        free = -np.divide(log_z, b)
    return Thermodynamics(log_z[()], energy[()], heat[()], log_z + b * energy, free)


def _torus(m: int, n: int, k: float) -> tuple[float, float, float]:
    """log Z and its first two derivatives with respect to K."""
    sites = m * n
    if k > LARGE:
        return math.log(2) + 2 * sites * k, 2.0 * sites, 0.0
    if k < SMALL and min(m, n) <= 6:
        small = strip((m, n), beta=k)
        bend = float(small.heat_capacity) / k**2 if k else 0.0
        return float(small.log_z), -float(small.energy), bend
    if k < SMALL:
        return _hot(sites, math.tanh(k))
    s, c = math.sinh(2 * k), math.cosh(2 * k)
    angle = np.pi * np.arange(1, 2 * n) / (2 * n)
    half = 0.5 * (s - 1) ** 2 / s + np.sin(angle) ** 2  # sinh(g/2)^2
    g = 2 * np.arcsinh(np.sqrt(half))
    sinh_g = 2 * np.sqrt(half * (1 + half))
    ch1 = 2 * c * (1 - 1 / s**2)  # derivatives of cosh g = s + 1/s - cos(2 angle)
    ch2 = 4 * (s - 1 / s) + 8 * c**2 / s**3
    g1 = ch1 / sinh_g
    g2 = (ch2 - (1 + 2 * half) * g1**2) / sinh_g
    g0 = np.array([2 * math.asinh((s - 1) / math.sqrt(2 * s))]), np.array([2 + 2 / s]), np.array([-4 * c / s**2])
    odd = tuple(x[0::2] for x in (g, g1, g2))
    even = tuple(x[1::2] for x in (g, g1, g2))
    terms = [
        _product(m, odd, 1),
        _product(m, odd, -1),
        _product(m, tuple(np.append(a, b) for a, b in zip(g0, even, strict=True)), 1),
        _product(m, even, -1),
    ]
    lead = terms[0][1]  # slopes are measured from the first term's: no cancellation in the variance
    sums = [(a, 1.0, d - lead, (d - lead) ** 2 + e) for a, d, e in terms[:3]]
    a, d, e = terms[3]
    sums.append(_times_sinh(m, (a, d - lead, e), *(float(x[0]) for x in g0)))
    top = max(t[0] for t in sums)
    z, first, second = (sum(math.exp(t[0] - top) * t[i] for t in sums) for i in (1, 2, 3))
    mean = first / z
    log_z = -math.log(2) + 0.5 * sites * math.log(2 * s) + top + math.log(z)
    return log_z, sites * c / s + lead + mean, -2 * sites / s**2 + second / z - mean**2


def _product(m: int, g: tuple[np.ndarray, ...], sign: int) -> tuple[float, float, float]:
    """log of prod (exp(m g/2) + sign exp(-m g/2)) and its first two derivatives."""
    x, x1, x2 = (0.5 * m * value for value in g)
    decay = sign * np.exp(-2 * np.abs(x))
    tanh = np.sign(x) * (1 - decay) / (1 + decay) if sign > 0 else (1 - decay) / (1 + decay)
    log = np.abs(x) + np.log1p(decay)
    return log.sum(), (x1 * tanh).sum(), (x2 * tanh + x1**2 * (1 - tanh**2)).sum()


def _times_sinh(
    m: int, product: tuple[float, float, float], g: float, g1: float, g2: float
) -> tuple[float, float, float, float]:
    """(log scale, value, first, second derivative) of exp(product) times 2 sinh(m g/2), which may be zero."""
    a, d, e = product
    x, x1, x2 = 0.5 * m * g, 0.5 * m * g1, 0.5 * m * g2
    decay = math.exp(-2 * abs(x))
    sinh, cosh = math.copysign(1 - decay, x), 1 + decay
    f, f1, f2 = sinh, x1 * cosh, x2 * cosh + x1**2 * sinh
    return a + abs(x), f, d * f + f1, (d * d + e) * f + 2 * d * f1 + f2


def _hot(sites: int, t: float) -> tuple[float, float, float]:
    """log Z, slope and curvature at K below 1e-3, by loops: log Z / N = log 2 + 2 log cosh K + t^4 + 2 t^6 + ..."""
    log_z = math.log(2) - math.log1p(-t * t) + t**4
    slope = 2 * t + (4 * t**3 + 12 * t**5) * (1 - t**2)
    return sites * log_z, sites * slope, sites * (2 + 10 * t**2)
