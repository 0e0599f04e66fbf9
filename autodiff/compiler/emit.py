"""A planned program as NumPy source: what a person would write who allocates nothing.

The source is one function, `bind`, that makes the arrays which stay and returns the step that uses
them. NumPy's functions are called by their own names, and the array a result goes to is the last
argument, without `out=`: that takes a tenth less time on small arrays.
"""

import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff.compiler.arena import ALIGNED, aligned, cleared
from autodiff.compiler.blocks import emit_group
from autodiff.compiler.plan import Group, Plan, Slot, calls_of, parts_of, places_of
from autodiff.compiler.program import (
    HOLE,
    VIEWS,
    Call,
    Value,
    bounded_by_number,
    is_number,
    items_of,
    shows,
)
from autodiff.compiler.sweep import scalar

_OPERATORS = {
    np.add: "{} + {}",
    np.subtract: "{} - {}",
    np.multiply: "{} * {}",
    np.divide: "{} / {}",
    np.negative: "-{}",
}
"""What ufuncs are for scalars: operators on NumPy's numbers take a tenth of the time."""

_TAKEN = dict.fromkeys(
    (
        *(*keyword.kwlist, *dir(np), *dir(builtins)),
        *("bind", "step", "backward", "kept", "np", "blocks", "part", "i"),
    ),
    1,
)
"""Names that values must not have, and the last number behind each."""

_LARGE = 2**16
"""Bytes from which on memory is given back within a step."""

_NAMES = {0.0: "zero", 1.0: "one", 2.0: "two", 0.5: "half", -1.0: "minus_one"}


class Emitter:
    """Writes the source of one plan.

    globals: what it refers to by name besides NumPy. parameters: the Values whose
    arrays `bind` takes, in order; arguments: those that the step takes. lent: the static ones among
    the values that are lent, which `bind` returns with the step. number_names: what the functions
    are called whose numbers updates take, in the order they are read.
    """

    def __init__(
        self,
        plan: Plan,
        arguments: list[Value],
        lent: list[Value],
        seeds: list[Value] | None = None,
        now: int = 0,
    ) -> None:
        self.plan, self.arguments, self.seeds, self.now = plan, arguments, seeds, now
        self.names: dict[Value, str] = {}
        self.taken = dict(_TAKEN)
        self.globals: dict[str, Any] = {"np": np}
        self.constants = {id(np): "np"}
        self.imports: set[str] = set()
        self.binding: list[str] = []
        self.body: list[str] = []
        self.indent = "        "
        self.groups = self.arrays = 0
        self.boxed: dict[Value, str] = {}
        self.numbers: dict[tuple[str, np.dtype], Value] = {}
        self.fills: dict[tuple, Value] = {}
        self.bound: set[Value] = set()
        self.read: set[Any] = set()
        self.until: dict[int, list[Value]] = {}
        self.number_names: list[str] = []
        self.read_together: dict[Any, list[Value]] = {}
        for x in (*plan.program.inputs, *arguments):
            self.name(x)
            if x.source[0] == "number":
                self.read_together.setdefault(x.source[1], []).append(x)
        self.parameters: list[Value] = []
        self.lent = [x for x in lent if plan.slot(x).kind == "static"]
        self.lent_locals = [x for x in lent if plan.slot(x).kind != "static"]

    # Names

    def name(self, x: Any) -> str:
        """What a value is called; a number's text."""
        if x.__class__ is not Value:
            return repr(x)
        if x not in self.names:
            name = x.name
            if not name and x.call is not None and x.call.kind in VIEWS:
                suffix = {"transpose": "T", "reshape": "flat", "getitem": "part"}
                of = self.name(x.call.operands[0])
                name = f"{of}_{suffix.get(x.call.kind, 'spread')}"
            self.names[x] = self._new_name(name or _default_name(x))
        return self.names[x]

    def _new_name(self, wanted: str) -> str:
        base = re.sub(r"\W", "_", wanted).strip("_") or "t"
        if base[0].isdigit():
            base = f"layer_{base}"
        name, n = base, self.taken.get(base, 1)
        while name in self.taken:
            n += 1
            name = f"{base}_{n}"
        self.taken[base] = n
        self.taken.setdefault(name, 1)
        return name

    def text(self, x: Any, array: bool = False) -> str:
        """The operand as the step writes it; `array` for one that an array call takes."""
        if x.__class__ is not Value:
            return repr(x) if np.isfinite(x) else f"float({str(x)!r})"
        if array and x in self.boxed:
            return self.boxed[x]
        slot = self.plan.slot(x)
        if slot.kind == "static":
            self._make(x, slot)
        return self.name(x)

    def function(self, f: Any) -> str:
        """The name of a NumPy function."""
        name = f.__name__
        if getattr(np, name, None) is not f:
            return self.constant(f, name)
        self.imports.add(name)
        return name

    def constant(self, thing: Any, wanted: str) -> str:
        """The name under which the source finds an object."""
        name = self.constants.get(id(thing))
        if name is None:
            name = self.constants[id(thing)] = self._new_name(wanted)
            self.globals[name] = thing
        return name

    # The binding: arrays that stay

    def _make(self, x: Value, slot: Slot) -> None:
        """Write how a static array comes to be, and first what it lies in; each once."""
        chain = []
        while x not in self.bound:
            self.bound.add(x)
            chain.append((x, slot))
            if slot.of is not None:
                x, slot = slot.of, self.plan.slots[slot.of]
        for x, slot in reversed(chain):
            self._bind(x, slot)

    def _bind(self, x: Value, slot: Slot) -> None:
        how = slot.how
        if how == "given":
            self.parameters.append(x)
            return
        if how == "same" and x not in self.names and (not x.name or x.name == slot.of.name):  # type: ignore[union-attr]
            self.names[x] = self.name(slot.of)
            return
        name = self.name(x)
        of = "" if slot.of is None else self.name(slot.of)
        if how == "constant":
            text = self._constant_text(x)
        elif how in ("empty", "zeros"):
            text = self._buffer_text(x, how)
        elif how == "reuse":
            first = self.plan.slots[slot.of]  # type: ignore[index]
            if first.like.shape == x.shape and first.like.dtype == x.dtype:
                text = of
            else:
                self.imports.add("ndarray")
                text = f"ndarray({x.shape}, {self.dtype(x.dtype)}, {of})"
        elif how == "view":
            text = self._view_text(x.call, of)  # type: ignore[arg-type]
        elif how == "part":
            text = self._part_text(of, slot.key, x)
        else:
            text = of
        self.binding.append(f"{name} = {text}")

    def _part_text(self, of: str, key: Any, x: Value) -> str:
        """The text of the part of a join that a value goes to."""
        how, where = key
        if how == "flat":
            text = f"{of}[{where}:{where + x.size}]"
            return text if len(x.shape) == 1 else f"{text}.reshape({x.shape})"
        if how == "turned":
            place, seen, axes = where
            text = of if place == (...,) else f"{of}[{self._key(place, ())}]"
            return f"{text}.reshape({seen}).transpose({axes})"
        return f"{of}[{self._key(where, ())}]"

    def _buffer_text(self, x: Value, how: str) -> str:
        """The text that makes an array which stays, empty or of zeros."""
        if x.nbytes < ALIGNED:
            self.imports.add(how)
            return f"{how}({x.shape}, {self.dtype(x.dtype)})"
        self.arrays += 1
        make = self.constant(*((aligned, "aligned") if how == "empty" else (cleared, "cleared")))
        return f"{make}({x.shape}, {self.dtype(x.dtype)}, {self.arrays})"

    def dtype(self, dtype: np.dtype) -> str:
        name = "bool_" if dtype == np.bool_ else dtype.name
        self.imports.add(name)
        return name

    def _constant_text(self, x: Value) -> str:
        array = x.array
        if not array.size:
            self.imports.add("empty")
            return f"empty({array.shape}, {self.dtype(array.dtype)})"
        c = scalar(x) if array.ndim and array.dtype.kind in "fib" else None
        if c is not None and np.isfinite(c):
            make = {"0.0": "zeros", "1.0": "ones"}.get(str(float(c)), "full")  # -0.0 is not 0.0
            value = f", {c!r}" if make == "full" else ""
            self.imports.add(make)
            return f"{make}({array.shape}{value}, {self.dtype(array.dtype)})"
        self.imports.add("array")
        if array.size <= 8 and array.dtype.kind in "fib" and np.isfinite(array).all():
            return f"array({array.tolist()!r}, {self.dtype(array.dtype)})"
        return self.constant(array, f"{self.name(x)}_elements")

    def _view_text(self, call: Call, of: str) -> str:
        if call.kind == "transpose":
            axes = call.function
            return f"{of}.T" if axes == tuple(range(len(axes)))[::-1] else f"{of}.transpose({axes})"
        if call.kind == "reshape":
            return f"{of}.reshape({call.function})"
        if call.kind == "broadcast":
            self.imports.add("broadcast_to")
            return f"broadcast_to({of}, {call.function})"
        key = items_of(call.function)
        if all(isinstance(i, int) for i in key) and not call.result.shape:
            key = (*key, ...)
        return f"{of}[{self._key(key, call.operands[1:])}]"

    def _key(self, key: Any, arrays: Iterable[Any]) -> str:
        given = iter(arrays)

        def item(i: Any) -> str:
            if i is HOLE:
                return self.text(next(given))
            if i is Ellipsis:
                return "..."
            if isinstance(i, slice):
                parts = ["" if p is None else str(p) for p in (i.start, i.stop)]
                return ":".join(parts) + (f":{i.step}" if i.step not in (None, 1) else "")
            return repr(i)

        if isinstance(key, tuple):
            return ", ".join([item(i) for i in key]) or "()"
        return item(key)

    # The step

    def line(self, text: str) -> None:
        """Add a line to the step."""
        self.body.append(self.indent + text)

    def emit(self) -> str:
        """Write everything; returns the source."""
        plan, outputs = self.plan, self.plan.program.outputs
        phase = place = None
        for step in plan.steps:
            call = calls_of(step)[0]
            if call.phase != phase:
                if call.phase == "outside":
                    self._split()
                else:
                    self.line(f"# {call.phase}")
                phase, place = call.phase, None
            mark = len(self.body)
            if isinstance(step, Group):
                emit_group(self, step)
            else:
                self.emit_call(step)
            if call.place and call.place != place and len(self.body) > mark:
                self.body[mark] += f"  # {call.place}"
                place = call.place
            self._drop(calls_of(step))
        if self.seeds is None:
            self._return([*outputs, *self.lent_locals])
        else:
            if phase != "outside":
                self._split()
            self._return(outputs[self.now :])
        for x in self.lent:
            self.text(x)
        lent = "".join([f"{self.name(x)}, " for x in self.lent])
        parameters = ", ".join([self.name(x) for x in self.parameters])
        lines = (
            [f"from numpy import {', '.join(sorted(self.imports))}", "", ""] if self.imports else []
        )
        lines.append(f"def bind({parameters}):")
        lines += [f"    {line}" if line else "" for line in self.binding]
        if self.binding:
            lines.append("")
        lines.append(f"    def step({', '.join([self.name(x) for x in self.arguments])}):")
        lines += [*(self.body or [self.indent + "pass"]), ""]
        functions = "step" if self.seeds is None else "(step, backward)"
        lines.append(f"    return {functions}, ({lent})")
        return "\n".join(lines) + "\n"

    def _drop(self, calls: list[Call]) -> None:
        """Let go of large arrays that the step made, after the last calls that need them."""
        plan = self.plan
        for call in calls:
            for x in call.results:
                owner = plan.owner(x)
                if owner.nbytes >= _LARGE and plan.slot(owner).kind == plan.slot(x).kind == "local":
                    self.until.setdefault(plan.last[owner], []).append(x)
        for call in calls:
            ended = [self.name(x) for x in self.until.pop(plan.order[call], ())]
            if ended:
                self.line(f"del {', '.join(ended)}")

    def _copy_back(self) -> None:
        """Copy into memory from outside what was not computed there."""
        written = dict(self.plan.copies)
        copies = []
        for memory, value in self.plan.copies:
            text = self.text(value)
            owner = self.plan.owner(value)
            if owner in written and owner is not memory:  # it may be written before it is read
                name = self._new_name("old")
                self.line(f"{name} = {text}.copy()")
                text = name
            copies.append((self.text(memory), text))
        for target, text in copies:
            if target != text:
                self.imports.add("copyto")
                self.line(f"copyto({target}, {text})")

    def _return(self, values: list[Value], kept: str = "") -> None:
        """Hand values out, each in memory of its own, and copy back what is still to be copied."""
        self._read_hosts(values)
        texts: list[str] = []
        given: set[str] = set()
        for x in values:
            text = self._handed_out(x)
            texts.append(f"{text}.copy()" if text in given and x.shape else text)
            given.add(text)
        if self.plan.copies and (self.seeds is None or kept):
            for i, text in enumerate(texts):
                if not text.isidentifier():  # before its memory is written
                    texts[i] = self._new_name("result")
                    self.line(f"{texts[i]} = {text}")
            self._copy_back()
        results = ", ".join(texts) + ("," if len(texts) == 1 else "")
        self.line(f"return ({results}), {kept}" if kept else f"return {results or '()'}")

    def _handed_out(self, x: Value) -> str:
        """A value as the caller may keep it."""
        slot = self.plan.slot(x)
        text = self.text(x)
        inner = x.call is not None and not shows(x.call)
        if slot.kind == "local" and inner:
            return text
        if slot.kind == "scalar":
            self.imports.add("array")
            return f"array({text}, {self.dtype(x.dtype)})"
        return f"{text}.copy()"

    def _split(self) -> None:
        """End the forward function, and begin the one that runs the rest."""
        assert self.seeds is not None
        crossing = self._crossing()
        kept = "".join([f"{self.text(x)}, " for x in crossing])
        wanted = set(crossing)
        for i, values in self.until.items():
            self.until[i] = [x for x in values if x in wanted]
        now = [*self.plan.program.outputs[: self.now], *self.lent_locals]
        self._return(now, f"({kept})")
        arguments = "".join([f", {self.name(x)}" for x in self.seeds])
        self.body += ["", f"    def backward(kept{arguments}):"]
        if kept:
            self.line(f"({kept}) = kept")

    def _crossing(self) -> list[Value]:
        """The values in variables of the forward function that the rest needs."""
        plan = self.plan
        late = [call for call in plan.program.calls if call.phase == "outside"]
        needed = [x for call in late for x in call.inputs] + plan.program.outputs[self.now :]
        made = {x for call in late for x in call.results} | set(self.seeds or ())
        crossing = [x for x in needed if x not in made and plan.slot(x).kind in ("local", "scalar")]
        return list(dict.fromkeys(crossing))

    def _read_hosts(self, values: Iterable[Value]) -> None:
        """Read the numbers among values; none before it is needed, for reading may count."""
        for x in values:
            if x.is_read:
                self._read_host(x)

    def prepare_scalars(self, call: Call) -> None:
        """Put the scalars that a call of a group takes where its loop finds them."""
        self._read_hosts(call.inputs)
        for x in call.inputs:
            if not x.shape and self.plan.slot(x).kind == "scalar" and x not in self.boxed:
                self.box(x, self.name(x))

    def new(self, dtype: np.dtype, shape: tuple[int, ...]) -> str:
        """The text that makes an array."""
        self.imports.add("empty")
        return f"empty({shape}, {self.dtype(dtype)})"

    def _read_host(self, x: Value) -> None:
        source = x.source
        if source[0] == "host":
            if x not in self.read:
                self.read.add(x)
                self.line(f"{self.name(x)} = {self.constant(source[1], 'read')}()")
            return
        if source[1] in self.read:
            return
        self.read.add(source[1])
        by_place = {v.source[2]: self.name(v) for v in self.read_together[source[1]]}
        names = [by_place.get(i, "_") for i in range(source[3])]
        left = ", ".join(names) + ("," if len(names) == 1 else "")
        numbers = self.constant(source[1], "numbers")
        self.number_names.append(numbers)
        self.line(f"{left} = {numbers}()")

    def emit_call(self, call: Call) -> None:
        self._read_hosts(call.inputs)
        if call.kind == "check":
            name = self.constant(call.function, call.function.__name__.strip("_"))
            texts = [self.text(x) for x in call.operands]
            self.line(f"{name}({', '.join(texts)}{self._options(call)})")
            return
        plan, x = self.plan, call.results[0]
        slot = plan.slots[x]
        if call.kind in VIEWS:
            if slot.kind in ("local", "scalar"):
                self.line(f"{self.name(x)} = {self._view_text(call, self.text(call.operands[0]))}")
            return
        if slot.kind == "scalar":
            self._scalar(x, call)
            return
        if slot.kind == "local":
            self.line(f"{self.name(x)} = {self._expression(call)}")
            return
        out = self.text(x)
        self._into(call, out)

    def _scalar(self, x: Value, call: Call) -> None:
        operator = _OPERATORS.get(call.function) if call.kind == "ufunc" else None
        if operator and all(not y.shape for y in call.inputs):
            texts = [self._scalar_text(y) for y in call.operands]
            text = operator.format(*texts)
            if all(y.array is not None for y in call.inputs):  # numbers of Python
                text = f"{self.dtype(x.dtype)}({text})"
        elif call.kind == "cast" and not call.operands[0].shape:
            inner = self.text(call.operands[0])
            text = f"{self.dtype(call.function)}({inner})"
            if x in self.plan.boxes and x not in self.plan.read_as_scalars:
                self.box(x, inner)
                return
        else:
            text = self._expression(call)
        self.line(f"{self.name(x)} = {text}")
        if x in self.plan.boxes:
            self.box(x, self.name(x))

    def _scalar_text(self, x: Any) -> str:
        if x.__class__ is Value and x.array is not None:
            return self.text(x.array.item())
        return self.text(x)

    def box(self, x: Value, text: str) -> None:
        """Put a scalar into a 0-d array, which array calls take faster than NumPy's numbers."""
        box = self._new_name(f"{text if text.isidentifier() else self.name(x)}_")
        self.imports.add("empty")
        self.binding.append(f"{box} = empty((), {self.dtype(x.dtype)})")
        self.line(f"{box}[()] = {text}")
        self.boxed[x] = box

    def _operands(self, call: Call) -> list[str]:
        array = bool(call.results[0].shape)
        return [self.number(x, call) if array else self.text(x) for x in call.operands]

    def filled(self, x: Any, dtype: np.dtype, shape: tuple[int, ...]) -> str:
        """A number that maximum or minimum takes, as an array; see bounded_by_number."""
        c = x.array.item() if x.__class__ is Value else float(x)
        key = (str(c), dtype, shape)
        if key not in self.fills:
            y = Value(shape, dtype, array=np.broadcast_to(np.array(c, dtype), shape))
            y.name, y.uniform = f"{_number_name(c)}s", True
            self.fills[key] = y
        return self.text(self.fills[key])

    def number(self, x: Any, call: Call) -> str:
        """Numbers as 0-d arrays of the other operands' dtype: half the time of Python's."""
        alone = call not in self.plan.group_of
        if alone and is_number(x) and bounded_by_number(call) and 2**10 <= call.result.size < 2**16:
            return self.filled(x, call.result.dtype, call.result.shape)
        if call.kind == "ufunc" and isinstance(x, (float, int)) and not isinstance(x, bool):
            dtypes = {y.dtype for y in call.inputs}
            if len(dtypes) == 1:
                dtype = dtypes.pop()
                if dtype.kind == "f":
                    key = (str(float(x)), dtype)
                    if key not in self.numbers:
                        y = Value((), dtype, array=np.array(x, dtype), name=_number_name(x))
                        self.numbers[key] = y
                    return self.text(self.numbers[key], True)
        if (
            x.__class__ is Value
            and not x.shape
            and self.plan.slot(x).kind == "scalar"
            and x.source is not None
            and x not in self.boxed
            and call.kind == "ufunc"
        ):
            self.box(x, self.name(x))
        return self.text(x, True)

    def _expression(self, call: Call) -> str:
        """The call as an expression that makes a new array."""
        kind, texts = call.kind, self._operands(call)
        if kind == "ufunc":
            return f"{self.function(call.function)}({', '.join(texts)})"
        if kind == "cast":
            return f"{texts[0]}.astype({self.dtype(call.function)})"
        if kind == "copy":
            return f"{texts[0]}.copy()"
        if kind in ("reduce", "accumulate"):
            return f"{self.function(call.function)}.{kind}({texts[0]}{self._options(call)})"
        if kind == "dot":
            return f"{texts[0]}.dot({texts[1]})"
        if kind == "concatenate":
            self.imports.add("concatenate")
            return f"concatenate([{', '.join(texts)}]{self._options(call)})"
        if kind == "index":
            return f"{texts[0]}[{self._key(call.function, call.operands[1:])}]"
        if kind in ("function", "operation"):
            f = call.function if kind == "function" else call.function.forward
            numpy = kind == "function" or isinstance(f, np.ufunc)
            name = self.function(f) if numpy else self.constant(f, call.function.name)
            given = ", ".join(texts) + self._options(call)
            return f"{name}({given.removeprefix(', ')})"
        if kind in VIEWS:
            return self._view_text(call, texts[0])
        evaluate = self.constant(call.evaluate, call.kind)
        return f"{evaluate}([{', '.join(texts)}])"

    def _options(self, call: Call) -> str:
        found = []
        for key, value in call.parameters.items():
            if isinstance(value, np.dtype):
                text = self.dtype(value)
            elif isinstance(value, tuple) and _is_plain(value):
                text = repr(tuple(value))  # a Size is one
            elif isinstance(value, (int, float, str, bool, type(None))) and _is_plain(value):
                text = repr(value)
            else:
                text = self.constant(value, key)
            found.append(f", {key}={text}")
        return "".join(found)

    def _into(self, call: Call, out: str) -> None:
        """The call as a statement that leaves its result in an array."""
        kind = call.kind
        if kind == "setitem":
            self._setitem(call, out)
            return
        if kind in ("concatenate", "pack"):
            self._join(call, out)
            return
        texts = self._operands(call)
        if kind == "ufunc":
            self.line(self.ufunc_text(call, texts, out))
        elif kind in ("cast", "copy"):
            self.line(self.copy_text(call, texts[0], out))
        elif kind == "dot":
            if out in (texts[0], texts[1]):
                raise AssertionError("a product in the place of an operand")
            if self._is_wide(call):
                self.imports.add("matmul")
                self.line(f"matmul({texts[0]}, {texts[1]}, {out})")
            else:
                self.line(f"{texts[0]}.dot({texts[1]}, {out})")
        elif kind in ("reduce", "accumulate"):
            options = self._options(call)
            self.line(f"{self.function(call.function)}.{kind}({texts[0]}, out={out}{options})")
        else:
            raise AssertionError(f"no way to write {kind} into an array")

    def _is_wide(self, call: Call) -> bool:
        """Whether matmul is better for a product: dot, else quicker, clears a result beforehand.

        (1024, 64) times (64, 256): 345 us, not 373. What lies in neither order only dot copies.
        """
        if call.result.nbytes < 2**17 or call.operands[0].shape[-1] < 16:
            return False
        slots = [self.plan.slot(x) for x in call.operands if len(x.shape) == 2]
        flags = [slot.like.flags for slot in slots if slot.kind == "static"]
        return len(flags) == 2 and all(each.c_contiguous or each.f_contiguous for each in flags)

    def ufunc_text(self, call: Call, texts: list[str], out: str) -> str:
        # NumPy wants the name for these two, where a third number may be meant to be compared.
        named = "out=" if call.function in (np.maximum, np.minimum) else ""
        return f"{self.function(call.function)}({', '.join(texts)}, {named}{out})"

    def copy_text(self, call: Call, text: str, out: str) -> str:
        """The copy or cast that a call is, into an array."""
        self.imports.add("copyto")
        unsafe = ', "unsafe"' if call.kind == "cast" else ""
        return f"copyto({out}, {text}{unsafe})"

    def _join(self, call: Call, out: str) -> None:
        places = parts_of(call)
        from_parts = [self._is_there(x, call, key) for x, key in places]
        if call.kind == "concatenate" and not any(from_parts):
            self.imports.add("concatenate")
            texts = ", ".join([self.text(x) for x in call.operands])
            axis = call.parameters.get("axis", 0)
            self.line(f"concatenate([{texts}], {axis}, {out})")
            return
        for (x, key), done in zip(places, from_parts):
            if done:
                continue
            name = self._new_name(f"{out}_part")
            self.binding.append(f"{name} = {self._part_text(out, key, x)}")
            self.imports.add("copyto")
            self.line(f"copyto({name}, {self.text(x)})")

    def _is_there(self, x: Any, call: Call, key: Any) -> bool:
        """Whether an operand of a join was computed in its place, or what it shows."""
        return any(
            self.plan.part_of.get(part) == (call.result, place) for part, place in places_of(x, key)
        )

    def _setitem(self, call: Call, out: str) -> None:
        plan = self.plan
        base, value = call.operands[:2]
        slot = plan.slots[call.result]
        if slot.how not in ("zeros",) and not (slot.how == "same" and slot.of is base):
            self.imports.add("copyto")
            self.line(f"copyto({out}, {self.text(base)})")
        if self._is_there(value, call, ("key", call.function)):
            return
        self.line(f"{out}[{self._key(call.function, call.operands[2:])}] = {self.text(value)}")


def _is_plain(x: Any) -> bool:
    if isinstance(x, tuple):
        return all(_is_plain(i) for i in x)
    return x is None or (
        isinstance(x, (int, str, bool)) or (isinstance(x, float) and np.isfinite(x))
    )


_RESULTS = {
    **{"dot": "z", "add": "sum", "subtract": "difference", "multiply": "product"},
    **{"divide": "ratio", "maximum": "h", "tanh": "h", "reciprocal": "h", "greater": "mask"},
    **{"negative": "minus", "square": "square", "sqrt": "root", "exp": "e", "log": "log"},
}
"""What results are called, by the function that gives them."""


def _default_name(x: Value) -> str:
    if x.array is not None:
        return _number_name(x.array.item()) if not x.shape else "ones" if x.uniform else "constant"
    if x.source is not None:
        kinds = {"argument": "x", "tensor": "tensor", "gradient": "gradient"}
        return kinds.get(x.source[0], "number")
    call = x.call
    assert call is not None
    function: str = getattr(call.function, "__name__", "") or getattr(call.function, "name", "")
    kinds = {"dot": "z", "reduce": "total", "cast": "c", "transpose": "T", "reshape": "flat"}
    kinds |= {"getitem": "part", "setitem": "whole", "index": "picked"}
    if call.kind == "cast" and call.inputs and call.inputs[0].dtype == np.bool_:
        return "mask"
    return kinds.get(call.kind) or _RESULTS.get(function) or f"{function or call.kind}_"


def _number_name(c: float) -> str:
    if c in _NAMES:
        return _NAMES[c]
    return f"c_{c:.3g}".replace("-", "minus_").replace("+", "").replace(".", "_")
