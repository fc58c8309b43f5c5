"""log weights of listed states as products of small matrices: no exponential and almost no logarithm per state.

With n listed units x and summed-out units i, each with the values v, the weight of a state is

    exp(-beta E(x)) prod_i sum_v exp(beta f_iv(x)),    f_iv(x) affine in x.

Let x = (c, s), two halves. Then exp(beta f_iv) = a_iv(c) A_iv(s), the sum over the values of a few units i together is
one matrix product over c and s, and only the product of many such groups is ever taken the logarithm of.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab.energies.layered import AbstractSummable, Layers
from ebmlab.units import AbstractTwoValued, AbstractUnits, Categorical

BASIS = 8  # products of values of the units of one group
SAFE = 600.0  # largest exponent: exp(600) is far inside float64
HALF = 10  # listed units in the second half at most
ROWS = 32  # settings of the first half looked at together: small products stay in the cache and on one core


class Forms(NamedTuple):
    """-E of the listed units as constant + linear . x + x^T quadratic x, and exponents f_iv = start + x . slope."""

    constant: Any
    linear: Any
    quadratic: Any
    start: Any
    slope: Any


def own(model: Any) -> bool:
    """Whether the energy is one of this package's: at most quadratic."""
    inner = [getattr(model, name) for name in ("base", "model") if hasattr(model, name)]
    return type(model).__module__.startswith("ebmlab.energies.") and all(map(own, inner))


def reaches(model: AbstractSummable, summed: tuple[int, ...], listed: tuple[int, ...]) -> bool:
    """Whether `log_weights` works: two-valued listed units, summed ones that all have the same number of values."""
    two = all(isinstance(model.units[k], AbstractTwoValued) for k in listed)
    kinds = [model.units[k] for k in summed]
    discrete = all(isinstance(kind, AbstractTwoValued | Categorical) for kind in kinds)
    return bool(own(model) and listed and summed and two and discrete) and len({_levels(kind) for kind in kinds}) == 1


def _levels(kind: AbstractUnits) -> int:
    return len(kind.values)  # type: ignore[attr-defined]


@eqx.filter_jit
def _forms(model: AbstractSummable, summed: tuple[int, ...], listed: tuple[int, ...]) -> Forms:
    sizes = [model.units[k].size for k in listed]
    n = sum(sizes)

    def full(x: Array) -> Layers:
        parts = dict(zip(listed, jnp.split(x, np.cumsum(sizes)[:-1]), strict=True))
        return tuple(parts[k].reshape(u.shape) if k in parts else None for k, u in enumerate(model.units))

    def exponents(x: Array) -> Array:
        found = []
        for k in summed:
            field, kind = model.layer_field(full(x), k), model.units[k]
            values = field[..., None] * jnp.asarray(kind.values) if isinstance(kind, AbstractTwoValued) else field
            found.append(values.reshape(-1, values.shape[-1]))
        return jnp.concatenate(found)

    def energy(x: Array) -> Array:
        return -model.energy(full(x))

    origin, axes = jnp.zeros(n), jnp.eye(n)
    constant, linear = energy(origin), jax.grad(energy)(origin)
    start = exponents(origin)
    return Forms(constant, linear, jax.hessian(energy)(origin) / 2, start, jax.vmap(exponents)(axes) - start)


def _states(kinds: list[Any]) -> Float[np.ndarray, "N n"]:
    """All settings of two-valued units, the last one changing fastest."""
    n = len(kinds)
    bits = (np.arange(1 << n)[:, None] >> np.arange(n)[::-1]) & 1
    low, high = np.array([kind.low for kind in kinds], float), np.array([kind.high for kind in kinds], float)
    return low + (high - low) * bits


def _products(factors: Float[np.ndarray, "N g L"]) -> Float[np.ndarray, "N L**g"]:
    """Products over a group's units of one of their factors each, all choices."""
    total = factors[:, 0]
    for k in range(1, factors.shape[1]):
        total = (total[:, :, None] * factors[:, k, None, :]).reshape(len(total), -1)
    return total


def _groups(bounds: Float[np.ndarray, " S"], levels: int) -> list[list[slice]]:
    """Units i in groups of at most BASIS choices, and these in runs whose product stays below exp(SAFE)."""
    most = max(1, int(np.log(BASIS) / np.log(levels) + 1e-9))
    runs: list[list[slice]] = []
    room = 0.0
    for start in range(0, len(bounds), most):
        group = slice(start, min(start + most, len(bounds)))
        need = bounds[group].sum()
        if not runs or need > room:
            runs.append([])
            room = SAFE
        runs[-1].append(group)
        room -= need
    return runs


def log_weights(
    model: AbstractSummable, summed: tuple[int, ...], listed: tuple[int, ...], beta: float
) -> Float[np.ndarray, " N"] | None:
    """log sum over the layers `summed` of exp(-beta E) for every state of `listed`, the last unit changing fastest.

    None where exponents are too large for products (very low temperatures). Call it inside `jax.enable_x64(True)`.
    """
    forms = Forms(*map(np.asarray, _forms(model, summed, listed)))
    kinds = [model.units[k] for k in listed for _ in range(model.units[k].size)]
    n = len(kinds)
    low = min(HALF, n // 2)
    c, s = _states(kinds[: n - low]), _states(kinds[n - low :])
    at_c = beta * (forms.start + np.tensordot(c, forms.slope[: n - low], 1))
    at_s = beta * np.tensordot(s, forms.slope[n - low :], 1)
    bounds = np.abs(at_c).max((0, 2)) + np.abs(at_s).max((0, 2))
    levels = at_c.shape[-1]
    runs = _groups(bounds, levels)
    if max(bounds[group].sum() for run in runs for group in run) > SAFE:
        return None
    total = _own_weights(forms, c, s, beta)
    a, b = np.exp(at_c), np.exp(at_s)
    for run in runs:
        second = [_products(b[:, group]).T for group in run]
        first = [_products(a[:, group]) for group in run]
        for start in range(0, len(c), ROWS):
            rows = slice(start, start + ROWS)
            product = first[0][rows] @ second[0]
            for one, other in zip(first[1:], second[1:], strict=True):
                product *= one[rows] @ other
            total[rows] += np.log(product)
    return total.ravel()


def _own_weights(forms: Forms, c: np.ndarray, s: np.ndarray, beta: float) -> Float[np.ndarray, "C S"]:
    """-beta E of the listed units alone."""
    k = c.shape[1]
    Q, q = forms.quadratic, forms.linear
    of_c = forms.constant + c @ q[:k] + np.einsum("ci,ci->c", c @ Q[:k, :k], c)
    of_s = s @ q[k:] + np.einsum("si,si->s", s @ Q[k:, k:], s)
    return beta * (of_c[:, None] + of_s + 2 * c @ Q[:k, k:] @ s.T)
