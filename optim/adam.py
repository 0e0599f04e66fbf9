"""Adam and AdamW: steps scaled by running moments of the gradient."""

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


class Adam(Elementwise):
    """Steps along the running mean of the gradient over the root of its running mean square.

    With g = gradient + weight_decay * p and t the number of the step:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    amsgrad: use the largest v so far. maximize: ascend instead. decoupled_weight_decay: as AdamW.
    Raises: ValueError for negative options, or betas outside [0, 1).
    Source: Kingma & Ba 2015, arXiv:1412.6980; amsgrad: Reddi et al. 2018, arXiv:1904.09237.
    """

    form = staticmethod(decoupled_form)

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        options = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )
        super().__init__(params, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        if options["amsgrad"]:
            return _amsgrad, _numbers, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return _adam, _numbers, ("exp_avg", "exp_avg_sq")


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: p = (1 - lr * weight_decay) * p first.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    t, lr = count(states), float(options["lr"])
    beta1, beta2 = map(float, options["betas"])
    root = math.sqrt(1.0 - beta2**t)  # taken out of the fraction: one division less
    step_size = lr * root / (1.0 - beta1**t)
    return beta1, beta2, step_size, options["eps"] * root, decay_number(lr, options)


def _moments(p, m, v, g, beta1, beta2, decay, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    return beta1 * m + (1.0 - beta1) * g, beta2 * v + (1.0 - beta2) * (g * g)


def _adam(p, m, v, g, beta1, beta2, step_size, eps, decay, *, decays, shrinks, ascends):
    m, v = _moments(p, m, v, g, beta1, beta2, decay, decays, ascends)
    d = m / (np.sqrt(v) + eps)
    return (decay * p if shrinks else p) - step_size * d, m, v


def _amsgrad(p, m, v, top, g, beta1, beta2, step_size, eps, decay, *, decays, shrinks, ascends):
    m, v = _moments(p, m, v, g, beta1, beta2, decay, decays, ascends)
    top = np.maximum(top, v)
    d = m / (np.sqrt(top) + eps)
    return (decay * p if shrinks else p) - step_size * d, m, v, top
