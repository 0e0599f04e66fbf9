"""SGD: PyTorch's numbers, its equations by hand, and what it refuses."""

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
        {"lr": 0.01},
        [
            [0.215276844835, -0.410903395866, 1.45974312317],
            [1.16351484077, 0.550091721396, -0.789074908852],
            [-0.18125386558, -0.353629097495],
        ],
    ),
    (
        {"lr": 0.01, "momentum": 0.9},
        [
            [0.277502301914, -0.478019119039, 0.458150725177],
            [0.660231310987, 0.387546775824, -0.585475946086],
            [-0.109011846163, -0.334542793216],
        ],
    ),
    (
        {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        [
            [0.240977908261, -0.42129928498, 0.423911050025],
            [0.551214673063, 0.403398036286, -0.523814040425],
            [-0.0986515073753, -0.322257344416],
        ],
    ),
    (
        {"lr": 0.01, "momentum": 0.5, "dampening": 0.3},
        [
            [0.168782227918, -0.314169848194, 1.33688020004],
            [1.08942748232, 0.594951324376, -0.787292541731],
            [-0.227078400694, -0.378635452589],
        ],
    ),
    (
        {"lr": 0.001, "maximize": True, "weight_decay": 0.1},
        [
            [0.555761789155, -1.11860238586, 2.09195014787],
            [1.55588703483, 0.18863670309, -0.73655249327],
            [0.155395828652, -0.169124209811],
        ],
    ),
]


@pytest.mark.parametrize(("options", "reached"), REACHED)
def test_twenty_steps_reach_these_parameters(options, reached):
    params = parameters(autodiff)
    train(autodiff, params, optim.SGD(params, **options))
    np.testing.assert_allclose(values(params), np.concatenate(reached), rtol=1e-11)


COMBINATIONS = [
    {"lr": 0.01, **{k: v for k, v in options.items() if v}}
    for chosen in product((0, 0.9), (0, 0.3), (0, 0.1), (False, True), (False, True))
    for options in [
        dict(
            zip(
                ("momentum", "dampening", "weight_decay", "nesterov", "maximize"),
                chosen,
                strict=True,
            )
        )
    ]
    if not (options["nesterov"] and (options["dampening"] or not options["momentum"]))
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", COMBINATIONS, ids=str)
def test_twenty_steps_are_pytorchs(options, dtype, torch):
    if options.get("maximize"):
        options = {**options, "lr": 1e-4}  # it runs away
    reached = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        params = parameters(ns, dtype)
        train(ns, params, module.SGD(params, **options))
        reached.append(values(params))
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    assert reached[0].dtype == dtype
    np.testing.assert_allclose(*reached, rtol=tolerance, atol=tolerance)


def test_a_step_by_hand():
    p = tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = tensor([2.0, -4.0])
    optimizer.step()
    assert p.tolist() == [0.0, 4.0]
    assert p.grad.tolist() == [2.0, -4.0]


def test_momentum_by_hand():
    p = tensor([0.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    p.grad = tensor([1.0])
    reached = []
    for _ in range(4):
        optimizer.step()
        reached.append(p.item())
    assert reached == [-1.0, -2.5, -4.25, -6.125]  # steps 1, 1.5, 1.75, 1.875
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1.875]


def test_the_momentum_buffer_is_not_the_gradient():
    p = tensor([0.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    p.grad = tensor([1.0])
    optimizer.step()
    p.grad.zero_()
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr": -0.1}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": 0.1, "momentum": -0.9}, "momentum"),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay"),
        ({"lr": 0.1, "nesterov": True}, "momentum"),
        ({"lr": 0.1, "nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening"),
    ],
)
def test_impossible_options_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        optim.SGD(parameters(autodiff), **options)


vectors = st.lists(st.floats(-3, 3), min_size=3, max_size=3).map(np.array)


@given(vectors, vectors, st.floats(0.1, 10), st.floats(0.01, 0.9))
def test_a_step_on_a_quadratic_goes_down_if_it_is_short(start, target, curvature, fraction):
    p, target = tensor(start, requires_grad=True), tensor(target)
    optimizer = optim.SGD([p], lr=2 * fraction / curvature)

    def loss():
        return 0.5 * curvature * ((p - target) ** 2).sum()

    before = loss()
    before.backward()
    optimizer.step()
    factor = (1 - 2 * fraction) ** 2  # of the distance squared, and so of the loss
    assert loss().item() == pytest.approx(factor * before.item(), rel=1e-6, abs=1e-9)


@given(vectors, st.sampled_from(COMBINATIONS))
def test_a_zero_gradient_is_a_fixed_point_without_decay(start, options):
    p = tensor(start, requires_grad=True)
    optimizer = optim.SGD([p], **{**options, "weight_decay": 0})
    p.grad = autodiff.zeros_like(p)
    for _ in range(3):
        optimizer.step()
    assert p.tolist() == start.tolist()
