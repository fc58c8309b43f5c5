"""A verdict on mixing in plain words."""

import math
import textwrap
from typing import Any

import numpy as np

from ebmlab.diagnostics.series import LONG_ENOUGH, autocorrelation_time, chains_of, error_bar, ess, rhat


def mixing_report(x: Any) -> str:
    """What the chains say about themselves: mean and error bar, memory, agreement, and what to do about it.

    x: (chains, steps), one number measured along each chain. A good report is no proof: chains that all miss the same
    region agree with one another.
    """
    array = chains_of(x)
    chains, steps = array.shape
    head = f"{chains} {_plural(chains, 'chain')} of {steps} steps."
    if array.min() == array.max():
        return (
            f"{head} Nothing moved: all {array.size} numbers are {array.flat[0]:g}. "
            "Raise the temperature, take another kernel, or measure something else."
        )
    mean, error = error_bar(array)
    tau = autocorrelation_time(array)
    digits = max(0, 1 - math.floor(math.log10(error))) if 0 < error < math.inf else 3
    lines = [
        f"{head} Mean {mean:.{digits}f} ± {error:.{digits}f} (one standard error).",
        f"A chain forgets in about {tau.value:,.3g} ± {tau.error:.1g} steps, so these {array.size} numbers are worth "
        f"{ess(array):.0f} independent ones.",
    ]
    faults = _faults(array)
    if not faults:
        lines.append("Nothing looks wrong: the chains agree, and each is much longer than its memory.")
    return textwrap.fill(" ".join(lines + faults), 100)


def _faults(array: np.ndarray) -> list[str]:
    """One or two sentences for each thing that is wrong."""
    chains, steps = array.shape
    tau, spread = autocorrelation_time(array), rhat(array)
    faults = []
    stuck = int((array.min(1) == array.max(1)).sum())
    if stuck:
        faults.append(
            f"{stuck} of {chains} {_plural(chains, 'chain')} never moved. Use smaller moves or start elsewhere."
        )
    if spread > 1.01:
        faults.append(_apart(array, spread))
    if not tau.reliable:
        needed = int(np.ceil(LONG_ENOUGH * tau.value))
        faults.append(
            f"The chains are too short for a sure error bar: {steps} steps, but {LONG_ENOUGH:.0f} memories are "
            f"{needed} or more. Run longer, or take a kernel that moves faster."
        )
    if chains == 1:
        faults.append("With one chain, a region that it never found stays unseen. Run at least four.")
    return faults


def _apart(array: np.ndarray, spread: float) -> str:
    """What R-hat above 1.01 most likely means: a drift common to all chains, or chains that stay apart."""
    half = array.shape[1] // 2
    early, late = array[:, :half].mean(1), array[:, -half:].mean(1)
    drift, apart = abs(late.mean() - early.mean()), 0.5 * (early + late).std()
    say = f"R-hat is {spread:.3f}, above 1.01: "
    if array.shape[0] == 1 or drift > 2 * apart:
        return say + "the first half differs from the second. Drop more steps as warm-up, or run longer."
    return (
        say + "the chains do not agree with one another. They sit in different regions; run longer, or use tempering."
    )


def _plural(count: int, word: str) -> str:
    return word if count == 1 else word + "s"
