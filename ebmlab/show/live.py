"""`live`: a computation that runs while the reader watches, in short chunks, with Play, Pause, Step, Reset.

A notebook cannot interrupt a busy cell from a button. So the work is an asyncio task on the kernel's own
loop: one chunk, a breath for the kernel, the next chunk; a picture at most `fps` times a second. Pause acts
after the chunk that is running, and sliders act on the next one.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ebmlab.show import style
from ebmlab.show.controls import Control
from ebmlab.show.shown import Shown
from ebmlab.show.transport import progress, transport

SLICE = 0.04  # seconds of work in one go (at least one chunk) ...
BREATH = 0.012  # ... then seconds for the kernel, which needs several turns to hear a button or a slider


class Live(Shown):
    """A running computation with its picture. Made by `live`.

    In plain Python, without a loop, `step(n)` and `reset()` drive it; in a notebook `play()` and `pause()`
    do what the buttons do.
    """

    kind = "live"

    def __init__(
        self,
        init: Callable[..., Any],
        advance: Callable[..., Any],
        draw: Callable[..., str],
        controls: dict[str, Control],
        size: tuple[float, float],
        alt: str,
        chunks: int | None,
        restart: Sequence[str],
        fps: float,
    ) -> None:
        unknown = [name for name in restart if name not in controls]
        if unknown:
            raise ValueError(f"restart names {unknown}, expected some of the controls {list(controls)}")
        super().__init__(controls, size, alt)
        self.init, self.advance, self.draw = init, advance, draw
        self.chunks, self.fps = chunks, fps
        self.playing = False
        self._restart = set(restart)
        self._loop = _running_loop()
        self._task: asyncio.Task[None] | None = None
        self._buttons = transport(self._on_button)
        self._progress = widgets.HTML()
        self.reset()
        self._panel.on_change(self._on_event)
        layout = widgets.Layout(align_items="center", flex_flow="row wrap")
        bar = widgets.HBox(list(self._buttons.values()), layout=layout)
        self._build(bar, self._progress)
        self.box._view_count = 0
        self.box.observe(self._on_views, "_view_count")

    # reading it

    @property
    def buttons(self) -> dict[str, Any]:
        """The buttons "play", "pause", "step", "reset"."""
        return self._buttons

    @property
    def finished(self) -> bool:
        """Whether all `chunks` are done."""
        return self.chunks is not None and self.done >= self.chunks

    # driving it

    def reset(self) -> "Live":
        """Pause and start again from `init` with the present settings."""
        self.playing = False
        with self._lock:
            self.state = self.init(**self.values)
            self.done, self.elapsed = 0, 0.0
            self._show()
        return self

    def step(self, n: int = 1) -> "Live":
        """Do up to n chunks now, then draw once. Raises what `advance` or `draw` raises."""
        with self._lock:
            for _ in range(n):
                if self.finished:
                    break
                self._chunk()
            self._show()
        return self

    def set(self, **values: Any) -> "Live":
        """Move the controls as a reader would: the next chunk uses them; names in `restart` start again."""
        with self._lock:
            self._move(values)
            if self._restart & set(values):
                self.reset()
            else:
                self._show()
        return self

    def play(self) -> "Live":
        """Run until paused or finished, on the notebook's loop. Outside a notebook use `step(n)`."""
        here = _running_loop()
        self._loop = self._loop or here
        if self._loop is None:
            raise RuntimeError("there is no running event loop here: use .step(n) in plain Python")
        if self.playing or self.finished:
            return self
        self.playing = True
        self._mark()
        if here is self._loop:
            self._spawn()
        else:
            self._loop.call_soon_threadsafe(self._spawn)
        return self

    def pause(self) -> "Live":
        """Stop after the chunk that is running."""
        self.playing = False
        self._mark()
        return self

    # inside

    def _spawn(self) -> None:
        assert self._loop is not None
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        """Slices of work between breaths; a picture when a frame is due, and one at the end."""
        shown = time.perf_counter()
        try:
            while self.playing and not self.finished:
                with self._lock:
                    begun = time.perf_counter()
                    while self.playing and not self.finished:
                        self._chunk()
                        if time.perf_counter() - begun > SLICE:
                            break
                await asyncio.sleep(BREATH)
                with self._lock:
                    if self.playing and time.perf_counter() - shown >= 1 / self.fps:
                        shown = time.perf_counter()
                        self._show()
                await asyncio.sleep(BREATH)
            with self._lock:
                self.playing = self.playing and not self.finished
                self._show()
        except Exception as error:
            self.playing = False
            self._screen.fail(error)
            self._mark()

    def _chunk(self) -> None:
        start = time.perf_counter()
        self.state = self.advance(self.state, **self.values)
        self.elapsed += time.perf_counter() - start
        self.done += 1

    def _show(self) -> None:
        try:
            png, reading = style.picture(self._draw_state, self._screen.size, self.values, self._layouts)
        except Exception as error:
            self._screen.fail(error)
            raise
        self._screen.show(png, reading)
        self._mark()

    def _draw_state(self, fig: Any, **values: Any) -> str:
        return self.draw(fig, self.state, **values)

    def _mark(self) -> None:
        """Progress, and which buttons can be pressed."""
        self._progress.value = progress(self.done, self.chunks, self.elapsed, self.playing)
        self._buttons["play"].disabled = self.playing or self.finished
        self._buttons["pause"].disabled = not self.playing
        self._buttons["step"].disabled = self.playing or self.finished

    def _on_event(self, name: str) -> None:
        if self._own_event():
            return
        try:
            with self._lock:
                playing = self.playing
                if name in self._restart:
                    self.reset()
                    if playing:
                        self.play()
                elif not playing:
                    self._show()
        except Exception as error:
            self._screen.fail(error)

    def _on_button(self, name: str) -> None:
        try:
            getattr(self, name)()
        except Exception as error:
            self._screen.fail(error)

    def _on_views(self, change: Any) -> None:
        """The reader closed it or ran the cell again: nobody is watching, so stop."""
        if change["new"] == 0:
            self.pause()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def live(
    init: Callable[..., Any],
    advance: Callable[..., Any],
    draw: Callable[..., str],
    *,
    size: tuple[float, float] = (7.2, 3.6),
    alt: str = "",
    chunks: int | None = None,
    restart: Sequence[str] = (),
    fps: float = 8.0,
    **controls: Control,
) -> Live:
    """Run while the reader watches: init(**values) -> state; advance(state, **values) -> state, one chunk
    (best 10 to 100 ms); draw(fig, state, **values) -> one-line reading.

    chunks: how many there are, for a progress bar with the remaining time; None runs until paused.
    restart: names of controls that start the run again (a lattice size, say); the others act on the fly.
    """
    return Live(init, advance, draw, controls, size, alt, chunks, restart, fps)
