"""Data simulated as the documents that inspired these programs simulate theirs.

Every function takes a `numpy.random.RandomState`, the legacy generator, because its stream is
fixed for ever: the same seed gives the data the printed results belong to. Initial weights are
drawn from the same generator afterwards, so the order of draws is part of each definition.
"""

import numpy as np


def noisy_line(draws: np.random.RandomState, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """A plane over the unit square with normal noise: y = 1 + 2 x0 + x1 + e.

    Shapes: () -> x (n, 2), y (n, 1), both float64.
    """
    x = draws.rand(n, 2)
    y = 1 + 2 * x[:, 0] + x[:, 1] + draws.randn(n)
    return x, y.reshape(-1, 1)


def noisy_sine(
    draws: np.random.RandomState, n: int = 1000, length: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of sin(t) + 0.1 e on n points of [0, 10], and the value following each window.

    Shapes: () -> x (n - length, length, 1), y (n - length, 1), both float64.
    """
    series = np.sin(np.linspace(0, 10, n)) + draws.normal(0, 0.1, n)
    windows = np.lib.stride_tricks.sliding_window_view(series, length)[:-1]
    return windows[:, :, None].copy(), series[length:, None].copy()


def two_clouds(draws: np.random.RandomState, n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated normal clouds, around (0, 0) with label 0 and around (5, 5) with label 1.

    The draw is `scipy.stats.multivariate_normal.rvs` for the covariance [[1, 3/4], [3/4, 1]]:
    standard normals times the root of the covariance that its singular value decomposition gives.
    The root is written out, since the signs of singular vectors are the LAPACK library's choice.

    Shapes: () -> x (n, 2) float64, label (n,) int64; the first half has label 0.
    """
    root = np.sqrt([[1.75], [0.25]]) * np.array([[-1.0, -1.0], [-1.0, 1.0]]) * np.sqrt(0.5)
    near = draws.standard_normal((n // 2, 2)) @ root
    far = draws.standard_normal((n // 2, 2)) @ root + 5.0
    return np.concatenate([near, far]), np.repeat([0, 1], n // 2)


def poisson_counts(draws: np.random.RandomState, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Counts whose logarithmic mean is linear: log E(y) = 0.5 + 0.6 x0 - 0.4 x1 + 0.2 x2.

    Shapes: () -> x (n, 3) standard normal, y (n, 1) whole numbers; both float64.
    """
    x = draws.randn(n, 3)
    counts = draws.poisson(np.exp(0.5 + x @ [0.6, -0.4, 0.2]))
    return x, counts.astype(float).reshape(-1, 1)


def sparse_line(draws: np.random.RandomState, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A linear law of ten inputs that uses three: y = 1 + 3 x0 - 2 x1 + x2 + e.

    Shapes: () -> x (n, 10) standard normal, y (n, 1); both float64.
    """
    x = draws.randn(n, 10)
    y = 1 + x[:, :3] @ [3.0, -2.0, 1.0] + draws.randn(n)
    return x, y.reshape(-1, 1)
