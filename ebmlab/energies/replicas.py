"""Replicas of one model, each at its own temperature, as one energy: what parallel tempering samples."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import as_parameter, concrete, inverse_temperature
from ebmlab.energies.base import AbstractEnergy, State, check_energy
from ebmlab.units import AbstractUnits, Gaussian, Walkers


class Tempered(AbstractEnergy):
    """E(x_0, ..., x_(K-1)) = sum_k betas[k] E(x_k): K replicas of a model, to be sampled at beta = 1.

    P is then the product of exp(-betas[k] E(x_k)) / Z(betas[k]): the replicas are independent. betas (K,): rising or
    falling, finite, not negative; equal neighbours are two replicas at one temperature. A state holds each layer of
    the model with a leading axis K (replica k at betas[k]), then the walkers (K,): `walkers[k]` is the number of the
    walker that stands at betas[k]. The energy does not see them; swaps carry them along.
    A kernel's own beta multiplies all of betas. Source: K. Hukushima and K. Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996).
    """

    model: AbstractEnergy
    betas: Float[Array | np.ndarray, " K"]
    units: tuple[AbstractUnits, ...]

    def __init__(self, model: AbstractEnergy, betas: Any):
        check_energy(model)
        if any(isinstance(layer, Walkers) for layer in model.units):
            raise TypeError("the model holds replicas already; give the model of one replica to Tempered")
        self.model = model
        self.betas = as_parameter(betas)
        check_ladder(self.betas)
        count = self.betas.shape[0]
        self.units = (*(_stacked(layer, count) for layer in model.units), Walkers(count))

    def energy(self, x: State) -> Float[Array, ""]:
        """sum_k betas[k] E(x_k)."""
        return (self.betas * self.energies(x)).sum()

    def energies(self, x: State) -> Float[Array, " K"]:
        """E(x_k) of each replica, without its beta."""
        return jax.vmap(self.model.energy)(x[:-1])


def check_ladder(betas: Any) -> None:
    """Raise ValueError where inverse temperatures (K,) neither rise nor fall, or one is negative or not finite."""
    if betas.ndim != 1 or betas.shape[0] < 1:
        raise ValueError(f"betas must be a list of inverse temperatures, shape (K,); got shape {betas.shape}")
    inverse_temperature(betas)
    if not concrete(betas):
        return
    steps = np.diff(np.asarray(betas))
    if (steps > 0).any() and (steps < 0).any():
        k = int(np.flatnonzero(np.sign(steps) == -np.sign(steps[steps != 0][0]))[0])
        raise ValueError(
            f"ladder out of order: betas must rise or fall all the way, but betas[{k}], betas[{k + 1}] = "
            f"{float(betas[k]):g}, {float(betas[k + 1]):g} turn back. Sort them: swaps are between neighbours"
        )


def _stacked(layer: AbstractUnits, count: int) -> AbstractUnits:
    """Units of the same kind with a leading axis of replicas."""
    shape = (count, *layer.shape)
    if isinstance(layer, Gaussian) and layer.scale.ndim:
        return replace(layer, shape=shape, scale=layer.scale[None] * np.ones((count, *[1] * len(layer.shape))))
    return replace(layer, shape=shape)
