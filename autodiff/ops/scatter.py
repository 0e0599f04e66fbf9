"""Products and extremes of an array and the elements that an index along an axis adds to it.

Their sums need no operation: x + ungather(v, indices).
"""

import numpy as np

from autodiff.families import general
from autodiff.ops.index import gather, positions_along, ungather
from autodiff.ops.shape import cast


def _scatter_extreme(x, indices, v, /, axis, largest):
    """The largest, or the smallest, of x and the v at these indices."""
    out = np.array(x, order="C")
    extreme = np.maximum if largest else np.minimum
    extreme.at(out.reshape(-1), positions_along(indices, axis, x.shape), v)
    return out


def _winners(g, x, indices, v, out, axis):
    """Which of x and of v are equal to the output, and g in even shares to them."""
    of_x, of_v = x == out, v == gather(out, indices, axis=axis)
    count = cast(of_x, dtype=g.dtype) + ungather(
        cast(of_v, dtype=g.dtype), indices, axis=axis, shape=x.shape
    )
    return of_x, of_v, g / count


def _scatter_extreme_x(g, x, indices, v, out, axis):
    of_x, _, share = _winners(g, x, indices, v, out, axis)
    return of_x * share


def _scatter_extreme_v(g, x, indices, v, out, axis):
    _, of_v, share = _winners(g, x, indices, v, out, axis)
    return of_v * gather(share, indices, axis=axis)


def _scatter_prod(x, indices, v, /, axis):
    """The product of x and the v at these indices."""
    out = np.array(x, order="C")
    np.multiply.at(out.reshape(-1), positions_along(indices, axis, x.shape), v)
    return out


def _scatter_prod_v(g, x, indices, v, axis):
    """g times x and the other v of the same place: without division by a v that is 0."""
    zero = v == 0
    one = cast(zero, dtype=g.dtype)
    count = ungather(one, indices, axis=axis, shape=x.shape)
    other_zeros = gather(count, indices, axis=axis) - one
    v = np.where(zero, 1.0, v)
    product = gather(g * scatter_prod(x, indices, v, axis=axis), indices, axis=axis)
    return np.where(other_zeros == 0, product / v, 0.0)


scatter_extreme = general(_scatter_extreme, x=_scatter_extreme_x, v=_scatter_extreme_v)
scatter_prod = general(
    _scatter_prod,
    x=lambda g, indices, v, axis: scatter_prod(g, indices, v, axis=axis),
    v=_scatter_prod_v,
)
