"""What PyTorch keeps under torch.utils."""

import importlib
from typing import Any

from autodiff.utils import checkpoint, hooks

__all__ = ["checkpoint", "data", "hooks"]


def __getattr__(name: str) -> Any:
    """`utils.data`, imported when first asked for: its threads take 6 ms to import."""
    if name == "data":
        return importlib.import_module("autodiff.utils.data")
    raise AttributeError(f"module 'autodiff.utils' has no attribute {name!r}")
