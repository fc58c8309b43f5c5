"""Run a kernel: many chains in one scan, on as many devices as there are."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, PyTree

from ebmlab import bits
from ebmlab._check import as_arrays, concrete, inverse_temperature, one_key, whole
from ebmlab.energies.base import AbstractEnergy, State, check_energy, first_states
from ebmlab.kernels.base import AbstractKernel

LARGEST = 8 * 2**30  # bytes of kept values
CHUNKS = 40  # parts of a run that reports progress


class Moments(NamedTuple):
    """Mean and variance over the kept draws of each chain, chains first, shaped like what `keep` returns."""

    mean: PyTree
    variance: PyTree
    draws: int


class Samples(NamedTuple):
    """What `sample` returns.

    values: what `keep` returned, arrays (chains, steps, ...); None with moments=True. last: the final states, chains
    first. info: what the kernel says of its steps (`Info`: accepted), means over the kept steps, (chains, ...).
    moments: see `Moments`, or None. done: kernel steps made so far, warm-up included. key: the key of the run.
    """

    values: PyTree
    last: State
    info: Any
    moments: Moments | None
    done: int
    key: Array

    @property
    def accepted(self) -> Float[Array, " chains"]:
        """Mean acceptance probability of each chain."""
        if isinstance(self.info, tuple) and not hasattr(self.info, "accepted"):
            raise AttributeError("a Cycle tells one info for each of its kernels: read samples.info[0].accepted")
        return self.info.accepted

    @property
    def size(self) -> Float[Array, " chains"]:
        """Mean cluster size of each chain, as a share of the units (cluster kernels only)."""
        return self.info.size


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
    random states). keep: what to store of a state (default: the state); a new lambda compiles anew, a named function
    once. moments: store no draws, only their running mean and variance. progress: show a bar, and work in short parts.
    resume: go on from earlier `Samples` with their key: the draws are those of one long run, and moments go on too.
    devices: where the chains live (default: all, if their number divides `chains`); the numbers do not depend on it.
    Same key, same answer, bit for bit on one machine.
    """
    if not isinstance(kernel, AbstractKernel):
        swapped = " (the kernel comes first, the model second)" if isinstance(model, AbstractKernel) else ""
        raise TypeError(f"expected a kernel such as ebmlab.Gibbs(); got {type(kernel).__name__}{swapped}")
    check_energy(model)
    kernel.check(model)
    one_key(key)
    for name, number, least in (("chains", chains, 1), ("steps", steps, 1), ("warmup", warmup, 0), ("thin", thin, 1)):
        whole(name, number, least)
    kernel, model, betas = as_arrays(kernel), as_arrays(model), _for_each_chain(inverse_temperature(beta), chains)
    x, done = _start(model, x0, resume, key=key, chains=chains)
    if resume is not None and warmup:
        raise ValueError(f"a resumed run is past its warm-up; got warmup = {warmup}, expected 0")
    _refuse_too_much(keep, x, 0 if moments else steps, chains)

    place = _sharding(devices, chains)
    keys = bits.split(bits.fold_in(key, 0), chains)
    x, keys, betas = (jax.device_put(a, place) for a in (x, keys, betas))
    sums = _first_moments(keep, x, resume) if moments else None
    stride = thin if thin == 1 else jnp.asarray(thin)  # traced: another thin does not compile anew
    parts: list[Any] = []
    with _bar(warmup, steps * thin, progress) as told:
        if warmup:
            x = told(_warm(kernel, model, x, betas, keys, jnp.asarray(done), jnp.asarray(warmup)), warmup)
            done += warmup
        for length in _chunks(steps, progress):
            run = _run(kernel, model, x, betas, keys, jnp.asarray(done), sums, keep, length, stride)
            x, sums, values, infos = told(run, length * thin)
            parts.append((values, infos, length))
            done += length * thin
    values = (
        None if moments else jax.tree.map(lambda *a: jnp.concatenate(a, 1) if len(a) > 1 else a[0], *_nth(parts, 0))
    )
    infos = jax.tree.map(lambda *a: sum(i * n for i, (_, _, n) in zip(a, parts, strict=True)) / steps, *_nth(parts, 1))
    return Samples(values, x, infos, _finished(sums) if moments else None, done, key)


def _nth(rows: list[Any], k: int) -> list[Any]:
    return [row[k] for row in rows]


def _for_each_chain(beta: Any, chains: int) -> Array:
    if beta.shape not in ((), (chains,)):
        raise ValueError(f"beta must be one number or one for each of {chains} chains; got shape {beta.shape}")
    return jnp.broadcast_to(jax.lax.convert_element_type(beta, jnp.result_type(float)), (chains,))


def _start(
    model: AbstractEnergy, x0: State | None, resume: Samples | None, *, key: Array, chains: int
) -> tuple[State, int]:
    """The first states, chains first, and the number of kernel steps behind them."""
    if resume is not None:
        return _went_on(model, x0, resume, key=key, chains=chains)
    return first_states(model, x0, key=bits.fold_in(key, 1), count=chains), 0


def _went_on(model: AbstractEnergy, x0: Any, resume: Any, *, key: Array, chains: int) -> tuple[State, int]:
    """The states and the step at which an earlier run ended, if it fits this one."""
    if x0 is not None:
        raise ValueError("give either x0 (a new run) or resume (an old one), not both")
    if not isinstance(resume, Samples):
        raise TypeError(f"resume takes the Samples of an earlier run; got {type(resume).__name__}. States go into x0")
    shapes = tuple(layer.shape for layer in resume.last)
    expected = tuple((chains, *layer.shape) for layer in model.units)
    if shapes != expected:
        raise ValueError(f"the run to resume ended in states of shapes {shapes}; this one needs {expected}")
    if concrete(key, resume.key) and (jax.random.key_data(key) != jax.random.key_data(resume.key)).any():
        raise ValueError("a run goes on with its own key (resume.key); for a new key start from x0=resume.last")
    return resume.last, resume.done


def _refuse_too_much(keep: Callable[[State], PyTree] | None, x: State, steps: int, chains: int) -> None:
    one = jax.eval_shape(keep or _whole_state, jax.eval_shape(lambda: tuple(layer[0] for layer in x)))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(one)) * steps * chains
    if size > LARGEST:
        raise ValueError(
            f"{chains} chains x {steps} kept draws would take {size / 2**30:.1f} GiB (limit {LARGEST / 2**30:.0f}); "
            "keep less (keep=...), more rarely (thin=...), or only running means (moments=True)"
        )


def _sharding(devices: Sequence[jax.Device] | None, chains: int) -> Any:
    """Chains spread evenly; on one device where their number does not divide."""
    found = list(jax.devices() if devices is None else devices)
    if not found or not all(isinstance(device, jax.Device) for device in found):
        raise TypeError(f"devices is a list such as jax.devices(); got {devices!r}")
    if devices is not None and chains % len(found):
        raise ValueError(f"{chains} chains do not spread evenly over {len(found)} devices; choose a multiple")
    if len(found) == 1 or chains % len(found):
        return found[0]
    return NamedSharding(Mesh(np.array(found), ("chains",)), PartitionSpec("chains"))


def _chunks(steps: int, progress: bool) -> list[int]:
    """The lengths of the parts of a run: one, or about CHUNKS where progress is shown."""
    length = max(1, -(-steps // CHUNKS)) if progress else steps
    return [length] * (steps // length) + ([steps % length] if steps % length else [])


def _tqdm() -> Any:
    """The progress bar's class, loaded when a bar is asked for; None where tqdm is missing."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


@contextmanager
def _bar(warmup: int, steps: int, progress: bool) -> Iterator[Callable[[Any, int], Any]]:
    """A function (result, kernel steps) -> result that moves a bar on when the result is there."""
    tqdm = _tqdm() if progress else None
    if tqdm is None:
        yield lambda result, _: result
        return
    with tqdm(total=warmup + steps, desc="sampling", unit="step", leave=False) as bar:

        def told(result: Any, count: int) -> Any:
            jax.block_until_ready(result)
            bar.update(count)
            return result

        yield told


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
    keep: Callable[[State], PyTree] | None,
    steps: int,
    thin: Any,
) -> Any:
    """`steps` kept draws: (states, running sums, values, mean infos), chains first."""

    def one(x: State, beta: Array, key: Array, sums: PyTree) -> Any:
        def move(x: State, t: Array) -> tuple[State, Any]:
            return kernel.steps(model, x, beta=beta, key=key, first=done + t * thin, count=thin)

        def body(carry: Any, t: Array) -> Any:
            x, sums, total = carry
            x, now = move(x, t)
            kept = (keep or _whole_state)(x)
            return (x, _added(sums, kept), jax.tree.map(jnp.add, total, now)), None if sums is not None else kept

        nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(move, x, jnp.asarray(0))[1])
        (x, sums, total), kept = jax.lax.scan(body, (x, sums, nothing), jnp.arange(steps))
        return x, sums, kept, jax.tree.map(lambda a: a / steps, total)

    return jax.vmap(one)(x, beta, keys, sums)


def _whole_state(x: State) -> State:
    """What is kept unless the user says otherwise."""
    return x


def _first_moments(keep: Callable[[State], PyTree] | None, x: State, resume: Samples | None) -> Any:
    """Welford's count, mean and sum of squared deviations, chains first; those of the run that goes on."""
    blank = jax.eval_shape(jax.vmap(keep or _whole_state), x)
    if any(jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in jax.tree.leaves(blank)):
        raise TypeError("moments are those of real numbers; let keep return the real and the imaginary part")
    chains = x[0].shape[0]
    if resume is not None:
        if resume.moments is None:
            raise ValueError("the run to resume kept no moments; give moments=True there too")
        mean, variance, count = resume.moments
        return jnp.full(chains, float(count)), mean, jax.tree.map(lambda v: v * count, variance)
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, jnp.float32), blank)
    return jnp.zeros(chains, jnp.float32), zeros, zeros


def _added(sums: Any, kept: PyTree) -> Any:
    if sums is None:
        return None
    count, mean, square = sums
    count = count + 1
    step = jax.tree.map(lambda a, m: a.astype(jnp.float32) - m, kept, mean)
    new = jax.tree.map(lambda m, d: m + d / count, mean, step)
    square = jax.tree.map(lambda q, d, a, m: q + d * (a.astype(jnp.float32) - m), square, step, kept, new)
    return count, new, square


def _finished(sums: Any) -> Moments:
    count, mean, square = sums
    return Moments(mean, jax.tree.map(lambda q: q / count.reshape(-1, *[1] * (q.ndim - 1)), square), int(count[0]))
