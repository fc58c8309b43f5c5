"""Names of a package whose modules are loaded when they are first asked for: `import ebmlab` stays quick."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def later(names: dict[str, Any], table: dict[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__`, given its `globals()`.

    table: name -> the module that it is, where the module's own name is the same, or that holds it.
    """

    def get(name: str) -> Any:
        if name not in table:
            raise AttributeError(f"module {names['__name__']!r} has no attribute {name!r}")
        module = import_module(table[name])
        names[name] = module if table[name].rpartition(".")[2] == name else getattr(module, name)
        return names[name]

    return get, lambda: sorted({*names, *table})
