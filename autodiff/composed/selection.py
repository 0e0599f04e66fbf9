"""Choosing, replacing, sorting and searching elements, under PyTorch's names.

An index has no derivative. Where the indices of a replacement repeat, the last one stays, and each
source element gets the gradient of its place, as in PyTorch.
"""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff import dtypes
from autodiff.composed.conversion import number_of, to
from autodiff.composed.creation import created
from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.shape import (
    array_of,
    axis_of,
    broadcast_tensors,
    expand,
    narrow,
    ravel,
    reshape,
    select,
    unbind,
)
from autodiff.indexing import read
from autodiff.ops import index as ops
from autodiff.ops import order
from autodiff.ops import scatter as scatter_ops
from autodiff.ops import shape as shape_ops
from autodiff.ops.elementwise import floor_divide, logical_not, maximum, where
from autodiff.ops.reduce import cumsum
from autodiff.tensor import Tensor, apply, make

__all__ = [
    "argsort",
    "argwhere",
    "bincount",
    "bucketize",
    "diag",
    "diag_embed",
    "diagonal",
    "gather",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_select",
    "isin",
    "kthvalue",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "msort",
    "nonzero",
    "put",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
    "sort",
    "take",
    "take_along_dim",
    "topk",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
    "unique",
]
METHODS = tuple(
    name
    for name in __all__
    if name not in ("bucketize", "isin", "searchsorted", "tril_indices", "triu_indices")
)
IN_PLACE = (
    *("fill_diagonal", "index_add", "index_copy", "index_fill", "index_put", "masked_fill"),
    *("masked_scatter", "put", "scatter", "scatter_add", "scatter_reduce", "tril", "triu"),
)

_WHOLE = slice(None)


def _check_index(index: Any, name: str) -> None:
    if array_of(index).dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}: the index must be of int64 or int32, got {index.dtype}")


def _check_dtype(input: Tensor, source: Any, name: str) -> None:
    if array_of(source).dtype != array_of(input).dtype:
        raise RuntimeError(
            f"{name}: expected a source of {input.dtype}, got {source.dtype}; convert it by .to()"
        )


def _check_mask(mask: Any, name: str) -> None:
    if array_of(mask).dtype.kind != "b":
        raise RuntimeError(f"{name}: the mask must be of bool, got {mask.dtype}")


def _value(input: Tensor, value: Any, name: str) -> Any:
    """A number, or a 0-d Tensor, converted to the dtype of `input`."""
    if not isinstance(value, Tensor):
        return number_of(value, array_of(input).dtype)
    if value._array.ndim:
        raise RuntimeError(
            f"{name}: expected a number or a 0-d tensor as value, got shape {tuple(value.shape)}"
        )
    return to(value, dtype=input.dtype)


def _with_axis(input: Tensor) -> Tensor:
    return input if array_of(input).ndim else reshape(input, 1)


def _shaped(result: Tensor, like: Tensor) -> Tensor:
    """The result without the axis that _with_axis gave."""
    return result if like._array.ndim else reshape(result, ())


# By an index along an axis with as many axes as the tensor


def _along(input: Tensor, dim: int, index: Tensor, name: str) -> tuple[Tensor, Tensor, int]:
    """Tensor, index and axis, with at least one axis."""
    axis, x = axis_of(input, dim), _with_axis(input)
    if not array_of(index).size:
        return x, make(np.zeros((0,) * x._array.ndim, np.int64)), axis
    _check_index(index, name)
    i = _with_axis(index)
    if i._array.ndim != x._array.ndim:
        raise RuntimeError(
            f"{name}: expected an index of {input.ndim} axes, got shape {tuple(index.shape)}"
        )
    return x, i, axis


def _source(input: Tensor, index: Tensor, source: Any, name: str) -> Tensor:
    """The part of the source that the index uses."""
    _check_dtype(input, source, name)
    source, lengths = _with_axis(source), index._array.shape
    given = source._array.shape
    if len(given) != len(lengths) or any(n > m for n, m in zip(lengths, given, strict=True)):
        raise RuntimeError(
            f"{name}: an index of shape {lengths} needs a source no smaller, got {given}"
        )
    return source if given == lengths else read(source, tuple([slice(n) for n in lengths]))


@numpy_names
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """The elements at `index` along an axis: for dim 1, out[i][j] = input[i][index[i][j]].

    The axes of `index` other than `dim` may be shorter than the tensor's.
    """
    x, i, axis = _along(input, dim, index, "gather")
    result = apply(ops.gather, (x, i), {"axis": axis})
    return result if i is index else reshape(result, index._array.shape)


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy with `src`, a tensor or a number, at `index` along an axis.

    For dim 1, out[i][index[i][j]] = src[i][j]. With reduce "add" or "multiply" it is added to, or
    multiplied with, what is there.
    """
    x, i, axis = _along(input, dim, index, "scatter")
    v = value if src is None else src
    if v is None:
        raise TypeError("scatter: give it src, a tensor, or value, a number")
    v = _source(x, i, v, "scatter") if isinstance(v, Tensor) else _value(x, v, "scatter")
    if reduce is None:
        return _shaped(apply(ops.scatter, (x, i, v), {"axis": axis}), input)
    if reduce not in ("add", "multiply"):
        raise RuntimeError(f'scatter: reduce must be "add" or "multiply", got {reduce!r}')
    if not isinstance(v, Tensor):
        v = make(np.full(i._array.shape, v, x._array.dtype))
    return scatter_reduce(input, dim, index, v, "sum" if reduce == "add" else "prod")


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy with `src` added at `index` along an axis; repeated indices add up."""
    x, i, axis = _along(input, dim, index, "scatter_add")
    return _shaped(_plus(x, i, axis, _source(x, i, src, "scatter_add")), input)


def _plus(x: Tensor, i: Tensor, axis: int, v: Tensor) -> Tensor:
    return x + apply(ops.ungather, (v, i), {"axis": axis, "shape": x._array.shape})


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """What is at each place and all of `src` that goes there, reduced to one.

    reduce: "sum", "prod", "mean", "amax" or "amin"; equal extremes share the gradient. The second
        derivative of "prod" is taken to be 0 where two sources for one place are 0.
    include_self: whether what was there before counts.
    """
    x, i, axis = _along(input, dim, index, "scatter_reduce")
    v = _source(x, i, src, "scatter_reduce")
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"scatter_reduce: reduce must be sum, prod, mean, amax or amin, got {reduce!r}"
        )
    if not include_self:
        neutral = _value(x, _neutral(x._array.dtype, reduce), "scatter_reduce")
        x = apply(ops.scatter, (x, i, neutral), {"axis": axis})
    if reduce == "prod":
        result = apply(scatter_ops.scatter_prod, (x, i, v), {"axis": axis})
    elif reduce in ("amax", "amin"):
        params = {"axis": axis, "largest": reduce == "amax"}
        result = apply(scatter_ops.scatter_extreme, (x, i, v), params)
    else:
        result = _plus(x, i, axis, v)
    if reduce == "mean":
        count = make(np.ones_like(x._array))
        if not include_self:
            count = apply(ops.scatter, (count, i, 0), {"axis": axis})
        count = _plus(count, i, axis, make(np.ones_like(v._array)))
        count = apply(maximum, (count, 1))
        result = result / count if x._array.dtype.kind == "f" else floor_divide(result, count)
    return _shaped(result, input)


def _neutral(dtype: np.dtype, reduce: str) -> float:
    """What does not change a reduction."""
    if reduce in ("amax", "amin"):
        low, high = (-np.inf, np.inf) if dtype.kind == "f" else _limits(dtype)
        return low if reduce == "amax" else high
    return 1 if reduce == "prod" else 0


def _limits(dtype: np.dtype) -> tuple[int, int]:
    return (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As gather, but the other axes are broadcast; without `dim`, of the elements as a vector."""
    if array_of(indices).dtype != np.int64:
        raise RuntimeError(f"take_along_dim: the indices must be of int64, got {indices.dtype}")
    if dim is None:
        return ops.take_along_axis(ravel(input), ravel(indices), 0)
    if indices._array.ndim != array_of(input).ndim:
        raise RuntimeError(
            f"take_along_dim: expected indices of {input.ndim} axes, got {tuple(indices.shape)}"
        )
    axis = axis_of(input, dim)
    for a, lengths in enumerate(zip(input._array.shape, indices._array.shape, strict=True)):
        if a != axis and 1 not in lengths and len(set(lengths)) > 1:
            raise RuntimeError(f"take_along_dim: lengths {lengths} of axis {a} do not broadcast")
    return ops.take_along_axis(input, indices, axis)


# By a vector of indices along an axis


def _selected(
    input: Tensor, dim: int, index: Tensor, name: str, error: type[Exception] | None
) -> tuple[Tensor, Tensor, int]:
    """Tensor, index and axis, with at least one axis; `error` is for an index out of bounds."""
    axis, x = axis_of(input, dim), _with_axis(input)
    _check_index(index, name)
    i = _with_axis(index)
    if i._array.ndim > 1:
        raise IndexError(f"{name}: the index must be a vector, got shape {tuple(index.shape)}")
    if error:
        params = {"axis": axis, "count": x._array.shape[axis]}
        if error is not IndexError:
            params["error"] = error
        i = apply(ops.indices_within, (i,), params)
    return x, i, axis


def _form(axis: int) -> tuple:
    return ((_WHOLE,),) * axis + ((),)


def _check_selection(input: Tensor, index: Tensor, axis: int, source: Tensor, name: str) -> Tensor:
    _check_dtype(input, source, name)
    shape = input._array.shape
    needed = (*shape[:axis], index._array.size, *shape[axis + 1 :])
    source = _with_axis(source)
    if source._array.shape != needed:
        raise RuntimeError(f"{name}: expected a source of {needed}, got {tuple(source.shape)}")
    return source


@numpy_names
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices at a vector of indices along an axis, as a copy."""
    x, i, axis = _selected(input, dim, index, "index_select", IndexError)
    return _shaped(apply(ops.index, (x, i), {"form": _form(axis)}), input)


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
    """A copy with alpha times `source` added to the slices at these indices of an axis."""
    if alpha.__class__ is float and array_of(input).dtype.kind != "f":
        raise RuntimeError(f"index_add: alpha of integers must be an integer, got {alpha}")
    x, i, axis = _selected(input, dim, index, "index_add", RuntimeError)
    source = _check_selection(x, i, axis, source, "index_add")
    if alpha != 1:
        source = source * alpha
    params = {"form": _form(axis), "shape": x._array.shape}
    return _shaped(x + apply(ops.unindex, (source, i), params), input)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the slices at these indices of an axis replaced by those of `source`."""
    x, i, axis = _selected(input, dim, index, "index_copy", IndexError)
    source = _check_selection(x, i, axis, source, "index_copy")
    return _shaped(apply(ops.index_put, (x, source, i), {"form": _form(axis)}), input)


def index_fill(input: Tensor, dim: int, index: Tensor, value: float | Tensor) -> Tensor:
    """A copy with one value in the slices at these indices of an axis."""
    x, i, axis = _selected(input, dim, index, "index_fill", None)
    value = _value(x, value, "index_fill")
    return _shaped(apply(ops.index_put, (x, value, i), {"form": _form(axis)}), input)


def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy with `values` at input[indices]; with `accumulate` they are added, repeats too."""
    if isinstance(indices, Tensor):
        raise TypeError("index_put: indices must be a sequence of Tensors, got one Tensor")
    _check_dtype(input, values, "index_put")
    arrays, form = [_with_axis(i) for i in indices], ((),) * len(indices)
    if not accumulate:
        return apply(ops.index_put, (input, values, *arrays), {"form": form})
    target = read(make(np.broadcast_to(0, input._array.shape)), tuple(arrays))
    params = {"form": form, "shape": input._array.shape}
    return input + apply(ops.unindex, (expand(values, target._array.shape), *arrays), params)


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at these positions of the tensor taken as a vector."""
    if array_of(index).dtype != np.int64:
        raise RuntimeError(f"take: the index must be of int64, got {index.dtype}")
    return apply(ops.index, (ravel(input), index), {"form": ((),)})


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` at these positions of the tensor taken as a vector.

    With `accumulate` it is added, repeats too.
    """
    size = array_of(source).size
    if array_of(index).dtype != np.int64 or index._array.size != size:
        raise RuntimeError(
            f"put: expected an index of int64 for each of {size} elements of the source, "
            f"got {index.dtype} of shape {tuple(index.shape)}"
        )
    result = index_put(ravel(input), (ravel(index),), ravel(source), accumulate)
    return reshape(result, input._array.shape)


# By a mask


def masked_fill(input: Tensor, mask: Tensor, value: float | Tensor) -> Tensor:
    """A copy with one value where the mask holds; the mask is broadcast."""
    _check_mask(mask, "masked_fill")
    return apply(where, (mask, _value(input, value, "masked_fill"), input))


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask, which is broadcast, holds, as a vector."""
    _check_mask(mask, "masked_select")
    if array_of(input).shape != mask._array.shape:
        input, mask = broadcast_tensors(input, mask)
    return apply(ops.index, (input, mask), {"form": ((),)})


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the first elements of `source`, in order, where the mask holds."""
    _check_mask(mask, "masked_scatter")
    _check_dtype(input, source, "masked_scatter")
    input, mask = broadcast_tensors(input, mask)
    if np.count_nonzero(mask._array) > source._array.size:
        raise RuntimeError(
            f"masked_scatter: the mask holds at {np.count_nonzero(mask._array)} places, more than "
            f"the {source._array.size} elements of the source"
        )
    if not source._array.size:
        return apply(shape_ops.copy, (input,))
    places = reshape(apply(cumsum, (ravel(mask),), {"axis": 0, "dtype": np.int64}) - 1, mask.shape)
    chosen = apply(ops.index, (ravel(source), places), {"form": ((),)})
    return apply(where, (mask, chosen, input))


# Sorted


class ValuesAndIndices(NamedTuple):
    """Elements, and their indices along an axis."""

    values: Tensor
    indices: Tensor


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along an axis: equals stay in order, nan counts as largest."""
    params = {"axis": axis_of(input, dim), "descending": bool(descending)}
    return _shaped(apply(order.argsort, (_with_axis(input),), params), input)


@numpy_names
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False
) -> ValuesAndIndices:
    """The elements sorted along an axis, and their indices: equals in order, nan as largest."""
    indices = argsort(input, dim, descending)
    return ValuesAndIndices(gather(input, dim, indices), indices)


def msort(input: Tensor) -> Tensor:
    """The elements sorted along the first axis."""
    return sort(input, 0).values


@numpy_names
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> ValuesAndIndices:
    """The k largest or smallest elements along an axis in order, and their indices."""
    if array_of(input).dtype.kind == "b":
        raise RuntimeError("topk does not rank bools; convert with .int()")
    return _ranked(input, dim, 0, k, largest, "topk")


@numpy_names
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The k-th smallest element along an axis, counted from 1, and its index."""
    found = _ranked(input, dim, k - 1, 1, False, "kthvalue")
    if keepdim or not input._array.ndim:
        return found
    return ValuesAndIndices(*[select(x, dim, 0) for x in found])


def _ranked(
    input: Tensor, dim: int, start: int, count: int, descending: bool, name: str
) -> ValuesAndIndices:
    """`count` elements from `start` on in sorted order."""
    axis, x, count = axis_of(input, dim), _with_axis(input), operator.index(count)
    n = x._array.shape[axis]
    if start < 0 or count < 0 or start + count > n:
        raise RuntimeError(f"{name}: k={start + count} is out of range for the {n} of dim={dim}")
    indices = narrow(argsort(x, axis, descending), axis, start, count)
    if not input._array.ndim:
        if not count:
            return ValuesAndIndices(apply(shape_ops.copy, (input,)), make(np.zeros((), np.int64)))
        indices = reshape(indices, ())
    return ValuesAndIndices(gather(input, dim, indices), indices)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements, or slices along `dim`, in order.

    With `return_inverse` also which of them each element is, and with `return_counts` how many
    elements are each of them.
    """
    axis = None if dim is None else axis_of(input, dim)
    parts = [0, *([1] if return_inverse else []), *([2] if return_counts else [])]
    found = [apply(order.unique, (input,), {"axis": axis, "part": part}) for part in parts]
    return found[0] if len(found) == 1 else tuple(found)


def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | float,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each value belongs in a sequence sorted along its last axis: before its equals.

    right, or side="right": after them. sorter: the indices that sort the sequence.
    The sequence is a vector, or has a row for each row of the values.
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(f"searchsorted: side={side!r} and right={right} do not go together")
    if sorter is not None:
        sorted_sequence = gather(sorted_sequence, -1, sorter)
    rows = array_of(sorted_sequence).shape[:-1]
    given = input._array.shape if isinstance(input, Tensor) else ()
    if rows and rows != given[:-1]:
        raise RuntimeError(
            f"searchsorted: a sequence of shape {tuple(sorted_sequence.shape)} needs values with "
            f"the same rows, got shape {given}"
        )
    params = {"side": "right" if right or side == "right" else "left"}
    found = apply(order.searchsorted, (sorted_sequence, input), params)
    return to(found, dtype=dtypes.int32) if out_int32 else found


def bucketize(
    input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Between which boundaries, a sorted vector, each value lies; `right` as in searchsorted."""
    if array_of(boundaries).ndim != 1:
        raise RuntimeError(f"bucketize: boundaries must be a vector, got {boundaries.ndim} axes")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


# Found and counted


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: a row for each, or a vector for each axis."""
    if as_tuple:
        return unbind(apply(order.nonzero, (_with_axis(input),)), 1)
    return apply(order.nonzero, (input,))


def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero, a row for each."""
    return nonzero(input)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each integer from 0 occurs, or the sum of the weights where it does."""
    arrays = (input,) if weights is None else (input, weights)
    return apply(order.bincount, arrays, {"minlength": minlength})


def isin(
    elements: Tensor | float,
    test_elements: Tensor | float,
    *,
    assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:
    """Whether each element is among the test elements, or with `invert` is not."""
    found = apply(order.isin, (elements, test_elements))
    return apply(logical_not, (found,)) if invert else found


# Triangles and diagonals


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """A copy with zeros above a diagonal of the matrices in the last two axes."""
    return _triangle(shape_ops.tril, input, diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """A copy with zeros below a diagonal of the matrices in the last two axes."""
    return _triangle(shape_ops.triu, input, diagonal)


def _triangle(primitive: Any, input: Tensor, diagonal: int) -> Tensor:
    if array_of(input).ndim < 2:
        raise RuntimeError(f"{primitive.name}: needs at least 2 axes, got {tuple(input.shape)}")
    return apply(primitive, (input,), {"k": operator.index(diagonal)})


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonals over two axes as a last axis, `offset` to the right of the main."""
    axes = _two_axes(input, dim1, dim2, 0)
    params = {"offset": offset, "axis1": axes[0], "axis2": axes[1]}
    return apply(shape_ops.diagonal, (input,), params)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last axis on diagonals over two new axes, `offset` to the right."""
    axes = _two_axes(input, dim1, dim2, 1)
    shape = list(input._array.shape[:-1])
    for axis in sorted(axes):
        shape.insert(axis, input._array.shape[-1] + abs(offset))
    params = {"offset": offset, "axis1": axes[0], "axis2": axes[1], "shape": tuple(shape)}
    return apply(shape_ops.undiagonal, (input,), params)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with a vector on its diagonal, or the diagonal of a matrix as a copy."""
    if array_of(input).ndim == 1:
        return diag_embed(input, diagonal)
    if input._array.ndim != 2:
        raise RuntimeError(f"diag: expected a vector or a matrix, got shape {tuple(input.shape)}")
    return apply(shape_ops.copy, (_diagonal(input, diagonal),))


def fill_diagonal(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """A copy with one value on the main diagonal, of all axes if there are more than two.

    wrap: in a matrix with more rows than columns, start anew below the diagonal's end.
    Raises: RuntimeError for fewer than two axes, or for more that are not of one length.
    """
    shape = array_of(input).shape
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise RuntimeError(f"fill_diagonal: needs a matrix or axes of one length, got {shape}")
    mask = np.zeros(shape, np.bool_)
    np.fill_diagonal(mask, True, wrap)
    return apply(where, (mask, _value(input, fill_value, "fill_diagonal"), input))


_diagonal = diagonal  # `diagonal` is a parameter of diag


def _two_axes(input: Tensor, dim1: int, dim2: int, more: int) -> tuple[int, int]:
    axes = axis_of(input, dim1, more), axis_of(input, dim2, more)
    if axes[0] == axes[1]:
        raise RuntimeError(f"a diagonal needs two different dims, got {dim1} and {dim2}")
    return axes


@created
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64) -> Tensor:
    """The indices on and below a diagonal of a matrix: a row of row numbers, one of columns."""
    return _triangle_indices(np.tril, row, col, offset, dtype)


@created
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64) -> Tensor:
    """The indices on and above a diagonal of a matrix: a row of row numbers, one of columns."""
    return _triangle_indices(np.triu, row, col, offset, dtype)


def _triangle_indices(triangle: Any, row: int, col: int, offset: int, dtype: Any) -> Tensor:
    if row < 0 or col < 0:
        raise RuntimeError(f"a matrix cannot have {row} rows and {col} columns")
    found = np.argwhere(triangle(np.ones((row, col), bool), offset))
    return make(np.array(found.T, dtypes.as_numpy(dtype), order="C"))
