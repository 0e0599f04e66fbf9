"""Losses that are one operation: composed, they would be a quarter of a small model's step."""

import math

from autodiff.primitive import general


def _mean_square_error(x, y, /):
    """The mean of (x - y)^2 over all elements."""
    d = (x - y).reshape((-1,))
    return d.dot(d) / d.size


def _difference(g, x, y):
    d = x - y
    return d * (g * (2.0 / max(1, math.prod(d.shape))))


mean_square_error = general(
    _mean_square_error,
    promote="common",
    x=_difference,
    y=lambda g, x, y: -_difference(g, x, y),
)
