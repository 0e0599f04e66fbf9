"""Hypothesis strategies: shapes, arrays in every layout, axes, indices, and random programs.

Everything shrinks: to fewer and smaller axes, to the C layout, to values near zero, to fewer steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Shape = tuple[int, ...]

FLOATS = (np.float64, np.float32)
DTYPES = (*FLOATS, np.int64, np.bool_)

MAX_DIMS, MAX_SIDE = 4, 4


def dtypes(floating: bool = False) -> st.SearchStrategy[type]:
    """float64, float32, int64 and bool, or only the floats."""
    return st.sampled_from(FLOATS if floating else DTYPES)


def shapes(min_dims: int = 0, min_side: int = 0) -> st.SearchStrategy[Shape]:
    """Shapes of up to four axes: 0-d, sides of one, and empty ones unless min_side is 1."""
    return hnp.array_shapes(
        min_dims=min_dims, max_dims=MAX_DIMS, min_side=min_side, max_side=MAX_SIDE
    )


def broadcastable(
    count: int, min_side: int = 0, max_dims: int = MAX_DIMS
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """That many shapes which broadcast together."""
    return hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_side=min_side, max_dims=max_dims, max_side=MAX_SIDE
    ).map(lambda drawn: drawn.input_shapes)


GRID = tuple(sign * (k / 4 + 0.1) for k in range(16) for sign in (1, -1))
"""±0.1, ±0.35, ±0.6 …: at least 0.1 from every multiple of 1/2, where functions have kinks."""


def elements(dtype: Any = np.float64, positive: bool = False) -> st.SearchStrategy[Any]:
    """Values of a dtype: floats from GRID, integers from -4 to 4, booleans."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return st.booleans()
    if kind == "i":
        return st.integers(1 if positive else -4, 4)
    return st.sampled_from(GRID[::2] if positive else GRID)


def _each(x: np.ndarray, axis_slice: slice) -> np.ndarray:
    """The same slice of every axis; the Ellipsis makes it an array also of a 0-d x."""
    return x[(..., *[axis_slice] * x.ndim)]


def _strided(x: np.ndarray) -> np.ndarray:
    view = _each(np.zeros([2 * n for n in x.shape], x.dtype), slice(None, None, 2))
    view[...] = x
    return view


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: x.copy(order="C"),
    "F": lambda x: x.copy(order="F"),
    "strided": _strided,
    "reversed": lambda x: _each(_each(x, slice(None, None, -1)).copy(), slice(None, None, -1)),
    "broadcast": lambda x: np.broadcast_to(_each(x, slice(1)), x.shape),
}
"""How an array lies in memory. All keep its values but "broadcast", which repeats the first one
(strides of zero, read-only)."""


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = np.float64,
    layouts: Sequence[str] = tuple(LAYOUTS),
    positive: bool = False,
    distinct: bool = False,
) -> np.ndarray:
    """An array of `elements` in one of the layouts, an arbitrary shape unless given.

    distinct: floats of which no two are nearer than 0.25, so that maxima and sorting have no ties.
    """
    if shape is None:
        shape = shapes()
    if isinstance(shape, st.SearchStrategy):
        shape = draw(shape)
    if distinct:
        size = int(np.prod(shape))
        ranks = np.array(draw(st.permutations(range(size))), np.int64)
        x = ((ranks - (0 if positive else size // 2)) / 4 + 0.1).astype(dtype).reshape(shape)
        layouts = [name for name in layouts if name != "broadcast"]
    else:
        # Filling large arrays with one value is fast, but makes Hypothesis draw simpler values
        # afterwards: half of the programs drawn had a single step.
        fill = st.nothing() if np.prod(shape) <= 32 else None
        x = draw(hnp.arrays(dtype, shape, elements=elements(dtype, positive), fill=fill))
    return LAYOUTS[draw(st.sampled_from(layouts))](x)


def axes(shape: Shape) -> st.SearchStrategy[int | tuple[int, ...] | None]:
    """What a reduction of this shape may be given: None, an axis, a tuple; negative ones too."""
    ndim = len(shape)
    one = st.integers(-ndim, ndim - 1) if ndim else st.nothing()
    return st.none() | one | hnp.valid_tuple_axes(ndim)


INDEX_KINDS = ("basic", "integer", "mask", "mixed")


@st.composite
def indices(draw: st.DrawFn, shape: Shape, kinds: Sequence[str] = INDEX_KINDS) -> Any:
    """An index that NumPy accepts for an array of this shape.

    basic: integers, slices with steps of either sign, None, Ellipsis; integer: one integer array
    for each axis; mask: a boolean array over the leading axes; mixed: all of these in one tuple.
    An axis of no elements has no valid integer: with one, "integer" becomes "mask".
    """
    kind = draw(st.sampled_from(kinds))
    if kind == "integer" and shape and 0 not in shape:
        return draw(hnp.integer_array_indices(shape, result_shape=_ADVANCED))
    if kind == "integer" or kind == "mask":
        covered = draw(st.integers(0, len(shape)))
        return draw(hnp.arrays(np.bool_, shape[:covered]))
    if kind == "basic":
        return draw(hnp.basic_indices(shape, allow_newaxis=True))
    return draw(_mixed_indices(shape))


_ADVANCED = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)


@st.composite
def _mixed_indices(draw: st.DrawFn, shape: Shape) -> tuple:
    """One entry for each axis, then an Ellipsis over some of them and a None at random places.

    Integer arrays broadcast together, and with the number of True in a mask where there is one.
    """
    masked = draw(st.integers(0, len(shape)))
    common = draw(_ADVANCED)
    entries: list[Any] = []
    if masked < len(shape):
        mask = draw(hnp.arrays(np.bool_, shape[masked]))
        common = draw(st.sampled_from([(), (1,), (int(mask.sum()),)]))
    for axis, side in enumerate(shape):
        choices = [st.slices(side)]
        if side:
            integers = st.integers(-side, side - 1)
            choices += [integers, hnp.arrays(np.int64, common, elements=integers)]
        entries.append(mask if axis == masked else draw(st.one_of(choices)))
    if draw(st.booleans()):
        start = draw(st.integers(0, len(entries)))
        entries[start : draw(st.integers(start, len(entries)))] = [...]
    if draw(st.booleans()):
        entries.insert(draw(st.integers(0, len(entries))), None)
    return tuple(entries)


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
