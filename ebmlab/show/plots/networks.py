"""Networks: spins and bonds with the unsatisfied ones marked, layered machines, small Markov chains."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike

from ebmlab.show import style

POSITIVE, NEGATIVE = style.WEIGHT_MAP(0.88), style.WEIGHT_MAP(0.12)  # bonds J > 0, solid; J < 0, dashed
RADIUS = 0.24  # of a node of a Markov chain, whose nodes lie on a circle of radius 1


def graph(
    ax: Axes,
    graph: Any,
    couplings: ArrayLike | None = None,
    spins: ArrayLike | None = None,
    *,
    key: bool = True,
    numbers: bool = False,
) -> int:
    """Nodes and bonds of an `ebmlab` graph; returns the number of unsatisfied bonds.

    couplings (m,): bonds with J > 0 are orange and solid, with J < 0 violet and dashed. spins (n,): nodes in the two
    spin colours; a bond with J s_i s_j < 0 is unsatisfied and gets a broad purple band. Bonds that leave one side of
    a periodic lattice and enter on the other are drawn as two stubs. key: a legend of all kinds of bonds, those
    that happen to be absent included, so that it stays in place while a reader clicks.
    """
    edges = np.asarray(graph.edges).reshape(-1, 2)
    places, shape = _positions(graph), getattr(graph, "shape", None)
    strength = np.ones(len(edges)) if couplings is None else np.broadcast_to(np.asarray(couplings, float), len(edges))
    state = None if spins is None else np.where(np.ravel(spins) > 0, 1, -1)
    if state is not None and state.size != graph.n:
        raise ValueError(f"spins must have one value for each of the {graph.n} nodes; got {state.size} values")
    unsatisfied = np.zeros(len(edges), bool)
    if state is not None:
        unsatisfied = strength * state[edges[:, 0]] * state[edges[:, 1]] < 0
    wide = float(np.clip(15 / np.sqrt(max(len(edges), 1)), 0.9, 2.2))
    band: Any = {"color": style.ACCENT, "alpha": 0.5, "linewidth": 4 * wide, "solid_capstyle": "butt"}
    kinds: Any = (
        (strength > 0, {"color": POSITIVE if couplings is not None else style.FAINT, "linewidth": wide}, "J > 0"),
        (strength < 0, {"color": NEGATIVE, "linewidth": wide, "linestyle": (0, (2.4, 1.2))}, "J < 0"),
        (unsatisfied, band, "unsatisfied"),
    )
    for chosen, look, name in kinds:
        listed = couplings is not None and (name != "unsatisfied" or state is not None)
        if chosen.any() or listed:
            order = 0.9 if name == "unsatisfied" else 1.0
            ax.plot(*_path(_segments(places, edges[chosen], shape)), zorder=order, label=name, **look)
    _nodes(ax, places, state, numbers)
    if key and (couplings is not None or unsatisfied.any()):
        tight = {"columnspacing": 1.0, "handletextpad": 0.5, "handlelength": 1.9, "fontsize": 9}
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False, **tight)
    _bare(ax, places)
    return int(unsatisfied.sum())


def layered(ax: Axes, weights: ArrayLike, visible: ArrayLike | None = None, hidden: ArrayLike | None = None) -> None:
    """A two-layer machine: visible units below, hidden above, weights (visible, hidden) as lines.

    Width of a line: |w|; orange and solid positive, purple and dashed negative. States colour the units.
    """
    w = np.asarray(weights, float)
    below = np.column_stack([_spread(w.shape[0]), np.zeros(w.shape[0])])
    above = np.column_stack([_spread(w.shape[1]), np.full(w.shape[1], 0.45)])
    top = float(np.abs(w).max()) or 1.0
    for sign, colour, dashes in ((1, "#C46A1B", "solid"), (-1, "#6A4C93", "dashed")):
        pairs = np.argwhere(sign * w > 0.02 * top)
        lines = [(below[i], above[j]) for i, j in pairs]
        widths = [0.3 + 3.2 * abs(w[i, j]) / top for i, j in pairs]
        drawn = LineCollection(lines, colors=colour, linestyles=dashes, linewidths=widths, alpha=0.8, zorder=1)
        ax.add_collection(drawn)
    _nodes(ax, below, None if visible is None else np.where(np.ravel(visible) > 0, 1, -1), False)
    _nodes(ax, above, None if hidden is None else np.where(np.ravel(hidden) > 0, 1, -1), False)
    ax.text(-0.1, 0.0, "visible", ha="right", va="center")
    ax.text(-0.1, 0.45, "hidden", ha="right", va="center")
    _bare(ax, np.vstack([below, above, [[-0.25, 0.2]]]), "auto")


def chain_graph(ax: Axes, P: ArrayLike, labels: Sequence[str] | None = None, *, here: int | None = None) -> None:
    """A small Markov chain: P[i, j] is the probability to go from i to j, written on its arrow.

    Arrows are as wide as their probability; those below 0.005 are left out. `here` marks the present state.
    """
    probabilities = np.asarray(P, float)
    n = len(probabilities)
    if probabilities.shape != (n, n):
        raise ValueError(f"got P of shape {probabilities.shape}, expected (n, n)")
    names = list(labels) if labels is not None else [str(i + 1) for i in range(n)]
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    places = np.column_stack([np.cos(angle), np.sin(angle)]) if n > 2 else np.array([[-0.8, 0.0], [0.8, 0.0]])[:n]
    for i, j in np.ndindex(n, n):
        if probabilities[i, j] >= 0.005:
            (_loop if i == j else _arrow)(ax, places, i, j, float(probabilities[i, j]))
    for i, (x, y) in enumerate(places):
        face = style.UP if i == here else "white"
        ax.add_patch(Circle((x, y), RADIUS, facecolor=face, edgecolor=style.EXACT, linewidth=1.4, zorder=4))
        ax.text(x, y, names[i], ha="center", va="center", fontsize=10.5, zorder=5)
    reach = 1.95 if n > 2 else 1.7
    ax.set_xlim(-reach, reach)
    ax.set_ylim((-1.7 if n != 3 else -1.25), reach) if n > 2 else ax.set_ylim(-0.8, 0.8)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _arrow(ax: Axes, places: np.ndarray, i: int, j: int, p: float) -> None:
    """A curved arrow; its probability stands near the start, so that crossing arrows keep their numbers."""
    along = places[j] - places[i]
    side = np.array([along[1], -along[0]])
    bend = (places[i] + places[j]) / 2 + 0.20 * side
    start, end = _leave(places[i], bend), _leave(places[j], bend)
    _draw_path(ax, [start, bend, end], p, style.MODEL)
    t = 0.34
    _number(ax, (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end, p)


def _loop(ax: Axes, places: np.ndarray, i: int, j: int, p: float) -> None:
    """Staying: a loop on the outside of the node."""
    out = places[i] - places.mean(axis=0)
    out = out / (np.linalg.norm(out) or 1.0)
    side = np.array([-out[1], out[0]])
    outer = [places[i] + 0.85 * out + sign * 0.5 * side for sign in (1, -1)]
    start, end = _leave(places[i], outer[0]), _leave(places[i], outer[1])
    _draw_path(ax, [start, *outer, end], p, "#6F7A8C")
    _number(ax, places[i] + 0.70 * out, p)


def _leave(node: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """The point on the rim of a node in the direction of another point."""
    way = towards - node
    return node + (RADIUS + 0.03) * way / (np.linalg.norm(way) or 1.0)


def _draw_path(ax: Axes, points: list[np.ndarray], p: float, colour: str) -> None:
    curve = Path.CURVE3 if len(points) == 3 else Path.CURVE4
    path = Path(points, [Path.MOVETO, *[curve] * (len(points) - 1)])
    look: Any = {"arrowstyle": "-|>", "mutation_scale": 8 + 6 * p, "linewidth": 0.7 + 3.6 * p, "color": colour}
    ax.add_patch(FancyArrowPatch(path=path, shrinkA=0, shrinkB=0, capstyle="butt", zorder=2, **look))


def _number(ax: Axes, place: np.ndarray, p: float) -> None:
    box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.92}
    ax.text(place[0], place[1], f"{p:.2f}", fontsize=8.2, ha="center", va="center", zorder=6, bbox=box)


def _positions(graph: Any) -> np.ndarray:
    """Where the nodes go: the graph's own places (x right, y up), or a circle."""
    given = getattr(graph, "positions", None)
    if given is not None and np.asarray(given).shape[1] == 2:
        return np.asarray(given, float)
    angle = np.pi / 2 - 2 * np.pi * np.arange(graph.n) / graph.n
    return np.column_stack([np.cos(angle), np.sin(angle)]) * max(1.0, graph.n / 7)


def _segments(places: np.ndarray, edges: np.ndarray, shape: Any) -> list[Any]:
    """Lines of bonds; those around a periodic lattice become a stub at either end."""
    span = np.ptp(places, axis=0) + 1e-12
    wraps = shape is not None and len(shape) > 1  # a ring is drawn round, and nothing leaves it
    lines = []
    for i, j in edges:
        start, end = places[i], places[j]
        far = np.abs(end - start) > np.maximum(0.55 * span, 1.6)
        if wraps and far.any():
            out = np.where(far, -np.sign(end - start), 0.0) * 0.45
            lines += [(start, start + out), (end, end - out)]
        else:
            lines.append((start, end))
    return lines


def _path(segments: list[Any]) -> np.ndarray:
    """Lines (k, 2, 2) as one path with gaps, (x, y): one artist instead of many."""
    ends = np.asarray(segments, float).reshape(-1, 2, 2)
    return np.concatenate([ends, np.full((len(ends), 1, 2), np.nan)], axis=1).reshape(-1, 2).T


def _nodes(ax: Axes, places: np.ndarray, state: np.ndarray | None, numbers: bool) -> None:
    size = float(np.clip(2600 / len(places), 14, 190)) if state is not None or numbers else 900 / len(places)
    size = min(size, 190.0)
    colours = "white" if state is None else np.where(state > 0, style.UP, style.DOWN)
    ax.scatter(places[:, 0], places[:, 1], s=size, c=colours, edgecolors=style.EXACT, linewidths=1.1, zorder=3)
    if size < 90 or (state is None and not numbers):
        return
    for index, (x, y) in enumerate(places):
        text = str(index) if numbers or state is None else ("+" if state[index] > 0 else "−")
        colour = "white" if state is not None and state[index] < 0 else style.EXACT
        ax.text(x, y, text, ha="center", va="center", fontsize=9, color=colour, zorder=4)


def _spread(n: int) -> np.ndarray:
    return np.linspace(0, 1, n) if n > 1 else np.array([0.5])


def _bare(ax: Axes, places: np.ndarray, aspect: Literal["equal", "auto"] = "equal") -> None:
    margin = 0.09 * max(float(np.ptp(places)), 0.5) + 0.05
    ax.set_xlim(places[:, 0].min() - margin, places[:, 0].max() + margin)
    ax.set_ylim(places[:, 1].min() - margin, places[:, 1].max() + margin)
    ax.set_aspect(aspect)
    ax.set_axis_off()
