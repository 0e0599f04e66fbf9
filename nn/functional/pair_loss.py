"""Losses that compare pairs and triples, where a target is 1 or -1.

`reduction` says what is given: "none" the loss of each element, "mean" or "sum" of them all.
"""

from autodiff import Tensor, minimum, where
from nn.functional.activation import softplus
from nn.functional.arguments import check_tensors
from nn.functional.distance import pairwise_distance
from nn.functional.reduction import checked, reduced

__all__ = (
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The distance x where t is 1, max(0, margin - x) where it is -1."""
    check_tensors("hinge_embedding_loss", input, target)
    reduction = checked(reduction, size_average, reduce)
    far = where(target != 1, (margin - input).clamp(min=0), 0.0)
    return reduced(far + where(target != -1, input, 0.0), reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - t (x1 - x2)): t is 1 where x1 should be the larger."""
    check_tensors("margin_ranking_loss", input1, input2, target)
    reduction = checked(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss needs as many axes in each, got shapes "
            f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}"
        )
    return reduced((margin - target * (input1 - input2)).clamp(min=0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d being pairwise_distance.

    swap: take d(positive, negative) where it is less than d(anchor, negative).
    Source: Balntas et al. 2016, "Learning local feature descriptors with triplets".
    """
    reduction = checked(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: margin must be positive, got {margin}")
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced((near - far + margin).clamp(min=0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where t is 1, max(0, cos(x1, x2) - margin) where it is -1.

    Shapes: input1, input2 (N, D), target (N,); or (D,) and ().
    """
    check_tensors("cosine_embedding_loss", input1, input2, target)
    reduction = checked(reduction, size_average, reduce)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            "cosine_embedding_loss needs inputs (N, D) and a target (N,), or (D,) and (); got "
            f"shapes {tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}"
        )
    # Norms are raised by an epsilon here, where cosine_similarity sets a lower bound.
    tiny = 1e-12
    squares1 = input1.square().sum(-1) + tiny
    squares2 = input2.square().sum(-1) + tiny
    cosine = (input1 * input2).sum(-1) / (squares1 * squares2).sqrt()
    near = where(target == 1, 1 - cosine, 0.0)
    far = where(target == -1, (cosine - margin).clamp(min=0), 0.0)
    return reduced(near + far, reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-t x))."""
    check_tensors("soft_margin_loss", input, target)
    reduction = checked(reduction, size_average, reduce)
    scaled = -target * input
    return reduced(softplus(scaled), reduction)
