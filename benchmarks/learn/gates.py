"""XOR, AND and OR by a logistic unit alone and behind a hidden layer.

Adam with a rate of 0.1 and 1000 full-batch updates on the binary cross-entropy, an answer being 1
where the output passes 1/2. A single unit separates the plane by a line, which answers at most
three of XOR's four rows; four hidden tanh units answer all of them.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "Testing the XOR gate and other gates".
"""

from pathlib import Path

import autodiff
import nn
import optim
from benchmarks.learn.figures import Figure, within
from benchmarks.learn.pictures import canvas, decision_regions
from benchmarks.learn.steps import made

GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}
QUICK = {"epochs": 200}


def correct_rows(
    model: nn.Module, answers: tuple[int, ...], epochs: int, compiled: bool = False
) -> int:
    """Rows of the truth table a model answers rightly after training on all four."""
    x = autodiff.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = autodiff.tensor([[float(answer)] for answer in answers])
    criterion = nn.BCELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def update(x, y):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

    update = made(update, compiled)
    for _ in range(epochs):
        update(x, y)
    with autodiff.no_grad():
        return ((model(x) > 0.5) == (y > 0.5)).sum().item()


def run(
    seed: int = 0, epochs: int = 1000, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """Rows answered rightly, of four, for each gate without and with the hidden layer."""
    figures = []
    trained: dict[str, nn.Module] = {}
    for gate, answers in GATES.items():
        autodiff.manual_seed(seed)
        unit = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
        network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
        correct = correct_rows(unit, answers, epochs, compiled)
        name = f"{gate}, rows right of 4, no hidden layer"
        if gate == "XOR":
            figures.append(within(name, "at most 3", correct, high=3))
        else:
            figures.append(within(name, "4", correct, low=4))
        correct = correct_rows(network, answers, epochs, compiled)
        figures.append(within(f"{gate}, rows right of 4, hidden layer", "4", correct, low=4))
        trained |= {f"{gate}, no hidden layer": unit, f"{gate}, hidden layer": network}
    if plot is not None:
        draw(plot, trained)
    return figures


def draw(path: Path, trained: dict[str, nn.Module]) -> None:
    """Writes the regions where each model answers 0 and 1, a row for each gate."""
    figure, axes = canvas(2, rows=len(GATES))
    for panel, (name, model) in zip(axes, trained.items(), strict=True):

        def probability(points, model=model):
            with autodiff.no_grad():
                return model(autodiff.tensor(points, dtype=autodiff.float32)).numpy()

        decision_regions(panel, probability, (-0.5, 1.5), (-0.5, 1.5))
        answers = GATES[name.partition(",")[0]]
        colours = ["r" if answer else "g" for answer in answers]
        panel.scatter([0, 0, 1, 1], [0, 1, 0, 1], c=colours, s=80, edgecolors="black", zorder=3)
        panel.set(title=name, aspect="equal")
    figure.savefig(path)
