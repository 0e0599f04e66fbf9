"""Losses that are one operation: composed, they would be a quarter of a small model's step."""

import math

import numpy as np

from autodiff.ops.activation import log_sigmoid
from autodiff.ops.elementwise import sigmoid
from autodiff.ops.shape import zeros
from autodiff.primitive import elementwise, general, linear


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


def _check_probabilities(x, what):
    if x.size and not (
        0 <= np.minimum.reduce(x, axis=None) <= np.maximum.reduce(x, axis=None) <= 1
    ):
        raise ValueError(
            f"the {what} must be probabilities, got elements from {x.min()} to {x.max()}; for "
            "logits take binary_cross_entropy_with_logits"
        )


@np.errstate(divide="ignore")
def _binary_cross_entropy(x, y, /):
    """-(y log x + (1 - y) log(1 - x)), each logarithm -100 at least."""
    _check_probabilities(x, "input")
    _check_probabilities(y, "target")
    return (y - 1) * np.maximum(np.log1p(-x), -100) - y * np.maximum(np.log(x), -100)


def _binary_cross_entropy_with_logits(x, y, /):
    """The same of sigmoid(x), without overflow."""
    return (1 - y) * x - log_sigmoid.forward(x)


# Where x is 0 or 1 the derivative by x is bounded by 1e12, as in PyTorch.
binary_cross_entropy = elementwise(
    _binary_cross_entropy,
    promote="match",
    x=lambda g, x, y: g * ((x - y) / np.maximum(x * (1 - x), 1e-12)),
    y=lambda g, x: g * (np.log1p(-x) - np.log(x)),
)
binary_cross_entropy_with_logits = elementwise(
    _binary_cross_entropy_with_logits,
    promote="float",
    x=lambda g, x, y: g * (sigmoid(x) - y),
    y=lambda g, x: -g * x,
)


def _nll_loss(x, target, /, ignore_index):
    """Minus the mean of the elements of x (N, C) at the target (N,), ignored rows left out."""
    rows = (target != ignore_index).nonzero()[0]
    columns = target[rows]
    if rows.size and not 0 <= columns.min() <= columns.max() < x.shape[1]:
        raise IndexError(
            f"the target must be class indices from 0 to {x.shape[1] - 1}, or ignore_index="
            f"{ignore_index}; got {columns.min()} to {columns.max()}"
        )
    return np.add.reduce(x[rows, columns]) / -rows.size


def _nll_loss_x(g, target, /, ignore_index, shape):
    """Zeros of `shape`, with -g / n at the target of each of the n rows not ignored."""
    out = zeros(shape, g)
    rows = (target != ignore_index).nonzero()[0]
    out[rows, target[rows]] = g / -max(rows.size, 1)
    return out


# Each is the other's derivative.
nll_loss = linear(
    _nll_loss,
    x=lambda g, target, ignore_index, x_shape: nll_loss_x(
        g, target, ignore_index=ignore_index, shape=x_shape
    ),
)
nll_loss_x = linear(
    _nll_loss_x,
    g=lambda g, target, ignore_index: nll_loss(g, target, ignore_index=ignore_index),
)
