"""The no-U-turn sampler, from blackjax."""

import warnings
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from ebmlab._check import as_parameter, positive, whole
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.kernels.base import AbstractKernel, Info, info
from ebmlab.kernels.langevin import require_gaussian


class NUTS(AbstractKernel):
    """HMC that chooses its own trajectory length: it doubles the path until the path turns back (unit mass).

    step: the leapfrog's step, above zero; doublings: at most 2^doublings leapfrog steps. Info.accepted is the mean
    acceptance along the trajectory (aim for 0.8). Many chains in one `vmap` all wait for the longest trajectory.
    Needs the package blackjax, imported on first use. Source: M. D. Hoffman and A. Gelman, JMLR 15, 1593 (2014).
    """

    step_size: Float[Array | np.ndarray, ""]
    doublings: int = eqx.field(static=True)

    def __init__(self, step: Any, doublings: int = 10):
        self.step_size = as_parameter(step)
        positive("step", self.step_size)
        self.doublings = whole("doublings", doublings)

    def check(self, model: AbstractEnergy) -> None:
        """TypeError for discrete units; ImportError where blackjax is missing."""
        require_gaussian(model, "NUTS")
        _blackjax()

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, Info]:
        """One trajectory."""
        require_gaussian(model, "NUTS")
        nuts = _blackjax().nuts
        wide = tuple(a.astype(jnp.result_type(float)) for a in x)  # blackjax wants one float type throughout
        mass = jnp.ones_like(ravel_pytree(wide)[0])

        def log_density(x: State) -> Array:
            return (-beta * model.energy(x)).astype(mass.dtype)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            move, start = nuts.build_kernel(), nuts.init(wide, log_density)
            step_size = jnp.asarray(self.step_size, mass.dtype)
            new, done = move(key, start, log_density, step_size, mass, self.doublings)
        return tuple(a.astype(b.dtype) for a, b in zip(new.position, x, strict=True)), info(done.acceptance_rate)


def _blackjax() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import blackjax
    except ImportError as error:
        raise ImportError("NUTS needs blackjax: pip install blackjax (or use HMC, which needs nothing)") from error
    return blackjax
