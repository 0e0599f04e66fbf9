"""One sweep over a program, which puts other values in the place of what calls compute."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.program import Call, Program, Value

Rule = Callable[["Sweep", Call], Value | None]
"""What to put in the place of a call's result; None to leave it."""


class Sweep:
    """Rewrites a program call by call; rules may add calls in front of the one at hand.

    seen: the results there are already, by what computes them; see `common`. written: chains of
    setitems by their results; see parts.py. uses: how often values were read before the sweep.
    """

    def __init__(self, program: Program, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.calls: list[Call] = []
        self.new: dict[Value, Value] = {}
        self.seen: dict[Any, Value] = {}
        self.written: dict[Value, Any] = {}
        self.uses = Counter(x for call in program.calls for x in call.inputs)
        self.uses.update(program.wanted)
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


def like(x: Any, call: Call) -> bool:
    """Whether an operand has the result's shape and dtype."""
    return x.__class__ is Value and x.shape == call.result.shape and x.dtype == call.result.dtype
