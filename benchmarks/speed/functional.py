"""The losses as functions of weights, x and y, in NumPy's spelling: for JAX and HIPS autograd."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.speed.framework import LEAKY_SLOPE

Loss = Callable[[list[Any], Any, Any], Any]


def losses(np: ModuleType, sigmoid: Callable, relu: Callable, cross_entropy: Callable) -> dict:
    """The loss of each workload, written with that NumPy and those functions of one package."""

    def line(weights, x, y):
        error = mlp(weights, x, relu) - y
        return np.mean(error * error)

    def sine(weights, x, y):
        Wxh, Whh, bih, bhh, Why, by = weights
        projected = x @ Wxh.T + (bih + bhh)
        h = np.tanh(projected[:, 0])
        for t in range(1, x.shape[1]):
            h = np.tanh(projected[:, t] + h @ Whh.T)
        error = h @ Why.T + by - y
        return np.mean(error * error)

    def clouds(weights, x, y):
        Wih, Who = weights
        error = sigmoid(sigmoid(x @ Wih.T) @ Who.T) - y
        return np.mean(error * error)

    def binary(weights, x, y):
        z = mlp(weights, x, relu)
        return np.mean(np.maximum(z, 0.0) - z * y + np.log1p(np.exp(-np.abs(z))))

    def digits(weights, x, y):
        return cross_entropy(mlp(weights, x, lambda z: np.maximum(z, LEAKY_SLOPE * z)), y)

    def classes(weights, x, y):
        return cross_entropy(mlp(weights, x, relu), y)

    def chain(weights, x, y):
        [w] = weights
        z = w * x + 0.5
        error = np.log(1.0 + np.exp(-(z * np.tanh(z)))) - y
        return np.sum(error * error)

    return {
        "W1": line,
        "W2": sine,
        "W3": clouds,
        "W4": binary,
        "W5": digits,
        "W6": binary,
        "W7": classes,
        "W11": chain,
        "W12": classes,
    }


def mlp(weights: list[Any], x: Any, activation: Callable) -> Any:
    """Linear layers, weight (out, in) and bias (out,), with an activation between them."""
    for layer in range(0, len(weights), 2):
        x = activation(x) if layer else x
        x = x @ weights[layer].T + weights[layer + 1]
    return x
