"""Differences along a line, and whether the error they estimate is the one they have."""

import math

import numpy as np
import pytest

from autodiff.testing.differences import central, one_sided

SMOOTH = {
    "sin": (math.sin, 1.0),
    "exp": (math.exp, 1.0),
    "a fast wave": (lambda t: math.sin(300 * t), 300.0),
    "a slow line": (lambda t: 5.0 + 1e-6 * t, 1e-6),
    "a near pole": (lambda t: 1 / (t + 0.05), -400.0),
    "constant": (lambda t: 7.0, 0.0),
    "a far kink": (lambda t: abs(t + 1e-3), 1.0),
    "a near edge": (lambda t: math.log(t + 1e-4) if t > -1e-4 else math.nan, 1e4),
}


@pytest.mark.parametrize(("phi", "expected"), SMOOTH.values(), ids=SMOOTH)
def test_estimated_error_holds(phi, expected):
    found = central(phi, abs(phi(0.0)))
    assert abs(found.value - expected) <= 30 * found.error
    assert found.error <= 1e-8 * max(abs(expected), 1e-2)
    for side in one_sided(phi, abs(phi(0.0))):
        assert abs(side.value - expected) <= 30 * side.error


def test_slopes_at_a_kink_differ():
    left, right = one_sided(lambda t: max(t, 0.0) + t, 0.0)
    assert left.value == pytest.approx(1.0) and right.value == pytest.approx(2.0)


def test_jump_has_no_slope_on_one_side():
    left, right = one_sided(lambda t: 1.0 if t > 0 else 0.0, 1.0)
    assert left.value == 0.0
    assert not right.error < 1e-3 * abs(right.value)


def test_nothing_but_nan_has_no_derivative():
    found = central(lambda t: np.nan, 1.0)
    assert np.isnan(found.value) and found.error == np.inf
