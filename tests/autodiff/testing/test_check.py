"""check_gradients: what is right passes, what is wrong is found, named and explained."""

import copy
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff
import nn
from autodiff import autograd, float32, float64, tensor
from autodiff.autograd import Function
from autodiff.function import once_differentiable
from autodiff.tensor import Tensor
from autodiff.testing import GradcheckError, check_derivative, check_gradients
from tests.strategies import programs


def uniform(*shape, dtype=np.float64):
    return tensor(np.random.default_rng(len(shape)).uniform(0.2, 1.0, shape).astype(dtype))


def custom(forward, backward):
    """A custom operation of x and y, or of x alone, as `apply`."""

    class Custom(Function):
        @staticmethod
        def forward(ctx, x, y=None):
            out = forward(x) if y is None else forward(x, y)
            ctx.save_for_backward(*[t for t in (x, y) if t is not None], out)
            return out

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    return Custom.apply


# What is right

RIGHT = {
    "matmul": (lambda x, y: (x @ y).tanh(), [(2, 3), (3, 2)]),
    "broadcasting": (lambda x, y: (x * y).exp(), [(2, 1), (3,)]),
    "several outputs": (lambda x: (x.sin(), {"sum": x.sum()}), [(2, 2)]),
    "a scalar": (lambda x: x * x, [()]),
    "empty": (lambda x: x.exp(), [(0, 3)]),
    "in place on a copy": (lambda x: x.clone().mul_(3.0).exp_(), [(3,)]),
    "indices": (lambda x: x[..., [0, 0, 1]] ** 3, [(2, 2)]),
    "an unused argument": (lambda x, y: x.square(), [(2,), (3,)]),
    "constant": (lambda x: x.sign(), [(3,)]),
    "cancelling": (lambda x: x / x - 1.0, [(3,)]),
    "a loss": (nn.MSELoss(), [(4, 2), (4, 2)]),
    "an inverse": (lambda x: autodiff.linalg.inv(x @ x.mT + autodiff.eye(3)), [(3, 3)]),
    "singular values": (lambda x: autodiff.linalg.svdvals(x), [(3, 3)]),
    "an operation without complex numbers": (lambda x: x.erf(), [(3,)]),
    "a custom operation": (custom(lambda x: x**3, lambda g, x, out: 3 * x**2 * g), [(3,)]),
}


@pytest.mark.parametrize("directions", [1, 3, "all"])
@pytest.mark.parametrize(("fn", "shapes"), RIGHT.values(), ids=RIGHT)
def test_right_derivatives_pass(fn, shapes, directions):
    arguments = [uniform(*shape) for shape in shapes]
    before = copy.deepcopy([x.tolist() for x in arguments])
    report = check_gradients(fn, *arguments, directions=directions)
    assert report.worst < 1e-9
    assert {(row.order, row.mode) for row in report.rows} == {
        (1, "reverse"),
        (1, "forward"),
        (2, "reverse"),
        (2, "forward"),
    } or 0 in shapes[0]
    assert not report.kinks
    assert [x.tolist() for x in arguments] == before
    assert not any(x.requires_grad for x in arguments)


def test_smooth_functions_are_checked_to_twelve_digits():
    report = check_gradients(lambda x, y: (x @ y).sigmoid().log(), uniform(2, 3), uniform(3, 2))
    assert {row.method for row in report.rows} == {"complex step"}
    assert report.worst < 1e-14


def test_differences_can_be_asked_for():
    report = check_gradients(lambda x: x.sin(), uniform(3), method="differences")
    assert {row.method for row in report.rows} == {"differences"}
    assert report.worst < 1e-10


def test_complex_step_is_refused_where_it_does_not_go_through():
    with pytest.raises(GradcheckError, match="complex step does not go through"):
        check_gradients(lambda x: x.erf(), uniform(3), method="complex")


def test_orders_and_modes_are_those_asked_for():
    report = check_gradients(lambda x: x.sin(), uniform(3), order=1, modes=("forward",))
    assert [(row.order, row.mode) for row in report.rows] == [(1, "forward")]


def test_what_is_no_tensor_of_floats_is_passed_on():
    def fn(x, index, power, flags, name):
        assert name == "name" and index.dtype is autodiff.int64
        return (x[index] ** power)[flags]

    flags = tensor([True, False])
    report = check_gradients(fn, uniform(3), tensor([0, 2]), 3, flags, "name")
    assert {row.argument for row in report.rows} == {"x"}


def test_arrays_become_tensors_and_nests_are_looked_into():
    def fn(x, state):
        assert isinstance(x, Tensor) and isinstance(state["h"][0], Tensor)
        return x * state["h"][0] + state["c"]

    h, c = np.ones(2), np.full(2, 2.0)
    report = check_gradients(fn, np.array([1.0, 2.0]), {"h": (h,), "c": c})
    assert {row.argument for row in report.rows} == {"x", "state['h'][0]", "state['c']"}


def test_parameters_of_a_module_are_checked_by_their_names():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 1))
    before = {name: value.tolist() for name, value in net.state_dict().items()}
    report = check_gradients(net, uniform(5, 3))
    assert {row.argument for row in report.rows} >= {"input", "0.weight", "2.bias", "3.bias"}
    assert report.worst < 1e-9
    assert {name: value.tolist() for name, value in net.state_dict().items()} == before


def test_a_module_of_several_arguments_is_checked():
    state = uniform(1, 2, 4), uniform(1, 2, 4)
    report = check_gradients(nn.LSTM(3, 4), uniform(5, 2, 3), state, order=1)
    assert {row.argument for row in report.rows} >= {"input", "hx[0]", "hx[1]", "weight_hh_l0"}


def test_random_numbers_are_drawn_the_same_in_each_run():
    autodiff.manual_seed(0)
    state = autodiff.get_rng_state().tolist()
    check_gradients(lambda x: nn.functional.dropout(x, 0.5), uniform(8))
    assert autodiff.get_rng_state().tolist() == state


def test_float32_is_judged_against_float64():
    report = check_gradients(lambda x: (3 * x).sin().exp() / x, uniform(4, dtype=np.float32))
    rows = {row.mode: row.error for row in report.rows if row.order == 1}
    assert 1e-12 < rows["float32"] < 1e-5
    assert rows["reverse"] < 1e-12


def test_digits_lost_in_float32_are_found():
    fn = custom(lambda x: x.square(), lambda g, x, out: g * ((x + 1e6) - 1e6) * 2)
    with pytest.raises(GradcheckError, match="digits are lost in float32"):
        check_gradients(fn, uniform(3, dtype=np.float32), order=1, rtol=1e-6)


def test_once_differentiable_is_left_out_with_a_note():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    report = check_gradients(Once.apply, uniform(3), modes=("reverse",))
    assert [(row.argument, row.order) for row in report.rows] == [("x", 1)]
    assert "order 2, reverse mode is left out" in str(report)


def test_report_is_a_table():
    text = str(check_gradients(lambda x, weight: x * weight, uniform(3), uniform(3)))
    assert re.search(r"weight +2 +forward +complex step +\d\.\de[+-]\d\d", text)


# Kinks

KINKS = {
    "relu": (lambda x: x.relu(), [-1.0, 0.0, 2.0], (1,)),
    "abs": (lambda x: x.abs(), [0.0, 2.0], (0,)),
    "one of several maxima": (lambda x: x.max(0)[0], [1.0, 1.0, 0.5], (0,)),
    "maxima that share": (lambda x: x.amax(), [1.0, 0.5, 1.0], (0,)),
    "clamp": (lambda x: x.clamp(0.0, 1.0), [0.5, 1.0], (1,)),
    "the edge of a domain": (lambda x: x.sqrt(), [1.0, 0.0], (1,)),
    "the end of a domain": (lambda x: x.arcsin(), [1.0, 0.5], (0,)),
    "a jump": (lambda x: x.floor() * 2, [0.3, 1.0], (1,)),
    "vertical": (lambda x: x.abs() ** (1 / 3) * x.sign(), [0.5, 0.0], (1,)),
    "a norm": (lambda x: x.norm(), [0.0, 0.0], (0,)),
}


@pytest.mark.parametrize(("fn", "values", "element"), KINKS.values(), ids=KINKS)
def test_kinks_are_reported_and_pass(fn, values, element):
    report = check_gradients(fn, np.array(values), order=1, modes=("reverse",))
    assert element in [kink.element for kink in report.kinks]
    assert "left slope" in str(report) and "right slope" in str(report)


def test_large_gradient_that_is_wrong_is_told_of_without_looking_at_every_element():
    fn = custom(lambda x: x.sin(), lambda g, x, out: 2 * g * x.cos())
    with pytest.raises(GradcheckError, match="2 times too large") as caught:
        check_gradients(fn, uniform(100, 30), order=1)
    assert "too large to print" in str(caught.value)


def test_value_that_is_not_finite_is_reported():
    report = check_gradients(lambda x: x.log(), np.array([0.0, 1.0]), order=1)
    assert report.kinks


def test_slopes_of_a_kink_are_told():
    (kink,) = check_gradients(lambda x: 2 * x.relu(), np.array(0.0), order=1).kinks
    assert kink.left == 0.0 and kink.given == 0.0
    assert 1.0 <= kink.right <= 3.0  # 2, weighted


@pytest.mark.parametrize("distance", [1e-3, 1e-6])
def test_points_beside_a_kink_are_no_kinks(distance):
    report = check_gradients(lambda x: x.relu(), np.array([distance, -distance]))
    assert not report.kinks


def test_wrong_gradient_beside_a_kink_is_found():
    fn = custom(lambda x: x.relu(), lambda g, x, out: 2 * g * (x > 0))
    with pytest.raises(GradcheckError, match=r"element \(2,\)"):
        check_gradients(fn, np.array([-1.0, 0.0, 2.0]), order=1)


def test_gradient_outside_the_slopes_of_a_kink_is_found():
    fn = custom(lambda x: x.abs(), lambda g, x, out: g * (x.sign() + 2 * (x == 0)))
    with pytest.raises(GradcheckError, match=r"by x"):
        check_gradients(fn, np.array([-1.0, 0.0, 2.0]), order=1)


# What is wrong

WRONG = {
    "sign": (lambda x: x.cos(), lambda g, x, out: g * x.sin(), "the sign is flipped"),
    "factor 2": (lambda x: x * x, lambda g, x, out: g * x, "a factor 2 is missing"),
    "twice": (lambda x: x.sin(), lambda g, x, out: 2 * g * x.cos(), "2 times too large"),
    "mean": (
        lambda x: x.mean(),
        lambda g, x, out: g.expand(x.shape),
        "3 times too large; 3 is the length of axis 0 of x",
    ),
    "sigmoid": (lambda x: x.sigmoid(), lambda g, x, out: g, "factor out (1 - out)"),
    "sigmoid twice": (
        lambda x: x.sigmoid(),
        lambda g, x, out: g * (out * (1 - out)) ** 2,
        "there once too often",
    ),
    "tanh": (lambda x: x.tanh(), lambda g, x, out: g, "a factor 1 - out², the derivative of tanh"),
    "argument": (lambda x: x**3, lambda g, x, out: 3 * g * x, "a factor x, x being the argument"),
    "nothing": (lambda x: x * x, lambda g, x, out: 0 * g, "no gradient arrives at all"),
    "a hole": (
        lambda x: x * x,
        lambda g, x, out: 2 * g * x * tensor([1.0, 1.0, 0.0]),
        "zero at 1 of 3 elements, the first being (2,)",
    ),
    "one element": (
        lambda x: x * x,
        lambda g, x, out: 2 * g * x * tensor([1.0, 3.0, 1.0]),
        "wrong at 1 of 3 elements, the first being (1,)",
    ),
    "reversed": (lambda x: x.flip(0) ** 2, lambda g, x, out: 2 * g * x.flip(0), "reversed along"),
    "shifted": (
        lambda x: x.roll(1, 0).square(),
        lambda g, x, out: 2 * g * x.roll(1, 0),
        "shifted by one along axis 0",
    ),
    "nan": (lambda x: x * x, lambda g, x, out: g * x / 0 * 0, "nan or infinite where"),
    "few digits": (
        lambda x: x * 3.0,
        lambda g, x, out: g * 3.0000001,
        "too few digits",
    ),
    "no simple reason": (lambda x: x.exp(), lambda g, x, out: g * x.sin(), "not recognised"),
}


@pytest.mark.parametrize("method", ["auto", "differences"])
@pytest.mark.parametrize(("forward", "backward", "cause"), WRONG.values(), ids=WRONG)
def test_wrong_gradients_are_found_and_explained(forward, backward, cause, method):
    with np.errstate(all="ignore"), pytest.raises(GradcheckError) as caught:
        check_gradients(custom(forward, backward), uniform(3), order=1, method=method)
    text = str(caught.value)
    assert "the derivative by x (reverse mode) is wrong at element (" in text
    assert cause in text


@pytest.mark.parametrize("value", [0.5, [0.5], [[0.5, 0.5], [0.5, 0.5]]])
def test_causes_of_a_single_value_are_those_at_others_too(value):
    """At 0.5 three times x is 1.5 times too small, and sin(x) any number."""
    causes = {
        "a factor x, x being the argument, is missing": WRONG["argument"],
        "the sign is flipped": WRONG["sign"],
        "a factor 2 is missing": WRONG["factor 2"],
        "not recognised": WRONG["no simple reason"],
    }
    for cause, (forward, backward, _) in causes.items():
        with pytest.raises(GradcheckError) as caught:
            check_gradients(custom(forward, backward), np.array(value), order=1)
        (told,) = [t for t in str(caught.value).splitlines() if t.startswith("likely cause")]
        assert told.startswith("likely cause: ") and cause in told and "one value" not in told


def test_causes_that_cannot_be_told_apart_are_all_named():
    with pytest.raises(GradcheckError) as caught:
        check_gradients(custom(lambda x: x.exp(), lambda g, x, out: g), uniform(3), order=1)
    assert (
        "likely cause, one of these, which fit all:\n"
        "  a factor out, the derivative of exp for each element of the output, is missing\n"
        "  a factor exp(x), x being the argument, is missing\n"
    ) in str(caught.value)


def test_a_cause_at_one_value_only_is_told_as_that():
    fn = custom(lambda x: x * x, lambda g, x, out: 2 * g * x.where(x != 1.5, -x))
    with pytest.raises(GradcheckError) as caught:
        check_gradients(fn, np.array(1.5), order=1)
    assert "the sign is flipped (at this value alone: another cause may fit it too)" in str(
        caught.value
    )


PAIRS = {
    "transposed": (
        lambda x, y: x @ y,
        lambda g, x, y, out: ((g @ y.mT).mT, x.mT @ g),
        [(3, 3), (3, 3)],
        "by x (",
        "transposed",
    ),
    "not summed": (
        lambda x, y: x + y,
        lambda g, x, y, out: (g, g.mean(0)),
        [(5, 3), (3,)],
        "by y (",
        "5 is the length of axis 0 of x (a mean where there should be a sum?)",
    ),
    "none": (
        lambda x, y: x * y,
        lambda g, x, y, out: (g * y, None),
        [(3,), (3,)],
        "by y (",
        "no gradient arrives at all",
    ),
}


@pytest.mark.parametrize(
    ("forward", "backward", "shapes", "name", "cause"), PAIRS.values(), ids=PAIRS
)
def test_wrong_gradients_of_pairs_are_found_and_explained(forward, backward, shapes, name, cause):
    with pytest.raises(GradcheckError) as caught:
        check_gradients(custom(forward, backward), *[uniform(*shape) for shape in shapes])
    assert name in str(caught.value) and cause in str(caught.value)


def test_wrong_second_derivatives_are_found():
    fn = custom(lambda x: x**3, lambda g, x, out: 3 * x.detach() ** 2 * g)
    with pytest.raises(GradcheckError, match="the second derivative by x") as caught:
        check_gradients(fn, uniform(3))
    assert "mark it once_differentiable" in str(caught.value)


def test_wrong_parameter_gradients_are_named():
    class Scale(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(uniform(3))

        def forward(self, x):
            rule = custom(lambda x, w: x * w, lambda g, x, w, out: (g * w, -g * x))
            return rule(x, self.weight)

    with pytest.raises(GradcheckError, match=r"derivative by 0\.weight") as caught:
        check_gradients(nn.Sequential(Scale()), uniform(2, 3))
    assert "the sign is flipped" in str(caught.value)


def test_wrong_forward_mode_is_found(monkeypatch):
    jvp = autodiff.transforms.jvp

    def twice(*args):
        output, tangents = jvp(*args)
        return output, tuple(2 * t for t in tangents)

    monkeypatch.setattr(autodiff.transforms, "jvp", twice)
    with pytest.raises(GradcheckError, match="forward mode") as caught:
        check_gradients(lambda x: x.sin(), uniform(3))
    assert "2 times too large" in str(caught.value)


def test_overwritten_values_are_told_of():
    def fn(x):
        y = x * 1.0
        z = y * y
        y.mul_(2.0)
        return z

    with pytest.raises(GradcheckError, match="a saved value was overwritten"):
        check_gradients(fn, uniform(3))


def test_writing_to_arguments_is_told_of():
    x = uniform(3)
    before = x.tolist()
    with pytest.raises(GradcheckError, match="wrote to x"):
        check_gradients(lambda x: x.add_(1.0) * x, x)
    assert x.tolist() == before


def test_backward_that_writes_to_arguments_is_told_of():
    def backward(g, x, out):
        x._array *= 2.0
        return g * x

    with pytest.raises(GradcheckError, match="backward pass wrote to x"):
        check_gradients(custom(lambda x: x * x, backward), uniform(3), order=1)


def test_function_that_gives_one_thing_and_then_another_is_told_of():
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="two values at the same arguments"):
        check_gradients(lambda x: x * rng.uniform(), uniform(3))


def wrong_square(x):
    return custom(lambda x: x * x, lambda g, x, out: g * x)(x)


@pytest.mark.parametrize(("off", "digits"), [(2.0, 6), (1e-3, 9), (3e-9, 14)])
def test_as_many_digits_are_told_as_tell_the_numbers_apart(off, digits):
    fn = custom(lambda x: x.sin(), lambda g, x, out: g * x.cos() * (1 + off))
    with pytest.raises(GradcheckError) as caught:
        check_gradients(fn, uniform(3), order=1)
    numbers = re.search(r"it is (\S+) and should be (\S+), rel", str(caught.value)).groups()
    assert all(len(number.replace(".", "").lstrip("0")) <= digits for number in numbers)
    assert float(numbers[0]) / float(numbers[1]) == pytest.approx(1 + off, rel=0.01 * off)


def test_error_is_one_of_assertions_too():
    assert issubclass(GradcheckError, AssertionError) and issubclass(GradcheckError, RuntimeError)
    with pytest.raises(GradcheckError) as caught:
        check_gradients(wrong_square, uniform(2))
    assert (caught.value.argument, caught.value.order) == ("x", 1)
    assert autograd.GradcheckError is GradcheckError


# What cannot be checked


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="nothing to differentiate by"):
        check_gradients(lambda x: x, tensor([1, 2]))
    with pytest.raises(ValueError, match="no parameters; got int, ndarray"):
        check_derivative(lambda x, i: x, lambda x, i: 1, 2, np.array([1]))
    with pytest.raises(ValueError, match="the function returned no floats"):
        check_gradients(lambda x: None, uniform(2))
    for options in ({"order": 3}, {"modes": ("backward",)}, {"method": "guess"}):
        with pytest.raises(ValueError, match="check_gradients takes"):
            check_gradients(lambda x: x, uniform(2), **options)
    with pytest.raises(TypeError, match="must return Tensors"):
        check_gradients(lambda x: x.numpy(), uniform(2))


def test_errors_of_the_function_pass_through():
    with pytest.raises(KeyError, match="own"):
        check_gradients(lambda x: {}["own"], uniform(2))


# No false alarms: those of operations are checked in tests/autodiff/test_primitives.py


@given(programs(), st.integers(1, 2))
@settings(deadline=None)
def test_no_false_alarm_for_random_programs(program, order):
    def fn(*inputs):
        return program(autodiff, *inputs)

    assert check_gradients(fn, *program.inputs, order=order).worst < 1e-8


@given(programs(), st.sampled_from([-1.0, 2.0, 0.0, 1.0 + 1e-6]))
@settings(deadline=None)
def test_planted_faults_in_random_programs_are_found(program, factor):
    """The gradient of the result is multiplied on its way."""
    fault = custom(lambda x: x * 1.0, lambda g, x, out: g * factor)
    slopes = check_gradients(lambda *xs: program(autodiff, *xs), *program.inputs, order=1)
    leaves = [tensor(x, requires_grad=True) for x in program.inputs]
    out = program(autodiff, *leaves)
    if slopes.kinks or not out.requires_grad:
        return
    gradients = autograd.grad(out.sum(), leaves, allow_unused=True)
    size = max(float(g.abs().max()) for g in gradients if g is not None and g.numel())
    if size <= 1e-3 * float(out.detach().abs().sum()):
        return
    with pytest.raises(GradcheckError):
        check_gradients(lambda *xs: fault(program(autodiff, *xs)), *program.inputs, order=1)


def test_dtypes_may_be_mixed():
    x, y = uniform(3).to(float32), uniform(3).to(float64)
    report = check_gradients(lambda x, y: x * y, x, y)
    assert {row.mode for row in report.rows} == {"reverse", "forward"}


def test_plain_functions_are_checked_too_without_words_of_tensors():
    with pytest.raises(GradcheckError) as caught:
        check_derivative(np.tanh, lambda x: np.tanh(x) ** 2 - 1, np.linspace(-1, 1, 4))
    assert str(caught.value).startswith("the derivative by x is wrong at element (")
    assert check_derivative(np.tanh, lambda x: 1 - np.tanh(x) ** 2, np.linspace(-1, 1, 5)).rows
