"""The PyTorch twin of `mlp`: float32 and default initial weights, over five seeds.

The printed run set no seed, so its final loss is held against the band that many seeds of PyTorch
itself give. The least-squares fit of a plane has a loss of 1.041318; a ReLU network may go below.
Source: Z. Shi, lecture notes on neural networks, the first PyTorch program.
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import noisy_line
from benchmarks.learn.figures import Figure, shown, shown_by_hundreds, within
from benchmarks.learn.pictures import loss_curves
from benchmarks.learn.steps import losses_of, made

PRINTED = (
    *("8.963584", "1.196773", "1.137686", "1.098162", "1.073694", "1.059587"),
    *("1.051506", "1.046908", "1.044397", "1.043045", "1.042303"),
)
BAND = 1.0240, 1.1881
QUICK = {"epochs": 200}


class Network(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


def train(seed: int, epochs: int, compiled: bool = False) -> list[float]:
    """Losses before each update and after the last one."""
    x, y = (
        autodiff.tensor(array, dtype=autodiff.float32)
        for array in noisy_line(np.random.RandomState(1))
    )
    autodiff.manual_seed(seed)
    model = Network(2, 8, 1)
    criterion = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def update(x, y):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    update = made(update, compiled)
    losses = losses_of(update, epochs, x, y)
    prediction = model(x).detach().numpy()
    losses.append(criterion(autodiff.tensor(prediction), y).item())
    return losses


def run(
    seed: int = 0, epochs: int = 1000, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """Losses of the first seed after every hundredth update; the final loss of five seeds."""
    runs = {each: train(each, epochs, compiled) for each in range(seed, seed + 5)}
    if plot is not None:
        loss_curves(plot, {f"seed {each}": losses for each, losses in runs.items()}, PRINTED)
    figures = shown_by_hundreds(runs[seed], PRINTED)
    for each, losses in runs.items():
        name = f"final loss, seed {each}"
        if epochs == 1000:
            figures.append(within(name, "{:.4f} to {:.4f}".format(*BAND), losses[-1], *BAND))
        else:
            figures.append(shown(name, losses[-1]))
    return figures
