"""Every lesson keeps the shape that `lesson_shape.py` describes, and the rules catch what they should."""

import re

import pytest
from lesson_shape import problems
from mini_lesson import EXPLORE, STILL, mini_lesson, stored_mini_lesson
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from notebooks import FALLBACK, LESSONS, WIDGET, exercises, normalise, read, static, tagged

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_keeps_its_shape(path):
    assert problems(read(path), path) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_stored_lesson_is_normal(path):
    """Storing again without running changes nothing: the file is what `tests/store.py` writes."""
    notebook, again = read(path), read(path)
    normalise(again)
    assert again == notebook


def test_lessons_are_numbered_without_gaps():
    assert [path.name[:2] for path in LESSONS] == [f"{i:02d}" for i in range(len(LESSONS))]


def test_a_good_lesson_has_no_problems():
    assert problems(stored_mini_lesson()) == []


def replace(old: str, new: str):
    def change(notebook):
        assert any(old in cell.source for cell in notebook.cells)
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new)

    return change


def cell_with(text: str, notebook):
    return next(cell for cell in notebook.cells if text in cell.source)


def drop(text: str):
    return lambda notebook: notebook.cells.remove(cell_with(text, notebook))


def append(cell):
    return lambda notebook: notebook.cells.insert(3, cell)


def first_output(**change):
    def apply(notebook):
        output = cell_with(STILL, notebook).outputs[0]
        output.data.update(change)

    return apply


def show_error(notebook):
    cell_with("1 + 1", notebook).outputs = [new_output("error", ename="ValueError", evalue="", traceback=[])]


def never_run(notebook):
    cell_with("1 + 1", notebook).execution_count = None


def keep_widget_state(notebook):
    notebook.metadata["widgets"] = {}


def other_kernel(notebook):
    notebook.metadata.kernelspec.name = "my-env"


def untag(notebook):
    cell_with("answer_2 = ...", notebook).metadata["tags"] = ["exercise"]


LONG = new_code_cell("\n".join(f"a{i} = {i}" for i in range(13)), execution_count=1)
BREAKAGES = {
    "second title": (append(new_markdown_cell("# Another")), "first-level"),
    "skipped level": (replace("## The coin", "#### The coin"), "skips"),
    "no badge": (replace("badge_logo", "logo"), "badges"),
    "no time": (replace("5 minutes", "short"), "time"),
    "no covers": (replace("**Covers:**", "Covers"), "Covers"),
    "no skills": (replace("\n- ", "\n* "), "points"),
    "no set-up": (replace("import ebmlab as eb", "import ebmlab"), "set-up"),
    "long cell": (append(LONG), "13 lines"),
    "pyplot": (replace("1 + 1", "import matplotlib.pyplot as plt"), "pyplot"),
    "one explorable": (drop(EXPLORE), "at least 2"),
    "no prediction": (replace("show.predict", "show.guess"), "at least 1"),
    "two exercises": (lambda nb: [drop("answer_3")(nb) for _ in range(3)], "in order"),
    "untagged exercise": (untag, "number"),
    "no check": (drop('show.check("Exercise 2"'), "exercise 2"),
    "open solution": (replace("<details>", ""), "folded"),
    "solution without code": (replace("```python", "```"), "fence"),
    "answered stub": (replace("answer_1 = ...", "answer_1 = 1"), "open"),
    "no breaking section": (replace("## Where this breaks", "## Beyond"), "Where this breaks"),
    "summary elsewhere": (replace("## Summary", "## In short"), "last sections"),
    "dead link": (append(new_markdown_cell("See [there](99_nowhere.ipynb).")), "does not exist"),
    "mute picture": (append(new_markdown_cell("![](https://example.org/a.png)")), "says what it shows"),
    "never run": (never_run, "never run"),
    "stored error": (show_error, "error"),
    "stored widget": (first_output(**{WIDGET: {}}), "widget"),
    "no alt text": (first_output(**{"text/plain": "<Figure size 720x360>"}), "alt text"),
    "no figure": (drop(STILL), "static figure"),
    "machine path": (replace("1 + 1", "open('/home/me/data.csv')"), "one machine"),
    "widget state": (keep_widget_state, "widget state"),
    "kernel": (other_kernel, "python3"),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_lesson_is_caught(name):
    change, word = BREAKAGES[name]
    notebook = stored_mini_lesson()
    change(notebook)
    assert any(word in line for line in problems(notebook)), problems(notebook)


def test_store_keeps_no_widget_and_says_what_is_missing():
    widget = new_output("display_data", data={WIDGET: {"model_id": "x"}, "text/plain": "VBox(children=())"})
    (kept,) = static([widget])
    assert kept.data == {"text/plain": FALLBACK}


def test_ids_follow_the_text_of_a_cell():
    one, two = mini_lesson(), mini_lesson()
    two.cells.insert(2, new_markdown_cell("A new sentence."))
    normalise(one), normalise(two)
    assert [c.id for c in one.cells] == [c.id for i, c in enumerate(two.cells) if i != 2]
    assert all(re.fullmatch(r"[0-9a-f]{8}(-\d+)?", cell.id) for cell in one.cells)


def test_exercises_are_read_with_their_solutions():
    found = list(exercises(mini_lesson()))
    assert [(e.number, e.solution) for e in found] == [(n, f"answer_{n} = {n}\n") for n in (1, 2, 3)]
    assert len(tagged(mini_lesson(), "check")) == 3
