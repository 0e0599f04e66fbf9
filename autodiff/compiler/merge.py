"""Optimisers' rules, taken apart once for all parameters that lie next to each other.

A rule treats each element alone, so that what it does to many arrays it does to the vector of
their memory: then it costs as many calls for 200 parameters as for 2.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.compiler.arena import flat, home, runs, settle
from autodiff.compiler.program import Call, Program, Value
from autodiff.compiler.recorded import Recorded


def merge(program: Program, largest: float = math.inf) -> None:
    """Replace every update by the NumPy calls of its rule, on as few vectors as possible.

    largest: the bytes above which a tensor is left to itself.
    """
    groups: dict[Any, list[Call]] = {}
    for call in program.calls:
        if call.kind == "update":
            groups.setdefault(_alike(call), []).append(call)
    written = {value for _, value in program.writes}
    runs_of: dict[Call, list[list[Call]]] = {}
    for alike in groups.values():
        # At the last of them: by then all gradients are there.
        runs_of[alike[-1]] = _runs(alike, written, largest)
    read = {x for call in program.calls for x in call.inputs}.union(program.outputs)
    calls: list[Call] = []
    new: dict[Value, Any] = {}
    gone: set[Value] = set()
    for call in program.calls:
        if call.kind != "update":
            calls.append(call)
        for run in runs_of.get(call, ()):
            if len(run) == 1:
                calls += _alone(run[0], new)
            else:
                calls += _together(run, program, read, new)
                gone.update(x for update in run for x in update.results)
    program.calls = calls
    program.writes = [(memory, value) for memory, value in program.writes if value not in gone]
    program.replace(new)


def _alike(call: Call) -> Any:
    """A key equal for updates that are one rule with the same numbers and dtypes."""
    numbers = tuple(x for x in call.operands if _is_number(x))
    dtypes = tuple(x.dtype for x in call.operands)
    return call.function, numbers, dtypes, tuple(call.parameters.items())


def _is_number(x: Value) -> bool:
    return x.source is not None and x.source[0] == "number"


def _runs(calls: list[Call], written: set[Value], largest: float) -> list[list[Call]]:
    """Groups of updates whose tensors lie in one piece of memory, column by column."""
    simple: list[tuple[Call, list]] = []
    others = []
    for call in calls:
        sources = [x.source for x in call.operands[: len(call.results)]]
        plain = call.result.nbytes <= largest and all(s and s[0] == "tensor" for s in sources)
        if plain and written.issuperset(call.results):
            simple.append((call, [s[1] for s in sources]))
        else:
            others.append([call])
    if len(simple) > 1:
        for column in zip(*[tensors for _, tensors in simple]):
            settle(column)
    return [[simple[i][0] for i in run] for run in runs([t for _, t in simple])] + others


def _alone(update: Call, new: dict[Value, Any]) -> list[Call]:
    calls, results = taken_apart(update, update.operands, update.result.shape)
    new.update(zip(update.results, results))
    return calls


def _together(
    run: list[Call], program: Program, read: set[Value], new: dict[Value, Any]
) -> list[Call]:
    """The calls of the rule on the vectors of a run's memory.

    Results that are read later are left in `new`, as parts of the vectors.
    """
    first, count = run[0], len(run[0].results)
    columns = [[call.operands[i].source[1] for call in run] for i in range(count)]
    calls: list[Call] = []
    operands: list[Value] = []
    starts = [home(t)[1] // t._array.itemsize for t in columns[0]]  # type: ignore[index]
    starts = [start - starts[0] for start in starts]
    for i, x in enumerate(first.operands):
        if i < count:
            array = flat(columns[i])
            name = _column_name(first, i)
            x = Value(array.shape, array.dtype, source=("flat", tuple(columns[i])), name=name)
            program.inputs.append(x)
        elif not _is_number(x):
            parts = [call.operands[i] for call in run]
            call = Call("pack", operands[0].size, parts, {"starts": starts}, "update")
            name = _column_name(first, i)
            call.results = (Value(operands[0].shape, x.dtype, call, name=name),)
            calls.append(call)
            x = call.result
        operands.append(x)
    apart, results = taken_apart(first, operands, operands[0].shape)
    calls += apart
    program.writes += zip(operands[:count], results)
    for call, start in zip(run, starts):
        for result, whole in zip(call.results, results):
            if result not in read:
                continue
            part = Call("getitem", slice(start, start + result.size), (whole,), {}, "update")
            part.results = (Value((result.size,), result.dtype, part),)
            view = Call("reshape", result.shape, part.results, {}, "update")
            view.results = (Value(result.shape, result.dtype, view),)
            calls += [part, view]
            new[result] = view.result
    return calls


def _column_name(update: Call, i: int) -> str:
    """What the vector of a rule's argument is called."""
    letter = update.function.__code__.co_varnames[i]
    return {"p": "parameters", "g": "gradients"}.get(letter, f"all_{letter}")


class _Apart:
    """A trace of a rule alone; see Trace, whose methods for Recorded arrays it has."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def value(self, array: Any) -> Value:
        array = np.asarray(array)
        return Value(array.shape, array.dtype, array=array)

    def call(
        self, kind: str, function: Any, operands: Sequence[Any], parameters: dict, arrays: Any
    ) -> tuple[Value, Any]:
        strong = [a.dtype for a in arrays if getattr(a, "ndim", 0)]
        if strong and kind == "ufunc":  # numbers are weak: as Python's they take the others' dtype
            dtype = np.result_type(*strong)
            operands, arrays = list(operands), list(arrays)
            for i, a in enumerate(arrays):
                if operands[i].__class__ is Value and not a.ndim and a.dtype != dtype:
                    cast = [operands[i]], {}, [a]
                    operands[i], arrays[i] = self.call("cast", dtype, *cast)
        call = Call(kind, function, operands, parameters, "update")
        out = call.evaluate(arrays)
        call.results = (Value(out.shape, out.dtype, call),)
        self.calls.append(call)
        return call.result, out


def taken_apart(
    update: Call, operands: Sequence[Value], shape: tuple[int, ...]
) -> tuple[list[Call], list[Value]]:
    """The calls that an update's rule makes on operands of this shape, and its results."""
    trace = _Apart()
    given = [
        Recorded(trace, x, np.ones((), np.float64) if _is_number(x) else np.ones(1, x.dtype))
        for x in operands
    ]
    results = update.function(*given, **update.parameters)
    for call in trace.calls:
        for result in call.results:
            if result.shape:
                result.shape = shape
    return trace.calls, [r.value for r in results]
