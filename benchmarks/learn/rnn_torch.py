"""The PyTorch twin of `rnn`: float32, default initial weights and Adam, over three seeds.

The printed run set no seed, so its final loss is held against the band that many seeds of PyTorch
itself give.
Source: Z. Shi, lecture notes on neural networks, the second PyTorch program.
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import noisy_sine
from benchmarks.learn.figures import Figure, shown, shown_by_hundreds, within
from benchmarks.learn.pictures import forecasts
from benchmarks.learn.steps import losses_of, made

PRINTED = (
    *("0.708658", "0.013469", "0.012991", "0.012638", "0.012350", "0.012142"),
    *("0.011987", "0.011860", "0.011754", "0.011671", "0.011614"),
)
BAND = 0.01145, 0.01385
QUICK = {"epochs": 20}


class Network(nn.Module):
    """A tanh RNN and a linear layer on its last state."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.hidden = hidden
        self.rnn = nn.RNN(inputs, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, outputs)

    def forward(self, x):
        start = autodiff.zeros(1, x.size(0), self.hidden).to(x.device)
        states, _ = self.rnn(x, start)
        return self.fc(states[:, -1, :])


def train(
    seed: int, epochs: int, compiled: bool = False
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Losses before each update and after the last one; the last predictions, and the targets."""
    x, y = (
        autodiff.tensor(array, dtype=autodiff.float32)
        for array in noisy_sine(np.random.RandomState(42))
    )
    autodiff.manual_seed(seed)
    model = Network(1, 5, 1)
    criterion = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    model.train()

    def update(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    update = made(update, compiled)
    losses = losses_of(update, epochs, x, y)
    model.eval()
    with autodiff.no_grad():
        prediction = model(x).numpy()
        losses.append(criterion(autodiff.tensor(prediction), y).item())
    return losses, prediction, y.numpy()


def run(
    seed: int = 0, epochs: int = 1000, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """Losses of the first seed after every hundredth update; the final loss of three seeds."""
    runs, predictions = {}, {}
    for each in range(seed, seed + 3):
        runs[each], predictions[each], targets = train(each, epochs, compiled)
    if plot is not None:
        curves = {f"seed {each}": losses for each, losses in runs.items()}
        forecasts(plot, curves, PRINTED, targets, predictions[seed])
    figures = shown_by_hundreds(runs[seed], PRINTED)
    for each, losses in runs.items():
        name = f"final loss, seed {each}"
        if epochs == 1000:
            figures.append(within(name, "{:.5f} to {:.5f}".format(*BAND), losses[-1], *BAND))
        else:
            figures.append(shown(name, losses[-1]))
    return figures
