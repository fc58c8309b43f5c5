"""Kernels in turn."""

from typing import Any

from jaxtyping import Array

from ebmlab import bits
from ebmlab.energies.base import AbstractEnergy, State
from ebmlab.kernels.base import AbstractKernel


class Cycle(AbstractKernel):
    """One step is one step of each kernel in turn; its info is the tuple of theirs.

    What every kernel leaves invariant, all of them in turn leave invariant, even where one alone would not reach
    every state. `Cycle(ParallelTempering(), Houdayer())`.
    """

    kernels: tuple[AbstractKernel, ...]

    def __init__(self, *kernels: AbstractKernel):
        if not kernels:
            raise ValueError("Cycle needs at least one kernel, as Cycle(Gibbs(), Wolff()); got none")
        for kernel in kernels:
            if not isinstance(kernel, AbstractKernel):
                raise TypeError(f"Cycle takes kernels, as Cycle(Gibbs(), Wolff()); got {type(kernel).__name__}")
        self.kernels = kernels

    def check(self, model: AbstractEnergy) -> None:
        """TypeError or ValueError where one of the kernels does not fit the model."""
        for kernel in self.kernels:
            kernel.check(model)

    def step(self, model: AbstractEnergy, x: State, *, beta: Any, key: Array) -> tuple[State, tuple[Any, ...]]:
        """One step of each kernel."""
        infos = []
        for kernel, one in zip(self.kernels, bits.split(key, len(self.kernels)), strict=True):
            x, info = kernel.step(model, x, beta=beta, key=one)
            infos.append(info)
        return x, tuple(infos)
