"""Special functions against mpmath, to units in the last place, and against PyTorch's."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import autodiff
from autodiff import kernels, special, tensor
from tests.autodiff.composed.expressions import check_like_torch, listed
from tests.autodiff.test_special_values import differentiate

TINY, HUGE = 5e-324, 1.7e308


pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def uniform(low: float, high: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, 150)


def scales(low: float, high: float) -> np.ndarray:
    """Numbers of all sizes from 10^low to 10^high."""
    return 10 ** uniform(low, high)


def around(x: float) -> np.ndarray:
    """Numbers at all distances from x, the nearest ones next to it."""
    distances = scales(-16, -1)
    return np.concatenate([[x], x + distances, x - distances])


PLACES = {
    "erf": [uniform(-6.5, 6.5), scales(-300, 2), -scales(-8, 2), [TINY, -HUGE]],
    "erfc": [uniform(-6.5, 26.5), scales(-20, 1), uniform(0, 3)],
    "erfinv": [uniform(-1, 1), scales(-300, -1), 1 - scales(-15.5, -1), [1 - 2**-53, TINY]],
    "lgamma": [uniform(0, 4), uniform(4, 40), scales(-300, 300), around(1), around(2), [TINY]],
    "digamma": [uniform(0, 4), scales(-300, 300), around(1.4616321449683623), [HUGE]],
    "polygamma1": [uniform(0, 4), scales(-150, 150)],
    "polygamma2": [uniform(0, 4), scales(-100, 100)],
    "polygamma3": [uniform(0, 4), scales(-75, 75)],
    "polygamma10": [uniform(0, 4), scales(-10, 10)],
    "lgamma<0": [-uniform(0, 5), -uniform(0, 100), -scales(-300, 3)],
    "digamma<0": [-uniform(0, 5), -uniform(0, 100), -scales(-100, 3)],
    "polygamma1<0": [-uniform(0, 5), -scales(-100, 2)],
    "polygamma4<0": [-uniform(0, 5), -scales(-30, 2)],
}
"""Arguments of each function: the whole domain, its ends, the neighbourhoods of zeros."""

ULPS = {
    **dict(erf=2, erfc=5, erfinv=3, lgamma=7, digamma=4),
    **dict(polygamma1=6, polygamma2=7, polygamma3=8, polygamma10=15),
    **{"lgamma<0": 5, "digamma<0": 5, "polygamma1<0": 6, "polygamma4<0": 10},
}
"""The largest error, in units in the last place; for x < 0 in those of the larger term of the
reflection."""


def evaluated(name: str, x: np.ndarray) -> np.ndarray:
    function, order = name.removesuffix("<0").rstrip("0123456789"), name.removesuffix("<0")
    order = order.removeprefix(function)
    t = tensor(x)
    return (t.polygamma(int(order)) if order else getattr(t, function)()).numpy()


def reference(mp, name: str) -> tuple[Callable, Callable]:
    """The function, and the size to which its error is relative."""
    name, negative = name.removesuffix("<0"), name.endswith("<0")
    order = int(name.removeprefix("polygamma")) if name.startswith("polygamma") else 0
    f = {
        "erf": mp.erf,
        "erfc": mp.erfc,
        "erfinv": mp.erfinv,
        "lgamma": lambda x: mp.re(mp.loggamma(x)),
    }.get(name) or (lambda x: mp.psi(order, x))
    cotangent = mp.pi ** (order + 1) * mp.factorial(order)
    return f, lambda x: max(abs(f(x)), abs(f(1 - x)), cotangent) if negative else abs(f(x))


def errors(mp, name: str, dtype: type) -> Iterator[tuple[float, float]]:
    """The error in units in the last place at each argument."""
    x = np.concatenate(PLACES[name])
    if dtype == np.float32:
        x = x[(np.abs(x) > 1e-30) & (np.abs(x) < 1e30)].astype(dtype)
    f, size = reference(mp, name)
    with mp.workdps(40):
        for argument, value in zip(x.tolist(), evaluated(name, x).tolist()):
            true = f(mp.mpf(argument))
            if abs(true) < float(np.finfo(dtype).max) / 2 and abs(argument) != 1:
                unit = np.spacing(max(dtype(float(size(mp.mpf(argument)))), np.finfo(dtype).tiny))
                yield float(abs(true - mp.mpf(value)) / mp.mpf(float(unit))), argument


@pytest.mark.parametrize("name", PLACES)
def test_values_are_exact_to_a_few_units_in_the_last_place(name: str):
    mp = pytest.importorskip("mpmath")
    error, argument = max(errors(mp, name, np.float64))
    assert error <= ULPS[name], f"{error} units at {argument}"


@pytest.mark.parametrize("name", [n for n in PLACES if "polygamma10" not in n])
def test_values_in_float32_are_nearly_as_exact(name: str):
    mp = pytest.importorskip("mpmath")
    error, argument = max(errors(mp, name, np.float32))
    assert error <= 1.5 * ULPS[name], f"{error} units at {argument}"


@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma"])
def test_values_are_those_of_the_standard_library(name: str):
    x = np.concatenate([uniform(-5.9, 6), scales(-5, 1.4)])
    expected = [getattr(math, name)(t) for t in x]
    np.testing.assert_allclose(evaluated(name, x), expected, rtol=1e-14, atol=1e-14)


def test_tails_keep_their_digits():
    assert special.erfc(tensor(26.5, dtype=autodiff.float64)).item() == pytest.approx(
        2.215907892008e-307, rel=1e-12
    )
    assert special.erfc(tensor(9.0)).item() == pytest.approx(4.13703e-37, rel=1e-5)
    nearly_one = tensor(1 - 2**-53, dtype=autodiff.float64)
    assert nearly_one.erfinv().item() == pytest.approx(5.8635847487551676, rel=1e-15)


@pytest.mark.parametrize("name", ["erf", "erfinv"])
def test_odd_functions_keep_the_sign_of_zero(name: str):
    assert np.signbit(evaluated(name, np.array([0.0, -0.0]))).tolist() == [False, True]


def test_polygamma_at_its_poles_and_at_infinity():
    x = tensor([0.0, -0.0, -1.0, -2.0, math.inf, -math.inf, math.nan])
    poles = [math.inf] * 4
    np.testing.assert_array_equal(x.polygamma(1), [*poles, 0, math.nan, math.nan])
    np.testing.assert_array_equal(-x.polygamma(2), [*poles, 0, math.nan, math.nan])
    np.testing.assert_array_equal(x.polygamma(3), [*poles, 0, math.nan, math.nan])


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "lgamma", "digamma", "polygamma1"])
def test_size_layout_and_half_precision_make_no_difference(name: str, rng):
    x = rng.uniform(-0.99, 0.99, (400, 301))  # more than a block
    whole = evaluated(name, x)
    np.testing.assert_allclose(evaluated(name, x.T), whole.T, rtol=1e-14)
    np.testing.assert_allclose(evaluated(name, x[1::7, ::3]), whole[1::7, ::3], rtol=1e-14)
    half = x[:2].astype(np.float16)
    assert evaluated(name, half).dtype == np.float16
    exact = evaluated(name, half.astype(float))
    np.testing.assert_allclose(evaluated(name, half), exact.astype(np.float16), rtol=1e-3)


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv"])
def test_results_lie_in_memory_as_the_argument_does(name: str):
    x = autodiff.rand(3, 4).T
    assert getattr(special, name)(x).stride() == x.stride() == (1, 4)


def test_derivatives_of_lgamma_close_at_every_order():
    x = tensor([0.3, 1.7, 4.2, -2.4], dtype=autodiff.float64, requires_grad=True)
    found = x.lgamma()
    for order in range(6):
        (found,) = autodiff.autograd.grad(found.sum(), x, create_graph=True)
        np.testing.assert_allclose(found.detach(), special.polygamma(order, x).detach(), rtol=1e-13)


EXPRESSIONS = listed(
    """L.erf(x); x.erf(); L.erf(s); L.erf(e); L.erf(ints); L.erf(mask); L.erf(floats); L.erf(odd);
    L.erfc(x); x.erfc(); L.erfc(ints32); L.erfc(floats); L.erfc(odd); L.erf(x.T); L.erf(x[:, ::2]);
    L.erfinv(x.tanh()); x.tanh().erfinv(); L.erfinv(mask); L.erfinv(ints); L.erfinv(odd);
    L.lgamma(x.exp()); x.lgamma(); L.lgamma(ints); L.lgamma(mask); L.lgamma(floats); L.lgamma(odd);
    L.digamma(x.exp()); x.digamma(); L.digamma(ints + 1); L.digamma(floats + 3); L.digamma(e);
    L.polygamma(0, x); L.polygamma(1, x.exp()); x.exp().polygamma(2); L.polygamma(1, ints + 1);
    L.polygamma(n=3, input=floats + 4); L.polygamma(1, e); L.polygamma(2, s.exp())""",
    """L.xlogy(x, y.exp()); x.xlogy(y.exp()); L.xlogy(x, v.exp()); L.xlogy(2, x.exp());
    L.xlogy(x, 2); L.xlogy(x, 0.5); L.xlogy(0.0, x.exp()); L.xlogy(ints, ints); L.xlogy(ints, 2);
    L.xlogy(floats, 3); L.xlogy(mask, ints + 1); L.xlogy(floats, ints + 1); L.xlogy(ints, x.exp());
    L.xlogy(x, s.exp()); L.xlogy(floats, T(2.0)); L.xlogy(2.5, ints); L.xlogy(True, ints);
    L.xlogy(e, v.exp())""",
    """L.special.erf(x); L.special.erfc(x); L.special.erfinv(x.tanh()); L.special.gammaln(x.exp());
    L.special.digamma(x.exp()); L.special.psi(x.exp()); L.special.polygamma(1, x.exp());
    L.special.xlogy(x, y.exp()); L.special.expit(x); L.special.logit(x.sigmoid());
    L.special.exp2(x); L.special.expm1(x); L.special.log1p(x.exp()); L.special.round(x);
    L.special.logsumexp(x, 1); L.special.softmax(x, 1); L.special.log_softmax(x, 0)""",
    """(x * 2).erf_(); (x * 2).erfc_(); (x * 0.1).erfinv_(); (x + 9).lgamma_(); (x + 9).digamma_();
    (x + 9).polygamma_(1); (x * 2).xlogy_(y.exp()); (x * 2).xlogy_(2.0);
    floats.clone().xlogy_(T(2.0))""",
    """L.erf(2.0); L.erf([1.0]); L.xlogy(2.0, 3.0); L.polygamma(-1, x); L.polygamma(1.0, x);
    L.polygamma(True, x); L.polygamma(1, 2.0); ints.clone().erf_(); ints.clone().xlogy_(2);
    L.xlogy(x, u[:2].exp()); L.erf(); L.lgamma(x, 1); x.xlogy_(y); L.xlogy(x, "2")""",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_those_of_pytorch(torch, expression: str):
    check_like_torch(torch, expression)


def test_xlogy_at_zero_is_that_of_pytorch(torch):
    pairs = [(a, b) for a in (0.0, -0.0, 1.0, -2.0) for b in (0.0, -1.0, 0.5, math.inf)]
    x, y = ([pair[i] for pair in pairs] for i in (0, 1))
    ours, theirs = (
        differentiate(library, "xlogy(x, y)", [x, y], np.ones) for library in (autodiff, torch)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-15)


def test_names_are_those_of_pytorch(torch):
    for name in special.__all__:
        assert hasattr(torch.special, name)
    assert special.gammaln is autodiff.lgamma
    assert special.psi is special.digamma is autodiff.digamma


def test_erf_of_huge_float32_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert tensor([3e38, -3e38]).erf().tolist() == [1.0, -1.0]


@pytest.mark.parametrize("size", [40_001, 400_001])
def test_error_functions_of_float32_are_those_of_float64(size):
    x = np.linspace(-6, 6, size).astype("float32")
    wanted = autodiff.erf(tensor(x.astype("float64"))).numpy()
    unit = np.spacing(np.abs(wanted).astype("float32"))
    assert np.max(np.abs(autodiff.erf(tensor(x)).numpy() - wanted) / unit) < 4
    below = kernels.normal_cdf(tensor(x.astype("float64"))).numpy()
    assert np.max(np.abs(kernels.normal_cdf(tensor(x)).numpy() - below)) < 2**-23
