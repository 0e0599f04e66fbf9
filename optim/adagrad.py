"""Adagrad: steps scaled by the sum of all squared gradients."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Tensor, full_like
from optim.elementwise import Elementwise, Rule, count, gradient
from optim.optimizer import non_negative


class Adagrad(Elementwise):
    """Steps along the gradient over the root of the sum of its squares.

    With g = gradient + weight_decay * p and t the number of the step:
        s = s + g**2, from initial_accumulator_value
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    maximize: ascend instead.
    Raises: ValueError for negative options.
    Source: Duchi, Hazan & Singer 2011, jmlr.org/papers/v12/duchi11a.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        non_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
        non_negative(initial_accumulator_value=initial_accumulator_value)
        options = dict(
            lr=lr,
            lr_decay=lr_decay,
            eps=eps,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, options)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = {name: self.first(name, p, group) for name in ("step", "sum")}

    def first(self, name: str, p: Tensor, options: dict[str, Any]) -> Any:
        """See Elementwise."""
        return 0 if name == "step" else full_like(p, self.defaults["initial_accumulator_value"])

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _adagrad, _numbers, ("sum",)


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    step_size = float(options["lr"]) / (1.0 + (count(states) - 1) * options["lr_decay"])
    return step_size, options["eps"], options["weight_decay"]


def _adagrad(p, s, g, step_size, eps, decay, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    s = s + g * g
    return p - step_size * (g / (np.sqrt(s) + eps)), s
