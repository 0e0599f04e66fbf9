"""Distances and similarities of vectors along one axis."""

from autodiff import Tensor, linalg

__all__ = ("cosine_similarity", "normalize", "pairwise_distance")


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its p-norm along `dim`, or by eps if that is more."""
    return input / linalg.vector_norm(input, p, dim, keepdim=True).clamp(min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between x1 and x2 along `dim`; norms count as eps at least."""
    first = linalg.vector_norm(x1, 2, dim).clamp(min=eps)
    second = linalg.vector_norm(x2, 2, dim).clamp(min=eps)
    return (x1 * x2).sum(dim) / (first * second)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last axis."""
    return linalg.vector_norm(x1 - x2 + eps, p, -1, keepdim=keepdim)
