"""Activations that are one operation: composed, each would take half as long again, or more.

relu and sigmoid, which rules use too, are in elementwise.py.
"""

import numpy as np

from autodiff.families import elementwise
from autodiff.ops.bounds import at_least, at_most
from autodiff.ops.elementwise import relu, sigmoid


def _leaky_relu(x, /, slope):
    """x where positive, else slope x."""
    if 0 < slope <= 1:
        return np.maximum(x, x * slope)  # 3 us for 10 000 elements, where np.where takes 30
    return np.where(x > 0, x, x * slope)


def _leaky_relu_x(g, x, slope):
    positive = g * (x > 0)
    return positive + (g - positive) * slope


def _elu(x, /, alpha=1.0, rate=1.0):
    """x where positive, else alpha (exp(rate x) - 1)."""
    return at_least(x, 0) + alpha * np.expm1(rate * at_most(x, 0))


def _elu_x(g, x, alpha, rate):
    return _leaky_relu_x(g * np.exp(relu(-x) * -rate), x, alpha * rate)


def _log_sigmoid(x, /):
    """log(1 / (1 + exp(-x))), without overflow."""
    return at_most(x, 0) - np.log1p(np.exp(-np.abs(x)))


def _softplus(x, /, beta, threshold):
    """log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold."""
    t = x * beta
    return np.where(t > threshold, x, _log_sigmoid(-t) / -beta)


def _softplus_x(g, x, beta, threshold):
    return g * np.where(x * beta > threshold, 1.0, sigmoid(x * beta))


leaky_relu = elementwise(_leaky_relu, promote="keep", x=_leaky_relu_x)
elu = elementwise(_elu, promote="keep", x=_elu_x)
log_sigmoid = elementwise(_log_sigmoid, promote="float", x=lambda g, x: g * sigmoid(-x))
softplus = elementwise(_softplus, promote="float", x=_softplus_x)
