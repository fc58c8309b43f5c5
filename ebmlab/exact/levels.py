"""How many states have each energy: exact integers."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ebmlab.energies.base import AbstractEnergy
from ebmlab.energies.lattice import IsingLattice
from ebmlab.exact.enumeration import count_states, energies
from ebmlab.exact.strips import orbits, turned
from ebmlab.exact.thermo import Thermodynamics, from_levels

WIDEST = 12


class DensityOfStates(NamedTuple):
    """Levels in rising order with the exact number of states of each (Python integers of any size)."""

    energies: Float[np.ndarray, " k"]
    counts: tuple[int, ...]

    @property
    def log_counts(self) -> Float[np.ndarray, " k"]:
        """The microcanonical entropy S(E) = log g(E)."""
        return np.array([math.log(count) for count in self.counts])

    def thermodynamics(self, *, beta: Any) -> Thermodynamics:
        """log Z = log sum_k g_k exp(-beta E_k) and what follows from it, for an array of beta."""
        return from_levels(self.energies, beta=beta, log_counts=self.log_counts)


def density_of_states(model: AbstractEnergy) -> DensityOfStates:
    """The levels of a model and how many states each holds.

    Square Ising lattices with one coupling and no field: one side up to 12, as a polynomial in big integers (8x8
    takes about a second). Any other discrete model: by enumeration, up to 2^24 states; energies that agree to
    1e-9 of the largest are one level.
    """
    if isinstance(model, IsingLattice) and type(model).energy is IsingLattice.energy and _plain(model):
        return _lattice(model)
    count_states(model)
    levels = np.sort(energies(model))
    levels = levels[np.isfinite(levels)]
    first = np.flatnonzero(np.diff(levels, prepend=-np.inf) > 1e-9 * max(1e-300, np.abs(levels).max()))
    counts = np.diff(np.append(first, levels.size))
    return DensityOfStates(levels[first], tuple(int(count) for count in counts))


def _plain(model: IsingLattice) -> bool:
    return len(model.shape) == 2 and np.ptp(model.coupling) == 0 and not np.any(model.external)


def _lattice(model: IsingLattice) -> DensityOfStates:
    """E = J (2 u - bonds), with u the number of unequal neighbours, counted by a polynomial in x, one x for each."""
    try:
        across = int(not turned(model.shape, (model.periodic, model.periodic), True, WIDEST))  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(
            f"counting a lattice of shape {model.shape} takes rows of 2^{min(model.shape)} big integers, hours of "
            f"work; one side must be at most {WIDEST}. Use exact.onsager.torus (log Z at any beta), or Wang-Landau "
            "sampling"
        ) from error
    length, width = model.shape[1 - across], model.shape[across]
    total = _polynomial(length, width, model.periodic)
    bits, bonds = length * width + 1, len(model.edges)
    counts = [(total >> (bits * u)) & ((1 << bits) - 1) for u in range(bonds + 1)]
    strength = float(np.ravel(np.asarray(model.coupling, np.float64))[0])
    if strength == 0:
        return DensityOfStates(np.zeros(1), (sum(counts),))
    found = sorted((strength * (2 * u - bonds), count) for u, count in enumerate(counts) if count)
    return DensityOfStates(np.array([e for e, _ in found]), tuple(count for _, count in found))


def _polynomial(length: int, width: int, closed: bool) -> int:
    """sum_states x^(unequal neighbours) at x = 2^(n+1): the counts are the digits of one big integer."""
    bits = length * width + 1
    spins = (np.arange(1 << width)[:, None] >> np.arange(width)[::-1]) & 1
    ends = np.roll(spins, -1, axis=1) if closed and width > 1 else np.append(spins[:, 1:], spins[:, -1:], axis=1)
    shift = np.array([int(u) * bits for u in (spins != ends).sum(1)], object)

    def next_row(v: np.ndarray) -> np.ndarray:
        for k in range(width):
            old = v.reshape(1 << k, 2, -1)
            v = (old + (old[:, ::-1] << bits)).reshape(-1)
        return v << shift

    if not (closed and length > 1):
        v = np.full(1 << width, 1, object) << shift
        for _ in range(length - 1):
            v = next_row(v)
        return int(v.sum())
    total = 0
    for first, number in zip(*orbits(width, closed, True), strict=True):
        v = np.zeros(1 << width, object)
        v[first] = 1
        there = v
        for done in range(1, length - length // 2 + 1):
            v = next_row(v)
            if done == length // 2:
                there = v
        # T = (shift) K is symmetric up to the shift of its row: the way back is the way there
        total += int(number) * int((((there * v) << int(shift[first])) >> shift).sum())
    return total
