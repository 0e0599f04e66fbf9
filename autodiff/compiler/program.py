"""What a trace records and the passes transform: values, and the NumPy calls that compute them.

A Program is straight-line and functional: a call has one or more results, and nothing is written
in place. What a step writes is listed apart, as the final values of memory; turning results into
writes is the planner's business.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np


class Value:
    """An array whose elements are known when the program runs: shape and dtype are known now.

    call: what computes it; None for an input or a constant. array: the elements of a constant.
    uniform: whether these are all equal, None if nobody has looked.
    source: what an input is, see trace.py. name: what the emitted program is to call it.
    """

    __slots__ = ("array", "call", "dtype", "name", "shape", "source", "uniform")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype,
        call: "Call | None" = None,
        array: Any = None,
        source: Any = None,
        name: str = "",
    ) -> None:
        self.shape, self.dtype, self.call = shape, dtype, call
        self.array, self.source, self.name = array, source, name
        self.uniform: bool | None = None

    @property
    def is_read(self) -> bool:
        """Whether it is a number that the step reads when it runs."""
        return self.source is not None and self.source[0] in ("host", "number")

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes its elements take."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        what = self.call.kind if self.call else "constant" if self.source is None else "input"
        return f"<{what} {self.name or '?'} {self.dtype}{list(self.shape)}>"


class Call:
    """One NumPy call: a kind of KINDS, its function, operands (Values and numbers), parameters.

    inputs: the operands that are Values. phase: forward, backward or update. place: the path of the
    module it belongs to.
    """

    __slots__ = (
        *("function", "inputs", "kind", "operands"),
        *("parameters", "phase", "place", "results"),
    )

    def __init__(
        self,
        kind: str,
        function: Any,
        operands: Sequence[Any],
        parameters: dict[str, Any],
        phase: str = "forward",
        place: str = "",
    ) -> None:
        self.kind, self.function = kind, function
        self.take(operands)
        self.parameters, self.phase, self.place = parameters, phase, place
        self.results: tuple[Value, ...] = ()

    @property
    def result(self) -> Value:
        """The result, of a call that has one."""
        return self.results[0]

    def take(self, operands: Sequence[Any]) -> None:
        """Have these operands."""
        self.operands = tuple(operands)
        self.inputs = [x for x in self.operands if x.__class__ is Value]

    def evaluate(self, operands: Sequence[Any]) -> Any:
        """The result on arrays; a tuple if there are several."""
        return KINDS[self.kind](self.function, operands, self.parameters)

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", None) or getattr(self.function, "name", "")
        return f"<{self.kind} {name} -> {', '.join(map(repr, self.results))}>"


def _setitem(key: Any, operands: Sequence[Any], _: dict) -> Any:
    """The first operand with the second one at a key, whose arrays are the other operands."""
    out = np.array(operands[0])
    out[filled(key, operands[2:])] = operands[1]
    return out


def filled(key: Any, arrays: Iterable[Any]) -> Any:
    """`key` with arrays in the places marked by HOLE."""
    given = iter(arrays)
    if isinstance(key, tuple):
        return tuple([next(given) if item is HOLE else item for item in key])
    return next(given) if key is HOLE else key


HOLE = type("Hole", (), {"__repr__": lambda self: "HOLE"})()
"""Stands in a key for an array."""


def items_of(key: Any) -> tuple:
    """The items of a key, which is a tuple or one item."""
    return key if isinstance(key, tuple) else (key,)


def _getitem(key: Any, operands: Sequence[Any], _: dict) -> Any:
    return operands[0][viewing(filled(key, operands[1:]))]


def viewing(key: Any) -> Any:
    """The key, with an Ellipsis, so that what it takes is a view even if it is one element."""
    items = items_of(key)
    return items if any(item is Ellipsis for item in items) else (*items, ...)


def _pack(size: int, operands: Sequence[Any], parameters: dict) -> Any:
    out = np.zeros(size, operands[0].dtype)
    for x, start in zip(operands, parameters["starts"], strict=True):
        out[start : start + x.size] = np.reshape(x, -1)
    return out


KINDS: dict[str, Callable[[Any, Sequence[Any], dict], Any]] = {
    # element by element
    "ufunc": lambda f, x, p: f(*x, **p),
    "cast": lambda f, x, p: np.asarray(x[0]).astype(f),
    "copy": lambda f, x, p: np.array(x[0], order="C"),
    # along axes
    "reduce": lambda f, x, p: f.reduce(*x, **p),
    "accumulate": lambda f, x, p: f.accumulate(*x, **p),
    # products
    "dot": lambda f, x, p: np.dot(*x),
    # other functions that depend on shapes alone as to the shape of the result
    "function": lambda f, x, p: f(*x, **p),
    "concatenate": lambda f, x, p: np.concatenate(x, **p),
    # views
    "reshape": lambda f, x, p: np.reshape(x[0], f),
    "transpose": lambda f, x, p: np.transpose(x[0], f),
    "getitem": _getitem,  # a view: the key holds no arrays
    "broadcast": lambda f, x, p: np.broadcast_to(x[0], f),
    # the rest
    "index": _getitem,
    "setitem": _setitem,
    "operation": lambda f, x, p: f.forward(*x, **p),  # a whole Primitive
    "check": lambda f, x, p: f(*x, **p),  # raises an error or does nothing; no result
    "update": lambda f, x, p: f(*x, **p),  # an optimiser's rule; several results
    "pack": _pack,  # as many elements, each operand from its start on
}
"""How each kind of call computes, given its function, operands and parameters."""

VIEWS = frozenset(("reshape", "transpose", "getitem", "broadcast"))
"""Kinds whose result shows the memory of the first operand (reshape only if that is possible)."""


def shows(call: Call) -> bool:
    """Whether the result may show the memory of the first operand."""
    return call.kind in VIEWS or (call.kind == "operation" and call.function.view)


def is_elementwise(call: Call) -> bool:
    """Whether an element of the result depends on the same element of each operand alone."""
    return (call.kind == "ufunc" and call.function.signature is None) or call.kind in (
        "cast",
        "copy",
    )


def is_large(call: Call) -> bool:
    """Whether a call's elements are so many that a loop over blocks is worth it."""
    return is_elementwise(call) and call.result.size >= 2**16


def is_number(x: Any) -> bool:
    """Whether an operand is one number, known now."""
    if x.__class__ is Value:
        return x.array is not None and not x.shape and bool(np.isfinite(x.array))
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def bounded_by_number(call: Call) -> bool:
    """Whether it is a maximum or minimum with a number: better, with an array filled with it.

    NumPy's loop for a number takes each element by itself, four times as long (426 x 100: 30 us,
    not 8).
    """
    if call.kind != "ufunc" or call.function not in (np.maximum, np.minimum):
        return False
    return any(map(is_number, call.operands))


class Program:
    """Calls in order, and what is wanted of them.

    inputs: Values given from outside. outputs: Values handed out. writes: (input, value) pairs,
    the memory of an input and its elements at the end.
    """

    def __init__(
        self,
        inputs: list[Value],
        calls: list[Call],
        outputs: list[Value],
        writes: list[tuple[Value, Value]],
    ) -> None:
        self.inputs, self.calls, self.outputs, self.writes = inputs, calls, outputs, writes

    @property
    def wanted(self) -> Iterator[Value]:
        """The values that must be computed."""
        yield from self.outputs
        for _, value in self.writes:
            yield value

    def run(self, arrays: dict[Value, Any]) -> tuple[list[Any], list[Any]]:
        """Outputs and final values of memory, given arrays for the inputs, by plain evaluation.

        Nothing is written to the arrays given. What the emitted program must agree with.
        """
        known = dict(arrays)

        def get(x: Any) -> Any:
            if x.__class__ is not Value:
                return x
            return x.array if x.array is not None else known[x]

        for call in self.calls:
            got = call.evaluate([get(x) for x in call.operands])
            known.update(zip(call.results, got if isinstance(got, tuple) else (got,)))
        return [get(x) for x in self.outputs], [get(value) for _, value in self.writes]

    def replace(self, new: dict[Value, Any]) -> None:
        """Put other Values, or numbers, in the place of some, everywhere."""
        if not new:
            return

        def final(x: Any) -> Any:
            while x.__class__ is Value and x in new:
                x = new[x]
            return x

        for call in self.calls:
            if any(x.__class__ is Value and x in new for x in call.operands):
                call.take([final(x) for x in call.operands])
        self.outputs = [final(x) for x in self.outputs]
        self.writes = [(memory, final(x)) for memory, x in self.writes]
