"""Reductions, scans and softmax: known results, and PyTorch's over many calls."""

import pickle
import warnings
from math import inf, nan
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import autograd, tensor

ANY_INPUT = """
sum(x)  sum(x, 0)  sum(x, (0, -1))  sum(x, [-1], True)  sum(x, None, True)  sum(x, ())
sum(x, 0, dtype=float64)  sum(x, axis=0, keepdims=True)  sum(input=x, dim=0)  x.sum(-1)
nansum(x)  nansum(x, 0, True)  prod(x)  prod(x, 0)  prod(x, -1, True)  prod(x, dtype=float64)
cumsum(x, 0)  cumsum(x, -1, dtype=float64)  cumprod(x, 0)  cumprod(x, -1)
count_nonzero(x)  count_nonzero(x, 0)  count_nonzero(x, dim=(0, -1))
any(x)  any(x, 0)  any(x, (0, -1), True)  any(x, ())  all(x)  all(x, -1, True)  all(x, dim=[0])
max(x)  max(x, 0)  max(x, -1, True)  max(x, x)  max(x, other=x)  min(x)  min(x, dim=0)  x.min(-1)
amax(x)  amax(x, 0)  amax(x, (0, -1), True)  amin(x, [0])  x.amin(-1, keepdim=True)
aminmax(x)  aminmax(x, dim=0)  aminmax(x, dim=-1, keepdim=True)  aminmax(x, keepdim=True)
cummax(x, 0)  cummax(x, -1)  cummin(x, 0)  cummin(x, dim=-1)  logsumexp(x, 0)
logsumexp(x, (0, -1), keepdim=True)  softmax(x, 0, dtype=float64)  log_softmax(x, -1, float64)
diff(x)  diff(x, 2)  diff(x, dim=0)  diff(x, 0)  diff(x, 9)  diff(x, prepend=x, append=x)
mean(x, dtype=float64)  mean(x, 0, True, dtype=float64)
"""
NUMBERS = """
argmax(x)  argmax(x, 0)  argmax(x, -1, True)  argmax(x, keepdim=True)  argmin(x)  argmin(x, dim=0)
median(x)  median(x, -1, True).values  nanmedian(x)  nanmedian(x, 0).values
"""
FLOATS = """
mean(x)  mean(x, 0)  mean(x, (0, -1), True)  x.mean(dim=-1)  nanmean(x)  nanmean(x, -1, True)
var(x)  var(x, 0)  var(x, False)  var(x, 0, False, True)  var(x, (0, -1), correction=0)
var(x, correction=0.5, keepdim=True)  var(x, dim=0, unbiased=False)  std(x)  std(x, -1)
std(x, True)  std(x, [0], keepdim=True)  var_mean(x)  var_mean(x, 0, keepdim=True)
std_mean(x, False)  std_mean(x, -1, correction=0)
norm(x)  norm(x, 2, 0)  norm(x, 'fro', (0, -1), True)  norm(x, 1)  norm(x, 3, -1)  norm(x, 0.5)
norm(x, 0, 0)  norm(x, inf)  norm(x, -inf)  norm(x, p=1.5, dim=0, keepdim=True)  norm(x, -1)
norm(x, None)  norm(x, dtype=float64)  softmax(x, 0)  softmax(x, -1)  log_softmax(x, 0)
quantile(x, 0.3)  quantile(x, 1, 0)  quantile(x, q=0.5, dim=-1, keepdim=True)
quantile(x, tensor([0.0, 0.4, 1.0], dtype=x.dtype), 0)  quantile(x, 0.6, interpolation='lower')
quantile(x, 0.6, interpolation='higher')  quantile(x, 0.6, -1, interpolation='nearest')
quantile(x, 0.6, 0, True, interpolation='midpoint')  quantile(x, tensor(0.5, dtype=x.dtype))
"""
KINKED = """
norm(x)  norm(x, 1)  norm(x, 3)  norm(x, 0.5)  norm(x, -1)  norm(x, inf)  norm(x, -inf)
norm(x, 2, 0)  norm(x, 1.5, -1, True)  std(x, 0)  amax(x, 0)  max(x)  min(x, 0)  median(x)
median(x, 0)  nanmedian(x)  cummax(x, -1)  amin(x, (0, 1), True)  aminmax(x)
"""
REFUSED = """
sum(x, 2)  sum(x, -3)  sum(x, (0, 5))  sum(x, (0, 0))  sum(x, 0.5)  sum(x, 'a')  sum([1, 2])
sum(x, 0, axis=0)  sum(x, dim=0, axis=0)  sum(x, 0, keepdims=True, foo=1)  sum(scalar, 1)
mean(ints)  mean(bools)  mean(x, dtype=int64)  nanmean(ints)  prod(x, (0, 1))  prod(x, keepdim=True)
cumsum(x)  cumsum(x, None)  cumsum(x, 2)  cumprod(scalar, 1)
max(x, 2)  max(x, (0, 1))  max(x, 2.0)  max(x, keepdim=True)  max(empty)  max(empty, 0)  min(empty)
amax(empty)  amax(empty, 0)  amax(empty, (0, 1))  amax(x, 2)  aminmax(empty)  aminmax(empty, dim=0)
aminmax(x, dim=(0, 1))  argmax(empty)  argmin(empty, 0)  argmax(bools)  argmax(x, (0, 1))
argmax(x, 3)  cummax(x)  cummax(x, 2)  median(bools)  median(x, keepdim=True)  median(empty, 0)
var(ints)  std(bools)  var(x, 0, unbiased=False, correction=1)  var(x, 5)  var_mean(ints)
norm(ints)  norm(bools)  norm(x, 2, 5)  norm(x, 'inf')  norm(empty, inf)
softmax(x)  softmax(x, None)  softmax(x, (0, 1))  softmax(x, 2)  softmax(ints, 0)
log_softmax(ints, 0)  logsumexp(x)  logsumexp(x, None)  logsumexp(x, 2)
quantile(ints, 0.5)  quantile(x, 1.5)  quantile(x, tensor(-0.5))  quantile(x, tensor([[0.5]]))
quantile(empty, 0.5)  quantile(x, 0.5, interpolation='other')  quantile(x, 0.5, 2)
quantile(x, tensor(0.5).double())  diff(scalar)  diff(x, -1)  diff(x, dim=2)  count_nonzero(x, 2)
any(x, 2)  all(x, (0, 0))
"""


def calls(text: str) -> list[str]:
    return [call for line in text.splitlines() for call in line.split("  ") if call]


def array(kind: str, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    """Numbers with ties, zeros and either sign."""
    rng = np.random.default_rng(3)
    return rng.integers(0 if kind == "uint8" else -3, 4, shape).astype(kind)


def evaluate(ns, call: str, **tensors: Any) -> Any:
    function = call if call.startswith("x.") else f"ns.{call}"
    names = {"float64": ns.float64, "int64": ns.int64, "tensor": ns.tensor, "inf": inf}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both warn of empty means and degrees of freedom
        return eval(function, {"ns": ns, **names, **tensors})


def outcome(ns, call: str, **tensors: Any) -> list | type:
    """The results as arrays, or the type of the error."""
    try:
        results = evaluate(ns, call, **tensors)
    except Exception as error:
        return type(error)
    results = results if isinstance(results, tuple) else (results,)
    return [np.asarray(r.detach().numpy()) for r in results]


def assert_same(found: Any, expected: Any, rtol: float = 1e-6) -> None:
    if isinstance(found, type) or isinstance(expected, type):
        assert found is expected
        return
    assert [a.dtype for a in found] == [a.dtype for a in expected]
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol, rtol, equal_nan=True)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("call", [c for text in (ANY_INPUT, NUMBERS, FLOATS) for c in calls(text)])
def test_results_are_those_of_pytorch(torch, call: str, kind: str):
    x = array(kind)
    assert_same(outcome(autodiff, call, x=tensor(x)), outcome(torch, call, x=torch.tensor(x)))


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3, 4), (0,), (2, 0), (0, 3, 2)], ids=str)
@pytest.mark.parametrize("call", [c for text in (ANY_INPUT, NUMBERS, FLOATS) for c in calls(text)])
def test_results_of_every_shape_are_those_of_pytorch(torch, call: str, shape: tuple[int, ...]):
    if len(shape) < 2 and "(0, -1)" in call:
        pytest.skip("both are the same axis")
    x = array("float64", shape)
    if 0 in shape and "-1)" in call and "norm" in call:
        pytest.skip("PyTorch refuses the norm of order -1 of nothing")
    assert_same(outcome(autodiff, call, x=tensor(x)), outcome(torch, call, x=torch.tensor(x)))


def derivatives(ns, call: str, values: np.ndarray) -> list[np.ndarray]:
    """The first gradient of a weighted sum of the results, and the second of the first."""
    x = ns.tensor(values, requires_grad=True)
    results = evaluate(ns, call, x=x)
    results = results if isinstance(results, tuple) else (results,)
    rng = np.random.default_rng(1)
    total: Any = 0.0
    for result in results:
        if result.requires_grad:
            total = total + (result * ns.tensor(rng.uniform(0.5, 1.5, tuple(result.shape)))).sum()
    (first,) = ns.autograd.grad(total, x, create_graph=True)
    second = None
    if first.requires_grad:
        along = ns.tensor(rng.uniform(0.5, 1.5, values.shape))
        (second,) = ns.autograd.grad((first * along).sum(), x, allow_unused=True)
    zeros = ns.zeros(values.shape, dtype=ns.float64)
    return [(zeros if g is None else g.detach() + zeros).numpy() for g in (first, second)]


UNDIFFERENTIATED = ("count_nonzero", "any", "all", "argm", "norm(x, 0, 0)", "diff(x, 9)")


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 2)], ids=str)
@pytest.mark.parametrize(
    "call",
    [
        call
        for text in (ANY_INPUT, NUMBERS, FLOATS)
        for call in calls(text)
        if not call.startswith(UNDIFFERENTIATED)
    ],
)
def test_derivatives_are_those_of_pytorch(torch, call: str, shape: tuple[int, ...]):
    rng = np.random.default_rng(2)
    values = rng.permutation(np.arange(1.0, np.prod(shape) + 1)).reshape(shape) / 4 - 1.1
    if len(shape) < 2 and "(0, -1)" in call:
        pytest.skip("both are the same axis")
    if shape == () and call.startswith(("diff", "std", "var")):
        pytest.skip("there is no axis to take differences along, and no deviation")
    assert_same(derivatives(autodiff, call, values), derivatives(torch, call, values), 1e-9)


@pytest.mark.parametrize("call", ["prod(x)", "prod(x, 0)", "prod(x, 1)", "cumprod(x, 0)"])
def test_products_are_twice_differentiable_at_zeros(torch, call: str):
    values = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.5], [0.5, 2.5, 4.0], [0.0, 1.0, 0.0]])
    assert_same(derivatives(autodiff, call, values), derivatives(torch, call, values), 1e-12)


@pytest.mark.parametrize(
    "call",
    calls(KINKED),
)
def test_gradients_at_zeros_and_ties_are_those_of_pytorch(torch, call: str):
    values = np.array([[0.0, 2.0, -2.0], [0.0, 2.0, 2.0], [0.0, -2.0, -1.0]])
    found, expected = (derivatives(ns, call, values)[0] for ns in (autodiff, torch))
    np.testing.assert_allclose(found, expected, 1e-12)


@pytest.mark.parametrize("call", calls(REFUSED))
def test_refusals_are_those_of_pytorch(torch, call: str):
    def inputs(ns) -> dict[str, Any]:
        return {
            "x": ns.ones(2, 3),
            "ints": ns.tensor([[1, 2]]),
            "bools": ns.tensor([[True]]),
            "scalar": ns.tensor(1.0),
            "empty": ns.zeros(0, 3),
        }

    expected = outcome(torch, call, **inputs(torch))
    assert isinstance(expected, type), "PyTorch takes this"
    assert outcome(autodiff, call, **inputs(autodiff)) is expected


def test_integers_are_summed_in_int64_and_uint8_has_truth_in_uint8():
    small = tensor([[200, 100], [0, 0]], dtype=autodiff.uint8)
    assert small.sum().item() == 300
    assert small.sum().dtype == small.cumsum(0).dtype == small.prod().dtype == autodiff.int64
    assert small.any().dtype == autodiff.uint8
    assert tensor([True, True]).sum().item() == 2


def test_of_equal_elements_the_first_wins_along_an_axis_and_nan_before_all():
    x = tensor([[1.0, 3.0, 3.0], [nan, 5.0, nan]])
    assert x.max(1).indices.tolist() == x.argmax(1).tolist() == [1, 0]
    assert x.min(1).indices.tolist() == [0, 0]
    assert x.argmax().item() == 3
    assert tensor([1.0, 3.0, 3.0, 2.0]).cummax(0).indices.tolist() == [0, 1, 2, 2]
    assert tensor([1.0, nan, 3.0, nan, 9.0]).cummax(0).indices.tolist() == [0, 1, 1, 3, 3]


def test_equal_elements_share_the_gradient_of_a_full_reduction_and_one_takes_that_along_an_axis():
    for reduce, expected in [
        (lambda x: x.max(), [0, 0.5, 0.5]),
        (lambda x: x.amax(0), [0, 0.5, 0.5]),
        (lambda x: x.max(0).values, [0, 1, 0]),
        (lambda x: x.median(), [0, 0.5, 0.5]),
    ]:
        x = tensor([1.0, 3.0, 3.0], requires_grad=True)
        reduce(x).backward()
        assert x.grad.tolist() == expected


def test_results_of_several_tensors_are_named_tuples_called_as_their_function():
    x = tensor([[1.0, 5.0], [4.0, 2.0]])
    largest = x.max(1)
    assert type(largest).__name__ == "max"
    values, indices = largest
    assert values is largest.values and indices is largest.indices
    assert indices.dtype == autodiff.int64
    smallest, greatest = autodiff.aminmax(x, dim=0)
    assert smallest.tolist() == [1, 2] and greatest.tolist() == [4, 5]


def test_lower_median_is_taken_and_nan_counts_only_for_median():
    assert tensor([4.0, 1.0, 3.0, 2.0]).median().item() == 2
    assert np.isnan(tensor([4.0, nan, 1.0]).median().item())
    assert tensor([4.0, nan, 1.0]).nanmedian().item() == 1
    assert tensor([[4.0, nan, 1.0]]).median(1).indices.tolist() == [1]
    assert tensor([[4.0, nan, 1.0]]).nanmedian(1).indices.tolist() == [2]


def test_quantile_interpolates_and_its_gradient_goes_to_the_neighbours():
    x = tensor([3.0, 1.0, 2.0, 5.0], requires_grad=True)
    found = x.quantile(0.25)
    assert found.item() == 1.75
    found.backward()
    assert x.grad.tolist() == [0, 0.25, 0.75, 0]
    q = tensor([0.1, 0.5], requires_grad=True)
    x.detach().quantile(q).sum().backward()
    assert q.grad.tolist() == pytest.approx(
        [3, 3]
    )  # the slope, (n - 1) times the step to the next element


def test_sums_of_exponentials_do_not_overflow():
    x = tensor([1000.0, 1000.0, -inf])
    assert x.logsumexp(0).item() == pytest.approx(1000 + np.log(2))
    assert x.softmax(0).tolist() == [0.5, 0.5, 0]
    assert x.log_softmax(0).tolist() == pytest.approx([-np.log(2), -np.log(2), -inf])
    assert tensor([-inf, -inf]).logsumexp(0).item() == -inf


def test_numpy_functions_of_tensors_are_these_operations():
    x = tensor([[1.0, 4.0, nan], [2.0, 8.0, 3.0]], dtype=autodiff.float64)
    for function, options in [
        (np.sum, {"axis": 0}),
        (np.mean, {"axis": (0, 1), "keepdims": True}),
        (np.max, {"axis": 1}),
        (np.prod, {}),
        (np.std, {"axis": 1}),
        (np.var, {"axis": 0, "ddof": 1}),
        (np.argmax, {"axis": 1}),
        (np.any, {}),
        (np.cumsum, {"axis": 0}),
        (np.nansum, {"axis": 0}),
        (np.nanmean, {"axis": 1, "keepdims": True}),
        (np.quantile, {"q": 0.3, "axis": 0}),
        (np.diff, {"n": 1, "axis": 0}),
        (np.count_nonzero, {"axis": 0}),
        (np.add.reduce, {}),
        (np.maximum.reduce, {"axis": -1, "keepdims": True}),
        (np.multiply.accumulate, {"axis": 1}),
    ]:
        found = function(x, **options)
        assert isinstance(found, autodiff.Tensor), function
        np.testing.assert_allclose(found.numpy(), function(x.numpy(), **options), 1e-15)


def test_a_wrong_dimension_names_the_operation_and_the_shape():
    with pytest.raises(IndexError, match=r"sum: .*axis 2.*float32\[2, 3\]"):
        autodiff.ones(2, 3).sum(2)
    with pytest.raises(RuntimeError, match=r"mean is of floats, got autodiff.int64"):
        tensor([1, 2]).mean()
    with pytest.raises(IndexError, match=r"amax over dim 0, which is empty.*\(0, 3\)"):
        autodiff.zeros(0, 3).amax(0)


def test_scans_in_place():
    x = tensor([[1, 2], [3, 4]], dtype=autodiff.int32)
    assert x.cumsum_(0) is x
    assert x.tolist() == [[1, 2], [4, 6]] and x.dtype == autodiff.int32
    w = tensor([2.0, 3.0], requires_grad=True)
    y = w * 1
    y.cumprod_(0)
    (gradient,) = autograd.grad(y.sum(), w)
    assert gradient.tolist() == [4, 2]


def test_functions_made_by_a_function_are_named_documented_and_can_be_pickled():
    for name in ("max", "var", "std_mean", "any", "argmin", "cummax", "median", "softmax"):
        function = getattr(autodiff, name)
        assert function.__name__ == name and function.__doc__
        assert pickle.loads(pickle.dumps(function)) is function
