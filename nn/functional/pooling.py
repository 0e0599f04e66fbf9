"""Pooling: one number for each window.

Shapes: input (N, C, …) or (C, …), with one axis more for each dimension.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from autodiff import Tensor, bool_, kernels, tensor, where
from autodiff.kernels import Windows
from nn.functional.activation import check_floating
from nn.functional.arguments import check_tensors
from nn.functional.window import check_axes, for_axes, sliding

__all__ = (
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
)

Sizes = int | Sequence[int]
Pair = tuple[Tensor, Tensor]


def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | Pair:
    """As max_pool2d, for (N, C, L)."""
    check_floating("max_pool1d", input)
    settings = kernel_size, stride, padding, dilation, ceil_mode
    return _max_pool("max_pool1d", 1, input, *settings, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | Pair:
    """The largest element of each window; the gradient goes to the first, row by row.

    stride: kernel_size if it is None. padding: at most half of kernel_size, as if -inf.
    ceil_mode: a last window may go beyond the padding. return_indices: also where in the image,
    counted row by row, the largest elements are.
    """
    settings = kernel_size, stride, padding, dilation, ceil_mode
    return _max_pool("max_pool2d", 2, input, *settings, return_indices)


max_pool1d_with_indices = partial(max_pool1d, return_indices=True)
max_pool2d_with_indices = partial(max_pool2d, return_indices=True)


def _max_pool(
    name: str,
    axes: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool,
) -> Tensor | Pair:
    check_tensors(name, input)
    if input.dtype == bool_:
        raise NotImplementedError(f"{name} of bools is not provided; convert with .float()")
    windows, _ = _windows(name, axes, input, kernel_size, stride, padding, dilation, ceil_mode)
    out = kernels.max_pool(input, windows)
    return (out, kernels.max_pool_positions(input, out, windows)) if return_indices else out


def _windows(
    name: str,
    axes: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> tuple[Windows, tuple[int, ...]]:
    """The windows that the settings describe, and the padding along each axis."""
    check_axes(name, input, axes)
    size = for_axes(name, "kernel_size", kernel_size, axes, 1)
    if stride is None or (isinstance(stride, Sequence) and not stride):
        stride = size
    stride = for_axes(name, "stride", stride, axes, 1)
    dilation = for_axes(name, "dilation", dilation, axes, 1)
    padding = for_axes(name, "padding", padding, axes, 0)
    if any(p > k // 2 for p, k in zip(padding, size, strict=True)):
        raise RuntimeError(
            f"{name}: padding must be at most half of kernel_size, got {padding} for {size}"
        )
    both = [(p, p) for p in padding]
    lengths = input.shape[-axes:]
    return sliding(name, lengths, size, stride, both, dilation, ceil_mode), padding


def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """As avg_pool2d, for (N, C, L)."""
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad
    return _avg_pool("avg_pool1d", 1, input, *settings, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    stride: kernel_size if it is None. padding: at most half of kernel_size, as if 0.
    ceil_mode: a last window may go beyond the padding, and that part of it is left out.
    count_include_pad: padding counts in the mean. divisor_override: what the sums are divided by.
    """
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d: divisor_override must not be 0")
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad
    return _avg_pool("avg_pool2d", 2, input, *settings, divisor_override)


def _avg_pool(
    name: str,
    axes: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    check_floating(name, input)
    windows, padding = _windows(name, axes, input, kernel_size, stride, padding, 1, ceil_mode)
    places = tuple(range(-2 * axes, -axes))
    sums = kernels.im2col(input, windows).sum(places)
    if divisor is not None:
        return sums / divisor
    counts = np.ones(())
    for (size, step, _, before, n), length, p in zip(
        windows, input.shape[-axes:], padding, strict=True
    ):
        around = p if count_include_pad else 0
        starts = np.arange(n) * step - before
        ends = np.minimum(starts + size, length + around)
        counts = counts[..., None] * (ends - np.maximum(starts, -around))
    if (counts == counts.flat[0]).all():
        return sums / counts.flat[0].item()
    return sums / tensor(counts, dtype=input.dtype)


# Adaptive: output i of n along an axis of m stands for the elements from floor(i m / n) to before
# ceil((i + 1) m / n).


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """As adaptive_avg_pool2d, for (N, C, L)."""
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None]) -> Tensor:
    """The means of parts of equal size, as many as output_size says; None: as many as there are.

    Where they cannot be of equal size they overlap.
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def _adaptive_avg_pool(name: str, axes: int, input: Tensor, output_size: Any) -> Tensor:
    check_floating(name, input)
    counts = _output_size(name, axes, input, output_size)
    sides = list(zip(counts, input.shape[-axes:], strict=True))
    if all(n and length % n == 0 for n, length in sides):
        split = [m for n, length in sides for m in (n, length // n)]
        return input.reshape(*input.shape[:-axes], *split).mean(tuple(range(1 - 2 * axes, 0, 2)))
    for axis, (n, length) in enumerate(sides, input.ndim - axes):
        positions, present = _parts(length, n)
        parts = input[(slice(None),) * axis + (tensor(positions),)]
        mask = tensor(present).reshape(*present.shape, *[1] * (input.ndim - axis - 1))
        input = where(mask, parts, 0.0).sum(axis + 1) / mask.sum(1)
    return input


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | Pair:
    """As adaptive_max_pool2d, for (N, C, L)."""
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: int | Sequence[int | None], return_indices: bool = False
) -> Tensor | Pair:
    """The largest elements of the parts that adaptive_avg_pool2d takes the means of.

    return_indices: also where in the image, counted row by row, they are.
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


adaptive_max_pool1d_with_indices = partial(adaptive_max_pool1d, return_indices=True)
adaptive_max_pool2d_with_indices = partial(adaptive_max_pool2d, return_indices=True)


def _adaptive_max_pool(
    name: str, axes: int, input: Tensor, output_size: Any, return_indices: bool
) -> Tensor | Pair:
    check_floating(name, input)
    counts = _output_size(name, axes, input, output_size)
    positions = np.zeros((1, 1), np.int64)  # of parts, and of elements in a part
    for length, n in zip(input.shape[-axes:], counts, strict=True):
        along, _ = _parts(length, n)
        positions = positions[:, None, :, None] * length + along[:, None, :]
        positions = positions.reshape(-1, positions.shape[2] * positions.shape[3])
    parts = input.flatten(-axes)[..., tensor(positions)]
    out, places = parts.max(-1)
    shape = (*input.shape[:-axes], *counts)
    if not return_indices:
        return out.reshape(shape)
    where_in_part = tensor(positions).expand(parts.shape).gather(-1, places.unsqueeze(-1))
    return out.reshape(shape), where_in_part.reshape(shape)


def _output_size(name: str, axes: int, input: Tensor, output_size: Any) -> tuple[int, ...]:
    check_axes(name, input, axes)
    lengths = input.shape[-axes:]
    if axes > 1 and isinstance(output_size, Sequence) and len(output_size) == axes:
        output_size = [m if n is None else n for n, m in zip(output_size, lengths, strict=True)]
    return for_axes(name, "output_size", output_size, axes, 0)


def _parts(length: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The elements of each of n parts (n, longest); a shorter one repeats its last: where not."""
    starts = np.arange(n) * length // max(n, 1)
    ends = -(-np.arange(1, n + 1) * length // max(n, 1))
    positions = starts[:, None] + np.arange(np.max(ends - starts, initial=1))
    return np.minimum(positions, ends[:, None] - 1), positions < ends[:, None]
