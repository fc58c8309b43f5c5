"""Reading, running and storing the lessons: what the tests and `tests/store.py` share."""

import base64
import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.ipynb"))
OUT = ROOT / "tests" / "_out"

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
FALLBACK = "(The sliders and buttons appear here when the lesson runs: in JupyterLab, on Binder or on Colab.)"
CELL_TIMEOUT = 300  # seconds; a lesson as a whole must stay below 60

# Code for another process: _peak() is the most memory that it has used so far, in MB. (The system's own count,
# ru_maxrss, begins with what the parent process had used, so it is taken only where there is no /proc.)
PEAK = """
def _peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e3
    except OSError:
        pass
    try:
        import resource, sys
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    except ModuleNotFoundError:  # Windows
        return 0.0
"""


class Exercise(NamedTuple):
    number: int
    stub: NotebookNode
    check: NotebookNode
    solution: str


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in tags(cell)]


def fenced_code(markdown: str) -> str:
    """The text of all ```python fences of a markdown cell, one after the other."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```\s*$", markdown, flags=re.M | re.S))


def exercises(notebook: NotebookNode) -> Iterator[Exercise]:
    """The exercises in order; raises ValueError where stub, check and solution do not stand together."""
    for stub in tagged(notebook, "exercise"):
        number = next((int(t[9:]) for t in tags(stub) if re.fullmatch(r"exercise-\d+", t)), None)
        if number is None:
            raise ValueError(f"an exercise cell has the tags {tags(stub)}: add its number, like 'exercise-1'")
        at = notebook.cells.index(stub)
        for offset, kind in (1, "check"), (2, "solution"):
            found = tags(notebook.cells[at + offset]) if at + offset < len(notebook.cells) else []
            if not {kind, f"{kind}-{number}"} <= set(found):
                raise ValueError(
                    f"exercise {number}: cell {offset} after the stub has the tags {found}, "
                    f"expected '{kind}' and '{kind}-{number}'"
                )
        check, solution = notebook.cells[at + 1], notebook.cells[at + 2]
        yield Exercise(number, stub, check, fenced_code(solution.source))


def client(notebook: NotebookNode, folder: Path = ROOT / "lessons") -> NotebookClient:
    """A client that runs the notebook in `folder` with the kernel of this environment."""
    return NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
    )


def strain() -> float:
    """How much slower than alone this machine is just now: wall-clock over processor time of a short loop."""
    wall, own = time.perf_counter(), time.process_time()
    while time.process_time() - own < 0.2:
        sum(range(1000))
    return max(1.0, (time.perf_counter() - wall) / (time.process_time() - own))


def output_text(cell: NotebookNode) -> str:
    """Everything that a cell shows as text, HTML tags included."""
    parts = []
    for output in cell.get("outputs", []):
        parts.append(output.get("text", ""))
        data = output.get("data", {})
        parts += [data.get(kind, "") for kind in ("text/plain", "text/markdown", "text/html")]
    return "\n".join(parts)


def static(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs without widgets; where nothing else stood, one line says what appears there."""
    kept = []
    for output in outputs:
        data = output.get("data")
        if data is not None and data.pop(WIDGET, None) is not None:
            plain = data.get("text/plain", "")
            if not plain or re.match(r"\w+\(", plain):  # the repr of a widget tells a reader nothing
                data["text/plain"] = FALLBACK
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def folded(cell: NotebookNode) -> bool:
    """Whether JupyterLab shows the cell's output only, and its code behind a click.

    Predictions and checks, which hold the answer, and cells that only define and show a drawing.
    """
    if cell.cell_type != "code" or {"setup", "exercise"} & set(tags(cell)):
        return False
    if "check" in tags(cell) or cell.source.startswith("show.predict("):
        return True
    if not re.search(r"^def (draw|finish|say)", cell.source, flags=re.M):
        return False
    left = [line for line in cell.source.splitlines() if line and not line[0].isspace() and line[0] not in ")]}#@"]
    return all(re.match(r"def (draw|finish|say)|show\.still\(|\w+ = [\"'(]", line) for line in left)


def normalise(notebook: NotebookNode) -> None:
    """In place: static outputs, tags and folding as the only cell metadata, ids from the text of the cells."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        fold = {"jupyter": {"source_hidden": True}} if folded(cell) else {}
        cell.metadata = nbformat.from_dict(({"tags": tags(cell)} if tags(cell) else {}) | fold)
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
        if cell.cell_type == "code":
            cell.outputs = static(cell.outputs)


def store_picture(notebook: NotebookNode, path: Path) -> None:
    """Write the figure of the cell tagged `picture` as pictures/<lesson>.png, for the README."""
    for cell in tagged(notebook, "picture"):
        images = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
        if len(images) != 1:
            raise ValueError(f"{path}: the cell tagged 'picture' must show one figure; it shows {len(images)}")
        folder = path.resolve().parent / "pictures"
        folder.mkdir(exist_ok=True)
        (folder / f"{path.stem}.png").write_bytes(base64.b64decode(images[0]))


def store(path: Path) -> float:
    """Run a lesson and write it back with its static outputs; returns the size in kB."""
    notebook = read(path)
    client(notebook, path.resolve().parent).execute()
    normalise(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    store_picture(notebook, path)
    return path.stat().st_size / 1000
