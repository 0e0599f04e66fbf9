"""Checkpoints: the same values and gradients, with less kept."""

import contextlib

import numpy as np
import pytest

import autodiff
import nn
from autodiff.utils.checkpoint import checkpoint, checkpoint_sequential

W = np.random.default_rng(1).normal(size=4)


def gradients_of(function, *arrays):
    leaves = [autodiff.tensor(a, requires_grad=True) for a in arrays]
    out = function(*leaves)
    out.sum().backward()
    return out.detach().numpy(), [t.grad.numpy() for t in leaves]


@pytest.mark.parametrize("use_reentrant", [None, False, True])
def test_values_and_gradients_are_those_without(use_reentrant):
    def f(x, y):
        return (x.sin() * y).exp() + x

    expected = gradients_of(f, W, W + 1)
    found = gradients_of(lambda x, y: checkpoint(f, x, y, use_reentrant=use_reentrant), W, W + 1)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], 1e-14)


def test_nothing_inside_is_kept_and_the_function_runs_again():
    runs = []

    def f(x):
        runs.append(None)
        for _ in range(50):
            x = x.sin()
        return x

    x = autodiff.tensor(W, requires_grad=True)
    out = checkpoint(f, x)
    assert len(autodiff.tape(out)) < 5 and len(runs) == 1
    out.sum().backward(retain_graph=True)
    out.sum().backward()
    assert len(runs) == 3
    np.testing.assert_allclose(x.grad.numpy(), 2 * gradients_of(f, W)[1][0])


def test_captured_parameters_and_nested_arguments_get_gradients():
    w = autodiff.tensor(W, requires_grad=True)
    x = autodiff.tensor(W, requires_grad=True)

    def f(arguments, *, scale):
        return {"out": [(arguments["x"] * 2 * w).sin() * scale], "n": 3}

    result = checkpoint(f, {"x": x * 1}, scale=2.0)
    assert result["n"] == 3
    result["out"][0].sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 4 * W * np.cos(2 * W * W))
    np.testing.assert_allclose(x.grad.numpy(), 4 * W * np.cos(2 * W * W))


def test_several_results_share_one_second_run():
    runs = []

    def f(x):
        runs.append(None)
        return x.sin(), x, x.detach() + 1, (x * 2).cos()

    x = autodiff.tensor(W, requires_grad=True)
    a, same, constant, b = checkpoint(f, x)
    assert same is x and not constant.requires_grad
    (a * b).sum().backward()
    assert len(runs) == 2
    expected = np.cos(W) * np.cos(2 * W) - 2 * np.sin(W) * np.sin(2 * W)
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_derivatives_of_higher_order():
    x = autodiff.tensor(W, requires_grad=True)
    out = checkpoint(lambda x: checkpoint(lambda y: y**2, x) * x, x)
    (first,) = autodiff.autograd.grad(out.sum(), x, create_graph=True)
    (second,) = autodiff.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = autodiff.autograd.grad(second.sum(), x)
    np.testing.assert_allclose(first.detach().numpy(), 3 * W**2)
    np.testing.assert_allclose(second.detach().numpy(), 6 * W)
    np.testing.assert_allclose(third.numpy(), np.full(4, 6.0))


@pytest.mark.parametrize("transform", [autodiff.func.jacrev, autodiff.func.jacfwd])
def test_transforms_go_through(transform):
    x = autodiff.tensor(W)
    found = transform(lambda x: checkpoint(lambda y: y**3, x))(x)
    np.testing.assert_allclose(found.numpy(), np.diag(3 * W**2))
    inside = autodiff.vmap(autodiff.func.grad(lambda x: checkpoint(lambda y: y**3, x)))(x)
    np.testing.assert_allclose(inside.numpy(), 3 * W**2)


def test_the_second_run_draws_the_same():
    x = autodiff.ones(1000, requires_grad=True)
    out = checkpoint(lambda x: nn.functional.dropout(x, 0.5), x)
    state = autodiff.get_rng_state()
    out.sum().backward()
    assert x.grad.tolist() == out.tolist()
    assert autodiff.get_rng_state().tolist() == state.tolist()


def test_the_second_run_draws_anew_if_told_to():
    x = autodiff.ones(1000, requires_grad=True)
    out = checkpoint(lambda x: nn.functional.dropout(x, 0.5), x, preserve_rng_state=False)
    out.sum().backward()
    assert x.grad.tolist() != out.tolist()


def test_an_argument_that_was_written_is_found():
    x = autodiff.tensor(W, requires_grad=True)
    y = x * 1
    out = checkpoint(lambda y: y.sin(), y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified in place"):
        out.sum().backward()


def test_results_of_another_form_are_found():
    sizes = iter((2, 3, 3))
    x = autodiff.tensor(W, requires_grad=True)
    out = checkpoint(lambda x: x[: next(sizes)] * 2, x)
    with pytest.raises(RuntimeError, match="same each time"):
        out.sum().backward()


def test_contexts_are_entered_around_each_run():
    entered = []

    @contextlib.contextmanager
    def noting(name):
        entered.append(name)
        yield

    x = autodiff.tensor(W, requires_grad=True)
    out = checkpoint(lambda x: x.sin(), x, context_fn=lambda: (noting("first"), noting("second")))
    assert entered == ["first"]
    out.sum().backward()
    assert entered == ["first", "second"]


def test_without_gradients_it_is_a_plain_call():
    x = autodiff.tensor(W)
    assert not checkpoint(lambda x: x.sin(), x).requires_grad
    with autodiff.no_grad():
        assert not checkpoint(lambda x: x * 2, autodiff.ones(1, requires_grad=True)).requires_grad


def test_in_a_compiled_step_it_changes_nothing():
    x = autodiff.tensor(W, requires_grad=True)

    @autodiff.compile
    def step(x):
        out = checkpoint(lambda x: x.sin() * x, x).sum()
        return autodiff.autograd.grad(out, x)[0]

    for _ in range(3):
        np.testing.assert_allclose(step(x).numpy(), np.sin(W) + W * np.cos(W))


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_a_row_in_segments(segments):
    row = [lambda x: x.sin(), lambda x: x * 2, lambda x: x.exp(), lambda x: x + x, lambda x: x**2]

    def f(x):
        for function in row:
            x = function(x)
        return x

    expected = gradients_of(f, W)
    found = gradients_of(lambda x: checkpoint_sequential(row, segments, x), W)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], 1e-14)


def test_more_segments_than_functions_are_refused():
    with pytest.raises(ValueError, match="segments"):
        checkpoint_sequential([lambda x: x], 2, autodiff.ones(1))
