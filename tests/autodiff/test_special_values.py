"""Values and derivatives at zeros, infinities, nan, ties, kinks and empty axes.

The tables hold what PyTorch 2.13 gives in float64, to three digits or more; where it is installed
all digits are compared. A `?` stands where PyTorch's value is an accident of its formula.
"""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest

import autodiff

UNARY = """
x                  0      -0     0.5    -0.5       1      -1     2.5     inf    -inf     nan
abs                0       0     0.5     0.5       1       1     2.5     inf     inf     nan
abs'               0       0       1      -1       1      -1       1       1      -1       ?
exp                1       1    1.65   0.607    2.72   0.368    12.2     inf       0     nan
exp'               1       1    1.65   0.607    2.72   0.368    12.2     inf       0     nan
exp2               1       1    1.41   0.707       2     0.5    5.66     inf       0     nan
exp2'          0.693   0.693    0.98    0.49    1.39   0.347    3.92     inf       0     nan
expm1              0       0   0.649  -0.393    1.72  -0.632    11.2     inf      -1     nan
expm1'             1       1    1.65   0.607    2.72   0.368    12.2     inf       0     nan
log             -inf    -inf  -0.693     nan       0     nan   0.916     inf     nan     nan
log'             inf    -inf       2      -2       1      -1     0.4       0       0     nan
log2            -inf    -inf      -1     nan       0     nan    1.32     inf     nan     nan
log2'            inf    -inf    2.89   -2.89    1.44   -1.44   0.577       0       0     nan
log10           -inf    -inf  -0.301     nan       0     nan   0.398     inf     nan     nan
log10'           inf    -inf   0.869  -0.869   0.434  -0.434   0.174       0       0     nan
log1p              0       0   0.405  -0.693   0.693    -inf    1.25     inf     nan     nan
log1p'             1       1   0.667       2     0.5     inf   0.286       0       0     nan
sqrt               0       0   0.707     nan       1     nan    1.58     inf     nan     nan
sqrt'            inf    -inf   0.707     nan     0.5     nan   0.316       0     nan     nan
rsqrt            inf    -inf    1.41     nan       1     nan   0.632       0     nan     nan
rsqrt'          -inf     inf   -1.41     nan    -0.5     nan  -0.126       0     nan     nan
square             0       0    0.25    0.25       1       1    6.25     inf     inf     nan
square'            0       0       1      -1       2      -2       5     inf    -inf     nan
reciprocal       inf    -inf       2      -2       1      -1     0.4       0       0     nan
reciprocal'     -inf    -inf      -4      -4      -1      -1   -0.16       0       0     nan
sin                0       0   0.479  -0.479   0.841  -0.841   0.598     nan     nan     nan
sin'               1       1   0.878   0.878    0.54    0.54  -0.801     nan     nan     nan
cos                1       1   0.878   0.878    0.54    0.54  -0.801     nan     nan     nan
cos'               0       0  -0.479   0.479  -0.841   0.841  -0.598     nan     nan     nan
tan                0       0   0.546  -0.546    1.56   -1.56  -0.747     nan     nan     nan
tan'               1       1     1.3     1.3    3.43    3.43    1.56     nan     nan     nan
asin               0       0   0.524  -0.524    1.57   -1.57     nan     nan     nan     nan
asin'              1       1    1.15    1.15     inf     inf     nan     nan     nan     nan
acos            1.57    1.57    1.05    2.09       0    3.14     nan     nan     nan     nan
acos'             -1      -1   -1.15   -1.15    -inf    -inf     nan     nan     nan     nan
atan               0       0   0.464  -0.464   0.785  -0.785    1.19    1.57   -1.57     nan
atan'              1       1     0.8     0.8     0.5     0.5   0.138       0       0     nan
sinh               0       0   0.521  -0.521    1.18   -1.18    6.05     inf    -inf     nan
sinh'              1       1    1.13    1.13    1.54    1.54    6.13     inf     inf     nan
cosh               1       1    1.13    1.13    1.54    1.54    6.13     inf     inf     nan
cosh'              0       0   0.521  -0.521    1.18   -1.18    6.05     inf    -inf     nan
tanh               0       0   0.462  -0.462   0.762  -0.762   0.987       1      -1     nan
tanh'              1       1   0.786   0.786    0.42    0.42  0.0266       0       0     nan
asinh              0       0   0.481  -0.481   0.881  -0.881    1.65     inf    -inf     nan
asinh'             1       1   0.894   0.894   0.707   0.707   0.371       0       0     nan
acosh            nan     nan     nan     nan       0     nan    1.57     inf     nan     nan
acosh'           nan     nan     nan       ?     inf       ?   0.436       0       ?     nan
atanh              0       0   0.549  -0.549     inf    -inf     nan     nan     nan     nan
atanh'             1       1    1.33    1.33     inf     inf   -0.19       0       0     nan
sigmoid          0.5     0.5   0.622   0.378   0.731   0.269   0.924       1       0     nan
sigmoid'        0.25    0.25   0.235   0.235   0.197   0.197  0.0701       0       0     nan
relu               0       0     0.5       0       1       0     2.5     inf       0     nan
relu'              0       0       1       0       1       0       1       1       0       ?
neg                0       0    -0.5     0.5      -1       1    -2.5    -inf     inf     nan
neg'              -1      -1      -1      -1      -1      -1      -1      -1      -1      -1
sign               0       0       1      -1       1      -1       1       1      -1       ?
sign'              0       0       0       0       0       0       0       0       0       0
floor              0       0       0      -1       1      -1       2     inf    -inf     nan
floor'             0       0       0       0       0       0       0       0       0       0
ceil               0       0       1       0       1      -1       3     inf    -inf     nan
ceil'              0       0       0       0       0       0       0       0       0       0
round              0       0       0       0       1      -1       2     inf    -inf     nan
round'             0       0       0       0       0       0       0       0       0       0
trunc              0       0       0       0       1      -1       2     inf    -inf     nan
trunc'             0       0       0       0       0       0       0       0       0       0
erf                0       0    0.52   -0.52   0.843  -0.843       1       1      -1     nan
erf'            1.13    1.13   0.879   0.879   0.415   0.415 0.00218       0       0     nan
erfc               1       1    0.48    1.52   0.157    1.84 0.000407      0       2     nan
erfc'          -1.13   -1.13  -0.879  -0.879  -0.415  -0.415 -0.00218      0       0     nan
erfinv             0       0   0.477  -0.477     inf    -inf     nan     nan     nan     nan
erfinv'        0.886   0.886    1.11    1.11     inf     inf     nan     nan     nan     nan
lgamma           inf     inf   0.572    1.27       0     inf   0.285     inf     inf     nan
lgamma'         -inf     inf   -1.96  0.0365  -0.577     nan   0.703     inf     nan     nan
digamma         -inf     inf   -1.96  0.0365  -0.577     nan   0.703     inf     nan     nan
digamma'         inf     inf       ?       ?       ?       ?       ?       0     nan     nan
logit           -inf    -inf       0     nan     inf     nan     nan     nan     nan     nan
logit'           inf       ?       4       ?     inf       ?       ?       ?       ?     nan
"""
"""A function at the values of the first row, and with a prime its derivative."""

BINARY = """
x                  0       0       0      -1       2       3     inf     inf       1     nan       1
y                  0       2      -1     0.5       2      -2       0     inf     inf       1     nan
mul                0       0       0    -0.5       4      -6     nan     inf     inf     nan     nan
mul'x              0       2      -1     0.5       2      -2       0     inf     inf       1     nan
mul'y              0       0       0      -1       2       3     inf     inf       1     nan       1
div              nan       0       0      -2       1    -1.5     inf     nan       0     nan     nan
div'x            inf     0.5      -1       2     0.5    -0.5     inf       0       0       1     nan
div'y            nan       0       0       4    -0.5   -0.75    -inf     nan       0     nan     nan
pow                1       0     inf     nan       4   0.111       1     inf       1     nan       1
pow'x              0       0    -inf     nan       4 -0.0741       0     inf     inf       1     nan
pow'y              0       0    -inf     nan    2.77   0.122     inf     inf       0     nan       0
atan2              0       0    3.14   -1.11   0.785    2.16    1.57   0.785       0     nan     nan
atan2'x            0     0.5      -1     0.4    0.25  -0.154       0     nan     nan     nan     nan
atan2'y            0       0       0     0.8   -0.25  -0.231     nan     nan       0     nan     nan
maximum            0       2       0     0.5       2       3     inf     inf     inf     nan     nan
maximum'x        0.5       0       1       0     0.5       1       1     0.5       0       1       1
maximum'y        0.5       1       0       1     0.5       0       0     0.5       1       1       1
minimum            0       0      -1      -1       2      -2       0     inf       1     nan     nan
minimum'x        0.5       1       0       1     0.5       0       0     0.5       1       1       1
minimum'y        0.5       0       1       0     0.5       1       1     0.5       0       1       1
fmax               0       2       0     0.5       2       3     inf     inf     inf       1       1
fmax'x             1       0       1       0       1       1       1       1       0       0       1
fmax'y             0       1       0       1       0       0       0       0       1       1       0
fmin               0       0      -1      -1       2      -2       0     inf       1       1       1
fmin'x             1       1       0       1       1       0       0       1       1       0       1
fmin'y             0       0       1       0       0       1       1       0       0       1       0
xlogy              0       0       0   0.693    1.39     nan    -inf     inf     inf     nan     nan
xlogy'x            0   0.693       0  -0.693   0.693     nan    -inf     inf     inf       0     nan
xlogy'y          nan       0       0      -2       1    -1.5     inf     nan       0     nan     nan
logaddexp      0.693    2.13   0.313   0.701    2.69    3.01     inf     inf     inf     nan     nan
logaddexp'x      0.5   0.119   0.731   0.182     0.5   0.993       1     nan       0     nan     nan
logaddexp'y      0.5   0.881   0.269   0.818     0.5 0.00669       0     nan       1     nan     nan
remainder        nan       0       0       0       0      -1     nan     nan       1     nan     nan
remainder'x        1       1       1       1       1       1       1       1       1       1       1
remainder'y      nan       0       0       2      -1       2    -inf     nan       0     nan     nan
fmod             nan       0       0       0       0       1     nan     nan       1     nan     nan
fmod'x             1       1       1       1       1       1       1       1       1       1       1
fmod'y           nan       0       0       2      -1       1    -inf     nan       0     nan     nan
"""
"""A function of the first two rows, and its derivatives by x and by y."""

CASES: list[tuple[str, list, Any, list]] = [
    ("sum(x)", [[]], 0, [[]]),
    ("sum(x, 1)", [[[], []]], [0, 0], [[[], []]]),
    ("mean(x)", [[]], nan, [[]]),
    ("prod(x)", [[]], 1, [[]]),
    ("prod(x)", [[2, 0, 3]], 0, [[0, 6, 0]]),
    ("prod(x, 0)", [[2, 0, 0]], 0, [[0, 0, 0]]),
    ("cumprod(x, 0)", [[2, 0, 3]], [2, 0, 0], [[1, 22, 0]]),
    ("cumprod(x, 0)", [[2, 0, 3, 0, 5]], [2, 0, 0, 0, 0], [[1, 22, 0, 0, 0]]),
    ("max(x)", [[1, 3, 3]], 3, [[0, 0.5, 0.5]]),
    ("max(x)", [[1, nan, 3]], nan, [[0, 1, 0]]),
    ("min(x)", [[1, 1, 3]], 1, [[0.5, 0.5, 0]]),
    ("max(x, 0).values", [[1, 3, 3]], 3, [[0, 1, 0]]),
    ("max(x, 0).values", [[1, nan, 3]], nan, [[0, 1, 0]]),
    ("min(x, 0).values", [[1, 1, 3]], 1, [[1, 0, 0]]),
    ("amax(x, 0)", [[1, 3, 3]], 3, [[0, 0.5, 0.5]]),
    ("amin(x, 0)", [[1, 1, 3]], 1, [[0.5, 0.5, 0]]),
    ("median(x)", [[2, 1, 2, 5]], 2, [[0.5, 0, 0.5, 0]]),
    ("median(x, 0).values", [[2, 1, 2, 5]], 2, [[1, 0, 0, 0]]),
    ("median(x)", [[2, nan, 1]], nan, [[0, 1, 0]]),
    ("cummax(x, 0).values", [[1, 3, 3, 2]], [1, 3, 3, 3], [[1, 2, 7, 0]]),
    ("cummin(x, 0).values", [[3, 1, 1, 2]], [3, 1, 1, 1], [[1, 2, 7, 0]]),
    ("sort(x).values", [[2, nan, 1, inf]], [1, 2, inf, nan], [[2, 4, 1, 3]]),
    ("topk(x, 2).values", [[1, 5, 3]], [5, 3], [[0, 1, 2]]),
    ("norm(x)", [[0, 0]], 0, [[0, 0]]),
    ("norm(x)", [[3, inf]], inf, [[0, nan]]),
    ("norm(x, 1)", [[0, -2]], 2, [[0, -1]]),
    ("norm(x, 3)", [[0, 0]], 0, [[0, 0]]),
    ("norm(x, inf)", [[2, -2, 1]], 2, [[0.5, -0.5, 0]]),
    ("var(x)", [[2]], nan, [[nan]]),
    ("var(x, correction=0)", [[2]], 0, [[0]]),
    ("std(x)", [[2, 2, 2]], 0, [[0, 0, 0]]),
    ("logsumexp(x, 0)", [[]], -inf, [[]]),
    ("logsumexp(x, 0)", [[-inf, -inf]], -inf, [[nan, nan]]),
    ("logsumexp(x, 0)", [[-inf, 1]], 1, [[0, 1]]),
    ("logsumexp(x, 0)", [[inf, 1]], inf, [[nan, 0]]),
    ("logsumexp(x, 0)", [[1000, 1000]], 1000.69, [[0.5, 0.5]]),
    ("softmax(x, 0)", [[-inf, 1, 1]], [0, 0.5, 0.5], [[0, -0.25, 0.25]]),
    ("softmax(x, 0)", [[-inf, -inf]], [nan, nan], [[nan, nan]]),
    ("softmax(x, 0)", [[1000, 1000]], [0.5, 0.5], [[-0.25, 0.25]]),
    ("log_softmax(x, 0)", [[-inf, 1, 1]], [-inf, -0.693147, -0.693147], [[1, -1, 0]]),
    ("log_softmax(x, 0)", [[1000, 0]], [0, -1000], [[-2, 2]]),
    ("clamp(x, -1, 1)", [[-2, -1, 0, 1, 2]], [-1, -1, 0, 1, 1], [[0, 2, 3, 4, 0]]),
    ("clamp(x, -1, 1)", [[nan, inf, -inf]], [nan, 1, -1], [[0, 0, 0]]),
    ("clamp(x, 1, -1)", [[-2, 0, 2]], [-1, -1, -1], [[0, 0, 0]]),
    ("where(x > 0, log(x), x)", [[0, 1]], [0, 0], [[nan, 2]]),
    ("x ** 0", [[0, 2, inf, nan]], [1, 1, 1, 1], [[0, 0, 0, 0]]),
    ("x ** 0.5", [[0, 4]], [0, 2], [[inf, 0.5]]),
    ("x ** 3", [[0, -2]], [0, -8], [[0, 24]]),
    ("x ** -1", [[0, 2]], [inf, 0.5], [[-inf, -0.5]]),
    ("0 ** x", [[0, 2, -1]], [1, 0, inf], [[0, 0, -inf]]),
    ("(-2) ** x", [[2, 0.5]], [4, nan], [[nan, nan]]),
    ("1 / x", [[0, 2, inf]], [inf, 0.5, 0], [[-inf, -0.5, 0]]),
    ("abs(x) * 0", [[0, -2]], [0, 0], [[0, 0]]),
    ("nansum(x)", [[1, nan, 2]], 3, [[1, 0, 1]]),
    ("dot(x, y)", [[], []], 0, [[], []]),
    ("max(x)", [3], 3, [1]),
    ("softmax(x, 0)", [3], 1, [0]),
    ("round(x)", [[0.5, 1.5, 2.5, -0.5]], [0, 2, 2, 0], [[0, 0, 0, 0]]),
    ("logaddexp(x, y)", [[-inf], [-inf]], [-inf], [[nan], [nan]]),
    ("atan2(x, y)", [[0, 0], [-1, 1]], [3.14159, 0], [[-1, 2], [0, 0]]),
    ("std(x)", [[]], nan, [[]]),
    ("quantile(x, 0.5)", [[1, 2, inf]], 2, [[0, 1, 0]]),
    ("nan_to_num(x, 0.0, 9.0, -9.0)", [[nan, inf, -inf, 1]], [0, 9, -9, 1], [[0, 0, 0, 4]]),
    ("diff(x)", [[1]], [], [[0]]),
]
"""An expression, its arguments, its value, and its gradients by the arguments, where that of the
value counts 1, 2, 3 …"""


def rows(table: str) -> dict[str, list[str]]:
    return {name: values for name, *values in map(str.split, table.strip().splitlines())}


def ones(shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape)


def counting(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


def differentiate(
    ns: Any, expression: str, arguments: list, weights: Callable[[tuple], np.ndarray]
) -> list[np.ndarray]:
    """The value of an expression in the functions of `ns`, and its gradients by the arguments."""
    tensors = [ns.tensor(a, dtype=ns.float64, requires_grad=True) for a in arguments]
    out = eval(expression, {**vars(ns), "inf": inf}, dict(zip("xy", tensors)))
    out.backward(ns.from_numpy(weights(tuple(out.shape))))
    return [np.array(t.tolist()) for t in (out, *[t.grad for t in tensors])]


def lines(table: str, arguments: str) -> list:
    """For each function its expression, its arguments, and the rows expected, as text."""
    of = rows(table)
    given = [[float(text) for text in of[x]] for x in arguments]
    primes = ["'"] if len(arguments) == 1 else [f"'{x}" for x in arguments]
    return [
        pytest.param(
            f"{name}({', '.join(arguments)})", given, [of[name + p] for p in ("", *primes)], id=name
        )
        for name in of
        if "'" not in name and name not in arguments
    ]


pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:.*degrees of freedom")

each_line = pytest.mark.parametrize(
    ("expression", "arguments", "expected"), lines(UNARY, "x") + lines(BINARY, "xy")
)
each_case = pytest.mark.parametrize(("expression", "arguments", "out", "gradients"), CASES)


@each_line
def test_function_at_special_values(expression: str, arguments: list, expected: list):
    found = differentiate(autodiff, expression, arguments, ones)
    for array, texts in zip(found, expected, strict=True):
        known = [i for i, text in enumerate(texts) if text != "?"]
        np.testing.assert_allclose(
            array[known], [float(texts[i]) for i in known], rtol=5e-3, atol=1e-9
        )


@each_line
def test_function_is_that_of_pytorch(torch, expression: str, arguments: list, expected: list):
    found = differentiate(autodiff, expression, arguments, ones)
    theirs = differentiate(torch, expression, arguments, ones)
    for ours, array, texts in zip(found, theirs, expected, strict=True):
        known = [i for i, text in enumerate(texts) if text != "?"]
        np.testing.assert_allclose(ours[known], array[known], rtol=1e-12, atol=1e-15)


@each_case
def test_expression_at_special_values(expression: str, arguments: list, out: Any, gradients: list):
    found = differentiate(autodiff, expression, arguments, counting)
    for array, expected in zip(found, [out, *gradients], strict=True):
        assert array.shape == np.shape(expected)
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-12)


@each_case
def test_expression_is_that_of_pytorch(
    torch, expression: str, arguments: list, out: Any, gradients: list
):
    found = differentiate(autodiff, expression, arguments, counting)
    theirs = differentiate(torch, expression, arguments, counting)
    for ours, array in zip(found, theirs, strict=True):
        np.testing.assert_allclose(ours, array, rtol=1e-12, atol=1e-15)
