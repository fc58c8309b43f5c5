"""Buttons and progress line of a live runner."""

from collections.abc import Callable

import ipywidgets as widgets


def transport(press: Callable[[str], None]) -> dict[str, widgets.Button]:
    """The buttons Play, Pause, Step, Reset; `press(name)` hears them."""
    icons = {"play": "play", "pause": "pause", "step": "step-forward", "reset": "undo"}
    made = {}
    for name, icon in icons.items():
        made[name] = widgets.Button(
            description=name.capitalize(), icon=icon, layout=widgets.Layout(width="86px", flex="0 0 auto")
        )
        made[name].on_click(lambda _, name=name: press(name))
    made["play"].button_style = "primary"
    return made


def progress(done: int, chunks: int | None, elapsed: float, playing: bool) -> str:
    """One line of HTML: state, chunks done, seconds of work so far and, with a total, a bar and the seconds left."""
    state = "running" if playing else ("finished" if chunks is not None and done >= chunks else "paused")
    if chunks is None:
        return f'<span class="ebmlab-progress">{state} · chunk {done} · {elapsed:.1f} s</span>'
    share = min(1.0, done / chunks)
    left = f" · about {elapsed / done * (chunks - done):.0f} s left" if 0 < done < chunks else ""
    return (
        f'<span class="ebmlab-bar"><span style="width:{100 * share:.0f}%"></span></span>'
        f'<span class="ebmlab-progress">{state} · {done} of {chunks} · {elapsed:.1f} s{left}</span>'
    )
