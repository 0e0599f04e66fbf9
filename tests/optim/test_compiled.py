"""Every optimiser in a compiled step: parameters and state as after eager steps."""

import inspect
from itertools import product
from typing import Any

import numpy as np
import pytest

import autodiff
import optim
from optim.elementwise import Elementwise
from tests.autodiff.compiler.scenarios import Run, agree, check_same, held
from tests.optim.problem import loss, parameters

OPTIONS: dict[str, dict[str, tuple]] = {
    "SGD": {
        "momentum": (0, 0.9),
        "dampening": (0, 0.3),
        "weight_decay": (0, 0.1),
        "nesterov": (False, True),
        "maximize": (False, True),
    },
    "Adam": {
        "betas": ((0.9, 0.999), (0.5, 0.7)),
        "weight_decay": (0, 0.1),
        "amsgrad": (False, True),
        "maximize": (False, True),
        "decoupled_weight_decay": (False, True),
    },
    "AdamW": {"weight_decay": (0, 0.1), "amsgrad": (False, True), "maximize": (False, True)},
}
"""Values of keywords whose combinations are tried; of other optimisers, see usual()."""

USUAL = {
    "weight_decay": 0.1,
    "maximize": True,
    "momentum": 0.5,
    "centered": True,
    "nesterov": True,
    "amsgrad": True,
    "lr_decay": 0.1,
    "momentum_decay": 0.01,
    "decoupled_weight_decay": True,
}
"""What to try of keywords that an optimiser without a line above has."""

OPTIMIZERS = [
    name
    for name in optim.__all__
    if inspect.isclass(cls := getattr(optim, name)) and issubclass(cls, Elementwise)
]  # LBFGS branches on values, see test_lbfgs.py


def combinations(name: str) -> list[dict[str, Any]]:
    values = OPTIONS.get(name)
    if values is None:
        known = inspect.signature(getattr(optim, name)).parameters
        chosen = {k: v for k, v in USUAL.items() if k in known}
        return [{}, *({k: v} for k, v in chosen.items()), chosen]
    return [dict(zip(values, combination)) for combination in product(*values.values())]


def cases() -> list:
    found = []
    for name in OPTIMIZERS:
        for options in combinations(name):
            changed = {k: v for k, v in options.items() if v}
            try:
                getattr(optim, name)(parameters(autodiff), lr=0.01, **options)
            except ValueError:
                continue  # not a combination it takes
            found.append(pytest.param(name, options, id=f"{name}-{changed}"))
    return found


def train(run: Run, name: str, options: dict, dtype: str, steps: int = 20) -> None:
    params = parameters(autodiff, dtype)
    optimizer = getattr(optim, name)(params, lr=0.01, **options)

    @run.compile
    def step():
        optimizer.zero_grad()
        value = loss(autodiff, *params)
        value.backward()
        optimizer.step()
        return value

    for _ in range(steps):
        run.note(step(), params, [p.grad for p in params], optimizer)


@pytest.mark.parametrize(("name", "options"), cases())
def test_twenty_compiled_steps_are_twenty_eager_ones(name, options):
    agree(lambda run: train(run, name, options, "float64"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_compiled_steps_in_float32_are_twenty_eager_ones(name):
    agree(lambda run: train(run, name, {}, "float32"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_given_the_same_gradients_the_numbers_are_the_same_bit_for_bit(name):
    def reached(compiled):
        run, params = Run(compiled), parameters(autodiff)
        options = {} if name == "Rprop" else {"weight_decay": 0.1}
        optimizer = getattr(optim, name)(params, lr=0.01, **options)

        @run.compile
        def step(*gradients):
            for p, g in zip(params, gradients):
                p.grad = g.clone()
            optimizer.step()

        rng = np.random.default_rng(0)
        for _ in range(20):
            step(*[autodiff.tensor(rng.normal(size=p.shape)) for p in params])
        return held([params, optimizer])

    eager, compiled = reached(False), reached(True)
    for a, b in zip(eager[0], compiled[0]):
        np.testing.assert_array_equal(a, b)
    check_same(eager[1], compiled[1], "state")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_groups_with_options_of_their_own(name):
    def scenario(run):
        w, b = parameters(autodiff)
        groups = [{"params": [w], "lr": 0.02}, {"params": [b], "maximize": True}]
        optimizer = getattr(optim, name)(groups, lr=0.01)

        @run.compile
        def step():
            optimizer.zero_grad()
            loss(autodiff, w, b).backward()
            optimizer.step()

        for i in range(10):
            optimizer.param_groups[i % 2]["lr"] *= 0.9
            step()
            run.note(w, b, optimizer)

    agree(scenario)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_learning_rate_that_is_a_tensor_and_changes(name):
    def scenario(run):
        params = parameters(autodiff)
        lr = autodiff.tensor(0.02, dtype=autodiff.float64)
        optimizer = getattr(optim, name)(params, lr=lr)

        @run.compile
        def step():
            optimizer.zero_grad()
            loss(autodiff, *params).backward()
            optimizer.step()

        for _ in range(10):
            step()
            lr.mul_(0.9)
            run.note(params, optimizer)

    agree(scenario, recordings=1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_without_a_gradient_now_and_then_stay(name):
    def scenario(run):
        params = parameters(autodiff)
        optimizer = getattr(optim, name)(params, lr=0.01)

        @run.compile
        def step(w_too):
            optimizer.zero_grad()
            w, b = params
            loss(autodiff, w if w_too else w.detach(), b).backward()
            optimizer.step()

        for i in range(12):
            step(i % 3 != 0)
            run.note(params, optimizer)

    agree(scenario)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_compiled_alone_takes_gradients_from_outside(name):
    def scenario(run):
        params = parameters(autodiff)
        optimizer = getattr(optim, name)(params, lr=0.01)
        step = run.compile(lambda: optimizer.step())
        for i in range(10):
            optimizer.zero_grad()
            loss(autodiff, *params).backward()
            if i == 5:
                params[1].grad = None
            step()
            run.note(params, optimizer)

    agree(scenario)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_goes_from_eager_to_compiled_and_back(name):
    params = parameters(autodiff)
    optimizer = getattr(optim, name)(params, lr=0.01)
    others = parameters(autodiff)
    twin = getattr(optim, name)(others, lr=0.01)

    def step_of(params, optimizer):
        def step():
            optimizer.zero_grad()
            loss(autodiff, *params).backward()
            optimizer.step()

        return step

    eager, compiled = step_of(params, optimizer), autodiff.compile(step_of(params, optimizer))
    always_eager = step_of(others, twin)
    for i in range(12):
        (compiled if i // 3 % 2 else eager)()
        always_eager()
        check_same(held([others, twin]), held([params, optimizer]), f"step {i}")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_arguments_can_be_the_gradients(name):
    def scenario(run):
        params = parameters(autodiff)
        optimizer = getattr(optim, name)(params, lr=0.01)

        @run.compile
        def step(*gradients):
            for p, g in zip(params, gradients):
                p.grad = g
            optimizer.step()

        for i in range(12):
            gradients = [autodiff.full_like(p, float(i)).detach() for p in params]
            step(*gradients)
            run.note(params, [p.grad for p in params], gradients, optimizer)

    agree(scenario, recordings=1)
