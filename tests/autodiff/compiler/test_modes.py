"""Compiled steps that draw random numbers, switch modes or change layers."""

import autodiff
import nn
import optim
from autodiff import float64, no_grad, tensor
from tests.autodiff.compiler.scenarios import (
    agree,
    data,
    network,
    step_of,
)


def test_dropout_draws_the_masks_of_the_seed():
    def scenario(run):
        model = network(nn.Dropout(0.3))
        step = step_of(run, model, optim.SGD(model.parameters(), lr=0.1))
        for i in range(10):
            if i == 4:
                autodiff.manual_seed(5)
            if i == 6:
                state = autodiff.get_rng_state()
            if i == 8:
                autodiff.set_rng_state(state)
            run.note(step(*data()), model, autodiff.get_rng_state())

    agree(scenario, recordings=1)


def test_train_eval_and_attributes_of_modules_are_followed():
    def scenario(run):
        model = network(nn.Dropout(0.3), nn.LeakyReLU(0.1))
        step = step_of(run, model, optim.SGD(model.parameters(), lr=0.1))
        changes = {
            2: model.eval,
            4: model.train,
            5: lambda: setattr(model[1], "p", 0.7),
            6: lambda: setattr(model[1], "p", 0.0),
            7: lambda: setattr(model[1], "p", 1.0),
            8: lambda: setattr(model[1], "p", 0.3),
            9: lambda: setattr(model[2], "negative_slope", 0.5),
            10: model[1].eval,
        }
        for i in range(12):
            changes.get(i, int)()
            run.note(step(*data()), model, autodiff.get_rng_state())

    agree(scenario)


def test_a_step_may_say_train_each_time():
    def scenario(run):
        model = network(nn.Dropout(0.5))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x):
            model.train()
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        for i in range(3):
            run.note(step(data(seed=i)[0]), model)

    agree(scenario, recordings=1)


def test_random_functions_inside_draw_afresh_as_eagerly():
    def scenario(run):
        own = autodiff.Generator().manual_seed(3)

        @run.compile
        def draws(x):
            autodiff.bernoulli(autodiff.full((3,), 0.3))
            return [
                x + autodiff.randn(8, 3, dtype=float64),
                autodiff.rand_like(x),
                x[autodiff.randperm(8)],
                autodiff.randint(0, 8, (3,)),
                autodiff.normal(x, 1.0),
                autodiff.bernoulli(autodiff.full((8, 3), 0.3)),
                autodiff.empty(3).uniform_(),
                autodiff.multinomial(autodiff.ones(5), 2),
                autodiff.rand(2, generator=own),
            ]

        for i in range(5):
            if i == 3:
                own.manual_seed(3)
            run.note(draws(data(seed=i)[0]), autodiff.get_rng_state(), own.get_state())

    agree(scenario, recordings=1)


def test_a_generator_can_be_an_argument():
    def scenario(run):
        f = run.compile(lambda x, g: x + autodiff.rand(3, generator=g))
        a, b = autodiff.Generator().manual_seed(3), autodiff.Generator().manual_seed(4)
        for g in (a, b, a, b):
            run.note(f(autodiff.ones(3), g))

    agree(scenario, recordings=2)


def test_buffers_written_inside_are_written_in_every_run():
    class Norm(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(autodiff.ones(3))
            self.register_buffer("mean", autodiff.zeros(3))
            self.register_buffer("count", tensor(0))

        def forward(self, x):
            if self.training:
                with no_grad():
                    self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
                    self.count += 1
            return (x - self.mean) * self.weight

    def scenario(run):
        model = nn.Sequential(Norm(), nn.Linear(3, 2)).double()
        step = step_of(run, model, optim.SGD(model.parameters(), lr=0.1))
        for i in range(9):
            if i == 4:
                model.eval()
            if i == 6:
                model.train()
                model[0].mean = autodiff.ones(3, dtype=float64)
            run.note(step(*data(seed=i)), model)

    agree(scenario)


def test_layers_put_in_and_taken_out_are_seen():
    def scenario(run):
        model = network()
        f = run.compile(lambda x: model(x).sum())
        changes = [
            lambda: None,
            lambda: model.append(nn.ReLU()),
            lambda: model.__setitem__(0, nn.Linear(3, 5).double()),
            lambda: setattr(model[0], "weight", nn.Parameter(autodiff.ones(5, 3, dtype=float64))),
            lambda: setattr(model[0], "bias", None),
            lambda: model.pop(3),
        ]
        with no_grad():
            for change in changes:
                change()
                run.note(f(data()[0]), f(data(seed=1)[0]))

    agree(scenario)


def test_attributes_of_modules_that_are_not_called_are_followed():
    class Model(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList([nn.Linear(3, 3).double()])
            self.factor = 2.0

    def scenario(run):
        model = Model()

        @run.compile
        def closed_over(x):
            for layer in model.layers:
                x = layer(x)
            return x * model.factor * (2 if model.training else 1)

        @run.compile
        def given(model, x):
            return model.layers[0](x) * model.factor * (2 if model.training else 1)

        with no_grad():
            for i in range(6):
                if i == 1:
                    model.factor = 3.0
                if i == 2:
                    model.eval()
                if i == 3:
                    model.layers.append(nn.Linear(3, 3).double())
                if i == 4:
                    del model.factor
                    model.factor = 5.0
                run.note(closed_over(data()[0]), given(model, data()[0]))

    agree(scenario)
