"""Tests of gradients, for whoever writes operations, layers or losses, and of optimisers."""

import importlib
from typing import TYPE_CHECKING, Any

from autodiff.testing.check import check_derivative, check_gradients
from autodiff.testing.gradcheck import gradcheck, gradgradcheck
from autodiff.testing.optimizers import check_optimizer
from autodiff.testing.report import GradcheckError, Report

if TYPE_CHECKING:
    from autodiff.testing import strategies
    from autodiff.testing.properties import property_gradients

__all__ = [
    "GradcheckError",
    "Report",
    "check_derivative",
    "check_gradients",
    "check_optimizer",
    "gradcheck",
    "gradgradcheck",
]


def __getattr__(name: str) -> Any:
    """`strategies` and `property_gradients`, which need hypothesis, when first asked for."""
    if name == "strategies":
        return importlib.import_module("autodiff.testing.strategies")
    if name == "property_gradients":
        return importlib.import_module("autodiff.testing.properties").property_gradients
    raise AttributeError(f"module 'autodiff.testing' has no attribute {name!r}")
