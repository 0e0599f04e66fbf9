"""Rprop: steps that ask the gradient for its sign alone."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Tensor
from optim.elementwise import Elementwise, Rule, count
from optim.optimizer import non_negative


class Rprop(Elementwise):
    """Steps against the sign of the gradient, longer while it stays, shorter when it flips.

    With g = gradient, for batches that are all of the data:
        s = clip(s * etas[1], *step_sizes) where g has the sign it had, from lr
        s = clip(s * etas[0], *step_sizes) where it has the other; there g = 0 for this step
        p = p - sign(g) * s

    maximize: ascend instead.
    Raises: ValueError for a negative lr, or etas that are not 0 < etas[0] < 1 < etas[1].
    Source: Riedmiller & Braun 1993, doi:10.1109/ICNN.1993.298623; without weight-backtracking,
        Igel & Hüsken 2000.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr)
        if len(etas) != 2 or not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"etas must be 0 < etas[0] < 1 < etas[1], got {etas}")
        options = dict(
            lr=lr,
            etas=etas,
            step_sizes=step_sizes,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, options)

    @staticmethod
    def form(options: dict[str, Any]) -> dict[str, Any]:
        """See Elementwise."""
        return {"ascends": bool(options["maximize"])}

    def rule(self, options: dict[str, Any]) -> Rule:
        """See Elementwise."""
        return _rprop, _numbers, ("prev", "step_size")


def _numbers(states: list[dict[str, Any]], options: dict[str, Any]) -> tuple[float, ...]:
    """`start` is lr in the first step, then 0."""
    start = float(options["lr"]) if count(states) == 1 else 0.0
    return start, *options["etas"], *options["step_sizes"]


def _rprop(p, before, s, g, start, shorter, longer, least, most, *, ascends):
    if ascends:
        g = -g
    turn, s = g * before, s + start
    s = np.where(turn > 0, longer * s, np.where(turn < 0, shorter * s, s))
    s = np.minimum(np.maximum(s, least), most)
    g = np.where(turn < 0, 0.0, g)
    return p - np.sign(g) * s, g, s
