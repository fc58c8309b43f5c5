"""Spin glasses: bonds that cannot all be satisfied, and the tree of valleys and passes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import ArrayLike

from ebmlab._check import whole
from ebmlab.energies import Pairwise, frustration, glasses
from ebmlab.graphs import Graph
from ebmlab.show import style
from ebmlab.show.plots.networks import graph

EDGE = 0.25  # room beside the cross of an outer plaquette, in lattice spacings


def glass(
    ax: Axes, lattice: Graph, couplings: ArrayLike, spins: ArrayLike | None = None, *, key: bool = True
) -> tuple[int, int]:
    """Couplings on a small square or triangular lattice: the bonds, the spins, and where they are frustrated.

    Frustrated plaquettes are shaded and marked with a cross; bonds with J s_i s_j < 0, unsatisfied, get a broad
    purple band. couplings (m,), spins (n,) as in `graph`. Those that go around a periodic lattice are drawn beyond
    its last row or column. Returns the numbers of frustrated plaquettes and of unsatisfied bonds.
    """
    _check_plane(lattice)
    state = None if spins is None else glasses.spins("spins", np.ravel(spins), (lattice.n,))
    cells = np.asarray(frustration.plaquettes(lattice))
    bad = frustration.frustrated(Pairwise(lattice, couplings), cells)
    corners = _corners(lattice, cells)
    ax.add_collection(PolyCollection(list(corners[bad]), facecolors=style.ACCENT, alpha=0.16, linewidths=0, zorder=0.5))
    middle = corners.mean(1)
    if bad.any():
        size = float(np.clip(900 / len(lattice.edges), 12, 70))
        ax.scatter(middle[bad, 0], middle[bad, 1], s=size, marker="x", c=style.ACCENT, linewidths=1.4, zorder=0.8)
    unsatisfied = graph(ax, lattice, couplings, state, key=key)
    if len(middle):  # room for all plaquettes, so that nothing moves while a reader clicks
        (left, bottom), (right, top) = middle.min(0) - EDGE, middle.max(0) + EDGE
        ax.set_xlim(min(ax.get_xlim()[0], left), max(ax.get_xlim()[1], right))
        ax.set_ylim(min(ax.get_ylim()[0], bottom), max(ax.get_ylim()[1], top))
    return int(bad.sum()), unsatisfied


def _check_plane(lattice: Any) -> None:
    """Refuse what has no plaquettes side by side in the plane."""
    if not isinstance(lattice, Graph):
        raise TypeError(f"expected a Graph such as graphs.square(4); got {lattice!r}")
    places, shape = lattice.positions, lattice.shape
    if places is None or np.shape(places) != (lattice.n, 2) or shape is None or len(shape) != 2:
        raise ValueError(
            "plaquettes are drawn on graphs.square and graphs.triangular only; got a graph of shape "
            f"{shape} {'without' if places is None else 'with'} positions. For others use plots.graph"
        )


def _corners(lattice: Graph, cells: np.ndarray) -> np.ndarray:
    """The corners (P, k, 2) of plaquettes: steps round a periodic lattice go on in the direction they went."""
    rows, columns = lattice.shape or (1, 1)
    places = np.asarray(lattice.positions, float)
    down = places[columns] - places[0] if rows > 1 else np.zeros(2)
    right = places[1] - places[0] if columns > 1 else np.zeros(2)
    steps = np.stack(np.divmod(cells, columns), -1)
    steps = steps - steps[:, :1]
    around = np.where(np.abs(steps) > 1, np.sign(steps) * np.array([rows, columns]), 0)
    return places[cells[:, :1]] + (steps - around) @ np.stack([down, right])


def disconnectivity(ax: Axes, landscape: Any, *, most: int = 60, label: str = "E") -> int:
    """The tree of valleys: each minimum a line that hangs from the pass where it joins a deeper one.

    landscape: what `rugged.landscape` returns. Ground states are filled circles. Minima above the `most` lowest are
    left out; returns how many are shown.
    """
    whole("most", most)
    kept = [merge for merge in landscape.merges if merge.b < most]  # minima are numbered by rising energy
    lowest = landscape._replace(energies=landscape.energies[:most], merges=kept)
    place, segments = lowest.branches()
    ax.add_collection(LineCollection(list(segments), colors=style.EXACT, linewidths=1.1, zorder=2))
    ground = np.isclose(lowest.energies, lowest.energies[0], rtol=1e-6, atol=1e-9)
    ax.plot(place[~ground], lowest.energies[~ground], "o", color="white", markeredgecolor=style.EXACT, markersize=4)
    ax.plot(place[ground], lowest.energies[ground], "o", color=style.ACCENT, markersize=7, label="ground states")
    top = segments[..., 1].max() if len(segments) else lowest.energies[0] + 1
    rise = max(top - lowest.energies[0], 1e-9)
    ax.set_ylim(lowest.energies[0] - 0.08 * rise, top + 0.08 * rise)
    ax.set_xlim(-0.8, len(place) - 0.2)
    ax.set_xticks([])
    ax.grid(axis="x", visible=False)
    style.axis_labels(ax, "minima, arranged so that no branches cross", label)
    return len(place)
