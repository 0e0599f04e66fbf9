"""Linear regression by a 2-8-1 ReLU network, equal to hand-written NumPy digit for digit.

The program it repeats: one hidden layer with weights from N(0, 0.01^2) and biases 0, the mean
squared error of 100 rows, 1000 updates of gradient descent with a rate of 0.01, in float64.
Source: Z. Shi, lecture notes on neural networks, the first NumPy program.
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import noisy_line
from benchmarks.learn.figures import Figure, by_hundreds
from benchmarks.learn.pictures import loss_curves
from benchmarks.learn.steps import losses_of, made

PRINTED = (
    *("7.843827", "1.589406", "1.461798", "1.415684", "1.347697", "1.262448"),
    *("1.181384", "1.124319", "1.090392", "1.071762", "1.061774"),
)
QUICK = {"epochs": 300}


def run(epochs: int = 1000, plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Losses after every hundredth update."""
    draws = np.random.RandomState(1)
    x, y = map(autodiff.tensor, noisy_line(draws))
    hidden, output = nn.Linear(2, 8).double(), nn.Linear(8, 1).double()
    with autodiff.no_grad():
        for layer in (hidden, output):
            drawn = 0.01 * draws.randn(layer.in_features, layer.out_features)
            layer.weight.copy_(autodiff.tensor(drawn.T))
            layer.bias.zero_()

    model = nn.Sequential(hidden, nn.ReLU(), output)
    criterion = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def update(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    update = made(update, compiled)
    losses = losses_of(update, epochs, x, y)
    losses.append(criterion(model(x), y).item())
    if plot is not None:
        loss_curves(plot, {"here": losses}, PRINTED)
    return by_hundreds(losses, PRINTED)
