"""A real browser opens each lesson in JupyterLab, runs it, moves every slider and sees the picture change."""

import json
from statistics import median

import pytest
from mini_lesson import NAME, mini_lesson
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import LESSONS, OUT, strain
from reader import Explorable, Lesson, place

PRESSES = 6  # per slider; the first one may compile and is reported apart
MEDIAN_MS = 150  # of the light explorables of a lesson
FIRST_MS = 2000  # the first drag, cold

pytestmark = pytest.mark.browser


def move(explorable: Explorable, slider) -> list[float]:
    """Press an arrow key a few times; the picture or the reading changes. Returns the times."""
    before = explorable.look()
    times, changed = [], False
    for _ in range(PRESSES):
        times.append(explorable.press(slider, explorable.step(slider)))
        changed = changed or explorable.look() != before
    if not changed:  # small steps may round to the same picture
        for key in ("End", "Home"):
            explorable.press(slider, key)
            changed = changed or explorable.look() != before
    assert changed, f"a slider of '{explorable.name}' changes neither the picture nor the reading"
    return times


def turn(explorable: Explorable) -> None:
    """Turn the first and the last cell of a board over, and back: each click changes what is seen."""
    for cell in [*explorable.cells()[:1], *explorable.cells()[1:][-1:]]:
        before = explorable.look()
        assert explorable.click(cell) != before, f"a cell of a board of '{explorable.name}' changes nothing"
        explorable.click(cell)


def play(explorable: Explorable) -> None:
    """Let a live computation run for a moment and pause it."""
    version = explorable.version
    explorable.button("Play").click()
    for _ in range(100):
        if explorable.version > version:
            break
        explorable.page.wait_for_timeout(100)
    assert explorable.version > version, f"'{explorable.name}' shows nothing new after Play"
    if explorable.button("Pause").is_enabled():
        explorable.button("Pause").click()
    explorable.settle()


def use(explorable: Explorable) -> dict[str, object]:
    """Everything that a reader does with one explorable, and how long it took."""
    explorable.root.scroll_into_view_if_needed()
    explorable.settle()
    times = [move(explorable, slider) for slider in explorable.sliders()]
    turn(explorable)
    if explorable.button("Play").count():
        play(explorable)
    later = [t for one in times for t in one[1:]]
    return {
        "picture": explorable.name,
        "heavy": explorable.heavy,
        "first_ms": round(max((one[0] for one in times), default=0.0)),
        "median_ms": round(median(later), 1) if later else None,
    }


def examine(page, url: str, name: str) -> list[dict[str, object]]:
    """Run a lesson, use all of it, report and judge the times."""
    lesson = Lesson(page, url)
    seconds = lesson.run_all()
    assert lesson.errors() == []
    before = strain()
    found = [use(explorable) for explorable in lesson.explorables()]
    slower = max(before, strain())
    assert lesson.errors() == []
    report(name, seconds, slower, found)
    judge(found, slower)
    return found


def report(name: str, seconds: float, slower: float, found: list[dict[str, object]]) -> None:
    """Print the times and keep them in tests/_out/latency.json."""
    OUT.mkdir(exist_ok=True)
    file = OUT / "latency.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[name] = {"run_seconds": round(seconds, 1), "strain": round(slower, 2), "explorables": found}
    file.write_text(json.dumps(known, indent=1))
    print(f"\n{name}: ran in {seconds:.0f} s in the browser; machine slower than alone by {slower:.2f}")
    for one in found:
        print(f"  first {one['first_ms']} ms, then {one['median_ms']} ms: {one['picture']}")


def judge(found: list[dict[str, object]], slower: float) -> None:
    """The promises hold on a machine that does nothing else; a busy one may take longer by its strain."""
    light = [one for one in found if one["median_ms"] is not None and not one["heavy"]]
    assert light, "no explorable with a slider"
    assert median(one["median_ms"] for one in light) < MEDIAN_MS * slower
    assert max(one["first_ms"] for one in light) < FIRST_MS * slower


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_in_the_browser(lab, page, path):
    examine(page, lab.url(path.name), path.name)


def test_mini_lesson_in_the_browser(lab, page):
    lab.put(NAME, mini_lesson())
    found = examine(page, lab.url(NAME), NAME)
    assert len(found) == 2


def notebook(*sources: str):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


BROKEN = """
from ebmlab import show
def draw(fig, p):
    fig.subplots().plot([p])
    if p > 0.5:
        raise ValueError("planted")
    return f"p = {p}"
show.explore(draw, alt="a planted fault", p=show.slider("p", 0.0, 1.0, 0.5))
"""
DEAF = """
from ebmlab import show
def draw(fig, p):
    fig.subplots().plot([1])
    return "always the same"
show.explore(draw, alt="a slider without effect", p=show.slider("p", 0.0, 1.0, 0.5))
"""
THREAD = """
import threading
from ebmlab import show
def draw(fig, p):
    fig.subplots().plot([p])
    return f"p = {p:.2f} on {threading.current_thread().name}"
show.explore(draw, alt="the name of the thread", p=show.slider("p", 0.0, 1.0, 0.5))
"""

BY_HAND = """
from ebmlab import show
def draw(fig, bonds, schedule):
    fig.subplots().plot(schedule)
    return f"bonds {bonds.ravel().tolist()}, last number {schedule[-1]:.2f}"
show.explore(draw, alt="a board and a curve", bonds=show.board("bonds", [[1, 0, -1]]),
             schedule=show.curve("temperature T", 0.0, 1.0, [0.5, 0.5, 0.5]))
"""


def test_boards_and_curves_answer(lab, page):
    lab.put("by_hand.ipynb", notebook(BY_HAND))
    lesson = Lesson(page, lab.url("by_hand.ipynb"))
    lesson.run_all()
    (explorable,) = lesson.explorables()
    assert len(explorable.cells()) == 2
    assert explorable.click(explorable.cells()[1]).reading == "bonds [1, 0, 1], last number 0.50"
    assert len(explorable.sliders()) == 3
    explorable.press(explorable.sliders()[2], "End")
    assert explorable.look().reading == "bonds [1, 0, 1], last number 1.00"
    turn(explorable)
    assert lesson.errors() == []


def test_an_error_while_dragging_is_caught(lab, page):
    lab.put("broken.ipynb", notebook(BROKEN))
    lesson = Lesson(page, lab.url("broken.ipynb"))
    lesson.run_all()
    (explorable,) = lesson.explorables()
    assert lesson.errors() == []
    slider = explorable.sliders()[0]
    slider.focus()
    slider.press("ArrowRight")
    lesson.wait_for(lesson.errors, 10, "the error did not appear")
    assert "planted" in lesson.errors()[0]


def test_a_slider_without_effect_is_caught(lab, page):
    lab.put("deaf.ipynb", notebook(DEAF))
    lesson = Lesson(page, lab.url("deaf.ipynb"))
    lesson.run_all()
    (explorable,) = lesson.explorables()
    with pytest.raises(AssertionError, match="neither the picture nor the reading"):
        move(explorable, explorable.sliders()[0])


def test_an_error_in_a_cell_is_caught(lab, page):
    lab.put("error.ipynb", notebook("1 / 0", "2"))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        Lesson(page, lab.url("error.ipynb")).run_all()


def test_sliders_answer_on_the_main_thread(lab, page):
    """With JupyterLab's own settings, as on a reader's machine: the kernel keeps callbacks where cells run."""
    lab.put("thread.ipynb", notebook(THREAD))
    lesson = Lesson(page, lab.url("thread.ipynb"))
    lesson.run_all()
    (explorable,) = lesson.explorables()
    explorable.press(explorable.sliders()[0], "ArrowRight")
    lesson.wait_for(lambda: "p = 0.51" in explorable.look().reading, 10, "the reading did not follow")
    assert explorable.look().reading == "p = 0.51 on MainThread"


@pytest.mark.sweep
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_slider_through_its_range(lab, page, path):
    """From the lowest to the highest value in steps of PageUp, then back with Home."""
    lesson = Lesson(page, lab.url(path.name))
    lesson.run_all()
    for explorable in lesson.explorables():
        explorable.root.scroll_into_view_if_needed()
        for slider in explorable.sliders():
            sweep(explorable, slider)
            assert lesson.errors() == [], f"after a slider of '{explorable.name}'"


def sweep(explorable: Explorable, slider) -> None:
    if place(slider) > 0:
        explorable.press(slider, "Home")
    while place(slider) < 1:
        explorable.press(slider, "PageUp")
    explorable.press(slider, "Home")
