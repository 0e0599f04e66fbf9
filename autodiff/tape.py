"""The tape: what was computed, and the walk back over it by the chain rule.

A Node is one recorded operation: the nodes of the arguments that need a gradient, the values its
rules ask for, and a number from the clock. A node never refers to the tensor it made, so dropping
the result drops the graph. The tape of a result is its reachable nodes, ordered by number.
"""

import linecache
import os
import sys
import threading
import types
import weakref
from collections.abc import Callable, Collection, Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff import versions
from autodiff.ops.shape import cast, fit, zeros
from autodiff.primitive import OUT, REST, Plan

GRAD, INFERENCE, ANOMALY, CHECK_NAN, TRACE, VMAP = 1, 2, 4, 8, 16, 32


class _Modes(threading.local):
    """What is switched on in this thread, as bits: read once per operation."""

    flags = GRAD
    given: list[tuple] | None = None
    """The numbers that optimisers take first, which a run that failed has counted already."""
    heard: list[tuple] | None = None
    """Where the numbers that optimisers take are noted; see autodiff/compiler/verify.py."""
    trace: Any = None
    """What records the operations while TRACE is on; see autodiff/compiler/trace.py."""
    vmap: Any = None
    """What runs the operations while VMAP is on; see autodiff/batching.py."""


modes = _Modes()


def recorder() -> Any:
    """The trace that records what this thread does, None if there is none."""
    return modes.trace if modes.flags & TRACE else None


class Node:
    """One recorded operation."""

    __slots__ = ("__dict__", "__weakref__", "dtype", "number", "parents", "plan", "saved", "shape")

    hooks: dict[int, Callable[[Any], Any]] | None = None
    """Each takes the gradient of the output and gives the one to go on with."""
    tensor: weakref.ref | None = None
    """The tensor that wants to keep the gradient: a leaf's own, or one with retain_grad()."""
    where: str | None = None
    """The user's line that recorded this node, under anomaly detection."""

    def __init__(
        self,
        plan: Plan | None,
        parents: tuple["Node", ...],
        saved: tuple | None,
        shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self.plan, self.parents, self.saved = plan, parents, saved
        self.shape, self.dtype = shape, dtype
        self.number = versions.tick()

    @property
    def operation(self) -> str:
        """The name of the operation; "leaf" for a leaf."""
        return self.plan.primitive.name if self.plan else "leaf"

    def name(self) -> str:
        """The name in PyTorch's manner, such as AddBackward0."""
        if self.plan is None:
            return "AccumulateGrad"
        return "".join(w[:1].upper() + w[1:] for w in self.operation.split("_")) + "Backward0"

    @property
    def next_functions(self) -> tuple[tuple["Node", int], ...]:
        """The nodes of the arguments, each with output number 0."""
        return tuple((parent, 0) for parent in self.parents)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf(Node):
    """Where the walk ends: a tensor that the user made and wants the gradient of."""

    __slots__ = ()

    def __init__(self, tensor: Any) -> None:
        super().__init__(None, (), (), tensor._array.shape, tensor._array.dtype)
        self.tensor = weakref.ref(tensor)  # weak: a gradient with a graph would close a circle


_number = attrgetter("number")


def reachable(roots: Iterable[Node]) -> list[Node]:
    """The nodes that `roots` were computed from, themselves included, the latest first."""
    nodes = list(roots)
    seen = set(nodes)
    for node in nodes:  # grows while it is walked
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                nodes.append(parent)
    nodes.sort(key=_number, reverse=True)
    return nodes


def walk(
    gradients: dict[Node, Any],
    wanted: Collection[Node] | None = None,
    retain_graph: bool = False,
    lift: Callable[[Any, Node | None], Any] | None = None,
) -> dict[Node, Any]:
    """The gradients at the `wanted` nodes, or at all leaves, given those at some results.

    Values are arrays; or Tensors, if `lift` is given, which makes a saved array and the node it
    came from a Tensor: then the rules are recorded like any operation. Saved values are released
    on the way unless `retain_graph`. Nothing is stored on a node: an error leaves all gradients.

    Raises: RuntimeError if the graph was freed or a saved value overwritten, before any release.
    """
    nodes = needed = reachable(gradients)
    live = None
    if wanted is not None:
        nodes = _leading_to(wanted, nodes)
        live = set(nodes)
        needed = [node for node in nodes if not live.isdisjoint(node.parents)]
    _check_saved(needed)
    found: dict[Node, Any] = {}
    fresh: set[Node] = set()  # nodes whose gradient is a sum made here, which nobody else holds
    anomaly, hooked = modes.flags & CHECK_NAN, False
    for node in nodes:
        plan = node.plan
        if plan is None:  # a leaf: its gradient stays where it gathers until the end
            continue
        g = gradients.pop(node, None)
        if g is None:
            continue
        if node.hooks:
            g = _run_hooks(node, g)
            hooked = True
        if node.tensor is not None if wanted is None else node in wanted:
            found[node] = g
        if live is not None and live.isdisjoint(node.parents):
            continue
        if lift is not None and modes.flags & TRACE:
            modes.trace.gradient_of(node, g)
        if hooked:  # hooks may have written to saved values
            _check_saved([node])
        saved = node.saved if lift is None else _lifted(node, lift)
        if plan.saves and not retain_graph:
            node.saved = None
        add = plan.primitive.accumulate if lift is None and not anomaly else None
        rules = plan.rules
        try:
            if plan.whole is not None:
                rules, saved = plan.at_once(g, saved[0])  # type: ignore[index]
            for parent, rule, values in zip(node.parents, rules, saved):  # type: ignore[arg-type]
                if live is not None and parent not in live:
                    continue
                if add is not None:  # n slices of an array cost n slices, not n arrays
                    total = gradients.get(parent)
                    if parent not in fresh or not parent.shape:  # 0-d sums are NumPy's scalars
                        old, total = total, zeros(parent.shape, g)
                        if old is not None:
                            total += old
                        gradients[parent] = total
                        fresh.add(parent)
                    add(total, g, *values)
                    continue
                d = rule(g, *values)
                if d is None:  # a custom operation's way to say that there is no gradient
                    continue
                if d.shape != parent.shape:
                    d = fit(d, parent.shape)
                if d.dtype is not parent.dtype and d.dtype != parent.dtype:
                    d = cast(d, dtype=parent.dtype)
                if anomaly:
                    _check_nan(d)
                old = gradients.get(parent)
                if old is None:
                    gradients[parent] = d
                elif parent in fresh:
                    old += d
                    gradients[parent] = old
                else:
                    gradients[parent] = old + d
                    if lift is None:
                        fresh.add(parent)
        except Exception as error:
            error.add_note(f"in the backward pass of {_described(node)}")
            raise
    for node, g in gradients.items():
        if wanted is None or node in wanted:
            found[node] = _run_hooks(node, g) if node.hooks else g
    return found


def _run_hooks(node: Node, g: Any) -> Any:
    for hook in tuple(node.hooks.values()):  # type: ignore[union-attr]
        g = hook(g)
    return g


def _leading_to(wanted: Collection[Node], nodes: list[Node]) -> list[Node]:
    """The `nodes` (latest first) that the wanted ones reach forward."""
    live: set[Node] = set()
    for node in reversed(nodes):
        if node in wanted or any(parent in live for parent in node.parents):
            live.add(node)
    return [node for node in nodes if node in live]


def _lifted(node: Node, lift: Callable) -> list[list]:
    """The saved values as Tensors that carry on the graph."""
    plan = node.plan
    assert plan is not None and node.saved is not None
    nodes = dict(zip(plan.positions, node.parents, strict=True))
    nodes[OUT] = node
    first = len(plan.primitive.arguments)

    def lifted(value: Any, source: int | None) -> Any:
        if source is None:
            return value
        if source == REST:
            return tuple(lift(v, nodes.get(first + i)) for i, v in enumerate(value))
        return lift(value, nodes.get(source))

    return [
        [lifted(value, source) for value, source in zip(values, sources, strict=True)]
        for values, sources in zip(node.saved, plan.sources, strict=True)
    ]


def _check_saved(nodes: list[Node]) -> None:
    for node in nodes:
        if node.saved is None:
            raise RuntimeError(
                f"the graph through {_described(node)} was freed by an earlier backward pass; "
                "pass retain_graph=True to that one if you need a second"
            )
        if node.number < versions.latest and node.plan is not None:
            for values, sources in zip(node.saved, node.plan.sources, strict=True):
                for value, source in zip(values, sources, strict=True):
                    for array in value if source == REST else (value,):
                        if source is not None and hasattr(array, "dtype"):
                            check_version(array, node.number, _described(node))


def check_version(array: Any, number: int, saver: str) -> None:
    """Raises: RuntimeError if an array that was saved at this number was written since."""
    then, now = versions.version_at(array, number), versions.version(array)
    if then != now:
        raise RuntimeError(
            f"a value that {saver} saved for the backward pass, of shape "
            f"{tuple(array.shape)} and dtype {array.dtype}, was modified by an in-place operation: "
            f"it was saved at version {then} and is now at version {now}; use the out-of-place "
            "form of the later operation, or clone the tensor first"
        )


def _check_nan(gradient: Any) -> None:
    array = getattr(gradient, "_array", gradient)
    if bool(np.isnan(getattr(array, "elements", array)).any()):
        raise RuntimeError("a gradient is nan (anomaly detection is on)")


def user_line() -> str:
    """File, line and text of the innermost call from outside this library."""
    here = os.path.dirname(os.path.dirname(__file__))  # pathlib takes 5 ms to import
    own = tuple(os.path.join(here, name) for name in ("autodiff", "nn", "optim"))
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(own):
        frame = frame.f_back
    if frame is None:
        return "unknown"
    filename, line = frame.f_code.co_filename, frame.f_lineno
    return f"{filename}:{line}: {linecache.getline(filename, line, frame.f_globals).strip()}"


def _described(node: Node) -> str:
    where = f", recorded at {node.where}" if node.where else ""
    return f"{node.operation} (output of shape {node.shape}{where})"
