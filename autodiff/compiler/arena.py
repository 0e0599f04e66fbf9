"""Memory in which tensors that are updated together lie next to each other.

Moving a tensor is safe only if nobody else refers to its array, so that no view is left behind
that shows the old memory: reference counts tell. A tensor that is not alone stays where it is.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import versions
from autodiff.tensor import Tensor

ALIGNED = 2**12
"""Bytes from which an array starts at a cache line."""

_LINE = 64
_LINES = 61  # of 64 in a page: prime, so that multiples of any number meet all


def aligned(shape: tuple[int, ...], dtype: Any, number: int) -> np.ndarray:
    """An array, not filled, from a cache line on: which one in its page depends on the number.

    Half of all vector loads from an array that starts elsewhere touch two lines; and a load waits
    for stores to the same place in another page.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _LINE * (_LINES + 1), np.uint8)
    start = -memory.__array_interface__["data"][0] % _LINE + number * 5 % _LINES * _LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def cleared(shape: tuple[int, ...], dtype: Any, number: int) -> np.ndarray:
    """The same, of zeros."""
    array = aligned(shape, dtype, number)
    array.fill(0)
    return array


class Arena:
    """One piece of memory."""

    def __init__(self, nbytes: int) -> None:
        self.memory = cleared((nbytes,), np.uint8, 0)

    def array(self, start: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array at this byte. It owns its memory as far as versions are concerned."""
        return np.ndarray(shape, dtype, memoryview(self.memory), start)  # type: ignore[arg-type]


def offsets(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where arrays of so many bytes each start when they are laid out one after the other."""
    starts, end = [], 0
    for size in sizes:
        starts.append(_start(end, size))
        end = starts[-1] + size
    return starts, end


def _start(end: int, size: int) -> int:
    """Where an array of `size` bytes goes that comes after byte `end`."""
    return end + -end % _LINE if size >= ALIGNED else end


def home(tensor: Tensor) -> tuple[Arena, int] | None:
    """The arena that a tensor's array lies in, and the byte where it starts."""
    place = tensor._home
    return place[:2] if place is not None and place[2] is tensor._array else None


def settle(tensors: Sequence[Tensor]) -> None:
    """Move these tensors, of one dtype, next to each other in this order, where that is safe."""
    movable = [t for t in tensors if home(t) is None and _is_alone(t)]
    if len(movable) < 1:
        return
    starts, end = offsets([t._array.nbytes for t in movable])
    arena = Arena(end)
    for t, start in zip(movable, starts):
        old = t._array
        new = arena.array(start, old.shape, old.dtype)
        new[...] = old
        t._array = new
        t._home = arena, start, new
    versions.changes += 1


def _is_alone(tensor: Tensor) -> bool:
    array = tensor._array
    return (
        tensor._base is None
        and not any(view() is not None for view in tensor._views or ())
        and array.flags.owndata
        and array.flags.c_contiguous
        and sys.getrefcount(array) <= 3  # the tensor, this variable, the call
    )


def runs(rows: Sequence[Sequence[Tensor]]) -> list[list[int]]:
    """Positions of rows of tensors, grouped so that in a group each column is one piece of memory.

    Rows whose tensors lie in no arena make groups of their own.
    """
    groups: list[list[int]] = []
    last: Any = None
    for i, row in enumerate(rows):
        homes = [home(t) for t in row]
        if any(h is None for h in homes):
            groups.append([i])
            last = None
            continue
        places = [(h[0], h[1], t._array.nbytes) for h, t in zip(homes, row)]  # type: ignore[index]
        follows = last is not None and all(
            arena is before and start == _start(end, size)
            for (arena, start, size), (before, end) in zip(places, last)
        )
        if follows:
            groups[-1].append(i)
        else:
            groups.append([i])
        last = [(arena, start + size) for arena, start, size in places]
    return groups


def flat(tensors: Sequence[Tensor]) -> np.ndarray:
    """The memory of a group's column as a vector, gaps between the arrays included."""
    first, last = home(tensors[0]), home(tensors[-1])
    dtype = tensors[0]._array.dtype
    if first is None or last is None:
        return tensors[0]._array.reshape(-1)
    end = last[1] + tensors[-1]._array.nbytes
    return first[0].array(first[1], ((end - first[1]) // dtype.itemsize,), dtype)
