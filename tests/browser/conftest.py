"""One JupyterLab and one Chromium for all browser tests; a fresh page for each."""

import os
from collections.abc import Iterator

import pytest
from lab import Lab, chromium, flags
from notebooks import LESSONS, ROOT, read
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab over copies of the lessons without outputs: a number beside a cell shows that it ran."""
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        (running.lessons / "pictures").symlink_to(ROOT / "lessons" / "pictures")
        for path in LESSONS:
            running.put(path.name, read(path))
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Without one the tests are skipped, except in CI, where they must run."""
    executable = chromium()
    if executable is None:
        reason = "no Chromium on this machine: install it (apt-get install chromium, or playwright install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=flags())
        yield running
        running.close()


@pytest.fixture
def page(lab: Lab, browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()
    lab.shut_kernels()
