"""How exact float64 gradients are: a bound of 1e-12, relative, for every smooth operation.

The reference is the complex step through the operation's own forward; where that is not analytic,
through a second definition; where NumPy has no such function of complex numbers, differences of a
definition in 60 digits, or of the decomposition of a matrix in 60 digits.
"""

from collections.abc import Callable

import numpy as np
import pytest

from autodiff.families import REGISTRY
from autodiff.primitive import Primitive
from tests.autodiff.samples import SAMPLES, Sample, given
from tests.autodiff.test_primitives import active, forward, gradients, prepared, weights
from tests.reference import complex_step

BOUND = 1e-12

DEFINITIONS: dict[str, Callable] = {
    "absolute": lambda mp, x: abs(x),
    "arctan2": lambda mp, x, y: mp.atan2(x, y),
    "binary_cross_entropy_with_logits": lambda mp, x, y: mp.log(1 + mp.exp(x)) - x * y,
    "cast": lambda mp, x, dtype: x,
    "digamma": lambda mp, x: mp.digamma(x),
    "erf": lambda mp, x: mp.erf(x),
    "erfc": lambda mp, x: mp.erfc(x),
    "erfinv": lambda mp, x: mp.erfinv(x),
    "hypot": lambda mp, x, y: mp.sqrt(x * x + y * y),
    "lgamma": lambda mp, x: mp.log(abs(mp.gamma(x))),
    "logaddexp": lambda mp, x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "normal_cdf": lambda mp, x: mp.ncdf(x),
    "normal_density": lambda mp, x: mp.npdf(x),
    "polygamma": lambda mp, x, n: mp.psi(n, x),
    "log_sigmoid": lambda mp, x: -mp.log(1 + mp.exp(-x)),
    "softplus": lambda mp, x, beta, threshold: (
        x if beta * x > threshold else mp.log(1 + mp.exp(beta * x)) / beta
    ),
    "remainder": lambda mp, x, y: x - y * mp.floor(x / y),
    "fmod": lambda mp, x, y: x - y * (mp.floor(x / y) if x * y > 0 else mp.ceil(x / y)),
}
"""Elementwise operations that NumPy does not continue analytically, in terms of mpmath."""


def _vector_norm(x, ord=2, axis=None, keepdims=False):
    return np.sum(np.where(x.real < 0, -x, x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _table(matrix):
    """A matrix of mpmath's as an array."""
    return np.array(matrix.tolist(), dtype=object)


def _signed(rows, like):
    """The rows, each with the sign of the row of `like`: a vector of either sign is as good."""
    return np.where(np.sum(rows * like, axis=-1, keepdims=True) < 0, -rows, rows)


def _qr(mp, x, like, complete=False):
    q, _ = mp.qr(x[:, : min(x.rows, x.cols)], mode="skinny")
    return _signed(np.concatenate((_table(q.T), _table(q.T * x)), -1), like)


def _eigh(mp, x, like, UPLO="L"):
    w, v = mp.eigsy((x + x.T) / 2)
    return np.concatenate((_table(w), _signed(_table(v.T), like[:, 1:])), -1)


def _svd(mp, x, like, full=False):
    u, s, vh = mp.svd_r(x)
    vectors = np.concatenate((_table(u.T), _table(vh)), -1)
    return np.concatenate((_table(s), _signed(vectors, like[:, 1:])), -1)


def _pinv(mp, x, like, atol, rtol, hermitian=False):
    return _table((x.T * x) ** -1 * x.T if x.rows >= x.cols else x.T * (x * x.T) ** -1)


DECOMPOSITIONS: dict[str, Callable] = {
    "cholesky": lambda mp, x, like: _table(mp.cholesky((x + x.T) / 2)),
    "cofactor": lambda mp, x, like: _table(mp.det(x) * x.T**-1),
    "eigh": _eigh,
    "eigvalsh": lambda mp, x, like, UPLO="L": np.array(list(mp.eigsy((x + x.T) / 2, True))),
    "pinv": _pinv,
    "qr": _qr,
    "slogdet": lambda mp, x, like: np.array([mp.sign(mp.det(x)), mp.log(abs(mp.det(x)))]),
    "svd": _svd,
    "svdvals": lambda mp, x, like: np.array(list(mp.svd_r(x, compute_uv=False))),
}
"""Functions of one matrix in terms of mpmath; `like` is the result in float64."""


CONTINUED: dict[str, Callable] = {"vector_norm": _vector_norm}
"""The same functions for complex numbers, where the operation's own forward is not analytic."""

EXTREMES: dict[str, list[float]] = {
    "exp": [-700.0, 700.0],
    "exp2": [-1000.0, 1000.0],
    "log": [1e-50, 1e300],
    "log2": [1e-50, 1e300],
    "log10": [1e-50, 1e300],
    "log1p": [-0.999999, 1e-12, 1e300],
    "sqrt": [1e-50, 1e300],
    "arcsin": [-0.9999999999, 1e-12, 0.999999],
    "arccos": [-0.9999999999, 1e-12, 0.999999],
    "arctan": [-1e8, 1e-12, 1e8],
    "arcsinh": [-1e8, 1e-12, 1e8],
    "arccosh": [1.0000000001, 1e8],
    "arctanh": [-0.9999999999, 1e-12, 0.999999],
    "sinh": [-700.0, 1e-12, 700.0],
    "cosh": [-700.0, 1e-12, 700.0],
    "erf": [-26.0, 1e-12, 26.0],
    "erfc": [-26.0, 1e-12, 26.0],
    "erfinv": [-0.9999999999, 1e-12, 0.999999],
    "lgamma": [0.001, 1.5, 1e10],
    "digamma": [0.001, 1.5, 1e10],
}
"""Far points where the digits hold too. Those of sigmoid, tanh and expm1 do not hold far out, where
these are constant in their digits: their derivatives are computed from their values."""

STEPS = {"sign", "floor", "ceil", "trunc", "rint", "floor_divide", "trunc_divide"}
"""Operations whose derivative is 0 and whose forward takes no complex numbers."""


def smooth() -> list[Primitive]:
    """The operations with a derivative that is not 0 everywhere."""
    return [p for p in REGISTRY.values() if p.rules and p.name in SAMPLES and p.name not in STEPS]


def by_complex_step(primitive: Primitive, sample: Sample, g: np.ndarray) -> list[np.ndarray]:
    """The gradients by the active arguments, element by element."""
    arrays = prepared(primitive, sample)
    positions = active(primitive, sample)
    for i in positions:
        arrays[i] = arrays[i].astype(complex)
    results = []
    for i in positions:

        def f(x, i=i):
            moved = [*arrays[:i], x, *arrays[i + 1 :]]
            if primitive.name in CONTINUED:
                return np.sum(g * CONTINUED[primitive.name](*moved, **sample.parameters))
            return np.sum(g * forward(primitive, moved, sample))

        result = np.empty(arrays[i].shape)
        for index in np.ndindex(result.shape):
            direction = np.zeros(result.shape)
            direction[index] = 1.0
            result[index] = complex_step(f, [arrays[i]], [direction])
        results.append(result)
    return results


def by_definition(primitive: Primitive, sample: Sample, g: np.ndarray) -> list[np.ndarray]:
    """The same for an elementwise operation, by central differences of its definition."""
    mpmath = pytest.importorskip("mpmath")
    definition = DEFINITIONS[primitive.name]
    arrays = np.broadcast_arrays(*prepared(primitive, sample))
    results = []
    with mpmath.workdps(60):
        step = mpmath.mpf(10) ** -20
        for i in active(primitive, sample):
            result = np.empty(g.shape)
            for index in np.ndindex(g.shape):
                x = [mpmath.mpf(float(a[index])) for a in arrays]
                above, below = (
                    definition(mpmath, *x[:i], x[i] + h, *x[i + 1 :], **sample.parameters)
                    for h in (step, -step)
                )
                result[index] = g[index] * float((above - below) / (2 * step))
            results.append(result)
    return results


def by_decomposition(primitive: Primitive, sample: Sample, g: np.ndarray) -> list[np.ndarray]:
    """The same for a function of matrices, by central differences of its definition."""
    mpmath = pytest.importorskip("mpmath")
    definition = DECOMPOSITIONS[primitive.name]
    x, *others = prepared(primitive, sample)
    out = forward(primitive, [x, *others], sample)
    result = np.zeros(x.shape)
    with mpmath.workdps(60):
        step = mpmath.mpf(10) ** -20
        for *batch, i, j in np.ndindex(x.shape):
            at, moved = tuple(batch), []
            for h in (step, -step):
                matrix = mpmath.matrix(x[at].tolist())
                matrix[i, j] += h
                moved.append(definition(mpmath, matrix, out[at], *others, **sample.parameters))
            result[(*at, i, j)] = float(np.sum(g[at] * (moved[0] - moved[1])) / (2 * step))
    return [result]


def worst_error(primitive: Primitive) -> float:
    """The largest relative error of a gradient over the samples.

    Relative to the element for elementwise operations, to the largest element for others.
    """
    worst = 0.0
    points = EXTREMES.get(primitive.name)
    for sample in [*SAMPLES[primitive.name], *([given(np.array(points))] if points else [])]:
        g = weights(forward(primitive, prepared(primitive, sample), sample))
        if primitive.family == "elementwise":
            g = np.ones(g.shape)
        method = by_complex_step
        if primitive.name in DEFINITIONS:
            method = by_definition
        elif primitive.name in DECOMPOSITIONS:
            method = by_decomposition
        expected = method(primitive, sample, g)
        found = gradients(primitive, prepared(primitive, sample), sample, g)
        for a, b in zip(found, expected, strict=True):
            scale = np.abs(b) if primitive.family == "elementwise" else np.max(np.abs(b), initial=0)
            error = np.abs(a._array - b) / np.where(scale == 0, 1.0, scale)
            worst = max(worst, float(np.max(error, initial=0)))
    return worst


def worst_errors() -> dict[str, float]:
    """The worst error of each smooth operation by name, the worst first: a table for a report."""
    errors = {primitive.name: worst_error(primitive) for primitive in smooth()}
    return dict(sorted(errors.items(), key=lambda item: item[1], reverse=True))


@pytest.mark.parametrize("primitive", smooth(), ids=lambda p: p.name)
def test_gradients_are_exact_to_twelve_digits(primitive: Primitive):
    assert worst_error(primitive) <= BOUND
