"""Losses of classification, and of distributions.

`reduction` says what is given: "none" the loss of each element, "mean" or "sum" of them all.
"""

import warnings

from autodiff import Tensor, bool_, kernels, where
from nn.functional.activation import check_floating, log_softmax
from nn.functional.arguments import check_tensors
from nn.functional.reduction import checked, reduced

__all__ = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "nll_loss",
)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Negative log-likelihood of the target class under softmax(x), in nats.

    weight: a factor for each class; "mean" divides by the sum of the targets' factors.
    ignore_index: a target that does not count.
    label_smoothing: this much of each target is spread evenly over all classes.
    Shapes: input (N, C), (C,) or (N, C, d1, …); target of class indices (N,), () or (N, d1, …), or
    of probabilities as input.
    Source: Bridle 1990, "Probabilistic interpretation of feedforward classification network
    outputs"; smoothing Szegedy et al. 2016, arXiv:1512.00567.

    >>> from autodiff import tensor
    >>> cross_entropy(tensor([[0.0, 0.0]]), tensor([1])).item()     # ln 2
    0.6931...
    """
    check_tensors("cross_entropy", input, target)
    reduction = checked(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be in [0, 1], got {label_smoothing}")
    check_floating("cross_entropy", input)
    axis = _class_axis("cross_entropy", input)
    if input.shape != target.shape:
        log_p = log_softmax(input, axis)
        return _index_loss(
            "cross_entropy", log_p, target, weight, ignore_index, reduction, label_smoothing
        )
    if not target.dtype.is_floating_point:
        raise RuntimeError(
            f"cross_entropy: a target of input's shape {tuple(input.shape)} holds probabilities, "
            f"of a floating dtype, got {target.dtype}; class indices have no axis {axis}"
        )
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    if weight is not None:
        target = target * _along(axis, weight, input)
    loss = -(log_softmax(input, axis) * target).sum(axis)
    if reduction == "mean":
        return loss.sum() / max(loss.numel(), 1)
    return reduced(loss, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the element of x, log-probabilities, at the target class.

    Shapes and arguments as cross_entropy with class indices.
    """
    check_tensors("nll_loss", input, target)
    reduction = checked(reduction, size_average, reduce)
    return _index_loss("nll_loss", input, target, weight, ignore_index, reduction)


def _index_loss(
    name: str,
    log_p: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float = 0.0,
) -> Tensor:
    axis = _class_axis(name, log_p)
    target = _checked_target(name, log_p, target, axis)
    if log_p.ndim == 2 and reduction == "mean" and weight is None and not label_smoothing:
        return kernels.nll_loss(log_p, target, ignore_index)
    classes = log_p.shape[axis]
    if weight is not None:
        check_tensors(f"{name}: weight", weight)
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"{name}: weight needs one element for each of {classes} classes, got shape "
            f"{tuple(weight.shape)}"
        )
    counts = target != ignore_index
    index = where(counts, target, 0)
    try:
        loss = -log_p.gather(axis, index.unsqueeze(axis)).squeeze(axis)
    except (IndexError, RuntimeError) as error:
        raise IndexError(
            f"{name}: the target must be class indices from 0 to {classes - 1}, or "
            f"ignore_index={ignore_index}"
        ) from error
    total = counts
    if weight is not None:
        total = where(counts, weight[index], 0.0)
        loss = loss * total
    if label_smoothing:
        every = log_p if weight is None else log_p * _along(axis, weight, log_p)
        loss = loss * (1 - label_smoothing) - every.sum(axis) * (label_smoothing / classes)
    loss = where(counts, loss, 0.0)
    if reduction == "mean":
        return loss.sum() / total.sum()
    return reduced(loss, reduction)


def _class_axis(name: str, input: Tensor) -> int:
    if input.ndim == 0:
        raise ValueError(f"{name}: input needs an axis of classes, got a single number")
    return 1 if input.ndim > 1 else 0


def _checked_target(name: str, input: Tensor, target: Tensor, axis: int) -> Tensor:
    """`target` if it can hold class indices for `input`. Raises: RuntimeError, ValueError."""
    if target.dtype.is_floating_point or target.dtype == bool_:
        raise RuntimeError(
            f"{name}: class indices must be integers, got {target.dtype}; convert with .long()"
        )
    wanted = (*input.shape[:axis], *input.shape[axis + 1 :])
    if tuple(target.shape) == wanted:
        return target
    if input.ndim == 1 and tuple(target.shape) == (1,):
        return target[0]
    same_axes = target.ndim == len(wanted)
    error = ValueError if same_axes and target.shape[:1] != wanted[:1] else RuntimeError
    raise error(
        f"{name}: input of shape {tuple(input.shape)} needs a target of shape {wanted}, got "
        f"{tuple(target.shape)}"
    )


def _along(axis: int, weight: Tensor, input: Tensor) -> Tensor:
    """Weights of classes in a shape that is broadcast along `axis` of input."""
    return weight.reshape([-1 if i == axis else 1 for i in range(input.ndim)])


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)), where x is a probability; each logarithm is -100 at least.

    Take binary_cross_entropy_with_logits instead of a sigmoid and this: it loses no digits.
    """
    reduction = checked(reduction, size_average, reduce)
    _check_pair("binary_cross_entropy", input, target)
    loss = kernels.binary_cross_entropy(input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(x), computed as (1 - t) x + log(1 + exp(-x)).

    pos_weight: a factor for the term of t, by which positive examples count more.
    """
    reduction = checked(reduction, size_average, reduce)
    _check_pair("binary_cross_entropy_with_logits", input, target)
    if pos_weight is None:
        loss = kernels.binary_cross_entropy_with_logits(input, target)
    else:
        factor = (pos_weight - 1) * target + 1
        loss = (1 - target) * input - kernels.log_sigmoid(input) * factor
    return reduced(loss if weight is None else loss * weight, reduction)


def _check_pair(name: str, input: Tensor, target: Tensor) -> None:
    check_tensors(name, input, target)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: input of shape {tuple(input.shape)} needs a target of the same shape, got "
            f"{tuple(target.shape)}"
        )
    check_floating(name, input)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t (log t - x): x are log-probabilities, t probabilities, or their logarithms (`log_target`).

    reduction: "batchmean" divides the sum by the length of the first axis, which makes it the
    divergence of Kullback and Leibler; "mean" divides by the number of elements, with a warning.
    """
    check_tensors("kl_div", input, target)
    divide = reduction == "batchmean"
    if reduction == "mean" and size_average is reduce is None:
        warnings.warn(
            "kl_div: 'mean' divides by the number of classes too; 'batchmean' gives the divergence",
            stacklevel=2,
        )
    reduction = "sum" if divide else checked(reduction, size_average, reduce)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        # t log t is 0 at 0
        loss = target * (where(target > 0, target, 1.0).log() - input)
    loss = reduced(loss, reduction)
    return loss / input.shape[0] if divide and input.ndim else loss
