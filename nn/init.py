"""Initial values of parameters. Each function fills a tensor in place and returns it.

Sources: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
networks" (xavier); He et al. 2015, arXiv:1502.01852 (kaiming); Saxe et al. 2014, arXiv:1312.6120
(orthogonal); Martens 2010, "Deep learning via Hessian-free optimization" (sparse).
"""

import math
import warnings

import numpy as np

from autodiff import Generator, Tensor, arange, as_tensor, empty, eye, float64, no_grad, rand
from nn.functional.arguments import check_tensors

__all__ = (
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "uniform_by_fan_in_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
)

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity wants the standard deviation of its weights raised.

    param: the slope of "leaky_relu", 0.01 if None; its gain is sqrt(2 / (1 + slope²)).
    Raises: ValueError for another name.
    """
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool) or not isinstance(param, int | float | None):
            raise ValueError(f"the slope of leaky_relu must be a number, got {param!r}")
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"nonlinearity must be one of {names}; got {nonlinearity!r}")
    return _GAINS[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in [a, b)."""
    check_tensors("uniform_", tensor)
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal."""
    check_tensors("normal_", tensor)
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal, conditional on [a, b]: the inverse of its distribution function at uniform draws."""
    check_tensors("trunc_normal_", tensor)
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            f"trunc_normal_: mean {mean} is more than two std from [{a}, {b}]; "
            "the distribution may be inexact",
            stacklevel=2,
        )
    if not tensor.is_floating_point():
        raise RuntimeError(f"trunc_normal_ fills tensors of a floating dtype, got {tensor.dtype}")
    low, high = (math.erf((end - mean) / (std * math.sqrt(2.0))) for end in (a, b))
    with no_grad():
        # In float32 one draw in 2^24 is -1, where the inverse is infinite; in float16 one in 2^11.
        a, b = float(a), float(b)
        drawn = empty(tensor.shape, dtype=float64).uniform_(low, high, generator=generator)
        return tensor.copy_(drawn.erfinv_().mul_(std * math.sqrt(2.0)).add_(mean)).clamp_(a, b)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    check_tensors("constant_", tensor)
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix. Raises: ValueError if the tensor is no matrix."""
    check_tensors("eye_", tensor)
    if tensor.ndim != 2:
        raise ValueError(f"eye_ fills matrices, got shape {tuple(tensor.shape)}")
    with no_grad():
        return tensor.copy_(eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight of a convolution that passes on as many channels of each group as it can.

    Raises: ValueError if it is no weight of a convolution, or of one without so many groups.
    """
    check_tensors("dirac_", tensor)
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_ fills tensors of 3 to 5 axes, got shape {tuple(tensor.shape)}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {tensor.shape[0]} channels do not make {groups} groups")
    rows, numbers = tensor.shape[0] // groups, range(groups)
    channels = arange(min(rows, tensor.shape[1]))
    centre = [n // 2 for n in tensor.shape[2:]]
    zeros_(tensor)
    with no_grad():
        for group in numbers:
            tensor[(group * rows + channels, channels, *centre)] = 1.0
    return tensor


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in ±gain sqrt(6 / (fan_in + fan_out))."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with std gain sqrt(2 / (fan_in + fan_out))."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in ±gain sqrt(3 / fan), where `a` is the slope of leaky_relu."""
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with std gain / sqrt(fan), where `a` is the slope of leaky_relu."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """gain times a random orthogonal matrix, of the first axis by all others.

    The Q of the QR factors of a normal matrix, with the signs of R's diagonal: uniform over all
    orthogonal matrices (Mezzadri 2007, arXiv:math-ph/0609050).

    Raises: ValueError for fewer than two axes.
    """
    check_tensors("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs two or more axes, got shape {tuple(tensor.shape)}")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    with no_grad():
        drawn = empty(max(rows, columns), min(rows, columns), dtype=tensor.dtype)
        q, r = np.linalg.qr(drawn.normal_(generator=generator).numpy())
        q = q * np.sign(np.diagonal(r))
        drawn = as_tensor(q if rows >= columns else q.T)
        return tensor.copy_(drawn.reshape(tensor.shape) * gain)


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal, but in each column the fraction `sparsity` of elements, rounded up, is 0.

    Raises: ValueError if the tensor is no matrix.
    """
    check_tensors("sparse_", tensor)
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ fills matrices, got shape {tuple(tensor.shape)}")
    zeros = math.ceil(sparsity * tensor.shape[0])
    with no_grad():
        ranks = rand(tensor.shape, generator=generator).argsort(dim=0).argsort(dim=0)
        return tensor.normal_(0.0, std, generator=generator).masked_fill_(ranks < zeros, 0.0)


def uniform_by_fan_in_(weight: Tensor, bias: Tensor | None, fan_in: int) -> None:
    """Both uniform in ±1/sqrt(fan_in), as linear and convolutional layers start.

    Source: LeCun et al. 1998, "Efficient BackProp", up to a factor.
    """
    check_tensors("uniform_by_fan_in_", weight, *([] if bias is None else [bias]))
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    uniform_(weight, -bound, bound)
    if bias is not None:
        uniform_(bias, -bound, bound)


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output of a weight has, and how many outputs each input."""
    check_tensors("init", tensor)
    if tensor.ndim < 2:
        raise ValueError(
            f"fan in and fan out need two or more axes, got shape {tuple(tensor.shape)}"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _is_empty(tensor: Tensor) -> bool:
    check_tensors("init", tensor)
    if 0 in tensor.shape:
        warnings.warn("a tensor without elements stays as it is", stacklevel=3)
        return True
    return False
