"""Whole training steps: compiled they compute, leave and hand out what they do eagerly."""

import copy

import numpy as np
import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, no_grad, tensor
from tests.autodiff.compiler.scenarios import (
    agree,
    data,
    each_optimizer,
    network,
    step_of,
)


@each_optimizer
def test_ten_steps_agree_from_the_first(optimizer_of):
    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        for i in range(10):
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario, recordings=1)


@each_optimizer
def test_each_size_of_batch_is_recorded_once(optimizer_of):
    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        for i, rows in enumerate([8, 8, 3, 8, 1, 3, 1, 8, 0, 3, 0]):
            run.note(step(*data(rows, seed=i)), model, optimizer)

    agree(scenario, recordings=4)


def test_steps_in_float32_agree():
    def scenario(run):
        model = network(nn.ReLU()).float()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        step = step_of(run, model, optimizer)
        for i in range(10):
            x, y = data(seed=i)
            run.note(step(x.float(), y.float()), model, optimizer)

    agree(scenario, recordings=1)


@each_optimizer
def test_large_arrays_agree(optimizer_of):
    def scenario(run):
        model = nn.Sequential(nn.Linear(40, 300), nn.GELU(), nn.Linear(300, 1)).double()
        optimizer = optimizer_of(model.parameters(), lr=0.01)
        step = step_of(run, model, optimizer)
        rng = np.random.default_rng(0)
        x, y = tensor(rng.normal(size=(300, 40))), tensor(rng.normal(size=(300, 1)))
        for _ in range(4):
            run.note(step(x, y), model)

    agree(scenario, recordings=1)


@each_optimizer
def test_a_learning_rate_set_by_hand_is_followed(optimizer_of):
    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        for i in range(10):
            optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
            run.note(step(*data()), model)

    agree(scenario, recordings=1)


def test_a_schedule_and_a_learning_rate_in_a_tensor_are_followed():
    class Decay:
        def __init__(self, optimizer):
            self.optimizer = optimizer

        def step(self):
            for group in self.optimizer.param_groups:
                group["lr"] *= 0.5

    def scenario(run):
        model = network()
        optimizer = optim.Adam(
            [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.5}],
            lr=0.1,
        )
        schedule, step = Decay(optimizer), step_of(run, model, optimizer)
        for _ in range(5):
            run.note(step(*data()), model)
            schedule.step()
        optimizer.param_groups[0]["lr"] = rate = tensor(0.02)
        for _ in range(3):
            run.note(step(*data()), model)
            rate.mul_(0.5)

    agree(scenario, recordings=1)


SWITCHES = [
    (optim.SGD, {}, {"weight_decay": 0.1}),
    (optim.SGD, {"weight_decay": 0.1}, {"weight_decay": 0}),
    (optim.SGD, {"weight_decay": 0.1}, {"weight_decay": 0.3}),
    (optim.SGD, {}, {"maximize": True}),
    (optim.SGD, {}, {"momentum": 0.9}),
    (optim.SGD, {"momentum": 0.9}, {"momentum": 0}),
    (optim.SGD, {"momentum": 0.9}, {"momentum": 0.5, "dampening": 0.2}),
    (optim.SGD, {"momentum": 0.9}, {"nesterov": True}),
    (optim.Adam, {}, {"weight_decay": 0.1}),
    (optim.Adam, {}, {"betas": (0.5, 0.9)}),
    (optim.Adam, {}, {"eps": 0.1, "maximize": True}),
    (optim.Adam, {"amsgrad": True}, {"amsgrad": False}),
    (optim.AdamW, {}, {"weight_decay": 0}),
]


@pytest.mark.parametrize(("kind", "before", "after"), SWITCHES)
def test_options_switched_midway_are_followed(kind, before, after):
    def scenario(run):
        model = network()
        optimizer = kind(model.parameters(), lr=0.02, **before)
        step = step_of(run, model, optimizer)
        for i in range(10):
            if i == 3:
                optimizer.param_groups[0].update(after)
            if i == 7:
                optimizer.param_groups[0].update(dict.fromkeys(after, None) | optimizer.defaults)
            run.note(step(*data()), model, optimizer)

    agree(scenario)


def test_a_group_added_midway_is_updated():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model[0].parameters(), lr=0.1, momentum=0.5)
        step = step_of(run, model, optimizer)
        for i in range(8):
            if i == 3:
                optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.5})
            if i == 5:
                optimizer.param_groups[1]["lr"] = 0.01
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario)


# Other shapes of a step


def adversaries() -> tuple:
    generator = network()
    judge = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    optimizers = optim.Adam(generator.parameters(), 0.01), optim.SGD(judge.parameters(), 0.1, 0.5)
    real, fake = autodiff.ones(8, 1, dtype=float64), autodiff.zeros(8, 1, dtype=float64)
    return generator, judge, *optimizers, real, fake


def test_two_networks_against_each_other_in_one_step():
    def scenario(run):
        generator, judge, of_generator, of_judge, real, fake = adversaries()
        loss = nn.BCEWithLogitsLoss()

        @run.compile
        def step(x, noise):
            made = generator(noise)
            of_judge.zero_grad()
            judged = loss(judge(x), real) + loss(judge(made.detach()), fake)
            judged.backward()
            of_judge.step()
            of_generator.zero_grad()
            fooled = loss(judge(made), real)
            fooled.backward()
            of_generator.step()
            return judged, fooled

        for i in range(8):
            noise, x = data(seed=i)
            run.note(step(x, noise), generator, judge, of_generator, of_judge)

    agree(scenario, recordings=1)


def test_two_networks_against_each_other_in_two_steps():
    def scenario(run):
        generator, judge, of_generator, of_judge, real, fake = adversaries()
        loss = nn.BCEWithLogitsLoss()

        @run.compile
        def teach_judge(x, noise):
            with no_grad():
                made = generator(noise)
            of_judge.zero_grad()
            judged = loss(judge(x), real) + loss(judge(made), fake)
            judged.backward()
            of_judge.step()
            return judged

        @run.compile
        def teach_generator(noise):
            of_generator.zero_grad()
            fooled = loss(judge(generator(noise)), real)
            fooled.backward()
            of_generator.step()
            return fooled

        for i in range(8):
            noise, x = data(seed=i)
            run.note(teach_judge(x, noise), generator, judge, of_judge)
            run.note(teach_generator(noise), generator, judge, of_generator)

    agree(scenario)


def test_two_backward_passes_in_one_step():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            optimizer.zero_grad()
            out = model(x)
            first, second = F.mse_loss(out, y), F.l1_loss(out, y)
            first.backward(retain_graph=True)
            second.backward()
            optimizer.step()
            return first, second

        for i in range(5):
            run.note(step(*data(seed=i)), model)

    agree(scenario, recordings=1)


def test_three_updates_in_one_step():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)

        @run.compile
        def steps(x, y):
            losses = []
            for _ in range(3):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                optimizer.step()
                losses.append(loss)
            return losses

        for i in range(5):
            run.note(steps(*data(seed=i)), model, optimizer)

    agree(scenario, recordings=1)


def test_a_closure_given_to_the_optimizer():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            def closure():
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                return loss

            return optimizer.step(closure)

        for i in range(5):
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario, recordings=1)


def test_gradients_through_gradients_inside_a_step():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def adapt(x, y):
            inner = F.mse_loss(F.linear(x.tanh(), model[0].weight, model[0].bias).sum(1), y[:, 0])
            gradients = autodiff.autograd.grad(
                inner, [model[0].weight, model[0].bias], create_graph=True
            )
            weight, bias = (p - 0.1 * g for p, g in zip(model[0].parameters(), gradients))
            optimizer.zero_grad()
            loss = F.mse_loss(F.linear(x.tanh(), weight, bias).sum(1), y[:, 1])
            loss.backward()
            optimizer.step()
            return loss

        @run.compile
        def penalize(x, y):
            x = x.clone().requires_grad_()
            (g,) = autodiff.autograd.grad(model(x).sum(), x, create_graph=True)
            optimizer.zero_grad()
            loss = ((g.norm(dim=1) - 1) ** 2).mean() + F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(5):
            run.note(adapt(*data(seed=i)), penalize(*data(seed=i)), model)

    agree(scenario, recordings=2)


UPDATES_BY_HAND = {
    "p -= lr * g": lambda p: p.__isub__(0.1 * p.grad),
    "p.sub_(g, alpha=lr)": lambda p: p.sub_(p.grad, alpha=0.1),
    "p.copy_(...)": lambda p: p.copy_(p - 0.1 * p.grad),
    "p[...] = ...": lambda p: p.__setitem__(..., p - 0.1 * p.grad),
    "p[0] -= ...": lambda p: p.__setitem__(0, p[0] - 0.1 * p.grad[0]),
    "p.data.add_(g, alpha=-lr)": lambda p: p.data.add_(p.grad, alpha=-0.1),
    "p.data[:] -= ...": lambda p: p.data.__setitem__(slice(None), p.data - 0.1 * p.grad),
    "p.add_(g.mul_(-lr))": lambda p: p.add_(p.grad.mul_(-0.1)),
    "p.view(-1).sub_(...)": lambda p: p.view(-1).sub_(0.1 * p.grad.view(-1)),
    "p.mul_(decay).sub_(...)": lambda p: p.mul_(0.9).sub_(0.1 * p.grad),
}


@pytest.mark.parametrize("update", UPDATES_BY_HAND.values(), ids=UPDATES_BY_HAND)
def test_parameters_updated_by_hand(update):
    def scenario(run):
        w = nn.Parameter(autodiff.ones(3, 2, dtype=float64))
        b = nn.Parameter(autodiff.zeros(2, dtype=float64))

        @run.compile
        def step(x, y):
            w.grad = b.grad = None
            loss = F.mse_loss(x @ w + b, y)
            loss.backward()
            with no_grad():
                update(w)
                update(b)
            return loss

        for i in range(5):
            run.note(step(*data(seed=i)), w, b, w.grad, b.grad)

    agree(scenario, recordings=1)


def test_an_average_of_the_weights_kept_inside_the_step():
    def scenario(run):
        model = network()
        average = copy.deepcopy(model).requires_grad_(False)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            with no_grad():
                for slow, fast in zip(average.parameters(), model.parameters()):
                    slow.lerp_(fast, 0.1)
            return loss, F.mse_loss(average(x), y)

        for i in range(6):
            run.note(step(*data(seed=i)), model, average)

    agree(scenario, recordings=1)


def test_gradients_taken_with_grad_leave_grad_alone():
    def scenario(run):
        w = autodiff.ones(3, 2, dtype=float64, requires_grad=True)

        @run.compile
        def step(x, y):
            loss = F.mse_loss(x @ w, y)
            (g,) = autodiff.autograd.grad(loss, w)
            with no_grad():
                w.sub_(0.1 * g)
            return loss, g

        run.note([step(*data(seed=i)) for i in range(5)], w, w.grad)

    agree(scenario, recordings=1)


def test_custom_operations_and_hooks_inside():
    class Square(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            return 5 * g * ctx.saved_tensors[0]

    def scenario(run):
        w = nn.Parameter(autodiff.ones(3, dtype=float64))

        @run.compile
        def step(x):
            w.grad = None
            h = Square.apply(x * w)
            h.register_hook(lambda g: g * 2)
            h.retain_grad()
            h.sum().backward()
            return h.grad

        for i in range(4):
            run.note(step(data(seed=i)[0]), w.grad)

    agree(scenario, recordings=1)


PASSES = ("dead", "merge", "constants", "simplify", "common", "blocks")


@pytest.mark.parametrize(
    "options", [{"verify": True}, {"disable": PASSES}, *({"disable": [p]} for p in PASSES)], ids=str
)
def test_steps_agree_when_verified_and_without_each_pass(options):
    def scenario(run):
        model = network(nn.Dropout(0.3))
        optimizer = optim.Adam(model.parameters(), lr=0.1, weight_decay=0.1)
        step = step_of(run, model, optimizer, **options)
        for i, rows in enumerate([8, 8, 3, 3, 8, 3]):
            run.note(step(*data(rows, seed=i)), model, optimizer, autodiff.get_rng_state())

    agree(scenario, recordings=2)
