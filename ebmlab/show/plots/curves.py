"""Curves: exact lines, points with error bars, histograms against the exact answer, traces, level diagrams."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from numpy.typing import ArrayLike

from ebmlab.show import style

KINDS = {"samples": ("o", style.SAMPLES), "model": ("s", style.MODEL), "data": ("^", style.DATA)}


def exact_line(ax: Axes, x: ArrayLike, y: ArrayLike, label: str = "exact", **line: Any) -> Any:
    """What is exact: a thin dark line."""
    (drawn,) = ax.plot(x, y, label=label, **{**style.LINES["exact"], **line})
    return drawn


def error_points(
    ax: Axes,
    x: ArrayLike,
    y: ArrayLike,
    err: ArrayLike | None = None,
    kind: str = "samples",
    label: str | None = None,
    **line: Any,
) -> ErrorbarContainer:
    """Points with error bars of one standard error; kind is "samples", "model" or "data"."""
    if kind not in KINDS:
        raise ValueError(f"got kind={kind!r}, expected one of {list(KINDS)}")
    marker, colour = KINDS[kind]
    look = {"fmt": marker, "color": colour, "markersize": 4.5, "elinewidth": 1.3, "capsize": 2.5, "zorder": 3}
    return ax.errorbar(x, y, yerr=err, label=kind if label is None else label, **{**look, **line})


def histogram_exact(
    ax: Axes,
    samples: ArrayLike,
    x: ArrayLike,
    density: ArrayLike,
    *,
    discrete: bool = False,
    bins: int = 40,
    effective: float | None = None,
    fill: bool = True,
) -> None:
    """Samples with error bars against the exact curve.

    Continuous: a histogram over the range of x, with the density as a line. Discrete: the share of each of
    the values x against its probability. Error bars: sqrt(p (1 - p) / n) with the exact p of each bin; n is
    the number of samples, or `effective` when they are correlated.
    """
    drawn, x, density = np.ravel(samples), np.asarray(x, float), np.asarray(density, float)
    n = effective or max(drawn.size, 1)
    if discrete:
        share = np.array([np.mean(np.isclose(drawn, value)) if drawn.size else 0.0 for value in x])
        error = np.sqrt(density * (1 - density) / n)
        width = 0.8 * (np.min(np.diff(np.sort(x))) if x.size > 1 else 1.0)
        ax.bar(x, density, width, fill=False, edgecolor=style.EXACT, linewidth=1.2, label="exact")
        error_points(ax, x, share, error)
        ax.set_ylim(bottom=0)
        return
    edges = np.linspace(x.min(), x.max(), bins + 1)
    width = edges[1] - edges[0]
    counts, _ = np.histogram(drawn, edges)
    height = counts / (max(drawn.size, 1) * width)
    middle = edges[:-1] + width / 2
    inside = np.clip(np.interp(middle, x, density) * width, 0, 1)
    error = np.sqrt(inside * (1 - inside) / n) / width
    if fill:
        ax.bar(middle, height, width, color=style.SAMPLES, alpha=0.22, linewidth=0, zorder=1.5)
    error_points(ax, middle, height, error, markersize=3)
    exact_line(ax, x, density, zorder=3.5)
    ax.set_ylim(bottom=0)


def trace(
    ax: Axes,
    values: ArrayLike,
    *,
    warmup: int = 0,
    exact: float | None = None,
    error: float | None = None,
    name: str = "u",
    steps: ArrayLike | None = None,
) -> None:
    """A quantity along the chain; values (steps,) or (chains, steps). Warm-up is shaded and labelled.

    exact: a thin dark line across; error: half the width of the band around the mean after warm-up.
    """
    rows = np.atleast_2d(np.asarray(values, float))
    time = np.arange(rows.shape[1]) if steps is None else np.asarray(steps)
    alpha = 0.9 if len(rows) == 1 else max(0.25, 0.9 / np.sqrt(len(rows)))
    for place, row in enumerate(rows):
        name_of_line = ("samples" if len(rows) == 1 else f"{len(rows)} chains") if place == 0 else None
        ax.plot(time, row, color=style.SAMPLES, linewidth=1.1, alpha=alpha, label=name_of_line)
    if 0 < warmup <= rows.shape[1]:
        ax.axvspan(time[0], time[warmup - 1], color=style.FAINT, alpha=0.22, linewidth=0, label="warm-up")
    if error is not None and warmup < rows.shape[1]:
        mean = rows[:, warmup:].mean()
        ax.axhspan(mean - error, mean + error, color=style.SAMPLES, alpha=0.18, linewidth=0, label="mean ± error")
    if exact is not None:
        ax.axhline(exact, label="exact", **style.LINES["exact"])
    ax.set_xlim(time[0], time[-1] if len(time) > 1 else time[0] + 1)
    style.axis_labels(ax, "step", name)


def autocorrelation(ax: Axes, rho: ArrayLike, *, tau: float | None = None, window: int | None = None) -> None:
    """An autocorrelation function rho (lags,), from lag 0; tau and the summation window are marked."""
    rho = np.asarray(rho, float)
    ax.axhline(0, color=style.FAINT, linewidth=1)
    ax.plot(np.arange(rho.size), rho, color=style.SAMPLES, marker="o", markersize=3, linewidth=1.2)
    if window is not None:
        ax.axvspan(0, window, color=style.SAMPLES, alpha=0.10, linewidth=0)
    if tau is not None:
        ax.axvline(tau, color=style.ACCENT, linestyle="--", linewidth=1.4)
        ax.annotate(
            rf"$\tau$ = {tau:.3g}",
            (tau, 0.93),
            xycoords=("data", "axes fraction"),
            xytext=(5, 0),
            textcoords="offset points",
            color=style.ACCENT,
            va="top",
        )
    ax.set_xlim(0, max(rho.size - 1, 1))
    ax.set_ylim(min(-0.12, float(rho.min()) - 0.05), 1.05)
    style.axis_labels(ax, "lag", "rho")


def levels(
    ax: Axes,
    energies: ArrayLike,
    probabilities: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    most: int = 24,
    decimals: int = 6,
) -> None:
    """An energy-level diagram: energy upwards, the population of each level as a bar to the right.

    energies, probabilities (states,): states of equal energy (to `decimals`) make one level; "×4" counts
    them. samples (draws,): energies seen by a sampler, drawn as points with error bars. The lowest `most`
    levels are shown.
    """
    rounded = np.round(np.asarray(energies, float), decimals)
    level, place, count = np.unique(rounded, return_inverse=True, return_counts=True)
    population = np.bincount(place.ravel(), weights=np.asarray(probabilities, float).ravel())
    level, count, population = level[:most], count[:most], population[:most]
    gap = float(np.min(np.diff(level))) if level.size > 1 else 1.0
    span = max(float(np.ptp(level)), 1e-9)
    height = max(min(0.55 * gap, 0.07 * span), 0.018 * span) if level.size > 1 else 0.3
    colours = style.ENERGY_MAP(np.linspace(0.08, 0.88, level.size))
    ax.barh(level, population, height, color=colours, alpha=0.9, zorder=2)
    ax.hlines(level, 0, 1, color=style.FAINT, linewidth=0.8, zorder=1)
    if samples is not None:
        seen = np.round(np.ravel(samples).astype(float), decimals)
        share = np.array([np.mean(np.isclose(seen, e, atol=10.0**-decimals)) for e in level])
        error = np.sqrt(population * (1 - np.minimum(population, 1)) / max(seen.size, 1))
        ax.errorbar(
            share,
            level,
            xerr=error,
            fmt="o",
            color="white",
            ecolor=style.EXACT,
            elinewidth=1.3,
            capsize=2.5,
            markersize=5,
            markeredgecolor=style.EXACT,
            zorder=4,
            label="samples",
        )
    _count_states(ax, level, count, 0.045 * span)
    ax.set_xlim(0, 1)
    ax.grid(axis="y", visible=False)
    style.axis_labels(ax, r"population of the level $P(E)$", "E")


def _count_states(ax: Axes, level: np.ndarray, count: np.ndarray, apart: float) -> None:
    """Write "×4" right of each level that has room for it, under the heading "states"."""
    right = ax.get_yaxis_transform()
    ax.text(1.02, 1.0, "states", fontsize=9, color="#3A4252", va="bottom", transform=ax.transAxes)
    last = -np.inf
    for energy, states in zip(level, count, strict=True):
        if energy - last >= apart:
            ax.text(1.02, energy, f"×{states}", va="center", fontsize=9, color="#3A4252", transform=right)
            last = energy
