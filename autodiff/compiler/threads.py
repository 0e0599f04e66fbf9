"""Threads for element-by-element work on large arrays.

NumPy lets go of the interpreter's lock while it computes. What a thread computes does not depend on
how many there are: blocks are cut alike, and sums of blocks are added in order. No thread is
started before it is needed; a forked child starts its own.
"""

import contextvars
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from autodiff import versions


def _default() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(given)) if given.isdecimal() else os.cpu_count() or 1


_count = _default()
_tasks: list[SimpleQueue] = []  # one for each thread that was started


def set_num_threads(count: int) -> None:
    """Let compiled steps use this many threads for large arrays.

    At first it is OMP_NUM_THREADS if that is set, else the number of processors. Matrix products
    have threads of their own, of the BLAS library that NumPy uses.
    Raises: ValueError if it is not a positive integer.
    """
    global _count
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"the number of threads must be a positive integer, got {count!r}")
    _count = count
    versions.changes += 1


def get_num_threads() -> int:
    """How many threads compiled steps use for large arrays."""
    return _count


def together(function: Callable[[Any], None], parts: list[Any]) -> None:
    """function(part) for each part, each on a thread of its own; the first one on this.

    Raises: the first error that one of them raised, after all have ended.
    """
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    while len(_tasks) < len(parts) - 1:
        tasks: SimpleQueue = SimpleQueue()
        threading.Thread(target=_work, args=(tasks,), daemon=True, name="tapegrad").start()
        _tasks.append(tasks)
    for part, tasks in zip(parts[1:], _tasks):
        tasks.put((contextvars.copy_context(), function, part, done))
    error: BaseException | None = None
    try:
        function(parts[0])
    except BaseException as raised:
        error = raised
    for _ in parts[1:]:
        error = done.get() or error
    if error is not None:
        raise error


def _work(tasks: SimpleQueue) -> None:
    while True:
        context, function, part, done = tasks.get()
        error = None
        try:
            context.run(function, part)
        except BaseException as raised:
            error = raised
        done.put(error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tasks.clear)
