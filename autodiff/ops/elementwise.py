"""Operations on each element: arithmetic, exponentials, trigonometry, comparisons, selection.

Derivatives at kinks are PyTorch's: they are given where they are not obvious. Masks multiply rather
than select (`g * mask`, not `np.where`): on a million float32 that takes 0.6 ms, not 4.3.
"""

import math

import numpy as np

from autodiff.families import elementwise
from autodiff.ops.bounds import at_least, at_most

# Arithmetic


_FLOAT = np.dtype(np.float64)


def _power(x, y, /):
    """x to the power y; the operator has short cuts for 2, 1/2 and the like, np.power has not.

    Of integers to negative integers the quotient rounded to zero, of bools a bool.
    """
    kind = getattr(y, "dtype", _FLOAT).kind
    if kind == "b":
        return x | ~y
    if kind != "i" or isinstance(y, np.generic):  # by a number less than 0 it is an error
        return x**y
    ones = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y & 1), 0))
    return np.where(y < 0, ones, x ** np.maximum(y, 0)).astype(y.dtype)


def _whole(ufunc):
    """An integer `ufunc` to which division by zero is an error, where NumPy gives 0."""

    def forward(x, y, /):
        out = ufunc(x, y)
        if out.dtype.kind in "iu" and out.size and not np.all(y):
            raise ValueError("integer division by zero")
        return out

    return forward


def _trunc_divide(x, y, /):
    """The quotient rounded to zero."""
    rest = np.fmod(x, y)
    return np.trunc(x / y) if rest.dtype.kind == "f" else _whole(np.floor_divide)(x - rest, y)


add = elementwise(np.add, x=lambda g: g, y=lambda g: g)
subtract = elementwise(np.subtract, promote="signed", x=lambda g: g, y=lambda g: -g)
multiply = elementwise(np.multiply, x=lambda g, y: g * y, y=lambda g, x: g * x)
divide = elementwise(
    np.divide,
    numpy=np.true_divide,
    promote="float",
    x=lambda g, y: g / y,
    y=lambda g, x, y: -g * (x / y) / y,  # not of the output: that may be written in place
)
negative = elementwise(np.negative, promote="keep", x=lambda g: -g)
positive = elementwise(np.positive, promote="keep", x=lambda g: g)
reciprocal = elementwise(np.reciprocal, x=lambda g, out: -g * out * out)
square = elementwise(np.square, promote="number", x=lambda g, x: g * (x + x))
# 0 ** 0 has the derivative 0 in x, and in y where x = 0 <= y: exponent and base are moved there,
# the base by a number of y's dtype, as it may be a Python number.
power = elementwise(
    _power,
    numpy=np.power,
    x=lambda g, x, y: g * (y * x ** (y - 1 + (y == 0))),
    y=lambda g, x, y, out: g * (out * np.log(x + ((x == 0) & (y >= 0)) * y**0)),
)
absolute = elementwise(np.absolute, promote="keep", x=lambda g, x: g * np.sign(x))  # 0 at 0
# Steps: the derivative is 0 wherever there is one.
sign = elementwise(np.sign, promote="keep", x=lambda g: g * 0)
floor = elementwise(np.floor, promote="keep", x=lambda g: g * 0)
ceil = elementwise(np.ceil, promote="keep", x=lambda g: g * 0)
trunc = elementwise(np.trunc, promote="keep", x=lambda g: g * 0)
rint = elementwise(np.rint, x=lambda g: g * 0)
floor_divide = elementwise(
    _whole(np.floor_divide),
    numpy=np.floor_divide,
    name="floor_divide",
    x=lambda g: g * 0,
    y=lambda g: g * 0,
)
trunc_divide = elementwise(_trunc_divide, x=lambda g: g * 0, y=lambda g: g * 0)
remainder = elementwise(
    _whole(np.remainder),
    numpy=np.remainder,
    name="remainder",
    x=lambda g: g,
    y=lambda g, x, y: -g * np.floor_divide(x, y),
)
fmod = elementwise(
    _whole(np.fmod),
    numpy=np.fmod,
    name="fmod",
    x=lambda g: g,
    y=lambda g, x, y: -g * np.trunc(x / y),
)

# Exponentials and logarithms

exp = elementwise(np.exp, x=lambda g, out: g * out)
exp2 = elementwise(np.exp2, x=lambda g, out: g * out * math.log(2.0))
expm1 = elementwise(np.expm1, x=lambda g, out: g * (out + 1))
log = elementwise(np.log, x=lambda g, x: g / x)
log2 = elementwise(np.log2, x=lambda g, x: g / (x * math.log(2.0)))
log10 = elementwise(np.log10, x=lambda g, x: g / (x * math.log(10.0)))
log1p = elementwise(np.log1p, x=lambda g, x: g / (x + 1))
sqrt = elementwise(np.sqrt, x=lambda g, out: g / (out + out))  # infinite at 0
logaddexp = elementwise(
    np.logaddexp,
    promote="float",
    x=lambda g, x, y: g * sigmoid(x - y),
    y=lambda g, x, y: g * sigmoid(y - x),
)

# Trigonometry

sin = elementwise(np.sin, x=lambda g, x: g * np.cos(x))
cos = elementwise(np.cos, x=lambda g, x: -g * np.sin(x))
tan = elementwise(np.tan, x=lambda g, out: g * (1 + out * out))
# (1 - x) (1 + x) keeps the digits that 1 - x^2 loses near 1.
arcsin = elementwise(np.arcsin, x=lambda g, x: g / np.sqrt((1 - x) * (1 + x)))
arccos = elementwise(np.arccos, x=lambda g, x: -g / np.sqrt((1 - x) * (1 + x)))
arctan = elementwise(np.arctan, x=lambda g, x: g / (1 + x * x))


def _one_at_zero(x):
    return x + (x == 0)


arctan2 = elementwise(  # 0 at (0, 0)
    np.arctan2,
    promote="float",
    x=lambda g, x, y: g * y / _one_at_zero(x * x + y * y),
    y=lambda g, x, y: -g * x / _one_at_zero(x * x + y * y),
)
sinh = elementwise(np.sinh, x=lambda g, x: g * np.cosh(x))
cosh = elementwise(np.cosh, x=lambda g, x: g * np.sinh(x))
tanh = elementwise(np.tanh, x=lambda g, out: g * (1 - out * out))
arcsinh = elementwise(np.arcsinh, x=lambda g, x: g / np.sqrt(x * x + 1))
arccosh = elementwise(np.arccosh, x=lambda g, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)))
arctanh = elementwise(np.arctanh, x=lambda g, x: g / ((1 - x) * (1 + x)))

# Activations that no NumPy function computes


def _sigmoid(x, /):
    """1 / (1 + exp(-x)); exp overflows to infinity for x far below 0, which gives the right 0."""
    t = np.exp(-x)
    t += 1
    return np.reciprocal(t)


def _relu(x, /):
    """x where positive, else 0."""
    return at_least(x, 0)


def _nonzero_mask(x, /):
    """1 where x is not 0, else 0, in the dtype of x.

    np.sign takes twice as long, in place up to twenty times: it branches on each element.
    """
    return (x != 0).astype(x.dtype)


sigmoid = elementwise(_sigmoid, promote="float", x=lambda g, out: g * (out * (1 - out)))
# The mask has a derivative, 0: so the gradient has one, as in PyTorch.
nonzero_mask = elementwise(_nonzero_mask, promote="keep", x=lambda g: g * 0)
relu = elementwise(_relu, promote="signed", x=lambda g, out: g * nonzero_mask(out))  # 0 at 0

# Comparisons and logic: no derivatives

equal = elementwise(np.equal)
not_equal = elementwise(np.not_equal)
less = elementwise(np.less)
less_equal = elementwise(np.less_equal)
greater = elementwise(np.greater)
greater_equal = elementwise(np.greater_equal)
isnan = elementwise(np.isnan, promote="keep")
isinf = elementwise(np.isinf, promote="keep")
isfinite = elementwise(np.isfinite, promote="keep")
signbit = elementwise(np.signbit, promote="keep")
logical_and = elementwise(np.logical_and, promote="keep")
logical_or = elementwise(np.logical_or, promote="keep")
logical_xor = elementwise(np.logical_xor, promote="keep")
logical_not = elementwise(np.logical_not, promote="keep")
bitwise_and = elementwise(np.bitwise_and)
bitwise_or = elementwise(np.bitwise_or)
bitwise_xor = elementwise(np.bitwise_xor)
left_shift = elementwise(np.left_shift)
right_shift = elementwise(np.right_shift)
invert = elementwise(np.invert, promote="keep")

# Selection


def _where(condition, x, y, /):
    """x where the condition holds, else y."""
    return np.where(condition, x, y)


def _clip(x, /, a_min=None, a_max=None):
    """x, but at least a_min and at most a_max; np.clip takes twice as long on small arrays."""
    if a_min is not None:
        x = at_least(x, a_min)
    return x if a_max is None else at_most(x, a_max)


def _inside(x, a_min, a_max):
    if a_min is None:
        return x <= a_max
    return x >= a_min if a_max is None else (x >= a_min) & (x <= a_max)


where = elementwise(
    _where,
    numpy=np.where,
    promote="keep",
    x=lambda g, condition: np.where(condition, g, 0.0),
    y=lambda g, condition: np.where(condition, 0.0, g),
)
# 1 at the bounds. It selects, so that the infinite gradient of sqrt(clip(x, 0)) is not made nan.
clip = elementwise(
    _clip,
    promote="keep",
    x=lambda g, x, a_min, a_max: np.where(_inside(x, a_min, a_max), g, 0.0),
)
# Where both are equal each gets half; where one is nan each gets all.
maximum = elementwise(
    np.maximum,
    x=lambda g, x, y: (g * ~(x < y) + g * ~(x <= y)) * 0.5,
    y=lambda g, x, y: (g * ~(y < x) + g * ~(y <= x)) * 0.5,
)
minimum = elementwise(
    np.minimum,
    x=lambda g, x, y: (g * ~(x > y) + g * ~(x >= y)) * 0.5,
    y=lambda g, x, y: (g * ~(y > x) + g * ~(y >= x)) * 0.5,
)
# x where both are equal; a number wins over nan.
fmax = elementwise(
    np.fmax,
    x=lambda g, x, y: np.where((x >= y) | np.isnan(y), g, 0.0),
    y=lambda g, x, y: np.where((x >= y) | np.isnan(y), 0.0, g),
)
fmin = elementwise(
    np.fmin,
    x=lambda g, x, y: np.where((x <= y) | np.isnan(y), g, 0.0),
    y=lambda g, x, y: np.where((x <= y) | np.isnan(y), 0.0, g),
)
