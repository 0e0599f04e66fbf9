"""Activation functions. `inplace=True` writes the result into the input."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import autodiff
from autodiff import (
    Tensor,
    empty_like,
    hardshrink,
    kernels,
    prelu,
    sigmoid,
    tanh,
    where,
    zeros_like,
)
from autodiff.kernels import check_floating

__all__ = (
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
)


def _result(
    function: Callable[..., Tensor], input: Tensor, inplace: bool, *settings: Any
) -> Tensor:
    """function(input, *settings), written into `input` if `inplace`."""
    if inplace:
        return input.copy_(function(input.clone(), *settings))
    return function(input, *settings)


# Linear on each side of a kink


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """x where positive, else 0; the derivative at 0 is 0."""
    return input.copy_(input.clone().relu()) if inplace else input.relu()


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope x, also for the derivative at 0.

    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic
    models".
    """
    check_floating("leaky_relu", input)
    return _result(kernels.leaky_relu, input, inplace, negative_slope)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """leaky_relu whose slopes are drawn from [lower, upper), or fixed at the mean if not training.

    Source: Xu et al. 2015, arXiv:1505.00853.
    """
    return _result(autodiff.rrelu, input, inplace, lower, upper, training)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where above the threshold, else `value`."""
    return _result(lambda x: where(x <= threshold, value, x), input, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x, but at least min_val and at most max_val; the derivative at both is 0."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    return _result(_hardtanh, input, inplace, min_val, max_val)


def _hardtanh(x: Tensor, low: float, high: float) -> Tensor:
    # clamp alone has the derivative 1 at the bounds
    return where((x <= low) | (x >= high), x.detach().clamp(low, high), x)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """hardtanh from 0 to 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    check_floating("hardsigmoid", input)
    return _result(_hardsigmoid, input, inplace)


def _hardsigmoid(x: Tensor) -> Tensor:
    return _hardtanh(x + 3, 0.0, 6.0) / 6


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x relu6(x + 3) / 6. Source: Howard et al. 2019, arXiv:1905.02244."""
    check_floating("hardswish", input)
    return _result(lambda x: x * _hardsigmoid(x), input, inplace)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved by lambd towards 0, and 0 from -lambd to lambd."""
    check_floating("softshrink", input)
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, got {lambd}")
    return input - input.clamp(-lambd, lambd)


# Exponential on the left


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha (exp(x) - 1). Source: Clevert et al. 2016, arXiv:1511.07289."""
    check_floating("elu", input)
    return _result(kernels.elu, input, inplace, alpha)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha (exp(x / alpha) - 1). Source: Barron 2017, arXiv:1704.07483."""
    return _result(autodiff.celu, input, inplace, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """A multiple of elu that keeps mean 0 and variance 1.

    Source: Klambauer et al. 2017, arXiv:1706.02515.
    """
    return _result(autodiff.selu, input, inplace)


# Smooth


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold."""
    check_floating("softplus", input)
    return kernels.softplus(input, beta, threshold)


def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + exp(-x))), which does not overflow."""
    check_floating("logsigmoid", input)
    return kernels.log_sigmoid(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x). Source: Elfwing et al. 2018, arXiv:1702.03118."""
    check_floating("silu", input)
    return _result(lambda x: x * sigmoid(x), input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)). Source: Misra 2020, arXiv:1908.08681."""
    check_floating("mish", input)
    return _result(_mish, input, inplace)


def _mish(x: Tensor) -> Tensor:
    x = -x
    return x * tanh(kernels.log_sigmoid(x))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function at x; `approximate="tanh"` by a tanh.

    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415.
    """
    check_floating("gelu", input)
    if approximate == "none":
        return input * kernels.normal_cdf(input)
    if approximate != "tanh":
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    inner = (input + input * input * input * 0.044715) * math.sqrt(2.0 / math.pi)
    return input * (tanh(inner) + 1) * 0.5


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - tanh(input)


# Over an axis


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(x) divided by its sum along `dim`, computed as exp(x - max x)."""
    return autodiff.softmax(input, _axis("softmax", input, dim), dtype=dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x)."""
    return autodiff.softmax(-input, _axis("softmin", input, dim), dtype=dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """log(softmax(x)), computed as x - logsumexp(x)."""
    return autodiff.log_softmax(input, _axis("log_softmax", input, dim), dtype=dtype)


def _axis(name: str, input: Tensor, dim: int | None) -> int:
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
        warnings.warn(f"{name} without dim takes dim={dim} here; say which", stacklevel=3)
    return dim


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A draw of one category along `dim`, relaxed so that it has a derivative.

    hard: give the category as one-hot, with the derivative of the relaxed draw; eps is not used.
    Source: Jang, Gu & Poole 2017, arXiv:1611.01144.
    """
    gumbel = -empty_like(logits).exponential_().log()
    soft = autodiff.softmax((logits + gumbel) / tau, dim)
    if not hard:
        return soft
    one = soft.argmax(dim, keepdim=True)
    return zeros_like(soft).scatter(dim, one, 1.0) - soft.detach() + soft


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second.

    Source: Dauphin et al. 2017, arXiv:1612.08083.
    Raises: RuntimeError if the length is odd.
    """
    if input.ndim == 0 or input.shape[dim] % 2:
        raise RuntimeError(f"glu halves axis {dim}, got input of shape {tuple(input.shape)}")
    first, second = input.chunk(2, dim)
    return first * sigmoid(second)


# In place


def _in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def in_place(input: Tensor, *settings: Any, **options: Any) -> Tensor:
        return function(input, *settings, inplace=True, **options)

    in_place.__name__ = in_place.__qualname__ = f"{function.__name__}_"
    in_place.__doc__ = f"In-place form of {function.__name__}."
    return in_place


celu_, elu_, selu_ = _in_place(celu), _in_place(elu), _in_place(selu)
hardtanh_, threshold_ = _in_place(hardtanh), _in_place(threshold)
leaky_relu_, relu_, rrelu_ = _in_place(leaky_relu), _in_place(relu), _in_place(rrelu)
