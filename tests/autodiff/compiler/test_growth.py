"""Recording takes time in proportion to a step, and no more stack, however deep or long it is."""

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

import autodiff
import nn
import optim
from autodiff import tensor


def instructions(function: Callable[[], Any]) -> int:
    """How many of Python's instructions a call takes."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    outer = sys.gettrace()
    gc.collect()
    gc.disable()  # what becomes of other tests' objects is not counted
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(outer)
        gc.enable()
    return count


def layers(n: int, *kinds: Callable[[], nn.Module]) -> nn.Sequential:
    """These layers, n times."""
    return nn.Sequential(*[kind() for _ in range(n) for kind in kinds])


def linear() -> nn.Linear:
    return nn.Linear(3, 3)


def trained(model: nn.Module, x: autodiff.Tensor) -> Callable[[], Any]:
    """A compiled training step, not yet recorded."""
    optimizer = optim.Adam(model.parameters())

    @autodiff.compile(fullgraph=True)
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step(x)


def deep(n: int) -> Callable[[], Any]:
    return trained(layers(n, linear, nn.Tanh), autodiff.ones(2, 3))


def with_chance(n: int) -> Callable[[], Any]:
    return trained(layers(n, linear, nn.Dropout), autodiff.ones(2, 3))


def differentiated_outside(n: int) -> Callable[[], Any]:
    model = autodiff.compile(layers(n, linear, nn.ReLU), fullgraph=True)
    x = autodiff.ones(2, 3)
    return lambda: model(x)


class Loop(nn.Module):
    """A cell in a loop that reads parts of what is learned, and writes parts of its result."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.cell, self.inputs = nn.GRUCell(2, 3), nn.Parameter(autodiff.ones(n, 1, 2))

    def forward(self, h):
        states = autodiff.zeros(len(self.inputs), 1, 3)
        for t in range(len(self.inputs)):
            h = self.cell(self.inputs[t], h)
            states[t] = h
        return autodiff.stack([states[t] * t for t in range(len(states))])


def long(n: int) -> Callable[[], Any]:
    return trained(Loop(n), autodiff.ones(1, 3))


def of_large_layers(n: int) -> Callable[[], Any]:
    model = layers(n, lambda: nn.Linear(256, 256), nn.Tanh)
    return trained(model, autodiff.ones(256, 256))


def of_a_large_vector(n: int) -> Callable[[], Any]:
    def function(x):
        sums = []
        for _ in range(n):
            x = (x * 1.5).tanh()
            sums.append(x.sum())
        return autodiff.stack(sums), x

    compiled, x = autodiff.compile(function, fullgraph=True), autodiff.ones(2**16)
    return lambda: compiled(x)


def with_many_arguments(n: int) -> Callable[[], Any]:
    compiled = autodiff.compile(lambda xs: [x * 2 for x in xs], fullgraph=True)
    tensors = [autodiff.ones(2) for _ in range(n)]
    return lambda: compiled(tensors)


def eager_optimizer(n: int) -> Callable[[], Any]:
    parameters = [nn.Parameter(autodiff.ones(100, 100)) for _ in range(n)]
    optimizer = optim.Adam(parameters)
    for p in parameters:
        p.grad = autodiff.ones(100, 100)
    optimizer.step()  # compiled only when it is made again and again
    optimizer.step()
    return optimizer.step


@pytest.mark.parametrize(
    "make",
    [
        *(deep, with_chance, differentiated_outside, long),
        *(of_large_layers, of_a_large_vector, with_many_arguments, eager_optimizer),
    ],
)
def test_recording_grows_in_proportion(make):
    instructions(make(2))  # what is imported or cached once
    small, middle, large = (instructions(make(n)) for n in (10, 20, 30))
    assert large - middle == pytest.approx(middle - small, rel=0.01)


N = 1500  # more than Python's calls may be nested


def rows_written(x):
    rows = autodiff.zeros(N, 2)
    for t in range(N):
        x = (x + 0.1).sin()
        rows[t] = x
    return rows[0] * rows[-1] + rows[N // 2]


def rows_written_backwards(x):
    values = [x + t for t in range(N)]
    rows = autodiff.zeros(N, 2)
    for t in range(N):
        rows[t] = values[N - 1 - t]
    return rows.cos()


def rows_read(x):
    rows = (x + autodiff.zeros(N, 2)).requires_grad_()
    sum(rows[t].square().sum() * t for t in range(N)).backward()
    return rows.grad


def views_of_views(x):
    kept = autodiff.zeros(N) + x[0]
    for _ in range(N - 2):
        kept = kept[1:]
    return kept * 2


@pytest.mark.parametrize(
    "function", [rows_written, rows_written_backwards, rows_read, views_of_views]
)
def test_chains_of_any_length_can_be_recorded(function):
    x = tensor([0.25, -0.5])
    compiled = autodiff.compile(function, fullgraph=True)
    compiled(x)
    assert autodiff.allclose(compiled(x), function(x))
