"""What surprises in compile(), as passing tests, the worst first.

A compiled step is what one real run of it did with tensors. What Python did beside that is done
once, while the step is recorded; some of it is found out and then the step runs eagerly.
"""

import time
from dataclasses import dataclass

import numpy as np
import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import compile, no_grad, tensor
from autodiff.compiler import CannotRecordError, host
from tests.autodiff.compiler.scenarios import data, network

ONES = autodiff.ones(2)


def falls_back(match: str):
    return pytest.warns(UserWarning, match=match)


# Silent: the first run's numbers for ever


def test_numbers_drawn_or_read_by_python_are_those_of_the_first_run():
    # A clock, NumPy's generators, Python's random: numbers that no tensor operation made.
    rng = np.random.default_rng(0)
    jitter = compile(lambda x: x + rng.normal())
    clock = compile(lambda x: x * time.perf_counter_ns())
    assert (jitter(ONES) == jitter(ONES)).all()
    assert (clock(ONES) == clock(ONES)).all()
    # autodiff's own draws are made anew, and host() reads numbers anew.
    fresh = compile(lambda x: x + autodiff.randn(2) + host(lambda: rng.normal()))
    assert (fresh(ONES) != fresh(ONES)).all()


@dataclass
class Settings:
    factor: float = 2.0


def test_attributes_of_plain_objects_are_those_of_the_first_run():
    # Only modules and parameter groups say when they change.
    settings, numbers = Settings(), {"factor": 2.0}
    by_object = compile(lambda x: x * settings.factor)
    by_dict = compile(lambda x: x * numbers["factor"])
    by_host = compile(lambda x: x * host(lambda: settings.factor))
    for f in (by_object, by_dict, by_host):
        f(ONES)
    settings.factor = numbers["factor"] = 5.0
    assert by_object(ONES).tolist() == by_dict(ONES).tolist() == [2.0, 2.0]
    assert by_host(ONES).tolist() == [5.0, 5.0]


factor = 2.0


def test_globals_and_variables_of_functions_called_inside_are_those_of_the_first_run():
    # What the compiled function itself names is compared before a run; not what others name.
    global factor
    inner = lambda x: x * factor
    direct, indirect = compile(lambda x: x * factor), compile(lambda x: inner(x))
    direct(ONES), indirect(ONES)
    try:
        factor = 5.0
        assert direct(ONES).tolist() == [5.0, 5.0]
        assert indirect(ONES).tolist() == [2.0, 2.0]
    finally:
        factor = 2.0


def test_side_effects_of_python_happen_while_recording_only():
    # Prints, counters, appended lists: none of it is an operation on tensors.
    seen = []

    @compile
    def f(x):
        seen.append("run")
        return x * 2

    for _ in range(5):
        f(ONES)
    assert seen == ["run"]


def test_tensors_put_aside_are_those_of_the_first_run():
    # self.last of a plain object, or a list outside: the tensors that were recorded.
    kept = []
    f = compile(lambda x: kept.append(x * 2) or x * 3)
    f(ONES)
    f(ONES * 5)
    assert [t.tolist() for t in kept] == [[2.0, 2.0]]


def test_what_is_deep_in_an_attribute_of_a_module_is_not_watched():
    # An attribute that is set is seen, and what is written into its list or dict, but not deeper.
    class Switch(nn.Module):
        def __init__(self):
            self.flags = {"double": True, "more": {"triple": False}}

        def forward(self, x):
            x = x * 2 if self.flags["double"] else x
            return x * 3 if self.flags["more"]["triple"] else x

    switch = Switch()
    f = compile(switch)
    f(ONES)
    switch.flags["double"] = False
    assert f(ONES).tolist() == [1.0, 1.0]
    switch.flags["more"]["triple"] = True
    assert f(ONES).tolist() == [1.0, 1.0]
    switch.flags = {"double": False, "more": {"triple": True}}
    assert f(ONES).tolist() == [3.0, 3.0]


def test_attributes_of_a_modules_class_are_those_of_the_first_run():
    class Scale(nn.Module):
        factor = 2.0

        def forward(self, x):
            return x * self.factor

    f = compile(Scale())
    f(ONES)
    Scale.factor = 5.0
    assert f(ONES).tolist() == [2.0, 2.0]


def test_tensors_made_of_python_numbers_are_those_of_the_first_run():
    # torch.tensor(number) is a constant, whatever the number came from.
    class Clock:
        now = 0

    f = compile(lambda x: x + tensor(float(Clock.now)))
    f(ONES)
    Clock.now = 7
    assert f(ONES).tolist() == [1.0, 1.0]


def test_lists_of_tensors_from_outside_are_those_of_the_first_run():
    # The tensors are read anew, the list is not.
    terms = [ONES * 1]
    f = compile(lambda x: sum([x * t for t in terms]))
    f(ONES)
    terms[0].fill_(3.0)
    assert f(ONES).tolist() == [3.0, 3.0]
    terms.append(ONES)
    assert f(ONES).tolist() == [3.0, 3.0]


def test_a_branch_on_something_outside_is_taken_as_in_the_first_run():
    mode = ["double"]
    f = compile(lambda x: x * 2 if mode[0] == "double" else x)
    f(ONES)
    mode[0] = "plain"
    assert f(ONES).tolist() == [2.0, 2.0]


def test_state_tensors_put_into_an_optimizer_by_hand_are_not_seen():
    # Writing into them is; so is a state that is cleared, replaced or loaded.
    w = nn.Parameter(autodiff.ones(2))
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)

    @compile
    def step():
        optimizer.zero_grad()
        (w * 1.0).sum().backward()
        optimizer.step()

    step(), step()
    before = w.detach().clone()
    optimizer.state[w]["momentum_buffer"] = autodiff.zeros(2)
    step()
    assert (before - w).tolist() != [1.0, 1.0]


def test_a_groups_list_of_parameters_edited_in_place_is_not_watched():
    # A list that is assigned in its place is seen, and add_param_group() is.
    a, b = nn.Parameter(autodiff.ones(2)), nn.Parameter(autodiff.ones(2))
    optimizer = optim.SGD([a], lr=1.0)

    @compile
    def step():
        optimizer.zero_grad()
        (a + b).sum().backward()
        optimizer.step()

    step(), step()
    optimizer.param_groups[0]["params"].append(b)
    step()
    assert b.tolist() == [1.0, 1.0]
    optimizer.param_groups[0]["params"].pop()
    optimizer.add_param_group({"params": [b]})
    step()
    assert b.tolist() == [0.0, 0.0]


# Results and gradients


def test_results_have_no_graph_when_backward_ran_inside():
    # loss.backward() after the step is an error from the first call on.
    model = network()

    @compile
    def step(x, y):
        model.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    for _ in range(3):
        assert not step(*data()).requires_grad


def test_views_of_arguments_and_parameters_come_back_as_copies():
    # The argument, or parameter, itself comes back as itself.
    w = nn.Parameter(autodiff.ones(2))
    f = compile(lambda x: (x, x.view(-1), w, w.detach()))
    with no_grad():
        f(ONES)
        x = ONES.clone()
        same, view, parameter, detached = f(x)
        assert same is x
        assert parameter is w
        x.add_(1.0)
        w.add_(1.0)
    assert view.tolist() == detached.tolist() == [1.0, 1.0]


def test_results_do_not_share_memory():
    # Eagerly h.detach() shows h.
    def f(x):
        h = x * 2
        return h, h.detach(), h.view(-1)

    compiled = compile(f)
    compiled(ONES)
    eager, mine = f(ONES), compiled(ONES)
    for results in (eager, mine):
        results[0].add_(1.0)
    assert eager[1].tolist() == eager[2].tolist() == [3.0, 3.0]
    assert mine[1].tolist() == mine[2].tolist() == [2.0, 2.0]


def test_a_gradient_that_is_a_result_is_a_copy():
    w = nn.Parameter(autodiff.ones(2))

    @compile
    def f(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad

    f(ONES)
    g = f(ONES)
    g.zero_()
    assert w.grad.tolist() == [1.0, 1.0]


def test_a_tensor_of_an_array_argument_comes_back_as_a_copy():
    # Eagerly from_numpy(a) shows a.
    f = compile(lambda a: autodiff.from_numpy(a))
    f(np.ones(2))
    a = np.ones(2)
    f(a).add_(1.0)
    assert a.tolist() == [1.0, 1.0]


def test_a_gradient_given_to_two_parameters_is_two_gradients():
    a, b = nn.Parameter(autodiff.ones(2)), nn.Parameter(autodiff.ones(2))

    @compile
    def f(x):
        a.grad = None
        (a * x).sum().backward()
        b.grad = a.grad

    f(ONES)
    assert a.grad is b.grad
    f(ONES)
    assert a.grad is not b.grad
    assert a.grad.tolist() == b.grad.tolist()


def test_parameters_behind_results_that_are_not_used_get_zeros():
    # Eagerly their grad stays None, and optimisers leave them alone.
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    f = compile(lambda x: (first(x), second(x)))
    for _ in range(2):
        first.zero_grad(), second.zero_grad()
        f(ONES)[0].sum().backward()
    assert second.weight.grad.tolist() == [[0.0, 0.0]]


def test_a_module_that_writes_buffers_or_draws_computes_twice_for_create_graph():
    # The gradient is right and all is put back, but it costs a run of the function itself.
    runs = []
    model = network(nn.Dropout(0.5))

    @compile
    def f(x):
        runs.append("run")
        return model(x)

    for _ in range(3):
        x = data()[0].requires_grad_()
        autodiff.autograd.grad(f(x).sum(), x, create_graph=True)
    assert len(runs) == 1 + 2


# Recorded again, or not at all


def test_each_new_number_among_the_arguments_is_recorded():
    # A tensor, or host(), is not.
    f = compile(lambda x, k: x * k)
    for k in (1.0, 2.0, 3.0, 1.0):
        f(ONES, k)
    assert len(f.entries) == 3
    g = compile(lambda x, k: x * k)
    for k in (1.0, 2.0, 3.0, 1.0):
        g(ONES, tensor(k))
    assert len(g.entries) == 1


def test_many_different_numbers_among_the_arguments_end_in_eager_runs():
    f = compile(lambda x, k: x * k)
    with falls_back("pass numbers that change as tensors or through host"):
        for k in range(200):
            assert f(ONES, float(k)).tolist() == [k, k]
    assert len(f.entries) < 100


def test_a_variable_that_counts_is_recorded_eight_times_and_then_runs_eagerly():
    for_each = 0
    f = compile(lambda x: x * for_each)
    with falls_back("is different again"):
        for for_each in range(12):
            assert f(ONES).tolist() == [for_each, for_each]
    assert len(f.entries) <= 8


def test_after_too_many_recordings_it_stays_eager():
    # Also for what was recorded before.
    runs, for_each = [], 0
    f = compile(lambda x: runs.append(for_each) or x * for_each)
    with falls_back("is different again"):
        for for_each in range(12):  # noqa: B007
            f(ONES)
    before = len(runs)
    f(ONES), f(ONES)
    assert len(runs) == before + 2


FALL_BACKS = {
    "item()": lambda x: x * x.sum().item(),
    "bool()": lambda x: x * 2 if x.sum() > 0 else x,
    "tolist()": lambda x: x * x.tolist()[0],
    "numpy()": lambda x: x + autodiff.from_numpy(x.numpy() * 2),
    "repr()": lambda x: (repr(x), x)[1],
    "depends on values": lambda x: x[x > 0],
    "use as an index": lambda x: x * [1.0, 2.0][x.argmax()],
}


@pytest.mark.parametrize("what", FALL_BACKS)
def test_what_takes_a_value_out_runs_eagerly_with_one_warning_that_names_line_and_remedy(what):
    f = compile(FALL_BACKS[what])
    with pytest.warns(UserWarning) as caught:
        for i in range(1, 4):
            x = ONES * i
            assert f(x).tolist() == FALL_BACKS[what](x).tolist()
    (warning,) = caught
    message = str(warning.message)
    assert what in message
    assert "test_footguns.py" in message
    assert "fullgraph=True" in message
    assert f.entries == []


@pytest.mark.parametrize("what", FALL_BACKS)
def test_fullgraph_makes_it_an_error(what):
    f = compile(FALL_BACKS[what], fullgraph=True)
    for _ in range(2):
        with pytest.raises(CannotRecordError):
            f(ONES)


def test_printing_a_loss_keeps_a_step_from_being_compiled():
    lines = []
    f = compile(lambda x: (lines.append(f"{x.sum():.2f}"), x * 2)[1])
    with falls_back("item"):
        for i in range(3):
            f(ONES * i)
    assert lines == ["0.00", "2.00", "4.00"]


def test_clipping_that_checks_for_nan_keeps_a_step_from_being_compiled():
    model = network()

    @compile
    def step(x):
        model.zero_grad()
        model(x).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)

    with falls_back("item"):
        step(data()[0])


def assigns_an_attribute():
    class Remembers(nn.Module):
        def __init__(self):
            self.last = autodiff.zeros(2)

        def forward(self, x):
            self.last = (self.last * 0.5 + x).detach()
            return self.last * 1

    return Remembers()


def counts_in_an_attribute():
    class Counts(nn.Module):
        def __init__(self):
            self.count = 0

        def forward(self, x):
            self.count += 1
            return x * self.count

    return Counts()


def rebinds_a_variable():
    state = autodiff.zeros(2)

    def f(x):
        nonlocal state
        state = state * 0.5 + x
        return state * 1

    return f


STATEFUL = [assigns_an_attribute, counts_in_an_attribute, rebinds_a_variable]


@pytest.mark.parametrize("make", STATEFUL)
def test_assigning_what_the_next_run_reads_runs_eagerly(make):
    # Later runs would not assign: write into a tensor, with copy_() or add_().
    eager, compiled = make(), compile(make())
    with pytest.warns(UserWarning, match="runs eagerly"):
        for i in range(4):
            assert compiled(ONES * i).tolist() == eager(ONES * i).tolist()


def test_switching_to_training_inside_after_evaluating_outside_runs_eagerly():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))

    def step(x):
        model.train()
        return model(x).sum()

    compiled = compile(step)
    compiled(ONES)  # it was in training: train() changes nothing
    assert len(compiled.entries) == 1
    model.eval()
    with falls_back(r"call train\(\) or eval\(\) outside the step"):
        compiled(ONES)
    assert model.training


def test_writing_memory_that_another_tensor_shows_runs_eagerly():
    memory = np.zeros(6)
    head, tail = autodiff.from_numpy(memory[:4]), autodiff.from_numpy(memory[2:])

    def step(x):
        before = tail.sum()
        head.add_(x)
        return before

    compiled = compile(step)
    with falls_back("share"):
        assert compiled(tensor(1.0)).item() == 0.0
    assert compiled(tensor(1.0)).item() == 2.0
    memory[:] = 0.0
    apart = autodiff.from_numpy(memory[4:])  # side by side is no overlap
    fine = compile(lambda x: (apart.sum(), head.add_(x))[0], fullgraph=True)
    assert fine(tensor(1.0)).item() == fine(tensor(1.0)).item() == 0.0
    assert memory.tolist() == [2.0, 2.0, 2.0, 2.0, 0.0, 0.0]


def test_filling_containers_among_the_arguments_runs_eagerly():
    # Later runs would not fill them: return the tensors.
    def f(x, out):
        out["y"] = x * 2
        return x

    compiled = compile(f)
    with falls_back("changes a container"):
        for i in range(3):
            out = {}
            compiled(ONES * i, out)
            assert out["y"].tolist() == [2 * i, 2 * i]


def test_numpy_on_an_array_argument_runs_eagerly():
    # Make a tensor of it first: from_numpy(a), then compute with tensors.
    f = compile(lambda a: autodiff.from_numpy(a.astype(np.float32) * 2))
    with falls_back("NumPy computes with an argument"):
        for i in range(3):
            assert f(np.full(2, float(i))).tolist() == [2 * i, 2 * i]
    g = compile(lambda a: autodiff.from_numpy(a).float() * 2, fullgraph=True)
    for i in range(3):
        assert g(np.full(2, float(i))).tolist() == [2 * i, 2 * i]


def test_an_error_that_the_step_handles_itself_is_not_recorded():
    def f(x, target):
        try:
            return F.cross_entropy(x, target)
        except (IndexError, RuntimeError):
            return x.sum() * 0 - 1

    x, good, bad = autodiff.ones(1, 3), tensor([1]), tensor([5])
    handled_first = compile(f)
    with falls_back("raised an error"):
        for target in (bad, good, bad):
            assert handled_first(x, target).item() == f(x, target).item()
    handled_later = compile(f)
    assert handled_later(x, good).item() == f(x, good).item()
    with falls_back("handle"):
        assert handled_later(x, bad).item() == -1


def test_objects_that_cannot_be_hashed_run_eagerly():
    @dataclass
    class Batch:
        x: autodiff.Tensor

    f = compile(lambda batch: batch.x * 2)
    with falls_back("not hashable"):
        for i in range(3):
            assert f(Batch(ONES * i)).tolist() == [2 * i, 2 * i]


def test_results_that_are_no_containers_run_eagerly():
    f = compile(lambda x: Settings(x * 2))
    with falls_back("returns"):
        assert f(ONES).factor.tolist() == [2.0, 2.0]


def test_arguments_that_are_computed_cannot_be_differentiated_to_the_end_inside():
    # backward() inside would have to go on through operations that were not recorded.
    w = nn.Parameter(autodiff.ones(2))
    f = compile(lambda x: (x * 2).sum().backward())
    with falls_back("before this call"):
        for _ in range(3):
            w.grad = None
            f(w * 3)
            assert w.grad.tolist() == [6.0, 6.0]


def test_requires_grad_cannot_be_switched_inside():
    # On a tensor made inside it can.
    w = nn.Parameter(autodiff.ones(2))
    f = compile(lambda x: (w.requires_grad_(False), x * w)[1])
    with falls_back("requires_grad_"):
        f(ONES)
    w.requires_grad_(True)
    g = compile(lambda x: x.clone().requires_grad_() * w, fullgraph=True)
    g(ONES)
    assert len(g.entries) == 1


def test_anomaly_detection_runs_eagerly():
    runs = []
    f = compile(lambda x: runs.append("run") or x * 2)
    f(ONES), f(ONES)
    with autodiff.autograd.detect_anomaly():
        f(ONES), f(ONES)
    assert len(runs) == 3


# Memory and identity


def test_a_compiled_function_keeps_alive_what_it_was_recorded_with():
    import weakref

    model = network()
    reference = weakref.ref(model[0].weight)
    f = compile(lambda m, x: m(x).sum())
    f(model, data()[0])
    del model
    assert reference() is not None
    del f


def test_a_compiled_module_is_no_module_but_stands_for_one():
    model = network()
    compiled = compile(model)
    assert not isinstance(compiled, nn.Module)
    assert compiled.eval() is model
    compiled.training = True
    assert model.training
    assert (len(compiled), compiled[0]) == (3, model[0])
    whole = nn.Module()
    whole.part = compiled  # its parameters are found, under the names they have without compile
    assert list(whole.state_dict()) == [f"part.{name}" for name in model.state_dict()]


def test_recording_costs_as_much_as_many_runs():
    # A new shape in every call is slower than no compile at all: pad, or drop the last batch.
    f = compile(lambda x: (x * 2).sum())
    for n in range(1, 6):
        f(autodiff.ones(n))
    assert len(f.entries) == 5
