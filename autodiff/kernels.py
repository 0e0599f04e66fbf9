"""Operations whose public names are nn.functional's."""

from autodiff.composed.linalg import linear
from autodiff.ops import activation, loss
from autodiff.tensor import Tensor, apply, binary, unary

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "elu",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "mean_square_error",
    "nll_loss",
    "softplus",
]

log_sigmoid = unary(activation.log_sigmoid)
mean_square_error = binary(loss.mean_square_error)
binary_cross_entropy = binary(loss.binary_cross_entropy)
binary_cross_entropy_with_logits = binary(loss.binary_cross_entropy_with_logits)


def nll_loss(input: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Minus the mean of the elements of `input` (N, C) at the target (N,), if not ignored."""
    return apply(loss.nll_loss, (input, target), {"ignore_index": ignore_index})


def leaky_relu(input: Tensor, slope: float) -> Tensor:
    """x where positive, else slope x."""
    return apply(activation.leaky_relu, (input,), {"slope": slope})


def elu(input: Tensor, alpha: float = 1.0, rate: float = 1.0) -> Tensor:
    """x where positive, else alpha (exp(rate x) - 1)."""
    return apply(activation.elu, (input,), {"alpha": alpha, "rate": rate})


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold."""
    return apply(activation.softplus, (input,), {"beta": beta, "threshold": threshold})
