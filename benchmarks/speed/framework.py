"""The training steps as a user of PyTorch writes them, for any package that is spelled like it."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

from benchmarks.speed.workloads import Problem

LEAKY_SLOPE = 0.001


def training_step(problem: Problem, torch: Any, nn: Any, optim: Any) -> Callable[[], Any]:
    """A function that makes one update on the next batch and returns the loss before it.

    `torch`, `nn` and `optim` are the modules to use: PyTorch's or ours.
    """
    model, criterion = MODELS[problem.workload](nn)
    if problem.weights[0].dtype == "float64":
        model.double()
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), problem.weights, strict=True):
            parameter.copy_(torch.tensor(weight))
    optimizer = getattr(optim, problem.optimizer)(model.parameters(), lr=problem.lr)
    batches = cycle([(torch.tensor(x), torch.tensor(y)) for x, y in problem.batches])

    def step():
        x, y = next(batches)
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def line(nn: Any) -> tuple[Any, Any]:
    """W1."""
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)), nn.MSELoss()


def sine(nn: Any) -> tuple[Any, Any]:
    """W2."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 5, batch_first=True)
            self.fc = nn.Linear(5, 1)

        def forward(self, x):
            states, _ = self.rnn(x)
            return self.fc(states[:, -1])

    return Network(), nn.MSELoss()


def clouds(nn: Any) -> tuple[Any, Any]:
    """W3. The mean over two outputs is half the sum, as in the program this comes from."""
    layers = (
        *(nn.Linear(2, 2, bias=False), nn.Sigmoid()),
        *(nn.Linear(2, 2, bias=False), nn.Sigmoid()),
    )
    return nn.Sequential(*layers), nn.MSELoss()


def tumours(nn: Any) -> tuple[Any, Any]:
    """W4."""
    layers = (
        *(nn.Linear(30, 100), nn.ReLU()),
        *(nn.Linear(100, 30), nn.ReLU()),
        *(nn.Linear(30, 1), nn.Sigmoid()),
    )
    return nn.Sequential(*layers), nn.BCELoss()


def digits(nn: Any) -> tuple[Any, Any]:
    """W5."""
    layers = (
        *(nn.Linear(64, 100), nn.LeakyReLU(LEAKY_SLOPE)),
        *(nn.Linear(100, 30), nn.LeakyReLU(LEAKY_SLOPE)),
        nn.Linear(30, 10),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


def small_classifier(nn: Any) -> tuple[Any, Any]:
    """W6."""
    layers = (
        *(nn.Linear(8, 12), nn.ReLU()),
        *(nn.Linear(12, 8), nn.ReLU()),
        *(nn.Linear(8, 1), nn.Sigmoid()),
    )
    return nn.Sequential(*layers), nn.BCELoss()


def wide(nn: Any) -> tuple[Any, Any]:
    """W7."""
    layers = (
        *(nn.Linear(784, 512), nn.ReLU()),
        *(nn.Linear(512, 512), nn.ReLU()),
        nn.Linear(512, 10),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


MODELS = {
    "W1": line,
    "W2": sine,
    "W3": clouds,
    "W4": tumours,
    "W5": digits,
    "W6": small_classifier,
    "W7": wide,
}
