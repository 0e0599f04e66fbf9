"""A small problem to optimise, in the namespace of autodiff or of torch."""

from typing import Any

import numpy as np


def parameters(ns: Any, dtype: str = "float64") -> list:
    """A matrix and a vector that require grad."""
    w, b = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], [0.1, -0.2]
    return [ns.tensor(p, dtype=getattr(ns, dtype), requires_grad=True) for p in (w, b)]


def loss(ns: Any, w: Any, b: Any) -> Any:
    """Squared errors and a quartic penalty: a gradient that changes all the time."""
    x, y = (ns.tensor(v, dtype=w.dtype) for v in ([1.0, -2.0, 0.5], [1.0, -1.0]))
    return (((w * x).sum(-1) + b - y) ** 2).mean() + 0.1 * (w**4).sum()


def train(ns: Any, params: list, optimizer: Any, steps: int = 20) -> None:
    """That many steps."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss(ns, *params).backward()
        optimizer.step()


def values(params: list) -> np.ndarray:
    """All parameters as one vector."""
    return np.concatenate([p.detach().numpy().ravel() for p in params])


def as_torch(torch: Any, thing: Any) -> Any:
    """A nested structure with tensors of torch in place of ours."""
    return _converted(thing, lambda t: torch.tensor(t.detach().numpy()))


def _converted(thing: Any, convert: Any) -> Any:
    if isinstance(thing, dict):
        return {k: _converted(v, convert) for k, v in thing.items()}
    if isinstance(thing, list):
        return [_converted(v, convert) for v in thing]
    return convert(thing) if hasattr(thing, "detach") else thing
