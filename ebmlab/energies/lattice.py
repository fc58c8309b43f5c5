"""The Ising model on a rectangular lattice, by slices instead of neighbour lists."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import as_parameter, finite, yes_or_no
from ebmlab.energies.base import AbstractConditional, State
from ebmlab.units import AbstractUnits, Spin, as_shape


class IsingLattice(AbstractConditional):
    """E(s) = -sum_<ij> J s_i s_j - sum_i h_i s_i on a chain, square or cubic lattice; the state keeps its shape.

    coupling: J, one number or one for each axis; field: h, one number or lattice-shaped; periodic: in all axes.
    A periodic side of length 2 has two bonds between each pair, as the formula with s_(i+1) says.
    The two blocks are the colours of the checkerboard. They need an even last side, and even sides all round where
    the lattice is periodic; other lattices have no blocks, and `Gibbs` then goes through the sites one by one.
    """

    coupling: Float[Array | np.ndarray, "..."]
    external: Float[Array | np.ndarray, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)
    periodic: bool = eqx.field(static=True)

    def __init__(self, shape: int | tuple[int, ...], coupling: Any = 1.0, field: Any = 0.0, periodic: bool = True):
        self.shape = as_shape(shape)
        if len(self.shape) not in (1, 2, 3):
            raise ValueError(f"a lattice has 1, 2 or 3 dimensions; got shape {self.shape}")
        self.periodic = yes_or_no("periodic", periodic)
        self.coupling, self.external = as_parameter(coupling), as_parameter(field)
        if self.coupling.shape not in ((), (len(self.shape),)):
            raise ValueError(
                f"coupling must be one number or one for each of {len(self.shape)} axes; got shape "
                f"{self.coupling.shape}. For a coupling on every bond use Pairwise(graphs.grid(shape), couplings)"
            )
        if self.external.shape not in ((), self.shape):
            raise ValueError(f"field must be one number or of shape {self.shape}; got shape {self.external.shape}")
        finite("coupling", self.coupling)
        finite("field", self.external)

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """One layer of spins in the lattice's shape."""
        return (Spin(self.shape),)

    @property
    def blocks(self) -> tuple[Int[np.ndarray, " k"], ...]:
        """The sites of the two colours, in the order of `split`; none where there is no checkerboard."""
        if not self._two_colours():
            return ()
        number = np.arange(np.prod(self.shape), dtype=np.int32).reshape(self.shape)
        return tuple(np.asarray(part).ravel() for part in self._halves(number, np))

    @property
    def edges(self) -> Int[np.ndarray, "m 2"]:
        """Bonds (i, j) of the flattened lattice; a periodic side of 2 lists its two bonds."""
        return np.concatenate([pairs for pairs, _ in self._bonds()])

    @property
    def couplings(self) -> Float[Array, " m"]:
        """J of every bond, in the order of `edges`."""
        strength = jnp.broadcast_to(jnp.asarray(self.coupling), (len(self.shape),))
        return jnp.concatenate([jnp.full(len(pairs), strength[axis]) for pairs, axis in self._bonds()])

    def _bonds(self) -> list[tuple[np.ndarray, int]]:
        number = np.arange(np.prod(self.shape)).reshape(self.shape)
        found = []
        for axis, side in enumerate(self.shape):
            there = np.roll(number, -1, axis)
            keep = np.arange(side if self.periodic else side - 1)
            if side == 1:
                keep = keep[:0]
            pairs = [np.take(a, keep, axis).ravel() for a in (number, there)]
            found.append((np.stack(pairs, axis=1), axis))
        return found

    def energy(self, x: State) -> Float[Array, ""]:
        """-sum_axes J_axis sum_i s_i s_(i+1) - sum_i h_i s_i."""
        s = x[0] * 1.0
        strength = jnp.broadcast_to(jnp.asarray(self.coupling), (len(self.shape),))
        total = -(self.external * s).sum()
        for axis, side in enumerate(self.shape):
            if side > 1:
                first = jax.lax.slice_in_dim(s, 0, side - 1, axis=axis)
                total -= strength[axis] * (first * jax.lax.slice_in_dim(s, 1, side, axis=axis)).sum()
                if self.periodic:
                    last = jax.lax.index_in_dim(s, side - 1, axis)
                    total -= strength[axis] * (last * jax.lax.index_in_dim(s, 0, axis)).sum()
        return total

    # The colours as arrays. Colour c holds the sites whose coordinates add up to an even (c = 0) or odd (c = 1)
    # number. Its array has the lattice's shape with the last side halved: entry (..., k) is column 2k or 2k + 1.

    def _halves(self, s: Any, np_: Any) -> tuple[Any, Any]:
        self._check_colours()
        pairs = s.reshape(*self.shape[:-1], self.shape[-1] // 2, 2)
        even = self._row_parity() == 0
        return np_.where(even, pairs[..., 0], pairs[..., 1]), np_.where(even, pairs[..., 1], pairs[..., 0])

    def _row_parity(self) -> np.ndarray:
        rows = np.indices(self.shape[:-1], sparse=True)
        return np.asarray(sum(rows, np.zeros(1, int)) % 2)[..., None] if rows else np.zeros(1, int)

    def _two_colours(self) -> bool:
        return self.shape[-1] % 2 == 0 and not (self.periodic and any(side % 2 for side in self.shape))

    def _check_colours(self) -> None:
        if not self._two_colours():
            raise ValueError(
                f"a checkerboard needs an even last side (periodic: all sides even); got shape {self.shape}. "
                "Use Pairwise(graphs.grid(shape)), Metropolis, or Gibbs(scan='sequential')"
            )

    def split(self, x: State) -> State:
        """The two colours, each in the lattice's shape with the last side halved, as 8-bit integers."""
        return self._halves(x[0].astype(jnp.int8), jnp)

    def merge(self, parts: State) -> State:
        """The lattice from its two colours."""
        a, b = parts
        even = self._row_parity() == 0
        columns = jnp.stack([jnp.where(even, a, b), jnp.where(even, b, a)], axis=-1)
        return (columns.reshape(self.shape).astype(self.units[0].dtype),)

    def field(self, parts: State, b: int) -> Float[Array, "..."]:
        """h_i + J (sum of the nearest neighbours) for the sites of colour b."""
        other = parts[1 - b]
        sides = len(self.shape)
        # A copy with a halo of one site, kept from melting into its users: they then read plain slices.
        wide = jax.lax.optimization_barrier(jnp.pad(other, 1, mode="wrap" if self.periodic else "constant"))

        def shifted(axis: int, by: int) -> Array:
            start = [1 + (by if a == axis else 0) for a in range(sides)]
            return jax.lax.slice(wide, start, [i + n for i, n in zip(start, other.shape, strict=True)])

        here, last = shifted(0, 0), sides - 1
        beside = jnp.where(self._row_parity() == b, shifted(last, -1), shifted(last, 1))
        sums = [shifted(axis, -1) + shifted(axis, 1) for axis in range(last)] + [here + beside]
        if self.coupling.ndim == 0:
            near = jnp.asarray(self.coupling) * sum(sums[1:], sums[0]).astype(jnp.float32)
        else:
            near = sum((self.coupling[a] * sums[a].astype(jnp.float32) for a in range(sides)), jnp.zeros(()))
        if self.external.ndim == 0:
            return near + jnp.asarray(self.external)
        return near + self._halves(jnp.asarray(self.external), jnp)[b]

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, ""]:
        """h_i + J (sum of the nearest neighbours) for one site."""
        s = x[0]
        strength = jnp.broadcast_to(jnp.asarray(self.coupling), (len(self.shape),))
        at = jnp.unravel_index(site, self.shape)
        total = jnp.asarray(self.external)[at] if self.external.ndim else jnp.asarray(self.external)
        for axis, side in enumerate(self.shape):
            for by in (-1, 1) if side > 1 else ():
                there = list(at)
                there[axis] = (at[axis] + by) % side
                inside = self.periodic | ((at[axis] + by >= 0) & (at[axis] + by < side))
                total = total + jnp.where(inside, strength[axis] * s[tuple(there)], 0.0)
        return total
