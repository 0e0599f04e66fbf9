"""ASGD: gradient descent that keeps the average of the parameters."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from autodiff import Tensor
from optim.elementwise import Elementwise, Rule, as_saved, count, gradient, is_precise, keep
from optim.optimizer import non_negative


class ASGD(Elementwise):
    """Gradient descent with shrinking steps; `state[p]["ax"]` is the average of p from t0 on.

    With g = gradient + weight_decay * p and t the number of the step:
        eta = lr / (1 + lambd * lr * (t - 1))**alpha
        p = (1 - lambd * eta) * p - eta * g
        ax = ax + mu * (p - ax) where mu = 1 / max(1, t - 1 - t0)

    eta and mu are rounded as a state dict holds them, in the default dtype. maximize: ascend
    instead.
    Raises: ValueError for a negative lr or weight_decay.
    Source: Polyak & Juditsky 1992, doi:10.1137/0330046, with the steps of Bottou 2012,
        doi:10.1007/978-3-642-35289-8_25.
    """

    counts = ("step", "eta", "mu")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        non_negative(lr=lr, weight_decay=weight_decay)
        options = dict(
            lr=lr,
            lambd=lambd,
            alpha=alpha,
            t0=t0,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, options)
        self.numbers = partial(_numbers, is_precise())

    def first(self, name: str, p: Tensor, options: dict[str, Any]) -> Any:
        """See Elementwise."""
        if name == "eta":
            return None  # lr, which is read in numbers()
        return 1.0 if name == "mu" else super().first(name, p, options)

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _asgd, self.numbers, ("ax",)


def _numbers(
    precise: bool, states: list[dict[str, Any]], options: dict[str, Any]
) -> tuple[float, ...]:
    t, lr, lambd = count(states), float(options["lr"]), options["lambd"]
    eta, mu = states[0]["eta"], states[0]["mu"]
    if eta is None:
        eta = as_saved(lr, precise)
    keep(
        states,
        eta=as_saved(lr / (1.0 + lambd * lr * t) ** options["alpha"], precise),
        mu=as_saved(1.0 / max(1.0, t - options["t0"]), precise),
    )
    return eta, mu, 1.0 - lambd * eta, options["weight_decay"]


def _asgd(p, ax, g, eta, mu, shrink, decay, *, decays, ascends):
    g = gradient(p, g, decay, decays, ascends)
    p = shrink * p - eta * g
    return p, (1.0 - mu) * ax + mu * p
