"""Every schedule: PyTorch's learning rates, state dicts, and what compiled steps make of them."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import autodiff
import optim
from optim import lr_scheduler
from tests.autodiff.compiler.scenarios import agree
from tests.optim.lr_scheduler.schedules import SCHEDULES, optimizer_of, run, settings
from tests.optim.problem import loss, parameters

each = pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)


def flat(seen: list) -> np.ndarray:
    """Settings as numbers, for comparison."""
    if isinstance(seen, list | tuple):
        return np.concatenate([flat(x) for x in seen])
    return np.array([float(seen)])


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@each
def test_forty_steps_set_what_pytorchs_set(make, name, torch):
    seen = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        optimizer = optimizer_of(ns, module, name)
        scheduler = make(module.lr_scheduler, optimizer)
        first = settings(optimizer)
        seen.append([first, run(scheduler, optimizer, 40), scheduler.get_last_lr()])
    np.testing.assert_allclose(flat(seen[0]), flat(seen[1]), rtol=1e-12, atol=1e-18)


@each
def test_a_state_dict_half_way_goes_on_as_if_uninterrupted(make):
    straight = optimizer_of()
    expected = run(make(lr_scheduler, straight), straight, 40)

    first = optimizer_of()
    scheduler = make(lr_scheduler, first)
    seen = run(scheduler, first, 17)
    saved = pickle.loads(pickle.dumps((first.state_dict(), scheduler.state_dict())))
    second = optimizer_of()
    resumed = make(lr_scheduler, second)
    second.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    seen += run(resumed, second, 23)
    np.testing.assert_array_equal(flat(seen), flat(expected))


@each
def test_state_dicts_are_pytorchs_and_go_both_ways(make, torch):
    ours, theirs = optimizer_of(), optimizer_of(torch, torch.optim)
    here, there = make(lr_scheduler, ours), make(torch.optim.lr_scheduler, theirs)
    run(here, ours, 9)
    run(there, theirs, 9)
    same(here.state_dict(), there.state_dict())

    ours, theirs = optimizer_of(), optimizer_of(torch, torch.optim)
    new, newer = make(lr_scheduler, ours), make(torch.optim.lr_scheduler, theirs)
    for optimizer in (ours, theirs):
        for group in optimizer.param_groups:
            group["lr"] = 0.07
    new.load_state_dict(copy.deepcopy(there.state_dict()))
    newer.load_state_dict(copy.deepcopy(here.state_dict()))
    seen = run(new, ours, 20), run(newer, theirs, 20)
    np.testing.assert_allclose(flat(seen[0]), flat(seen[1]), rtol=1e-12, atol=1e-18)


def same(ours, theirs) -> None:
    """Equal structures, numbers to rounding."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-18)
    else:
        assert ours == theirs


@each
def test_tensors_are_written_to(make):
    numbers, tensors = optimizer_of(), optimizer_of()
    rates = [autodiff.tensor(g["lr"], dtype=autodiff.float64) for g in numbers.param_groups]
    for group, rate in zip(tensors.param_groups, rates):
        group["lr"] = rate
    expected = run(make(lr_scheduler, numbers), numbers, 40)
    scheduler = make(lr_scheduler, tensors)
    seen = []
    for _ in range(40):
        tensors.step()
        scheduler.step()
        seen.append([[float(rate), *rest] for rate, *rest in settings(tensors)])
    np.testing.assert_allclose(flat(seen), flat(expected), rtol=1e-12, atol=1e-18)
    for group, rate in zip(tensors.param_groups, rates):
        assert group["lr"] is rate
    last = scheduler.get_last_lr()
    assert [float(rate) for rate in last] == [float(rate) for rate in rates]
    assert not any(rate is mine for rate, mine in zip(last, rates))


SIMPLE = [n for n in SCHEDULES if not n.startswith(("Sequential", "Chained", "two", "three"))]
EPOCHS = [3, 4, 11, 2, 30, 0]


@pytest.mark.parametrize("name", SIMPLE)
def test_step_with_an_epoch_is_pytorchs(name, torch):
    seen = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        optimizer = optimizer_of(ns, module)
        scheduler = SCHEDULES[name](module.lr_scheduler, optimizer)
        rates = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for epoch in EPOCHS:
                scheduler.step(epoch)
                rates.append(settings(optimizer))
        run(scheduler, optimizer, 3)
        seen.append([rates, run(scheduler, optimizer, 3)])
    np.testing.assert_allclose(flat(seen[0]), flat(seen[1]), rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("name", SIMPLE)
def test_resuming_with_last_epoch_is_pytorchs(name, torch):
    seen = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        first = optimizer_of(ns, module)
        schedule = SCHEDULES[name]
        scheduler = schedule(module.lr_scheduler, first)
        run(scheduler, first, 6)
        second = optimizer_of(ns, module)
        second.load_state_dict(first.state_dict())
        again = schedule(Resuming(module.lr_scheduler, scheduler.last_epoch), second)
        seen.append([settings(second), run(again, second, 20)])
    np.testing.assert_allclose(flat(seen[0]), flat(seen[1]), rtol=1e-12, atol=1e-18)


@pytest.mark.filterwarnings("ignore:.*before.*optimizer.step")  # PyTorch's too
def test_a_sequence_in_a_sequence_is_pytorchs(torch):
    seen = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        optimizer, s = optimizer_of(ns, module), module.lr_scheduler
        inner = s.SequentialLR(optimizer, [s.ConstantLR(optimizer), s.StepLR(optimizer, 3)], [4])
        scheduler = s.SequentialLR(optimizer, [inner, s.PolynomialLR(optimizer, 30)], [15])
        seen.append(run(scheduler, optimizer, 40))
    np.testing.assert_allclose(flat(seen[0]), flat(seen[1]), rtol=1e-12, atol=1e-18)


class Resuming:
    """The namespace of the schedulers, which begin after this epoch."""

    def __init__(self, namespace, last_epoch):
        self.namespace, self.last_epoch = namespace, last_epoch

    def __getattr__(self, name):
        cls = getattr(self.namespace, name)
        return lambda *args, **options: cls(*args, **options, last_epoch=self.last_epoch)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@each
def test_a_compiled_step_follows_the_schedule(make, name):
    def scenario(run):
        params = parameters(autodiff)
        options = {"momentum": 0.9} if name == "SGD" else {}
        groups = [{"params": [p], "lr": 0.01 * (i + 1)} for i, p in enumerate(params)]
        optimizer = getattr(optim, name)(groups, **options)
        scheduler = make(lr_scheduler, optimizer)

        @run.compile
        def step():
            optimizer.zero_grad()
            loss(autodiff, *params).backward()
            optimizer.step()

        for _ in range(12):
            step()
            scheduler.step()
            run.note(params, optimizer)

    agree(scenario)


def test_a_scheduler_inside_of_a_compiled_step_makes_it_run_eagerly():
    optimizer = optimizer_of()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)

    @autodiff.compile
    def step():
        optimizer.step()
        scheduler.step()

    with pytest.warns(UserWarning, match="eagerly: a scheduler"):
        step()
    step()
    assert scheduler.get_last_lr() == [0.025, 0.01]
