"""Gradients that compiled steps read, set, clip and hand out, and their results."""

import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, no_grad, tensor
from tests.autodiff.compiler.scenarios import (
    agree,
    data,
    network,
    step_of,
)


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
