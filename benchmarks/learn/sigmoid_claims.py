"""Would biases and batch normalisation have helped the 2-2-2 sigmoid network? Claims, tested.

The tutorial behind `sigmoid-net` ends with claims that it does not test, and begins with two about
the size of the first weights. Here the network learns the tutorial's points by the true gradient
in 1000 updates with a rate of 0.1, each on ten points (batch normalisation needs more than one),
towards 0.99 and 0.01, from weights of N(0, s^2) over several seeds. Right answers are counted on
1000 new points of the same two clouds.
    wrong answers are mostly points of class 0            (of the tutorial's own run)
    biases help; batch normalisation helps on new points  (s = 1/sqrt(2))
    weights of 0 destroy the signal, very large ones saturate the units  (s = 0 and 30)
Source: the tutorial "1. Artificial Neural Network", sections 1.3 and 1.5.6.
"""

import math

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import two_clouds
from benchmarks.learn import sigmoid_net
from benchmarks.learn.figures import Figure, judged, shown, within
from benchmarks.learn.progress import Progress
from benchmarks.learn.steps import made

SCALE = 1 / math.sqrt(2)
UPDATES = 1000
QUICK = {"seeds": 2}


def network(scale: float = SCALE, bias: bool = False, normalised: bool = False) -> nn.Sequential:
    """Two sigmoid layers of two units with weights of N(0, scale^2) and biases 0."""
    layers = []
    for _ in range(2):
        linear = nn.Linear(2, 2, bias=bias)
        nn.init.normal_(linear.weight, std=scale)
        if bias:
            nn.init.zeros_(linear.bias)
        layers += [linear, nn.BatchNorm1d(2) if normalised else nn.Identity(), nn.Sigmoid()]
    return nn.Sequential(*layers)


def right_of_new(model: nn.Module, seed: int, compiled: bool = False) -> float:
    """The fraction of new points a model tells rightly after its training."""
    points, labels = two_clouds(np.random.RandomState(104729))
    x = autodiff.tensor(points, dtype=autodiff.float32)
    targets = autodiff.tensor(
        np.where(labels[:, None] == [0, 1], 0.99, 0.01), dtype=autodiff.float32
    )
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def update(x, target):
        optimizer.zero_grad()
        loss = ((model(x) - target) ** 2).sum(1).mean() / 2
        loss.backward()
        optimizer.step()

    update = made(update, compiled)
    for rows in autodiff.randint(len(x), (UPDATES, 10)):
        update(x[rows], targets[rows])
    model.eval()
    points, labels = two_clouds(np.random.RandomState(seed))
    with autodiff.no_grad():
        answers = model(autodiff.tensor(points, dtype=autodiff.float32)).argmax(1)
    return (answers == autodiff.tensor(labels)).float().mean().item()


VARIANTS: dict[str, dict] = {
    "accuracy as in the tutorial": {},
    "with biases": {"bias": True},
    "with batch normalisation": {"normalised": True},
    "with both": {"bias": True, "normalised": True},
    "first weights 0": {"scale": 0.0},
    "first weights of scale 30": {"scale": 30.0},
}
CLAIMS = {
    **dict.fromkeys(("with biases", "with batch normalisation", "with both"), "better"),
    **dict.fromkeys(("first weights 0", "first weights of scale 30"), "worse"),
}


def run(seed: int = 0, seeds: int = 5, compiled: bool = False) -> list[Figure]:
    """The share of class 0 among wrong answers; the mean accuracy of every variant over seeds."""
    _, _, labels, outputs = sigmoid_net.train(True, compiled)
    wrong = labels[outputs.argmax(1) != labels]
    figures = [
        within("first weights' scale, 1/sqrt(2)", "0.70", SCALE, low=0.70, high=0.71),
        within("class 0 among the wrong answers", "mostly", (wrong == 0).mean(), low=0.5),
    ]
    means: dict[str, float] = {}
    progress = Progress(len(VARIANTS), unit="variant")
    for _, (name, options) in zip(progress, VARIANTS.items()):
        progress.say(name)
        accuracies = []
        for each in range(seed, seed + seeds):
            autodiff.manual_seed(each)
            accuracies.append(right_of_new(network(**options), each, compiled))
        means[name] = np.mean(accuracies)
        first = next(iter(means.values()))
        if name not in CLAIMS:
            figure = shown(name, means[name])
        elif CLAIMS[name] == "better":
            figure = within(name, "better", means[name], low=first)
        else:
            figure = within(name, "worse", means[name], high=first)
        figures.append(judged(seeds >= 5, figure))
    return figures
