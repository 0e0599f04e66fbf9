"""NAdam: Adam with Nesterov's momentum."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from autodiff import Tensor
from optim.elementwise import (
    Elementwise,
    Rule,
    as_saved,
    check_betas,
    count,
    decay_number,
    decoupled_form,
    gradient,
    is_precise,
    keep,
)
from optim.optimizer import non_negative


class NAdam(Elementwise):
    """Adam that looks ahead: the gradient counts as it will in the next step's mean.

    With g = gradient + weight_decay * p and t the number of the step:
        mu_t = beta1 * (1 - 0.96**(t * momentum_decay) / 2)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        d = (1 - mu_t) / (1 - mu_1 ... mu_t) * g + mu_{t+1} / (1 - mu_1 ... mu_{t+1}) * m
        p = p - lr * d / (sqrt(v / (1 - beta2**t)) + eps)

    decoupled_weight_decay: as AdamW. maximize: ascend instead.
    Raises: ValueError for negative options, or betas outside [0, 1).
    Source: Dozat 2016, openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.
    """

    counts = ("step", "mu_product")
    form = staticmethod(decoupled_form)

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas(betas)
        options = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
        )
        super().__init__(params, options)
        self.numbers = partial(_numbers, is_precise())

    def first(self, name: str, p: Tensor, options: dict[str, Any]) -> Any:
        """See Elementwise."""
        return 1.0 if name == "mu_product" else super().first(name, p, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _nadam, self.numbers, ("exp_avg", "exp_avg_sq")


def _numbers(
    precise: bool, states: list[dict[str, Any]], options: dict[str, Any]
) -> tuple[float, ...]:
    t, lr = count(states), float(options["lr"])
    beta1, beta2 = map(float, options["betas"])
    mu, next_mu = (
        beta1 * (1.0 - 0.5 * 0.96 ** (i * options["momentum_decay"])) for i in (t, t + 1)
    )
    product = as_saved(states[0]["mu_product"] * as_saved(mu, precise), precise)
    keep(states, mu_product=product)
    root = math.sqrt(1.0 - beta2**t)  # taken out of the fraction: one division less
    g_size = root * lr * (1.0 - mu) / (1.0 - product)
    m_size = root * lr * next_mu / (1.0 - product * next_mu)
    return beta1, beta2, g_size, m_size, options["eps"] * root, decay_number(lr, options)


def _nadam(p, m, v, g, beta1, beta2, g_size, m_size, eps, decay, *, decays, shrinks, ascends):
    g = gradient(p, g, decay, decays, ascends)
    m = beta1 * m + (1.0 - beta1) * g
    v = beta2 * v + (1.0 - beta2) * (g * g)
    d = (g_size * g + m_size * m) / (np.sqrt(v) + eps)
    return (decay * p if shrinks else p) - d, m, v
