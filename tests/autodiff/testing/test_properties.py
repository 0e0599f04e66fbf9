import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st

import autodiff
import nn
from autodiff.testing import GradcheckError, property_gradients
from autodiff.testing.strategies import kinks, tensors


def told(test) -> str:
    """What a property test that must fail says: the error, then the smallest example."""
    with pytest.raises(GradcheckError) as caught:
        test()
    return "\n".join([str(caught.value), *caught.value.__notes__])


def function(backward, forward=lambda *args: args[0] * args[1]):
    """`apply` of a custom operation, of which backward(g, *args) gives the gradients."""

    class Custom(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            ctx.save_for_backward(*args)
            return forward(*args)

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    return Custom.apply


# Right ones, as they stand in a user's file


@property_gradients()
def test_arguments_are_guessed_from_the_signature(x, y, scale=2.0):
    return scale * x * y.tanh()


@property_gradients(positive=True, max_examples=20)
def test_positive_arguments_suit_logarithms_and_roots(x, y):
    assert x.min() > 0
    return x.log() * y.sqrt()


@property_gradients("N C", target="C", max_examples=20)
def test_templates_share_their_letters(x, target):
    return ((x - target) ** 2).mean(0)


@property_gradients(tensors("N 3", values=kinks()), order=1, modes=["reverse"], max_examples=20)
def test_kinks_are_no_failures(x):
    return x.relu() + x.abs()


@property_gradients(
    x="N C",
    index=tensors("N", autodiff.int64, values=st.integers(0, 0)),
    dim=st.sampled_from([0, -2]),
    max_examples=20,
)
def test_arguments_without_derivatives_are_passed_on(x, index, dim):
    return x.index_select(dim, index).exp()


class TestInAClass:
    power = 3

    @property_gradients(max_examples=10)
    def test_self_is_left_to_pytest(self, x):
        return x**self.power

    @pytest.mark.parametrize("power", [1, 2])
    @property_gradients(x="N", max_examples=10)
    def test_what_is_not_drawn_is_left_to_pytest(self, x, power):
        return x**power


test_modules_are_tested_with_their_parameters = property_gradients(
    "N 2 H+2 3", order=1, max_examples=5
)(nn.Sequential(nn.Conv2d(2, 2, 3), nn.Tanh(), nn.Flatten()))


class Quotient(nn.Module):
    def forward(self, x, y):
        return x / y


test_modules_get_arguments_by_name = property_gradients(
    y=tensors("3", positive=True), x="2 3", max_examples=5
)(Quotient())


test_modules_over_sequences = property_gradients("T N 2", order=1, max_examples=5)(nn.LSTM(2, 2))


# Planted faults, and what they shrink to


def test_a_wrong_sign_shrinks_to_numbers():
    multiply = function(lambda g, x, y: (-g * y, g * x))

    @property_gradients()
    def test(x, y):
        return multiply(x, y)

    report = told(test)
    assert "derivative by x (reverse mode) is wrong at element ()" in report
    assert "x=tensor(0.1000, dtype=autodiff.float64)" in report
    assert "y=tensor(0.1000, dtype=autodiff.float64)" in report


def test_a_gradient_that_is_not_summed_shrinks_to_two_rows():
    add = function(lambda g, x, b: (g, g[0]), lambda x, b: x + b)

    @property_gradients("N C", "C")
    def test(x, b):
        return add(x, b)

    report = told(test)
    assert "derivative by b (reverse mode) is wrong at element (0,)" in report
    assert "x0 = array([[0.1], [0.1]], 'float64')" in report
    assert "x1 = array([0.1], 'float64')" in report


def test_a_mean_in_place_of_a_sum_shrinks_to_two_elements_and_a_number():
    def backward(g, x, y):
        of_y = g * x
        while of_y.ndim > y.ndim:
            of_y = of_y.mean(0)
        return g * y, of_y

    multiply = function(backward)

    @property_gradients()
    def test_mean(x, y):  # Hypothesis keeps examples by a test's source
        return multiply(x, y)

    report = told(test_mean)
    assert re.search(r"x0 = array\(\[+0\.1\]*, \[*0\.1\]+, 'float64'\)", report)
    assert "x1 = array(0.1, 'float64')" in report


def test_a_transposed_factor_shrinks_to_two_by_two():
    matmul = function(lambda g, x, y: (g @ y, x.T @ g), lambda x, y: x @ y)

    @property_gradients("N N", "N N")
    def test(x, y):
        return matmul(x, y)

    report = told(test)
    assert "derivative by x" in report
    assert "x0 = array([[0.1, 0.1], [0.1, 0.1]], 'float64')" in report


def test_a_fault_beyond_some_value_shrinks_to_the_least_such_value():
    cube = function(lambda g, x: 3 * g * x.clip(max=1) ** 2, lambda x: x**3)

    @property_gradients()
    def test(x):
        return cube(x)

    assert "x=tensor(1.1000, dtype=autodiff.float64)" in told(test)


def test_a_fault_in_the_second_derivative_needs_the_second_order():
    square = function(lambda g, x: 2 * g * x.detach(), lambda x: x * x)

    @property_gradients(order=1)
    def first(x):
        return square(x)

    @property_gradients()
    def second(x):
        return square(x)

    first()
    assert "second derivative by x" in told(second)


def test_a_fault_of_the_first_order_does_not_shrink_to_one_of_the_second():
    """The first order is right at 0.1 alone, where the second is wrong."""
    square = function(lambda g, x: g * (2 * x + (x - 0.1).detach()), lambda x: x * x)

    @property_gradients(tensors((), values=st.sampled_from([0.1, 0.35, 0.6])))
    def test_both(x):
        return square(x)

    with pytest.raises(ExceptionGroup) as caught:
        test_both()
    first, second = sorted(caught.value.exceptions, key=lambda error: error.order)
    assert "the derivative by x" in str(first) and "x0 = array(0.35, 'float64')" in str(first)
    assert "the second derivative by x" in str(second) and "array(0.1, 'float64')" in str(second)


def test_a_fault_in_one_argument_does_not_shrink_to_one_in_another():
    multiply = function(lambda g, x, y: (g * y.clip(max=0.5), g * x.clip(max=0.2)))

    @property_gradients(order=1, max_examples=200)
    def test(x, y):
        return multiply(x, y)

    with pytest.raises(ExceptionGroup) as caught:
        test()
    of_x, of_y = sorted(caught.value.exceptions, key=lambda error: error.argument)
    assert "derivative by x" in str(of_x) and "x1 = array(0.6, 'float64')" in str(of_x)
    assert "derivative by y" in str(of_y) and "x0 = array(0.35, 'float64')" in str(of_y)


@pytest.mark.parametrize("strides", [(1, 2), (8, 2), (-2, -1), (0, 0)])
def test_a_fault_in_one_layout_is_found_and_the_strides_are_told(strides):
    square = function(lambda g, x: (1 if x.stride() == strides else 2) * g * x, lambda x: x * x)

    @property_gradients("2 2", order=1, modes=["reverse"], max_examples=1000)
    def test(x):
        return square(x)

    assert f"x: shape (2, 2), strides {strides}" in told(test)


def test_a_wrong_gradient_of_a_parameter_is_named():
    multiply = function(lambda g, x, y: (g * y, (g * x).sum(0) / 2))

    class Scale(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(autodiff.ones(1, dtype=autodiff.float64))

        def forward(self, x):
            return multiply(x, self.weight)

    report = told(property_gradients("N 1")(Scale()))
    assert "derivative by weight (reverse mode)" in report
    assert "x0 = array([[0.1]], 'float64')" in report


# How it is asked


@pytest.mark.parametrize(
    ("fn", "positions", "named", "told"),
    [
        (lambda x, dim: x, [], {"y": "N"}, r"<lambda>, which takes x, dim: it has no .* 'y'$"),
        (lambda x: x, [], {"x": "N", "max_example": 3}, "it has no parameter 'max_example'"),
        (lambda x: x, ["N"], {"x": "N"}, "'x' is given by position and by name$"),
        (lambda x: x, ["N", "N"], {}, "which takes x: 2 are given by position$"),
        (lambda: 0, ["N"], {}, "which takes nothing: 1 are given by position$"),
        (lambda x: x, [], {"x": (2, 3)}, r"x=\(2, 3\) is neither a strategy nor a template"),
        (lambda: 0, [], {}, r"no arguments to draw: <lambda> takes \(\)"),
        (lambda *x: x[0], [], {}, r"<lambda> takes \(\*x\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_each_with_its_reason(fn, positions, named, told):
    with pytest.raises(TypeError, match=told):
        property_gradients(*positions, **named)(fn)


@pytest.mark.parametrize("max_examples", [None, 7])
def test_the_profile_says_how_many_examples_unless_told(max_examples):
    shapes = []

    @property_gradients(order=1, modes=["reverse"], max_examples=max_examples)
    def test(x, y):
        shapes.append((tuple(x.shape), tuple(y.shape)))
        return x

    test()
    examples = [shape for k, shape in enumerate(shapes) if not k or shapes[k - 1] != shape]
    assert len(examples) <= (max_examples or settings.default.max_examples)
    assert len(shapes) > (max_examples or settings.default.max_examples)
    assert len(set(shapes)) > 1


def test_a_failing_test_is_the_same_in_each_run_of_continuous_integration(tmp_path: Path):
    file = tmp_path / "test_planted.py"
    file.write_text(
        "import autodiff\n"
        "from autodiff.testing import property_gradients\n"
        "class Wrong(autodiff.autograd.Function):\n"
        "    forward = staticmethod(lambda ctx, x, y: x * y)\n"
        "    backward = staticmethod(lambda ctx, g: (g, g))\n"
        "class TestWrong:\n"
        "    @property_gradients()\n"
        "    def test_product(self, x, y):\n"
        "        return Wrong.apply(x, y)\n"
    )
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null", "-q"]
    runs = [
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(file)],
            cwd=Path(__file__).parents[3],
            env={"HYPOTHESIS_PROFILE": "ci", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    shown = [
        [line for line in run.splitlines() if line.startswith("E ") and " at 0x" not in line]
        for run in runs
    ]
    assert any("y=tensor(0.1000, dtype=autodiff.float64)" in line for line in shown[0]), runs[0]
    assert shown[0] == shown[1]
