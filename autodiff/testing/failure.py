"""What is told of a derivative that is wrong: where, by how much, and why it may be."""

import numpy as np

from autodiff.testing.diagnosis import NOT_RECOGNISED, Evidence, likely_causes, named_lengths
from autodiff.testing.point import MOST_ELEMENTS, Point, between, index, units

__tracebackhide__ = True

MOST_ROWS = 64
"""Up to how many elements of the outputs are differentiated one by one."""


def failure(point: Point, order: int, mode: str, i: int, given: np.ndarray) -> str:
    """Of the derivative by array i, `given` in reverse mode: the worst element and the cause."""
    evidence, worst = _evidence(point, order, mode, i, given)
    causes = likely_causes(evidence)
    if evidence.x.size and np.ptp(evidence.x) == 0:  # a number fits where a function belongs
        causes = _confirmed(causes, point, order, mode, i)
    told = f"likely cause: {causes[0]}"
    if len(causes) > 1:
        told = "\n  ".join(["likely cause, one of these, which fit all:", *causes])
    name, shape = point.subject.names[i], evidence.x.shape
    if evidence.given.shape != shape:
        what = f"has shape {evidence.given.shape}, where {name} has shape {shape}"
        return f"{_derivative(name, order, mode)} {what}\n{told}"
    pair = (float(a.reshape(-1)[worst]) for a in (evidence.given, evidence.expected))
    return f"{mismatch(name, order, mode, index(worst, shape), *pair)}\n{told}"


def _confirmed(causes: list[str], point: Point, order: int, mode: str, i: int) -> list[str]:
    """The causes that explain the derivative at other values too, if it is wrong there."""
    try:
        moved = point.moved()
        given = moved.gradients(order, moved.arrays)[i]
        evidence, _ = _evidence(moved, order, mode, i, given)
    except Exception:  # the function was not to be looked at there
        evidence = None
    if evidence is None or evidence.is_right():
        return [f"{cause} (at this value alone: another cause may fit it too)" for cause in causes]
    elsewhere = likely_causes(evidence)
    return [cause for cause in causes if cause in elsewhere] or [NOT_RECOGNISED]


def _evidence(
    point: Point, order: int, mode: str, i: int, given: np.ndarray
) -> tuple[Evidence, int]:
    """What is known of the derivative by array i, and the number of the worst element."""
    x, elements = point.arrays[i], point.elements(i)
    one_by_one = list(units(x.shape, elements))
    expected = np.full(x.size, np.nan)
    numbers = [point.numeric(order, i, unit) for unit in one_by_one]
    expected[elements] = [numeric.value for numeric in numbers]
    if mode == "forward":
        forward = np.full(x.size, np.nan)
        forward[elements] = [point.analytic(order, mode, i, given, u) for u in one_by_one]
        given = forward.reshape(x.shape)
    worst = 0
    if given.shape == x.shape:
        found = given.reshape(-1)
        for k, unit, numeric in zip(elements, one_by_one, numbers, strict=True):
            scale = point.scale(order, i, unit, numeric, abs(found[k]))
            if numeric.error <= 1e-3 * scale and not point.bent(order, i, unit, scale):
                continue
            slopes = point.slopes(order, i, unit)
            if slopes is not None and between(found[k], *slopes):
                expected[k] = np.nan  # a kink, where there is no right one
        apart = np.where(np.isnan(found), np.inf, np.abs(found - expected))
        worst = int(np.argmax(np.where(np.isnan(expected), -1.0, apart)))
    by_rows = order == 1 and mode != "forward" and given.shape == x.shape
    evidence = Evidence(
        order,
        x,
        given,
        expected.reshape(x.shape),
        np.concatenate([np.ravel(out) for out in point.out]),
        *(_rows(point, i) if by_rows else (None, None)),
        named_lengths(point.subject.names, point.arrays, point.out),
    )
    return evidence, worst


def mismatch(
    argument: str, order: int, mode: str, element: tuple[int, ...], given: float, expected: float
) -> str:
    """Which derivative is wrong, and both numbers."""
    error = abs(given - expected) / (abs(expected) or 1.0)
    digits = min(17, 6 - int(np.log10(error))) if 0 < error < 1 else 6
    return (
        f"{_derivative(argument, order, mode)} is wrong at element {element}: it is "
        f"{given:.{digits}g} and should be {expected:.{digits}g}, relative error {error:.3g}"
    )


def _derivative(argument: str, order: int, mode: str) -> str:
    told = f" ({mode} mode)" if mode in ("reverse", "forward") else ""
    return f"the {'second ' * (order == 2)}derivative by {argument}{told}"


def _rows(point: Point, i: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The gradients of each element of the outputs, as given and as expected."""
    x, count = point.arrays[i], sum(out.size for out in point.out)
    if not point.subject.vector or count > MOST_ROWS or x.size > MOST_ELEMENTS:
        return None, None
    given, expected = np.empty((count, x.size)), np.empty((count, x.size))
    ends = np.cumsum([out.size for out in point.out])[:-1]
    for k, unit in enumerate(units((count,), range(count))):
        parts = zip(np.split(unit, ends), point.out, strict=True)
        weights = [part.reshape(out.shape) for part, out in parts]
        given[k] = np.ravel(point.subject.gradients(point.arrays, weights)[i])
    try:
        for k, unit in enumerate(units(x.shape, range(x.size))):
            rough, fine = (_quotient(point, i, h * unit) / h for h in (1e-3, 5e-4))
            expected[:, k] = (4 * fine - rough) / 3
    except (ValueError, RuntimeError):  # beyond the edge of the domain
        return None, None
    return given, expected


def _quotient(point: Point, i: int, step: np.ndarray) -> np.ndarray:
    """Half the difference of the outputs over a step forth and back."""
    arrays = point.arrays
    above, below = (
        point.subject.outputs([*arrays[:i], moved, *arrays[i + 1 :]])
        for moved in (arrays[i] + step, arrays[i] - step)
    )
    return np.concatenate([np.ravel(a - b) for a, b in zip(above, below, strict=True)]) / 2
