"""Adamax: Adam with the largest gradient of late in place of its mean square."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Tensor
from optim.elementwise import Elementwise, Rule, check_betas, count, gradient
from optim.optimizer import non_negative


class Adamax(Elementwise):
    """Steps along the running mean of the gradient over a maximum that decays.

    With g = gradient + weight_decay * p and t the number of the step:
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        p = p - lr / (1 - beta1**t) * m / u

    maximize: ascend instead.
    Raises: ValueError for negative options, or betas outside [0, 1).
    Source: Kingma & Ba 2015, arXiv:1412.6980, section 7.1.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        options = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _adamax, _numbers, ("exp_avg", "exp_inf")


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    beta1, beta2 = map(float, options["betas"])
    step_size = float(options["lr"]) / (1.0 - beta1 ** count(states))
    return beta1, beta2, step_size, options["eps"], options["weight_decay"]


def _adamax(p, m, u, g, beta1, beta2, step_size, eps, decay, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    m = beta1 * m + (1.0 - beta1) * g
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    return p - step_size * (m / u), m, u
