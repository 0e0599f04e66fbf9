"""Rules that see through joins: what is a part of what, and what stands there.

A part of what was put together is that part; parts that fill zeros are put together at once.
"""

import math
from typing import Any

import numpy as np

from autodiff.compiler.program import HOLE, Call, Value, items_of
from autodiff.compiler.sweep import Sweep, like, scalar


def joined(s: Sweep, call: Call, x: Any, y: Any) -> Value | None:
    """Zeros with x in one place plus zeros with y in another: zeros with both."""
    if not (like(x, call) and like(y, call)):
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


def getitem(s: Sweep, call: Call) -> Value | None:
    """A part of what was put together, or of a view, by its own name."""
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
        value, kept = place.operands[1], _kept(place.function, x.shape)
        if mine == box and _kept(call.function, x.shape) == kept:
            return _spread(s, call, value, shape)
        key = _within(call.function, place.function, x.shape)
        lengths = tuple([len(r) for r, whole in zip(box, kept) if whole])
        fits = value.__class__ is Value and (value.shape, value.dtype) == (lengths, x.dtype)
        if key is not None and fits:
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
    if inner.kind == "transpose" and mine is not None:
        return _through_transpose(s, call, inner)
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


def setitem(s: Sweep, call: Call) -> Value | None:
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


def _through_transpose(s: Sweep, call: Call, inner: Call) -> Value | None:
    """A part of what was put together and then seen with its axes in another order."""
    x, axes = inner.operands[0], inner.function
    if x.call is None or x.call.kind not in ("setitem", "concatenate"):
        return None
    items = dict(zip(axes, _spelled(call.function, len(axes))))
    key = tuple([items[axis] for axis in range(len(axes))])
    left = [axis for axis in axes if isinstance(items[axis], slice)]  # in the order wanted
    order = tuple([sorted(left).index(axis) for axis in left])
    shape = tuple([call.result.shape[order.index(i)] for i in range(len(order))])
    part = s.add(call, "getitem", key, (x,), shape)
    if order == tuple(range(len(order))):
        return part
    return s.add(call, "transpose", order, (part,), call.result.shape)


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
