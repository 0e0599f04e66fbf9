"""Modes of the tape: switching recording off and on, and anomaly detection, each per thread.

Every mode is a context manager and a decorator of functions and generator functions.
"""

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

from autodiff.tape import ANOMALY, CHECK_NAN, GRAD, INFERENCE, modes


class _Mode:
    """Sets and clears bits of this thread's modes between entry and exit."""

    def __new__(cls, function: Any = None, *args: Any, **options: Any) -> Any:
        if callable(function):  # a decorator without parentheses
            return cls()(function)
        return super().__new__(cls)

    def __init__(self, on: int = 0, off: int = 0) -> None:
        self._on, self._off = on, off
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(modes.flags)
        modes.flags = modes.flags & ~self._off | self._on

    def __exit__(self, *exception: object) -> None:
        bits = self._on | self._off
        modes.flags = modes.flags & ~bits | self._before.pop() & bits

    def _fresh(self) -> "_Mode":
        """The same mode for one call: calls of a decorated function overlap among threads."""
        return _Mode(self._on, self._off)

    def __call__(self, function: Callable) -> Callable:
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def decorated(*args: Any, **options: Any) -> Any:
                return _resumed_in(self._fresh(), function(*args, **options))
        else:

            @functools.wraps(function)
            def decorated(*args: Any, **options: Any) -> Any:
                with self._fresh():
                    return function(*args, **options)

        return decorated


def _resumed_in(mode: _Mode, generator: Generator) -> Generator:
    """`generator`, each resumption in the mode; between them the caller's own mode holds."""
    resume: Callable = functools.partial(next, generator)
    try:
        while True:
            with mode:
                value = resume()
            try:
                sent = yield value
            except GeneratorExit:
                with mode:
                    generator.close()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, sent)
    except StopIteration as end:
        return end.value


class no_grad(_Mode):
    """Results of operations do not require grad; leaves may be written in place.

    >>> from autodiff import tensor
    >>> x = tensor(1.0, requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(off=GRAD)


class enable_grad(_Mode):
    """Operations are recorded again, inside no_grad()."""

    def __init__(self) -> None:
        super().__init__(on=GRAD)


class inference_mode(_Mode):
    """As no_grad(): PyTorch's name for it where no gradient will ever be wanted."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__(*((INFERENCE, GRAD) if mode else (GRAD, INFERENCE)))


class _Switch(_Mode):
    """A mode that acts at once, when it is made; leaving it as a context manager undoes that."""

    def __init__(self, on: int, off: int) -> None:
        super().__init__(on, off)
        super().__enter__()

    def __enter__(self) -> None:
        self._before.append(self._before[0])
        modes.flags = modes.flags & ~self._off | self._on

    def __call__(self, function: Callable) -> Callable:
        super().__exit__()  # a decorator leaves the mode around it alone
        return super().__call__(function)


class set_grad_enabled(_Switch):
    """Recording on or off: at once, and as a context manager or decorator until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(*((GRAD, 0) if mode else (0, GRAD)))


class detect_anomaly(_Mode):
    """Recorded operations remember the user's line, and a backward pass stops at the first nan.

    check_nan: whether it does. Slow: for finding an error only.
    """

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(*_anomaly(True, check_nan))


class set_detect_anomaly(_Switch):
    """Anomaly detection on or off: at once, and as a context manager until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(*_anomaly(mode, check_nan))


def _anomaly(mode: bool, check_nan: bool) -> tuple[int, int]:
    """The bits to set and to clear."""
    on = (ANOMALY | (CHECK_NAN if check_nan else 0)) if mode else 0
    return on, (ANOMALY | CHECK_NAN) & ~on


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return bool(modes.flags & GRAD)


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in inference_mode()."""
    return bool(modes.flags & INFERENCE)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on in this thread."""
    return bool(modes.flags & ANOMALY)
