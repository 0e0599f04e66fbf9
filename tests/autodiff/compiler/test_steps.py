"""Whole training steps: compiled they compute, leave and hand out what they do eagerly."""

import copy
import gc
import pickle
import threading
import tracemalloc
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, no_grad, tensor


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


# Batches, options, schedules


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


# Randomness and modes


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


# Gradients


def test_micro_batches_gather_gradients_as_eagerly():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        @run.compile
        def micro(x, y):
            loss = F.mse_loss(model(x), y) / 3
            loss.backward()
            return loss

        for i in range(12):
            run.note(micro(*data(seed=i)), model)
            if i % 3 == 2:
                optimizer.step()
                optimizer.zero_grad(set_to_none=i < 9)
                run.note(model, optimizer)

    agree(scenario, recordings=2)


def test_micro_batches_inside_one_step_agree():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)

        @run.compile
        def step(xs, ys):
            optimizer.zero_grad()
            total = 0
            for x, y in zip(xs.chunk(4), ys.chunk(4)):
                loss = F.mse_loss(model(x), y) / 4
                loss.backward()
                total = total + loss.detach()
            optimizer.step()
            return total

        for i in range(5):
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario, recordings=1)


ZEROINGS = {
    "optimizer inside": lambda m, o, inside: o.zero_grad(set_to_none=False) if inside else None,
    "optimizer outside": lambda m, o, inside: None if inside else o.zero_grad(set_to_none=False),
    "module inside": lambda m, o, inside: m.zero_grad(set_to_none=False) if inside else None,
    "module outside": lambda m, o, inside: None if inside else m.zero_grad(set_to_none=False),
    "none outside": lambda m, o, inside: None if inside else o.zero_grad(),
    "never": lambda m, o, inside: None,
}


@pytest.mark.parametrize("zero", ZEROINGS.values(), ids=ZEROINGS)
def test_gradients_are_zeroed_where_and_how_one_likes(zero):
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            zero(model, optimizer, True)
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(6):
            zero(model, optimizer, False)
            run.note(step(*data(seed=i)), model)

    agree(scenario)


def test_gradients_may_be_forgotten_at_the_end_of_the_step():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        for i in range(6):
            run.note(step(*data(seed=i)), model)

    agree(scenario, recordings=1)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("largest", [0.1, 1e6])
def test_clipping_norms_inside_agrees(norm_type, largest):
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), largest, norm_type)
            optimizer.step()
            return loss, norm

        for i in range(4):
            run.note(step(*data(seed=i)), model)

    agree(scenario, recordings=1)


def test_clipping_values_inside_agrees():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()

        for i in range(6):
            run.note(step(*data(seed=i)), model)

    agree(scenario, recordings=1)


def test_gradients_can_be_clipped_and_edited_outside():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def gradients(x, y):
            model.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        for i in range(6):
            run.note(gradients(*data(seed=i)))
            run.note(nn.utils.clip_grad_norm_(model.parameters(), 0.1))
            model[0].bias.grad.mul_(2)
            model[0].weight.grad[0] = 1.0
            optimizer.step()
            run.note(model)

    agree(scenario, recordings=1)


def test_gradients_that_were_read_and_kept_do_not_change():
    def scenario(run):
        model = network()
        step = step_of(run, model, optim.SGD(model.parameters(), lr=0.1))
        kept, arrays = [], []
        for i in range(6):
            step(*data(seed=i))
            kept.append([p.grad for p in model.parameters()])
            arrays.append([p.grad.numpy() for p in model.parameters()])
            if i == 2:
                model[0].weight.grad = None
            if i == 3:
                model[0].weight.grad.zero_()
        run.note(kept, arrays)

    agree(scenario, recordings=1)


def test_gradients_set_by_the_caller_are_added_to():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        mine = autodiff.arange(15, dtype=float64).reshape(3, 5).T
        for i in range(8):
            if i == 2:
                model[0].weight.grad = mine
            if i == 4:
                model[0].weight.grad = model[0].weight.grad.clone()
            if i == 5:
                model[2].bias.grad.mul_(5)
            if i == 6:
                model[2].bias.grad = None
            run.note(step(*data(seed=i)), model, mine)

    agree(scenario)


def test_an_expanded_gradient_of_the_callers_is_not_written():
    def scenario(run):
        w = nn.Parameter(autodiff.ones(2, 3, dtype=float64))
        add = run.compile(lambda x: (w * x).sum().backward())
        for i in range(4):
            mine = autodiff.ones(1, 3, dtype=float64)
            w.grad = mine.expand(2, 3)
            add(tensor([[1.0], [2.0 + i]], dtype=float64))
            run.note(w.grad, mine)

    agree(scenario)


def test_gradients_assigned_inside_are_used():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            model.zero_grad()
            F.mse_loss(model(x), y).backward()
            for p in model.parameters():
                p.grad = p.grad.sign()
            model[2].bias.grad = None
            optimizer.step()

        for i in range(4):
            step(*data(seed=i))
            run.note(model)

    agree(scenario, recordings=1)


def test_gradients_of_arguments_are_left_in_the_arguments():
    def scenario(run):
        f = run.compile(lambda x: (x**2).sum().backward())
        x, z = tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 4.0], requires_grad=True)
        for _ in range(4):
            f(x)
            run.note(x.grad, z.grad)
            f(z)
            run.note(x.grad, z.grad)
        x.grad = None
        f(x)
        run.note(x.grad)

    agree(scenario, recordings=2)


def test_hooks_put_on_and_taken_off_are_seen():
    def scenario(run):
        model = network()

        @run.compile
        def f(x):
            model.zero_grad()
            y = model(x)
            y.sum().backward()
            return y

        handles = []
        changes = [
            lambda: handles.append(model[0].weight.register_hook(lambda g: g * 2)),
            lambda: handles.append(model[0].register_forward_hook(lambda m, i, out: out * 2)),
            lambda: handles.append(model[0].register_forward_hook(lambda m, i, out: out + 1)),
            *[lambda i=i: handles[i].remove() for i in range(3)],
        ]
        run.note(f(data()[0]), model)
        for change in changes:
            change()
            run.note(f(data()[0]), model)

    agree(scenario)


# Results


def test_results_stay_as_they_were_and_are_the_callers_to_edit():
    def scenario(run):
        model = network()

        @run.compile
        def f(x):
            h = model[0](x)
            return h, h.relu(), x.clone(), autodiff.ones(3), h.clone(), tensor([1.0, 2.0]), x * 1

        with no_grad():
            kept = []
            for i in range(5):
                x = data(seed=i)[0]
                results = f(x)
                run.note(results)
                kept.append([t.clone() for t in results])
                for k, t in enumerate(results):
                    t.add_(k + 1.0)
                    run.note(results, x)
            run.note(kept)

    agree(scenario, recordings=1)


def test_losses_gradients_and_norms_handed_out_stay():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            norms = {name: p.grad.norm() for name, p in model.named_parameters()}
            return loss, [p.grad for p in model.parameters()], norms

        kept = []
        for i in range(6):
            kept.append(step(*data(seed=i)))
            run.note(kept[-1], model)
        run.note(kept)

    agree(scenario, recordings=1)


def test_copies_of_parameters_taken_before_the_update_are_from_before():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            before = [p.detach().clone() for p in model.parameters()]
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
            after = [p.detach().clone() for p in model.parameters()]
            moved = sum((a - b).abs().sum() for a, b in zip(after, before))
            return before, after, moved

        kept = []
        for i in range(5):
            kept.append(step(*data(seed=i)))
            run.note(kept[-1], model)
        run.note(kept)

    agree(scenario, recordings=1)


def test_a_parameter_handed_out_is_the_parameter():
    model = network()
    f = autodiff.compile(lambda x: (model[0].weight, x, x * 2))
    for i in range(3):
        x = data(seed=i)[0]
        weight, same, _ = f(x)
        assert weight is model[0].weight
        assert same is x


# Parameters changed between calls


def test_parameters_changed_between_calls_are_read_anew():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = step_of(run, model, optimizer)
        weight = model[0].weight

        def mul():
            with no_grad():
                weight.mul_(0.5)
                model[0].bias[1] = 3.0

        changes = [
            lambda: None,
            lambda: None,
            mul,
            lambda: setattr(weight, "data", weight.data * 2),
            lambda: setattr(weight, "data", weight.data.T.contiguous().T),
            lambda: weight.data.__setitem__(0, 1.0),
            lambda: weight.detach().numpy().fill(0.3),
            lambda: nn.init.uniform_(weight),
            lambda: weight.data.copy_(autodiff.ones(5, 3)),
        ]
        for i, change in enumerate(changes):
            change()
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario)


def test_states_loaded_between_calls_are_gone_on_from():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = step_of(run, model, optimizer)
        other = network()
        other_optimizer = optim.Adam(other.parameters(), lr=0.3)
        for _ in range(3):
            F.mse_loss(other(data()[0]), data()[1]).backward()
            other_optimizer.step()
        for i in range(14):
            if i == 3:
                saved = copy.deepcopy(held(model)), copy.deepcopy(optimizer.state_dict())
            if i == 6:
                state = {k: v for k, v in saved[0].items() if not k.endswith(".grad")}
                model.load_state_dict(state)
                optimizer.load_state_dict(saved[1])
            if i == 8:
                model.load_state_dict(network().state_dict(), assign=True)
            if i == 10:
                optimizer.load_state_dict(other_optimizer.state_dict())
            if i == 12:
                model.load_state_dict(other.state_dict())
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario)


def clear(optimizer):
    optimizer.state.clear()


def renew(optimizer):
    optimizer.state = defaultdict(dict)


def forget_one(optimizer):
    del optimizer.state[optimizer.param_groups[0]["params"][0]]


def write(optimizer):
    for state in optimizer.state.values():
        for key, value in state.items():
            state[key] = value.zero_() if isinstance(value, autodiff.Tensor) else 0


@each_optimizer
@pytest.mark.parametrize("reset", [clear, renew, forget_one, write])
def test_an_optimizers_state_reset_midway_starts_anew(optimizer_of, reset):
    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        for i in range(8):
            if i == 4 and optimizer.state:
                reset(optimizer)
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario)


def test_a_groups_list_of_parameters_replaced_or_edited_is_seen():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        step, group = step_of(run, model, optimizer), optimizer.param_groups[0]
        for i in range(8):
            if i == 2:
                group["params"] = [model[0].weight]
            if i == 4:
                group["params"] = list(model.parameters())[::-1]
            if i == 6:  # as in densification: another parameter takes over the state
                state = optimizer.state.pop(group["params"][0])
                model[2].bias = group["params"][0] = nn.Parameter(model[2].bias.detach() * 2)
                optimizer.state[model[2].bias] = state
            run.note(step(*data(seed=i)), model)

    agree(scenario)


@each_optimizer
def test_parameters_frozen_and_thawed_are_followed(optimizer_of):
    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        for i in range(10):
            if i == 2:
                model[0].requires_grad_(False)
            if i == 5:
                model[0].weight.requires_grad_(True)
            if i == 7:
                model.requires_grad_(True)
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario)


def test_parameters_frozen_from_the_start_stay():
    def scenario(run):
        model = network()
        model[0].requires_grad_(False)
        optimizer = optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
        step = step_of(run, model, optimizer)
        for i in range(4):
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario, recordings=1)


@each_optimizer
def test_tied_parameters_gather_both_gradients(optimizer_of):
    class Tied(nn.Module):
        def __init__(self):
            self.a, self.b, self.c = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.c(self.b(self.a(x).tanh()))

    def scenario(run):
        model = Tied().double()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        for i in range(6):
            run.note(step(*data(seed=i)), model, optimizer)

    agree(scenario, recordings=1)


def test_a_variable_that_names_another_tensor_model_or_optimizer_is_seen():
    def scenario(run):
        model, factor = network(), tensor(2.0, dtype=float64)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @run.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y) * factor
            loss.backward()
            optimizer.step()
            return loss

        for i in range(8):
            if i == 2:
                factor = tensor(3.0, dtype=float64)
            if i == 4:
                model = network()
                optimizer = optim.SGD(model.parameters(), lr=0.1)
            run.note(step(*data(seed=i)), model)

    agree(scenario, recordings=3)


NOTEBOOK = """
model = network()
optimizer = optim.SGD(model.parameters(), lr=rate)
"""

NOTEBOOK_STEP = """
@run.compile
def step(x, y):
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss
"""


def test_a_global_model_made_anew_is_trained():
    def scenario(run):
        cells = {"run": run, "F": F, "optim": optim, "network": network, "rate": 0.1}
        exec(NOTEBOOK, cells)
        exec(NOTEBOOK_STEP, cells)
        for i in range(6):
            if i == 3:
                exec(NOTEBOOK, cells)
            run.note(cells["step"](*data(seed=i)), cells["model"])

    agree(scenario, recordings=2)


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


# Errors inside


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


# Copies and aliases


def test_models_and_optimizers_can_be_copied_and_pickled_after_compiled_training():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = step_of(run, model, optimizer)
        for i in range(3):
            step(*data(seed=i))
        pairs = [
            copy.deepcopy((model, optimizer)),
            pickle.loads(pickle.dumps((model, optimizer))),
        ]
        for i in range(3):
            step(*data(seed=i))
        run.note(model, optimizer, pairs)
        for pair in pairs:
            step_of_copy = step_of(run, *pair)
            for i in range(3):
                run.note(step_of_copy(*data(seed=i)), pair)
        run.note(model, optimizer)

    agree(scenario)


@each_optimizer
def test_aliases_of_parameters_taken_at_any_time_see_the_updates(optimizer_of):
    def aliases(model):
        return [
            [p.detach().numpy() for p in model.parameters()],
            model.state_dict(),
            model[0].weight.data,
            model[2].weight[0].detach(),
            memoryview(model[0].bias.detach().numpy()),
        ]

    def scenario(run):
        model = network()
        optimizer = optimizer_of(model.parameters())
        step = step_of(run, model, optimizer)
        taken = [aliases(model)]
        for i in range(8):
            if i == 5:
                with no_grad():
                    taken[0][1]["0.weight"].zero_()
                    taken[1][0][1].fill(3)
            run.note(step(*data(8 if i < 6 else 5, seed=i)), model)
            run.note([[*parts, np.asarray(view)] for *parts, view in taken])
            taken.append(aliases(model))

    agree(scenario)


def test_an_alias_of_one_parameter_does_not_keep_the_others_from_their_updates():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = step_of(run, model, optimizer)
        held_back = model[0].bias.detach().numpy()
        for i in range(4):
            run.note(step(*data(seed=i)), model, optimizer, held_back)

    agree(scenario, recordings=1)


def test_state_taken_from_an_optimizer_is_shared_as_eagerly():
    def scenario(run):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = step_of(run, model, optimizer)
        step(*data())
        taken = optimizer.state_dict()["state"][0]["exp_avg"]
        mean = optimizer.state[model[0].weight]["exp_avg"]
        for i in range(4):
            if i == 2:
                mean.zero_()
            run.note(step(*data(seed=i)), taken, mean, model)

    agree(scenario, recordings=1)


# Memory and threads


def test_memory_does_not_grow():
    run, model = Run(True), network(nn.Dropout(0.1))
    step = step_of(run, model, optim.Adam(model.parameters(), lr=0.001))
    x, y = data()

    def train(steps):
        for i in range(steps):
            loss = step(x, y)
            if i % 10 == 0:
                assert model[0].weight.grad is not None
        del loss
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = train(100)
        assert train(2000) - before < 20_000
    finally:
        tracemalloc.stop()


def together(*functions: Callable) -> list:
    """Their results, from threads of their own; their errors are raised."""
    results: dict[int, Any] = {}

    def work(i, function):
        try:
            results[i] = function()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        if isinstance(result, BaseException):
            raise result
    return [results[i] for i in range(len(functions))]


def test_threads_can_train_models_of_their_own():
    def training(seed, compiled):
        run, own = Run(compiled), autodiff.Generator().manual_seed(seed)
        model = network()
        with no_grad():
            for p in model.parameters():
                p.copy_(autodiff.randn(*p.shape, generator=own))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        step = step_of(run, model, optimizer)
        for i in range(100):
            run.note(step(*data(seed=i % 7)))
        run.note(model, optimizer)
        return run.noted

    compiled = together(*[partial(training, seed, True) for seed in range(3)])
    for seed, noted in enumerate(compiled):
        check_same(training(seed, False), noted, f"thread {seed}")


def test_threads_can_share_one_compiled_function():
    model = network()
    compiled = autodiff.compile(model)
    xs = [data(rows, seed=rows)[0] for rows in (4, 4, 8, 8)]
    wanted = [model(x).detach().numpy() for x in xs]

    def infer(first):
        for i in range(200):
            at = (first + i) % 4
            if i % 2:
                with no_grad():
                    found = compiled(xs[at])
            else:
                found = compiled(xs[at])
            np.testing.assert_allclose(found.detach().numpy(), wanted[at], 1e-9)

    together(*[partial(infer, first) for first in range(4)])


# Arguments, results, spellings

Pair = namedtuple("Pair", "a b")


def test_arguments_and_results_of_all_kinds():
    def scenario(run):
        @run.compile
        def f(pair, flag, name, k, n=None, *rest, scale=1.0, **more):
            chosen = pair.a if flag else pair.b
            return Pair(chosen * k * scale, {"name": [name, n, len(rest), more], 2: (chosen, None)})

        for i in range(3):
            pair = Pair(tensor([1.0, i]), tensor([2.0, i]))
            calls = [
                ((pair, True, "x", 2), {}),
                ((pair, False, "x", 2.5), {}),
                ((pair, True, "y", True, None), {"scale": 3}),
                ((pair, True, "y", 1, 2, 3, 4), {"z": "w"}),
                ((pair,), {"flag": False, "name": "x", "k": 2}),
            ]
            for args, options in calls:
                result = f(*args, **options)
                run.note(type(result).__name__, result)

    agree(scenario, recordings=5)


def test_nested_containers_of_tensors_are_arguments():
    def scenario(run):
        f = run.compile(lambda d: {"y": [d["a"] * d["b"][0], d["b"][1][0]], "k": (3, "s")})
        for i in range(3):
            x = tensor([1.0, i])
            run.note(f({"a": x, "b": [x + 1, (x + 2,)]}))
        run.note(f({"a": x, "b": [x, (x,)]}))
        run.note(f({"a": x, "b": [x + 1, (x + 2,)]}))

    agree(scenario, recordings=2)


def test_ordered_dicts_are_arguments_and_results():
    def scenario(run):
        f = run.compile(lambda d: OrderedDict(y=d["a"] * 2))
        for i in range(3):
            result = f(OrderedDict(a=tensor([1.0, i])))
            run.note(type(result).__name__, result)

    agree(scenario, recordings=1)


def test_bools_ints_floats_and_numpy_numbers_are_told_apart():
    def scenario(run):
        kinds = (bool, int, float, np.float32, np.int64)
        f = run.compile(lambda x, k: x * (kinds.index(type(k)) + 1))
        for k in (True, 1, 1.0, np.float32(1), np.int64(1)) * 2:
            run.note(f(tensor([1.0, 2.0]), k))
        signs = run.compile(lambda x, k: x * k)
        for k in (0.0, -0.0) * 2:
            run.note(np.signbit(signs(tensor([1.0, 2.0]), k).numpy()))

    agree(scenario)


def test_arrays_are_arguments():
    def scenario(run):
        w = nn.Parameter(autodiff.ones(3, dtype=float64))

        @run.compile
        def f(a, b):
            w.grad = None
            x = autodiff.from_numpy(a)
            loss = (x * w + autodiff.tensor(b) + autodiff.as_tensor(a) * b).sum()
            loss.backward()
            return loss, x

        for i in range(4):
            a, b = np.full(3, float(i)), np.arange(3.0) + i
            run.note(f(a, b), f(a, a), w.grad, a, b)

    agree(scenario, recordings=2)


def test_arrays_and_tensors_from_outside_that_are_written_between_calls_are_read_anew():
    def scenario(run):
        array, filled = np.ones(3), autodiff.ones(3)
        f = run.compile(lambda x: x * autodiff.from_numpy(array) + x * array + x * filled)
        for i in range(4):
            array[:] = i
            filled.fill_(i)
            run.note(f(data()[0]))

    agree(scenario, recordings=1)


def test_array_arguments_index_tensors():
    def scenario(run):
        f = run.compile(lambda x, i: x[i].sum() + x[autodiff.from_numpy(i)].sum())
        x = autodiff.arange(5.0)
        for i in range(3):
            run.note(f(x, np.array([i, i + 1])))

    agree(scenario, recordings=1)


def test_one_tensor_or_array_given_twice_is_not_taken_for_two():
    def scenario(run):
        f = run.compile(lambda a, b: autodiff.as_tensor(a) * 2 + autodiff.as_tensor(b))
        a, b = np.ones(3), np.full(3, 5.0)
        x, y = autodiff.ones(3), autodiff.full((3,), 5.0)
        for pair in [(a, a), (a, b), (b, a), (x, x), (x, y), (y, x), (x, x.detach()), (x, x)]:
            run.note(f(*pair))

    agree(scenario)


def test_an_argument_that_is_also_a_parameter_is_only_itself_then():
    def scenario(run):
        w, q = nn.Parameter(autodiff.ones(3)), nn.Parameter(autodiff.full((3,), 5.0))
        f = run.compile(lambda x: (x * w).sum())
        for x in (w, q, w, q):
            w.grad = q.grad = None
            f(x).backward()
            run.note(f(x), w.grad, q.grad)

    agree(scenario)


def test_arguments_written_inside_are_written():
    def scenario(run):
        @run.compile
        def f(a, b):
            a.add_(1.0)
            b[0] = a.sum()
            return a * b

        for i in range(4):
            a, b = tensor([1.0, i]), tensor([2.0, i])
            run.note(f(a, b), a, b)

    agree(scenario, recordings=1)


def test_layouts_and_dtypes_of_arguments_are_respected():
    def scenario(run):
        f = run.compile(lambda x: (x @ x.T).sum() + x.reshape(-1)[1] + x.flatten().cumsum(0))
        whole = autodiff.arange(24.0).reshape(4, 6)
        views = [whole, whole.T, whole[::2], whole[:, ::3], whole.flip(0), whole[1:3], whole[:, 1:]]
        views += [autodiff.ones(1, 1).expand(3, 4), whole[:1], whole[:1].T]
        for x in views:
            run.note(f(x), f(x + 0), f(x))
        g = run.compile(lambda x: x * 2 + 1)
        for dtype in ("float32", "float64", "int64", "float16", "bool", "uint8"):
            x = autodiff.ones(3).to(getattr(autodiff, dtype))
            run.note(g(x), g(x))

    agree(scenario)


def test_methods_are_compiled_for_each_object():
    def scenario(run):
        class Trainer:
            def __init__(self, rate):
                self.model = network()
                self.optimizer = optim.SGD(self.model.parameters(), lr=rate)

            @run.compile
            def step(self, x, y):
                self.optimizer.zero_grad()
                loss = F.mse_loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                return loss

            @run.compile(fullgraph=True)
            def loss(self, x, y):
                return F.mse_loss(self.model(x), y)

            @staticmethod
            @run.compile
            def double(x):
                return x * 2

        a, b = Trainer(0.1), Trainer(0.5)
        for i in range(4):
            run.note(a.step(*data(seed=i)), b.step(*data(seed=i)), a.model, b.model)
            run.note(a.loss(*data()), Trainer.loss(b, *data()), a.double(data()[0]))

    agree(scenario, recordings=5)


def test_partials_callable_objects_and_bound_methods_are_compiled():
    class Scale:
        def __init__(self):
            self.factor = tensor(3.0)

        def __call__(self, x):
            return x * self.factor

    def scenario(run):
        layer, scale = nn.Linear(2, 2), Scale()
        functions = [partial(F.elu, alpha=0.3), scale, scale.__call__, layer.forward, F.gelu]
        compiled = [run.compile(function) for function in functions]
        for i in range(3):
            run.note([f(tensor([[1.0, i]])) for f in compiled])
            scale.factor.add_(1.0)

    agree(scenario, recordings=5)


def test_a_compiled_function_keeps_name_documentation_and_signature():
    import inspect

    @autodiff.compile
    def step(x, scale=2.0):
        """Twice."""
        return x * scale

    assert (step.__name__, step.__doc__) == ("step", "Twice.")
    assert str(inspect.signature(step)) == "(x, scale=2.0)"


def test_a_compiled_module_passes_on_its_attributes():
    model = network(nn.Dropout(0.5))
    compiled = autodiff.compile(model)
    compiled.eval()
    assert not model.training
    assert list(compiled.state_dict()) == list(model.state_dict())
    assert all(a is b for a, b in zip(compiled.parameters(), model.parameters(), strict=True))
    compiled.requires_grad_(False)
    assert not model[0].weight.requires_grad


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
