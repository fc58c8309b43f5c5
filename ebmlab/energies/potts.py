"""The Potts model on any graph."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import as_parameter, finite
from ebmlab.energies.base import AbstractConditional, State
from ebmlab.energies.pairwise import Pairwise
from ebmlab.graphs import Graph
from ebmlab.units import AbstractUnits, Categorical


class Potts(AbstractConditional):
    """E(s) = -sum_<ij> J_ij delta(s_i, s_j) - sum_i h_i(s_i) with s_i in 0 ... levels - 1 (delta convention).

    couplings: J, one number or one for each edge; fields: h, one number for each unit and value (n, levels).
    With two levels and J_Potts = 2 J it is the Ising model up to the constant sum_<ij> J.
    """

    bonds: Pairwise  # neighbour lists, colours and couplings
    fields: Float[Array | np.ndarray, "n levels"]
    units: tuple[AbstractUnits, ...]

    def __init__(self, graph: Graph, levels: int, couplings: Any = 1.0, fields: Any = 0.0):
        self.bonds = Pairwise(graph, couplings)
        self.units = (Categorical(graph.n, levels),)
        table = as_parameter(fields)
        if table.ndim == 0:
            table = table * np.ones((graph.n, levels))
        if table.shape != (graph.n, levels):
            raise ValueError(f"fields must be one number or of shape ({graph.n}, {levels}); got shape {table.shape}")
        finite("fields", table)
        self.fields = table

    @property
    def blocks(self) -> tuple[Any, ...]:
        """The colours of the graph."""
        return self.bonds.blocks

    @property
    def edges(self) -> Int[np.ndarray, "m 2"]:
        """Bonds (i, j), each once."""
        return self.bonds.edges

    @property
    def couplings(self) -> Float[Array | np.ndarray, " m"]:
        """J of every bond."""
        return self.bonds.couplings

    def energy(self, x: State) -> Float[Array, ""]:
        """-sum_<ij> J_ij delta(s_i, s_j) - sum_i h_i(s_i)."""
        s = jnp.asarray(x[0]).astype(jnp.int32)
        alike = s[self.edges[:, 0]] == s[self.edges[:, 1]]
        own = jnp.take_along_axis(jnp.asarray(self.fields), s[:, None], axis=1)
        return -(self.couplings * alike).sum() - own.sum()

    def field(self, parts: State, b: int) -> Float[Array, "k levels"]:
        """h_i(v) + sum_j J_ij delta(v, s_j) for every value v of the units of block b."""
        return self._fields(jnp.concatenate(parts), self.bonds.near_in_parts, self.blocks[b])

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, " levels"]:
        """h_i(v) + sum_j J_ij delta(v, s_j) for every value v of one unit."""
        return self._fields(x[0], self.bonds.near, site)

    def _fields(self, s: Array, near: Any, sites: Any) -> Array:
        alike = s[jnp.asarray(near)[sites]][..., None] == jnp.arange(self.fields.shape[1])
        return jnp.asarray(self.fields)[sites] + (self.bonds.weights(sites)[..., None] * alike).sum(-2)
