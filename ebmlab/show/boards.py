"""Controls in many parts: a board of cells to click, and a curve drawn with a row of upright sliders."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets

from ebmlab._check import whole
from ebmlab.show import screen, style
from ebmlab.show.controls import Control

MOST_CELLS = 144  # buttons on one board
SMALLEST, LARGEST = 8, 200  # pixels of a cell
MOST_POINTS = 16  # sliders in one curve
INK = {-1: "white", 1: style.EXACT}  # on the colours of spin down and spin up


@dataclasses.dataclass(frozen=True)
class Board(Control):
    """A grid of cells of +1 and -1 that turn over at a click; cells of 0 are gaps."""

    value: tuple[tuple[int, ...], ...]
    signs: tuple[str, str]
    cell: int

    def widget(self, instant: bool) -> Any:
        return BoardOfCells(self)

    def settings(self) -> list[Any]:
        return [self.value, tuple(tuple(-s for s in row) for row in self.value)]

    def read(self, widget: Any) -> np.ndarray:
        """The cells as an array (rows, columns) of -1, 0 and +1."""
        return np.array(widget.value)

    def move(self, widget: Any, value: Any) -> None:
        cells = np.asarray(value)
        start = np.array(self.value)
        if cells.shape != start.shape or not np.array_equal(abs(cells), abs(start)):
            raise ValueError(
                f"{self.label}: expected an array {start.shape} of +1 and -1, with 0 in the {(start == 0).sum()} gaps; "
                f"got shape {cells.shape}"
            )
        widget.value = tuple(tuple(int(s) for s in row) for row in cells)


class BoardOfCells(widgets.VBox):
    """The buttons of a board; `value` holds the rows."""

    value = traitlets.Any()

    def __init__(self, board: Board) -> None:
        side = f"{board.cell}px"
        self._signs = board.signs
        self._cells: dict[tuple[int, int], widgets.Button] = {}
        rows = []
        for r, row in enumerate(board.value):
            shown: list[Any] = []
            for c, cell in enumerate(row):
                layout = widgets.Layout(width=side, height=side, margin="1px", padding="0", flex="0 0 auto")
                if cell == 0:
                    shown.append(widgets.Box(layout=layout))
                    continue
                made = widgets.Button(layout=layout, tooltip=f"{board.label}: row {r + 1}, column {c + 1}")
                made.on_click(lambda _, place=(r, c): self._turn(place))
                self._cells[r, c] = made
                shown.append(made)
            rows.append(widgets.HBox(shown))
        super().__init__([widgets.HTML(screen.rich(board.label)), *rows], value=board.value)
        self.add_class("ebmlab-board")
        self.observe(lambda change: self._colour(), "value")
        self._colour()

    def cell(self, row: int, column: int) -> widgets.Button:
        """The button at a place."""
        return self._cells[row, column]

    def _turn(self, place: tuple[int, int]) -> None:
        rows = [list(row) for row in self.value]
        rows[place[0]][place[1]] *= -1
        self.value = tuple(map(tuple, rows))

    def _colour(self) -> None:
        for (r, c), made in self._cells.items():
            up = self.value[r][c] > 0
            colour, sign = (style.UP, self._signs[0]) if up else (style.DOWN, self._signs[1])
            if made.style.button_color != colour or made.description != sign:
                made.style.button_color, made.style.text_color = colour, INK[1 if up else -1]
                made.description = sign


@dataclasses.dataclass(frozen=True)
class Curve(Control):
    """Numbers in a row, one upright slider each; the drawing function receives an array."""

    low: float
    high: float
    value: tuple[float, ...]
    log: bool

    def widget(self, instant: bool) -> Any:
        return CurveOfSliders(self, instant)

    def settings(self) -> list[Any]:
        size = len(self.value)
        return [(self.low,) * size, self.value, (self.high,) * size]

    def read(self, widget: Any) -> np.ndarray:
        """The numbers, kept inside the bounds."""
        return np.clip(np.array(widget.value), self.low, self.high)

    def move(self, widget: Any, value: Any) -> None:
        numbers = np.asarray(value, float)
        if numbers.shape != (len(self.value),) or not ((numbers >= self.low) & (numbers <= self.high)).all():
            raise ValueError(
                f"{self.label}: expected {len(self.value)} numbers from {self.low} to {self.high}; got {value!r}"
            )
        widget.value = tuple(map(float, numbers))


class CurveOfSliders(widgets.VBox):
    """The sliders of a curve; `value` holds their numbers."""

    value = traitlets.Any()

    def __init__(self, curve: Curve, instant: bool) -> None:
        layout = widgets.Layout(height="150px", width="44px", margin="8px 0 0 0")
        common: dict[str, Any] = {
            "orientation": "vertical",
            "continuous_update": instant,
            "layout": layout,
            "readout_format": ".2g",
        }
        self._busy = False
        self._sliders: list[Any] = []
        for number in curve.value:
            if curve.log:
                low, high = np.log10(curve.low), np.log10(curve.high)
                made = widgets.FloatLogSlider(number, min=low, max=high, step=(high - low) / 50, **common)
            else:
                step = (curve.high - curve.low) / 50
                made = widgets.FloatSlider(number, min=curve.low, max=curve.high, step=step, **common)
            made.observe(lambda change: self._collect(), "value")
            self._sliders.append(made)
        super().__init__([widgets.HTML(screen.rich(curve.label)), widgets.HBox(self._sliders)], value=curve.value)
        self.observe(lambda change: self._spread(), "value")

    @property
    def sliders(self) -> list[Any]:
        """The sliders, left to right."""
        return list(self._sliders)

    def _collect(self) -> None:
        if not self._busy:
            self.value = tuple(slider.value for slider in self._sliders)

    def _spread(self) -> None:
        self._busy = True
        try:
            for slider, number in zip(self._sliders, self.value, strict=True):
                if slider.value != number:
                    slider.value = number
        finally:
            self._busy = False


def board(label: str, start: Any, *, signs: tuple[str, str] = ("+", "−"), cell: int = 30) -> Board:
    """A board of cells to click: `start` is an array (rows, columns) of +1 and -1, and 0 where there is no cell.

    The drawing function receives the array as it stands. signs: what the cells of +1 and -1 show beside their
    colour. cell: the side of a cell in pixels. Errors: other values, rows of unequal length, more than 144 cells.
    """
    try:
        cells = np.asarray(start)
    except ValueError as error:
        raise ValueError(f"{label}: expected rows of equal length; fill the gaps with 0") from error
    _check_look(label, signs, cell)
    if cells.ndim != 2 or not np.isin(cells, (-1, 0, 1)).all() or not cells.any():
        raise ValueError(f"{label}: expected rows of +1, -1 and 0 (gap), at least one cell; got shape {cells.shape}")
    if cells.size > MOST_CELLS:
        raise ValueError(f"{label}: {cells.size} cells are too many buttons for a browser (limit {MOST_CELLS})")
    first, second = signs
    return Board(label, tuple(tuple(int(s) for s in row) for row in cells), (first, second), cell)


def _check_look(label: str, signs: Any, cell: Any) -> None:
    if not isinstance(signs, tuple | list) or len(signs) != 2 or not all(isinstance(sign, str) for sign in signs):
        raise ValueError(f"{label}: signs are two texts, for +1 and for -1, as ('+', '-'); got {signs!r}")
    if whole(f"{label}: the side of a cell in pixels", cell, SMALLEST) > LARGEST:
        raise ValueError(f"{label}: the side of a cell is {SMALLEST} to {LARGEST} pixels; got {cell}")


def curve(label: str, low: float, high: float, values: Sequence[float], *, log: bool = False, unit: str = "") -> Curve:
    """A curve to draw by hand: a row of upright sliders from `low` to `high` that start at `values`.

    The drawing function receives an array of their numbers. log: each slider moves in powers of ten.
    Errors: bounds in the wrong order, values outside, more than 16 of them.
    """
    numbers = tuple(map(float, values))
    if not 1 < len(numbers) <= MOST_POINTS:
        raise ValueError(f"{label}: got {len(numbers)} values, expected 2 to {MOST_POINTS}")
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{label}: a slider needs finite ends; got low={low}, high={high}")
    if not low < high or not all(low <= number <= high for number in numbers):
        raise ValueError(f"{label}: got low={low}, high={high}, values={numbers}, expected low <= values <= high")
    if log and low <= 0:
        raise ValueError(f"{label}: got low={low} with log=True, expected low > 0")
    return Curve(f"{label} ({unit})" if unit else label, low, high, numbers, log)
