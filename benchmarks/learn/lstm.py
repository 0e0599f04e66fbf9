"""Next value of a noisy sine by an LSTM of five units, equal to PyTorch digit for digit.

The series, the windows of 10 values and the training (Adam with a rate of 0.01 on the mean squared
error, all 990 windows at once) are those of `rnn-torch`; the layer is an LSTM. The notes name the
program without printing it, so the figures beside ours are PyTorch 2.13.0's, from the same initial
weights in float64.
Source: Z. Shi, lecture notes on neural networks, "Network Structures".
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import noisy_sine
from benchmarks.learn.figures import Figure, by_hundreds
from benchmarks.learn.pictures import forecasts
from benchmarks.learn.steps import losses_of, made

# PyTorch 2.13.0 on this file with only its imports changed (as the test does it, for fewer epochs).
BY_PYTORCH = (
    *("0.443289", "0.012041", "0.011795", "0.011691", "0.011619", "0.011570"),
    *("0.011539", "0.011520", "0.011509", "0.011500", "0.011492"),
)
QUICK = {"epochs": 100}


class Network(nn.Module):
    """An LSTM and a linear layer on its last output."""

    def __init__(self, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


def train(epochs: int, compiled: bool = False) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Losses before each update and after the last one; the last predictions, and the targets."""
    draws = np.random.RandomState(42)
    x, y = map(autodiff.tensor, noisy_sine(draws))
    model = Network(hidden=5).double()
    with autodiff.no_grad():
        for parameter in model.parameters():
            drawn = draws.uniform(-1, 1, parameter.shape) / np.sqrt(5)
            parameter.copy_(autodiff.tensor(drawn))
    criterion = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def update(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    update = made(update, compiled)
    losses = losses_of(update, epochs, x, y)
    with autodiff.no_grad():
        prediction = model(x)
        losses.append(criterion(prediction, y).item())
    return losses, prediction.numpy(), y.numpy()


def run(epochs: int = 1000, plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Losses after every hundredth update."""
    losses, predictions, targets = train(epochs, compiled)
    if plot is not None:
        forecasts(plot, {"here": losses}, BY_PYTORCH, targets, predictions)
    return by_hundreds(losses, BY_PYTORCH)
