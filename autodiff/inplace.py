"""Writing into a tensor's memory, and keeping the tape right about it.

A write never changes a recorded node. The tensor written to gets the node of its new value; so do
the other tensors that show the same memory: the tensor it is a view of, and that one's views. What
would go wrong is refused before anything is written.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import dtypes, versions
from autodiff.indexing import read, steps
from autodiff.ops.index import index_put, put, take
from autodiff.ops.shape import broadcast_to, cast
from autodiff.tape import GRAD, TRACE, VMAP, Node, modes
from autodiff.tensor import Tensor, apply, make


def in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The method that writes what `function` gives into its first argument and returns that."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        check_writable(self, name)
        start = versions.tick()
        value = function(self, *args, **options)
        if any(value is given for given in (self, *args, *options.values())):
            value = apply(cast, (value,), {"dtype": value._array.dtype})  # a node of its own
        _keep_overwritten(value, start, self._array)
        return assign(self, value, name)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of {name.rstrip('_')}."
    return method


def arithmetic(function: Callable[..., Tensor], ufunc: np.ufunc, name: str) -> Callable:
    """in_place(function, name), with a short cut where nothing is recorded.

    `w -= g` under no_grad() takes 1.0 us with it and 4.5 without, the bare NumPy call 0.4.
    """
    general = in_place(function, name)

    def method(self: Tensor, other: Any, **options: Any) -> Tensor:
        x = self._array
        if isinstance(other, Tensor):
            y = other._array
            usual = x.dtype is y.dtype and x.shape == y.shape
        else:
            y = other
            usual = y.__class__ is float or y.__class__ is int
        plain = usual and x.dtype.kind == "f" and x.flags.writeable and 0 not in x.strides
        if not plain or options or modes.flags & (GRAD | TRACE | VMAP):
            return general(self, other, **options)
        ufunc(x, y, out=x)
        versions.touch(x)
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = general.__doc__
    return method


def assign(x: Tensor, value: Tensor, name: str = "copy_") -> Tensor:
    """Write `value`, of the shape of x and a dtype that converts to its, into x; return x.

    Raises: RuntimeError if shape or dtype do not fit, or the write is refused.
    """
    if value._array.shape != x._array.shape:
        raise RuntimeError(
            f"{name}: a result of shape {tuple(value.shape)} cannot be written into a tensor of "
            f"shape {tuple(x.shape)}"
        )
    if value._array.dtype != x._array.dtype:
        if not dtypes.can_cast(value._array.dtype, x._array.dtype):
            raise RuntimeError(
                f"{name}: a result of {value.dtype} cannot be written into a tensor of {x.dtype}"
            )
        value = _converted(value, x._array.dtype)
    _write(x, value, ..., None)
    return x


def _converted(value: Tensor, dtype: np.dtype) -> Tensor:
    if dtype.kind != "f":
        value = value.detach()  # whole numbers have no derivative
    return apply(cast, (value,), {"dtype": dtype})


def setitem(x: Tensor, key: Any, value: Any) -> None:
    """x[key] = value, the value broadcast to the shape of x[key] and converted to x's dtype.

    Raises: IndexError, RuntimeError as NumPy's errors; RuntimeError if the write is refused.
    """
    check_writable(x, "x[...] = value")
    first, then = steps(key)
    if first is not None and then is not None:
        setitem(read(x, first), then, value)
        return
    key = first if then is None else tuple([getattr(i, "_array", i) for i in then])
    if modes.flags & TRACE and isinstance(value, np.ndarray):
        value = make(modes.trace.plain(value))
    if not isinstance(value, Tensor):
        given = np.asarray(value)
        if given.dtype.kind not in "biuf":
            raise TypeError(
                f"x[...] = value: expected a Tensor, an array or numbers, got {value!r:.50}"
            )
        value = make(np.asarray(value, x._array.dtype))
    if then is not None and any(getattr(i, "mapped", False) for i in key):  # inside vmap
        arrays = [i for i in then if hasattr(i, "dtype")]
        form = tuple([() if hasattr(i, "dtype") else (i,) for i in then])
        value = _converted(value, x._array.dtype)
        assign(x, apply(index_put, (x, value, *arrays), {"form": form}))
        return
    # Inside vmap the array has a shape, and no elements.
    target = (x._array if modes.flags < VMAP else np.broadcast_to(0, x._array.shape))[key]
    while value.ndim > target.ndim and value._array.shape[0] == 1:
        value = value[0]
    if value._array.shape != target.shape:
        value = apply(broadcast_to, (value,), {"shape": target.shape})
    if value._array.dtype != x._array.dtype:
        value = _converted(value, x._array.dtype)
    _write(x, value, key, lambda: np.arange(x._array.size).reshape(x._array.shape)[key])


def viewed_in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The method that makes its first argument the view of it that `function` gives."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        _check_place(self, name)
        if not self.is_leaf and not modes.flags & GRAD:
            raise RuntimeError(
                f"{name}: the shape of a computed tensor cannot change under no_grad(), which its "
                f"gradient would not know of; use x = x.{name.rstrip('_')}(...)"
            )
        value = function(self, *args, **options)
        if modes.flags & TRACE:
            modes.trace.changing(self, name)
        versions.changes += 1
        self._array = value._array
        if self._node is not None and self.is_leaf:
            self._node.shape = value._array.shape
        else:
            _replace_node(self, value._node)
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of {name.rstrip('_')}: no element moves in memory."
    return method


def check_writable(x: Tensor, name: str) -> None:
    """Raises: RuntimeError if x may not be written in place, with the reason."""
    _check_place(x, name)
    array = x._array
    if not array.flags.writeable or any(
        stride == 0 and n > 1 and array.size  # NumPy gives arrays without elements such strides
        for stride, n in zip(array.strides, array.shape, strict=True)
    ):
        raise RuntimeError(
            f"{name}: elements of this tensor of shape {tuple(x.shape)} lie at the same place, "
            "or its memory is read-only; write to x.clone()"
        )


def _check_place(x: Tensor, name: str) -> None:
    """Raises: RuntimeError if its place on the tape forbids to change x."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}")
    root = x if x._base is None else x._base
    if modes.flags & GRAD:
        for t, what in (x, "a leaf tensor"), (root, "a view of a leaf tensor"):
            if t._node is not None and t.is_leaf:
                raise RuntimeError(
                    f"{name}: {what} that requires grad cannot be written in place while it is "
                    "differentiated; do it under no_grad(), or on x.clone()"
                )
        if x._node is None and root._node is not None:
            raise RuntimeError(
                f"{name}: a view taken under no_grad() of a tensor that requires grad cannot be "
                "written in place outside it; take the view here, or write under no_grad() too"
            )


def _write(x: Tensor, value: Tensor, key: Any, positions: Callable[[], Any] | None) -> None:
    """x[key] = value, everything checked; `positions` of x[key] in x, None for all of x."""
    batched = modes.flags & VMAP
    if batched:
        value = modes.vmap.write(x, key, value)
        if value is None:
            return
    root = x if x._base is None else x._base
    node = value._node
    recorded = modes.flags & GRAD and not (node is x._node is root._node is None)
    if node is None and positions is None and x._node is not None:
        positions = lambda: np.arange(x._array.size).reshape(x._array.shape)  # zero gradient
    if modes.flags & TRACE:
        modes.trace.write(x, key, value, recorded and positions is not None)
    if not batched:
        x._array[key] = value._array
        versions.touch(x._array)
    if not recorded:
        return
    if positions is not None:
        node = _put_node(x._array, x._node, node, positions())
    _replace_node(x, node)
    if root is not x:
        where = _positions(x._array, root._array)
        _replace_node(root, _put_node(root._array, root._node, node, where))
    for reference in root._views or ():
        view = reference()
        if view is not None and view is not x:
            _replace_node(view, _take_node(view._array, root))


def _copied(array: Any) -> Any:
    new = array.copy()
    if modes.flags & TRACE:
        modes.trace.copied(array, new)
    return new


def _keep_overwritten(value: Tensor, start: int, array: Any) -> None:
    """Give the nodes recorded since `start` copies of what they saved of memory to be written."""
    root, tensors = versions.owner(array), [value]
    while (outside := getattr(tensors[-1]._array, "tensor", None)) is not None:  # of a vmap
        tensors.append(outside)
    nodes = [t._node for t in tensors if t._node is not None and t._node.number > start]
    for node in nodes:  # grows while it is walked
        node.saved = tuple(
            tuple(_copied(v) if versions.owner(v) is root else v for v in values)
            for values in node.saved or ()
        )
        nodes += [p for p in node.parents if p.number > start and p not in nodes]


def _replace_node(x: Tensor, node: Node | None) -> None:
    if x._node is not None and not x.is_leaf and node is not None:
        node.tensor, x._node.tensor = x._node.tensor, None  # retain_grad() holds on
    x._node = node


def _put_node(array: Any, x: Node | None, v: Node | None, positions: Any) -> Node | None:
    """The node of `array` after v was written into it at these positions."""
    return _linear_node(put, (x, v), {"positions": positions}, array, array.shape)


def _take_node(view: Any, root: Tensor) -> Node | None:
    """The node of a view of `root`, as if it were taken now."""
    params = {"positions": _positions(view, root._array)}
    return _linear_node(take, (root._node,), params, view, root._array.shape)


def _linear_node(
    primitive: Any, nodes: tuple[Node | None, ...], params: dict, out: Any, shape: tuple
) -> Node | None:
    """A node of a linear operation whose result is already in place: only shapes are saved."""
    mask = sum(1 << i for i, node in enumerate(nodes) if node is not None)
    if not mask:
        return None
    plan = primitive.plan(mask)
    like = np.broadcast_to(np.empty((), out.dtype), shape)  # has the shape, and no elements
    saved = plan.save([like] * len(nodes), None, params)
    parents = tuple(node for node in nodes if node is not None)
    return Node(plan, parents, saved, out.shape, out.dtype)


def _positions(view: Any, root: Any) -> np.ndarray:
    """Where in `root`, counted row by row, each element of a view of it lies."""
    view, root = (getattr(a, "first", a) for a in (view, root))  # of a vmap: one example
    addresses = _addresses(view)
    if root.flags.c_contiguous:
        return (addresses - root.__array_interface__["data"][0]) // root.itemsize
    elements = _addresses(root).reshape(-1)
    order = np.argsort(elements, kind="stable")
    return order[np.searchsorted(elements, addresses, sorter=order)]


def _addresses(array: Any) -> np.ndarray:
    """The address of each element."""
    total = np.array(array.__array_interface__["data"][0])
    for n, stride in zip(array.shape, array.strides, strict=True):
        total = total[..., None] + np.arange(n) * stride
    return total
