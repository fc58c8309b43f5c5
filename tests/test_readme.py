"""README.md tells the truth: its code runs, its commands are those of CI, its table is the folder."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from lesson_shape import RELEASE, badges
from notebooks import LESSONS, read

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.quick


def block(marker: str) -> str:
    """The code block below a marker."""
    found = re.search(rf"^<!-- {re.escape(marker)} -->\n```\w+\n(.*?)^```$", README, flags=re.M | re.S)
    assert found, f"README.md has no block below <!-- {marker} -->"
    return found[1]


def test_the_library_in_ten_lines_runs(capsys):
    source = block("ten lines")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    names: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), names)
    assert "energy: exact" in capsys.readouterr().out
    mean, error = names["sampled"].mean, names["sampled"].error
    assert abs(mean - float(names["exact"])) < 5 * error


def test_the_two_commands_need_only_python():
    for name, extra in ("open", "lab"), ("test", "test"):
        command = block(f"command: {name}").strip()
        assert "\n" not in command
        steps = [shlex.split(step) for step in command.split("&&")]
        assert steps[0] == ["python3", "-m", "venv", ".venv"]
        assert steps[1] == [".venv/bin/pip", "install", "-q", "-e", f".[{extra}]"]
        assert steps[2][0].startswith(".venv/bin/")
        assert extra in PROJECT["optional-dependencies"]
        file = next(word for word in steps[2][1:] if "/" in word)
        assert file == "lessons/00_start_here.ipynb" or (ROOT / file).is_file()


@pytest.mark.skipif(shutil.which("bash") is None, reason="CI's script needs bash, which is not on this machine")
def test_ci_runs_the_test_command_of_the_readme():
    shown = subprocess.run([ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True)
    assert shown.stdout == block("command: test")


def rows() -> dict[str, list[str]]:
    """The course table: file name -> number and title, skills, minutes, prerequisites."""
    found = re.findall(r"^\| (\d\d) \[(.+?)\]\(lessons/(\S+)\) \| (.+?) \| (\d+) \| (.+?) \|$", README, flags=re.M)
    return {file: [number, title, *rest] for number, title, file, *rest in found}


def test_the_course_table_lists_the_lessons():
    assert list(rows()) == [path.name for path in LESSONS]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_course_table_says_what_the_lesson_says(path):
    header = read(path).cells[0].source
    number, title, _, minutes, _ = rows()[path.name]
    assert path.name.startswith(number)
    assert header.startswith(f"# {title}\n")
    assert f"**Time:** {minutes} minutes" in header


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_release_is_the_same_everywhere():
    assert f"v{PROJECT['version']}" == RELEASE
    assert badges("00_start_here.ipynb") in README
    assert f"version: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {PROJECT['version']} " in (ROOT / "CHANGELOG.md").read_text()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert text.lstrip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in text
