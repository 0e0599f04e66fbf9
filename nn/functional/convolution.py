"""Convolutions and transposed convolutions.

Shapes: input (N, C, …) or (C, …), with one axis more for each dimension.
"""

from collections.abc import Sequence

from autodiff import Tensor, bool_
from autodiff.kernels import convolve, convolve_transposed
from nn.functional.arguments import check_tensors
from nn.functional.window import check_axes, for_axes, sliding

__all__ = (
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
)

Sizes = int | Sequence[int]


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """As conv2d, for (N, C, L) and weight (K, C / groups, k)."""
    return _convolved("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """b[k] + sum over c, i, j of w[k, c, i, j] input[c, y s + i d - p, x s + j d - p] at [k, y, x].

    padding: "same" gives as many elements as there are, "valid" is 0.
    groups: the channels and the outputs are split in so many parts, each part for itself.

    Shapes: weight (K, C / groups, kh, kw), bias (K,) -> (N, K, …).
    Raises: RuntimeError, naming the shapes or settings, if they do not fit.
    """
    return _convolved("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """As conv2d, for (N, C, D, H, W) and weight (K, C / groups, kd, kh, kw)."""
    return _convolved("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """As conv_transpose2d, for (N, C, L) and weight (C, K / groups, k)."""
    return _transposed(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of conv2d, plus a bias: <conv2d(a), b> = <a, conv_transpose2d(b)>.

    Along an axis of n elements it gives (n - 1) stride - 2 padding + dilation (k - 1) + 1 +
    output_padding: there are several lengths of which conv2d makes n.

    Shapes: weight (C, K / groups, kh, kw), bias (K,) -> (N, K, …).
    Raises: RuntimeError, naming the shapes or settings, if they do not fit.
    """
    return _transposed(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """As conv_transpose2d, for (N, C, D, H, W) and weight (C, K / groups, kd, kh, kw)."""
    return _transposed(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def _convolved(
    name: str,
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    stride = for_axes(name, "stride", stride, axes, 1)
    dilation = for_axes(name, "dilation", dilation, axes, 1)
    check_tensors(name, input, weight)
    _check(name, axes, input, weight, groups, weight.shape[1] * groups if weight.ndim > 1 else 0)
    _check_bias(name, input, bias, weight.shape[0])
    size = tuple(weight.shape[2:])
    if padding == "same":
        if any(s != 1 for s in stride):
            raise RuntimeError(f"{name}: padding='same' needs stride 1, got {stride}")
        totals = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
        both = [(total // 2, total - total // 2) for total in totals]
    elif isinstance(padding, str) and padding != "valid":
        raise RuntimeError(f"{name}: padding must be 'same', 'valid' or numbers, got {padding!r}")
    else:
        sides = 0 if isinstance(padding, str) else padding
        both = [(p, p) for p in for_axes(name, "padding", sides, axes, 0)]
    windows = sliding(name, input.shape[-axes:], size, stride, both, dilation)
    batch = input if input.ndim == axes + 2 else input.unsqueeze(0)
    column = 0 if bias is None else bias.reshape(-1, *[1] * axes)
    out = convolve(batch, weight, column, windows, groups)
    return out if input.ndim == axes + 2 else out.squeeze(0)


def _transposed(
    name: str,
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> Tensor:
    check_tensors(name, input, weight)
    stride = for_axes(name, "stride", stride, axes, 1)
    dilation = for_axes(name, "dilation", dilation, axes, 1)
    padding = for_axes(name, "padding", padding, axes, 0)
    extra = for_axes(name, "output_padding", output_padding, axes, 0)
    _check(name, axes, input, weight, groups, weight.shape[0] if weight.ndim else 0)
    _check_bias(name, input, bias, weight.shape[1] * groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(
            f"{name}: output_padding must be smaller than stride or dilation, got {extra} with "
            f"stride {stride} and dilation {dilation}"
        )
    settings = zip(weight.shape[2:], stride, dilation, padding, input.shape[-axes:], strict=True)
    windows = tuple(settings)
    lengths = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for (k, s, d, p, n), e in zip(windows, extra, strict=True)
    )
    if min(lengths) < 0:
        raise RuntimeError(f"{name}: padding {padding} leaves nothing: lengths would be {lengths}")
    batch = input if input.ndim == axes + 2 else input.unsqueeze(0)
    out = convolve_transposed(batch, weight, windows, groups, lengths)
    out = out if bias is None else out + bias.reshape(-1, *[1] * axes)
    return out if input.ndim == axes + 2 else out.squeeze(0)


def _check(name: str, axes: int, input: Tensor, weight: Tensor, groups: int, channels: int) -> None:
    """Raises: RuntimeError if input, weight and groups do not fit; `channels` is what they need."""
    check_axes(name, input, axes)
    if groups < 1:
        raise RuntimeError(f"{name}: groups must be at least 1, got {groups}")
    if weight.ndim != axes + 2 or not weight.numel() or weight.shape[0] % groups:
        raise RuntimeError(
            f"{name}: weight must have {axes + 2} axes, the first a multiple of groups={groups}, "
            f"and not be empty; got shape {tuple(weight.shape)}"
        )
    if input.shape[-axes - 1] != channels:
        raise RuntimeError(
            f"{name}: weight of shape {tuple(weight.shape)} with groups={groups} needs input of "
            f"{channels} channels, got shape {tuple(input.shape)}"
        )
    if input.dtype == bool_:
        raise NotImplementedError(f"{name} of bools is not provided; convert with .float()")


def _check_bias(name: str, input: Tensor, bias: Tensor | None, outputs: int) -> None:
    if bias is None:
        return
    check_tensors(name, bias)
    if tuple(bias.shape) != (outputs,) or bias.dtype != input.dtype:
        raise RuntimeError(
            f"{name}: bias must be ({outputs},) of input's dtype {input.dtype}, got shape "
            f"{tuple(bias.shape)} of {bias.dtype}"
        )
