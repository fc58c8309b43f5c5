"""A closed chain of any couplings, as a product of small matrices.

Pieces of the ring are joined two by two. Each entry of a piece carries the logarithm of its weight and the mean and
variance of the energy inside it, so that any length and any temperature is safe.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from ebmlab._check import finite, whole
from ebmlab.exact.split import Moments
from ebmlab.exact.thermo import FAR, Thermodynamics, betas, each, from_moments, mix


def _ring_tables(couplings: Any, fields: Any) -> Float[np.ndarray, "n 2 2"]:
    """e_i(s, s') = -J_i s s' - h_i s for s, s' in (-1, +1)."""
    J = np.atleast_1d(np.asarray(couplings, np.float64))
    if J.ndim != 1 or J.size < 2:
        raise ValueError(f"couplings of a ring have shape (n,), n >= 2: J_i joins i and i + 1; got shape {J.shape}")
    h = np.asarray(fields, np.float64)
    if h.shape not in ((), J.shape):
        raise ValueError(f"fields must be one number or of shape {J.shape}, one for each site; got shape {h.shape}")
    finite("couplings", J)
    finite("fields", h)
    s = np.array([-1.0, 1.0])
    return -J[:, None, None] * s[:, None] * s - np.broadcast_to(h, J.shape)[:, None, None] * s[:, None]


def _trace(tables: np.ndarray, beta: float) -> tuple[np.ndarray, ...]:
    """log Z, mean and variance of the energy of a ring of bonds with energies `tables` (n, q, q)."""
    m = np.stack([-beta * tables, tables, np.zeros_like(tables)])
    while m.shape[1] > 1:
        even = m.shape[1] // 2 * 2
        a, b = m[:, 0:even:2, :, :, None], m[:, 1:even:2, None, :, :]
        m = np.concatenate([np.stack(mix(*np.moveaxis(a + b, 3, -1))), m[:, even:]], axis=1)
    return mix(*np.diagonal(m[:, 0], axis1=-2, axis2=-1))


def _ring(tables: np.ndarray, beta: Any) -> Thermodynamics:
    lowest = tables.min((-2, -1))
    found = each(beta, lambda b: _trace(tables - lowest[:, None, None], b))
    return from_moments(betas(beta), lowest.sum(), *np.moveaxis(found, -1, 0))


def ring(couplings: Any, fields: Any = 0.0, *, beta: Any) -> Thermodynamics:
    """A ring of n Ising spins, E = -sum_i J_i s_i s_(i+1) - sum_i h_i s_i, for any n.

    couplings: J (n,), J_i joins i and i + 1 (the last one closes the ring; zero opens it); fields: one number or (n,).
    """
    return _ring(_ring_tables(couplings, fields), beta)


def potts_ring(couplings: Any, levels: int, *, beta: Any) -> Thermodynamics:
    """A ring of n Potts variables, E = -sum_i J_i delta(s_i, s_(i+1)); Z = (e^K+q-1)^n + (q-1)(e^K-1)^n if uniform."""
    J = _ring_tables(couplings, 0.0)[:, 0, 1]
    return _ring(-J[:, None, None] * np.eye(whole("levels", levels, 2)), beta)


def ring_moments(couplings: Any, fields: Any = 0.0, *, beta: Any) -> Moments:
    """<s_i> and <s_i s_j> of the ring of `ring`, at most 2000 spins (n^2 small matrices)."""
    tables = _ring_tables(couplings, fields)
    if len(tables) > 2000:
        raise ValueError(
            f"all pairs of {len(tables)} spins would need {len(tables) ** 2 * 32 / 2**30:.3g} GiB; the limit is 2000. "
            "Use correlation_length for a uniform chain, or moments of a shorter ring"
        )
    found = each(beta, lambda b: _ring_pairs(-b * tables))
    return Moments(found[..., 0, :], found[..., 1:, :])


def _ring_pairs(log_w: np.ndarray) -> np.ndarray:
    """Row 0: <s_i>; rows 1 to n: <s_i s_j>, from the products of d weights that start at each site."""
    n, site, s = len(log_w), np.arange(len(log_w)), np.array([-1.0, 1.0])
    path = np.empty((n + 1, n, 2, 2))  # path[d, i]: log weights from site i to site i + d
    path[0] = np.where(np.eye(2) > 0, 0.0, -1e300)
    for d in range(1, n + 1):
        step = path[d - 1][..., :, :, None] + np.roll(log_w, -(d - 1), axis=0)[..., None, :, :]
        path[d] = np.logaddexp(step[..., 0, :], step[..., 1, :])
    answer = np.empty((n + 1, n))
    answer[0] = _share(np.diagonal(path[n], axis1=-2, axis2=-1)[..., None]) @ s
    for d in range(n):
        joint = path[d] + np.swapaxes(path[n - d][(site + d) % n], -2, -1)
        answer[1 + site, (site + d) % n] = _share(joint.reshape(n, 4, 1)) @ np.outer(s, s).ravel()
    return answer


def _share(log_w: np.ndarray) -> np.ndarray:
    """The probabilities of log weights (n, k, 1) along the second axis, (n, k)."""
    w = np.exp(np.maximum(log_w - log_w.max(1, keepdims=True), -FAR))[..., 0]
    return w / w.sum(1, keepdims=True)


def correlation_length(coupling: float, field: float = 0.0, *, beta: Any) -> Float[np.ndarray, "..."]:
    """xi = 1 / log(lambda_1 / |lambda_2|) of the endless uniform Ising chain; -1 / log tanh(beta J) without field."""
    finite("coupling", coupling)
    finite("field", field)

    def length(b: float) -> float:
        k, a = 2 * abs(b * coupling), abs(b * field)
        small, far = math.exp(-k), math.exp(-a)
        c, s = (1 + far * far) / 2, (1 - far * far) / 2  # cosh and sinh of beta h, over exp(beta h)
        if k == 0:
            return 0.0
        if coupling > 0:
            top = a + math.log(c + math.hypot(s, small * far)) if a else math.log1p(small)
        else:
            top = a + math.log(math.hypot(far, small * s) + c * small) if a else math.log1p(small)
        inverse = 2 * top - math.log(-math.expm1(-2 * k))
        return 1 / inverse if inverse > 0 else math.inf

    return each(beta, length)
