"""Keeping gradients small."""

import math
from collections.abc import Iterable
from typing import Any

from autodiff import Tensor, linalg, no_grad, stack, tensor
from nn.functional.arguments import check_tensors

Tensors = Tensor | Iterable[Tensor]


def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:
    """The norm of all tensors together, as of one vector; 0 of none.

    Raises: RuntimeError if it is not finite, where `error_if_nonfinite` asks for that.
    """
    norms = [linalg.vector_norm(t, norm_type) for t in _listed(tensors)]
    if not norms:
        return tensor(0.0)
    total = linalg.vector_norm(stack(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"the total norm of order {norm_type} is {total.item()}; gradients were not clipped"
        )
    return total


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: Any = None
) -> None:
    """Multiply all gradients by max_norm / (total_norm + 1e-6), if that is below 1."""
    check_tensors("clip_grads_with_norm_: total_norm", total_norm)
    with no_grad():
        factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        for gradient in _gradients(parameters):
            gradient.mul_(factor)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:
    """Scale all gradients so that their norm together is at most max_norm; return what it was.

    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063.
    Raises: RuntimeError as get_total_norm; then no gradient was changed.
    """
    parameters = _listed(parameters)
    with no_grad():
        total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
        clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: Any = None) -> None:
    """Bring each element of all gradients into [-clip_value, clip_value]."""
    with no_grad():
        for gradient in _gradients(parameters):
            gradient.clamp_(-clip_value, clip_value)


def _listed(tensors: Tensors) -> list[Tensor]:
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    check_tensors("clipping", *tensors)
    return tensors


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]
