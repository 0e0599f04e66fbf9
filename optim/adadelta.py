"""Adadelta: steps as long as the last ones were, whatever the scale of the gradient."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Tensor
from optim.elementwise import Elementwise, Rule, count, gradient
from optim.optimizer import non_negative


class Adadelta(Elementwise):
    """Steps along the gradient, times the running size of the steps over that of the gradient.

    With g = gradient + weight_decay * p:
        v = rho * v + (1 - rho) * g**2
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d**2
        p = p - lr * d

    maximize: ascend instead.
    Raises: ValueError for negative options, or rho above 1.
    Source: Zeiler 2012, arXiv:1212.5701.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"rho must lie in [0, 1], got {rho}")
        options = dict(
            lr=lr,
            rho=rho,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            capturable=capturable,
            foreach=foreach,
            differentiable=differentiable,
        )
        super().__init__(params, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _adadelta, _numbers, ("square_avg", "acc_delta")


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    count(states)
    return float(options["lr"]), options["rho"], options["eps"], options["weight_decay"]


def _adadelta(p, v, u, g, lr, rho, eps, decay, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    v = rho * v + (1.0 - rho) * (g * g)
    d = np.sqrt(u + eps) / np.sqrt(v + eps) * g
    return p - lr * d, v, rho * u + (1.0 - rho) * (d * d)
