"""Training problems of any size, as `benchmarks.speed` has them of one: problem and model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.speed.workloads import Problem, dense_weights


@dataclass(frozen=True)
class Axis:
    """What is varied: `model(size, torch, nn)`, and `arrays(size)`, its weights and one batch.

    The sizes `quick` are those of a quick run.
    """

    title: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    model: Callable[[int, Any, Any], tuple[Any, Any]]
    arrays: Callable[[int], tuple[list[np.ndarray], np.ndarray, np.ndarray]]


def problem(name: str) -> tuple[Problem, Callable[[Any, Any], tuple[Any, Any]]]:
    """The problem called "depth/100", and its model as `benchmarks.speed.framework` wants it."""
    axis, _, size = name.partition("/")
    weights, x, y = AXES[axis].arrays(int(size))
    weights, (x, y) = [w.astype("float32") for w in weights], (x.astype("float32"), y)
    return Problem(name, weights, [(x, y)], "Adam", 1e-3), partial(AXES[axis].model, int(size))


def perceptron(width: int, torch: Any, nn: Any) -> tuple[Any, Any]:
    """Two hidden layers."""
    layers = (
        *(nn.Linear(64, width), nn.ReLU()),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, 10),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


def residual(depth: int, torch: Any, nn: Any) -> tuple[Any, Any]:
    """Layers x + tanh(W x + b) / depth, so that neither x nor its gradient vanishes or explodes."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(32, 32) for _ in range(depth)])
            self.head = nn.Linear(32, 10)

        def forward(self, x):
            for layer in self.layers:
                x = x + layer(x).tanh() / depth
            return self.head(x)

    return Network(), nn.CrossEntropyLoss()


def recurrent(length: int, torch: Any, nn: Any) -> tuple[Any, Any]:
    """A recurrent layer whose every state is read out, so that every step has a gradient."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(8, 32)
            self.fc = nn.Linear(32, 1)

        def forward(self, x):
            states, _ = self.rnn(x)
            return self.fc(states)

    return Network(), nn.MSELoss()


def _classes(rows, features):
    draws = np.random.default_rng(1)
    return draws.standard_normal((rows, features), "float32"), draws.integers(0, 10, rows)


def _by_batch(rows):
    return dense_weights((64, 64, 64, 10)), *_classes(rows, 64)


def _by_width(width):
    return dense_weights((64, width, width, 10)), *_classes(32, 64)


def _by_depth(depth):
    return dense_weights((32,) * (depth + 1) + (10,)), *_classes(32, 32)


def _by_length(length):
    draws = np.random.default_rng(0)
    shapes = (32, 8), (32, 32), (32,), (32,), (1, 32), (1,)
    weights = [draws.uniform(-(32**-0.5), 32**-0.5, shape) for shape in shapes]
    x, y = (draws.standard_normal((length, 16, features), "float32") for features in (8, 1))
    return weights, x, y


AXES = {
    "batch": Axis(
        "rows a batch; 64-64-64-10 ReLU, cross-entropy, Adam",
        (1, 10, 100, 1000, 10_000, 100_000),
        (1, 1000),
        lambda rows, torch, nn: perceptron(64, torch, nn),
        _by_batch,
    ),
    "width": Axis(
        "width of 64-width-width-10 ReLU; 32 rows, cross-entropy, Adam",
        (8, 32, 128, 512, 4096),
        (8, 128),
        perceptron,
        _by_width,
    ),
    "depth": Axis(
        "residual tanh layers of width 32; 32 rows, cross-entropy, Adam",
        (1, 10, 100, 300, 1000),
        (1, 10),
        residual,
        _by_depth,
    ),
    "length": Axis(
        "steps of a recurrent network 8-32-1 tanh; 16 rows, squared error of every step, Adam",
        (1, 10, 100, 500, 2000),
        (1, 10),
        recurrent,
        _by_length,
    ),
}
