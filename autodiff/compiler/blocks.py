"""Groups of calls on large arrays as loops over blocks that stay in the cache."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autodiff.compiler.arena import aligned
from autodiff.compiler.plan import Group, Slot, calls_of
from autodiff.compiler.program import Call, Value, bounded_by_number, is_number
from autodiff.compiler.threads import get_num_threads, together

if TYPE_CHECKING:
    from autodiff.compiler.emit import Emitter

THREADED = 2**21
"""Elements times calls from which a group is worth more than one thread."""


def work_of(group: Group) -> int:
    """Elements times calls."""
    return math.prod(group.shape) * len(group.calls)


def threads_for(work: int, blocks: int) -> int:
    """How many threads run a group of so much work in so many blocks."""
    return min(get_num_threads(), blocks) if work >= THREADED else 1


def emit_group(emitter: "Emitter", group: Group) -> None:
    """Write the function that runs a group on given blocks, and the call of it."""
    plan = emitter.plan
    operands = [x for call in calls_of(group) for x in call.inputs]
    if group.flat and len(group.shape) > 1 and not all(_is_flat(emitter, x) for x in operands):
        for call in calls_of(group):  # a vector of their elements would be a copy
            for x in call.results:
                if plan.slots[x].kind == "block":
                    plan.slots[x] = Slot("local")
            emitter.emit_call(call)
        return
    _Loop(emitter, group).emit()


def _is_flat(emitter: "Emitter", x: Value) -> bool:
    slot = emitter.plan.slot(x)
    return slot.kind != "static" or slot.like.flags.c_contiguous


class _Loop:
    """The loop of one group.

    static, local: the pieces of arrays that are cut when the program is bound, and of those that
    are cut in each run, by name: the array's, with a line under it. filled: those of arrays that
    have one number everywhere, as long as a block. whole: variables of the step that blocks take as
    they are. partial: the sums of blocks.
    """

    def __init__(self, emitter: "Emitter", group: Group) -> None:
        self.emitter, self.group = emitter, group
        self.static: dict[str, str] = {}
        self.local: dict[str, str] = {}
        self.filled: dict[str, str] = {}
        self.whole: dict[str, None] = {}
        self.made: dict[Value, None] = {}
        self.partial: dict[Value, str] = {}
        self.sums: dict[Call, list[Call]] = {}  # by the last of the calls that they sum
        for total in group.sums:
            made = [x.call for x in total.inputs if x.call is not None and self._is_inside(x)]
            self.sums.setdefault(max(made, key=emitter.plan.order.__getitem__), []).append(total)
        self.scratch = [f"_s{i}" for i in range(len(group.dtypes))]
        emitter.groups += 1
        self.number = emitter.groups

    def _is_inside(self, x: Value) -> bool:
        return self.emitter.plan.group_of.get(x.call) is self.group  # type: ignore[arg-type]

    def emit(self) -> None:
        emitter, group = self.emitter, self.group
        for call in calls_of(group):
            emitter.prepare_scalars(call)
        lines = [line for call in group.calls for line in self._lines(call)]
        for total, name in self.partial.items():
            emitter.binding.append(f"{name} = {emitter.new(total.dtype, (len(group.stops),))}")
        for x in self.made:
            emitter.line(f"{emitter.name(x)} = {emitter.new(x.dtype, x.shape)}")
        flat = ".reshape(-1)" if group.flat and len(group.shape) > 1 else ""
        blocks = f"_blocks_{self.number}"
        emitter.binding.append(f"{blocks} = {self._cut(flat)}")
        pieces = "".join([f"{name}, " for name in (*self.static, *self.filled, *self.scratch)])
        given = "".join([f", {name}" for name in (*self.local.values(), *self.whole)])
        emitter.binding += [
            "",
            f"def _block_{self.number}(blocks{given}):",
            f"    for i, part, ({pieces}) in blocks:",
            *[f"        {piece} = {name}[part]" for piece, name in self.local.items()],
            *[f"        {line}" for line in lines],
            "",
        ]
        run = emitter.constant(in_blocks, "in_blocks")
        cut = [f"{name}{flat}" for name in self.local.values()]
        given = "".join([f", {name}" for name in (*cut, *self.whole)])
        emitter.line(f"{run}(_block_{self.number}, {blocks}{given})")
        for total, name in self.partial.items():
            emitter.imports.add("add")
            emitter.line(f"{emitter.name(total)} = add.reduce({name})")
            if total in emitter.plan.boxes:
                emitter.box(total, emitter.name(total))

    def _cut(self, flat: str) -> str:
        """The text that cuts the arrays."""
        emitter, group = self.emitter, self.group
        cut = emitter.constant(cut_blocks, "cut_blocks")
        step, end = group.stops[0], group.stops[-1]
        stops = f"[*range({step}, {end}, {step}), {end}]"
        arrays = "".join([f"{name}{flat}, " for name in self.static.values()])
        filled = "".join([f"{name}, " for name in self.filled.values()])
        dtypes = "".join([f"{emitter.dtype(d)}, " for d in group.dtypes])
        width = () if group.flat else group.shape[1:]
        return f"{cut}({stops}, ({arrays}), ({filled}), {width}, ({dtypes}), {work_of(group)})"

    def _lines(self, call: Call) -> list[str]:
        """What a block does for a call, and for the sums of what is there now."""
        emitter = self.emitter
        texts = [self._piece(x, call) for x in call.operands]
        out = self._piece(call.result, call)
        if call.kind == "ufunc":
            lines = [emitter.ufunc_text(call, texts, out)]
        else:
            lines = [emitter.copy_text(call, texts[0], out)]
        for total in self.sums.get(call, ()):
            count = len(self.partial) + 1
            name = f"_partial_{self.number}" + (f"_{count}" if count > 1 else "")
            self.partial[total.result] = name
            texts = [self._piece(x, total) for x in total.operands]
            emitter.imports.add("add")
            text = f"add.reduce({texts[0]})"
            if total.kind == "dot":
                text = f"{texts[0]}.dot({texts[1]})"
            lines.append(f"{name}[i] = {text}")
        return lines

    def _piece(self, x: Any, call: Call) -> str:
        """The block's piece of an operand."""
        emitter, group = self.emitter, self.group
        if is_number(x) and bounded_by_number(call):
            shape = (group.stops[0], *(() if group.flat else group.shape[1:]))
            text = emitter.filled(x, call.result.dtype, shape)
            self.filled[f"{text}_"] = text
            return f"{text}_"
        if x.__class__ is not Value:
            return emitter.number(x, call)
        if x in group.scratch:
            return self.scratch[group.scratch[x]]
        text = emitter.text(x, not x.shape)
        one_row = len(x.shape) < len(group.shape) or x.shape[0] == 1
        if not x.shape or (not group.flat and one_row):
            in_step = emitter.plan.slot(x).kind != "static" and x not in emitter.boxed
            if in_step:
                self.whole[text] = None
            return text
        if emitter.plan.slot(x).kind == "static":
            self.static[f"{text}_"] = text
        else:
            self.local[f"{text}_"] = text
            if self._is_inside(x):
                self.made[x] = None
        return f"{text}_"


def cut_blocks(
    stops: list[int],
    arrays: tuple,
    filled: tuple,
    width: tuple[int, ...],
    dtypes: tuple,
    work: int,
) -> list[list]:
    """The blocks of a group, parted among threads; each thread has scratch memory of its own.

    For each block its number, its slice, its pieces of the arrays, as much as it needs of the
    filled ones, which are as long as a block, and of scratch memory.
    """
    longest = max(b - a for a, b in zip([0, *stops], stops))
    count = threads_for(work, len(stops))
    parts: list[list] = [[] for _ in range(count)]
    scratch = [[aligned((longest, *width), d, i) for i, d in enumerate(dtypes)] for _ in parts]
    start = 0
    for i, stop in enumerate(stops):
        thread = i * count // len(stops)
        pieces = [a[start:stop] for a in arrays]
        pieces += [s[: stop - start] for s in (*filled, *scratch[thread])]
        parts[thread].append((i, slice(start, stop), tuple(pieces)))
        start = stop
    return parts


def in_blocks(block: Callable, parts: list[list], *arrays: Any) -> None:
    """Run a group's function on all its blocks."""
    if len(parts) == 1:
        block(parts[0], *arrays)
    else:
        together(lambda part: block(part, *arrays), parts)
