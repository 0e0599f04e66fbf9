"""Products with weights."""

from autodiff import Tensor, einsum
from autodiff.kernels import linear

__all__ = ("bilinear", "linear")


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum over i, j of x1[i] W[k, i, j] x2[j], plus b[k].

    Shapes: input1 (..., I), input2 (..., J), weight (K, I, J), bias (K,) -> (..., K).
    """
    out = einsum("...i,kij,...j->...k", input1, weight, input2)
    return out if bias is None else out + bias
