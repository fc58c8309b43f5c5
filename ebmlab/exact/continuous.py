"""One or two real variables: log Z, the density and its moments by quadrature on a grid."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from ebmlab.energies.base import AbstractEnergy
from ebmlab.exact.enumeration import Exact
from ebmlab.exact.thermo import betas, float64_leaves, outside_jit
from ebmlab.units import Gaussian

LIMIT = 1 << 24


class Density(NamedTuple):
    """p(x) = exp(log_p) on a grid, with log_z = log of the integral of exp(-beta E) over the grid's range.

    grid: one array of points for each axis; weights: of the trapezoid rule, in the grid's shape; energies alike;
    log_p (*beta.shape, *grid shape). `error`: how far log_z moves when every second point is left out, usually far
    above its true error; `edge`: the largest density on the border over the largest of all: when it is not small,
    the range cuts the density off.
    """

    grid: tuple[Float[np.ndarray, " k"], ...]
    weights: Float[np.ndarray, "..."]
    energies: Float[np.ndarray, "..."]
    log_p: Float[np.ndarray, "..."]
    log_z: Float[np.ndarray, "..."]
    error: Float[np.ndarray, "..."]
    edge: Float[np.ndarray, "..."]

    @property
    def p(self) -> Float[np.ndarray, "..."]:
        """The density."""
        return np.exp(self.log_p)

    def expectation(self, f: Callable[..., Any]) -> Float[np.ndarray, "..."]:
        """<f>, in the shape of beta; f takes the grid's coordinates as arrays: f(x) or f(x, y)."""
        values = np.asarray(f(*np.meshgrid(*self.grid, indexing="ij")))
        return (self.p * self.weights * values).sum(tuple(range(-self.weights.ndim, 0)))[()]

    @property
    def mean(self) -> Float[np.ndarray, "... dim"]:
        """<x> along each axis."""
        return np.stack([self.expectation(lambda *x, k=k: x[k]) for k in range(len(self.grid))], axis=-1)

    @property
    def variance(self) -> Float[np.ndarray, "... dim"]:
        """<(x - <x>)^2> along each axis."""
        second = [self.expectation(lambda *x, k=k: (x[k] - self._centre(k)) ** 2) for k in range(len(self.grid))]
        shift = self.mean - np.array([self._centre(k) for k in range(len(self.grid))])
        return np.stack(second, axis=-1) - shift**2

    def _centre(self, k: int) -> float:
        return float(self.grid[k].mean())


def _axis(points: Any, number: int) -> np.ndarray:
    x = np.asarray(points, np.float64)
    if x.ndim != 1 or x.size < 3:
        raise ValueError(f"axis {number} of the grid must hold at least 3 points in one dimension; got shape {x.shape}")
    if not np.isfinite(x).all() or (np.diff(x) <= 0).any():
        raise ValueError(f"axis {number} of the grid must be finite and rising; sort it and drop repeated points")
    return x


def _trapezoid(x: np.ndarray) -> np.ndarray:
    steps = np.diff(x)
    return 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps))


def _log_integral(energies: np.ndarray, weights: np.ndarray, beta: np.ndarray) -> np.ndarray:
    lowest = energies.min()
    allowed = np.isfinite(energies)
    d = np.where(allowed, energies - lowest, 0.0).ravel()
    factor = (weights * allowed).ravel()
    logs = [np.log((np.exp(-b * d) * factor).sum()) - b * lowest for b in beta.ravel()]
    return np.reshape(logs, beta.shape)


def density(model: AbstractEnergy, grid: Any, *, beta: Any) -> Density:
    """The Boltzmann density exp(-beta E(x)) / Z of one or two real variables, by the trapezoid rule.

    grid: an array of points, or a pair of them for two variables. On an even grid the rule is exact to rounding for
    smooth densities that vanish at the ends and are wider than a few steps; see `Density.error` and `.edge`.
    """
    if not isinstance(model, AbstractEnergy):
        raise TypeError(f"expected an AbstractEnergy (units and energy(x)); got {type(model).__name__}")
    outside_jit(model)
    beta = betas(beta)
    axes = tuple(_axis(x, k) for k, x in enumerate(grid if isinstance(grid, tuple) else (grid,)))
    if len(model.units) != 1 or not isinstance(model.units[0], Gaussian) or model.units[0].size not in (1, 2):
        raise ValueError(f"density takes one layer of one or two Gaussian units; got {model.units!r}")
    if len(axes) != model.units[0].size:
        raise ValueError(f"{model.units[0].size} variables need a tuple of as many grids; got {len(axes)}")
    if (points := int(np.prod([len(x) for x in axes]))) * max(1, beta.size) > LIMIT:
        raise ValueError(f"{points} grid points for {beta.size} betas are above the limit of {LIMIT}; take fewer")
    energies = _on_grid(model, axes)
    weights = _trapezoid(axes[0]) if len(axes) == 1 else np.multiply.outer(*map(_trapezoid, axes))
    log_z = _log_integral(energies, weights, beta)
    every_second = [np.unique(np.append(np.arange(0, len(x), 2), len(x) - 1)) for x in axes]  # both ends stay
    half = [x[keep] for x, keep in zip(axes, every_second, strict=True)]
    coarse = np.ix_(*every_second)
    rough = _trapezoid(half[0]) if len(axes) == 1 else np.multiply.outer(*map(_trapezoid, half))
    error = np.abs(log_z - _log_integral(energies[coarse], rough, beta))
    log_p = -beta.reshape(beta.shape + (1,) * len(axes)) * energies - log_z.reshape(beta.shape + (1,) * len(axes))
    inside = np.zeros(energies.shape, bool)
    inside[(slice(1, -1),) * len(axes)] = True
    over = tuple(range(-len(axes), 0))
    edge = np.exp(np.where(inside, -np.inf, log_p).max(over) - log_p.max(over))
    return Density(axes, weights, energies, log_p, log_z[()], error[()], edge[()])


@eqx.filter_jit
def _evaluate(model: AbstractEnergy, points: Any) -> Any:
    return jax.vmap(lambda x: model.energy((x,)))(points)


def _on_grid(model: AbstractEnergy, axes: tuple[np.ndarray, ...]) -> np.ndarray:
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    flat = points.reshape(-1, *model.units[0].shape)
    with jax.enable_x64(True):
        energies = np.asarray(_evaluate(float64_leaves(model), flat), np.float64)
    if energies.shape != flat.shape[:1]:
        raise ValueError(f"energy(x) must return one number for one state; got shape {energies.shape[1:]}")
    if np.isnan(energies).any() or np.isneginf(energies).any() or np.isinf(energies).all():
        raise ValueError("the energy is NaN, -inf or everywhere infinite on this grid; move or narrow the grid")
    return energies.reshape(points.shape[:-1])


def relative_entropy(p: Exact | Density, q: Exact | Density) -> Float[np.ndarray, "..."]:
    """KL(p || q) = sum p log(p / q) in nats, of two results of `boltzmann` or two of `density` on the same states.

    Never negative, not symmetric: exchange the arguments for the other direction. Betas broadcast.
    """
    if type(p) is not type(q) or not isinstance(p, Exact | Density):
        raise TypeError(
            f"expected two results of boltzmann or two of density; got {type(p).__name__}, {type(q).__name__}"
        )
    weights = np.ones(())
    if isinstance(p, Density) and isinstance(q, Density):
        same = len(p.grid) == len(q.grid) and all(np.array_equal(a, b) for a, b in zip(p.grid, q.grid, strict=True))
        weights, axes = p.weights, len(p.grid)
    else:
        same = len(p.states) == len(q.states) and all(map(np.array_equal, p.states, q.states))  # type: ignore[union-attr]
        axes = 1
    if not same:
        raise ValueError("the two distributions live on different states: give both the same units, or the same grid")
    with np.errstate(invalid="ignore"):
        terms = np.where(np.isneginf(p.log_p), 0.0, p.p * (p.log_p - q.log_p) * weights)
    return np.maximum(terms.sum(tuple(range(-axes, 0))), 0.0)[()]
