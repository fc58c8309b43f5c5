"""A ladder of temperatures from measured swaps: equally hard steps from the hottest to the coldest."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ebmlab import bits
from ebmlab._check import inverse_temperature, one_key, whole
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.energies.replicas import Tempered, check_ladder
from ebmlab.kernels.base import AbstractKernel
from ebmlab.kernels.gibbs import Gibbs
from ebmlab.kernels.tempering import ParallelTempering
from ebmlab.sampling import sample

MOST = 127  # replicas
SEEN = 0.95  # a mean rejection above this says little: the barrier may be any number
LEAST = 1e-3  # rejections below this count as this, so that a ladder never lumps its temperatures


class Ladder(NamedTuple):
    """Inverse temperatures (K,) from hottest to coldest, the mean rejection of each swap (K - 1,), and their sum.

    barrier: Lambda, the communication barrier: about 2 Lambda + 1 replicas make swaps of neighbours succeed half
    the time. All walkers together complete at most one round trip in 2 (1 + Lambda) rounds of swaps, of which a step of
    `ParallelTempering` makes two; a single walker needs K times as long.
    """

    betas: Float[np.ndarray, " K"]
    rejection: Float[np.ndarray, " pairs"]
    barrier: float


def ladder(
    model: AbstractEnergy,
    hottest: float,
    coldest: float,
    *,
    key: Array,
    kernel: AbstractKernel | None = None,
    replicas: int | None = None,
    rounds: int = 4,
    chains: int = 16,
    sweeps: int = 100,
) -> Ladder:
    """Inverse temperatures from `hottest` to `coldest` (betas, hottest < coldest) with equal rejection of all swaps.

    Each round samples `chains` ladders of replicas for `sweeps` steps of parallel tempering (kernel: that inside the
    replicas, Gibbs() unless given) after as many to settle, twice as many in each later round, and moves the betas by
    `respace`. A last round measures the ladder returned. replicas: None takes about 2 Lambda + 1, at least 3, from the
    measured barrier Lambda. The betas are tuned, not sampled: run `ParallelTempering` on Tempered(model, betas) after.
    Source: S. Syed, A. Bouchard-Cote, G. Deligiannidis and A. Doucet, J. R. Stat. Soc. B 84, 321 (2022).
    """
    hot, cold = (float(inverse_temperature(beta)) for beta in (hottest, coldest))
    if not hot < cold:
        raise ValueError(f"hottest and coldest are betas, hottest < coldest; got {hot:g} and {cold:g}")
    for name, number in (("rounds", rounds), ("chains", chains), ("sweeps", sweeps)):
        whole(name, number)
    count = 12 if replicas is None else _count(replicas)
    betas, x = _first(model, hot, cold, count), None
    tempering, keys = ParallelTempering(Gibbs() if kernel is None else kernel), bits.split(one_key(key), rounds + 1)
    for turn in range(rounds + 1):
        swapped, x = _measure(tempering, Tempered(model, betas), keys[turn], chains, sweeps << turn, x)
        rejection = 1 - swapped
        if turn == rounds:
            break
        if replicas is None:
            count = _enough(rejection)
        new = respace(betas, swapped, count)
        x = _nearest(x, betas, new)
        betas = new
    return Ladder(betas, rejection, float(rejection.sum()))


def respace(betas: Any, swapped: Any, count: int | None = None) -> Float[np.ndarray, " count"]:
    """New betas between the same ends with equal steps of the barrier Lambda(beta) = sum of rejections up to beta.

    betas (K,), rising or falling; swapped: mean acceptance of the swap of each pair, (K - 1,), or (..., K - 1) to be
    averaged; count: how many betas to return (K unless given). Lambda between the betas is a monotone cubic.
    Source: S. Syed et al., J. R. Stat. Soc. B 84, 321 (2022), algorithm 2 and section 5.
    """
    from scipy.interpolate import PchipInterpolator  # imported where it is used: it is slow to load

    old = np.asarray(betas, np.float64)
    check_ladder(old)
    accepted = np.asarray(swapped, np.float64)
    if old.size < 2 or accepted.shape[-1:] != (old.size - 1,):
        raise ValueError(
            f"swapped must hold one number for each of the {old.size - 1} pairs of neighbours; got {accepted.shape}"
        )
    if not ((accepted >= 0) & (accepted <= 1 + 1e-6)).all():
        raise ValueError("swapped must hold mean acceptance probabilities, between 0 and 1")
    size = old.size if count is None else whole("count", count, 2)
    rejection = 1 - accepted.reshape(-1, old.size - 1).mean(0)
    apart = np.diff(old) != 0  # two replicas at one beta are no step
    knots = old[np.concatenate([[True], apart])]
    if knots.size < 2:
        raise ValueError(f"all betas are {old[0]:g}; there is nothing to space")
    barrier = np.concatenate([[0.0], np.cumsum(np.maximum(rejection, LEAST)[apart])])
    new = PchipInterpolator(barrier, knots)(np.linspace(0, barrier[-1], size))
    new[0], new[-1] = old[0], old[-1]
    return new


def _count(replicas: int) -> int:
    if whole("replicas", replicas, 2) > MOST:
        raise ValueError(f"at most {MOST} replicas fit; got {replicas}")
    return replicas


def _enough(rejection: np.ndarray) -> int:
    """About 2 Lambda + 1 replicas; more where some pairs hardly ever swapped, so that Lambda is not known."""
    blind = (rejection > SEEN).sum()
    return int(np.clip(np.ceil(2 * rejection.sum() + 1 + 2 * blind), 3, MOST))


def _first(model: AbstractEnergy, hot: float, cold: float, count: int) -> np.ndarray:
    """A first guess: betas at equal distances from zero, at equal ratios otherwise."""
    return np.geomspace(hot, cold, count) if hot > 0 else np.linspace(hot, cold, count)


def _measure(
    kernel: AbstractKernel, model: Tempered, key: Array, chains: int, sweeps: int, x: State | None
) -> tuple[np.ndarray, State]:
    """Mean acceptance of each pair over `sweeps` steps, after as many, and the states at the end."""
    run = sample(kernel, model, key=key, chains=chains, steps=1, warmup=sweeps, thin=sweeps, x0=x, keep=_nothing)
    return np.asarray(run.info.swapped, np.float64).mean(0), run.last


def _nothing(x: State) -> tuple[()]:
    return ()


def _nearest(x: State, old: np.ndarray, new: np.ndarray) -> State:
    """States to start the new ladder from: for each new beta those of the nearest old one."""
    place = np.abs(new[:, None] - old).argmin(1)
    walkers = jnp.broadcast_to(jnp.arange(len(new), dtype=jnp.int32), (x[-1].shape[0], len(new)))
    return (*(layer[:, place] for layer in x[:-1]), walkers)
