"""Experiments about the rules themselves: backpropagation, derivatives, updates."""

from itertools import pairwise

import numpy as np
import pytest

import autodiff
import optim
from benchmarks.learn import backpropagation, derivatives, update_rules


def test_backpropagation_equations_equal_the_tape():
    figures = backpropagation.run()
    assert len(figures) == 4 * 3
    assert all(figure.ok for figure in figures)


def test_backpropagation_equations_equal_differences():
    rng = np.random.default_rng(0)
    sizes = backpropagation.SIZES
    weights = [rng.normal(size=(n, m)) for m, n in pairwise(sizes)]
    biases = [rng.normal(size=n) for n in sizes[1:]]
    x, y = rng.normal(size=(3, sizes[0])), rng.normal(size=(3, sizes[-1]))

    def cost():
        a = x
        for W, b in zip(weights, biases, strict=True):
            a = 1 / (1 + np.exp(-(a @ W.T + b)))
        return ((a - y) ** 2).sum() / 2

    for layer, (_, dW, db) in enumerate(backpropagation.by_the_equations(weights, biases, x, y)):
        for parameter, gradient in ((weights[layer], dW), (biases[layer], db)):
            place = (0,) * parameter.ndim
            kept, costs = parameter[place], []
            for step in (1e-6, -1e-6):
                parameter[place] = kept + step
                costs.append(cost())
            parameter[place] = kept
            assert (costs[0] - costs[1]) / 2e-6 == pytest.approx(gradient[place], rel=1e-6)


def test_derivatives_equal_those_of_the_notes():
    figures = derivatives.run()
    assert len(figures) == 9 + 9 + 1 + 12
    assert all(figure.ok for figure in figures)


@pytest.mark.parametrize("name", update_rules.RULES)
def test_update_rules_of_the_notes_equal_their_own_figures(name):
    moved = update_rules.moved_ones(update_rules.RULES[name][0])
    found = f"{moved[0, 0]:.8f}", f"{moved.mean():.8f}"
    assert found == update_rules.BY_THE_NOTES[name]


@pytest.mark.parametrize("name", update_rules.RULES)
def test_compiled_update_rules_train_as_the_eager_ones(name):
    rule, _ = update_rules.RULES[name]
    eager, compiled = (update_rules.train(rule, 0, 3, each) for each in (False, True))
    np.testing.assert_allclose(compiled, eager, rtol=1e-4)
    assert eager[-1] < eager[0]


def test_what_an_epoch_optimizer_keeps_is_saved_and_loaded():
    weight = autodiff.ones(2, 3, requires_grad=True)
    first = update_rules.EpochAdam([weight], lr=0.1, rho=0.9, rho2=0.999)
    for _ in range(2):
        weight.grad = autodiff.ones(2, 3)
        first.step()
        first.end_epoch()
    first.step()
    second = update_rules.EpochAdam([weight], lr=0.1, rho=0.5, rho2=0.5)
    assert isinstance(second, optim.Optimizer)
    second.load_state_dict(first.state_dict())
    state, loaded = first.state[weight], second.state[weight]
    assert loaded["epoch"].item() == 3
    for name in ("second", "moment"):
        np.testing.assert_array_equal(loaded[name], state[name])
    assert second.param_groups[0]["rho"] == 0.9
