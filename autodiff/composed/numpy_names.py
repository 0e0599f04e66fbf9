"""NumPy's names of arguments, which PyTorch's functions take as well as its own."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_NAMES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "x": "input",
    "a": "input",
    "x1": "input",
    "x2": "other",
}

F = TypeVar("F", bound=Callable)


def numpy_names(function: F) -> F:
    """Decorate a function so that it takes axis, keepdims, x, a, x1, x2 for PyTorch's names."""

    @wraps(function)
    def renaming(*args: Any, **options: Any) -> Any:
        try:  # looking for the names first would take 0.15 us from every call
            return function(*args, **options)
        except TypeError:
            if _NAMES.keys().isdisjoint(options):
                raise
        renamed = {_NAMES.get(name, name): value for name, value in options.items()}
        if len(renamed) < len(options):
            raise TypeError(
                f"{function.__name__}: an argument was given under two names: {', '.join(options)}"
            )
        return function(*args, **renamed)

    return renaming  # type: ignore[return-value]
