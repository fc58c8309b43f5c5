"""Each lesson runs cold, within its time and memory; its exercises can be solved; its sliders are safe.

One run in one kernel: the untouched lesson first (every check says "not attempted yet"), then every solution
followed by its check (which passes), then every explorable at its smallest, default and largest settings.
"""

import ast
import json
import os
import time

import pytest
from mini_lesson import mini_lesson
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from notebooks import LESSONS, OUT, PEAK, client, exercises, output_text, read, strain

MOST_MEMORY = 1200  # MB
MOST_SECONDS = 60 if "PYTEST_XDIST_WORKER" not in os.environ else 90  # two workers share the caches and the clock

MEMORY = PEAK + "print(_peak())"
EXTREMES = """
from ebmlab import show as _show
_seen = []
for _explorable in _show.explorables():
    for _settings in _explorable.extremes():
        _explorable.set(**_settings)
        _seen.append([repr(_settings), len(_explorable.png), str(_explorable.reading)])
print(_seen)
"""


class Lesson:
    """A lesson in a running kernel."""

    def __init__(self, notebook: NotebookNode, running):
        self.notebook, self.running = notebook, running

    def run(self, source: str) -> str:
        """Run more code after the lesson; returns what it showed."""
        self.notebook.cells.append(new_code_cell(source))
        index = len(self.notebook.cells) - 1
        return output_text(self.running.execute_cell(self.notebook.cells[index], index))

    def run_all(self) -> float:
        start = time.perf_counter()
        for index, cell in enumerate(list(self.notebook.cells)):
            self.running.execute_cell(cell, index)
        return time.perf_counter() - start


def solve(lesson: Lesson) -> int:
    """Check every exercise untouched and solved; returns how many explorable settings were visited."""
    for exercise in list(exercises(lesson.notebook)):
        where = f"exercise {exercise.number}"
        untouched = output_text(exercise.check).lower()
        assert "not attempted" in untouched, f"{where}, untouched, says: {untouched}"
        lesson.run(exercise.stub.source + "\n" + exercise.solution)
        solved = lesson.run(exercise.check.source).lower()
        assert PASSED in solved, f"{where}, with its solution, says: {solved}"
    settings = ast.literal_eval(lesson.run(EXTREMES))
    for setting, size, reading in settings:
        assert size > 1000, f"an empty picture at {setting}"
        assert reading, f"no reading at {setting}"
    return len(settings)


PASSED = "passed"


def examine(notebook: NotebookNode) -> dict[str, float]:
    runner, before = client(notebook), strain()
    with runner.setup_kernel():
        lesson = Lesson(notebook, runner)
        seconds = lesson.run_all()
        slower = (before + strain()) / 2  # a promise for a machine that does nothing else
        memory = float(lesson.run(MEMORY))
        settings = solve(lesson)
    return {
        "seconds": round(seconds / slower, 1),
        "strain": round(slower, 2),
        "megabytes": round(memory),
        "settings": settings,
    }


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs_and_can_be_solved(path):
    found = examine(read(path))
    OUT.mkdir(exist_ok=True)
    (OUT / f"{path.stem}.json").write_text(json.dumps(found))
    assert found["seconds"] < MOST_SECONDS
    assert found["megabytes"] < MOST_MEMORY
    assert found["settings"] >= 6  # two explorables or more, each with three settings or more


@pytest.mark.quick
def test_the_mini_lesson_runs_and_can_be_solved():
    assert examine(mini_lesson())["settings"] >= 6


@pytest.mark.quick
def test_a_wrong_solution_is_caught():
    notebook = mini_lesson()
    for cell in notebook.cells:
        cell.source = cell.source.replace("answer_2 = 2\n", "answer_2 = 3\n")
    with pytest.raises(AssertionError, match="exercise 2, with its solution"):
        examine(notebook)
