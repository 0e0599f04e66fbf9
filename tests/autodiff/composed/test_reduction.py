"""Reductions, scans and softmax: known results; PyTorch's are compared in test_parity.py."""

import pickle
from math import inf, nan

import numpy as np
import pytest

import autodiff
from autodiff import autograd, tensor
from tests.autodiff.composed.expressions import check_like_torch, listed

TRAPEZOIDS = """
    L.trapezoid(x); L.trapezoid(x,v); L.trapezoid(x,y); L.trapezoid(x,y,dim=0);
    L.trapezoid(x,dx=.5); L.trapezoid(y=x,x=v[:2],dim=0); L.trapezoid(c,v,dim=1);
    L.trapezoid(c,q,dim=-1); L.trapz(x,dx=2); L.trapezoid(c,one[:,:1].expand(3,4)); L.trapezoid(s);
    L.trapezoid(e.T.detach()); L.trapezoid(x[:,:1]); L.trapezoid(ints); L.trapezoid(ints,v);
    L.trapezoid(mask); L.trapezoid(x,w); L.trapezoid(x,v,dx=1); L.trapezoid(x,dim=2);
    L.trapezoid(x,ints[0]); L.cumulative_trapezoid(x); L.trapezoid(x,dim=0);
    L.cumulative_trapezoid(x,v); L.cumulative_trapezoid(c,dim=0,dx=3); L.cumulative_trapezoid(ints);
    L.cumulative_trapezoid(x[:,:1].detach()); L.cumulative_trapezoid(c,z[0],dim=1);
"""


@pytest.mark.parametrize("expression", listed(TRAPEZOIDS))
def test_integrals_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


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
    with pytest.raises(NotImplementedError, match="nanmedian"):
        tensor([True]).nanmedian()


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


@pytest.mark.parametrize("n", [2, 64, 256, 257, 4096])
def test_means_of_equal_float32_elements_are_exact_to_a_few_units(n: int):
    found = autodiff.full((200, n), 0.1).mean(-1)._array
    np.testing.assert_allclose(found, np.float32(0.1), rtol=6e-7)
    assert autodiff.full((3, n), 1.0).sum(-1, keepdim=True).stride() == (1, 1)


def test_max_and_min_of_two_tensors_are_elementwise():
    x, y = tensor([1.0, 4.0]), tensor([3.0, 2.0])
    assert x.max(y).tolist() == x.max(other=y).tolist() == [3.0, 4.0]
    assert x.min(y).tolist() == autodiff.min(x, other=y).tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match="dim or other"):
        x.max(0, other=y)


def test_float16_is_averaged_where_its_sum_exceeds_its_range():
    x = tensor([60000.0, 59000, 58000, 57000], dtype=autodiff.float16, requires_grad=True)
    for found, wanted in (
        (x.mean(), 58500.0),
        (x.std(), 1297.0),
        ((x / 64).var(), 410.8),
        (autodiff.linalg.vector_norm(x / 2), 58530.0),
    ):
        assert found.dtype == autodiff.float16
        assert found.item() == pytest.approx(wanted, rel=1e-3)
        assert np.isfinite(autograd.grad(found, x)[0].numpy()).all()


def test_sums_of_many_short_rows_keep_their_axis_if_asked_to():
    x = autodiff.ones(10, 20, 5)
    for keepdim, shape in ((True, (10, 20, 1)), (False, (10, 20))):
        total = x.sum(-1, keepdim=keepdim)
        assert total.shape == shape
        assert (total == 5).all()
