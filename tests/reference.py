"""Slow and obviously right versions to compare with.

Networks whose gradients are derived by hand, derivatives by differences, and a reverse-mode graph
that follows every path by recursion.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from autodiff.testing.differences import central

Arrays = tuple[np.ndarray, ...]


def two_layer_regression() -> tuple[np.ndarray, np.ndarray, Arrays]:
    """Noisy plane over the unit square (100, 2) -> (100, 1), and 2-8-1 weights (W1, b1, W2, b2)."""
    draws = np.random.RandomState(1)
    x = draws.rand(100, 2)
    y = (1 + 2 * x[:, 0] + x[:, 1] + draws.randn(100))[:, None]
    W1 = 0.01 * draws.randn(2, 8)
    W2 = 0.01 * draws.randn(8, 1)
    return x, y, (W1, np.zeros(8), W2, np.zeros(1))


def mlp_gradients(parameters: Arrays, x: np.ndarray, y: np.ndarray) -> tuple[float, Arrays]:
    """Mean squared error of relu(x W1 + b1) W2 + b2, and its gradient for (W1, b1, W2, b2)."""
    W1, b1, W2, b2 = parameters
    z = x @ W1 + b1
    h = np.where(z > 0, z, 0)
    error = h @ W2 + b2 - y
    delta2 = 2 * error / error.size
    delta1 = delta2 @ W2.T * (z > 0)
    gradients = (x.T @ delta1, delta1.sum(0), h.T @ delta2, delta2.sum(0))
    return float(np.mean(error**2)), gradients


def noisy_sine_windows() -> tuple[np.ndarray, np.ndarray, Arrays]:
    """Ten steps of a noisy sine and the next (990, 10, 1) -> (990, 1), and 1-5-1 RNN weights.

    The weights are (Wx, Wh, b, Wy, c) of `rnn_gradients`.
    """
    draws = np.random.RandomState(42)
    series = np.sin(np.linspace(0, 10, 1000)) + 0.1 * draws.randn(1000)
    windows = np.lib.stride_tricks.sliding_window_view(series, 11)
    Wx, Wh, Wy = (0.01 * draws.randn(*shape) for shape in [(1, 5), (5, 5), (5, 1)])
    return windows[:, :10, None], windows[:, 10:], (Wx, Wh, np.zeros(5), Wy, np.zeros(1))


def rnn_states(parameters: Arrays, x: np.ndarray) -> list[np.ndarray]:
    """h_0 = 0 and h_t = tanh(x_t Wx + h_{t-1} Wh + b) for t = 1 … T; x is (N, T, features)."""
    Wx, Wh, b, _, _ = parameters
    states = [np.zeros((len(x), len(b)))]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ Wx + states[-1] @ Wh + b))
    return states


def rnn_gradients(parameters: Arrays, x: np.ndarray, y: np.ndarray) -> tuple[float, Arrays]:
    """Mean squared error of h_T Wy + c, and the gradient of *half* of it by unrolling time."""
    Wx, Wh, b, Wy, c = parameters
    h = rnn_states(parameters, x)
    error = h[-1] @ Wy + c - y
    out = error / error.size
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dh = out @ Wy.T
    for t in range(x.shape[1], 0, -1):
        delta = dh * (1 - h[t] ** 2)
        dWx += x[:, t - 1].T @ delta
        dWh += h[t - 1].T @ delta
        db += delta.sum(0)
        dh = delta @ Wh.T
    return float(np.mean(error**2)), (dWx, dWh, db, h[-1].T @ out, out.sum(0))


def gradient_descent(
    gradients: Callable[[Arrays], tuple[float, Arrays]],
    parameters: Arrays,
    lr: float,
    epochs: int,
    clip: float = np.inf,
) -> tuple[list[float], Arrays]:
    """The losses before each epoch and after the last, and the parameters reached.

    Each element of a gradient is clipped to [-clip, clip].
    """
    losses = []
    for _ in range(epochs):
        loss, gs = gradients(parameters)
        losses.append(loss)
        parameters = tuple(
            p - lr * np.clip(g, -clip, clip) for p, g in zip(parameters, gs, strict=True)
        )
    return [*losses, gradients(parameters)[0]], parameters


def sigmoid_net_gradients(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Half the summed squared error of a net of sigmoid layers, its deltas and its gradients.

    With z^l = a^{l-1} W^l + b^l and a^l = sigmoid(z^l), rows being samples, delta^l is the
    derivative by z^l: (a^L - y) a^L (1 - a^L) for the last layer and
    (delta^{l+1} W^{l+1}ᵀ) a^l (1 - a^l) for those before it. The result is the cost and, from the
    first layer to the last, the deltas, the gradients of the weights and those of the biases.
    """
    a = [x]
    for W, b in zip(weights, biases, strict=True):
        a.append(1 / (1 + np.exp(-(a[-1] @ W + b))))
    deltas = [(a[-1] - y) * a[-1] * (1 - a[-1])]
    for layer in range(len(weights) - 1, 0, -1):
        deltas.insert(0, deltas[0] @ weights[layer].T * a[layer] * (1 - a[layer]))
    dW = [before.T @ delta for before, delta in zip(a[:-1], deltas, strict=True)]
    return float(np.sum((a[-1] - y) ** 2)) / 2, deltas, dW, [delta.sum(0) for delta in deltas]


def slope(
    f: Callable[..., float], arguments: Sequence[np.ndarray], directions: Sequence[np.ndarray]
) -> float:
    """The derivative of the scalar f along `directions`, by extrapolated central differences."""

    def along(t: float) -> float:
        with np.errstate(all="ignore"):  # the first steps may lead out of the domain
            return float(f(*[x + t * d for x, d in zip(arguments, directions, strict=True)]))

    return central(along, abs(along(0.0))).value


def complex_step(
    f: Callable[..., Any], arguments: Sequence[np.ndarray], directions: Sequence[np.ndarray]
) -> Any:
    """The derivative of f along `directions`, to the last digits: Im f(x + ihd) / h.

    f must be analytic and written with functions that NumPy has for complex numbers. Nothing is
    subtracted, so h can be so small that its square vanishes. The arrays are NumPy's own: unlike
    that of autodiff.testing this goes through functions that have no protocol too.

    Source: Squire & Trapp 1998, SIAM Review 40(1), 110-112.
    """
    h = 1e-100
    return np.imag(f(*[x + 1j * h * d for x, d in zip(arguments, directions, strict=True)])) / h


class Node:
    """An array that remembers its parents and, for each, the rule from its gradient to theirs.

    `push` follows every path on its own, so a gradient is literally the sum over paths. Time grows
    exponentially with the diamonds in the graph: keep graphs small.
    """

    __array_ufunc__ = None  # np.ndarray + Node is Node.__radd__

    def __init__(self, value: Any, *edges: tuple[Any, Callable]) -> None:
        self.value = np.asarray(value)
        self.edges = [(parent, rule) for parent, rule in edges if isinstance(parent, Node)]
        self.gradient = np.zeros(self.value.shape)

    def push(self, g: Any) -> None:
        """Add g to the gradient of this node, and what follows from it to all it came from."""
        g = _summed_to(np.asarray(g), self.value.shape)
        self.gradient = self.gradient + g
        for parent, rule in self.edges:
            parent.push(rule(g))

    def __add__(self, other: Any) -> Self:
        return type(self)(self.value + value(other), (self, lambda g: g), (other, lambda g: g))

    def __mul__(self, other: Any) -> Self:
        x, y = self.value, value(other)
        return type(self)(x * y, (self, lambda g: g * y), (other, lambda g: g * x))

    def __truediv__(self, other: Any) -> Self:
        x, y = self.value, value(other)
        return type(self)(x / y, (self, lambda g: g / y), (other, lambda g: -g * x / y**2))

    def __matmul__(self, other: Any) -> Self:
        x, y = self.value, value(other)
        return type(self)(x @ y, (self, lambda g: g @ y.T), (other, lambda g: x.T @ g))

    def __neg__(self) -> Self:
        return self * -1.0

    def __sub__(self, other: Any) -> Self:
        return self + other * -1.0

    def __gt__(self, other: Any) -> np.ndarray:
        return self.value > value(other)

    def __getitem__(self, index: Any) -> Self:
        def rule(g: np.ndarray) -> np.ndarray:
            whole = np.zeros(self.value.shape)
            np.add.at(whole, index, g)
            return whole

        return type(self)(self.value[index], (self, rule))

    def reshape(self, shape: Any) -> Self:
        return type(self)(self.value.reshape(shape), (self, lambda g: g.reshape(self.value.shape)))

    __radd__, __rmul__ = __add__, __mul__


def value(x: Any) -> Any:
    """The array in a Node; anything else as it is."""
    return x.value if isinstance(x, Node) else x


def _summed_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """g summed over the axes along which an array of `shape` was repeated to get g's shape."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(repeated, keepdims=True)


class NaiveFunctions:
    """NumPy's functions on Nodes, as far as `tests.strategies.programs` uses them."""

    def sin(self, x: Node) -> Node:
        return Node(np.sin(x.value), (x, lambda g: g * np.cos(x.value)))

    def cos(self, x: Node) -> Node:
        return Node(np.cos(x.value), (x, lambda g: -g * np.sin(x.value)))

    def tanh(self, x: Node) -> Node:
        return Node(np.tanh(x.value), (x, lambda g: g / np.cosh(x.value) ** 2))

    def exp(self, x: Node) -> Node:
        return Node(np.exp(x.value), (x, lambda g: g * np.exp(x.value)))

    def log(self, x: Node) -> Node:
        return Node(np.log(x.value), (x, lambda g: g / x.value))

    def sqrt(self, x: Node) -> Node:
        return Node(np.sqrt(x.value), (x, lambda g: g / (2 * np.sqrt(x.value))))

    def abs(self, x: Node) -> Node:
        return Node(np.abs(x.value), (x, lambda g: g * np.sign(x.value)))

    def maximum(self, x: Node, y: Node) -> Node:
        return self.where(x > y, x, y)

    def where(self, mask: np.ndarray, x: Node, y: Node) -> Node:
        picked = np.where(mask, x.value, y.value)
        return Node(picked, (x, lambda g: g * mask), (y, lambda g: g * ~mask))

    def sum(self, x: Node, axis: int) -> Node:
        return Node(
            x.value.sum(axis), (x, lambda g: np.expand_dims(g, axis) + np.zeros(x.value.shape))
        )

    def mean(self, x: Node, axis: int) -> Node:
        return self.sum(x, axis) * (1 / x.value.shape[axis])

    def swapaxes(self, x: Node, a: int, b: int) -> Node:
        return Node(x.value.swapaxes(a, b), (x, lambda g: g.swapaxes(a, b)))

    def stack(self, nodes: Sequence[Node], axis: int) -> Node:
        def edges() -> Iterator[tuple[Node, Callable]]:
            for i, node in enumerate(nodes):
                yield node, lambda g, i=i: np.take(g, i, axis)

        return Node(np.stack([node.value for node in nodes], axis), *edges())


naive = NaiveFunctions()
