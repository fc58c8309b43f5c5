"""Who is coupled to whom: lattices and random graphs, colourings, and ensembles of couplings."""

from collections import deque
from collections.abc import Iterable
from itertools import pairwise, product
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import one_key, whole, yes_or_no


class Neighbours(NamedTuple):
    """Padded neighbour lists: `node[i, k]` is the k-th neighbour of i over bond `bond[i, k]`, real where `mask`."""

    node: Int[np.ndarray, "n degree"]
    bond: Int[np.ndarray, "n degree"]
    mask: np.ndarray


class Graph:
    """An undirected simple graph: `n` nodes and `edges` (m, 2) with i < j, in lexical order.

    `shape` is the lattice shape where there is one, `positions` (n, 2) places for drawing where they are known.
    """

    def __init__(
        self,
        n: int,
        edges: Any,
        *,
        shape: tuple[int, ...] | None = None,
        positions: np.ndarray | None = None,
    ):
        self.n = whole("the number of nodes", n)
        self.edges = _checked_edges(self.n, edges)
        self.shape = shape
        self.positions = positions

    def __repr__(self) -> str:
        return f"Graph({self.n} nodes, {len(self.edges)} edges)"

    @property
    def degree(self) -> Int[np.ndarray, " n"]:
        """Number of neighbours of every node."""
        return np.bincount(self.edges.ravel(), minlength=self.n)

    @property
    def adjacency(self) -> np.ndarray:
        """The (n, n) matrix of zeros and ones."""
        matrix = np.zeros((self.n, self.n), np.int8)
        matrix[self.edges[:, 0], self.edges[:, 1]] = matrix[self.edges[:, 1], self.edges[:, 0]] = 1
        return matrix

    def neighbours(self) -> Neighbours:
        """Neighbour lists padded to the largest degree (padding points at node 0 and bond 0, mask False)."""
        ends = np.concatenate([self.edges, self.edges[:, ::-1]])
        bond = np.tile(np.arange(len(self.edges)), 2)
        order = np.lexsort((ends[:, 1], ends[:, 0]))
        ends, bond = ends[order], bond[order]
        degree = self.degree
        slot = np.arange(len(ends)) - np.repeat(np.cumsum(degree) - degree, degree)
        size = (self.n, max(1, int(degree.max(initial=0))))
        index, number, mask = np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, bool)
        index[ends[:, 0], slot], number[ends[:, 0], slot], mask[ends[:, 0], slot] = ends[:, 1], bond, True
        return Neighbours(index, number, mask)


def _pairs(edges: Any) -> np.ndarray:
    """Edges as an array of whole numbers (m, 2), or of size zero."""
    try:
        raw = np.asarray(edges)
    except ValueError as error:
        raise ValueError("edges must be pairs of whole numbers, shape (m, 2); got rows of unequal length") from error
    if raw.size and (raw.ndim != 2 or raw.shape[1] != 2 or raw.dtype.kind not in "iu"):
        raise ValueError(f"edges must be pairs of whole numbers, shape (m, 2); got {raw.dtype} of shape {raw.shape}")
    return raw


def _checked_edges(n: int, edges: Any) -> Int[np.ndarray, "m 2"]:
    raw = _pairs(edges)
    if raw.size == 0:
        return np.zeros((0, 2), np.int64)
    if raw.min() < 0 or raw.max() >= n:
        bad = next(tuple(map(int, e)) for e in raw if min(e) < 0 or max(e) >= n)
        raise ValueError(f"edge {bad} names a node outside 0 ... {n - 1}; give n = {int(raw.max()) + 1} or mend it")
    if (raw[:, 0] == raw[:, 1]).any():
        node = int(raw[raw[:, 0] == raw[:, 1]][0, 0])
        raise ValueError(f"self-loop at node {node}: s_i s_i is a constant (spins) or a field (bits); use fields")
    ordered = np.sort(raw.astype(np.int64), axis=1)
    unique, counts = np.unique(ordered, axis=0, return_counts=True)
    if (counts > 1).any():
        bad = tuple(map(int, unique[counts > 1][0]))
        raise ValueError(f"edge {bad} is repeated: each bond counts once; add its couplings into one edge")
    return unique


def from_edges(edges: Any, n: int | None = None) -> Graph:
    """A graph from pairs (i, j); `n` defaults to the largest node + 1."""
    raw = _pairs(edges)
    if n is None:
        if raw.size == 0:
            raise ValueError("an empty edge list needs n, the number of nodes")
        n = int(raw.max()) + 1
    return Graph(n, edges)


def from_networkx(graph: Any) -> Graph:
    """A graph from NetworkX, nodes numbered in its own order; ValueError for directed or multigraphs."""
    if graph.is_directed() or graph.is_multigraph():
        raise ValueError("expected an undirected simple graph; convert with networkx.Graph(graph) first")
    number = {node: i for i, node in enumerate(graph.nodes)}
    return Graph(len(number), [(number[a], number[b]) for a, b in graph.edges])


def _circle(n: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(n) / n
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def ring(n: int) -> Graph:
    """A closed chain of n >= 3 nodes."""
    whole("the length of a ring", n, 3)
    return Graph(n, [(i, (i + 1) % n) for i in range(n)], shape=(n,), positions=_circle(n))


def chain(n: int) -> Graph:
    """An open chain of n nodes, n - 1 bonds."""
    nodes = range(whole("the length of a chain", n))
    places = np.stack([np.arange(n), np.zeros(n)], axis=1)
    return Graph(n, list(pairwise(nodes)), shape=(n,), positions=places)


def grid(shape: tuple[int, ...], *, periodic: bool = True) -> Graph:
    """A rectangular lattice in any dimension; node numbers run through `shape` in C order.

    A periodic side of length 2 would couple each pair twice and is refused; `IsingLattice` allows it.
    """
    if not isinstance(shape, tuple | list) or not shape:
        raise TypeError(f"shape must be a tuple of sides such as (4, 4); got {shape!r}")
    lengths = tuple(whole("a side of the lattice", side) for side in shape)
    yes_or_no("periodic", periodic)
    if periodic and any(side < 3 for side in lengths):
        raise ValueError(
            f"a periodic side must be at least 3 (2 would repeat every bond); got shape {lengths}. "
            "Use periodic=False, or IsingLattice, which counts both bonds"
        )
    number = np.arange(np.prod(lengths)).reshape(lengths)
    edges = []
    for axis in range(len(lengths)):
        here, there = number, np.roll(number, -1, axis)
        if not periodic:
            keep = [slice(None)] * len(lengths)
            keep[axis] = slice(0, -1)
            here, there = here[tuple(keep)], there[tuple(keep)]
        edges.append(np.stack([here.ravel(), there.ravel()], axis=1))
    places = None
    if len(lengths) == 2:
        row, column = np.divmod(number.ravel(), lengths[1])
        places = np.stack([column, -row], axis=1).astype(float)
    return Graph(number.size, np.concatenate(edges), shape=lengths, positions=places)


def square(rows: int, columns: int | None = None, *, periodic: bool = True) -> Graph:
    """The square lattice, rows x columns (square if one number is given)."""
    return grid((rows, rows if columns is None else columns), periodic=periodic)


def cubic(length: int, width: int | None = None, height: int | None = None, *, periodic: bool = True) -> Graph:
    """The simple cubic lattice (a cube if one number is given)."""
    sides = (length, length if width is None else width, length if height is None else height)
    return grid(sides, periodic=periodic)


def triangular(rows: int, columns: int, *, periodic: bool = True) -> Graph:
    """The triangular lattice: the square lattice with one diagonal, six neighbours inside."""
    base = grid((rows, columns), periodic=periodic)
    diagonal = []
    for r, c in product(range(rows), range(columns)):
        if periodic or (r + 1 < rows and c + 1 < columns):
            diagonal.append((r * columns + c, (r + 1) % rows * columns + (c + 1) % columns))
    row, column = np.divmod(np.arange(rows * columns), columns)
    places = np.stack([column - row / 2, -row * np.sqrt(3) / 2], axis=1)
    edges = np.concatenate([base.edges, np.array(diagonal, np.int64).reshape(-1, 2)])
    return Graph(base.n, edges, shape=(rows, columns), positions=places)


def complete(n: int) -> Graph:
    """Every node coupled to every other, n (n - 1) / 2 bonds."""
    whole("the number of nodes", n)
    return Graph(n, np.stack(np.triu_indices(n, 1), axis=1), positions=_circle(n))


def generator(key: Array) -> "np.random.Generator":
    """NumPy's generator seeded by a JAX key: building a graph happens once, outside `jit`."""
    one_key(key)
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())


def erdos_renyi(n: int, p: float, *, key: Array) -> Graph:
    """Every bond of the complete graph present with probability p, independently."""
    if not 0 <= p <= 1:
        raise ValueError(f"p is a probability in [0, 1]; got {p}")
    pairs = whole("the number of nodes", n) * (n - 1) // 2
    rng = generator(key)
    chosen: Any = rng.choice(pairs, rng.binomial(pairs, p), replace=False, shuffle=False) if pairs else []
    # pair number k stands at row j, column i < j of a lower triangle: k = j (j - 1) / 2 + i
    k = np.sort(np.asarray(chosen, np.int64))
    j = ((1 + np.sqrt(1 + 8 * k.astype(np.float64))) / 2).astype(np.int64)
    j = np.where(j * (j - 1) // 2 > k, j - 1, np.where(j * (j + 1) // 2 <= k, j + 1, j))
    return Graph(n, np.stack([k - j * (j - 1) // 2, j], axis=1), positions=_circle(n))


def random_regular(n: int, degree: int, *, key: Array) -> Graph:
    """A random graph in which each node has `degree` neighbours, by pairing stubs (Steger and Wormald 1999)."""
    whole("degree", degree, 0)
    if degree >= n or n * degree % 2:
        raise ValueError(f"need degree < n and n * degree even; got n = {n}, degree = {degree}")
    rng = generator(key)
    while True:
        edges: set[tuple[int, int]] = set()
        stubs = np.repeat(np.arange(n), degree)
        while len(stubs):
            pairs = np.sort(rng.permutation(stubs).reshape(-1, 2), axis=1)
            left = []
            for i, j in map(tuple, pairs.tolist()):
                if i == j or (i, j) in edges:
                    left += [i, j]
                else:
                    edges.add((i, j))
            if len(left) == len(stubs) and not _can_pair(left, edges):
                break
            stubs = np.array(left, np.int64)
        else:
            return Graph(n, sorted(edges), positions=_circle(n))


def _can_pair(stubs: Iterable[int], edges: set[tuple[int, int]]) -> bool:
    """Whether two of the open stubs may still be joined."""
    nodes = sorted(set(stubs))
    return any((a, b) not in edges for k, a in enumerate(nodes) for b in nodes[k + 1 :])


def two_colouring(graph: Graph) -> Int[np.ndarray, " n"] | None:
    """Colours 0 and 1 with no bond inside a colour, or None where an odd cycle forbids it."""
    colour = np.full(graph.n, -1)
    near = adjacent(graph)
    for start in range(graph.n):
        if colour[start] >= 0:
            continue
        colour[start] = 0
        queue = deque([start])
        while queue:
            i = queue.popleft()
            for j in near[i]:
                if colour[j] < 0:
                    colour[j] = 1 - colour[i]
                    queue.append(j)
                elif colour[j] == colour[i]:
                    return None
    return colour


def greedy_colouring(graph: Graph) -> Int[np.ndarray, " n"]:
    """Colours with no bond inside a colour: nodes by falling degree, each the lowest free colour (Welsh-Powell)."""
    colour = np.full(graph.n, -1)
    near = adjacent(graph)
    for i in np.argsort(-graph.degree, kind="stable"):
        taken = {int(colour[j]) for j in near[i]}
        colour[i] = next(c for c in range(graph.n) if c not in taken)
    return colour


def colouring(graph: Graph) -> Int[np.ndarray, " n"]:
    """Two colours where the graph allows it, else the greedy colouring."""
    exact = two_colouring(graph)
    return greedy_colouring(graph) if exact is None else exact


def adjacent(graph: Graph) -> list[list[int]]:
    """The neighbours of every node, as lists."""
    near: list[list[int]] = [[] for _ in range(graph.n)]
    for i, j in graph.edges.tolist():
        near[i].append(j)
        near[j].append(i)
    return near


def _bonds(graph: Graph) -> int:
    if not isinstance(graph, Graph):
        raise TypeError(f"expected a Graph such as graphs.ring(8); got {graph!r}")
    return len(graph.edges)


def ferromagnet(graph: Graph, strength: float = 1.0) -> Float[np.ndarray, " m"]:
    """The same coupling on every bond."""
    return np.full(_bonds(graph), float(strength))


def plus_minus(graph: Graph, *, key: Array, p: float = 0.5) -> Float[np.ndarray, " m"]:
    """J = +1 with probability p, else -1, independently on every bond."""
    if not 0 <= p <= 1:
        raise ValueError(f"p is a probability in [0, 1]; got {p}")
    return np.where(generator(key).random(_bonds(graph)) < p, 1.0, -1.0)


def gaussian(graph: Graph, *, key: Array, mean: float = 0.0, scale: float = 1.0) -> Float[np.ndarray, " m"]:
    """J normal with the given mean and standard deviation, independently on every bond."""
    if scale < 0:
        raise ValueError(f"scale is a standard deviation, not negative; got {scale}")
    return mean + scale * generator(key).standard_normal(_bonds(graph))
