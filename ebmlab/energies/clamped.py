"""An energy with some of its layers held at given values."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab._check import as_parameter, concrete, finite
from ebmlab.energies.base import AbstractConditional, State
from ebmlab.energies.layered import AbstractSummable, Layers
from ebmlab.units import AbstractDiscrete, AbstractUnits, Gaussian


class Clamped(AbstractSummable):
    """E(free layers) = E(x) with the layers in `fixed` held: `Clamped(model, {0: v})` is what h feels given v.

    model: any energy with blocks; fixed: {layer: one state of it}. The state holds the free layers in their order.
    Blocks are the model's, less the held units. Under `vmap` each example clamps its own values. Every kernel works.
    """

    model: AbstractConditional
    values: tuple[Any, ...]
    blocks: tuple[Int[Array | np.ndarray, " k"], ...]
    inside: tuple[Int[np.ndarray, " k"] | None, ...]
    held: tuple[int, ...] = eqx.field(static=True)
    kept: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, model: AbstractConditional, fixed: Mapping[int, Any]):
        if not isinstance(model, AbstractConditional):
            raise TypeError(f"Clamped takes a model with blocks, such as RBM or DBM; got {type(model).__name__}")
        if not isinstance(fixed, Mapping) or not fixed or any(k not in range(len(model.units)) for k in fixed):
            keys = list(fixed) if isinstance(fixed, Mapping) else type(fixed).__name__
            raise ValueError(f"fixed is {{layer: values}} with layers of 0 ... {len(model.units) - 1}; got {keys}")
        if len(fixed) == len(model.units):
            raise ValueError("all layers are held: nothing is left to draw. The energy of one state is model.energy(x)")
        if not concrete(*model.blocks):
            raise TypeError("the blocks of this model are traced: build Clamped outside jit, or keep its blocks static")
        self.model = model
        self.held = tuple(sorted(fixed))
        self.values = tuple(_value(fixed[k], model.units[k], k) for k in self.held)
        self.kept, self.blocks, self.inside = _what_is_left(model, self.free)

    @property
    def free(self) -> tuple[int, ...]:
        """The layers of the model that are not held."""
        return tuple(k for k in range(len(self.model.units)) if k not in self.held)

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """The free layers."""
        return tuple(self.model.units[k] for k in self.free)

    @property
    def summable(self) -> tuple[tuple[int, ...], ...]:
        """The model's sets of layers, less the held ones."""
        if not isinstance(self.model, AbstractSummable):
            return ((),)
        number = {k: i for i, k in enumerate(self.free)}
        return tuple(tuple(number[k] for k in group if k in number) for group in self.model.summable)

    @property
    def interactions(self) -> tuple[Any, ...]:
        """The model's."""
        return self.model.interactions if isinstance(self.model, AbstractSummable) else (np.ones(1),)

    def full(self, x: Layers) -> Layers:
        """The state of the whole model."""
        layers = dict(zip(self.held, self.values, strict=True)) | dict(zip(self.free, x, strict=True))
        return tuple(layers[k] for k in range(len(layers)))

    def energy(self, x: Layers) -> Float[Array, ""]:
        """E of the whole state."""
        return self.model.energy(self.full(x))

    def layer_field(self, x: Layers, k: int) -> Array:
        """The model's, of its layer `free[k]`."""
        if not isinstance(self.model, AbstractSummable):
            raise TypeError(f"{type(self.model).__name__} gives fields of blocks, not of layers")
        return self.model.layer_field(self.full(x), self.free[k])

    def split(self, x: State) -> State:
        """The model's parts, less the held units."""
        parts = self.model.split(self.full(x))
        return tuple(parts[b] if at is None else parts[b][at] for b, at in zip(self.kept, self.inside, strict=True))

    def merge(self, parts: State) -> State:
        """The inverse of `split`."""
        x = self.model.merge(self._parts(parts))
        return tuple(x[k] for k in self.free)

    def part_units(self, b: int) -> AbstractUnits:
        """The kind of the free units of block b."""
        kind, at = self.model.part_units(self.kept[b]), self.inside[b]
        if at is not None and isinstance(kind, Gaussian) and kind.scale.ndim:
            return Gaussian(at.shape[0], jnp.asarray(kind.scale)[at])
        return kind

    def field(self, parts: State, b: int) -> Array:
        """The model's field of the free units of block b."""
        field, at = self.model.field(self._parts(parts), self.kept[b]), self.inside[b]
        return field if at is None else field[at]

    def _parts(self, parts: State) -> State:
        """The model's parts: those of the held units come from their values."""
        blank = tuple(jnp.zeros(layer.shape, layer.dtype) for layer in self.units)
        whole = list(self.model.split(self.full(blank)))
        for b, at, part in zip(self.kept, self.inside, parts, strict=True):
            whole[b] = part if at is None else whole[b].at[at].set(part)
        return tuple(whole)


def _value(value: Any, units: AbstractUnits, k: int) -> Any:
    """One state of layer k, checked where it is concrete."""
    array = jnp.asarray(value, units.dtype) if jnp.issubdtype(units.dtype, jnp.integer) else as_parameter(value)
    if array.shape != units.shape:
        raise ValueError(
            f"layer {k} is held at one state of shape {units.shape}; got shape {array.shape}. For many: "
            "jax.vmap(lambda v: ... Clamped(model, {0: v}) ...)"
        )
    finite(f"the values of layer {k}", array)
    if isinstance(units, AbstractDiscrete) and concrete(array):
        wrong = ~np.isin(np.asarray(array), units.values)
        if wrong.any():
            name = type(units).__name__
            raise ValueError(f"layer {k} ({name}) allows {units.values}; got {np.asarray(array)[wrong][0]}")
    return array


def _what_is_left(model: AbstractConditional, free: tuple[int, ...]) -> tuple[Any, ...]:
    """Which blocks hold free units, their sites counted through the free layers, and their places in mixed blocks."""
    ends = np.cumsum([0, *(layer.size for layer in model.units)])
    number = np.full(ends[-1], -1)
    sites = np.concatenate([np.arange(ends[k], ends[k + 1]) for k in free])
    number[sites] = np.arange(len(sites))
    kept, blocks, inside = [], [], []
    for b, block in enumerate(model.blocks):
        new = number[np.asarray(block).ravel()]
        if (new >= 0).any():
            kept.append(b)
            blocks.append(new[new >= 0])
            inside.append(None if (new >= 0).all() else np.flatnonzero(new >= 0))
    return tuple(kept), tuple(blocks), tuple(inside)
