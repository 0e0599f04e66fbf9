"""The engine's promises that concern whole programs: memory, threads, depth, errors."""

import contextlib
import gc
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autodiff
import nn
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


def test_a_decorated_generator_keeps_its_mode_in_whichever_thread_resumes_it():
    @autodiff.no_grad()
    def recorded():
        while True:
            yield autodiff.is_grad_enabled()

    generator = recorded()
    assert next(generator) is False
    assert in_thread(lambda: (next(generator), autodiff.is_grad_enabled())) == (False, True)
    assert autodiff.is_grad_enabled()


# Depth


@pytest.mark.parametrize("mode", [contextlib.nullcontext, autograd.detect_anomaly])
def test_a_long_chain_can_be_looked_at_copied_and_differentiated_under_anomaly(mode):
    x = tensor([0.5], requires_grad=True)
    with mode():
        y = x
        for _ in range(20_000):
            y = y + 1.0
        assert len(autodiff.tape(y)) >= 20_000
        assert y.detach().clone().item() == 20_000.5
        y.sum().backward()
    assert x.grad.item() == 1.0


# Errors leave everything as it was


def linear_with_gradients() -> nn.Module:
    layer = nn.Linear(3, 3)
    layer(autodiff.ones(2, 3)).square().sum().backward()
    return layer


class Holder(nn.Module):
    """A parameter, and a buffer that cannot be written."""

    def __init__(self):
        self.weight = nn.Parameter(autodiff.ones(2))
        self.repeated = nn.Buffer(autodiff.zeros(()).expand(2))


def sgd() -> optim.Optimizer:
    return optim.SGD(linear_with_gradients().parameters(), lr=0.1, momentum=0.9)


def loaded_halfway(optimizer: optim.Optimizer) -> None:
    state = optimizer.state_dict()
    state["state"][99] = {"momentum_buffer": autodiff.ones(3)}
    optimizer.load_state_dict(state)


def not_finite(layer: nn.Module) -> None:
    before = layer.weight.grad[0, 0].item()
    layer.weight.grad[0, 0] = np.inf
    try:
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0, error_if_nonfinite=True)
    finally:
        layer.weight.grad[0, 0] = before


def half_assigned(holder: nn.Module) -> None:
    integers = {name: autodiff.ones(2, dtype=autodiff.int64) for name in ("repeated", "weight")}
    holder.load_state_dict(integers, assign=True)


FAILING: dict[str, tuple[Callable, Callable, type[Exception]]] = {
    "batch norm of another width": (
        lambda: nn.BatchNorm1d(3),
        lambda norm: norm(autodiff.ones(4, 2)),
        RuntimeError,
    ),
    "batch norm of one value": (
        lambda: nn.BatchNorm1d(3, momentum=None),
        lambda norm: norm(autodiff.ones(1, 3)),
        ValueError,
    ),
    "insert no module": (
        lambda: nn.Sequential(nn.Linear(3, 3), nn.ReLU()),
        lambda net: net.insert(1, "relu"),
        TypeError,
    ),
    "extend by what is no module": (
        lambda: nn.ModuleList([nn.ReLU()]),
        lambda modules: modules.extend([nn.Linear(3, 3), None, 5]),
        TypeError,
    ),
    "extend parameters by integers": (
        lambda: nn.ParameterList([autodiff.ones(2)]),
        lambda found: found.extend([autodiff.ones(3), tensor([1])]),
        RuntimeError,
    ),
    "a hook that cannot be put first": (
        linear_with_gradients,
        lambda layer: layer.register_forward_hook(print, prepend=autodiff.ones(2)),
        RuntimeError,
    ),
    "load into a buffer that cannot be written": (
        Holder,
        lambda holder: holder.load_state_dict({"weight": tensor([5.0, 6.0]), "repeated": [1, 2]}),
        RuntimeError,
    ),
    "assign integers to what requires grad": (Holder, half_assigned, RuntimeError),
    "load keys that are no strings": (
        Holder,
        lambda holder: holder.load_state_dict({0: 1.0, "weight": tensor([5.0, 6.0])}),
        RuntimeError,
    ),
    "initialise integers": (
        lambda: nn.ParameterList([nn.Parameter(tensor([3, 4]), requires_grad=False)]),
        lambda found: nn.init.trunc_normal_(found[0]),
        RuntimeError,
    ),
    "initialise with a gain that is none": (
        linear_with_gradients,
        lambda layer: nn.init.orthogonal_(layer.weight, "large"),
        TypeError,
    ),
    "initialise groups that are none": (
        lambda: nn.Conv1d(3, 3, 3),
        lambda layer: nn.init.dirac_(layer.weight, 1.5),
        TypeError,
    ),
    "clip gradients that are not finite": (linear_with_gradients, not_finite, RuntimeError),
    "load a state of another parameter": (sgd, loaded_halfway, KeyError),
    "add a parameter that is there": (
        sgd,
        lambda optimizer: optimizer.add_param_group(
            {"params": [autodiff.ones(2), optimizer.param_groups[0]["params"][0]]}
        ),
        ValueError,
    ),
    "a step of a schedule whose function fails": (
        lambda: optim.lr_scheduler.LambdaLR(sgd(), lambda t: 1.0 / (1 - t)),
        lambda schedule: schedule.step(),
        ZeroDivisionError,
    ),
    "a step to an epoch that is none": (
        lambda: optim.lr_scheduler.MultiStepLR(sgd(), [2]),
        lambda schedule: schedule.step("last"),
        TypeError,
    ),
}


def all_of(value):
    """What a module, an optimizer or a scheduler holds, as plain values."""
    if isinstance(value, nn.Module):
        held = [*value.named_parameters(), *value.named_buffers()]
        gradients = [p.grad.tolist() for p in value.parameters() if p.grad is not None]
        tensors = [(name, str(t.dtype), t.requires_grad, t.tolist()) for name, t in held]
        hooks = value._hooks._around_forward() if value._hooks else ((),) * 4
        return tensors, gradients, [name for name, _ in value.named_modules()], hooks
    if isinstance(value, optim.Optimizer):
        return str(value.state_dict()), all_of_lists(value)
    own = {name: v for name, v in value.state_dict().items() if name != "last_epoch"}
    return str(own), value.last_epoch, all_of(value.optimizer)


def all_of_lists(optimizer):
    return [[p.tolist() for p in group["params"]] for group in optimizer.param_groups]


@pytest.mark.filterwarnings("ignore:step:UserWarning")
@pytest.mark.filterwarnings("ignore:lr_scheduler:UserWarning")
@pytest.mark.parametrize("name", FAILING)
def test_an_error_leaves_modules_optimizers_and_schedules_as_they_were(name):
    make, call, error = FAILING[name]
    value = make()
    before = all_of(value)
    with pytest.raises(error):
        call(value)
    assert all_of(value) == before


def test_a_module_may_hold_a_list_that_holds_itself():
    net = nn.Module()
    net.notes = [nn.Linear(2, 2)]
    net.notes.append(net.notes)
    assert [name for name, _ in net.named_parameters()] == ["notes.0.weight", "notes.0.bias"]


def test_a_schedule_refuses_lengths_that_are_none():
    for make in (
        lambda: optim.lr_scheduler.StepLR(sgd(), 0),
        lambda: optim.lr_scheduler.CosineAnnealingLR(sgd(), 0),
    ):
        with pytest.raises(ValueError, match="must be a positive number of steps, got 0"):
            make()
