"""One front door: log Z, thermodynamics and moments of any model by the cheapest exact method that reaches it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from jaxtyping import Float

from ebmlab.energies.base import AbstractEnergy
from ebmlab.energies.lattice import IsingLattice
from ebmlab.exact import onsager, split, transfer
from ebmlab.exact.enumeration import check_count, energies, enumerate_flat
from ebmlab.exact.split import Moments, quadratic
from ebmlab.exact.thermo import Thermodynamics, betas, from_levels
from ebmlab.units import Categorical

if TYPE_CHECKING:
    from ebmlab.energies.layered import AbstractSummable


def _lattice(model: AbstractEnergy) -> Callable[..., Thermodynamics] | None:
    """A method for an Ising lattice too large to split; None where there is none."""
    if not isinstance(model, IsingLattice) or type(model).energy is not IsingLattice.energy:
        return None
    J, h = np.asarray(model.coupling, np.float64), np.asarray(model.external, np.float64)
    if len(model.shape) == 1:
        return lambda beta: transfer.ring(_closed(model, J), h, beta=beta)
    if len(model.shape) != 2 or h.ndim:
        return None
    even = model.shape[0] % 2 == 0 and model.shape[1] % 2 == 0
    if model.periodic and h == 0 and np.ptp(J) == 0 and min(model.shape) > 1 and (J.min() > 0 or even):
        return lambda beta: onsager.torus(model.shape, float(J.ravel()[0]), beta=beta)
    if min(model.shape) <= transfer.WIDEST:
        return lambda beta: transfer.strip(model.shape, J, float(h), beta=beta, periodic=model.periodic)  # type: ignore[arg-type]
    return None


def _closed(model: IsingLattice, coupling: np.ndarray) -> np.ndarray:
    """The couplings round a one-dimensional lattice; an open one is a ring with a bond of zero."""
    around = np.full(model.shape[0], float(coupling.ravel()[0]))
    around[-1] *= model.periodic
    return around


def _large(model: AbstractEnergy) -> bool:
    return isinstance(model, AbstractEnergy) and sum(layer.size for layer in model.units) > split.LIMIT


def _in_layers(model: Any) -> "TypeGuard[AbstractSummable]":
    """Whether whole layers of the model can be summed out; their module is loaded when it is first needed."""
    from ebmlab.energies.layered import AbstractSummable

    return isinstance(model, AbstractSummable)


def thermodynamics(model: AbstractEnergy, *, beta: Any) -> Thermodynamics:
    """log Z, energy, heat capacity, entropy and free energy (totals), in the shape of beta, one pass for all betas.

    Pairwise energies of two-valued units up to 32 units by splitting; larger Ising lattices by a ring, a strip
    (one side at most 14) or the torus formula; layered energies by listing the smaller half of the layers, up to 2^24
    states; any other energy over discrete units by enumeration up to 2^24 states.
    """
    beta = betas(beta)
    if _large(model) and (method := _lattice(model)) is not None:
        return method(beta)
    if isinstance(model, AbstractEnergy) and (form := quadratic(model)) is not None:
        return split.thermodynamics(form, beta=beta)
    if _in_layers(model):
        from ebmlab.exact import layered

        return layered.thermodynamics(model, beta=beta)
    return from_levels(energies(model), beta=beta)


def log_partition(model: AbstractEnergy, *, beta: Any) -> Float[np.ndarray, "..."]:
    """log Z = log sum_x exp(-beta E(x)) in float64, in the shape of beta; reach and methods as `thermodynamics`."""
    beta = betas(beta)
    if not _large(model) and isinstance(model, AbstractEnergy) and (form := quadratic(model)) is not None:
        return split.log_partition(form, beta=beta)
    if _in_layers(model):
        from ebmlab.exact import layered

        return layered.log_partition(model, beta=beta)
    return thermodynamics(model, beta=beta).log_z


def moments(model: AbstractEnergy, *, beta: Any) -> Moments:
    """mean <x_i> and pair <x_i x_j> over all sites in C order, (*beta.shape, n) and (*beta.shape, n, n).

    For one-dimensional Ising lattices of any length, pairwise energies up to 32 units, else up to 2^24 states.
    """
    beta = betas(beta)
    if _large(model) and isinstance(model, IsingLattice) and len(model.shape) == 1:
        J = _closed(model, np.asarray(model.coupling, np.float64))
        return transfer.ring_moments(J, np.asarray(model.external, np.float64), beta=beta)
    if isinstance(model, AbstractEnergy) and (form := quadratic(model)) is not None:
        return split.moments(form, beta=beta)
    check_count(model)
    n = sum(layer.size for layer in model.units)
    mean, pair = np.zeros((beta.size, n)), np.zeros((beta.size, n, n))
    for x, p in enumerate_flat(model, beta):
        mean += p @ x
        for k in range(beta.size):
            pair[k] += (x.T * p[k]) @ x
    return Moments(mean.reshape(*beta.shape, n), pair.reshape(*beta.shape, n, n))


def marginals(model: AbstractEnergy, *, beta: Any) -> tuple[Float[np.ndarray, "..."], ...]:
    """p(x_i = high) of every unit, one array (*beta.shape, *shape) for each layer; Categorical: (..., levels)."""
    beta = betas(beta)
    if (
        all(not isinstance(layer, Categorical) for layer in getattr(model, "units", ()))
        and quadratic(model) is not None
    ):
        (layer,) = model.units
        low, high = layer.values  # type: ignore[attr-defined]
        mean = moments(model, beta=beta).mean
        return (np.clip((mean - low) / (high - low), 0.0, 1.0).reshape((*beta.shape, *layer.shape)),)
    check_count(model)
    sums = [np.zeros((len(u.values), beta.size, u.size)) for u in model.units]  # type: ignore[attr-defined]
    ends = np.cumsum([layer.size for layer in model.units])[:-1]
    for x, p in enumerate_flat(model, beta):
        for total, part, layer in zip(sums, np.split(x, ends, axis=1), model.units, strict=True):
            for k, value in enumerate(layer.values):  # type: ignore[attr-defined]
                total[k] += p @ (part == value)
    answer = []
    for total, layer in zip(sums, model.units, strict=True):
        if isinstance(layer, Categorical):
            answer.append(np.moveaxis(total, 0, -1).reshape((*beta.shape, *layer.shape, layer.levels)))
        else:
            answer.append(total[-1].reshape((*beta.shape, *layer.shape)))
    return tuple(answer)
