"""Sorting, searching and counting: operations whose results are positions or have no derivative."""

import numpy as np

from autodiff.families import general


def _argsort(x, /, axis=-1, descending=False):
    """The indices that sort x along an axis; of equals the first comes first, nan is largest."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    order = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(order, axis)


def _nonzero(x, /):
    """The indices of the elements that are not zero, a row for each."""
    return np.argwhere(x)


def _unique(x, /, axis=None, part=0):
    """The different elements in order; as part 1 which of them each is, as part 2 how many are."""
    found = np.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    return found[1].reshape(x.shape if axis is None else -1) if part == 1 else found[part]


def _searchsorted(x, values, /, side="left"):
    """Where in x, sorted along its last axis, each value belongs; x may be one row for all."""
    if x.ndim == 1:
        return x.searchsorted(values, side)
    rows = zip(x.reshape((-1, x.shape[-1])), values.reshape((-1, values.shape[-1])))
    found = [row.searchsorted(value, side) for row, value in rows]
    return np.array(found, np.int64).reshape(values.shape)


def _bincount(x, weights=None, /, minlength=0):
    """How often each integer from 0 occurs in x, or the sum of the weights where it does."""
    if not x.size:
        weights = None  # the result is of integers, as in PyTorch
    found = np.bincount(x, weights, minlength)
    return found if weights is None or weights.dtype.kind != "f" else found.astype(weights.dtype)


def _isin(x, values, /):
    """Whether each element of x is among the values."""
    return np.isin(x, values)


argsort = general(_argsort)
nonzero = general(_nonzero, numpy=np.argwhere, varying=lambda x: True)
unique = general(_unique, varying=lambda x: True)
searchsorted = general(_searchsorted)
bincount = general(_bincount, numpy=np.bincount, varying=lambda *arrays: True)
isin = general(_isin)
