"""Losses of regression: x is predicted, t is the target.

`reduction` says what is given: "none" the loss of each element, "mean" or "sum" of them all.
"""

import math
import warnings

from autodiff import Tensor, full_like, where
from autodiff.kernels import mean_square_error
from nn.functional.arguments import check_tensors
from nn.functional.reduction import checked, reduced

__all__ = (
    "gaussian_nll_loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(x - t)². With weights "mean" divides by their sum."""
    reduction = checked(reduction, size_average, reduce)
    _warn_of_broadcasting("mse_loss", input, target)
    if weight is None and reduction == "mean" and input.is_floating_point():
        return mean_square_error(input, target)
    return _weighted_mean((input - target).square(), input, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|x - t|. With weights "mean" divides by their sum."""
    reduction = checked(reduction, size_average, reduce)
    _warn_of_broadcasting("l1_loss", input, target)
    return _weighted_mean((input - target).abs(), input, weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d² / (2 beta) where d = |x - t| is below beta, else d - beta / 2.

    Source: Girshick 2015, arXiv:1504.08083.
    """
    reduction = checked(reduction, size_average, reduce)
    _warn_of_broadcasting("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    difference = input - target
    distance = difference.abs()
    if beta == 0:
        return reduced(distance, reduction)
    near = difference.square() * (0.5 / beta)
    return reduced(where(distance < beta, near, distance - 0.5 * beta), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d² / 2 where d = |x - t| is at most delta, else delta (d - delta / 2), times the weights.

    Source: Huber 1964, "Robust estimation of a location parameter".
    """
    reduction = checked(reduction)
    _warn_of_broadcasting("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    difference = input - target
    distance = difference.abs()
    far = (distance - 0.5 * delta) * delta
    loss = where(distance <= delta, difference.square() * 0.5, far)
    if weight is not None:
        _check_weight(weight, input)
        loss = loss * weight
    return reduced(loss, reduction)


def _warn_of_broadcasting(name: str, input: Tensor, target: Tensor) -> None:
    check_tensors(name, input, target)
    if input.shape != target.shape:
        warnings.warn(
            f"{name}: input of shape {tuple(input.shape)} and target of shape "
            f"{tuple(target.shape)} are broadcast, which is seldom meant; give them one shape",
            stacklevel=3,
        )


def _weighted_mean(loss: Tensor, input: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduced(loss, reduction)
    _check_weight(weight, input)
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()
    return reduced(loss * weight, reduction)


def _check_weight(weight: Tensor, input: Tensor) -> None:
    check_tensors("weight", weight)
    if weight.shape != input.shape:
        raise ValueError(
            f"weight must have the shape of input, {tuple(input.shape)}, got {tuple(weight.shape)}"
        )


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts t under Poisson's law, whose mean is exp(x), or x.

    exp(x) - t x with `log_input`, else x - t log(x + eps). `full` adds Stirling's approximation of
    log t! where t > 1.
    """
    check_tensors("poisson_nll_loss", input, target)
    reduction = checked(reduction, size_average, reduce)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        n = target.clamp(min=1)  # so that no gradient is nan where the term is left out
        stirling = n * n.log() - n + (n * (2 * math.pi)).log() * 0.5
        loss = loss + where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of t under the normal law of mean x and variance var, at least eps.

    (log var + (x - t)² / var) / 2; `full` adds log(2 pi) / 2. The gradient of var is as if it had
    not been raised to eps.
    Shapes: var as input, or with 1 for one axis, or without the last.
    Raises: ValueError for another shape.
    Source: Nix & Weigend 1994, "Estimating the mean and variance of the target probability
    distribution".
    """
    check_tensors("gaussian_nll_loss", input, target)
    reduction = checked(reduction)
    if not isinstance(var, Tensor) and var < 0:
        raise ValueError(f"gaussian_nll_loss: var must not be negative, got {var}")
    variance = var if isinstance(var, Tensor) else full_like(input, var)
    if variance.shape == input.shape[:-1]:
        variance = variance.unsqueeze(-1)
    pairs = zip(input.shape, variance.shape, strict=False)
    if input.ndim != variance.ndim or [m for n, m in pairs if m != n] not in ([], [1]):
        raise ValueError(
            f"gaussian_nll_loss: var of shape {tuple(variance.shape)} for input of shape "
            f"{tuple(input.shape)}; give it that shape, or 1 for one axis, or no last axis"
        )
    raised = variance + (variance.detach().clamp(min=eps) - variance.detach())
    loss = (raised.log() + (input - target).square() / raised) * 0.5
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)
