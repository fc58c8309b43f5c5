"""The same Gibbs sampling by four means, timed alike: ours, THRML, a plain `jax.jit` scan, NumPy.

Every runner returns a function `run(sweeps) -> None` that does `sweeps` sweeps of all chains and waits for the end.
Run as a script, it prints a table: `python tests/benchmarks/peers.py`.
"""

import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import ebmlab as eb
from ebmlab.energies.pairwise import Pairwise

Runner = Callable[[int], None]
KEY = jax.random.key(0)


def ours(model: eb.AbstractEnergy, chains: int, beta: float) -> Runner:
    """`sample` with Gibbs by blocks, keeping one state at the end."""

    def run(sweeps: int) -> None:
        jax.block_until_ready(
            eb.sample(eb.Gibbs(), model, key=KEY, chains=chains, steps=1, thin=sweeps, beta=beta).last
        )

    return run


def thrml(model: Pairwise, chains: int, beta: float) -> Runner:
    """THRML's Ising program over the same blocks, vmapped over chains (its documented way)."""
    from thrml import Block, SamplingSchedule, SpinNode, sample_states
    from thrml.models import IsingEBM, IsingSamplingProgram, hinton_init

    nodes = [SpinNode() for _ in range(model.units[0].size)]
    edges = [(nodes[i], nodes[j]) for i, j in np.asarray(model.edges)]
    machine = IsingEBM(nodes, edges, jnp.zeros(len(nodes)), jnp.asarray(model.couplings, jnp.float32), jnp.array(beta))
    blocks = [Block([nodes[i] for i in block]) for block in model.blocks]
    program = IsingSamplingProgram(machine, blocks, clamped_blocks=[])

    @partial(jax.jit, static_argnames="sweeps")
    def go(keys: jax.Array, sweeps: int) -> list[jax.Array]:
        def one(key: jax.Array) -> list[jax.Array]:
            first, then = jax.random.split(key)
            start = hinton_init(first, machine, blocks, ())
            return sample_states(then, program, SamplingSchedule(sweeps - 1, 1, 1), start, [], blocks)

        return jax.vmap(one)(keys)

    return lambda sweeps: jax.block_until_ready(go(jax.random.split(KEY, chains), sweeps))


def plain_lattice(side: int, chains: int, beta: float) -> Runner:
    """The textbook: `roll` the lattice, update one colour by a mask, `jax.random.uniform`, one `jax.jit` scan."""
    mask = jnp.asarray(np.indices((side, side)).sum(0) % 2 == 0)

    def sweep(s: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        for colour, k in zip((mask, ~mask), jax.random.split(key), strict=True):
            near = sum(jnp.roll(s, by, axis) for by in (-1, 1) for axis in (1, 2))
            new = jnp.where(jax.random.uniform(k, s.shape) < jax.nn.sigmoid(2 * beta * near), 1.0, -1.0)
            s = jnp.where(colour, new, s)
        return s, None

    @partial(jax.jit, static_argnames="sweeps")
    def go(s: jax.Array, sweeps: int) -> jax.Array:
        return jax.lax.scan(sweep, s, jax.random.split(KEY, sweeps))[0]

    return lambda sweeps: jax.block_until_ready(go(jnp.ones((chains, side, side)), sweeps))


def plain_graph(model: Pairwise, chains: int, beta: float) -> Runner:
    """The textbook for a graph: gather the neighbours of a colour, `jax.random.uniform`, one `jax.jit` scan."""
    weights = np.where(model.mask, np.asarray(model.couplings)[model.bond], 0.0).astype(np.float32)

    def sweep(s: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        for block, k in zip(model.blocks, jax.random.split(key, len(model.blocks)), strict=True):
            field = (s[:, model.near[block]] * weights[block]).sum(-1)
            new = jnp.where(jax.random.uniform(k, field.shape) < jax.nn.sigmoid(2 * beta * field), 1.0, -1.0)
            s = s.at[:, block].set(new)
        return s, None

    @partial(jax.jit, static_argnames="sweeps")
    def go(s: jax.Array, sweeps: int) -> jax.Array:
        return jax.lax.scan(sweep, s, jax.random.split(KEY, sweeps))[0]

    return lambda sweeps: jax.block_until_ready(go(jnp.ones((chains, model.units[0].size)), sweeps))


def numpy_lattice(side: int, chains: int, beta: float) -> Runner:
    """NumPy: `roll`, mask, one core."""
    mask = np.indices((side, side)).sum(0) % 2 == 0
    generator = np.random.default_rng(0)

    def run(sweeps: int) -> None:
        s = np.ones((chains, side, side), np.float32)
        for _ in range(sweeps):
            for colour in (mask, ~mask):
                near = sum(np.roll(s, by, axis) for by in (-1, 1) for axis in (1, 2))
                chance = 1 / (1 + np.exp(-2 * beta * near))
                s = np.where(colour & (generator.random(s.shape, np.float32) < chance), 1, np.where(colour, -1, s))

    return run


def numpy_graph(model: Pairwise, chains: int, beta: float) -> Runner:
    """NumPy: gather the neighbours of a colour, one core."""
    weights = np.where(model.mask, np.asarray(model.couplings)[model.bond], 0.0).astype(np.float32)
    generator = np.random.default_rng(0)

    def run(sweeps: int) -> None:
        s = np.ones((chains, model.units[0].size), np.float32)
        for _ in range(sweeps):
            for block in model.blocks:
                field = np.einsum("ckd,kd->ck", s[:, model.near[block]], weights[block])
                chance = 1 / (1 + np.exp(-2 * beta * field))
                s[:, block] = np.where(generator.random(field.shape, np.float32) < chance, 1, -1)

    return run


def rates(runners: dict[str, Runner], updates: int, sweeps: dict[str, int], rounds: int = 3) -> dict[str, float]:
    """Best of `rounds` rates in updates per second, the runners in turn so that a slow moment hits all alike."""
    for name, run in runners.items():
        run(sweeps[name])  # compile
    best = dict.fromkeys(runners, 0.0)
    for _ in range(rounds):
        for name, run in runners.items():
            start = time.perf_counter()
            run(sweeps[name])
            best[name] = max(best[name], updates * sweeps[name] / (time.perf_counter() - start))
    return best


def lattice_rates(side: int = 128, chains: int = 64, beta: float = 0.44) -> dict[str, float]:
    """2D Ising, side x side, in spin updates per second."""
    graph_model = eb.Pairwise(eb.graphs.square(side))
    runners = {
        "ebmlab": ours(eb.IsingLattice((side, side)), chains, beta),
        "thrml": thrml(graph_model, chains, beta),
        "plain jit": plain_lattice(side, chains, beta),
        "numpy": numpy_lattice(side, chains, beta),
    }
    return rates(runners, chains * side**2, {"ebmlab": 200, "thrml": 20, "plain jit": 20, "numpy": 2})


def glass_rates(side: int = 10, chains: int = 64, beta: float = 0.6) -> dict[str, float]:
    """3D Edwards-Anderson +-J, side^3 spins, in spin updates per second."""
    graph = eb.graphs.cubic(side)
    model = eb.Pairwise(graph, eb.graphs.plus_minus(graph, key=jax.random.key(1)))
    runners = {
        "ebmlab": ours(model, chains, beta),
        "thrml": thrml(model, chains, beta),
        "plain jit": plain_graph(model, chains, beta),
        "numpy": numpy_graph(model, chains, beta),
    }
    return rates(runners, chains * side**3, {"ebmlab": 500, "thrml": 500, "plain jit": 500, "numpy": 20})


def table(title: str, found: dict[str, float]) -> str:
    """The rates in millions of updates a second, and ours as a multiple of each."""
    rows = [
        f"{name:10s} {rate / 1e6:9.1f} M/s   ebmlab / it = {found['ebmlab'] / rate:6.2f}"
        for name, rate in found.items()
    ]
    return "\n".join([title, *rows])


if __name__ == "__main__":
    print(table("2D Ising 128 x 128, 64 chains", lattice_rates()))
    print(table("3D Edwards-Anderson 10^3, 64 chains", glass_rates()))
