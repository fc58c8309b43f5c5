"""Pictures of arrays: spin states in their fixed pair of colours, and matrices with their numbers."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ebmlab.show import style


def state_grid(ax: Axes, spins: ArrayLike, *, columns: int | None = None, marks: bool | None = None) -> Any:
    """Two-valued states in the fixed pair of colours: amber up (+1, or 1), indigo down (-1, or 0).

    spins: (rows, cols) one state; (k, rows, cols) many, as small multiples with gaps; (n,) one row of spins.
    marks: write + and - into the cells, so that colour is not alone; by default when there are 100 or fewer.
    """
    array = np.asarray(spins)
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim not in (2, 3):
        raise ValueError(f"got spins of shape {array.shape}, expected (n,), (rows, cols) or (k, rows, cols)")
    up = (array > 0).astype(float)
    tiled = up if array.ndim == 2 else _tile(up, columns)
    shown = ax.imshow(tiled, cmap=style.SPIN_MAP, vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    ax.set_axis_off()
    if marks if marks is not None else tiled.size <= 100:
        for (row, column), value in np.ndenumerate(tiled):
            if np.isfinite(value):
                colour = style.EXACT if value else "white"
                ax.text(column, row, "+" if value else "−", ha="center", va="center", color=colour, fontsize=11)
    return shown


def spin_key(ax: Axes, up: str = "up, +1", down: str = "down, −1", **place: Any) -> None:
    """The key to the two spin colours, below the axes."""
    handles = [Patch(facecolor=style.UP, label=up), Patch(facecolor=style.DOWN, label=down)]
    where = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "ncols": 2, "frameon": False, **place}
    ax.legend(handles=handles, **where)


def matrix(
    ax: Axes,
    values: ArrayLike,
    *,
    labels: Sequence[str] | None = None,
    signed: bool = False,
    bound: float | None = None,
    digits: int = 2,
    rows: str = "from state",
    cols: str = "to state",
) -> Any:
    """A matrix as a picture, with its numbers when it has at most twelve rows and columns.

    Default: values from 0 to `bound` (1), such as transition probabilities. signed=True: couplings or
    weights, white at 0, symmetric about it.
    """
    array = np.asarray(values, float)
    if array.ndim != 2:
        raise ValueError(f"got a matrix of shape {array.shape}, expected (rows, cols)")
    top = bound if bound is not None else (float(np.abs(array).max()) or 1.0) if signed else 1.0
    cmap, low = (style.WEIGHT_MAP, -top) if signed else ("Blues", 0.0)
    shown = ax.imshow(array, cmap=cmap, vmin=low, vmax=top, interpolation="nearest", aspect="equal")
    ax.grid(False)
    if max(array.shape) <= 12:
        size = 9.5 if max(array.shape) <= 6 else 7.5
        for (row, column), value in np.ndenumerate(array):
            dark = abs(value) > 0.6 * top
            ax.text(
                column,
                row,
                f"{value:.{digits}f}",
                ha="center",
                va="center",
                fontsize=size,
                color="white" if dark else style.EXACT,
            )
    if labels is not None:
        ax.set_xticks(range(array.shape[1]), labels[: array.shape[1]])
        ax.set_yticks(range(array.shape[0]), labels[: array.shape[0]])
    else:
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    style.axis_labels(ax, cols, rows)
    return shown


def _tile(states: np.ndarray, columns: int | None) -> np.ndarray:
    """(k, rows, cols) -> one array with gaps of NaN between the states."""
    k, rows, cols = states.shape
    columns = columns or math.ceil(math.sqrt(k))
    gap = max(1, round(min(rows, cols) / 10))
    down = math.ceil(k / columns)
    sheet = np.full((down * (rows + gap) - gap, columns * (cols + gap) - gap), np.nan)
    for place, state in enumerate(states):
        top, left = (place // columns) * (rows + gap), (place % columns) * (cols + gap)
        sheet[top : top + rows, left : left + cols] = state
    return sheet
