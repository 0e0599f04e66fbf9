"""A grid of learning rates and L2 penalties for a 64-100-50-10 sigmoid network, as two heat maps.

The digits with a fifth held out, the pixels as they come (0 to 16), softmax and cross-entropy, SGD
over minibatches of 100 images for 100 epochs, at seven rates eta and seven penalties lambda from
1e-5 to 10. As in Keras, weights start from Glorot's uniform law and biases from 0, and a penalty is
lambda times the squares of the weights of both hidden layers, not of the last one: `weight_decay`
2 lambda. The notes print no figures. PyTorch, in the four cells where eta is 1 and 0.1 and lambda
small, ends between 0.967 and 0.978 of the images held out, over three seeds.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "Using Keras".
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader
from benchmarks import data
from benchmarks.learn.figures import Figure, judged, shown, within
from benchmarks.learn.pictures import heat_maps
from benchmarks.learn.progress import Progress
from benchmarks.learn.steps import made
from benchmarks.learn.training import class_accuracy, measure, pair_of_parts

VALUES = [10.0**power for power in range(-5, 2)]
QUICK = {"epochs": 2}


def network() -> nn.Sequential:
    """The network before its training."""
    model = nn.Sequential(
        nn.Linear(64, 100), nn.Sigmoid(), nn.Linear(100, 50), nn.Sigmoid(), nn.Linear(50, 10)
    )
    for layer in model[::2]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return model


def train(parts: dict, eta: float, lam: float, epochs: int, compiled: bool) -> dict[str, float]:
    """The accuracy on every part."""
    model = network()
    penalised = [model[0].weight, model[2].weight]
    others = [model[0].bias, model[2].bias, *model[4].parameters()]
    groups = [{"params": penalised, "weight_decay": 2 * lam}, {"params": others}]
    optimizer = optim.SGD(groups, lr=eta)

    def update(x, y):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    update = made(update, compiled)
    for _ in range(epochs):
        for batch in DataLoader(parts["train"], batch_size=100, shuffle=True):
            update(*batch)
    return measure(model, parts, {"accuracy": class_accuracy})["accuracy"]


def run(
    seed: int = 0, epochs: int = 100, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """The best accuracies of the grid, and where they are."""
    pixels, labels = data.digits()
    parts = pair_of_parts(
        autodiff.tensor(pixels, dtype=autodiff.float32),
        autodiff.tensor(labels),
        data.held_out_split(len(pixels), 0.2, seed),
    )
    accuracies = {part: np.full((len(VALUES), len(VALUES)), np.nan) for part in parts}
    cells = [(row, column) for row in range(len(VALUES)) for column in range(len(VALUES))]
    progress = Progress(len(cells), unit="cell")
    try:
        for number in progress:
            row, column = cells[number - 1]
            autodiff.manual_seed(seed)
            reached = train(parts, VALUES[row], VALUES[column], epochs, compiled)
            for part, accuracy in reached.items():
                accuracies[part][row, column] = accuracy
            where = f"eta {VALUES[row]:g}, lambda {VALUES[column]:g}"
            progress.say(f"{where}: held-out accuracy {reached['held-out']:.3f}")
    except KeyboardInterrupt:
        print("\nstopped; the cells that are done are kept")
    if plot is not None:
        labels = [f"{value:g}" for value in VALUES]
        heat_maps(plot, accuracies, ("$\\eta$", labels), ("$\\lambda$", labels))

    held_out = accuracies["held-out"]
    done = not np.isnan(held_out).any()
    best = within("best held-out accuracy", "at least 0.965", np.nanmax(held_out), low=0.965)
    row, column = np.unravel_index(np.nanargmax(held_out), held_out.shape)
    return [
        judged(done and epochs >= 100, best),
        shown("its eta", VALUES[row]),
        shown("its lambda", VALUES[column]),
        shown("best train accuracy", np.nanmax(accuracies["train"])),
    ]
