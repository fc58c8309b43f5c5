"""What an energy is: the two classes that everything else is written against."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ebmlab import bits
from ebmlab.units import AbstractDiscrete, AbstractTwoValued, AbstractUnits, Categorical, Gaussian, Walkers

State = tuple[Array, ...]
MOST_CHECKED = 256  # sites of a block whose fields are compared with energy differences


class AbstractEnergy(eqx.Module):
    """An energy over units: P(x) proportional to exp(-beta E(x)).

    A subclass gives `units`, one entry for each layer of the state, and `energy`. That is enough for `exact`,
    for Metropolis and single-site Gibbs on discrete units, and for Langevin, HMC and NUTS on Gaussian ones.
    """

    if TYPE_CHECKING:

        @property
        def units(self) -> tuple[AbstractUnits, ...]:
            """The layers."""
            ...

    else:
        units: eqx.AbstractVar[tuple[AbstractUnits, ...]]

    @abstractmethod
    def energy(self, x: State) -> Float[Array, ""]:
        """E(x) of one state `x`, a tuple with one array for each layer."""

    def check_start(self, x: State) -> None:
        """Raise ValueError where a chain must not start at one of the states x (leading axis: chains)."""
        return

    def local_field(self, x: State, site: Int[Array, ""]) -> Array:
        """What site `site` feels with the rest of `x` held fixed; sites count through the layers in C order.

        Two-valued units: the scalar -(E(high) - E(low)) / (high - low). Categorical: -E(v) for each value v.
        The default costs one energy for each value and is exact for any energy.
        """
        values = discrete_values(self.units)
        energies = jnp.stack([self.energy(place(x, site, value)) for value in values])
        if isinstance(self.units[0], AbstractTwoValued):
            return (energies[0] - energies[1]) / (values[1] - values[0])
        return -energies


class AbstractConditional(AbstractEnergy):
    """An energy whose units fall into blocks: inside a block they are independent, given the rest.

    `blocks` holds one array of sites for each block. A state can be `split` into its parts, one array for each
    block, and put together again by `merge`; `field(parts, b)` is what part b feels.
    """

    if TYPE_CHECKING:

        @property
        def blocks(self) -> tuple[Any, ...]:
            """The sites of each block."""
            ...

    else:
        blocks: eqx.AbstractVar[tuple[Any, ...]]

    def split(self, x: State) -> State:
        """The state as one array for each block."""
        flat = jnp.concatenate([layer.ravel() for layer in x])
        return tuple(flat[block] for block in self.blocks)

    def merge(self, parts: State) -> State:
        """The inverse of `split`."""
        total = sum(layer.size for layer in self.units)
        flat = jnp.zeros(total, parts[0].dtype)
        for block, part in zip(self.blocks, parts, strict=True):
            flat = flat.at[block].set(part)
        ends = np.cumsum([layer.size for layer in self.units])[:-1]
        layers = jnp.split(flat, ends)
        return tuple(a.reshape(u.shape).astype(u.dtype) for a, u in zip(layers, self.units, strict=True))

    def part_units(self, b: int) -> AbstractUnits:
        """The kind of the units in block b; define it where layers differ."""
        first = self.units[0]
        alike = all(
            type(u) is type(first) and getattr(u, "levels", 0) == getattr(first, "levels", 0) for u in self.units
        )
        if not alike or (len(self.units) > 1 and isinstance(first, Gaussian)):
            raise TypeError(f"the layers are {self.units}: define part_units(b) to say which units block b holds")
        return first

    def field(self, parts: State, b: int) -> Array:
        """-dE/dx of part b at the middle of its values: exact for energies at most quadratic in each unit."""
        kind = self.part_units(b)
        if isinstance(kind, Categorical):
            raise TypeError("the default field has no derivative for Categorical units: define field(parts, b)")
        middle = (kind.low + kind.high) / 2 if isinstance(kind, AbstractTwoValued) else 0.0

        def energy(part: Array) -> Array:
            return self.energy(self.merge((*parts[:b], part, *parts[b + 1 :])))

        return -jax.grad(energy)(jnp.full_like(parts[b], middle))


def layer_values(units: tuple[AbstractUnits, ...]) -> tuple[tuple[int, ...], ...]:
    """The values of each layer's units; TypeError where units are continuous."""
    values = [layer.values for layer in units if isinstance(layer, AbstractDiscrete)]
    if len(values) < len(units):
        names = [type(layer).__name__ for layer in units]
        raise TypeError(f"expected discrete units (Spin, Binary, Categorical); got {names}")
    return tuple(values)


def discrete_values(units: tuple[AbstractUnits, ...]) -> tuple[int, ...]:
    """The values shared by all layers; TypeError where units are continuous, of mixed kind, or replicas' walkers."""
    if any(isinstance(layer, Walkers) for layer in units):
        raise TypeError("these are replicas (Tempered), whose walkers move by swaps only: use ParallelTempering")
    values = set(layer_values(units))
    if len(values) > 1:
        names = [type(layer).__name__ for layer in units]
        raise TypeError(
            f"expected layers with the same values; got {names} with {sorted(map(str, values))}. Single-unit moves "
            "go through one kind of unit: use the kernel made for this model (an Expanded one: SimulatedTempering), "
            "blocks, or Metropolis(proposal=...)"
        )
    return values.pop()


def site_count(model: AbstractEnergy) -> int:
    """The number of units in all layers."""
    return sum(layer.size for layer in model.units)


def read(x: State, site: Int[Array, ""]) -> Array:
    """The value of one site, counted through the layers."""
    return jnp.concatenate([layer.ravel() for layer in x])[site]


def place(x: State, site: Int[Array, ""], value: Any) -> State:
    """The state with one site set to `value`."""
    layers, start = [], 0
    for layer in x:
        local = site - start
        inside = (local >= 0) & (local < layer.size)
        at = jnp.clip(local, 0, layer.size - 1)
        flat = layer.ravel()
        new = jnp.where(inside, jnp.asarray(value).astype(layer.dtype), flat[at])
        layers.append(flat.at[at].set(new).reshape(layer.shape))
        start += layer.size
    return tuple(layers)


def random_state(model: AbstractEnergy, *, key: Array) -> State:
    """A state at infinite temperature."""
    keys = bits.split(key, len(model.units))
    return tuple(layer.random(key=k) for layer, k in zip(model.units, keys, strict=True))


@eqx.filter_jit
def random_states(model: AbstractEnergy, keys: Array) -> State:
    """A state at infinite temperature for each key, leading axis first."""
    return jax.vmap(lambda key: random_state(model, key=key))(keys)


def first_states(model: AbstractEnergy, x0: Any, *, key: Array, count: int) -> State:
    """`count` states with a leading axis: random ones, or x0 for all, or x0 as it is where it has that axis."""
    shapes = tuple(jnp.shape(layer) for layer in x0) if isinstance(x0, tuple) else None
    if x0 is None:
        x = random_states(model, bits.split(key, count))
    elif shapes == tuple((count, *layer.shape) for layer in model.units):
        x = check_state(model, x0, (count,))
    else:
        one = check_state(model, x0)
        x = tuple(jnp.broadcast_to(layer, (count, *layer.shape)) for layer in one)
    model.check_start(x)
    return x


def check_state(model: AbstractEnergy, x: Any, leading: tuple[int, ...] = ()) -> State:
    """`x` as a state of the model in the units' dtypes; ValueError or TypeError where it is none.

    leading: axes before those of a state, such as (chains,) for many states at once.
    """
    expected = tuple((*leading, *layer.shape) for layer in model.units)
    if not isinstance(x, tuple):
        raise TypeError(f"a state is a tuple with one array for each layer, shapes {expected}; got {type(x).__name__}")
    got = tuple(jnp.shape(layer) for layer in x)
    if got != expected:
        raise ValueError(f"expected a state with layers of shape {expected}; got {got}")
    for i, (layer, kind) in enumerate(zip(x, model.units, strict=True)):
        if isinstance(layer, jax.core.Tracer):
            continue
        values = np.asarray(layer)
        wrong = ~np.isin(values, kind.values) if isinstance(kind, AbstractDiscrete) else ~np.isfinite(values)
        if wrong.any():
            allowed = kind.values if isinstance(kind, AbstractDiscrete) else "finite numbers"
            raise ValueError(f"layer {i} ({type(kind).__name__}) allows {allowed}; got {values[wrong][0]}")
        if isinstance(kind, Walkers) and (np.sort(values, axis=-1) != np.arange(kind.size)).any():
            raise ValueError(f"layer {i}: each of {kind.size} walkers must stand at one temperature; got {values}")
    return tuple(jnp.asarray(layer).astype(kind.dtype) for layer, kind in zip(x, model.units, strict=True))


def check_model(model: Any) -> None:
    """Raise TypeError or ValueError where a user's energy breaks the contract: `check_energy` and `check_blocks`."""
    check_energy(model)
    if isinstance(model, AbstractConditional):
        check_blocks(model)


def check_energy(model: Any) -> None:
    """Raise TypeError or ValueError where the units are no units, or the energy of one state is not one number."""
    if not isinstance(model, AbstractEnergy):
        raise TypeError(f"expected an AbstractEnergy (units and energy(x)); got {type(model).__name__}")
    units = model.units
    if not isinstance(units, tuple) or not units or not all(isinstance(u, AbstractUnits) for u in units):
        raise TypeError(f"units must be a tuple of Spin, Binary, Gaussian or Categorical, as (Spin(4),); got {units!r}")
    blank = tuple(jax.ShapeDtypeStruct(layer.shape, layer.dtype) for layer in model.units)
    shape = jax.eval_shape(model.energy, blank)
    if not hasattr(shape, "shape") or shape.shape != ():
        raise ValueError(
            f"energy(x) must return one number for one state; got shape {getattr(shape, 'shape', shape)}. "
            "Sum over the units; for many states use jax.vmap(model.energy)"
        )
    if not jnp.issubdtype(shape.dtype, jnp.floating) and not jnp.issubdtype(shape.dtype, jnp.integer):
        raise TypeError(f"energy(x) must be a real number; got {shape.dtype}. Return its real part if that is meant")


def check_blocks(model: AbstractConditional) -> None:
    """Raise ValueError where the blocks miss a site or couple inside.

    This package's models, and any with its own `split`, are trusted. Fields are compared with energy differences at
    a random state, to 1e-3 of their scale, and the curvature in Gaussian units with 1/scale^2.
    """
    if type(model).split is not AbstractConditional.split or type(model).__module__.startswith("ebmlab."):
        return
    sites = np.sort(np.concatenate([np.asarray(block).ravel() for block in model.blocks]))
    if not np.array_equal(sites, np.arange(site_count(model))):
        raise ValueError(f"the blocks must name every site 0 ... {site_count(model) - 1} once; got {sites.tolist()}")
    kinds = [model.part_units(b) for b in range(len(model.blocks))]
    if any(isinstance(kind, Categorical) for kind in kinds):
        return
    for b, (some, fast, slow, bend) in enumerate(_fields_both_ways(model, MOST_CHECKED)):
        scale = 1e-3 * (1 + np.abs(slow).max())
        if not np.allclose(fast, slow, rtol=1e-3, atol=scale):
            k = int(np.argmax(np.abs(fast - slow)))
            raise ValueError(
                f"block {b}: field(parts, {b}) of site {some[k]} is {fast[k]:.4g}, the energy difference says "
                f"{slow[k]:.4g}. Either units inside the block are coupled (use more blocks), or the energy is "
                "not quadratic in each unit (define field(parts, b), or use AbstractEnergy and single-site moves)"
            )
        if isinstance(kinds[b], Gaussian) and not np.allclose(bend[0], bend[1], rtol=1e-2, atol=1e-2):
            k = int(np.argmax(np.abs(bend[0] - bend[1])))
            raise ValueError(
                f"block {b}: the energy bends by {bend[0][k]:.4g} in site {some[k]}, its Gaussian units say "
                f"1/scale^2 = {bend[1][k]:.4g}; set scale = 1 / sqrt(curvature)"
            )


@eqx.filter_jit
def _fields_both_ways(model: AbstractConditional, most: int) -> list[Any]:
    """For each block, at one random state: some sites, their fields by `field` and by energy differences, and for
    Gaussian units their curvature by energies and by scale. At most `most` sites, picked at random from more.
    """
    x = random_state(model, key=jax.random.key(1))
    parts, found = model.split(x), list[Any]()
    for b, block in enumerate(model.blocks):
        sites = jnp.asarray(block).ravel()
        order = jax.random.permutation(jax.random.key(b), sites.size)[:most]
        kind, fast = model.part_units(b), model.field(parts, b).ravel()[order]
        if isinstance(kind, Gaussian):
            low, middle, high = (_energies_at(model, x, sites[order], value) for value in (-1.0, 0.0, 1.0))
            own = jnp.broadcast_to(kind.scale, kind.shape).ravel()[order] if kind.size == sites.size else kind.scale
            stiff = jnp.broadcast_to(1 / own**2, low.shape)
            found.append((sites[order], fast, (low - high) / 2, (low + high - 2 * middle, stiff)))
        else:
            slow = jax.vmap(lambda site: AbstractEnergy.local_field(model, x, site))(sites[order])
            found.append((sites[order], fast, slow, ()))
    return found


def _energies_at(model: AbstractEnergy, x: State, sites: Array, value: float) -> Array:
    return jax.vmap(lambda site: model.energy(place(x, site, value)))(sites)
