"""Choosing hyperparameters by cross-validation, from a grid and at random, then testing once.

The breast cancer set: a fifth of the rows is kept for one test at the end; the rest is parted in
five folds, each of which is held out once while the others are trained on. Logistic regression by
gradient descent with momentum, 30 epochs in minibatches of 40; its rate and its L2 penalty are
chosen among a grid of 3 x 3, and among as many pairs drawn from the same ranges, uniformly in their
logarithms. What is tested is the pair with the lowest mean cross-entropy over the folds, trained
anew on all rows that are not for the test. The bar is what scikit-learn reaches in `breast-cancer`.
The notes advise it without a program.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "Fine-tuning neural network hyperparameters"; Bergstra & Bengio 2012,
jmlr.org/papers/v13/bergstra12a.
"""

from itertools import product
from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks import data
from benchmarks.learn.figures import Figure, judged, shown, within
from benchmarks.learn.pictures import canvas
from benchmarks.learn.progress import Progress
from benchmarks.learn.steps import made
from benchmarks.learn.training import measure, pair_of_parts, threshold_accuracy

LOSS = nn.functional.binary_cross_entropy_with_logits
MEASURES = {"cross-entropy": LOSS, "accuracy": threshold_accuracy()}
FOLDS = 5
RATES, PENALTIES = (1e-3, 1.0), (1e-5, 1e-1)
QUICK = {"epochs": 3}

Pair = tuple[float, float]


def parted(rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows to train on and those held out, for each fold; every row is held out once."""
    folds = np.array_split(rows, FOLDS)
    return [
        (np.concatenate(folds[:place] + folds[place + 1 :]), held_out)
        for place, held_out in enumerate(folds)
    ]


def scaled(split: tuple[np.ndarray, np.ndarray]) -> dict[str, TensorDataset]:
    """Both parts of a split, with mean 0 and variance 1 by the rows that are trained on."""
    features, labels = data.breast_cancer()
    mean, deviation = features[split[0]].mean(0), features[split[0]].std(0)
    return pair_of_parts(
        autodiff.tensor((features - mean) / deviation, dtype=autodiff.float32),
        autodiff.tensor(labels[:, None], dtype=autodiff.float32),
        split,
    )


def reached(
    parts: dict[str, TensorDataset], pair: Pair, seed: int, epochs: int, compiled: bool = False
) -> dict[str, float]:
    """The measures on what was held out, after training with a rate and a penalty."""
    autodiff.manual_seed(seed)
    model = nn.Linear(30, 1)
    rate, penalty = pair
    optimizer = optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=penalty)

    def update(x, y):
        optimizer.zero_grad()
        LOSS(model(x), y).backward()
        optimizer.step()

    update = made(update, compiled)
    for _ in range(epochs):
        for batch in DataLoader(parts["train"], batch_size=40, shuffle=True):
            update(*batch)
    found = measure(model, parts, MEASURES)
    return {name: by_part["held-out"] for name, by_part in found.items()}


def candidates(draws: np.random.Generator) -> dict[str, list[Pair]]:
    """The pairs of rate and penalty of both searches."""
    (low, high), (least, most) = np.log10(RATES), np.log10(PENALTIES)
    grid = list(product(10 ** np.linspace(low, high, 3), 10 ** np.linspace(least, most, 3)))
    drawn = 10 ** draws.uniform((low, least), (high, most), (len(grid), 2))
    return {"grid": grid, "random": [tuple(pair) for pair in drawn]}


def run(
    seed: int = 0, epochs: int = 30, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """For each search the pair it chose, what it reached over the folds, and in the test."""
    draws = np.random.default_rng(seed)
    rows, test = data.held_out_split(len(data.breast_cancer()[1]), 0.2, seed)
    folds = [scaled(split) for split in parted(rows)]
    searches = candidates(draws)
    progress = Progress(sum(map(len, searches.values())), unit="pair")
    counted = zip(progress, (pair for pairs in searches.values() for pair in pairs))
    losses: dict[Pair, float] = {}
    accuracies: dict[Pair, float] = {}
    for _, pair in counted:
        found = [reached(fold, pair, seed, epochs, compiled) for fold in folds]
        losses[pair] = np.mean([each["cross-entropy"] for each in found])
        accuracies[pair] = np.mean([each["accuracy"] for each in found])
        progress.say(f"rate {pair[0]:.2g}, penalty {pair[1]:.2g}: loss {losses[pair]:.4f}")
    if plot is not None:
        draw(plot, searches, losses)

    figures = []
    for name, pairs in searches.items():
        best = min(pairs, key=losses.get)
        tested = reached(scaled((rows, test)), best, seed, epochs, compiled)
        figures += [
            shown(f"{name} search, rate", best[0]),
            shown(f"{name} search, penalty", best[1]),
            shown(f"{name} search, cross-entropy over the folds", losses[best]),
            shown(f"{name} search, accuracy over the folds", accuracies[best]),
        ]
        bar = within(f"{name} search, test accuracy", "at least 0.95", tested["accuracy"], low=0.95)
        figures.append(judged(epochs >= 30, bar))
    return figures


def draw(path: Path, searches: dict[str, list[Pair]], losses: dict[Pair, float]) -> None:
    """Writes the pairs of each search, coloured by their cross-entropies over the folds."""
    figure, axes = canvas(len(searches))
    low, high = np.log10([min(losses.values()), max(losses.values())])
    for panel, (name, pairs) in zip(axes, searches.items(), strict=True):
        colours = np.log10([losses[pair] for pair in pairs])
        style = {"c": colours, "cmap": "viridis_r", "vmin": low, "vmax": high, "s": 120}
        points = panel.scatter(*zip(*pairs), **style)
        best = min(pairs, key=losses.get)
        panel.scatter(*best, s=300, facecolors="none", edgecolors="red")
        panel.set(title=f"{name} search, chosen at {losses[best]:.4f}", xlabel="rate")
        panel.set(ylabel="penalty", xscale="log", yscale="log")
    axes[1].sharex(axes[0])
    axes[1].sharey(axes[0])
    figure.colorbar(points, ax=axes, label="$\\log_{10}$ of the cross-entropy over the folds")
    figure.savefig(path)
