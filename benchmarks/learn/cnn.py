"""Hand-written digits by a convolutional network, with a fifth of them held out.

Two convolutions of 3 x 3 with 16 and 32 channels, each with ReLU and 2 x 2 max pooling, then a
linear layer; cross-entropy, Adam with a rate of 2e-3, 30 epochs over minibatches of 64 images of
8 x 8 pixels, scaled to [0, 1]. The notes name convolutional networks without a program.
Source: Z. Shi, lecture notes on neural networks, "Network Structures".
"""

from pathlib import Path

import autodiff
import nn
import optim
from benchmarks import data
from benchmarks.learn.figures import Figure, judged, shown, within
from benchmarks.learn.pictures import learning_curves
from benchmarks.learn.training import CLASS_MEASURES, fit, measure, pair_of_parts

QUICK = {"epochs": 2}


def network() -> nn.Sequential:
    """From images (N, 1, 8, 8) to scores (N, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, 10),
    )


def run(
    seed: int = 0, epochs: int = 30, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """Accuracy on both parts after training; `seed` sets split, weights and batches."""
    pixels, labels = data.digits()
    images = autodiff.tensor(pixels / 16, dtype=autodiff.float32).reshape(-1, 1, 8, 8)
    split = data.held_out_split(len(images), 0.2, seed)
    parts = pair_of_parts(images, autodiff.tensor(labels), split)
    autodiff.manual_seed(seed)
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    history = fit(model, criterion, optimizer, parts, CLASS_MEASURES, epochs, 64, compiled)
    if plot is not None:
        learning_curves(plot, history)
    reached = measure(model, parts, CLASS_MEASURES)["accuracy"]
    held_out = within("held-out accuracy", "at least 0.97", reached["held-out"], low=0.97)
    done = len(history["accuracy"]["train"])
    return [
        shown("epochs", done, "30"),
        shown("train accuracy", reached["train"]),
        judged(done >= 30, held_out),
    ]
