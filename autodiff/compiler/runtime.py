"""compile: which recorded program a call runs, and what surrounds the run."""

import copy
import functools
import os
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from autodiff import versions
from autodiff.compiler.call import MISS, entrance
from autodiff.compiler.entry import (
    PASSES,
    Entry,
    Recording,
    array_of,
    contents,
    modules_around,
    outer_reads,
    result_form,
)
from autodiff.compiler.explain import explanation
from autodiff.compiler.export import export
from autodiff.compiler.trace import CannotRecordError, Trace, Watched
from autodiff.compiler.verify import verified
from autodiff.compiler.wrapper import Wrapper
from autodiff.ops.elementwise import positive
from autodiff.tape import ANOMALY, GRAD, INFERENCE, TRACE, VMAP, Node, modes
from autodiff.tensor import Tensor

_MOST = 8  # recordings for arguments that are alike, after which it runs eagerly
_MOST_KEYS = 64  # different forms of the arguments, likewise
_OWN = frozenset(
    (
        *("function", "fullgraph", "verify", "disable", "_entries", "_warned", "_names", "_last"),
        *(*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"),
    )
)
"""Attributes of a compiled module that are not the module's."""


def compile(
    function: Callable | None = None,
    *,
    fullgraph: bool = False,
    verify: bool = False,
    disable: Sequence[str] = (),
) -> Any:
    """`function`, recorded at its first call and run as straight-line NumPy from then on.

    function: a training step (forward, loss, backward, update), a loss, or a module; or nothing,
    for use as a decorator with options. It is recorded again for other shapes, dtypes, values of
    arguments that are no tensors, modes, and when an attribute of a module changes.
    fullgraph: make it an error, not a warning, if the step cannot be recorded.
    verify: run each program the first time beside the eager function, on copies, and compare.
    disable: names of passes to leave out ("dead", "merge", "constants", "common", "simplify",
    "blocks"), to find a fault.
    Raises: CannotRecordError (a RuntimeError) under `fullgraph`; ValueError for an unknown pass.

    >>> import autodiff
    >>> f = compile(lambda x: (x * 2 + 1).sum())
    >>> f(autodiff.ones(3)), f(autodiff.ones(3))
    (tensor(9.), tensor(9.))
    """
    if unknown := set(disable) - set(PASSES):
        raise ValueError(f"there are no passes {sorted(unknown)}; the passes are {PASSES}")
    options = dict(fullgraph=fullgraph, verify=verify, disable=tuple(disable))
    if function is None:
        return lambda function: Compiled(function, **options)  # type: ignore[arg-type]
    return Compiled(function, **options)  # type: ignore[arg-type]


class Compiled(Wrapper):
    """A function, or module, that runs as recorded programs; its attributes are the function's."""

    def __init__(
        self,
        function: Callable,
        fullgraph: bool = False,
        verify: bool = False,
        disable: tuple[str, ...] = (),
    ) -> None:
        if not callable(function):
            raise TypeError(f"compile needs a function or a module, got {type(function).__name__}")
        vars(self).update(function=function, fullgraph=fullgraph, verify=verify, disable=disable)
        self._entries: dict[Any, list[Entry] | None] = {}
        self._warned = False
        self._names = _parameter_names(function)
        self._last: tuple[Callable, int, int] | None = None  # see call.py
        if hasattr(function, "__name__"):
            functools.update_wrapper(self, function, updated=())

    def __getattr__(self, name: str) -> Any:
        if name == "function":
            raise AttributeError(name)
        return getattr(self.function, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN or not hasattr(type(self.function), "named_modules"):
            super().__setattr__(name, value)
        else:
            setattr(self.function, name, value)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None or not isinstance(self.function, types.FunctionType):
            return self
        return functools.partial(self, instance)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.function)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.function)

    def __getitem__(self, key: Any) -> Any:
        return self.function[key]

    def __repr__(self) -> str:
        return f"compile({self.function!r})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        flags = modes.flags
        last = self._last
        if last is not None and flags == last[1] and not kwargs:
            result = last[0](*args) if len(args) == last[2] else MISS
            if result is not MISS:
                return result
        if flags & (TRACE | ANOMALY | VMAP):
            return self.function(*args, **kwargs)
        leaves: list[Any] = []
        key = *_forms(args, kwargs, leaves), flags & (GRAD | INFERENCE)
        try:
            known = key in self._entries
        except TypeError:  # an argument that cannot be looked up
            return self._eagerly(args, kwargs, "an argument that is no tensor is not hashable")
        if not known and len(self._entries) >= _MOST_KEYS:
            return self._eagerly(args, kwargs, self._too_many())
        entries = self._entries.setdefault(key, [])
        if entries is None:
            return self.function(*args, **kwargs)
        for entry in entries:
            if entry.holds(leaves):
                if self.verify and not entry.verified:
                    entry.verified = True
                    run = partial(entry.run, leaves, args, kwargs)
                    return verified(entry, leaves, args, kwargs, run)
                self._last = self._entrance(entry, key, leaves, args, kwargs)
                return entry.run(leaves, args, kwargs)
        if len(entries) >= _MOST:
            return self._eagerly(args, kwargs, self._too_many())
        return self._record(key, entries, leaves, args, kwargs)

    def _too_many(self) -> str:
        many = sum(map(len, filter(None, self._entries.values())))
        return (
            f"it was recorded {many} times, and is different again: pass numbers that change as "
            "tensors or through host(), and let modules keep their attributes"
        )

    def _entrance(
        self, entry: Entry, key: tuple, leaves: list, args: tuple, kwargs: dict
    ) -> tuple[Callable, int, int] | None:
        """The short way to call a program again, if its arguments are tensors and arrays alone."""
        if kwargs or len(args) != len(leaves) or any(x is not y for x, y in zip(args, leaves)):
            return None
        if any(isinstance(form[0], str) for form in key[0]):  # arrays that are given twice
            return None
        classes = [x.__class__ for x in args]
        if entry.entrance is None or entry.entrance[0] != classes:
            entry.entrance = classes, entrance(entry, key[0], classes)
        call = entry.entrance[1]
        return None if call is None else (call, modes.flags, len(args))

    def _eagerly(self, args: tuple, kwargs: dict, reason: str) -> Any:
        self._refuse(reason)
        return self.function(*args, **kwargs)

    def _refuse(self, reason: str) -> None:
        if self.fullgraph:
            raise CannotRecordError(f"{self._title} cannot be compiled: {reason}")
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{self._title} runs eagerly: {reason}; with fullgraph=True that is an error",
                stacklevel=4,
            )

    @property
    def _title(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__name__)

    def _record(self, key: Any, entries: list, leaves: list, args: tuple, kwargs: dict) -> Any:
        """Run the function for real, and keep what it did as a program."""
        trace = Trace(self.fullgraph)
        stand_ins = self._hand_in(trace, leaves, args, kwargs)
        given = _mapped((args, kwargs), stand_ins) if stand_ins else (args, kwargs)
        around = modules_around(self.function, args, kwargs)
        trace.holders = set(map(id, around))
        cells, globals_read = outer_reads(self.function)
        held = [x for m in around for x in vars(m).values()]
        held += [x for _, x in cells] + [x for _, _, x in globals_read]
        trace.held = {id(x) for x in held if isinstance(x, (Tensor, np.ndarray))}
        before, outer = modes.flags, modes.trace
        trace.started = versions.tick()
        modes.trace, modes.flags = trace, before | TRACE
        try:
            result = self.function(*given[0], **given[1])
        finally:
            modes.trace, modes.flags = outer, before
        outputs: list[Tensor] = []
        form = result_form(result, outputs)
        if form is None:
            trace.spoil("what it returns is not made of tensors, numbers and containers")
        if any(contents(cell) is not value for cell, value in cells):
            trace.spoil("it rebinds a variable of the function around it")
        if _forms(args, kwargs, []) != key[:2]:
            trace.spoil("it changes a container among its arguments, or puts one on the tape")
        nodes = [t._node for t in trace.met.values()]
        if any(n and n.plan is not None and n.number >= trace.started for n in nodes):
            trace.spoil("it puts a tensor from outside on the tape; detach() what is written to it")
        if not trace.refused:
            trace.modules |= {id(m): m for m in around}
            recording = Recording(trace, leaves, stand_ins, outputs)
        if trace.refused:
            self._entries[key] = None
            self._refuse(trace.refused)
        else:
            assert form is not None
            entries.insert(0, Entry(self._title, self.function, recording, form, self.disable))
            if not recording.live:  # no result of a later run will have a graph either
                for t, given in zip(outputs, recording.given):
                    if given is None:
                        t._node = None
        if stand_ins:
            originals = {id(stand_ins[id(x)]): x for x in leaves if id(x) in stand_ins}
            result = _mapped(result, originals)
        return result

    def _hand_in(
        self, trace: Trace, leaves: list, args: tuple, kwargs: dict
    ) -> dict[int, Tensor | Watched]:
        """Make the arguments known to a trace; what is given in the place of some, by identity."""
        names = _leaf_names(self._names, args, kwargs)
        stand_ins: dict[int, Tensor | Watched] = {}
        for i, leaf in enumerate(leaves):
            array = array_of(leaf)
            if id(array) not in trace.known:
                trace.input(array, ("argument", i), names[i] if i < len(names) else f"x{i}")
            if not isinstance(leaf, Tensor):
                watched = stand_ins[id(leaf)] = leaf.view(Watched)
                trace.arguments[id(watched)] = leaf
                continue
            trace.met[id(leaf)] = leaf
            if not leaf.is_leaf:
                stand_ins[id(leaf)] = _stand_in(leaf)
        return stand_ins

    # What can be looked at

    @property
    def entries(self) -> list["Entry"]:
        """The programs, the latest first."""
        return [entry for entries in self._entries.values() for entry in entries or ()]

    @property
    def source(self) -> str:
        """The NumPy source of the program recorded last. Raises: RuntimeError before that."""
        return self._latest.source

    def export(self, path: str | os.PathLike, inside: bool = False) -> None:
        """Write the program recorded last as a module that needs NumPy alone.

        path: ends in .py; the arrays go to a file beside it that ends in .npz, or `inside`.
        The module has a function of the same name and arguments, which takes and gives arrays, and
        `weights`, the arrays by name; a training step goes on from the state it was exported in.
        Raises: RuntimeError before the first call; ValueError if it depends on functions that
        cannot be written down, such as lambdas given to host().
        """
        export(self._latest, path, inside)

    def explain(self) -> str:
        """What was made of the program recorded last: calls, buffers, updates, blocks, threads."""
        return explanation(self._latest)

    @property
    def _latest(self) -> "Entry":
        entries = self.entries
        if not entries:
            raise RuntimeError(f"{self._title} has no program yet: call it first")
        return max(entries, key=lambda entry: entry.number)


def _stand_in(x: Tensor) -> Tensor:
    """A tensor of the same array whose node is one of its own, where the recording ends."""
    assert x._node is not None
    t = object.__new__(Tensor)
    t._array = x._array
    t._node = Node(positive.plan(1), (x._node,), ((),), x._node.shape, x._node.dtype)
    return t


def _mapped(tree: Any, new: dict[int, Any]) -> Any:
    if id(tree) in new:
        return new[id(tree)]
    if isinstance(tree, tuple) and type(tree) is not tuple and hasattr(tree, "_fields"):
        return type(tree)(*[_mapped(x, new) for x in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)([_mapped(x, new) for x in tree])
    if isinstance(tree, dict):
        mapped = copy.copy(tree)
        mapped.update({k: _mapped(x, new) for k, x in tree.items()})
        return mapped
    return tree


# The key of a call


def _forms(args: tuple, kwargs: dict, leaves: list) -> tuple:
    """What of the arguments decides which program runs; arrays and tensors go to `leaves`."""
    places: dict[int, int] = {}  # of arrays among the leaves, by identity
    return _form(args, leaves, places), _form(kwargs, leaves, places) if kwargs else None


def _form(tree: Any, leaves: list, places: dict[int, int]) -> Any:
    cls = tree.__class__
    if cls is tuple:
        return tuple([_form(x, leaves, places) for x in tree])
    if isinstance(tree, Tensor):
        array, node = tree._array, tree._node
        i = places.setdefault(id(array), len(leaves))
        if i < len(leaves) and leaves[i] is tree:
            return "again", i
        leaves.append(tree)
        form = array.shape, array.strides, array.dtype
        known = form if i == len(leaves) - 1 else ("memory of", i)
        return *known, node and (1 if node.plan is None else 2)
    if cls is np.ndarray:
        i = places.setdefault(id(tree), len(leaves))
        if i < len(leaves):
            return "again", i
        leaves.append(tree)
        return tree.shape, tree.strides, tree.dtype
    if isinstance(tree, (list, tuple)):
        return cls, *[_form(x, leaves, places) for x in tree]
    if isinstance(tree, dict):
        return cls, *[(k, _form(x, leaves, places)) for k, x in tree.items()]
    if cls is float and not tree:
        return cls, str(tree)  # -0.0 is not 0.0
    return cls, tree


def _parameter_names(function: Any) -> list[str]:
    code = getattr(function, "__code__", None)
    if code is None:
        forward = getattr(type(function), "forward", None)
        code = getattr(forward, "__code__", None)
        return list(code.co_varnames[1 : code.co_argcount]) if code else []
    return list(code.co_varnames[: code.co_argcount])


def _leaf_names(names: list[str], args: tuple, kwargs: dict) -> list[str]:
    found: list[str] = []

    def gather(name: str, tree: Any) -> None:
        if isinstance(tree, (Tensor, np.ndarray)):
            found.append(name)
        elif isinstance(tree, (list, tuple)):
            for i, x in enumerate(tree):
                gather(f"{name}_{i}", x)
        elif isinstance(tree, dict):
            for k, x in tree.items():
                gather(f"{name}_{k}", x)

    for i, x in enumerate(args):
        gather(names[i] if i < len(names) else f"x{i}", x)
    for k, x in kwargs.items():
        gather(k, x)
    return found
