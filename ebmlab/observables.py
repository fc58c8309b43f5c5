"""What is measured on spin glasses and magnets: overlaps and their distribution, ratios, lengths, triangles.

Spins are +-1. Overlaps work on NumPy and JAX arrays alike, inside `jit` too; the exact functions take models of up to
20 units (distributions) or 32 (moments).
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import concrete, finite, whole
from ebmlab.energies.base import AbstractEnergy
from ebmlab.exact.enumeration import check_count, energies
from ebmlab.exact.partition import moments
from ebmlab.exact.thermo import betas
from ebmlab.units import AbstractTwoValued, Spin

EXACT_LIMIT = 1 << 20  # states of an exact distribution of overlaps
ON_GRID = 1e-3  # how far, in steps of the grid 2/n, an overlap may lie from it
HADAMARD = 5  # bits that one matrix product transforms


class Distribution(NamedTuple):
    """Values q = -1, -1 + 2/n, ..., 1 of an overlap and their probabilities (sum 1); density: p n / 2."""

    values: Float[np.ndarray, " n+1"]
    p: Float[np.ndarray, "... n+1"]


class EdwardsAnderson(NamedTuple):
    """Order parameters of a glass from the overlap q of two copies at equilibrium.

    mean = <q> = (1/n) sum_i <s_i>^2: zero without a field, since a state and its mirror image weigh the same;
    absolute = <|q|>; square = <q^2> = (1/n^2) sum_ij <s_i s_j>^2, which includes 1/n from i = j.
    """

    mean: Float[np.ndarray, "..."]
    absolute: Float[np.ndarray, "..."]
    square: Float[np.ndarray, "..."]


class Triangles(NamedTuple):
    """Three copies' mutual overlaps: `overlaps` (..., 3) from large to small, and k = (d_max - d_mid) / d_min.

    d = (1 - q)/2 is the share of spins that differ. k is 0 where the two smallest overlaps are equal (ultrametric),
    1 where the three copies lie on a line, NaN where two copies are the same.
    """

    overlaps: Float[np.ndarray, "... 3"]
    k: Float[np.ndarray, "..."]


# --- overlaps of states ---------------------------------------------------------------------------------------------


def _spins(name: str, s: Any) -> Any:
    """One layer of +-1: the array itself, or the only entry of a state."""
    if isinstance(s, tuple):
        if len(s) != 1:
            raise ValueError(f"{name} has {len(s)} layers; pass one of them, such as x[0]")
        (s,) = s
    array = s if isinstance(s, jax.Array) else np.asarray(s)
    if concrete(array) and (np.abs(values := np.asarray(array)) != 1).any():
        bad = values[np.abs(values) != 1][0]
        raise ValueError(f"{name} must hold spins, -1 or +1; got {bad}. For bits b use 2 b - 1")
    return array


def _mean(array: Any, axes: int) -> Any:
    last = tuple(range(-axes, 0))
    return array.mean(last) if isinstance(array, jax.Array) else array.mean(last, dtype=np.float64)


def overlap(a: Any, b: Any, *, axes: int = 1) -> Float[Array | np.ndarray, "..."]:
    """q = (1/n) sum_i a_i b_i: 1 for equal states, -1 for mirror images, about 1/sqrt(n) for unrelated ones.

    a, b: spins (..., n), or states of one layer; leading axes broadcast. axes: how many trailing axes are sites
    (2 for a square lattice kept in its shape).
    """
    whole("axes", axes)
    a, b = _spins("a", a), _spins("b", b)
    if a.ndim < axes or b.ndim < axes or a.shape[-axes:] != b.shape[-axes:]:
        raise ValueError(f"the two states differ in their sites: shapes {a.shape} and {b.shape}, axes = {axes}")
    return _mean(a * b, axes)


def link_overlap(model: AbstractEnergy, a: Any, b: Any) -> Float[Array | np.ndarray, "..."]:
    """q_link = (1/bonds) sum_<ij> a_i a_j b_i b_j over the bonds of the model, each once.

    a, b: spins (..., *shape of the layer). A flipped domain changes q by its volume but q_link by its surface only.
    """
    edges = getattr(model, "edges", None)
    if edges is None or not len(edges):
        raise TypeError(f"a link overlap needs a model with bonds (`edges`); got {type(model).__name__}")
    shape = model.units[0].shape
    a, b = _spins("a", a), _spins("b", b)
    if a.shape[-len(shape) :] != shape or b.shape[-len(shape) :] != shape:
        raise ValueError(f"expected spins of shape (..., {', '.join(map(str, shape))}); got {a.shape} and {b.shape}")
    q = (a * b).reshape(*np.broadcast_shapes(a.shape, b.shape)[: -len(shape)], -1)
    i, j = np.asarray(edges).T
    return _mean(q[..., i] * q[..., j], 1)


# --- distributions of overlaps --------------------------------------------------------------------------------------


def overlap_distribution(q: Any, n: int, *, weights: Any = None) -> Distribution:
    """P(q) of measured overlaps of n spins on their exact grid: n + 1 values, probabilities that add up to 1.

    q: overlaps of any shape; weights: one for each, not negative (default: all alike).
    """
    whole("n", n)
    q = np.asarray(q, np.float64)
    up = (1 + q) * n / 2  # how many spins agree
    nearest = np.rint(up)
    off = ~(np.abs(up - nearest) <= max(ON_GRID, 1e-6 * n)) | (nearest < 0) | (nearest > n)
    if not q.size or off.any():
        came = "none" if not q.size else f"{q[off][0]:.6g}"
        raise ValueError(f"overlaps of {n} spins are -1, -1 + 2/{n}, ..., 1; got {came}. Is n the number of spins?")
    share = np.ones(q.shape) if weights is None else np.asarray(weights, np.float64)
    if share.shape != q.shape or not np.isfinite(share).all() or (share < 0).any() or share.sum() <= 0:
        raise ValueError(f"weights must be finite, not negative, of the shape of q {q.shape}; got {share.shape}")
    counts = np.bincount(nearest.astype(np.int64).ravel(), share.ravel(), minlength=n + 1)
    return Distribution(_grid(n), counts / counts.sum())


def _grid(n: int) -> np.ndarray:
    return (2 * np.arange(n + 1) - n) / n


def _hadamard(p: np.ndarray) -> np.ndarray:
    """sum_x (-1)^(number of ones in x & y) p(x) for every y, a few bits at a time as a matrix product."""
    left = p.size.bit_length() - 1
    while left:
        bits = min(HADAMARD, left)
        matrix = np.ones((1, 1))
        for _ in range(bits):
            matrix = np.kron(np.array([[1.0, 1.0], [1.0, -1.0]]), matrix)
        p = (matrix @ p.reshape(1 << bits, -1)).T  # the next bits come to the front; after all, the order is back
        left -= bits
    return p.ravel()


def _krawtchouk(n: int) -> np.ndarray:
    """K[k, w] = sum over patterns of k ones of (-1)^(ones inside a given set of w sites)."""
    table = np.zeros((n + 1, n + 1))
    for w in range(n + 1):
        for k in range(n + 1):
            terms = ((-1) ** j * math.comb(w, j) * math.comb(n - w, k - j) for j in range(min(k, w) + 1))
            table[k, w] = sum(terms)
    return table


def exact_overlap_distribution(model: AbstractEnergy, *, beta: Any) -> Distribution:
    """P(q) of two independent copies at beta, from all pairs of 2^n states, n at most 20; p (*beta.shape, n + 1).

    p_k = sum over pairs that differ in k sites of P(x) P(y). By a Walsh-Hadamard transform: with
    c_w = sum over sets S of w sites of <prod_(i in S) s_i>^2, p_k = 2^-n sum_w K_k(w) c_w, K the Krawtchouk
    polynomials. Absolute accuracy about 1e-14. Two-valued units; beta may be an array, energies are found once.
    """
    beta, n = betas(beta), _two_valued(model)
    levels = energies(model)
    d = levels - levels.min()
    ones = np.bitwise_count(np.arange(levels.size, dtype=np.uint32))
    table = _krawtchouk(n) / levels.size
    rows = []
    for b in beta.ravel():
        p = np.exp(-np.minimum(b * d, 700.0)) if b else np.ones(d.size)
        p = np.where(np.isfinite(d), p, 0.0)
        p /= p.sum()
        c = np.bincount(ones, _hadamard(p) ** 2, minlength=n + 1)
        rows.append(np.maximum(table @ c, 0.0)[::-1])  # k differing sites: q = 1 - 2 k / n
    return Distribution(_grid(n), np.reshape(rows, (*beta.shape, n + 1)))


def _two_valued(model: AbstractEnergy) -> int:
    """The number of units, where overlaps can be enumerated."""
    if isinstance(model, AbstractEnergy) and not all(isinstance(u, AbstractTwoValued) for u in model.units):
        names = [type(layer).__name__ for layer in model.units]
        raise TypeError(f"exact overlaps need two-valued units (Spin, Binary); got {names}")
    return check_count(model, EXACT_LIMIT).bit_length() - 1


# --- order parameters and ratios ------------------------------------------------------------------------------------


def _average(values: Any, weights: Any, axis: Any) -> np.ndarray:
    if weights is None:
        return np.asarray(values.mean(axis))
    shape = np.broadcast_shapes(values.shape, weights.shape)
    return np.asarray((values * weights).sum(axis) / np.broadcast_to(weights, shape).sum(axis))


def _numbers(name: str, x: Any, weights: Any) -> tuple[np.ndarray, np.ndarray | None]:
    array = np.asarray(x, np.float64)
    finite(name, array)
    if not array.size:
        raise ValueError(f"{name} is empty")
    if weights is None:
        return array, None
    w = np.asarray(weights, np.float64)
    if not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise ValueError(f"weights must be finite, not negative, and not all zero; got {w.min()} ... {w.max()}")
    return array, w


def edwards_anderson(q: Any, *, weights: Any = None, axis: Any = None) -> EdwardsAnderson:
    """<q>, <|q|> and <q^2> of measured overlaps between independent copies at one temperature.

    q: overlaps; weights: probabilities that broadcast with q (a `Distribution`'s p, with axis=-1); axis: the axes
    averaged over (default: all). Source: S. F. Edwards and P. W. Anderson, J. Phys. F 5, 965 (1975).
    """
    q, w = _numbers("q", q, weights)
    return EdwardsAnderson(*(_average(x, w, axis)[()] for x in (q, np.abs(q), q**2)))


def exact_edwards_anderson(model: AbstractEnergy, *, beta: Any) -> EdwardsAnderson:
    """The same without sampling, in the shape of beta: from <s_i> and <s_i s_j> (up to 32 spins), <|q|> from P(q).

    `absolute` is NaN above 20 spins, where P(q) is out of reach.
    """
    beta = betas(beta)
    found = moments(_of_spins(model), beta=beta)
    mean, square = (found.mean**2).mean(-1), (found.pair**2).mean((-2, -1))
    if found.mean.shape[-1] > 20:
        return EdwardsAnderson(mean, np.full_like(mean, np.nan)[()], square)
    values, p = exact_overlap_distribution(model, beta=beta)
    return EdwardsAnderson(mean, (p @ np.abs(values))[()], square)


def _of_spins(model: AbstractEnergy) -> AbstractEnergy:
    if not isinstance(model, AbstractEnergy) or not all(isinstance(layer, Spin) for layer in model.units):
        raise TypeError(f"expected a model of Spin units; got {getattr(model, 'units', type(model).__name__)}")
    return model


def binder_ratio(q: Any, *, weights: Any = None, axis: Any = None) -> Float[np.ndarray, "..."]:
    """g = (3 - <q^4> / <q^2>^2) / 2: 0 for a normal q, 1 where |q| has one value. The spin-glass convention.

    q: overlaps or magnetisations; weights and axis as in `edwards_anderson`. g = (3/2) U_4, see `binder_cumulant`.
    Of disordered couplings, average <q^4> and <q^2> over the samples first: pass all samples' q in one array.
    Source: K. Binder, Z. Phys. B 43, 119 (1981); for spin glasses R. N. Bhatt and A. P. Young, PRL 54, 924 (1985).
    """
    return 1.5 * binder_cumulant(q, weights=weights, axis=axis)


def binder_cumulant(m: Any, *, weights: Any = None, axis: Any = None) -> Float[np.ndarray, "..."]:
    """U_4 = 1 - <m^4> / (3 <m^2>^2): 0 for a normal m, 2/3 where |m| has one value. The convention for magnets.

    Arguments as in `binder_ratio`; NaN where m is zero throughout. Source: K. Binder, Z. Phys. B 43, 119 (1981).
    """
    m, w = _numbers("m", m, weights)
    second, fourth = _average(m**2, w, axis), _average(m**4, w, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (1 - fourth / (3 * second**2))[()]


# --- correlation length ---------------------------------------------------------------------------------------------


def correlation_length(samples: Any, shape: int | tuple[int, ...], *, weights: Any = None) -> float:
    """xi = sqrt(S(0) / S(k) - 1) / (2 sin(k/2)), k = 2 pi / L, in lattice spacings: the second-moment length.

    S(k) = <|sum_r s_r exp(i k r)|^2> / n, averaged over the axes of largest length L. samples: (..., *shape) or
    (..., n) on a periodic grid: spins, or for a glass the overlaps s_r^a s_r^b of two copies; weights: one for each
    sample, in the shape of the leading axes. S(0) keeps <s>^2: meant for the disordered phase; beyond, xi / L grows
    with L. 0 where S(0) is not above S(k), infinite where S(k) = 0. Source: F. Cooper, B. Freedman and D. Preston,
    Nucl. Phys. B 210, 210 (1982).
    """
    sides = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    for side in sides:
        whole("a side of the lattice", side)
    if (length := max(sides)) < 3:
        raise ValueError(f"the longest side must be at least 3 to hold a wave; got shape {sides}")
    s, w = _numbers("samples", samples, weights)
    size = math.prod(sides)
    if s.shape[-len(sides) :] != sides:
        if s.shape[-1:] != (size,):
            raise ValueError(f"expected samples of shape (..., *{sides}) or (..., {size}); got {s.shape}")
        s = s.reshape(*s.shape[:-1], *sides)
    lead = s.shape[: s.ndim - len(sides)]
    if w is not None and w.shape != lead:
        raise ValueError(f"expected one weight for each sample, shape {lead}; got {w.shape}")
    s = s.reshape(-1, *sides)
    w = np.full(len(s), 1 / len(s)) if w is None else w.ravel() / w.sum()
    k = 2 * np.pi / length
    total = w @ s.sum(tuple(range(1, s.ndim))) ** 2
    waves = []
    for axis in (a for a, side in enumerate(sides) if side == length):
        rows = s.sum(tuple(a + 1 for a in range(len(sides)) if a != axis))
        waves.append(w @ np.abs(rows @ np.exp(1j * k * np.arange(length))) ** 2)
    lowest = float(np.mean(waves))
    if lowest <= 1e-20 * total:  # rounding, of samples without a wave
        return math.inf if total > 0 else math.nan
    return math.sqrt(max(total / lowest - 1, 0.0)) / (2 * math.sin(k / 2))


# --- the tree of states, and chaos ----------------------------------------------------------------------------------


def ultrametricity(q_ab: Any, q_bc: Any, q_ca: Any, *, symmetric: bool = False) -> Triangles:
    """Whether three copies a, b, c form a triangle of a tree: then the two smallest overlaps are equal and k = 0.

    Arrays of one shape. symmetric=True for models without a field: mirror images count as one state, so copies are
    turned until at most the smallest overlap in size is negative. Meaningful for triangles within the glass phase,
    not for the trivial ones with all three equal. Source for k: G. Hed, A. P. Young and E. Domany, PRL 92, 157202
    (2004).
    """
    q = np.stack(np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (q_ab, q_bc, q_ca))), axis=-1)
    if not (np.abs(q) <= 1 + 1e-6).all():
        raise ValueError(f"overlaps lie between -1 and 1; got {q[~(np.abs(q) <= 1 + 1e-6)][0]}")
    if symmetric:  # turning one copy changes two signs, so the sign of the product stays
        odd = q.prod(-1) < 0
        q = np.sort(np.abs(q), axis=-1)
        q[..., 0] = np.where(odd, -q[..., 0], q[..., 0])
    q = np.sort(q, axis=-1)[..., ::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        k = np.where(q[..., 0] < 1 - 1e-12, (q[..., 1] - q[..., 2]) / (1 - q[..., 0]), np.nan)
    return Triangles(q, k[()])


def temperature_chaos(model: AbstractEnergy, beta1: Any, beta2: Any) -> Float[np.ndarray, "..."]:
    """r = <q_12^2> / sqrt(<q_11^2> <q_22^2>), q_12 between copies at beta1 and beta2: 1 where nothing reorders.

    Exact, from <q_12^2> = (1/n^2) sum_ij <s_i s_j>_1 <s_i s_j>_2, up to 32 spins; beta1 and beta2 broadcast. Small r
    means that the two temperatures prefer different states. Source: H. G. Katzgraber and F. Krzakala, PRL 98, 017201
    (2007).
    """
    first, second = np.broadcast_arrays(betas(beta1), betas(beta2))
    grid, where = np.unique(np.concatenate([first.ravel(), second.ravel()]), return_inverse=True)
    pair = moments(_of_spins(model), beta=grid).pair.reshape(grid.size, -1)
    one, two = np.split(pair[where], 2)
    r = (one * two).sum(-1) / np.sqrt((one**2).sum(-1) * (two**2).sum(-1))
    return r.reshape(first.shape)[()]


def sampled_temperature_chaos(q_12: Any, q_11: Any, q_22: Any) -> float:
    """The same ratio from measured overlaps: between copies at the two temperatures, and of two copies at each."""
    (a, _), (b, _), (c, _) = (_numbers("q", q, None) for q in (q_12, q_11, q_22))
    return float((a**2).mean() / np.sqrt((b**2).mean() * (c**2).mean()))
