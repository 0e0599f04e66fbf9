"""Recording one real run of a step.

While a trace is on, `apply` hands it every operation, and the few places that write to memory or
to a gradient tell it. Arrays are known by identity: `known` says which Value an array holds now. A
write gives its memory a new Value; views of it are taken again when they are next used.

What comes from outside is met when it is first used. Its source says how a later run finds it:

    ("argument", i)   the i-th array among the step's arguments
    ("tensor", t)     the array of the tensor t
    ("gradient", t)   the array of t.grad
    ("host", f)       the number that f() gives
    ("number", f, i, n)  the i-th of the n numbers that f() gives
    ("flat", ts)      the memory that these tensors share, see merge.py
    ("seed", i)       the gradient of the i-th output, given by the backward pass outside
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from autodiff import dtypes, versions
from autodiff.compiler.program import HOLE, VIEWS, Call, Program, Value, items_of
from autodiff.compiler.recorded import Opaque, Recorded
from autodiff.ops.random import sources_of_chance
from autodiff.primitive import Primitive
from autodiff.tape import TRACE, modes, reachable, user_line
from autodiff.tensor import Lent, Tensor, taken


class CannotRecordError(RuntimeError):
    """Why a step cannot be compiled."""


class Watched(np.ndarray):
    """An array among the arguments of a step that is recorded, and what NumPy computes from it.

    Numbers that Python takes out of it cannot be recorded.
    """

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(found, np.ndarray):
            taken("an element of an array")
        return found


_ESCAPED = (
    "NumPy computes with an argument of the step, which cannot be recorded: make a tensor of the "
    "argument first, with from_numpy()"
)


def _unrecorded(name: str) -> Callable:
    method = getattr(np.ndarray, name)

    def read(self: Watched, *args: Any) -> Any:
        taken(f"{name} of an array")
        return method(self, *args)

    return read


for _name in "__bool__ __float__ __int__ __index__ item tolist tobytes".split():
    setattr(Watched, _name, _unrecorded(_name))


class _Known:
    """What is known of an array: the Value it holds.

    root: that of the memory it is a view of, None for memory's own; base: what root held when the
    Value was taken. The Value is out of date if root holds another one now.
    """

    __slots__ = ("array", "base", "root", "value")

    def __init__(self, array: Any, value: Value, root: "_Known | None") -> None:
        self.array, self.value, self.root = array, value, root
        self.base = root.value if root else None


class Trace:
    """The record of one run.

    refused: why the run cannot be compiled, "" if it can. gradients: for each tensor whose `grad`
    was read or set, the tensor and what it was before. hosts: the arrays that host()
    gave. modules: those that were called, with their path if a module that was called holds them.
    """

    def __init__(self, fullgraph: bool = False) -> None:
        self.calls: list[Call] = []
        self.inputs: list[Value] = []
        self.known: dict[int, _Known] = {}
        self.roots: dict[int, _Known] = {}  # by the identity of the object that owns the memory
        self.outside: set[int] = set()
        self.hosts: set[int] = set()
        self.met: dict[int, Tensor] = {}  # the tensors from outside, arguments among them
        self.holders: set[int] = set()  # modules from outside
        self.held: set[int] = set()  # tensors and arrays that the step can reach by itself
        self.arguments: dict[int, Any] = {}  # arrays given as Watched ones, and what they are
        self.arrays: dict[Value, Any] = {}
        self.constants: dict[int, Value] = {}
        self.kept: list[Any] = []  # arrays that must live, so that their ids stay theirs
        self.written: dict[
            int, tuple[Value, _Known]
        ] = {}  # memory from outside: as it was, and now
        self.gradients: dict[int, tuple[Tensor, Tensor | Lent | None, bool]] = {}
        self.guards: list[tuple[Callable[[], Any], Any]] = []
        self.each_run: list[tuple[Callable[[], Any], Any]] = []
        self.watched: dict[int, tuple[dict, list[tuple[Callable[[], Any], Any]]]] = {}
        self.same: list[tuple[Value, Tensor]] = []
        self.generators: dict[int, Any] = {}
        self.refused, self.fullgraph = "", fullgraph
        self.phase, self.place = "forward", ""
        self.phases: list[str] = []
        self.nodes: dict[Any, Value] = {}
        self.modules: dict[int, Any] = {}
        self.roots_of_modules: dict[int, Any] = {}  # those called from outside any other
        self.stack: list[Any] = []
        self.paths: dict[int, str] = {}
        self.started = versions.tick()

    # Called while the step runs

    def meet(self, operands: Sequence[Any]) -> None:
        """Take in the tensors that are not known yet: they come from outside."""
        known = self.known
        for x in operands:
            if isinstance(x, Tensor) and id(x._array) not in known:
                self.input(x._array, ("tensor", x))
                self.met[id(x)] = x

    def input(self, array: Any, source: tuple, name: str = "") -> Value:
        """The Value of an array from outside."""
        known = self.roots.get(id(versions.owner(array)))
        if known is not None and known.value.source is None:
            self.refuse("a tensor shows memory of another one in a way that was not recorded")
        value = Value(array.shape, array.dtype, source=source, name=name)
        self.inputs.append(value)
        self.arrays[value] = array
        self._know(array, value)
        self.outside.add(id(array))
        return value

    def made(self, array: Any) -> None:
        """A Tensor is made of an array: if it is not known, its elements are constants."""
        if id(array) not in self.known:
            value = self.value(array)
            if value.array is not None:  # whoever has the Tensor may write to it, also later
                value.array = np.array(value.array)
            self._know(array, value)

    def host(self, function: Callable[[], float]) -> Tensor:
        """A 0-d tensor of a number that is read again before each run."""
        array = np.array(float(function()))
        self.input(array, ("host", function))
        self.hosts.add(id(array))
        tensor = object.__new__(Tensor)
        tensor._array, tensor._node = array, None
        return tensor

    def run(self, primitive: Primitive, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result of an operation on arrays, recorded."""
        if self.refused:
            return _stored(primitive.forward(*arrays, **params))
        if primitive.varying(*arrays):
            self.refuse(f"the shape of what {primitive.name} gives depends on values")
            return _stored(primitive.forward(*arrays, **params))
        if primitive.family != "random":
            operands = [self._recorded(x) for x in arrays]  # may take views again
            mark = len(self.calls)
            if primitive.check is not None:
                primitive.check(*arrays, **params)
                checked = [x.value if x.__class__ is Recorded else x for x in operands]
                self.calls.append(
                    Call("check", primitive.check, checked, params, self.phase, self.place)
                )
            try:
                out = primitive.body(*operands, **params)
            except Opaque:
                del self.calls[mark:]
            else:
                if out.__class__ is Recorded:
                    return self._result(out.value, out.array, primitive.view)
                return self._result(self.value(out), out, primitive.view)
        else:
            for generator in sources_of_chance(params):
                self.generators[id(generator)] = generator
        values = [x if isinstance(x, (bool, int, float)) else self.value(x) for x in arrays]
        return self._result(
            *self.call("operation", primitive, values, params, arrays), primitive.view
        )

    def _result(self, value: Value, out: Any, view: bool) -> Any:
        array = _stored(out)
        if id(array) not in self.known:
            root = self.roots.get(id(versions.owner(array))) if view else None
            self._know(array, value, root)
        return array

    def promoted(self, primitive: Primitive, given: list) -> list:
        """Operands in a common dtype; a number of host() is as weak as a Python number."""
        weak = [float(a) if id(a) in self.hosts else a for a in given]
        found = dtypes.promote(weak, primitive.promote, primitive.name)
        for i, old in enumerate(given):
            if not isinstance(old, np.ndarray):
                continue
            if id(old) in self.hosts:
                dtype = getattr(found[i], "dtype", old.dtype)
                found[i] = old if dtype == old.dtype else old.astype(dtype)
            new = found[i]
            if new is not old:
                value, _ = self.call("cast", new.dtype, (self.value(old),), {}, None, like=new)
                self._know(new, value)
        return found

    def copied(self, array: Any, new: Any) -> None:
        """`new` is a copy of an array."""
        if not self.refused:
            value, _ = self.call("copy", None, (self.value(array),), {}, None, like=new)
            self._know(new, value)

    def write(self, x: Tensor, key: Any, value: Tensor, placed: bool) -> None:
        """The memory of x is about to be written: x[key] = value.

        placed: whether the tape remembers where, by numbers that a later run would not renew.
        """
        if self.refused:
            return
        self.meet((x, value))
        items = items_of(key)
        arrays = [i for i in items if _is_array(i)]
        if arrays and (placed or any(a.dtype.kind == "b" for a in arrays)):
            self.refuse("x[key] = value with a key of tensors depends on their values")
            return
        known = self.known[id(x._array)]
        new = self._current(self.known[id(value._array)])
        if key is not Ellipsis:
            old = self._current(known)
            form = tuple([HOLE if _is_array(i) else i for i in items])
            operands = (old, new, *map(self.value, arrays))
            new, _ = self.call("setitem", form, operands, {}, None, like=x._array)
        self._replace(known, new)

    def meet_grad(self, tensor: Tensor) -> None:
        """The gradient of a tensor is being read."""
        if id(tensor) not in self.gradients:
            gradient = tensor._grad
            self.gradients[id(tensor)] = tensor, gradient, True
            if isinstance(gradient, Tensor) and id(gradient._array) not in self.known:
                self.input(gradient._array, ("gradient", tensor))

    def set_grad(self, tensor: Tensor) -> None:
        """The gradient of a tensor is being set."""
        if id(tensor) not in self.gradients:
            self.gradients[id(tensor)] = tensor, tensor._grad, False

    def update(
        self,
        rows: Sequence[tuple],
        rule: Callable,
        numbers: Callable[[], tuple],
        count: int,
        options: dict[str, Any],
    ) -> None:
        """An optimiser is about to replace, for each row (tensors, inputs), the tensors.

        The rule takes `count` numbers, which numbers() gives, and keywords.
        """
        if self.refused:
            return
        double = np.dtype(np.float64)
        names = rule.__code__.co_varnames[sum(map(len, rows[0])) :] if rows else ()
        hosts = [
            Value((), double, source=("number", numbers, i, count), name=names[i])
            for i in range(count)
        ]
        self.inputs += hosts
        for tensors, inputs in rows:
            operands = []
            for t in (*tensors, *inputs):
                known = self.known.get(id(t._array))
                kept = any(t is x for x in tensors)
                if known is None or (kept and known.value.array is not None):
                    # what an optimiser keeps is there in later runs, though it was made in this one
                    self.roots.pop(id(versions.owner(t._array)), None)
                    operands.append(self.input(t._array, ("tensor", t)))
                    continue
                operands.append(self._current(known))
                if kept and known.value.source and known.value.source[0] == "argument":
                    self.same.append((known.value, t))
            call = Call("update", rule, (*operands, *hosts), options, "update", self.place)
            call.results = tuple([Value(t._array.shape, t._array.dtype, call) for t in tensors])
            self.calls.append(call)
            for t, new in zip(tensors, call.results):
                self._replace(self.known[id(t._array)], new)

    def enter(self, module: Any) -> None:
        """A module is being called."""
        if not self.stack and id(module) not in self.roots_of_modules:
            self.roots_of_modules[id(module)] = module
            for path, m in module.named_modules():
                self.paths.setdefault(id(m), path)
        self.modules[id(module)] = module
        self.stack.append(module)
        self._set_place()

    def leave(self, result: Any) -> None:
        """The call of a module ends; its result is called after it."""
        module = self.stack.pop()
        known = self.known.get(id(result._array)) if isinstance(result, Tensor) else None
        if known is not None and not known.value.name:
            path, kind = self.paths.get(id(module), ""), type(module).__name__.lower()
            last = path.rpartition(".")[2]
            known.value.name = f"{kind}_{path}" if last.isdecimal() else path or kind
        self._set_place()

    def _set_place(self) -> None:
        if not self.stack:
            self.place = ""
            return
        module = self.stack[-1]
        path, kind = self.paths.get(id(module), ""), type(module).__name__
        self.place = f"{path} ({kind})" if path else kind

    def on_tape(self, node: Any, array: Any) -> None:
        """A node was made for an operation that gave `array`."""
        if not self.refused:
            self.nodes[node] = self.known[id(array)].value

    def gradient_of(self, node: Any, gradient: Tensor) -> None:
        """This is the gradient of what a node gave; it is called after it."""
        value = self.nodes.get(node)
        if value is not None and value.name and id(gradient._array) in self.known:
            known = self.known[id(gradient._array)]
            if known.value.call is not None and not known.value.name:
                known.value.name = f"d_{value.name}"

    def guard(
        self, function: Callable[[], Any], value: Any, watched: dict[str, Any] | None
    ) -> None:
        """The run relies on function() giving `value`; see host.guard."""
        if watched is None:
            self.guards.append((function, value))
        else:
            self.watched.setdefault(id(watched), (watched, []))[1].append((function, value))

    def begin_backward(self, roots: Any) -> None:
        """A backward pass is about to walk back from these nodes."""
        self.phases.append(self.phase)
        self.phase = "backward"
        for node in roots:
            value = self.nodes.get(node)
            if value is not None and not value.name and not value.shape:
                value.name = "loss"
        for node in reachable(roots):
            if node.plan is not None and node.number < self.started:
                self.refuse("backward() reaches operations recorded before this call")
                return

    def end_backward(self) -> None:
        """The backward pass is over."""
        self.phase = self.phases.pop()

    def changing(self, tensor: Tensor, how: str) -> None:
        """A property of a tensor that is not its elements is about to change."""
        if id(tensor) in self.met or id(tensor._array) not in self.known:
            self.refuse(f"{how} changes a tensor from outside")

    def attribute_set(self, module: Any, name: str) -> None:
        """An attribute of a module is being assigned."""
        if id(module) in self.holders:
            remedy = (
                "call train() or eval() outside the step"
                if name == "training"
                else "write into a buffer with copy_() instead"
            )
            self.refuse(
                f"the step assigns {type(module).__name__}.{name}, which later runs would not do: "
                + remedy
            )

    def spoil(self, reason: str) -> None:
        """As refuse(), but without an error on the spot."""
        if not self.refused:
            self.refused = reason
            modes.flags &= ~TRACE

    def plain(self, array: Any) -> Any:
        """The array itself, for one that was handed in as a Watched one."""
        if array.__class__ is not Watched:
            return array
        if id(array) not in self.arguments:
            self.refuse(_ESCAPED)
            return array.view(np.ndarray)
        return self.arguments[id(array)]

    def shared(self, array: Any) -> Any:
        """The array itself, which a tensor is to share memory with.

        One that the step takes from around it may change between runs; another is made in each.
        """
        array = self.plain(array)
        if not self.refused and id(array) not in self.known and id(array) in self.held:
            tensor = object.__new__(Tensor)
            tensor._array, tensor._node = array, None
            self.input(array, ("tensor", tensor))
        return array

    def refuse(self, reason: str) -> None:
        """This run cannot be compiled. Raises: CannotRecordError if it must be."""
        if not self.refused:
            self.refused = f"{reason}, at {user_line()}"
            modes.flags &= ~TRACE
            if self.fullgraph:
                raise CannotRecordError(self.refused)

    # Its own

    def value(self, array: Any) -> Value:
        """The Value that an array, or a NumPy number, holds now; a constant if it is not known."""
        known = self.known.get(id(array))
        if known is not None and known.array is array:
            return self._current(known)
        value = self.constants.get(id(array))
        if value is None:
            elements = np.asarray(array)
            for argument in self.arguments.values():
                if np.may_share_memory(argument, elements):
                    self.refuse(_ESCAPED)
            value = Value(elements.shape, elements.dtype, array=elements)
            self.constants[id(array)] = value
            self.kept.append(array)
        return value

    def call(
        self,
        kind: str,
        function: Any,
        operands: Sequence[Any],
        parameters: dict[str, Any],
        arrays: Any,
        like: Any = None,
    ) -> tuple[Value, Any]:
        """Record a call, and its result: computed from `arrays` unless it is there in `like`."""
        call = Call(kind, function, operands, parameters, self.phase, self.place)
        out = call.evaluate(arrays) if like is None else like
        value = Value(out.shape, out.dtype, call)
        call.results = (value,)
        self.calls.append(call)
        return value, out

    def _recorded(self, x: Any) -> Any:
        if isinstance(x, (bool, int, float)) and not isinstance(x, np.generic):
            return x
        return Recorded(self, self.value(x), x)

    def _know(self, array: Any, value: Value, root: _Known | None = None) -> _Known:
        known = self.known[id(array)] = _Known(array, value, root)
        if root is None:
            self.roots[id(versions.owner(array))] = known
        self.kept.append(array)
        return known

    def _current(self, known: _Known) -> Value:
        """The Value an array holds: a view is taken again if its memory was written since."""
        root = known.root
        if root is not None and root.value is not known.base:
            value = root.value
            for view in reversed(self._views(known)):
                value = self._again(view, value)
            known.value, known.base = value, root.value
        return known.value

    def _views(self, known: _Known) -> list[Call]:
        """The views that lead from an array to its memory, the last one first."""
        chain, value = [], known.value
        while value is not known.base:
            if value.call is None or value.call.kind not in VIEWS:
                self.refuse("memory is written that is shown in a way that was not recorded")
                return []
            chain.append(value.call)
            value = value.call.operands[0]
        return chain

    def _again(self, view: Call, value: Value) -> Value:
        call = Call(view.kind, view.function, (value, *view.operands[1:]), view.parameters)
        call.phase, call.place = self.phase, self.place
        call.results = (Value(view.result.shape, view.result.dtype, call),)
        self.calls.append(call)
        return call.result

    def _replace(self, known: _Known, new: Value) -> None:
        """The memory of an array now holds `new`; so do all that share it, in their way."""
        root = known.root
        if root is not None:
            self._current(known)
            for view in self._views(known):
                new = self._put_back(view, new)
            self._replace(root, new)
            return
        old = known.value
        if old.array is not None:  # what is written must not be taken for constant
            self.constants.pop(id(known.array), None)
            old.array = np.array(old.array)
        if id(known.array) not in self.written and self._outside(known):
            self.written[id(known.array)] = old, known
        known.value = new

    def _put_back(self, view: Call, new: Value) -> Value:
        """The Value of what `view` shows, after `new` was written through it."""
        whole = view.operands[0]
        operands: tuple[Value, ...]
        if view.kind == "reshape":
            kind, function, operands = "reshape", whole.shape, (new,)
        elif view.kind == "transpose":
            kind, function, operands = "transpose", tuple(np.argsort(view.function)), (new,)
        elif view.kind == "getitem":
            kind, function, operands = "setitem", view.function, (whole, new)
        else:
            self.refuse(f"a view made by {view.kind} is written")
            return new
        call = Call(kind, function, operands, {}, self.phase, self.place)
        call.results = (Value(whole.shape, whole.dtype, call),)
        self.calls.append(call)
        return call.result

    def _outside(self, known: _Known) -> bool:
        value = known.value
        return value.call is None and value.source is not None and value.source[0] != "host"

    # When the step has run

    def forget(self) -> None:
        """Let go of all arrays."""
        for name in ("known", "roots", "kept", "written", "arrays", "gradients", "nodes"):
            getattr(self, name).clear()
        self.constants.clear()

    def program(self, outputs: list[Value]) -> Program:
        """What was recorded, to compute these values and to leave memory as the run did."""
        if self._writes_shared():
            self.spoil("memory that two tensors from outside share is written")
        writes = [(memory, known.value) for memory, known in self.written.values()]
        return Program(self.inputs, self.calls, outputs, writes)

    def _writes_shared(self) -> bool:
        """Whether memory is written that two arrays from outside show."""
        bounds = [
            (*byte_bounds(array), id(array) in self.written)
            for value, array in self.arrays.items()
            if array.size and value.source[0] not in ("host", "seed")
        ]
        end = end_of_written = 0  # of what lies before
        for start, stop, written in sorted(bounds):
            if start < (end if written else end_of_written):
                return True
            end = max(end, stop)
            if written:
                end_of_written = max(end_of_written, stop)
        return False


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def _stored(out: Any) -> Any:
    return np.array(out) if isinstance(out, np.generic) else out
