"""Energies of continuous variables with a known shape: oscillator, double well, mixtures, Mueller-Brown."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import as_parameter, finite, positive
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.units import AbstractUnits, Gaussian


class Harmonic(AbstractEnergy):
    """E(x) = 1/2 sum_i k_i x_i^2: normal with variance 1 / (beta k_i).

    stiffness: k, one number or (dim,), above zero.
    """

    stiffness: Float[Array | np.ndarray, " dim"]

    def __init__(self, dim: int = 1, stiffness: Any = 1.0):
        k = as_parameter(stiffness)
        self.stiffness = k * np.ones(dim) if k.ndim == 0 else k
        if self.stiffness.shape != (dim,):
            raise ValueError(f"stiffness must be one number or of shape ({dim},); got shape {self.stiffness.shape}")
        positive("stiffness", self.stiffness)

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """One layer of `dim` real variables."""
        return (Gaussian(self.stiffness.shape),)

    def energy(self, x: State) -> Float[Array, ""]:
        """1/2 sum_i k_i x_i^2."""
        return 0.5 * (self.stiffness * x[0] ** 2).sum()


class DoubleWell(AbstractEnergy):
    """E(x) = barrier ((x/a)^2 - 1)^2 + tilt x / a: two wells at about +-a, `barrier` high (at tilt 0)."""

    barrier: Float[Array | np.ndarray, ""]
    tilt: Float[Array | np.ndarray, ""]
    a: Float[Array | np.ndarray, ""]

    def __init__(self, barrier: Any = 1.0, tilt: Any = 0.0, a: Any = 1.0):
        self.barrier, self.tilt, self.a = as_parameter(barrier), as_parameter(tilt), as_parameter(a)
        positive("barrier", self.barrier)
        positive("a", self.a)
        finite("tilt", self.tilt)

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """One real variable."""
        return (Gaussian(1),)

    def energy(self, x: State) -> Float[Array, ""]:
        """barrier ((x/a)^2 - 1)^2 + tilt x / a."""
        z = x[0][0] / self.a
        return jnp.asarray(self.barrier * (z**2 - 1) ** 2 + self.tilt * z)


class GaussianMixture(AbstractEnergy):
    """E(x) = -log sum_k w_k N(x; mu_k, sigma_k^2 I): at beta = 1 the mixture itself, with log Z = 0.

    means: (components, dim); scales: sigma, one number or (components,); weights: w, normalised here.
    """

    means: Float[Array | np.ndarray, "components dim"]
    scales: Float[Array | np.ndarray, " components"]
    weights: Float[Array | np.ndarray, " components"]

    def __init__(self, means: Any, scales: Any = 1.0, weights: Any = 1.0):
        self.means = as_parameter(means)
        if self.means.ndim != 2:
            raise ValueError(f"means must have shape (components, dim); got shape {self.means.shape}")
        count = self.means.shape[0]
        self.scales = as_parameter(scales) * np.ones(count)
        weights = as_parameter(weights) * np.ones(count)
        finite("means", self.means)
        positive("scales", self.scales)
        positive("weights", weights)
        self.weights = weights / weights.sum()

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """One layer of `dim` real variables."""
        return (Gaussian(self.means.shape[1]),)

    def energy(self, x: State) -> Float[Array, ""]:
        """-log of the mixture's density."""
        dim = self.means.shape[1]
        distance = ((x[0] - self.means) ** 2).sum(-1) / (2 * self.scales**2)
        norm = 0.5 * dim * jnp.log(2 * jnp.pi * self.scales**2)
        return -jax.nn.logsumexp(jnp.log(self.weights) - distance - norm)


MUELLER_BROWN = np.array(
    [  # A, a, b, c, x0, y0
        [-200.0, -1.0, 0.0, -10.0, 1.0, 0.0],
        [-100.0, -1.0, 0.0, -10.0, 0.0, 0.5],
        [-170.0, -6.5, 11.0, -6.5, -0.5, 1.5],
        [15.0, 0.7, 0.6, 0.7, -1.0, 1.0],
    ]
)


class MuellerBrown(AbstractEnergy):
    """E(x, y) = scale sum_k A_k exp[a_k (x-x_k)^2 + b_k (x-x_k)(y-y_k) + c_k (y-y_k)^2]: three wells, two saddles.

    Minima near (-0.558, 1.442), (0.623, 0.028), (-0.050, 0.467) with E/scale = -146.70, -108.17, -80.77.
    Source: K. Mueller and L. D. Brown, Theor. Chim. Acta 53, 75 (1979). The default scale 0.05 puts the wells
    about 2 to 7 units apart, so that beta near 1 is of interest.
    """

    scale: Float[Array | np.ndarray, ""] = eqx.field(converter=as_parameter, default=0.05)

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """The point (x, y)."""
        return (Gaussian(2),)

    def energy(self, x: State) -> Float[Array, ""]:
        """The sum of four Gaussian-like terms (the last one grows: the plane is confined)."""
        height, a, b, c, x0, y0 = MUELLER_BROWN.T
        dx, dy = x[0][0] - x0, x[0][1] - y0
        return self.scale * (height * jnp.exp(a * dx**2 + b * dx * dy + c * dy**2)).sum()
