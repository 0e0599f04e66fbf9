"""The engine's promises that concern whole programs: memory over many steps, and threads."""

import contextlib
import gc
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autodiff
import optim
from autodiff import Tensor, autograd, tensor
from autodiff.tape import Node


def network(seed):
    """The parameters of a 2-8-1 network."""
    draws = np.random.default_rng(seed)
    shapes = (2, 8), (8,), (8, 1), (1,)
    return [tensor(draws.normal(size=shape), requires_grad=True) for shape in shapes]


def loss_of(parameters, x, y):
    w1, b1, w2, b2 = parameters
    return (((x @ w1 + b1).tanh() @ w2 + b2 - y) ** 2).mean()


X = tensor(np.random.default_rng(0).normal(size=(10, 2)))
Y = (X[:, :1] * X[:, 1:]).detach()


# Memory


def sgd_step() -> Callable[[], None]:
    parameters = network(1)
    optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        loss_of(parameters, X, Y).backward()
        optimizer.step()

    return step


def adam_step_that_keeps_gradients() -> Callable[[], None]:
    parameters = network(1)
    optimizer = optim.Adam(parameters, lr=0.01)

    def step():
        optimizer.zero_grad(set_to_none=False)
        loss = loss_of(parameters, X, Y)
        loss.backward(retain_graph=True)
        optimizer.step()

    return step


def penalised_step() -> Callable[[], None]:
    parameters = network(1)
    optimizer = optim.SGD(parameters, lr=0.01)

    def step():
        optimizer.zero_grad()
        loss = loss_of(parameters, X, Y)
        gradients = autograd.grad(loss, parameters, create_graph=True)
        (loss + 0.01 * sum((g * g).sum() for g in gradients)).backward()
        optimizer.step()

    return step


def step_with_recorded_gradients() -> Callable[[], None]:
    parameters = network(1)

    def step():
        for p in parameters:
            p.grad = None
        loss_of(parameters, X, Y).backward(create_graph=True)

    return step


def step_that_writes_in_place() -> Callable[[], None]:
    (w, *_) = network(1)
    state = autodiff.zeros(10, 8, dtype=autodiff.float64)

    def step():
        with autodiff.no_grad():
            state.mul_(0.9)
        h = state * 1
        row = h[0]
        h += X @ w
        row *= 0.5
        h[1:3] = h[3:5].clone()
        h.tanh_()
        h.sum().backward()
        with autodiff.no_grad():
            w.sub_(0.01 * w.grad)
            w.grad.zero_()
            state.copy_(h)

    return step


def step_with_hooks_and_errors() -> Callable[[], None]:
    parameters = network(1)

    def step():
        loss = loss_of(parameters, X, Y)
        loss.retain_grad()
        with parameters[0].register_hook(lambda g: g * 2):
            loss.backward()
        with contextlib.suppress(RuntimeError):  # freed
            loss.backward()
        parameters[0].T[0].sum().backward()

    return step


def evaluation() -> Callable[[], None]:
    parameters = network(1)

    def step():
        with autodiff.no_grad():
            loss_of(parameters, X, Y).item()
        loss_of(parameters, X, Y)  # recorded and dropped

    return step


STEPS = (
    sgd_step,
    adam_step_that_keeps_gradients,
    penalised_step,
    step_with_recorded_gradients,
    step_that_writes_in_place,
    step_with_hooks_and_errors,
    evaluation,
)


def engine_objects():
    return sum(issubclass(type(thing), (Node, Tensor)) for thing in gc.get_objects())


@pytest.mark.parametrize("make", STEPS)
def test_steps_leave_no_tensor_or_node_behind_without_the_garbage_collector(make):
    step = make()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            step()
        before = engine_objects()
        for _ in range(100):
            step()
        after = engine_objects()
    finally:
        gc.enable()
    assert after == before


@pytest.mark.parametrize("make", STEPS)
def test_memory_stays_flat_over_a_few_hundred_steps(make):
    step, allocated = make(), []
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(5):
            for _ in range(60):
                step()
            allocated.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.enable()
    # The interpreter keeps some freed tuples and enlarges its tables now and then; one array a step
    # would be 50 000 bytes each time.
    assert np.diff(allocated).min() < 20_000


@pytest.mark.parametrize("make", [sgd_step, penalised_step, step_that_writes_in_place])
def test_memory_stays_flat_over_20_000_steps(make):
    resource = pytest.importorskip("resource")
    step = make()
    for _ in range(1000):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20_000):
        step()
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth < 5000  # kilobytes


# Threads


def train(seed, steps=60):
    parameters = network(seed)
    optimizer = optim.Adam(parameters, lr=0.01)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = loss_of(parameters, X, Y)
        loss.backward(create_graph=k % 2 == 0)
        optimizer.step()
        with autodiff.no_grad():
            losses.append(loss_of(parameters, X, Y).item())
    return losses, [p.tolist() for p in parameters]


def test_threads_train_as_they_would_one_after_the_other():
    seeds = range(4)
    expected = [train(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, seeds)) == expected


def in_thread(function):
    """What `function` returns in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def modes():
    x = autodiff.ones(2, requires_grad=True)
    return (
        autodiff.is_grad_enabled(),
        autodiff.is_inference_mode_enabled(),
        autodiff.is_anomaly_enabled(),
        (x * 2).requires_grad,
    )


@pytest.mark.parametrize(
    "mode", [autodiff.no_grad, autodiff.inference_mode, autograd.detect_anomaly]
)
def test_a_mode_holds_in_its_own_thread_alone(mode):
    usual = (True, False, False, True)
    with mode():
        assert modes() != usual
        assert in_thread(modes) == usual
    assert modes() == usual


def test_a_mode_set_in_a_thread_does_not_leave_it():
    in_thread(lambda: autodiff.set_grad_enabled(False))
    assert autodiff.is_grad_enabled()


def test_modes_of_threads_that_alternate_do_not_mix():
    turns, seen = threading.Barrier(2, timeout=10), {}

    def run(name, mode, expected):
        with mode():
            turns.wait()
            seen[name, "inside"] = autodiff.is_grad_enabled() is expected
            turns.wait()
        turns.wait()
        seen[name, "outside"] = autodiff.is_grad_enabled()

    threads = [
        threading.Thread(target=run, args=("off", autodiff.no_grad, False)),
        threading.Thread(target=run, args=("on", autodiff.enable_grad, True)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(seen.values())


def test_two_threads_differentiate_one_model_into_gradients_of_their_own():
    parameters = network(3)
    halves = [(X[:5], Y[:5]), (X[5:], Y[5:])]

    def gradients(half):
        return [
            [g.tolist() for g in autograd.grad(loss_of(parameters, *half), parameters)]
            for _ in range(50)
        ]

    expected = [gradients(half)[0] for half in halves]
    with ThreadPoolExecutor(2) as pool:
        for results, reference in zip(pool.map(gradients, halves), expected, strict=True):
            assert all(result == reference for result in results)
