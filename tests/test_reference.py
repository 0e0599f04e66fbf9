from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from autodiff.testing import check_derivative
from tests.reference import (
    Node,
    complex_step,
    gradient_descent,
    mlp_gradients,
    naive,
    noisy_sine_windows,
    rnn_gradients,
    rnn_states,
    sigmoid_net_gradients,
    slope,
    two_layer_regression,
)
from tests.strategies import Program, programs

# Printed by two published NumPy programs: the loss before epochs 0, 100 … 900 and after the last.
MLP_LOSSES = [
    7.843827,
    1.589406,
    1.461798,
    1.415684,
    1.347697,
    1.262448,
    1.181384,
    1.124319,
    1.090392,
    1.071762,
    1.061774,
]
RNN_LOSSES = [
    0.497974,
    0.467624,
    0.463342,
    0.462317,
    0.461109,
    0.458347,
    0.451663,
    0.435664,
    0.398754,
    0.321377,
    0.194452,
]


def test_hand_derived_mlp_reproduces_the_printed_losses():
    x, y, parameters = two_layer_regression()
    losses, _ = gradient_descent(lambda p: mlp_gradients(p, x, y), parameters, 0.01, 1000)
    assert [round(loss, 6) for loss in losses[::100]] == MLP_LOSSES


def test_hand_derived_rnn_reproduces_the_printed_losses_and_predictions():
    x, y, parameters = noisy_sine_windows()
    losses, parameters = gradient_descent(
        lambda p: rnn_gradients(p, x, y), parameters, 0.01, 1000, clip=5
    )
    assert [round(loss, 6) for loss in losses[::100]] == RNN_LOSSES
    *_, Wy, c = parameters
    predictions = (rnn_states(parameters, x)[-1] @ Wy + c)[:5, 0]
    assert predictions.round(4).tolist() == [0.1906, 0.1661, 0.1653, 0.1913, 0.1289]
    assert y[:5, 0].round(4).tolist() == [0.0536, 0.0633, 0.1440, -0.0616, -0.0328]


def test_mlp_gradient_equals_the_numeric_derivative(rng):
    x, y, parameters = two_layer_regression()
    parameters = [p + rng.uniform(0.5, 1, p.shape) for p in parameters]

    def loss(W1, b1, W2, b2):
        return np.mean((np.maximum(x @ W1 + b1, 0) @ W2 + b2 - y) ** 2)

    check_derivative(loss, lambda *p: mlp_gradients(p, x, y)[1], *parameters)


def test_rnn_gradient_is_that_of_half_the_printed_loss(rng):
    x, y, parameters = noisy_sine_windows()
    parameters = [p + rng.normal(size=p.shape) for p in parameters]

    def loss(*p):
        h = np.zeros((len(x), 5))
        for t in range(10):
            h = np.tanh(x[:, t] @ p[0] + h @ p[1] + p[2])
        return np.mean((h @ p[3] + p[4] - y) ** 2) / 2

    report = check_derivative(loss, lambda *p: rnn_gradients(p, x, y)[1], *parameters)
    assert report.worst < 1e-12


def test_deltas_of_three_hidden_layers_give_the_gradient(rng):
    sizes = [3, 5, 4, 3, 2]
    weights = [rng.normal(size=shape) for shape in pairwise(sizes)]
    biases = [rng.normal(size=size) for size in sizes[1:]]
    x, y = rng.normal(size=(6, 3)), rng.uniform(size=(6, 2))
    cost, deltas, dW, db = sigmoid_net_gradients(weights, biases, x, y)
    assert [delta.shape for delta in deltas] == [(6, size) for size in sizes[1:]]

    def cost_of(*parameters):
        a = x
        for W, b in zip(parameters[:4], parameters[4:], strict=True):
            a = 1 / (1 + np.exp(-(a @ W + b)))
        return np.sum((a - y) ** 2) / 2

    report = check_derivative(cost_of, lambda *_: [*dW, *db], *weights, *biases)
    assert cost == pytest.approx(cost_of(*weights, *biases), rel=1e-14)
    assert report.worst < 1e-12


ANALYTIC = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "log": (np.log, lambda x: 1 / x),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_step_is_exact_to_the_last_digits(name, rng):
    f, derivative = ANALYTIC[name]
    x, d = rng.uniform(0.1, 3, (2, 50))
    np.testing.assert_allclose(complex_step(f, [x], [d]), derivative(x) * d, rtol=1e-15)


def test_slope_is_that_along_all_arguments_to_ten_digits(rng):
    x, y, dx, dy = rng.uniform(0.2, 3, (4, 20))
    expected = np.sum(np.cos(x) * y * dx + np.sin(x) * dy)
    found = slope(lambda x, y: np.sum(np.sin(x) * y), [x, y], [dx, dy])
    assert found == pytest.approx(expected, rel=1e-10)


def test_naive_graph_sums_over_paths():
    x = Node(3.0)
    y = x * x
    (y + y * x).push(1.0)  # x^2 + x^3
    assert x.gradient == 2 * 3 + 3 * 3**2


def test_naive_graph_sums_a_gradient_to_its_own_shape():
    x, y = Node(np.ones((3, 1))), Node(np.ones(4))
    (x * y).push(np.ones((3, 4)))
    assert x.gradient.tolist() == [[4.0]] * 3
    assert y.gradient.tolist() == [3.0] * 4


@given(programs())
def test_naive_graph_equals_the_numeric_derivative_on_random_programs(program: Program):
    def f(*inputs):
        return program(np, *inputs)

    def df(g, *inputs):
        leaves = [Node(x) for x in inputs]
        out = program(naive, *leaves)
        np.testing.assert_allclose(out.value, f(*inputs), rtol=1e-10, atol=1e-10)
        out.push(g)
        return [leaf.gradient for leaf in leaves]

    check_derivative(f, df, *program.inputs, vjp=True)
