"""Python's index expressions: what x[...] reads, and the keys that writing uses."""

import operator
from typing import Any

import numpy as np

from autodiff.ops.index import getitem, index
from autodiff.ops.shape import cast
from autodiff.tape import recorder
from autodiff.tensor import Tensor, apply, viewing

_WHOLE = slice(None)
_getitem = viewing(getitem)
_ENDS = frozenset((int, type(None)))
_INDEX_TYPES = frozenset(map(np.dtype, (np.int64, np.int32, np.uint8, np.bool_)))


def read(x: Tensor, key: Any) -> Tensor:
    """x[key]: a view for a key of integers, slices, None and Ellipsis, else a copy.

    Integer tensors without axes count as integers. Integers are taken before arrays, so that
    x[0, :, [1, 2]] is x[0][:, [1, 2]]: NumPy would move the axis of the array to the front.

    Raises: IndexError for what is no index, for an index out of bounds, or too many of them;
        ValueError for a slice with a step below 1.
    """
    if _is_plain(key) or (key.__class__ is tuple and all(map(_is_plain, key))):
        return _getitem(x, key=key)
    first, then = steps(key)
    if first is not None:
        x = _getitem(x, key=first)
    if then is None:
        return x
    arrays = [item for item in then if _is_array(item)]
    form = tuple([() if _is_array(item) else (item,) for item in then])
    return apply(index, (x, *arrays), {"form": form})


def _is_plain(item: Any) -> bool:
    """Whether NumPy can take an item as it stands: without this x[1:3] takes 3 us instead of 2."""
    if item.__class__ is not slice:
        return item.__class__ is int or item is None or item is Ellipsis
    return item.step is None and item.start.__class__ in _ENDS and item.stop.__class__ in _ENDS


def steps(key: Any) -> tuple[tuple | None, tuple | None]:
    """`key` as two keys to apply one after the other, either of them possibly None.

    The first is of integers, slices, None and Ellipsis, the second of these and of arrays.
    """
    items = [_item(item) for item in _items(key)]
    if not any(map(_is_array, items)):
        return tuple(items), None
    if not any(isinstance(item, int) for item in items):
        return None, tuple(items)
    first: list[Any] = []
    then: list[Any] = []
    for item in items:
        if _is_array(item):
            first += [_WHOLE] * (item.ndim if _type(item).kind == "b" else 1)
            then.append(item)
        else:
            first.append(item)
            if not isinstance(item, int):
                then.append(item if item is Ellipsis else _WHOLE)
    return tuple(first), tuple(then)


def _items(key: Any) -> tuple:
    """The key as a tuple; a list with anything but numbers in it is one too, as in PyTorch."""
    if isinstance(key, tuple):
        return key
    if isinstance(key, list) and any(
        item is None or isinstance(item, (slice, list, tuple, Tensor, np.ndarray)) for item in key
    ):
        return tuple(key)
    return (key,)


def _item(item: Any) -> Any:
    """An item of a key as an int, a slice, None, Ellipsis, or an integer or bool array."""
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        return _slice(item)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(item)
    given = item
    trace = recorder()
    if trace is not None:
        item = trace.plain(item)
    if not isinstance(item, Tensor):
        item = np.asarray(item)
        if not item.size and not hasattr(given, "dtype"):
            item = item.astype(np.int64)  # of an empty list
    if _type(item) not in _INDEX_TYPES:
        error = TypeError if isinstance(given, str) else IndexError
        raise error(
            "tensors are indexed by integers, slices, None, Ellipsis, and tensors, arrays or lists "
            f"of int64, int32, uint8 or bool; got {type(given).__name__} of {item.dtype}"
        )
    if _type(item) == np.uint8:  # a mask of old
        return apply(cast, (item,), {"dtype": np.dtype(np.bool_)})
    if not item.ndim and _type(item).kind == "i" and not _differs(item):
        return item.__index__()
    return item


def _differs(item: Any) -> bool:
    """Whether an item differs from one example of a vmap to the next."""
    return getattr(getattr(item, "_array", None), "mapped", False)


def _slice(item: slice) -> slice:
    start, stop, step = (
        i if i is None else operator.index(i) for i in (item.start, item.stop, item.step)
    )
    if step is not None and step < 1:
        raise ValueError(f"slices of a tensor need a step of at least 1, got {step}; use flip()")
    return slice(start, stop, step)


def _is_array(item: Any) -> bool:
    return isinstance(item, (Tensor, np.ndarray))


def _type(array: Any) -> np.dtype:
    return array._array.dtype if isinstance(array, Tensor) else array.dtype
