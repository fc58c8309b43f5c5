"""JupyterLab on a free port of this machine, with settings, data and lessons in a folder of its own."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType

import nbformat
from nbformat import NotebookNode
from notebooks import normalise

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Every cell stays in the page, so that a test finds it without scrolling. All else is what a reader gets.
SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


def chromium() -> str | None:
    """The system's Chromium or Chrome, or the one that `playwright install chromium` fetched."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def flags() -> list[str]:
    as_root = hasattr(os, "getuid") and os.getuid() == 0
    return [*FLAGS, "--no-sandbox"] if as_root else FLAGS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """`with Lab(folder) as lab:` serves `lab.lessons`; `lab.url(name)` opens one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lessons = folder, folder / "lessons"
        self.lessons.mkdir(parents=True)
        self.port, self.token = free_port(), secrets.token_hex(16)
        self.log = folder / "server.log"

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/tree/{name}?token={self.token}&reset"

    def put(self, name: str, notebook: NotebookNode) -> None:
        """Write a notebook without its outputs into the served folder."""
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        normalise(notebook)
        nbformat.write(notebook, self.lessons / name)

    def command(self) -> list[str]:
        settings = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.lessons,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "IdentityProvider.token": self.token,
            "LabApp.expose_app_in_browser": True,
            "LabApp.user_settings_dir": self.folder / "settings",
            "LabApp.workspaces_dir": self.folder / "workspaces",
        }
        return [sys.executable, "-m", "jupyterlab", *(f"--{key}={value}" for key, value in settings.items())]

    def environment(self) -> dict[str, str]:
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
        }
        return {**os.environ, **{name: str(self.folder / place) for name, place in places.items()}}

    def __enter__(self) -> "Lab":
        overrides = self.folder / "config" / "labconfig" / "default_setting_overrides.json"
        overrides.parent.mkdir(parents=True)
        overrides.write_text(json.dumps(SETTINGS))
        self.output = self.log.open("w")
        self.server = subprocess.Popen(
            self.command(), env=self.environment(), stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output
        )
        try:
            self.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def wait(self, seconds: float = 60) -> None:
        """Until the server answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                with urllib.request.urlopen(self.api("status"), timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def api(self, path: str) -> urllib.request.Request:
        return urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}", headers={"Authorization": f"token {self.token}"}
        )

    def shut_kernels(self) -> None:
        """End all kernels, so that lessons do not share memory and cores with those before them."""
        with urllib.request.urlopen(self.api("kernels"), timeout=30) as answer:
            kernels = json.load(answer)
        for kernel in kernels:
            request = self.api(f"kernels/{kernel['id']}")
            request.method = "DELETE"
            urllib.request.urlopen(request, timeout=30).close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.terminate()
        try:
            self.server.wait(30)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.output.close()
