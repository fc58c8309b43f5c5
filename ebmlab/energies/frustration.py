"""Frustration: loops whose bonds cannot all be satisfied, and the gauge transformations that leave them as they are."""

import math
from collections import deque
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Int

from ebmlab import graphs
from ebmlab._check import concrete
from ebmlab.energies.glasses import flat_spins, one_layer
from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.graphs import Graph
from ebmlab.units import Spin

MOST_TRIANGLES = 2_000_000  # of a complete graph

Cycles = Int[np.ndarray, "P k"] | list[Int[np.ndarray, " k"]]


def plaquettes(graph: Graph) -> Cycles:
    """The elementary cycles of a graph, each as its nodes in the order of a walk round it.

    Grids of two and more dimensions: all squares, (P, 4). Triangular lattices and complete graphs: all triangles,
    (P, 3). Other graphs: a cycle basis (each bond outside a spanning tree closes one cycle), (P, k), or a list where
    lengths differ. A periodic lattice also has loops that wind round it; they are not listed.
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"expected a Graph such as graphs.square(4); got {graph!r}")
    if graph.n >= 3 and len(graph.edges) == graph.n * (graph.n - 1) // 2:
        return _all_triangles(graph.n)
    shape = graph.shape or _lattice_shape(graph)
    if shape is not None and len(shape) > 1:
        return _cells(graph, shape)
    cycles = _cycle_basis(graph)
    lengths = {len(cycle) for cycle in cycles}
    if len(lengths) > 1:
        return cycles
    return np.array(cycles, np.int64).reshape(len(cycles), max(lengths, default=0))


def _all_triangles(n: int) -> np.ndarray:
    count = n * (n - 1) * (n - 2) // 6
    if count > MOST_TRIANGLES:
        raise ValueError(f"{n} coupled spins have {count:.3g} triangles; the limit is {MOST_TRIANGLES}")
    return np.fromiter((i for three in combinations(range(n), 3) for i in three), np.int64, 3 * count).reshape(-1, 3)


def _cells(graph: Graph, shape: tuple[int, ...]) -> np.ndarray:
    """The squares of a grid, or the triangles where the diagonals are bonds: those whose bonds are all there."""
    number = np.arange(graph.n).reshape(shape)
    squares, triangles = [], []
    for a, b in combinations(range(len(shape)), 2):
        down, right = np.roll(number, -1, a), np.roll(number, -1, b)
        across = np.roll(down, -1, b)
        squares.append(np.stack([number, right, across, down], -1).reshape(-1, 4))
        triangles += [np.stack([number, *pair], -1).reshape(-1, 3) for pair in ((right, across), (across, down))]
    with_diagonals = _present(graph, np.concatenate(triangles))
    return with_diagonals if len(with_diagonals) else _present(graph, np.concatenate(squares))


def _present(graph: Graph, cycles: np.ndarray) -> np.ndarray:
    """The cycles whose bonds all exist, each set of nodes once."""
    ends = np.sort(np.stack([cycles, np.roll(cycles, -1, axis=1)], -1), axis=-1)
    there = np.isin(ends[..., 0] * graph.n + ends[..., 1], graph.edges @ (graph.n, 1)).all(1)
    ordered = np.sort(cycles, axis=1)
    there &= (ordered[:, 1:] != ordered[:, :-1]).all(1)
    cycles, ordered = cycles[there], ordered[there]
    return cycles[np.sort(np.unique(ordered, axis=0, return_index=True)[1])]


def _lattice_shape(graph: Graph) -> tuple[int, ...] | None:
    """The sides of the grid or triangular lattice whose bonds these are (models keep bonds, not shapes)."""
    ends = graph.edges[graph.edges[:, 0] == 0, 1]
    near = frozenset(ends.tolist())  # of node 0: the strides of the axes, and their far ends where it is periodic
    if len(near) > 2 * graph.n.bit_length() + 2:
        return None
    for sides in _sides(graph.n, near):
        if len(sides) < 2:
            continue
        for make, periodic in ((graphs.grid, True), (graphs.grid, False), (_triangles, True), (_triangles, False)):
            if _first_neighbours(sides, make is _triangles, periodic) == near:
                candidate = make(sides, periodic=periodic)
                if np.array_equal(candidate.edges, graph.edges):
                    return sides
    return None


def _triangles(sides: tuple[int, ...], *, periodic: bool) -> Graph:
    return graphs.triangular(*sides, periodic=periodic)


def _sides(n: int, near: frozenset[int], stride: int = 1) -> Iterator[tuple[int, ...]]:
    """Shapes of n sites, sides above 1, whose strides are all neighbours of node 0."""
    if stride == n:
        yield ()
    elif stride in near:
        further = (end for end in (*sorted(near), n) if end > stride and end % stride == 0 and n % end == 0)
        yield from ((*rest, end // stride) for end in further for rest in _sides(n, near, end))


def _first_neighbours(sides: tuple[int, ...], triangular: bool, periodic: bool) -> set[int] | None:
    """The neighbours of node 0 on such a lattice, None where there is no such lattice."""
    if (periodic and min(sides) < 3) or (triangular and len(sides) != 2):
        return None
    strides = [math.prod(sides[axis + 1 :]) for axis in range(len(sides))]
    found = set(strides) | ({sides[1] + 1} if triangular else set())
    if periodic:
        found |= {stride * (side - 1) for stride, side in zip(strides, sides, strict=True)}
        found |= {math.prod(sides) - 1} if triangular else set()
    return found


def _cycle_basis(graph: Graph) -> list[np.ndarray]:
    """One cycle for each bond outside a spanning forest, which is grown breadth first."""
    near = graphs.adjacent(graph)
    parent, depth = np.full(graph.n, -1), np.full(graph.n, -1)
    for root in range(graph.n):
        if depth[root] >= 0:
            continue
        depth[root], queue = 0, deque([root])
        while queue:
            i = queue.popleft()
            for j in near[i]:
                if depth[j] < 0:
                    parent[j], depth[j] = i, depth[i] + 1
                    queue.append(j)
    outside = [(i, j) for i, j in graph.edges.tolist() if parent[i] != j and parent[j] != i]
    return [_close(i, j, parent, depth) for i, j in outside]


def _close(i: int, j: int, parent: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The tree's path from i to j, as a cycle closed by the bond (i, j)."""
    left, right = [i], [j]
    while left[-1] != right[-1]:
        if depth[left[-1]] >= depth[right[-1]]:
            left.append(int(parent[left[-1]]))
        else:
            right.append(int(parent[right[-1]]))
    return np.array(left + right[-2::-1])


def _named(model: Any) -> str:
    """The class, and the kinds of its units where it has some."""
    kinds = " and ".join(dict.fromkeys(type(layer).__name__ for layer in getattr(model, "units", ())))
    remedy = "; convert.to_spin turns bits into spins" if kinds == "Binary" else ""
    return f"{type(model).__name__}" + (f" of {kinds} units{remedy}" if kinds else "")


def _bonds(model: Any) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of spins, bonds (m, 2) and couplings (m,) of a pairwise model of spins."""
    if not hasattr(model, "edges") or not hasattr(model, "couplings") or not isinstance(model.units[0], Spin):
        raise TypeError(f"expected a pairwise energy of spins (Pairwise, DensePairwise); got {_named(model)}")
    if not concrete(model.couplings):
        raise TypeError("frustration looks at the couplings' signs: call it outside jit and vmap")
    return model.units[0].size, np.asarray(model.edges), np.asarray(model.couplings, np.float64)


def frustrated(model: Any, cycles: Any = None) -> Bool[np.ndarray, " P"]:
    """Whether the product of the couplings round each plaquette is negative: then not all its bonds can be satisfied.

    A plaquette with a coupling of 0 is not frustrated. cycles: lists of nodes; by default `plaquettes` of the model's
    graph, in any number of dimensions. A frustrated loop has a lowest energy of -sum |J| + 2 min |J|.
    Source: G. Toulouse, Commun. Phys. 2, 115 (1977).
    """
    n, edges, couplings = _bonds(model)
    cycles = plaquettes(Graph(n, edges)) if cycles is None else _checked_cycles(cycles)
    number = np.sort(edges, axis=1) @ (n, 1)
    order = np.argsort(number)
    known = number[order], np.sign(couplings[order])
    if isinstance(cycles, np.ndarray):
        return _products(n, known, cycles) < 0
    return np.array([_products(n, known, np.asarray(cycle)[None])[0] < 0 for cycle in cycles], bool)


def _checked_cycles(cycles: Any) -> Cycles:
    """Cycles as an array (P, k), or as a list of arrays; ValueError where one has fewer than three nodes."""
    if isinstance(cycles, np.ndarray) and cycles.ndim == 2 and cycles.dtype.kind in "iu" and cycles.shape[1] > 2:
        return cycles
    each = [np.asarray(cycle) for cycle in cycles]
    for cycle in each:
        if cycle.ndim != 1 or cycle.dtype.kind not in "iu" or cycle.size < 3:
            raise ValueError(
                "cycles must be lists of at least three nodes each, as [[0, 1, 2]] or an array (P, k) of whole "
                f"numbers; got {cycle.dtype} of shape {cycle.shape} for one of them"
            )
    return each


def _products(n: int, known: tuple[np.ndarray, np.ndarray], cycles: np.ndarray) -> np.ndarray:
    """The product of the signs round each cycle; `known` holds the bonds' numbers, rising, and their signs."""
    ends = np.sort(np.stack([cycles, np.roll(cycles, -1, axis=1)], -1), axis=-1)
    wanted = ends.astype(np.int64) @ (n, 1)
    missing = ~np.isin(wanted, known[0]).all(1)
    if missing.any():
        raise ValueError(f"cycle {cycles[missing][0].tolist()} steps over a bond that the model does not have")
    return known[1][np.searchsorted(known[0], wanted)].prod(1)


def gauge(model: Any, signs: Any) -> Any:
    """The model in a new gauge: J_ij -> J_ij t_i t_j and h_i -> h_i t_i, for signs t (n,) of +1 and -1.

    It is the substitution s_i -> t_i s_i, so energies, Z and the frustration of every loop stay as they are.
    """
    if not isinstance(model, Pairwise | DensePairwise) or not isinstance(model.units[0], Spin):
        raise TypeError(f"expected a Pairwise or DensePairwise of spins; got {_named(model)}")
    t = flat_spins("signs", one_layer(signs), model.units[0].size)
    if isinstance(model, DensePairwise):
        matrix = model.matrix * np.outer(t, t)
        return eqx.tree_at(lambda m: (m.matrix, m.fields), model, (matrix, model.fields * t))
    couplings = model.couplings * (t[model.edges[:, 0]] * t[model.edges[:, 1]])
    return eqx.tree_at(lambda m: (m.couplings, m.fields), model, (couplings, model.fields * t))


def balancing_gauge(model: Any) -> Int[np.ndarray, " n"] | None:
    """Signs t (n,) for which `gauge` makes every coupling >= 0, or None where a frustrated loop forbids it.

    t is a ground state of the couplings (fields are not looked at), found breadth first along the bonds that are not
    0; t = +1 at the first spin of every connected part. Loops that wind round a periodic lattice count.
    Source: F. Harary, Michigan Math. J. 2, 143 (1953), balanced signed graphs.
    """
    n, edges, couplings = _bonds(model)
    near: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for (i, j), sign in zip(edges.tolist(), np.sign(couplings).astype(int).tolist(), strict=True):
        if sign:
            near[i].append((j, sign))
            near[j].append((i, sign))
    signs = np.zeros(n, np.int8)
    for start in range(n):
        if signs[start]:
            continue
        signs[start], queue = 1, deque([start])
        while queue:
            i = queue.popleft()
            for j, sign in near[i]:
                if signs[j] == 0:
                    signs[j] = sign * signs[i]
                    queue.append(j)
                elif signs[j] != sign * signs[i]:
                    return None
    return signs
