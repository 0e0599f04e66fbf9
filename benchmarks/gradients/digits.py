"""Derivatives in 60 digits, by differences of definitions in mpmath, and how far ours are off."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from autodiff.primitive import Primitive
from autodiff.testing.report import Report, Row
from autodiff.testing.subject import TensorSubject
from tests.autodiff.samples import Sample
from tests.autodiff.test_exactness import DECOMPOSITIONS, DEFINITIONS
from tests.autodiff.test_primitives import active, differentiable

METHOD = "60 digits"
STEP = "1e-20"
AVAILABLE = find_spec("mpmath") is not None


def known(name: str) -> bool:
    """Whether there is a definition of an operation."""
    return name in DEFINITIONS or name in DECOMPOSITIONS


def report(primitive: Primitive, sample: Sample, seed: int) -> Report:
    """The errors of both orders and modes along random directions.

    Relative to the sum of the sizes of the terms of gradient times direction, as those of
    check_gradients; not below a hundredth of that of the value.
    """
    import mpmath

    rng = np.random.default_rng(seed)
    fn, given = differentiable(primitive, sample, seed)
    subject = TensorSubject(fn, tuple(given))
    arrays = subject.arrays
    (out,) = subject.outputs(arrays)
    w = rng.uniform(0.5, 1.5, out.shape)
    along, directions = (
        [rng.uniform(-1, 1, a.shape) * np.maximum(1.0, np.abs(a)) for a in arrays] for _ in range(2)
    )
    value = _definition(mpmath, primitive, sample, seed, w, out)
    found = Report()
    for order in (1, 2):
        first = subject.gradients(arrays, [w])
        gradients = first if order == 1 else subject.second(arrays, [w], along)
        for i, direction in enumerate(directions):

            def at(s: Any, t: Any, i: int = i, direction: np.ndarray = direction) -> Any:
                moved = [a + s * d for a, d in zip(map(_exact, arrays), map(_exact, along))]
                moved[i] = moved[i] + t * _exact(direction)
                return value(moved)

            with mpmath.workdps(60):
                exact = float(_derivative(at, order, mpmath.mpf(STEP)))
            terms = gradients[i] * direction
            scale = max(np.sum(np.abs(terms)), abs(exact), 0.01 * np.sum(np.abs(w * out)))
            forward = subject.tangent(arrays, i, direction, [w], along if order == 2 else None)
            for mode, given_value in ("reverse", np.sum(terms)), ("forward", forward):
                error = float(abs(given_value - exact) / (scale or 1.0))
                found.rows.append(Row(subject.names[i], order, mode, METHOD, error))
    return found


def _derivative(value: Callable[[Any, Any], Any], order: int, h: Any) -> Any:
    """That by t at 0, or by s and t."""
    if order == 1:
        return (value(0, h) - value(0, -h)) / (2 * h)
    above, below = (value(s, h) - value(s, -h) for s in (h, -h))
    return (above - below) / (4 * h * h)


def _definition(
    mpmath: Any, primitive: Primitive, sample: Sample, seed: int, w: np.ndarray, out: np.ndarray
) -> Callable[[Sequence[np.ndarray]], Any]:
    """The weighted sum of what the definition gives, as a function of the active arguments."""
    positions = active(primitive, sample)

    def arguments(values: Sequence[np.ndarray]) -> list[Any]:
        every: list[Any] = list(map(_exact, sample.arrays(seed=seed)))
        for i, x in zip(positions, values, strict=True):
            symmetric = getattr(sample.arguments[i], "symmetric", False)
            every[i] = (x + x.swapaxes(-1, -2)) / 2 if symmetric else x
        return every

    def of_elements(values: Sequence[np.ndarray]) -> Any:
        definition = DEFINITIONS[primitive.name]
        spread = np.broadcast_arrays(*arguments(values))
        return sum(
            w[place]
            * definition(mpmath, *[mpmath.mpf(x[place]) for x in spread], **sample.parameters)
            for place in np.ndindex(out.shape)
        )

    def of_matrices(values: Sequence[np.ndarray]) -> Any:
        definition = DECOMPOSITIONS[primitive.name]
        x, *others = arguments(values)
        total = mpmath.mpf(0)
        for place in np.ndindex(x.shape[:-2] if x.size else 0):
            matrix = mpmath.matrix(x[place].tolist())
            result = definition(mpmath, matrix, out[place], *others, **sample.parameters)
            total += np.sum(_exact(w[place]) * result)
        return total

    return of_elements if primitive.name in DEFINITIONS else of_matrices


def _exact(array: np.ndarray) -> np.ndarray:
    """As Python's numbers, which mpmath calculates with."""
    return array.astype(object)
