"""Random couplings: the spin glasses of the course, and glasses whose ground state is known.

Every function draws one instance; the same key draws the same one. The disorder is fixed ("quenched"): averages over
it are taken over instances, after the thermal average of each.
"""

import math
from itertools import combinations
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import graphs
from ebmlab._check import as_parameter, concrete, finite, one_number, whole
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.graphs import Graph
from ebmlab.units import AbstractUnits, Spin

MOST_GROUPS = 2_000_000  # couplings of a p-spin model: about 100 MiB of neighbour lists for p = 3
MOST_SPINS = 100_000_000


def spins(name: str, values: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """`values` as float64 if all are +1 or -1 and the shape is right; ValueError names the first bad entry."""
    _outside_jit(name, values)
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}; got shape {array.shape}")
    wrong = np.argwhere(~np.isin(array, (-1, 1)))
    if len(wrong):
        at = tuple(map(int, wrong[0]))
        raise ValueError(f"{name} must hold +1 and -1 only; entry {list(at)} is {array[at]}. For bits use 2 * b - 1")
    return array.astype(np.float64)


def flat_spins(name: str, values: Any, n: int) -> Float[np.ndarray, " n"]:
    """`spins` of n units in any shape, flattened."""
    _outside_jit(name, values)
    return spins(name, np.ravel(values), (n,))


def one_layer(s: Any) -> Any:
    """The array of a state of one layer, given as it is or as a tuple (s,)."""
    if not isinstance(s, tuple):
        return s
    if len(s) != 1:
        raise ValueError(f"expected a state of one layer, an array or a tuple (s,); got {len(s)} layers")
    return s[0]


def _outside_jit(name: str, value: Any) -> None:
    if not concrete(value):
        raise TypeError(f"{name} must be known, not traced: build the model outside jit and vmap")


def sherrington_kirkpatrick(n: int, *, key: Array, mean: float = 0.0, fields: Any = 0.0) -> DensePairwise:
    """The Sherrington-Kirkpatrick glass: every spin is coupled to every other.

    E = -sum_(i<j) J_ij s_i s_j - sum_i h_i s_i with J_ij normal, mean `mean` / n and variance 1 / n. It freezes at
    T_c = 1; mean > 1 makes it a ferromagnet. See `ebmlab.meanfield.sk` for n to infinity.
    Source: D. Sherrington and S. Kirkpatrick, Phys. Rev. Lett. 35, 1792 (1975).
    """
    whole("the number of spins", n)
    one_number("mean", mean)
    _outside_jit("the key", key)
    matrix = np.zeros((n, n))
    upper = np.triu_indices(n, 1)
    matrix[upper] = mean / n + graphs.generator(key).standard_normal(len(upper[0])) / math.sqrt(n)
    return DensePairwise(matrix + matrix.T, fields)


def edwards_anderson(
    shape: tuple[int, ...],
    *,
    key: Array,
    kind: Literal["plus_minus", "gaussian"] = "plus_minus",
    p: float = 0.5,
    periodic: bool = True,
    fields: Any = 0.0,
) -> Pairwise:
    """The Edwards-Anderson glass: random couplings between neighbours on a grid of any dimension.

    kind: "plus_minus" draws J = +1 with probability p, else -1; "gaussian" draws J from N(0, 1), and p is not used.
    The state is flat, (n,), sites in C order of `shape`.
    Source: S. F. Edwards and P. W. Anderson, J. Phys. F 5, 965 (1975).
    """
    if kind not in ("plus_minus", "gaussian"):
        raise ValueError(f"kind must be 'plus_minus' or 'gaussian'; got {kind!r}")
    _outside_jit("the key", key)
    graph = graphs.grid(shape, periodic=periodic)
    couplings = graphs.plus_minus(graph, key=key, p=p) if kind == "plus_minus" else graphs.gaussian(graph, key=key)
    return Pairwise(graph, couplings, fields)


def mattis(graph: Graph, pattern: Any, couplings: Any = 1.0, fields: Any = 0.0) -> Pairwise:
    """The Mattis model, a ferromagnet in disguise: the coupling of bond <ij> is J_ij xi_i xi_j.

    pattern: xi (n,) of +1 and -1; couplings: J, one number or one for each edge. The substitution s_i -> xi_i s_i
    turns it into the model with couplings J, so without fields Z is the same at every beta, and with J > 0 the two
    ground states are +xi and -xi. `fields` are taken as they are.
    Source: D. C. Mattis, Phys. Lett. A 56, 421 (1976).
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"expected a Graph such as graphs.square(4); got {graph!r}")
    xi = spins("the pattern", pattern, (graph.n,))
    disguise = xi[graph.edges[:, 0]] * xi[graph.edges[:, 1]]
    J = as_parameter(couplings)
    if J.shape not in ((), disguise.shape):
        raise ValueError(f"couplings must be one number or one for each edge, shape {disguise.shape}; got {J.shape}")
    return Pairwise(graph, J * disguise, fields)


class PSpin(AbstractEnergy):
    """E(s) = -sum_g J_g s_g1 s_g2 ... s_gp: every coupling joins a group of p spins.

    groups: (m, p) whole numbers, distinct inside a row, each group once; couplings: J, one number or (m,);
    n: number of spins, the largest in `groups` + 1 unless given.
    """

    groups: Int[np.ndarray, "m p"]
    couplings: Float[Array | np.ndarray, " m"]
    others: Int[np.ndarray, "n degree p_less_1"]
    bond: Int[np.ndarray, "n degree"]
    mask: np.ndarray
    units: tuple[AbstractUnits, ...]

    def __init__(self, groups: Any, couplings: Any = 1.0, n: int | None = None):
        self.groups = _checked_groups(groups, n)
        self.couplings = as_parameter(couplings)
        if self.couplings.ndim == 0:
            self.couplings = self.couplings * np.ones(len(self.groups))
        if self.couplings.shape != (len(self.groups),):
            raise ValueError(f"couplings must be one number or ({len(self.groups)},); got {self.couplings.shape}")
        finite("couplings", self.couplings)
        n = int(self.groups.max()) + 1 if n is None else n
        self.units = (Spin(n),)
        self.others, self.bond, self.mask = _memberships(self.groups, n)

    def energy(self, x: State) -> Float[Array, ""]:
        """-sum_g J_g prod_(i in g) s_i."""
        s = jnp.asarray(x[0]) * 1.0
        return -(self.couplings * s[self.groups].prod(1)).sum()

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, ""]:
        """sum over the groups g that hold the site of J_g prod_(j in g, j != i) s_j."""
        J = jnp.where(jnp.asarray(self.mask)[site], jnp.asarray(self.couplings)[jnp.asarray(self.bond)[site]], 0.0)
        return (J * x[0][jnp.asarray(self.others)[site]].prod(-1)).sum()

    def field_size(self) -> Float[Array, " n"]:
        """sum over the groups of a site of |J_g|, the scale of the rounding error of each field."""
        each = jnp.abs(jnp.asarray(self.couplings))[:, None]
        return jnp.zeros(self.units[0].size, each.dtype).at[self.groups].add(each)


def _checked_groups(groups: Any, n: int | None) -> Int[np.ndarray, "m p"]:
    array = np.asarray(groups)
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.size == 0:
        raise ValueError(f"groups must be whole numbers (m, p), m and p at least 1; got {array.dtype} {array.shape}")
    top = int(array.max()) + 1 if n is None else whole("the number of spins", n)
    if array.min() < 0 or array.max() >= top:
        bad = array[((array < 0) | (array >= top)).any(1)][0].tolist()
        raise ValueError(f"group {bad} names a spin outside 0 ... {top - 1}; give n or mend it")
    if top > MOST_SPINS:
        raise ValueError(f"the groups speak of {top} spins; the limit is {MOST_SPINS}. Number the spins from 0 on")
    ordered = np.sort(array.astype(np.int32), axis=1)
    double = (ordered[:, 1:] == ordered[:, :-1]).any(1)
    if double.any():
        raise ValueError(f"group {array[double][0].tolist()} names a spin twice: s_i s_i = 1, so leave both out")
    unique, counts = np.unique(ordered, axis=0, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"group {unique[counts > 1][0].tolist()} is repeated; add its couplings into one")
    return ordered


def _memberships(groups: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every spin: the other members of its groups, the groups' numbers, and which entries are no padding."""
    m, p = groups.shape
    site, bond = groups.T.ravel(), np.tile(np.arange(m, dtype=np.int32), p)
    rest = np.concatenate([np.delete(groups, k, axis=1) for k in range(p)])
    order = np.argsort(site, kind="stable")
    degree = np.bincount(site, minlength=n)
    slot = np.arange(m * p) - np.repeat(np.cumsum(degree) - degree, degree)
    size = (n, int(degree.max()))
    others, number, mask = np.zeros((*size, p - 1), np.int32), np.zeros(size, np.int32), np.zeros(size, bool)
    at = site[order], slot
    others[at], number[at], mask[at] = rest[order], bond[order], True
    return others, number, mask


def p_spin(n: int, p: int, *, key: Array) -> PSpin:
    """The p-spin glass: a coupling for every group of p of the n spins; p = 2 is the Sherrington-Kirkpatrick glass.

    J normal with mean 0 and variance p! / (2 n^(p-1)); the number of groups, n over p, is limited to 2 million.
    Source: B. Derrida, Phys. Rev. B 24, 2613 (1981); D. J. Gross and M. Mezard, Nucl. Phys. B 240, 431 (1984).
    """
    whole("the number of spins", n)
    if not 2 <= whole("p", p) <= n:
        raise ValueError(f"p, the spins in a group, must lie between 2 and n = {n}; got {p}")
    if (count := math.comb(n, p)) > MOST_GROUPS:
        raise ValueError(f"{n} spins have {count:.3g} groups of {p}; the limit is {MOST_GROUPS}. Take fewer spins")
    _outside_jit("the key", key)
    groups = np.fromiter((i for group in combinations(range(n), p) for i in group), np.int32, count * p)
    scale = math.sqrt(math.factorial(p) / (2 * n ** (p - 1)))
    return PSpin(groups.reshape(count, p), scale * graphs.generator(key).standard_normal(count), n)


class Planted(NamedTuple):
    """A glass with a known ground state: `state`, a tuple (s,) as for all models, has the lowest energy, `energy`."""

    model: Pairwise
    state: State
    energy: float


def planted(graph: Graph, *, key: Array, loops: int | None = None, state: Any = None) -> Planted:
    """A glass built of frustrated loops around a planted state, which is a ground state with certainty.

    Each loop is a random cycle of the graph of length l: its bonds are +1 along the planted state t (J_ij = t_i t_j),
    one of them with the sign turned. No state goes below -(l - 2) on such a loop, and t reaches it on all at once.
    J_ij is the sum over the loops, so bonds that no loop takes are 0; other states may share the lowest energy.
    loops: how many, by default one for each node; state: t, (n,) of +1 and -1 or the tuple of it, by default random.
    Source: I. Hen et al., Phys. Rev. A 92, 042325 (2015).
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"expected a Graph such as graphs.square(4); got {graph!r}")
    count = graph.n if loops is None else whole("loops", loops)
    _outside_jit("the key", key)
    rng = graphs.generator(key)
    given = one_layer(state)
    t = rng.choice((-1.0, 1.0), graph.n) if given is None else flat_spins("the planted state", given, graph.n)
    near = _two_core(graph)
    nodes = [i for i, around in enumerate(near) if around]
    if not nodes:
        raise ValueError(f"{graph} has no cycle, so nothing can be frustrated; take a graph with loops")
    number = {edge: k for k, edge in enumerate(map(tuple, graph.edges.tolist()))}
    couplings = np.zeros(len(graph.edges))
    for _ in range(count):
        loop = _random_loop(near, nodes, rng)
        bonds = [number[min(i, j), max(i, j)] for i, j in zip(loop, loop[1:] + loop[:1], strict=True)]
        couplings[bonds] += 1
        couplings[bonds[rng.integers(len(bonds))]] -= 2
    energy = -float(couplings.sum())
    couplings *= t[graph.edges[:, 0]] * t[graph.edges[:, 1]]
    return Planted(Pairwise(graph, couplings), (jnp.asarray(t, jnp.float32),), energy)


def _two_core(graph: Graph) -> list[list[int]]:
    """Neighbours of every node once nodes with one neighbour have been taken away again and again."""
    near: list[set[int]] = [set() for _ in range(graph.n)]
    for i, j in graph.edges.tolist():
        near[i].add(j)
        near[j].add(i)
    ends = [i for i in range(graph.n) if len(near[i]) == 1]
    while ends:
        i = ends.pop()
        for j in near[i]:
            near[j].discard(i)
            if len(near[j]) == 1:
                ends.append(j)
        near[i] = set()
    return [sorted(around) for around in near]


def _random_loop(near: list[list[int]], nodes: list[int], rng: "np.random.Generator") -> list[int]:
    """A cycle: a random walk that never steps straight back, cut out where it first meets itself."""
    path = [nodes[rng.integers(len(nodes))]]
    when = {path[0]: 0}
    while True:
        onward = [j for j in near[path[-1]] if len(path) < 2 or j != path[-2]]
        step = onward[rng.integers(len(onward))]
        if step in when:
            return path[when[step] :]
        when[step] = len(path)
        path.append(step)
