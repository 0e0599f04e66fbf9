"""Hypothesis strategies: shapes, tensors in every layout, axes and indices.

Everything shrinks: to fewer and smaller axes, to the C layout, to values near zero.
Needs the extra `test`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.dtypes import as_numpy
from autodiff.tensor import Tensor, make

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise ImportError(
        "property-based tests need hypothesis, which is not installed: pip install 'tapegrad[test]'"
    ) from error

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


_WORD = re.compile(r"(?:(?P<times>\d+)\*)?(?P<name>[^\W\d]\w*)(?:\+(?P<plus>\d+))?|(?P<number>\d+)")


@st.composite
def template(draw: st.DrawFn, text: str) -> Shape:
    """The shape that a template describes, its letters replaced by sides of 1 to 4.

    text: a word for each axis: a number, a name, or one with both, as "H+2" or "2*C"; "..." stands
        for any axes. What has the same name has the same side in all templates of one example: an
        image and its target are "N 3 H+2 W+2" and "N".
    Raises: ValueError for any other word.

    >>> from hypothesis import find
    >>> find(template("N 3 H+2"), lambda shape: shape[0] > 1)
    (2, 3, 3)
    """
    shape: list[int] = []
    for word in text.split():
        if word == "...":
            shape += draw(_shared(word, hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)))
            continue
        read = _WORD.fullmatch(word)
        if not read:
            raise ValueError(
                f"{word!r} in the template {text!r} is no axis: give a number, a name, 'H+2', "
                "'2*C', or '...'"
            )
        if read["number"]:
            shape.append(int(read["number"]))
        else:
            side = draw(_shared(read["name"], st.integers(1, MAX_SIDE)))
            shape.append(int(read["times"] or 1) * side + int(read["plus"] or 0))
    return tuple(shape)


def _shared(name: str, drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The same value wherever this name is drawn in one example."""
    return st.shared(drawn, key=("autodiff.testing.strategies", name))


GRID = tuple(sign * (k / 4 + 0.1) for k in range(16) for sign in (1, -1))
"""±0.1, ±0.35, ±0.6 …: at least 0.1 from every multiple of 1/2, where functions have kinks."""

KINKS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0)
"""Where functions have kinks: relu6 and hardswish at 6, say."""


def elements(dtype: Any = np.float64, positive: bool = False) -> st.SearchStrategy[Any]:
    """Values of a dtype: floats from GRID, integers from -4 to 4, booleans."""
    kind = as_numpy(dtype).kind
    if kind == "b":
        return st.booleans()
    if kind in "iu":
        return st.integers(1 if positive else 0 if kind == "u" else -4, 4)
    return st.sampled_from(GRID[::2] if positive else GRID)


def kinks() -> st.SearchStrategy[float]:
    """Floats where functions have kinks, so few that arrays of them have ties too."""
    return st.sampled_from(KINKS)


def _each(x: np.ndarray, axis_slice: slice) -> np.ndarray:
    """The same slice of every axis; the Ellipsis makes it an array also of a 0-d x."""
    key: Any = (..., *[axis_slice] * x.ndim)
    return x[key]


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
    shape: str | Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = np.float64,
    layouts: Sequence[str] = tuple(LAYOUTS),
    positive: bool = False,
    distinct: bool = False,
    values: st.SearchStrategy[Any] | None = None,
) -> np.ndarray:
    """An array of `elements` in one of the layouts.

    shape: what the array has, or a template; any shape unless given.
    dtype: an element type, or a strategy for one.
    values: for the elements, as kinks() or integers(0, 9), instead of `elements`.
    distinct: floats of which no two are nearer than 0.25, so that maxima and sorting have no ties.
    """
    if shape is None:
        shape = shapes()
    if isinstance(shape, str):
        shape = template(shape)
    if isinstance(shape, st.SearchStrategy):
        shape = draw(shape)
    dtype = as_numpy(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    if distinct:
        size = int(np.prod(shape))
        ranks = np.array(draw(st.permutations(range(size))), np.int64)
        x = ((ranks - (0 if positive else size // 2)) / 4 + 0.1).astype(dtype).reshape(shape)
        layouts = [name for name in layouts if name != "broadcast"]
    else:
        # Filling large arrays with one value is fast, but makes Hypothesis draw simpler values
        # afterwards: half of the programs drawn had a single step.
        fill = st.nothing() if np.prod(shape) <= 32 else None
        values = elements(dtype, positive) if values is None else values
        x = draw(hnp.arrays(dtype, shape, elements=values, fill=fill))
    return LAYOUTS[draw(st.sampled_from(layouts))](x)


@st.composite
def tensors(
    draw: st.DrawFn,
    shape: str | Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = np.float64,
    layouts: Sequence[str] = tuple(LAYOUTS),
    positive: bool = False,
    distinct: bool = False,
    values: st.SearchStrategy[Any] | None = None,
) -> Tensor:
    """A Tensor of what `arrays` draws with the same arguments, strides included.

    >>> from hypothesis import find
    >>> find(tensors("N 2"), lambda x: x.sum() < 0)
    tensor([[ 0.1000, -0.3500]], dtype=autodiff.float64)
    """
    return make(draw(arrays(shape, dtype, layouts, positive, distinct, values)))


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
        choices: list[st.SearchStrategy[Any]] = [st.slices(side)]
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
