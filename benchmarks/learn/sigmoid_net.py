"""Two normal clouds told apart by a 2-2-2 sigmoid network, one sample at a time.

The program it repeats draws 1000 points and weights from N(0, 1/2), then makes 1000 updates with a
rate of 0.1, each on one point, towards 0.99 at the output of the point's class and 0.01 at the
other. It sends the output error back through the output weights alone: the factor s(1 - s) of the
output's own sigmoid is missing from the hidden layer's gradient. Its 894 correct answers need that
rule, which is written here as a `Function`; the true gradient on the same draws gives 912.
Source: the tutorial "1. Artificial Neural Network", sections 1.1 to 1.5.
"""

from pathlib import Path
from typing import Any

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import two_clouds
from benchmarks.learn.figures import Figure, exact, within
from benchmarks.learn.pictures import canvas, decision_regions
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


def train(
    printed_rule: bool, compiled: bool = False
) -> tuple[Network, np.ndarray, np.ndarray, np.ndarray]:
    """The network trained; the points (1000, 2), their labels (1000,), its outputs (1000, 2)."""
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
        return model, points, labels, model(x).numpy()


def run(plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Correct answers under both gradients, and two outputs under the printed rule."""
    model, points, labels, outputs = train(True, compiled)
    right = outputs.argmax(1) == labels
    figures = [exact("correct of 1000, printed rule", "894", right.sum())]
    for row, printed in ((0, ("0.72796373", "0.35839938")), (999, ("0.22979532", "0.73710209"))):
        for unit in range(2):
            name = f"sample {row}, output {unit}"
            figures.append(exact(name, printed[unit], outputs[row, unit]))

    corrected, _, _, outputs = train(False, compiled)
    correct = (outputs.argmax(1) == labels).sum()
    figures.append(within("correct of 1000, true gradient", "912 expected", correct, 912, 912))
    if plot is not None:
        networks = {"printed rule": model, "true gradient": corrected}
        draw(plot, points, labels, right, networks)
    return figures


def draw(
    path: Path,
    points: np.ndarray,
    labels: np.ndarray,
    right: np.ndarray,
    networks: dict[str, Network],
) -> None:
    """Writes scatter plots of the classes and of the answers of the printed rule; below them the
    regions where each of the networks answers 0 and 1.
    """
    figure, (classes, answers, *regions) = canvas(2, rows=2)
    groups = {f"class {label}": labels == label for label in (0, 1)}
    scatter(classes, points, groups, ("g", "r"))
    classes.set(title="classes", xlabel="$x_0$", ylabel="$x_1$")
    groups = {
        f"{label} {said}": (labels == label) & (right == told)
        for label in (0, 1)
        for told, said in ((True, "told right"), (False, "told wrong"))
    }
    scatter(answers, points, groups, ("g", "b", "r", "m"))
    answers.set(title="classes and predictions", xlabel="$x_0$", ylabel="$x_1$")
    for panel, (name, network) in zip(regions, networks.items(), strict=True):

        def probability(points, network=network):
            with autodiff.no_grad():
                outputs = network(autodiff.tensor(points)).numpy()
            return outputs[:, 1] / outputs.sum(1)

        decision_regions(panel, probability, classes.get_xlim(), classes.get_ylim())
        panel.scatter(*points.T, c=np.where(labels == 1, "r", "g"), alpha=0.4, s=4)
        panel.set(title=f"regions of the answers, {name}")
    figure.savefig(path)


def scatter(
    panel: Any, points: np.ndarray, groups: dict[str, np.ndarray], colours: tuple[str, ...]
) -> None:
    """Draws each group of points, chosen by a mask, in its colour."""
    for (name, chosen), colour in zip(groups.items(), colours, strict=True):
        label = f"{name} ({chosen.sum()})"
        panel.scatter(*points[chosen].T, c=colour, alpha=0.4, s=6, label=label)
    panel.legend()
