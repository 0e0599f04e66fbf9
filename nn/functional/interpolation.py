"""Images, signals and volumes of another size."""

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from autodiff import Tensor, tensor, uint8
from nn.functional.activation import check_floating
from nn.functional.arguments import check_tensors

__all__ = ("interpolate", "upsample", "upsample_bilinear", "upsample_nearest")

_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
"""How many axes besides (N, C) each mode is for; the others are for one to three."""


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """`input` resampled along all axes but (N, C), to `size` or by `scale_factor`.

    Pixels are squares with a number at the centre: the k-th of m new ones lies at (k + 1/2) n / m -
    1/2 among the n old ones.

    mode: "nearest" takes the pixel at floor(k n / m), "nearest-exact" the one nearest in truth;
        "linear", "bilinear", "trilinear" by the name of the number of axes, and "bicubic" (with
        a = -3/4) weigh the nearest 2 or 4 along each axis; "area" takes the mean of all in reach.
    align_corners: the centres of the outermost pixels stay where they are.
    recompute_scale_factor: measure by the size that comes of scale_factor rounded down, not by
        scale_factor itself.
    antialias: when an image gets smaller by "bilinear" or "bicubic" (a = -1/2), weigh more pixels.
    A pixel that is infinite or nan spreads to its rows and columns, unless the nearest is taken.

    Raises: ValueError, NotImplementedError if the arguments do not fit each other; RuntimeError if
        a size is not positive.
    Source: Keys 1981, "Cubic convolution interpolation for digital image processing".
    """
    check_tensors("interpolate", input)
    axes = input.ndim - 2
    _check(input, axes, mode, align_corners, antialias)
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate needs size or scale_factor, and not both")
    shape = tuple(input.shape[2:])
    scales: list = [None] * axes
    if size is not None:
        if recompute_scale_factor:
            raise ValueError("interpolate: recompute_scale_factor is for scale_factor, not size")
        sizes = [operator.index(m) for m in _for_each("size", size, shape)]
    else:
        factors = _for_each("scale_factor", scale_factor, shape)
        sizes = [int(n * factor) for n, factor in zip(shape, factors, strict=True)]
        if not recompute_scale_factor and mode != "area":
            scales = factors
    if min(*shape, *sizes, input.shape[1]) < 1:
        raise RuntimeError(
            f"interpolate cannot make size {tuple(sizes)} of input of shape {tuple(input.shape)}"
        )
    for axis in range(axes - 1, -1, -1):  # the last first: 5 ms for 4 million pixels, not 8
        n, m = shape[axis], sizes[axis]
        step = 1 / scales[axis] if scales[axis] else n / m
        if n == m and mode not in ("nearest-exact", "bicubic"):
            step = 1.0
        if mode.startswith("nearest"):
            input = input.index_select(axis + 2, tensor(_nearest(n, m, step, mode)))
        else:
            weights = _weights(n, m, step, mode, bool(align_corners), antialias)
            input = _product(weights, input, axis + 2)
    return input


def _product(weights: np.ndarray, input: Tensor, axis: int) -> Tensor:
    """The matrix of weights times the vectors along an axis.

    Products with all those zeros take a third of the time, backward pass included, of adding up
    what two or four indices pick (16 x 64 images from 32 x 32 to 64 x 64 pixels).
    """
    weights = weights.astype(input.dtype)
    shape = tuple(input.shape)
    if axis == len(shape) - 1:
        return input @ weights.T
    rows = input.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    return (weights @ rows).reshape(*shape[:axis], len(weights), *shape[axis + 1 :])


def _nearest(n: int, m: int, step: float, mode: str) -> np.ndarray:
    """Which of n pixels each of m takes; in float32, as PyTorch, for the same choice at ties."""
    k = np.arange(m, dtype=np.float32) + np.float32(mode == "nearest-exact") / 2
    return np.minimum((k * np.float32(step)).astype(np.int64), n - 1)


@lru_cache(64)
def _weights(n: int, m: int, step: float, mode: str, align: bool, antialias: bool) -> np.ndarray:
    """How much each of n pixels counts for each of m.  -> (m, n)"""
    k, j = np.arange(m)[:, None], np.arange(n)
    if mode == "area":
        inside = (j >= k * n // m) & (j < -(-(k + 1) * n // m))
        return inside / inside.sum(1, keepdims=True)
    if align:
        step = (n - 1) / (m - 1) if m > 1 else 0.0
    if antialias:
        distance = (j + 0.5 - (k + 0.5) * step) / max(step, 1.0)
        weights = _cubic(distance, -0.5) if mode == "bicubic" else _linear(distance)
        return weights / weights.sum(1, keepdims=True)
    place = k * step if align else (k + 0.5) * step - 0.5
    if mode != "bicubic":
        place = np.maximum(place, 0.0)
    first = np.minimum(np.floor(place), n - 1)
    place = np.minimum(place, first + 1)
    taps = first + (np.arange(-1, 3) if mode == "bicubic" else np.arange(2))
    distance = place - taps
    weights = np.zeros((m, n))
    where = k, np.clip(taps, 0, n - 1).astype(np.int64)
    np.add.at(weights, where, _cubic(distance, -0.75) if mode == "bicubic" else _linear(distance))
    return weights


def _linear(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(distance), 0.0)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = a * (((d - 5) * d + 8) * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _for_each(name: str, given: Any, shape: tuple[int, ...]) -> list:
    """One number for each axis. Raises: ValueError if there are more or fewer."""
    numbers = list(given) if isinstance(given, (list, tuple)) else [given for _ in shape]
    if len(numbers) != len(shape):
        raise ValueError(f"interpolate: {name}={given} for the {len(shape)} axes {shape} of input")
    return numbers


def _check(input: Tensor, axes: int, mode: str, align: bool | None, antialias: bool) -> None:
    simple = mode in ("nearest", "nearest-exact", "area")
    if simple and align is not None:
        raise ValueError(f"interpolate: align_corners is not for mode={mode!r}")
    if axes not in ((1, 2, 3) if simple else (_AXES.get(mode),)):
        raise NotImplementedError(
            f"interpolate: mode={mode!r} does not serve input of shape {tuple(input.shape)}; take "
            "'nearest', 'nearest-exact' or 'area' for one to three axes besides (N, C), 'linear' "
            "for one, 'bilinear' or 'bicubic' for two, 'trilinear' for three"
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolate: antialias is for 'bilinear' and 'bicubic', not {mode!r}")
    if mode == "area" or not simple or input.dtype != uint8:
        check_floating("interpolate", input)


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """As interpolate."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """As interpolate by "nearest"."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """As interpolate by "bilinear", with align_corners."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
