"""The backpropagation equations of a network with three hidden layers, beside what the tape gives.

With z_l = a_(l-1) W_l^T + b_l, a_l = sigmoid(z_l) and the cost C = 1/2 sum (a_L - y)^2:
    delta_L = sigmoid'(z_L) * (a_L - y)
    delta_l = sigmoid'(z_l) * (delta_(l+1) W_(l+1))
    dC/dW_l = delta_l^T a_(l-1)        dC/db_l = sum of delta_l over the rows
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "Setting up the back propagation algorithm"; there W_l is transposed.
"""

from itertools import pairwise

import numpy as np

import autodiff
import nn
from benchmarks.learn.figures import Figure, within

SIZES = (4, 6, 5, 3, 2)
TOLERANCE = 1e-13
QUICK: dict[str, int] = {}


def by_the_equations(
    weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For every layer, first to last: delta_l (N, out), dC/dW_l (out, in) and dC/db_l (out,)."""
    a = [x]
    for W, b in zip(weights, biases):
        a.append(1 / (1 + np.exp(-(a[-1] @ W.T + b))))
    found = []
    behind = a[-1] - y  # dC/da_l
    for layer in reversed(range(len(weights))):
        delta = a[layer + 1] * (1 - a[layer + 1]) * behind
        found.append((delta, delta.T @ a[layer], delta.sum(0)))
        behind = delta @ weights[layer]
    return found[::-1]


def by_the_tape(
    model: nn.Sequential, x: autodiff.Tensor, y: autodiff.Tensor
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The same from `backward`; delta_l is the gradient of what a linear layer gives."""
    inputs = []

    def keep(layer, given, z):
        z.retain_grad()
        inputs.append(z)

    linears = [layer for layer in model if isinstance(layer, nn.Linear)]
    handles = [layer.register_forward_hook(keep) for layer in linears]
    (((model(x) - y) ** 2).sum() / 2).backward()
    for handle in handles:
        handle.remove()
    return [
        (z.grad.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy())
        for z, layer in zip(inputs, linears, strict=True)
    ]


def run(seed: int = 0) -> list[Figure]:
    """The largest difference of every layer, relative to the largest element."""
    autodiff.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        layers += [nn.Linear(inputs, outputs), nn.Sigmoid()]
    model = nn.Sequential(*layers).double()
    x, y = (autodiff.randn(20, n, dtype=autodiff.float64) for n in (SIZES[0], SIZES[-1]))
    weights, biases = (
        [getattr(layer, name).detach().numpy() for layer in model[::2]]
        for name in ("weight", "bias")
    )
    equations = by_the_equations(weights, biases, x.numpy(), y.numpy())
    figures = []
    for number, (theirs, ours) in enumerate(zip(equations, by_the_tape(model, x, y)), start=1):
        for name, known, found in zip(("delta", "dC/dW", "dC/db"), theirs, ours):
            difference = np.abs(found - known).max() / np.abs(known).max()
            figures.append(within(f"layer {number}, {name}", "0", difference, high=TOLERANCE))
    return figures
