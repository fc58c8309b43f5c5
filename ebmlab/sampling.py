"""Run a kernel: many chains in one scan, on as many devices as there are."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, PyTree

from ebmlab import bits
from ebmlab._check import inverse_temperature, whole
from ebmlab.energies.base import AbstractEnergy, State, check_energy, check_state, random_state
from ebmlab.kernels.base import AbstractKernel

LARGEST = 8 * 2**30  # bytes of kept values
CHUNKS = 40  # parts of a run that reports progress


class Moments(NamedTuple):
    """Mean and variance over the kept draws of each chain, shaped like what `keep` returns, chains first."""

    mean: PyTree
    variance: PyTree


class Samples(NamedTuple):
    """What `sample` returns.

    values: what `keep` returned, arrays (chains, steps, ...); None with moments=True. last: the final states, chains
    first. accepted, size: means over the kept steps, (chains,). moments: see `Moments`, or None. done: kernel steps
    made so far, warm-up included; a later `sample(..., key=<the same key>, resume=samples)` goes on from there.
    """

    values: PyTree
    last: State
    accepted: Float[Array, " chains"]
    size: Float[Array, " chains"]
    moments: Moments | None
    done: int


def sample(
    kernel: AbstractKernel,
    model: AbstractEnergy,
    *,
    key: Array,
    chains: int,
    steps: int,
    warmup: int = 0,
    thin: int = 1,
    beta: Any = 1.0,
    x0: State | None = None,
    keep: Callable[[State], PyTree] | None = None,
    moments: bool = False,
    progress: bool = False,
    resume: Samples | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Samples:
    """Draw from exp(-beta E) by `warmup` + `steps` x `thin` kernel steps in each of `chains` independent chains.

    beta: one number, or one for each chain. x0: a state for all chains, or states with a leading chain axis (default:
    random states). keep: what to store of a state (default: the state; discrete units as 8-bit integers); give a named
    function, since a new lambda compiles anew. moments: store no draws, only their running mean and variance.
    progress: show a bar, and work in short parts. resume: go on from earlier `Samples` with the same key: the numbers
    are those of one long run. devices: where the chains live (default: all, if their number divides `chains`); the
    numbers do not depend on it. Same key, same answer, bit for bit on one machine.
    """
    if not isinstance(kernel, AbstractKernel):
        raise TypeError(f"expected a kernel such as ebmlab.Gibbs(); got {kernel!r}")
    check_energy(model)
    kernel.check(model)
    for name, number, least in (("chains", chains, 1), ("steps", steps, 1), ("warmup", warmup, 0), ("thin", thin, 1)):
        whole(name, number, least)
    betas = _for_each_chain(inverse_temperature(beta), chains)
    chosen = eqx.Partial(_stored, model) if keep is None else keep
    x, done = _start(model, x0, resume, key=key, chains=chains)
    if resume is not None and warmup:
        raise ValueError(f"a resumed run is past its warm-up; got warmup = {warmup}, expected 0")
    _refuse_too_much(chosen, x, 0 if moments else steps, chains)

    place = _sharding(devices, chains)
    keys = bits.split(bits.fold_in(key, 0), chains)
    x, keys, betas = (jax.device_put(a, place) for a in (x, keys, betas))
    if warmup:
        x = _warm(kernel, model, x, betas, keys, jnp.asarray(done), jnp.asarray(warmup))
    done += warmup
    parts = []
    sums = _no_moments(chosen, x) if moments else None
    for length in _chunks(steps, progress):
        x, sums, values, infos = _run(kernel, model, x, betas, keys, jnp.asarray(done), sums, chosen, length, thin)
        parts.append((values, infos, length))
        done += length * thin
    values = (
        None if moments else jax.tree.map(lambda *a: jnp.concatenate(a, 1) if len(a) > 1 else a[0], *_nth(parts, 0))
    )
    accepted, size = (sum(i[k] * n for _, i, n in parts) / steps for k in (0, 1))
    return Samples(values, x, accepted, size, _finished(sums, steps) if moments else None, done)


def _nth(rows: list[Any], k: int) -> list[Any]:
    return [row[k] for row in rows]


def _stored(model: AbstractEnergy, x: State) -> State:
    """The state in the types in which samples are kept."""
    return tuple(layer.astype(kind.stored) for layer, kind in zip(x, model.units, strict=True))


def _for_each_chain(beta: Any, chains: int) -> Array:
    if beta.shape not in ((), (chains,)):
        raise ValueError(f"beta must be one number or one for each of {chains} chains; got shape {beta.shape}")
    return jnp.broadcast_to(jnp.asarray(beta), (chains,))


def _start(
    model: AbstractEnergy, x0: State | None, resume: Samples | None, *, key: Array, chains: int
) -> tuple[State, int]:
    """The first states, chains first, and the number of kernel steps behind them."""
    if resume is not None:
        if x0 is not None:
            raise ValueError("give either x0 (a new run) or resume (an old one), not both")
        if resume.accepted.shape != (chains,):
            raise ValueError(f"the run to resume has {resume.accepted.shape[0]} chains; got chains = {chains}")
        return resume.last, resume.done
    if x0 is None:
        return _random_states(model, bits.split(bits.fold_in(key, 1), chains)), 0
    if not isinstance(x0, tuple):
        raise TypeError(f"x0 is a tuple with one array for each layer; got {type(x0).__name__}")
    shapes = tuple(jnp.shape(layer) for layer in x0)
    if shapes == tuple((chains, *layer.shape) for layer in model.units):
        for chain in range(chains):
            check_state(model, tuple(np.asarray(layer)[chain] for layer in x0))
        return tuple(jnp.asarray(a).astype(kind.dtype) for a, kind in zip(x0, model.units, strict=True)), 0
    x = check_state(model, x0)
    return tuple(jnp.broadcast_to(layer, (chains, *layer.shape)) for layer in x), 0


def _refuse_too_much(keep: Callable[[State], PyTree], x: State, steps: int, chains: int) -> None:
    one = jax.eval_shape(keep, jax.eval_shape(lambda: tuple(layer[0] for layer in x)))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(one)) * steps * chains
    if size > LARGEST:
        raise ValueError(
            f"{chains} chains x {steps} kept draws would take {size / 2**30:.1f} GiB (limit {LARGEST / 2**30:.0f}); "
            "keep less (keep=...), more rarely (thin=...), or only running means (moments=True)"
        )


def _sharding(devices: Sequence[jax.Device] | None, chains: int) -> Any:
    """Chains spread evenly; on one device where their number does not divide."""
    found = list(jax.devices() if devices is None else devices)
    if devices is not None and chains % len(found):
        raise ValueError(f"{chains} chains do not spread evenly over {len(found)} devices; choose a multiple")
    if len(found) == 1 or chains % len(found):
        return found[0]
    return NamedSharding(Mesh(np.array(found), ("chains",)), PartitionSpec("chains"))


def _chunks(steps: int, progress: bool) -> Any:
    """The lengths of the parts of a run: one, or about CHUNKS behind a progress bar."""
    if not progress:
        return [steps]
    length = max(1, -(-steps // CHUNKS))
    lengths = [length] * (steps // length) + ([steps % length] if steps % length else [])
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return lengths
    return tqdm(lengths, desc="sampling", unit="part", leave=False)


@eqx.filter_jit
def _random_states(model: AbstractEnergy, keys: Array) -> State:
    return jax.vmap(lambda key: random_state(model, key=key))(keys)


@eqx.filter_jit
def _warm(
    kernel: AbstractKernel, model: AbstractEnergy, x: State, beta: Array, keys: Array, done: Any, count: Any
) -> Any:
    def one(x: State, beta: Array, key: Array) -> State:
        return kernel.steps(model, x, beta=beta, key=key, first=done, count=count)[0]

    return jax.vmap(one)(x, beta, keys)


@eqx.filter_jit
def _run(
    kernel: AbstractKernel,
    model: AbstractEnergy,
    x: State,
    beta: Array,
    keys: Array,
    done: Any,
    sums: PyTree,
    keep: Callable[[State], PyTree],
    steps: int,
    thin: int,
) -> Any:
    """`steps` kept draws: (states, running sums, values, mean infos), chains first."""

    def one(x: State, beta: Array, key: Array, sums: PyTree) -> Any:
        def body(carry: Any, t: Array) -> Any:
            x, sums, total = carry
            x, now = kernel.steps(model, x, beta=beta, key=key, first=done + t * thin, count=thin)
            kept = keep(x)
            total = tuple(a + b for a, b in zip(total, now, strict=True))
            return (x, _added(sums, kept), total), None if sums is not None else kept

        zero = jnp.zeros((), jnp.float32)
        (x, sums, total), kept = jax.lax.scan(body, (x, sums, (zero, zero)), jnp.arange(steps))
        return x, sums, kept, tuple(a / steps for a in total)

    return jax.vmap(one)(x, beta, keys, sums)


def _no_moments(keep: Callable[[State], PyTree], x: State) -> Any:
    """Welford's running count, mean and sum of squared deviations, chains first."""
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, jnp.float32), jax.eval_shape(jax.vmap(keep), x))
    return jnp.zeros(x[0].shape[0], jnp.float32), zeros, zeros


def _added(sums: Any, kept: PyTree) -> Any:
    if sums is None:
        return None
    count, mean, square = sums
    count = count + 1
    step = jax.tree.map(lambda a, m: a.astype(jnp.float32) - m, kept, mean)
    new = jax.tree.map(lambda m, d: m + d / count, mean, step)
    square = jax.tree.map(lambda q, d, a, m: q + d * (a.astype(jnp.float32) - m), square, step, kept, new)
    return count, new, square


def _finished(sums: Any, steps: int) -> Moments:
    _, mean, square = sums
    return Moments(mean, jax.tree.map(lambda q: q / steps, square))
