"""The complex step: exact where it goes through, refused where it does not."""

import numpy as np
import pytest

from autodiff.testing.stepped import NotAnalyticError, Stepped, derivative, still

X = np.array([0.4, 0.9, -0.7])
D = np.array([1.0, -2.0, 0.5])

ANALYTIC = {
    "sin": (np.sin, np.cos(X) * D),
    "powers": (lambda x: x**3 - 2 / x, (3 * X**2 + 2 / X**2) * D),
    "absolute": (np.abs, np.sign(X) * D),
    "maximum": (lambda x: np.maximum(x, 0.0), (X > 0) * D),
    "where": (lambda x: np.where(x > 0.5, x**2, 3 * x), np.where(X > 0.5, 2 * X, 3.0) * D),
    "a branch": (lambda x: x if x[0] > 0 else -x, D),
    "floor": (np.floor, 0 * D),
    "methods": (lambda x: x.reshape(3, 1).sum(1).copy(), D),
    "matmul": (lambda x: np.outer(x, x) @ np.ones(3), D * X.sum() + X * D.sum()),
    "writing": (lambda x: _doubled_first(x.copy()), D * np.array([2.0, 1.0, 1.0])),
    "stack": (lambda x: np.stack([x, np.ones(3)])[0], D),
    "zeros like": (lambda x: np.zeros_like(x) + x, D),
    "out": (lambda x: np.multiply(x, 2.0, out=np.zeros_like(x)), 2 * D),
    "constant": (lambda x: np.ones(3), 0 * D),
}


def _doubled_first(x):
    x[0] *= 2.0
    return x


@pytest.mark.parametrize(("function", "expected"), ANALYTIC.values(), ids=ANALYTIC)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_derivatives_are_exact(function, expected, dtype):
    value, found = derivative(lambda arrays: function(arrays[0]), [X.astype(dtype)], 0, D)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(value, function(X), rtol=4 * eps)
    np.testing.assert_allclose(found, expected, rtol=8 * eps, atol=4 * eps)


REFUSED = {
    "taken out": np.asarray,
    "real part": lambda x: x.real,
    "as Python numbers": lambda x: x.tolist(),
    "conjugate": np.conjugate,
    "norm": np.linalg.norm,
    "variance": np.var,
    "svd": lambda x: np.linalg.svd(x[:, None] * x),
    "cholesky": lambda x: np.linalg.cholesky(x[:, None] * x + 2 * np.eye(3)),
    "into real numbers": lambda x: np.multiply(x, 2.0, out=np.zeros(3)),
    "a tie": lambda x: np.maximum(x, x[0].numbers.real),
    "a comparison at a tie": lambda x: np.where(x > X, x, 0.0),
    "at the kink": lambda x: np.abs(x - X),
    "at the jump": lambda x: np.floor(x - X),
}


@pytest.mark.parametrize("function", REFUSED.values(), ids=REFUSED)
def test_what_is_not_analytic_is_refused(function):
    with pytest.raises(TypeError):
        derivative(lambda arrays: function(arrays[0]), [X], 0, D)


def test_refusals_tell_why():
    with pytest.raises(NotAnalyticError, match="drops the infinitesimal parts"):
        np.linalg.norm(still(X))


def test_it_looks_like_an_array_of_real_numbers():
    x = still(np.ones((2, 3), np.float32))
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert x.dtype == np.float32 and x.itemsize == 4
    assert isinstance(x.T, Stepped) and x.T.shape == (3, 2)
    assert x.astype(np.float64).dtype == np.float64
    assert x.astype(np.int64).dtype == np.int64
