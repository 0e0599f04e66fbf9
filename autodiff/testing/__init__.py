"""Tests of gradients, for whoever writes operations, layers or losses."""

from autodiff.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
