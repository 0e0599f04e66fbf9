"""Compiled programs whose values share memory, one after the other or as parts of each other."""

from collections.abc import Callable

import numpy as np
import pytest

import autodiff
import nn
from autodiff import autograd
from autodiff.compiler import plan
from autodiff.compiler.arena import aligned, cleared
from autodiff.tensor import Tensor, make
from tests.autodiff.compiler.test_primitives import assert_same


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return make(np.random.default_rng(seed).uniform(-1, 1, shape))


def put(*places: tuple, base: float = 0.0) -> Callable:
    """A function that puts parts of [sin, exp] of its argument, or numbers, into a full vector."""

    def function(a):
        x, y = a.sin(), a.exp()
        z = autodiff.full((5,), base, dtype=autodiff.float64)
        for key, of in places:
            z[key] = {"x": x, "y": y}.get(of, of)
        return (1 / (z + 3)).sum() + z.exp(), x * 3, y * 2, 1 / z

    return function


PUT = {
    "overlap": put((slice(0, 2), "x"), (slice(1, 3), "y")),
    "overlap with a number": put((slice(1, 3), "y"), (2, 1.0)),
    "twice": put((slice(0, 2), "x"), (slice(0, 2), "y"), (slice(1, 4), 2.0)),
    "apart": put((slice(0, 2), "x"), (slice(3, 5), "y")),
    "all": put((slice(0, 2), "x"), (slice(2, 4), "y"), (slice(4, 5), 2.0)),
    "negative zeros": put((slice(0, 2), "x"), base=-0.0),
}


@pytest.mark.parametrize("name", PUT)
def test_what_is_put_into_zeros_is_there_and_elsewhere(name):
    with np.errstate(divide="ignore"):
        compiled = autodiff.compile(PUT[name], fullgraph=True)
        for seed in range(3):
            a = numbers(2, seed=seed)
            assert_same(compiled(a), PUT[name](a))


JOINED: dict[str, Callable] = {
    "numbers": lambda a: autodiff.cat([a.sum()[None, None], a[:1, :1].exp()]).exp(),
    "a number in a vector": lambda a: autodiff.cat([a.sum()[None], a[0].exp()]).exp(),
    "stacked numbers": lambda a: autodiff.stack([a.sum(), a.prod(), a[0, 0].exp()]).exp(),
    "stacked matrices": lambda a: autodiff.stack([a @ a.T, (a @ a.T).exp()], 1).sum(0),
    "stacks in a join": lambda a: autodiff.cat(
        [autodiff.stack([a.exp(), a.sin()]), autodiff.stack([a * 2, a.exp()], 0)], 1
    ).exp(),
    "a join in stacks": lambda a: autodiff.stack([autodiff.cat([a.exp(), a.sin()], 1)] * 2, 2),
}


@pytest.mark.parametrize("name", JOINED)
def test_what_is_joined_is_what_it_was(name):
    def function(a):
        x = a.exp()
        return JOINED[name](a), x * 2, a.sin() + x

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in range(3):
        a = numbers(3, 3, seed=seed)
        assert_same(compiled(a), function(a))


def put_aside(a: Tensor) -> Tensor:
    z = autodiff.zeros(3, 4, 2, dtype=autodiff.float64)
    z[:, -1] = a.exp()
    return z


PARTS = [0, 1, -1, slice(1, None), (slice(None), 1), (1, 1), (..., 0), (0, ..., slice(1, None))]


@pytest.mark.parametrize("key", PARTS, ids=str)
@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)], ids=str)
def test_parts_of_what_was_put_together_are_found_in_another_order_of_axes(axes, key):
    def function(a):
        joined = autodiff.cat([a.exp()[:, None], a.sin()[:, None], autodiff.stack([a, a], 1)], 1)
        x, y = put_aside(a).permute(axes), joined.permute(axes)
        return x[key] * 2 + 1, y[key] * 2, x[key].sum(), y[key].permute(*range(y[key].ndim)[::-1])

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in range(3):
        a = numbers(3, 2, seed=seed)
        assert_same(compiled(a), function(a))


def test_zeros_beside_the_last_step_cost_nothing_where_steps_come_second():
    def function(a):
        z = put_aside(a).transpose(0, 1)
        return z[3].exp() * (z[0] + a) * (z[1] + a)

    compiled = autodiff.compile(function, fullgraph=True)
    a = numbers(3, 2)
    assert_same(compiled(a), function(a))
    assert "add(" not in compiled.source and "zeros(" not in compiled.source


def heads(x: Tensor) -> Tensor:
    """(2, 3, 4, 5) -> (2, 4, 15): heads beside each other."""
    return x.transpose(1, 2).reshape(2, 4, 15)


def put_turned(x: Tensor) -> Tensor:
    z = autodiff.zeros(2, 8, 15, dtype=autodiff.float64)
    z[:, ::2] = heads(x.exp())
    z[:, 1::2] = heads(x * 2)
    return z


def matrices(x: Tensor) -> Tensor:
    return x @ (x.transpose(2, 3) @ x)


TURNED: dict[str, Callable] = {
    "a copy": lambda x: heads(x.exp()) * 2,
    "a copy of products": lambda x: heads(matrices(x)) * 2,
    "with columns apart": lambda x: (x @ x.transpose(2, 3)).permute(0, 3, 2, 1).reshape(8, 12) * 2,
    "all axes": lambda x: x.exp().permute(3, 1, 0, 2).reshape(-1) * 2,
    "joined": lambda x: autodiff.cat([heads(x.exp()), heads(x), heads(matrices(x))], 2) * 2,
    "joined in two ways": lambda x: autodiff.cat(
        [heads(x.exp()), autodiff.cat([heads(x.sin()), x.exp()[:, 0].repeat(1, 1, 3)], 1)], 1
    ).exp(),
    "joined where it is no view": lambda x: autodiff.cat(
        [x.exp().permute(3, 1, 0, 2).reshape(15, 8), x[0, 0].repeat(1, 2)[:, :8]]
    ).exp(),
    "put into zeros": lambda x: put_turned(x).exp(),
    "handed out": lambda x: heads(x.exp()),
    "handed out and read": lambda x: (y := heads(x.exp()), y * 2, y.sum(0)),
    "read before": lambda x: (y := x.exp(), heads(y) * 2, y + 1),
    "read between": lambda x: (y := x.exp().transpose(1, 2), y.reshape(2, 4, 15) * 2, y * 3),
    "copied twice": lambda x: (y := x.exp(), heads(y) * 2, heads(y) + 1, y.permute(3, 2, 1, 0) * 2),
    "joined twice": lambda x: (
        y := heads(x.exp()),
        autodiff.cat([y, y + 1]),
        autodiff.cat([y] * 2),
    ),
    "products as columns": lambda x: (
        (x @ x.transpose(2, 3)).permute(0, 3, 1, 2).reshape(2, 4, 12) * 2
    ),
    "products as columns, joined": lambda x: autodiff.cat(
        [heads(x.exp()), (x.transpose(2, 3) @ x).permute(0, 3, 1, 2)[:, :4].reshape(2, 4, 15)], 2
    ).exp(),
    "one product as columns": lambda x: (x[0, 0] @ x[1, 1].T).T.reshape(-1) * 2,
    "products of other ranks": lambda x: (x[0, 0] @ x.transpose(2, 3)).permute(3, 0, 1, 2) * 2,
    "sums": lambda x: x.sum(0, keepdim=True).transpose(1, 2).reshape(4, 15) * 2,
    "lengths of one": lambda x: x[:1].exp().transpose(0, 3).reshape(5, 12) * 2,
    "nothing": lambda x: x[:0].exp().transpose(1, 2).reshape(0, 60) * 2,
    "written": lambda x: (y := heads(x.exp()) * 1, z := heads(x.sin()), z.mul_(2.0), y + z),
    "a gradient": lambda x: autograd.grad(
        (heads(matrices(x)) ** 2).sum() + autodiff.cat([heads(x.exp()), heads(x)], 2).prod(), [x]
    ),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("name", TURNED)
def test_what_is_put_in_another_order_is_what_it_was(name, large, monkeypatch):
    if large:  # its elements in blocks
        monkeypatch.setattr(plan, "BLOCK", 6)
        monkeypatch.setattr(
            plan, "is_large", lambda c: plan.is_elementwise(c) and bool(c.result.shape)
        )

    def function(x):
        made = TURNED[name](x)
        return made, x.sin()

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in range(3):
        x = numbers(2, 3, 4, 5, seed=seed).requires_grad_("gradient" in name)
        assert_same(compiled(x), function(x))


def test_heads_are_put_side_by_side_without_a_copy():
    compiled = autodiff.compile(lambda x: TURNED["joined"](x), fullgraph=True)
    for seed in range(2):
        compiled(numbers(2, 3, 4, 5, seed=seed))
    body = compiled.source.partition("def step")[2]
    assert body.count("reshape") == body.count("copyto") == 1  # heads(x), which is not computed
    assert "concatenate(" not in body


def _plus(w, a):
    out = (a * w.clone()).sin()
    w.add_(1.0)
    return out


def _doubled(w, a):
    w.mul_(2.0)
    return a * w.clone()


def _one(w, a):
    out = (a * w[0].clone()).sin()
    w.add_(1.0)
    return out


def _some(w, a):
    out = a[:2] * w.clone()[:2]
    w[1:].mul_(2.0)
    return out


@pytest.mark.parametrize("step", [_plus, _doubled, _one, _some])
def test_a_gradient_outside_sees_memory_as_it_was_when_it_was_read(step):
    found = []
    for compile in (lambda f: f, lambda f: autodiff.compile(f, fullgraph=True)):
        w = numbers(3, seed=1)
        run, results = compile(lambda a, w=w: step(w, a)), []
        for seed in range(3):
            a = numbers(3, seed=seed + 2).requires_grad_()
            out = run(a)
            w.mul_(0.5)
            results += [out.detach().clone(), *autograd.grad(out.sum(), [a]), w.clone()]
        found.append(results)
    assert_same(*found)


def test_one_element_is_handed_out_as_it_was_before_a_write():
    found = []
    for compile in (lambda f: f, lambda f: autodiff.compile(f, fullgraph=True)):
        w, results = numbers(3, seed=1), []

        @compile
        def step(x, w=w):
            one = w[0].clone()
            w.sub_(x)
            return one

        for seed in range(3):
            results += [step(numbers(3, seed=seed)).clone(), w.clone()]
        found.append(results)
    assert_same(*found)


@pytest.mark.parametrize("names", [("s0", "s1", "s2"), ("blocks", "part"), ("blocks_1", "block_1")])
def test_parameters_may_be_called_as_the_parts_of_loops_over_blocks(names):
    class Net(nn.Module):
        def forward(self, x):
            for name in names:
                x = (x * getattr(self, name)).sin() + x.cos()
            return x.sum()

    net = Net()
    for n, name in enumerate(names):
        setattr(net, name, nn.Parameter(numbers(seed=n)))

    def step(x):
        net.zero_grad()
        loss = net(x)
        loss.backward()
        return [loss.detach(), *[p.grad.clone() for p in net.parameters()]]

    compiled = autodiff.compile(step, fullgraph=True)
    for seed in range(3):
        x = numbers(1100, 64, seed=seed)
        assert_same(compiled(x), step(x))


def test_a_tensor_from_outside_that_is_put_on_the_tape_is_not_compiled():
    total = numbers(3)

    @autodiff.compile
    def step(a):
        total.mul_(a)
        return total.sin()

    with pytest.warns(UserWarning, match="puts a tensor from outside on the tape"):
        step(numbers(3).requires_grad_())
    assert total.requires_grad


LARGE: dict[str, Callable] = {
    "a mask of what was read before": lambda a, x: (x.relu() * x).sum() + (x.T @ x).relu().sum(),
    "read in two forms": lambda a, x: ((x * 2 + x.T).sin() * x.cos()).sum(),
    "read later": lambda a, x: ((x * a).sin() * (x + 1).cos() + x.exp()).tanh().sum(),
    "rows": lambda a, x: ((x - x.mean(1, keepdim=True)) / (1 + x.square()) * x[0]).sum(),
    "sums": lambda a, x: (x * x).sum() + (x * a).sum() * x.max(),
}


@pytest.mark.parametrize("name", LARGE)
def test_blocks_write_over_what_they_have_read(name):
    def function(a):
        a = a.detach().requires_grad_()
        loss = LARGE[name](a, (a @ a).tanh())
        loss.backward()
        return loss.detach(), a.grad

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in range(3):
        a = numbers(300, 300, seed=seed)
        for found, wanted in zip(compiled(a), function(a), strict=True):
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-9, atol=1e-9)


def test_buffers_start_at_cache_lines_each_at_another_of_its_page():
    starts = []
    for number in range(1, 30):
        for make_array in (aligned, cleared):
            a = make_array((50, 30), np.dtype("float32"), number)
            assert a.shape == (50, 30) and a.dtype == "float32" and a.flags.c_contiguous
            assert a.__array_interface__["data"][0] % 64 == 0
        assert not a.any()
        starts.append(number * 5 % 61)
    assert len(set(starts)) == 29


@pytest.mark.parametrize("inner", [1, 15, 16, 40])
def test_products_of_many_elements_are_right_however_operands_lie(inner):
    """np.matmul takes the place of dot for them, but not where an operand lies in neither order."""
    a, b = numbers(200, inner, seed=1), numbers(inner, 300, seed=2)
    wide, tall = numbers(200, 3 * inner, seed=3), numbers(2 * inner, 300, seed=4)

    def function(a, b, wide, tall):
        first = (a * 2) @ (b + 1)
        second = (wide + 1)[:, ::3] @ (tall * 2)[::2]
        third = (a * 2) @ (b.T.contiguous() * 3).T
        return first * 2, second * 2, third * 2, ((first + second) * 2).T @ (a * 3) * 2

    compiled = autodiff.compile(function, fullgraph=True)
    for _ in range(2):
        for mine, wanted in zip(compiled(a, b, wide, tall), function(a, b, wide, tall)):
            np.testing.assert_allclose(mine.numpy(), wanted.numpy(), rtol=1e-12, atol=1e-12)
    assert ("matmul(" in compiled.source) == (inner >= 16)
