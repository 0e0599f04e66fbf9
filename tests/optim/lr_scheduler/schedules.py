"""Schedulers to try: makers that take the namespace of the schedulers and an optimiser."""

from collections.abc import Callable
from typing import Any

import autodiff
import optim
from tests.optim.problem import parameters


class Decay:
    """A function that is an object, whose attributes a state dict holds."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, t: float) -> float:
        return self.rate**t


def plain(name: str, **options: Any) -> Callable:
    """A maker of the scheduler of that name."""
    return lambda s, optimizer: getattr(s, name)(optimizer, **options)


SCHEDULES: dict[str, Callable] = {
    "StepLR": plain("StepLR", step_size=7),
    "StepLR gamma": plain("StepLR", step_size=3, gamma=0.9),
    "MultiStepLR": plain("MultiStepLR", milestones=[30, 5, 5, 12], gamma=0.5),
    "ConstantLR": plain("ConstantLR"),
    "ConstantLR factor": plain("ConstantLR", factor=0.25, total_iters=11),
    "LinearLR": plain("LinearLR"),
    "LinearLR down": plain("LinearLR", start_factor=0.9, end_factor=0.1, total_iters=13),
    "LinearLR to 0": plain("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=20),
    "ExponentialLR": plain("ExponentialLR", gamma=0.93),
    "PolynomialLR": plain("PolynomialLR"),
    "PolynomialLR power": plain("PolynomialLR", total_iters=30, power=2.5),
    "LambdaLR": plain("LambdaLR", lr_lambda=lambda t: 1 / (1 + t)),
    "LambdaLR list": plain("LambdaLR", lr_lambda=[lambda t: 0.95**t, lambda t: 1.0 / (1 + t)]),
    "LambdaLR object": plain("LambdaLR", lr_lambda=Decay(0.9)),
    "MultiplicativeLR": plain("MultiplicativeLR", lr_lambda=lambda t: 0.9 if t % 2 else 1.01),
    "CosineAnnealingLR": plain("CosineAnnealingLR", T_max=40),
    "CosineAnnealingLR again": plain("CosineAnnealingLR", T_max=7, eta_min=0.001),
    "WarmRestarts": plain("CosineAnnealingWarmRestarts", T_0=9),
    "WarmRestarts longer": plain("CosineAnnealingWarmRestarts", T_0=5, T_mult=2, eta_min=0.001),
    "CyclicLR": plain("CyclicLR", base_lr=0.01, max_lr=0.2, step_size_up=6),
    "CyclicLR down": plain(
        "CyclicLR", base_lr=0.01, max_lr=0.2, step_size_up=4, step_size_down=9, mode="triangular2"
    ),
    "CyclicLR exp_range": plain(
        *("CyclicLR",),
        **dict(base_lr=[0.01, 0.02], max_lr=[0.2, 0.3], step_size_up=5, mode="exp_range"),
        **dict(gamma=0.97, base_momentum=0.7, max_momentum=0.8),
    ),
    "CyclicLR scale_fn": plain(
        *("CyclicLR",),
        **dict(base_lr=0.01, max_lr=0.2, step_size_up=5, scale_fn=lambda t: 0.9**t),
        **dict(scale_mode="iterations", cycle_momentum=False),
    ),
    "CyclicLR scale object": plain(
        "CyclicLR", base_lr=0.01, max_lr=0.2, step_size_up=5, scale_fn=Decay(0.5)
    ),
    "OneCycleLR": plain("OneCycleLR", max_lr=0.3, total_steps=41),
    "OneCycleLR epochs": plain(
        *("OneCycleLR",),
        **dict(max_lr=[0.3, 0.2], epochs=5, steps_per_epoch=9, anneal_strategy="linear"),
        **dict(pct_start=0.4, div_factor=10.0, final_div_factor=100.0),
    ),
    "OneCycleLR three phases": plain(
        "OneCycleLR", max_lr=0.3, total_steps=50, three_phase=True, cycle_momentum=False
    ),
    "SequentialLR": lambda s, optimizer: s.SequentialLR(
        optimizer,
        [
            s.LinearLR(optimizer, 0.1, total_iters=8),
            s.CosineAnnealingLR(optimizer, 20),
            s.ExponentialLR(optimizer, 0.9),
        ],
        [8, 28],
    ),
    "ChainedScheduler": lambda s, optimizer: s.ChainedScheduler(
        [s.ConstantLR(optimizer, 0.1, 3), s.ExponentialLR(optimizer, 0.95)], optimizer
    ),
    "two at once": lambda s, optimizer: Both(
        s.CosineAnnealingLR(optimizer, 15), s.StepLR(optimizer, 4, 0.8)
    ),
    "three at once": lambda s, optimizer: Both(
        s.LinearLR(optimizer, 0.2), s.MultiStepLR(optimizer, [9, 20]), s.PolynomialLR(optimizer, 35)
    ),
}


class Both:
    """Several schedulers on one optimiser, stepped one after the other."""

    def __init__(self, *schedulers: Any) -> None:
        self.schedulers = schedulers

    def step(self) -> None:
        for scheduler in self.schedulers:
            scheduler.step()

    def get_last_lr(self) -> list:
        return self.schedulers[-1].get_last_lr()

    def state_dict(self) -> dict:
        return {i: s.state_dict() for i, s in enumerate(self.schedulers)}

    def load_state_dict(self, state: dict) -> None:
        for i, scheduler in enumerate(self.schedulers):
            scheduler.load_state_dict(state[i])


def optimizer_of(ns: Any = autodiff, module: Any = optim, name: str = "SGD", **options: Any) -> Any:
    """An optimiser of two groups with learning rates of their own."""
    w, b = parameters(ns)
    groups = [{"params": [w], "lr": 0.1}, {"params": [b], "lr": 0.04}]
    if name == "SGD":
        options = {"momentum": 0.9, **options}
    return getattr(module, name)(groups, lr=1.0, **options)


def settings(optimizer: Any) -> list:
    """What a schedule may change."""
    names = "lr", "momentum", "betas"
    return [[group[name] for name in names if name in group] for group in optimizer.param_groups]


def run(scheduler: Any, optimizer: Any, steps: int) -> list:
    """The settings after each of that many steps."""
    seen = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        seen.append(settings(optimizer))
    return seen
