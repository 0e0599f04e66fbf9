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


def guard(
    function: Callable[[], Any], watched: dict[str, Any] | None = None, each_run: bool = False
) -> Any:
    """What `function` gives now; a compiled step is recorded again when it gives something else.

    It is asked before a run if an item of the dict `watched` is another object than before; without
    a dict, if changed() was called since; with `each_run`, always.
    """
    value = function()
    trace = recorder()
    if trace is not None:
        if each_run:
            trace.each_run.append((function, value))
        else:
            trace.guard(function, value, watched)
    return value


def changed() -> None:
    """Something may have changed that a compiled step relies on: it looks before its next run."""
    versions.changes += 1
