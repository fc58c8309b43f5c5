"""`environment`: what this notebook runs on, and in plain words what is missing."""

import html
import os
import platform
import sys
from importlib import metadata
from typing import NamedTuple

import jax

OLDEST, NEWEST = (3, 11), (3, 13)
NEEDED = {  # package: (oldest version, what it is for, what to do)
    "jax": ((0, 10), "all computing", 'pip install -U "jax>=0.10"'),
    "ipywidgets": ((8, 1), "sliders and buttons", 'pip install -U "ipywidgets>=8.1"'),
    "matplotlib": ((3, 9), "pictures", 'pip install -U "matplotlib>=3.9"'),
    "ipykernel": ((6, 29), "running cells", 'pip install -U "ipykernel>=6.29"'),
}


class Row(NamedTuple):
    """One thing that was looked at."""

    name: str
    found: str
    fine: bool
    advice: str


class Environment(NamedTuple):
    """What was found, one `Row` for each thing; `ready` says whether the course can run."""

    rows: tuple[Row, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return all(row.fine for row in self.rows)

    @property
    def verdict(self) -> str:
        """One sentence."""
        missing = [row.name for row in self.rows if not row.fine]
        return "Everything is here." if not missing else f"Something is missing: {', '.join(missing)}."

    def __repr__(self) -> str:
        lines = [f"{'✔' if r.fine else '✘'} {r.name}: {r.found}{'' if r.fine else '. ' + r.advice}" for r in self.rows]
        return "\n".join([self.verdict, *lines])

    def _repr_html_(self) -> str:
        cell = '<td style="text-align:left;padding:2px 14px">{}</td>'
        rows = []
        for row in self.rows:
            sign = f"<b style='color:{'#009E73' if row.fine else '#D55E00'}'>{'✔' if row.fine else '✘'}</b>"
            texts = (sign, html.escape(row.name), html.escape(row.found), "" if row.fine else html.escape(row.advice))
            rows.append("<tr>" + "".join(cell.format(text) for text in texts) + "</tr>")
        return f"<p><b>{html.escape(self.verdict)}</b></p><table>{''.join(rows)}</table>"


def environment() -> Environment:
    """Look at Python, the packages that the lessons need, and the processors; nothing is changed."""
    running = sys.version_info[:2]
    rows = [
        Row(
            "Python",
            platform.python_version(),
            OLDEST <= running <= NEWEST,
            f"The course needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}; make a new environment",
        )
    ]
    for package, (oldest, purpose, advice) in NEEDED.items():
        found = _version(package)
        fine = found is not None and _numbers(found) >= oldest
        text = f"{found} ({purpose})" if found else f"not installed ({purpose})"
        rows.append(Row(package, text, fine, f"Run: {advice}, then restart the kernel"))
    devices = jax.devices()
    kinds = f"{len(devices)} {devices[0].platform.upper()} device{'s' if len(devices) > 1 else ''} seen by JAX"
    rows.append(Row("processors", f"{os.cpu_count()} cores, {kinds}", True, ""))
    return Environment(tuple(rows))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    parts = (part for part in version.replace("-", ".").split("."))
    return tuple(int(part) for part in parts if part.isdigit())[:2]
