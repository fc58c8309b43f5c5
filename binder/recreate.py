"""Rebuild Binder's environment on this machine and run the lessons in it, without Docker.

    python binder/recreate.py                        # all lessons
    python binder/recreate.py lessons/03*.ipynb      # some

A fresh virtual environment with the Python of runtime.txt gets exactly requirements.txt; then postBuild
runs; then each lesson runs from the first cell to the last. Reports sizes and times. Needs the right
Python on this machine (say which with --python) and the package index. Uses the standard library only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

BINDER = Path(__file__).resolve().parent
ROOT = BINDER.parent
RUN = """
import sys, time, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    start = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": "lessons"}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)
"""


def wanted() -> str:
    """The Python version of runtime.txt, like "3.12"."""
    return (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")


def candidates(version: str) -> Iterator[str]:
    """Where a Python of this version often is: here, on the path, and where version managers put it."""
    yield sys.executable
    for name in (f"python{version}", "python3", "python"):
        yield from filter(None, [shutil.which(name)])
    home = Path.home()
    for folder, pattern in (
        (Path(os.environ.get("PYENV_ROOT", home / ".pyenv")), f"versions/{version}*/bin/python"),
        (home / ".local/share/uv/python", f"cpython-{version}*/bin/python{version}"),
        (Path(os.environ.get("AGENT_TOOLSDIRECTORY", "/opt/hostedtoolcache")), f"Python/{version}*/*/bin/python"),
        (home / "miniconda3", f"envs/*/bin/python{version}"),
        (home / "miniforge3", f"envs/*/bin/python{version}"),
    ):
        yield from map(str, sorted(folder.glob(pattern)))


def find_python(version: str) -> str | None:
    """The first candidate that runs and is of this version."""
    ask = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates(version):
        try:
            answer = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, timeout=60)
        except OSError:
            continue
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return candidate
    return None


def megabytes(folder: Path) -> float:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return sum(p.stat().st_size for p in files) / 1e6


def timed(label: str, command: list[str], environment: dict[str, str]) -> None:
    """Run a command in the repository's root; stop everything with a plain message if it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    print(f"{label}: {time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"{label}: failed, see above")


def recreate(python: str, prefix: Path, lessons: list[str]) -> None:
    """Build the environment below `prefix`, finish it as the image would be, and run the lessons."""
    subprocess.run([python, "-m", "venv", str(prefix)], check=True)
    own = prefix / "bin" / "python"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON", "VIRTUAL_ENV"))},
        "PATH": f"{own.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(prefix / "home"),  # no settings or kernels of this user
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
    }
    (prefix / "home").mkdir()
    before = megabytes(prefix)
    pip = [str(own), "-m", "pip", "install", "-q", "-r", "binder/requirements.txt"]
    timed("install", pip, environment)
    timed("pip check", [str(own), "-m", "pip", "check"], environment)
    timed("postBuild", ["bash", "binder/postBuild"], environment)
    print(f"installed: {megabytes(prefix) - before:.0f} MB on top of Python {wanted()}", flush=True)
    timed("lessons", [str(own), "-c", RUN, *lessons], environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("lessons", nargs="*", help="notebooks to run (default: all)")
    parser.add_argument("--if-possible", action="store_true", help="without the right Python: say so and succeed")
    parser.add_argument("--python", help=f"a Python {wanted()} to build the environment with")
    given = parser.parse_args()
    python = given.python or find_python(wanted())
    if python is None:
        print(f"no Python {wanted()} was found on this machine: install it, or name one with --python", flush=True)
        sys.exit(0 if given.if_possible else 3)
    lessons = given.lessons or sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("lessons/[0-9][0-9]_*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="ebmlab-binder-") as folder:
        recreate(python, Path(folder) / "env", lessons)


if __name__ == "__main__":
    main()
