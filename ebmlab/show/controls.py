"""Sliders, choices, toggles and buttons: what a reader can move, labelled in words with symbol and unit.

A control is a description; `panel.Panel` turns descriptions into widgets, reads them and moves them.
"""

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

LETTER_EM = 0.52  # generous width of a letter of the label, so that no label is cut off
WIDE_EM = 0.64  # on a button, whose text may hold many wide letters such as m


@dataclasses.dataclass(frozen=True)
class Control:
    """Something a reader can move: makes its widget, reads it, moves it, and says which settings are worth trying."""

    label: str

    @abstractmethod
    def widget(self, instant: bool) -> Any:
        """A new widget with a `value`; instant: it reports while it moves."""

    @abstractmethod
    def settings(self) -> Sequence[Any]:
        """Settings worth trying: both ends and the start, or all options."""

    @abstractmethod
    def read(self, widget: Any) -> Any:
        """What the drawing function receives."""

    @abstractmethod
    def move(self, widget: Any, value: Any) -> None:
        """Set the widget as a reader would; ValueError where no reader could."""


@dataclasses.dataclass(frozen=True)
class Slider(Control):
    """A number between two bounds; whole, linear or logarithmic."""

    low: float
    high: float
    value: float
    step: float
    log: bool
    whole: bool

    def widget(self, instant: bool) -> Any:
        common = {"value": self.value, "continuous_update": instant}
        if self.whole:
            return widgets.IntSlider(min=self.low, max=self.high, step=self.step, **common)
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return widgets.FloatLogSlider(min=low, max=high, step=self.step, readout_format=".3g", **common)
        digits = max(0, min(6, math.ceil(-math.log10(self.step) - 1e-9)))
        return widgets.FloatSlider(min=self.low, max=self.high, step=self.step, readout_format=f".{digits}f", **common)

    def settings(self) -> list[float]:
        return [self.low, self.value, self.high]

    def read(self, widget: Any) -> float | int:
        """The number on the slider, kept inside the bounds (a log slider rounds just outside them)."""
        return min(max(widget.value, self.low), self.high)

    def move(self, widget: Any, value: Any) -> None:
        if not isinstance(value, int | float | np.number) or not self.low <= value <= self.high:
            raise ValueError(f"{self.label}: got {value!r}, expected a number from {self.low} to {self.high}")
        if self.whole and value != int(value):
            raise ValueError(f"{self.label}: got {value!r}, expected a whole number")
        widget.value = int(value) if self.whole else float(value)


@dataclasses.dataclass(frozen=True)
class Choice(Control):
    """One of a few options; the drawing function receives the option, the reader sees its name."""

    options: Mapping[Any, Any]
    value: Any

    def widget(self, instant: bool) -> Any:
        names = [str(key) for key in self.options]
        places = list(zip(names, range(len(names)), strict=True))
        start = list(self.options).index(self.value)
        if len(names) <= 4 and sum(map(len, names)) <= 40:
            made = widgets.ToggleButtons(options=places, value=start)
            made.style.button_width = f"{max(map(len, names)) * WIDE_EM + 2.4:.1f}em"
            return made
        return widgets.Dropdown(options=places, value=start)

    def settings(self) -> list[Any]:
        return list(self.options)

    def read(self, widget: Any) -> Any:
        return list(self.options.values())[widget.value]

    def move(self, widget: Any, value: Any) -> None:
        keys = list(self.options)
        if value not in keys:
            raise ValueError(f"{self.label}: got {value!r}, expected one of {keys}")
        widget.value = keys.index(value)


@dataclasses.dataclass(frozen=True)
class Toggle(Control):
    """On or off."""

    value: bool

    def widget(self, instant: bool) -> Any:
        return widgets.Checkbox(value=self.value, indent=False)

    def settings(self) -> list[bool]:
        return [self.value, not self.value]

    def read(self, widget: Any) -> bool:
        return bool(widget.value)

    def move(self, widget: Any, value: Any) -> None:
        if not isinstance(value, bool | int) or value not in (0, 1):
            raise ValueError(f"{self.label}: got {value!r}, expected True or False")
        widget.value = bool(value)


class CountingButton(widgets.Button):
    """A button that knows how often it was pressed."""

    presses = 0


@dataclasses.dataclass(frozen=True)
class Button(Control):
    """Something to do again; the drawing function receives the number of presses."""

    def widget(self, instant: bool) -> Any:
        return CountingButton(icon="refresh")

    def settings(self) -> list[int]:
        return [0, 1]

    def read(self, widget: Any) -> int:
        return widget.presses

    def move(self, widget: Any, value: Any) -> None:
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{self.label}: got {value!r}, expected a number of presses (0, 1, ...)")
        widget.presses = value


def slider(
    label: str,
    low: float,
    high: float,
    value: float,
    *,
    step: float | None = None,
    log: bool = False,
    unit: str = "",
) -> Slider:
    """A slider from `low` to `high`, labelled in words with the symbol: "temperature T".

    Whole numbers when low, high, value (and step, if given) are ints. `log=True` moves in powers of ten;
    `step` is then in decades. Without `step`: 100 steps. Errors: bounds in the wrong order, value outside.
    """
    if not low < high or not low <= value <= high:
        raise ValueError(f"{label}: got low={low}, value={value}, high={high}, expected low <= value <= high")
    if log and low <= 0:
        raise ValueError(f"{label}: got low={low} with log=True, expected low > 0")
    given = (low, high, value) if step is None else (low, high, value, step)
    whole = not log and all(isinstance(number, int) for number in given)
    if step is None:
        step = 1 if whole else _fine_step(low, high, value, log)
    if not step > 0:
        raise ValueError(f"{label}: got step={step}, expected a number above 0")
    steps = _way(low, value, log) / step
    if abs(steps - round(steps)) > 1e-6:
        raise ValueError(
            f"{label}: got value={value}, which no number of steps of {step} from {low} reaches: "
            "browsers would move it to the next step. Change value, low or step"
        )
    return Slider(f"{label} ({unit})" if unit else label, low, high, value, step, log, whole)


def _way(low: float, value: float, log: bool) -> float:
    """How far `value` is from the lower bound; in decades on a log slider."""
    return math.log10(value / low) if log else value - low


def _fine_step(low: float, high: float, value: float, log: bool) -> float:
    """About a hundredth of the range, a round number if one leads from `low` to `value`."""
    rough = _way(low, high, log) / 100
    power = 10.0 ** math.floor(math.log10(rough))
    for step in [factor * power for factor in (5, 2, 1, 0.5, 0.2, 0.1)]:
        steps = _way(low, value, log) / step
        if step <= 1.3 * rough and abs(steps - round(steps)) < 1e-6:
            return step
    way = _way(low, value, log)
    return way / max(1, round(way / rough)) if way else rough


def choice(label: str, options: Sequence[Any] | Mapping[str, Any], value: Any = None) -> Choice:
    """A choice between options; a dict {name: option} shows the names and passes the options.

    `value` is the first shown (a name when options is a dict); without it the first option.
    """
    table = dict(options) if isinstance(options, Mapping) else {option: option for option in options}
    if not table:
        raise ValueError(f"{label}: got no options, expected at least one")
    start = next(iter(table)) if value is None else value
    if start not in table:
        raise ValueError(f"{label}: got value={value!r}, expected one of {list(table)}")
    return Choice(label, table, start)


def toggle(label: str, value: bool = False) -> Toggle:
    """A check box."""
    return Toggle(label, bool(value))


def button(label: str) -> Button:
    """A button such as "new random numbers"; the drawing function receives the number of presses."""
    return Button(label)
