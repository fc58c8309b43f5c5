"""Exact sums: seconds and memory, cold (a fresh process, first call after the imports) and warm.

`python tests/benchmarks/bench_exact.py` prints a table; under pytest the targets are asserted: 24 spins cold under
0.5 s, 32 spins under 60 s and 1 GB.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import json, resource, sys, time
import numpy as np
from ebmlab import exact
from ebmlab.energies import DensePairwise, IsingLattice
what, n = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
upper = np.triu(rng.normal(size=(n, n)) / np.sqrt(n), 1)
model = DensePairwise(upper + upper.T, 0.3 * rng.normal(size=n))
run = {
    "log_partition": lambda: exact.log_partition(model, beta=1.0),
    "thermodynamics": lambda: exact.thermodynamics(model, beta=1.0),
    "thermodynamics, cold": lambda: exact.thermodynamics(model, beta=1e3),
    "moments": lambda: exact.moments(model, beta=1.0),
    "enumeration": lambda: exact.energies(model),
    "density of states": lambda: exact.density_of_states(IsingLattice((n, n))),
    "endless strip": lambda: exact.transfer.infinite_strip(n, beta=0.44),
    "torus": lambda: exact.onsager.torus((n, n), beta=0.44),
}[what]
times = []
for _ in range(2):
    start = time.perf_counter()
    run()
    times.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps({"cold": times[0], "warm": times[1], "MiB": peak}))
"""

CASES = [
    ("log_partition", 20),
    ("log_partition", 24),
    ("thermodynamics", 24),
    ("enumeration", 20),
    ("log_partition", 32),
    ("thermodynamics", 32),
    ("thermodynamics, cold", 32),
    ("moments", 32),
    ("density of states", 8),
    ("density of states", 10),
    ("endless strip", 14),
    ("torus", 128),
]


def measure(what: str, n: int) -> dict[str, float]:
    """Seconds cold and warm and the peak memory of one case in a process of its own."""
    command = [sys.executable, "-c", CODE, what, str(n)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.benchmark
def test_24_spins_cold_in_half_a_second():
    assert min(measure("log_partition", 24)["cold"] for _ in range(3)) < 0.5


@pytest.mark.benchmark
@pytest.mark.parametrize("what", ["log_partition", "thermodynamics", "thermodynamics, cold", "moments"])
def test_32_spins_in_a_minute_and_a_gigabyte(what):
    found = measure(what, 32)
    assert found["cold"] < 60
    assert found["MiB"] < 1000


if __name__ == "__main__":
    print(f"{'':24}{'n':>5}{'cold s':>10}{'warm s':>10}{'MiB':>8}")
    for what, n in CASES:
        found = measure(what, n)
        print(f"{what:24}{n:>5}{found['cold']:>10.3f}{found['warm']:>10.3f}{found['MiB']:>8.0f}")
