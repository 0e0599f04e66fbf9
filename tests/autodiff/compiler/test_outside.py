"""Compiled modules and functions whose results are differentiated outside, as eager ones are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, no_grad, tensor
from autodiff.autograd import grad
from tests.autodiff.compiler.scenarios import agree, data, network


def ones(*shape: int, times: float = 1.0, leaf: bool = True) -> autodiff.Tensor:
    return autodiff.full(shape, times, dtype=float64).requires_grad_(leaf)


# Gradients to parameters and inputs


def test_a_compiled_module_is_trained_by_an_eager_loop():
    def scenario(run):
        model = network(nn.Dropout(0.2))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        compiled = run.compile(model)
        for i in range(10):
            if i == 5:
                model.eval()
            if i == 7:
                compiled.train()
            x, y = data(8 if i % 3 else 5, seed=i)
            optimizer.zero_grad()
            loss = F.mse_loss(compiled(x), y)
            loss.backward()
            optimizer.step()
            run.note(loss, model, optimizer, autodiff.get_rng_state())

    agree(scenario)


def test_a_compiled_loss_is_minimized_by_an_eager_loop():
    def scenario(run):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        loss_of = run.compile(lambda x, y: F.mse_loss(model(x), y))
        for i in range(6):
            optimizer.zero_grad()
            loss = loss_of(*data(seed=i))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            run.note(loss, model, optimizer)

    agree(scenario, recordings=1)


def test_gradients_reach_inputs_that_are_leaves():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for i in range(4):
            x = data(seed=i)[0].requires_grad_()
            compiled(x).square().sum().backward()
            run.note(x.grad, model)

    agree(scenario, recordings=1)


def test_gradients_reach_what_inputs_were_computed_from():
    def scenario(run):
        before, model, after = nn.Linear(3, 3).double(), network(), nn.Linear(2, 1).double()
        compiled = run.compile(model)
        for i in range(4):
            loss = after(compiled(before(data(seed=i)[0]).tanh())).sum()
            loss.backward()
            run.note(loss, before, model, after)

    agree(scenario, recordings=1)


def test_gradients_through_two_paths_are_counted_once_each():
    def scenario(run):
        f = run.compile(lambda a, b: a * b)
        for i in range(4):
            x, y = ones(3, times=i + 1.0), ones(3, times=2.0)
            f(x, x).sum().backward()
            f(x, y).sum().backward()
            z = x * 3
            (f(x, z) + f(z, z) + f(z, z.exp())).sum().backward()
            run.note(x.grad, y.grad)

    agree(scenario)


def test_a_module_applied_to_its_own_output():
    def scenario(run):
        layer = nn.Linear(3, 3).double()
        compiled = run.compile(layer)
        for i in range(4):
            out = compiled(compiled(compiled(data(seed=i)[0])).tanh()).sum()
            out.backward()
            run.note(out, layer)

    agree(scenario)


def test_frozen_parameters_and_inputs_that_need_no_gradient_are_left_out():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for i in range(8):
            if i == 2:
                model[0].requires_grad_(False)
            if i == 4:
                model.requires_grad_(False)
            if i == 6:
                model.requires_grad_(True)
            x = data(seed=i)[0].requires_grad_(bool(i % 2))
            out = compiled(x).sum()
            run.note(out.requires_grad, out.is_leaf)
            if out.requires_grad:
                out.backward()
            run.note(model, x.grad)

    agree(scenario)


def test_parameters_that_are_not_used_get_no_gradient():
    def scenario(run):
        model = network()
        f = run.compile(lambda x: model[0](x))
        for i in range(3):
            f(data(seed=i)[0]).sum().backward()
            run.note(model)

    agree(scenario, recordings=1)


def test_gradients_with_respect_to_chosen_tensors_alone():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for i in range(3):
            out = compiled(data(seed=i)[0])
            total = out.sum()
            run.note(grad(total, [model[0].weight, out], retain_graph=True))
            total.backward(inputs=[model[2].bias])
            run.note(model)

    agree(scenario, recordings=1)


def test_gradients_given_from_outside_in_any_layout():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        seeds = [
            autodiff.arange(16, dtype=float64).reshape(8, 2),
            autodiff.arange(16, dtype=float64).reshape(2, 8).T,
            ones(1, 2, leaf=False).expand(8, 2),
            autodiff.ones(8, 2),
        ]
        for i, seed in enumerate(seeds * 2):
            model.zero_grad()
            compiled(data(seed=i)[0]).backward(seed)
            run.note(model, seed)

    agree(scenario, recordings=1)


def test_integer_inputs_have_no_gradient():
    def scenario(run):
        table = ones(5, 2)
        look_up = run.compile(lambda i: table[i] * 2)
        for k in range(3):
            look_up(tensor([k, k + 1, k])).sum().backward()
            run.note(table.grad)

    agree(scenario, recordings=1)


# Calls under way


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_calls_under_way_are_differentiated_in_any_order(order):
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for _ in range(3):
            losses = [compiled(data(seed=i)[0]).square().sum() for i in range(3)]
            for i in order:
                losses[i].backward()
                run.note(model)
        sum(compiled(data(seed=i)[0]).square().sum() for i in range(3)).backward()
        run.note(model)

    agree(scenario, recordings=1)


def test_results_that_are_dropped_give_their_memory_back():
    model = network()
    compiled = autodiff.compile(model)
    for i in range(50):
        out = compiled(data(seed=i)[0])
        kept = out if i == 20 else None
        del kept
    out.sum().backward()
    del out
    (entry,) = compiled.entries
    assert len(entry.frames) <= 2


def test_a_retained_graph_is_walked_again():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for i in range(3):
            x = data(seed=i)[0].requires_grad_()
            loss = compiled(x).square().sum()
            for _ in range(3):
                loss.backward(retain_graph=True)
                run.note(x.grad, model)
            run.note(grad(loss, x, retain_graph=True), grad(loss, list(model.parameters())))

    agree(scenario, recordings=1)


def test_a_graph_that_was_not_retained_is_refused_the_second_time():
    model = network()
    compiled = autodiff.compile(model)
    for _ in range(3):
        loss = compiled(data()[0]).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="retain_graph"):
            loss.backward()


def write(x: autodiff.Tensor) -> None:
    with no_grad():
        x.mul_(3.0)


WRITTEN = {
    "parameter": lambda model, x, out: write(model[3].weight),
    "input": lambda model, x, out: write(x),
    "output": lambda model, x, out: write(out),
    "all parameters by an optimizer": lambda model, x, out: optim.SGD(
        model.parameters(), lr=0.1
    ).step(lambda: model(x).sum().backward()),
}


@pytest.mark.parametrize("write_one", WRITTEN.values(), ids=WRITTEN)
def test_what_the_backward_pass_needs_may_not_be_written_meanwhile(write_one):
    model = network(nn.Sigmoid())
    model.append(nn.Sigmoid())
    compiled = autodiff.compile(model)
    for _ in range(3):
        x = data()[0]
        out = compiled(x)
        write_one(model, x, out)
        with pytest.raises(RuntimeError, match="modified"):
            out.sum().backward()


def test_what_the_backward_pass_does_not_need_may_be_written_meanwhile():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for i in range(3):
            out = compiled(data(seed=i)[0])
            write(out)
            write(model[2].bias)
            out.sum().backward()
            run.note(out, model)

    agree(scenario, recordings=1)


def test_outputs_written_in_place_stay_differentiable():
    def scenario(run):
        f = run.compile(lambda x: x * 2)
        for i in range(3):
            x = ones(3, times=i)
            y = f(x)
            y.mul_(3.0)
            y[0] = 5.0
            y.sum().backward()
            run.note(x.grad, y)

    agree(scenario, recordings=1)


def test_hooks_and_retained_gradients_of_outputs_work():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        for i in range(3):
            out = compiled(data(seed=i)[0])
            out.retain_grad()
            out.register_hook(lambda g: g * 2)
            out.square().sum().backward()
            run.note(out.grad, model)

    agree(scenario, recordings=1)


def test_gradients_kept_from_one_backward_pass_do_not_change_in_the_next():
    def scenario(run):
        model, kept = network(), []
        compiled = run.compile(model)
        for i in range(4):
            x = data(seed=i)[0].requires_grad_()
            kept.append(grad(compiled(x).square().sum(), [x, *model.parameters()]))
            model.zero_grad()
            compiled(x).sum().backward()
            kept.append([x.grad, *[p.grad for p in model.parameters()]])
        run.note(kept)

    agree(scenario, recordings=1)


# Higher derivatives


def test_a_gradient_penalty_goes_through_a_compiled_module():
    def scenario(run):
        model = network()
        compiled = run.compile(model)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        for i in range(4):
            x = data(seed=i)[0].requires_grad_()
            out = compiled(x)
            (g,) = grad(out.sum(), x, create_graph=True)
            optimizer.zero_grad()
            loss = ((g.norm(dim=1) - 1) ** 2).mean() + out.mean()
            loss.backward()
            optimizer.step()
            run.note(loss, g, x.grad, model)

    agree(scenario, recordings=1)


def test_derivatives_of_third_order():
    def scenario(run):
        f = run.compile(lambda x: (x**4).sin())
        for i in range(3):
            x = tensor(0.5 + i, dtype=float64, requires_grad=True)
            y = f(x)
            for _ in range(3):
                (y,) = grad(y, x, create_graph=True)
                run.note(y)

    agree(scenario, recordings=1)


def test_higher_derivatives_see_the_same_random_numbers():
    def scenario(run):
        model = network(nn.Dropout(0.5))
        compiled = run.compile(model)
        for i in range(3):
            x = data(seed=i)[0].requires_grad_()
            out = compiled(x)
            autodiff.rand(1)  # the generator has moved on since
            (g,) = grad(out.sum(), x, create_graph=True)
            model.zero_grad()
            (g.square().mean() + out.mean()).backward()
            run.note(out, g, model, autodiff.get_rng_state())

    agree(scenario, recordings=1)


class Counting(nn.Module):
    """Writes a buffer in each call."""

    def __init__(self):
        self.weight = nn.Parameter(autodiff.ones(3, dtype=float64))
        self.register_buffer("count", autodiff.zeros((), dtype=float64))

    def forward(self, x):
        with no_grad():
            self.count.add_(1.0)
        return (x * self.weight) ** 2 * self.count


def test_buffers_are_written_once_in_each_call():
    def scenario(run):
        model = Counting()
        compiled = run.compile(model)
        for i in range(4):
            x = ones(3, times=i)
            compiled(x).sum().backward()
            with no_grad():
                run.note(compiled(x))
            run.note(x.grad, model)

    agree(scenario, recordings=2)


def test_higher_derivatives_through_a_module_that_writes_buffers():
    def scenario(run):
        model = Counting()
        compiled = run.compile(model)
        for i in range(3):
            x = ones(3, times=i + 1)
            out = compiled(x)
            (g,) = grad(out.sum(), x, create_graph=True)
            g.sum().backward()
            run.note(out, g, x.grad, model)

    agree(scenario, recordings=1)


# Modes


def test_grad_modes_are_followed():
    def scenario(run):
        model = network()
        compiled, x = run.compile(model), data()[0]
        for _ in range(3):
            with no_grad():
                out = compiled(x)
            run.note(out, out.requires_grad)
            with autodiff.inference_mode():
                out = compiled(x)
            run.note(out, out.requires_grad)
            out = compiled(x)
            run.note(out, out.requires_grad, out.is_leaf)
            total = out.sum()
            with no_grad():  # does not keep a backward pass from running
                total.backward()
            run.note(model)

    agree(scenario, recordings=3)


def test_train_and_eval_are_followed():
    def scenario(run):
        model = network(nn.Dropout(0.5))
        compiled, x = run.compile(model), data()[0]
        for mode in (True, False, True, False):
            model.train(mode)
            model.zero_grad()
            compiled(x).sum().backward()
            run.note(compiled(x), model, autodiff.get_rng_state())

    agree(scenario, recordings=2)


# Several results


def test_some_of_several_results_are_used():
    def scenario(run):
        model = network()

        @run.compile
        def f(x):
            h = model[0](x)
            out = model[2](h.tanh())
            return {"h": h, "out": out, "class": out.argmax(1), "off": out.detach(), "up": out > 0}

        for i in range(6):
            results = f(data(seed=i)[0])
            run.note(results, {k: t.requires_grad for k, t in results.items()})
            loss = results["out"].square().sum() if i != 1 else 0
            if i % 2:
                loss = loss + (results["h"] * results["off"].sum()).sum()
            model[2].requires_grad_(True)
            model.zero_grad()
            loss.backward()
            run.note(model[0])

    agree(scenario, recordings=1)


def test_arguments_and_views_of_them_among_the_results():
    def scenario(run):
        f = run.compile(lambda a: (a, a.view(-1), a.T, a[0], a + 1))
        for _ in range(3):
            x = ones(2, 2)
            y = x * 2
            results = f(y)
            run.note(results, results[0] is y)
            sum((t * (k + 1)).sum() for k, t in enumerate(results)).backward()
            run.note(x.grad)

    agree(scenario, recordings=1)


def test_results_in_containers_are_differentiated():
    def scenario(run):
        f = run.compile(lambda d: {"y": [d["a"] * d["b"][0], d["b"][1]], "n": None, "k": 3})
        for i in range(4):
            a, b, c = (ones(3, times=i + k) for k in range(3))
            results = f({"a": a, "b": [b, c]})
            run.note(results)
            (results["y"][0] + results["y"][1]).sum().backward()
            run.note(a.grad, b.grad, c.grad)

    agree(scenario, recordings=1)


def test_one_result_of_two_is_enough():
    def scenario(run):
        f = run.compile(lambda x: (x.sin(), x.cos()))
        for i in range(3):
            x = ones(3, times=i)
            f(x)[i % 2].sum().backward()
            run.note(x.grad)

    agree(scenario, recordings=1)


def test_keyword_arguments_are_differentiated():
    def scenario(run):
        f = run.compile(lambda x, *, scale, bias=None: x * scale + (0 if bias is None else bias))
        for i in range(6):
            x, bias = ones(3), ones(3)
            f(x, scale=2.0 + i % 2, bias=bias if i > 3 else None).sum().backward()
            run.note(x.grad, bias.grad)

    agree(scenario, recordings=4)


# Compiled in compiled


def test_compiled_functions_in_compiled_functions():
    def scenario(run):
        layer = nn.Linear(3, 3).double()
        inner = run.compile(layer)
        outer = run.compile(lambda x: inner(inner(x).tanh()).sum())
        optimizer = optim.SGD(layer.parameters(), lr=0.1)

        @run.compile
        def step(x):
            optimizer.zero_grad()
            loss = outer(x)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(4):
            x = data(seed=i)[0]
            outer(x).backward()
            run.note(layer, inner(x), step(x), layer)

    agree(scenario, recordings=3)


def test_a_compiled_module_inside_an_eager_one_is_trained_and_saved():
    class Model(nn.Module):
        def __init__(self, compile):
            self.first = nn.Linear(3, 4).double()
            self.second = compile(nn.Linear(4, 2).double())

        def forward(self, x):
            return self.second(self.first(x).tanh())

    def scenario(run):
        model = Model(run.compile)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        for i in range(4):
            x, y = data(seed=i)
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
            run.note(list(model.parameters()), list(model.state_dict()))

    agree(scenario)


def test_custom_operations_inside():
    class Square(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            return 5 * g * ctx.saved_tensors[0]

    def scenario(run):
        f = run.compile(lambda x: Square.apply(x) * 3)
        for i in range(3):
            x = ones(3, times=i)
            f(x).sum().backward()
            run.note(x.grad)

    agree(scenario, recordings=1)


def outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except IndexError as error:
        return str(error)


def test_errors_in_a_compiled_loss_are_the_eager_ones():
    def scenario(run):
        model = network()
        loss_of = run.compile(lambda x, t: F.cross_entropy(model(x), t))
        for i in range(6):
            x, target = data(2, seed=i)[0], tensor([0, 1 if i % 3 else 7])
            run.note(outcome(lambda x=x, t=target: loss_of(x, t).backward()), model)

    agree(scenario)


def test_a_large_module_agrees():
    def scenario(run):
        model = nn.Sequential(nn.Linear(40, 300), nn.GELU(), nn.Linear(300, 5)).double()
        compiled = run.compile(model)
        x = tensor(np.random.default_rng(0).normal(size=(300, 40)), requires_grad=True)
        for _ in range(3):
            loss = compiled(x).square().mean()
            loss.backward(retain_graph=True)
            loss.backward()
            run.note(loss, x.grad, model)

    agree(scenario, recordings=1)
