"""gradcheck and gradgradcheck: they pass what is right, and find and tell what is not."""

import re
import warnings

import numpy as np
import pytest

import autodiff
import nn
from autodiff import autograd, float64, tensor
from autodiff.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def leaf(*shape, positive=False):
    values = np.random.default_rng(0).uniform(0.2 if positive else -1, 1, shape)
    return tensor(values, requires_grad=True)


class Backward(Function):
    """The identity of two inputs as one output, with a backward pass given by `rule`."""

    @staticmethod
    def forward(ctx, x, rule):
        ctx.rule = rule
        ctx.save_for_backward(x)
        return x * 2.0

    @staticmethod
    def backward(ctx, g):
        return ctx.rule(g, *ctx.saved_tensors), None


def with_rule(rule):
    return lambda x: Backward.apply(x, rule)


RIGHT = {
    "one input": (lambda x: x.sin(), [(3,)]),
    "several inputs": (lambda x, y: (x @ y).tanh(), [(2, 3), (3, 2)]),
    "broadcasting": (lambda x, y: x * y, [(2, 1), (3,)]),
    "several outputs": (lambda x: (x.exp(), x.sum(), x[0]), [(2, 2)]),
    "a list of outputs": (lambda x: [x.exp(), x.cos()], [(2,)]),
    "0-d": (lambda x: x * x, [()]),
    "empty": (lambda x: x.exp(), [(0, 3)]),
    "empty output": (lambda x: x[:0], [(3,)]),
    "an empty input among others": (lambda x, y: autodiff.cat([x, y]).square(), [(0,), (3,)]),
    "an input as an output": (lambda x: x, [(3,)]),
    "a view": (lambda x: x.T, [(2, 3)]),
    "in place on a copy": (lambda x: x.clone().mul_(3.0).exp_(), [(3,)]),
    "in place on a view of a copy": (lambda x: x.clone()[1:].mul_(x[:-1]), [(3,)]),
    "outputs that are no tensors": (lambda x: (x.square(), None, "text", 3), [(2,)]),
    "an integer output": (lambda x: (x.square(), x.argmax()), [(3,)]),
    "an output without gradient": (lambda x: (x.square(), x.detach()), [(3,)]),
    "an unused input": (lambda x, y: x.square(), [(2,), (3,)]),
    "constant": (lambda x: x.sign(), [(3,)]),
    "a custom operation": (with_rule(lambda g, x: g * 2.0), [(3,)]),
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("func", "shapes"), RIGHT.values(), ids=RIGHT)
def test_right_gradients_pass(func, shapes, fast):
    inputs = [leaf(*shape) for shape in shapes]
    before = [x.tolist() for x in inputs]
    assert gradcheck(func, inputs, fast_mode=fast) is True
    assert [x.tolist() for x in inputs] == before
    assert [x.grad for x in inputs] == [None] * len(inputs)
    assert [x._version for x in inputs] == [0] * len(inputs)


SECOND = sorted(RIGHT.keys() - {"constant", "an integer output"})


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", SECOND)
def test_right_second_derivatives_pass(name, fast):
    func, shapes = RIGHT[name]
    assert gradgradcheck(func, [leaf(*shape) for shape in shapes], fast_mode=fast) is True


WRONG = {
    "a factor": (with_rule(lambda g, x: g * 2.1), "Jacobian mismatch"),
    "zero": (with_rule(lambda g, x: g * 0.0), "Jacobian mismatch"),
    "none": (with_rule(lambda g, x: None), "Jacobian mismatch"),
    "nan": (with_rule(lambda g, x: g * float("nan")), "Jacobian mismatch"),
    "an element": (with_rule(lambda g, x: g * tensor([2.0, 2.0, 2.5]).double()), "mismatch"),
    "detached": (lambda x: x.exp().detach(), "does not require grad"),
    "detached in part": (lambda x: x * x.detach(), "Jacobian mismatch"),
    "overwritten": (lambda x: [x.exp(), x.detach().mul_(2.0)], r"wrote to input 0.*clone\(\)"),
    "random": (lambda x: x * autodiff.rand(3).double(), "other values of output 0"),
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("func", "message"), WRONG.values(), ids=WRONG)
def test_wrong_functions_are_found(func, message, fast):
    x = leaf(3)
    before = x.tolist()
    assert gradcheck(func, x, fast_mode=fast, raise_exception=False) is False
    if "wrote" not in message:
        assert x.tolist() == before
    with pytest.raises(GradcheckError, match=message):
        gradcheck(func, x, fast_mode=fast)


def test_the_error_is_a_runtime_error_that_tells_where_and_by_how_much():
    def func(x, y):
        return x * y, with_rule(lambda g, x: g * tensor([2.0, 2.5]).double())(y)

    with pytest.raises(RuntimeError) as caught:
        gradcheck(func, (leaf(2), leaf(2)))
    text = str(caught.value)
    assert "output 1 with respect to input 1" in text
    assert "element (1,) of the input and (1,) of the output" in text
    assert re.search(r"numerical 2, analytical 2\.5, 0\.5 apart", text)
    assert re.search(r"numerical:\n\[\[2\. *0\. *\]\n *\[0\. *2\.", text)
    assert re.search(r"analytical:\n\[\[2\. *0\. *\]\n *\[0\. *2\.5", text)


def test_a_backward_pass_that_does_not_use_what_it_is_given_is_found():
    one = with_rule(lambda g, x: g * 0 + 2.0)
    with pytest.raises(GradcheckError, match="not multiplied"):
        gradcheck(one, leaf())


def test_a_backward_pass_that_is_random_is_found():
    noisy = with_rule(lambda g, x: g * (2.0 + 1e-7 * autodiff.rand(3, dtype=float64)))
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(noisy, leaf(3))
    assert gradcheck(noisy, leaf(3), nondet_tol=1e-6)


def test_outputs_whose_shapes_change_are_found():
    lengths = iter([3, 3, 3, 2])
    with pytest.raises(GradcheckError, match=r"shapes \[\(3,\)\], then of \[\(2,\)\]"):
        gradcheck(lambda x: x[: next(lengths)], leaf(3))


def test_a_wrong_second_derivative_is_found():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2.0 * x.detach()

    assert gradcheck(Square.apply, leaf(3))
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradgradcheck(Square.apply, leaf(3))
    assert gradgradcheck(Square.apply, leaf(3), raise_exception=False) is False


@pytest.mark.parametrize("name", ["gradcheck", "gradgradcheck"])
def test_something_must_require_grad(name):
    with pytest.raises(ValueError, match="requires grad"):
        gradcheck(lambda x, n: x * n, (tensor([1.0]).double(), 3))


def test_single_precision_warns():
    x = leaf(2).float().detach().requires_grad_()
    with pytest.warns(UserWarning, match="float32"):
        assert gradcheck(lambda x: x * 2, x, eps=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gradcheck(lambda x, y: x * y, (leaf(2), x.detach()))


def test_inputs_that_cannot_be_moved_element_by_element_are_refused():
    x = leaf(1).expand(3)
    with pytest.raises(RuntimeError, match=r"clone\(\)"):
        gradcheck(lambda x: x * 2, x)
    assert gradcheck(lambda x: x * 2, x.clone())
    array = np.zeros(2)
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match="read-only"):
        gradcheck(lambda x: x * 2, autodiff.as_tensor(array).requires_grad_())


def test_inputs_in_any_layout_and_computed_ones_may_be_moved():
    assert gradcheck(lambda x: x.exp(), leaf(3, 4).T[::2])
    assert gradcheck(lambda x: x.exp(), leaf(3) * 2)


def test_the_inputs_themselves_are_moved_so_that_parameters_can_be_checked():
    layer = nn.Linear(3, 2, dtype=float64)
    x = leaf(4, 3).detach()
    assert gradcheck(lambda *_: layer(x).tanh(), tuple(layer.parameters()))
    assert gradcheck(layer, leaf(4, 3))
    assert gradgradcheck(lambda *_: layer(x).tanh(), tuple(layer.parameters()))


def test_other_arguments_are_passed_on():
    def func(x, n, name, labels):
        return x**n + labels if name == "power" else None

    assert gradcheck(func, (leaf(2), 3, "power", tensor([1, 2])))


def test_an_error_of_the_function_is_not_taken_for_a_failed_check():
    calls = []

    def func(x):
        calls.append(x)
        if len(calls) > 2:
            raise KeyError("mine")
        return x * 2

    x = leaf(2)
    before = x.tolist()
    with pytest.raises(KeyError):
        gradcheck(func, x, raise_exception=False)
    assert x.tolist() == before


def test_tolerances_and_step_are_used():
    func = with_rule(lambda g, x: g * 2.001)
    assert not gradcheck(func, leaf(3), rtol=1e-5, atol=0.0, raise_exception=False)
    assert gradcheck(func, leaf(3), rtol=1e-2, atol=0.0)
    assert gradcheck(func, leaf(3), rtol=0.0, atol=1e-2)
    cubic = lambda x: x**3  # its central difference is off by eps²
    assert not gradcheck(cubic, leaf(3), eps=0.1, raise_exception=False)
    assert gradcheck(cubic, leaf(3), eps=0.1, atol=0.02)


class Two(Function):
    """Two outputs; backward is not made for a missing gradient."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2.0, x * 3.0

    @staticmethod
    def backward(ctx, g, h):
        return g * 2.0 + h * 3.0


def test_missing_gradients_are_tried_unless_switched_off():
    with pytest.raises(TypeError):
        gradcheck(Two.apply, leaf(2))
    assert gradcheck(Two.apply, leaf(2), check_undefined_grad=False)


def test_gradients_to_start_with_may_be_given():
    x, g = leaf(3), leaf(3)
    assert gradgradcheck(lambda x: x.sin(), x, g)
    assert gradgradcheck(lambda x: (x.sin(), x.exp()), [x], [g, leaf(3).detach()])
    assert gradgradcheck(lambda x: x.sin(), x, gen_non_contig_grad_outputs=True)


EVERYTHING = {
    "check_forward_ad": True,
    "check_batched_grad": True,
    "check_batched_forward_grad": True,
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", sorted(RIGHT))
def test_right_functions_pass_in_forward_mode_and_under_vmap(name, fast):
    func, shapes = RIGHT[name]
    inputs = [leaf(*shape) for shape in shapes]
    assert gradcheck(func, inputs, fast_mode=fast, **EVERYTHING) is True
    assert gradcheck(func, inputs, fast_mode=fast, check_forward_ad=True, check_backward_ad=False)


@pytest.mark.parametrize("name", ["one input", "several inputs", "broadcasting"])
def test_right_second_derivatives_pass_forward_over_reverse(name):
    func, shapes = RIGHT[name]
    inputs = [leaf(*shape) for shape in shapes]
    options = {"check_fwd_over_rev": True, "check_batched_grad": True}
    assert gradgradcheck(func, inputs, **options) is True
    assert gradgradcheck(func, inputs, check_fwd_over_rev=True, check_rev_over_rev=False) is True


@pytest.mark.parametrize("fast", [False, True])
def test_wrong_forward_mode_is_found(fast):
    wrong = with_rule(lambda g, x: g * 3.0)
    with pytest.raises(GradcheckError, match="output 0 with respect to input 0 in forward mode"):
        gradcheck(wrong, leaf(3), check_forward_ad=True, check_backward_ad=False, fast_mode=fast)


@pytest.mark.parametrize(
    ("option", "mode"), [("check_batched_grad", "vjp"), ("check_batched_forward_grad", "linearize")]
)
def test_wrong_results_under_vmap_are_found(option, mode, monkeypatch):
    product = getattr(autodiff.transforms, mode)

    def wrong(*args):
        output, times = product(*args)

        def twice_under_vmap(*given):
            inside = type(autodiff.trees.leaves(given)[0]._array) is not np.ndarray
            return tuple(t * (2.0 if inside else 1.0) for t in times(*given))

        return output, twice_under_vmap

    monkeypatch.setattr(autodiff.transforms, mode, wrong)
    with pytest.raises(GradcheckError, match="under vmap"):
        gradcheck(lambda x: x.sin(), leaf(3), **(EVERYTHING | {option: True}))


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="check_backward_ad or check_forward_ad"):
        gradcheck(lambda x: x, leaf(2), check_backward_ad=False)
    with pytest.raises(ValueError, match="only what it checks without"):
        gradcheck(lambda x: x, leaf(2), check_batched_forward_grad=True)


def test_a_step_that_checks_gradients_is_not_compiled():
    @autodiff.compile
    def step(x):
        assert autograd.gradcheck(lambda x: x.exp(), x)
        return x * 2

    with pytest.warns(UserWarning, match=r"gradcheck\(\)"):
        step(leaf(2))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    "func",
    [
        lambda ns, x: x.sin(),
        lambda ns, x: x.detach() * x,
        lambda ns, x: x.detach(),
        lambda ns, x: (x.exp(), x.detach()),
        lambda ns, x: x.sign(),
        lambda ns, x: x.argmax(),
        lambda ns, x: x.clone().mul_(x.detach()),
        lambda ns, x: x[:0],
        lambda ns, x: ns.stack([x, x.detach()]),
        lambda ns, x: x.abs().sqrt().sum(),
    ],
)
def test_the_verdict_is_pytorchs(torch, func, fast):
    verdicts = [
        ns.autograd.gradcheck(
            lambda x, ns=ns: func(ns, x),
            ns.tensor([0.3, -0.7, 1.1], dtype=ns.float64, requires_grad=True),
            raise_exception=False,
            fast_mode=fast,
        )
        for ns in (autodiff, torch)
    ]
    assert verdicts[0] == verdicts[1]
