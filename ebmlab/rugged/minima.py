"""Valleys of an energy: local minima, their basins, and the passes between them, state by state.

Two states are neighbours when one unit differs. Everything is exact for the energy as given, up to 2^22 states.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ebmlab.energies.base import AbstractEnergy
from ebmlab.exact.enumeration import STATES_LIMIT, check_count, energies
from ebmlab.units import AbstractTwoValued

SAME = 1e-9  # energies that agree to this share of the largest are equal
MOST_BARRIERS = 4096  # minima in a table of barriers (128 MiB)


class Merge(NamedTuple):
    """Two groups of valleys that join at the pass `energy`; a and b are the deepest minimum of each, a < b."""

    energy: float
    a: int
    b: int


class Branches(NamedTuple):
    """A disconnectivity tree as line segments: `place` (M,) of each minimum; `segments` (k, 2, 2): ends (x, energy)."""

    place: Float[np.ndarray, " M"]
    segments: Float[np.ndarray, "k 2 2"]


class Landscape(NamedTuple):
    """What `landscape` returns; M minima, numbered by rising energy.

    energies (M,); states: one state of each (the first in the order of `exact.states`), int8 (M, *shape) for each
    layer; degeneracy (M,): how many states of equal energy form it; basin_sizes (M,): how many states fall into it,
    its own included; basin (2^n,): the minimum each state falls into; levels (2^n,): the energy of each state;
    merges: the M - 1 joins by rising energy.
    """

    energies: Float[np.ndarray, " M"]
    states: tuple[Int[np.ndarray, "M ..."], ...]
    degeneracy: Int[np.ndarray, " M"]
    basin_sizes: Int[np.ndarray, " M"]
    basin: Int[np.ndarray, " N"]
    levels: Float[np.ndarray, " N"]
    merges: list[Merge]

    @property
    def barriers(self) -> Float[np.ndarray, "M M"]:
        """B_ab = min over paths of single flips from a to b of the highest energy on the path; B_aa = E_a.

        The climb from a to b is B_ab - E_a. B is ultrametric: B_ac <= max(B_ab, B_bc).
        """
        count = len(self.energies)
        if count > MOST_BARRIERS:
            raise ValueError(
                f"a table of barriers between {count} minima would take {count**2 * 8 / 2**30:.3g} GiB (limit "
                f"{MOST_BARRIERS} minima); read the passes from `merges`"
            )
        table = np.diag(self.energies)
        members = {k: np.array([k]) for k in range(count)}
        for energy, a, b in self.merges:
            table[np.ix_(members[a], members[b])] = table[np.ix_(members[b], members[a])] = energy
            members[a] = np.concatenate([members[a], members.pop(b)])
        return table

    def branches(self) -> Branches:
        """The disconnectivity tree ready to draw: no branches cross, and a group stands over its outermost leaves.

        Each minimum hangs as a vertical line from the pass where it joins a deeper one; a horizontal line at each
        pass joins the two groups. Source: O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997).
        """
        order = {k: [k] for k in range(len(self.energies))}
        for _, a, b in self.merges:
            order[a].extend(order.pop(b))
        place = np.empty(len(self.energies))
        place[order[0]] = np.arange(len(place))
        top = [(place[k], self.energies[k]) for k in range(len(place))]  # where the line of each group now ends
        segments = []
        for energy, a, b in self.merges:
            (left, low), (right, high) = top[a], top[b]
            segments += [((left, low), (left, energy)), ((right, high), (right, energy))]
            segments.append(((left, energy), (right, energy)))
            top[a] = ((left + right) / 2, energy)
        return Branches(place, np.reshape(segments, (-1, 2, 2)).astype(float))


def landscape(model: AbstractEnergy) -> Landscape:
    """All local minima under single flips, the basin of every state, and the passes between minima.

    A minimum is a connected set of states of equal energy with no lower neighbour; energies that agree to 1e-9 of
    the largest are equal. A state falls by steepest descent: to its lowest neighbour (of equally low ones, that with
    the first differing site); from a flat place without a lower neighbour, along the plateau, one step nearer to its
    nearest exit with every flip, and of two such flips that of the first site.
    Passes are exact: they do not depend on the rule of descent. For two-valued units, up to 2^22 states (2^20 of a
    spin glass take a few seconds); ValueError beyond, or where an energy is infinite.
    """
    units = getattr(model, "units", ())
    if isinstance(model, AbstractEnergy) and not all(isinstance(layer, AbstractTwoValued) for layer in units):
        names = [type(layer).__name__ for layer in units]
        raise TypeError(f"a landscape under single flips needs two-valued units (Spin, Binary); got {names}")
    check_count(model, STATES_LIMIT)
    levels = energies(model)
    if not np.isfinite(levels).all():
        raise ValueError(f"a landscape needs finite energies; {int((~np.isfinite(levels)).sum())} states have +inf")
    rank, values = _ranks(levels)
    parent = _descent(rank)
    bottom = np.flatnonzero(parent == np.arange(parent.size))  # one state of each minimum, the first one
    bottom = bottom[np.argsort(rank[bottom], kind="stable")]
    while True:  # follow two steps at a time
        further = parent[parent]
        if np.array_equal(further, parent):
            break
        parent = further
    number = np.empty(rank.size, np.int32)
    number[bottom] = np.arange(bottom.size)
    basin = number[parent]
    merges = [Merge(float(values[r]), a, b) for r, a, b in _merges(rank, basin, rank[bottom])]
    inside = rank == rank[bottom][basin]  # in its basin nothing else is as low: the plateau itself
    return Landscape(
        energies=values[rank[bottom]],
        states=states_at(model, bottom),
        degeneracy=np.bincount(basin[inside], minlength=bottom.size),
        basin_sizes=np.bincount(basin, minlength=bottom.size),
        basin=basin,
        levels=levels,
        merges=merges,
    )


def states_at(model: AbstractEnergy, index: Any) -> tuple[Int[np.ndarray, "k ..."], ...]:
    """The states of the given numbers in the order of `exact.states`, int8 (k, *shape) for each layer."""
    left, found = np.asarray(index, np.int64), list[np.ndarray]()
    for layer in reversed(model.units):
        values = np.array(layer.values, np.int8)  # type: ignore[attr-defined]
        strides = len(values) ** np.arange(layer.size)[::-1]
        found.append(values[left[:, None] // strides % len(values)].reshape(-1, *layer.shape))
        left = left // len(values) ** layer.size
    return tuple(reversed(found))


def _ranks(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each state's level, and the levels: comparisons of whole numbers see ties."""
    order = np.argsort(levels)
    ordered = levels[order]
    first = np.diff(ordered, prepend=-np.inf) > SAME * max(1e-300, np.abs(levels).max())
    rank = np.empty(levels.size, np.int32)
    rank[order] = np.cumsum(first, dtype=np.int32) - 1
    return rank, ordered[first]


def _flipped(array: np.ndarray, bit: int) -> np.ndarray:
    """array[x ^ (1 << bit)] for every x."""
    return array.reshape(-1, 2, 1 << bit)[:, ::-1].reshape(-1)


def _bits(size: int) -> int:
    return int(size - 1).bit_length()


def _descent(rank: np.ndarray) -> np.ndarray:
    """The next state on the way down; the first state of each minimum points at itself."""
    n = _bits(rank.size)
    here = np.arange(rank.size, dtype=np.int32)
    lowest, parent = rank.copy(), here.copy()
    for bit in reversed(range(n)):  # the first site is the highest bit
        near = _flipped(rank, bit)
        lower = near < lowest
        np.copyto(lowest, near, where=lower)
        np.copyto(parent, here ^ np.int32(1 << bit), where=lower)
    _along_plateaus(rank, parent)
    return parent


def _along_plateaus(rank: np.ndarray, parent: np.ndarray) -> None:
    """States without a lower neighbour: to the nearest exit of their plateau, else to its first state."""
    from scipy.sparse import coo_array  # imported where it is used: it is slow to load
    from scipy.sparse.csgraph import connected_components

    n = _bits(rank.size)
    waiting = np.flatnonzero(parent == np.arange(rank.size)).astype(np.int32)
    known = np.ones(rank.size, bool)
    known[waiting] = False
    while True:
        found = np.zeros(waiting.size, bool)
        for bit in reversed(range(n)):
            near = waiting ^ np.int32(1 << bit)
            way = ~found & known[near] & (rank[near] == rank[waiting])
            parent[waiting[way]] = near[way]
            found |= way
        if not found.any():
            break
        known[waiting[found]] = True
        waiting = waiting[~found]
    # what still waits are the minima: join the states of each
    place = np.full(rank.size, -1, np.int32)
    place[waiting] = np.arange(waiting.size)
    ends = []
    for bit in range(n):
        near = waiting ^ np.int32(1 << bit)
        flat = (waiting < near) & (rank[near] == rank[waiting])
        ends.append(np.stack([place[waiting[flat]], place[near[flat]]]))
    i, j = np.concatenate(ends, axis=1)
    graph = coo_array((np.ones(i.size, np.int8), (i, j)), shape=(waiting.size, waiting.size))
    count, label = connected_components(graph, directed=False)
    first = np.full(count, rank.size, np.int32)
    np.minimum.at(first, label, waiting)
    parent[waiting] = first[label]


def _merges(rank: np.ndarray, basin: np.ndarray, depth: np.ndarray) -> list[tuple[int, int, int]]:
    """(rank of the pass, a, b) by rising rank: Kruskal's algorithm on the lowest contact of each pair of basins.

    A path between minima crosses from basin to basin, and from each crossing one can walk down inside the basins, so
    the lowest passes over all paths of states are those over all paths of basins.
    """
    from scipy.sparse import coo_array  # imported where it is used: it is slow to load
    from scipy.sparse.csgraph import minimum_spanning_tree

    count, levels = depth.size, np.int64(rank.max()) + 1
    if count == 1:
        return []
    found = np.empty(0, np.int64)
    for bit in range(_bits(rank.size)):
        pairs = basin.reshape(-1, 2, 1 << bit)
        cross = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
        a, b = pairs[:, 0].ravel()[cross].astype(np.int64), pairs[:, 1].ravel()[cross].astype(np.int64)
        height = rank.reshape(-1, 2, 1 << bit).max(1).ravel()[cross]
        code = np.sort((np.minimum(a, b) * count + np.maximum(a, b)) * levels + height)
        found = np.concatenate([found, code[np.diff(code // levels, prepend=-1) > 0]])
    found = np.sort(found)
    found = found[np.diff(found // levels, prepend=-1) > 0]  # of each pair of basins the lowest contact
    (a, b), height = np.divmod(found // levels, count), found % levels
    tree = minimum_spanning_tree(coo_array((height + 1.0, (a, b)), shape=(count, count)).tocsr()).tocoo()
    return _kruskal(tree.data.astype(np.int64) - 1, tree.row, tree.col, count)


def _kruskal(height: np.ndarray, a: np.ndarray, b: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """The joins of a spanning tree by rising height; each group is called by its lowest number."""
    group = list(range(count))

    def lowest(k: int) -> int:
        while group[k] != k:
            group[k] = group[group[k]]
            k = group[k]
        return k

    joins = []
    order = np.lexsort((np.maximum(a, b), np.minimum(a, b), height))
    for h, i, j in zip(height[order].tolist(), a[order].tolist(), b[order].tolist(), strict=True):
        deep, other = sorted((lowest(i), lowest(j)))
        group[other] = deep
        joins.append((h, deep, other))
    return joins
