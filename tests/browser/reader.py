"""A reader at the keyboard: opens a lesson, runs it, moves its sliders, and takes the time."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from playwright.sync_api import Locator, Page

SCREENS = ".ebmlab-explorable:has(img.ebmlab-picture)"
FAILED = ".ebmlab-failed"
RUN_MS = 180_000
PICTURE_MS = 20_000

# Code cells that have not finished: no number yet, or still running. null while the notebook loads.
UNFINISHED = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    if (!panel?.content?.widgets) return null;
    const code = panel.content.widgets.map(c => c.model).filter(m => m.type === 'code' && m.sharedModel.source.trim());
    return code.filter(m => m.executionCount === null || m.sharedModel.executionState === 'running').length;
}"""
KERNEL = "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status ?? null"

# What the cells wrote as errors or warnings.
COMPLAINTS = """() => {
    const cells = window.jupyterapp?.shell.currentWidget?.content?.widgets ?? [];
    const outputs = cells.filter(c => c.model.type === 'code').flatMap(c => c.model.outputs.toJSON());
    const errors = outputs.filter(o => o.output_type === 'error').map(o => `${o.ename}: ${o.evalue}`);
    const warnings = outputs.filter(o => o.name === 'stderr').map(o => [o.text].flat().join(''));
    return [...errors, ...warnings];
}"""

# From the key press to the first frame with the new picture. The observer looks below the explorable.
WATCH = """([root, limit]) => {
    const version = () => Number(root.querySelector('img.ebmlab-picture').dataset.version);
    const before = version();
    let pressed = null;
    root.addEventListener('keydown', () => { pressed ??= performance.now(); }, {capture: true, once: true});
    window.ebmlabWatch = new Promise(resolve => {
        const look = async () => {
            if (pressed === null || version() <= before) return;
            observer.disconnect();
            try { await root.querySelector('img.ebmlab-picture').decode(); } catch { /* replaced meanwhile */ }
            requestAnimationFrame(() => resolve(performance.now() - pressed));
        };
        const observer = new MutationObserver(look);
        observer.observe(root, {subtree: true, childList: true, attributes: true});
        setTimeout(() => { observer.disconnect(); resolve(null); }, limit);
    });
}"""


class Look(NamedTuple):
    """What a reader sees of an explorable: its picture and its reading."""

    picture: str
    reading: str


class Lesson:
    """An open lesson in a page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.complaints = page, []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(url)
        self.wait_for(lambda: page.evaluate(UNFINISHED) is not None, 60, "the notebook did not open")
        self.wait_for(lambda: page.evaluate(KERNEL) in ("idle", "unknown"), 60, "the kernel did not start")

    def wait_for(self, done, seconds: float, message: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"{message} within {seconds:.0f} s")
            self.page.wait_for_timeout(100)

    def run_all(self) -> float:
        """Run every cell; returns the seconds until the kernel is idle again and all cells carry a number."""
        start = time.monotonic()
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.wait_for(self.finished, RUN_MS / 1000, "the lesson did not run through")
        self.page.wait_for_timeout(500)  # the last widgets appear
        return time.monotonic() - start

    def finished(self) -> bool:
        complaints = self.page.evaluate(COMPLAINTS)
        assert not complaints, complaints
        return self.page.evaluate(UNFINISHED) == 0 and self.page.evaluate(KERNEL) == "idle"

    def errors(self) -> list[str]:
        """Everything on the page that tells of an error."""
        shown = [*self.page.evaluate(COMPLAINTS), *self.page.locator(FAILED).all_inner_texts()]
        broken = self.page.get_by_text("Error displaying widget").count()
        return [*shown, *self.complaints, *["a widget could not be displayed"] * broken]

    def explorables(self) -> Iterator["Explorable"]:
        for index in range(self.page.locator(SCREENS).count()):
            yield Explorable(self.page, self.page.locator(SCREENS).nth(index))


class Explorable:
    """A picture with its sliders."""

    def __init__(self, page: Page, root: Locator) -> None:
        self.page, self.root = page, root

    @property
    def name(self) -> str:
        return self.root.locator("img.ebmlab-picture").get_attribute("alt") or ""

    @property
    def heavy(self) -> bool:
        """Declared slow by its author: no promise about its time."""
        return "ebmlab-heavy" in (self.root.get_attribute("class") or "")

    @property
    def version(self) -> int:
        return int(self.root.locator("img.ebmlab-picture").get_attribute("data-version") or 0)

    def look(self) -> Look:
        picture = self.root.locator("img.ebmlab-picture").get_attribute("src") or ""
        return Look(picture, self.root.locator(".ebmlab-reading").inner_text())

    def sliders(self) -> list[Locator]:
        return self.root.get_by_role("slider").all()

    def button(self, label: str) -> Locator:
        return self.root.get_by_role("button", name=label)

    def cells(self) -> list[Locator]:
        """The cells of its boards."""
        return self.root.locator(".ebmlab-board button").all()

    def click(self, cell: Locator) -> Look:
        """Click a cell of a board, wait for the new picture, and look at it."""
        version = self.version
        cell.click()
        deadline = time.monotonic() + PICTURE_MS / 1000
        while self.version == version:
            assert time.monotonic() < deadline, f"no new picture after a click on a board of '{self.name}'"
            self.page.wait_for_timeout(20)
        return self.look()

    def settle(self, milliseconds: int = 250) -> None:
        """Until no new picture has come for a while."""
        version = None
        while version != self.version:
            version = self.version
            self.page.wait_for_timeout(milliseconds)

    def press(self, slider: Locator, key: str) -> float:
        """Press a key on a slider; milliseconds until the new picture is painted."""
        slider.focus()
        self.page.evaluate(WATCH, [self.root.element_handle(), PICTURE_MS])
        slider.press(key)
        took = self.page.evaluate("() => window.ebmlabWatch")
        assert took is not None, f"no new picture within {PICTURE_MS / 1000:.0f} s after {key} on '{self.name}'"
        return took

    def step(self, slider: Locator) -> str:
        """The arrow key that still has room to move."""
        return "ArrowLeft" if place(slider) >= 1 else "ArrowRight"


def place(slider: Locator) -> float:
    """Where a slider stands: 0 at its lowest, 1 at its highest value."""
    low, now, high = (float(slider.get_attribute(f"aria-value{end}") or 0) for end in ("min", "now", "max"))
    return (now - low) / (high - low) if high > low else 1.0
