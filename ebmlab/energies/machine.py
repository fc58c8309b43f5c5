"""The Boltzmann machine on any graph: some units seen, the others hidden."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import whole
from ebmlab.energies.base import State
from ebmlab.energies.layered import AbstractSummable, Layers, as_units
from ebmlab.energies.pairwise import Pairwise, weighted_sum
from ebmlab.graphs import Graph, colouring, from_edges
from ebmlab.units import AbstractUnits


class BoltzmannMachine(AbstractSummable):
    """E(v, h) = -sum_<ij> J_ij s_i s_j - sum_i b_i s_i over a graph, s = (v, h), each bond once.

    visible: how many nodes of the graph are seen (the first ones), or which. couplings: J, one number or one for each
    edge of the graph; fields: b, one number or one for each node; units: "binary" (default), "spin". The state is
    (v, h), or (v,) where all are seen. Inside, nodes are renumbered, visible ones first: `edges`, `couplings` and
    `fields` are in that order. Blocks are colours of the visible units, then of the hidden ones.
    Source: D. Ackley, G. Hinton and T. Sejnowski, Cognitive Science 9, 147 (1985).
    """

    pairwise: Pairwise
    near_in_parts: Int[np.ndarray, "n degree"]
    units: tuple[AbstractUnits, ...]
    colours: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    summable: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def __init__(self, graph: Graph, visible: Any, couplings: Any = 0.0, fields: Any = 0.0, units: Any = None):
        if not isinstance(graph, Graph):
            raise TypeError(f"expected a Graph (see ebmlab.graphs); got {type(graph).__name__}")
        seen = _seen(visible, graph.n)
        order = np.concatenate([seen, np.setdiff1d(np.arange(graph.n), seen)])
        given = Pairwise(graph, couplings, fields)  # checks them
        new, old = _renumbered(graph, order)
        kind = as_units(units, graph.n, "graph")
        self.pairwise = Pairwise(new, given.couplings[old], given.fields[order], kind)
        sizes = [n for n in (len(seen), graph.n - len(seen)) if n]
        self.units = tuple(replace(kind, shape=(n,)) for n in sizes)
        starts = np.cumsum([0, *sizes])
        groups = [_colours(new, starts[k], starts[k + 1]) for k in range(len(sizes))]
        self.colours = tuple(group for layer in groups for group in layer)
        free = tuple((k,) for k, layer in enumerate(groups) if len(layer) == 1)
        self.summable = free or ((),)
        rank = np.argsort(np.concatenate(self.blocks)).astype(np.int32)
        self.near_in_parts = rank[self.pairwise.near]

    @property
    def blocks(self) -> tuple[Int[np.ndarray, " k"], ...]:
        """The sites of each colour, those of visible units first."""
        return tuple(np.array(colour) for colour in self.colours)

    @property
    def edges(self) -> Int[np.ndarray, "m 2"]:
        """The bonds, visible units numbered first."""
        return self.pairwise.edges

    @property
    def couplings(self) -> Float[Array | np.ndarray, " m"]:
        """J_ij in the order of `edges`."""
        return self.pairwise.couplings

    @property
    def fields(self) -> Float[Array | np.ndarray, " n"]:
        """b_i, visible units first."""
        return self.pairwise.fields

    @property
    def interactions(self) -> tuple[Any, ...]:
        """(J,)."""
        return (self.pairwise.couplings,)

    def _flat(self, x: Layers) -> Array:
        absent = [jnp.zeros(layer.shape) for layer in self.units]
        return jnp.concatenate([zero if s is None else jnp.asarray(s) * 1.0 for s, zero in zip(x, absent, strict=True)])

    def energy(self, x: Layers) -> Float[Array, ""]:
        """-sum_<ij> J_ij s_i s_j - sum_i b_i s_i."""
        return self.pairwise.energy((self._flat(x),))

    def field(self, parts: State, b: int) -> Array:
        """b_i + sum_j J_ij s_j for the units of block b."""
        block = self.blocks[b]
        near = jnp.asarray(self.near_in_parts)[block]
        pull = weighted_sum(jnp.concatenate(parts), near, self.pairwise.weights(block))
        return jnp.asarray(self.fields)[block] + pull

    def layer_field(self, x: Layers, k: int) -> Array:
        """b_i + sum_j J_ij s_j for the units of layer k, their own states included where bonds join them."""
        start = sum(layer.size for layer in self.units[:k])
        sites = np.arange(start, start + self.units[k].size)
        near = jnp.asarray(self.pairwise.near)[sites]
        return jnp.asarray(self.fields)[sites] + weighted_sum(self._flat(x), near, self.pairwise.weights(sites))

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, ""]:
        """b_i + sum_j J_ij s_j for one unit."""
        return self.pairwise.local_field((self._flat(x),), site)


def _seen(visible: Any, n: int) -> Int[np.ndarray, " k"]:
    """The visible nodes, from a count or a list of them."""
    if isinstance(visible, int | np.integer):
        count = whole("the number of visible units", visible)
        if count > n:
            raise ValueError(f"the graph has {n} nodes; got {count} visible units")
        return np.arange(count)
    seen = np.asarray(visible)
    if seen.ndim != 1 or not len(seen) or seen.dtype.kind not in "iu":
        raise ValueError(f"visible must be a count or a list of nodes; got {visible!r}")
    if len(np.unique(seen)) < len(seen) or seen.min() < 0 or seen.max() >= n:
        raise ValueError(f"visible must name different nodes of 0 ... {n - 1}; got {seen.tolist()}")
    return seen


def _renumbered(graph: Graph, order: Int[np.ndarray, " n"]) -> tuple[Graph, Int[np.ndarray, " m"]]:
    """The graph whose node k is `order[k]`, and which old edge each new one is."""
    edges = np.sort(np.argsort(order)[graph.edges], axis=1)
    old = np.lexsort((edges[:, 1], edges[:, 0]))
    return from_edges(edges[old], graph.n), old


def _colours(graph: Graph, start: int, end: int) -> list[tuple[int, ...]]:
    """Groups of the nodes start ... end - 1 without edges inside."""
    inner = graph.edges[((graph.edges >= start) & (graph.edges < end)).all(1)] - start
    colour = colouring(from_edges(inner, end - start)) if len(inner) else np.zeros(end - start, int)
    return [tuple((start + np.flatnonzero(colour == c)).tolist()) for c in range(colour.max() + 1)]
