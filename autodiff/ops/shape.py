"""Operations that change the layout of an array, not its elements."""

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autodiff.families import general, linear, numpy_function


def _cast(x, /, dtype):
    """x in another dtype."""
    return x.astype(dtype)


cast = linear(_cast, numpy=getattr(np, "astype", ()), x=lambda g: g)  # in NumPy since 2.1


def _copy(x, /):
    """x in memory of its own."""
    return x.copy()


copy = linear(_copy, x=lambda g: g)


def zeros(shape, like):
    """Zeros of the dtype, and in the kind of storage, of `like`."""
    if isinstance(like, (np.ndarray, np.generic)):
        return np.zeros(shape, like.dtype)  # without `like`, which takes three times as long
    return np.zeros(shape, like.dtype, like=like)


# Broadcasting


def _broadcast_to(x, /, shape):
    """x repeated along new and size-one axes, as a view."""
    if x.size == 1 and x.ndim <= len(shape) and isinstance(x, (np.ndarray, np.generic)):
        # np.broadcast_to takes 2 us; gradients of full reductions come through here every step.
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    return np.broadcast_to(x, shape)


broadcast_to = linear(_broadcast_to, numpy=np.broadcast_to, view=True, x=lambda g: g)


def _sum_to(x, /, shape):
    """x summed over the axes along which `shape` would be broadcast to its shape."""
    extra = x.ndim - len(shape)
    axes = tuple(range(extra))
    if x.shape[extra:] == shape:  # as of a bias
        n = math.prod(shape)
        if n > 1 and x.dtype.char in "fd" and x.size:  # a product with ones: 2 us, not 14
            rows = x.reshape((-1, n))
            return rows.T.dot(np.ones(rows.shape[0], x.dtype)).reshape(shape)
        return np.add.reduce(x, axis=axes)
    axes += tuple(i + extra for i, n in enumerate(shape) if n == 1 != x.shape[i + extra])
    inner = next((i for i in range(x.ndim) if all(j in axes for j in range(i, x.ndim))), x.ndim)
    n = math.prod(x.shape[inner:])
    if inner < x.ndim and 1 < n <= 2**16 and x.dtype.char in "fd" and x.size:  # of channels
        sums = x.reshape((-1, n)).dot(np.ones(n, x.dtype)).reshape(x.shape[:inner])
        outer = tuple([i for i in axes if i < inner])
        return (np.add.reduce(sums, axis=outer) if outer else sums).reshape(shape)
    return np.add.reduce(x, axis=axes, keepdims=True).reshape(shape)


sum_to = linear(_sum_to, x=lambda g: g)


def fit(g, shape):
    """A gradient in the shape of what it belongs to: summed, or spread, over broadcast axes."""
    extra = g.ndim - len(shape)
    spread = extra < 0 or (extra == 0 and any(n == 1 != m for n, m in zip(g.shape, shape)))
    operation = broadcast_to if spread else sum_to
    if g.__class__ is np.ndarray:
        return operation.forward(g, shape)  # 2.0 us for a bias where the call takes 3.5
    return operation(g, shape=shape)


# The same elements under other indices


def _reshape(x, /, shape):
    """x laid out as `shape`, same elements in the same order."""
    return x.reshape(shape)


reshape = linear(_reshape, view=True, x=lambda g, x_shape: g.reshape(x_shape))


@numpy_function(np.ravel)
def ravel(x):
    """x as a vector."""
    return reshape(x, shape=(-1,))


@numpy_function(np.expand_dims)
def expand_dims(x, axis):
    """x with new axes of length 1, which are at `axis` in the result."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    axes = normalize_axis_tuple(axes, x.ndim + len(axes))
    lengths = iter(x.shape)
    return reshape(
        x, shape=tuple(1 if i in axes else next(lengths) for i in range(x.ndim + len(axes)))
    )


@numpy_function(np.squeeze)
def squeeze(x, axis=None):
    """x without its axes of length 1, or without these of them."""
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if axis is not None and any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"axes {axis} of shape {tuple(x.shape)} are not all of length 1")
    return reshape(x, shape=tuple(n for a, n in enumerate(x.shape) if not (n == 1 and a in axes)))


def _transpose(x, /, axes=None):
    """x with its axes in this order, or reversed."""
    return x.transpose(axes)


def _transpose_x(g, axes):
    if axes is None:
        return np.transpose(g)
    n = len(axes)
    return np.transpose(g, sorted(range(n), key=[a % n for a in axes].__getitem__))


transpose = linear(_transpose, numpy=np.transpose, view=True, x=_transpose_x)


@numpy_function(np.moveaxis)
def moveaxis(x, source, destination):
    """x with the axes at `source` moved to `destination`, the others in their order."""
    source = normalize_axis_tuple(source, x.ndim, "source")
    destination = normalize_axis_tuple(destination, x.ndim, "destination")
    if len(source) != len(destination):
        raise ValueError(f"moveaxis: {source} and {destination} are not as many axes")
    order = [a for a in range(x.ndim) if a not in source]
    for to, a in sorted(zip(destination, source, strict=True)):
        order.insert(to, a)
    return transpose(x, axes=tuple(order))


@numpy_function(np.swapaxes)
def swapaxes(x, axis1, axis2):
    """x with two axes exchanged."""
    order = list(range(x.ndim))
    i, j = normalize_axis_index(axis1, x.ndim), normalize_axis_index(axis2, x.ndim)
    order[i], order[j] = j, i
    return transpose(x, axes=tuple(order))


def _flip(x, /, axis=None):
    """x with the order of its elements along the axes reversed."""
    return np.flip(x, axis).copy()


def _roll(x, /, shift, axis=None):
    """x with its elements moved along the axes, from the end back to the start."""
    return np.roll(x, shift, axis)


def _roll_x(g, shift, axis):
    back = tuple(-n for n in shift) if isinstance(shift, tuple) else -shift
    return roll(g, shift=back, axis=axis)


flip = linear(_flip, numpy=np.flip, x=lambda g, axis: flip(g, axis=axis))
roll = linear(_roll, x=_roll_x)

# Joining


def _part(axis, item):
    """The key for `item` of an axis, counted from the first."""
    return (slice(None),) * axis + (item,)


def _concatenate(*xs, axis=0):
    """The arrays one after the other along an axis."""
    return np.concatenate(xs, axis)


def _concatenate_xs(g, xs_shape, axis, position):
    axis %= g.ndim
    start = sum([shape[axis] for shape in xs_shape[:position]])
    return g[_part(axis, slice(start, start + xs_shape[position][axis]))]


def _stack(*xs, axis=0):
    """The arrays one after the other along a new axis."""
    key = _part(axis % (xs[0].ndim + 1), None)
    return np.concatenate([x[key] for x in xs], axis)  # np.stack takes twice the time


concatenate = linear(_concatenate, promote="common", xs=_concatenate_xs)
stack = linear(
    _stack,
    promote="common",
    xs=lambda g, axis, position: g[_part(axis % g.ndim, position)],
)


@numpy_function(np.stack)
def _numpy_stack(xs, axis=0):
    return stack(*xs, axis=axis)


def _tile(x, /, reps):
    """x repeated that often along each axis, the last entry for the last axis."""
    return np.tile(x, reps)


def _tile_x(g, reps, x_shape):
    """The sum over the copies, which are an axis of their own in front of each axis of x."""
    n = max(len(reps), len(x_shape))
    lengths = (1,) * (n - len(x_shape)) + x_shape
    copies = (1,) * (n - len(reps)) + tuple(reps)
    split = [m for pair in zip(copies, lengths) for m in pair]
    summed = [m for length in lengths for m in (1, length)]
    return sum_to(g.reshape(tuple(split)), shape=tuple(summed)).reshape(x_shape)


tile = linear(_tile, x=_tile_x)


def _pad(x, /, pad_width, constant=0.0):
    """x with (before, after) elements of a constant added along each axis."""
    shape = [n + before + after for n, (before, after) in zip(x.shape, pad_width, strict=True)]
    out = np.full(shape, constant, x.dtype, like=x)
    out[_core(pad_width, x.shape)] = x
    return out


def _core(pad_width, shape):
    return tuple(slice(before, before + n) for (before, _), n in zip(pad_width, shape, strict=True))


# Not linear: a constant other than 0 stays when x is scaled.
pad = general(_pad, x=lambda g, pad_width, x_shape: g[_core(pad_width, x_shape)])

# Triangles and diagonals of the matrices in the last two, or any two, axes


def _tril(x, /, k=0):
    """x with zeros above the k-th diagonal."""
    return np.tril(x, k)


def _triu(x, /, k=0):
    """x with zeros below the k-th diagonal."""
    return np.triu(x, k)


tril = linear(_tril, numpy=np.tril, x=lambda g, k: tril(g, k=k))
triu = linear(_triu, numpy=np.triu, x=lambda g, k: triu(g, k=k))


def _diagonal(x, /, offset=0, axis1=0, axis2=1):
    """The diagonals over two axes, `offset` to the right of the main one, as a view's last axis."""
    x = np.moveaxis(x, (axis1, axis2), (-2, -1))[..., max(-offset, 0) :, max(offset, 0) :]
    n = min(x.shape[-2:])
    return np.einsum("...ii->...i", x[..., :n, :n])  # np.diagonal's cannot be written to


def _undiagonal(g, /, offset, axis1, axis2, shape):
    """Zeros of `shape`, with g on the diagonals."""
    out = zeros(shape, g)
    _diagonal(out, offset, axis1, axis2)[...] = g
    return out


# Each is the other's derivative.
diagonal = linear(
    _diagonal,
    numpy=np.diagonal,
    view=True,
    x=lambda g, offset, axis1, axis2, x_shape: undiagonal(
        g, offset=offset, axis1=axis1, axis2=axis2, shape=x_shape
    ),
)
undiagonal = linear(
    _undiagonal,
    g=lambda g, offset, axis1, axis2: diagonal(g, offset=offset, axis1=axis1, axis2=axis2),
)
