"""All tests, in parts that can be read: python tests/run.py [part ...]

Without arguments every part but `sweep` runs, as README.md promises. Parts: see PARTS below.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "--durations=5"]
TWO = ["-n", "2", "--dist", "loadscope"]  # a file stays on one worker; a lesson is one scope

# Parts run one after the other. The browser runs alone: it measures how fast a slider answers.
PARTS = {
    "style": [
        [sys.executable, "-m", "ruff", "check", "."],
        [sys.executable, "-m", "ruff", "format", "--check", "."],
        [sys.executable, "-m", "mypy"],
    ],
    "library": [[*PYTEST, *TWO, "tests", "-m", "not browser and not sweep and not benchmark"]],
    "lessons": [[*PYTEST, *TWO, "lessons", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300"]],
    "browser": [[*PYTEST, "-s", "tests", "-m", "browser and not sweep"]],
    "quick": [[*PYTEST, *TWO, "tests", "-m", "quick"]],
    "sweep": [[*PYTEST, "-s", "tests", "-m", "sweep"]],
    "benchmark": [[*PYTEST, "-s", "tests", "-m", "benchmark"]],
}
ALL = ["style", "library", "lessons", "browser"]
NOTHING_COLLECTED = 5  # pytest's exit code


def run(part: str) -> bool:
    """Run one part; its outcome and its time in one line at the end."""
    start = time.perf_counter()
    codes = [subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode for command in PARTS[part]]
    good = all(code == 0 for code in codes)
    print(f"--- {part}: {'passed' if good else 'FAILED'} in {time.perf_counter() - start:.0f} s", flush=True)
    return good


def main(parts: list[str]) -> int:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"unknown part {unknown[0]!r}; choose from: {', '.join(PARTS)}")
        return 2
    start = time.perf_counter()
    failed = [part for part in parts or ALL if not run(part)]
    print(f"--- {'FAILED: ' + ', '.join(failed) if failed else 'all passed'} in {time.perf_counter() - start:.0f} s")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
