"""PyTorch's `torch.autograd`: gradients, custom operations, modes."""

import importlib
from typing import TYPE_CHECKING, Any

from autodiff import function
from autodiff.function import Function
from autodiff.grad_modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from autodiff.gradients import backward, grad

if TYPE_CHECKING:
    from autodiff.autograd import functional
    from autodiff.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "Function",
    "GradcheckError",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def __getattr__(name: str) -> Any:
    """`functional` and the tests of gradients, imported when first asked for."""
    if name == "functional":
        return importlib.import_module("autodiff.autograd.functional")
    if name in ("GradcheckError", "gradcheck", "gradgradcheck"):
        return getattr(importlib.import_module("autodiff.testing.gradcheck"), name)
    raise AttributeError(f"module 'autodiff.autograd' has no attribute {name!r}")
