"""Normalisation: elements less their mean, divided by the square root of variance plus eps.

The functions differ in the axes that mean and variance (with n, not n - 1) are taken over.
"""

import math
from collections.abc import Sequence

from autodiff import Tensor, finfo, float16, kernels, ones, zeros
from nn.functional.activation import check_floating

__all__ = ("batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm")


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel (axis 1) normalised over all other axes, times weight, plus bias.

    With `training` mean and variance are those of the batch, and the running ones, if given, move
    towards them by `momentum`, the variance with n - 1 for n; else they are the running ones.

    Shapes: input (N, C, ...); the others (C,).
    Raises: ValueError if there is one element to take the variance of, if only one of the running
        statistics is given, or eps is not positive; RuntimeError if neither is given and not
        training, or shapes or dtypes do not fit.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm: eps must be positive, got {eps}")
    axes = (0, *range(2, input.ndim))
    statistics = running_mean, running_var, training, momentum
    return _by_channels("batch_norm", input, axes, *statistics, weight, bias, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each example normalised over the axes behind, times weight, plus bias.

    Running statistics move towards the means over the examples, as in batch_norm; without
    `use_input_stats` they are taken instead.

    Shapes and raises: as batch_norm.
    Source: Ulyanov et al. 2016, arXiv:1607.08022.
    """
    axes = tuple(range(2, input.ndim))
    statistics = running_mean, running_var, use_input_stats, momentum
    return _by_channels("instance_norm", input, axes, *statistics, weight, bias, eps)


def _by_channels(
    name: str,
    input: Tensor,
    axes: tuple[int, ...],
    running_mean: Tensor | None,
    running_var: Tensor | None,
    measure: bool,
    momentum: float,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    n = math.prod([input.shape[axis] for axis in axes])
    if measure and n == 1:
        raise ValueError(
            f"{name} cannot take the variance of one element, got input of shape "
            f"{tuple(input.shape)}; give it more, or call eval() on the module"
        )
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{name}: give both running_mean and running_var, or neither")
    _check_channels(name, input, weight, bias, running_mean, running_var)
    dtype = input.dtype
    if dtype == float16:  # squares soon exceed its range
        input = input.float()
    column = -1, *(1 for _ in input.shape[2:])
    if measure and not n:
        x, var = input, input.new_ones(1)  # not nan, which the gradient of weight would be too
    elif measure:
        mean = input.mean(axes, keepdim=True)
        x = input - mean
        var = x.square().mean(axes, keepdim=True)
        if running_mean is not None and running_var is not None:
            _move(running_mean, mean, momentum)
            _move(running_var, var * (n / (n - 1)), momentum)
    elif running_mean is not None and running_var is not None:
        x, var = input - running_mean.reshape(column), running_var.reshape(column)
    else:
        raise RuntimeError(
            f"{name} needs running_mean and running_var for what it does not measure"
        )
    scale = (var + eps).rsqrt()
    if weight is not None:
        scale = scale * weight.reshape(column)  # small: one product with x, not two
    return (x * scale if bias is None else x * scale + bias.reshape(column)).to(dtype)


def _move(running: Tensor, now: Tensor, momentum: float) -> None:
    """Move running statistics towards those of a batch; examples (axis 0) count alike."""
    if running.requires_grad:
        raise RuntimeError("running statistics have no derivative; detach() them")
    now = now.detach().reshape(-1, running.numel()).mean(0)
    running.lerp_(now.to(running.dtype), momentum)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each group of channels of each example normalised, then each channel times weight, plus bias.

    Shapes: input (N, C, ...), C a multiple of num_groups; weight and bias (C,).
    Raises: ValueError if there is one element to take the variance of; RuntimeError if shapes or
        dtypes do not fit.
    Source: Wu & He 2018, arXiv:1803.08494.
    """
    _check_channels("group_norm", input, weight, bias)
    shape = tuple(input.shape)
    if num_groups < 1 or shape[1] % num_groups:
        raise RuntimeError(
            f"group_norm: {shape[1]} channels do not part into {num_groups} groups, for input of "
            f"shape {shape}"
        )
    if math.prod(shape) == num_groups:
        raise ValueError(f"group_norm cannot take the variance of one element, got shape {shape}")
    groups = num_groups, shape[1] // num_groups
    x = input.reshape(shape[0], *groups, math.prod(shape[2:]))
    weight, bias = (None if a is None else a.reshape(*groups, 1) for a in (weight, bias))
    out = _standardized(x, 2, None, None, eps)
    out = out if weight is None else out * weight
    return (out if bias is None else out + bias).reshape(shape)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each example normalised over the last axes, times weight, plus bias.

    Shapes: input (..., *normalized_shape); weight and bias normalized_shape.
    Raises: RuntimeError if shapes or dtypes do not fit.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """
    axes = _last_axes("layer_norm", input, normalized_shape, weight, bias)
    _check_dtypes("layer_norm", input, weight, bias)
    return _standardized(input, len(axes), weight, bias, eps)


def _standardized(
    input: Tensor, count: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """`input` normalised over its last `count` axes."""
    n = math.prod(input.shape[-count:])
    weight = ones(n, dtype=input.dtype) if weight is None else weight
    bias = zeros(n, dtype=input.dtype) if bias is None else bias
    if count == 1:
        return kernels.standardize(input, weight, bias, eps)
    rows = input.flatten(-count), weight.flatten(), bias.flatten()
    return kernels.standardize(*rows, eps).reshape(input.shape)


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x²) + eps) over the last axes, times weight; eps is the dtype's unless given.

    Shapes: input (..., *normalized_shape); weight normalized_shape.
    Raises: RuntimeError if shapes do not fit.
    Source: Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    axes = _last_axes("rms_norm", input, normalized_shape, weight)
    x = input.float() if input.dtype == float16 else input  # for the squares
    eps = finfo(x.dtype).eps if eps is None else eps
    out = x * (x.square().mean(axes, keepdim=True) + eps).rsqrt()
    return (out if weight is None else out * weight).to(input.dtype)


def _check_channels(name: str, input: Tensor, *vectors: Tensor | None) -> None:
    """Raises: RuntimeError if a vector has not one element for each channel."""
    if input.ndim < 2:
        raise RuntimeError(f"{name} needs axes (N, C, ...), got shape {tuple(input.shape)}")
    for vector in vectors:
        if vector is not None and vector.numel() != input.shape[1]:
            raise RuntimeError(
                f"{name} needs one element for each of {input.shape[1]} channels, got shape "
                f"{tuple(vector.shape)} for input of shape {tuple(input.shape)}"
            )
    _check_dtypes(name, input, *vectors)


def _check_dtypes(name: str, input: Tensor, *others: Tensor | None) -> None:
    check_floating(name, input)
    for other in others:
        if other is not None and other.dtype != input.dtype != float16:
            raise RuntimeError(
                f"{name} needs one dtype, got input of {input.dtype} and {other.dtype}; convert "
                "with .to(dtype)"
            )


def _last_axes(
    name: str, input: Tensor, shape: Sequence[int], *affine: Tensor | None
) -> tuple[int, ...]:
    """The axes of normalized_shape. Raises: RuntimeError if it does not fit the tensors."""
    check_floating(name, input)
    shape = tuple(shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"{name}: normalized_shape={shape} is not the end of input's shape {tuple(input.shape)}"
        )
    for tensor in affine:
        if tensor is not None and tuple(tensor.shape) != shape:
            raise RuntimeError(
                f"{name}: weight and bias must be of normalized_shape={shape}, got shape "
                f"{tuple(tensor.shape)}"
            )
    return tuple(range(-len(shape), 0))
