"""What nn is made of, besides what has a public name here."""

from autodiff.composed.activation import (
    check_floating,
    check_probability,
    dropout_factor,
    elu,
    kept,
    leaky_relu,
)
from autodiff.composed.linalg import linear
from autodiff.diagram import multiply_adds
from autodiff.ops import activation, loss, normalization, recurrent, shape, special, window
from autodiff.tensor import Tensor, apply, binary, unary

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "check_floating",
    "check_probability",
    "col2im",
    "convolve",
    "convolve_transposed",
    "dropout_factor",
    "elman",
    "elu",
    "im2col",
    "kept",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "lstm",
    "max_pool",
    "max_pool_positions",
    "mean_square_error",
    "multiply_adds",
    "nll_loss",
    "normal_cdf",
    "pad",
    "softplus",
    "standardize",
]

log_sigmoid = unary(activation.log_sigmoid)
normal_cdf = unary(special.normal_cdf)
mean_square_error = binary(loss.mean_square_error)
binary_cross_entropy = binary(loss.binary_cross_entropy)
binary_cross_entropy_with_logits = binary(loss.binary_cross_entropy_with_logits)


def nll_loss(input: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Minus the mean of the elements of `input` (N, C) at the target (N,), if not ignored."""
    return apply(loss.nll_loss, (input, target), {"ignore_index": ignore_index})


def pad(input: Tensor, widths: tuple[tuple[int, int], ...], value: float) -> Tensor:
    """`input` with (before, after) elements of a value added along each axis."""
    return apply(shape.pad, (input,), {"pad_width": widths, "constant": value})


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold."""
    return apply(activation.softplus, (input,), {"beta": beta, "threshold": threshold})


def standardize(input: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Each row (..., n) less its mean, divided by the root of its variance, with n, plus eps.

    The elements of a row are multiplied by weight (n,), and bias (n,) is added.
    """
    return apply(normalization.standardize, (input, weight, bias), {"eps": eps})


# Whole sequences: input (L, N, …) is what the weights of the inputs, and biases, have made of it


def elman(input: Tensor, h: Tensor, weight: Tensor, relu: bool) -> Tensor:
    """The states (L, N, H) of h' = tanh(input + weight h), or relu for tanh, from h (N, H) on."""
    return apply(recurrent.elman, (input, h, weight), {"relu": relu})


def lstm(input: Tensor, h: Tensor, c: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The states h and c, both (L, N, H), of a long short-term memory; input (L, N, 4 H)."""
    packed = apply(recurrent.lstm, (input, h, c, weight))
    if not packed.requires_grad:  # the gates need not live as long as the states
        return packed[0].clone(), packed[1].clone()
    return packed[0], packed[1]


# Windows along the last axes: for each its size, step, dilation, padding before, and their number

Windows = tuple[tuple[int, int, int, int, int], ...]


def convolve(
    input: Tensor, weight: Tensor, bias: Tensor | int, windows: Windows, groups: int
) -> Tensor:
    """The convolution of input (N, C, …) with weight (K, C / groups, …), plus a bias (K, 1, …)."""
    return apply(window.convolve, (input, weight, bias), {"windows": windows, "groups": groups})


def convolve_transposed(
    input: Tensor, weight: Tensor, windows: Windows, groups: int, lengths: tuple[int, ...]
) -> Tensor:
    """The derivative of `convolve` by what it takes, whose axes have these lengths."""
    parameters = {"windows": windows, "groups": groups, "lengths": lengths}
    return apply(window.convolve_x, (input, weight), parameters)


def im2col(input: Tensor, windows: Windows) -> Tensor:
    """The elements of the windows, 0 for padding: new axes before the last ones for the places."""
    return apply(window.im2col, (input,), {"windows": windows})


def col2im(input: Tensor, windows: Windows, lengths: tuple[int, ...]) -> Tensor:
    """The sums of the elements of the windows where they are in axes of these lengths."""
    return apply(window.col2im, (input,), {"windows": windows, "lengths": lengths})


def max_pool(input: Tensor, windows: Windows) -> Tensor:
    """The largest element of each window; the first has the gradient."""
    return apply(window.max_pool, (input,), {"windows": windows})


def max_pool_positions(input: Tensor, largest: Tensor, windows: Windows) -> Tensor:
    """Where in the last axes, counted row by row, each window has its largest element."""
    return apply(window.max_pool_positions, (input, largest), {"windows": windows})
