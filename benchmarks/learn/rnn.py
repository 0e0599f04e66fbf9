"""Next value of a noisy sine by a 1-5-1 RNN, equal to hand-written NumPy digit for digit.

The program it repeats: 990 windows of 10 values, weights from N(0, 0.01^2) and biases 0, 1000
full-batch updates with a rate of 0.01 in float64. It prints the mean squared error but descends
the gradient of half of it, and clips every element of that gradient to [-5, 5]. It has one bias
where `nn.RNN`, like PyTorch's, adds two: the second stays zero and is not trained.
Source: Z. Shi, lecture notes on neural networks, the second NumPy program.
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import noisy_sine
from benchmarks.learn.figures import Figure, by_hundreds, exact
from benchmarks.learn.pictures import forecasts
from benchmarks.learn.steps import losses_of, made

PRINTED = (
    *("0.497974", "0.467624", "0.463342", "0.462317", "0.461109", "0.458347"),
    *("0.451663", "0.435664", "0.398754", "0.321377", "0.194452"),
)
PREDICTED = ("0.1906", "0.1661", "0.1653", "0.1913", "0.1289")
QUICK = {"epochs": 100}


def run(epochs: int = 1000, plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Losses after every hundredth update and, after a full training, the first predictions."""
    draws = np.random.RandomState(42)
    x, y = map(autodiff.tensor, noisy_sine(draws))
    recurrent = nn.RNN(1, 5, batch_first=True).double()
    output = nn.Linear(5, 1).double()
    with autodiff.no_grad():
        for weight in (recurrent.weight_ih_l0, recurrent.weight_hh_l0, output.weight):
            weight.copy_(autodiff.tensor(0.01 * draws.randn(*reversed(weight.shape)).T))
        for bias in (recurrent.bias_ih_l0, recurrent.bias_hh_l0, output.bias):
            bias.zero_()
    recurrent.bias_hh_l0.requires_grad_(False)
    trained = [p for p in (*recurrent.parameters(), *output.parameters()) if p.requires_grad]

    def predict(x):
        states, _ = recurrent(x)
        return output(states[:, -1])

    criterion = nn.MSELoss()
    optimizer = optim.SGD(trained, lr=0.01)

    def update(x, y):
        optimizer.zero_grad()
        loss = criterion(predict(x), y)
        (loss / 2).backward()
        nn.utils.clip_grad_value_(trained, 5.0)
        optimizer.step()
        return loss

    update = made(update, compiled)
    losses = losses_of(update, epochs, x, y)
    with autodiff.no_grad():
        prediction = predict(x)
    losses.append(criterion(prediction, y).item())

    if plot is not None:
        forecasts(plot, {"here": losses}, PRINTED, y.numpy(), prediction.numpy())
    figures = by_hundreds(losses, PRINTED)
    if epochs == 1000:
        for row, printed in enumerate(PREDICTED):
            name = f"prediction {row}, target {y[row].item():.4f}"
            figures.append(exact(name, printed, prediction[row].item()))
    return figures
