"""What PyTorch keeps under torch.utils."""

from autodiff.utils import hooks

__all__ = ["hooks"]
