"""A surface fitted by a linear unit on the monomials of degree 1 to 3, longer and shorter.

The surface is x + 2 y + 3 x^2 + 4 x y + 5 y^2 on the four points whose coordinates are 0 and 1/2,
one of them held out, as in the program it repeats: gradient descent with a rate of 1e-3 on the mean
squared error, all rows at once, from weights of N(0, 1) and biases of N(0, 0.01^2). The notes print
no figure; they say that 1000 epochs reach a lower error than 100. Three rows do not determine ten
coefficients, so the same is done with a finer grid, of step 1/20, where a fit by L-BFGS finds the
surface itself.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "The Neural Network" (linear regression).
"""

from pathlib import Path

import autodiff
import nn
import optim
from benchmarks import data
from benchmarks.learn.figures import Figure, shown, within
from benchmarks.learn.pictures import learning_curves
from benchmarks.learn.training import History, fit, pair_of_parts

DEGREE = 3
QUICK: dict[str, int] = {}


def surface(x: autodiff.Tensor, y: autodiff.Tensor) -> autodiff.Tensor:
    """The polynomial that is to be found."""
    return x + 2 * y + 3 * x**2 + 4 * x * y + 5 * y**2


def monomials(x: autodiff.Tensor, y: autodiff.Tensor) -> autodiff.Tensor:
    """x^(i - k) y^k for i = 1 ... 3 and k = 0 ... i.  Shapes: (N,), (N,) -> (N, 9)"""
    powers = [x ** (i - k) * y**k for i in range(1, DEGREE + 1) for k in range(i + 1)]
    return autodiff.stack(powers, dim=1)


def points(step: float) -> tuple[autodiff.Tensor, autodiff.Tensor]:
    """The monomials (N, 9) and the surface (N, 1) on a grid of [0, 1) x [0, 1)."""
    axis = autodiff.arange(0, 1, step, dtype=autodiff.float64)
    x, y = (grid.ravel() for grid in autodiff.meshgrid(axis, axis, indexing="xy"))
    return monomials(x, y), surface(x, y).unsqueeze(1)


def train(seed: int, epochs: int, decay: float = 0.0, compiled: bool = False) -> History:
    """The mean squared errors on three points and on the fourth, after every epoch."""
    x, y = points(0.5)
    parts = pair_of_parts(x, y, data.held_out_split(len(x), 0.25, seed))
    autodiff.manual_seed(seed)
    model = nn.Linear(9, 1).double()
    nn.init.normal_(model.weight)
    nn.init.normal_(model.bias, std=0.01)
    groups = [{"params": [model.weight], "weight_decay": decay}, {"params": [model.bias]}]
    optimizer = optim.SGD(groups, lr=1e-3)
    criterion = nn.MSELoss()
    measures = {"mean squared error": criterion}
    return fit(model, criterion, optimizer, parts, measures, epochs, compiled=compiled)


def largest_miss() -> float:
    """How far the surface fitted to the finer grid is from the true one, at most."""
    x, y = points(0.05)
    model = nn.Linear(9, 1).double()
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer = optim.LBFGS(
        model.parameters(),
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    with autodiff.no_grad():
        return (model(x) - y).abs().max().item()


def run(seed: int = 0, plot: Path | None = None, compiled: bool = False) -> list[Figure]:
    """Errors after 1, 100 and 1000 epochs, the last with an L2 penalty of 1e-4 as in the notes."""
    short = train(seed, 100, compiled=compiled)["mean squared error"]
    long = train(seed, 1000, decay=1e-4, compiled=compiled)["mean squared error"]
    if plot is not None:
        learning_curves(plot, {"mean squared error": long})
    errors = {part: (short[part][0], short[part][-1], long[part][-1]) for part in short}
    first, hundred, thousand = errors["train"]
    return [
        shown("train error, 1 epoch", first),
        within("train error, 100 epochs", "lower", hundred, high=first),
        within("train error, 1000 epochs", "lower still", thousand, high=hundred),
        *(
            shown(f"held-out error, {length}", error)
            for length, error in zip(("1 epoch", "100 epochs", "1000 epochs"), errors["held-out"])
        ),
        within("largest miss on the finer grid", "0", largest_miss(), high=1e-6),
    ]
