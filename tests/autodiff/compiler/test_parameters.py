"""Parameters and states that change between the calls of a compiled step, and their aliases."""

import copy
import pickle
from collections import defaultdict

import numpy as np
import pytest

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, no_grad, tensor
from tests.autodiff.compiler.scenarios import (
    agree,
    data,
    each_optimizer,
    held,
    network,
    step_of,
)


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
