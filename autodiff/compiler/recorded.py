"""Arrays that write down the NumPy calls made on them, so that an operation is taken apart.

An operation's own forward runs on them: what it calls is what the compiled program will call, and
nothing is expressed a second time. What cannot be written down so (a branch on a value, a function
without an entry here) raises Opaque, and the operation is recorded whole.
"""

from collections.abc import Callable
from typing import Any, NoReturn
from weakref import ReferenceType, ref

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.mixins import NDArrayOperatorsMixin

from autodiff.compiler.program import HOLE, Value, items_of


class Opaque(Exception):
    """An operation does what a Recorded array cannot follow."""


def _opaque(*_: Any, **__: Any) -> NoReturn:
    raise Opaque


class Recorded(NDArrayOperatorsMixin):
    """An array in an operation's forward: the real one, and the Value it is in the trace.

    made: whether this forward made its memory. views: what shows that memory, as long as it lives.
    """

    __slots__ = ("__weakref__", "array", "made", "trace", "value", "views")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, trace: Any, value: Value, array: Any, made: bool = False, views: Any = None
    ) -> None:
        self.trace, self.value, self.array, self.made = trace, value, array, made
        self.views: list[ReferenceType[Recorded]] = [] if views is None else views

    @property
    def own(self) -> bool:
        """Whether it may be written: this forward made it, and nothing else shows its memory."""
        return self.made and all(view() is None for view in self.views)

    # What it is

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    itemsize = property(lambda self: self.array.itemsize)
    nbytes = property(lambda self: self.array.nbytes)
    flags = property(lambda self: self.array.flags)

    def __len__(self) -> int:
        return len(self.array)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Opaque

    __bool__ = __int__ = __float__ = __index__ = __array__ = __iter__ = _opaque
    __contains__ = item = tolist = _opaque

    # What is called on it

    def _call(self, how: str, function: Any, *operands: Any, **parameters: Any) -> "Recorded":
        arrays = [x.array if x.__class__ is Recorded else x for x in operands]
        values = [self._operand(x) for x in operands]
        value, array = self.trace.call(how, function, values, parameters, arrays)
        return Recorded(self.trace, value, array, True)

    def _view(self, kind: str, function: Any) -> "Recorded":
        value, array = self.trace.call(kind, function, (self.value,), {}, (self.array,))
        view = Recorded(self.trace, value, array, views=self.views)
        self.views.append(ref(view))
        return view

    def _operand(self, x: Any) -> Any:
        if x.__class__ is Recorded:
            return x.value
        if isinstance(x, (np.ndarray, np.generic)):
            return self.trace.value(x)
        if isinstance(x, (bool, int, float)):
            return x
        raise Opaque

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if method == "__call__" and ufunc.nout == 1 and not options:
            result = self._call("ufunc", ufunc, *inputs)
            return result if out is None else _written(out[0], result)
        if method in ("reduce", "accumulate") and out is None and len(inputs) == 1:
            defaults: tuple = (("dtype", None), ("keepdims", False), ("where", True))
            for name, default in defaults:
                if name in options and options[name] is default:
                    del options[name]
            if method == "reduce" and "axis" not in options:
                options["axis"] = 0
            return self._call(method, ufunc, *inputs, **options)
        raise Opaque

    def __array_function__(self, function: Callable, _: Any, args: tuple, options: dict) -> Any:
        try:
            if function in FILLERS:
                given = [a.array if a.__class__ is Recorded else a for a in args]
                array = function(*given, **options)
                return Recorded(self.trace, self.trace.value(array), array, True)
            return FUNCTIONS.get(function, _opaque)(*args, **options)
        except TypeError as error:  # options that the entry does not take
            raise Opaque from error

    def astype(self, dtype: Any) -> "Recorded":
        """A cast."""
        return self._call("cast", np.dtype(dtype), self)

    def copy(self) -> "Recorded":
        """A copy, C-contiguous."""
        return self._call("copy", None, self)

    def dot(self, other: Any) -> "Recorded":
        """The product; see np.dot."""
        return self._call("dot", np.dot, self, other)

    def reshape(self, *shape: Any) -> "Recorded":
        """Laid out as another shape, of which -1 is spelled out."""
        array = self.array.reshape(*shape)
        return self._view("reshape", array.shape)

    def transpose(self, *axes: Any) -> "Recorded":
        """With the axes in another order."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = tuple(axes[0]) if axes[0] is not None else ()
        axes = normalize_axis_tuple(axes or tuple(range(self.ndim))[::-1], self.ndim)
        return self._view("transpose", axes)

    T = property(transpose)

    def swapaxes(self, i: int, j: int) -> "Recorded":
        """With two axes exchanged."""
        axes = list(range(self.ndim))
        axes[i], axes[j] = axes[j], axes[i]
        return self.transpose(axes)

    def take(self, indices: Any, axis: int) -> "Recorded":
        """The elements at these indices along an axis."""
        return self._call("function", np.take, self, indices, axis=axis)

    def argmax(self, axis: Any = None, keepdims: bool = False) -> "Recorded":
        """See np.argmax."""
        return self._call("function", np.argmax, self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> "Recorded":
        """See np.argmin."""
        return self._call("function", np.argmin, self, axis=axis, keepdims=keepdims)

    def __getitem__(self, key: Any) -> "Recorded":
        key, arrays = _parted(key)
        if arrays:
            raise Opaque
        return self._view("getitem", key)

    def __setitem__(self, key: Any, given: Any) -> None:
        if not self.own:
            raise Opaque
        key, arrays = _parted(key)
        result = self._call("setitem", key, self, given, *arrays)
        self.value, self.array = result.value, result.array

    # Python's in-place operators come here through the mixin, as ufuncs with `out`.


def _written(out: Any, result: Recorded) -> Recorded:
    """`out`, which now has the elements of `result`."""
    if out.__class__ is not Recorded or not out.own or out.shape != result.shape:
        raise Opaque
    if out.dtype != result.dtype:
        result = result.astype(out.dtype)
    out.value, out.array = result.value, result.array
    return out


def _parted(key: Any) -> tuple[Any, list]:
    """A key with HOLE for each array in it, and the arrays."""
    if isinstance(key, np.integer):
        key = int(key)
    items = items_of(key)
    arrays = [item for item in items if isinstance(item, (Recorded, np.ndarray, list))]
    if any(isinstance(item, list) for item in arrays):
        raise Opaque
    if not arrays:
        return key, []
    parted = tuple([HOLE if isinstance(i, (Recorded, np.ndarray)) else i for i in items])
    return (parted if isinstance(key, tuple) else parted[0]), arrays


def _first(args: Any) -> Recorded:
    for x in args:
        if x.__class__ is Recorded:
            return x
    raise Opaque


def _function(function: Callable, count: int) -> Callable:
    """The entry of a function of `count` arrays and parameters."""

    def entry(*args: Any, **options: Any) -> Recorded:
        if len(args) != count:
            raise Opaque
        return _first(args)._call("function", function, *args, **options)

    return entry


def _concatenate(arrays: Any, axis: int = 0) -> Recorded:
    return _first(arrays)._call("concatenate", np.concatenate, *arrays, axis=axis)


def _take_along_axis(x: Any, indices: Any, axis: int) -> Recorded:
    return _first((x, indices))._call("function", np.take_along_axis, x, indices, axis=axis)


def _argsort(x: Recorded, axis: int = -1, kind: Any = None) -> Recorded:
    return x._call("function", np.argsort, x, axis=axis, kind=kind)


def _broadcast_to(x: Recorded, shape: tuple[int, ...]) -> Recorded:
    return x._view("broadcast", tuple(shape))


def _dot(x: Any, y: Any) -> Recorded:
    return _first((x, y))._call("dot", np.dot, x, y)


FILLERS: frozenset[Any] = frozenset(
    (np.zeros, np.ones, np.full, np.zeros_like, np.ones_like, np.full_like)
)
"""Functions whose results depend on shapes and dtypes alone; `like=` brings some of them here."""

FUNCTIONS: dict[Callable, Callable] = {
    np.where: _function(np.where, 3),
    np.concatenate: _concatenate,
    np.take_along_axis: _take_along_axis,
    np.argsort: _argsort,
    np.broadcast_to: _broadcast_to,
    np.dot: _dot,
    np.reshape: lambda x, shape: x.reshape(shape),
    np.transpose: lambda x, axes=None: x.transpose(axes),
    np.swapaxes: lambda x, axis1, axis2: x.swapaxes(axis1, axis2),
}
"""NumPy's functions on Recorded arrays, besides the ufuncs."""
