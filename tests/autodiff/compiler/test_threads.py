"""Memory and threads of compiled steps."""

import gc
import threading
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import autodiff
import nn
import optim
from autodiff import no_grad
from tests.autodiff.compiler.scenarios import (
    Run,
    check_same,
    data,
    network,
    step_of,
)


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
