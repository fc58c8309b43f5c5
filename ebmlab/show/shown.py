"""What an explorable and a live runner share: a picture with its reading, moved by a panel of controls."""

import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets as widgets

from ebmlab.show import screen, style
from ebmlab.show.controls import Control
from ebmlab.show.panel import Panel

_MADE: list[weakref.ref[Any]] = []


def explorables() -> list[Any]:
    """Every explorable and live runner made in this process that is still in use, oldest first."""
    found = [ref() for ref in _MADE]
    return [made for made in found if made is not None]


class Shown:
    """A screen and a panel. A subclass draws, and builds `box`, the widget that a notebook shows, by `_build`."""

    kind = "shown"
    box: widgets.VBox

    def __init__(
        self, controls: Mapping[str, Control], size: tuple[float, float], alt: str, instant: bool = True
    ) -> None:
        self._screen = screen.Screen(size, alt)
        self._panel = Panel(controls, instant)
        self._layouts = style.Layouts()
        self._lock = threading.RLock()
        self._mover: int | None = None

    def _build(self, *between: widgets.Widget) -> None:
        """The box: controls, what stands `between`, picture and reading; from now on `explorables` finds it."""
        rows = [self._panel.box, *between, self._screen.image, self._screen.line]
        self.box = widgets.VBox([screen.styles(), *rows])
        self.box.add_class("ebmlab-explorable")
        self._panel.box.layout = self._screen.image.layout
        _MADE.append(weakref.ref(self))

    @property
    def values(self) -> dict[str, Any]:
        """What the controls say now, as the drawing function receives it."""
        return self._panel.values

    @property
    def controls(self) -> dict[str, Any]:
        """The widgets, by name."""
        return self._panel.widgets

    @property
    def png(self) -> bytes:
        """The picture now shown."""
        return self._screen.png

    @property
    def reading(self) -> str:
        """The line of text now shown below it."""
        return self._screen.reading

    @property
    def alt(self) -> str:
        """The alt text of the picture."""
        return self._screen.alt

    @property
    def version(self) -> int:
        """How many pictures have been shown."""
        return self._screen.version

    def extremes(self) -> Iterator[dict[str, Any]]:
        """Settings to try: default, each control at minimum and maximum (choices: all), both corners."""
        return self._panel.extremes()

    def _move(self, values: Mapping[str, Any]) -> None:
        """Move the controls from Python; events that this raises are not the reader's (see `_own_event`)."""
        self._mover = threading.get_ident()
        try:
            self._panel.move(values)
        finally:
            self._mover = None

    def _own_event(self) -> bool:
        """Whether the event being handled comes from `_move`."""
        return self._mover == threading.get_ident()

    def __repr__(self) -> str:
        return f"{self.kind}: {self.alt}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, object]:
        return screen.bundle(self.box, repr(self), **kwargs)
