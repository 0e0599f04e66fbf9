"""The training steps in NumPy with the backward pass derived by hand: what frameworks are held to.

They are written as somebody who knows NumPy writes them: vectorised, nothing computed twice,
weights updated in place, intermediate arrays allocated as they come (`floor` allocates none). W1
keeps the arithmetic and the allocations of the NumPy program it comes from (Z. Shi, lecture notes
on neural networks).
"""

from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.speed.framework import LEAKY_SLOPE
from benchmarks.speed.workloads import Problem

Step = Callable[[], np.floating]


def line(problem: Problem) -> Step:
    """W1."""
    W1, b1, W2, b2 = (np.atleast_2d(weight).copy() for weight in problem.weights)
    W1, W2 = W1.T.copy(), W2.T.copy()
    (X, y), lr = problem.batches[0], problem.lr
    n = len(X)

    def step():
        nonlocal W1, b1, W2, b2
        Z1 = np.dot(X, W1) + b1
        A1 = np.maximum(0, Z1)
        A2 = np.dot(A1, W2) + b2
        loss = np.mean((y - A2) ** 2)

        dZ2 = 2 * (A2 - y) / n
        dW2 = np.dot(A1.T, dZ2)
        db2 = np.sum(dZ2, axis=0, keepdims=True)
        dA1 = np.dot(dZ2, W2.T)
        dZ1 = dA1 * (Z1 > 0)
        dW1 = np.dot(X.T, dZ1)
        db1 = np.sum(dZ1, axis=0, keepdims=True)

        W1 -= lr * dW1
        b1 -= lr * db1
        W2 -= lr * dW2
        b2 -= lr * db2
        return loss

    return step


def sine(problem: Problem) -> Step:
    """W2: the weights' gradients are summed over time in one product; states keep their array."""
    weights = [weight.copy() for weight in problem.weights]
    Wxh, Whh, bih, bhh, Why, by = weights
    (x, y), update = problem.batches[0], update_rule(problem, weights)
    n, length, _ = x.shape
    x = np.ascontiguousarray(x.transpose(1, 0, 2))
    h = np.zeros((length + 1, n, len(Whh)), x.dtype)

    def step():
        projected = x @ Wxh.T + (bih + bhh)
        for t in range(length):
            h[t + 1] = np.tanh(projected[t] + h[t] @ Whh.T)
        error = h[length] @ Why.T + by - y
        loss = np.vdot(error, error) / n

        d = error * (2 / n)
        dWhy, dby = d.T @ h[length], d.sum(0)
        slope = 1 - h[1:] * h[1:]
        dz = np.empty_like(slope)
        dh = d @ Why
        for t in reversed(range(length)):
            dz[t] = dh * slope[t]
            dh = dz[t] @ Whh
        flat = dz.reshape(length * n, -1)
        db = flat.sum(0)
        dWxh = flat.T @ x.reshape(length * n, -1)
        dWhh = flat.T @ h[:-1].reshape(length * n, -1)
        update([dWxh, dWhh, db, db, dWhy, dby])
        return loss

    return step


def clouds(problem: Problem) -> Step:
    """W3."""
    Wih, Who = (weight.T.copy() for weight in problem.weights)
    batches, lr = cycle(problem.batches), problem.lr

    def step():
        nonlocal Wih, Who
        x, target = next(batches)
        h = 1 / (1 + np.exp(-(x @ Wih)))
        out = 1 / (1 + np.exp(-(h @ Who)))
        error = out - target
        loss = np.vdot(error, error) / error.size

        d = error * out * (1 - out)
        dh = d @ Who.T * h * (1 - h)
        Who -= lr * (h.T @ d)
        Wih -= lr * (x.T @ dh)
        return loss

    return step


def chain(problem: Problem) -> Step:
    """W11."""
    w, (x, y), lr = problem.weights[0].copy(), problem.batches[0], problem.lr

    def step():
        nonlocal w
        z = w * x + 0.5
        t = np.tanh(z)
        e = np.exp(-(z * t))
        total = 1 + e
        error = np.log(total) - y
        loss = np.vdot(error, error)

        dz = error * e / total * (t + z * (1 - t * t))
        w += 2 * lr * dz * x
        return loss

    return step


def dense(
    problem: Problem,
    cost: Callable[[np.ndarray, np.ndarray], tuple[np.floating, np.ndarray]],
    slope: float = 0.0,
) -> Step:
    """W4 to W7 and W12: linear layers with (leaky) ReLU between them.

    `cost(z, y)` returns the loss of the last layer's output and the gradient with respect to it.
    """
    weights = [weight.T.copy() for weight in problem.weights]
    batches, update = cycle(problem.batches), update_rule(problem, weights)
    layers = range(len(weights) // 2)
    dtype = weights[0].dtype
    one, slope = dtype.type(1), dtype.type(slope)

    def step():
        x, y = next(batches)
        inputs, z = [], x
        for layer in layers:
            if layer:
                z = np.maximum(z, slope * z) if slope else np.maximum(z, 0)
            inputs.append(z)
            z = z @ weights[2 * layer] + weights[2 * layer + 1]
        loss, d = cost(z, y)

        gradients = [None] * len(weights)
        for layer in reversed(layers):
            a = inputs[layer]
            gradients[2 * layer] = a.T @ d
            gradients[2 * layer + 1] = d.sum(0)
            if layer:
                d = d @ weights[2 * layer].T
                d *= np.where(a > 0, one, slope) if slope else a > 0
        update(gradients)
        return loss

    return step


def sigmoid_cost(z: np.ndarray, y: np.ndarray) -> tuple[np.floating, np.ndarray]:
    """Mean binary cross-entropy of sigmoid(z), stable for large z, and its gradient."""
    losses = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    return losses.sum() / len(z), (0.5 * np.tanh(0.5 * z) + (0.5 - y)) / len(z)


def softmax_cost(z: np.ndarray, y: np.ndarray) -> tuple[np.floating, np.ndarray]:
    """Mean cross-entropy of softmax(z) for integer targets, and its gradient."""
    rows = np.arange(len(z))
    shifted = z - z.max(1, keepdims=True)
    d = np.exp(shifted)
    total = d.sum(1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[rows, y]).sum() / len(z)
    d /= total
    d[rows, y] -= 1
    d /= len(z)
    return loss, d


def update_rule(problem: Problem, weights: list[np.ndarray]) -> Callable[[list[np.ndarray]], None]:
    """The problem's optimizer: a function that updates the weights in place by their gradients."""
    return {"SGD": sgd, "Adam": adam}[problem.optimizer](weights, problem.lr)


def sgd(weights: list[np.ndarray], lr: float) -> Callable[[list[np.ndarray]], None]:
    """Gradient descent's update of the weights in place."""

    def update(gradients):
        for p, g in zip(weights, gradients):
            p -= lr * g

    return update


def adam(weights: list[np.ndarray], lr: float) -> Callable[[list[np.ndarray]], None]:
    """Adam's update of the weights in place, with the usual constants.

    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    m = [np.zeros_like(weight) for weight in weights]
    v = [np.zeros_like(weight) for weight in weights]
    count = 0

    def update(gradients):
        nonlocal count
        count += 1
        rate = lr / (1 - beta1**count)
        scale = (1 - beta2**count) ** -0.5
        for p, g, mean, square in zip(weights, gradients, m, v):
            mean *= beta1
            mean += (1 - beta1) * g
            square *= beta2
            square += (1 - beta2) * g * g
            p -= rate * mean / (np.sqrt(square) * scale + eps)

    return update


STEPS: dict[str, Callable[[Problem], Step]] = {
    "W1": line,
    "W2": sine,
    "W3": clouds,
    "W4": lambda problem: dense(problem, sigmoid_cost),
    "W5": lambda problem: dense(problem, softmax_cost, LEAKY_SLOPE),
    "W6": lambda problem: dense(problem, sigmoid_cost),
    "W7": lambda problem: dense(problem, softmax_cost),
    "W11": chain,
    "W12": lambda problem: dense(problem, softmax_cost),
}
