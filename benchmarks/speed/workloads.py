"""What is timed: training problems as NumPy arrays, which every contender starts from.

Weights are drawn as PyTorch initialises linear and recurrent layers, uniformly within one over the
square root of the inputs (of the hidden size for a recurrent layer), in PyTorch's shapes and order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from benchmarks import data
from benchmarks.data.simulated import noisy_line, noisy_sine, two_clouds


@dataclass(frozen=True)
class Problem:
    """Where a training starts: initial weights, batches that are cycled through, the update rule.

    Arrays are to be copied before they are written. `optimizer` is "SGD" or "Adam".
    """

    workload: str
    weights: list[np.ndarray]
    batches: list[tuple[np.ndarray, np.ndarray]]
    optimizer: str
    lr: float


@dataclass(frozen=True)
class Workload:
    """A training problem and the bars for it: the most a contender may take, by reference.

    `bars[contender][reference]` bounds the ratio of their times for one step. With `sizes` there
    is one problem for each batch size, which `make` is given.
    """

    title: str
    make: Callable[..., tuple[list[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]]
    optimizer: str
    lr: float
    bars: dict[str, dict[str, float]] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()


def problems(workload: str) -> list[str]:
    """The names of a workload's problems: ["W1"], or ["W12/1", "W12/10", ...]."""
    return [f"{workload}/{size}" for size in WORKLOADS[workload].sizes] or [workload]


def problem(name: str, dtype: str = "float32") -> Problem:
    """The problem called `name`; its floating-point arrays have that dtype, labels are int64."""
    name, _, size = name.partition("/")
    workload = WORKLOADS[name]
    weights, batches = workload.make(int(size)) if size else workload.make()

    def cast(array: np.ndarray) -> np.ndarray:
        return array if array.dtype.kind == "i" else array.astype(dtype)

    return Problem(
        name,
        [cast(weight) for weight in weights],
        [(cast(x), cast(y)) for x, y in batches],
        workload.optimizer,
        workload.lr,
    )


def dense_weights(sizes: tuple[int, ...], bias: bool = True) -> list[np.ndarray]:
    """Weight (out, in) and bias (out,) of every layer of a multilayer perceptron."""
    draws = np.random.default_rng(0)
    weights = []
    for inputs, outputs in pairwise(sizes):
        bound = inputs**-0.5
        weights.append(draws.uniform(-bound, bound, (outputs, inputs)))
        if bias:
            weights.append(draws.uniform(-bound, bound, outputs))
    return weights


def in_batches(x: np.ndarray, y: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Consecutive batches of `size` rows; what is left over at the end is dropped."""
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x) - size + 1, size)]


def _line():
    return dense_weights((2, 8, 1)), [noisy_line(np.random.RandomState(1))]


def _sine():
    draws = np.random.default_rng(0)
    shapes = (5, 1), (5, 5), (5,), (5,), (1, 5), (1,)
    weights = [draws.uniform(-(5**-0.5), 5**-0.5, shape) for shape in shapes]
    return weights, [noisy_sine(np.random.RandomState(42))]


def _clouds():
    draws = np.random.RandomState(104729)
    points, labels = two_clouds(draws)
    order = draws.permutation(len(points))
    targets = np.where(labels[order, None] == [0, 1], 0.99, 0.01)
    return dense_weights((2, 2, 2), bias=False), in_batches(points[order], targets, 1)


def _tumours():
    features, labels = data.breast_cancer()
    rows, _ = data.held_out_split(len(features), 0.25, 0)
    x = features[rows[:426]]
    scaled = (x - x.min(0)) / (x.max(0) - x.min(0))
    return dense_weights((30, 100, 30, 1)), [(scaled, labels[rows[:426], None] * 1.0)]


def _digits():
    images, labels = data.digits()
    return dense_weights((64, 100, 30, 10)), in_batches(images / 16.0, labels, 100)


def _small_classifier():
    features, labels = data.breast_cancer()
    x = features[:, :8]
    scaled = (x - x.mean(0)) / x.std(0)
    return dense_weights((8, 12, 8, 1)), in_batches(scaled, labels[:, None] * 1.0, 10)


def _wide():
    draws = np.random.default_rng(0)
    x = draws.uniform(0, 1, (8 * 128, 784))
    labels = draws.integers(0, 10, len(x))
    return dense_weights((784, 512, 512, 10)), in_batches(x, labels, 128)


def _uniform(*shapes):
    draws = np.random.default_rng(0)
    return [draws.uniform(-(shape[-1] ** -0.5), shape[-1] ** -0.5, shape) for shape in shapes]


def _sequences():
    draws = np.random.default_rng(0)
    batches = [(draws.standard_normal((50, 32, 64)), draws.integers(0, 10, 32)) for _ in range(4)]
    return _uniform((512, 64), (512, 128), (512,), (512,), (10, 128), (10,)), batches


def _images():
    draws = np.random.default_rng(0)
    x = draws.uniform(0, 1, (4 * 64, 1, 28, 28))
    shapes = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,)]
    return (
        [0.3 * w for w in _uniform(*shapes)] + dense_weights((400, 120, 84, 10)),
        in_batches(x, draws.integers(0, 10, len(x)), 64),
    )


def _texts():
    draws = np.random.default_rng(0)
    letters, context, width = 65, 32, 64

    def dense(inputs, outputs):
        return [0.02 * draws.standard_normal((outputs, inputs)), np.zeros(outputs)]

    norm = [np.ones(width), np.zeros(width)]
    weights = [0.02 * draws.standard_normal((n, width)) for n in (letters, context)]
    for _ in range(4):
        weights += [*norm, *dense(width, 3 * width), *dense(width, width)]
        weights += [*norm, *dense(width, 4 * width), *dense(4 * width, width)]
    weights += [*norm, dense(width, letters)[0]]
    text = draws.integers(0, letters, (4 * 32, context + 1))
    return weights, in_batches(text[:, :-1], text[:, 1:], 32)


def _chain():
    draws = np.random.default_rng(0)
    weight, x, y = draws.uniform(-1, 1, (3, 1_000_000))
    return [weight], [(x, y)]


def _narrow(rows):
    draws = np.random.default_rng(0)
    # so many that none is learned by heart: Adam's averages would decay to slow subnormal numbers
    x = draws.standard_normal((max(4 * rows, 10_000), 64))
    return dense_weights((64, 64, 64, 10)), in_batches(x, draws.integers(0, 10, len(x)), rows)


_COMPILED = {"hand": 0.6, "torch": 0.1, "jax": 1.0}
_SMALL = {"eager": {"torch": 0.5}, "compiled": _COMPILED}
WORKLOADS = {
    "W1": Workload(
        "MLP 2-8-1 ReLU, MSE, 100 rows, SGD",
        *(_line, "SGD", 0.01),
        {"eager": {"torch": 0.5, "hand": 3.0}, "compiled": _COMPILED},
    ),
    "W2": Workload("RNN 1-5-1 tanh, 10 steps, MSE, 990 rows, Adam", _sine, "Adam", 0.01, _SMALL),
    "W3": Workload("2-2-2 sigmoid without biases, one row, SGD", _clouds, "SGD", 0.1, _SMALL),
    "W4": Workload("30-100-30-1 ReLU, BCE, 426 rows, Adam", _tumours, "Adam", 1e-4, _SMALL),
    "W5": Workload(
        "64-100-30-10 leaky ReLU, cross-entropy, 100 rows, Adam", _digits, "Adam", 1e-4, _SMALL
    ),
    "W6": Workload("8-12-8-1 ReLU, BCE, 10 rows, Adam", _small_classifier, "Adam", 1e-3, _SMALL),
    "W7": Workload(
        "784-512-512-10 ReLU, cross-entropy, 128 rows, Adam",
        *(_wide, "Adam", 1e-3),
        {"eager": {"hand": 1.3}, "compiled": {"torch": 1.0}},
    ),
    "W8": Workload(
        "LSTM 64-128, 50 steps, cross-entropy, 32 rows, Adam",
        *(_sequences, "Adam", 1e-3),
        {"eager": {"torch": 1.5}, "compiled": {"torch": 1.0, "torch-compile": 1.0}},
    ),
    "W9": Workload(
        "LeNet: two convolutions, three linear layers, cross-entropy, 64 images of 28 x 28, Adam",
        *(_images, "Adam", 1e-3),
        {"eager": {"torch": 2.0}, "compiled": {"torch": 1.5}},
    ),
    "W10": Workload(
        "GPT of 4 blocks, width 64, context 32, cross-entropy, 32 texts, Adam",
        *(_texts, "Adam", 1e-3),
        {"eager": {"torch": 1.5}, "compiled": {"torch": 1.0, "torch-compile": 1.0}},
    ),
    "W11": Workload(
        "chain of ten elementwise operations on a million values and a sum, SGD",
        *(_chain, "SGD", 0.01),
        {"compiled": {"torch": 1.0, "torch-compile": 1.0}},
    ),
    "W12": Workload(
        "64-64-64-10 ReLU, cross-entropy, 1 to 10 000 rows, Adam",
        *(_narrow, "Adam", 1e-3),
        sizes=(1, 10, 100, 1000, 10_000),
    ),
}
