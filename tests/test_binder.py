"""Binder can build the course: the files say what repo2docker expects, and repo2docker accepts them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
sys.path.insert(0, str(BINDER))
from recreate import wanted  # noqa: E402

COURSE = ("jax", "jaxlib", "equinox", "jaxtyping", "numpy", "scipy", "blackjax", "matplotlib", "networkx", "tqdm")
NOTEBOOK = ("ipywidgets", "ipykernel", "jupyterlab")

pytestmark = pytest.mark.quick


def requirements() -> list[str]:
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def test_requirements_are_pinned_and_end_in_the_library():
    *pins, last = requirements()
    assert last == "."
    assert [pin for pin in pins if not re.fullmatch(r"[\w-]+==[\w.]+", pin)] == []
    names = {pin.split("==")[0] for pin in pins}
    assert set(COURSE) | set(NOTEBOOK) <= names


def test_pins_satisfy_what_the_library_asks_for():
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(pin.split("==") for pin in requirements()[:-1])
    for line in project["dependencies"] + project["optional-dependencies"]["lab"]:
        asked = Requirement(line)
        assert pins[asked.name] in asked.specifier, f"binder pins {asked.name}=={pins[asked.name]}, not {asked}"


def test_runtime_is_a_python_that_the_library_supports():
    assert wanted() in ("3.11", "3.12", "3.13")


def test_widget_callbacks_stay_on_the_main_thread():
    """The setting exists in JupyterLab and has the value that the file gives it."""
    import jupyterlab

    plugin, _, name = "@jupyterlab/apputils-extension:kernels-settings".partition(":")
    schema = Path(jupyterlab.__file__).parent / "schemas" / plugin / f"{name}.json"
    allowed = json.loads(schema.read_text())["properties"]["commsOverSubshells"]["oneOf"]
    chosen = json.loads((BINDER / "overrides.json").read_text())[f"{plugin}:{name}"]["commsOverSubshells"]
    assert chosen == "disabled"
    assert chosen in [option["const"] for option in allowed]


def test_post_build_is_executable():
    assert os.access(BINDER / "postBuild", os.X_OK)
    assert (BINDER / "postBuild").read_text().startswith("#!/bin/bash\n")


def test_repo2docker_accepts_the_repository(tmp_path):
    program = Path(sys.executable).with_name("jupyter-repo2docker")
    if not program.exists():
        pytest.skip("jupyter-repo2docker is not installed: pip install -e '.[test]' brings it (not on Windows)")
    for part in ("binder", "ebmlab", "lessons"):  # a copy: no environments, no history
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, tmp_path)
    command = [str(program), "--no-build", "--debug", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    built = done.stdout + done.stderr
    assert f"Building conda environment for python={wanted()}" in built
    steps = [r"COPY \S+ src/ ", r"pip install \S+ -r \"binder/requirements.txt\"", r"RUN ./binder/postBuild"]
    places = [re.search(step, built) for step in steps]
    assert all(places), f"steps of the image found: {places}"
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts), "the library must be in the image before pip installs '.'"
