"""Random programs: expression graphs as data, which NumPy, PyTorch and tapegrad can run.

They shrink to fewer steps, and to smaller inputs (see autodiff.testing.strategies).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.testing.strategies import Shape, arrays, broadcastable


@dataclass(frozen=True)
class Step:
    """One operation of a program: operands are positions in the list of values so far."""

    operation: str
    operands: tuple[int, ...]
    parameters: tuple = ()


@dataclass(frozen=True)
class Program:
    """An expression graph as data. The values are the inputs, then one for each step.

    Some inputs may be unused and some steps dead: the result is the last value alone.
    """

    inputs: tuple[np.ndarray, ...]
    steps: tuple[Step, ...]

    def __call__(self, namespace: Any, *inputs: Any) -> Any:
        """Run on these inputs (the program's own if none) with a namespace's functions.

        The namespace is numpy, autodiff, torch, or `tests.reference.naive`, the inputs its arrays.
        """
        values = list(inputs or self.inputs)
        for step in self.steps:
            operands = [values[i] for i in step.operands]
            values.append(OPERATIONS[step.operation](namespace, *operands, *step.parameters))
        return values[-1]


OPERATIONS: dict[str, Callable[..., Any]] = {
    "negative": lambda ns, x: -x,
    "sin": lambda ns, x: ns.sin(x),
    "cos": lambda ns, x: ns.cos(x),
    "tanh": lambda ns, x: ns.tanh(x),
    "exp": lambda ns, x: ns.exp(x),
    "log": lambda ns, x: ns.log(x),
    "sqrt": lambda ns, x: ns.sqrt(x),
    "abs": lambda ns, x: ns.abs(x),
    "scale": lambda ns, x, c: x * c,
    "shift": lambda ns, x, c: c + x,
    "add": lambda ns, x, y: x + y,
    "subtract": lambda ns, x, y: x - y,
    "multiply": lambda ns, x, y: x * y,
    "divide": lambda ns, x, y: x / y,
    "maximum": lambda ns, x, y: ns.maximum(x, y),
    "where": lambda ns, x, y: ns.where(x > y, x, y),
    "matmul": lambda ns, x, y: x @ ns.swapaxes(y, 0, 1),
    "stack": lambda ns, x, y, axis: ns.stack([x, y], axis),
    "sum": lambda ns, x, axis: ns.sum(x, axis),
    "mean": lambda ns, x, axis: ns.mean(x, axis),
    "swapaxes": lambda ns, x, a, b: ns.swapaxes(x, a, b),
    "reshape": lambda ns, x, shape: x.reshape(shape),
    "index": lambda ns, x, index: x[index],
}
"""What a step does, in the spelling that NumPy, PyTorch and tapegrad share."""

BINARY = {"add", "subtract", "multiply", "divide", "maximum", "where", "matmul", "stack"}

SAFE: dict[str, Callable[..., bool]] = {
    "log": lambda x: np.min(x) > 0.1,
    "sqrt": lambda x: np.min(x) > 0.1,
    "abs": lambda x: np.min(np.abs(x)) > 0.05,
    "divide": lambda x, y: np.min(np.abs(y)) > 0.1,
    "maximum": lambda x, y: np.min(np.abs(x - y)) > 0.05,
    "where": lambda x, y: np.min(np.abs(x - y)) > 0.05,
    "matmul": lambda x, y: np.ndim(x) == np.ndim(y) == 2,
    "sum": lambda x: np.ndim(x) > 0,
    "mean": lambda x: np.ndim(x) > 0,
}
"""Operands a step may have: far from kinks and poles, and with axes where it needs them."""

_SCALARS = st.sampled_from([0.5, -2.0, 1.25])

PARAMETERS: dict[str, Callable[[Shape], st.SearchStrategy[tuple]]] = {
    "scale": lambda shape: st.tuples(_SCALARS),
    "shift": lambda shape: st.tuples(_SCALARS),
    "stack": lambda shape: st.tuples(st.integers(0, len(shape))),
    "sum": lambda shape: st.tuples(st.integers(-1, len(shape) - 1)),
    "mean": lambda shape: st.tuples(st.integers(-1, len(shape) - 1)),
    "swapaxes": lambda shape: st.tuples(st.just(0), st.just(-1)),
    "reshape": lambda shape: st.tuples(
        st.sampled_from([(-1,), shape[::-1], (*shape, 1), (1, *shape)])
    ),
    "index": lambda shape: st.tuples(
        st.sampled_from([0, -1, (..., 0), slice(1, None), slice(None, None, 2), (None, ...)])
    ),
}
"""The parameters of an operation, given the shape of its first operand."""


def _outcome(name: str, operands: Sequence[Any], parameters: tuple) -> Any:
    """What NumPy computes; None for what it refuses, kinks, poles, and values beyond 100."""
    try:
        if name in SAFE and not SAFE[name](*operands):
            return None
        out = OPERATIONS[name](np, *operands, *parameters)
    except (ValueError, IndexError):
        return None
    return out if 0 < np.size(out) < 200 and np.max(np.abs(out)) <= 100 else None


@st.composite
def programs(draw: st.DrawFn, max_inputs: int = 3, max_steps: int = 8) -> Program:
    """A program over float64 inputs that broadcast together, all values smooth and moderate.

    A drawn operation that fits none of the values so far is left out.
    """
    length = draw(st.integers(1, max_steps))
    count = draw(st.integers(1, max_inputs))
    sides = draw(broadcastable(count, min_side=1, max_dims=2))
    inputs = tuple(draw(arrays(shape)) for shape in sides)
    values: list[Any] = list(inputs)
    steps: list[Step] = []
    for _ in range(length):
        name = draw(st.sampled_from(list(OPERATIONS)))
        first = draw(st.sampled_from(range(len(values))[::-1]))
        parameters = draw(PARAMETERS[name](np.shape(values[first]))) if name in PARAMETERS else ()
        outcomes = {}
        for second in range(len(values))[::-1] if name in BINARY else [None]:
            positions = (first,) if second is None else (first, second)
            out = _outcome(name, [values[i] for i in positions], parameters)
            if out is not None:
                outcomes[positions] = out
        if outcomes:
            positions = draw(st.sampled_from(list(outcomes)))
            values.append(outcomes[positions])
            steps.append(Step(name, positions, parameters))
    return Program(inputs, tuple(steps))
