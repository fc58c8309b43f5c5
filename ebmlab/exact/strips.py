"""Strips of the square Ising lattice, exactly, by a transfer matrix that adds one spin at a time.

A vector holds a weight for every setting of one row (2^width, site 0 changes slowest) together with the energy
collected on the way. Energies are measured from the lowest value of each row and bond, so no weight is above one.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ebmlab._check import finite, whole
from ebmlab.exact.thermo import FAR, Thermodynamics, betas, each, from_moments, mix

WIDEST = 14
BATCH = 1 << 21  # numbers carried at once (16 MiB) for each moment
SAFE = 500.0  # the exponents that a vector of plain weights may span
VOID = -1e300  # the logarithm of no weight at all


class InfiniteStrip(NamedTuple):
    """A strip without end, in the shape of beta: log Z and energy per site, and the correlation length along it."""

    log_z: Float[np.ndarray, "..."]
    energy: Float[np.ndarray, "..."]
    correlation_length: Float[np.ndarray, "..."]


class Row(NamedTuple):
    """A row of `width` spins: the energies of its settings above their lowest, and the bond to the next row."""

    width: int
    energies: Float[np.ndarray, " settings"]
    along: float
    lowest: float

    @property
    def pairs_pay(self) -> tuple[float, float]:
        """What a pair of neighbours in two rows pays when parallel and when opposite."""
        return 2 * max(0.0, -self.along), 2 * max(0.0, self.along)

    def cold(self, beta: float) -> bool:
        """Whether plain weights could vanish that matter later."""
        return beta * (self.energies.max() + 4 * abs(self.along) * self.width) > SAFE


def make_row(width: int, across: float, along: float, field: float, closed: bool) -> Row:
    s = 1.0 - 2.0 * ((np.arange(1 << width)[:, None] >> np.arange(width)[::-1]) & 1)
    bonds = [(k, (k + 1) % width) for k in range(width if closed else width - 1) if width > 1]
    own = -across * sum((s[:, i] * s[:, j] for i, j in bonds), np.zeros(len(s))) - field * s.sum(1)
    return Row(width, own - own.min(), along, float(own.min()))


# Two ways to carry a vector. Plain: weights w and the sums of w d and w d^2 over all ways to get here, fast.
# Cold: log w and the mean and variance of d, for temperatures at which plain weights would vanish.


def collect(v: np.ndarray, energies: np.ndarray, beta: float, cold: bool) -> np.ndarray:
    """Multiply by exp(-beta e) and add e to the energy collected so far."""
    e = np.asarray(energies).reshape(-1, *[1] * (v.ndim - 2))
    if cold:
        return np.stack([v[0] - beta * e, v[1] + e, np.broadcast_to(v[2], np.broadcast_shapes(v[2].shape, e.shape))])
    w = np.exp(-np.minimum(beta * e, FAR))
    if len(v) == 1:
        return w * v
    return np.stack([w * v[0], w * (v[1] + e * v[0]), w * (v[2] + e * (2 * v[1] + e * v[0]))])


def next_row(v: np.ndarray, row: Row, beta: float, cold: bool) -> np.ndarray:
    """Replace the row by the next one, spin by spin: each pair of neighbours weighs exp(beta J s s')."""
    parallel, opposite = (np.array([pay]) for pay in row.pairs_pay)
    for k in range(row.width):
        old = v.reshape(len(v), 1, 1 << k, 2, -1)
        same = collect(old, parallel, beta, cold) if parallel else old
        other = collect(old[:, :, :, ::-1], opposite, beta, cold) if opposite else old[:, :, :, ::-1]
        joined = np.stack(_mix_two(same, other)) if cold else same + other
        v = joined.reshape(v.shape)
    return v


def _mix_two(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
    """As `mix`, for two parts."""
    far = np.exp(-np.minimum(np.abs(a[0] - b[0]), FAR))
    log_w = np.maximum(a[0], b[0]) + np.log1p(far)
    p = np.where(a[0] >= b[0], 1.0, far) / (1 + far)
    step = b[1] - a[1]
    return log_w, a[1] + (1 - p) * step, p * a[2] + (1 - p) * b[2] + p * (1 - p) * step**2


def _log_form(v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From plain sums to log w, mean and variance."""
    some = v[0] > 0
    w = np.where(some, v[0], 1.0)
    mean = v[1] / w
    return np.where(some, np.log(w), VOID), mean, np.maximum(v[2] / w - mean**2, 0.0)


def _open(row: Row, length: int, beta: float) -> tuple[np.ndarray, ...]:
    """log Z, mean and variance with free ends."""
    cold, log_scale = row.cold(beta), 0.0
    v = np.zeros((3, len(row.energies)))
    v[0] = 0.0 if cold else 1.0
    v = collect(v, row.energies, beta, cold)
    for _ in range(length - 1):
        v = collect(next_row(v, row, beta, cold), row.energies, beta, cold)
        if not cold:
            log_scale += math.log(scale := v[0].max())
            v = v / scale
    log_z, mean, variance = mix(*(v if cold else np.stack(_log_form(v.sum(1)))[:, None]))
    return log_z + log_scale, mean, variance


def _closed(row: Row, length: int, beta: float, kinds: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The trace: from each kind of first row half the way round, twice, since the matrix is symmetric."""
    size, found = len(row.energies), []
    step = max(1, BATCH // size)
    for k in range(0, len(kinds[0]), step):
        first, number = kinds[0][k : k + step], kinds[1][k : k + step]
        log_z, mean, variance = _round_trip(row, length, beta, first)
        found.append(np.stack([log_z + np.log(number), mean, variance]))
    return mix(*np.concatenate(found, axis=1))


def _round_trip(row: Row, length: int, beta: float, first: np.ndarray) -> tuple[np.ndarray, ...]:
    cold, half, columns = row.cold(beta), 0.5 * row.energies, np.arange(len(first))
    v = np.zeros((3, len(half), len(first)))
    if cold:
        v[0] = VOID
    v[0, first, columns] = 0.0 if cold else 1.0
    scale = back_scale = np.zeros(len(first))
    back = v
    for done in range(1, length - length // 2 + 1):
        v = collect(next_row(collect(v, half, beta, cold), row, beta, cold), half, beta, cold)
        if not cold:
            high = v[0].max(0)
            v, scale = v / high, scale + np.log(high)
        if done == length // 2:
            back, back_scale = v, scale
    if cold:
        return mix(*np.moveaxis(back + v, 1, -1))
    sums = [(back[0] * v[0]).sum(0), (back[1] * v[0] + back[0] * v[1]).sum(0)]
    sums.append((back[2] * v[0] + 2 * back[1] * v[1] + back[0] * v[2]).sum(0))
    log_z, mean, variance = _log_form(np.stack(sums))
    return log_z + scale + back_scale, mean, variance


def orbits(width: int, closed: bool, flip: bool) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """One row out of each class of equivalent rows, and the size of the class (shifts, mirror, all spins flipped)."""
    bits = (np.arange(1 << width)[:, None] >> np.arange(width)[::-1]) & 1
    powers = 1 << np.arange(width)[::-1]
    images = []
    for b in (bits, 1 - bits) if flip else (bits,):
        for mirrored in (b, b[:, ::-1]):
            images += [np.roll(mirrored, k, axis=1) @ powers for k in (range(width) if closed else (0,))]
    return np.unique(np.min(images, axis=0), return_counts=True)


def turned(shape: tuple[int, int], ways: tuple[bool, bool], flip: bool, widest: int = WIDEST) -> bool:
    """Whether rows run along axis 0 (and the transfer along axis 1): the cheaper way; ValueError if neither."""

    def cost(along: int) -> float:
        width = shape[1 - along]
        if width > widest:
            return math.inf
        symmetry = (2 * width if ways[1 - along] else 2) * (2 if flip else 1)
        starts = max(1.0, 2.0**width / symmetry) if ways[along] else 1.0
        return starts * 2.0**width * width * shape[along]

    if math.isinf(min(cost(0), cost(1))):
        raise too_wide(min(shape), widest)
    return cost(1) < cost(0)


def too_wide(width: int, widest: int = WIDEST) -> ValueError:
    return ValueError(
        f"rows of {width} spins have 2^{width} settings: {2.0**width * 24 / 2**30:.3g} GiB for each vector, and as "
        f"many vectors as rows where the strip is closed; the limit is width {widest}. Use exact.onsager.torus "
        "(periodic, no field), or sampling with thermodynamic integration"
    )


def _numbers(coupling: Any, field: Any) -> tuple[float, float, float]:
    J, h = np.asarray(coupling, np.float64), np.asarray(field, np.float64)
    if J.shape not in ((), (2,)):
        raise ValueError(f"coupling must be one number or one for each axis; got shape {J.shape}")
    if h.shape != ():
        raise ValueError(f"a strip takes one field for all spins; got shape {h.shape}")
    finite("coupling", J)
    finite("field", h)
    along, across = np.broadcast_to(J, (2,))
    return float(along), float(across), float(h)


def _ways(periodic: Any) -> tuple[bool, bool]:
    ways = (periodic, periodic) if isinstance(periodic, bool | np.bool_) else periodic
    if not isinstance(ways, tuple) or len(ways) != 2 or not all(isinstance(way, bool | np.bool_) for way in ways):
        raise TypeError(f"periodic must be True, False or a pair of them; got {periodic!r}")
    return bool(ways[0]), bool(ways[1])


def strip(
    shape: tuple[int, int], coupling: Any = 1.0, field: float = 0.0, *, beta: Any, periodic: Any = True
) -> Thermodynamics:
    """The Ising model on `shape` = (length, width), exactly: totals in the shape of beta; one side at most 14.

    E = -J_0 sum s_(r,c) s_(r+1,c) - J_1 sum s_(r,c) s_(r,c+1) - h sum s, as `IsingLattice(shape, coupling, field)`.
    coupling: one number or one for each axis; periodic: one bool or one for each axis. The work grows as 2^width with
    one open axis and as about 4^width / width with two periodic ones (width 14: minutes).
    """
    if np.shape(shape) != (2,):
        raise ValueError(f"shape must be (length, width); got {shape!r}")
    sides = (whole("a side of the strip", shape[0]), whole("a side of the strip", shape[1]))
    couplings, ways = _numbers(coupling, field), _ways(periodic)
    field = couplings[2]
    beta = betas(beta)
    across = int(not turned(sides, ways, field == 0))  # the axis along which rows lie
    width, length = sides[across], sides[1 - across]
    row = make_row(width, couplings[across], couplings[1 - across], field, ways[across])
    closed = ways[1 - across] and length > 1
    if closed:
        kinds = orbits(width, ways[across], field == 0)
        found = each(beta, lambda b: _closed(row, length, b, kinds))
    else:
        found = each(beta, lambda b: _open(row, length, b))
    lowest = row.lowest * length - abs(row.along) * width * (length if closed else length - 1)
    return from_moments(beta, lowest, *np.moveaxis(found, -1, 0))


def infinite_strip(
    width: int, coupling: Any = 1.0, field: float = 0.0, *, beta: Any, periodic: bool = True
) -> InfiniteStrip:
    """An endless Ising strip `width` spins wide: log Z and energy per site, and the correlation length along it.

    coupling: one number or (along, across); periodic: whether the strip is closed across. With the two largest
    eigenvalues of the transfer matrix: log Z / site = log(lambda_1) / width, xi = 1 / log(lambda_1 / |lambda_2|).
    """
    if whole("width", width) > WIDEST:
        raise too_wide(width)
    along, across, h = _numbers(coupling, field)
    row = make_row(width, across, along, h, _ways(periodic)[1])
    lowest = row.lowest - abs(along) * width

    def one(b: float) -> list[float]:
        (first, second), vector = _leading(row, b)
        moved = _symmetric_step(np.stack([vector, 0 * vector, 0 * vector]), row, b)
        mean = float((vector * moved[1]).sum()) / first
        ratio = min(abs(second / first), 1.0)
        length = 0.0 if ratio < 1e-15 else -1 / math.log(ratio) if ratio < 1 else math.inf
        return [(math.log(first) - b * lowest) / width, (lowest + mean) / width, length]

    return InfiniteStrip(*(np.asarray(part)[()] for part in np.moveaxis(each(beta, one), -1, 0)))


def _symmetric_step(v: np.ndarray, row: Row, beta: float) -> np.ndarray:
    half = 0.5 * row.energies
    return collect(next_row(collect(v, half, beta, False), row, beta, False), half, beta, False)


def _leading(row: Row, beta: float) -> tuple[tuple[float, float], np.ndarray]:
    """The two eigenvalues of largest size of the symmetric transfer matrix, and the first eigenvector."""
    from scipy.sparse.linalg import LinearOperator, eigsh  # loaded when used: `import ebmlab` stays light

    size = len(row.energies)

    def apply(x: np.ndarray) -> np.ndarray:
        return _symmetric_step(x.reshape(1, size, -1), row, beta).reshape(x.shape)

    if size <= 64:
        values, vectors = np.linalg.eigh(apply(np.eye(size)))
    else:
        start = np.random.default_rng(0).random(size)
        operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
        values, vectors = eigsh(operator, k=2, which="LM", v0=start, ncv=24, tol=0)
    order = np.argsort(-np.abs(values))
    if abs(values[order[0]]) < 1e-150:
        raise ValueError(
            f"beta = {beta:g} is too large for an endless strip whose rows and bonds cannot all be satisfied; "
            "use strip with a finite length, which has no such limit"
        )
    return (float(values[order[0]]), float(values[order[1]])), vectors[:, order[0]]
