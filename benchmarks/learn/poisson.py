"""Poisson regression by a network without a hidden layer, equal to iteratively reweighted fits.

One linear unit gives the logarithm of the mean count, and `PoissonNLLLoss` what is minimised, here
by L-BFGS on all 500 rows. The coefficients are the maximum of the likelihood, which statisticians
find by iteratively reweighted least squares (Nelder & Wedderburn 1972, doi:10.2307/2344614).
The notes name the program without printing it, so the counts are simulated here.
Source: Z. Shi, lecture notes on neural networks, "Simulation Example".
"""

import numpy as np

import autodiff
import nn
import optim
from benchmarks.data.simulated import poisson_counts
from benchmarks.learn.figures import Figure, exact, shown

# By 30 rounds of the iteration in float64, which the test repeats; scikit-learn 1.9.1's
# PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-14) gives the same eight digits.
FITTED = {
    "weight of x0, law 0.6": "0.629901",
    "weight of x1, law -0.4": "-0.448779",
    "weight of x2, law 0.2": "0.236377",
    "bias, law 0.5": "0.449058",
}
QUICK: dict[str, int] = {}


def run() -> list[Figure]:
    """The coefficients beside the reweighted fit's."""
    x, y = map(autodiff.tensor, poisson_counts(np.random.RandomState(1)))
    model = nn.Linear(3, 1).double()
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    criterion = nn.PoissonNLLLoss()
    optimizer = optim.LBFGS(
        model.parameters(),
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)

    found = [*model.weight[0].tolist(), model.bias.item()]
    figures = [exact(name, FITTED[name], number) for name, number in zip(FITTED, found)]
    return [*figures, shown("loss", closure().item())]
