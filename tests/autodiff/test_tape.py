"""The tape: its order, what it keeps, the walk back over it, hooks, and how it is freed."""

import gc
import itertools
import weakref

import numpy as np
import pytest

import autodiff
from autodiff import autograd, tensor

DEPTH = 200_000


def leaf(values, dtype=autodiff.float64):
    return tensor(values, dtype=dtype, requires_grad=True)


def ones(*shape):
    return autodiff.ones(*shape, dtype=autodiff.float64)


def nodes_of(result):
    """The nodes a result was computed from, through the public links alone."""
    found, queue = set(), [result.grad_fn]
    while queue:
        node = queue.pop()
        if node not in found:
            found.add(node)
            queue += [parent for parent, _ in node.next_functions]
    return found


def shares_memory(*tensors):
    pairs = itertools.combinations([t.detach().numpy() for t in tensors], 2)
    return any(np.shares_memory(a, b) for a, b in pairs)


@pytest.fixture
def reference_counting_alone():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# Order


def test_every_node_is_later_than_its_parents():
    x, w = leaf([[1.0, 2.0]]), leaf([3.0, 4.0])
    y = x * w
    y[0] = w.exp()
    loss = (y[0].sin() * x + y.reshape(2)).sum()
    (g,) = autograd.grad(loss, w, create_graph=True)
    nodes = nodes_of(g)
    assert len(nodes) > 10
    for node in nodes:
        assert all(parent.number < node.number for parent, _ in node.next_functions)


def test_numbers_are_never_given_twice():
    x = leaf([1.0])
    numbers = [node.number for y in (x * 2 + x, x * 2 + x) for node in nodes_of(y)]
    assert len(set(numbers)) == 5  # 2 products, 2 sums, and the leaf that they share
    assert len(numbers) == 6


def test_a_node_passes_its_gradient_on_once_when_it_is_complete():
    x = leaf([1.0, 2.0])
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    late = y.exp()
    (y * 1.0 + y.sin() + late * 0 + y).sum().backward()
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0], 2 + np.cos([3.0, 6.0]))


def test_grad_fn_is_named_as_in_pytorch():
    x = leaf([1.0])
    assert (x * 2).exp().grad_fn.name() == "ExpBackward0"
    assert repr(x.exp().grad_fn) == "<ExpBackward0>"
    assert x.grad_fn is None
    (parent, position), *others = x.exp().grad_fn.next_functions
    assert (parent.name(), position, others) == ("AccumulateGrad", 0, [])


# The chain rule on whole graphs


def test_third_derivatives():
    x = leaf(0.7)
    y, expected = x.sin() * x.exp(), []
    for order in range(1, 4):
        (y,) = autograd.grad(y, x, create_graph=True)
        # The n-th derivative of exp(x) sin(x) is 2^(n/2) exp(x) sin(x + n pi / 4).
        expected = 2 ** (order / 2) * np.exp(0.7) * np.sin(0.7 + order * np.pi / 4)
        assert y.item() == pytest.approx(expected, rel=1e-12)


def test_backward_through_a_gradient_in_a_loss():
    x = leaf([1.0, 2.0])
    (x**3).sum().backward(create_graph=True)
    penalty = (x.grad**2).sum()  # 9 x^4
    x.grad = None
    penalty.backward()
    np.testing.assert_allclose(x.grad.numpy(), [36.0, 288.0])


def test_gradients_are_not_recorded_unless_asked_for():
    x = tensor(2.0, requires_grad=True)
    (x * x).backward()
    assert not x.grad.requires_grad
    autograd.backward(x * x)
    assert not x.grad.requires_grad
    assert not autograd.grad(x * x, x)[0].requires_grad


def test_create_graph_records_under_no_grad_too():
    x = leaf([1.0, 2.0])
    y = (x**3).sum()
    with autodiff.no_grad():
        (g,) = autograd.grad(y, x, create_graph=True)
        y.backward(create_graph=True)
    assert g.requires_grad
    assert x.grad.requires_grad
    np.testing.assert_allclose(autograd.grad(g.sum(), x)[0].numpy(), [6.0, 12.0])


def test_a_walk_without_create_graph_records_nothing():
    x = leaf([1.0, 2.0])
    inside = []
    x.register_hook(lambda g: inside.append((autodiff.is_grad_enabled(), (g * x).requires_grad)))
    (x * x).sum().backward()
    assert inside == [(False, False)]
    assert not x.grad.requires_grad
    assert autodiff.is_grad_enabled()


# Accumulation, and whose memory a gradient is


def test_a_tensor_used_twice_gets_the_sum():
    x = leaf([1.0, 2.0])
    (x + x).backward(ones(2))
    assert x.grad.tolist() == [2.0, 2.0]


def test_backward_adds_to_grad_in_place():
    x = leaf([1.0, 2.0])
    (x * 3).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert first.tolist() == [5.0, 7.0]


def test_backward_adds_to_a_grad_the_user_assigned():
    x, mine = leaf([1.0, 2.0]), ones(2)
    x.grad = mine
    (x * 3).sum().backward()
    assert x.grad is mine
    assert mine.tolist() == [4.0, 4.0]


def test_accumulating_with_create_graph_makes_a_new_grad():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward(create_graph=True)
    first = x.grad
    (x * x * x).sum().backward(create_graph=True)
    assert first.tolist() == [2.0, 4.0]
    assert x.grad.tolist() == [5.0, 16.0]
    np.testing.assert_allclose(autograd.grad(x.grad.sum(), x)[0].numpy(), [8.0, 14.0])


LINEAR = {
    "sum": lambda x, y: x + y,
    "sum with a view": lambda x, y: x + y.reshape(2, 2).reshape(4),
    "sum of a sum": lambda x, y: (x + y) + y,
    "difference from zero": lambda x, y: (x + 0) + (y + 0),
    "stacked views": lambda x, y: x.reshape(2, 2).T.reshape(4) + y[:],
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("graph", LINEAR.values(), ids=LINEAR)
def test_gradients_share_no_memory_with_each_other_or_the_argument(graph, create_graph):
    x, y, argument = leaf([1.0, 2.0, 3.0, 4.0]), leaf([0.0] * 4), ones(4)
    out = graph(x, y)
    out.retain_grad()
    out.backward(argument, create_graph=create_graph)
    assert out.grad is not None
    assert not shares_memory(x.grad, y.grad, out.grad, argument, x, y, out)


def test_a_leaf_differentiated_by_itself_does_not_keep_the_argument():
    x, argument = leaf([1.0, 2.0]), ones(2)
    x.backward(argument)
    assert not shares_memory(x.grad, argument)


def test_what_a_hook_keeps_is_not_written_to_later():
    x, kept = leaf([1.0, 2.0]), []
    for _ in range(2):
        y = x + 0
        y.register_hook(kept.append)
        y.backward(ones(2))
    assert [g.tolist() for g in kept] == [[1.0, 1.0], [1.0, 1.0]]
    assert not shares_memory(x.grad, *kept)


def test_what_a_hook_returns_is_not_written_to_later():
    x, constant = leaf([1.0, 2.0]), ones(2)
    for _ in range(2):
        y = x + 0
        y.register_hook(lambda g: constant)
        y.backward(ones(2))
    assert constant.tolist() == [1.0, 1.0]
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_hook_that_writes_to_its_argument_reaches_no_other_branch():
    x, y = leaf([1.0, 2.0]), leaf([0.0, 0.0])
    a, b = x + 0, y + 0

    def silence(g):
        g.zero_()

    a.register_hook(silence)
    (a + b).backward(ones(2))
    assert x.grad.tolist() == [0.0, 0.0]
    assert y.grad.tolist() == [1.0, 1.0]


def test_what_a_custom_operation_keeps_or_returns_is_not_written_to_later():
    kept, constant = [], ones(2)

    class Keep(autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            kept.append(g)
            return g, constant

    x, y, argument = leaf([1.0, 2.0]), leaf([3.0, 4.0]), ones(2)
    for _ in range(2):
        Keep.apply(x, y).backward(argument)
    assert not shares_memory(x.grad, y.grad, *kept, constant, argument)
    assert x.grad.tolist() == y.grad.tolist() == [2.0, 2.0]
    assert [g.tolist() for g in (*kept, constant, argument)] == [[1.0, 1.0]] * 4


def test_backward_adds_to_an_expanded_grad_element_by_element():
    x = leaf([1.0, 2.0])
    for expanded in (ones(1).expand(2), autodiff.zeros(()).double().expand(2)):
        before = expanded[0].item()
        x.grad = expanded
        (x * x).sum().backward()
        assert x.grad.tolist() == [2.0 + before, 4.0 + before]


def test_gradients_of_a_broadcast_tensor_are_ordinary_memory():
    x = leaf([1.0, 2.0, 3.0])
    x.sum().backward()
    with autodiff.no_grad():
        x.grad[0] += 5  # a broadcast view of the 1 would change all three, or refuse
    assert x.grad.tolist() == [6.0, 1.0, 1.0]
    assert x.grad.numpy().flags.c_contiguous


def test_the_second_backward_of_a_retained_graph_adds_the_same_again():
    x = leaf([1.0, 2.0])
    y = (x.exp() * x).sum()
    y.backward(retain_graph=True)
    once = x.grad.numpy().copy()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * once)


# Shape and dtype


@pytest.mark.parametrize("dtype", [autodiff.float16, autodiff.float32, autodiff.float64])
@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (1, 4), (2, 3, 4), (0, 4), (2, 1, 0)])
def test_a_gradient_has_the_shape_and_dtype_of_its_tensor(shape, dtype):
    x = autodiff.ones(shape, dtype=dtype, requires_grad=True)
    other = autodiff.ones(np.broadcast_shapes(shape, (3, 4) if 0 not in shape else (1,)))
    (x * other.double() + other.float() / (x + 1)).sum().backward()
    assert x.grad.shape == x.shape
    assert x.grad.dtype == x.dtype


def test_every_gradient_in_a_graph_of_mixed_dtypes_has_its_tensors_dtype():
    half, single, double = (leaf([1.0, 2.0], d) for d in ("float16", "float32", "float64"))
    seen = {}
    products = {"half": half * single, "single": single * double, "all": half * single * double}
    for name, product in products.items():
        product.register_hook(lambda g, name=name: seen.update({name: g.dtype}))
    sum(products.values()).sum().backward()
    assert [x.grad.dtype for x in (half, single, double)] == [
        half.dtype,
        single.dtype,
        double.dtype,
    ]
    assert seen == {name: product.dtype for name, product in products.items()}


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_empty_broadcast_gives_a_zero_gradient(create_graph):
    x, y = autodiff.zeros(0, 3, requires_grad=True), leaf(2.0, autodiff.float32)
    z = autodiff.ones(1, 3, requires_grad=True)
    (x * y * z).sum().backward(create_graph=create_graph)
    assert y.grad.item() == 0
    assert z.grad.tolist() == [[0.0, 0.0, 0.0]]
    assert x.grad.shape == (0, 3)


def test_a_gradient_argument_is_converted_to_the_dtype_of_its_tensor():
    x = leaf([1.0, 2.0], autodiff.float32)
    (x * 2).backward(tensor([1, 3]))
    assert x.grad.dtype == autodiff.float32
    assert x.grad.tolist() == [2.0, 6.0]


# grad()


def test_grad_changes_no_grad():
    x = leaf([1.0, 2.0])
    x.grad = ones(2)
    (g,) = autograd.grad((x * x).sum(), x)
    assert g.tolist() == [2.0, 4.0]
    assert x.grad.tolist() == [1.0, 1.0]


def test_grad_takes_computed_tensors_as_inputs():
    x = leaf([1.0, 2.0])
    y = x * x
    z = y * 3
    dz_dy, dz_dx, dz_dz = autograd.grad(z.sum() + 0 * y.sum(), [y, x, z])
    assert dz_dy.tolist() == [3.0, 3.0]
    assert dz_dx.tolist() == [6.0, 12.0]
    assert dz_dz.tolist() == [1.0, 1.0]


def test_grad_of_a_tensor_by_itself_is_the_weight():
    x = leaf([1.0, 2.0])
    weight = tensor([3.0, 4.0], dtype=autodiff.float64)
    (g,) = autograd.grad(x, x, weight)
    assert g.tolist() == [3.0, 4.0]
    assert not shares_memory(g, weight)


def test_grad_of_an_input_named_twice_is_given_twice():
    x = leaf([1.0, 2.0])
    first, second = autograd.grad((x * x).sum(), [x, x])
    assert first.tolist() == second.tolist() == [2.0, 4.0]
    assert not shares_memory(first, second)


def test_an_unused_input_is_an_error_unless_allowed():
    x, unused = leaf([1.0]), leaf([[1.0, 2.0]])
    with pytest.raises(RuntimeError, match=r"(?s)shape \(1, 2\).*allow_unused"):
        autograd.grad(x.sum(), [x, unused])
    assert autograd.grad(x.sum(), [x, unused], allow_unused=True)[1] is None
    zeros = autograd.grad(x.sum(), [x, unused], materialize_grads=True)[1]
    assert zeros.tolist() == [[0.0, 0.0]]
    assert zeros.dtype == unused.dtype
    with pytest.raises(ValueError, match="materialize_grads"):
        autograd.grad(x.sum(), unused, allow_unused=False, materialize_grads=True)


def test_several_outputs_are_summed_and_repeated_ones_counted():
    x = leaf([1.0, 2.0])
    y, z = (x * x).sum(), x.sum()
    (g,) = autograd.grad([y, z, y], x, retain_graph=True)
    assert g.tolist() == [5.0, 9.0]
    (g,) = autograd.grad([y, z, y], x, [None, tensor(10.0).double(), tensor(0.5).double()])
    assert g.tolist() == [13.0, 16.0]


def test_an_output_inside_the_graph_of_another_gets_both_parts():
    x = leaf([1.0, 2.0])
    y = x * x
    assert autograd.grad([y.sum() * 2, y], x, [None, ones(2)])[0].tolist() == [6.0, 12.0]


def test_branches_that_lead_to_no_input_are_not_walked():
    x, other = leaf([1.0]), leaf([1.0])
    side = other.exp()
    walked = []
    side.register_hook(lambda g: walked.append("side"))
    other.register_hook(lambda g: walked.append("other"))
    autograd.grad((x * side).sum(), x)
    assert walked == []
    side.sum().backward()  # its saved values were not released either
    assert walked == ["side", "other"]


def test_nothing_before_the_inputs_is_walked():
    x = leaf([1.0])
    y = x.exp()
    walked = []
    x.register_hook(lambda g: walked.append("x"))
    autograd.grad(y.sin().sum(), y)
    assert walked == []
    y.sum().backward()  # what y saved was not released
    assert walked == ["x"]


def test_a_graph_can_be_walked_in_two_halves():
    x = leaf([1.0, 2.0])
    middle = x.exp()
    (g,) = autograd.grad((middle * middle).sum(), middle)
    middle.backward(g)
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([2.0, 4.0]))


def test_what_lies_before_the_inputs_may_be_freed():
    x = leaf([1.0, 2.0])
    middle = x.exp()
    middle.sum().backward()
    assert autograd.grad((middle * 3).sum(), middle)[0].tolist() == [3.0, 3.0]


# backward(inputs=)


def test_backward_with_inputs_adds_to_these_alone():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = x * w
    (y * y).sum().backward(inputs=[y, w])
    assert x.grad is None
    assert y.grad.tolist() == [6.0, 16.0]
    assert w.grad.tolist() == [6.0, 32.0]
    assert not y.retains_grad


def test_backward_with_one_input_needs_no_list():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward(inputs=x)
    assert x.grad.tolist() == [2.0, 4.0]


def test_backward_leaves_an_input_alone_that_it_does_not_reach():
    x, y = leaf([1.0]), leaf([2.0])
    (x * x).sum().backward(inputs=[x, y])
    assert y.grad is None


@pytest.mark.parametrize("call", [lambda y: y.backward(inputs=[]), lambda y: autograd.grad(y, [])])
def test_empty_inputs_are_refused(call):
    with pytest.raises(RuntimeError, match="inputs"):
        call(leaf([1.0]).sum())


# Hooks


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 1], ids=["leaf", "computed"])
def test_hooks_run_in_order_and_replace_the_gradient(make):
    x = leaf([1.0, 2.0])
    y, seen = make(x), []

    def hook(name, factor):
        def run(g):
            seen.append((name, g.tolist()))
            return None if factor is None else g * factor

        return run

    y.register_hook(hook("first", 2))
    y.register_hook(hook("second", None))
    y.register_hook(hook("third", 10))
    (y * 3).sum().backward()
    assert seen == [("first", [3.0, 3.0]), ("second", [6.0, 6.0]), ("third", [6.0, 6.0])]
    assert x.grad.tolist() == [60.0, 60.0]


def test_a_hook_is_removed_by_its_handle():
    x = leaf([1.0, 2.0])
    handle = x.register_hook(lambda g: g * 0)
    handle.remove()
    handle.remove()
    with x.register_hook(lambda g: g * 2):
        x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_hook_may_remove_itself_and_add_others():
    x, seen = leaf([1.0]), []

    def once(g):
        seen.append("once")
        handle.remove()
        x.register_hook(lambda g: seen.append("added"))

    handle = x.register_hook(once)
    x.register_hook(lambda g: seen.append("second"))
    x.sum().backward()
    assert seen == ["once", "second"]
    x.sum().backward()
    assert seen == ["once", "second", "second", "added"]


def test_a_hook_sees_the_sum_of_the_paths_not_what_was_there_before():
    x, seen = leaf([1.0]), []
    x.register_hook(lambda g: seen.append(g.item()))
    for _ in range(2):
        (x * 2 + x * 3).sum().backward()
    assert seen == [5.0, 5.0]
    assert x.grad.item() == 10.0


def test_hooks_run_in_grad_too():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: g * 7)
    assert autograd.grad(x.sum(), x)[0].tolist() == [7.0, 7.0]


def test_a_hook_in_a_recorded_walk_is_differentiated():
    x = leaf([1.0, 2.0])
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = autograd.grad(y.sum(), x, create_graph=True)  # 2 x * x
    assert autograd.grad(g.sum(), x)[0].tolist() == [4.0, 8.0]


@pytest.mark.parametrize(
    ("result", "error", "named"),
    [
        ([1.0, 2.0], TypeError, "list"),
        (np.ones(2), TypeError, "ndarray"),
        (autodiff.ones(3, dtype=autodiff.float64), RuntimeError, r"shape \(3,\)"),
        (autodiff.ones(2), RuntimeError, "float32"),
    ],
)
def test_a_hook_may_not_return_what_is_no_such_gradient(result, error, named):
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: result)
    with pytest.raises(error, match=f"hook.*{named}"):
        (x * 2).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_error_in_the_walk_leaves_every_grad_as_it_was(create_graph):
    first, second, third = (leaf([1.0, 2.0]) for _ in range(3))
    second.grad = ones(2)

    def fail(g):
        raise ArithmeticError("mine")

    middle = first * second
    middle.retain_grad()
    third.register_hook(fail)
    loss = (middle * third).sum()
    with pytest.raises(ArithmeticError, match="mine"):
        loss.backward(create_graph=create_graph)
    assert first.grad is third.grad is middle.grad is None
    assert second.grad.tolist() == [1.0, 1.0]
    assert autodiff.is_grad_enabled()


def test_an_error_in_a_rule_names_the_operation():
    x = leaf([1.0, 2.0])
    y = x.exp()
    y.register_hook(lambda g: (_ for _ in ()).throw(ArithmeticError("mine")))
    with pytest.raises(ArithmeticError):
        y.sum().backward()


def test_a_hook_that_writes_to_a_saved_value_is_found_out():
    x = leaf([1.0, 2.0])
    y = x * 1
    z = y * y

    def spoil(g):
        y.detach().zero_()

    z.register_hook(spoil)
    with pytest.raises(RuntimeError, match=r"multiply.*in-place"):
        z.sum().backward()
    assert x.grad is None


def test_a_hook_may_run_a_backward_of_its_own():
    x, w = leaf([1.0, 2.0]), leaf([3.0])

    def inner(g):
        with autodiff.enable_grad():
            (w * w).sum().backward()

    x.register_hook(inner)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    assert w.grad.tolist() == [6.0]


# retain_grad()


def test_a_computed_tensor_keeps_its_gradient_if_asked():
    x = leaf([1.0, 2.0])
    y, z = x * 2, x * 3
    y.retain_grad()
    assert (y.retains_grad, z.retains_grad, x.retains_grad) == (True, False, False)
    (y * z).sum().backward()
    assert y.grad.tolist() == [3.0, 6.0]
    assert z.grad is None


def test_retain_grad_accumulates_and_is_harmless_twice_and_on_leaves():
    x = leaf([1.0, 2.0])
    y = x * 2
    for t in (x, y, y):
        t.retain_grad()
    loss = (y * 3).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert y.grad.tolist() == [6.0, 6.0]
    assert x.grad.tolist() == [12.0, 12.0]


def test_a_dropped_tensor_that_wanted_its_gradient_is_forgotten():
    x = leaf([1.0, 2.0])
    y = x * 2
    y.retain_grad()
    z = y * 3
    del y
    z.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


# Freeing


@pytest.mark.parametrize("walk", [lambda y: y.backward(), lambda y: autograd.grad(y, nodes_leaf)])
def test_a_second_walk_over_saved_values_is_an_error(walk):
    y = nodes_leaf.exp().sum()
    walk(y)
    with pytest.raises(RuntimeError, match=r"(?s)exp.*freed.*retain_graph=True"):
        walk(y)
    nodes_leaf.grad = None


nodes_leaf = leaf([1.0, 2.0])


def test_a_refused_second_walk_changes_nothing():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    shared = x.exp()
    shared.sum().backward()
    before = x.grad.tolist()
    fresh = w.exp()
    with pytest.raises(RuntimeError, match="freed"):
        (shared * fresh).sum().backward()
    assert x.grad.tolist() == before
    assert w.grad is None
    fresh.sum().backward()  # found out before anything of the new part was released
    assert w.grad is not None


def test_a_graph_that_saved_nothing_can_be_walked_again():
    x = leaf([1.0, 2.0])
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_create_graph_retains_unless_told():
    x = leaf([1.0, 2.0])
    y = x.exp().sum()
    autograd.grad(y, x, create_graph=True)
    autograd.grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        autograd.grad(y, x)


def test_saved_values_are_released_as_the_walk_passes(reference_counting_alone):
    x = leaf([1.0, 2.0])
    early = x * 1.0
    middle = early.exp()
    saved, alive = weakref.ref(middle.detach().numpy()), []
    result = middle.sin().cos().sum()
    for tensor_on_the_way in (middle, x):
        tensor_on_the_way.register_hook(lambda g: alive.append(saved() is not None))
    del early, middle, tensor_on_the_way
    assert saved() is not None
    result.backward()
    assert alive == [True, False]


@pytest.mark.parametrize("retain_graph", [False, True])
def test_retain_graph_keeps_saved_values(retain_graph, reference_counting_alone):
    x = leaf([1.0, 2.0])
    y = x.exp()
    saved = weakref.ref(y.detach().numpy())
    z = y.sin().sum()
    del y
    z.backward(retain_graph=retain_graph)
    assert (saved() is not None) is retain_graph


SAVED_BY = {
    "a sum": (lambda a, b: a + b, False, False),
    "a difference": (lambda a, b: a - b, False, False),
    "a product": (lambda a, b: a * b, True, True),
    "a product with a constant": (lambda a, b: a * b.detach(), False, True),
    "exp": (lambda a, b: a.exp(), False, False),
    "sin": (lambda a, b: a.sin(), True, False),
    "a reshape": (lambda a, b: a.reshape(2, 1), False, False),
    "a sum of elements": (lambda a, b: a.sum(), False, False),
}


@pytest.mark.parametrize(("operation", *"ab"), SAVED_BY.values(), ids=SAVED_BY)
def test_only_what_a_rule_names_is_saved(operation, a, b, reference_counting_alone):
    x = leaf([1.0, 2.0])
    left, right = x + 1, x + 2
    kept = [weakref.ref(t.detach().numpy()) for t in (left, right)]
    result = operation(left, right)
    base = result._base  # a view holds on to the tensor it shows
    result = result * 1.0 if base is not None else result
    del left, right, base
    assert [ref() is not None for ref in kept] == [a, b]


def test_nothing_is_recorded_or_kept_without_a_leaf_or_under_no_grad(reference_counting_alone):
    x = leaf([1.0, 2.0])
    with autodiff.no_grad():
        a = x.exp()
    b = x.detach().exp()
    for t in (a, b):
        assert t.grad_fn is None
        assert not t.requires_grad
    kept = weakref.ref(a.numpy())
    c = a.sin()
    del a
    assert kept() is None
    assert not c.requires_grad


GRAPHS = {
    "arithmetic": lambda x: (x.exp() * x + x.sin()).sum(),
    "views": lambda x: (x.reshape(2, 1)[0] * x[1:]).sum(),
    "after backward": lambda x: backward_of((x * x).sum()),
    "after backward(create_graph=True)": lambda x: backward_of((x * x).sum(), create_graph=True),
    "a gradient that has a graph": lambda x: autograd.grad(x.exp().sum(), x, create_graph=True)[0],
    "hooks": lambda x: hooked((x * x).sum()),
    "a retained gradient": lambda x: retaining((x * x).sum()),
    "written in place": lambda x: (x * 2).mul_(x).add_(1.0).exp_(),
    "written through a view": lambda x: written_through_a_view(x * 2),
    "written by index": lambda x: written_by_index(autodiff.zeros(2).double(), x),
}


def backward_of(result, **options):
    result.backward(**options)
    return result


def hooked(result):
    result.register_hook(lambda g: g * 2)
    return result


def retaining(result):
    result.retain_grad()
    result.backward(retain_graph=True)
    return result


def written_through_a_view(y):
    row = y[0]
    row *= 3
    return y


def written_by_index(out, x):
    out[0] = x[1].exp()
    return out


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_dropping_a_result_frees_its_graph_at_once(graph, reference_counting_alone):
    x = leaf([1.0, 2.0])
    result = graph(x)
    kept = [weakref.ref(node) for node in nodes_of(result) if node.name() != "AccumulateGrad"]
    assert kept
    del result
    x.grad = None
    assert [ref() for ref in kept] == [None] * len(kept)


@pytest.mark.parametrize("create_graph", [False, True])
def test_dropping_a_leaf_frees_it_and_its_gradient_at_once(create_graph, reference_counting_alone):
    x = leaf([1.0, 2.0])
    (x * x.exp()).sum().backward(create_graph=create_graph)
    x.retain_grad()
    kept = weakref.ref(x), weakref.ref(x.grad), weakref.ref(x.grad.detach().numpy())
    del x
    assert [ref() for ref in kept] == [None] * 3


# Depth


def chain(x, length=DEPTH):
    for _ in range(length // 2):
        x = (x + 1.0).sin()
    return x


def test_a_long_chain_builds_runs_and_dies(reference_counting_alone):
    x = leaf([0.5])
    y = chain(x)
    node = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert np.isfinite(x.grad.item())
    del y
    assert node() is None


def test_a_long_chain_that_is_never_walked_dies(reference_counting_alone):
    y = chain(leaf([0.5]))
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


def test_a_long_chain_of_a_recorded_walk_runs_and_dies(reference_counting_alone):
    x = leaf([0.5])
    (g,) = autograd.grad(chain(x, DEPTH // 4).sum(), x, create_graph=True)
    node = weakref.ref(g.grad_fn)
    (second,) = autograd.grad(g.sum(), x)
    assert np.isfinite(second.item())
    del g
    assert node() is None


def test_a_long_chain_of_writes_in_place_runs_and_dies(reference_counting_alone):
    x = leaf([0.5, 1.0])
    y = x * 1
    for _ in range(DEPTH // 20):
        y.add_(1.0)
        y[0] = y[1]
    node = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 2.0]
    del y
    assert node() is None


def test_many_paths_through_few_nodes_are_walked_once():
    x = leaf([1.0])
    y = x
    for _ in range(200):
        y = (y + y) * 0.5
    y.sum().backward()
    assert x.grad.item() == 1.0


# Looking at the tape


def test_the_tape_lists_the_nodes_in_the_order_of_recording():
    x, w = leaf([[1.0, 2.0]]), leaf([3.0, 4.0])
    loss = (x * w).exp().sum()
    nodes = list(autodiff.tape(loss))
    assert [node.operation for node in nodes if node.operation != "leaf"] == [
        "multiply",
        "exp",
        "sum",
    ]
    assert [node.number for node in nodes] == sorted(node.number for node in nodes)
    text = str(autodiff.tape(loss))
    for word in ("multiply", "exp", "sum", "(1, 2)", "float64"):
        assert word in text


# Anomaly detection


def test_anomaly_detection_names_the_operation_and_the_line_that_made_a_nan():
    x = leaf([0.0, 1.0])
    with autograd.detect_anomaly():
        y = x.sqrt()  # the line to name
        loss = (y * 0).sum()
        with pytest.raises(RuntimeError, match="nan") as caught:
            loss.backward()
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "sqrt" in message
    assert __file__ in message
    assert "the line to name" in message
    assert x.grad is None


def test_a_nan_goes_through_without_anomaly_detection():
    x = leaf([0.0, 1.0])
    (x.sqrt() * 0).sum().backward()
    assert np.isnan(x.grad.numpy()).tolist() == [True, False]


def test_anomaly_detection_can_record_lines_alone():
    x = leaf([0.0, 1.0])
    with autograd.detect_anomaly(check_nan=False):
        (x.sqrt() * 0).sum().backward()
    assert np.isnan(x.grad.numpy()).tolist() == [True, False]


@pytest.mark.parametrize("listed", [tuple, iter], ids=["a tuple", "an iterator"])
def test_a_gradient_that_was_given_stays_the_callers(listed):
    x = autodiff.ones(3, requires_grad=True)
    g = autodiff.ones(3)
    autodiff.autograd.backward((x + 1.0,), listed((g,)))
    x.grad.zero_()
    assert g.tolist() == [1.0, 1.0, 1.0]


def test_leaves_that_get_the_same_gradient_get_memory_of_their_own():
    x, y = (tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    ((x + y) * 2).sum().backward()
    x.grad.add_(1)
    assert y.grad.tolist() == [2, 2]


def test_the_sum_of_two_numbers_can_be_written():
    total = tensor(1.0) + tensor(2.0)
    total.add_(1)
    assert total.item() == 4
    assert isinstance(total.numpy(), np.ndarray)
