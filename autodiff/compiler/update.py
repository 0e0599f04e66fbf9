"""Writing an optimiser's update back, and taking its rule apart for the compiled step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from autodiff import versions
from autodiff.tape import TRACE, modes
from autodiff.tensor import Tensor

BLOCK = 2**17
"""Bytes of each array that are computed at a time, so that all stay in the cache."""


def _no_numbers() -> tuple:
    return ()


def _no_form() -> dict[str, Any]:
    return {}


def overwrite(
    rows: Iterable[tuple[Sequence[Tensor], Sequence[Tensor]]],
    rule: Callable[..., tuple],
    numbers: Callable[[], tuple] = _no_numbers,
    form: Callable[[], dict[str, Any]] = _no_form,
) -> None:
    """For each row (tensors, inputs) replace the tensors by rule(*tensors, *inputs, *numbers()).

    The rule is plain NumPy, treats each element alone, and gives one result for each of the row's
    tensors, all of whose shapes are one. Nothing is recorded. This is how an optimiser writes its
    update back.

    numbers: gives the numbers the rule takes, such as a learning rate; called once for each step,
    compiled steps too, so it may count. form: gives keywords of the rule that decide which
    operations it makes; a compiled step is compiled again if they change.
    Raises: ValueError if a result has not the shape of its tensor; that row was not written then.
    """
    trace = modes.trace if modes.flags & TRACE else None
    rows = list(rows)
    if trace is not None:
        modes.flags &= ~TRACE
    try:
        values, options = numbers(), form()
        if trace is not None:
            trace.update(rows, rule, numbers, len(values), form)
        _run(rows, rule, values, options)
    finally:
        if trace is not None and not trace.refused:
            modes.flags |= TRACE


def _run(rows: list, rule: Callable[..., tuple], values: tuple, options: dict[str, Any]) -> None:
    for tensors, inputs in rows:
        arrays = [t._array for t in tensors]
        arrays += [t._array for t in inputs]
        for parts in (arrays,) if arrays[0].nbytes <= BLOCK else _blocks(arrays):
            results = rule(*parts, *values, **options)
            for x, value in zip(parts, results):
                if value.shape != x.shape:
                    raise ValueError(
                        f"{rule.__name__} gave shape {value.shape} for a tensor of shape {x.shape}"
                    )
            for x, value in zip(parts, results):
                x[...] = value
                versions.touch(x)


def _blocks(arrays: list) -> Iterator[list]:
    """Views of the arrays, of one shape, a block at a time."""
    # Adam on 784 x 512: 1.0 ms instead of 3.1, and no large temporaries.
    if not all(a.flags.c_contiguous for a in arrays):
        yield arrays
        return
    flat = [a.reshape((-1,)) for a in arrays]
    length = BLOCK // arrays[0].itemsize
    for start in range(0, arrays[0].size, length):
        yield [a[start : start + length] for a in flat]
