"""Wang-Landau sampling: learn the number of states of each energy by a walk that flattens its own histogram."""

import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ebmlab import bits
from ebmlab._check import as_arrays, one_key, positive, whole
from ebmlab.energies.base import AbstractEnergy, State, check_energy, discrete_values, site_count
from ebmlab.exact.thermo import Thermodynamics, from_levels
from ebmlab.rugged.flips import energies, explore, grid, into_window, sweep

COARSE = 64  # bins where the energies form no grid
AGAIN = 16  # a level found late sets f back to its first value over this


class Landau(NamedTuple):
    """One snapshot of `wang_landau`; m is the number of bins.

    energies (m,): the bins' centres (their levels, where the energies form a grid); edges (m + 1,); means (m,): the
    mean energy of the visits to each bin, a better energy than the centre where a bin holds several levels.
    log_g (m,): the estimate of log(number of states), normalised, -inf for bins never visited. histogram (m,):
    visits since f was last halved. f: what the next visit adds to log g. visited (m,): bins seen so far; counts (m,):
    all their visits. sweeps: sweeps of each walker so far. stage: "halving" or "1/t". outside: proposals refused
    because they would have left the window; above zero, the window does not hold all states, and log_g is known up to
    a constant only.
    state: the walkers, and their energies; key: the key of the run.
    """

    energies: Float[np.ndarray, " m"]
    edges: Float[np.ndarray, " m+1"]
    log_g: Float[np.ndarray, " m"]
    histogram: Int[np.ndarray, " m"]
    f: float
    visited: Bool[np.ndarray, " m"]
    means: Float[np.ndarray, " m"]
    counts: Int[np.ndarray, " m"]
    sweeps: int
    stage: str
    outside: int
    state: State
    energy: Float[np.ndarray, " walkers"]
    key: Array

    @property
    def flatness(self) -> float:
        """The smallest count of a visited bin over the mean count."""
        seen = self.histogram[self.visited]
        return float(seen.min() / seen.mean()) if seen.sum() else 0.0

    def thermodynamics(self, *, beta: Any) -> Thermodynamics:
        """log Z = log sum_bins g exp(-beta mean E) and what follows from it, for an array of beta; totals."""
        return from_levels(self.means[self.visited], beta=beta, log_counts=self.log_g[self.visited])


def wang_landau(
    model: AbstractEnergy,
    *,
    key: Array,
    bins: Any = None,
    window: tuple[float, float] | None = None,
    walkers: int = 64,
    flatness: float = 0.8,
    first: float | None = None,
    final: float = 3e-7,
    every: int = 100,
    ground: int | None = None,
    resume: Landau | None = None,
) -> Iterator[Landau]:
    """Snapshots of a flat walk over the energies of a discrete model, one after each `every` sweeps, until f <= final.

    Walkers flip single units, accept with min(1, g(E) / g(E')), and add f to log g of the bin they end in; all share
    one log g. f starts at `first` (1 / walkers), and is halved when the fewest visits of a visited bin pass `flatness`
    times the mean (stage "halving"); once it would fall below 1/t, with t = proposals / visited bins, it is 1/t for the
    rest (stage "1/t"), and errors fall as 1/sqrt(t). The last f is `final`: proposals = bins / final, whatever
    happens. A level found late starts with the lowest log g and sets f back to first / 16.
    bins: None, a number of equal bins, or the rising edges (m + 1,). None: a short run that cools and heats finds the
    range, and the spacing where the energies form a grid: then each bin is one level, with spare bins on either side;
    otherwise 64 equal bins. window: (lowest, highest) energy instead of the whole range.
    log_g is normalised in every snapshot: all bins together hold all states, or, with `ground`, the lowest visited bin
    holds that many. Leave the loop with `break` when it is good enough; resume=snapshot, with the
    same settings, goes on bit for bit.
    Sources: F. Wang and D. P. Landau, Phys. Rev. Lett. 86, 2050 (2001); R. E. Belardinelli and V. D. Pereyra, Phys.
    Rev. E 75, 046701 (2007).
    """
    check_energy(model)
    discrete_values(model.units)
    one_key(key)
    whole("walkers", walkers, 2)
    whole("every", every)
    positive("final", final)
    positive("first", 1.0 if first is None else first)
    if not 0 < flatness < 1:
        raise ValueError(
            f"flatness must lie between 0 and 1, the share of the mean that the rarest bin needs; got {flatness}"
        )
    if ground is not None:
        whole("ground", ground)
    wide = as_arrays(model)
    if resume is None:
        begun = _begin(wide, bins, window, key=key, walkers=walkers, f=first or 1.0 / walkers)
    else:
        begun = _resumed(wide, resume, bins, window, key=key)
    if begun.f <= final:
        raise ValueError(f"nothing left to do: f = {begun.f:g} is not above final = {final:g}; give a smaller final")
    if every * site_count(model) * len(begun.energy) >= 2**31:
        raise ValueError(f"a snapshot after {every} sweeps would count past 2^31 moves; take a smaller every")
    asked = "window" if window is not None or resume is not None else "range" if np.ndim(bins) == 0 else "edges"
    settings = _Settings(first or 1.0 / len(begun.energy), flatness, final, every, ground)
    return _snapshots(wide, begun, settings, asked)


def _begin(model: Any, bins: Any, window: Any, *, key: Array, walkers: int, f: float) -> Landau:
    """The bins, and walkers inside them."""
    found = explore(model, key=bits.fold_in(key, 0), walkers=walkers)
    edges = _edges(found.met, bins, window)
    x = into_window(model, found, float(edges[0]), float(edges[-1]), key=bits.fold_in(key, 1))
    m = len(edges) - 1
    unseen = np.zeros(m, bool)
    energy = np.asarray(energies(model, x), np.float64)
    centres = (edges[1:] + edges[:-1]) / 2
    none = np.zeros(m, np.int64)
    return Landau(centres, edges, np.full(m, -np.inf), none, f, unseen, centres, none, 0, "halving", 0, x, energy, key)


def _edges(met: np.ndarray, bins: Any, window: Any) -> np.ndarray:
    """Edges from what the user said and what exploring met."""
    low, high = float(met.min()), float(met.max())
    if window is not None:
        if np.ndim(bins):
            raise ValueError("give either the edges of the bins or a window, not both")
        if not (len(window) == 2 and np.isfinite(window).all() and window[0] < window[1]):
            raise ValueError(f"window is a pair of energies (lowest, highest); got {window}")
        if window[1] < low or window[0] > high:
            raise ValueError(f"the window {window} holds no state: energies met run from {low:g} to {high:g}")
    if np.ndim(bins):
        edges = np.asarray(bins, np.float64)
        if edges.ndim != 1 or len(edges) < 3 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
            raise ValueError(f"bins are a number, or at least three rising edges; got {bins}")
        return edges
    if low == high:
        raise ValueError(f"every state met has the energy {low:g}: there is nothing to flatten")
    if bins is None and (found := grid(met, window)) is not None:
        if len(found) < 3:
            raise ValueError(f"the window {window} holds a single level, {(found[0] + found[1]) / 2:g}: widen it")
        return found
    count = COARSE if bins is None else whole("bins", bins, 2)
    if window is not None:
        edges = np.linspace(float(window[0]), float(window[1]), count + 1)
        edges[-1] += 1e-5 * (edges[-1] - edges[0]) / count  # the highest energy belongs to the window
        return edges
    room = (high - low) / count
    return np.linspace(low - room, high + room, count + 1)


def _resumed(model: AbstractEnergy, resume: Any, bins: Any, window: Any, *, key: Array) -> Landau:
    """The snapshot to go on from, if it fits."""
    if not isinstance(resume, Landau):
        raise TypeError(f"resume takes a Landau snapshot of an earlier run; got {type(resume).__name__}")
    if bins is not None or window is not None:
        raise ValueError("a resumed run keeps its bins; leave bins and window out")
    shapes = tuple(layer.shape[1:] for layer in resume.state)
    if shapes != tuple(layer.shape for layer in model.units):
        raise ValueError(f"the run to resume walked through states of shapes {shapes}; the model has {model.units}")
    if (jax.random.key_data(key) != jax.random.key_data(resume.key)).any():
        raise ValueError("a run goes on with its own key: give key=resume.key")
    walked = np.asarray(energies(model, resume.state), np.float64)
    if not np.allclose(walked, resume.energy, rtol=1e-5, atol=1e-5):
        raise ValueError("the walkers' energies are not those of this model: a run goes on with its own couplings")
    return resume


@eqx.filter_jit
def _walk(
    model: Any, x: State, edges: Array, even: bool, base: Array, f: Array, key: Array, first: Array, count: Array
) -> Any:
    """`count` sweeps at constant f: (states, energies, visits of each bin, their summed energies above its centre,
    proposals that would have left the window).

    base: log g at the start, shifted so that the lowest visited bin, and all unvisited ones, are at 0.
    """
    m, middle = len(base), (edges[1:] + edges[:-1]) / 2

    def number(energy: Array) -> Array:
        """The bin of each energy: by division where bins are equal, else by counting the edges below."""
        if even:
            return jnp.floor((energy - edges[0]) * (m / (edges[-1] - edges[0]))).astype(jnp.int32)
        return (energy[:, None] >= edges).sum(1, dtype=jnp.int32) - 1

    def rule(memory: Any, energy: Array, proposed: Array, dice: Array) -> Any:
        here, visits, above, outside = memory
        there = number(proposed)
        gone = (there < 0) | (there >= m)
        there = jnp.clip(there, 0, m - 1)
        gain = base[here] - base[there] + f * (visits[here] - visits[there])
        taken = ~gone & (dice < gain)
        here = jnp.where(taken, there, here)
        above = above.at[here].add(jnp.where(taken, proposed, energy) - middle[here])
        return (here, visits.at[here].add(1), above, outside + gone.sum()), taken

    def body(t: Array, carry: Any) -> Any:
        x, energy, memory = carry
        return sweep(model, x, energy, memory, rule, key=bits.fold_in(key, first + t))

    energy = energies(model, x)
    memory = (jnp.clip(number(energy), 0, m - 1), jnp.zeros(m, jnp.int32), jnp.zeros(m), jnp.zeros((), jnp.int32))
    x, _, (_, visits, above, outside) = jax.lax.fori_loop(0, count, body, (x, energy, memory))
    return x, energies(model, x), visits, above, outside


class _Settings(NamedTuple):
    first: float
    flatness: float
    final: float
    every: int
    ground: int | None


def _snapshots(model: Any, now: Landau, given: _Settings, asked: str) -> Iterator[Landau]:
    """Walk, look, and set f, over and over."""
    key, sites = bits.fold_in(now.key, 2), site_count(model)
    total = sum(layer.size * math.log(len(layer.values)) for layer in model.units)
    edges, even = jnp.asarray(now.edges, jnp.float32), bool(np.ptp(np.diff(now.edges)) < 1e-9 * np.ptp(now.edges))
    while now.f > given.final:
        floor = now.log_g[now.visited].min() if now.visited.any() else 0.0
        base = np.where(now.visited, now.log_g, floor) - floor
        numbers = (jnp.float32(now.f), key, jnp.asarray(now.sweeps), jnp.asarray(given.every))
        found = _walk(model, now.state, edges, even, jnp.asarray(base, jnp.float32), *numbers)
        old, now = now, _added(now, base, found, given.every)
        lowest = now.log_g[now.visited]
        shift = math.log(given.ground) - lowest[0] if given.ground else total - np.logaddexp.reduce(lowest)
        late = bool(old.visited.any() and (now.visited != old.visited).any())
        inverse_t = float(now.visited.sum() / (now.sweeps * sites * len(now.energy)))
        now = _next_f(now._replace(log_g=now.log_g + shift), given, late, inverse_t)
        yield now
    _warn(now, asked)


def _added(now: Landau, base: np.ndarray, found: Any, sweeps: int) -> Landau:
    """The snapshot with the visits of one more walk, log g not normalised yet."""
    x, energy, visits, above, outside = found
    visits = np.asarray(visits, np.int64)
    seen, counts = now.visited | (visits > 0), now.counts + visits
    return now._replace(
        log_g=np.where(seen, base + now.f * visits, -np.inf),
        histogram=now.histogram + visits,
        visited=seen,
        means=now.energies
        + ((now.means - now.energies) * now.counts + np.asarray(above, np.float64)) / np.maximum(counts, 1),
        counts=counts,
        sweeps=now.sweeps + sweeps,
        outside=now.outside + int(outside),
        state=x,
        energy=np.asarray(energy, np.float64),
    )


def _warn(now: Landau, asked: str) -> None:
    """Say at the end what the numbers cannot: bins that stayed empty, states beyond the bins."""
    if asked == "edges" and not now.visited.all():
        empty = now.energies[~now.visited]
        warnings.warn(
            f"{len(empty)} of {len(now.visited)} bins were never visited (the first at E = {empty[0]:g}): they hold no "
            "state, or too few to be found. Take wider bins, or a window on the rare energies",
            stacklevel=3,
        )
    if asked != "window" and now.outside:
        warnings.warn(
            f"{now.outside} proposals would have left the bins, {now.edges[0]:g} to {now.edges[-1]:g}: these do not "
            "hold all states, so log_g is known up to a constant. Give wider edges as bins, or window= if it is meant",
            stacklevel=3,
        )


def _next_f(now: Landau, given: _Settings, late: bool, inverse_t: float) -> Landau:
    """f and the stage after a snapshot; the histogram starts anew with a new stage or a new f of the first stage."""
    fresh = np.zeros_like(now.histogram)
    if late and now.f < given.first / AGAIN:
        return now._replace(f=max(given.first / AGAIN, inverse_t), stage="halving", histogram=fresh)
    if now.stage == "1/t":
        return now._replace(f=inverse_t)
    if now.flatness < given.flatness:
        return now
    if now.f / 2 <= inverse_t:
        return now._replace(f=inverse_t, stage="1/t", histogram=fresh)
    return now._replace(f=now.f / 2, histogram=fresh)
