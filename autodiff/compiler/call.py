"""The way into a program: checking that it may run, running it, and leaving what it changed.

`Entry.holds` and `Entry.run` do that for any call. Where all arguments are tensors and arrays this
writes the same for one entry as a function of its own, which takes 2 us less: as much as four of
the NumPy calls of a small step.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import versions
from autodiff.compiler.entry import Entry, contents, differs, gradient_strides
from autodiff.tensor import Lent, Tensor

MISS = object()
"""What the function gives if the program may not run, or it cannot tell."""


def entrance(entry: Entry, forms: tuple, classes: list[type]) -> Callable[..., Any] | None:
    """The function for arguments of these forms and classes; None for a differentiable program.

    forms: of each argument shape, strides, dtype, and for a tensor None, 1 (a leaf that requires
    grad) or 2 (computed).
    """
    recording = entry.recording
    if recording.live:
        return None
    names: dict[str, Any] = {
        **dict(versions=versions, entry=entry, MISS=MISS, Tensor=Tensor),
        **dict(new=object.__new__, Lent=Lent, contents=contents, form=entry.form),
        **dict(overlap=np.may_share_memory, differs=differs, gradient_strides=gradient_strides),
    }

    def named(thing: Any, name: str) -> str:
        key = f"{name}{len(names)}"
        names[key] = thing
        return key

    def target(t: Any) -> str:
        return f"x{t}" if t.__class__ is int else named(t, "tensor")

    tests = ["versions.changes != entry.changes and not entry.still_holds()"]
    lines = []
    for i, (form, cls) in enumerate(zip(forms, classes)):
        shape, strides, dtype = (named(part, "form") for part in form[:3])
        lines.append(f"    if x{i}.__class__ is not {named(cls, 'cls')}:\n        return MISS")
        lines.append(f"    a{i} = x{i}" if cls is np.ndarray else f"    a{i} = x{i}._array")
        tests.append(
            f"a{i}.shape != {shape} or a{i}.strides != {strides} or a{i}.dtype is not {dtype}"
        )
        if cls is not np.ndarray:
            node = f"x{i}._node"
            tests.append(
                f"{node} is not None"
                if form[3] is None
                else f"{node} is None or ({node}.plan is None) is not {form[3] == 1}"
            )
        tests += [f"a{i} is a{j}" for j in range(i)]
        if entry.written_arguments:
            tests += [f"overlap(a{i}, a{j})" for j in range(i)]
    for t, layout in entry.needed:
        if layout is None:
            tests.append(f"{target(t)}._grad is not None")
        else:
            tests.append(f"gradient_strides({target(t)}) != {layout}")
    for options, before, _ in entry.watched:
        tests.append(f"differs({named(options, 'options')}, {named(before, 'before')})")
    for cell, value in entry.cells:
        tests.append(f"contents({named(cell, 'cell')}) is not {named(value, 'value')}")
    for outer, name, value in entry.globals_read:
        tests.append(f"{named(outer, 'outer')}.get({name!r}) is not {named(value, 'value')}")
    for function, value in recording.each_run:
        tests.append(f"{named(function, 'function')}() != {named(value, 'value')}")
    for i, t in entry.same:
        tests.append(f"x{i} is not {named(t, 'tensor')}")
    lines += [f"    if {test}:\n        return MISS" for test in tests]
    given = ", ".join([_array(source, target) for source in entry.arguments])
    if entry.rewound:
        lines.append("    states = entry.random_states(entry.rewound)")
    states = "states" if entry.rewound else "()"
    arguments = "".join([f"x{i}, " for i in range(len(forms))])
    lines += [
        *(["    entry.drawn.clear()"] if entry.drawing else []),
        "    frames = entry.frames",
        "    frame = frames.pop() if frames else entry.frame()",
        "    try:",
        f"        results = frame[0]({given})",
        "    except Exception as error:",
        f"        return entry.run_eagerly(error, {states}, ({arguments}), {{}})",
        "    frames.append(frame)",
    ]
    if entry.written:
        lines.append("    entry.together.touch()")
    for i in entry.written_arguments:
        lines.append(f"    versions.touch({_array(entry.arguments[i], target)})")
    lines += [f"    {target(t)}._grad = None" for t in recording.cleared]
    if recording.lending:
        lines.append("    lent = frame[1]")
    for i, (t, (static, at)) in enumerate(zip(recording.lending, entry.lent_at)):
        value = f"lent[{i}][1]" if static else f"Lent(results[{at}])"
        lines.append(f"    {target(t)}._grad = {value}")
    outputs, count = [], 0
    for t in recording.given:
        if t is None:
            lines += [
                f"    out{count} = new(Tensor)",
                f"    out{count}._array, out{count}._node = results[{count}], None",
            ]
            outputs.append(f"out{count}")
            count += 1
        else:
            outputs.append(target(t))
    result = outputs[0] if entry.simple else f"form([{', '.join(outputs)}])"
    lines.append(f"    return {result}")
    exec(f"def call({arguments}):\n" + "\n".join(lines), names)
    return names["call"]


def _array(source: tuple, target: Callable[[Any], str]) -> str:
    """The text of an argument's array."""
    kind, of = source
    return f"a{of}" if kind == "argument" else f"{target(of)}.grad._array"
