"""Windows that slide along the last axes: their arithmetic, and their elements as columns."""

import operator
from collections.abc import Sequence

from autodiff import Tensor
from autodiff.kernels import Windows, col2im, im2col
from nn.functional.arguments import check_tensors

__all__ = ("fold", "unfold")


def for_axes(
    name: str, what: str, value: int | Sequence[int], axes: int, least: int
) -> tuple[int, ...]:
    """A number for each axis, from one for all or a sequence.

    Raises: TypeError for another type, RuntimeError for another count or a number below `least`.
    """
    numbers = list(value) if isinstance(value, Sequence) else [value] * axes
    if len(numbers) == 1:
        numbers *= axes
    if any(isinstance(n, bool) for n in numbers):
        raise TypeError(f"{name}: {what} must be an integer or integers, got {value}")
    try:
        numbers = [operator.index(n) for n in numbers]
    except TypeError:
        raise TypeError(f"{name}: {what} must be an integer or integers, got {value!r}") from None
    if len(numbers) != axes or min(numbers) < least:
        raise RuntimeError(
            f"{name}: {what} must be {axes} integers, or one for all, of at least {least}; got "
            f"{value}"
        )
    return tuple(numbers)


def check_axes(name: str, input: Tensor, axes: int) -> None:
    """Raises: RuntimeError if `input` is not (N, C, …), or (C, …), with `axes` axes more.

    Only N may be 0.
    """
    check_tensors(name, input)
    if input.ndim not in (axes + 1, axes + 2) or 0 in input.shape[-axes - 1 :]:
        letters = ", ".join("DHW"[-axes:] if axes > 1 else "L")
        raise RuntimeError(
            f"{name}: input must be (N, C, {letters}) or (C, {letters}), empty in N at most; got "
            f"shape {tuple(input.shape)}"
        )


def sliding(
    name: str,
    lengths: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    ceil_mode: bool = False,
) -> Windows:
    """The windows that fit into axes of these lengths with padding before and after.

    ceil_mode: a last window may go beyond, if it does not start there.

    Raises: RuntimeError if there is none.
    """
    windows = []
    for n, k, s, (before, after), d in zip(lengths, size, stride, padding, dilation, strict=True):
        room = n + before + after - d * (k - 1) - 1
        count = room // s + 1
        if ceil_mode and room % s and count * s < n + before:
            count += 1
        if count < 1:
            raise RuntimeError(
                f"{name}: no window fits: in an axis of {n} with padding {before} and {after}, "
                f"kernel_size {k} with dilation {d} needs {d * (k - 1) + 1}"
            )
        windows.append((k, s, d, before, count))
    return tuple(windows)


def _windows(
    name: str,
    lengths: Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int],
    padding: int | Sequence[int],
    stride: int | Sequence[int],
) -> Windows:
    size = for_axes(name, "kernel_size", kernel_size, 2, 1)
    dilation = for_axes(name, "dilation", dilation, 2, 1)
    stride = for_axes(name, "stride", stride, 2, 1)
    both = [(p, p) for p in for_axes(name, "padding", padding, 2, 0)]
    return sliding(name, lengths, size, stride, both, dilation)


def unfold(
    input: Tensor,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """The elements of each window of an image as a column; padding is 0.

    Shapes: (N, C, H, W) -> (N, C kernel_height kernel_width, windows), or both without N.
    """
    check_axes("unfold", input, 2)
    windows = _windows("unfold", input.shape[-2:], kernel_size, dilation, padding, stride)
    columns = im2col(input, windows)
    *before, c, kh, kw, oh, ow = columns.shape
    return columns.reshape(*before, c * kh * kw, oh * ow)


def fold(
    input: Tensor,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Images from their windows as columns: each element is the sum of its copies in them.

    Shapes: (N, C kernel_height kernel_width, windows) -> (N, C, *output_size), or both without N.
    """
    check_tensors("fold", input)
    lengths = for_axes("fold", "output_size", output_size, 2, 1)
    windows = _windows("fold", lengths, kernel_size, dilation, padding, stride)
    (kh, *_, oh), (kw, *_, ow) = windows
    if (
        input.ndim not in (2, 3)
        or input.shape[-1] != oh * ow
        or input.shape[-2] % (kh * kw)
        or not input.shape[-2]
    ):
        raise RuntimeError(
            f"fold: for kernel_size {(kh, kw)} and output_size {lengths} input must be (N, C x "
            f"{kh * kw}, {oh * ow}) or without N, got shape {tuple(input.shape)}"
        )
    *before, rows, _ = input.shape
    columns = input.reshape(*before, rows // (kh * kw), kh, kw, oh, ow)
    return col2im(columns, windows, lengths)
