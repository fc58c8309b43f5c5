"""What a lesson costs a reader: a cold run from the first cell to the last, in seconds and in memory."""

import sys
import textwrap
from pathlib import Path

import pytest
from notebooks import LESSONS, ROOT

pytestmark = pytest.mark.benchmark

RUN = """
    import time
    import nbformat
    from nbclient import NotebookClient
    notebook = nbformat.read({path!r}, as_version=4)
    probe = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)"
    notebook.cells.append(nbformat.v4.new_code_cell(probe))
    start = time.perf_counter()
    where = {{"metadata": {{"path": "lessons"}}}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    print(time.perf_counter() - start, notebook.cells[-1].outputs[0].text.strip())
"""


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_cold_in_a_minute_and_in_a_gigabyte(fresh_python, path: Path):
    if sys.platform == "win32":
        pytest.skip("peak memory is not known here")
    code = textwrap.dedent(RUN.format(path=str(path.relative_to(ROOT))))
    seconds, memory = map(float, fresh_python(code).split()[-2:])
    print(f"\n{path.stem}: {seconds:.0f} s, {memory:.0f} MB")
    assert seconds < 60
    assert memory < 1200
