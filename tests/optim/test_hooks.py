"""Hooks of an optimiser, and optimisers of the user's own."""

import copy
import pickle

import numpy as np
import pytest

import autodiff
import optim
from autodiff import no_grad
from tests.autodiff.compiler.scenarios import agree
from tests.optim.problem import loss, parameters, train, values


class Sign(optim.Optimizer):
    """An optimiser as PyTorch's users write them, with state of several kinds."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state.update(step=0, mean=autodiff.zeros_like(p), scale=0.5, seen=[])
                state["step"] += 1
                state["mean"].mul_(0.9).add_(p.grad, alpha=0.1)
                state["seen"].append(p.grad.sum())
                p.add_(state["mean"].sign(), alpha=-group["lr"] * state["scale"])


MAKERS = {
    "SGD": lambda params: optim.SGD(params, lr=0.01),
    "LBFGS": lambda params: optim.LBFGS(params, lr=0.01),
    "one's own": Sign,
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each
def test_hooks_are_called_around_each_step(make):
    params = parameters(autodiff)
    optimizer, seen = make(params), []

    def closure():
        optimizer.zero_grad()
        value = loss(autodiff, *params)
        value.backward()
        return value

    def before(given, args, kwargs):
        seen.append(("before", given is optimizer, args == (optimizer, closure), kwargs))

    def after(given, args, kwargs):
        seen.append(("after", given is optimizer, args == (optimizer, closure), kwargs))

    handles = optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)
    optimizer.step(closure)
    assert seen == [("before", True, True, {}), ("after", True, True, {})]
    for handle in handles:
        handle.remove()
    optimizer.step(closure)
    assert len(seen) == 2


def logged(ns, module):
    """What hooks of every kind see in two steps, a saving and a loading."""
    params, log = parameters(ns), []
    optimizer = module.SGD(params, lr=0.1)
    for kind in (
        *("step_pre", "step_post", "state_dict_pre", "state_dict_post"),
        *("load_state_dict_pre", "load_state_dict_post"),
    ):
        register = getattr(optimizer, f"register_{kind}_hook")
        for i in range(2):
            register(lambda *args, kind=kind, i=i: log.append((kind, i, len(args))))
        if "step" not in kind:
            register(lambda *args, kind=kind: log.append((kind, "first")), prepend=True)
    train(ns, params, optimizer, 2)
    optimizer.load_state_dict(optimizer.state_dict())
    return log


def test_hooks_are_called_as_in_pytorch(torch):
    assert logged(autodiff, optim) == logged(torch, torch.optim)


def test_a_hook_may_replace_the_arguments():
    params = parameters(autodiff)
    optimizer = optim.SGD(params, lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 3), kwargs))
    assert optimizer.step() == 3
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 5)
    with pytest.raises(RuntimeError, match="int"):
        optimizer.step()


def test_hooks_may_replace_the_state_dict():
    optimizer = optim.SGD(parameters(autodiff), lr=0.1)

    def with_note(optimizer, state):
        return {**state, "note": 1}

    def without_note(optimizer, state):
        assert state.pop("note") == 1

    optimizer.register_state_dict_post_hook(with_note)
    optimizer.register_load_state_dict_pre_hook(without_note)
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    assert saved["note"] == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_hooks_stay_behind_when_an_optimizer_is_copied(duplicate):
    optimizer = optim.SGD(parameters(autodiff), lr=0.1)
    optimizer.register_step_pre_hook(lambda *args: pytest.fail("called"))
    duplicate(optimizer).step()


def test_a_compiled_step_notices_new_hooks():
    def scenario(run):
        params = parameters(autodiff)
        optimizer = optim.SGD(params, lr=0.01)

        def halve(optimizer, args, kwargs):
            for p in params:
                p.grad = p.grad * 0.5

        @run.compile
        def step():
            optimizer.zero_grad()
            loss(autodiff, *params).backward()
            optimizer.step()

        for i in range(9):
            if i == 3:
                handle = optimizer.register_step_pre_hook(halve)
            if i == 6:
                handle.remove()
            step()
            run.note(params)

    agree(scenario)


def test_an_optimizer_of_ones_own_saves_and_loads():
    params, straight = parameters(autodiff), parameters(autodiff)
    train(autodiff, straight, Sign(straight), 10)
    first = Sign(params)
    train(autodiff, params, first, 5)
    second = Sign(params)
    second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    state = second.state[params[0]]
    assert (state["step"], state["scale"], len(state["seen"])) == (5, 0.5, 5)
    assert state["mean"] is not first.state[params[0]]["mean"]
    train(autodiff, params, second, 5)
    np.testing.assert_array_equal(values(params), values(straight))


def test_an_optimizer_of_ones_own_is_not_compiled():
    params, others = parameters(autodiff), parameters(autodiff)
    optimizer, twin = Sign(params), Sign(others)

    @autodiff.compile
    def step():
        optimizer.zero_grad()
        loss(autodiff, *params).backward()
        optimizer.step()

    with pytest.warns(UserWarning, match=r"eagerly: Sign defines step\(\) itself"):
        step()
    for _ in range(3):
        step()
    train(autodiff, others, twin, 4)
    np.testing.assert_array_equal(values(params), values(others))


def test_a_step_that_calls_the_one_it_overrides_calls_hooks_once():
    class Counting(optim.SGD):
        steps = 0

        def step(self, closure=None):
            self.steps += 1
            return super().step(closure)

    optimizer, seen = Counting(parameters(autodiff)), []
    optimizer.register_step_pre_hook(lambda *args: seen.append(1))
    optimizer.step()
    optimizer.step()
    assert (optimizer.steps, len(seen)) == (2, 2)


def test_parameters_may_come_with_names():
    w, b = parameters(autodiff)
    optimizer = optim.SGD([("w", w), ("b", b)], lr=0.1)
    assert optimizer.param_groups[0]["params"][0] is w
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["param_names"] == ["w", "b"]
    optimizer.load_state_dict(saved)
    with pytest.raises(ValueError, match="names"):
        optimizer.add_param_group({"params": [parameters(autodiff)[0]]})
    with pytest.raises(ValueError, match="name"):
        optim.SGD([("w", w), b], lr=0.1)
