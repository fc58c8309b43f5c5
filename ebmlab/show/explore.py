"""`explore`: a drawing function with sliders.

def draw(fig, T):
    ax = fig.subplots()
    ...
    return f"At T = {T:.2f} the lowest state has probability {p[0]:.2f}."

explore(draw, alt="...", T=slider("temperature T", 0.1, 5.0, 1.0, unit="J/k_B"))
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as widgets

from ebmlab.show import screen, style
from ebmlab.show.controls import Control
from ebmlab.show.panel import Panel

_MADE: list[weakref.ref[Any]] = []
SLOW_MS = 300  # above this the reading says "computing" while the reader waits


def explorables() -> list[Any]:
    """Every explorable and live runner made in this process that is still in use, oldest first."""
    found = [ref() for ref in _MADE]
    return [made for made in found if made is not None]


def register(made: Any) -> None:
    """Let `explorables` find it."""
    _MADE.append(weakref.ref(made))


class Explorable:
    """A picture that follows its controls. Made by `explore`.

    Slider events that arrive while a picture is being drawn are merged: only the latest setting is drawn.
    Errors in the drawing function appear in the reading; `set` also raises them.
    """

    def __init__(
        self,
        draw: Callable[..., str],
        controls: dict[str, Control],
        size: tuple[float, float],
        alt: str,
        instant: bool,
    ) -> None:
        self.draw = draw
        self.last_ms = 0.0
        self._screen = screen.Screen(size, alt)
        self._panel = Panel(controls, instant)
        self._layouts = style.Layouts()
        self._lock = threading.RLock()
        self._waiting = threading.Event()
        self._mover: int | None = None
        self._redraw()
        self._panel.on_change(self._on_event)
        self.box = widgets.VBox([screen.styles(), self._panel.box, self._screen.image, self._screen.line])
        self.box.add_class("ebmlab-explorable")
        if not instant:
            self.box.add_class("ebmlab-heavy")  # declared slow: no promise about its time
        self._panel.box.layout = self._screen.image.layout
        register(self)

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

    def set(self, **values: Any) -> "Explorable":
        """Move the controls as a reader would and draw once. Raises what the drawing function raises."""
        with self._lock:
            self._mover = threading.get_ident()
            try:
                self._panel.move(values)
            finally:
                self._mover = None
            self._waiting.clear()
            self._redraw()
        self._draw_waiting()
        return self

    def extremes(self) -> Iterator[dict[str, Any]]:
        """Settings to try: default, each control at minimum and maximum (choices: all), both corners."""
        return self._panel.extremes()

    def _on_event(self, name: str) -> None:
        if self._mover != threading.get_ident():
            self._waiting.set()
            self._draw_waiting()

    def _draw_waiting(self) -> None:
        """Draw until nothing waits. Whoever holds the lock looks again after releasing it."""
        while self._waiting.is_set():
            if not self._lock.acquire(blocking=False):
                return
            try:
                self._waiting.clear()
                self._redraw()
            except Exception:
                pass  # the reading tells the reader; `_redraw` has written it
            finally:
                self._lock.release()

    def _redraw(self) -> None:
        if self.last_ms > SLOW_MS:
            self._screen.busy()
        start = time.perf_counter()
        try:
            png, reading = style.picture(self.draw, self._screen.size, self.values, self._layouts)
        except Exception as error:
            self._screen.fail(error)
            raise
        self.last_ms = 1e3 * (time.perf_counter() - start)
        self._screen.show(png, reading)

    def __repr__(self) -> str:
        return f"explorable: {self.alt}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, object]:
        return screen.bundle(self.box, repr(self), **kwargs)


def explore(
    draw: Callable[..., str],
    *,
    size: tuple[float, float] = (7.2, 3.6),
    alt: str = "",
    instant: bool = True,
    **controls: Control,
) -> Explorable:
    """Draw with sliders: `draw(fig, **values)` fills a matplotlib Figure and returns a one-line reading.

    size: inches (width, height); 7.2 fits a notebook. alt: what the picture shows, for readers who cannot
    see it. instant: redraw while a slider moves; set it to False when one picture takes over 0.3 s.
    Controls: `slider`, `choice`, `toggle`, `button`; their names are the arguments of `draw`.
    """
    return Explorable(draw, controls, size, alt, instant)
