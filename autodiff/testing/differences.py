"""Numeric derivatives along a line by differences, with an estimate of their error."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__tracebackhide__ = True

LEVELS, ORDER = 26, 6
FIRST_STEP = 2.0**-4


class Estimate(NamedTuple):
    """A derivative and how far it may be from the true one."""

    value: float
    error: float


def central(phi: Callable[[float], float], magnitude: float) -> Estimate:
    """The derivative of phi at 0 from (phi(h) - phi(-h)) / 2h for halving h, extrapolated to 0.

    magnitude: that of the terms of phi, for the error of rounding. The entry of the table whose
    neighbours are closest to it is taken.

    Source: Ridders 1982, Advances in Engineering Software 4(2), 75-76.
    """
    return _extrapolated(lambda h: (phi(h) - phi(-h)) / (2 * h), 4.0, magnitude)


def one_sided(phi: Callable[[float], float], magnitude: float) -> tuple[Estimate, Estimate]:
    """The slopes of phi at 0 from the left and from the right, likewise."""
    start = phi(0.0)
    left, right = (
        _extrapolated(lambda h, s=s: (phi(s * h) - start) / (s * h), 2.0, magnitude)  # type: ignore[misc]
        for s in (-1.0, 1.0)
    )
    return left, right


def _extrapolated(quotient: Callable[[float], float], factor: float, magnitude: float) -> Estimate:
    best, last, row = Estimate(np.nan, np.inf), 0, []
    for level in range(LEVELS):
        h = FIRST_STEP / 2**level
        above, row = row, [quotient(h)]
        rounding = 4 * np.finfo(np.float64).eps * magnitude / h
        for power in range(min(len(above), ORDER)):
            weight = factor ** (power + 1)
            row.append((weight * row[power] - above[power]) / (weight - 1))
            apart = max(abs(row[-1] - row[power]), abs(row[-1] - above[power]))
            if apart + rounding < best.error:
                best, last = Estimate(row[-1], apart + rounding), level
        relative = best.error / (abs(best.value) or 1.0)
        if relative <= 1e-13 or (relative <= 1e-7 and level >= last + 6):
            break
    return best
