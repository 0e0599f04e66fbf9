"""Shape, order and place of a tensor's elements, under PyTorch's names.

A `dim` may count from the end; a tensor without axes is taken to have one where PyTorch does so.
Results are views where PyTorch's are.
"""

import math
import operator
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.properties import stride
from autodiff.ops import shape as ops
from autodiff.ops.index import getitem, windows
from autodiff.ops.index import repeat as repeat_op
from autodiff.tensor import Size, Tensor, apply, make, taken, viewing

__all__ = [
    "broadcast_shapes",
    "broadcast_tensors",
    "broadcast_to",
    "cartesian_prod",
    "cat",
    "chunk",
    "clone",
    "concat",
    "concatenate",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "hstack",
    "meshgrid",
    "moveaxis",
    "movedim",
    "narrow",
    "permute",
    "ravel",
    "repeat_interleave",
    "reshape",
    "roll",
    "rot90",
    "row_stack",
    "select",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "swapdims",
    "t",
    "tensor_split",
    "tile",
    "transpose",
    "unbind",
    "unflatten",
    "unsqueeze",
    "vstack",
]
METHODS = (
    *("broadcast_to", "chunk", "clone", "contiguous", "expand", "expand_as", "flatten", "flip"),
    *("fliplr", "flipud", "moveaxis", "movedim", "narrow", "permute", "ravel", "repeat"),
    *("repeat_interleave", "reshape", "reshape_as", "roll", "rot90", "select", "split", "squeeze"),
    *("swapaxes", "swapdims", "t", "tensor_split", "tile", "transpose", "unbind", "unflatten"),
    *("unfold", "unsqueeze", "view", "view_as"),
)
PROPERTIES = ("T", "mT")
IN_PLACE = ()

_WHOLE = slice(None)
_reshaped, _transposed, _getitem = viewing(ops.reshape), viewing(ops.transpose), viewing(getitem)


def array_of(input: Any) -> Any:
    """The array of a Tensor. Raises: TypeError if it is none."""
    try:
        return input._array
    except AttributeError:
        raise TypeError(f"expected a Tensor, got {type(input).__name__}") from None


def axis_of(input: Any, dim: Any, more: int = 0) -> int:
    """`dim` as an axis of `input` counted from the first; of one with `more` axes if given.

    Raises: TypeError if it is no integer; IndexError if there is no such axis.
    """
    n = (array_of(input).ndim + more) or 1
    try:
        axis = operator.index(dim)
    except TypeError:
        raise TypeError(f"dim must be an integer, got {type(dim).__name__}") from None
    if not -n <= axis < n:
        raise IndexError(
            f"dim={axis} must be in [{-n}, {n - 1}] for a tensor of shape {tuple(input.shape)}"
        )
    return axis % n


def axes_of(input: Any, dims: Any) -> tuple[int, ...]:
    """One or several dims as axes. Raises: also RuntimeError if one stands twice."""
    if not isinstance(dims, (tuple, list)):
        return (axis_of(input, dims),)
    axes = tuple([axis_of(input, d) for d in dims])
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"the same axis stands twice in dims {tuple(dims)}")
    return axes


def integers(given: tuple, needed: str = "") -> tuple[int, ...]:
    """Integers given one by one, f(2, 3), or as one sequence, f((2, 3)).

    Raises: TypeError for anything else, and for f() if its name is given as `needed`.
    """
    if needed and not given:
        raise TypeError(f"{needed}: the sizes are missing, integers or one sequence of them")
    alone = len(given) == 1 and isinstance(given[0], (tuple, list))
    try:
        return tuple([operator.index(n) for n in (given[0] if alone else given)])
    except TypeError:
        raise TypeError(f"expected integers or one sequence of them, got {given!r}") from None


def _read(input: Tensor, axis: int, item: Any) -> Tensor:
    """input[:, …, item], `item` at an axis."""
    return _getitem(input, key=(_WHOLE,) * axis + (item,))


# The same elements in another shape


def reshape(input: Tensor, *sizes: Any, shape: Sequence[int] | None = None) -> Tensor:
    """The elements in the same order in another shape; one length may be -1: what remains.

    A view if the layout in memory allows it, else a copy.
    """
    lengths = integers(sizes if shape is None else (shape,), "reshape")
    if lengths and min(lengths) < -1:
        raise RuntimeError(f"reshape: lengths must be -1 or more, got {lengths}")
    return _reshaped(input, shape=lengths)


def view(
    input: Tensor, *sizes: Any, size: Sequence[int] | None = None, dtype: Any = None
) -> Tensor:
    """As reshape, but always a view; or, given a dtype, the memory as elements of that.

    Raises: RuntimeError if that is impossible, because the elements do not lie in memory in order.
    """
    if len(sizes) == 1 and isinstance(sizes[0], (dtypes.dtype, type)):
        dtype = sizes[0]
    if dtype is not None:
        return _reinterpreted(input, dtypes.as_numpy(dtype))
    result = reshape(input, *sizes, shape=size)
    if not np.may_share_memory(result._array, input._array) and input._array.size:
        raise RuntimeError(
            f"view: no view of shape {tuple(result.shape)} of a tensor of shape "
            f"{tuple(input.shape)} and strides {stride(input)} is possible; use reshape()"
        )
    return result


def _reinterpreted(input: Tensor, dtype: np.dtype) -> Tensor:
    taken("a view in another dtype")
    try:
        return make(input._array.view(dtype))
    except ValueError as error:
        raise RuntimeError(f"view of {input.dtype} as {dtype}: {error}") from None


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """As view, in the shape of `other`."""
    return view(input, array_of(other).shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """As reshape, in the shape of `other`."""
    return reshape(input, array_of(other).shape)


def ravel(input: Tensor) -> Tensor:
    """The elements as a vector."""
    return reshape(input, -1)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim`, both included, as one; a 0-d tensor as a vector."""
    first, last = axis_of(input, start_dim), axis_of(input, end_dim)
    if first > last:
        raise RuntimeError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim}")
    shape = input._array.shape
    if first == last and shape:
        return input
    length = math.prod(shape[first : last + 1])
    return reshape(input, (*shape[:first], length, *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several, of lengths `sizes`; one may be -1: what remains."""
    axis, shape = axis_of(input, dim), input._array.shape
    lengths = integers((sizes,))
    known = math.prod(n for n in lengths if n != -1)
    if shape and lengths.count(-1) == 1 and known:
        lengths = tuple([shape[axis] // known if n == -1 else n for n in lengths])
    if not shape or not lengths or -1 in lengths or math.prod(lengths) != shape[axis]:
        raise RuntimeError(f"unflatten: sizes={lengths} do not make up dim={dim} of shape {shape}")
    return reshape(input, (*shape[:axis], *lengths, *shape[axis + 1 :]))


@numpy_names
def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without the axes of length 1, or those of them that `dim` names."""
    shape = array_of(input).shape
    axes = range(len(shape)) if dim is None else axes_of(input, dim)
    kept = [n for a, n in enumerate(shape) if n != 1 or a not in axes]
    return _reshaped(input, shape=tuple(kept))


@numpy_names
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new axis of length 1, which is at `dim` in the result."""
    return _read(input, axis_of(input, dim, more=1), None)


# The axes in another order


def permute(input: Tensor, *order: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The axes in the order `dims`."""
    axes = integers(order if dims is None else (dims,))
    if len(axes) != array_of(input).ndim:
        raise RuntimeError(f"permute: {axes} must name {input.ndim} axes, each once")
    return _transposed(input, axes=axes)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged."""
    order = list(range(array_of(input).ndim or 1))
    i, j = axis_of(input, dim0), axis_of(input, dim1)
    order[i], order[j] = j, i
    return _transposed(input, axes=tuple(order[: input._array.ndim]))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two axes exchanged."""
    return transpose(input, axis0, axis1)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """The axes at `source` moved to `destination`, the others in their order."""
    origins, targets = axes_of(input, source), axes_of(input, destination)
    if len(origins) != len(targets):
        raise RuntimeError(f"movedim: source={source} and destination={destination} differ")
    return ops.moveaxis(input, origins, targets) if input._array.ndim else view(input, ())


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector or a 0-d tensor as it is."""
    if array_of(input).ndim > 2:
        raise RuntimeError(f"t: needs at most 2 axes, got shape {tuple(input.shape)}; use mT")
    return T(input)


def T(input: Tensor) -> Tensor:
    """The axes in reverse order."""
    return _transposed(input)


def mT(input: Tensor) -> Tensor:
    """The last two axes exchanged."""
    if not input._array.ndim:
        return input
    if input._array.ndim < 2:
        raise RuntimeError(f"mT: needs at least 2 axes, got shape {tuple(input.shape)}")
    return transpose(input, -2, -1)


swapdims, moveaxis = transpose, movedim

# Repeated elements


def expand(input: Tensor, *sizes: Any, size: Sequence[int] | None = None) -> Tensor:
    """Axes of length 1 repeated to these lengths, without a copy; -1 leaves a length as it is.

    Further lengths in front make new axes.
    """
    lengths = integers(sizes if size is None else (size,), "expand")
    shape = array_of(input).shape
    new = len(lengths) - len(shape)
    if new < 0 or min(lengths, default=0) < -1 or -1 in lengths[:new]:
        raise RuntimeError(f"expand: a tensor of shape {shape} has no expansion to {lengths}")
    target = [shape[i - new] if n == -1 else n for i, n in enumerate(lengths)]
    return apply(ops.broadcast_to, (input,), {"shape": tuple(target)})


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """As expand, to the shape of `other`."""
    return expand(input, array_of(other).shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """As expand."""
    return expand(input, size)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors expanded to the shape they broadcast to."""
    xs = _unpacked(tensors)
    shape = broadcast_shapes(*[array_of(x).shape for x in xs])
    return tuple([expand(x, shape) for x in xs])


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The shape these shapes broadcast to."""
    if any(n < 0 for shape in shapes for n in (shape if isinstance(shape, Sequence) else (shape,))):
        raise ValueError(f"broadcast_shapes: lengths must not be negative, got {shapes}")
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(f"shapes {', '.join(map(str, shapes))} do not broadcast") from None


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """Copies side by side, that many along each axis; further numbers in front make new axes."""
    counts = integers(repeats)
    if len(counts) < array_of(input).ndim:
        raise RuntimeError(f"repeat: {counts} must have a number for each of {input.ndim} axes")
    return tile(input, counts)


def tile(input: Tensor, *copies: Any, dims: Sequence[int] | None = None) -> Tensor:
    """Copies side by side, that many along each axis, the last number for the last axis."""
    counts = integers(copies if dims is None else (dims,))
    if min(counts, default=0) < 0:
        raise RuntimeError(f"tile: there cannot be fewer than 0 copies, got {counts}")
    return apply(ops.tile, (input,), {"reps": counts})


def repeat_interleave(
    input: Tensor,
    repeats: int | Tensor | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element along an axis repeated in place; `repeats` is a number, or one for each.

    Without `dim` the input is taken as a vector. With one argument, that is `repeats`, and the
    result tells which element stands where.
    """
    if repeats is None:
        places = np.arange(len(array_of(input)), dtype=input._array.dtype)
        input, repeats = make(places), input
    if dim is None:
        input, dim = ravel(input), 0
    elif not array_of(input).ndim:
        raise IndexError(f"repeat_interleave: dim={dim} of a tensor without axes")
    if isinstance(repeats, int) and repeats < 0:
        raise RuntimeError(f"repeat_interleave: repeats must not be negative, got {repeats}")
    return apply(repeat_op, (input, repeats), {"axis": axis_of(input, dim)})


# Joining


@numpy_names
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along an axis, converted to a common dtype.

    Tensors of shape (0,) fit any others, and are left out.
    """
    if not _listed(tensors, "cat"):
        raise ValueError("cat: expected at least one tensor")
    joined = [x for x in tensors if x._array.shape != (0,)] or tensors
    return apply(ops.concatenate, joined, {"axis": axis_of(joined[0], dim)})


concat = concatenate = cat


@numpy_names
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape as one, along a new axis."""
    shapes = [x._array.shape for x in _listed(tensors, "stack")]
    if len(set(shapes)) != 1:
        raise RuntimeError(f"stack: expected tensors of one shape, got {shapes}")
    return apply(ops.stack, tensors, {"axis": axis_of(tensors[0], dim, more=1)})


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side: along the second axis; along the first if there is only one."""
    xs = [x if x._array.ndim else reshape(x, 1) for x in _filled(tensors, "hstack")]
    return cat(xs, 0 if xs[0]._array.ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """One above the other: along the first axis; vectors are rows."""
    return cat([x if x._array.ndim > 1 else reshape(x, 1, -1) for x in _filled(tensors, "vstack")])


row_stack = vstack


def _listed(tensors: Any, name: str) -> Sequence[Tensor]:
    if not isinstance(tensors, Sequence):
        raise TypeError(f"{name}: expected a list of tensors, got {type(tensors).__name__}")
    for x in tensors:
        array_of(x)
    return tensors


def _filled(tensors: Any, name: str) -> Sequence[Tensor]:
    if not _listed(tensors, name):
        raise RuntimeError(f"{name}: expected at least one tensor")
    return tensors


def _unpacked(tensors: Sequence[Any]) -> Sequence[Any]:
    """What was given one by one or as one list."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], Sequence) else tensors


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid from those along its axes; "xy" exchanges the first two axes."""
    xs = [reshape(x, -1) for x in _unpacked(tensors)]
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be "ij" or "xy", got {indexing!r}')
    if len({x._array.dtype for x in xs}) > 1 or any(x._array.ndim > 1 for x in _unpacked(tensors)):
        raise RuntimeError("meshgrid: expected vectors of one dtype")
    shape = [x._array.size for x in xs]
    rows = [[-1 if a == i else 1 for a in range(len(xs))] for i in range(len(xs))]
    grids = [expand(reshape(x, row), shape) for x, row in zip(xs, rows, strict=True)]
    return tuple([transpose(g, 0, 1) if indexing == "xy" and len(xs) > 1 else g for g in grids])


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All rows of one element from each vector, the last varying fastest; of one vector itself."""
    for x in tensors:
        if array_of(x).ndim != 1:
            raise RuntimeError(f"cartesian_prod: expected vectors, got shape {tuple(x.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([ravel(grid) for grid in meshgrid(*tensors)], -1)


# Parting


def split(
    tensor: Tensor,
    split_size_or_sections: int | Sequence[int] | None = None,
    dim: int = 0,
    *,
    split_size: int | Sequence[int] | None = None,
) -> tuple:
    """Views of the pieces of an axis: of one length, the last maybe shorter, or of those given.

    The method calls the lengths split_size.
    """
    if split_size_or_sections is None:
        if split_size is None:
            raise TypeError("split: the length of the pieces, or their lengths, is missing")
        split_size_or_sections = split_size
    axis = axis_of(tensor, dim)
    n = _length(tensor, axis, "split")
    if isinstance(split_size_or_sections, Sequence):
        lengths = integers((split_size_or_sections,))
    else:
        size = operator.index(split_size_or_sections)
        if size < 0 or size == 0 < n:
            raise RuntimeError(f"split: pieces need a length above 0, got {size}")
        whole = max(-(-n // size), 1) if n else 1
        lengths = (size,) * (whole - 1) + (n - size * (whole - 1),)
    if sum(lengths) != n or min(lengths, default=0) < 0:
        raise RuntimeError(f"split: lengths {lengths} do not make up the {n} of dim={dim}")
    return _pieces(tensor, axis, [*accumulate(lengths, initial=0)])


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of at most that many pieces along an axis, of one length but for the last."""
    axis = axis_of(input, dim)
    n = _length(input, axis, "chunk")
    if chunks < 1:
        raise RuntimeError(f"chunk: the number of chunks must be at least 1, got {chunks}")
    return split(input, -(-n // chunks) if n else [0] * chunks, axis)


def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of that many pieces of nearly one length along an axis, or of those cut at indices."""
    axis = axis_of(input, dim)
    n = _length(input, axis, "tensor_split")
    cuts = indices_or_sections
    if isinstance(cuts, Tensor):
        cuts = cuts.tolist()
    if isinstance(cuts, Sequence):
        return _pieces(input, axis, [0, *cuts, n])
    if cuts < 1:
        raise RuntimeError(f"tensor_split: expected at least one section, got {cuts}")
    return split(input, [n // cuts + (i < n % cuts) for i in range(cuts)], axis)


def _length(input: Tensor, axis: int, name: str) -> int:
    if not input._array.ndim:
        raise RuntimeError(f"{name}: a tensor without axes cannot be parted")
    return input._array.shape[axis]


def _pieces(input: Tensor, axis: int, cuts: Sequence[int]) -> tuple[Tensor, ...]:
    return tuple([_read(input, axis, slice(i, j)) for i, j in pairwise(cuts)])


@numpy_names
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of the slices along an axis, which they do not have."""
    axis = axis_of(input, dim)
    if not input._array.ndim:
        raise IndexError("unbind: a tensor without axes has no slices")
    return tuple([_read(input, axis, i) for i in range(input._array.shape[axis])])


def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """A view of `length` elements from `start` along an axis."""
    axis, first = axis_of(input, dim), operator.index(start)
    n = _length(input, axis, "narrow")
    if not -n <= first <= n:
        raise IndexError(f"narrow: start={first} must be in [{-n}, {n}]")
    first += n if first < 0 else 0
    if length < 0 or first + length > n:
        raise RuntimeError(f"narrow: {length} elements from {first} are not in an axis of {n}")
    return _read(input, axis, slice(first, first + length))


def select(input: Tensor, dim: int, index: int | Tensor) -> Tensor:
    """A view of the slice at an index of an axis, which it does not have."""
    return _read(input, axis_of(input, dim), operator.index(index))


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` elements, `step` apart, along an axis, as a last axis: a view.

    Writing to windows that overlap is refused.
    """
    axis, shape = axis_of(input, dimension), input._array.shape or (1,)
    n = shape[axis]
    if step < 1 or not 0 <= size <= n:
        raise RuntimeError(f"unfold: no windows of {size}, {step} apart, in an axis of {n}")
    if not input._array.ndim:
        return narrow(reshape(input, 1), 0, 0, size)
    return apply(windows, (input,), {"axis": axis, "size": size, "step": step})


# Copies and other places


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy, which gradients flow through."""
    array_of(input)
    return apply(ops.copy, (input,))


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in memory in order, else a copy."""
    return input if input._array.flags.c_contiguous else clone(input)


def flip(input: Tensor, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
    """A copy with the order of the elements along these axes reversed."""
    rank = array_of(input).ndim
    axes = axes_of(input, integers(axes if dims is None else (dims,)))
    return apply(ops.flip, (input,), {"axis": axes[:rank]})


def fliplr(input: Tensor) -> Tensor:
    """A copy with the columns in reverse order."""
    return flip(input, _with_axes(input, 2, "fliplr"))


def flipud(input: Tensor) -> Tensor:
    """A copy with the rows in reverse order."""
    return flip(input, _with_axes(input, 1, "flipud"))


def _with_axes(input: Tensor, count: int, name: str) -> int:
    if array_of(input).ndim < count:
        raise RuntimeError(f"{name}: needs {count} axes, got shape {tuple(input.shape)}")
    return count - 1


def roll(
    input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None
) -> Tensor:
    """The elements moved along axes, from the end back to the start; without dims, as a vector."""
    shift = integers((shifts,))
    if dims is None and len(shift) == 1:
        return apply(ops.roll, (input,), {"shift": shift[0]})
    axes = () if dims is None else tuple([axis_of(input, d) for d in integers((dims,))])
    if len(axes) != len(shift) or not shift:
        raise RuntimeError(f"roll: shifts={shifts} and dims={dims} must be as many")
    return apply(ops.roll, (input,), {"shift": shift, "axis": axes})


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned k times by 90 degrees, from the first of two axes towards the second."""
    _with_axes(input, 2, "rot90")
    axes = axes_of(input, dims)
    if len(axes) != 2:
        raise RuntimeError(f"rot90: expected two different dims, got {dims}")
    if k % 2 == 0:
        return flip(input, axes) if k % 4 else clone(input)
    return transpose(flip(input, axes[1] if k % 4 == 1 else axes[0]), *axes)
