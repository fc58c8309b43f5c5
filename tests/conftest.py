"""What all tests share: fixed keys, float64 where a number is compared with theory, fresh processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # the tests' tolerances and timings are meant for CPUs

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def key():
    """One fixed key: the same numbers on every run."""
    import jax

    return jax.random.key(20)


@pytest.fixture
def x64() -> Iterator[None]:
    """float64 inside this test only; the global switch stays as it was."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture
def fresh_python() -> Callable[..., str]:
    """run(code, **environment) -> what a fresh process printed; its error text if it failed.

    `fresh_python(code, XLA_FLAGS="--xla_force_host_platform_device_count=8")` runs on 8 virtual devices.
    """

    def run(code: str, timeout: float = 300, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
