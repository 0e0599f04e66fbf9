"""When memory was last written in place, so that a saved value that was overwritten is found.

Every node of a tape and every write takes a number from one clock. A value saved by node n was
overwritten if its memory has a write later than n. Ordinary operations pay nothing: `latest`, the
number of the last write anywhere, tells the backward pass whether it has to look at all.
"""

import itertools
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

tick = itertools.count(1).__next__
"""The next number of the clock (atomic under threads)."""

latest = 0
"""The number of the last write anywhere."""

changes = 0
"""How often something besides elements has changed that a compiled step may rely on: the memory of
a tensor, whether it requires grad, an attribute of a module."""

_REMEMBERED = 32  # writes a version at the time of saving can be told from


class Together:
    """Writes to several pieces of memory at once: how many, and the numbers of the last few.

    A step that writes hundreds of arrays notes that in one place.
    """

    __slots__ = ("count", "numbers")

    def __init__(self, arrays: Iterable[Any]) -> None:
        self.count, self.numbers = 0, deque[int](maxlen=_REMEMBERED)
        for array in arrays:
            writes = _writes_of(array)
            writes.shared = (*writes.shared, self)

    def touch(self) -> None:
        """Note that all of them were written."""
        global latest
        self.count += 1
        latest = tick()
        self.numbers.append(latest)


class _Writes:
    """The writes to one piece of memory: how many, and the numbers of the last few."""

    __slots__ = ("count", "numbers", "owner", "shared")

    def __init__(self, owner: weakref.ref) -> None:
        self.count, self.numbers, self.owner = 0, deque[int](maxlen=_REMEMBERED), owner
        self.shared: tuple[Together, ...] = ()

    def total(self) -> int:
        """How many there were."""
        return self.count + sum(t.count for t in self.shared)

    def since(self, number: int) -> int:
        """How many there were later than this number, of those remembered."""
        numbers = [self.numbers, *[t.numbers for t in self.shared]]
        return sum(n > number for remembered in numbers for n in remembered)


_writes: dict[int, _Writes] = {}


def owner(array: Any) -> Any:
    """The object whose memory `array` lies in: itself, or the array it is a view of."""
    while isinstance(base := getattr(array, "base", None), np.ndarray):
        array = base
    return array


def touch(array: Any) -> None:
    """Note that the memory of `array` was written."""
    global latest
    writes = _writes_of(array)
    writes.count += 1
    latest = tick()
    writes.numbers.append(latest)


def _writes_of(array: Any) -> _Writes:
    root = array if array.base is None else owner(array)
    key = id(root)
    writes = _writes.get(key)
    if writes is None:
        writes = _writes[key] = _Writes(weakref.ref(root, lambda _: _writes.pop(key, None)))
    return writes


def version(array: Any) -> int:
    """How often the memory of `array` has been written in place."""
    writes = _writes.get(id(owner(array)))
    return writes.total() if writes else 0


def version_at(array: Any, number: int) -> int:
    """The version that `array` had when the clock stood at `number` (at least, if long ago)."""
    writes = _writes.get(id(owner(array)))
    return writes.total() - writes.since(number) if writes else 0
