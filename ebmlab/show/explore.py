"""`explore`: a drawing function with sliders.

def draw(fig, T):
    ax = fig.subplots()
    ...
    return f"At T = {T:.2f} the lowest state has probability {p[0]:.2f}."

explore(draw, alt="...", T=slider("temperature T", 0.1, 5.0, 1.0, unit="J/k_B"))
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from ebmlab.show import style
from ebmlab.show.controls import Control
from ebmlab.show.shown import Shown

SLOW_MS = 300  # above this the reading says "computing" while the reader waits


class Explorable(Shown):
    """A picture that follows its controls. Made by `explore`.

    Slider events that arrive while a picture is being drawn are merged: only the latest setting is drawn.
    Errors in the drawing function appear in the reading; `set` also raises them.
    """

    kind = "explorable"

    def __init__(
        self,
        draw: Callable[..., str],
        controls: dict[str, Control],
        size: tuple[float, float],
        alt: str,
        instant: bool,
    ) -> None:
        super().__init__(controls, size, alt, instant)
        self.draw = draw
        self.last_ms = 0.0
        self._waiting = threading.Event()
        self._redraw()
        self._panel.on_change(self._on_event)
        self._build()
        if not instant:
            self.box.add_class("ebmlab-heavy")  # declared slow: no promise about its time

    def set(self, **values: Any) -> "Explorable":
        """Move the controls as a reader would and draw once. Raises what the drawing function raises."""
        with self._lock:
            self._move(values)
            self._waiting.clear()
            self._redraw()
        self._draw_waiting()
        return self

    def _on_event(self, name: str) -> None:
        if not self._own_event():
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
    Controls: `slider`, `choice`, `toggle`, `button`, `board`, `curve`; their names are the arguments of `draw`.
    """
    return Explorable(draw, controls, size, alt, instant)
