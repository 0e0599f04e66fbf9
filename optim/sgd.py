"""Stochastic gradient descent."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from autodiff import Tensor, zeros_like
from autodiff.compiler import guard
from optim.elementwise import Elementwise, gradient
from optim.optimizer import non_negative


class SGD(Elementwise):
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

    counts = ()

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
        """Make one step of parameters of one group, given with their gradients."""
        momentum, nesterov = guard(
            lambda: (options["momentum"] != 0, options["nesterov"]), watched=options
        )
        if not momentum:
            rows = [((p,), (g,)) for p, g in pairs]
            self.write(rows, _descent, _numbers, options)
            return

        rule = _nesterov if nesterov else _momentum
        by_first: dict[bool, list] = {True: [], False: []}  # by whether this is the first step
        for p, g in pairs:
            state = self.state[p]
            first = state.get("momentum_buffer") is None
            if first:
                state["momentum_buffer"] = zeros_like(p)
            by_first[first].append(((p, state["momentum_buffer"]), (g,)))
        for first, alike in by_first.items():
            if alike:
                self.write(alike, rule, partial(_momentum_numbers, [first]), options)


def _numbers(options: dict[str, Any]) -> tuple[float, ...]:
    return float(options["lr"]), options["weight_decay"]


def _momentum_numbers(first: list[bool], options: dict[str, Any]) -> tuple[float, ...]:
    """The numbers of a rule with momentum; in the first step the gradient counts in full."""
    share = 1.0 if first[0] else 1.0 - options["dampening"]
    first[0] = False
    return *_numbers(options), options["momentum"], share


def _descent(p, g, lr, weight_decay, *, decays, ascends):
    return (p - lr * gradient(p, g, weight_decay, decays, ascends),)


def _momentum(p, b, g, lr, weight_decay, momentum, share, *, decays, ascends):
    b = momentum * b + share * gradient(p, g, weight_decay, decays, ascends)
    return p - lr * b, b


def _nesterov(p, b, g, lr, weight_decay, momentum, share, *, decays, ascends):
    g = gradient(p, g, weight_decay, decays, ascends)
    b = momentum * b + share * g
    return p - lr * (g + momentum * b), b
