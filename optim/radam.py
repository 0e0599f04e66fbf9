"""RAdam: Adam that trusts its mean square only when that has settled."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Tensor
from optim.elementwise import (
    Elementwise,
    Rule,
    check_betas,
    count,
    decay_number,
    decoupled_form,
    gradient,
)
from optim.optimizer import non_negative


class RAdam(Elementwise):
    """Adam whose step is scaled by how well its mean square is known, and at first not adaptive.

    With g = gradient + weight_decay * p and t the number of the step:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        d = r * sqrt(1 - beta2**t) / (sqrt(v) + eps) if rho > 5 else 1
        p = p - lr * m / (1 - beta1**t) * d

    decoupled_weight_decay: as AdamW. maximize: ascend instead.
    Raises: ValueError for negative options, or betas outside [0, 1).
    Source: Liu et al. 2020, arXiv:1908.03265, from rho > 5 on as in its authors' code.
    """

    form = staticmethod(decoupled_form)

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        options = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            decoupled_weight_decay=decoupled_weight_decay,
            differentiable=differentiable,
        )
        super().__init__(params, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _radam, _numbers, ("exp_avg", "exp_avg_sq")


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    """`adapts` and `constant` are 1 and 0, or 0 and 1 in the first steps."""
    t, lr = count(states), float(options["lr"])
    beta1, beta2 = map(float, options["betas"])
    step_size, correction = lr / (1.0 - beta1**t), 1.0 - beta2**t
    most = 2.0 / (1.0 - beta2) - 1.0
    rho = most - 2.0 * t * beta2**t / correction
    adapts = rho > 5.0
    if adapts:
        step_size *= math.sqrt(correction) * math.sqrt(
            (rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho)
        )
    decay = decay_number(lr, options)
    return beta1, beta2, step_size, options["eps"], decay, float(adapts), float(not adapts)


def _radam(
    p, m, v, g, beta1, beta2, step_size, eps, decay, adapts, constant, *, decays, shrinks, ascends
):
    g = gradient(p, g, decay, decays, ascends)
    m = beta1 * m + (1.0 - beta1) * g
    v = beta2 * v + (1.0 - beta2) * (g * g)
    d = m / (adapts * (np.sqrt(v) + eps) + constant)
    return (decay * p if shrinks else p) - step_size * d, m, v
