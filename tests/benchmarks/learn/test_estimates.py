"""Experiments whose answers statistics knows: Poisson regression, ridge, lasso, a polynomial."""

import numpy as np
import pytest

import autodiff
from benchmarks.data.simulated import poisson_counts, sparse_line
from benchmarks.learn import penalties, poisson, polynomial
from benchmarks.learn.figures import value


def test_poisson_regression_equals_iteratively_reweighted_least_squares():
    x, y = poisson_counts(np.random.RandomState(1))
    design = np.column_stack([x, np.ones(len(x))])
    fitted = np.zeros(4)
    for _ in range(30):
        mean = np.exp(design @ fitted)
        response = mean * (design @ fitted) + y[:, 0] - mean
        fitted = np.linalg.solve(design.T * mean @ design, design.T @ response)
    assert [f"{number:.6f}" for number in fitted] == list(poisson.FITTED.values())
    *coefficients, _ = poisson.run()
    assert all(figure.ok for figure in coefficients)
    np.testing.assert_allclose([figure.value for figure in coefficients], fitted, atol=1e-8)


def test_poisson_regression_equals_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = poisson_counts(np.random.RandomState(1))
    model = linear_model.PoissonRegressor(
        alpha=0, solver="newton-cholesky", tol=1e-14, max_iter=1000
    )
    model.fit(x, y[:, 0])
    found = [f"{number:.6f}" for number in (*model.coef_, model.intercept_)]
    assert found == list(poisson.FITTED.values())


def summary(weights):
    return (*weights[:3], np.abs(weights[3:]).max())


def test_exact_estimates_are_minima():
    x, y = sparse_line(np.random.RandomState(1))
    x, y = x - x.mean(0), y[:, 0] - y.mean()
    ridge = np.linalg.solve(x.T @ x / len(x) + 0.5 * np.eye(10), x.T @ y / len(x))
    np.testing.assert_allclose(summary(ridge), penalties.EXACT["ridge"], atol=1e-6)
    lasso = np.array([*penalties.EXACT["lasso"][:3], *[0] * 7])
    slope = x.T @ (y - x @ lasso) / len(x)  # 1/4 of the sign where a weight is not 0
    np.testing.assert_allclose(slope[:3], [0.25, -0.25, 0.25], atol=1e-5)
    assert np.all(np.abs(slope[3:]) < 0.25)


def test_exact_estimates_equal_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = sparse_line(np.random.RandomState(1))
    models = {
        "ridge": linear_model.Ridge(alpha=0.5 * len(x)),
        "lasso": linear_model.Lasso(alpha=0.25, tol=1e-14, max_iter=100_000, random_state=0),
    }
    for name, model in models.items():
        found = summary(model.fit(x, y[:, 0]).coef_)
        np.testing.assert_allclose(found, penalties.EXACT[name], atol=1e-6)


def test_minibatches_come_close_to_the_exact_estimates():
    figures = penalties.run(compiled=True)
    assert len([figure for figure in figures if figure.ok]) == 8
    assert not [figure for figure in figures if figure.ok is False]


def test_compiled_penalties_train_as_the_eager_ones():
    for penalty in ("ridge", "lasso"):
        eager, compiled = (penalties.train(penalty, 0, 3, each) for each in (False, True))
        np.testing.assert_allclose(compiled.weight.detach(), eager.weight.detach(), rtol=1e-4)


def test_more_epochs_lower_the_error_on_the_polynomial():
    figures = polynomial.run()
    assert not [figure for figure in figures if figure.ok is False]
    assert value(figures, "largest miss on the finer grid") < 1e-6


def test_monomials_of_a_point():
    x, y = autodiff.tensor([2.0]), autodiff.tensor([3.0])
    assert polynomial.monomials(x, y).tolist() == [[2, 3, 4, 6, 9, 8, 12, 18, 27]]
    assert polynomial.surface(x, y).item() == 2 + 6 + 12 + 24 + 45
