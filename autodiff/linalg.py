"""Linear algebra, under PyTorch's names."""

from autodiff.composed.linalg import matmul
from autodiff.composed.reduction import norm, vector_norm

__all__ = ["matmul", "norm", "vector_norm"]
