"""The way from one energy to another, and the independent units at which it starts."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ebmlab._check import as_parameter, concrete, finite
from ebmlab.energies.base import AbstractConditional, AbstractEnergy, State, check_energy
from ebmlab.energies.layered import AbstractLayered, AbstractSummable, Layers, as_bias, dot, field_of_mean
from ebmlab.energies.machine import BoltzmannMachine
from ebmlab.energies.rbm import GaussianRBM
from ebmlab.units import AbstractUnits, Categorical, Gaussian


class Interpolated(AbstractSummable):
    """E_t(x) = (1 - t) E_base(x) + t E_model(x): the base at t = 0, the model at t = 1.

    base, model: energies over the same units; t: in [0, 1], may be traced (`at` gives the same way at another t).
    Blocks, fields and sums over layers are there where both energies have the same ones; without common blocks
    `blocks` is empty and kernels go unit by unit. This is the path of annealed importance sampling (R. Neal,
    Statistics and Computing 11, 125 (2001)).
    """

    base: AbstractEnergy
    model: AbstractEnergy
    t: Float[Array | np.ndarray, ""]
    shared: bool = eqx.field(static=True)

    def __init__(self, base: AbstractEnergy, model: AbstractEnergy, t: Any = 1.0):
        check_energy(base)
        check_energy(model)
        _check_alike(base.units, model.units)
        self.base, self.model, self.t = base, model, _as_share(t)
        self.shared = _share_blocks(base, model)

    def at(self, t: Any) -> "Interpolated":
        """The same way at another t."""
        return eqx.tree_at(lambda path: path.t, self, _as_share(t))

    def difference(self, x: State) -> Float[Array, ""]:
        """E_model(x) - E_base(x) = dE_t / dt."""
        return self.model.energy(x) - self.base.energy(x)

    def energy(self, x: Layers) -> Float[Array, ""]:
        """(1 - t) E_base + t E_model."""
        return self._mix(self.base.energy(x), self.model.energy(x))

    def _mix(self, at_0: Any, at_1: Any) -> Any:
        return (1 - self.t) * at_0 + self.t * at_1

    @property
    def units(self) -> tuple[AbstractUnits, ...]:
        """The model's; Gaussian layers of conditional energies with 1/scale^2 interpolated like the energy."""
        pairs = zip(self.base.units, self.model.units, strict=True)
        return tuple(self._mixed_units(a, b) for a, b in pairs) if self.shared else self.model.units

    def _mixed_units(self, base: AbstractUnits, model: AbstractUnits) -> AbstractUnits:
        if not (isinstance(base, Gaussian) and isinstance(model, Gaussian)):
            return model
        stiffness = self._mix(1 / jnp.asarray(base.scale) ** 2, 1 / jnp.asarray(model.scale) ** 2)
        return Gaussian(model.shape, 1 / jnp.sqrt(stiffness))

    @property
    def both(self) -> tuple[AbstractConditional, AbstractConditional]:
        """Base and model, where they have blocks in common; TypeError otherwise."""
        if not self.shared:
            raise TypeError(f"{type(self.base).__name__} and {type(self.model).__name__} have no blocks in common")
        return self.base, self.model  # type: ignore[return-value]

    @property
    def blocks(self) -> tuple[Any, ...]:
        """The common blocks; () where there are none."""
        return self.both[1].blocks if self.shared else ()

    @property
    def summable(self) -> tuple[tuple[int, ...], ...]:
        """The common sets of layers that can be summed out."""
        base, model = self.base, self.model
        if not (isinstance(base, AbstractSummable) and isinstance(model, AbstractSummable)):
            return ((),)
        return tuple(group for group in model.summable if group in base.summable) or ((),)

    @property
    def interactions(self) -> tuple[Any, ...]:
        """Those of both."""
        ends = [getattr(end, "interactions", (np.ones(1),)) for end in (self.base, self.model)]
        return (*ends[0], *ends[1])

    def split(self, x: State) -> State:
        """The model's."""
        return self.both[1].split(x)

    def merge(self, parts: State) -> State:
        """The model's."""
        return self.both[1].merge(parts)

    def part_units(self, b: int) -> AbstractUnits:
        """The kind of units of block b."""
        base, model = self.both
        return self._mixed_units(base.part_units(b), model.part_units(b))

    def field(self, parts: State, b: int) -> Array:
        """(1 - t) times the base's field and t times the model's."""
        base, model = self.both
        return self._mix(base.field(parts, b), model.field(parts, b))

    def layer_field(self, x: Layers, k: int) -> Array:
        """(1 - t) times the base's field and t times the model's."""
        if self.summable == ((),):
            raise TypeError("base and model have no layers in common that can be summed out")
        return self._mix(self.base.layer_field(x, k), self.model.layer_field(x, k))  # type: ignore[attr-defined]


def _as_share(t: Any) -> Any:
    share = as_parameter(t)
    if share.shape != ():
        raise ValueError(f"t is one number in [0, 1]; got shape {share.shape}. For many use jax.vmap(path.at)")
    finite("t", share)
    if concrete(share) and not 0 <= float(share) <= 1:
        raise ValueError(f"t must lie in [0, 1], 0 is the base and 1 the model; got {float(share)}")
    return share


def _check_alike(base: tuple[AbstractUnits, ...], model: tuple[AbstractUnits, ...]) -> None:
    def kind(units: tuple[AbstractUnits, ...]) -> list[Any]:
        return [(type(u).__name__, u.shape, getattr(u, "levels", None)) for u in units]

    if kind(base) != kind(model):
        raise ValueError(f"base and model must have the same units; got {kind(base)} and {kind(model)}")


def _share_blocks(base: AbstractEnergy, model: AbstractEnergy) -> bool:
    """Whether both fall into the same blocks."""
    if not (isinstance(base, AbstractConditional) and isinstance(model, AbstractConditional)):
        return False
    if not concrete(*base.blocks, *model.blocks):
        raise TypeError("the blocks of these models are traced: build Interpolated outside jit, and use .at(t) inside")
    pairs = zip(base.blocks, model.blocks, strict=False)
    return len(base.blocks) == len(model.blocks) and all(np.array_equal(a, b) for a, b in pairs)


class Independent(AbstractLayered):
    """Layers of units that do not feel each other: E(x) = -sum_k f_k . x_k, and + x^2 / (2 scale^2) for real ones.

    units: the layers; fields: f_k, one array for each, of its shape (Categorical: (..., levels), -E of each value).
    Layers are blocks in the order of `AbstractLayered`; log Z comes by formula, whatever the size.
    """

    fields: tuple[Float[Array | np.ndarray, "..."], ...]
    units: tuple[AbstractUnits, ...]

    def __init__(self, units: tuple[AbstractUnits, ...], fields: tuple[Any, ...]):
        if len(units) != len(fields):
            raise ValueError(f"expected one field for each of {len(units)} layers; got {len(fields)}")
        self.units = tuple(units)
        self.fields = tuple(as_bias(f"fields[{k}]", f, _field_shape(units[k])) for k, f in enumerate(fields))

    @property
    def interactions(self) -> tuple[Any, ...]:
        """None."""
        return ()

    def energy(self, x: Layers) -> Float[Array, ""]:
        """-sum_k f_k . x_k, and x^2 / (2 scale^2) of real units."""
        return jnp.asarray(sum(_own(*layer) for layer in zip(self.units, self.fields, x, strict=True)))

    def layer_field(self, x: Layers, k: int) -> Array:
        """f_k, whatever the state."""
        return jnp.asarray(self.fields[k])


def _field_shape(units: AbstractUnits) -> tuple[int, ...]:
    return (*units.shape, units.levels) if isinstance(units, Categorical) else units.shape


def _own(units: AbstractUnits, field: Any, layer: Any) -> Any:
    """The energy of one layer."""
    if layer is None:
        return 0.0
    if isinstance(units, Categorical):
        return -jnp.take_along_axis(jnp.asarray(field), jnp.asarray(layer)[..., None], axis=-1).sum()
    bend = (jnp.asarray(layer) ** 2 / (2 * jnp.asarray(units.scale) ** 2)).sum() if isinstance(units, Gaussian) else 0.0
    return bend - dot(field, layer)


def independent(model: AbstractSummable, means: Any = None) -> AbstractSummable:
    """The model without its couplings, with fields such that its units have the given means: where annealing starts.

    means: those of the visible layer ((V,), or (V, levels) frequencies), or a tuple with an entry for each layer, None
    for no field (real units then keep the model's mean); probabilities are kept within 0.001 and 0.999. Real units
    keep the model's variance. log Z is exact by formula, whatever the size.
    """
    if not isinstance(model, AbstractSummable):
        raise TypeError(f"expected a layered energy such as RBM, DBM or BoltzmannMachine; got {type(model).__name__}")
    given = means if isinstance(means, tuple) else (means, *[None] * (len(model.units) - 1))
    if len(given) != len(model.units):
        raise ValueError(f"means: one array for the visible layer, or {len(model.units)} entries; got {len(given)}")
    fields = tuple(_field(model, k, layer) for k, layer in enumerate(given))
    if isinstance(model, BoltzmannMachine):
        inner = model.pairwise
        parts = (np.zeros(inner.couplings.shape), np.concatenate(fields))
        return eqx.tree_at(lambda m: (m.pairwise.couplings, m.pairwise.fields), model, parts)
    if not isinstance(model, AbstractLayered):
        raise TypeError(f"{type(model).__name__} has no layers of its own; take those of the model inside")
    return Independent(model.units, fields)


def _field(model: AbstractSummable, k: int, means: Any) -> Any:
    units = model.units[k]
    if means is None and isinstance(units, Gaussian):
        assert isinstance(model, GaussianRBM)
        return jnp.asarray(model.visible_bias) / model.variance
    return np.zeros(_field_shape(units)) if means is None else field_of_mean(units, means)
