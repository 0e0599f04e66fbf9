"""Functions of each element: arithmetic, mathematics, comparisons, choice."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.composed.conversion import number_of, to
from autodiff.composed.properties import check_tensor
from autodiff.families import numpy_function
from autodiff.ops import elementwise as ops
from autodiff.ops.shape import cast, copy
from autodiff.primitive import Primitive
from autodiff.tensor import Tensor, apply, binary, make, taken, unary

__all__ = (
    *("abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "allclose", "arccos"),
    *("arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan"),
    *("atan2", "atanh", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or"),
    *("bitwise_right_shift", "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min", "clip"),
    *("cos", "cosh", "deg2rad", "div", "divide", "eq", "equal", "exp", "exp2", "expm1", "fix"),
    *("float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "ge", "greater"),
    *("greater_equal", "gt", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "le"),
    *("lerp", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and"),
    *("logical_not", "logical_or", "logical_xor", "logit", "lt", "maximum", "minimum", "mul"),
    *("multiply", "nan_to_num", "ne", "neg", "negative", "not_equal", "positive", "pow", "rad2deg"),
    *("reciprocal", "relu", "remainder", "round", "rsqrt", "rsub", "sgn", "sigmoid", "sign"),
    *("signbit", "sin", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh", "true_divide"),
    *("trunc", "where"),
)
METHODS = tuple(name for name in __all__ if name not in ("rsub", "where"))
_NOT_IN_PLACE = (
    *("allclose", "equal", "fmax", "fmin", "isclose", "isfinite", "isinf", "isnan", "isneginf"),
    *("isposinf", "logaddexp", "maximum", "minimum", "positive", "rsub", "signbit", "where"),
)
IN_PLACE = tuple(name for name in __all__ if name not in _NOT_IN_PLACE)

Number = float | int | bool


def of_one(primitive: Primitive, doc: str) -> Callable[[Tensor], Tensor]:
    """The operation as a function of one Tensor."""
    function = unary(primitive)
    function.__doc__ = doc
    return function


def _of_two(primitive: Primitive, doc: str) -> Callable[[Any, Any], Tensor]:
    """The operation as a function of a Tensor and a Tensor or a number."""
    operate = binary(primitive)

    def function(input: Tensor, other: Any) -> Tensor:
        if isinstance(input, Tensor):
            result = operate(input, other)
            if result is not NotImplemented:
                return result
        return apply(primitive, (input, other))

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


def _of_tensors(primitive: Primitive, doc: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The operation as a function of two Tensors."""
    operate = binary(primitive)

    def function(input: Tensor, other: Tensor) -> Tensor:
        if not isinstance(input, Tensor) or not isinstance(other, Tensor):
            _check_tensors(primitive.name, input, other)
        return operate(input, other)

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


# Arithmetic

mul = _of_two(ops.multiply, "The product; of two bools their conjunction.")
neg = of_one(ops.negative, "Minus each element.")
positive = of_one(ops.positive, "Each element, as it is.")
abs = of_one(ops.absolute, "The absolute value; its derivative at 0 is 0.")
square = of_one(ops.square, "The square.")
reciprocal = of_one(ops.reciprocal, "One over each element.")
fmod = _of_two(ops.fmod, "The remainder of the division that rounds to zero: with input's sign.")
remainder = _of_two(
    ops.remainder, "The remainder of the division that rounds down: with other's sign."
)
floor_divide = _of_two(ops.floor_divide, "The quotient rounded down.")
maximum = _of_tensors(ops.maximum, "The larger of both, nan if one is; equals share the gradient.")
minimum = _of_tensors(ops.minimum, "The smaller of both, nan if one is; equals share the gradient.")
fmax = _of_tensors(ops.fmax, "The larger of both, a number rather than nan.")
fmin = _of_tensors(ops.fmin, "The smaller of both, a number rather than nan.")


def pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """`input` to the power `exponent`. 0 ** 0 is 1, with derivative 0 in both arguments.

    Raises: RuntimeError for an integer tensor to the power of a negative integer.
    """
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise TypeError("pow: base, exponent or both must be a Tensor")
    if exponent.__class__ is int and exponent < 0 and _kind(input) in "iub":
        raise RuntimeError(f"pow: integers to the power {exponent} are no integers; use .float()")
    return _power(input, exponent)


_power = _of_two(ops.power, "The power.")


def _kind(x: Any) -> str:
    """The kind of a Tensor's dtype as NumPy's letter, " " if it is no Tensor."""
    return x._array.dtype.kind if isinstance(x, Tensor) else " "


def add(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other."""
    return _plus(input, _scaled(input, other, alpha))


def sub(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other. Raises: RuntimeError if one of them is bool."""
    bools = bool in (input.__class__, other.__class__)
    if bools or (alpha != 1 and "b" in (_kind(input), _kind(other))):
        raise RuntimeError("subtract: bools have no sign; use ~x or x ^ y, or convert them")
    return _minus(input, _scaled(input, other, alpha))


def rsub(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """other - alpha * input."""
    return sub(other, input, alpha=alpha)


_plus, _minus = _of_two(ops.add, "The sum."), _of_two(ops.subtract, "The difference.")


def _scaled(input: Any, other: Any, alpha: Number) -> Any:
    """alpha * other. Raises: RuntimeError for an alpha of a higher kind than the tensors."""
    if alpha.__class__ is int and alpha == 1:
        return other
    kind = dtypes.result_type(*_plain(input, other)).kind
    if (isinstance(alpha, float) and kind != "f") or (alpha.__class__ is bool and kind != "b"):
        raise RuntimeError(f"alpha must be of the kind of the tensors, got {alpha}")
    return other * alpha if kind != "b" else other & bool(alpha)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient: exact, rounded to zero (rounding_mode="trunc") or down ("floor").

    Integers give the default float unless rounded. Raises: RuntimeError for another
    `rounding_mode`, or for the division of integers by zero if rounded.
    """
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode not in _QUOTIENTS:
        error = RuntimeError if isinstance(rounding_mode, str) else TypeError
        raise error(f"rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    return _QUOTIENTS[rounding_mode](input, other)


true_divide = _of_two(ops.divide, "The quotient.")
_QUOTIENTS = {"floor": floor_divide, "trunc": _of_two(ops.trunc_divide, "Rounded to zero.")}


def float_power(input: Any, exponent: Any) -> Tensor:
    """`input` to the power `exponent`, in float64."""
    base, power = (
        to(x, dtype=dtypes.float64) if isinstance(x, Tensor) else float(x)
        for x in (input, exponent)
    )
    return pow(base, power)


def lerp(input: Tensor, end: Tensor, weight: Number | Tensor) -> Tensor:
    """From `input` (weight 0) to `end` (weight 1) on a straight line.

    Raises: RuntimeError if the dtypes differ.
    """
    _check_tensors("lerp", input, end)
    for x in (end, weight):
        if isinstance(x, Tensor) and x._array.dtype != input._array.dtype and x._array.ndim:
            raise RuntimeError(f"lerp: expected tensors of {input.dtype}, got one of {x.dtype}")
    distance = end - input
    # From the nearer end: exactly `end` at 1.
    if isinstance(weight, Tensor):
        near = abs(weight) < 0.5
        return where(near, input + weight * distance, end - distance * (1 - weight))
    return input + weight * distance if -0.5 < weight < 0.5 else end - distance * (1 - weight)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    _check_tensors("addcmul", tensor1, tensor2)
    return add(input, tensor1 * tensor2, alpha=value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 / tensor2.

    Raises: RuntimeError if both are integers: say how to round, or convert.
    """
    _check_tensors("addcdiv", tensor1, tensor2)
    if tensor1._array.dtype.kind != "f" and tensor2._array.dtype.kind != "f":
        raise RuntimeError("addcdiv does not divide integers; convert them with .float()")
    return add(input, tensor1 / tensor2, alpha=value)


# Rounding: the derivative is 0

_sign = of_one(ops.sign, "-1, 0 or 1.")


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; 0 for nan, as in PyTorch."""
    kind = _kind(input)
    if kind == "b":
        return apply(copy, (input,))
    return where(input == input, _sign(input), 0.0) if kind == "f" else _sign(input)


def _rounding(primitive: Primitive, doc: str) -> Callable[[Tensor], Tensor]:
    """The operation on floats; integers stay as they are: before 2.1 NumPy made them floats."""
    of_floats = unary(primitive)

    def function(input: Tensor) -> Tensor:
        whole = isinstance(input, Tensor) and input._array.dtype.kind in "iu"
        return apply(copy, (input.detach(),)) if whole else of_floats(input)

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


floor = _rounding(ops.floor, "The largest integer not above each element.")
ceil = _rounding(ops.ceil, "The smallest integer not below each element.")
trunc = _rounding(ops.trunc, "Each element without its fraction.")
_round = _rounding(ops.rint, "The nearest integer, halves to even.")


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Each element rounded to `decimals` places, halves to even."""
    if decimals == 0:
        return _round(input)
    check_tensor(input, "round")
    if input._array.dtype.kind != "f":
        raise RuntimeError(f"round: decimals={decimals} is for floats, got {input.dtype}")
    scale = 10.0**-decimals if decimals < 0 else 10.0**decimals
    return _round(input / scale) * scale if decimals < 0 else _round(input * scale) / scale


def frac(input: Tensor) -> Tensor:
    """The fraction of each element, with its sign."""
    return input - trunc(input)


# Exponentials and logarithms

exp = of_one(ops.exp, "e to the power of each element.")
exp2 = of_one(ops.exp2, "2 to the power of each element.")
expm1 = of_one(ops.expm1, "exp(x) - 1, exact for small x.")
log = of_one(ops.log, "The natural logarithm.")
log2 = of_one(ops.log2, "The logarithm to base 2.")
log10 = of_one(ops.log10, "The logarithm to base 10.")
log1p = of_one(ops.log1p, "log(1 + x), exact for small x.")
sqrt = of_one(ops.sqrt, "The square root; its derivative at 0 is infinite.")
sigmoid = of_one(ops.sigmoid, "1 / (1 + exp(-x)).")
relu = of_one(ops.relu, "x where positive, else 0; the derivative at 0 is 0.")
logaddexp = _of_tensors(ops.logaddexp, "log(exp(input) + exp(other)), without overflow.")


def rsqrt(input: Tensor) -> Tensor:
    """One over the square root."""
    return reciprocal(sqrt(input))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; x is first clamped to [eps, 1 - eps] if given."""
    check_tensor(input, "logit")
    if input._array.dtype.kind != "f":
        input = to(input, dtype=dtypes.get_default_dtype())
    if eps is not None:
        input = clamp(input, eps, 1 - eps)
    return log(input) - log1p(-input)


# Trigonometry

sin = of_one(ops.sin, "The sine of an angle in radians.")
cos = of_one(ops.cos, "The cosine of an angle in radians.")
tan = of_one(ops.tan, "The tangent of an angle in radians.")
asin = of_one(ops.arcsin, "The angle in [-π/2, π/2] that has this sine.")
acos = of_one(ops.arccos, "The angle in [0, π] that has this cosine.")
atan = of_one(ops.arctan, "The angle in (-π/2, π/2) that has this tangent.")
atan2 = _of_tensors(ops.arctan2, "The angle of the point (other, input); derivatives 0 at (0, 0).")
sinh = of_one(ops.sinh, "The hyperbolic sine.")
cosh = of_one(ops.cosh, "The hyperbolic cosine.")
tanh = of_one(ops.tanh, "The hyperbolic tangent.")
asinh = of_one(ops.arcsinh, "The number that has this hyperbolic sine.")
acosh = of_one(ops.arccosh, "The positive number that has this hyperbolic cosine.")
atanh = of_one(ops.arctanh, "The number that has this hyperbolic tangent.")


def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    return input * (math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return input * (180 / math.pi)


# Comparisons and logic

eq = _of_two(ops.equal, "Where both are equal.")
ne = _of_two(ops.not_equal, "Where they differ.")
lt = _of_two(ops.less, "Where input < other.")
le = _of_two(ops.less_equal, "Where input <= other.")
gt = _of_two(ops.greater, "Where input > other.")
ge = _of_two(ops.greater_equal, "Where input >= other.")
isnan = of_one(ops.isnan, "Where an element is not a number.")
isinf = of_one(ops.isinf, "Where an element is infinite.")
isfinite = of_one(ops.isfinite, "Where an element is neither infinite nor nan.")
signbit = of_one(ops.signbit, "Where an element is negative, -0.0 included.")
logical_and = _of_tensors(ops.logical_and, "Where both are nonzero.")
logical_or = _of_tensors(ops.logical_or, "Where one is nonzero.")
logical_xor = _of_tensors(ops.logical_xor, "Where exactly one is nonzero.")
logical_not = of_one(ops.logical_not, "Where an element is zero.")
bitwise_and = _of_two(ops.bitwise_and, "The bits set in both.")
bitwise_or = _of_two(ops.bitwise_or, "The bits set in one or both.")
bitwise_xor = _of_two(ops.bitwise_xor, "The bits set in exactly one.")
bitwise_not = of_one(ops.invert, "The bits that are not set; of bools the negation.")
bitwise_left_shift = _of_two(ops.left_shift, "input * 2 ** other, on bits.")
bitwise_right_shift = _of_two(ops.right_shift, "input / 2 ** other rounded down, on bits.")


def isposinf(input: Tensor) -> Tensor:
    """Where an element is positive infinity."""
    return input == math.inf


def isneginf(input: Tensor) -> Tensor:
    """Where an element is negative infinity."""
    return input == -math.inf


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|.

    Raises: RuntimeError if the dtypes differ, or for a negative tolerance.
    """
    _check_tensors("isclose", input, other)
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: tolerances must not be negative, got {rtol=} and {atol=}")
    if input.dtype != other.dtype:
        raise RuntimeError(f"isclose compares one dtype, got {input.dtype} and {other.dtype}")
    x, y = input.detach(), other.detach()
    close = x == y
    if equal_nan:
        close = logical_or(close, logical_and(isnan(x), isnan(y)))
    if x.dtype == dtypes.bool_:
        return close
    distance = abs(x - y)
    near = distance <= atol + abs(rtol * y)
    return logical_or(close, logical_and(near, isfinite(distance)))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close; see isclose."""
    taken("allclose()")
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are equal."""
    _check_tensors("equal", input, other)
    taken("equal()")
    return input.shape == other.shape and bool((input == other)._array.all())


def _check_tensors(name: str, *tensors: Any) -> None:
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is of two Tensors, got {type(tensor).__name__}")


# Choice


_BOUNDS = frozenset((float, int, type(None)))


def clamp(
    input: Tensor, min: Number | Tensor | None = None, max: Number | Tensor | None = None
) -> Tensor:
    """Each element, but at least `min` and at most `max`; all `max` where min > max.

    The derivative is 1 between and at the bounds, else 0 (for a Tensor as a bound the reverse).

    Raises: RuntimeError if there is no bound; TypeError for one that is no number or Tensor.
    """
    if min.__class__ not in _BOUNDS or max.__class__ not in _BOUNDS:
        _check_bounds("clamp", *[bound for bound in (min, max) if bound is not None])
    check_tensor(input, "clamp")
    if min is None and max is None:
        raise RuntimeError("clamp needs min, max or both")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        if min is not None:
            input = where(_beyond(input < min, min), min, input)
        return input if max is None else where(_beyond(input > max, max), max, input)
    if input._array.dtype.kind != "f":
        numbers = [bound for bound in (min, max) if bound is not None]
        input = to(input, dtype=dtypes.result_type(input._array, *numbers))
        kind = input._array.dtype
        min, max = (bound if bound is None else number_of(bound, kind) for bound in (min, max))
    return apply(ops.clip, (input,), {"a_min": min, "a_max": max})


def _beyond(outside: Tensor, bound: Number | Tensor) -> Tensor:
    """Where a bound counts: also where it is nan."""
    return logical_or(outside, bound != bound) if isinstance(bound, Tensor) else outside


def clamp_min(input: Tensor, min: Number | Tensor) -> Tensor:
    """Each element, but at least `min`."""
    _check_bounds("clamp_min", min)
    return clamp(input, min)


def clamp_max(input: Tensor, max: Number | Tensor) -> Tensor:
    """Each element, but at most `max`."""
    _check_bounds("clamp_max", max)
    return clamp(input, None, max)


def _check_bounds(name: str, *bounds: Any) -> None:
    """Raises: TypeError unless all are Tensors, or all numbers."""
    number, kinds = (float, int, np.generic), [type(bound).__name__ for bound in bounds]
    for kind in (Tensor, number):
        if all(isinstance(bound, kind) for bound in bounds):
            return
    raise TypeError(f"{name}: bounds are Tensors, or else numbers, got {' and '.join(kinds)}")


@numpy_function(np.where)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; the indices where it holds if not given.

    Raises: RuntimeError if the condition is not of bool (or uint8).
    """
    mask = _plain(condition)[0]
    if not hasattr(mask, "dtype"):
        raise TypeError(f"where: condition must be a Tensor, got {type(condition).__name__}")
    if input is None and other is None:
        taken("where() without values")
        return tuple(make(axis) for axis in np.nonzero(np.atleast_1d(mask)))
    if mask.dtype.kind != "b" and mask.dtype != np.uint8:
        raise RuntimeError(f"where: condition must be of bool, got {mask.dtype}")
    return apply(ops.where, (condition, *_promoted(input, other)))


def _promoted(x: Any, y: Any) -> tuple[Any, Any]:
    """Two Tensors or numbers in their common dtype."""
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x._array.dtype is y._array.dtype:
        return x, y
    dtype = dtypes.result_type(*_plain(x, y))
    x, y = (
        to(v, dtype=dtype)
        if isinstance(v, Tensor)
        else apply(cast, (v,), {"dtype": dtype})
        if isinstance(v, np.ndarray)
        else np.array(v, dtype)
        for v in (x, y)
    )
    return x, y


def _plain(*operands: Any) -> list:
    return [x._array if isinstance(x, Tensor) else x for x in operands]


def nan_to_num(
    input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """nan, ∞ and -∞ replaced by numbers: 0 and the largest finite ones unless given."""
    check_tensor(input, "nan_to_num")
    if input._array.dtype.kind != "f":
        return apply(copy, (input.detach(),))
    limits = np.finfo(input._array.dtype)
    top = float(limits.max) if posinf is None else posinf
    bottom = float(limits.min) if neginf is None else neginf
    x = where(isnan(input), 0.0 if nan is None else nan, input)
    return where(input == math.inf, top, where(input == -math.inf, bottom, x))


# PyTorch's other names for the same functions

absolute, negative, multiply, subtract, divide = abs, neg, mul, sub, div
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
clip, fix, sgn = clamp, trunc, sign
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
