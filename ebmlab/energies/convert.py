"""From spins to bits and back: s = 2 b - 1, with the offset that keeps the energies equal."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab.energies.pairwise import DensePairwise, Pairwise
from ebmlab.units import Binary, Spin


class Converted(NamedTuple):
    """A model in the other units, and the constant: E_old(x_old) = E_new(x_new) + offset."""

    model: Pairwise | DensePairwise
    offset: Float[Array | np.ndarray, ""]


def to_binary(model: Pairwise | DensePairwise) -> Converted:
    """The model in bits b = (1 + s)/2: J_b = 4 J, h_b = 2 h - 2 sum_j J_ij, offset = -sum_<ij> J + sum_i h_i."""
    _expect(model, Spin)
    pull = _pull(model)
    new = _rebuild(model, 4.0, 2.0 * model.fields - 2.0 * pull, Binary(model.units[0].shape))
    return Converted(new, -0.5 * pull.sum() + model.fields.sum())


def to_spin(model: Pairwise | DensePairwise) -> Converted:
    """The model in spins s = 2 b - 1: J_s = J/4, h_s = h/2 + sum_j J_ij / 4, offset = -sum_<ij> J/4 - sum_i h_i/2."""
    _expect(model, Binary)
    pull = _pull(model)
    new = _rebuild(model, 0.25, 0.5 * model.fields + 0.25 * pull, Spin(model.units[0].shape))
    return Converted(new, -0.125 * pull.sum() - 0.5 * model.fields.sum())


def _expect(model: Any, kind: type) -> None:
    if not isinstance(model, Pairwise | DensePairwise):
        raise TypeError(
            f"Pairwise and DensePairwise energies convert; got {type(model).__name__}. "
            "For an IsingLattice build the same model as Pairwise(graphs.grid(shape), couplings, fields)"
        )
    if not isinstance(model.units[0], kind):
        raise TypeError(f"expected {kind.__name__} units; the model holds {model.units[0]!r} already")


def _pull(model: Pairwise | DensePairwise) -> Array | np.ndarray:
    """sum_j J_ij for every unit."""
    if isinstance(model, DensePairwise):
        return model.matrix.sum(1)
    numpy = isinstance(model.couplings, np.ndarray)
    ends, weights = model.edges.ravel(), model.couplings.repeat(2)
    if numpy:
        return np.bincount(ends, weights, minlength=model.units[0].size)
    return jnp.zeros(model.units[0].size, weights.dtype).at[ends].add(weights)


def _rebuild(model: Any, factor: float, fields: Array | np.ndarray, units: Spin | Binary) -> Any:
    """The same graph with couplings times `factor`, and new fields and units."""
    dense = isinstance(model, DensePairwise)
    parts = (lambda m: (m.matrix, m.fields, m.units)) if dense else (lambda m: (m.couplings, m.fields, m.units))
    return eqx.tree_at(parts, model, (factor * parts(model)[0], fields, (units,)), is_leaf=lambda a: a is model.units)
