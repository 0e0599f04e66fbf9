"""What PyTorch keeps under torch.utils."""

from typing import TYPE_CHECKING

from autodiff.lazy import deferred
from autodiff.utils import hooks

if TYPE_CHECKING:
    from autodiff.utils import checkpoint, data
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {"autodiff.utils.checkpoint": (), "autodiff.utils.data": ()},
    )

__all__ = ["checkpoint", "data", "hooks"]
