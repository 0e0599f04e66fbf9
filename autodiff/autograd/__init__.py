"""PyTorch's `torch.autograd`: gradients, custom operations, modes."""

from typing import TYPE_CHECKING

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
from autodiff.lazy import deferred

if TYPE_CHECKING:
    from autodiff.autograd import functional
    from autodiff.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {
            "autodiff.autograd.functional": (),
            "autodiff.testing.gradcheck": ("GradcheckError", "gradcheck", "gradgradcheck"),
        },
    )

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
