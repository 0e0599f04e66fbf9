"""check_derivative: NumPy functions with derivatives that were written by hand, right and wrong.

The wrong ones are slips from published programs: a factor that is left out, a loss that is not the
one that is printed, and a bias whose column of inputs is not made of ones.
"""

import numpy as np
import pytest

from autodiff.testing import GradcheckError, check_derivative
from tests.reference import (
    mlp_gradients,
    noisy_sine_windows,
    rnn_gradients,
    two_layer_regression,
)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_derivatives_of_elementwise_functions():
    x = np.array([0.5, -1.5])
    assert check_derivative(np.sin, np.cos, x).worst < 1e-15
    with pytest.raises(GradcheckError, match="the sign is flipped"):
        check_derivative(np.cos, np.sin, x)


def test_gradient_of_a_loss_by_several_arguments():
    x, y, parameters = two_layer_regression()
    report = check_derivative(
        lambda W1, b1, W2, b2: mlp_gradients((W1, b1, W2, b2), x, y)[0],
        lambda W1, b1, W2, b2: mlp_gradients((W1, b1, W2, b2), x, y)[1],
        *[p + 0.1 for p in parameters],
    )
    assert [row.argument for row in report.rows] == ["W1", "b1", "W2", "b2"]
    assert report.worst < 1e-9


def test_backward_pass_of_a_layer():
    def linear(x, weight, bias):
        return x @ weight + bias

    def backward(g, x, weight, bias):
        return g @ weight.T, x.T @ g, g.sum(0)

    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(5, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    assert check_derivative(linear, backward, *arrays, vjp=True).worst < 1e-14

    def unsummed(g, x, weight, bias):
        return g @ weight.T, x.T @ g, g

    with pytest.raises(GradcheckError, match="by bias") as caught:
        check_derivative(linear, unsummed, *arrays, vjp=True)
    assert "not summed over the axes (0,)" in str(caught.value)

    def transposed(g, x, weight, bias):
        return g @ weight.T, g.T @ x, g.sum(0)

    with pytest.raises(GradcheckError, match="by weight") as caught:
        check_derivative(linear, transposed, *arrays, vjp=True)
    assert "transposed" in str(caught.value)


def test_missing_derivative_of_the_sigmoid_in_a_net_of_three_layers_is_found():
    """The hidden error is the output error sent back, without the slope of the output's sigmoid."""

    def net(W_ih, W_ho, x):
        return sigmoid(W_ho @ sigmoid(W_ih @ x))

    def backward(g, W_ih, W_ho, x):
        hidden = sigmoid(W_ih @ x)
        out = sigmoid(W_ho @ hidden)
        hidden_error = W_ho.T @ g
        delta = hidden_error * hidden * (1 - hidden)
        right = W_ho.T @ (g * out * (1 - out)) * hidden * (1 - hidden)
        return delta @ x.T, (g * out * (1 - out)) @ hidden.T, W_ih.T @ right

    rng = np.random.default_rng(104729)
    W_ih, W_ho = rng.normal(0, 2**-0.5, (2, 2, 2))
    x = np.array([[4.2], [1.9]])
    with pytest.raises(GradcheckError, match="by W_ih ") as caught:
        check_derivative(net, backward, W_ih, W_ho, x, vjp=True)
    assert "a factor out (1 - out), the derivative of sigmoid" in str(caught.value)
    assert "is missing" in str(caught.value)


def test_gradient_of_half_the_loss_of_a_recurrent_net_is_found():
    """Mean squared error is printed, and y - target is sent back, which belongs to half of it."""
    x, y, parameters = noisy_sine_windows()
    x, y = x[:20], y[:20]
    with pytest.raises(GradcheckError, match="by Wx ") as caught:
        check_derivative(
            lambda Wx, Wh, b, Wy, c: rnn_gradients((Wx, Wh, b, Wy, c), x, y)[0],
            lambda Wx, Wh, b, Wy, c: rnn_gradients((Wx, Wh, b, Wy, c), x, y)[1],
            *[p + 0.1 for p in parameters],
        )
    assert "half of what it should be: a factor 2 is missing" in str(caught.value)


def test_gradient_of_a_bias_that_is_a_hundred_times_too_large_is_found():
    """The bias is multiplied with a column of 0.01, and its gradient takes ones for it."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(6, 3)), rng.uniform(size=(6, 2))
    inputs = np.hstack([np.full((6, 1), 0.01), x])

    def loss(bias, weights):
        return np.sum((sigmoid(inputs @ np.vstack([bias, weights])) - t) ** 2) / 2

    def gradients(bias, weights):
        out = sigmoid(inputs @ np.vstack([bias, weights]))
        delta = (out - t) * out * (1 - out)
        return delta.sum(0).reshape(1, -1), x.T @ delta

    with pytest.raises(GradcheckError, match="by bias ") as caught:
        check_derivative(loss, gradients, rng.normal(size=(1, 2)), rng.normal(size=(3, 2)))
    assert "100 times too large" in str(caught.value)


def test_derivative_of_another_shape_is_told_without_numbers():
    with pytest.raises(GradcheckError) as caught:
        check_derivative(lambda x: (x**2).sum(), lambda x: 2.0, np.ones(2))
    assert str(caught.value).startswith(
        "the derivative by x has shape (), where x has shape (2,)\n"
        "likely cause: an axis is summed over, kept or added that should not be\n"
    )


def test_derivative_of_another_number_of_arguments_is_refused():
    with pytest.raises(ValueError, match="df must give a gradient for each of x, y; got 1"):
        check_derivative(lambda x, y: x * y, lambda x, y: y, np.ones(2), np.ones(2))
