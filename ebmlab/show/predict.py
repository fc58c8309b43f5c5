"""`predict`: the reader commits to an answer before dragging. Nothing is stored, nothing is scored."""

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from ebmlab.show import screen


class Prediction:
    """A question with two to four answers. Made by `predict`."""

    def __init__(self, question: str, options: Sequence[str], answer: int | str, because: str) -> None:
        if not 2 <= len(options) <= 4:
            raise ValueError(f"got {len(options)} options, expected two to four")
        place = options.index(answer) if isinstance(answer, str) and answer in options else answer
        if not isinstance(place, int) or not 0 <= place < len(options):
            raise ValueError(f"got answer={answer!r}, expected one of {list(options)} or its number")
        self.question, self.options, self.because = question, list(options), because
        self.answer = self.options[place]
        self.committed: str | None = None
        self._buttons = [self._button(option) for option in self.options]
        self._after = widgets.HTML()
        ask = widgets.HTML(_card(f"<b>Predict first.</b> {screen.rich(question)}"))
        row = widgets.Box(self._buttons, layout=widgets.Layout(flex_flow="row wrap", max_width="46em"))
        self.box = widgets.VBox([screen.styles(), ask, row, self._after])
        self.box.add_class("ebmlab-explorable")

    def choose(self, option: str) -> "Prediction":
        """Commit to an option, as pressing its button does. The last choice counts."""
        if option not in self.options:
            raise ValueError(f"got {option!r}, expected one of {self.options}")
        self.committed = option
        for button in self._buttons:
            button.button_style = "info" if button.description == option else ""
            button.icon = "check" if button.description == option else ""
        self._after.value = _card(
            f"You predict: <b>{html.escape(option)}</b>. Now try it below, then compare."
            f"<details><summary>What happens, and why</summary><b>{html.escape(self.answer)}.</b> "
            f"{screen.rich(self.because)}</details>"
        )
        return self

    def _button(self, option: str) -> widgets.Button:
        made = widgets.Button(description=option, layout=widgets.Layout(width="max-content", padding="0 14px"))
        made.on_click(lambda _: self.choose(option))
        return made

    def __repr__(self) -> str:
        return f"predict: {self.question} ({' / '.join(self.options)})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, object]:
        return screen.bundle(self.box, repr(self), **kwargs)


def predict(question: str, options: Sequence[str], answer: int | str, because: str) -> Prediction:
    """Ask before showing: the reader chooses one of two to four options, then sees what to compare with.

    answer: the option that happens, or its number from 0. because: one or two sentences saying why.
    """
    return Prediction(question, options, answer, because)


def _card(content: str) -> str:
    return f'<div class="ebmlab-card" role="status" aria-live="polite">{content}</div>'
