"""Six update rules, as PyTorch defines them and as lecture notes do; how an optimiser is written.

The notes' Constant and Momentum are `SGD`. Their Adagrad has one accumulator for all weights that
leave the same input, their RMS_prop and Adam have epsilon inside the root, and all three forget
their sums at the end of an epoch, whose number stands in Adam's bias correction for the number of
the update. Each is a subclass of `Optimizer` here: the options in `__init__`, the rule in `update`.
First ones (3, 3) are moved by 30 random gradients in epochs of three, beside what the notes'
classes give; then a 30-16-1 tanh network learns the breast cancer set under every rule.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "Learning rate methods" (codes by E. Reber and G. Kajda).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader
from benchmarks.learn.breast_cancer import LOSS, scaled_parts
from benchmarks.learn.figures import Figure, exact, shown
from benchmarks.learn.pictures import learning_curves
from benchmarks.learn.steps import made

EPSILON = 1e-8
QUICK = {"epochs": 2}


class EpochOptimizer(optim.Optimizer):
    """An optimiser that is told when an epoch is over, and then forgets `forgotten`."""

    forgotten: tuple[str, ...] = ()

    def __init__(self, params: Any, **options: float) -> None:
        super().__init__(params, options)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = self.initial(p)

    def initial(self, p: autodiff.Tensor) -> dict[str, autodiff.Tensor]:
        """The state of a parameter before the first step."""
        return {"second": autodiff.zeros_like(p), "moment": autodiff.zeros_like(p)}

    @autodiff.no_grad()
    def end_epoch(self) -> None:
        """Makes the sums 0 that the rule keeps for one epoch."""
        for state in self.state.values():
            for name in self.forgotten:
                state[name].zero_()


class EpochAdagrad(EpochOptimizer):
    """With the sums over the weights of one input (a column) and over the epoch:
        s = s + sum g^2;  m = momentum * m + lr * g / (sqrt(s) + epsilon);  p = p - m

    Options: lr, momentum.
    """

    forgotten = ("second",)

    def initial(self, p: autodiff.Tensor) -> dict[str, autodiff.Tensor]:
        return {"second": autodiff.zeros_like(p[:1]), "moment": autodiff.zeros_like(p)}

    @autodiff.no_grad()
    def update(self, pairs: list, options: dict[str, Any]) -> None:
        for p, g in pairs:
            second, moment = self.state[p]["second"], self.state[p]["moment"]
            second.add_(g.square().sum(0, keepdim=True))
            moment.mul_(options["momentum"]).add_(options["lr"] * g / (second.sqrt() + EPSILON))
            p.sub_(moment)


class EpochRMSprop(EpochOptimizer):
    """v = rho * v + (1 - rho) * g^2 within the epoch;  p = p - lr * g / sqrt(v + epsilon).

    Options: lr, rho.
    """

    forgotten = ("second",)

    @autodiff.no_grad()
    def update(self, pairs: list, options: dict[str, Any]) -> None:
        rho = options["rho"]
        for p, g in pairs:
            second = self.state[p]["second"]
            second.mul_(rho).add_((1 - rho) * g.square())
            p.sub_(options["lr"] * g / (second + EPSILON).sqrt())


class EpochAdam(EpochOptimizer):
    """Within epoch t, m = rho * m + (1 - rho) * g and v = rho2 * v + (1 - rho2) * g^2:
        p = p - lr * m / (1 - rho^t) / sqrt(v / (1 - rho2^t) + epsilon)

    Options: lr, rho, rho2.
    """

    forgotten = ("second", "moment")

    def initial(self, p: autodiff.Tensor) -> dict[str, autodiff.Tensor]:
        return super().initial(p) | {"epoch": autodiff.ones((), dtype=p.dtype)}

    @autodiff.no_grad()
    def update(self, pairs: list, options: dict[str, Any]) -> None:
        rho, rho2 = options["rho"], options["rho2"]
        for p, g in pairs:
            second, moment, epoch = (self.state[p][k] for k in ("second", "moment", "epoch"))
            moment.mul_(rho).add_((1 - rho) * g)
            second.mul_(rho2).add_((1 - rho2) * g.square())
            corrected = second / (1 - rho2**epoch)
            p.sub_(options["lr"] * moment / (1 - rho**epoch) / (corrected + EPSILON).sqrt())

    @autodiff.no_grad()
    def end_epoch(self) -> None:
        super().end_epoch()
        for state in self.state.values():
            state["epoch"].add_(1)


# By name: the notes' rule; and PyTorch's, where it has one.
RULES: dict[str, tuple[Callable, Callable | None]] = {
    "Constant": (lambda p: optim.SGD(p, lr=0.01), lambda p: optim.SGD(p, lr=0.01)),
    "Momentum": (
        lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
        lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
    ),
    "Adagrad": (
        lambda p: EpochAdagrad(p, lr=0.01, momentum=0.0),
        lambda p: optim.Adagrad(p, lr=0.01),
    ),
    "AdagradMomentum": (lambda p: EpochAdagrad(p, lr=0.01, momentum=0.9), None),
    "RMS_prop": (
        lambda p: EpochRMSprop(p, lr=0.01, rho=0.9),
        lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9),
    ),
    "Adam": (
        lambda p: EpochAdam(p, lr=0.01, rho=0.9, rho2=0.999),
        lambda p: optim.Adam(p, lr=0.01),
    ),
}
# The first weight and the mean of all nine after the 30 gradients: what the notes' classes gave.
BY_THE_NOTES = {
    "Constant": ("0.83751264", "0.85020542"),
    "Momentum": ("-0.11388412", "-0.05576552"),
    "Adagrad": ("0.87321493", "0.88361972"),
    "AdagradMomentum": ("0.11331841", "0.16933199"),
    "RMS_prop": ("0.30457890", "0.30079473"),
    "Adam": ("0.77795150", "0.78062197"),
}


def end_epoch(optimizer: optim.Optimizer) -> None:
    """Tells an optimiser that the epoch is over, if it wants to know."""
    if isinstance(optimizer, EpochOptimizer):
        optimizer.end_epoch()


def moved_ones(rule: Callable) -> np.ndarray:
    """Ones (3, 3) after 30 gradients of U(0, 1), an epoch of three at a time.

    The notes' rows are inputs, where a weight of `Linear` has them as columns.
    """
    draws = np.random.RandomState(2023)
    weight = autodiff.ones(3, 3, dtype=autodiff.float64, requires_grad=True)
    optimizer = rule([weight])
    for _ in range(10):
        for _ in range(3):
            weight.grad = autodiff.tensor(draws.rand(3, 3).T)
            optimizer.step()
        end_epoch(optimizer)
    return weight.detach().numpy().T


def train(rule: Callable, seed: int, epochs: int, compiled: bool = False) -> list[float]:
    """The cross-entropies of the rows trained on after every epoch of minibatches of 43."""
    rows = scaled_parts(0, autodiff.float32)["train"]
    autodiff.manual_seed(seed)
    model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = rule(model.parameters())

    def update(x, y):
        optimizer.zero_grad()
        loss = LOSS(model(x), y)
        loss.backward()
        optimizer.step()

    update = made(update, compiled)
    losses = []
    for _ in range(epochs):
        for batch in DataLoader(rows, batch_size=43, shuffle=True):
            update(*batch)
        end_epoch(optimizer)
        with autodiff.no_grad():
            x, y = rows.tensors
            losses.append(LOSS(model(x), y).item())
    return losses


def run(
    seed: int = 0, epochs: int = 30, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """The notes' figures, then the cross-entropy after training by both sets of rules."""
    figures = []
    for name, (rule, _) in RULES.items():
        moved = moved_ones(rule)
        for what, printed, number in zip(
            ("first weight", "mean weight"), BY_THE_NOTES[name], (moved[0, 0], moved.mean())
        ):
            figures.append(exact(f"{name}, {what}", printed, number))

    curves: dict[str, dict[str, list[float]]] = {
        "cross-entropy by the notes' rules": {},
        "cross-entropy by PyTorch's rules": {},
    }
    for name, rules in RULES.items():
        for (what, losses), rule in zip(curves.items(), rules):
            if rule is not None:
                losses[name] = train(rule, seed, epochs, compiled)
                figures.append(shown(f"{name}, {what}", losses[name][-1]))
    if plot is not None:
        learning_curves(plot, curves)
    return figures
