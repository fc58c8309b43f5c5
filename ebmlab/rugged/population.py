"""Population annealing: cool a crowd, and let the fit ones have children."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab import bits
from ebmlab._check import as_arrays, whole
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.kernels.base import AbstractKernel
from ebmlab.kernels.gibbs import Gibbs
from ebmlab.rugged.annealing import as_schedule, check_run, start
from ebmlab.units import AbstractDiscrete

GROUPS = 32  # groups of first ancestors that the error bar compares


class Population(NamedTuple):
    """What `population_annealing` returns; K is the number of temperatures.

    state: the population at the last beta, replicas first, and its energies. betas: the schedule.
    energy, variance: mean and variance of E over the population at each beta, (K,).
    log_z: the estimate of log Z at each beta, float64, absolute; error: its standard error (see the function).
    families: how many first ancestors still have descendants at each beta, (K,); rho: the mean family size seen by
    a replica, rho = R sum_i (share of family i)^2, 1 at the start and R when one family is left.
    ancestor: the first ancestor of each replica at the end.
    """

    state: State
    energies: Float[Array, " R"]
    betas: Float[np.ndarray, " K"]
    energy: Float[np.ndarray, " K"]
    variance: Float[np.ndarray, " K"]
    log_z: Float[np.ndarray, " K"]
    error: Float[np.ndarray, " K"]
    families: np.ndarray
    rho: Float[np.ndarray, " K"]
    ancestor: Array

    @property
    def free_energy(self) -> Float[np.ndarray, " K"]:
        """-log Z / beta (-inf at beta = 0)."""
        with np.errstate(divide="ignore"):
            return np.where(self.betas > 0, -self.log_z / np.where(self.betas > 0, self.betas, 1.0), -np.inf)


def population_annealing(
    model: AbstractEnergy,
    *,
    key: Array,
    population: int,
    betas: Any,
    kernel: AbstractKernel | None = None,
    sweeps: int = 10,
    x0: State | None = None,
    log_z0: float | None = None,
) -> Population:
    """Cool R = `population` replicas through rising betas; between two betas they multiply or die by their weights.

    From b to b' a replica has the weight exp(-(b' - b) E); the population is redrawn by systematic resampling (the
    number of children is the expected one rounded up or down), then each replica moves `sweeps` kernel steps at b'.
    log Z(b') = log Z(b) + log mean weight; Z is estimated without bias.
    betas: rising, the first one 0, where random states are exact draws and log Z = sum of log levels. To start
    elsewhere, or with Gaussian units, give exact draws x0 and log_z0. kernel: Gibbs() unless given.
    error: the replicas are cut into 32 groups by first ancestor. Resampling keeps families together, so each group's
    share f_g of the population follows its own estimate of Z, and log Z has the standard error
    sqrt(32/31 sum_g (f_g - 1/32)^2). It is itself 13 % uncertain, and it cannot know of a valley that no replica has
    met: with about thirty families left it was 1.2 to 2 times too small (measured on three glasses), and log Z tends
    to come out low. Above about 0.5, or with fewer than a hundred families left, take more replicas or sweeps.
    Sources: K. Hukushima and Y. Iba, AIP Conf. Proc. 690, 200 (2003); J. Machta, Phys. Rev. E 82, 026704 (2010);
    W. Wang, J. Machta and H. G. Katzgraber, Phys. Rev. E 92, 063307 (2015).
    """
    kernel = Gibbs() if kernel is None else kernel
    check_run(kernel, model, key)
    schedule = as_schedule(betas)
    whole("population", population, 2 * GROUPS)
    whole("sweeps", sweeps)
    exact = np.asarray(betas, np.float64)
    begin = _first_log_z(model, exact, x0, log_z0)
    kernel, model = as_arrays(kernel), as_arrays(model)
    x, keys = start(model, x0, key=key, count=population)
    draws = bits.split(bits.fold_in(key, 2), len(exact))
    ends, seen = _grow(kernel, model, x, keys, schedule, jnp.asarray(np.diff(exact)), draws, jnp.asarray(sweeps))
    first, later = seen
    table = {name: np.asarray(jnp.concatenate([first[name][None], later[name]]), np.float64) for name in first}
    x, energies, ancestor = ends
    return Population(
        state=x,
        energies=energies,
        betas=exact,
        energy=table["energy"],
        variance=table["variance"],
        log_z=begin + np.cumsum(table["gain"]),
        error=table["error"],
        families=table["families"].astype(int),
        rho=table["rho"],
        ancestor=ancestor,
    )


def _first_log_z(model: AbstractEnergy, betas: np.ndarray, x0: Any, log_z0: float | None) -> float:
    """log Z at the first beta; ValueError where it is not known, or where the betas do not rise."""
    if (np.diff(betas) <= 0).any():
        raise ValueError(f"the schedule is out of order: betas must rise all the way; got {betas.tolist()}")
    if log_z0 is not None:
        if x0 is None:
            raise ValueError(f"log_z0 goes with exact draws x0 at the first beta, {betas[0]:g}; got no x0")
        if not isinstance(log_z0, int | float | np.number) or not math.isfinite(log_z0):
            raise ValueError(f"log_z0 must be a finite number; got {log_z0!r}")
        return float(log_z0)
    if x0 is not None:
        raise ValueError("x0 must be exact draws at the first beta: say so by giving their log_z0, or leave x0 out")
    discrete = [layer for layer in model.units if isinstance(layer, AbstractDiscrete)]
    if betas[0] != 0 or len(discrete) < len(model.units):
        names = [type(layer).__name__ for layer in model.units]
        raise ValueError(
            f"population annealing starts at beta = 0 with discrete units, where log Z is known; got betas[0] = "
            f"{betas[0]:g} and {names}. Put 0 first, or give exact draws x0 at the first beta and log_z0"
        )
    return sum(layer.size * math.log(len(layer.values)) for layer in discrete)


def _shares(ancestor: Array, weight: Array) -> dict[str, Array]:
    """Number of families, rho and the standard error of log Z, for replicas of the given weights (sum 1)."""
    total = len(ancestor)
    family = jnp.zeros(total).at[ancestor].add(weight)
    group = jnp.zeros(GROUPS).at[ancestor * GROUPS // total].add(weight)
    size = jnp.bincount(jnp.arange(total) * GROUPS // total, length=GROUPS) / total
    error = jnp.sqrt(GROUPS / (GROUPS - 1) * ((group - size) ** 2).sum())
    return {"families": (family > 0).sum(), "rho": total * (family**2).sum(), "error": error}


@eqx.filter_jit
def _grow(kernel: Any, model: Any, x: State, keys: Array, betas: Array, steps: Array, draws: Array, sweeps: Any) -> Any:
    """((states, energies, ancestors), (what is seen at the first beta, and at all others))."""
    total = len(keys)

    def energies(x: State) -> Array:
        return jax.vmap(model.energy)(x).astype(jnp.float32)

    def body(carry: Any, now: Any) -> Any:
        x, energy, ancestor = carry
        t, beta, step, key = now
        log_w = -step * energy
        top = log_w.max()
        w = jnp.exp(log_w - top)
        seen = _shares(ancestor, w / w.sum()) | {"gain": top + jnp.log(w.mean())}
        chosen = systematic(w, key=key)
        x, ancestor = tuple(layer[chosen] for layer in x), ancestor[chosen]
        x = jax.vmap(lambda x, key: kernel.steps(model, x, beta=beta, key=key, first=t * sweeps, count=sweeps)[0])(
            x, keys
        )
        energy = energies(x)
        return (x, energy, ancestor), seen | {"energy": energy.mean(), "variance": energy.var()}

    ancestor, energy = jnp.arange(total), energies(x)
    first = _shares(ancestor, jnp.full(total, 1 / total)) | {"gain": jnp.zeros(())}
    first |= {"energy": energy.mean(), "variance": energy.var(), "error": jnp.zeros(())}
    ends, seen = jax.lax.scan(
        body, (x, energy, ancestor), (jnp.arange(len(steps)), betas[1:], steps.astype(jnp.float32), draws[1:])
    )
    return ends, (first, seen)


def systematic(weights: Float[Array, " R"], *, key: Array) -> Array:
    """R indices drawn with expected numbers R w_i / sum w, each number rounded up or down, in rising order.

    The i-th index is the first whose cumulative share exceeds (i + u) / R, with one uniform u for all.
    """
    total = len(weights)
    points = (jnp.arange(total) + bits.uniform(key, ())) / total
    share = jnp.cumsum(weights / weights.sum())
    return jnp.minimum(jnp.searchsorted(share, points, side="right", method="sort"), total - 1)
