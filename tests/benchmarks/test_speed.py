"""The promised speeds, measured against the named peers in the same run: `pytest -m benchmark -s`.

Ratios are asserted, since machines differ; the tables are printed for reading.
"""

import sys
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import peers
from notebooks import PEAK

pytestmark = pytest.mark.benchmark


def test_lattice_gibbs_is_five_times_thrml():
    found = peers.lattice_rates()
    print("\n" + peers.table("2D Ising 128 x 128, 64 chains", found))
    assert found["ebmlab"] >= 5 * found["thrml"]
    assert found["ebmlab"] >= 3 * max(found["plain jit"], found["numpy"])


def test_glass_gibbs_is_no_slower_than_thrml():
    found = peers.glass_rates()
    print("\n" + peers.table("3D Edwards-Anderson 10^3, 64 chains", found))
    assert found["ebmlab"] >= found["thrml"]
    assert found["ebmlab"] >= max(found["plain jit"], found["numpy"])


COLD = """
    import numpy as np, time
    import ebmlab as eb
    generator = np.random.default_rng(0)
    n = {n}
    J = np.triu(generator.normal(size=(n, n)) / np.sqrt(n), 1)
    before = _peak()
    start = time.perf_counter()
    value = eb.log_partition(eb.DensePairwise(J + J.T, generator.normal(size=n)), beta=1.0)
    seconds = time.perf_counter() - start
    print(seconds, _peak() - before, float(value))
"""


@pytest.mark.parametrize(("n", "limit"), [(24, 0.5), (32, 60.0)])
def test_dense_ising_is_exact_in_time_and_memory(fresh_python, n, limit):
    seconds, extra, log_z = map(float, fresh_python(PEAK + textwrap.dedent(COLD.format(n=n))).split())
    print(f"\ndense Ising, {n} spins: log Z = {log_z:.9f} in {seconds:.2f} s cold, {extra:.0f} MB above the start")
    assert seconds < limit
    assert extra < 1024


def test_import_is_light(fresh_python):
    code = "import time, jax; t = time.perf_counter(); import ebmlab; print(time.perf_counter() - t)"
    fastest = min(float(fresh_python(code)) for _ in range(5))
    print(f"\nimport ebmlab adds {fastest:.2f} s to import jax")
    assert fastest < 0.3


@pytest.mark.xfail(strict=False, reason="0.6 is asked for; 0.5 is reached: the energies for the swaps cost the rest")
def test_parallel_tempering_keeps_most_of_the_speed_of_plain_gibbs():
    """32 temperatures x 32 chains, 3D +-J glass of 512 spins, against 1024 chains of Gibbs at the same betas."""
    import jax
    import numpy as np

    import ebmlab as eb
    from ebmlab.energies.replicas import Tempered
    from ebmlab.kernels import ParallelTempering

    graph = eb.graphs.cubic(8)
    model = eb.Pairwise(graph, eb.graphs.plus_minus(graph, key=jax.random.key(1)))
    betas, chains = np.linspace(0.2, 1.2, 32), 32
    replicas = Tempered(model, betas)

    def tempered(sweeps):
        run = eb.sample(ParallelTempering(), replicas, key=peers.KEY, chains=chains, steps=1, thin=sweeps)
        jax.block_until_ready(run.last)

    def plain(sweeps):
        beta = np.tile(betas, chains)
        run = eb.sample(eb.Gibbs(), model, key=peers.KEY, chains=beta.size, steps=1, thin=sweeps, beta=beta)
        jax.block_until_ready(run.last)

    runners, updates = {"ebmlab": tempered, "Gibbs": plain}, betas.size * chains * graph.n
    found = peers.rates(runners, updates, {"ebmlab": 100, "Gibbs": 100}, rounds=5)
    print("\n" + peers.table("tempering (ebmlab) and plain Gibbs, 3D +-J 8^3, 32 x 32", found))
    assert found["ebmlab"] >= 0.6 * found["Gibbs"]
