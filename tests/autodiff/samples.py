"""Sample inputs of every registered operation: what `test_primitives.py` runs them on.

A sample is the array arguments and the parameters. An argument is an array as it is, or Drawn: a
way to draw one, which the tests may ask for in another shape or from another seed.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import autodiff.ops

for _module in pkgutil.iter_modules(autodiff.ops.__path__, "autodiff.ops."):
    importlib.import_module(_module.name)  # some are imported only where they are used, as by nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """An array of a shape, to be drawn from a generator."""

    draw: Callable[[np.random.Generator, Shape], np.ndarray]
    shape: Shape
    symmetric: bool = False
    """Of symmetric matrices derivatives are taken in symmetric directions."""


def real(*shape: int) -> Drawn:
    """Distinct numbers of either sign, at least 0.09 from each other and from multiples of 1/2."""

    def draw(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        size = int(np.prod(shape))
        steps = rng.permutation(size) - size // 2
        return (steps / 4 + rng.uniform(0.09, 0.16, size)).reshape(shape)

    return Drawn(draw, shape)


def between(low: float, high: float, *shape: int) -> Drawn:
    """Numbers of an interval."""
    return Drawn(lambda rng, shape: np.array(rng.uniform(low, high, shape)), shape)


def positive(*shape: int) -> Drawn:
    """Numbers of [0.3, 3]."""
    return between(0.3, 3.0, *shape)


def whole(low: int, high: int, *shape: int) -> Drawn:
    """Integers, `low` included and `high` not."""
    return Drawn(lambda rng, shape: np.array(rng.integers(low, high, shape)), shape)


def flags(*shape: int) -> Drawn:
    """True and False."""
    return Drawn(lambda rng, shape: np.array(rng.integers(0, 2, shape) > 0), shape)


def regular(*shape: int) -> Drawn:
    """Square matrices far from singular."""
    return Drawn(lambda rng, s: rng.uniform(-1, 1, s) + 2 * np.eye(s[-1]), shape)


def definite(*shape: int) -> Drawn:
    """Symmetric positive definite matrices, their eigenvalues apart."""

    def draw(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        a = rng.uniform(-0.5, 0.5, shape)
        return a @ a.swapaxes(-1, -2) + np.diag(np.arange(1.0, shape[-1] + 1))

    return Drawn(draw, shape, symmetric=True)


def seeded() -> np.random.Generator:
    """A generator; the tests draw from copies of it."""
    return np.random.default_rng(0)


@dataclass(frozen=True)
class Sample:
    """The arguments and parameters of one call."""

    arguments: tuple[Any, ...]
    parameters: dict[str, Any]

    def arrays(self, dtype: Any = np.float64, seed: int = 0) -> list[np.ndarray]:
        """The arguments as fresh arrays, those of floats in `dtype`."""
        rng = np.random.default_rng(seed)
        arrays = [
            a.draw(rng, a.shape) if isinstance(a, Drawn) else np.array(a) for a in self.arguments
        ]
        return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]

    def of_shapes(self, shapes: Sequence[Shape]) -> "Sample":
        """The same call, with arguments of other shapes."""
        arguments = zip(self.arguments, shapes, strict=True)
        return replace(self, arguments=tuple(replace(a, shape=shape) for a, shape in arguments))


def given(*arguments: Any, **parameters: Any) -> Sample:
    """A sample as the call would be written."""
    return Sample(arguments, parameters)


PLAIN = ((2, 1, 1, 0, 3), (3, 1, 1, 0, 3))
UNEVEN = ((3, 2, 1, 2, 4), (2, 2, 3, 1, 3))
SOLID = ((2, 1, 1, 0, 2), (1, 1, 1, 0, 2), (2, 2, 1, 0, 2))
APART = ((3, 2, 3, 0, 2), (1, 1, 1, 0, 2))

SAMPLES: dict[str, list[Sample]] = {
    # elementwise.py: the shapes here are those of the tests that do not draw their own
    "add": [given(real(3, 4), real(3, 4))],
    "subtract": [given(real(3, 4), real(3, 4))],
    "multiply": [given(real(3, 4), real(3, 4))],
    "divide": [given(real(3, 4), real(3, 4))],
    "negative": [given(real(3, 4))],
    "positive": [given(real(3, 4))],
    "reciprocal": [given(real(3, 4))],
    "square": [given(real(3, 4))],
    "power": [given(positive(3, 4), real(3, 4)), given(real(3, 1), np.array([[0, 1, 2]]))],
    "absolute": [given(real(3, 4))],
    "sign": [given(real(3, 4))],
    "nonzero_mask": [given(real(3, 4))],
    "floor": [given(real(3, 4))],
    "ceil": [given(real(3, 4))],
    "trunc": [given(real(3, 4))],
    "rint": [given(real(3, 4))],
    "floor_divide": [
        given(real(3, 4), between(2.6, 3.4, 3, 4)),
        given(np.array([7.0, -7.0, 4.5, -1.0]), np.array([3.0, 3.0, -2.0, -2.5])),
    ],
    "trunc_divide": [
        given(real(3, 4), between(2.6, 3.4, 3, 4)),
        given(np.array([7.0, -7.0, 4.5, -1.0]), np.array([3.0, 3.0, -2.0, -2.5])),
    ],
    "remainder": [
        given(real(3, 4), between(2.6, 3.4, 3, 4)),
        given(np.array([7.0, -7.0, 4.5, -1.0]), np.array([3.0, 3.0, -2.0, -2.5])),
    ],
    "fmod": [
        given(real(3, 4), between(2.6, 3.4, 3, 4)),
        given(np.array([7.0, -7.0, 4.5, -1.0]), np.array([3.0, 3.0, -2.0, -2.5])),
    ],
    "exp": [given(real(3, 4))],
    "exp2": [given(real(3, 4))],
    "expm1": [given(real(3, 4))],
    "log": [given(positive(3, 4))],
    "log2": [given(positive(3, 4))],
    "log10": [given(positive(3, 4))],
    "log1p": [given(between(-0.7, 2.0, 3, 4))],
    "sqrt": [given(positive(3, 4))],
    "logaddexp": [given(real(3, 4), real(3, 4))],
    "sin": [given(real(3, 4))],
    "cos": [given(real(3, 4))],
    "tan": [given(between(-1.2, 1.2, 3, 4))],
    "arcsin": [given(between(-0.8, 0.8, 3, 4))],
    "arccos": [given(between(-0.8, 0.8, 3, 4))],
    "arctan": [given(real(3, 4))],
    "arctan2": [given(real(3, 4), real(3, 4))],
    "sinh": [given(real(3, 4))],
    "cosh": [given(real(3, 4))],
    "tanh": [given(real(3, 4))],
    "arcsinh": [given(real(3, 4))],
    "arccosh": [given(between(1.3, 3.0, 3, 4))],
    "arctanh": [given(between(-0.8, 0.8, 3, 4))],
    "sigmoid": [given(real(3, 4))],
    "relu": [given(real(3, 4))],
    "equal": [given(whole(0, 3, 3, 4), whole(0, 3, 3, 4))],
    "not_equal": [given(whole(0, 3, 3, 4), whole(0, 3, 3, 4))],
    "less": [given(whole(0, 3, 3, 4), whole(0, 3, 3, 4))],
    "less_equal": [given(whole(0, 3, 3, 4), whole(0, 3, 3, 4))],
    "greater": [given(whole(0, 3, 3, 4), whole(0, 3, 3, 4))],
    "greater_equal": [given(whole(0, 3, 3, 4), whole(0, 3, 3, 4))],
    "isnan": [given(real(3, 4)), given(np.array([np.nan, np.inf, 0.0]))],
    "isinf": [given(real(3, 4)), given(np.array([np.nan, np.inf, 0.0]))],
    "isfinite": [given(real(3, 4)), given(np.array([np.nan, np.inf, 0.0]))],
    "signbit": [given(real(3, 4)), given(np.array([-0.0, 0.0, -np.inf]))],
    "logical_and": [given(flags(3, 4), flags(3, 4))],
    "logical_or": [given(flags(3, 4), flags(3, 4))],
    "logical_xor": [given(flags(3, 4), flags(3, 4))],
    "logical_not": [given(flags(3, 4))],
    "bitwise_and": [given(whole(0, 8, 3, 4), whole(0, 8, 3, 4))],
    "bitwise_or": [given(whole(0, 8, 3, 4), whole(0, 8, 3, 4))],
    "bitwise_xor": [given(whole(0, 8, 3, 4), whole(0, 8, 3, 4))],
    "left_shift": [given(whole(0, 8, 3, 4), whole(0, 4, 3, 4))],
    "right_shift": [given(whole(0, 80, 3, 4), whole(0, 4, 3, 4))],
    "invert": [given(whole(0, 8, 3, 4))],
    "where": [given(flags(3, 4), real(3, 4), real(3, 4))],
    "clip": [
        given(real(3, 4), a_min=-0.5, a_max=1.0),
        given(real(3, 4), a_min=0.0, a_max=None),
        given(real(3, 4), a_min=None, a_max=0.5),
    ],
    "maximum": [given(real(3, 4), real(3, 4))],
    "minimum": [given(real(3, 4), real(3, 4))],
    "fmax": [given(real(3, 4), real(3, 4))],
    "fmin": [given(real(3, 4), real(3, 4))],
    # special.py
    "erf": [given(real(3, 4)), given(np.array([0.0, 3.5, 7.0]))],
    "erfc": [given(real(3, 4)), given(np.array([0.0, 3.5, 7.0]))],
    "erfinv": [given(between(-0.95, 0.95, 3, 4))],
    "normal_cdf": [given(real(3, 4)), given(np.array([0.0, 3.5, 7.0]))],
    "normal_density": [given(real(3, 4)), given(np.array([0.0, 3.5, 7.0]))],
    "lgamma": [given(positive(3, 4)), given(between(-4.8, -4.2, 3, 4)), given(between(3, 9, 3, 4))],
    "digamma": [
        given(positive(3, 4)),
        given(between(-4.8, -4.2, 3, 4)),
        given(between(3, 9, 3, 4)),
    ],
    "polygamma": [
        given(positive(3, 4), n=1),
        given(between(-4.8, -4.2, 3, 4), n=2),
        given(between(3.0, 9.0, 3, 4), n=3),
    ],
    "xlogy": [given(real(3, 4), positive(3, 4)), given(np.array([0.0, 2.0]), positive(2))],
    # shape.py
    "cast": [given(real(3, 4), dtype=np.dtype(np.float64))],
    "broadcast_to": [given(real(3, 1), shape=(2, 3, 4)), given(real(), shape=(3, 0))],
    "sum_to": [given(real(2, 3, 4), shape=(3, 1)), given(real(0, 3), shape=(1, 3))],
    "copy": [given(real(3, 4)), given(real())],
    "reshape": [given(real(3, 4), shape=(2, 6)), given(real(0, 2), shape=(2, 0, 3))],
    "transpose": [
        given(real(2, 3, 4), axes=(2, 0, 1)),
        given(real(2, 3, 4), axes=(1, -1, 0)),
        given(real(2, 3)),
    ],
    "flip": [given(real(2, 3, 4), axis=(0, -1)), given(real(3, 4), axis=1), given(real(3))],
    "roll": [
        given(real(3, 4), shift=2, axis=1),
        given(real(3, 4), shift=(1, -2), axis=(0, -1)),
        given(real(3, 4), shift=5),
    ],
    "concatenate": [
        given(real(2, 3), real(1, 3), real(0, 3)),
        given(real(2, 3), real(2, 1), axis=-1),
    ],
    "stack": [given(real(2, 3), real(2, 3)), given(real(3), real(3), axis=-1)],
    "tile": [
        given(real(2, 3), reps=(2, 1, 3)),
        given(real(2, 1, 3), reps=(2,)),
        given(real(3), reps=(2, 0)),
    ],
    "pad": [
        given(real(2, 3), pad_width=((1, 0), (0, 2))),
        given(real(2, 3), pad_width=((0, 0), (1, 1)), constant=-1.5),
    ],
    "tril": [given(real(3, 4)), given(real(2, 3, 3), k=-1)],
    "triu": [given(real(3, 4)), given(real(2, 3, 3), k=1)],
    "diagonal": [
        given(real(3, 4)),
        given(real(3, 4), offset=-1),
        given(real(3, 2, 4), offset=1, axis1=-1, axis2=0),
    ],
    "undiagonal": [
        given(real(2), offset=-1, axis1=0, axis2=1, shape=(3, 4)),
        given(real(2, 2), offset=1, axis1=-1, axis2=0, shape=(3, 2, 4)),
    ],
    # index.py
    "getitem": [
        given(real(4, 5), key=1),
        given(real(4, 5), key=(slice(None, None, -2), None, slice(1, 4))),
        given(real(4, 5), key=(..., 2)),
        given(real(0, 3), key=slice(0, 2)),
    ],
    "ungetitem": [
        given(real(5), key=1, shape=(4, 5)),
        given(real(2, 1, 3), key=(slice(None, None, -2), None, slice(1, 4)), shape=(4, 5)),
    ],
    "windows": [
        given(real(2, 5), axis=1, size=3, step=1),
        given(real(5, 2), axis=0, size=2, step=3),
        given(real(3), axis=0, size=0, step=2),
    ],
    "unwindows": [
        given(real(2, 3, 3), axis=1, step=1, shape=(2, 5)),
        given(real(2, 2, 2), axis=0, step=3, shape=(5, 2)),
        given(real(2, 0), axis=0, step=2, shape=(3,)),
    ],
    "index": [
        given(real(4, 5), np.array([0, 2, 0]), form=((),)),
        given(real(4, 5), np.array([[0, -1], [2, 0]]), form=((slice(None),), ())),
        given(real(4, 5), np.array([[0], [2]]), np.array([1, 1, 3]), form=((), ())),
        given(real(2, 3), np.array([[True, False, True], [False, True, True]]), form=((),)),
        given(real(4, 2, 5), np.array([0, -1]), np.array([1, 1]), form=((), (slice(1),), ())),
    ],
    "unindex": [
        given(real(3, 5), np.array([0, 2, 0]), form=((),), shape=(4, 5)),
        given(real(4, 2), np.array([0, -5]), form=((slice(None),), ()), shape=(4, 5)),
        given(real(3), np.array([0, 2, 0]), np.array([1, 1, 1]), form=((), ()), shape=(4, 5)),
        given(real(2), np.array([True, False, True]), form=((),), shape=(3,)),
    ],
    "indices": [given(whole(0, 3, 2, 3), axis=1, count=3)],
    "index_put": [
        given(real(4, 5), real(2, 5), np.array([0, 2]), form=((),)),
        given(real(4, 5), real(2), np.array([0, -1]), np.array([1, 4]), form=((), ())),
        given(real(3), real(), np.array([True, False, True]), form=((),)),
    ],
    "put": [
        given(real(3, 4), real(2), positions=np.array([1, 7])),
        given(real(3, 4), 0.0, positions=np.array([[0, 3]])),
    ],
    "take": [given(real(3, 4), positions=np.array([[1, 7], [1, 0]]))],
    "untake": [given(real(2, 2), positions=np.array([[1, 7], [1, 0]]), shape=(3, 4))],
    "gather": [
        given(real(3, 4), np.array([[0, 3], [1, 1]]), axis=1),
        given(real(3, 4), np.array([[2, 0, 1, 2]]), axis=0),
    ],
    "ungather": [given(real(2, 2), np.array([[0, 3], [1, 1]]), axis=1, shape=(3, 4))],
    "scatter": [
        given(real(3, 4), np.array([[0, 3], [1, 2]]), real(2, 2), axis=1),
        given(real(3, 4), np.array([[2, 0, 1, 2]]), 0.0, axis=0),
    ],
    "repeat": [
        given(real(3, 4), 2, axis=1),
        given(real(3, 4), np.array([2, 0, 1]), axis=0),
    ],
    # activation.py
    "leaky_relu": [
        given(real(3, 4), slope=0.1),
        given(real(3, 4), slope=-0.5),
        given(real(3, 4), slope=2.0),
    ],
    "elu": [given(real(3, 4)), given(real(3, 4), alpha=0.7, rate=2.0)],
    "log_sigmoid": [given(real(3, 4))],
    "softplus": [given(real(3, 4), beta=2.0, threshold=1.7)],
    # loss.py
    "mean_square_error": [
        given(real(3, 4), real(3, 4)),
        given(real(3, 1), real(4)),
        given(real(), real()),
    ],
    "binary_cross_entropy": [given(between(0.1, 0.9, 3, 4), between(0.0, 1.0, 3, 4))],
    "binary_cross_entropy_with_logits": [given(real(3, 4), between(0.0, 1.0, 3, 4))],
    "nll_loss": [
        given(real(3, 4), np.array([0, 3, 1]), ignore_index=-100),
        given(real(3, 4), np.array([-1, 2, 2]), ignore_index=-1),
    ],
    "nll_loss_x": [given(real(), np.array([-1, 2, 2]), ignore_index=-1, shape=(3, 4))],
    # scatter.py
    "scatter_extreme": [
        given(real(3, 4), np.array([[0, 3, 0], [1, 1, 1]]), real(2, 3), axis=1, largest=True),
        given(real(3, 4), np.array([[0, 2, 1, 1]]), real(1, 4), axis=0, largest=False),
    ],
    "scatter_prod": [
        given(real(3, 4), np.array([[0, 3, 0], [1, 1, 1]]), real(2, 3), axis=1),
        given(real(3, 4), np.array([[0, 2, 1, 1]]), real(1, 4), axis=0),
    ],
    # order.py
    "argsort": [
        given(real(3, 4)),
        given(np.array([2.0, np.nan, 1.0, 2.0]), descending=True),
        given(real(3, 4), axis=0),
    ],
    "unique": [
        given(np.array([3.0, 1.0, 3.0])),
        given(np.array([3, 1, 3]), part=1),
        given(np.array([[3, 1, 3], [2, 2, 2], [3, 1, 3]]), part=2, axis=0),
    ],
    "searchsorted": [
        given(np.array([1.0, 2.0, 3.0]), real(3, 4)),
        given(np.array([[1, 2, 2], [0, 1, 2]]), np.array([[2], [2]]), side="right"),
    ],
    "bincount": [
        given(np.array([1, 3, 1])),
        given(np.array([1, 3, 1]), np.array([0.5, 1.0, 2.0]), minlength=6),
    ],
    "isin": [given(np.array([[1, 2], [3, 4]]), np.array([2, 4, 6]))],
    "nonzero": [given(whole(0, 2, 3, 4))],
    # reduce.py
    "sum": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
        given(real(2, 0, 3), axis=1),
        given(real()),
    ],
    "mean": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
        given(real()),
    ],
    "prod": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 2), axis=(0, -1), keepdims=True),
        given(np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.5], [0.5, 2.5, 4.0]]), axis=-1),
        given(real(2, 0, 3), axis=1),
        given(real()),
    ],
    "cumsum": [given(real(3, 4), axis=1), given(real(3, 4), axis=-2), given(real(0), axis=0)],
    "cumprod": [
        given(real(3, 4), axis=1),
        given(real(5, 2), axis=-2),
        given(np.array([2.0, 0.0, 3.0, 0.0, 1.5]), axis=0),
    ],
    "var": [
        given(real(3, 4)),
        given(real(3, 4), axis=1, ddof=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
    ],
    "std": [
        given(real(3, 4)),
        given(real(3, 4), axis=1, ddof=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
    ],
    "vector_norm": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
        given(real(3, 4), ord=1, axis=0),
        given(real(3, 4), ord=3, axis=1),
        given(real(3, 4), ord=0.5, axis=1),
        given(real(3, 4), ord=-1),
    ],
    "amax": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
    ],
    "amin": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
    ],
    "median": [given(real(3, 4)), given(real(5))],
    "argmax": [given(real(3, 4)), given(real(3, 4), axis=1, keepdims=True)],
    "argmin": [given(real(3, 4)), given(real(3, 4), axis=1, keepdims=True)],
    "argmedian": [given(real(3, 4), axis=1), given(real(3, 4), axis=0, keepdims=True)],
    "cumargmax": [given(real(3, 4), axis=1)],
    "cumargmin": [given(real(3, 4), axis=1)],
    "any": [given(flags(3, 4)), given(flags(3, 4), axis=1, keepdims=True)],
    "all": [given(flags(3, 4)), given(flags(3, 4), axis=1, keepdims=True)],
    "count_nonzero": [given(whole(0, 2, 3, 4)), given(whole(0, 2, 3, 4), axis=1)],
    "logsumexp": [
        given(real(3, 4)),
        given(real(3, 4), axis=1),
        given(real(2, 3, 4), axis=(0, -1), keepdims=True),
    ],
    "standardize": [
        given(real(3, 4), real(4), real(4), eps=0.01),
        given(real(2, 3, 5), real(5), real(5), eps=1e-5),
        given(real(4), real(4), real(4), eps=0.1),
        given(real(0, 4), real(4), real(4), eps=0.1),
    ],
    "softmax": [given(real(3, 4), axis=1), given(real(2, 3, 4), axis=0)],
    "log_softmax": [given(real(3, 4), axis=1), given(real(2, 3, 4), axis=0)],
    # random.py
    "uniform": [given(size=(3, 4), dtype=np.dtype(np.float32), generator=seeded())],
    "normal": [given(size=(3, 4), dtype=np.dtype(np.float32), generator=seeded())],
    "exponential": [given(size=(3, 4), dtype=np.dtype(np.float32), generator=seeded())],
    "integers": [given(low=-2, high=5, size=(3,), dtype=np.dtype(np.int64), generator=seeded())],
    "permutation": [given(n=5, dtype=np.dtype(np.int64), generator=seeded())],
    "bernoulli": [given(between(0, 1, 3, 4), generator=seeded())],
    "poisson": [given(positive(3, 4), generator=seeded())],
    "multinomial": [
        given(positive(3, 4), count=2, replacement=False, generator=seeded()),
        given(positive(4), count=6, replacement=True, generator=seeded()),
    ],
    # linalg.py
    "matmul": [
        given(real(3, 4), real(4, 2)),
        given(real(4), real(4)),
        given(real(3, 4), real(4)),
        given(real(4), real(4, 2)),
        given(real(2, 3, 4), real(4, 2)),
        given(real(2, 3, 4), real(4)),
        given(real(4), real(2, 4, 3)),
        given(real(3, 4), real(2, 4, 3)),
        given(real(2, 1, 2, 3), real(3, 3, 2)),
        given(real(3, 0), real(0, 2)),
        given(real(0, 3), real(3, 2)),
    ],
    "linear": [
        given(real(5, 3), real(2, 3), real(2)),
        given(real(5, 3), real(2, 3)),
        given(real(3), real(2, 3), real(2)),
        given(real(2, 4, 3), real(2, 3), real(2)),
        given(real(0, 3), real(2, 3), real(2)),
    ],
    "einsum": [
        given(real(3, 4), real(4, 2), subscripts="ij,jk"),
        given(real(2, 3, 4), real(2, 4, 2), subscripts="bij,bjk->bik"),
        given(real(2, 3, 4), real(4, 3), real(2), subscripts="...ij,jk,...->...ki"),
        given(real(3, 3), subscripts="ii->i"),
        given(real(2, 3, 3), subscripts="aii"),
        given(real(3, 2), subscripts="ij->j"),
        given(real(3), real(3), subscripts="i,i"),
        given(real(3), real(2), subscripts="i,j->ji"),
        given(real(2, 3), real(2, 3), real(3), subscripts="ij,ij,j->i"),
        given(real(1, 3), real(4, 3), subscripts="ij,ij->ij"),
        given(real(3, 0), real(0, 2), subscripts="ij,jk->ik"),
    ],
    # window.py: along each axis size, step, dilation, padding before, count
    "elman": [
        given(between(-1, 1, 3, 2, 4), between(-1, 1, 2, 4), between(-1, 1, 4, 4)),
        given(real(3, 2, 3), real(2, 3), real(3, 3), relu=True),
        given(between(-1, 1, 1, 1, 1), between(-1, 1, 1, 1), between(-1, 1, 1, 1), relu=False),
        given(real(2, 0, 3), real(0, 3), real(3, 3)),
    ],
    "lstm": [
        given(
            *(between(-1, 1, 3, 2, 12), between(-1, 1, 2, 3), between(-1, 1, 2, 3)),
            between(-1, 1, 12, 3),
        ),
        given(
            *(between(-1, 1, 1, 1, 4), between(-1, 1, 1, 1), between(-1, 1, 1, 1)),
            between(-1, 1, 4, 1),
        ),
        given(real(2, 0, 8), real(0, 2), real(0, 2), real(8, 2)),
    ],
    "convolve": [
        given(real(2, 2, 4, 5), real(3, 2, 2, 3), real(3, 1, 1), windows=PLAIN, groups=1),
        given(real(2, 4, 5, 6), real(6, 2, 3, 2), real(6, 1, 1), windows=UNEVEN, groups=2),
        given(real(2, 3, 4), real(4, 3, 2), 0.0, windows=((2, 1, 2, 1, 4),), groups=1),
        given(real(1, 2, 3, 2, 4), real(2, 1, 2, 1, 2), 0.0, windows=SOLID, groups=2),
        given(real(0, 2, 4, 5), real(3, 2, 2, 3), real(3, 1, 1), windows=PLAIN, groups=1),
    ],
    "convolve_w": [
        given(real(2, 3, 3, 3), real(2, 2, 4, 5), windows=PLAIN, groups=1),
        given(real(2, 6, 4, 3), real(2, 4, 5, 6), windows=UNEVEN, groups=2),
    ],
    "convolve_x": [
        given(real(2, 3, 3, 3), real(3, 2, 2, 3), windows=PLAIN, groups=1, lengths=(4, 5)),
        given(real(2, 6, 4, 3), real(6, 2, 3, 2), windows=UNEVEN, groups=2, lengths=(5, 6)),
        given(real(1, 2, 2, 2, 2), real(2, 1, 2, 1, 2), windows=SOLID, groups=2, lengths=(3, 2, 4)),
        given(real(1, 1, 2, 2), real(1, 2, 3, 1), windows=APART, groups=1, lengths=(9, 2)),
    ],
    "im2col": [
        given(real(2, 4, 5), windows=PLAIN),
        given(real(5, 6), windows=UNEVEN),
        given(real(2, 4), windows=((2, 2, 1, 0, 2),)),
    ],
    "col2im": [
        given(real(2, 2, 3, 3, 3), windows=PLAIN, lengths=(4, 5)),
        given(real(3, 2, 4, 3), windows=UNEVEN, lengths=(5, 6)),
    ],
    "max_pool": [
        given(real(2, 4, 5), windows=PLAIN),
        given(real(5, 6), windows=UNEVEN),
        given(real(2, 0, 5), windows=((3, 2, 1, 1, 3),)),
    ],
    "max_pool_positions": [given(real(4, 5), real(3, 3), windows=PLAIN)],
    "max_pool_x": [
        given(real(2, 3, 3), real(2, 4, 5), real(2, 3, 3), windows=PLAIN),
        given(real(0, 2), real(0, 4), real(0, 2), windows=((2, 2, 1, 0, 2),)),
    ],
    "at_largest": [
        given(real(2, 4, 5), real(2, 4, 5), real(2, 3, 3), windows=PLAIN),
        given(real(0, 4), real(0, 4), real(0, 2), windows=((2, 2, 1, 0, 2),)),
    ],
    # decompositions.py
    "inv": [given(regular(3, 3)), given(regular(2, 1, 2, 2)), given(regular(0, 0))],
    "solve": [
        given(regular(3, 3), real(3, 2)),
        given(regular(2, 1, 3, 3), real(4, 3, 1)),
        given(regular(0, 0), real(0, 2)),
    ],
    "solve_triangular": [
        given(regular(3, 3), real(3, 2), upper=True),
        given(regular(2, 3, 3), real(3, 1), upper=False),
        given(regular(3, 3), real(2, 3, 2), upper=False, unit=True),
    ],
    "det": [given(regular(3, 3)), given(regular(2, 2, 2)), given(regular(0, 0))],
    "cofactor": [given(regular(3, 3)), given(regular(2, 2, 2))],
    "slogdet": [given(regular(3, 3)), given(regular(2, 2, 2))],
    "cholesky": [given(definite(3, 3)), given(definite(2, 2, 2)), given(definite(0, 0))],
    "qr": [
        given(regular(3, 3)),
        given(real(2, 4, 2)),
        given(real(2, 4)),
        given(regular(3, 3), complete=True),
        given(real(0, 2)),
    ],
    "eigh": [given(definite(3, 3)), given(definite(2, 2, 2), UPLO="U"), given(definite(0, 0))],
    "eigvalsh": [given(definite(3, 3)), given(definite(2, 2, 2), UPLO="U")],
    "svd": [
        given(regular(3, 3)),
        given(real(2, 4, 2)),
        given(real(2, 4)),
        given(regular(3, 3), full=True),
        given(real(0, 2)),
    ],
    "svdvals": [given(regular(3, 3)), given(real(2, 4, 2)), given(real(2, 4))],
    "pinv": [
        given(regular(3, 3), 0.0, 1e-9),
        given(real(2, 4, 2), 0.0, 1e-9),
        given(real(2, 4), 0.0, 1e-9),
        given(definite(3, 3), 0.0, 1e-9, hermitian=True),
    ],
}
"""For each operation, by name, what to call it with."""
