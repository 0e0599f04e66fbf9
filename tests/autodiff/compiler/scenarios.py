"""Scenarios that run eagerly and compiled, and must do the same; what they are made of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import tensor


class Run:
    """One run of a scenario, eager or compiled, and what it noted."""

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled
        self.noted: list = []
        self.made: list = []

    def compile(self, function: Callable | None = None, **options: Any) -> Any:
        """`function`, compiled in a compiled run."""
        if function is None:
            return lambda function: self.compile(function, **options)
        if not self.compiled:
            return function
        self.made.append(autodiff.compile(function, **options))
        return self.made[-1]

    def note(self, *things: Any) -> None:
        """Copies of what these hold now, to be compared between the runs."""
        self.noted.append(held(things))

    @property
    def recordings(self) -> int:
        """How often anything was recorded."""
        return sum(len(function.entries) for function in self.made)


def held(thing: Any) -> Any:
    """Copies of the arrays in anything: gradients of modules and state of optimizers included."""
    if isinstance(thing, autodiff.Tensor):
        return thing.detach().numpy().copy()
    if isinstance(thing, np.ndarray):
        return thing.copy()
    if isinstance(thing, nn.Module):
        grads = {f"{name}.grad": p.grad for name, p in thing.named_parameters()}
        return held({**thing.state_dict(), **grads})
    if isinstance(thing, optim.Optimizer):
        return held(thing.state_dict())
    if isinstance(thing, dict):
        return {key: held(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [held(value) for value in thing]
    return thing


def check_same(eager: Any, compiled: Any, where: str) -> None:
    """Equal structures, equal to rounding."""
    assert type(eager) is type(compiled), f"{where}: {eager!r} eagerly, {compiled!r} compiled"
    if isinstance(eager, dict):
        assert eager.keys() == compiled.keys(), where
        for key in eager:
            check_same(eager[key], compiled[key], f"{where} {key}")
    elif isinstance(eager, list):
        assert len(eager) == len(compiled), where
        for i, (a, b) in enumerate(zip(eager, compiled)):
            check_same(a, b, f"{where}[{i}]")
    elif isinstance(eager, np.ndarray):
        assert (eager.shape, eager.dtype) == (compiled.shape, compiled.dtype), where
        tolerance = {2: 1e-2, 4: 1e-4}.get(eager.itemsize, 1e-9)
        np.testing.assert_allclose(compiled, eager, tolerance, 0.1 * tolerance, err_msg=where)
    else:
        assert eager == compiled or eager != eager, where


def agree(scenario: Callable[[Run], None], recordings: int | None = None) -> Run:
    """The compiled run of `scenario`, which noted what the eager one notes.

    recordings: how many there must be. A function that falls back to eager warns, which is an error
    in tests.
    """
    runs = Run(False), Run(True)
    for run in runs:
        autodiff.manual_seed(0)
        scenario(run)
    assert runs[0].noted, "nothing was noted"
    check_same(runs[0].noted, runs[1].noted, "note")
    if recordings is not None:
        assert runs[1].recordings == recordings
    return runs[1]


def data(rows: int = 8, seed: int = 0) -> tuple:
    """A batch: three columns, and two to learn."""
    rng = np.random.default_rng(seed)
    return tensor(rng.normal(size=(rows, 3))), tensor(rng.normal(size=(rows, 2)))


def network(*extra: nn.Module) -> nn.Module:
    """Two layers, `extra` between them."""
    return nn.Sequential(nn.Linear(3, 5), *extra, nn.Tanh(), nn.Linear(5, 2)).double()


def step_of(run: Run, model: nn.Module, optimizer: optim.Optimizer, **options: Any) -> Callable:
    """The usual step."""

    @run.compile(**options)
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def classes(bad: bool = False) -> autodiff.Tensor:
    """Targets for eight rows of two classes; one of them out of range."""
    return tensor([0, 1, 1, 0, 1, 0, 0, 9 if bad else 1])


OPTIMIZERS = {
    "SGD": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, dampening=0.5),
    "Adam": partial(optim.Adam, lr=0.05),
}

each_optimizer = pytest.mark.parametrize("optimizer_of", OPTIMIZERS.values(), ids=OPTIMIZERS)
