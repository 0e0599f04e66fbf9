"""Rows chosen by integers."""

from autodiff import Tensor, int64, linalg, no_grad, ones, where, zeros
from nn.functional.arguments import check_tensors

__all__ = ("embedding", "one_hot")


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of weight at the indices `input`.

    padding_idx: a row that gets no gradient.
    max_norm: rows at the indices whose `norm_type`-norm is more are first scaled to it, in weight.
    scale_grad_by_freq: divide the gradient of each index by how often it occurs in input.
    sparse: not used: the gradient has the shape of weight.
    Shapes: input (...) integer, weight (V, D) -> (..., D).
    Raises: IndexError for an index not in [0, V); RuntimeError for another dtype or shape;
        ValueError for such a padding_idx.
    """
    check_tensors("embedding", input, weight)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding needs weight of shape (V, D), got {tuple(weight.shape)}")
    count = weight.shape[0]
    if padding_idx is not None and not -count <= padding_idx < count:
        raise ValueError(f"embedding: padding_idx={padding_idx} is no row of {count}")
    indices = input.reshape(-1)
    if max_norm is not None:
        with no_grad():
            _bound(weight, indices, max_norm, norm_type)
    rows = weight.index_select(0, indices)
    if scale_grad_by_freq:
        ones_ = ones(indices.numel(), dtype=weight.dtype)
        often = zeros(count, dtype=weight.dtype).index_add(0, indices, ones_)
        share = rows / often.index_select(0, indices).unsqueeze(1)
        rows = share + (rows - share).detach()
    if padding_idx is not None:
        rows = where((indices == padding_idx % count).unsqueeze(1), rows.detach(), rows)
    return rows.reshape(*input.shape, weight.shape[1])


def _bound(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    rows = weight.index_select(0, indices)
    norms = linalg.vector_norm(rows, norm_type, 1, keepdim=True)
    weight[indices] = where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the class in a new last axis, else 0; as many classes as needed unless given.

    Shapes: (...) int64 -> (..., num_classes) int64.
    Raises: RuntimeError for another dtype, a class not in [0, num_classes), or no class at all and
        no number of them.
    """
    check_tensors("one_hot", tensor)
    if tensor.dtype != int64:
        raise RuntimeError(f"one_hot needs classes of int64, got {tensor.dtype}; use .long()")
    if not tensor.numel() and num_classes < 1:
        raise RuntimeError("one_hot of no classes needs num_classes")
    if num_classes == -1:
        num_classes = int(tensor.max().item()) + 1
    if tensor.numel() and num_classes < 1:
        raise RuntimeError(f"one_hot: classes must be at least 0 and below {num_classes=}")
    blank = zeros(*tensor.shape, num_classes, dtype=int64)
    return blank.scatter(-1, tensor.unsqueeze(-1), 1)
