"""Where each value of a program lies, decided before any of it runs.

Arrays that are there all the time (buffers, views of them, constants, parameters) are made once,
when the program is bound. Buffers are shared by values that do not live at the same time; results
go straight into memory that is to hold them in the end, and into their place in larger arrays.
Element by element calls on large arrays form groups that run a block at a time.
"""

import math
from bisect import bisect_left, insort
from heapq import heappop, heappush
from typing import Any

import numpy as np

from autodiff.compiler.program import (
    HOLE,
    VIEWS,
    Call,
    Program,
    Value,
    bounded_by_number,
    is_elementwise,
    is_large,
    items_of,
    shows,
    viewing,
)

BLOCK = 2**14
"""Elements of a block: a few such pieces of float32 stay in the second-level cache."""

_ENDLESS = 2**62


class Slot:
    """Where a value lies.

    kind: "static" there from the binding on, "local" made when the program runs, "scalar" a 0-d
    result in a variable, "block" a piece of scratch memory in a group.
    how: how a static array is made: "given" from outside, "constant", "empty", "zeros",
    "reuse" the memory of `of`, "same" as `of`, "view" of `of`, "part" of `of` at `key`.
    like: an array of the same layout.
    """

    __slots__ = ("how", "key", "kind", "like", "of")

    def __init__(
        self, kind: str, how: str = "", of: Value | None = None, key: Any = None, like: Any = None
    ) -> None:
        self.kind, self.how, self.of, self.key, self.like = kind, how, of, key, like


class Group:
    """Calls that run a block at a time, and reductions of all elements at their end.

    flat: whether the arrays are taken as vectors. stops: where the blocks end, along the first
    axis. scratch: for each value that does not leave the group the number of its scratch buffer,
    of which dtypes has the dtypes. sums: reductions of all elements, made block by block.
    """

    def __init__(self, calls: list[Call], shape: tuple[int, ...]) -> None:
        self.calls, self.shape, self.flat = calls, shape, True
        self.stops: list[int] = []
        self.scratch: dict[Value, int] = {}
        self.dtypes: list[np.dtype] = []
        self.sums: list[Call] = []


class Buffer:
    """Memory that values take one after the other.

    first: the value it was made for, or the memory from outside it is. until: the last call that
    uses what lies in it now. final: for memory from outside the call that computes its new
    elements; until then only an update's intermediate results may lie there.
    """

    __slots__ = ("final", "first", "until")

    def __init__(self, first: Value, until: int, final: int | None = None) -> None:
        self.first, self.until, self.final = first, until, final


class Plan:
    """The plan of a program.

    outputs: values that the caller keeps, in memory of their own. lent: values that must stay
    until the next run. steps: calls and groups in the order they run. copies: (memory, value)
    pairs still to be copied at the end. boxes: scalars that array calls take, which go into a 0-d
    array as well; read_as_scalars: those that are needed otherwise too. made: static values in the
    order they are made. now: the number of the call whose results are given their slots.
    """

    def __init__(
        self, program: Program, likes: dict[Value, Any], lent: list[Value], blocks: bool = True
    ) -> None:
        self.program, self.likes, self.lent = program, likes, set(lent)
        self.outputs = set(program.outputs) - self.lent
        self.slots: dict[Value, Slot] = {}
        self.made: list[Value] = []
        self.copies: list[tuple[Value, Value]] = []
        self.boxes: set[Value] = set()
        self.read_as_scalars: set[Value] = set(program.wanted)
        self.buffers: list[Buffer] = []
        self.busy: list[tuple[int, int]] = []  # a heap: until when a buffer was wanted, its number
        self.free: list[tuple[int, int]] = []  # sorted: bytes and number of a buffer
        self.buffer_of: dict[Value, Buffer] = {}
        self.uses: dict[Value, int] = {}
        for call in program.calls:
            for x in call.inputs:
                self.uses[x] = self.uses.get(x, 0) + 1
        for x in program.wanted:
            self.uses[x] = self.uses.get(x, 0) + 1
        self.steps: list[Call | Group] = (
            grouped(program, self.uses, self.lent) if blocks else list(program.calls)
        )
        program.calls = [call for step in self.steps for call in calls_of(step)]
        self.order = {call: i for i, call in enumerate(program.calls)}
        self.group_of = {c: s for s in self.steps if isinstance(s, Group) for c in calls_of(s)}
        self.part_of: dict[Value, tuple[Value, Any]] = {}
        self.laid: set[Value] = set()
        self._times: dict[Value, Any] = {}  # how many setitems of a chain write each element
        self.on_zeros = self._find_on_zeros()
        self._owners: dict[Value, Value] = {}
        self.last: dict[Value, int] = {}
        self.target: dict[Value, Value] = {}
        self._carry_names()
        self._rooms: dict[Value, Any] = {}
        self._place_parts()
        del self._rooms, self._times
        self._readings: dict[Group, list[tuple[Value, int]]] = {}
        self._find_last_uses()
        self._choose_targets()
        for x in program.inputs:
            self._give(x)
        for self.now, call in enumerate(program.calls):
            self._assign(call)
        for x in (*program.outputs, *self.lent, *(v for _, v in self.copies)):
            self.slot(x)

    def _carry_names(self) -> None:
        """Call what is only on the way to a named result by the name of that result."""
        for call in reversed(self.program.calls):
            if not is_elementwise(call):
                continue
            name, form = call.result.name, (call.result.shape, call.result.dtype)
            if name and form[0]:
                for x in call.inputs:
                    if self.uses[x] == 1 and x.call is not None and (x.shape, x.dtype) == form:
                        x.name = x.name or name
                        break

    # Before: what lies in what, how long, and what goes straight into memory from outside

    def _place_parts(self) -> None:
        """Decide which operands are computed in their place in the result of a join.

        And which in the order that a copy puts them in: that copy is laid, and not made.
        """
        for call in reversed(self.program.calls):
            if call.kind not in ("concatenate", "pack", "setitem", "reshape"):
                continue
            if call.result in self.outputs or not call.result.shape:
                continue
            if call.kind == "setitem" and call not in self.on_zeros:
                continue
            if call.kind == "reshape":
                for part, place in places_of(call.result, ("key", (...,)))[1:]:
                    if _copies(call) and self._can_be_part(part, call, place):
                        self.part_of[part] = call.result, place
                        self.laid.add(call.result)
                continue
            for x, key in parts_of(call):
                for part, place in places_of(x, key):
                    if self._can_be_part(part, call, place):
                        self.part_of[part] = call.result, place
                        break

    def _find_on_zeros(self) -> set[Call]:
        """The setitems on constant zeros, at last, with all before them used there alone."""
        found: set[Call] = set()
        for call in self.program.calls:
            if call.kind != "setitem" or HOLE in items_of(call.function):
                continue
            x = call.operands[0]
            if x.array is not None:
                on_zeros = not x.array.any() and not np.signbit(x.array).any()
            else:
                kept = x in self.outputs or x in self.lent
                on_zeros = x.call in found and not kept and self.uses[x] == 1
            if on_zeros:
                found.add(call)
                times = self._times.get(x)
                if times is None:
                    times = np.zeros(x.shape, np.int32)
                times[viewing(call.function)] += 1
                self._times[call.result] = times
        return found

    def _can_be_part(self, x: Any, whole: Call, key: Any) -> bool:
        call = x.call if x.__class__ is Value else None
        if not (
            call is not None
            and takes_out(call)
            and bool(x.shape)
            and call.kind not in ("setitem", "pack")
            and call not in self.group_of
            and x not in self.part_of
            and x not in self.outputs
            and x.dtype == whole.result.dtype
        ):
            return False
        times = self._times.get(whole.result)
        if times is not None and (times[viewing(whole.function)] > 1).any():
            return False  # another setitem writes there too
        part = _part(self._room(whole.result), key, x.shape)
        if part is None or (call.kind == "dot" and not part.flags.c_contiguous):
            return False
        # matmul leaves the BLAS library aside if it is to write columns apart
        return is_elementwise(call) or call.kind != "ufunc" or part.strides[-1] == part.itemsize

    def _room(self, x: Value) -> Any:
        """An array laid out as x is to be; what it lies in was asked about before."""
        if x not in self._rooms:
            whole, key = self.part_of.get(x, (None, None))
            room = None if whole is None else _part(self._rooms[whole], key, x.shape)
            self._rooms[x] = np.empty(x.shape, x.dtype) if room is None else room
        return self._rooms[x]

    def owner(self, x: Value) -> Value:
        """The value whose memory x lies in."""
        way = []
        while x not in self._owners:
            way.append(x)
            if x in self.part_of:
                x = self.part_of[x][0]
            elif x in self.laid:
                self._owners[x] = x
            elif x.call is not None and (shows(x.call) or self._chained(x.call)):
                x = x.call.operands[0]
            else:
                self._owners[x] = x
        owner = self._owners[x]
        for x in way:
            self._owners[x] = owner
        return owner

    def _chained(self, call: Call) -> bool:
        """Whether a setitem writes into the memory of another one, on zeros of their own."""
        return (
            call in self.on_zeros
            and call.operands[0].array is None
            and call.result not in self.outputs
        )

    def _find_last_uses(self) -> None:
        for i, call in enumerate(self.program.calls):
            for x in (*call.results, *call.inputs):
                self.last[self.owner(x)] = self.last[x] = i
        for x in (*self.program.outputs, *self.lent, *(v for _, v in self.program.writes)):
            self.last[self.owner(x)] = self.last[x] = _ENDLESS
        for group in dict.fromkeys(self.group_of.values()):  # blocks take turns: all live together
            end = max(self.order[c] for c in group.calls)
            for call in group.calls:
                for x in (*call.results, *call.inputs):
                    for y in (x, self.owner(x)):
                        self.last[y] = max(self.last.get(y, 0), end)

    def _choose_targets(self) -> None:
        """Decide which values are computed right in the memory they are written to in the end."""
        self.careful = max((i for c, i in self.order.items() if may_fail(c)), default=-1)
        readers: dict[int, int] = {}
        reading: dict[tuple[Call | Group, int], list[Value]] = {}
        for i, call in enumerate(self.program.calls):
            for x in call.inputs:
                for t in memory_of(self.owner(x)):
                    readers[t] = i
                    reading.setdefault((self.group_of.get(call, call), t), []).append(x)
        for x in (*self.program.wanted, *self.lent):
            for t in memory_of(self.owner(x)):
                readers[t] = _ENDLESS
        shown: dict[int, list[Value]] = {}
        for x in self.program.inputs:
            for t in memory_of(x):
                shown.setdefault(t, []).append(x)
        for memory, value in self.program.writes:
            call: Call | None = value.call  # type: ignore[no-redef]
            fits = (
                call is not None
                and takes_out(call)
                and call.kind not in ("setitem", "concatenate", "pack")
                and value not in self.target
                and value not in self.part_of
                and value not in self.outputs
                and value not in self.lent
                and memory.source[0] in ("tensor", "flat")
                and (value.shape, value.dtype) == (memory.shape, memory.dtype)
                and self.likes[memory].flags.c_contiguous
                and self.order[call] > self.careful
            )
            if fits and call is not None:
                at = self.order[call]
                late = max((readers.get(t, -1) for t in memory_of(memory)), default=-1)
                alone = late < at and call not in self.group_of
                if alone or (late <= at and self._element_by_element(memory, call, reading)):
                    self.target[value] = memory
                    buffer = Buffer(memory, late, final=at)
                    self.buffer_of |= {x: buffer for t in memory_of(memory) for x in shown[t]}
                    continue
            self.copies.append((memory, value))

    def _element_by_element(self, memory: Value, call: Call, reading: dict) -> bool:
        """Whether a call may write to memory that it reads, or that its group does, at once."""
        group = self.group_of.get(call)
        return is_elementwise(call) and all(
            x.shape == memory.shape and (x is memory or group is None)
            for t in memory_of(memory)
            for x in reading.get((group or call, t), ())
        )

    # The slots

    def _give(self, x: Value) -> None:
        if x.source[0] in ("tensor", "flat"):
            self._make(x, "given", like=self.likes[x])
        elif x.is_read:
            self.slots[x] = Slot("scalar")
        else:
            self.slots[x] = Slot("local", like=self.likes.get(x))

    def _make(self, x: Value, how: str, **more: Any) -> None:
        self.slots[x] = Slot("static", how, **more)
        self.made.append(x)

    def slot(self, x: Value) -> Slot:
        """The slot of a value; constants get theirs here."""
        if x not in self.slots and x.array is not None:
            self._make(x, "constant", like=x.array)
        return self.slots[x]

    def _assign(self, call: Call) -> None:
        for x in call.inputs:
            slot = self.slot(x)
            if slot.kind == "scalar":
                boxed = call.kind == "ufunc" and call.result.shape
                (self.boxes if boxed else self.read_as_scalars).add(x)
        for x in call.results:
            group = self.group_of.get(call)
            if group is not None and x in group.scratch:
                self.slots[x] = Slot("block")
            elif x in self.laid:
                self._assign_buffer(x, call)
            elif call.kind in VIEWS and x not in self.outputs:
                self._assign_view(x, call)
            elif not x.shape and x not in self.target:
                self.slots[x] = Slot("scalar")
            elif x in self.target:
                memory = self.target[x]
                self._make(x, "same", of=memory, like=self.likes[memory])
            elif x in self.part_of:
                self._assign_part(x)
            elif x in self.outputs or not takes_out(call):
                self.slots[x] = Slot("local")
            elif call in self.on_zeros:
                self._assign_filled(x)
            else:
                self._assign_buffer(x, call)

    def _assign_view(self, x: Value, call: Call) -> None:
        whole = call.operands[0]
        slot = self.slot(whole)
        if slot.kind == "static":
            like = call.evaluate([slot.like])
            if np.may_share_memory(like, slot.like) or not like.size:
                self._make(x, "view", of=whole, like=like)
                return
        self.slots[x] = Slot("local")

    def _assign_part(self, x: Value) -> None:
        if x in self.slots:
            return
        within = [x]  # what it lies in may lie in something itself
        while (whole := self.part_of[within[-1]][0]) in self.part_of and whole not in self.slots:
            within.append(whole)
        for x in reversed(within):
            whole, key = self.part_of[x]
            if whole not in self.slots:
                self._assign_whole(whole, whole.call)  # type: ignore[arg-type]
            like = _part(self.slots[whole].like, key, x.shape)
            self._make(x, "part", of=whole, key=key, like=like)

    def _assign_whole(self, whole: Value, call: Call) -> None:
        """Make room for a join, of which a part is about to be computed."""
        if call in self.on_zeros:
            self._assign_filled(whole)
        elif call.kind == "pack":
            self._make(whole, "zeros", like=np.empty(whole.shape, whole.dtype))
        else:
            self._assign_buffer(whole, call)

    def _assign_filled(self, x: Value) -> None:
        """Make room for a setitem on zeros: in their memory, with all that lead there."""
        chain = []
        while x.array is None and x not in self.slots:
            chain.append(x)
            x = x.call.operands[0]  # type: ignore[union-attr]
        for y in reversed(chain):
            if x.array is not None:
                self._make(y, "zeros", like=np.empty(y.shape, y.dtype))
            else:
                self._make(y, "same", of=x, like=self.slots[x].like)
            x = y

    def _assign_buffer(self, x: Value, call: Call) -> None:
        if x in self.slots:
            return
        now = self.now
        until = _ENDLESS if x in self.lent else self.last[self.owner(x)]
        if is_elementwise(call) and call.function is not np.sign:  # in place it is 2 to 20 x slower
            group = self.group_of.get(call)
            end = now if group is None else self.order[(group.sums or group.calls)[-1]]
            for y in call.inputs if group is None else self._read_by(group, call):
                if (buffer := self._left(y, x, end, until)) is not None:
                    buffer.until = until
                    self._make(x, "same", of=y, like=self.slots[y].like)
                    self.buffer_of[x] = buffer
                    return
        while self.busy and self.busy[0][0] < now:
            ended, number = heappop(self.busy)
            buffer = self.buffers[number]
            if buffer.until == ended:
                insort(self.free, (buffer.first.nbytes, number))
            else:  # another value has taken it in the meantime
                heappush(self.busy, (buffer.until, number))
        place = bisect_left(self.free, (x.nbytes, 0))
        if x.nbytes and place < len(self.free) and self.free[place][0] <= 2 * x.nbytes:
            _, number = self.free.pop(place)
            buffer = self.buffers[number]
            buffer.until = until
            self._make(x, "reuse", of=buffer.first, like=np.empty(x.shape, x.dtype))
        else:
            number, buffer = len(self.buffers), Buffer(x, until)
            self.buffers.append(buffer)
            self._make(x, "empty", like=np.empty(x.shape, x.dtype))
        heappush(self.busy, (until, number))
        self.buffer_of[x] = buffer

    def _read_by(self, group: Group, call: Call) -> list[Value]:
        """The values over whose pieces a block may write: read up to this call, in one form."""
        if group not in self._readings:
            found: dict[Value, tuple[set[Value], Call]] = {}
            for reader in calls_of(group):
                for y in reader.inputs:
                    values, _ = found.get(self.owner(y), (set(), None))
                    found[self.owner(y)] = values | {y}, reader
            self._readings[group] = [
                (values.pop(), self.order[last])
                for owner, (values, last) in found.items()
                if len(values) == 1 and not memory_of(owner)
            ]
        return [y for y, last in self._readings[group] if last <= self.order[call]]

    def _left(self, y: Value, x: Value, i: int, until: int) -> Buffer | None:
        """The buffer of y, if nobody needs it after call i and it has the form of x."""
        slot, buffer = self.slots.get(y), self.buffer_of.get(self.owner(y))
        if slot is None or buffer is None or slot.kind != "static" or not y.shape:
            return None
        flags = slot.like.flags
        if (y.shape, y.dtype) != (x.shape, x.dtype) or not (flags.c_contiguous and flags.writeable):
            return None
        if buffer.until != i or self.owner(y).nbytes != x.nbytes or x in self.lent:
            return None
        if buffer.final is None:
            return buffer
        in_time = x.call is not None and x.call.phase == "update" and until <= buffer.final
        return buffer if in_time and i > self.careful else None


def calls_of(step: Call | Group) -> list[Call]:
    """The calls of a step."""
    return [*step.calls, *step.sums] if isinstance(step, Group) else [step]


def memory_of(x: Value) -> tuple[int, ...]:
    """The identities of the tensors whose memory a value is, if it is an input."""
    if x.source is None:
        return ()
    if x.source[0] == "tensor":
        return (id(x.source[1]),)
    return tuple(map(id, x.source[1])) if x.source[0] == "flat" else ()


def takes_out(call: Call) -> bool:
    """Whether the call can write its result into memory it is given."""
    if not call.results[0].shape:
        return False
    if call.kind == "reduce":
        return True
    return call.kind in (
        *("ufunc", "cast", "copy", "accumulate", "dot", "concatenate", "pack", "setitem"),
    )


def may_fail(call: Call) -> bool:
    """Whether the call may raise an error, on values it was not recorded with."""
    return call.kind in ("operation", "index", "function", "check") or (
        call.kind == "setitem" and HOLE in items_of(call.function)
    )


def parts_of(call: Call) -> list[tuple[Any, Any]]:
    """What a join puts together, each with its place in the result.

    Operands; but of one that shows another with a new axis of length 1, that other.
    """
    if call.kind == "setitem":
        return [(call.operands[1], ("key", call.function))]
    if call.kind == "pack":
        starts = call.parameters["starts"]
        return [(x, ("flat", start)) for x, start in zip(call.operands, starts)]
    axis = call.parameters.get("axis", 0) % len(call.result.shape)
    found, start = [], 0
    for x in call.operands:
        stop = start + x.shape[axis]
        before: list[Any] = [slice(None)] * axis
        whole = _stacked(x, axis)
        if whole is None:
            found.append((x, ("key", (*before, slice(start, stop)))))
        else:
            found.append((whole, ("key", (*before, start))))
        start = stop
    return found


def _stacked(x: Value, axis: int) -> Value | None:
    """What x shows with this axis, of length 1, as a new one; None if it is no such view."""
    if x.call is None or x.call.kind != "getitem":
        return None
    whole, key = x.call.operands[0], items_of(x.call.function)
    if len(x.shape) < 2 or (*x.shape[:axis], *x.shape[axis + 1 :]) != whole.shape:
        return None
    return whole if all(i in (None, Ellipsis) or i == slice(None) for i in key) else None


def places_of(x: Any, key: Any) -> list[tuple[Any, Any]]:
    """An operand of a join with its place and, if it is a reshape of something transposed, that."""
    places = [(x, key)]
    call = x.call if x.__class__ is Value else None
    if call is not None and call.kind == "reshape" and key[0] == "key":
        seen = call.operands[0]
        if seen.call is not None and seen.call.kind == "transpose":
            order = seen.call.function
            axes = tuple(sorted(range(len(order)), key=order.__getitem__))
            places.append((seen.call.operands[0], ("turned", (key[1], seen.shape, axes))))
    return places


def _copies(call: Call) -> bool:
    """Whether a reshape of something transposed cannot be a view."""
    seen = call.operands[0]
    before = np.empty(seen.call.operands[0].shape, np.bool_).transpose(seen.call.function)
    return before.size > 0 and not np.may_share_memory(before, before.reshape(call.result.shape))


def _part(whole: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """The view of a join that one operand goes to; None if it is no view of that shape."""
    how, where = key
    if how == "flat":
        return whole[where : where + math.prod(shape)].reshape(shape)
    if how == "turned":
        place, seen, axes = where
        part = whole[viewing(place)]
        if part.size != math.prod(seen) or not np.may_share_memory(part, part.reshape(seen)):
            return None
        part = part.reshape(seen).transpose(axes)
    else:
        part = whole[viewing(where)]
    return part if part.shape == shape else None


class _Round:
    """Calls, and a group that comes after them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.group: Group | None = None


def grouped(program: Program, uses: dict[Value, int], lent: set[Value]) -> list[Call | Group]:
    """The calls in an order that keeps calls on large arrays of one shape together.

    A call goes into the first round in which its operands are there: into the group, before it if
    it needs nothing of it, or else into a later round. What may fail, and what is small in the
    update, passes no call of a later round.
    """
    rounds: list[_Round] = []
    known: dict[Value, int] = {}  # the first round in which a value may be read
    inside: dict[Value, Group] = {}
    for call in program.calls:
        at = max([known.get(x, 0) for x in call.inputs], default=0)
        if may_fail(call):
            at = max(at, len(rounds) - 1)
        after = 0
        while at < len(rounds) and (group := rounds[at].group) is not None:
            more = at + 1 < len(rounds)
            if (call.phase == "outside" != group.calls[0].phase) or (more and may_fail(call)):
                pass
            elif is_large(call) and call.result.shape == group.shape:
                group.calls.append(call)
                inside[call.result] = group
                break
            elif all(inside.get(x) is not group for x in call.inputs):
                if not (more and call.phase == "update"):
                    rounds[at].calls.append(call)
                    break
            elif _sums_all(call, group.shape):
                group.sums.append(call)
                after = 1
                break
            at += 1
        else:
            if at == len(rounds):
                rounds.append(_Round())
            if is_large(call):
                rounds[at].group = inside[call.result] = Group([call], call.result.shape)
            else:
                rounds[at].calls.append(call)
        known.update(dict.fromkeys(call.results, at + after))
    wanted = {*program.wanted, *lent}
    _postpone(rounds, wanted)
    steps: list[Call | Group] = []
    for part in rounds:
        steps += part.calls
        if part.group is None:
            continue
        calls = part.group.calls
        alone = len(calls) < 2 and not any(map(bounded_by_number, calls))
        if alone or not _fits(part.group):
            steps += calls_of(part.group)
        else:
            _lay_out(part.group, uses, wanted)
            steps.append(part.group)
    return steps


def _postpone(rounds: list[_Round], wanted: set[Value]) -> None:
    """Move what only the backward pass reads from groups of the forward pass to where it is read.

    Where that would keep more operands alive than the one result, it stays.
    """
    place: dict[Call, int] = {}
    early: set[Call] = set()  # those in front of the group of their round
    readers: dict[Value, list[Call]] = {}
    for i, part in enumerate(rounds):
        early.update(part.calls)
        for call in [*part.calls, *(calls_of(part.group) if part.group else ())]:
            place[call] = i
            for x in call.inputs:
                readers.setdefault(x, []).append(call)
    for i, part in enumerate(rounds):
        if part.group is None or part.group.calls[0].phase != "forward":
            continue
        stays = []
        for call in reversed(part.group.calls):
            x = call.result
            later = min([place[reader] for reader in readers.get(x, ())], default=i)
            ending = [
                y
                for y in call.inputs
                if y.shape == x.shape
                and all(place[reader] < later for reader in readers[y] if reader is not call)
            ]
            if call.phase != "backward" or x in wanted or later == i or len(ending) > 1:
                stays.append(call)
                continue
            to, place[call] = rounds[later], later
            joins = to.group is not None and to.group.shape == x.shape
            if joins and not any(c in early and place[c] == later for c in readers[x]):
                to.group.calls.insert(0, call)  # type: ignore[union-attr]
            else:
                to.calls.insert(0, call)
                early.add(call)
        part.group.calls = stays[::-1]


def _sums_all(call: Call, shape: tuple[int, ...]) -> bool:
    """Whether a call sums all elements of a value of this shape, or of products of two."""
    if call.kind not in ("reduce", "dot") or call.result.shape:
        return False
    if any(x.shape != shape for x in call.inputs):
        return False
    if call.kind == "reduce":
        return (
            call.function is np.add
            and call.parameters.get("axis") is None
            and set(call.parameters) <= {"axis"}
        )
    return call.kind == "dot" and len(shape) == 1


def _fits(group: Group) -> bool:
    """Choose how the group's arrays are cut; False if that is not possible."""
    operands = [x for call in group.calls for x in call.inputs]
    if all(x.shape in (group.shape, ()) for x in operands):
        group.flat = True
        return True
    group.flat = False
    rows, width = group.shape[0], math.prod(group.shape[1:])
    return not group.sums and rows >= 4 and width <= BLOCK


def _lay_out(group: Group, uses: dict[Value, int], wanted: set[Value]) -> None:
    """Choose the blocks, and a scratch buffer for each value that does not leave the group."""
    if group.flat:
        length, step = math.prod(group.shape), BLOCK
    else:
        length, step = group.shape[0], max(1, BLOCK // math.prod(group.shape[1:]))
    group.stops = [*range(step, length, step), length]
    inner: dict[Value, int] = {}
    for call in calls_of(group):
        for x in call.inputs:
            inner[x] = inner.get(x, 0) + 1
    left = dict(inner)
    free: dict[np.dtype, list[int]] = {}
    for call in group.calls:
        x = call.result
        stays = x not in wanted and inner.get(x, 0) == uses.get(x, 0)
        for y in call.inputs:
            left[y] -= 1
            if y in group.scratch and not left[y]:
                free.setdefault(y.dtype, []).append(group.scratch[y])
        if stays and call.kind not in VIEWS:
            if free.get(x.dtype):
                group.scratch[x] = free[x.dtype].pop()
            else:
                group.scratch[x] = len(group.dtypes)
                group.dtypes.append(x.dtype)
