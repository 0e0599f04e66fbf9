"""Minibatch SGD with an L2 and an L1 penalty, beside the exact ridge and lasso estimates.

Ten inputs of which three matter, 200 rows in minibatches of 20, a rate that falls from 0.05 by
1 % an epoch. L2 is the optimiser's `weight_decay` on the weights, L1 a term of the loss; the bias
is free. What is descended is half the mean squared error and
    ridge: 1/4 |w|_2^2        lasso: 1/4 |w|_1
Minibatches make the last steps noisy, so estimates are held to 0.02 of the exact ones.
Source: Z. Shi, lecture notes on neural networks, "Stochastic Gradient Descent" and
"Regularization", which name the methods without a program.
"""

import numpy as np

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks.data.simulated import sparse_line
from benchmarks.learn.figures import Figure, judged, shown, within
from benchmarks.learn.steps import made

# The first three weights, and the largest of the seven whose law is 0, by scikit-learn 1.9.1:
# Lasso(alpha=0.25, tol=1e-14) and Ridge(alpha=0.5 * 200), for which the test has a formula.
EXACT = {
    "ridge": (1.979731, -1.379953, 0.665636, 0.117598),
    "lasso": (2.746700, -1.718827, 0.775823, 0.0),
}
TOLERANCE = 0.02
QUICK = {"epochs": 20}


def train(penalty: str, seed: int, epochs: int, compiled: bool = False) -> nn.Linear:
    """The linear layer fitted with "ridge", "lasso" or any other word for no penalty."""
    x, y = (
        autodiff.tensor(array, dtype=autodiff.float32)
        for array in sparse_line(np.random.RandomState(1))
    )
    autodiff.manual_seed(seed)
    model = nn.Linear(10, 1)
    criterion = nn.MSELoss()
    decay = 0.5 if penalty == "ridge" else 0.0
    l1 = 0.25 if penalty == "lasso" else 0.0
    optimizer = optim.SGD(
        [{"params": [model.weight], "weight_decay": decay}, {"params": [model.bias]}], lr=0.05
    )
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)

    def update(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y) / 2 + l1 * model.weight.abs().sum()
        loss.backward()
        optimizer.step()

    update = made(update, compiled)
    for _ in range(epochs):
        for batch in DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True):
            update(*batch)
        scheduler.step()
    return model


def run(seed: int = 0, epochs: int = 400, compiled: bool = False) -> list[Figure]:
    """Weights under both penalties, and without one for comparison."""
    figures = []
    for penalty in ("none", "ridge", "lasso"):
        weights = train(penalty, seed, epochs, compiled).weight[0].tolist()
        *relevant, rest = *weights[:3], max(map(abs, weights[3:]))
        names = [*(f"{penalty}, weight {i}" for i in range(3)), f"{penalty}, largest other weight"]
        for place, (name, number) in enumerate(zip(names, [*relevant, rest])):
            if penalty == "none":
                figures.append(shown(name, number, ("3", "-2", "1", "0")[place]))
                continue
            expected = EXACT[penalty][place]
            bounds = expected - TOLERANCE, expected + TOLERANCE
            figure = within(name, f"{expected:.4f}", number, *bounds)
            figures.append(judged(epochs >= 400, figure))
    return figures
