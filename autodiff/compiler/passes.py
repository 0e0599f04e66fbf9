"""What is done to a recorded program before it is emitted; see also merge.py.

`dead` drops calls. The other passes are rules that look at one call after the other and may say
what to put in the place of its result: `constants`, `simplify` and `common`. One sweep applies them
all, each to what the others leave.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.program import HOLE, VIEWS, Call, Program, Value, is_elementwise, items_of

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


Rule = Callable[["Sweep", Call], Value | None]
"""What to put in the place of a call's result; None to leave it."""


class Sweep:
    """Rewrites a program call by call; rules may add calls in front of the one at hand.

    seen: the results there are already, by what computes them; see `common`. written: chains of
    setitems by their results; see `_written`.
    """

    def __init__(self, program: Program, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.calls: list[Call] = []
        self.new: dict[Value, Value] = {}
        self.seen: dict[Any, Value] = {}
        self.written: dict[Value, _Written] = {}
        for call in program.calls:
            if not self.new.keys().isdisjoint(call.inputs):
                new = self.new
                call.take([new.get(x, x) if x.__class__ is Value else x for x in call.operands])
            if len(call.results) == 1:
                found = self.put(call)
                if found is not call.result:
                    self.new[call.result] = found
                    found.name = found.name or call.result.name
            else:
                self.calls.append(call)
        program.calls = self.calls
        program.outputs = [self.new.get(x, x) for x in program.outputs]
        program.writes = [(memory, self.new.get(x, x)) for memory, x in program.writes]

    def put(self, call: Call) -> Value:
        """What stands for the result of a call, which is kept if no rule knows better."""
        for rule in self.rules:
            found = rule(self, call)
            if found is not None:
                return found
        self.calls.append(call)
        return call.result

    def add(
        self,
        like: Call,
        kind: str,
        function: Any,
        operands: Iterable,
        shape: Any,
        **parameters: Any,
    ) -> Value:
        """What stands for the result of a new call beside `like`."""
        call = Call(kind, function, tuple(operands), parameters, like.phase, like.place)
        dtype = np.dtype(function) if kind == "cast" else like.result.dtype
        call.results = (Value(tuple(shape), dtype, call),)
        return self.put(call)


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
    return None if found is call.result else found


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


def scalar(x: Any) -> Any:
    """The number that an operand is known to be in every element, else None."""
    if x.__class__ is not Value:
        return x
    if x.array is None or not x.array.size:
        return None
    if not x.shape:
        return x.array.item()
    if x.uniform is None:
        x.uniform = not any(x.array.strides) or _is_uniform(x.array)
    return x.array.flat[0].item() if x.uniform else None


def _is_uniform(array: np.ndarray) -> bool:
    """Whether all elements are one number, of one sign if it is zero."""
    first = array.flat[0]
    if not (array == first).all():
        return False
    if array.dtype.kind != "f" or first != 0:
        return True
    return bool((np.signbit(array) == np.signbit(first)).all())


def _like(x: Any, call: Call) -> bool:
    """Whether an operand has the result's shape and dtype."""
    return x.__class__ is Value and x.shape == call.result.shape and x.dtype == call.result.dtype


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
            found = _joined(s, call, x, y) if f is np.add else None
            return _tiled(s, call) if found is None else found
        if c == (0 if f in (np.add, np.subtract) else 1) and _like(x, call):
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
    if f is np.positive and _like(operands[0], call):
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
        _like(x, call) and x.call is not None and x.call.kind not in VIEWS for x in call.operands
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
        if not _like(x, call) or not _is_normal(1.0 / c, call.result.dtype):
            return None
        return s.add(call, "ufunc", np.multiply, (x, _number(call, 1.0 / c)), call.result.shape)
    inner = x.call if x.__class__ is Value else None
    if inner is None or inner.kind != "ufunc" or inner.function is not np.multiply:
        return None
    if not _like(x, call):
        return None
    for i in (0, 1):
        a = scalar(inner.operands[i])
        other = inner.operands[1 - i]
        if a is None or not _like(other, call):
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


def _joined(s: Sweep, call: Call, x: Any, y: Any) -> Value | None:
    """Zeros with x in one place plus zeros with y in another: zeros with both."""
    if not (_like(x, call) and _like(y, call)):
        return None
    mine, theirs = _written(s, x), _written(s, y)
    if mine is None or theirs is None or scalar(mine.base) != 0 or scalar(theirs.base) != 0:
        return None
    if any(mine.at(box).any() for _, box in theirs.places):
        return None
    value = x
    for place, _ in theirs.places:
        value = s.add(call, "setitem", place.function, (value, *place.operands[1:]), x.shape)
    return value


Box = list[range]
"""Which indices of each axis a key of integers and slices takes."""


class _Written:
    """A chain of setitems from `base` on: each with its box, and which was the last somewhere.

    numbers: of each element the number of that setitem, from 1 on; 0 for one of the base. Axes
    that all keys take whole have length 1. size: the elements of all boxes together.
    """

    def __init__(self, base: Value) -> None:
        self.base = base
        self.places: list[tuple[Call, Box]] = []
        self.numbers = np.zeros([1] * len(base.shape), np.int32)
        self.size = 0

    def at(self, box: Box) -> np.ndarray:
        """The numbers in a box."""
        key = [
            slice(r[0], r[-1] + 1, r.step) if r and n > 1 else slice(None)
            for r, n in zip([r if r.step > 0 else r[::-1] for r in box], self.numbers.shape)
        ]
        return self.numbers[(*key, ...)]

    def add(self, call: Call, box: Box) -> None:
        """Note a setitem that comes after the others."""
        for axis, (r, n) in enumerate(zip(box, self.base.shape)):
            if self.numbers.shape[axis] < n != len(r):
                self.numbers = self.numbers.repeat(n, axis)
        self.places.append((call, box))
        self.size += math.prod(map(len, box))
        self.at(box)[...] = len(self.places)


def _written(s: Sweep, x: Value) -> _Written | None:
    """The chain of setitems at plain keys that made x; None if there is none.

    It is taken over from an earlier value of the chain, so that one setitem after the other costs
    no time for those before.
    """
    chain, base = [], x
    while base not in s.written and (place := _place(base.call)) is not None:
        chain.append(place)
        base = place[0].operands[0]
    if base is x:
        return s.written.get(x)
    found = s.written[x] = s.written.pop(base) if base in s.written else _Written(base)
    for call, box in reversed(chain):
        found.add(call, box)
    return found


def _place(call: Call | None) -> tuple[Call, Box] | None:
    """A setitem at a plain key with its box; None for another call."""
    if call is None or call.kind != "setitem" or HOLE in items_of(call.function):
        return None
    box = _box(call.function, call.result.shape)
    return None if box is None else (call, box)


def _box(key: Any, shape: tuple[int, ...]) -> Box | None:
    """Which indices a key takes; None for a key that is not of integers and slices."""
    items = _spelled(key, len(shape))
    if any(item is None for item in items):
        return None
    return [
        range(item % n, item % n + 1) if isinstance(item, int) else range(*item.indices(n))
        for item, n in zip(items, shape, strict=True)
    ]


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
    return x if axes == tuple(range(len(axes))) else None


def _broadcast(s: Sweep, call: Call) -> Value | None:
    return call.operands[0] if call.operands[0].shape == call.result.shape else None


def _getitem(s: Sweep, call: Call) -> Value | None:
    x, shape = call.operands[0], call.result.shape
    if call.function is Ellipsis or (isinstance(call.function, tuple) and not call.function):
        return x
    inner = x.call
    if inner is None:
        return None
    mine = _box(call.function, x.shape)
    if mine is not None and (written := _written(s, x)) is not None:
        number = written.at(mine).max(initial=0)
        if number == 0:
            return s.add(call, "getitem", call.function, (written.base,), shape)
        place, box = written.places[number - 1]
        if mine == box and _kept(call.function, x.shape) == _kept(place.function, x.shape):
            return _spread(s, call, place.operands[1], shape)
        key = _within(call.function, place.function, x.shape)
        value = place.operands[1]
        if key is not None and value.__class__ is Value and value.dtype == x.dtype:
            kept = _kept(place.function, x.shape)
            if value.shape == tuple([len(r) for r, whole in zip(box, kept) if whole]):
                return s.add(call, "getitem", key, (value,), shape)
        x = place.result
        call.take((x,))
    if inner.kind == "concatenate" and mine is not None:
        axis = inner.parameters.get("axis", 0) % len(x.shape)
        start = 0
        for part in inner.operands:
            stop = start + part.shape[axis]
            wanted = mine[axis]
            if wanted and start <= wanted[0] and wanted[-1] < stop and wanted.step == 1:
                items = _spelled(call.function, len(x.shape))
                items[axis] = (
                    items[axis] % x.shape[axis] - start
                    if isinstance(items[axis], int)
                    else slice(wanted[0] - start, wanted[-1] + 1 - start)
                )
                return s.add(call, "getitem", tuple(items), (part,), shape)
            start = stop
        return None
    if inner.kind == "reshape":
        return _through_reshape(s, call, inner)
    if x.shape == shape and mine is not None and all(_kept(call.function, x.shape)):
        return x if all(r.step == 1 for r in mine) else None
    return None


def _within(key: Any, place: Any, shape: tuple[int, ...]) -> tuple | None:
    """What `key` takes, as a key for what `place` takes; None if that is less, or strided."""
    items: list[int | slice] = []
    for mine, theirs, n in zip(_spelled(key, len(shape)), _spelled(place, len(shape)), shape):
        if isinstance(theirs, int):
            if not isinstance(mine, int) or mine % n != theirs % n:
                return None
            continue
        start, stop, step = theirs.indices(n)
        first, last, stride = (
            (mine % n, mine % n + 1, 1) if isinstance(mine, int) else mine.indices(n)
        )
        if step != 1 or stride != 1 or not start <= first < last <= stop:
            return None
        items.append(first - start if isinstance(mine, int) else slice(first - start, last - start))
    return tuple(items)


def _setitem(s: Sweep, call: Call) -> Value | None:
    """x[:] = value is the value; zeros with a value in each part of an axis are a concatenation."""
    shape, key = call.result.shape, call.function
    if HOLE in items_of(call.function) or not all(_kept(key, shape)):
        return None
    if _box(key, shape) == _box((), shape):
        return _spread(s, call, call.operands[1], shape)
    written = _written(s, call.result)
    if written is None or scalar(written.base) != 0 or written.size != call.result.size:
        return None  # of an empty array scalar() knows nothing
    return _concatenated(s, call, written.places)


def _concatenated(s: Sweep, call: Call, places: list[tuple[Call, Box]]) -> Value | None:
    """The values put into places that follow each other along one axis; None if others are."""
    shape, dtype = call.result.shape, call.result.dtype
    parted = {a for _, box in places for a, r in enumerate(box) if r != range(shape[a])}
    if len(parted) != 1:
        return None
    axis, end, values = parted.pop(), 0, []
    for place, box in sorted(places, key=lambda part: part[1][axis].start):
        value, r = place.operands[1], box[axis]
        fits = value.__class__ is Value and (value.shape, value.dtype) == (
            tuple(map(len, box)),
            dtype,
        )
        if not fits or r.start != end or r.step != 1:
            return None
        end = r.stop
        values.append(value)
    if end != shape[axis]:
        return None
    return s.add(call, "concatenate", np.concatenate, values, shape, axis=axis)


def _through_reshape(s: Sweep, call: Call, inner: Call) -> Value | None:
    """x[..., None, ...] at the index 0 of the new axis is x."""
    x, whole = inner.operands[0], inner.result
    items = _spelled(call.function, len(whole.shape))
    if any(i is None for i in items):
        return None
    kept = []
    for item, n in zip(items, whole.shape, strict=True):
        if n == 1 and isinstance(item, int):
            continue
        if not (isinstance(item, slice) and range(*item.indices(n)) == range(n)):
            return None
        kept.append(n)
    if tuple(kept) == x.shape == call.result.shape:
        return x
    return None


def _spelled(key: Any, ndim: int) -> list:
    """The items of a key: one for each axis, and None for each new axis."""
    items = list(items_of(key))
    if Ellipsis in items:
        i = items.index(Ellipsis)
        new = sum(item is None for item in items)
        items[i : i + 1] = [slice(None)] * (ndim - (len(items) - 1 - new))
    used = sum(item is not None for item in items)
    return items + [slice(None)] * (ndim - used)


def _kept(key: Any, shape: tuple[int, ...]) -> list[bool]:
    """Which axes a key without new axes keeps."""
    return [isinstance(item, slice) for item in _spelled(key, len(shape))]


def _spread(s: Sweep, call: Call, x: Any, shape: tuple[int, ...]) -> Value | None:
    """x, which was put into a place of this shape, as it stands there."""
    if x.__class__ is not Value:
        return None
    if x.dtype != call.result.dtype:
        x = s.add(call, "cast", call.result.dtype, (x,), x.shape)
    return x if x.shape == shape else s.add(call, "broadcast", shape, (x,), shape)


RULES: dict[str, Callable[[Sweep, Call], Value | None]] = {
    "reduce": _reduce,
    "ufunc": _ufunc,
    "cast": _cast,
    "copy": _copy,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast": _broadcast,
    "getitem": _getitem,
    "setitem": _setitem,
}
"""For each kind of call a function that gives the Value to put in its place, or None."""
