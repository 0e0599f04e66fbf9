"""Errors: what they name, their types, and that nothing has changed after one."""

import re

import numpy as np
import pytest

import autodiff
from autodiff import autograd


def leaf(ns, *shape, dtype=None):
    return ns.ones(*shape, dtype=dtype or ns.float64, requires_grad=True)


# Each: a call on a namespace and a (2, 3) leaf of it, the type of the error, what it must name.
ERRORS = {
    "a sum of shapes that do not broadcast": (
        lambda ns, x: x + leaf(ns, 2, 4),
        RuntimeError,
        ["add", "(2, ?3|2, 3)", "(2, ?4|2, 4)"],
    ),
    "a product with an array of another shape": (
        lambda ns, x: x * np.ones(4),
        RuntimeError,
        ["multiply", "2, 3", "4"],
    ),
    "a quotient of an array": (lambda ns, x: np.ones(4) / x, RuntimeError, ["divide", "2, 3", "4"]),
    "a matrix product of shapes that do not fit": (
        lambda ns, x: x @ leaf(ns, 2, 3),
        RuntimeError,
        ["matmul", "2, 3"],
    ),
    "a matrix product of two dtypes": (
        lambda ns, x: x @ leaf(ns, 3, 2, dtype=ns.float32),
        RuntimeError,
        ["matmul", "float64", "float32"],
    ),
    "a reshape to another number of elements": (
        lambda ns, x: x.reshape(4, 2),
        RuntimeError,
        ["reshape|view", "4, 2", "2, 3|6"],
    ),
    "an axis that is not there": (lambda ns, x: x.sum(2), IndexError, ["sum|dim", "2"]),
    "an axis that is not there, negative": (
        lambda ns, x: x.mean(-3),
        IndexError,
        ["mean|dim", "-3"],
    ),
    "the same axis twice": (lambda ns, x: x.sum((0, 0)), RuntimeError, ["sum|dim"]),
    "an index out of bounds": (lambda ns, x: x[5], IndexError, ["5", "2"]),
    "an index of the second axis out of bounds": (lambda ns, x: x[0, 3], IndexError, ["3"]),
    "too many indices": (lambda ns, x: x[0, 0, 0], IndexError, ["ind", "2"]),
    "a float index": (lambda ns, x: x[1.5], IndexError, ["integer", "float"]),
    "a string index": (lambda ns, x: x["a"], (IndexError, TypeError), ["str"]),
    "a mask of another shape": (
        lambda ns, x: x[ns.tensor([True, False, True])],
        IndexError,
        ["3", "2"],
    ),
    "a function of a list": (lambda ns, x: ns.exp([1.0]), TypeError, ["exp", "list"]),
    "a function of None": (lambda ns, x: ns.exp(None), TypeError, ["exp", "None"]),
    "a function of a string": (lambda ns, x: ns.exp("a"), TypeError, ["exp", "str"]),
    "a sum with a string": (lambda ns, x: ns.add(x, "a"), TypeError, ["add", "str"]),
    "a sum with None": (lambda ns, x: ns.add(x, None), TypeError, ["add", "None"]),
    "a tensor of a string": (
        lambda ns, x: ns.tensor("abc"),
        (TypeError, ValueError),
        ["str|abc|U3"],
    ),
    "a tensor of None": (lambda ns, x: ns.tensor(None), (TypeError, RuntimeError), ["None|object"]),
    "a tensor of ragged lists": (lambda ns, x: ns.tensor([[1.0], [1.0, 2.0]]), ValueError, ["."]),
    "integers that require grad": (
        lambda ns, x: ns.tensor([1, 2], requires_grad=True),
        RuntimeError,
        ["floating", "int64"],
    ),
    "backward() of many elements": (
        lambda ns, x: (x * 2).backward(),
        RuntimeError,
        [r"\(2, 3\)", "one element", "gradient=", r"\.sum\(\)"],
    ),
    "backward() of what needs no gradient": (
        lambda ns, x: x.detach().sum().backward(),
        RuntimeError,
        ["require", r"requires_grad_\(\)"],
    ),
    "backward() of what was computed under no_grad": (
        lambda ns, x: unrecorded(ns, x.sum).backward(),
        RuntimeError,
        ["require"],
    ),
    "a gradient of another shape": (
        lambda ns, x: (x * 2).backward(ns.ones(3)),
        RuntimeError,
        [r"\(3,\)", r"\(2, 3\)"],
    ),
    "a gradient that is an array": (
        lambda ns, x: (x * 2).backward(np.ones((2, 3))),
        TypeError,
        ["gradient", "ndarray"],
    ),
    "a gradient that is a number": (
        lambda ns, x: x.sum().backward(1.0),
        TypeError,
        ["gradient", "float"],
    ),
    "another number of gradients": (
        lambda ns, x: ns.autograd.backward([x.sum(), x.mean()], [None]),
        RuntimeError,
        ["2", "1"],
    ),
    "grad() by what needs no gradient": (
        lambda ns, x: ns.autograd.grad(x.sum(), x.detach()),
        RuntimeError,
        ["inputs", r"\(2, 3\)", r"requires_grad_\(\)"],
    ),
    "grad() by an unused tensor": (
        lambda ns, x: ns.autograd.grad(x.sum(), leaf(ns, 4)),
        RuntimeError,
        [r"\(4,\)", "allow_unused"],
    ),
    "grad() by an array": (
        lambda ns, x: ns.autograd.grad(x.sum(), [np.ones(3)]),
        TypeError,
        ["inputs", "ndarray"],
    ),
    "backward() into an array": (
        lambda ns, x: x.sum().backward(inputs=[np.ones(3)]),
        TypeError,
        ["inputs", "ndarray"],
    ),
    "grad() of an array": (
        lambda ns, x: ns.autograd.grad([np.ones(())], x),
        TypeError,
        ["differentiate|outputs", "ndarray|float"],
    ),
    "a hook on what needs no gradient": (
        lambda ns, x: x.detach().register_hook(print),
        RuntimeError,
        ["register_hook", "requires grad"],
    ),
    "retain_grad() on what needs no gradient": (
        lambda ns, x: x.detach().retain_grad(),
        RuntimeError,
        ["retain_grad", "requires grad"],
    ),
    "a write to a leaf": (
        lambda ns, x: x.add_(1),
        RuntimeError,
        ["add_", "leaf", r"no_grad\(\)", r"clone\(\)"],
    ),
    "an index assigned on a leaf": (
        lambda ns, x: x.__setitem__(0, 1.0),
        RuntimeError,
        ["leaf", r"no_grad\(\)"],
    ),
    "numpy() on the tape": (lambda ns, x: x.numpy(), RuntimeError, [r"detach\(\)"]),
    "item() of many": (lambda ns, x: x.item(), RuntimeError, ["item", r"\(2, 3\)"]),
    "the truth of many": (lambda ns, x: bool(x), RuntimeError, [r"\(2, 3\)", r"any\(\)"]),
    "tensors of two shapes stacked": (
        lambda ns, x: ns.stack([x, leaf(ns, 3)]),
        RuntimeError,
        ["stack", "2, 3", "3"],
    ),
    "tensors of two shapes concatenated": (
        lambda ns, x: ns.cat([x, leaf(ns, 2, 4)]),
        RuntimeError,
        ["cat|concatenate", "3", "4"],
    ),
    "an expansion that does not fit": (
        lambda ns, x: x.expand(4, 3),
        RuntimeError,
        ["expand|broadcast", "4, 3", "2, 3"],
    ),
    "another device": (lambda ns, x: x.to("cuda"), RuntimeError, ["cuda", "cpu|CPU"]),
    "a dtype that does not exist": (
        lambda ns, x: ns.zeros(2, dtype="float8"),
        TypeError,
        ["dtype", "float8"],
    ),
    "a negative length": (lambda ns, x: ns.zeros(-1), RuntimeError, ["-1"]),
}


def unrecorded(ns, function):
    with ns.no_grad():
        return function()


@pytest.mark.parametrize(("call", "error", "named"), ERRORS.values(), ids=ERRORS)
def test_errors_name_what_was_given_and_leave_everything_as_it_was(call, error, named):
    x = leaf(autodiff, 2, 3)
    x.grad = autodiff.full((2, 3), 7.0, dtype=autodiff.float64)
    node = (x * 1).grad_fn.next_functions[0][0]
    with pytest.raises(error) as caught:
        call(autodiff, x)
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for pattern in named:
        assert re.search(pattern, message), f"no {pattern!r} in {message!r}"
    assert x.tolist() == [[1.0] * 3] * 2
    assert x.grad.tolist() == [[7.0] * 3] * 2
    assert x._version == x.grad._version == 0
    assert (x * 1).grad_fn.next_functions[0][0] is node
    assert autodiff.is_grad_enabled()


@pytest.mark.parametrize(
    ("call", "error"), [(call, error) for call, error, _ in ERRORS.values()], ids=ERRORS
)
def test_pytorch_raises_the_same_type_or_nothing(call, error, torch):
    try:
        call(torch, leaf(torch, 2, 3))
    except AssertionError:
        pass  # PyTorch's own, for an array and for a missing device
    except Exception as raised:
        # Where the type of an argument is wrong PyTorch raises either of the two.
        allowed = (TypeError, RuntimeError) if error is TypeError else error
        assert isinstance(raised, allowed), repr(raised)


def test_errors_of_numpy_keep_their_cause():
    with pytest.raises(RuntimeError) as caught:
        leaf(autodiff, 2, 3) + leaf(autodiff, 4)
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_in_the_backward_pass_says_where():
    class Faulty(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ArithmeticError("mine")

    x = leaf(autodiff, 2, 3)
    with pytest.raises(ArithmeticError, match="mine") as caught:
        Faulty.apply(x).sum().backward()
    assert "Faulty" in "\n".join(caught.value.__notes__)
    assert x.grad is None


def test_a_freed_graph_is_named_with_its_remedy():
    x = leaf(autodiff, 2, 3)
    y = x.tanh().sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"(?s)tanh.*\(2, 3\).*retain_graph=True"):
        y.backward()


def test_an_operation_works_after_each_of_its_errors():
    x = leaf(autodiff, 2, 3)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            x + leaf(autodiff, 4)
        with pytest.raises(RuntimeError):
            (x * 2).backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [[2.0] * 3] * 2
