"""The larger or smaller of each element and a number: what np.maximum and np.minimum are slow at.

With a number their loop takes each element by itself, with an array as long many at once: relu of
426 x 100 float32 takes 30 us, or 10. So the number is repeated, along one row for all of x.
"""

from functools import lru_cache
from typing import Any

import numpy as np

_ROW = 2**14
_LEAST = 2**12
"""Elements from which the calls that cut x are worth it."""


@lru_cache(64)
def _row(text: str, dtype: np.dtype) -> np.ndarray:
    row = np.full(_ROW, float(text), dtype)
    row.flags.writeable = False
    return row


def _bounded(ufunc: np.ufunc, x: Any, number: float) -> Any:
    if x.__class__ is not np.ndarray or x.size < _LEAST or x.dtype.char not in "fd":
        return ufunc(x, number)
    if not isinstance(number, (int, float)) or not x.flags.c_contiguous:
        return ufunc(x, number)
    row, flat = _row(repr(number), x.dtype), x.reshape(-1)  # as text 0.0 is not -0.0
    if x.size <= _ROW:
        return ufunc(flat, row[: x.size]).reshape(x.shape)
    out = np.empty_like(x)
    into, end = out.reshape(-1), x.size - x.size % _ROW
    ufunc(flat[:end].reshape(-1, _ROW), row, out=into[:end].reshape(-1, _ROW))
    ufunc(flat[end:], row[: x.size - end], out=into[end:])
    return out


def at_least(x: Any, number: float) -> Any:
    """np.maximum(x, number)."""
    return _bounded(np.maximum, x, number)


def at_most(x: Any, number: float) -> Any:
    """np.minimum(x, number)."""
    return _bounded(np.minimum, x, number)
