"""What is done to a recorded program before it is emitted; see also merge.py.

`dead` drops calls. The other passes are rules that look at one call after the other and may say
what to put in the place of its result: `constants`, `simplify` and `common`. One sweep applies them
all, each to what the others leave.
"""

import math
from typing import Any

import numpy as np

from autodiff.compiler.parts import getitem, joined, setitem
from autodiff.compiler.program import VIEWS, Call, Program, Value, is_elementwise, is_large
from autodiff.compiler.sweep import Rule, Sweep, like, scalar

_LARGEST_CONSTANT = 2**16  # bytes: what is computed ahead must not make the program large


def dead(program: Program) -> None:
    """Drop calls whose results nobody needs."""
    needed = set(program.wanted)
    kept = []
    for call in reversed(program.calls):
        draws = call.kind == "operation" and call.function.family == "random"  # and moves on
        if draws or call.kind == "check" or not needed.isdisjoint(call.results):
            needed.update(call.inputs)
            kept.append(call)
    program.calls = kept[::-1]
    program.inputs = [v for v in program.inputs if v in needed or not v.is_read]


def constants(sweep: Sweep, call: Call) -> Value | None:
    """Compute ahead what depends on constants alone."""
    for x in call.operands:
        if x.__class__ is Value and x.array is None:
            return None
    result, given = call.result, call.inputs
    if not given or (call.kind == "operation" and call.function.family == "random"):
        return None
    largest = max([_LARGEST_CONSTANT, *[x.nbytes for x in given]])
    if call.kind not in VIEWS and result.nbytes > largest:
        return None
    out = call.evaluate([x.array if x.__class__ is Value else x for x in call.operands])
    return Value(result.shape, result.dtype, array=np.asarray(out), name=result.name)


def common(sweep: Sweep, call: Call) -> Value | None:
    """Compute once what is computed twice, and keep one of constants that are alike."""
    for i, x in enumerate(call.operands):
        known = x.__class__ is Value and x.array is not None and x.shape
        if known and (c := scalar(x)) is not None:
            one = sweep.seen.setdefault((x.shape, x.dtype, _hashable(c)), x)
            if one is not x:
                call.take((*call.operands[:i], one, *call.operands[i + 1 :]))
    key = _identity(call, call.operands)
    if key is None:
        return None
    found = sweep.seen.setdefault(key, call.result)
    if _is_better_again(call, found):
        found = sweep.seen[key] = call.result
    return None if found is call.result else found


def _is_better_again(call: Call, found: Value) -> bool:
    """Whether the backward pass computes again what else would be kept for it: u² of gelu's u.

    Where that is one pass over one array, in a loop over blocks with others.
    """
    return (
        is_large(call)
        and call.phase == "backward"
        and found.call is not None
        and found.call.phase == "forward"
        and call.function in (np.multiply, np.add, np.subtract, np.negative, np.square)
        and len({x for x in call.inputs if x.shape}) == 1
    )


def _identity(call: Call, operands: tuple) -> Any:
    """A key equal for calls that compute the same; None if that cannot be said."""
    if call.kind == "update" or len(call.results) != 1:
        return None
    if call.kind == "operation" and call.function.family == "random":
        return None
    parts = [
        (x.dtype.str, _hashable(x.array.item()))
        if x.__class__ is Value and _is_scalar(x)
        else (type(x), _hashable(x))
        for x in operands
    ]
    key = (call.kind, _hashable(call.function), *parts, *map(_hashable, call.parameters.items()))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _hashable(x: Any) -> Any:
    if isinstance(x, slice):
        return "slice", x.start, x.stop, x.step
    if isinstance(x, tuple):
        return tuple([_hashable(item) for item in x])
    if isinstance(x, float) and x == 0:
        return str(x)  # -0.0 is equal to 0.0
    return x


def _is_scalar(value: Value) -> bool:
    return value.array is not None and not value.shape


def simplify(sweep: Sweep, call: Call) -> Value | None:
    """Take out what changes nothing, join chains of views, casts and factors, and see through
    joins: a part of what was put together is that part."""
    rule = RULES.get(call.kind)
    return None if rule is None else rule(sweep, call)


def _reduce(s: Sweep, call: Call) -> Value | None:
    """A sum along an axis of a matrix as its product with ones: 0.4 us for 100 x 8, not 3."""
    x, dtype = call.operands[0], call.result.dtype
    axis, rest = call.parameters.get("axis"), set(call.parameters) - {"axis", "keepdims"}
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    if call.function is not np.add or len(x.shape) != 2 or rest or not isinstance(axis, int):
        return None
    if dtype.char not in "fd" or x.dtype != dtype or not x.size:
        return None
    n = x.shape[axis]
    ones = Value((n,), dtype, array=np.ones(n, dtype))
    if axis % 2 == 0:
        x = s.add(call, "transpose", (1, 0), (x,), x.shape[::-1])
    total = s.add(call, "dot", np.dot, (x, ones), x.shape[:1])
    return s.add(call, "reshape", call.result.shape, (total,), call.result.shape)


def _ufunc(s: Sweep, call: Call) -> Value | None:
    if is_elementwise(call):
        _narrow(call)
    f, operands = call.function, call.operands
    if f in (np.add, np.multiply, np.subtract, np.divide) and call.result.dtype.kind == "f":
        x, y = operands
        if f in (np.add, np.multiply) and scalar(x) is not None:
            x, y = y, x
        c = scalar(y)
        if c is None:
            found = joined(s, call, x, y) if f is np.add else None
            return _tiled(s, call) if found is None else found
        if c == (0 if f in (np.add, np.subtract) else 1) and like(x, call):
            # x + 0 is x but for -0.0 + 0, which compares equal
            return x
        if f is np.add and x.__class__ is not Value:
            return None
        if f in (np.multiply, np.divide):
            return _factors(s, call, x, c)
    if f is np.negative and operands[0].__class__ is Value:
        inner = operands[0].call
        if inner is not None and inner.kind == "ufunc" and inner.function is np.negative:
            return inner.operands[0]
    if f is np.positive and like(operands[0], call):
        return operands[0]
    return _tiled(s, call)


_TILE = 2**8  # elements of a tiled row


def _tiled(s: Sweep, call: Call) -> Value | None:
    """A tall matrix and a row as fewer, longer rows and as many copies of the row.

    NumPy spends 10 ns on each row: 92 us on 9900 x 5 and a row of 5, then 15.
    """
    if call.function not in (np.add, np.subtract, np.multiply) or len(call.result.shape) != 2:
        return None
    (rows, width), dtype = call.result.shape, call.result.dtype
    if rows < 512 or not 0 < width <= _TILE // 4 or rows * width >= 2**16:
        return None
    full = [
        like(x, call) and x.call is not None and x.call.kind not in VIEWS for x in call.operands
    ]
    if full.count(True) != 1:
        return None
    i = full.index(False)
    row = call.operands[i]
    if row.__class__ is not Value or row.dtype != dtype or row.shape not in ((width,), (1, width)):
        return None
    count = max(k for k in range(1, rows + 1) if rows % k == 0 and k * width <= _TILE)
    if count < 4:
        return None
    spread = s.add(call, "broadcast", (count, width), (row,), (count, width))
    tile = s.add(call, "copy", None, (spread,), (count, width))
    long = (rows // count, count * width)
    operands: list[Any] = [s.add(call, "reshape", long, (call.operands[1 - i],), long)] * 2
    operands[i] = s.add(call, "reshape", long[1:], (tile,), long[1:])
    out = s.add(call, "ufunc", call.function, operands, long)
    return s.add(call, "reshape", call.result.shape, (out,), call.result.shape)


def _narrow(call: Call) -> None:
    """Put a 0-d constant in the place of an array of equal constants that another one spans."""
    shape = call.result.shape
    for i, x in enumerate(call.operands):
        if (
            x.__class__ is Value
            and x.array is not None
            and x.shape
            and (c := scalar(x)) is not None
        ):
            others = call.operands[:i] + call.operands[i + 1 :]
            if any(y.__class__ is Value and y.shape == shape for y in others):
                narrow = Value((), x.dtype, array=np.array(c, x.dtype))
                call.take((*call.operands[:i], narrow, *call.operands[i + 1 :]))


def _factors(s: Sweep, call: Call, x: Any, c: float) -> Value | None:
    """(x * a) * c as x * (a c), and x / c where 1 / c is exact as x * (1 / c)."""
    if call.function is np.divide:
        if c == 0 or not math.isfinite(c) or abs(math.frexp(c)[0]) != 0.5:
            return None
        if not like(x, call) or not _is_normal(1.0 / c, call.result.dtype):
            return None
        return s.add(call, "ufunc", np.multiply, (x, _number(call, 1.0 / c)), call.result.shape)
    inner = x.call if x.__class__ is Value else None
    if inner is None or inner.kind != "ufunc" or inner.function is not np.multiply:
        return None
    if not like(x, call):
        return None
    for i in (0, 1):
        a = scalar(inner.operands[i])
        other = inner.operands[1 - i]
        if a is None or not like(other, call):
            continue
        if _is_normal(a * c, call.result.dtype) or 0 in (a, c):
            new = (other, _number(call, a * c))
            return s.add(call, "ufunc", np.multiply, new, call.result.shape)
    return None


def _is_normal(c: float, dtype: np.dtype) -> bool:
    """Whether a number of this dtype has all of its digits."""
    limits = np.finfo(dtype)
    return bool(limits.tiny <= abs(c) <= limits.max)


def _number(call: Call, c: float) -> Value:
    dtype = call.result.dtype
    return Value((), dtype, array=np.array(c, dtype))


def _cast(s: Sweep, call: Call) -> Value | None:
    x = call.operands[0]
    return x if x.dtype == call.result.dtype else None


def _copy(s: Sweep, call: Call) -> Value | None:
    x = call.operands[0]  # values have no memory that could be written, but they have a layout
    return None if x.call is not None and x.call.kind in ("transpose", "broadcast") else x


def _reshape(s: Sweep, call: Call) -> Value | None:
    x = call.operands[0]
    if x.shape == call.result.shape:
        return x
    inner = x.call
    if inner is not None and inner.kind == "reshape":
        return s.add(call, "reshape", call.function, inner.operands, call.result.shape)
    return None


def _transpose(s: Sweep, call: Call) -> Value | None:
    x, axes = call.operands[0], call.function
    inner = x.call
    if inner is not None and inner.kind == "transpose":
        axes = tuple([inner.function[a] for a in axes])
        x = inner.operands[0]
        if axes != tuple(range(len(axes))):
            return s.add(call, "transpose", axes, (x,), call.result.shape)
    if axes == tuple(range(len(axes))):
        return x
    if inner is not None and inner.function is np.matmul and s.uses[x] == 1:
        return _turned_product(s, call, inner)
    return None


def _turned_product(s: Sweep, call: Call, inner: Call) -> Value | None:
    """A product with its rows as columns: that of the other way round, whose rows stay rows.

    So it may be computed in its place in a join; matmul cannot write columns apart.
    """
    axes, last = call.function, len(call.function) - 1
    if axes[-1] != last - 1 or min([len(x.shape) for x in inner.operands]) < 2:
        return None
    operands = []
    for x in reversed(inner.operands):
        *lead, rows, columns = range(len(x.shape))
        shape = (*x.shape[:-2], x.shape[-1], x.shape[-2])
        operands.append(s.add(call, "transpose", (*lead, columns, rows), (x,), shape))
    *lead_shape, n, m = inner.result.shape
    product = s.add(call, "ufunc", np.matmul, operands, (*lead_shape, m, n))
    swapped = {last: last - 1, last - 1: last}
    axes = tuple([swapped.get(a, a) for a in axes])
    return s.add(call, "transpose", axes, (product,), call.result.shape)


def _broadcast(s: Sweep, call: Call) -> Value | None:
    return call.operands[0] if call.operands[0].shape == call.result.shape else None


RULES: dict[str, Rule] = {
    "reduce": _reduce,
    "ufunc": _ufunc,
    "cast": _cast,
    "copy": _copy,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast": _broadcast,
    "getitem": getitem,
    "setitem": setitem,
}
"""For each kind of call a function that gives the Value to put in its place, or None."""
