"""The likely cause of a wrong gradient, from how it differs from the right one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

CLOSE = 1e-5

OF_OUTPUT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "out (1 - out), the derivative of sigmoid": lambda out: out * (1 - out),
    "1 - out², the derivative of tanh": lambda out: 1 - out**2,
    "out, the derivative of exp": lambda out: out,
    "1 / (2 out), the derivative of sqrt": lambda out: 0.5 / out,
}
"""Factors that rules take from the output, and are forgotten."""

OF_INPUT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x": lambda x: x,
    "x²": lambda x: x**2,
    "cos(x)": np.cos,
    "sin(x)": np.sin,
    "exp(x)": np.exp,
}
"""Factors that rules take from the argument itself."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a wrong gradient.

    order: which derivative it is. x: the argument; given, expected: its gradients, the latter nan
        where it was not computed.
    out: the elements of the output. given_rows, expected_rows: the gradients of each of them, one
        in a row, None if they were not computed. lengths: names of axes and the like by length.
    """

    order: int
    x: np.ndarray
    given: np.ndarray
    expected: np.ndarray
    out: np.ndarray
    given_rows: np.ndarray | None
    expected_rows: np.ndarray | None
    lengths: dict[int, str]

    def is_right(self) -> bool:
        """Whether both gradients agree to five digits, where that is known."""
        return self.given.shape == self.x.shape and _alike(self.given, self.expected)


NOT_RECOGNISED = "not recognised: no constant factor, transposition or missing factor explains it"


def likely_causes(evidence: Evidence) -> list[str]:
    """All explanations that fit all of the gradient; NOT_RECOGNISED if there is none."""
    for explanation in (_not_finite, _shape, _nothing):
        cause = explanation(evidence)
        if cause:
            return [cause]
    causes = [_constant(evidence), _order(evidence), *_factors(evidence)]
    return [c for c in causes if c] or [_place(evidence) or NOT_RECOGNISED]


def _not_finite(e: Evidence) -> str | None:
    if not np.all(np.isfinite(e.given)) and np.all(np.isfinite(e.expected)):
        return "the gradient is nan or infinite where the function is smooth"
    return None


def _shape(e: Evidence) -> str | None:
    if e.given.shape == e.x.shape:
        return None
    if e.given.ndim >= e.x.ndim:
        extra = e.given.ndim - e.x.ndim
        lengths = zip(e.given.shape[extra:], e.x.shape, strict=True)
        axes = [*range(extra), *[extra + k for k, (n, m) in enumerate(lengths) if n != m == 1]]
        summed = e.given.sum(tuple(axes)).reshape(-1)
        if axes and summed.size == e.x.size and _alike(summed.reshape(e.x.shape), e.expected):
            return f"not summed over the axes {tuple(axes)}, along which the argument is broadcast"
    if e.given.shape == e.x.shape[::-1] and _alike(e.given.T, e.expected):
        return "transposed"
    return "an axis is summed over, kept or added that should not be"


def _nothing(e: Evidence) -> str | None:
    if np.any(e.given):
        return None
    if e.order == 2:
        return (
            "nothing arrives: the backward pass is not made of operations on what it is given and "
            "has saved; if it is not meant to be differentiated, mark it once_differentiable"
        )
    return "no gradient arrives at all: a term is missing, or something on the way is detached"


def _constant(e: Evidence) -> str | None:
    c = _ratio(e.given, e.expected)
    if c is None:
        return None
    if abs(c - 1) < CLOSE:
        return "a constant or an intermediate value has too few digits: it is right to five or more"
    if abs(c + 1) < CLOSE:
        return "the sign is flipped"
    sign = "the sign is flipped, and " if c < 0 else ""
    return f"{sign}{_named_factor(abs(c), e.lengths)}"


def _order(e: Evidence) -> str | None:
    given, expected = e.given, e.expected
    if given.ndim >= 2 and given.shape[-1] == given.shape[-2]:
        c = _ratio(given.swapaxes(-1, -2), expected)
        if c is not None and abs(c - 1) < CLOSE:
            return "transposed: the last two axes are exchanged"
    for axis in range(given.ndim):
        if given.shape[axis] > 1 and _alike(np.flip(given, axis), expected):
            return f"reversed along axis {axis}"
        for shift in (-1, 1):
            if given.shape[axis] > 2 and _alike(np.roll(given, shift, axis), expected):
                return f"shifted by one along axis {axis}"
    return None


def _factors(e: Evidence) -> list[str]:
    """Factors for each element of the output or of the argument."""
    if e.given_rows is None or e.expected_rows is None:
        return []
    of_output = _matching(e.given_rows, e.expected_rows, e.out, OF_OUTPUT)
    of_input = _matching(e.given_rows.T, e.expected_rows.T, e.x.reshape(-1), OF_INPUT)
    causes = [_told(f"a factor {name} for each element of the output,", m) for name, m in of_output]
    return causes + [_told(f"a factor {name}, x being the argument,", m) for name, m in of_input]


def _told(what: str, missing: bool) -> str:
    return f"{what} is {'missing' if missing else 'there once too often'}"


def _matching(
    given: np.ndarray,
    expected: np.ndarray,
    points: np.ndarray,
    table: dict[str, Callable[[np.ndarray], np.ndarray]],
) -> Iterator[tuple[str, bool]]:
    """The functions of the points by which all rows differ; whether they are missing."""
    ratios: list[float] = []
    places: list[int] = []
    for k, (row, right) in enumerate(zip(given, expected, strict=True)):
        if not np.any(row) and not np.any(np.abs(right) > 1e-12):
            continue
        c = _ratio(row, right)
        if c is None or c == 0:
            return
        ratios.append(c)
        places.append(k)
    if not ratios:
        return
    with np.errstate(all="ignore"):
        for name, function in table.items():
            factor = function(points[places])
            for missing, likely in ((True, 1 / factor), (False, factor)):
                if np.allclose(ratios, likely, rtol=CLOSE, atol=0):
                    yield name, missing


def _place(e: Evidence) -> str | None:
    """Right in some places."""
    known = np.isfinite(e.expected)
    wrong = known & ~_close(e.given, e.expected)
    count, total = int(wrong.sum()), int(known.sum())
    if not 0 < count < total:
        return None
    first = tuple(map(int, np.argwhere(wrong)[0]))
    if not np.any(e.given[wrong]):
        return (
            f"a term is missing: it is zero at {count} of {total} elements, the first being "
            f"{first}, and right at the others"
        )
    return f"wrong at {count} of {total} elements, the first being {first}, and right at the others"


def _close(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    scale = np.nanmax(np.abs(b), initial=0.0)
    return np.abs(a - b) <= CLOSE * np.abs(b) + 1e-8 * scale


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    known = np.isfinite(b)
    return bool(np.all(_close(a, b)[known])) and bool(np.any(b[known]))


def _ratio(given: np.ndarray, expected: np.ndarray) -> float | None:
    """c where given is c times expected everywhere, and expected not zero."""
    known = np.isfinite(expected)
    a, b = given[known], expected[known]
    square = float(np.sum(b * b))
    if square == 0 or not np.all(np.isfinite(a)):
        return None
    c = float(np.sum(a * b)) / square
    if c == 0 or not np.all(np.abs(a - c * b) <= CLOSE * np.max(np.abs(c * b))):
        return None
    return c


def _named_factor(c: float, lengths: dict[int, str]) -> str:
    """What a constant factor may be."""
    size = round(c if c > 1 else 1 / c)
    whole = abs((c if c > 1 else 1 / c) - size) < CLOSE * size
    told = f"{c:.6g} times too large" if c > 1 else f"a factor {1 / c:.6g} is missing"
    if c < 1 and whole and size == 2:
        told = "half of what it should be: a factor 2 is missing"
    if whole and size in lengths and size > 1:
        other = (
            "a sum where there should be a mean" if c > 1 else "a mean where there should be a sum"
        )
        told += f"; {size} is {lengths[size]} ({other}?)"
    return told


def named_lengths(
    names: Sequence[str], arrays: Sequence[np.ndarray], outputs: Sequence[np.ndarray]
) -> dict[int, str]:
    """For numbers of elements and lengths of axes what they are."""
    found: dict[int, str] = {}
    called = [*zip(names, arrays, strict=True), *[("the output", out) for out in outputs]]
    for name, array in called:
        for axis, n in enumerate(array.shape):
            found.setdefault(n, f"the length of axis {axis} of {name}")
    for name, array in called:
        found.setdefault(array.size, f"the number of elements of {name}")
    return found
