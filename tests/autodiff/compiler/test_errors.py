"""Errors inside a compiled step leave all as they leave it eagerly."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, no_grad
from tests.autodiff.compiler.scenarios import (
    agree,
    classes,
    data,
    each_optimizer,
    network,
    step_of,
)


def outcome(function: Callable, *args: Any) -> Any:
    """What a call gives, or its error and the notes on it."""
    try:
        return function(*args)
    except (IndexError, ValueError, RuntimeError) as error:
        return type(error).__name__, str(error), list(getattr(error, "__notes__", ()))


@each_optimizer
def test_a_bad_target_leaves_all_as_the_eager_step_leaves_it(optimizer_of):
    def scenario(run):
        model = network(nn.Dropout(0.5))
        optimizer = optimizer_of(model.parameters())

        @run.compile
        def step(x, target):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), target)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(8):
            run.note(outcome(step, data(seed=i)[0], classes(bad=i in (2, 5))))
            run.note(model, optimizer, autodiff.get_rng_state())

    agree(scenario, recordings=1)


@each_optimizer
def test_an_error_after_a_first_update_leaves_that_update_once(optimizer_of):
    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())

        @run.compile
        def step(x, target):
            optimizer.zero_grad()
            first = model(x).square().sum()
            first.backward()
            optimizer.step()
            second = F.cross_entropy(model(x), target)
            second.backward()
            optimizer.step()
            return first, second

        for i in range(8):
            run.note(outcome(step, data(seed=i)[0], classes(bad=i in (2, 5))))
            run.note(model, optimizer)

    agree(scenario, recordings=1)


def test_an_error_after_a_buffer_was_written_leaves_it_written_once():
    class Shift(nn.Module):
        def __init__(self):
            self.register_buffer("total", autodiff.zeros(3, dtype=float64))

        def forward(self, x):
            with no_grad():
                self.total.add_(x.mean(0))
            return x + self.total

    def scenario(run):
        model = Shift()
        f = run.compile(lambda x, target: F.cross_entropy(model(x), target))
        for i in range(6):
            run.note(outcome(f, data(seed=i)[0], classes(bad=i % 3 == 2)), model)

    agree(scenario, recordings=1)


def test_an_error_after_backward_leaves_gradients_added_once():
    def scenario(run):
        model = network()

        @run.compile
        def f(x, target):
            model(x).square().sum().backward()
            return F.cross_entropy(model(x), target)

        for i in range(8):
            run.note(outcome(f, data(seed=i)[0], classes(bad=i % 3 == 2)), model)

    agree(scenario, recordings=2)


def test_an_error_leaves_gradients_kept_from_before():
    def scenario(run):
        model, kept = network(), []

        @run.compile
        def f(x, target):
            model.zero_grad()
            model(x).square().sum().backward()
            return F.cross_entropy(model(x), target)

        for i in range(8):
            with suppress(IndexError):
                f(data(seed=i)[0], classes(bad=i % 3 == 2))
            kept.append([p.grad for p in model.parameters()])
        run.note(kept)

    agree(scenario, recordings=1)


def test_an_error_leaves_the_generator_where_the_eager_step_leaves_it():
    def scenario(run):
        @run.compile
        def f(p):
            return autodiff.rand(2) + autodiff.bernoulli(p)

        for i in range(6):
            p = autodiff.full((2,), 0.5 if i % 3 else 2.0)
            run.note(outcome(f, p), autodiff.get_rng_state())

    agree(scenario)


def test_an_error_of_shapes_is_the_eager_one():
    def scenario(run):
        model = network()
        step = step_of(run, model, optim.SGD(model.parameters(), lr=0.1))
        for i in range(6):
            x, y = data(seed=i)
            run.note(outcome(step, x[:, :2] if i in (1, 3) else x, y), model)

    agree(scenario, recordings=1)


def test_a_raise_of_the_users_own_is_raised_each_time():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y, fail):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            if fail:
                raise ValueError("enough")
            optimizer.step()
            return loss

        for i in range(6):
            run.note(outcome(step, *data(seed=i), i % 3 == 1), model)

    agree(scenario, recordings=1)


CHOICES: dict[str, Callable] = {
    "index_select": lambda x, i: x.index_select(0, i),
    "embedding": lambda x, i: F.embedding(i, x, padding_idx=0),
    "index_add": lambda x, i: x.index_add(0, i, x[:2]),
    "index_copy": lambda x, i: x.index_copy(0, i, x[:2]),
    "index_fill": lambda x, i: x.index_fill(0, i, 0.5),
    "subscript": lambda x, i: x[i],
    "gather": lambda x, i: x.gather(0, i[:, None]),
    "scatter": lambda x, i: x.scatter(0, i[:, None], x[:2]),
    "scatter_add": lambda x, i: x.scatter_add(0, i[:, None], x[:2]),
    "scatter_reduce": lambda x, i: x.scatter_reduce(0, i[:, None], x[:2], "amax"),
    "one_hot": lambda x, i: x * F.one_hot(i, 2).sum(),
    "take": lambda x, i: x.take(i),
}


@pytest.mark.parametrize("choose", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("bad", [-1, 4, 100, -100])
def test_an_index_out_of_range_is_refused_in_each_run_as_eagerly(choose, bad):
    def scenario(run):
        weight = nn.Parameter(data(4)[0])
        optimizer = optim.SGD([weight], 0.1)

        @run.compile
        def step(indices):
            optimizer.zero_grad()
            loss = choose(weight, indices).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        for indices in ([0, 1], [1, 0], [bad, 0], [1, 1], [1, bad]):
            result = outcome(step, autodiff.tensor(indices))
            run.note(result[0] if isinstance(result, tuple) else result, weight, weight.grad)

    agree(scenario, recordings=1)
