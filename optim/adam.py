"""Adam and AdamW: steps scaled by running moments of the gradient."""

import math
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from autodiff import Tensor, overwrite, zeros_like
from autodiff.compiler import guard, recorder
from optim.optimizer import Optimizer, non_negative


class Adam(Optimizer):
    """Steps along the running mean of the gradient over the root of its running mean square.

    With g = gradient + weight_decay * p and t the number of the step:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    amsgrad: use the largest v so far. maximize: ascend instead. decoupled_weight_decay: as AdamW.
    Raises: ValueError for negative options, or betas outside [0, 1).
    Source: Kingma & Ba 2015, arXiv:1412.6980; amsgrad: Reddi et al. 2018, arXiv:1904.09237.
    """

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
        if not all(0.0 <= float(beta) < 1.0 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), got {betas}")
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

    def update(self, pairs: list[tuple[Tensor, Tensor]], options: dict[str, Any]) -> None:
        amsgrad = guard(lambda: bool(options["amsgrad"]), watched=options)
        moments = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * amsgrad
        rows: defaultdict[int, list] = defaultdict(list)  # by number of the step
        for p, g in pairs:
            state = self.state[p]
            if not state:
                state["step"] = 0
                state.update({name: zeros_like(p) for name in moments})
            rows[state["step"]].append(((p, *[state[name] for name in moments]), (g,)))
        rule = _amsgrad if amsgrad else _adam
        for alike in rows.values():
            states = [self.state[tensors[0]] for tensors, _ in alike]
            if recorder():  # another step may have updated a part of them
                guard(partial(_in_step, states), each_run=True)
            overwrite(alike, rule, partial(_numbers, states), _form, options, self.programs)


def _in_step(states: list[dict[str, Any]]) -> bool:
    """Whether parameters with these states have made as many steps."""
    return len({state["step"] for state in states}) == 1


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    """The numbers of the rule in the next step of parameters with these states."""
    t = states[0]["step"] + 1
    for state in states:
        state["step"] = t
    lr, decay = float(options["lr"]), options["weight_decay"]
    beta1, beta2 = map(float, options["betas"])
    root = math.sqrt(1.0 - beta2**t)  # taken out of the fraction: one division less
    if options["decoupled_weight_decay"]:
        decay = 1.0 - lr * decay
    return beta1, beta2, lr * root / (1.0 - beta1**t), options["eps"] * root, decay


def _form(options: dict[str, Any]) -> dict[str, Any]:
    decays = options["weight_decay"] != 0
    return {
        "decays": decays and not options["decoupled_weight_decay"],
        "shrinks": decays and options["decoupled_weight_decay"],
        "ascends": bool(options["maximize"]),
    }


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


def _moments(p, m, v, g, beta1, beta2, decay, decays, ascends):
    if ascends:
        g = -g
    if decays:
        g = g + decay * p
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
