"""What a tensor tells about itself besides its elements: its size and device; a hook's handle."""

import itertools
from typing import Any, Self

from autodiff import versions


class Size(tuple):
    """The shape of a tensor: a tuple of ints that knows its number of elements."""

    __slots__ = ()

    def numel(self) -> int:
        """The product of the lengths."""
        n = 1
        for length in self:
            n *= length
        return n

    def __getitem__(self, key: Any) -> Any:
        part = tuple.__getitem__(self, key)
        return Size(part) if part.__class__ is tuple else part

    def __add__(self, other: Any) -> "Size":
        return Size(tuple(self) + tuple(other))

    def __mul__(self, count: Any) -> "Size":
        return Size(tuple(self) * count)

    def __repr__(self) -> str:
        return f"autodiff.Size({list(self)})"


class device:
    """Where tensors live: the CPU.

    Raises: RuntimeError for any other device.
    """

    __slots__ = ("index", "type")

    def __init__(self, type: "str | device" = "cpu", index: int | None = None) -> None:
        name, _, number = str(type).partition(":")
        if name != "cpu":
            raise RuntimeError(f"tensors live on the CPU only; use device='cpu', not {type!r}")
        self.type, self.index = "cpu", int(number) if number else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='cpu'{'' if self.index is None else f', index={self.index}'})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, device) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


class RemovableHandle:
    """What registering a hook returns; as a context manager it removes the hook at the end."""

    _number = itertools.count(1)

    def __init__(self, hooks: Any, hook: Any, prepend: bool = False) -> None:
        """hooks: a dict; to prepend, an OrderedDict."""
        self.id, self._hooks = next(RemovableHandle._number), hooks
        hooks[self.id] = hook
        if prepend:
            hooks.move_to_end(self.id, last=False)
        versions.changes += 1

    def remove(self) -> None:
        """Take the hook away; again is harmless."""
        self._hooks.pop(self.id, None)
        versions.changes += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
