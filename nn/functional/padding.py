"""Padding: elements added at both ends of axes, or taken away."""

import math
from collections.abc import Sequence

from autodiff import Tensor, cat, kernels
from nn.functional.arguments import check_tensors

__all__ = ("pad",)


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` with pad = (before, after) elements along the last axis, then the last but one, ...

    Negative numbers take elements away. mode: "constant" pads with `value`, 0 unless given;
    "reflect" with the elements mirrored at the outermost one, "replicate" with that one, "circular"
    with those from the other end. These three take all axes but the first one or two.
    Raises: RuntimeError, NotImplementedError if pad does not fit input or mode.
    """
    check_tensors("pad", input)
    widths = list(zip(pad[::2], pad[1::2], strict=False))
    if len(pad) % 2 or len(widths) > input.ndim:
        raise RuntimeError(
            f"pad needs two numbers for each of at most {input.ndim} axes, got {tuple(pad)}"
        )
    if mode == "constant":
        return _constant(input, widths, 0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(
            f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}"
        )
    if value:
        raise RuntimeError(f"pad: mode={mode!r} takes no value, got {value}")
    if len(widths) not in (1, 2, 3) or input.ndim - len(widths) not in (1, 2):
        raise NotImplementedError(
            f"pad: mode={mode!r} pads all axes of input but the first one or two, got shape "
            f"{tuple(input.shape)} and pad={tuple(pad)}"
        )
    for i, (before, after) in enumerate(widths, 1):
        input = _extended(input, -i, before, after, mode)
    return input


def _constant(input: Tensor, widths: list[tuple[int, int]], value: float) -> Tensor:
    for i, (before, after) in enumerate(widths, 1):
        input = _cut(input, -i, before, after)
    added = [(max(before, 0), max(after, 0)) for before, after in reversed(widths)]
    return kernels.pad(input, (*[(0, 0)] * (input.ndim - len(widths)), *added), value)


def _cut(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Without as many elements at each end as the negative ones among both numbers say."""
    if before >= 0 and after >= 0:
        return input
    start = max(-before, 0)
    return input.narrow(axis, start, input.shape[axis] - start + min(after, 0))


def _extended(input: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    x = _cut(input, axis, before, after)
    if mode == "circular":
        input = x
    n, before, after = input.shape[axis], max(before, 0), max(after, 0)
    reach = {"reflect": n - 1, "circular": n}.get(mode, math.inf)
    if max(before, after) > reach or (mode != "circular" and not x.shape[axis]):
        raise RuntimeError(
            f"pad: mode={mode!r} cannot add {before} and {after} elements to an axis of {n}"
        )
    if mode == "reflect":
        first = input.narrow(axis, 1, before).flip(axis)
        last = input.narrow(axis, n - 1 - after, after).flip(axis)
    elif mode == "replicate":
        first = input.narrow(axis, 0, 1).repeat_interleave(before, axis)
        last = input.narrow(axis, n - 1, 1).repeat_interleave(after, axis)
    else:
        first, last = input.narrow(axis, n - before, before), input.narrow(axis, 0, after)
    return cat((first, x, last), axis)
