"""RMSprop: steps scaled by a running mean square of the gradient."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Tensor
from optim.elementwise import Elementwise, Rule, count, gradient
from optim.optimizer import non_negative


class RMSprop(Elementwise):
    """Steps along the gradient over the root of its running mean square.

    With g = gradient + weight_decay * p:
        v = alpha * v + (1 - alpha) * g**2
        d = g / (sqrt(v) + eps)
        b = momentum * b + d
        p = p - lr * b

    centered: with the running mean a = alpha * a + (1 - alpha) * g, v - a**2, the variance, in
    place of v under the root. maximize: ascend instead.
    Raises: ValueError for negative options.
    Source: Tieleman & Hinton 2012, Coursera lecture 6e; centered: Graves 2013, arXiv:1308.0850.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        options = dict(
            lr=lr,
            momentum=momentum,
            alpha=alpha,
            eps=eps,
            centered=centered,
            weight_decay=weight_decay,
            capturable=capturable,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
        )
        super().__init__(params, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        if options["momentum"] > 0:
            if options["centered"]:
                return _centered_momentum, _numbers, ("square_avg", "momentum_buffer", "grad_avg")
            return _momentum, _numbers, ("square_avg", "momentum_buffer")
        if options["centered"]:
            return _centered, _numbers, ("square_avg", "grad_avg")
        return _rmsprop, _numbers, ("square_avg",)


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    count(states)
    names = "alpha", "eps", "weight_decay", "momentum"
    return float(options["lr"]), *[options[name] for name in names]


def _square(v, g, alpha):
    return alpha * v + (1.0 - alpha) * (g * g)


def _mean(a, g, alpha):
    return a + (1.0 - alpha) * (g - a)  # exact once it has arrived, so that v - a * a is not < 0


def _rmsprop(p, v, g, lr, alpha, eps, decay, momentum, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    v = _square(v, g, alpha)
    return p - lr * (g / (np.sqrt(v) + eps)), v


def _momentum(p, v, b, g, lr, alpha, eps, decay, momentum, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    v = _square(v, g, alpha)
    b = momentum * b + g / (np.sqrt(v) + eps)
    return p - lr * b, v, b


def _centered(p, v, a, g, lr, alpha, eps, decay, momentum, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    v, a = _square(v, g, alpha), _mean(a, g, alpha)
    return p - lr * (g / (np.sqrt(v - a * a) + eps)), v, a


def _centered_momentum(p, v, b, a, g, lr, alpha, eps, decay, momentum, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    v, a = _square(v, g, alpha), _mean(a, g, alpha)
    b = momentum * b + g / (np.sqrt(v - a * a) + eps)
    return p - lr * b, v, b, a
