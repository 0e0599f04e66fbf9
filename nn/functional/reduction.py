"""How a loss for each element becomes one number."""

import warnings

from autodiff import Tensor

__all__ = ()


def checked(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """`reduction`, or what the two older arguments say instead.

    Raises: ValueError if it is not "none", "mean" or "sum".
    """
    if size_average is not None or reduce is not None:
        mean = "mean" if size_average in (None, True) else "sum"
        reduction = "none" if reduce is False else mean
        warnings.warn(
            f"size_average and reduce are out of use; write reduction={reduction!r}", stacklevel=3
        )
    elif reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The elements of `loss`, or their mean or sum."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss
