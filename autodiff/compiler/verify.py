"""Running a program the first time beside the eager function, and comparing all that they leave."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from autodiff.compiler.arena import flat
from autodiff.compiler.entry import Entry, array_of, result_form, target_of
from autodiff.grad_modes import is_grad_enabled
from autodiff.gradients import grad
from autodiff.tape import modes
from autodiff.tensor import Tensor

_TOLERANCE = {2: 1e-2, 4: 1e-4, 8: 1e-9}
"""By the bytes of a float: relative to the largest element."""


class VerificationError(RuntimeError):
    """A compiled program and the function it was recorded from differ."""


def verified(
    entry: Entry,
    leaves: Sequence,
    args: tuple,
    kwargs: dict,
    run: Callable[[], Any],
) -> Any:
    """What run() gives, a run of `entry`, if the function gives and leaves the same.

    The function runs first, for real; what it wrote is undone for the program, which is given the
    numbers that optimisers took. Raises: VerificationError; then all is as the function left it.
    """
    memory = _memory(entry, leaves)
    tensors = _tensors(entry, leaves)
    generators = [g.bit_generator for g in entry.recording.generators]
    before = [a.copy() for a in memory], [t.grad for t in tensors], [g.state for g in generators]
    before_gradients = [None if g is None else g._array.copy() for g in before[1]]
    heard: list[tuple] = []
    modes.heard, outer = heard, modes.heard
    try:
        expected = entry.function(*args, **kwargs)
    finally:
        modes.heard = outer
    wanted = _outcome(entry, expected, leaves, memory, tensors)
    after = [a.copy() for a in memory], [t.grad for t in tensors], [g.state for g in generators]
    _restore(memory, before[0])
    for t, g, elements in zip(tensors, before[1], before_gradients):
        t.grad = g
        if g is not None:
            g._array[...] = elements
    for generator, state in zip(generators, before[2]):
        generator.state = state
    numbers = dict(zip(entry.numbers, heard))
    kept = {name: entry.globals[name] for name in numbers}
    entry.globals.update({name: partial(tuple, values) for name, values in numbers.items()})
    try:
        result = run()
    finally:
        entry.globals.update(kept)
    found = _outcome(entry, result, leaves, memory, tensors)
    different = _difference(wanted, found)
    if different:
        _restore(memory, after[0])
        for t, g in zip(tensors, after[1]):
            t.grad = g
        for generator, state in zip(generators, after[2]):
            generator.state = state
        raise VerificationError(
            f"{entry.title}, compiled, does not do what the function does: {different}; "
            "compile(…, disable=[…]) without one pass after the other finds the fault"
        )
    return result


def _memory(entry: Entry, leaves: Sequence) -> list[np.ndarray]:
    """All memory from outside that the program reads or writes."""
    arrays = []
    for v in entry.program.inputs:
        kind = v.source[0]
        if kind == "tensor":
            arrays.append(v.source[1]._array)
        elif kind == "flat":
            arrays.append(flat(v.source[1]))
        elif kind == "argument":
            arrays.append(array_of(leaves[v.source[1]]))
    return [a for a in arrays if a.flags.writeable]


def _restore(memory: list[np.ndarray], copies: list[np.ndarray]) -> None:
    for a, elements in zip(memory, copies):
        a[...] = elements


def _tensors(entry: Entry, leaves: Sequence) -> list[Tensor]:
    """The tensors whose gradients the program changes or reads."""
    recording = entry.recording
    targets = [*recording.lending, *recording.cleared, *[t for t, _ in recording.needed]]
    found = [target_of(t, leaves) for t in targets]
    return list({id(t): t for t in found}.values())


def _outcome(
    entry: Entry,
    result: Any,
    leaves: Sequence,
    memory: list[np.ndarray],
    tensors: list[Tensor],
) -> dict[str, Any]:
    """Copies of all that a run gave and left, by name."""
    outputs: list[Tensor] = []
    result_form(result, outputs)
    found: dict[str, Any] = {f"result {i}": t._array.copy() for i, t in enumerate(outputs)}
    for i, a in enumerate(memory):
        found[f"memory {i} ({entry.memory_names.get(i, 'a tensor')})"] = a.copy()
    for i, t in enumerate(tensors):
        g = t.grad
        found[f"gradient {i}"] = None if g is None else g._array.copy()
    if entry.recording.live and is_grad_enabled():
        roots = [t for t in outputs if t._node is not None]
        wrt = [target_of(t, leaves) for t in entry.recording.wrt]
        ones = [Tensor(np.ones_like(t._array)) for t in roots]
        ones = [o.to(t.dtype) for o, t in zip(ones, roots)]
        gradients = grad(roots, wrt, ones, retain_graph=True, allow_unused=True)
        for i, g in enumerate(gradients):
            found[f"derivative {i}"] = None if g is None else g._array.copy()
    return found


def _difference(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """The first difference in words, "" if there is none."""
    for name, a in wanted.items():
        b = found.get(name)
        if a is None or b is None:
            if a is not b:
                return f"{name} is {'None' if b is None else 'not None'}"
            continue
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name} is {b.dtype}{list(b.shape)}, not {a.dtype}{list(a.shape)}"
        if a.dtype.kind != "f":
            if not np.array_equal(a, b):
                return f"{name} differs"
            continue
        finite = a[np.isfinite(a)]
        scale = float(np.abs(finite).max()) if finite.size else 1.0
        tolerance = _TOLERANCE[a.dtype.itemsize]
        if not np.allclose(a, b, tolerance, tolerance * scale, equal_nan=True):
            worst = float(np.nanmax(np.abs(a - b)))
            return f"{name} differs by up to {worst:.3g}, where the largest element is {scale:.3g}"
    return ""
