"""Custom operations: what forward and backward get, must give, and how they enter the tape."""

import gc
import weakref

import pytest

import autodiff
from autodiff import autograd, tensor
from autodiff.autograd import Function
from autodiff.function import once_differentiable


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Scaled(Function):
    """Several outputs, an argument that is no tensor."""

    @staticmethod
    def forward(ctx, x, factor, y=None):
        ctx.factor = factor
        return x * factor, x + 1

    @staticmethod
    def backward(ctx, g, h):
        ctx.seen = (g, h)
        Scaled.last = ctx
        return g * ctx.factor + h, None, None


def identity(backward):
    """A Function that copies its first input and has this backward."""

    class Identity(Function):
        @staticmethod
        def forward(ctx, *inputs):
            return inputs[0] * 1

    Identity.backward = staticmethod(backward)
    return Identity


@pytest.fixture
def x():
    return tensor([1.0, 2.0], requires_grad=True)


def test_forward_runs_unrecorded_and_the_result_is_recorded(x):
    seen = []

    class Watch(Function):
        @staticmethod
        def forward(ctx, x):
            seen.extend([autodiff.is_grad_enabled(), (x * 2).requires_grad, ctx.needs_input_grad])
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.extend([autodiff.is_grad_enabled(), g.requires_grad])
            return g * 2

    y = Watch.apply(x)
    assert y.requires_grad
    assert y.grad_fn.name() == "WatchBackward0"
    y.sum().backward()
    assert seen == [False, False, (True,), False, False]
    assert x.grad.tolist() == [2.0, 2.0]


def test_nothing_is_recorded_where_no_gradient_is_wanted(x):
    with autodiff.no_grad():
        assert not Cube.apply(x).requires_grad
    assert not Cube.apply(x.detach()).requires_grad


@pytest.mark.parametrize("function", [Cube, Exp])
def test_a_backward_of_operations_has_derivatives_of_any_order(function, x):
    def plain(x):
        return x**3 if function is Cube else x.exp()

    ours, theirs = function.apply(x), plain(x)
    for _ in range(3):
        (ours,) = autograd.grad(ours.sum(), x, create_graph=True)
        (theirs,) = autograd.grad(theirs.sum(), x, create_graph=True)
        assert autodiff.allclose(ours, theirs)


def test_outputs_share_one_call_of_backward(x):
    a, b = Scaled.apply(x, 3.0)
    (a.sum() + (2 * b).sum() + a.sum()).backward()
    assert x.grad.tolist() == [8.0, 8.0]
    assert [g.tolist() for g in Scaled.last.seen] == [[2.0, 2.0], [2.0, 2.0]]


def test_an_unused_output_has_a_gradient_of_zeros_or_none_if_asked(x):
    a, _ = Scaled.apply(x, 3.0)
    a.sum().backward()
    assert [g.tolist() for g in Scaled.last.seen] == [[1.0, 1.0], [0.0, 0.0]]

    class Lazy(Scaled):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g, h):
            assert h is None
            return g

    Lazy.apply(x)[0].sum().backward()


def test_only_wanted_gradients_are_asked_for(x):
    y = tensor([3.0, 4.0])

    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            y = ctx.saved_tensors[1]
            assert ctx.needs_input_grad == (True, False)
            return g * y, None

    Product.apply(x, y).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]


def test_forward_without_ctx_is_followed_by_setup_context(x):
    class Times(Function):
        @staticmethod
        def forward(x, n):
            return x * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs[1]
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx, g):
            assert ctx.saved_tensors[0].tolist() == [2.0, 4.0]
            return g * ctx.n, None

    Times.apply(x, 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_none_is_no_gradient(x):
    y = identity(lambda ctx, g: None).apply(x)
    y.sum().backward()
    assert x.grad is None
    assert autograd.grad(identity(lambda ctx, g: None).apply(x).sum(), x, allow_unused=True) == (
        None,
    )


def test_a_gradient_is_summed_to_the_shape_of_its_input(x):
    identity(lambda ctx, g: autodiff.ones(3, 2)).apply(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("backward", "error", "match"),
    [
        (lambda ctx, g: (g, g), RuntimeError, "each of the 1 inputs"),
        (lambda ctx, g: 3.0, TypeError, "float for input 0"),
        (
            lambda ctx, g: autodiff.ones(3),
            RuntimeError,
            r"shape \(3,\) for input 0 of shape \(2,\)",
        ),
        (lambda ctx, g: tensor(1.0), RuntimeError, r"shape \(\) for input 0"),
    ],
)
def test_a_wrong_gradient_is_an_error_that_names_the_function(backward, error, match, x):
    with pytest.raises(error, match=match) as raised:
        identity(backward).apply(x).sum().backward()
    assert "Identity.backward" in str(raised.value)
    assert x.grad is None


def test_too_few_gradients_are_an_error(x):
    with pytest.raises(RuntimeError, match="each of the 2 inputs"):
        identity(lambda ctx, g: g).apply(x, x).sum().backward()


def test_more_gradients_than_inputs_are_fine_if_they_are_none(x):
    identity(lambda ctx, g: (g, None)).apply(x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_methods_that_are_missing_are_named(x):
    with pytest.raises(NotImplementedError, match="forward"):
        type("Empty", (Function,), {}).apply(x)
    half = type("Half", (Function,), {"forward": staticmethod(lambda ctx, x: x * 1)})
    with pytest.raises(NotImplementedError, match="backward"):
        half.apply(x).sum().backward()


def test_only_tensors_are_saved(x):
    class Wrong(Cube):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)

    with pytest.raises(TypeError, match="attribute of ctx"):
        Wrong.apply(x)


def test_marking_an_input_dirty_is_refused(x):
    class Dirty(Cube):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)

    with pytest.raises(RuntimeError, match="return a new tensor"):
        Dirty.apply(x)


def test_integers_and_marked_outputs_have_no_gradient(x):
    class Ranked(Function):
        @staticmethod
        def forward(ctx, x):
            fixed = x * 0
            ctx.mark_non_differentiable(fixed)
            return x * 1, x > 1, fixed

        @staticmethod
        def backward(ctx, g, above, fixed):
            assert above.dtype is autodiff.bool
            return g

    y, above, fixed = Ranked.apply(x)
    assert [t.requires_grad for t in (y, above, fixed)] == [True, False, False]
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_what_is_no_tensor_passes_through(x):
    class Mixed(Cube):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3, 3, None

        @staticmethod
        def backward(ctx, g, *_):
            return Cube.backward(ctx, g)

    y, three, none = Mixed.apply(x)
    assert (three, none) == (3, None)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_an_input_that_is_returned_is_a_new_tensor(x):
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return -g

    y = Same.apply(x)
    assert y is not x
    y.add_(1)
    assert x.tolist() == [1.0, 2.0]
    y.sum().backward()
    assert x.grad.tolist() == [-1.0, -1.0]


def test_a_list_of_outputs_is_refused(x):
    class Listed(Cube):
        @staticmethod
        def forward(ctx, x):
            return [x]

    with pytest.raises(TypeError, match="tuple"):
        Listed.apply(x)


def test_a_saved_tensor_that_was_written_is_found(x):
    z = x * 1
    y = Cube.apply(z)
    with autodiff.no_grad():
        z.add_(1)
    with pytest.raises(RuntimeError, match="modified in place"):
        y.sum().backward()


def test_a_second_backward_needs_retain_graph(x):
    y = Cube.apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [6.0, 24.0]
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()


def test_once_differentiable_is_so(x):
    class Once(Cube):
        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            assert not autodiff.is_grad_enabled()
            return Cube.backward(ctx, g)

    (g,) = autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    assert g.tolist() == [3.0, 12.0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_an_operation_dies_with_its_result(x):
    gc.disable()
    try:
        y = Exp.apply(x)
        array = weakref.ref(y.detach().numpy())
        z = y.sum()
        del y
        assert array() is not None
        z.backward()
        assert array() is None
    finally:
        gc.enable()


def test_the_tape_shows_the_operation(x):
    names = [node.operation for node in autodiff.tape(Cube.apply(x).sum())]
    assert names == ["leaf", "Cube", "Cube", "sum"]


def test_under_anomaly_detection_the_tape_shows_the_line_of_the_call(x):
    with autograd.detect_anomaly():
        y = Cube.apply(x)
    assert "test_function.py" in y.grad_fn.where and "y = Cube.apply(x)" in y.grad_fn.where


def test_a_call_of_two_arguments_outlives_a_write_to_another_tensor():
    class Product(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * y, g * x

    x, y = (tensor([value], requires_grad=True) for value in (2.0, 3.0))
    product = Product.apply(x, y)
    autodiff.zeros(1).add_(1)
    product.backward()
    assert (x.grad.item(), y.grad.item()) == (3, 2)


def test_an_argument_without_a_gradient_ends_the_walk_there():
    class First(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g, None

    x, y = (tensor([value], requires_grad=True) for value in (2.0, 3.0))
    First.apply(x * 2, y * y.exp()).backward()
    assert x.grad.item() == 2
    assert y.grad is None
