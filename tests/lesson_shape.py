"""The shape that every lesson keeps, as rules: each yields what is wrong, in words that say what to do."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from notebooks import ROOT, WIDGET, exercises, output_text, tagged, tags

RELEASE = "v0.1.0"
LONGEST_CELL = 12
LARGEST_FILE = 900_000
LAST_HEADINGS = ["Summary", "What comes next", "References"]
SETUP = f"""\
# Set-up: run this cell first. On Colab it installs ebmlab, which takes about a minute.
try:
    import ebmlab as eb
except ModuleNotFoundError:
    %pip install -q "ebmlab @ git+https://github.com/ebmlab/ebmlab@{RELEASE}"
    import ebmlab as eb
"""


def badges(name: str) -> str:
    """The two launch buttons of the lesson `name` (its file name), as they stand under the title."""
    binder = f"https://mybinder.org/v2/gh/ebmlab/ebmlab/{RELEASE}?urlpath=lab/tree/lessons/{name}"
    colab = f"https://colab.research.google.com/github/ebmlab/ebmlab/blob/{RELEASE}/lessons/{name}"
    return (
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})"
    )


def prose(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Markdown cells without their fenced code, in which `#` and `[]()` mean something else."""
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            yield i, re.sub(r"^```.*?^```", "", cell.source, flags=re.M | re.S)


def code(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")


def headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    lines = [line for _, text in prose(notebook) for line in text.splitlines()]
    found = [re.match(r"(#{1,6})\s+(.*?)\s*$", line) for line in lines]
    return [(len(m[1]), m[2]) for m in found if m]


def rule_header(notebook: NotebookNode, path: Path) -> Iterator[str]:
    text = notebook.cells[0].source if notebook.cells else ""
    if not text.startswith("# "):
        yield "the first cell does not begin with the title"
    if badges(path.name) not in text:
        yield f"the first cell lacks the two badges for {RELEASE} and {path.name}"
    for part in "What you will be able to do", "Prerequisites:", "Time:", "Covers:":
        if f"**{part}**" not in text:
            yield f"the first cell lacks **{part}**"
    if not re.search(r"\*\*Time:\*\* \d+ minutes", text):
        yield "say the time as '**Time:** 45 minutes'"
    skills = re.findall(r"^- ", text, flags=re.M)
    if not 2 <= len(skills) <= 5:
        yield f"{len(skills)} points under 'What you will be able to do'; two to five are wanted"


def rule_headings(notebook: NotebookNode, path: Path) -> Iterator[str]:
    found = headings(notebook)
    levels = [level for level, _ in found]
    if levels.count(1) != 1:
        yield f"{levels.count(1)} first-level headings; one is wanted"
    for (before, _), (level, text) in itertools.pairwise(found):
        if level > before + 1:
            yield f"'{text}' skips a heading level"
    second = [text for level, text in found if level == 2]
    if second[-3:] != LAST_HEADINGS:
        yield f"the last sections are {second[-3:]}; expected {LAST_HEADINGS}"
    for wanted in "Exercises", "Where this breaks":
        if wanted not in second[:-3]:
            yield f"there is no section '{wanted}' before the summary"


def rule_setup(notebook: NotebookNode, path: Path) -> Iterator[str]:
    found = tagged(notebook, "setup")
    if len(found) != 1:
        yield f"{len(found)} cells are tagged 'setup'; one is wanted"
        return
    first = next((cell for _, cell in code(notebook)), None)
    if first is not found[0]:
        yield "the set-up cell is not the first code cell"
    if not found[0].source.startswith(SETUP):
        yield f"the set-up cell does not begin with\n{SETUP}"


def rule_cells(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for i, cell in code(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if not lines:
            yield f"cell {i} is empty"
        if "setup" not in tags(cell) and len(lines) > LONGEST_CELL:
            yield f"cell {i} has {len(lines)} lines; at most {LONGEST_CELL} (split it, or move a function to ebmlab)"
        if re.search(r"\bpyplot\b|\bplt\.", cell.source):
            yield f"cell {i} uses pyplot, which is not safe in widget callbacks: draw on the Figure you are given"


def rule_interaction(notebook: NotebookNode, path: Path) -> Iterator[str]:
    source = "\n".join(cell.source for _, cell in code(notebook))
    for call, least in (r"show\.(?:explore|live)\(", 2), (r"show\.predict\(", 1):
        count = len(re.findall(call, source))
        if count < least:
            yield f"{count} calls of {call}; at least {least}"


def rule_exercises(notebook: NotebookNode, path: Path) -> Iterator[str]:
    try:
        found = list(exercises(notebook))
    except ValueError as error:
        yield str(error)
        return
    if [e.number for e in found] != list(range(1, len(found) + 1)) or len(found) < 3:
        yield f"the exercises are numbered {[e.number for e in found]}; at least 1, 2, 3 in order"
    for e in found:
        if not any(f"Exercise {e.number}:" in text for level, text in headings(notebook) if level == 3):
            yield f"there is no heading '### Exercise {e.number}: ...'"
        if "..." not in e.stub.source:
            yield f"exercise {e.number}: the stub leaves nothing open; write '...' where the answer goes"
        if "show.check(" not in e.check.source:
            yield f"exercise {e.number}: the check cell does not call show.check"
        if not e.solution:
            yield f"exercise {e.number}: the solution has no ```python fence"
    for cell in tagged(notebook, "solution"):
        if cell.cell_type != "markdown" or "<details>" not in cell.source or "</details>" not in cell.source:
            yield "a solution is not a markdown cell folded in <details>"


def rule_links(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for i, text in prose(notebook):
        for alt, target in re.findall(r"(?<!\[)!\[([^\]]*)\]\(([^)\s]+)\)", text):
            if len(alt) < 10:
                yield f"cell {i}: the picture {target} needs a text that says what it shows"
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"https?://|mailto:|#|attachment:", target):
                continue
            file = path.parent / target.split("#")[0]
            if not file.exists():
                yield f"cell {i} links to {target}, which does not exist"


def rule_stored_outputs(notebook: NotebookNode, path: Path) -> Iterator[str]:
    pictures = 0
    for i, cell in code(notebook):
        if cell.execution_count is None:
            yield f"cell {i} was never run; store the lesson with python tests/store.py {path.name}"
        for output in cell.outputs:
            data = output.get("data", {})
            if output.output_type == "error":
                yield f"cell {i} stores an error: {output.ename}"
            if output.get("name") == "stderr":
                yield f"cell {i} stores a warning: {output.text[:80]}"
            if WIDGET in data:
                yield f"cell {i} stores a widget; store the lesson with python tests/store.py {path.name}"
            for kind in ("image/png", "image/svg+xml", "image/jpeg"):
                if kind in data:
                    pictures += 1
                    if len(alt_text(output, kind)) < 10:
                        yield f"cell {i} stores a picture without alt text: draw it with show.still(..., alt='...')"
    if not pictures:
        yield "no static figure is stored; a reader on GitHub sees none"


def alt_text(output: NotebookNode, kind: str) -> str:
    """What a screen reader says for a stored picture, from the output's metadata or its text form."""
    metadata = output.get("metadata", {})
    alt = metadata.get(kind, {}).get("alt") or metadata.get("alt") or output["data"].get("text/plain", "")
    return "" if alt.startswith(("<Figure", "<IPython", "<matplotlib")) else alt


def rule_private(notebook: NotebookNode, path: Path) -> Iterator[str]:
    machine = re.compile(r"(?:/home/|/root/|/tmp/|/work/|/Users/|/opt/|[A-Z]:\\Users)\S*")
    for i, cell in enumerate(notebook.cells):
        text = cell.source + output_text(cell) if cell.cell_type == "code" else cell.source
        for place in machine.findall(text):
            yield f"cell {i} names a place on one machine: {place[:60]}"


def rule_metadata(notebook: NotebookNode, path: Path) -> Iterator[str]:
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not python3"
    if "widgets" in notebook.metadata:
        yield "widget state is stored in the metadata"
    if len({cell.get("id") for cell in notebook.cells}) != len(notebook.cells):
        yield "cells without an id of their own"
    extra = {key for cell in notebook.cells for key in cell.metadata} - {"tags", "jupyter"}
    if extra:
        yield f"cells carry metadata {sorted(extra)}; only tags and folding are kept"
    if path.exists() and path.stat().st_size > LARGEST_FILE:
        yield f"the file has {path.stat().st_size} bytes; at most {LARGEST_FILE}"


RULES = [rule for name, rule in sorted(globals().items()) if name.startswith("rule_")]


def problems(notebook: NotebookNode, path: Path = ROOT / "lessons" / "00_mini.ipynb") -> list[str]:
    """Everything that a lesson gets wrong, over all rules."""
    return [line for rule in RULES for line in rule(notebook, path)]
