"""Houdayer's cluster move: two replicas at one temperature exchange a cluster of the sites where they differ."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ebmlab import bits
from ebmlab._check import concrete, yes_or_no
from ebmlab.energies.base import AbstractEnergy, State, random_state
from ebmlab.energies.lattice import IsingLattice
from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.energies.potts import Potts
from ebmlab.kernels.base import AbstractKernel
from ebmlab.kernels.cluster import ClusterInfo, _fields, _flat, _layers, components
from ebmlab.kernels.tempering import tempered
from ebmlab.units import Gaussian, Spin

WITH_BONDS = (Pairwise, DensePairwise, IsingLattice, Potts)


class Houdayer(AbstractKernel):
    """One step: the replicas 0 and 1, 2 and 3, ... of a `Tempered` exchange one cluster each; E_0 + E_1 stays.

    From a random site where the two differ, the cluster is what the model's bonds reach over sites where they differ.
    Each bond that leaves it ends where the two agree, so the sum of the energies is the same after the exchange, and
    the move is always accepted. The two need the same beta: Tempered(model, np.repeat(betas, 2)).
    flip: where more than half of the sites differ, Spin models without fields move a cluster of the sites that agree
    instead: both replicas turn it over. That is the same move after one replica has been turned over as a whole, and
    turned back. It keeps clusters small.
    Not ergodic: use it with another kernel, Cycle(ParallelTempering(), Houdayer()). Where differing sites percolate
    (dense graphs, 3D at high temperature) it does little more than rename the replicas. `size` is the mean share of
    the sites in the cluster.
    Sources: J. Houdayer, Eur. Phys. J. B 22, 479 (2001); Z. Zhu, A. J. Ochoa and H. G. Katzgraber,
    Phys. Rev. Lett. 115, 077201 (2015).
    """

    flip: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        yes_or_no("flip", self.flip)

    def check(self, model: AbstractEnergy) -> None:
        """TypeError or ValueError where the replicas do not come in pairs, or the model is not one of bonds."""
        ladder = tempered(model)
        one = ladder.model
        if not hasattr(one, "edges") or any(isinstance(layer, Gaussian) for layer in one.units):
            raise TypeError(f"Houdayer's move needs discrete units on bonds (model.edges); got {type(one).__name__}")
        if concrete(ladder.betas):
            betas = np.asarray(ladder.betas)
            if len(betas) % 2 or (betas[::2] != betas[1::2]).any():
                raise ValueError(
                    f"Houdayer's move needs pairs of replicas with equal betas; got {betas.tolist()}. "
                    "Use Tempered(model, np.repeat(betas, 2))"
                )
        if concrete(one) and not isinstance(one, WITH_BONDS):
            _check_conserved(one)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, ClusterInfo]:
        """One exchange in every pair."""
        one, pairs = tempered(model).model, x[-1].shape[0] // 2
        paired = tuple(layer.reshape(pairs, 2, *layer.shape[1:]) for layer in x[:-1])
        keys = jax.lax.optimization_barrier(bits.split(key, pairs))
        new, size = jax.vmap(lambda x, key: _exchange(one, x, flip=self.flip, key=key))(paired, keys)
        layers = tuple(a.reshape(b.shape) for a, b in zip(new, x[:-1], strict=True))
        return (*layers, x[-1]), ClusterInfo(jnp.ones((), jnp.float32), size.mean())


def _exchange(model: AbstractEnergy, x: State, *, flip: bool, key: Array) -> tuple[State, Array]:
    """The pair x, layers (2, *shape), after one move, and the cluster's share of the sites."""
    first, second = tuple(a[0] for a in x), tuple(a[1] for a in x)
    a, b = _flat(first), _flat(second)
    differ = a != b
    turned = _symmetric(model, flip) & (differ.mean() > 0.5)
    inside = _cluster(model, differ ^ turned, key)
    new_a = jnp.where(inside, jnp.where(turned, -b, b), a)
    new_b = jnp.where(inside, jnp.where(turned, -a, a), b)
    pair = zip(_layers(new_a, first), _layers(new_b, second), strict=True)
    return tuple(jnp.stack(both) for both in pair), inside.mean(dtype=jnp.float32)


def _symmetric(model: Any, flip: bool) -> Any:
    """Whether turning all spins over leaves the energy as it is."""
    if not flip or not isinstance(model, Pairwise | DensePairwise | IsingLattice) or type(model.units[0]) is not Spin:
        return False
    return (_fields(model) == 0).all()


def _cluster(model: Any, active: Array, key: Array) -> Array:
    """The connected cluster of active sites around a random one of them; empty where none is active."""
    i, j = jnp.asarray(model.edges).T
    bond = active[i] & active[j]

    def hook(labels: Array) -> Array:
        low = jnp.where(bond, jnp.minimum(labels[i], labels[j]), labels.size)
        return labels.at[labels[i]].min(low).at[labels[j]].min(low)

    labels = components(active.size, hook)
    rank = (bits.uniform(key, ()) * active.sum()).astype(jnp.int32)
    site = jnp.argmax((jnp.cumsum(active) == rank + 1) & active)
    return (labels == labels[site]) & active


def _check_conserved(model: AbstractEnergy) -> None:
    """Someone's own energy: does it hold more than bonds and terms of single units?"""
    for seed in range(16):
        keys = bits.split(jax.random.key(seed), 3)
        states = tuple(random_state(model, key=k) for k in keys[:2])
        x = tuple(jnp.stack(both) for both in zip(*states, strict=True))
        new, _ = _exchange(model, x, flip=False, key=keys[2])
        before, after = (np.asarray(jax.vmap(model.energy)(y), np.float64).sum() for y in (x, new))
        if not abs(after - before) <= 1e-3 * (1 + abs(before)):
            raise ValueError(
                f"an exchange of a cluster changed E_0 + E_1 from {before:g} to {after:g}: the energy holds more than "
                "its bonds (model.edges) and terms of single units. Use ParallelTempering alone"
            )
