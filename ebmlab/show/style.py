"""One visual language for the whole course, and the one way from a drawing function to a PNG.

What is exact is a thin dark line; samples, model and data each keep one colour and one marker; spin up and
down are a fixed pair; energy has one colour map and temperature another. Colours come from palettes that
people with any colour vision can tell apart, and no plot relies on colour alone.

matplotlib keeps process-wide state and some kernels run widget callbacks on a second thread. So pyplot is
never used here, and everything that touches a figure happens in `picture`, under one lock.
"""

import functools
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from cycler import cycler
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from PIL import Image

EXACT = "#1F2430"  # thin dark line
SAMPLES = "#0072B2"  # blue, circles with error bars
MODEL = "#D55E00"  # vermilion, solid line or squares
DATA = "#009E73"  # green, triangles
ACCENT = "#B5478F"  # purple: what the reader should look at (frustration, rejections, thresholds)
FAINT = "#9AA3B2"  # grey: context, warm-up, guides
UP = "#F5B83D"  # spin +1, or 1: light amber
DOWN = "#2C3E7B"  # spin -1, or 0: dark indigo; also far apart in grey scale
GRID = "#E4E7EC"

SPIN_MAP = ListedColormap([DOWN, UP], name="ebmlab-spin")
ENERGY_MAP = colormaps["viridis"]
HEAT_MAP = LinearSegmentedColormap.from_list("ebmlab-heat", colormaps["plasma"](np.linspace(0.02, 0.86, 64)))
WEIGHT_MAP = colormaps["PuOr_r"]  # couplings and weights: purple negative, white zero, orange positive

LINES: dict[str, dict[str, Any]] = {
    "exact": {"color": EXACT, "linewidth": 1.3, "zorder": 2.5},
    "samples": {"color": SAMPLES, "marker": "o", "markersize": 4.5, "linestyle": "none", "zorder": 3},
    "model": {"color": MODEL, "linewidth": 2.0, "zorder": 2.8},
    "data": {"color": DATA, "marker": "^", "markersize": 5, "linestyle": "none", "zorder": 3},
}

LABELS = {
    "T": r"temperature $T$ ($J/k_B$)",
    "beta": r"inverse temperature $\beta$ ($1/J$)",
    "E": r"energy $E$ ($J$)",
    "u": r"energy per spin $u = E/N$ ($J$)",
    "m": r"magnetisation $m$",
    "abs_m": r"magnetisation $\langle|m|\rangle$",
    "C": r"heat capacity $C$ ($k_B$)",
    "c": r"heat capacity per spin $C/N$ ($k_B$)",
    "chi": r"susceptibility per spin $\chi$ ($1/J$)",
    "S": r"entropy $S$ ($k_B$)",
    "s": r"entropy per spin $S/N$ ($k_B$)",
    "F": r"free energy $F$ ($J$)",
    "f": r"free energy per spin $F/N$ ($J$)",
    "log_z": r"log partition function $\ln Z$",
    "p": r"probability $P$",
    "density": r"probability density $p(x)$",
    "x": r"position $x$",
    "h": r"field $h$ ($J$)",
    "q": r"overlap $q$",
    "N": r"number of spins $N$",
    "L": r"lattice side $L$",
    "step": "step (sweeps)",
    "lag": "lag (sweeps)",
    "rho": r"autocorrelation $\rho$",
    "tau": r"autocorrelation time $\tau$ (sweeps)",
    "ess": "effective sample size",
    "rhat": r"$\hat R$",
    "acceptance": "acceptance probability",
    "update": "training step (updates)",
    "epoch": "epoch",
    "log_likelihood": "log-likelihood per example (nats)",
    "loss": "loss",
    "kl": r"Kullback-Leibler divergence $D_{KL}$ (nats)",
    "tv": "total variation distance",
    "time": r"time $t$",
    "state": "state",
    "site": "site",
}

DPI = 144
QUICK_DPI = 120  # of pictures that follow a slider
CSS_DPI = 96  # a figure of 7.2 inches is shown 691 CSS pixels wide, and drawn 1.25 or 1.5 times as fine
LOCK = threading.RLock()

RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 10.5,
    "axes.labelsize": 10.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.titley": 1.0,  # fixed: matplotlib otherwise measures every label to place a title
    "axes.labelpad": 5,
    "axes.edgecolor": "#5B6474",
    "axes.labelcolor": EXACT,
    "axes.titlecolor": EXACT,
    "text.color": EXACT,
    "axes.linewidth": 0.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.9,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.color": "#3A4252",
    "ytick.color": "#3A4252",
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": cycler(color=[SAMPLES, MODEL, DATA, ACCENT, "#56B4E9", "#8C6D1F"]),
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "errorbar.capsize": 2.5,
    "legend.fontsize": 9.5,
    "legend.frameon": True,
    "legend.framealpha": 0.88,
    "legend.edgecolor": "white",
    "legend.fancybox": False,
    "legend.handlelength": 1.7,
    "image.cmap": "viridis",
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
    "figure.dpi": DPI,
}


def label(name: str) -> str:
    """The course's axis label for a quantity: `label("u")` is "energy per spin u = E/N (J)".

    A name that is not in `LABELS` is used as it stands, so free text works too.
    """
    return LABELS.get(name, name)


def axis_labels(ax: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Write the standard labels (names from `LABELS`, or free text) and a title on an axes."""
    if x:
        ax.set_xlabel(label(x))
    if y:
        ax.set_ylabel(label(y))
    if title:
        ax.set_title(title)


def new_figure(size: tuple[float, float] = (7.2, 3.6), dpi: float = DPI) -> Figure:
    """A plain `Figure` of size (width, height) in inches, outside pyplot.

    Axes take the course's look when they are made inside `look()`; `picture` sees to that.
    """
    figure = Figure(figsize=size, dpi=dpi)
    figure.set_layout_engine("constrained", w_pad=0.07, h_pad=0.07, wspace=0.03, hspace=0.05)
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    renderer.mathtext_parser = _formulas()
    return figure


@functools.cache
def _formulas() -> Any:
    """One parser for all figures, so that a formula is parsed once; matplotlib makes one for each figure."""
    renderer: Any = FigureCanvasAgg(Figure()).get_renderer()
    return renderer.mathtext_parser


def look() -> Any:
    """The context in which axes get the course's look. Not safe across threads by itself: `picture` is."""
    return rc_context(RC)


def picture(
    draw: Callable[..., str],
    size: tuple[float, float],
    values: dict[str, Any],
    layouts: "Layouts | None" = None,
) -> tuple[bytes, str]:
    """Call `draw(figure, **values)` and return (PNG bytes, reading).

    Everything from the empty figure to the PNG happens under one lock. With `layouts` the margins found
    earlier are used again, which saves a third of the time and keeps axes from jumping between pictures.
    """
    with LOCK, look():
        figure = new_figure(size, QUICK_DPI if layouts else DPI)
        reading = draw(figure, **values)
        if not isinstance(reading, str):
            raise TypeError(
                f"the drawing function returned {type(reading).__name__}, expected a str: "
                "end it with `return` and a one-line reading of what the picture shows"
            )
        return (layouts.render(figure) if layouts else render(figure)), reading


def render(figure: Figure, compress_level: int = 3) -> bytes:
    """PNG bytes of a figure."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    with LOCK:
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return encode(Image.fromarray(np.ascontiguousarray(pixels)), compress_level)


def encode(image: Image.Image, compress_level: int) -> bytes:
    """PNG bytes of an image."""
    out = io.BytesIO()
    image.save(out, "png", compress_level=compress_level, dpi=(DPI, DPI))
    return out.getvalue()


def shrink(png: bytes, budget: int = 20_000) -> bytes:
    """The same PNG packed harder, with 256 colours when it would otherwise exceed `budget` bytes."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    packed = encode(image, 9)
    if len(packed) > budget:
        packed = encode(image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE), 9)
    return packed


class Layouts:
    """Margins remembered between pictures of one drawing function.

    The first picture pays for matplotlib's constrained layout. Later ones with the same arrangement of axes
    and labels reuse its positions, unless a tick label grew: then the layout is found anew. Margins only
    grow, so nothing is cut off and the axes come to rest.
    """

    def __init__(self) -> None:
        self.known: dict[Any, tuple[tuple[int, ...], list[Any]]] = {}

    def render(self, figure: Figure) -> bytes:
        arrangement = _arrangement(figure)
        if arrangement in self.known:
            widths, positions = self.known[arrangement]
            engine = figure.get_layout_engine()
            figure.set_layout_engine("none")
            for axes, position in zip(figure.axes, positions, strict=True):
                axes.set_position(position)
            png = render(figure)
            found = _tick_widths(figure)
            if all(new <= old for new, old in zip(found, widths, strict=True)):
                return png
            figure.set_layout_engine(engine)
            for axes in figure.axes:
                axes.set_in_layout(True)
        png = render(figure)
        positions = [axes.get_position(original=True) for axes in figure.axes]
        self.known[arrangement] = (_tick_widths(figure), positions)
        return png


def _arrangement(figure: Figure) -> tuple[Any, ...]:
    """What decides the margins apart from the tick labels: the axes and the lines of text around each."""
    titles = tuple(_lines(text.get_text()) for text in figure.texts)
    return titles, len(figure.legends), tuple(_surroundings(axes) for axes in figure.axes)


def _surroundings(axes: Axes) -> tuple[Any, ...]:
    """Place in the grid, and the lines of text at each side, of one axes."""
    texts = (axes.get_title("left"), axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
    return repr(axes.get_subplotspec()), axes.axison, *(_lines(text) for text in texts)


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _tick_widths(figure: Figure) -> tuple[int, ...]:
    """The longest tick label on the vertical axis of every axes, in characters."""
    return tuple(
        max((len(tick.label1.get_text()) + len(tick.label2.get_text()) for tick in a.yaxis.majorTicks), default=0)
        for a in figure.axes
    )
