"""Each element or a number, whichever is larger or smaller: as np.maximum and minimum have it."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import autodiff
from autodiff import autograd, get_num_threads, kernels, set_num_threads, tensor
from autodiff.ops import bounds
from autodiff.tensor import make

SIZES = [0, 1, bounds._LEAST - 1, bounds._LEAST, bounds._ROW, bounds._ROW + 1, 3 * bounds._ROW + 7]


def spread(size: int, dtype: str) -> np.ndarray:
    """Numbers around 0, with zeros of both signs, infinities and nan among them."""
    x = np.random.default_rng(0).uniform(-2, 2, size).astype(dtype)
    for i, value in enumerate((0.0, -0.0, np.inf, -np.inf, np.nan)):
        x[i::11] = value
    return x


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [0, 0.0, -0.0, 1, -0.5, np.inf, -np.inf, np.nan])
def test_they_are_what_numpy_makes_of_the_number(size, number, dtype):
    x = spread(size, dtype)
    for mine, ufunc in ((bounds.at_least, np.maximum), (bounds.at_most, np.minimum)):
        made, wanted = mine(x, number), ufunc(x, number)
        assert made.dtype == wanted.dtype
        # of two zeros NumPy gives either, by the place of the element
        assert np.array_equal(made, wanted, equal_nan=True)
        assert not np.shares_memory(made, x)


@pytest.mark.parametrize("shape", [(), (70, 80), (3, 0), (2, 30, 400)])
def test_shapes_are_kept(shape):
    x = np.random.default_rng(0).uniform(-1, 1, shape)
    assert bounds.at_least(x, 0).shape == shape
    assert np.array_equal(bounds.at_least(x, 0), np.maximum(x, 0))


def test_arrays_in_another_order_and_of_integers_are_left_to_numpy():
    x = np.random.default_rng(0).uniform(-1, 1, (200, 100))
    for each in (x.T, x[::-2], x[:, 1::2], (x * 9).astype(int)):
        assert np.array_equal(bounds.at_most(each, 0), np.minimum(each, 0))


def test_rows_that_are_kept_cannot_be_written():
    assert not bounds._row("1.5", np.dtype("float32")).flags.writeable


LARGE: dict[str, Callable] = {
    "relu alone": lambda x: x.relu(),
    "clamp": lambda x: x.clamp(-0.25, 0.5),
    "in a chain": lambda x: (x * 2).clamp(min=-1).exp().clamp(max=1.5) + 1,
    "in rows": lambda x: (x + x[0]).relu() * 2,
    "of a number from outside": lambda x: autodiff.maximum(x, tensor(0.125)) - 1,
    "with a gradient": lambda x: autograd.grad((x.relu() * x).sum(), [x])[0],
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(70_000,), (130, 600), (41, 50, 40)])
@pytest.mark.parametrize("name", LARGE)
def test_compiled_they_are_the_same_on_large_arrays(name, shape, threads):
    function = LARGE[name]
    x = make(np.random.default_rng(0).standard_normal(shape).astype("float32"))
    x.requires_grad_("gradient" in name)
    before = get_num_threads()
    set_num_threads(threads)
    try:
        compiled = autodiff.compile(function, fullgraph=True)
        for _ in range(2):
            assert np.array_equal(compiled(x).detach().numpy(), function(x).detach().numpy())
    finally:
        set_num_threads(before)


def silent(function: Callable, x: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(tensor(x)).numpy()


@pytest.mark.parametrize("size", [3, 10_000, 200_000])
def test_large_arguments_of_error_functions_give_no_warning(size):
    """Not in float32 either, where the powers in their formula overflow."""
    x = np.linspace(-3e4, 3e4, size).astype("float32")
    for function, least in ((autodiff.erf, -1.0), (kernels.normal_cdf, 0.0)):
        compiled = autodiff.compile(function, fullgraph=True)
        eager = silent(function, x)
        assert (eager[0], eager[-1]) == (least, 1.0)
        for _ in range(2):
            assert np.array_equal(silent(compiled, x), eager)
