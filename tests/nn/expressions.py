"""Expressions of nn.functional, evaluated here and by PyTorch and compared."""

from types import ModuleType
from typing import Any

import numpy as np

import autodiff
from nn import functional
from tests.autodiff.composed import expressions

SHAPES = {
    "u": (5,),
    "w": (3,),
    "b": (3,),
    "m": (4, 3),
    "x": (4, 3, 2),
    "signal": (2, 3, 7),
    "image": (2, 4, 5, 6),
    "volume": (2, 2, 3, 4, 5),
    "k1": (6, 3, 3),
    "k2": (6, 4, 3, 2),
    "k3": (4, 2, 2, 1, 3),
    "b6": (6,),
    "w4": (4,),
    "b4": (4,),
    "last": (5, 6),
    "last_b": (5, 6),
    "table": (5, 3),
    "q": (2, 3, 4, 8),
    "k": (2, 3, 5, 8),
    "v": (2, 3, 5, 6),
    "q6": (2, 6, 4, 8),
    "scores": (4, 5),
    "none": (0, 3, 2),
    "one": (1, 3),
}
"""Leaves of float64 that the expressions may use, by name."""

_SEES = np.array([[1, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 0, 1], [1, 1, 1, 1, 1]], bool)

CONSTANTS = {
    "mean": np.array([0.1, 0.2, 0.3]),
    "var": np.array([1.0, 2.0, 0.5]),
    "mean4": np.arange(4.0),
    "var4": np.arange(1.0, 5.0),
    "mean32": np.array([0.1, 0.2, 0.3], np.float32),
    "var32": np.array([1.0, 2.0, 0.5], np.float32),
    "i": np.array([[0, 2], [1, 2]]),
    "i32": np.array([[0, 2], [1, 2]], np.int32),
    "i16": np.array([0], np.int16),
    "sees": _SEES,
    "adds": np.where(_SEES, 0.0, -np.inf),
    "ints": np.arange(12).reshape(1, 2, 6),
    "floats": np.arange(12, dtype=np.float32).reshape(1, 2, 6),
    "bytes": np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4),
}
"""Other tensors."""


def evaluated(library: ModuleType, expression: str) -> tuple[list[Any], dict[str, Any]]:
    """What an expression gives, as a flat list, and the leaves it was given.

    Besides the tensors it may use F, the functional, T, which makes a tensor, and rounded, which
    rounds as if it were the identity.
    """
    rng = np.random.default_rng(0)
    leaves = {
        name: library.tensor(rng.standard_normal(shape)).requires_grad_()
        for name, shape in SHAPES.items()
    }
    constants = {name: library.tensor(array.copy()) for name, array in CONSTANTS.items()}

    def T(data: Any) -> Any:
        return library.tensor(np.asarray(data))

    def rounded(x: Any) -> Any:
        return x - x.detach() + x.detach().round()

    F = functional if library is autodiff else library.nn.functional
    names = {**leaves, **constants, "F": F, "T": T, "rounded": rounded}
    return expressions.flat(eval(expression, names)), leaves


def check_like_torch(torch: ModuleType, expression: str) -> None:
    """Values, shapes, dtypes, refusals, and derivatives of first and second order."""
    expressions.check_like_torch(torch, expression, evaluated=evaluated)
