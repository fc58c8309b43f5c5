"""`energy_explorer`: three lines from your own energy to sliders.

class Mine(AbstractEnergy):
    ...
show.energy_explorer(Mine(), stiffness=(0.1, 5.0))
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ebmlab import exact
from ebmlab.energies.base import AbstractEnergy
from ebmlab.kernels import AbstractKernel, Gibbs, Metropolis
from ebmlab.sampling import sample
from ebmlab.show import plots, style
from ebmlab.show.controls import Slider, button, slider
from ebmlab.show.explore import Explorable, explore
from ebmlab.units import Gaussian

LIMIT = 1 << 12  # states: more than these are no longer listed while a slider moves
SHOWN = 12  # states in the bar chart

Range = tuple[float, float] | tuple[float, float, float] | Slider


def energy_explorer(
    model: AbstractEnergy | Callable[..., AbstractEnergy],
    *,
    kernel: AbstractKernel | None = None,
    chains: int = 64,
    steps: int = 50,
    warmup: int = 50,
    grid: tuple[float, float] = (-4.0, 4.0),
    size: tuple[float, float] = (7.2, 3.6),
    **parameters: Range,
) -> Explorable:
    """Sliders over an energy: beta, and each named parameter from low to high.

    model: an energy over at most 2^12 discrete states, or one real variable (drawn on `grid`); or a function of
    the parameters that returns one. parameters: name=(low, high) or (low, high, start) or a `slider`; of a model
    they are scalar fields, which start at their present value.
    Shown: what is exact as dark lines or bars, draws of `kernel` (default Gibbs, or Metropolis for a real
    variable) from chains x steps states with error bars.
    """
    controls: dict[str, Any] = {"beta": slider("inverse temperature β", 0.05, 20.0, 1.0, log=True, unit="1/energy")}
    controls |= {name: _slider(model, name, bounds) for name, bounds in parameters.items()}
    start = _with(model, {name: controls[name].value for name in parameters})
    real = _is_real(start)
    sampler = kernel or (Metropolis(step=1.0) if real else Gibbs())
    show = partial(_draw_real if real else _draw_discrete, model, sampler, (chains, steps, warmup), grid)
    name = type(start).__name__
    alt = f"{name}: energy, density and draws" if real else f"{name}: energy levels and likeliest states, with draws"
    return explore(show, size=size, alt=alt, **controls, seed=button("new random numbers"))


def _slider(model: Any, name: str, bounds: Range) -> Slider:
    """The slider of one parameter; its start is the third number, or what the model holds."""
    if isinstance(bounds, Slider):
        return bounds
    if not isinstance(bounds, tuple) or len(bounds) not in (2, 3):
        raise TypeError(f"{name}: got {bounds!r}, expected (low, high), (low, high, start) or show.slider(...)")
    low, high = float(bounds[0]), float(bounds[1])
    if len(bounds) == 3:
        return slider(name, low, high, float(bounds[2]))
    if not isinstance(model, AbstractEnergy):
        return slider(name, low, high, (low + high) / 2)
    scalars = {f.name: value for f in fields(model) if _is_scalar(value := getattr(model, f.name))}
    if name not in scalars:
        raise ValueError(f"{name}: not a scalar field of {type(model).__name__}, expected one of {list(scalars)}")
    return slider(name, low, high, float(np.clip(np.asarray(scalars[name]).item(), low, high)))


def _is_scalar(value: Any) -> bool:
    """Whether a field of a model is one real number."""
    if not isinstance(value, float | np.ndarray | jax.Array):
        return False
    return np.size(value) == 1 and np.issubdtype(np.asarray(value).dtype, np.floating)


def _with(model: Any, values: dict[str, float]) -> AbstractEnergy:
    """The model with these parameters, as arrays, so that moving a slider does not compile again."""
    if not isinstance(model, AbstractEnergy):
        return model(**values)
    for name, value in values.items():
        shape = np.shape(getattr(model, name))
        model = eqx.tree_at(partial(_field, name), model, np.full(shape, value))
    return model


def _field(name: str, model: Any) -> Any:
    return getattr(model, name)


def _is_real(model: AbstractEnergy) -> bool:
    """One real variable, or few enough discrete states. Errors: anything else."""
    if len(model.units) == 1 and isinstance(model.units[0], Gaussian) and model.units[0].size == 1:
        return True
    count = exact.enumeration.count_states(model)
    if count > LIMIT:
        raise ValueError(
            f"{type(model).__name__} has {count} states, expected at most {LIMIT}: take fewer units here, "
            "or draw what you need with show.explore and ebmlab.sample"
        )
    return False


def _draws(model: AbstractEnergy, kernel: Any, effort: tuple[int, int, int], beta: float, seed: int) -> Any:
    chains, steps, warmup = effort
    key = jax.random.key(seed)
    return sample(kernel, model, key=key, chains=chains, steps=steps, warmup=warmup, beta=beta)


def _draw_real(
    model: Any, kernel: Any, effort: Any, grid: tuple[float, float], fig: Any, beta: float, seed: int, **values: float
) -> str:
    """Left the energy, right the density and a histogram of draws."""
    made = _with(model, values)
    x = np.linspace(*grid, 401)
    density = exact.density(made, x, beta=beta)
    drawn = _draws(made, kernel, effort, beta, seed)
    values_drawn = np.asarray(drawn.values[0])
    left, right = fig.subplots(1, 2)
    plots.exact_line(left, x, density.energies)
    left.set_ylim(density.energies.min() - 0.4, min(density.energies.max(), density.energies.min() + 8 / beta + 4))
    left.axhline(density.energies.min() + 1 / beta, color=style.ACCENT, linestyle="--", linewidth=1.3)
    left.annotate(
        r"lowest + $1/\beta$", (0.98, density.energies.min() + 1 / beta), xycoords=left.get_yaxis_transform(),
        xytext=(0, 3), textcoords="offset points", ha="right", fontsize=9, color=style.ACCENT,
        annotation_clip=True,
    )  # fmt: skip
    style.axis_labels(left, "x", r"energy $E(x)$")
    plots.histogram_exact(right, values_drawn, x, density.p, effective=effort[0])
    right.legend()
    style.axis_labels(right, "x", "density")
    return (
        f"At β = {beta:.3g}: exact mean {float(density.mean[0]):+.3f}, standard deviation "
        f"{float(density.variance[0]) ** 0.5:.3f}; {values_drawn.size} draws gave {values_drawn.mean():+.3f} and "
        f"{values_drawn.std():.3f}, with {float(np.mean(drawn.accepted)):.0%} of the moves accepted."
    )


def _draw_discrete(
    model: Any, kernel: Any, effort: Any, grid: Any, fig: Any, beta: float, seed: int, **values: float
) -> str:
    """Left the energy levels, right the likeliest states; both with draws."""
    made = _with(model, values)
    truth = exact.boltzmann(made, beta=beta)
    drawn = _draws(made, kernel, effort, beta, seed)
    index = _number(made, drawn.values)
    left, right = fig.subplots(1, 2)
    # the last state of each chain is an independent draw, so its error bars can be trusted
    plots.levels(left, truth.energies, truth.p, samples=truth.energies[index[:, -1]])
    style.axis_labels(left, "", r"energy $E$")
    left.legend()
    best = np.argsort(-truth.p, kind="stable")[:SHOWN]
    share = np.bincount(index.ravel(), minlength=truth.p.size)[best] / index.size
    right.bar(range(len(best)), truth.p[best], fill=False, edgecolor=style.EXACT, linewidth=1.2, label="exact")
    error = np.sqrt(truth.p[best] * (1 - truth.p[best]) / effort[0])
    plots.error_points(right, range(len(best)), share, error)
    right.set_xticks(range(len(best)), _names(made, truth.states, best), fontsize=8, linespacing=0.85)
    right.set_ylim(bottom=0)
    right.legend()
    style.axis_labels(right, "likeliest states (units downwards)", "p")
    mean = float(truth.p @ truth.energies)
    return (
        f"At β = {beta:.3g}: exact mean energy {mean:.3f}; {index.size} draws gave {truth.energies[index].mean():.3f}. "
        f"The likeliest of {truth.p.size} states has probability {truth.p.max():.3f}."
    )


def _number(model: AbstractEnergy, values: Any) -> np.ndarray:
    """The place of each drawn state in the list of all states (C order, the last site changes fastest)."""
    place = np.zeros(values[0].shape[:2], np.int64)
    for layer, drawn in zip(model.units, values, strict=True):
        base = len(layer.values)  # type: ignore[attr-defined]
        flat = np.searchsorted(np.asarray(layer.values), np.asarray(drawn).reshape(*place.shape, -1))  # type: ignore[attr-defined]
        for site in range(flat.shape[-1]):
            place = place * base + flat[..., site]
    return place


def _names(model: AbstractEnergy, states: Any, chosen: np.ndarray) -> list[str]:
    """States written downwards: + and − for spins, digits for the rest, a dot between layers; else their numbers."""
    if sum(layer.size for layer in model.units) > 6:
        return ["\n".join(str(int(i))) for i in chosen]
    names = []
    for place in chosen:
        layers = [
            [_sign(v, unit) for v in layer[place].ravel()] for layer, unit in zip(states, model.units, strict=True)
        ]
        names.append("\n·\n".join("\n".join(layer) for layer in layers))
    return names


def _sign(value: Any, unit: Any) -> str:
    return ("+" if value > 0 else "−") if -1 in unit.values else str(int(value))
