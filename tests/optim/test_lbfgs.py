"""LBFGS: PyTorch's numbers, its line search, its state, and what it refuses."""

import pickle
from itertools import product

import numpy as np
import pytest

import autodiff
import optim
from autodiff import tensor
from tests.optim.problem import as_torch, loss, parameters, values


def train(ns, params, optimizer, steps, function=loss):
    """That many steps; how often the loss was evaluated."""
    evaluated = 0

    def closure():
        nonlocal evaluated
        evaluated += 1
        optimizer.zero_grad()
        value = function(ns, *params)
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)
    return evaluated


def quadratic(ns, w, b):
    """A narrow valley with its lowest point at 1."""
    x = ns.cat([w.reshape(-1), b])
    return ((x - 1.0) ** 2 * ns.arange(1, 9, dtype=x.dtype) ** 2).sum()


@pytest.mark.parametrize(
    ("search", "reached"),
    [
        (
            None,
            [
                0.290657903,
                -0.631001593,
                1.578919785,
                1.214177362,
                0.444310333,
                -0.728542366,
                -0.118832699,
                -0.306200500,
            ],
        ),
        (
            "strong_wolfe",
            [
                0.140103198,
                -0.273932796,
                0.949240082,
                0.852388109,
                0.586202057,
                -0.701429178,
                -0.258026628,
                -0.396052613,
            ],
        ),
    ],
)
def test_two_steps_reach_these_parameters(search, reached):
    params = parameters(autodiff)
    train(autodiff, params, optim.LBFGS(params, lr=0.1, max_iter=4, line_search_fn=search), 2)
    np.testing.assert_allclose(values(params), reached, rtol=1e-8)


COMBINATIONS = [
    dict(max_iter=iterations, lr=lr, history_size=history, line_search_fn=search, **more)
    for iterations, lr, history, search, more in product(
        (1, 4, 20),
        (1, 0.1),
        (2, 100),
        (None, "strong_wolfe"),
        ({}, {"max_eval": 7}, {"tolerance_grad": 1e-2}, {"tolerance_change": 1e-3}),
    )
]


@pytest.mark.parametrize("options", COMBINATIONS, ids=str)
def test_twenty_iterations_are_pytorchs(options, torch):
    reached, counts = [], []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        params = parameters(ns)
        optimizer = module.LBFGS(params, **options)
        evaluated = train(ns, params, optimizer, 20 // options["max_iter"])
        state = optimizer.state[params[0]]
        counts.append((evaluated, state["func_evals"], state["n_iter"]))
        reached.append(values(params))
    assert counts[0] == counts[1]
    # Rounding grows from iteration to iteration, faster with a short history.
    tolerance = 1e-12 if options["history_size"] == 100 else 1e-9
    np.testing.assert_allclose(*reached, rtol=tolerance, atol=tolerance)


def test_float32_is_pytorchs_to_rounding(torch):
    reached = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        params = parameters(ns, "float32")
        train(ns, params, module.LBFGS(params, line_search_fn="strong_wolfe"), 2, quadratic)
        reached.append(values(params))
    assert reached[0].dtype == "float32"
    np.testing.assert_allclose(*reached, rtol=1e-5)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_a_quadratic_is_solved_in_few_iterations(search):
    params = parameters(autodiff)
    optimizer = optim.LBFGS(params, max_iter=50, line_search_fn=search)
    train(autodiff, params, optimizer, 1, quadratic)
    np.testing.assert_allclose(values(params), 1.0, atol=1e-6)
    assert optimizer.state[params[0]]["n_iter"] < 40


def test_the_first_loss_is_returned_and_the_closure_records():
    params = parameters(autodiff)
    optimizer = optim.LBFGS(params)
    expected = loss(autodiff, *params).item()

    def closure():
        optimizer.zero_grad()
        value = loss(autodiff, *params)
        value.backward()
        return value

    with autodiff.no_grad():
        assert optimizer.step(closure).item() == expected
    assert all(p.is_leaf and p.requires_grad for p in params)


def test_nothing_moves_where_the_gradient_is_zero():
    p = tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.LBFGS([p])

    def closure():
        p.grad = autodiff.zeros(2)
        return 0.0

    optimizer.step(closure)
    assert p.tolist() == [1.0, 2.0]
    assert optimizer.state[p] == {"func_evals": 1, "n_iter": 0}


def test_parameters_without_a_gradient_stay():
    w, b = parameters(autodiff)
    optimizer = optim.LBFGS([w, b])
    before = b.tolist()

    def closure():
        optimizer.zero_grad()
        value = (w**2).sum()
        value.backward()
        return value

    optimizer.step(closure)
    assert b.tolist() == before
    np.testing.assert_allclose(w.tolist(), 0.0, atol=1e-6)


def test_a_state_dict_half_way_goes_on_as_if_uninterrupted():
    straight, halted = parameters(autodiff), parameters(autodiff)
    options = dict(max_iter=3, line_search_fn="strong_wolfe")
    train(autodiff, straight, optim.LBFGS(straight, **options), 6)
    first = optim.LBFGS(halted, **options)
    train(autodiff, halted, first, 3)
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    second = optim.LBFGS(halted, **options)
    second.load_state_dict(saved)
    train(autodiff, halted, second, 3)
    np.testing.assert_array_equal(values(halted), values(straight))


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_state_dicts_go_to_pytorch_and_come_back(search, torch):
    options = dict(lr=0.5, max_iter=3, line_search_fn=search)
    straight, halted = parameters(autodiff), parameters(autodiff)
    train(autodiff, straight, optim.LBFGS(straight, **options), 6)
    first = optim.LBFGS(halted, **options)
    train(autodiff, halted, first, 2)

    theirs = [torch.tensor(p.detach().numpy(), requires_grad=True) for p in halted]
    second = torch.optim.LBFGS(theirs, **options)
    second.load_state_dict(as_torch(torch, first.state_dict()))
    train(torch, theirs, second, 2)
    keys = set(second.state_dict()["state"][0]) - {"al"}  # scratch
    assert set(first.state_dict()["state"][0]) == keys

    back = [tensor(p.detach().numpy(), requires_grad=True) for p in theirs]
    third = optim.LBFGS(back, **options)
    third.load_state_dict(second.state_dict())
    train(autodiff, back, third, 2)
    np.testing.assert_allclose(values(back), values(straight), rtol=1e-9, atol=1e-12)


def test_what_is_impossible_is_refused():
    w, b = parameters(autodiff)
    with pytest.raises(ValueError, match="lr"):
        optim.LBFGS([w], lr=-1)
    with pytest.raises(ValueError, match="one parameter group, got 2"):
        optim.LBFGS([{"params": [w]}, {"params": [b]}])
    with pytest.raises(RuntimeError, match="armijo"):
        train(autodiff, [w, b], optim.LBFGS([w, b], line_search_fn="armijo"), 1)
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([w]).step()


def test_a_step_runs_eagerly_when_compiled():
    params, others = parameters(autodiff), parameters(autodiff)
    optimizer = optim.LBFGS(params)

    def closure():
        optimizer.zero_grad()
        value = loss(autodiff, *params)
        value.backward()
        return value

    step = autodiff.compile(lambda: optimizer.step(closure))
    with pytest.warns(UserWarning, match="eagerly"):
        step()
    step()
    train(autodiff, others, optim.LBFGS(others), 2)
    np.testing.assert_array_equal(values(params), values(others))
