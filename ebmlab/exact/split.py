"""Pairwise energies of up to 32 two-valued units: 2^n states as a few matrix products.

The units fall into three groups a, b, c of about n/2, n/4, n/4. No term of a pairwise energy joins all three, so

    exp(-beta E) = exp(-beta E_a) U[a, b] V[a, c] W[b, c]

and the sum over b and c is (U W) * V summed along rows: 2^n multiplications in a matrix product, but only
2^(3n/4) exponentials. Energies are measured from a bound below the ground state, so that nothing overflows. At
so low a temperature that W alone would span more than float64 holds, the few rows that matter are summed directly.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from ebmlab.energies.base import AbstractEnergy
from ebmlab.energies.lattice import IsingLattice
from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.exact.thermo import FAR, Thermodynamics, betas, from_moments, outside_jit

LIMIT = 32
SAFE = 600.0  # largest exponent range of W: exp(-600) is far inside float64
NEGLIGIBLE = 64.0  # exp(-64) times 2^32 states is below float64's resolution
ENTRIES = 1 << 19  # numbers in one block (4 MiB)


class Moments(NamedTuple):
    """First and second moments over all sites in C order: mean_i = <x_i>, pair_ij = <x_i x_j>."""

    mean: Float[np.ndarray, "... n"]
    pair: Float[np.ndarray, "... n n"]

    @property
    def covariance(self) -> Float[np.ndarray, "... n n"]:
        """<x_i x_j> - <x_i><x_j>."""
        return self.pair - self.mean[..., :, None] * self.mean[..., None, :]


class Quadratic(NamedTuple):
    """E(x) = -1/2 x^T J x - h^T x over sites with two values each."""

    matrix: Float[np.ndarray, "n n"]
    fields: Float[np.ndarray, " n"]
    values: tuple[int, int]


def quadratic(model: AbstractEnergy) -> Quadratic | None:
    """The couplings and fields of a pairwise model in float64; None for any other energy."""
    kind = next((k for k in (Pairwise, DensePairwise, IsingLattice) if isinstance(model, k)), None)
    if kind is None or type(model).energy is not kind.energy:
        return None
    outside_jit(model)
    (units,) = model.units
    n = units.size
    with jax.enable_x64(True):
        if isinstance(model, DensePairwise):
            matrix = np.array(model.matrix, np.float64)
        else:
            matrix = np.zeros((n, n))
            i, j = np.asarray(model.edges).T  # type: ignore[attr-defined]
            np.add.at(matrix, (i, j), np.asarray(model.couplings, np.float64))  # type: ignore[attr-defined]
            matrix = matrix + matrix.T
        given = model.external if isinstance(model, IsingLattice) else model.fields  # type: ignore[attr-defined]
        fields = np.asarray(given, np.float64)
    fields = np.broadcast_to(fields, units.shape if isinstance(model, IsingLattice) and fields.ndim else (n,))
    return Quadratic(matrix, fields.ravel(), units.values)  # type: ignore[attr-defined]


def _patterns(count: int, values: tuple[int, int]) -> np.ndarray:
    """All 2^count settings, the last unit changing fastest."""
    bits = (np.arange(1 << count)[:, None] >> np.arange(count)[::-1]) & 1
    return values[0] + (values[1] - values[0]) * bits.astype(np.float64)


def decay(beta: float, d: np.ndarray) -> np.ndarray:
    """exp(-beta d) for d >= 0."""
    return np.exp(-np.minimum(beta * d, FAR))


def _inner(x: np.ndarray, matrix: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """-E of each pattern from its own couplings and fields."""
    return 0.5 * np.einsum("si,si->s", x @ matrix, x) + x @ fields


class Split:
    """The three groups of a pairwise model, and what its blocks of states need."""

    def __init__(self, model: Quadratic):
        n = len(model.fields)
        if n > LIMIT:
            raise ValueError(
                f"{n} two-valued units have 2^{n} = {2.0**n:.3g} states ({2.0**n * 8 / 2**30:.3g} GiB of energies, "
                f"{2.0 ** (n - 32):.3g} times the work of the limit of {LIMIT} units). Use exact.transfer for rings "
                "and strips, exact.onsager for the square lattice, or sampling with thermodynamic integration or "
                "annealed importance sampling for log Z"
            )
        quarter = n // 4
        self.groups = np.split(np.arange(n), [n - 2 * quarter, n - quarter])
        a, b, c = self.groups
        J, h = model.matrix, model.fields
        self.x = [_patterns(len(group), model.values) for group in self.groups]
        xa, xb, xc = self.x
        self.own = _inner(xa, J[np.ix_(a, a)], h[a])
        self.own_b, self.own_c = (_inner(x, J[np.ix_(g, g)], h[g]) for x, g in ((xb, b), (xc, c)))
        self.to_b, self.to_c = J[np.ix_(a, b)] @ xb.T, J[np.ix_(a, c)] @ xc.T
        w = xb @ J[np.ix_(b, c)] @ xc.T
        self.gap = w.max() - w  # how far W's exponent is below its largest
        self.rows = max(1, ENTRIES // max(len(xb), len(xc)))
        tops = [self.own[k] + self.blocks(k)[2] + w.max() for k in self._slices(len(xa), self.rows)]
        self.top = np.concatenate(tops)  # a bound on -E for each setting of a
        self.reference = -self.top.max()  # a bound below the ground state

    @staticmethod
    def _slices(total: int, size: int) -> Iterator[slice]:
        return (slice(start, min(start + size, total)) for start in range(0, total, size))

    def blocks(self, rows: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far the exponents of U and V are below their row's largest, and the sum of the largest two."""
        u = self.own_b + self.x[0][rows] @ self.to_b
        v = self.own_c + self.x[0][rows] @ self.to_c
        high_u, high_v = u.max(1), v.max(1)
        return high_u[:, None] - u, high_v[:, None] - v, high_u + high_v

    def safe(self, beta: float) -> bool:
        """Whether W fits into float64."""
        return bool(beta * self.gap.max() < SAFE)

    def sums(self, beta: float, order: int) -> np.ndarray:
        """reference, sum w, sum w d, sum w d^2 (up to `order`) with d = E - reference and w = exp(-beta d)."""
        total = np.zeros(3)
        if not self.safe(beta):
            ground, reach = self._low_rows(beta)
            for _, d in self._low_blocks(ground, reach):
                w = decay(beta, d)
                total += w.sum(), (w * d).sum(), (w * d * d).sum()
            return np.array([ground, *total])
        w0 = decay(beta, self.gap)
        w1 = w0 * self.gap
        mixed = np.concatenate([w0, w1, w1 * self.gap])
        size = len(w0)
        for rows in self._slices(len(self.top), self.rows):
            du, dv, _ = self.blocks(rows)
            u, v = decay(beta, du), decay(beta, dv)
            own = -self.reference - self.top[rows]
            q = (u @ w0) * v
            inner = [q.sum(1), 0.0, 0.0]
            if order:
                u1 = u * du
                q1 = (np.concatenate([u1, u], 1) @ mixed[: 2 * size]) * v
                q2 = (np.concatenate([u1 * du, 2 * u1, u], 1) @ mixed) * v
                inner[1] = (q1 + q * dv).sum(1)
                inner[2] = (q2 + 2 * q1 * dv + q * dv**2).sum(1)
            w = decay(beta, own)
            moments = (inner[0], inner[1] + own * inner[0], inner[2] + own * (2 * inner[1] + own * inner[0]))
            total += [(w * m).sum() for m in moments]
        return np.array([self.reference, *total])

    def _low_rows(self, beta: float) -> tuple[float, np.ndarray]:
        """The ground-state energy, and all rows of a that can hold a state worth counting at a low temperature.

        Rows are looked at by falling bound, until the bound on -E is below the best energy found.
        """
        order, best = np.argsort(-self.top), np.inf
        for part in self._slices(len(order), self._low_size):
            if -self.top[order[part.start]] > best:
                break
            best = min(best, float(self.reference + self._distances(order[part]).min()))
        return best, order[self.top[order] >= -best - NEGLIGIBLE / beta]

    def _low_blocks(self, ground: float, reach: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows, E - ground of shape (rows, b, c)) of the rows within reach."""
        for part in self._slices(len(reach), self._low_size):
            yield reach[part], np.maximum(self._distances(reach[part]) - (ground - self.reference), 0.0)

    @property
    def _low_size(self) -> int:
        return max(1, ENTRIES // self.gap.size)

    def _distances(self, rows: np.ndarray) -> np.ndarray:
        du, dv, _ = self.blocks(rows)
        own = -self.reference - self.top[rows]
        return own[:, None, None] + du[:, :, None] + dv[:, None, :] + self.gap

    def tables(self, beta: float) -> tuple[np.ndarray, ...]:
        """Unnormalised p(a), sums of x_a over p(a, b) and p(a, c), and p(b, c)."""
        xa, xb, xc = self.x
        p_a, p_bc = np.zeros(len(xa)), np.zeros((len(xb), len(xc)))
        a_b, a_c = np.zeros((xa.shape[1], len(xb))), np.zeros((xa.shape[1], len(xc)))
        if not self.safe(beta):
            for rows, d in self._low_blocks(*self._low_rows(beta)):
                w = decay(beta, d)
                p_a[rows] = w.sum((1, 2))
                a_b += xa[rows].T @ w.sum(2)
                a_c += xa[rows].T @ w.sum(1)
                p_bc += w.sum(0)
            return p_a, a_b, a_c, p_bc
        w = decay(beta, self.gap)
        for part in self._slices(len(self.top), self.rows):
            du, dv, _ = self.blocks(part)
            u = decay(beta, du - self.reference - self.top[part][:, None])
            v = decay(beta, dv)
            joint_b, joint_c = u * (v @ w.T), v * (u @ w)
            p_a[part] = joint_b.sum(1)
            a_b += xa[part].T @ joint_b
            a_c += xa[part].T @ joint_c
            p_bc += w * (u.T @ v)
        return p_a, a_b, a_c, p_bc

    def moments(self, beta: float) -> tuple[np.ndarray, np.ndarray]:
        """<x_i> and <x_i x_j>."""
        p_a, a_b, a_c, p_bc = self.tables(beta)
        (xa, xb, xc), (a, b, c), n = self.x, self.groups, sum(map(len, self.groups))
        mean, pair = np.zeros(n), np.zeros((n, n))
        for group, x, p in ((a, xa, p_a), (b, xb, p_bc.sum(1)), (c, xc, p_bc.sum(0))):
            mean[group] = p @ x
            pair[np.ix_(group, group)] = 0.5 * (x.T * p) @ x
        pair[np.ix_(a, b)], pair[np.ix_(a, c)] = a_b @ xb, a_c @ xc
        pair[np.ix_(b, c)] = xb.T @ p_bc @ xc
        return mean / p_a.sum(), (pair + pair.T) / p_a.sum()


def log_partition(model: Quadratic, *, beta: Any) -> Float[np.ndarray, "..."]:
    """log Z of a pairwise energy of at most 32 two-valued units, float64, in the shape of beta."""
    split, beta = Split(model), betas(beta)
    sums = [split.sums(b, 0) for b in beta.ravel()]
    return np.reshape([np.log(s[1]) - b * s[0] for s, b in zip(sums, beta.ravel(), strict=True)], beta.shape)[()]


def thermodynamics(model: Quadratic, *, beta: Any) -> Thermodynamics:
    """log Z and its first two derivatives; exact to about 1e-12 relative (heat capacity 1e-10 absolute)."""
    split, beta = Split(model), betas(beta)
    sums = np.reshape([split.sums(b, 2) for b in beta.ravel()], (*beta.shape, 4))
    reference, z, first, second = np.moveaxis(sums, -1, 0)
    mean = first / z
    return from_moments(beta, reference, np.log(z), mean, second / z - mean**2)


def moments(model: Quadratic, *, beta: Any) -> Moments:
    """<x_i> and <x_i x_j> of a pairwise energy of at most 32 two-valued units."""
    split, beta = Split(model), betas(beta)
    n = len(model.fields)
    found = [split.moments(b) for b in beta.ravel()]
    mean = np.reshape([m for m, _ in found], (*beta.shape, n))
    return Moments(mean, np.reshape([p for _, p in found], (*beta.shape, n, n)))
