"""What single operations cost: recording one, and one step back through it, by size.

The bar is four times the bare NumPy call for recording on 8 x 8 elements: `BAR`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt
from types import ModuleType

import numpy as np

BAR = 4.0
BAR_SIZE = 64
SIZES = (1, 64, 1024, 99_856, 9_998_244)
"""Elements of the arrays, which are square: sides of 1, 8, 32, 316 and 3162."""
QUICK_SIZES = SIZES[:3]


@dataclass(frozen=True)
class Operation:
    """An operation on x, y (s, s), positive, a mask b, indices i and the side s.

    `gradient` is what NumPy does to the gradient g of `out` for those of the arguments in `of`:
    where it passes g or a view of it on, as for a sum, that takes next to no time.
    """

    name: str
    in_numpy: str
    with_tensors: str
    gradient: str
    of: str = "x"
    largest: int = SIZES[-1]

    def expressions(self, contender: str) -> tuple[str, str]:
        """What records the operation, and what goes back through it."""
        if contender == "numpy":
            return self.in_numpy, self.gradient
        back = f"torch.autograd.grad(out, ({', '.join(self.of)},), g, retain_graph=True)"
        return self.with_tensors, back


def _same(name: str, expression: str, gradient: str, of: str = "x") -> Operation:
    return Operation(name, expression, expression, gradient, of)


def _function(name: str, gradient: str) -> Operation:
    return Operation(name, f"np.{name}(x)", f"torch.{name}(x)", gradient)


OPERATIONS = (
    _same("add", "x + y", "g, g", "xy"),
    _same("sub", "x - y", "g, -g", "xy"),
    _same("mul", "x * y", "g * y, g * x", "xy"),
    _same("div", "x / y", "g / y, -g * out / y", "xy"),
    _same("add number", "x + 2.0", "g"),
    _same("neg", "-x", "-g"),
    _same("square", "x ** 2", "g * x * 2"),
    _function("exp", "g * out"),
    _function("log", "g / x"),
    _function("sqrt", "g / (2 * out)"),
    _function("sin", "g * np.cos(x)"),
    _function("tanh", "g * (1 - out * out)"),
    Operation("sigmoid", "1 / (1 + np.exp(-x))", "torch.sigmoid(x)", "g * out * (1 - out)"),
    Operation("relu", "np.maximum(x, 0.0)", "torch.relu(x)", "g * (x > 0)"),
    Operation("abs", "np.abs(x)", "torch.abs(x)", "g * np.sign(x)"),
    Operation(
        *("maximum", "np.maximum(x, y)", "torch.maximum(x, y)", "g * (x > y), g * (y > x)", "xy"),
    ),
    Operation(
        *("where", "np.where(b, x, y)", "torch.where(b, x, y)"),
        *("np.where(b, g, 0), np.where(b, 0, g)", "xy"),
    ),
    Operation("matmul", "x @ y", "x @ y", "g @ y.T, x.T @ g", "xy", largest=SIZES[-2]),
    _same("sum", "x.sum()", "np.broadcast_to(g, x.shape)"),
    _same("sum of rows", "x.sum(1)", "np.broadcast_to(g[:, None], x.shape)"),
    _same("mean", "x.mean()", "np.broadcast_to(g / x.size, x.shape)"),
    Operation(
        *("max of rows", "x.max(1)", "x.amax(1)", "(x == out[:, None]) * g[:, None]"),
        largest=SIZES[-2],  # beyond, some are equal, and shared out in other ways
    ),
    _same("cumsum", "x.cumsum(1)", "g[:, ::-1].cumsum(1)[:, ::-1]"),
    Operation(
        *("softmax", "(e := np.exp(x - x.max(1, keepdims=True))) / e.sum(1, keepdims=True)"),
        *("x.softmax(1)", "out * (g - (g * out).sum(1, keepdims=True))"),
    ),
    _same("reshape", "x.reshape(-1)", "g.reshape(x.shape)"),
    _same("transpose", "x.T", "g.T"),
    _same("row", "x[0]", "into(np.zeros_like(x), 0, g)"),
    _same("half the columns", "x[:, s // 2:]", "into(np.zeros_like(x), np.s_[:, s // 2:], g)"),
    _same("index array", "x[i]", "added(np.zeros_like(x), i, g)"),
    Operation(
        *("concatenate", "np.concatenate([x, y])", "torch.cat([x, y])", "g[:s], g[s:]", "xy"),
    ),
    Operation(
        *("sort", "np.sort(x, 1)", "x.sort(1)[0]", "placed(np.empty_like(x), x.argsort(1), g)"),
        largest=SIZES[-2],
    ),
)


def at(size: int) -> Iterable[Operation]:
    """The operations that are timed at that many elements."""
    return (operation for operation in OPERATIONS if size <= operation.largest)


def arrays(size: int, dtype: str) -> dict[str, object]:
    """What the names in NumPy's expressions stand for."""
    draws, side = np.random.default_rng(0), isqrt(size)
    x, y = draws.uniform(0.5, 1.5, (2, side, side)).astype(dtype)
    functions = {"into": _into, "added": _added, "placed": _placed}
    return {"x": x, "y": y, "b": x > y, "i": np.array([1, 3, 3, 0]) % side, "s": side, **functions}


def tensors(torch: ModuleType, size: int, dtype: str) -> dict[str, object]:
    """The same as tensors of a package spelled like PyTorch; x and y require gradients."""
    made = {name: arrays(size, dtype)[name] for name in "xybis"}
    made |= {name: torch.tensor(made[name]) for name in "xybi"}
    for name in "xy":
        made[name].requires_grad_(True)
    return {"torch": torch, **made}


def digest(array: np.ndarray) -> list[float]:
    """Numbers that tell arrays apart: the norm, and some elements in order."""
    flat = np.asarray(array, "float64").ravel()
    return [flat.size, float(np.linalg.norm(flat)), *flat[:: 1 + len(flat) // 64].tolist()]


def _into(zeros: np.ndarray, place: object, g: np.ndarray) -> np.ndarray:
    zeros[place] = g
    return zeros


def _added(zeros: np.ndarray, place: np.ndarray, g: np.ndarray) -> np.ndarray:
    np.add.at(zeros, place, g)
    return zeros


def _placed(empty: np.ndarray, order: np.ndarray, g: np.ndarray) -> np.ndarray:
    np.put_along_axis(empty, order, g, 1)
    return empty
