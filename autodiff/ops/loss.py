"""Losses that are one operation: composed, they would be a quarter of a small model's step."""

import math
from functools import lru_cache

import numpy as np

from autodiff.families import elementwise, general, linear
from autodiff.ops.activation import log_sigmoid
from autodiff.ops.bounds import at_least
from autodiff.ops.elementwise import sigmoid
from autodiff.ops.index import within
from autodiff.ops.shape import zeros


def _mean_square_error(x, y, /):
    """The mean of (x - y)^2 over all elements, of float16 in float32: their sum may be large."""
    d = (x - y).reshape((-1,))
    if d.dtype.char == "e":
        d = d.astype(np.float32)
        return (d.dot(d) / d.size).astype(np.float16)
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


def _check_probabilities(x, y):
    for a, what in (x, "input"), (y, "target"):
        if a.size and not within(a, 0, 1):
            raise ValueError(
                f"the {what} must be probabilities, got elements from {a.min()} to {a.max()}; for "
                "logits take binary_cross_entropy_with_logits"
            )


def _cross_entropy_of_probabilities(x, y):
    return (y - 1) * at_least(np.log1p(-x), -100) - y * at_least(np.log(x), -100)


def _binary_cross_entropy(x, y, /):
    """-(y log x + (1 - y) log(1 - x)), each logarithm -100 at least."""
    _check_probabilities(x, y)
    return _cross_entropy_of_probabilities(x, y)


def _binary_cross_entropy_with_logits(x, y, /):
    """The same of sigmoid(x), without overflow."""
    return (1 - y) * x - log_sigmoid.forward(x)


# Where x is 0 or 1 the derivative by x is bounded by 1e12, as in PyTorch.
binary_cross_entropy = elementwise(
    _binary_cross_entropy,
    promote="match",
    check=_check_probabilities,
    body=_cross_entropy_of_probabilities,
    x=lambda g, x, y: g * ((x - y) / at_least(x * (1 - x), 1e-12)),
    y=lambda g, x: g * (np.log1p(-x) - np.log(x)),
)
binary_cross_entropy_with_logits = elementwise(
    _binary_cross_entropy_with_logits,
    promote="float",
    x=lambda g, x, y: g * (sigmoid(x) - y),
    y=lambda g, x: -g * x,
)


@lru_cache(64)
def _row_starts(n, width):
    """Where the rows of a matrix start, counted row by row."""
    return np.arange(0, n * width, width)


def _targets(target, ignore_index, width):
    """The positions of the targets in a matrix (N, width), counted row by row, but the ignored.

    Raises: IndexError if a target is not a class.
    """
    positions = _row_starts(target.shape[0], width)
    if target.size and not within(target, 0, width - 1):
        rows = (target != ignore_index).nonzero()[0]
        positions, target = positions[rows], target[rows]
        if rows.size and not within(target, 0, width - 1):
            raise IndexError(
                f"the target must be class indices from 0 to {width - 1}, or ignore_index="
                f"{ignore_index}; got {target.min()} to {target.max()}"
            )
    elif ignore_index >= 0:
        rows = (target != ignore_index).nonzero()[0]
        positions, target = positions[rows], target[rows]
    return positions + target


def _nll_loss(x, target, /, ignore_index):
    """Minus the mean of the elements of x (N, C) at the target (N,), ignored rows left out."""
    positions = _targets(target, ignore_index, x.shape[1])
    return np.add.reduce(x.take(positions)) / -positions.size


def _nll_loss_x(g, target, /, ignore_index, shape):
    """Zeros of `shape`, with -g / n at the target of each of the n rows not ignored."""
    out = zeros(shape, g)
    positions = _targets(target, ignore_index, shape[1])
    out.reshape(-1)[positions] = g / -max(positions.size, 1)
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
