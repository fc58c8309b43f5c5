"""`check`: an exercise answers "passed", a hint, or "not attempted yet". A wrong answer never raises."""

import functools
import html
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

PASSED, HINT, UNTOUCHED = "passed", "hint", "not attempted yet"
SIGNS = {PASSED: ("✔", "#009E73"), HINT: ("➜", "#D55E00"), UNTOUCHED: ("○", "#7A8599")}


class Check:
    """The outcome of one exercise: `name`, `state`, `message`."""

    def __init__(self, name: str, state: str, message: str = "") -> None:
        self.name, self.state, self.message = name, state, message

    @property
    def passed(self) -> bool:
        return self.state == PASSED

    def __repr__(self) -> str:
        sign, _ = SIGNS[self.state]
        return f"{sign} {self.name}: {self.state}" + (f". {self.message}" if self.message else "")

    def _repr_html_(self) -> str:
        sign, colour = SIGNS[self.state]
        message = f" {html.escape(self.message, quote=False)}" if self.message else ""
        return (
            f'<div role="status" style="border-left:4px solid {colour};padding:5px 12px;margin:4px 0">'
            f'<b style="color:{colour}">{sign} {html.escape(self.name)}: {self.state}.</b>{message}</div>'
        )


def check(name: str, attempt: Any, test: Callable[[Any], Any], hint: str = "") -> Check:
    """Test an attempt at an exercise.

    attempt: a value, or a function the reader wrote. `None`, `...` and functions that return them or raise
    NotImplementedError are "not attempted yet".
    test(attempt): True or no complaint (asserts may be used) passes; False gives `hint`; a str or an exception is
    named before it.
    """
    watched = _Watched(attempt) if inspect.isfunction(attempt) else None
    if watched is None and _is_stub(attempt):
        return Check(name, UNTOUCHED)
    try:
        verdict = test(watched.function if watched else attempt)
        complaint = verdict if isinstance(verdict, str) else "" if verdict is None or bool(verdict) else None
    except NotImplementedError:
        return Check(name, UNTOUCHED)
    except AssertionError as error:
        complaint = str(error) or None
    except Exception as error:
        complaint = f"It stopped with {type(error).__name__}: {str(error).rstrip('.')}."
    if watched and watched.only_stubs:
        return Check(name, UNTOUCHED)
    if complaint == "":
        return Check(name, PASSED)
    words = " ".join(dict.fromkeys(part for part in (complaint, hint) if part))
    return Check(name, HINT, words or "Not yet: look at the sentence above the exercise again.")


def close(value: Any, rtol: float = 1e-3, atol: float = 0.0) -> Callable[[Any], bool | str]:
    """A test for `check`: the attempt equals `value` within rtol |value| + atol; says shape, sign, factor two."""
    expected = np.asarray(value)

    def test(attempt: Any) -> bool | str:
        got = np.asarray(attempt)
        if got.dtype.kind not in "biufc":
            return f"A number was expected, {type(attempt).__name__} came."
        if got.shape != expected.shape:
            return f"The shape is {got.shape}, expected {expected.shape}."
        if not np.isfinite(got).all():
            return "The answer holds NaN or infinity."
        if np.allclose(got, expected, rtol=rtol, atol=atol):
            return True
        for factor, words in ((-1, "The sign is wrong."), (2, "Twice too large."), (0.5, "Half of what it should be.")):
            if np.any(expected) and np.allclose(got, factor * expected, rtol=rtol, atol=atol):
                return words
        return False

    return test


class _Watched:
    """A function that remembers whether it ever returned anything but a stub."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.stubs = 0
        self.answers = 0
        self.errors = 0

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            try:
                result = function(*args, **kwargs)
            except Exception:
                self.errors += 1
                raise
            self.stubs += _is_stub(result)
            self.answers += not _is_stub(result)
            return result

        self.function = watched

    @property
    def only_stubs(self) -> bool:
        return self.stubs > 0 and self.answers == 0 and self.errors == 0


def _is_stub(value: Any) -> bool:
    if isinstance(value, tuple | list) and value:
        return any(_is_stub(item) for item in value)
    return value is None or value is Ellipsis or value is NotImplemented
