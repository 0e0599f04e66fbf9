"""What recording one operation costs: single expressions on small arrays, with gradients wanted.

The bar is four times the bare NumPy call: `BAR`.
"""

from types import ModuleType

import numpy as np

BAR = 4.0

# name: the expression in NumPy, the expression with tensors
EXPRESSIONS = {
    "add": ("x + y", "x + y"),
    "mul": ("x * y", "x * y"),
    "div": ("x / y", "x / y"),
    "add number": ("x + 2.0", "x + 2.0"),
    "neg": ("-x", "-x"),
    "square": ("x ** 2", "x ** 2"),
    "exp": ("np.exp(x)", "torch.exp(x)"),
    "log": ("np.log(x)", "torch.log(x)"),
    "tanh": ("np.tanh(x)", "torch.tanh(x)"),
    "relu": ("np.maximum(x, 0.0)", "torch.relu(x)"),
    "maximum": ("np.maximum(x, y)", "torch.maximum(x, y)"),
    "where": ("np.where(b, x, y)", "torch.where(b, x, y)"),
    "matmul": ("x @ y", "x @ y"),
    "sum": ("x.sum()", "x.sum()"),
    "sum of rows": ("x.sum(1)", "x.sum(1)"),
    "mean": ("x.mean()", "x.mean()"),
    "max of rows": ("x.max(1)", "x.amax(1)"),
    "reshape": ("x.reshape(4, 16)", "x.reshape(4, 16)"),
    "transpose": ("x.T", "x.T"),
    "row": ("x[2]", "x[2]"),
    "column slice": ("x[:, 1:5]", "x[:, 1:5]"),
    "index array": ("x[i]", "x[i]"),
    "concatenate": ("np.concatenate([x, y])", "torch.cat([x, y])"),
}


def arrays(dtype: str) -> dict[str, np.ndarray]:
    """What the names in the expressions stand for: x, y (8, 8), a mask b, and indices i (4,)."""
    draws = np.random.default_rng(0)
    x, y = draws.uniform(0.5, 1.5, (2, 8, 8)).astype(dtype)
    return {"x": x, "y": y, "b": x > y, "i": np.array([1, 3, 3, 0])}


def tensors(torch: ModuleType, dtype: str) -> dict[str, object]:
    """The same as tensors of a package spelled like PyTorch; x and y require gradients."""
    made = {name: torch.tensor(array) for name, array in arrays(dtype).items()}
    for name in ("x", "y"):
        made[name].requires_grad_(True)
    return {"torch": torch, **made}
