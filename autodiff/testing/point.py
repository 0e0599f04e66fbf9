"""The derivatives of a subject at its arguments: as it gives them, and computed from its values."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff.testing import differences, stepped
from autodiff.testing.report import GradcheckError
from autodiff.testing.subject import OnceDifferentiableError, Subject

__tracebackhide__ = True

SAFETY = 30.0
"""How many times the estimated error of a numeric derivative is allowed for."""

MOST_ELEMENTS = 400
"""Up to which size a gradient that is wrong is looked at element by element, not at some."""


class Numeric(NamedTuple):
    """A numeric derivative, how far off it may be, and how it was found."""

    value: float
    error: float
    method: str


class Point:
    """A subject where its arguments are, in float64, with weights of its outputs.

    S is the weighted sum of the outputs. order: 1 for the derivatives of S, 2 for those of its
    derivative along fixed directions of all arguments.
    """

    def __init__(self, subject: Subject, method: str, rng: np.random.Generator) -> None:
        if not subject.arrays:
            given = ", ".join([type(leaf).__name__ for leaf in subject.leaves]) or "none"
            raise ValueError(
                "there is nothing to differentiate by: no argument is a Tensor or an array of "
                f"floats, and the function has no parameters; got {given}"
            )
        self.subject, self.method, self.rng = subject, method, rng
        self.arrays = [_doubles(a) for a in subject.arrays]
        before = [a.copy() for a in self.arrays]
        self.out = [np.array(x) for x in subject.outputs(self.arrays)]
        if not self.out:
            raise ValueError("there is nothing to differentiate: the function returned no floats")
        self.check_untouched(before, "the function")
        again = subject.outputs(self.arrays)
        if not all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(self.out, again, strict=True)
        ):
            raise GradcheckError(
                "the function gave two values at the same arguments; draw random numbers from the "
                "default generator, or seed what it draws"
            )
        self.weights = [
            rng.uniform(0.5, 1.5, x.shape) if subject.vector else np.ones(x.shape) for x in self.out
        ]
        self.along = [rng.uniform(-1, 1, a.shape) for a in self.arrays]
        self.given = self.gradients(1, self.arrays)
        self.check_untouched(before, "the backward pass")

    def moved(self) -> "Point":
        """The same with every element of the arguments changed by up to a third."""
        subject = copy.copy(self.subject)
        subject.arrays = [np.array(a * self.rng.uniform(0.7, 1.3, a.shape)) for a in self.arrays]
        return Point(subject, self.method, self.rng)

    def check_untouched(self, before: Sequence[np.ndarray], who: str) -> None:
        """Raises: GradcheckError if arguments were written to."""
        now = zip(self.subject.names, self.arrays, before, strict=True)
        for name, array, old in now:
            if not np.array_equal(array, old, equal_nan=True):
                raise GradcheckError(
                    f"{who} wrote to {name}, so that values saved for the backward pass are "
                    f"overwritten; work on a copy of it"
                )

    def gradients(self, order: int, arrays: Sequence[Any]) -> list[Any]:
        """Those of S, or of its derivative along fixed directions."""
        try:
            if order == 1:
                return self.subject.gradients(arrays, self.weights)
            return self.subject.second(arrays, self.weights, self.along)  # type: ignore[attr-defined]
        except (OnceDifferentiableError, ValueError, TypeError):
            raise
        except RuntimeError as error:
            cause = "a saved value was overwritten: " if "in-place" in str(error) else ""
            raise GradcheckError(
                f"the backward pass of order {order} failed: {cause}{error}"
            ) from error

    def analytic(
        self, order: int, mode: str, i: int, given: np.ndarray, direction: np.ndarray
    ) -> float:
        """The derivative that the function itself gives."""
        if mode != "forward":
            moving = direction != 0  # what is nan at a kink elsewhere does not count
            return float(np.sum(given[moving] * direction[moving]))
        along = None if order == 1 else self.along
        subject: Any = self.subject
        return subject.tangent(self.arrays, i, direction, self.weights, along)

    def value(self, order: int, arrays: Sequence[Any]) -> Any:
        """S, or its derivative along fixed directions: what is differentiated numerically."""
        if order == 1:
            pairs = zip(self.weights, self.subject.outputs(arrays), strict=True)
        else:
            weights: list[Any] = self.weights
            if isinstance(arrays[0], stepped.Stepped):
                weights = [stepped.still(w) for w in weights]
            pairs = zip(self.along, self.subject.gradients(arrays, weights), strict=True)
        total: Any = np.zeros(())
        for w, x in pairs:
            total = total + np.sum(w * x)
        return total

    def line(self, order: int, i: int, direction: np.ndarray) -> Callable[[float], float]:
        """The same as a function of the distance moved along the direction.

        Where the function refuses its arguments, beyond the edge of its domain, it is nan.
        """

        def phi(t: float) -> float:
            moved = self.arrays[i] + t * direction
            try:
                with np.errstate(all="ignore"):
                    return float(
                        self.value(order, [*self.arrays[:i], moved, *self.arrays[i + 1 :]])
                    )
            except (ValueError, RuntimeError):
                return np.nan

        return phi

    def size(self, order: int, i: int, direction: np.ndarray) -> float:
        """That of the terms of the value, or of the value at a step to either side."""
        pairs = zip(self.weights, self.out) if order == 1 else zip(self.along, self.given)
        phi = self.line(order, i, direction)
        known = [abs(phi(differences.FIRST_STEP)), abs(phi(-differences.FIRST_STEP))]
        known.append(float(sum(np.sum(np.abs(w * x)) for w, x in pairs)))
        return max([x for x in known if np.isfinite(x)], default=0.0)

    def numeric(self, order: int, i: int, direction: np.ndarray) -> Numeric:
        """The derivative as array i moves. Raises: GradcheckError if "complex" cannot be had."""
        if self.method != "differences":
            try:
                return self.complex_step(order, i, direction)
            except Exception as error:  # whatever the function does not do for complex numbers
                if self.method == "complex":
                    raise GradcheckError(
                        f"the complex step does not go through this function: {error}; use "
                        "method='auto' or 'differences'"
                    ) from error
        return self.difference(order, i, direction)

    def difference(self, order: int, i: int, direction: np.ndarray) -> Numeric:
        found = differences.central(self.line(order, i, direction), self.size(order, i, direction))
        return Numeric(*found, "differences")

    def complex_step(self, order: int, i: int, direction: np.ndarray) -> Numeric:
        """The error of rounding is taken from a run in half the digits.

        Raises: NotAnalyticError if the real part is not the value: at the edge of a domain.
        """

        def value(arrays: Sequence[Any]) -> Any:
            return self.value(order, arrays)

        start = self.line(order, i, direction)(0.0)
        real, found = stepped.derivative(value, self.arrays, i, direction)
        if not np.isclose(real, start, rtol=1e-6, atol=1e-9 * self.size(order, i, direction)):
            raise stepped.NotAnalyticError("complex numbers have another value")
        halves = [a.astype(np.float32) for a in self.arrays]
        try:
            _, rough = stepped.derivative(value, halves, i, direction)
            error = abs(float(rough) - float(found)) * 2.0**-29
        except Exception:  # some of linear algebra takes no single precision
            error = np.nan
        if not np.isfinite(error):
            error = 1e-10 * abs(float(found))
        return Numeric(float(found), error, "complex step")

    def slopes(self, order: int, i: int, direction: np.ndarray) -> tuple[float, float] | None:
        """Those from the left and the right where they differ, nan for what does not exist."""
        magnitude = self.size(order, i, direction)
        with np.errstate(all="ignore"):
            sides = differences.one_sided(self.line(order, i, direction), magnitude)
        floor = 1e-6 * max(magnitude, 1e-300)
        left, right = (
            s.value if s.error <= 1e-3 * max(abs(s.value), floor) else np.nan for s in sides
        )
        allowed = SAFETY * (sides[0].error + sides[1].error)
        if np.isnan(left) or np.isnan(right):
            middle = self.difference(order, i, direction)
            if middle.error <= 1e-3 * max(abs(middle.value), floor):
                return None  # smooth, but hard to tell from one side
        if abs(left - right) <= allowed + 1e-6 * max(abs(left), abs(right), floor):
            return None
        return left, right

    def scale(
        self, order: int, i: int, direction: np.ndarray, numeric: Numeric, terms: float
    ) -> float:
        """What errors are relative to: the sizes of the terms, and some digits of the value."""
        known = [terms, abs(numeric.value), 0.01 * self.size(order, i, direction)]
        if order == 2:
            known.append(0.01 * self.size(1, i, direction))
        return float(max(x if np.isfinite(x) else 0.0 for x in known))

    def bent(self, order: int, i: int, direction: np.ndarray, scale: float) -> bool:
        """Whether the slopes on both sides seem to differ, over a small step."""
        phi, h = self.line(order, i, direction), 1e-5
        return not abs(phi(h) - 2 * phi(0.0) + phi(-h)) <= 1e-3 * scale * h

    def elements(self, i: int) -> list[int]:
        """The elements of array i to look at one by one: all, or a random choice."""
        size = self.arrays[i].size
        if size <= MOST_ELEMENTS:
            return list(range(size))
        return sorted(map(int, self.rng.choice(size, MOST_ELEMENTS, replace=False)))


def units(shape: tuple[int, ...], elements: Iterable[int]) -> Iterator[np.ndarray]:
    """Arrays of this shape with a one at each of the elements."""
    for k in elements:
        unit = np.zeros(shape)
        unit.reshape(-1)[k] = 1.0
        yield unit


def index(k: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the element that is number k in an array of this shape."""
    return tuple(map(int, np.unravel_index(k, shape)))


def between(found: float, left: float, right: float) -> bool:
    """Whether a derivative is one that may be given where the slopes are these.

    Where one of them does not exist it must be the other, or not finite.
    """
    low, high = np.fmin(left, right), np.fmax(left, right)
    if np.isnan(low) or not np.isfinite(found):
        return bool(np.isnan(left) or np.isnan(right))
    margin = 1e-5 * max(abs(low), abs(high)) + 1e-9
    return bool(low - margin <= found <= high + margin)


def _doubles(array: np.ndarray) -> np.ndarray:
    """A copy in float64; one of float64 has the strides too, for what depends on them."""
    if array.dtype != np.float64 or not array.size:
        return array.astype(np.float64)
    low, high = np.lib.array_utils.byte_bounds(array)
    memory = np.zeros(high - low, np.uint8)
    start = array.ctypes.data - low
    copy: np.ndarray = np.ndarray(array.shape, np.float64, memory, start, array.strides)
    copy[...] = array
    return copy
