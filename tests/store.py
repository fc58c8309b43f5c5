"""Run lessons and store their static outputs: python tests/store.py lessons/03_markov_chains.ipynb ...

Without arguments: all lessons. The stored file holds no widget state, no timings and no random ids, so that
a change of a lesson can be read as a difference of two files.
"""

import sys
import time
from pathlib import Path

from notebooks import LESSONS, store


def main(paths: list[Path]) -> None:
    for path in paths or LESSONS:
        start = time.perf_counter()
        size = store(path)
        print(f"{path}: {time.perf_counter() - start:.0f} s, {size:.0f} kB", flush=True)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
