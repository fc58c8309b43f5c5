"""Pairwise energies on any graph: Ising models, spin glasses, Boltzmann machines, QUBO."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import as_parameter, concrete, finite
from ebmlab.energies.base import AbstractConditional, AbstractEnergy, State
from ebmlab.graphs import Graph, colouring
from ebmlab.units import AbstractTwoValued, AbstractUnits, Spin

MOST_UNROLLED = 32  # neighbours summed one by one


def _checked_units(units: AbstractUnits | None, n: int) -> tuple[AbstractUnits, ...]:
    kind = Spin(n) if units is None else units
    if not isinstance(kind, AbstractTwoValued):
        raise TypeError(f"pairwise energies take Spin or Binary units; got {kind!r}")
    if kind.size != n:
        raise ValueError(f"the couplings name {n} units; got units of shape {kind.shape}")
    return (kind,)


def _broadcast(name: str, value: Any, size: int, what: str) -> Any:
    array = as_parameter(value)
    if array.ndim == 0:
        array = array * np.ones(size)
    if array.shape != (size,):
        raise ValueError(f"{name} must be one number or one for each {what}, shape ({size},); got shape {array.shape}")
    finite(name, array)
    return array


class Pairwise(AbstractConditional):
    """E(s) = -sum_<ij> J_ij s_i s_j - sum_i h_i s_i, each bond of the graph once.

    couplings: J, one number or one for each edge (m,); fields: h, one number or one for each unit (n,);
    units: Spin(n) unless given (Binary(n) makes it a Boltzmann machine on bits). Blocks are the graph's colours.
    """

    couplings: Float[Array | np.ndarray, " m"]
    fields: Float[Array | np.ndarray, " n"]
    edges: Int[np.ndarray, "m 2"]
    near: Int[np.ndarray, "n degree"]
    near_in_parts: Int[np.ndarray, "n degree"]
    near_beside: Int[np.ndarray, "n degree"]
    bond: Int[np.ndarray, "n degree"]
    mask: np.ndarray
    blocks: tuple[Int[np.ndarray, " k"], ...]
    units: tuple[AbstractUnits, ...]

    def __init__(self, graph: Graph, couplings: Any = 1.0, fields: Any = 0.0, units: AbstractUnits | None = None):
        if not isinstance(graph, Graph):
            raise TypeError(f"expected a Graph (see ebmlab.graphs); got {type(graph).__name__}")
        self.couplings = _broadcast("couplings", couplings, len(graph.edges), "edge")
        self.fields = _broadcast("fields", fields, graph.n, "unit")
        self.units = _checked_units(units, graph.n)
        colour = colouring(graph)
        order = np.argsort(colour, kind="stable")
        rank = np.argsort(order).astype(np.int32)  # where a site stands once the parts are put one behind the other
        self.blocks = tuple(np.flatnonzero(colour == c) for c in range(colour.max() + 1))
        lists = graph.neighbours()
        self.near, self.bond, self.mask = lists
        self.near_in_parts = rank[lists.node]
        if len(self.blocks) == 2:  # all neighbours are in the other block: counted there
            rank = np.where(colour == 1, rank - len(self.blocks[0]), rank).astype(np.int32)
        self.near_beside = np.where(self.mask, rank[lists.node], 0)
        self.edges = graph.edges

    def energy(self, x: State) -> Float[Array, ""]:
        """-sum_<ij> J_ij s_i s_j - sum_i h_i s_i."""
        s = jnp.asarray(x[0]).ravel() * 1.0
        return -(self.couplings * s[self.edges[:, 0]] * s[self.edges[:, 1]]).sum() - (self.fields * s).sum()

    def field(self, parts: State, b: int) -> Float[Array, " k"]:
        """h_i + sum_j J_ij s_j for the units of block b."""
        block = self.blocks[b]
        pull = weighted_sum(jnp.concatenate(parts), self.near_in_parts[block], self.weights(block))
        return jnp.asarray(self.fields)[block] + pull

    def parts_energy(self, parts: State) -> Float[Array, ""]:
        """E of a state in parts, fast for many chains; with two blocks each bond has one end in the second."""
        h = jnp.asarray(self.fields)
        if len(parts) == 2:
            first, second = self.blocks
            near, weights = self.near_beside[second], self.weights(second)
            return _parts_energy(parts[1], parts[0], near, weights, h[second], h[first])
        s, order = jnp.concatenate(parts), jnp.concatenate([jnp.asarray(block) for block in self.blocks])
        near, weights = jnp.asarray(self.near_beside)[order], 0.5 * self.weights(order)
        return _parts_energy(s, s, near, weights, h[order], jnp.zeros_like(h))

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, ""]:
        """h_i + sum_j J_ij s_j for one unit."""
        s = x[0].ravel()
        return jnp.asarray(self.fields)[site] + (self.weights(site) * s[jnp.asarray(self.near)[site]]).sum()

    def field_size(self) -> Float[Array, " n"]:
        """sum_j |J_ij| + |h_i|, the scale of the rounding error of each field."""
        return jnp.abs(jnp.asarray(self.fields)) + jnp.abs(self.weights(np.arange(len(self.bond)))).sum(-1)

    def weights(self, sites: Any) -> Float[Array, "... degree"]:
        """The couplings to the neighbours in `near[sites]`, 0 where the list is padding."""
        if self.couplings.shape[0] == 0:
            return jnp.zeros((*np.shape(sites), self.bond.shape[1]))
        return jnp.where(jnp.asarray(self.mask)[sites], jnp.asarray(self.couplings)[jnp.asarray(self.bond)[sites]], 0.0)


@jax.custom_jvp
def weighted_sum(s: Array, near: Array, weights: Array) -> Array:
    """sum_k weights[i, k] s[near[i, k]] for every i."""
    return _weighted_sum(s, near, weights)


@weighted_sum.defjvp
def _weighted_sum_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (s, near, weights), (ds, _, dweights) = primals, tangents
    return weighted_sum(s, near, weights), (dweights * s[near] + weights * ds[near]).sum(-1)


@jax.custom_batching.custom_vmap
def _weighted_sum(s: Array, near: Array, weights: Array) -> Array:
    if near.shape[1] > MOST_UNROLLED:
        return (weights * s[near]).sum(-1)
    return _sum_of_rows(s[:, None], near, weights)[:, 0]


@_weighted_sum.def_vmap
def _weighted_sums(size: int, batched: list[bool], s: Array, near: Array, weights: Array) -> tuple[Array, bool]:
    """The same for many chains: with chains last a neighbour is a contiguous row, which a CPU reads twice as fast."""
    if batched != [True, False, False] or near.shape[1] > MOST_UNROLLED:
        axes = [0 if b else None for b in batched]
        return jax.vmap(lambda s, near, weights: (weights * s[near]).sum(-1), axes)(s, near, weights), True
    return _sum_of_rows(s.T, near, weights).T, True


@jax.custom_batching.custom_vmap
def _sum_of_rows(rows: Array, near: Array, weights: Array) -> Array:
    """sum_k weights[i, k] rows[near[i, k]] for every i; one column for each chain."""
    return jax.lax.optimization_barrier(_gathered(jax.lax.optimization_barrier(rows), near, weights))


@_sum_of_rows.def_vmap
def _sums_of_rows(size: int, batched: list[bool], rows: Array, near: Array, weights: Array) -> tuple[Array, bool]:
    """One more axis of chains (replicas in each chain, say) makes the rows longer."""
    if batched != [True, False, False]:
        return jax.vmap(_gathered, [0 if b else None for b in batched])(rows, near, weights), True
    total = _sum_of_rows(_longer(rows), near, weights)
    return jnp.moveaxis(total.reshape(-1, size, rows.shape[-1]), 0, 1), True


def _gathered(rows: Array, near: Array, weights: Array) -> Array:
    return sum((weights[:, k, None] * rows[near[:, k]] for k in range(near.shape[1])), jnp.zeros(()))


def _longer(rows: Array) -> Array:
    """(size, n, chains) as (n, size x chains)."""
    return jnp.moveaxis(rows, 0, 1).reshape(rows.shape[1], -1)


@jax.custom_batching.custom_vmap
def _parts_energy(a: Array, s: Array, near: Array, weights: Array, h: Array, g: Array) -> Array:
    """-sum_i a_i (h_i + sum_k weights[i, k] s[near[i, k]]) - sum_j g_j s_j."""
    return -a @ ((weights * s[near]).sum(-1) + h) - g @ s


@_parts_energy.def_vmap
def _parts_energies(size: int, batched: list[bool], a: Array, s: Array, *rest: Array) -> tuple[Array, bool]:
    """The same for many chains, chains last."""
    if batched != [True, True, False, False, False, False] or rest[0].shape[1] > MOST_UNROLLED:
        return jax.vmap(_parts_energy.fun, [0 if b else None for b in batched])(a, s, *rest), True
    return _energy_of_rows(a.T, s.T, *rest), True


@jax.custom_batching.custom_vmap
def _energy_of_rows(a: Array, s: Array, near: Array, weights: Array, h: Array, g: Array) -> Array:
    """Sums of columns are products with a vector: a CPU is slow at adding down columns."""
    each = a * (jax.lax.optimization_barrier(_gathered(jax.lax.optimization_barrier(s), near, weights)) + h[:, None])
    return -jnp.ones(h.shape) @ jax.lax.optimization_barrier(each) - g @ s


@_energy_of_rows.def_vmap
def _energies_of_rows(size: int, batched: list[bool], a: Array, s: Array, *rest: Array) -> tuple[Array, bool]:
    if batched != [True, True, False, False, False, False]:
        return jax.vmap(_energy_of_rows.fun, [0 if b else None for b in batched])(a, s, *rest), True
    return _energy_of_rows(_longer(a), _longer(s), *rest).reshape(size, -1), True


class DensePairwise(AbstractEnergy):
    """E(s) = -1/2 s^T J s - h^T s with a symmetric matrix J of zero diagonal: each pair counts once.

    matrix: J (n, n); fields: h, one number or (n,); units: Spin(n) unless given. Every unit may feel every other,
    so it is updated one unit at a time.
    """

    matrix: Float[Array | np.ndarray, "n n"]
    fields: Float[Array | np.ndarray, " n"]
    units: tuple[AbstractUnits, ...]

    def __init__(self, matrix: Any, fields: Any = 0.0, units: AbstractUnits | None = None):
        self.matrix = as_parameter(matrix)
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise ValueError(f"the coupling matrix must be square; got shape {self.matrix.shape}")
        finite("the coupling matrix", self.matrix)
        if concrete(self.matrix):
            _check_symmetric(np.asarray(self.matrix))
        self.fields = _broadcast("fields", fields, self.matrix.shape[0], "unit")
        self.units = _checked_units(units, self.matrix.shape[0])

    @property
    def edges(self) -> Int[np.ndarray, "m 2"]:
        """All pairs i < j."""
        return np.stack(np.triu_indices(self.matrix.shape[0], 1), axis=1)

    @property
    def couplings(self) -> Float[Array, " m"]:
        """J_ij of all pairs, in the order of `edges`."""
        return jnp.asarray(self.matrix)[np.triu_indices(self.matrix.shape[0], 1)]

    def energy(self, x: State) -> Float[Array, ""]:
        """-1/2 s^T J s - h^T s."""
        s = jnp.asarray(x[0]).ravel() * 1.0
        return -0.5 * s @ (self.matrix @ s) - self.fields @ s

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, ""]:
        """h_i + sum_j J_ij s_j for one unit."""
        return jnp.asarray(self.fields)[site] + jnp.asarray(self.matrix)[site] @ x[0].ravel()

    def field_size(self) -> Float[Array, " n"]:
        """sum_j |J_ij| + |h_i|, the scale of the rounding error of each field."""
        return jnp.abs(jnp.asarray(self.matrix)).sum(1) + jnp.abs(jnp.asarray(self.fields))


def _check_symmetric(matrix: np.ndarray) -> None:
    if not np.array_equal(matrix, matrix.T) and not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-12):
        i, j = map(int, np.unravel_index(np.argmax(np.abs(matrix - matrix.T)), matrix.shape))
        raise ValueError(
            f"the coupling matrix must be symmetric; J[{i}, {j}] = {matrix[i, j]:g} but J[{j}, {i}] = "
            f"{matrix[j, i]:g}. Use (J + J.T) / 2 if each entry stands for half the pair"
        )
    if np.diag(matrix).any():
        i = int(np.flatnonzero(np.diag(matrix))[0])
        raise ValueError(
            f"the coupling matrix must have a zero diagonal; J[{i}, {i}] = {matrix[i, i]:g}. For spins it is a "
            "constant (drop it); for bits b_i b_i = b_i, so add J_ii / 2 to the field"
        )
