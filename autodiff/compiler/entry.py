"""One program of a compiled function: when it may run, and what surrounds a run."""

import builtins
import linecache
import math
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autodiff import versions
from autodiff.compiler.arena import flat, home
from autodiff.compiler.emit import Emitter
from autodiff.compiler.merge import merge
from autodiff.compiler.passes import common, constants, dead, simplify
from autodiff.compiler.plan import Plan, may_fail, memory_of
from autodiff.compiler.program import Call, Program, Value, shows
from autodiff.compiler.sweep import Rule, Sweep
from autodiff.compiler.trace import Trace
from autodiff.function import Function, FunctionContext
from autodiff.grad_modes import enable_grad, is_grad_enabled
from autodiff.gradients import grad
from autodiff.tape import GRAD, TRACE, Node, check_version, modes, walk
from autodiff.tensor import Lent, Tensor, lift

PASSES = ("dead", "merge", "constants", "simplify", "common", "blocks")
"""What is done to a program, and can be left out by name."""

RULES: dict[str, Rule] = {"constants": constants, "simplify": simplify, "common": common}

_new = object.__new__


def named_tensors(trace: Trace) -> dict[int, str]:
    """The names of the tensors that the modules of a trace hold, by identity."""
    called = trace.roots_of_modules.values()
    roots = [m for m in called if any(True for _ in m.named_parameters())]
    names: dict[int, str] = {}
    for i, module in enumerate(roots):
        prefix = f"{type(module).__name__.lower()}{i + 1}." if len(roots) > 1 else ""
        for kind in (module.named_parameters, module.named_buffers):
            for path, tensor in kind():
                layer, _, name = path.rpartition(".")
                if layer.isdecimal():  # a Sequential's: weight_0, not 0_weight
                    path = f"{name}_{layer}"
                names.setdefault(id(tensor), prefix + path)
    return names


class Recording:
    """A run as it was recorded: its program, and what the run left besides memory.

    given: for each tensor of the result the position of an argument, or the tensor from outside,
    that it is; None for a computed one. live: whether computed ones can be differentiated; wrt:
    with respect to what (positions of arguments, tensors). needed: tensors whose `grad` was read
    before it was set, and its strides, None if it was None. cleared: those whose `grad` became
    None. lending: those whose `grad` became a computed one.
    """

    def __init__(
        self, trace: Trace, leaves: list, stand_ins: dict[int, Any], outputs: list[Tensor]
    ) -> None:
        self.position = {id(x): i for i, x in enumerate(leaves)}
        self.position |= {id(s): self.position[i] for i, s in stand_ins.items()}
        trace.meet(outputs)
        self.given = [self._given(t, trace.value(t._array)) for t in outputs]
        computed = [t for t, given in zip(outputs, self.given) if given is None]
        values = [trace.value(t._array) for t in computed]
        self.now = len(values)
        self.needed: list[tuple[Any, tuple | None]] = []
        self.cleared: list[Any] = []
        self.lending: list[Any] = []
        self.lent: list[Value] = []
        self._read_gradients(trace)
        self.wrt: list[Any] = []
        self.seeds: list[Value] = []
        self.differentiable = [t._node is not None for t in computed]
        standing = [t for t in stand_ins.values() if isinstance(t, Tensor)]
        ends = _ends([t._node for t in computed if t._node is not None], standing)
        self.live = ends is not None
        if ends is not None:
            values += self._record_backward(trace, computed, ends)
        self.guards, self.each_run = trace.guards, trace.each_run
        self.watched = [(d, dict(d), checks) for d, checks in trace.watched.values()]
        self.same = [(v.source[1], t) for v, t in trace.same]
        names = named_tensors(trace)
        held = names.keys() | trace.held
        self.same += [(i, t) for i, t in enumerate(leaves) if id(t) in held]
        below = [m for root in trace.roots_of_modules.values() for m in root.modules()]
        self.modules = list((trace.modules | {id(m): m for m in below}).values())
        for x in [x for m in self.modules for x in vars(m).values()]:
            if isinstance(x, (list, dict)) and len(x) <= _WATCHED:  # nobody says when it changes
                self.each_run.append((partial(_contents, x), _contents(x)))
        self.generators = list(trace.generators.values())
        outside = [v.source[1] for v in trace.inputs if v.source[0] == "tensor"]
        self.flags = [(t, _on_tape(t)) for t in outside]
        self.program = trace.program(values)
        for v in self.program.inputs:
            if v.source[0] == "tensor":
                v.name = names.get(id(v.source[1]), v.name)
            elif v.source[0] == "gradient":
                v.name = f"d_{names.get(id(v.source[1]), 'tensor')}"
                v.source = "gradient", self.position.get(id(v.source[1]), v.source[1])
        for target, v in zip(self.lending, self.lent):
            if v.source is None and v.array is None and not v.name:
                v.name = f"d_{names.get(id(target), 'x')}"
        given = [(v, a) for v, a in trace.arrays.items() if v.source[0] != "tensor"]
        self.likes = {v: _like(a) for v, a in given}
        trace.forget()

    def _given(self, t: Tensor, value: Value) -> Any:
        if id(t) in self.position:
            return self.position[id(t)]
        source = value.source
        return t if source is not None and source[0] == "tensor" and source[1] is t else None

    def _read_gradients(self, trace: Trace) -> None:
        for t, before, read in trace.gradients.values():
            if id(t._array) in trace.known and id(t._array) not in trace.outside:
                continue  # a tensor of this run alone
            target = self.position.get(id(t), t)
            if read:
                self.needed.append((target, _strides(before)))
            after = t._grad
            if after is None:
                if not read or before is not None:
                    self.cleared.append(target)
            elif after is not before:
                assert isinstance(after, Tensor)
                trace.meet((after,))
                self.lending.append(target)
                self.lent.append(trace.value(after._array))

    def _record_backward(
        self, trace: Trace, outputs: list[Tensor], ends: dict[Node, Tensor]
    ) -> list[Value]:
        """Record how gradients of the outputs lead to those of what they were computed from."""
        start: dict[Node, Any] = {}
        for i, t in enumerate(outputs):
            if t._node is not None:
                g = _new(Tensor)
                g._array, g._node = np.ones_like(t._array), None
                seed = trace.input(g._array, ("seed", i), f"d_output_{i}")
                self.seeds.append(seed)
                start[t._node] = g
        before, outer = modes.flags, modes.trace
        modes.trace, modes.flags = trace, before & ~GRAD | TRACE
        trace.phase = "outside"
        parents = [(node, node.parents) for node in ends]
        for node in ends:
            node.parents = ()  # the recording ends here, whatever was before
        try:
            found = walk(start, ends.keys(), True, lift)
        except RuntimeError as error:
            trace.spoil(f"its results cannot be differentiated: {error}")
            return []
        finally:
            modes.trace, modes.flags = outer, before
            for node, those in parents:
                node.parents = those
        if trace.refused:
            return []
        self.wrt = [self.position.get(id(ends[node]), ends[node]) for node in found]
        return [trace.value(g._array) for g in found.values()]


class _Loan:
    """A frame in use until the backward pass has run or can no longer run."""

    __slots__ = ("frame", "frames")

    def __init__(self, frames: list, frame: Any) -> None:
        self.frames, self.frame = frames, frame

    def __del__(self) -> None:
        self.frames.append(self.frame)


class Entry:
    """A recording made into NumPy source, and the arrays it runs on.

    A frame is the step bound to arrays of its own; there is one more of them than calls that are
    under way, or whose backward pass is still to come.
    """

    def __init__(
        self,
        title: str,
        function: Callable,
        recording: Recording,
        form: Callable[[list], Any],
        disable: tuple[str, ...] = (),
        largest: float = math.inf,
    ) -> None:
        self.title, self.function, self.form = title, function, form
        self.recording, self.number = recording, versions.tick()
        self.frames: list[Any] = []
        self.verified = False
        self.entrance: tuple[list[type], Callable | None] | None = None  # see call.py
        self.together: versions.Together | None = None
        self.counts: list[tuple[str, int]] = []
        program = self.program = recording.program
        self._compile(program, recording.lent, disable, -1 if "merge" in disable else largest)
        self.cells, self.globals_read = outer_reads(function)
        self.needed, self.watched, self.same = recording.needed, recording.watched, recording.same
        self.simple = recording.given == [None] and form(["it"]) == "it"
        self.modules = [(m, _snapshot(m)) for m in recording.modules]
        self.changes = versions.changes
        fails = [call for call in program.calls if may_fail(call)]
        self.rewound = recording.generators if len(fails) > 0 else []

    def _compile(
        self, program: Program, lent: list[Value], disable: tuple[str, ...], largest: float
    ) -> None:
        count = len(program.outputs)
        program.outputs += lent  # the passes keep them
        self.counts.append(("recorded", len(program.calls)))
        off = set(disable)
        if "dead" not in off:
            dead(program)
            self.counts.append(("dead", len(program.calls)))
        merge(program, largest)
        self.counts.append(("merge", len(program.calls)))
        Sweep(program, [rule for name, rule in RULES.items() if name not in off])
        self.counts.append(
            (", ".join([name for name in RULES if name not in off]), len(program.calls))
        )
        if "dead" not in off:
            dead(program)
            self.counts.append(("dead", len(program.calls)))
        program.outputs, lent = program.outputs[:count], program.outputs[count:]
        _keep(program, self.recording.now)
        likes = self.recording.likes
        for v in program.inputs:
            if v.source[0] == "tensor":
                likes[v] = v.source[1]._array
            elif v.source[0] == "flat":
                likes[v] = flat(v.source[1])
        self.plan = Plan(program, likes, lent, "blocks" not in disable)
        self.homes = {
            v: list(map(home, v.source[1])) for v in program.inputs if v.source[0] == "flat"
        }
        self.layout = {v: (a.shape, a.strides, a.dtype) for v, a in likes.items()}
        arguments = [v for v in program.inputs if v.source[0] in ("argument", "gradient")]
        seeds = self.recording.seeds if self.recording.live else None
        emitter = Emitter(self.plan, arguments, lent, seeds, self.recording.now)
        self.source = emitter.emit()
        for slot in self.plan.slots.values():
            slot.like = None  # the arrays are made anew for each frame
        self.arguments = [v.source for v in arguments]
        self.argument_names = [emitter.names[v] for v in arguments]
        self.parameter_names = [emitter.names[v] for v in emitter.parameters]
        self.numbers = emitter.number_names
        shown = [v for v in program.inputs if v.source[0] in ("tensor", "flat", "argument")]
        self.memory_names = {i: v.name for i, v in enumerate(shown)}
        self.argument_forms = [(v.shape, v.dtype) for v in arguments]
        self.parameters = [v.source for v in emitter.parameters]
        static = {x: i for i, x in enumerate(emitter.lent)}
        local = {x: i - len(emitter.lent_locals) for i, x in enumerate(emitter.lent_locals)}
        self.lent_at = [(True, static[x]) if x in static else (False, local[x]) for x in lent]
        self.written = [
            m.source if m.source[0] in ("tensor", "flat") else arguments.index(m)
            for m, _ in program.writes
        ]
        self.written_arguments = [s for s in self.written if s.__class__ is int]
        filename = f"<compiled {self.title} {self.number}>"
        # Python takes time with the square of `bind` (20 000 lines: 0.7 s, not 0.2) if it has no
        # branch near its beginning, where it puts an instruction for each variable of the step.
        text = self.source.replace("):\n", "):\n    if np: pass\n", 1)
        linecache.cache[filename] = len(text), None, text.splitlines(True), filename
        self.needs = emitter.globals
        outside = [call for call in program.calls if call.phase == "outside"]
        late = dict.fromkeys([x for call in outside for x in call.inputs])
        owners = dict.fromkeys([self.plan.owner(x) for x in late])
        sources = [v.source for v in owners if v.source is not None]
        self.read_late = [s for s in sources if s[0] in ("tensor", "argument")]
        now = program.outputs[: self.recording.now]
        self.kept_outputs = [i for i, x in enumerate(now) if x in late]
        # Counts must not go on if a call fails after them and the function runs instead.
        self.drawn: list[tuple] = []
        order = {call: i for i, call in enumerate(program.calls)}
        last = max((i for call, i in order.items() if may_fail(call)), default=-1)
        counted = {
            x.source[1]
            for call, i in order.items()
            for x in call.inputs
            if i < last and x.source is not None and x.source[0] == "number"
        }
        noted = {
            name: _noting(thing, self.drawn) if name in self.numbers and thing in counted else thing
            for name, thing in emitter.globals.items()
        }
        self.drawing = len(counted) > 0
        self.globals = {"__name__": "autodiff.compiled", **noted}
        exec(builtins.compile(text, filename, "exec"), self.globals)

    def frame(self) -> tuple[Any, list[tuple[Any, Lent | int]]]:
        """The step bound to arrays of its own, and what becomes of gradients."""
        arrays = [
            flat(source[1]) if source[0] == "flat" else source[1]._array
            for source in self.parameters
        ]
        bind: Any = self.globals["bind"]
        step, lent = bind(*arrays)
        if self.together is None:
            tensors = [t for s in self.written if not isinstance(s, int) for t in _tensors(s)]
            self.together = versions.Together([t._array for t in tensors])
        static = [Lent(a) for a in lent]
        gradients = [
            (target, static[i] if there else i)
            for target, (there, i) in zip(self.recording.lending, self.lent_at)
        ]
        return step, gradients

    # When it may run

    def holds(self, leaves: Sequence) -> bool:
        """Whether this program does what the function would do now."""
        if self.changes != versions.changes and not self.still_holds():
            return False
        for target, strides in self.needed:
            if gradient_strides(target_of(target, leaves)) != strides:
                return False
        for options, before, checks in self.watched:
            if differs(options, before):
                if any(function() != value for function, value in checks):
                    return False
                before.clear()
                before.update(options)
        for cell, value in self.cells:
            if contents(cell) is not value:
                return False
        for outer, name, value in self.globals_read:
            if outer.get(name) is not value:
                return False
        for function, value in self.recording.each_run:
            if function() != value:
                return False
        for i, t in self.same:
            if leaves[i] is not t:
                return False
        return len(self.written_arguments) == 0 or not _overlap(self._arrays(leaves))

    def still_holds(self) -> bool:
        """Whether what seldom changes is as it was, after something did change."""
        if not all(_same(snapshot, _snapshot(module)) for module, snapshot in self.modules):
            return False
        if any(function() != value for function, value in self.recording.guards):
            return False
        for v in self.program.inputs:
            if v.source[0] == "tensor":
                t = v.source[1]
                a = t._array
                if (a.shape, a.strides, a.dtype) != self.layout[v]:
                    return False
            elif v.source[0] == "flat" and list(map(home, v.source[1])) != self.homes[v]:
                return False
        if any(_on_tape(t) != state for t, state in self.recording.flags):
            return False
        self.frames, self.together = [], None  # bound to arrays that may be others now
        self.changes = versions.changes
        return True

    def eager_gradients(
        self, call: "_Outside", given: Sequence[Tensor], create_graph: bool
    ) -> tuple[Tensor | None, ...]:
        """The gradients by the function itself, run again as it was for that call.

        Random numbers are drawn, and memory is written, as in that call, and both put back.
        """
        states, memory = self.random_states(self.recording.generators), call.memory()
        now = [a.copy() for a in memory]
        outputs: list[Tensor] = []
        try:
            for generator, state in call.states:
                generator.state = state
            for a, elements in zip(memory, call.before):
                a[...] = elements
            with enable_grad():
                result_form(self.function(*call.args, **call.kwargs), outputs)
        finally:
            for generator, state in states:
                generator.state = state
            for a, elements in zip(memory, now):
                a[...] = elements
        flags = iter(self.recording.differentiable)
        computed = [t for t, g in zip(outputs, self.recording.given) if g is None]
        roots = [t for t in computed if next(flags)]
        return grad(roots, call.wrt, list(given), create_graph=create_graph, allow_unused=True)

    # Running

    def suits(self, arrays: list) -> bool:
        """Whether the program may run on these arrays for all of its arguments."""
        if self.changes != versions.changes and not self.still_holds():
            return False
        return all(a.dtype is d and a.shape == s for a, (s, d) in zip(arrays, self.argument_forms))

    def step(self, arrays: list) -> None:
        """Run a program that has no results, on these arrays."""
        frame = self.frames.pop() if self.frames else self.frame()
        frame[0](*arrays)
        self._leave(frame, (), arrays, ())
        self.frames.append(frame)

    def run(self, leaves: Sequence, args: tuple, kwargs: dict) -> Any:
        """Run the program on the arguments' tensors and arrays."""
        states = self.random_states(self.rewound)
        self.drawn.clear()
        try:
            if self.recording.live:
                wrt = [target_of(target, leaves) for target in self.recording.wrt]
                call = _Outside(self, leaves, args, kwargs, wrt)
                return self._result(_Differentiable.apply(call, *wrt), leaves)
            arrays = self._arrays(leaves)
            frame = self.frames.pop() if self.frames else self.frame()
            results = frame[0](*arrays)
        except Exception as error:
            return self.run_eagerly(error, states, args, kwargs)
        self._leave(frame, results, arrays, leaves)
        self.frames.append(frame)
        made = [_made(array) for array in results[: self.recording.now]]
        if self.simple:
            return made[0]
        return self._result(made, leaves)

    def random_states(self, generators: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Where random generators are."""
        return [(g.bit_generator, g.bit_generator.state) for g in generators]

    def run_eagerly(
        self, error: Exception, states: Iterable[tuple[Any, Any]], args: tuple, kwargs: dict
    ) -> Any:
        """Let the function itself fail, with its own message and state; it is as it was before."""
        for generator, state in states:
            generator.state = state
        modes.given, outer = list(self.drawn), modes.given
        try:
            result = self.function(*args, **kwargs)
        finally:
            modes.given = outer
        warnings.warn(
            f"the compiled program of {self.title} failed where the function did not "
            f"({type(error).__name__}: {error}): if the function does not handle that error "
            "itself, this is a fault in compile()",
            stacklevel=4,
        )
        return result

    def _arrays(self, leaves: Sequence) -> list[Any]:
        arrays = []
        for kind, of in self.arguments:
            if kind == "argument":
                arrays.append(array_of(leaves[of]))
            else:
                arrays.append(target_of(of, leaves).grad._array)
        return arrays

    def _leave(self, frame: tuple, results: Any, arrays: list, leaves: Sequence) -> None:
        """Leave versions and gradients as the function would have."""
        if self.written:
            self.together.touch()  # type: ignore[union-attr]
            for source in self.written_arguments:
                versions.touch(arrays[source])
        for target in self.recording.cleared:
            target_of(target, leaves)._grad = None
        for target, g in frame[1]:
            target_of(target, leaves)._grad = g if g.__class__ is Lent else Lent(results[g])

    def _result(self, made: Any, leaves: Sequence) -> Any:
        computed = iter(made)
        return self.form(
            [
                next(computed) if given is None else target_of(given, leaves)
                for given in self.recording.given
            ]
        )


def _overlap(arrays: Sequence[Any]) -> bool:
    """Whether two of the arrays may share memory."""
    return any(np.may_share_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def _tensors(source: tuple) -> tuple[Tensor, ...]:
    """The tensors whose memory an input is."""
    return (source[1],) if source[0] == "tensor" else source[1]


def outer_reads(function: Any) -> tuple[list, list]:
    """What a function takes from around it: (cell, contents), and (dict, name, value) of globals.

    Functions, classes and modules of Python are left out: they hardly ever change.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return [], []
    outer = function.__globals__
    names = [name for name in code.co_names if name in outer]
    found = [(outer, n, outer[n]) for n in names if not isinstance(outer[n], _LASTING)]
    return [(cell, contents(cell)) for cell in function.__closure__ or ()], found


def modules_around(function: Any, args: tuple, kwargs: dict) -> list[Any]:
    """The modules that a function has as arguments or takes from around it, and all below them."""
    cells, _ = outer_reads(function)
    code = getattr(function, "__code__", None)
    outer = function.__globals__ if code is not None else {}
    names = code.co_names if code is not None else ()
    found = [function, *args, *kwargs.values(), *[value for _, value in cells]]
    found += [outer[name] for name in names if name in outer]
    owner = getattr(function, "__self__", None)
    roots = [x for x in (*found, owner) if hasattr(type(x), "named_modules")]
    return list({id(m): m for root in roots for m in root.modules()}.values())


_LASTING = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type, np.ufunc)


def differs(options: dict, before: dict) -> bool:
    """Whether an item of a dict is another one than before; tensors need not be comparable."""
    try:
        return options != before
    except Exception:
        return True


def contents(cell: Any) -> Any:
    """What a variable of an enclosing function holds; None if nothing yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def array_of(leaf: Any) -> Any:
    """The array of an argument, which is a tensor or an array."""
    return leaf._array if isinstance(leaf, Tensor) else leaf


def target_of(target: Any, leaves: Sequence) -> Any:
    """A tensor from outside, or the argument at a position."""
    return leaves[target] if target.__class__ is int else target


class _Outside:
    """One call of a program whose results are differentiated outside, until that is done."""

    def __init__(
        self, entry: Entry, leaves: Sequence, args: tuple, kwargs: dict, wrt: list[Tensor]
    ) -> None:
        self.entry, self.leaves, self.args, self.kwargs, self.wrt = entry, leaves, args, kwargs, wrt
        self.states = entry.random_states(entry.recording.generators)
        self.before = [a.copy() for a in self.memory()]
        self.ran = False  # whether the backward part has run, which uses up what is kept

    def memory(self) -> list[Any]:
        """The arrays that the program writes."""
        arrays = self.entry._arrays(self.leaves) if self.entry.written_arguments else []
        found: list[Any] = []
        for source in self.entry.written:
            if isinstance(source, int):
                found.append(arrays[source])
            else:
                found += [t._array for t in _tensors(source)]
        return found

    def forward(self) -> tuple[Tensor, ...]:
        """Run the forward part."""
        entry = self.entry
        arrays = entry._arrays(self.leaves)
        frame = entry.frames.pop() if entry.frames else entry.frame()
        outputs, self.kept = frame[0][0](*arrays)
        self.loan = _Loan(entry.frames, frame)
        entry._leave(frame, outputs, arrays, self.leaves)
        self.read = [outputs[i] for i in entry.kept_outputs]
        for kind, of in entry.read_late:
            self.read.append(array_of(self.leaves[of] if kind == "argument" else of))
        self.number = versions.tick()
        return tuple(map(_made, outputs[: entry.recording.now]))

    def backward(self, given: list[Tensor]) -> list[Tensor]:
        """Run the rest. Raises: RuntimeError if something it reads was written meanwhile."""
        if self.number < versions.latest:
            for array in self.read:
                check_version(array, self.number, f"{self.entry.title}, compiled,")
        self.ran = True
        arrays = self.loan.frame[0][1](self.kept, *[g._array for g in given])
        return list(map(_made, arrays))


def _made(array: Any) -> Tensor:
    t = _new(Tensor)
    t._array, t._node = array, None
    return t


class _Differentiable(Function):
    """A call of such a program on the tape."""

    @staticmethod
    def forward(ctx: FunctionContext, *inputs: Any) -> Any:
        call = ctx.call = inputs[0]  # type: ignore[attr-defined]
        tensors = call.forward()
        flags = call.entry.recording.differentiable
        ctx.mark_non_differentiable(*[t for t, d in zip(tensors, flags) if not d])
        return tensors

    @staticmethod
    def backward(ctx: FunctionContext, *grad_outputs: Any) -> Any:
        call = ctx.call  # type: ignore[attr-defined]
        given = [g for g, d in zip(grad_outputs, call.entry.recording.differentiable) if d]
        if call.ran or is_grad_enabled():
            return None, *call.entry.eager_gradients(call, given, is_grad_enabled())
        return None, *call.backward(given)


def _noting(numbers: Callable[[], tuple], drawn: list[tuple]) -> Callable[[], tuple]:
    def noted() -> tuple:
        values = numbers()
        drawn.append(values)
        return values

    return noted


def _strides(gradient: Any) -> tuple[int, ...] | None:
    if gradient is None:
        return None
    return (gradient.array if isinstance(gradient, Lent) else gradient._array).strides


def gradient_strides(t: Tensor) -> tuple[int, ...] | None:
    """The strides of the gradient of a tensor, None if it has none."""
    return _strides(t._grad)


def _on_tape(t: Tensor) -> tuple | None:
    """Whether a tensor requires grad, and which hooks it has."""
    return None if t._node is None else tuple(t._node.hooks or ())


def _ends(roots: list[Node], stand_ins: Iterable[Tensor]) -> dict[Node, Tensor] | None:
    """The leaves and stand-ins that these nodes come from; None if they cannot be differentiated.

    They cannot if there are none, or if the graph was freed by a backward pass.
    """
    ends = {t._node: t for t in stand_ins if t._node is not None}
    found: dict[Node, Tensor] = {}
    nodes = list(dict.fromkeys(roots))
    seen = set(nodes)
    for node in nodes:  # grows while it is walked
        if node in ends:
            found[node] = ends[node]
        elif node.plan is None:
            tensor = node.tensor() if node.tensor is not None else None
            if tensor is not None:
                found[node] = tensor
        elif node.saved is None:
            return None
        else:
            nodes += [p for p in node.parents if p not in seen]
            seen.update(node.parents)
    return found or None


def _like(array: Any) -> Any:
    """An array of the same layout that does not keep the memory."""
    return as_strided(np.empty(1, array.dtype), array.shape, array.strides)


_VALUES = (bool, int, float, str, type(None), tuple)
_WATCHED = 256  # items of a list or dict in an attribute of a module, which are looked at each run


def _snapshot(module: Any) -> dict:
    held = {"training": module.training, **vars(module)}  # at first it stands in the class
    return {
        k: tuple(x) if isinstance(x, list) else tuple(x.items()) if isinstance(x, dict) else x
        for k, x in held.items()
    }


def _same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        x is b[k] or (isinstance(x, _VALUES) and type(x) is type(b[k]) and _equal(x, b[k]))
        for k, x in a.items()
    )


def _equal(x: Any, y: Any) -> bool:
    if isinstance(x, tuple):
        return len(x) == len(y) and all(a is b or (_simple(a) and a == b) for a, b in zip(x, y))
    return x == y


def _simple(x: Any) -> bool:
    return isinstance(x, (bool, int, float, str)) or (isinstance(x, tuple) and all(map(_simple, x)))


def _keep(program: Program, now: int) -> None:
    """Let the calls outside have copies of what they read in memory that the step writes."""
    written = {x for pair in program.writes for x in pair}
    tensors = {t for memory, _ in program.writes for t in memory_of(memory)}
    copies: dict[Value, Value] = {}

    def kept(x: Any) -> Any:
        owner = x
        while owner.__class__ is Value and owner.call is not None and shows(owner.call):
            owner = owner.call.operands[0]
        if owner.__class__ is not Value or (x.call is not None and x.call.phase == "outside"):
            return x
        if owner not in written and tensors.isdisjoint(memory_of(owner)):
            return x
        if x not in copies:
            call = Call("copy", None, (x,), {})
            call.results = (Value(x.shape, x.dtype, call),)
            copies[x] = call.result
        return copies[x]

    calls = [call for call in program.calls if call.phase != "outside"]
    late = [call for call in program.calls if call.phase == "outside"]
    for call in late:
        call.take([kept(x) for x in call.operands])
    program.outputs[now:] = [kept(x) for x in program.outputs[now:]]
    program.calls = [*calls, *[x.call for x in copies.values() if x.call is not None], *late]


def _contents(x: list | dict) -> list:
    """What a list or dict holds: numbers and texts, and which other objects."""
    items = [*x, *x.values()] if isinstance(x, dict) else x
    return [(type(i), i) if _simple(i) else id(i) for i in items]


def result_form(result: Any, outputs: list[Tensor], places: dict[int, int] | None = None) -> Any:
    """How to build the result from tensors: a function of their list; None if it cannot be.

    outputs: an empty list, which these tensors go to. places: where they are there, by identity.
    """
    places = {} if places is None else places
    if isinstance(result, Tensor):
        i = places.setdefault(id(result), len(outputs))
        if i == len(outputs):
            outputs.append(result)
        return lambda tensors: tensors[i]
    if result is None or isinstance(result, (bool, int, float, str)):
        return lambda tensors: result
    if isinstance(result, (list, tuple)):
        parts = [result_form(x, outputs, places) for x in result]
        if None in parts:
            return None
        cls = type(result)
        if hasattr(result, "_fields"):
            return lambda tensors: cls(*[part(tensors) for part in parts])
        return lambda tensors: cls([part(tensors) for part in parts])
    if (make := type(result)) in (dict, OrderedDict):
        items = {k: result_form(x, outputs, places) for k, x in result.items()}
        if None in items.values():
            return None
        return lambda tensors: make((k, part(tensors)) for k, part in items.items())
    return None
