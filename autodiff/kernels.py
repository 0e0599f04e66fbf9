"""Operations whose public names are nn.functional's."""

from autodiff.composed.linalg import linear
from autodiff.ops import loss
from autodiff.tensor import binary

__all__ = ["linear", "mean_square_error"]

mean_square_error = binary(loss.mean_square_error)
