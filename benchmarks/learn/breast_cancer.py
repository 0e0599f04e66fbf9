"""Malignant or benign by logistic regression and by a 30-100-30-1 ReLU network.

Thirty columns scaled to [0, 1] by the rows that are trained on, binary cross-entropy, and a quarter
of the 569 rows to validate on.
Logistic regression: Adam with a rate of 1e-3, 1000 epochs in ten minibatches. The program it
follows makes one update an epoch; 1000 such updates end 6 % short of where scikit-learn's
solver ends. The number of right answers over three splits is held to 1 % of
scikit-learn's.
Network: Adam with a rate of 1e-4, 1000 updates on all rows, in float64, beside the cross-entropies
that PyTorch reaches from the same weights. It ends before it is fitted: the rate is low.
The notes print no figures.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "The Neural Network" (binary classification).
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from autodiff.utils.data import TensorDataset
from benchmarks import data
from benchmarks.learn.figures import Figure, exact, judged, shown, within
from benchmarks.learn.pictures import learning_curves
from benchmarks.learn.training import History, fit, measure, pair_of_parts, threshold_accuracy

LOSS = nn.functional.binary_cross_entropy_with_logits
MEASURES = {"cross-entropy": LOSS, "accuracy": threshold_accuracy()}
SPLITS = 3
# Of the 3 x 142 rows held out: scikit-learn 1.9.1, LogisticRegression(tol=1e-10, max_iter=10000) on
# the same splits, scaled in the same way; the test does it again where scikit-learn is installed.
SCIKIT_LEARN_RIGHT = 135 + 133 + 138
# PyTorch 2.13.0 on this file with only its imports changed: after 1, 100, 200, ... 1000 updates.
BY_PYTORCH = (
    *("0.715929", "0.682753", "0.621348", "0.529314", "0.421897", "0.325987"),
    *("0.260393", "0.217177", "0.186612", "0.163193", "0.144240"),
)
QUICK = {"epochs": 100}


def scaled_parts(seed: int, dtype: autodiff.dtype) -> dict[str, TensorDataset]:
    """Three quarters of the rows and the rest, scaled to [0, 1] by the extremes of the former."""
    features, labels = data.breast_cancer()
    train, held_out = data.held_out_split(len(features), 0.25, seed)
    low, high = features[train].min(0), features[train].max(0)
    return pair_of_parts(
        autodiff.tensor((features - low) / (high - low), dtype=dtype),
        autodiff.tensor(labels[:, None], dtype=dtype),
        (train, held_out),
    )


def logistic_regression(seed: int, epochs: int, compiled: bool = False) -> tuple[int, int, int]:
    """How many of the rows held out are told rightly, of how many, after how many epochs."""
    parts = scaled_parts(seed, autodiff.float32)
    autodiff.manual_seed(seed)
    model = nn.Linear(30, 1)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    batch_size = len(parts["train"]) // 10 + 1
    history = fit(model, LOSS, optimizer, parts, MEASURES, epochs, batch_size, compiled)
    rows = len(parts["held-out"])
    right = round(measure(model, parts, MEASURES)["accuracy"]["held-out"] * rows)
    return right, rows, len(history["accuracy"]["held-out"])


def network(
    epochs: int, compiled: bool = False
) -> tuple[nn.Module, dict[str, TensorDataset], History]:
    """The network trained from fixed weights, its data, and its history."""
    parts = scaled_parts(0, autodiff.float64)
    model = nn.Sequential(
        nn.Linear(30, 100), nn.ReLU(), nn.Linear(100, 30), nn.ReLU(), nn.Linear(30, 1)
    ).double()
    draws = np.random.RandomState(2023)
    with autodiff.no_grad():
        for layer in model[::2]:
            for parameter in (layer.weight, layer.bias):
                drawn = draws.uniform(-1, 1, parameter.shape) / np.sqrt(layer.in_features)
                parameter.copy_(autodiff.tensor(drawn))
    optimizer = optim.Adam(model.parameters(), lr=1e-4)
    history = fit(model, LOSS, optimizer, parts, MEASURES, epochs, compiled=compiled)
    return model, parts, history


def run(epochs: int = 1000, plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Right answers of the logistic regression; losses and accuracies of the network."""
    counts = [logistic_regression(seed, epochs, compiled) for seed in range(SPLITS)]
    right, rows, done = map(sum, zip(*counts, strict=True))
    known, margin = SCIKIT_LEARN_RIGHT / rows, 0.01
    figure = within(
        "logistic regression, accuracy on held-out rows",
        f"{known:.4f} +- 1 %",
        right / rows,
        known - margin,
        known + margin,
    )
    figures = [judged(done >= 1000 * SPLITS, figure)]

    model, parts, history = network(epochs, compiled)
    losses = history["cross-entropy"]["train"]
    for printed, update in zip(BY_PYTORCH, (1, *range(100, 1001, 100))):
        if update <= len(losses):
            name = f"network, cross-entropy after {update} updates"
            figures.append(exact(name, printed, losses[update - 1]))
    for threshold in (0.5, 0.9):
        at = {"accuracy": threshold_accuracy(threshold)}
        reached = measure(model, parts, at)["accuracy"]["held-out"]
        figures.append(shown(f"network, held-out accuracy, benign above {threshold}", reached))
    if plot is not None:
        learning_curves(plot, history)
    return figures
