"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

from autodiff import Tensor, overwrite, zeros_like
from optim.optimizer import Optimizer, non_negative


class SGD(Optimizer):
    """Gradient descent, with momentum if asked.

    With g = gradient + weight_decay * p:
        b = momentum * b + (1 - dampening) * g, but b = g in the first step
        d = g without momentum, b with it, g + momentum * b if nesterov
        p = p - lr * d

    maximize: ascend instead.
    Raises: ValueError for negative options, and for nesterov without momentum or with dampening.
    Source: Polyak 1964, doi:10.1016/0041-5553(64)90137-5; Nesterov 1983; in the form of Sutskever
        et al. 2013, but lr multiplies the momentum too.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        non_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0")
        options = dict(
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            foreach=foreach,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, options)

    def update(self, pairs: list[tuple[Tensor, Tensor]], options: dict[str, Any]) -> None:
        numbers = (
            float(options["lr"]),
            options["weight_decay"],
            -1.0 if options["maximize"] else 1.0,
        )
        momentum = options["momentum"]
        if not momentum:
            overwrite([((p,), (g,)) for p, g in pairs], _descent, *numbers)
            return
        rule = _nesterov if options["nesterov"] else _momentum
        share = 1.0 - options["dampening"]
        for p, g in pairs:
            state = self.state[p]
            first = state.get("momentum_buffer") is None
            if first:
                state["momentum_buffer"] = zeros_like(p)
            row = ((p, state["momentum_buffer"]), (g,))
            overwrite([row], rule, *numbers, momentum, 1.0 if first else share)


def _gradient(p, g, weight_decay, sign):
    if sign != 1.0:
        g = sign * g
    return g + weight_decay * p if weight_decay else g


def _descent(p, g, lr, weight_decay, sign):
    if weight_decay or sign != 1.0:
        g = _gradient(p, g, weight_decay, sign)
    return (p - lr * g,)


def _momentum(p, b, g, lr, weight_decay, sign, momentum, share):
    b = momentum * b + share * _gradient(p, g, weight_decay, sign)
    return p - lr * b, b


def _nesterov(p, b, g, lr, weight_decay, sign, momentum, share):
    g = _gradient(p, g, weight_decay, sign)
    b = momentum * b + share * g
    return p - lr * (g + momentum * b), b
