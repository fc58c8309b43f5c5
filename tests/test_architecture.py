"""The floors of the library hold: a file imports lower floors only, and the core stays light."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ebmlab"

# The first component below `ebmlab`. Private modules (`_check`) are the ground: everybody may use them.
FLOORS = {
    **dict.fromkeys(("units", "graphs", "bits", "data"), 0),
    "energies": 1,
    **dict.fromkeys(("exact", "kernels", "sampling", "diagnostics", "rugged", "observables", "meanfield"), 2),
    "learn": 3,
    **dict.fromkeys(("diffusion", "hardware", "quantum"), 4),
}
# Neighbours on one floor that may look at each other, in this direction only.
NEIGHBOURS = {
    *(("units", "bits"), ("graphs", "bits"), ("data", "bits")),
    ("sampling", "kernels"),
    *(("rugged", "exact"), ("rugged", "kernels"), ("rugged", "sampling")),
    ("observables", "exact"),
}
ROOMS = ("diffusion", "hardware", "quantum")  # they never import each other
BESIDE = "show"  # may import every floor; no floor imports it
FRONT_DOOR = "__init__"  # ebmlab/__init__.py collects the public names
ONLY_IN_SHOW = ("matplotlib", "ipywidgets", "IPython")
NOT_AT_IMPORT = ("matplotlib", "ipywidgets", "IPython", "networkx", "blackjax", "optax")

pytestmark = pytest.mark.quick


def imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Absolute dotted names of everything that a file imports, at its top and inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, base] if base else parts)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def top(module: str) -> str:
    """`ebmlab.energies.base` -> `energies`; `ebmlab` itself -> the front door."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else FRONT_DOOR


def may_import(here: str, there: str) -> bool:
    """Whether a file of part `here` may import from part `there` (both first components below ebmlab)."""
    if here in (FRONT_DOOR, there) or (there.startswith("_") and there != FRONT_DOOR):
        return there != BESIDE or here == BESIDE
    if there in (FRONT_DOOR, BESIDE) or here.startswith("_"):
        return False
    if here == BESIDE:
        return True
    if here in ROOMS and there in ROOMS:
        return False
    return FLOORS[there] < FLOORS[here] or (here, there) in NEIGHBOURS


def violations(package: Path) -> list[str]:
    """Every breach of the rules in a tree of files, as `file: what`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package.parent).with_suffix("")
        is_package = relative.name == "__init__"
        module = ".".join(relative.parts[:-1] if is_package else relative.parts)
        here = top(module)
        if here not in FLOORS and here not in (FRONT_DOOR, BESIDE) and not here.startswith("_"):
            found.append(f"{relative}: '{here}' has no floor; add it to FLOORS")
            continue
        for name in imported(ast.parse(path.read_text(encoding="utf-8")), module, is_package):
            root = name.split(".")[0]
            if root in ONLY_IN_SHOW and here != BESIDE:
                found.append(f"{relative}: imports {name}; only show may")
            if "pyplot" in name or "pylab" in name:
                found.append(f"{relative}: imports {name}; pyplot is not safe in widget callbacks, use Figure")
            if root == "ebmlab":
                there = top(name)
                # `from ebmlab import X` asks the front door, unless X is itself a part.
                if there not in FLOORS and there != BESIDE and not there.startswith("_"):
                    there = FRONT_DOOR
                if not may_import(here, there):
                    found.append(f"{relative}: '{here}' may not import {name}")
    return found


def test_files_import_lower_floors_only():
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("units.py", "from ebmlab.energies import Pairwise"),
        ("units.py", "from .energies.base import AbstractEnergy"),
        ("graphs.py", "from ebmlab.units import Spin"),
        ("bits.py", "from ebmlab.units import Spin"),
        ("energies/base.py", "from ..kernels import gibbs"),
        ("energies/base.py", "def f():\n    import ebmlab.exact.enumeration"),
        ("exact/enumeration.py", "from ebmlab import kernels"),
        ("exact/enumeration.py", "from ebmlab import sample"),
        ("kernels/gibbs.py", "from matplotlib.figure import Figure"),
        ("kernels/gibbs.py", "from ebmlab.show import explore"),
        ("_check.py", "from ebmlab.units import Spin"),
        ("__init__.py", "from ebmlab import show"),
        ("hardware/pbits.py", "from ..quantum import vmc"),
        ("show/plots.py", "import matplotlib.pyplot as plt"),
        ("show/plots.py", "from matplotlib import pyplot"),
        ("attic.py", "import numpy"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path, where, line):
    path = tmp_path / "ebmlab" / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n")
    assert len(violations(tmp_path / "ebmlab")) == 1


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("energies/lattice.py", "from .base import AbstractEnergy\nfrom ..units import Spin"),
        ("sampling.py", "from .energies import AbstractEnergy\nfrom ebmlab import bits"),
        ("kernels/nuts.py", "def step():\n    import blackjax"),
        ("quantum/vmc.py", "from ..learn import fit\nfrom ..kernels.metropolis import Metropolis"),
        ("show/plots.py", "from matplotlib.figure import Figure\nfrom ..diagnostics import ess"),
        ("__init__.py", "from .kernels import Gibbs as Gibbs"),
    ],
)
def test_what_is_allowed_passes(tmp_path, where, line):
    path = tmp_path / "ebmlab" / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n")
    assert violations(tmp_path / "ebmlab") == []


def test_importing_the_library_imports_no_notebook_and_no_plotting(fresh_python):
    code = f"import sys, ebmlab; print([m for m in {NOT_AT_IMPORT!r} if m in sys.modules])"
    assert fresh_python(code).strip() == "[]"


def test_importing_the_library_adds_little_to_importing_jax(fresh_python):
    code = """
import time
import jax, jax.numpy
start = time.process_time()  # not the clock on the wall: other tests may share the cores
import ebmlab
print(time.process_time() - start)
"""
    fresh_python(code)  # writes the bytecode
    seconds = [float(fresh_python(code)) for _ in range(4)]
    assert min(seconds) < 0.3, f"import ebmlab took {seconds} s after import jax"


def test_types_are_shipped():
    assert (PACKAGE / "py.typed").is_file()


def test_every_public_name_is_documented():
    import ebmlab

    names = getattr(ebmlab, "__all__", None) or [n for n in vars(ebmlab) if not n.startswith("_")]
    bare = [n for n in names if callable(getattr(ebmlab, n)) and not own_doc(getattr(ebmlab, n))]
    assert bare == []


def own_doc(thing: object) -> str | None:
    """The docstring written for it; inherited and generated ones do not count."""
    doc = vars(thing).get("__doc__") if inspect.isclass(thing) else inspect.getdoc(thing)
    if doc and inspect.isclass(thing) and doc.startswith(f"{thing.__name__}("):
        return None  # the signature that dataclasses and named tuples write themselves
    return doc
