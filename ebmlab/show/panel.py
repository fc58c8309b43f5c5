"""`Panel`: the widgets of some controls, arranged, read and moved together."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ipywidgets as widgets

from ebmlab.show.boards import Board, Curve
from ebmlab.show.controls import LETTER_EM, Choice, Control, CountingButton, Slider


class Panel:
    """The widgets of some controls: `values` reads them, `move` moves them, `on_change` listens."""

    def __init__(self, controls: Mapping[str, Control], instant: bool = True) -> None:
        for name, control in controls.items():
            if not isinstance(control, Control):
                came = type(control).__name__
                kinds = "show.slider, choice, toggle, button, board or curve"
                raise TypeError(f"{name}: got {came}, expected one of {kinds}")
        self.controls = dict(controls)
        self.widgets = {name: control.widget(instant) for name, control in controls.items()}
        self.box = self._arrange()

    @property
    def values(self) -> dict[str, Any]:
        """What the drawing function receives."""
        return {name: control.read(self.widgets[name]) for name, control in self.controls.items()}

    def move(self, values: Mapping[str, Any]) -> None:
        """Move widgets as a reader would. Errors: a name without a control, a value outside its range."""
        for name, value in values.items():
            if name not in self.controls:
                raise ValueError(f"got {name!r}, expected one of the controls {list(self.controls)}")
            self.controls[name].move(self.widgets[name], value)

    def on_change(self, react: Callable[[str], None]) -> None:
        """Call `react(name)` after every change of a control by the reader."""
        for name, widget in self.widgets.items():
            if isinstance(widget, CountingButton):
                widget.on_click(_pressed(react, name))
            else:
                widget.observe(lambda change, name=name: react(name), "value")

    def extremes(self) -> Iterator[dict[str, Any]]:
        """Settings worth trying: the default, each control over its settings, all lowest, all highest."""
        settings = {name: control.settings() for name, control in self.controls.items()}
        default = {name: getattr(control, "value", 0) for name, control in self.controls.items()}
        yield dict(default)
        for name, options in settings.items():
            for option in options:
                if not _same(option, default[name]):
                    yield {**default, name: option}
        if len(settings) > 1:
            yield {name: options[0] for name, options in settings.items()}
            yield {name: options[-1] for name, options in settings.items()}

    def _arrange(self) -> widgets.Box:
        """Sliders one below the other with aligned labels; boards, curves, choices, check boxes, buttons below."""
        longest = max((len(c.label) for c in self.controls.values() if isinstance(c, Slider)), default=0)
        sliders, others = [], []
        for name, control in self.controls.items():
            widget = self.widgets[name]
            if isinstance(control, Board | Curve):
                widget.layout = widgets.Layout(width="max-content", max_width="100%", margin="2px 18px 6px 2px")
                others.append(widget)
                continue
            widget.description = control.label
            if isinstance(control, Slider):
                widget.style.description_width = f"{longest * LETTER_EM + 1.0:.1f}em"
                widget.layout = widgets.Layout(width="100%", max_width="600px")
                sliders.append(widget)
                continue
            if isinstance(control, Choice):
                widget.style.description_width = "max-content"
            widget.layout = widgets.Layout(width="max-content", max_width="100%", margin="2px 18px 2px 2px")
            others.append(widget)
        columns = "1fr 1fr" if len(sliders) >= 5 and longest <= 22 else "1fr"
        layout = widgets.Layout(grid_template_columns=columns, grid_gap="0 24px", width="100%")
        row = widgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
        boxes = [widgets.GridBox(sliders, layout=layout)] if sliders else []
        return widgets.VBox(boxes + ([widgets.Box(others, layout=row)] if others else []))


def _pressed(react: Callable[[str], None], name: str) -> Callable[[Any], None]:
    def press(widget: Any) -> None:
        widget.presses += 1
        react(name)

    return press


def _same(left: Any, right: Any) -> bool:
    return left is right or (type(left) is type(right) and left == right)
