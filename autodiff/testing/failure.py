"""What is told of a derivative that is wrong: where, by how much, and why it may be."""

import numpy as np

from autodiff.testing.diagnosis import Evidence, likely_cause, named_lengths
from autodiff.testing.point import MOST_ELEMENTS, Point, between, index, units

MOST_ROWS = 64
"""Up to how many elements of the outputs are differentiated one by one."""


def failure(point: Point, order: int, mode: str, i: int, given: np.ndarray) -> str:
    """Of the derivative by array i, `given` in reverse mode: the worst element and the cause."""
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
    by_rows = order == 1 and mode == "reverse" and given.shape == x.shape
    rows = _rows(point, i) if by_rows else (None, None)
    cause = likely_cause(
        Evidence(
            order,
            x,
            given,
            expected.reshape(x.shape),
            np.concatenate([np.ravel(out) for out in point.out]),
            *rows,
            named_lengths(point.subject.names, point.arrays, point.out),
        )
    )
    pair = float(given.reshape(-1)[worst]), float(expected[worst])
    name = point.subject.names[i]
    return f"{mismatch(name, order, mode, index(worst, x.shape), *pair)}\nlikely cause: {cause}"


def mismatch(
    argument: str, order: int, mode: str, element: tuple[int, ...], given: float, expected: float
) -> str:
    """Which derivative is wrong, and both numbers."""
    what = "derivative" if order == 1 else "second derivative"
    error = abs(given - expected) / (abs(expected) or 1.0)
    return (
        f"the {what} by {argument} ({mode} mode) is wrong at element {element}: it is "
        f"{given:.17g} and should be {expected:.17g}, relative error {error:.3g}"
    )


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
