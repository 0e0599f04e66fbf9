"""Adam and AdamW: PyTorch's numbers, their equations by hand, and what they refuse."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
import optim
from autodiff import tensor
from tests.optim.problem import parameters, train, values

# The parameters PyTorch reaches in 20 steps.
REACHED = [
    (
        "Adam",
        {},
        [
            [0.480043748447, -0.980044002473, 1.98003760379],
            [1.48006309325, 0.269921491431, -0.769863428768],
            [0.0800418414292, -0.219922384134],
        ],
    ),
    (
        "Adam",
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-06},
        [
            [-0.140809097831, -0.354132397604, 1.16961880599],
            [0.846288681525, 0.508654065932, -0.496325904661],
            [-0.542393735863, -0.50705702788],
        ],
    ),
    (
        "Adam",
        {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1},
        [
            [-0.207192941092, -0.28349481226, 1.15359319857],
            [0.812339857332, 0.585928577274, -0.463095165473],
            [-0.598950003634, -0.551007204495],
        ],
    ),
    (
        "Adam",
        {"lr": 0.05, "maximize": True},
        [
            [1.54983766512, -2.04932280308, 3.04996195732],
            [2.5551147441, -0.803798755686, 0.303407929935],
            [1.14621937374, 0.85361820611],
        ],
    ),
    (
        "AdamW",
        {"lr": 0.05, "weight_decay": 0.1},
        [
            [-0.188974961186, -0.260227193137, 1.04140999308],
            [0.761279569479, 0.551103131553, -0.51452573817],
            [-0.552247047659, -0.538942385791],
        ],
    ),
    (
        "AdamW",
        {"lr": 0.05, "amsgrad": True},
        [
            [-0.206973372445, -0.285176723055, 1.14886896643],
            [0.840727617672, 0.58389423227, -0.560188561042],
            [-0.604655592005, -0.570736550696],
        ],
    ),
]


@pytest.mark.parametrize(("name", "options", "reached"), REACHED)
def test_twenty_steps_reach_these_parameters(name, options, reached):
    params = parameters(autodiff)
    train(autodiff, params, getattr(optim, name)(params, **options))
    np.testing.assert_allclose(values(params), np.concatenate(reached), rtol=1e-11)


COMBINATIONS = [
    {"lr": 0.05, "weight_decay": decay, "amsgrad": amsgrad, "maximize": maximize, **more}
    for decay, amsgrad, maximize, more in product(
        (0, 0.1), (False, True), (False, True), ({}, {"betas": (0.5, 0.7), "eps": 1e-3})
    )
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", COMBINATIONS, ids=str)
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_twenty_steps_are_pytorchs(name, options, dtype, torch):
    reached = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        params = parameters(ns, dtype)
        train(ns, params, getattr(module, name)(params, **options))
        reached.append(values(params))
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    assert reached[0].dtype == dtype
    np.testing.assert_allclose(*reached, rtol=tolerance, atol=tolerance)


def test_decoupled_weight_decay_is_adamw():
    reached = []
    for cls, options in ((optim.AdamW, {}), (optim.Adam, {"decoupled_weight_decay": True})):
        params = parameters(autodiff)
        train(autodiff, params, cls(params, weight_decay=0.1, **options))
        reached.append(values(params))
    np.testing.assert_array_equal(*reached)


def test_defaults_are_pytorchs():
    params = parameters(autodiff)
    adam, adamw = (cls(params).defaults for cls in (optim.Adam, optim.AdamW))
    assert (adam["lr"], adam["betas"], adam["eps"]) == (1e-3, (0.9, 0.999), 1e-8)
    assert (adam["weight_decay"], adamw["weight_decay"]) == (0, 1e-2)


@pytest.mark.parametrize("cls", [optim.Adam, optim.AdamW])
@given(st.floats(1e-3, 1e3), st.booleans())
def test_the_first_step_is_lr_long_whatever_the_gradient(cls, size, negative):
    p = tensor([1.0], dtype=autodiff.float64, requires_grad=True)
    g = -size if negative else size
    p.grad = tensor([g], dtype=autodiff.float64)
    cls([p], lr=0.1, weight_decay=0).step()
    assert p.item() == pytest.approx(1 - 0.1 * np.sign(g), rel=1e-5)


def test_two_steps_by_hand():
    p = tensor([0.0], dtype=autodiff.float64, requires_grad=True)
    optimizer = optim.Adam([p], lr=1.0, betas=(0.5, 0.75), eps=0.0)
    reached, m, v, expected = 0.0, 0.0, 0.0, []
    for t, g in enumerate((2.0, -1.0), 1):
        p.grad = tensor([g], dtype=autodiff.float64)
        optimizer.step()
        m, v = 0.5 * m + 0.5 * g, 0.75 * v + 0.25 * g * g
        reached -= m / (1 - 0.5**t) / np.sqrt(v / (1 - 0.75**t))
        expected.append(reached)
        assert p.item() == pytest.approx(reached, rel=1e-14)
    assert expected[0] == -1.0
    state = optimizer.state[p]
    assert state["exp_avg"].tolist() == [m]
    assert state["exp_avg_sq"].tolist() == [v]


@pytest.mark.parametrize("cls", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr": -0.1}, "lr"),
        ({"eps": -1e-8}, "eps"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"betas": (1.0, 0.9)}, "betas"),
        ({"betas": (0.9, -0.1)}, "betas"),
    ],
)
def test_impossible_options_are_refused(cls, options, named):
    with pytest.raises(ValueError, match=named):
        cls(parameters(autodiff), **options)


vectors = st.lists(st.floats(-3, 3), min_size=3, max_size=3).map(np.array)


@given(vectors, vectors, st.booleans())
def test_steps_on_a_quadratic_go_down(start, target, amsgrad):
    p, target = tensor(start, requires_grad=True), tensor(target)
    optimizer = optim.Adam([p], lr=0.01, amsgrad=amsgrad)

    def loss():
        return ((p - target) ** 2).sum()

    before = loss().item()
    for _ in range(5):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    # Each element moves by about lr a step, so near the target it may overshoot by that.
    assert loss().item() <= max(before, 3 * 0.05**2)


@given(vectors, st.booleans(), st.booleans())
def test_a_zero_gradient_is_a_fixed_point_without_decay(start, amsgrad, maximize):
    p = tensor(start, requires_grad=True)
    optimizer = optim.Adam([p], amsgrad=amsgrad, maximize=maximize)
    p.grad = autodiff.zeros_like(p)
    for _ in range(3):
        optimizer.step()
    assert p.tolist() == start.tolist()


def test_weight_decay_alone_shrinks():
    p = tensor([2.0], dtype=autodiff.float64, requires_grad=True)
    p.grad = autodiff.zeros_like(p)
    optim.AdamW([p], lr=0.1, weight_decay=0.5).step()
    assert p.item() == pytest.approx(2.0 * 0.95, rel=1e-14)
