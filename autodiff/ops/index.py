"""Reading and writing elements chosen by an index."""

import math

import numpy as np

from autodiff.families import elementwise, linear
from autodiff.ops.shape import zeros

# By a key of integers, slices, None and Ellipsis


def _getitem(x, /, key):
    """x[key] for a key of integers, slices, None and Ellipsis: a view."""
    out = x[key]
    if isinstance(out, np.generic):  # one element is a copy unless the key has an Ellipsis
        out = x[(*key, ...) if isinstance(key, tuple) else (key, ...)]
    return out


def _ungetitem(g, /, key, shape):
    """Zeros of `shape`, with g at [key]."""
    out = zeros(shape, g)
    out[key] = g
    return out


def _add_at_key(total, g, key, x_shape):
    total[key] += g


# Each is the other's derivative.
getitem = linear(
    _getitem,
    view=True,
    x=lambda g, key, x_shape: ungetitem(g, key=key, shape=x_shape),
    accumulate=_add_at_key,
)
ungetitem = linear(_ungetitem, g=lambda g, key: getitem(g, key=key))

# In windows along an axis


def _windows(x, /, axis, size, step):
    """Windows of `size` elements, `step` apart, as a last axis: a view, read-only if they overlap.

    Not a sliding_window_view(), whose `base` does not lead to the memory that it shows.
    """
    memory = x
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    start = x.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    stride, count = x.strides[axis], (x.shape[axis] - size) // step + 1
    view = np.ndarray(
        (*x.shape[:axis], count, *x.shape[axis + 1 :], size),
        x.dtype,
        memory.transpose(np.argsort(memory.strides)[::-1]),
        start,
        (*x.strides[:axis], stride * step, *x.strides[axis + 1 :], stride),
    )
    view.flags.writeable = x.flags.writeable and (size <= step or count == 1)
    return view


def _unwindows(g, /, axis, step, shape):
    """Zeros of `shape`, with windows added where they lie along an axis."""
    out = zeros(shape, g)
    for i in range(g.shape[-1]):
        places = slice(i, i + (g.shape[axis] - 1) * step + 1, step)
        out[(slice(None),) * axis + (places,)] += g[..., i]
    return out


# Each is the other's derivative.
windows = linear(
    _windows,
    view=True,
    x=lambda g, axis, step, x_shape: unwindows(g, axis=axis, step=step, shape=x_shape),
)
unwindows = linear(
    _unwindows, g=lambda g, axis, step, g_shape: windows(g, axis=axis, size=g_shape[-1], step=step)
)

# By a key that holds integer or boolean arrays


def fill_in(form, indices):
    """The key whose arrays are `indices`: they stand where `form` has ().

    form: one entry an item of the key, () for the next array, or (item,) for itself.
    """
    arrays = iter(indices)
    return tuple(next(arrays) if not entry else entry[0] for entry in form)


def add_at(out, positions, values):
    """Add values to a contiguous array at positions counted row by row; repeated ones add up."""
    # np.add.at is fast on vectors only: 0.14 ms for the 1024 rows of 64 of an embedding's gradient
    # where a key for rows takes 0.7.
    np.add.at(out.reshape(-1), positions.reshape(-1), values.reshape(-1))
    return out


def _single_axis(form, indices):
    """The axis that one integer array indexes, if that is all: x[:, …, i]; else None."""
    axis = len(form) - 1
    alone = len(indices) == 1 and form == ((slice(None),),) * axis + ((),)
    return axis if alone and indices[0].dtype.kind != "b" else None


def _masked(x, *indices):
    return any(i.dtype.kind == "b" for i in indices if hasattr(i, "dtype"))


def _index(x, /, *indices, form):
    """x[key] for a key that holds integer or boolean arrays."""
    axis = _single_axis(form, indices)
    if axis is not None and isinstance(x, np.ndarray) and x.flags.c_contiguous:
        return x.take(indices[0], axis)  # 6 us for 1024 rows of 64, where x[key] takes 10
    return x[fill_in(form, indices)]


def _unindex(g, /, *indices, form, shape):
    """Zeros of `shape`, with g added at [key]; repeated indices add up."""
    out = zeros(shape, g)
    _add_at_indices(out, g, indices, form, shape)
    return out


def _add_at_indices(total, g, indices, form, x_shape):
    axis = _single_axis(form, indices)
    if axis is not None and total.flags.c_contiguous:
        add_at(total, _slices(indices[0], axis, x_shape), g)
    elif all(i.dtype.kind == "b" for i in indices):
        total[fill_in(form, indices)] += g
    else:
        np.add.at(total, fill_in(form, indices), g)


def _slices(indices, axis, shape):
    """The positions of the elements of x[:, …, indices] in x, counted row by row."""
    before, n, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    rows = np.arange(before)[:, None] * n + indices.reshape(-1).astype(np.intp) % n
    return rows[..., None] * after + np.arange(after)


index = linear(
    _index,
    x=lambda g, indices, form, x_shape: unindex(g, *indices, form=form, shape=x_shape),
    accumulate=_add_at_indices,
    varying=_masked,
)
unindex = linear(
    _unindex, varying=_masked, g=lambda g, indices, form: index(g, *indices, form=form)
)


def _index_put(x, v, /, *indices, form):
    """x with v at [key]; where indices repeat, the last one stays."""
    out = np.array(x, order="C")
    out[fill_in(form, indices)] = v
    return out


# v has the gradient at its index also where another element is the one that stays, as in PyTorch.
index_put = linear(
    _index_put,
    varying=lambda x, v, *indices: _masked(x, *indices),
    x=lambda g, indices, form: index_put(g, 0.0, *indices, form=form),
    v=lambda g, indices, form: index(g, *indices, form=form),
)

# By indices of slices along an axis, counted from its start


def within(a, low, high):
    """Whether low <= a <= high in every element; by positions, which takes a third of min()."""
    return low <= a.flat[a.argmin()] and a.flat[a.argmax()] <= high


def _check_indices(indices, axis, count, error=IndexError):
    if indices.size and not within(indices, 0, count - 1):
        raise error(
            f"indices along axis {axis} must be at least 0 and below {count}, got {indices.min()} "
            f"to {indices.max()}"
        )


def _indices(indices, /, axis, count, error=IndexError):
    """The indices. Raises: `error` if they are not all in [0, count)."""
    _check_indices(indices, axis, count, error)
    return indices


indices_within = elementwise(
    _indices,
    name="indices",
    promote="keep",
    view=True,
    check=_check_indices,
    body=lambda indices, axis, count, error=None: indices,
)

# By positions, counted row by row


def _put(x, v, /, positions):
    """x with v at these positions of its elements, counted row by row."""
    out = np.array(x, order="C")
    out.reshape(-1)[positions] = v
    return out


def _take(x, /, positions):
    """The elements of x at these positions, counted row by row."""
    return x.reshape(-1)[positions]


def _untake(g, /, positions, shape):
    """Zeros of `shape`, with g added at these positions."""
    return add_at(zeros(shape, g), positions, g)


put = linear(
    _put,
    x=lambda g, positions: put(g, 0.0, positions=positions),
    v=lambda g, positions: take(g, positions=positions),
)
take = linear(_take, x=lambda g, positions, x_shape: untake(g, positions=positions, shape=x_shape))
untake = linear(_untake, g=lambda g, positions: take(g, positions=positions))

# By indices along one axis: for axis 1, gather(x, indices)[i][j][k] is x[i][indices[i][j][k]][k].
# `indices` has as many axes as x, and those other than the one indexed may be shorter.


def positions_along(indices, axis, shape):
    """Where in an array of this shape, counted row by row, these indices along an axis point."""
    key = [
        np.arange(n).reshape((n,) + (1,) * (indices.ndim - 1 - a))
        for a, n in enumerate(indices.shape)
    ]
    key[axis] = indices
    try:
        if indices.size < 2**12:
            return np.ravel_multi_index(tuple(key), shape)
        key[axis] = np.zeros((1,) * indices.ndim, np.int64)  # half the time for many
        if within(indices, 0, shape[axis] - 1):
            starts = np.ravel_multi_index(tuple(key), shape)
            unit = math.prod(shape[axis % len(shape) + 1 :])
            return starts + indices.astype(np.int64, copy=False) * unit
    except ValueError:
        pass
    raise ValueError(
        f"indices along axis {axis} must be at least 0 and below {shape[axis]}, and along the "
        f"other axes there must be no more of them than the shape {shape} has"
    )


def _gather(x, indices, /, axis):
    """The elements of x at these indices along an axis."""
    return x.reshape(-1)[positions_along(indices, axis, x.shape)]


def _ungather(g, indices, /, axis, shape):
    """Zeros of `shape`, with g added at these indices along an axis; repeated indices add up."""
    return add_at(zeros(shape, g), positions_along(indices, axis, shape), g)


def _scatter(x, indices, v, /, axis):
    """x with v at these indices along an axis; where some repeat, the last one stays."""
    out = np.array(x, order="C")
    out.reshape(-1)[positions_along(indices, axis, x.shape)] = v
    return out


gather = linear(
    _gather,
    x=lambda g, indices, axis, x_shape: ungather(g, indices, axis=axis, shape=x_shape),
)
ungather = linear(_ungather, g=lambda g, indices, axis: gather(g, indices, axis=axis))
# v has the gradient at its index also where another element is the one that stays, as in PyTorch.
scatter = linear(
    _scatter,
    x=lambda g, indices, axis: scatter(g, indices, 0.0, axis=axis),
    v=lambda g, indices, axis: gather(g, indices, axis=axis),
)


def take_along_axis(x, indices, axis=-1):
    """As gather, but the other axes are broadcast, and an index may count from the end."""
    axis %= x.ndim
    others = np.broadcast_shapes(
        *((*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in (x, indices))
    )

    def spread(a):
        return np.broadcast_to(a, (*others[:axis], a.shape[axis], *others[axis + 1 :]))

    indices = np.where(indices < 0, indices + x.shape[axis], indices)
    return gather(spread(x), spread(indices), axis=axis)


def _repeat(x, repeats, /, axis):
    """x with each element along an axis as often as `repeats` says, a number or one for each."""
    return np.repeat(x, repeats, axis)


def _repeat_x(g, repeats, axis, x_shape):
    sources = np.repeat(np.arange(x_shape[axis]), repeats, 0)
    return unindex(g, sources, form=((slice(None),),) * axis + ((),), shape=x_shape)


repeat = linear(_repeat, varying=lambda x, repeats: hasattr(repeats, "dtype"), x=_repeat_x)
