"""Two normal clouds told apart by a 2-2-2 sigmoid network, one sample at a time.

The program it repeats draws 1000 points and weights from N(0, 1/2), then makes 1000 updates with a
rate of 0.1, each on one point, towards 0.99 at the output of the point's class and 0.01 at the
other. It sends the output error back through the output weights alone: the factor s(1 - s) of the
output's own sigmoid is missing from the hidden layer's gradient. Its 894 correct answers need that
rule, which is written here as a `Function`; the true gradient on the same draws gives 912.
Source: the tutorial "1. Artificial Neural Network", sections 1.1 to 1.5.
"""

from pathlib import Path

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import two_clouds
from benchmarks.learn.figures import Figure, exact, within
from benchmarks.learn.pictures import canvas
from benchmarks.learn.steps import made

QUICK: dict[str, int] = {}


class UnscaledOutput(autodiff.autograd.Function):
    """sigmoid(h W^T), whose gradient with respect to h leaves the sigmoid's slope out."""

    @staticmethod
    def forward(ctx, h, W):
        out = autodiff.sigmoid(h @ W.T)
        ctx.save_for_backward(h, W, out)
        return out

    @staticmethod
    def backward(ctx, g):
        h, W, out = ctx.saved_tensors
        return g @ W, (g * out * (1 - out)).T @ h


class Network(nn.Module):
    """Two sigmoid layers of two units, no biases; `printed_rule` chooses the gradient."""

    def __init__(self, printed_rule: bool):
        super().__init__()
        self.hidden = nn.Linear(2, 2, bias=False)
        self.output = nn.Linear(2, 2, bias=False)
        self.printed_rule = printed_rule

    def forward(self, x):
        h = autodiff.sigmoid(self.hidden(x))
        if self.printed_rule:
            return UnscaledOutput.apply(h, self.output.weight)
        return autodiff.sigmoid(self.output(h))


def train(printed_rule: bool, compiled: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points (1000, 2), their labels (1000,), and the trained network's outputs (1000, 2)."""
    draws = np.random.RandomState(104729)
    points, labels = two_clouds(draws)
    model = Network(printed_rule).double()
    with autodiff.no_grad():
        for weight in model.parameters():
            weight.copy_(autodiff.tensor(draws.normal(0, 1 / np.sqrt(2), (2, 2))))

    x = autodiff.tensor(points)
    targets = autodiff.tensor(np.where(labels[:, None] == [0, 1], 0.99, 0.01))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def update(x, target):
        optimizer.zero_grad()
        loss = ((model(x) - target) ** 2).sum() / 2
        loss.backward()
        optimizer.step()

    update = made(update, compiled)
    for _ in range(len(points)):
        row = draws.randint(len(points))
        update(x[row : row + 1], targets[row : row + 1])
    with autodiff.no_grad():
        return points, labels, model(x).numpy()


def run(plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Correct answers under both gradients, and two outputs under the printed rule."""
    points, labels, outputs = train(True, compiled)
    right = outputs.argmax(1) == labels
    figures = [exact("correct of 1000, printed rule", "894", right.sum())]
    for row, printed in ((0, ("0.72796373", "0.35839938")), (999, ("0.22979532", "0.73710209"))):
        for unit in range(2):
            name = f"sample {row}, output {unit}"
            figures.append(exact(name, printed[unit], outputs[row, unit]))

    _, _, outputs = train(False, compiled)
    correct = (outputs.argmax(1) == labels).sum()
    figures.append(within("correct of 1000, true gradient", "912 expected", correct, 912, 912))
    if plot is not None:
        draw(plot, points, labels, right)
    return figures


def draw(path: Path, points: np.ndarray, labels: np.ndarray, right: np.ndarray) -> None:
    """Writes two scatter plots: the classes, and the answers of the printed rule."""
    figure, (classes, answers) = canvas(2)
    for panel, title, colours in (
        (classes, "classes", np.where(labels == 1, "r", "g")),
        (answers, "classes and predictions", answer_colours(labels, right)),
    ):
        panel.scatter(points[:, 0], points[:, 1], c=colours, alpha=0.4, s=4)
        panel.set(title=title, xlabel="$x_0$", ylabel="$x_1$")
    figure.savefig(path)


def answer_colours(labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Green and blue for label 0 told right and wrong, red and magenta for label 1."""
    return np.where(labels == 0, np.where(right, "g", "b"), np.where(right, "r", "m"))
