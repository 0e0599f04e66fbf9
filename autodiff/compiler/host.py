"""What a compiled step reads again before each run: numbers, and what it relies on."""

from collections.abc import Callable
from typing import Any

from autodiff import versions
from autodiff.tape import recorder


def host(function: Callable[[], float]) -> Any:
    """The number that `function` gives now; in a compiled step, the one it gives in each run.

    For numbers that change between steps without being tensors, such as a learning rate or a
    schedule's weight. In a step that is being recorded the result is a 0-d tensor.
    """
    trace = recorder()
    return function() if trace is None else trace.host(function)


def guard(function: Callable[[], Any], rarely: bool = False) -> Any:
    """What `function` gives now; a compiled step is recorded again when it gives something else.

    rarely: it is asked only after changed() was called, not before each run.
    """
    value = function()
    trace = recorder()
    if trace is not None:
        (trace.rare_forms if rarely else trace.forms).append((function, value))
    return value


def changed() -> None:
    """Something may have changed that a compiled step relies on: it looks before its next run."""
    versions.changes += 1
