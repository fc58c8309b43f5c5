"""Cluster moves: whole clusters of aligned units change together, which beats critical slowing down."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ebmlab import bits
from ebmlab._check import concrete
from ebmlab.energies.base import AbstractEnergy, State, random_state, site_count
from ebmlab.energies.lattice import IsingLattice
from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.energies.potts import Potts
from ebmlab.kernels.base import AbstractKernel, probability
from ebmlab.units import Categorical, Spin


class ClusterInfo(NamedTuple):
    """The mean acceptance probability, and the share of the units in the cluster (see the kernel)."""

    accepted: Float[Array, ""]
    size: Float[Array, ""]


class SwendsenWang(AbstractKernel):
    """One step draws bonds, finds all clusters, and gives each a new value, drawn given the bonds.

    Spin units, either sign of J: a bond with J s_i s_j > 0 is active with probability 1 - exp(-2 beta |J|), and a
    cluster keeps its spins with probability sigmoid(2 beta sum_(i in cluster) h_i s_i), one half without fields.
    Potts, J >= 0: a bond between equal values is active with probability 1 - exp(-beta J), and a cluster takes
    value v with probability proportional to exp(beta sum_(i in cluster) h_i(v)).
    `size` is the mean share of the units in the cluster of a random unit, sum_c |c|^2 / n^2: in a ferromagnet
    without fields its mean is <m^2>. In frustrated models clusters percolate early and the gain is small.
    Source: R. H. Swendsen and J.-S. Wang, Phys. Rev. Lett. 58, 86 (1987).
    """

    def check(self, model: AbstractEnergy) -> None:
        """TypeError or ValueError where the energy is not one of bonds and fields that clusters can carry."""
        check_bonds(model)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, ClusterInfo]:
        """New values for all clusters."""
        draw, choose = bits.split(key)
        labels = clusters(model, x, beta=beta, key=draw)
        s, fields, n = _flat(x), _fields(model), site_count(model)
        if isinstance(model.units[0], Categorical):
            total = jnp.zeros(fields.shape, jnp.float32).at[labels].add(fields)
            new = model.units[0].draw(total, beta=beta, key=choose)[labels]
        else:
            total = jnp.zeros(n, jnp.float32).at[labels].add(fields * s)
            keep = bits.uniform(choose, (n,)) < jax.nn.sigmoid(2 * beta * total)
            new = jnp.where(keep[labels], s, -s)
        sizes = jnp.zeros(n, jnp.float32).at[labels].add(1.0)
        return _layers(new, x), ClusterInfo(jnp.ones((), jnp.float32), ((sizes / n) ** 2).sum())


class Wolff(AbstractKernel):
    """One step moves one cluster, that of a unit picked at random; bonds as in `SwendsenWang`.

    Spin units flip; Potts units take one of the other values, equally often. With fields the move is accepted with
    probability min(1, exp(beta sum_(i in cluster) [h_i(new) - h_i(old)])), which gets small for large clusters
    (`SwendsenWang` or `Gibbs` are better then); without fields always. `size` is that of the cluster over n.
    A step costs as much as one of `SwendsenWang`, whatever the size of its cluster.
    Source: U. Wolff, Phys. Rev. Lett. 62, 361 (1989).
    """

    def check(self, model: AbstractEnergy) -> None:
        """TypeError or ValueError where the energy is not one of bonds and fields that clusters can carry."""
        check_bonds(model)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, ClusterInfo]:
        """One cluster moves."""
        draw, where, choose, decide = bits.split(key, 4)
        labels = clusters(model, x, beta=beta, key=draw)
        s, fields, n = _flat(x), _fields(model), site_count(model)
        site = (bits.uniform(where, ()) * n).astype(jnp.int32)
        inside = labels == labels[site]
        if isinstance(model.units[0], Categorical):
            levels = model.units[0].levels
            new = (s[site] + 1 + (bits.uniform(choose, ()) * (levels - 1)).astype(s.dtype)) % levels
            gain = fields[:, new] - fields[:, s[site]]
        else:
            new = -s
            gain = -2 * fields * s
        chance = probability(beta * jnp.where(inside, gain, 0.0).sum())
        moved = inside & (bits.uniform(decide, ()) < chance)
        return _layers(jnp.where(moved, new, s), x), ClusterInfo(chance, (inside.sum() / n).astype(jnp.float32))


def clusters(model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> Int[Array, " n"]:
    """One draw of Swendsen-Wang clusters: for each unit the lowest site number in its cluster.

    Reshape to the lattice to draw a picture. Units outside any active bond are clusters of one.
    """
    _require(model)
    n = site_count(model)
    if isinstance(model, IsingLattice):
        return components(n, _lattice_hook(model, x[0], beta=beta, key=key))
    return components(n, _graph_hook(model, _flat(x), beta=beta, key=key))


def components(n: int, hook: Callable[[Array], Array]) -> Int[Array, " n"]:
    """Connected components of n sites, named by their lowest site, by hooking and pointer jumping.

    Each label points at a site of the same component. `hook` makes the site that a label points at point at the
    lowest label beside it; then every label follows its pointer twice. Rounds grow like log n.
    Source: Y. Shiloach and U. Vishkin, J. Algorithms 3, 57 (1982).
    """

    def body(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        old, _ = carry
        new = hook(old)
        new = new[new]
        new = new[new]
        return new, (new != old).any()

    return jax.lax.while_loop(lambda carry: carry[1], body, (jnp.arange(n, dtype=jnp.int32), jnp.array(True)))[0]


def _graph_hook(model: Any, s: Array, *, beta: Any, key: Array) -> Callable[[Array], Array]:
    """Hooking over a list of bonds."""
    i, j = jnp.asarray(model.edges).T
    strength = jnp.asarray(model.couplings)
    if isinstance(model.units[0], Categorical):
        satisfied, chance = s[i] == s[j], -jnp.expm1(-beta * strength)
    else:
        satisfied, chance = strength * s[i] * s[j] > 0, -jnp.expm1(-2 * beta * jnp.abs(strength))
    active = satisfied & (bits.uniform(key, i.shape) < chance)

    def hook(labels: Array) -> Array:
        a, b = labels[i], labels[j]
        lowest = jnp.where(active, jnp.minimum(a, b), labels.size)
        return labels.at[a].min(lowest).at[b].min(lowest)

    return hook


def _lattice_hook(model: IsingLattice, s: Array, *, beta: Any, key: Array) -> Callable[[Array], Array]:
    """Hooking by shifts: bond (axis, i) joins site i to the next one along the axis."""
    active = _lattice_bonds(model, s, beta=beta, key=key)

    def hook(labels: Array) -> Array:
        grid = labels.reshape(model.shape)
        lowest = grid
        for axis, bond in enumerate(active):
            after = jnp.where(bond, jnp.roll(grid, -1, axis), labels.size)
            before = jnp.where(jnp.roll(bond, 1, axis), jnp.roll(grid, 1, axis), labels.size)
            lowest = jnp.minimum(lowest, jnp.minimum(after, before))
        return labels.at[labels].min(lowest.ravel())

    return hook


def _lattice_bonds(model: IsingLattice, s: Array, *, beta: Any, key: Array) -> list[Bool[Array, "..."]]:
    """For each axis, whether the bond from a site to the next one is active."""
    strength = jnp.broadcast_to(jnp.asarray(model.coupling), (len(model.shape),))
    dice = bits.uniform(key, (len(model.shape), *model.shape))
    active = []
    for axis, side in enumerate(model.shape):
        chance = -jnp.expm1(-2 * beta * jnp.abs(strength[axis]))
        bond = (strength[axis] * s * jnp.roll(s, -1, axis) > 0) & (dice[axis] < chance)
        if side == 1 or not model.periodic:
            last = np.arange(side).reshape([-1 if a == axis else 1 for a in range(s.ndim)]) == side - 1
            bond = bond & ~last
        active.append(bond)
    return active


def _flat(x: State) -> Array:
    return jnp.concatenate([layer.ravel() for layer in x])


def _layers(flat: Array, like: State) -> State:
    ends = np.cumsum([layer.size for layer in like])[:-1]
    parts = jnp.split(flat, ends)
    return tuple(part.reshape(a.shape).astype(a.dtype) for part, a in zip(parts, like, strict=True))


def _fields(model: Any) -> Float[Array, "n ..."]:
    """h of every unit, (n,) or (n, levels)."""
    if isinstance(model, IsingLattice):
        return jnp.broadcast_to(jnp.asarray(model.external, jnp.float32), model.shape).ravel()
    n = site_count(model)
    shape = (n, model.units[0].levels) if isinstance(model.units[0], Categorical) else (n,)
    return jnp.broadcast_to(jnp.asarray(getattr(model, "fields", 0.0), jnp.float32), shape)


def _require(model: Any) -> None:
    """TypeError where a model has no bonds, or units that clusters do not know."""
    if not (hasattr(model, "edges") and hasattr(model, "couplings")):
        raise TypeError(
            f"cluster moves need a list of bonds (model.edges, model.couplings); {type(model).__name__} has none. "
            "Use Gibbs or Metropolis"
        )
    kinds = {type(layer) for layer in model.units}
    if kinds != {Spin} and (kinds != {Categorical} or len(model.units) > 1):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(f"cluster moves need Spin units or a Potts model; got {names}. For bits use ebmlab.to_spin")


def check_bonds(model: Any) -> None:
    """Raise TypeError or ValueError where E is not -sum J s_i s_j - sum h_i s_i (or Potts with J >= 0)."""
    _require(model)
    if not concrete(model):
        return
    potts = isinstance(model.units[0], Categorical)
    if isinstance(model, Pairwise | DensePairwise | IsingLattice):
        return
    couplings, edges = np.asarray(model.couplings), np.asarray(model.edges)
    if potts and (couplings < 0).any():
        raise ValueError(
            f"cluster moves of a Potts model need couplings J >= 0; the lowest is {couplings.min():g}. "
            "Use Gibbs or Metropolis"
        )
    if isinstance(model, Potts):
        return
    for seed in range(2):  # someone's own energy: does it hold more than its bonds and fields?
        x = random_state(model, key=jax.random.key(seed))
        s, h = np.asarray(_flat(x)), np.asarray(_fields(model))
        alike = s[edges[:, 0]] == s[edges[:, 1]] if potts else s[edges[:, 0]] * s[edges[:, 1]]
        own = np.take_along_axis(h, s[:, None].astype(int), 1) if potts else h * s
        expected, got = -(couplings * alike).sum() - own.sum(), float(model.energy(x))
        scale = np.abs(couplings).sum() + np.abs(h).sum() + 1
        if not abs(expected - got) <= 1e-3 * scale:
            raise ValueError(
                f"the energy is not that of its bonds and fields: energy(x) = {got:g}, edges, couplings and fields "
                f"give {expected:g} for the same x. Cluster moves would sample the wrong model; use Gibbs or Metropolis"
            )
