"""Three costs and six activation functions, and their derivatives by `func.grad`.

The notes differentiate costs that are functions of the outputs alone, C(x) for given targets t, at
x = (4, 5, 6) for t = (1, 2, 3), and activations element by element. They use HIPS autograd, whose
results for the same formulas stand beside ours. Two remarks: x is outside (0, 1), where the
logistic cost is not a number but its formula has a gradient all the same; and the notes print the
derivative of the sigmoid at sigmoid(z) for that at z, so both are given.
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, "Cost functions" and "Activation functions" (codes by E. Reber and G. Kajda).
"""

from collections.abc import Callable
from pathlib import Path

import autodiff
import nn
from autodiff.func import grad, vmap
from benchmarks.learn.figures import Figure, exact, within
from benchmarks.learn.pictures import canvas

F = nn.functional
QUICK: dict[str, int] = {}

Function = Callable[[autodiff.Tensor], autodiff.Tensor]


def least_squares(target: autodiff.Tensor) -> Function:
    """The mean squared error as a function of the outputs."""
    return lambda x: F.mse_loss(x, target)


def logistic(target: autodiff.Tensor) -> Function:
    """-mean(t log x + (1 - t) log(1 - x)), for any x where its derivative exists."""
    return lambda x: -(target * x.log() + (1 - target) * (1 - x).log()).mean()


def cross_entropy(target: autodiff.Tensor) -> Function:
    """-mean(t log x) over all elements."""
    return lambda x: -(target * x.log()).mean()


# By HIPS autograd 1.9.1 from the notes' formulas, which add 1e-9 to the arguments of log.
COSTS = {
    least_squares: ("2.00000000", "2.00000000", "2.00000000"),
    logistic: ("-0.08333333", "-0.05000000", "-0.03333333"),
    cross_entropy: ("-0.08333333", "-0.13333333", "-0.16666667"),
}
ACTIVATIONS: dict[str, Function] = {
    "identity": nn.Identity(),
    "sigmoid": nn.Sigmoid(),
    "softmax": nn.Softmax(dim=0),
    "ReLU": nn.ReLU(),
    "leaky ReLU": nn.LeakyReLU(0.001),
    "ELU": nn.ELU(),
}
SIGMOID = ("0.98201379", "0.99330715", "0.99752738")
SIGMOID_SLOPE = ("0.01766271", "0.00664806", "0.00246651")
SIGMOID_SLOPE_AT_SIGMOID = ("0.19824029", "0.19721923", "0.19683648")
# f'(z) at z = -2, 0 and 3. At its kink each has the value that PyTorch and the notes give it.
SLOPES = {
    "identity": (1, 1, 1),
    "ReLU": (0, 0, 1),
    "leaky ReLU": (0.001, 0.001, 1),
    "ELU": (0.1353352832366127, 1, 1),  # exp(-2)
}


def slope(function: Function, z: autodiff.Tensor) -> autodiff.Tensor:
    """f'(z) for each element of z (N,), f being a function of single numbers."""
    return vmap(grad(function))(z)


def run(plot: Path | None = None) -> list[Figure]:
    """Derivatives beside those of the notes' formulas."""
    x = autodiff.tensor([[4.0], [5.0], [6.0]], dtype=autodiff.float64)
    target = autodiff.tensor([[1.0], [2.0], [3.0]], dtype=autodiff.float64)
    rows: dict[str, tuple[tuple[str, ...], autodiff.Tensor]] = {}
    for cost, printed in COSTS.items():
        name = cost.__name__.replace("_", " ")
        rows[f"gradient of {name}"] = printed, grad(cost(target))(x)
    z = x[:, 0]
    sigmoid = ACTIVATIONS["sigmoid"]
    rows["sigmoid"] = SIGMOID, sigmoid(z)
    rows["sigmoid'"] = SIGMOID_SLOPE, slope(sigmoid, z)
    rows["sigmoid' at sigmoid"] = SIGMOID_SLOPE_AT_SIGMOID, slope(sigmoid, sigmoid(z))
    figures = [
        exact(f"{name}, {at:g}", figure, number)
        for name, (printed, numbers) in rows.items()
        for at, figure, number in zip(z.tolist(), printed, numbers.ravel().tolist())
    ]

    # The derivative of a sum over elements is what "elementwise" means for softmax: it is constant.
    softmax = ACTIVATIONS["softmax"]
    sums = grad(lambda z: softmax(z).sum())(z).abs().max().item()
    figures.append(within("softmax, derivative of its sum", "0", sums, high=1e-15))
    z = autodiff.tensor([-2.0, 0.0, 3.0], dtype=autodiff.float64)
    for name, expected in SLOPES.items():
        for at, known, found in zip(z.tolist(), expected, slope(ACTIVATIONS[name], z).tolist()):
            bounds = known - 1e-15, known + 1e-15
            figures.append(within(f"{name}', {at:g}", f"{known:.6g}", found, *bounds))
    if plot is not None:
        draw(plot)
    return figures


def draw(path: Path) -> None:
    """Writes a picture of the activations of one number, and of their derivatives."""
    z = autodiff.linspace(-4, 4, 401, dtype=autodiff.float64)
    figure, (values, slopes) = canvas(2)
    lines = {name: function for name, function in ACTIVATIONS.items() if name != "softmax"}
    for place, (name, function) in enumerate(lines.items()):
        style = {"label": name, "linewidth": 6 - place}  # what lies beneath shows at the sides
        values.plot(z.numpy(), function(z).numpy(), **style)
        slopes.plot(z.numpy(), slope(function, z).numpy(), **style)
    values.set(xlabel="$z$", ylabel="$f(z)$", ylim=(-1.5, 4))
    slopes.set(xlabel="$z$", ylabel="$f'(z)$")
    values.legend()
    figure.savefig(path)
