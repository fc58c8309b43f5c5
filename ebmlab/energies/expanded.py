"""Expanded ensembles: a temperature as one more unit of the state, and energies that make a histogram flat."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import as_parameter, concrete, finite
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.energies.replicas import check_ladder
from ebmlab.units import AbstractUnits, Categorical


class Expanded(AbstractEnergy):
    """E(x, k) = betas[k] E(x) - weights[k]: the state carries the number k of its own inverse temperature.

    To be sampled at beta = 1. Then p(x, k) is proportional to exp(-betas[k] E(x) + weights[k]), so that x given k
    follows Boltzmann's law at betas[k], and p(k) is proportional to Z(betas[k]) exp(weights[k]). All temperatures
    are equally likely for weights[k] = -log Z(betas[k]), up to one constant: a weight is beta times a free energy.
    model: any energy; betas: at least two and at most 127 numbers, not negative, rising or falling; weights: one
    number or one for each beta. State: the layers of the model, then k, an int32 scalar. Kernel: SimulatedTempering.
    Sources: A. P. Lyubartsev et al., J. Chem. Phys. 96, 1776 (1992); E. Marinari and G. Parisi, Europhys. Lett. 19,
    451 (1992).
    """

    model: AbstractEnergy
    betas: Float[Array | np.ndarray, " K"]
    weights: Float[Array | np.ndarray, " K"]

    def __init__(self, model: AbstractEnergy, betas: Any, weights: Any = 0.0):
        if not isinstance(model, AbstractEnergy):
            raise TypeError(f"expected an AbstractEnergy to expand; got {type(model).__name__}")
        self.model = model
        self.betas = as_parameter(betas)
        if self.betas.ndim != 1 or not 2 <= self.betas.shape[0] <= 127:
            raise ValueError(f"betas must be a list of 2 to 127 numbers; got shape {self.betas.shape}")
        check_ladder(self.betas)
        if concrete(self.betas) and (np.diff(np.asarray(self.betas)) == 0).any():
            raise ValueError(f"each beta of an expanded ensemble stands once; got {np.asarray(self.betas).tolist()}")
        given = as_parameter(weights)
        self.weights = given * np.ones(self.betas.shape) if given.ndim == 0 else given
        if self.weights.shape != self.betas.shape:
            raise ValueError(
                f"weights must be one number or one for each of {self.betas.shape[0]} betas; got shape {given.shape}"
            )
        finite("weights", self.weights)

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """The layers of the model, then the number of the temperature."""
        return (*self.model.units, Categorical((), self.betas.shape[0]))

    def energy(self, x: State) -> Float[Array, ""]:
        """betas[k] E(x) - weights[k]."""
        *inner, k = x
        return jnp.asarray(self.betas)[k] * self.model.energy(tuple(inner)) - jnp.asarray(self.weights)[k]


class FlatHistogram(AbstractEnergy):
    """E'(x) = log g(E(x)) inside the window, infinite outside: the multicanonical ensemble, to be sampled at beta = 1.

    p(x) is proportional to 1 / g(E(x)): where g counts the states of each bin, every bin is visited equally often.
    model: any energy over any units; edges: the m + 1 rising edges of the bins; log_g: (m,), a constant added to it
    changes nothing. Bins where log_g is -inf (never seen) count as outside, so the `edges` and `log_g` of a
    `rugged.Landau` go in as they are. Start it inside the window: x0 = the walkers of that snapshot, say.
    Source: B. A. Berg and T. Neuhaus, Phys. Rev. Lett. 68, 9 (1992).
    """

    model: AbstractEnergy
    edges: Float[Array | np.ndarray, " bins+1"]
    log_g: Float[Array | np.ndarray, " bins"]

    def __init__(self, model: AbstractEnergy, edges: Any, log_g: Any):
        if not isinstance(model, AbstractEnergy):
            raise TypeError(f"expected an AbstractEnergy; got {type(model).__name__}")
        self.model, self.edges, self.log_g = model, as_parameter(edges), as_parameter(log_g)
        if self.edges.ndim != 1 or self.log_g.shape != (self.edges.shape[0] - 1,):
            raise ValueError(
                f"expected m + 1 edges and m values of log_g; got shapes {self.edges.shape} and {self.log_g.shape}"
            )
        finite("edges", self.edges)
        if concrete(self.edges) and (np.diff(np.asarray(self.edges)) <= 0).any():
            raise ValueError("the edges of the bins must rise all the way")
        if concrete(self.log_g):
            values = np.asarray(self.log_g)
            if np.isnan(values).any() or np.isposinf(values).any() or np.isneginf(values).all():
                raise ValueError("log_g must hold numbers, with -inf for bins that are not allowed, and not only those")

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """The model's own layers."""
        return self.model.units

    def check_start(self, x: State) -> None:
        """ValueError where a state lies outside the window: no move could bring it in."""
        outside = ~np.isfinite(np.asarray(jax.vmap(self.energy)(x)))
        if outside.any():
            raise ValueError(
                f"{outside.sum()} of {outside.size} chains would start outside the window of energies; give x0 inside "
                "it, such as the `state` of the snapshot that log_g comes from"
            )

    def bin(self, x: State) -> Array:
        """The number of the bin that E(x) falls in; -1 below the window, m above it."""
        return jnp.searchsorted(jnp.asarray(self.edges), self.model.energy(x), side="right", method="compare_all") - 1

    def energy(self, x: State) -> Float[Array, ""]:
        """log g of the bin of E(x); +inf outside."""
        b, log_g = self.bin(x), jnp.asarray(self.log_g)
        here = log_g[jnp.clip(b, 0, log_g.shape[0] - 1)]
        inside = (b >= 0) & (b < log_g.shape[0]) & (here > -jnp.inf)
        return jnp.where(inside, here, jnp.inf)
