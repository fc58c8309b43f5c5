"""Associative memory: patterns written into couplings, and found again from a part.

Patterns are arrays (K, N) of +1 and -1, one pattern in each row; m_mu = xi_mu . s / N is the overlap of a state with
pattern mu. alpha = K / N is the load. See `ebmlab.meanfield.hopfield` for N to infinity.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab._check import as_parameter, concrete, one_key, one_number, positive, whole
from ebmlab.energies.base import AbstractConditional, AbstractEnergy, State
from ebmlab.energies.glasses import spins
from ebmlab.energies.pairwise import DensePairwise
from ebmlab.energies.recall import Retrieval as Retrieval
from ebmlab.energies.recall import as_array
from ebmlab.energies.recall import retrieve as retrieve
from ebmlab.units import AbstractUnits, Gaussian, Spin


def _checked(patterns: Any) -> Any:
    """Patterns as float64 NumPy, (K, N); traced ones pass unseen."""
    if np.ndim(patterns) != 2 or 0 in np.shape(patterns):
        raise ValueError(
            f"patterns must have shape (K, N), one pattern in each row; got shape {np.shape(patterns)}. "
            "For one pattern use pattern[None, :]"
        )
    return spins("patterns", patterns, np.shape(patterns)) if concrete(patterns) else patterns


def _last(patterns: Any, s: Any) -> Any:
    if s.ndim == 0 or s.shape[-1] != patterns.shape[1]:
        raise ValueError(f"the patterns have {patterns.shape[1]} spins; got states of shape {s.shape}")
    return s * 1.0


def random_patterns(count: int, n: int, *, key: Array) -> Float[Array, "K N"]:
    """`count` patterns of n spins, each +1 or -1 with probability 1/2, float32."""
    shape = (whole("the number of patterns", count), whole("the number of spins", n))
    return 2.0 * (bits.bits(one_key(key), shape) >> 31).astype(jnp.float32) - 1.0


def corrupt(pattern: Any, share: Any, *, key: Array) -> Float[Array, " N"]:
    """The pattern with round(share N) of its spins flipped, at random sites; share may be traced (a slider)."""
    s = jnp.asarray(as_array(pattern), jnp.float32)
    if s.ndim != 1:
        raise ValueError(f"expected one pattern (N,); got shape {s.shape}. For many use jax.vmap with a key for each")
    if concrete(pattern):
        spins("the pattern", s, s.shape)
    one_number("share", share)
    if concrete(share) and not 0 <= float(share) <= 1:
        raise ValueError(f"share is the part of the spins to flip, in [0, 1]; got {share}")
    rank = jnp.argsort(jax.random.permutation(one_key(key), s.size))
    return jnp.where(rank < jnp.round(jnp.asarray(share) * s.size), -s, s)


def overlaps(patterns: Any, s: Any) -> Float[Array, "... K"]:
    """m_mu = xi_mu . s / N of states s (..., N), or of the state (s,)."""
    xi = _checked(patterns)
    return _last(xi, as_array(s)) @ xi.T / xi.shape[1]


def hebb(patterns: Any, fields: Any = 0.0) -> DensePairwise:
    """Hebb's rule: J = (1/N) sum_mu xi_mu xi_mu^T with a zero diagonal.

    E(s) = -(N/2) sum_mu m_mu^2 + K/2 - sum_i h_i s_i. It recalls up to alpha_c = 0.138 patterns a spin.
    Source: J. J. Hopfield, PNAS 79, 2554 (1982).
    """
    xi = _checked(patterns)
    n = xi.shape[1]
    return DensePairwise(xi.T @ xi / n * (1 - np.eye(n)), fields)


def pseudo_inverse(patterns: Any) -> DensePairwise:
    """The projection rule: J = P without its diagonal, P the projector on the span of the patterns.

    P = (1/N) sum_(mu nu) xi_mu (C^-1)_(mu nu) xi_nu^T with C_(mu nu) = xi_mu . xi_nu / N. Then P xi = xi for every
    pattern, correlated or not, and all stay fixed points up to K = N. Patterns that depend on each other are allowed
    (P depends on their span only); ValueError where they span all states, since P = 1 stores nothing.
    Source: L. Personnaz, I. Guyon and G. Dreyfus, J. Physique Lett. 46, L359 (1985); I. Kanter and
    H. Sompolinsky, Phys. Rev. A 35, 380 (1987).
    """
    if not concrete(patterns):
        raise TypeError("pseudo_inverse needs concrete patterns: build the model outside jit and vmap")
    xi = _checked(patterns)
    _, sizes, rows = np.linalg.svd(xi, full_matrices=False)
    span = rows[sizes > 1e-10 * sizes[0]]
    if len(span) == xi.shape[1]:
        raise ValueError(f"{len(xi)} patterns span all {len(span)} dimensions: the projector is 1; store fewer")
    matrix = span.T @ span
    return DensePairwise((matrix + matrix.T) / 2 * (1 - np.eye(xi.shape[1])))


class DenseHopfield(AbstractEnergy):
    """A memory with more than pairs in its energy; give `power` or `sharpness`.

    power n: E(s) = -(N/n) sum_mu m_mu^n = -(N^(1-n) / n) sum_mu (xi_mu . s)^n; n = 2 is Hebb's energy less K/2, and
    the number of patterns it recalls grows like N^(n-1). sharpness b: E(s) = -(1/b) log sum_mu exp(b xi_mu . s), the
    limit of ever higher powers: exponentially many.
    Source: D. Krotov and J. J. Hopfield, NIPS 29, arXiv:1606.01164 (2016); M. Demircigil et al., J. Stat. Phys. 168,
    288 (2017); H. Ramsauer et al., arXiv:2008.02217 (2020), whose s^T s / 2 is constant for spins.
    """

    patterns: Float[Array | np.ndarray, "K N"]
    power: int | None = eqx.field(static=True)
    sharpness: Float[Array | np.ndarray, ""] | None
    units: tuple[AbstractUnits, ...]

    def __init__(self, patterns: Any, power: int | None = None, sharpness: Any = None):
        if (power is None) == (sharpness is None):
            raise ValueError(f"give one of power and sharpness; got power = {power}, sharpness = {sharpness}")
        self.patterns = _checked(patterns)
        self.power = None if power is None else whole("power", power, 2)
        self.sharpness = None if sharpness is None else as_parameter(sharpness)
        if self.sharpness is not None:
            one_number("sharpness", self.sharpness)
            positive("sharpness", self.sharpness)
        self.units = (Spin(self.patterns.shape[1]),)

    def energy(self, x: State) -> Float[Array, ""]:
        """-(N/n) sum_mu m_mu^n, or -(1/b) logsumexp_mu(b xi_mu . s)."""
        return self._of_products(self.patterns @ (jnp.asarray(x[0]) * 1.0))

    def local_field(self, x: State, site: Int[Array, ""]) -> Float[Array, ""]:
        """-(E(+1) - E(-1)) / 2 from the products xi_mu . s, computed once."""
        s = jnp.asarray(x[0]) * 1.0
        return self.field_of_products(self.patterns @ s, s[site], site)

    def field_of_products(self, products: Any, spin: Any, site: Int[Array, ""]) -> Float[Array, ""]:
        """The local field from products xi_mu . s (K,) that are known already."""
        xi = jnp.asarray(self.patterns)[:, site]
        rest = products - xi * spin
        return (self._of_products(rest - xi) - self._of_products(rest + xi)) / 2

    def _of_products(self, products: Any) -> Float[Array, ""]:
        n = self.units[0].size
        if self.power is not None:
            return -n / self.power * ((products / n) ** self.power).sum()
        assert self.sharpness is not None
        return -jax.nn.logsumexp(self.sharpness * products) / self.sharpness

    def size_of(self, products: Float[Array, " K"]) -> Float[Array, ""]:
        """How large the terms of the energy are: a field, a difference of energies, is known to this times eps."""
        return jnp.abs(self._of_products(jnp.abs(products)))


def attention(patterns: Any, s: Any, sharpness: Any) -> Float[Array, "... K"]:
    """softmax_mu(sharpness xi_mu . s): how much of each pattern the next state takes; s real, (..., N)."""
    xi = _checked(patterns)
    one_number("sharpness", sharpness)
    positive("sharpness", sharpness)
    return jax.nn.softmax(sharpness * (_last(xi, as_array(s)) @ xi.T), axis=-1)


def update(patterns: Any, s: Any, sharpness: Any) -> Float[Array, "... N"]:
    """One step of the continuous memory: s_new = sum_mu softmax_mu(sharpness xi_mu . s) xi_mu, for real s (..., N).

    It never raises -(1/b) log sum_mu exp(b xi_mu . s) + s . s / 2, and is the attention of a transformer with the
    patterns as keys and values (H. Ramsauer et al., arXiv:2008.02217).
    """
    return attention(patterns, s, sharpness) @ _checked(patterns)


class HiddenPatterns(AbstractConditional):
    """Hebb's memory with a real unit for each pattern: E(s, z) = 1/2 sum_mu z_mu^2 - N^(-1/2) sum_mu z_mu xi_mu . s.

    The states are (s, z) of N spins and K real units. Given z all spins are independent and the other way round, so
    Gibbs draws whole layers. Summing out z leaves P(s) ~ exp(beta / (2N) sum_mu (xi_mu . s)^2): Hebb's energy less K/2.
    Source: A. Barra, A. Bernacchia, E. Santucci and P. Contucci, Neural Networks 34, 1 (2012).
    """

    patterns: Float[Array | np.ndarray, "K N"]
    units: tuple[AbstractUnits, ...]

    def __init__(self, patterns: Any):
        self.patterns = _checked(patterns)
        count, n = self.patterns.shape
        self.units = (Spin(n), Gaussian(count))

    @property
    def blocks(self) -> tuple[Int[np.ndarray, " k"], ...]:
        """The spins and the hidden units."""
        count, n = self.patterns.shape
        return np.arange(n), np.arange(n, n + count)

    def split(self, x: State) -> State:
        """The layers are the blocks."""
        return x

    def merge(self, parts: State) -> State:
        """The blocks are the layers."""
        return parts

    def part_units(self, b: int) -> AbstractUnits:
        """Spins in block 0, Gaussian units in block 1."""
        return self.units[b]

    def energy(self, x: State) -> Float[Array, ""]:
        """1/2 sum_mu z_mu^2 - N^(-1/2) sum_mu z_mu xi_mu . s."""
        s, z = jnp.asarray(x[0]) * 1.0, x[1]
        return 0.5 * (z * z).sum() - z @ (self.patterns @ s) / np.sqrt(s.size)

    def field(self, parts: State, b: int) -> Array:
        """N^(-1/2) sum_mu z_mu xi_mu for the spins, N^(-1/2) xi_mu . s for the hidden units."""
        s, z = parts
        return (z @ self.patterns if b == 0 else self.patterns @ s) / np.sqrt(self.units[0].size)
