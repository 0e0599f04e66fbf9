"""Writing in place: PyTorch's values and gradients, or an error before anything is written."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import autograd, tensor

PROGRAMS: dict[str, tuple[Callable[..., Any], float, list[float]]] = {}


def program(loss: float, gradient: list[float]) -> Callable:
    """Decorate a program f(namespace, x); its loss and gradient below are PyTorch's."""

    def register(function: Callable) -> Callable:
        PROGRAMS[function.__name__] = function, loss, gradient
        return function

    return register


def leaf_of(ns, values=((1, 2, 3), (4, 5, 6))):
    return ns.tensor(values, dtype=ns.float64, requires_grad=True)


def weighted(ns, result):
    """A scalar that every element of the result has another influence on."""
    weight = np.arange(1.0, result.numel() + 1).reshape(tuple(result.shape))
    return (result * ns.tensor(weight)).sum()


# The namespace is autodiff or torch, x a leaf [[1, 2, 3], [4, 5, 6]] of dtype float64.


@program(273, [3, 6, 9, 12, 15, 18])
def add_to_a_sum(ns, x):
    y = x * 2
    y += x
    return y


@program(882, [4, 16, 36, 64, 100, 144])
def multiply_by_itself(ns, x):
    y = x * 2
    y *= x
    return y


@program(-49, [-1, -2, -3, -4, -5, -6])
def subtract_and_divide(ns, x):
    y = x * 2
    y -= x * x
    y /= x
    return y


@program(18200, [24, 192, 648, 1536, 3000, 5184])
def raise_to_a_power(ns, x):
    y = x * 2
    y **= 3
    return y


@program(-406, [-1.5, -7, -16.5, -30, -47.5, -69])
def chain_of_methods(ns, x):
    return (x * 2).mul_(x).add_(1.0).sub_(x).div_(2.0).neg_()


@program(
    99.56958838, [0.7181906264, 1.476979515, 2.428450827, 3.675046173, 5.377956185, 7.759017221]
)
def functions_that_save_their_result(ns, x):
    y = x * 0.25
    return (y * 1).exp_() + (y * 1).tanh_() * (y * 1).sigmoid_() + (y * 1).sqrt_()


@program(
    7.717676192,
    [-0.05929035831, -0.2009616377, -0.3349890703, -0.3718086376, -0.2786831957, -0.07471891527],
)
def functions_that_save_their_argument(ns, x):
    return (x * 0.25).sin_().cos_().square_().log1p_().abs_()


@program(71.5, [0, 0, 6, 8, 10, 0])
def relu_and_clamp(ns, x):
    y = (x - 2.5).relu_()
    return (y * 2).clamp_(0.5, 5.0)


@program(234.5, [4, 6, 6, 4, 0, -6])
def scaled_sum(ns, x):
    return (x * 2).add_(x, alpha=3).sub_(x * x, alpha=0.5)


@program(2919, [15, 54, 117, 204, 315, 450])
def read_before_and_after(ns, x):
    y = x * 2
    before = y + 1
    y.add_(x)
    return before * y


@program(273, [3, 6, 9, 12, 15, 18])
def filled_with_a_number(ns, x):
    y = x * 2
    y.fill_(3.0)
    return y * x


@program(441, [2, 8, 18, 32, 50, 72])
def zeroed_and_used_again(ns, x):
    y = x * 2
    y.zero_()
    y += x * x
    return y


@program(138, [15, 21, 27, 0, 0, 0])
def copied_into(ns, x):
    y = x * 2
    y.copy_(x[0] * 3)
    return y


@program(441, [2, 8, 18, 32, 50, 72])
def copied_into_an_untracked_tensor(ns, x):
    out = ns.zeros(2, 3, dtype=ns.float64)
    out.copy_(x)
    return out * out


@program(6839.815318, [2.718281828, 14.7781122, 60.25661077, 436.7852003, 1484.131591, 4841.145522])
def filled_row_by_row(ns, x):
    out = ns.zeros(2, 3, dtype=ns.float64)
    for i in range(2):
        out[i] = x[i].exp() * (i + 1)
    return out


@program(78, [4, 10, 18, 1, 4, 9])
def filled_element_by_element(ns, x):
    out = ns.zeros(3, dtype=ns.float64)
    for i in range(3):
        out[i] = x[0, i] * x[1, i]
    return out


@program(64, [0, 0, 0, 2, 4, 6])
def untracked_row_that_gets_a_graph(ns, x):
    out = ns.zeros(2, 3, dtype=ns.float64)
    row = out[0]
    row += x[1] * 2
    return out


@program(104, [0, 0, 0, 12, 11, 13])
def untracked_siblings_that_get_a_graph(ns, x):
    out = ns.zeros(2, 3, dtype=ns.float64)
    row, column, rest = out[0], out[:, 0], out[1:]
    row.add_(x[1])
    return out.sum() + (row * row).sum() + (column * 3).sum() + rest.sum()


@program(328, [0, 0, 0, 16, 30, 48])
def integer_index(ns, x):
    y = x * 2
    y[0] = x[1] * x[1]
    return y


@program(167, [37, 4, 6, 8, 0, 12])
def negative_index(ns, x):
    y = x * 2
    y[-1, -2] = x[0, 0] * 7
    return y


@program(324, [12, 15, 0, 33, 30, 0])
def slice_index(ns, x):
    y = x * 2
    y[:, 1:] = x[:, :2] * 5
    return y


@program(674, [4, 4, 36, 64, 10, 144])
def stepped_slice_index(ns, x):
    y = x * 2
    y[:, ::2] *= x[:, ::2]
    return y


@program(236, [0, 8, 6, 0, 26, 12])
def ellipsis_and_none(ns, x):
    y = x * 2
    y[..., None, 0] = x[:, 1:2] * 4
    return y


@program(132, [18, 7, 6, 8, 10, 0])
def list_index(ns, x):
    y = x * 2
    y[[1, 0], [2, 0]] = x[0, :2] * 3
    return y


@program(205, [9, 7, 0, 18, 22, 0])
def tensor_index(ns, x):
    y = x * 2
    y[:, ns.tensor([2, 0])] = x[:, :2] * 3
    return y


@program(190, [182, 4, 0, 0, 0, 0])
def mask_index(ns, x):
    y = x * 2
    y[x > 2.5] = x[0, 0] * 10
    return y


@program(106, [10, 24, 42, 0, 0, 0])
def row_mask_index(ns, x):
    y = x * 2
    y[ns.tensor([False, True])] = x[0] * x[0]
    return y


@program(234, [2, 28, 42, 0, 10, 0])
def mixed_index(ns, x):
    y = x * 2
    y[1, [0, 2]] = x[0, 1:] * 6
    return y


@program(252, [20, 35, 54, 5, 14, 27])
def value_that_broadcasts(ns, x):
    y = x * 2
    y[:] = x[0] * x[1]
    return y


@program(250, [0, 0, 0, 11, 16, 21])
def value_with_extra_axes_of_one(ns, x):
    y = x * 2
    y[0] = (x[1] * 3).reshape(1, 1, 3)
    return y


@program(1451, [12, 40, 84, 128, 0, 288])
def number_by_index(ns, x):
    y = x * 2
    y[1, 1] = 5.0
    y[0] += 1.0
    return y * y


@program(380, [34, 54, 78, 9, 22, 39])
def index_with_an_operator(ns, x):
    y = x * 2
    y[0] += x[1]
    y[1] *= x[0]
    y[:, 1] -= 4.0
    return y


@program(28, [0, 0, 0, 3, 2, 1])
def rolled_state(ns, x):
    y = x[0] * 1
    for i in range(3):
        y[1:] = y[:-1].clone()
        y[0] = x[1, i]
    return y


@program(3162, [204, 576, 1116, 64, 100, 144])
def view_then_base(ns, x):
    y = x * 2
    row = y[0]
    y.mul_(x)
    return row * 10 + y


@program(2284, [176, 230, 288, 94, 144, 198])
def base_then_view(ns, x):
    y = x * 2
    row = y[0]
    row.mul_(x[1])
    return y + y.sum()


@program(426, [2, 4, 6, 8, 30, 36])
def view_of_a_view(ns, x):
    y = x * 2
    part = y[1][1:]
    part.mul_(3.0)
    return y


@program(231, [80, 28, 42, 0, 40, 0])
def element_as_a_view(ns, x):
    y = x[0] * 2
    first = y[0]
    first += x[1, 1]
    return y * first


@program(5216, [270, 171, 288, 1533, 392, 144])
def both_in_turn(ns, x):
    y = x * 2
    row, column = y[0], y[:, 0]
    row.mul_(2.0)
    column.add_(x[:, 1])
    y.mul_(x)
    row.add_(column[1])
    return y + row + column.sum()


@program(304, [14, 24, 44, 12, 34, 12])
def through_reshape(ns, x):
    y = x * 2
    flat = y.reshape(6)
    flat[1:4] = flat[2:5].clone() * x[0]
    return y


@program(214, [20, 36, 6, 16, 10, 12])
def through_view(ns, x):
    y = x * 2
    y.view(3, 2)[1].mul_(x[0, :2])
    return y


@program(638, [10, 22, 12, 58, 112, 60])
def through_transpose(ns, x):
    y = x * 2
    y.T[1:] *= x.T[:2]
    return y


@program(398, [20, 4, 6, 80, 10, 48])
def through_permute_and_unsqueeze(ns, x):
    y = x * 2
    y.permute(1, 0).unsqueeze(0)[0, 2].mul_(x[:, 0])
    return y


@program(420, [2, 4, 0, 27, 46, 12])
def through_squeeze(ns, x):
    y = x.reshape(1, 6) * 2
    y.squeeze(0)[2:4] = x[1, :2] * 9
    return y


@program(232, [4, 54, 6, 8, 20, 12])
def through_diagonal(ns, x):
    y = x * 2
    y.diagonal().mul_(x[0, :2])
    return y


@program(199, [7, 10, 6, 8, 10, 12])
def through_narrow_and_select(ns, x):
    y = x * 2
    y.narrow(1, 1, 2).select(0, 1).add_(x[0, :2])
    return y


@program(1412, [28, 24, 60, 232, 320, 144])
def base_that_is_no_contiguous_array(ns, x):
    y = (x * 2).T.clone()
    y = (y.T * x).T
    y[1] *= x[:, 0]
    return y


@program(7896, [460, 544, 628, 712, 796, 880])
def view_written_after_the_base_was_read(ns, x):
    y = x * 2
    total = y.sum()
    y[0] += 1.0
    return y * total


@program(36, [2, 8, 18, 0, 0, 0])
def view_made_before_the_base_is_replaced_whole(ns, x):
    y = x * 2
    row = y[0]
    y.copy_(x * x)
    return row


@program(567, [2, 4, 6, 8, 10, 12])
def write_under_no_grad(ns, x):
    y = x * 2
    with ns.no_grad():
        y.mul_(3.0)
    return y + 1


@program(308, [2, 4, 6, 8, 10, 12])
def write_through_detach(ns, x):
    y = x * 2
    y.detach().add_(5.0)
    return y + 1


@program(1946, [10, 36, 78, 136, 210, 300])
def value_that_saved_the_old_one(ns, x):
    y = x * 2
    y.mul_(y + 1)
    return y


@program(842, [0, 0, 0, 65, 102, 147])
def wider_value(ns, x):
    y = x.float() * 2
    y.mul_(x)
    y[0] = x[1]
    return y.double()


@program(246, [0, 0, 0, 3, 16, 21])
def value_of_another_dtype(ns, x):
    y = x * 2
    y[0] = (x[1] * 3).float()
    y[1, 0] = ns.tensor(7)
    return y


@program(163, [2, 4, 6, 0, 0, 0])
def masked_fill(ns, x):
    return (x * 2).masked_fill_(x > 3.0, 9.0)


@program(186, [0, 0, 3, 9, 12, 13.5])
def maximum_of_parts(ns, x):
    y = x * 2
    y[0] = ns.maximum(y[0].clone(), x[1])
    return y


@program(242, [44, 22, 22, 22, 22, 22])
def zero_dimensional(ns, x):
    y = x.sum()
    y += x[0, 0]
    y *= y * 0.5
    return y


@program(812, [4, 24, 60, 32, 80, 144])
def transposed_in_place(ns, x):
    y = x * 2
    y.t_()
    y.mul_(x.T)
    return y * 1


@program(376, [8, 30, 60, 6, 20, 42])
def base_transposed_under_a_view(ns, x):
    y = x * 2
    row = y[0]
    y.transpose_(0, 1)
    row.mul_(x[1])
    return y * 1


@program(14608, [1768, 840, 264, 5872, 4416, 528])
def view_with_a_new_axis_in_place(ns, x):
    y = x * 2
    column = y[:, 1]
    column.unsqueeze_(0).mul_(x[:, :1].T)
    return y * column.sum()


@program(200, [10, 22, 12, 8, 10, 12])
def squeezed_in_place(ns, x):
    y = x.reshape(1, 6) * 2
    y.squeeze_()
    y[1:3] *= x[0, :2]
    return y * 1


@program(310, [8, 20, 36, 10, 18, 30])
def axes_exchanged_in_place(ns, x):
    y = (x * 2).unsqueeze(0) * 1
    y.swapaxes_(0, 1).swapdims_(1, 2)
    y[0] *= x[1][:, None]
    return y * 1


@program(584, [4, 22, 12, 64, 82, 60])
def through_windows(ns, x):
    y = x * 2
    y.unfold(1, 1, 2).mul_(x[:, :2, None])
    return y


@program(1500, [4, 40, 48, 80, 260, 192])
def overlapping_windows_of_a_base_that_is_written(ns, x):
    y = x * 2
    windows = y.unfold(1, 2, 1)
    y.mul_(x)
    return windows * 1


@program(206, [2, 16, 6, 16, 10, 12])
def through_movedim_select_and_narrow(ns, x):
    y = x * 2
    y.movedim(0, 1)[1:].select(1, 0).narrow(0, 0, 1).mul_(x[1, :1])
    return y


@program(812, [7, 16, 36, 64, 35, 144])
def diagonal_filled(ns, x):
    y = x * 2
    y.T.fill_diagonal_(7.0)
    return y * x


@program(212, [5, 49, 9, 8, 10, 0])
def put_by_position(ns, x):
    y = x * 2
    y.put_(ns.tensor([0, 4, 0]), x[0] * 3, accumulate=True)
    return y.put_(ns.tensor([[-1]]), x[0, 1] * 5)


@program(-160, [-0, -4, -6, -8, -0, -0])
def functions_in_place(ns, x):
    return ns.clamp_(ns.neg_(x * 2), -9, -3)


@pytest.mark.parametrize("name", PROGRAMS)
def test_writing_in_place_gives_these_values_and_gradients(name):
    function, loss, gradient = PROGRAMS[name]
    x = leaf_of(autodiff)
    result = weighted(autodiff, function(autodiff, x))
    result.backward()
    assert result.item() == pytest.approx(loss, rel=1e-8)
    np.testing.assert_allclose(x.grad.numpy().ravel(), gradient, rtol=1e-8, atol=1e-9)
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert x._version == 0


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_gradients_and_versions_are_as_in_pytorch(name, torch):
    def run(ns):
        x = leaf_of(ns)
        result = PROGRAMS[name][0](ns, x)
        loss = weighted(ns, result)
        (first,) = ns.autograd.grad(loss, x, create_graph=True)
        second = ns.zeros_like(x)
        if first.requires_grad:
            (second,) = ns.autograd.grad(weighted(ns, first * first), x, materialize_grads=True)
        return [t.detach().numpy() for t in (result, first, second)], result._version

    (ours, our_version), (theirs, their_version) = run(autodiff), run(torch)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-10, atol=1e-10)
    assert our_version == their_version


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_recorded_walk_agrees_after_writing_in_place(name):
    function, _, gradient = PROGRAMS[name]
    x = leaf_of(autodiff)
    (g,) = autograd.grad(weighted(autodiff, function(autodiff, x)), x, create_graph=True)
    np.testing.assert_allclose(g.detach().numpy().ravel(), gradient, rtol=1e-8, atol=1e-9)


def state(tensors):
    return [
        (t.detach().numpy().copy(), t._version, t.grad_fn, t.requires_grad, id(t._base))
        for t in tensors
    ]


def same(before, after):
    return all(
        np.array_equal(a[0], b[0], equal_nan=True) and a[1] == b[1] and a[2:] == b[2:]
        for a, b in zip(before, after, strict=True)
    )


# Leaves


def test_a_leaf_is_written_under_no_grad_and_stays_the_same_tensor():
    w = leaf_of(autodiff)
    (w * w).sum().backward()
    same, memory, node = w, w.detach().numpy(), (w * 1).grad_fn.next_functions[0][0]
    with autodiff.no_grad():
        w -= 0.5 * w.grad
        w[0] += 1
        w.mul_(2.0)
    assert w is same
    assert w.detach().numpy() is memory
    assert w.is_leaf
    assert w.requires_grad
    assert (w * 1).grad_fn.next_functions[0][0] is node
    assert w.tolist() == [[2, 2, 2], [0, 0, 0]]


def test_gradient_descent_by_hand():
    w, target = leaf_of(autodiff, (0, 0)), tensor([1.0, 2.0]).double()
    for _ in range(50):
        ((w - target) ** 2).sum().backward()
        with autodiff.no_grad():
            w -= 0.25 * w.grad
            w.grad.zero_()
    np.testing.assert_allclose(w.detach().numpy(), [1.0, 2.0], rtol=1e-12)


WRITES = {
    "x += 1": lambda x: x.__iadd__(1),
    "x *= y": lambda x: x.__imul__(autodiff.ones(3).double()),
    "x[0] = 1": lambda x: x.__setitem__(0, 1.0),
    "x[...] = 1": lambda x: x.__setitem__(..., 1.0),
    "x[mask] = 1": lambda x: x.__setitem__(x > 2, 1.0),
    "x[0] += 1": lambda x: x[0].__iadd__(1),
    "add_": lambda x: x.add_(1),
    "exp_": lambda x: x.exp_(),
    "zero_": lambda x: x.zero_(),
    "fill_": lambda x: x.fill_(1),
    "copy_": lambda x: x.copy_(autodiff.ones(2, 3)),
    "clamp_": lambda x: x.clamp_(0, 1),
    "masked_fill_": lambda x: x.masked_fill_(x > 2, 0.0),
    "a row": lambda x: x[0].mul_(2),
    "a view of a view": lambda x: x.T[1:].mul_(2),
    "a reshaped view": lambda x: x.view(6).mul_(2),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_leaf_that_requires_grad_is_not_written_while_it_is_differentiated(write):
    x = leaf_of(autodiff)
    node = (x * 1).grad_fn.next_functions[0][0]
    with pytest.raises(RuntimeError, match=r"leaf tensor.*no_grad\(\)"):
        write(x)
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert x._version == 0
    assert x.is_leaf
    assert (x * 1).grad_fn.next_functions[0][0] is node


def test_a_view_that_is_itself_a_leaf_is_not_written():
    base = autodiff.zeros(4)
    part = base[:2].requires_grad_()
    with pytest.raises(RuntimeError, match="leaf"):
        part += 1
    assert base.tolist() == [0, 0, 0, 0]


def test_a_view_taken_under_no_grad_is_not_written_outside_it():
    y = leaf_of(autodiff) * 2
    for mode in autodiff.no_grad, autodiff.inference_mode:
        with mode():
            row = y[0]
        with pytest.raises(RuntimeError, match="no_grad"):
            row += 1
    assert y.tolist() == [[2, 4, 6], [8, 10, 12]]


@pytest.mark.parametrize("mode", [autodiff.no_grad, autodiff.inference_mode])
def test_a_view_taken_under_no_grad_is_written_there(mode):
    w = leaf_of(autodiff)
    with mode():
        w[0].zero_()
        w.T[2] += 1
    assert w.tolist() == [[0, 0, 1], [4, 5, 7]]
    assert w.is_leaf


def test_an_ordinary_tensor_is_written_freely():
    x = autodiff.zeros(2, 3)
    x[0] = 1
    x += x[0]
    x.T[0].add_(5)
    assert x.tolist() == [[7, 2, 2], [6, 1, 1]]
    assert not x.requires_grad


# Whose gradient, whose memory


def test_a_tensor_written_in_place_is_the_same_tensor_in_the_same_memory():
    y = leaf_of(autodiff) * 2
    same, memory = y, y.detach().numpy()
    y += 1
    y[0] = y[1].clone()
    assert y is same
    assert y.detach().numpy() is memory
    assert y.add_(1) is y
    assert y.zero_() is y


@pytest.mark.parametrize("key", [slice(2), autodiff.tensor([3, 5]), (slice(2), 0)])
def test_writing_some_elements_copies_no_others(key):
    x = autodiff.zeros(100_000, 2)
    tracemalloc.start()
    x[key] = 1.0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 10


def test_a_retained_gradient_is_that_of_the_last_value():
    x = leaf_of(autodiff, (1, 2))
    y = x * 2
    y.retain_grad()
    y *= 3
    y[0] = y[0] * 5
    weighted(autodiff, y).backward()
    assert y.grad.tolist() == [1, 2]
    assert x.grad.tolist() == [30, 12]


def test_copying_into_a_tensor_leaves_the_source_its_own_gradient():
    x = leaf_of(autodiff, (1, 2))
    source, target = x * 3, autodiff.zeros(2).double()
    target.copy_(source)
    for t in (source, target):
        t.retain_grad()
    weighted(autodiff, target * 10 + source).backward()
    assert target.grad.tolist() == [10, 20]
    assert source.grad.tolist() == [11, 22]
    assert x.grad.tolist() == [33, 66]


def test_copying_from_a_leaf_makes_no_leaf():
    x, target = leaf_of(autodiff, (1, 2)), autodiff.zeros(2).double()
    target.copy_(x)
    assert not target.is_leaf
    target *= 2
    target.sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert target.grad is None


def test_a_hook_set_before_a_write_sees_the_gradient_of_the_old_value():
    x = leaf_of(autodiff, (1, 2))
    y, seen = x * 2, []
    y.register_hook(lambda g: seen.append(("old", g.tolist())))
    y *= 3
    y.register_hook(lambda g: seen.append(("new", g.tolist())))
    y.sum().backward()
    assert seen == [("new", [1, 1]), ("old", [3, 3])]


def test_the_source_of_a_write_is_read_before_it():
    x = autodiff.arange(6.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3, 4]
    x[[0, 5]] = x[[5, 0]]
    assert x.tolist() == [4, 0, 1, 2, 3, 0]
    m = autodiff.arange(4.0).reshape(2, 2)
    m.copy_(m.T)
    assert m.tolist() == [[0, 2], [1, 3]]


def test_assigning_data_unties_views():
    y = autodiff.zeros(4)
    part = y[:2]
    y.data = autodiff.ones(4)
    w = leaf_of(autodiff, (5, 6)).float()
    part += w
    assert y.tolist() == [1, 1, 1, 1]
    assert not y.requires_grad
    y[:2] = w * 2
    assert part.tolist() == [5, 6]
    assert y.tolist() == [10, 12, 1, 1]


ARGUMENTS_TO_TRY = ((), (0,), (0, 1), (0, 0, 1), ((2, 3),), (2, 3), (6,), (-1,), ([1, 2],), (1, 0))


def results(function, arguments):
    try:
        result = function(*arguments)
    except Exception:
        return []  # it takes other arguments
    several = result if isinstance(result, (tuple, list)) else [result]
    return [t for t in several if isinstance(t, autodiff.Tensor)]


def test_every_result_that_shares_memory_is_known_as_a_view():
    views = set()
    for name in sorted({*dir(autodiff.Tensor), *autodiff.__all__}):
        if name.startswith("_") or name.endswith("_") or name in ("data", "detach", "grad"):
            continue
        for arguments in ARGUMENTS_TO_TRY:
            y = leaf_of(autodiff) * 1
            function = getattr(autodiff, name, None)
            for result in [
                *results(lambda *a, y=y, n=name: getattr(y, n)(*a), arguments),
                *results(lambda *a, y=y, f=function: f(y, *a), arguments),
            ]:
                if result is not y and np.shares_memory(
                    result.detach().numpy(), y.detach().numpy()
                ):
                    views.add(name)
                    assert result._base is y, f"{name}{arguments} is not known as a view"
    assert len(views) > 20


# As in PyTorch: a write to the result of the first kind reaches the tensor, of the second does not.
SHARING = {
    "a row": lambda t: t[0],
    "an element": lambda t: t[0, 0],
    "a slice": lambda t: t[:, 1:],
    "an index by a 0-d tensor": lambda t: t[tensor(0)],
    "T": lambda t: t.T,
    "view": lambda t: t.view(3, 2),
    "reshape": lambda t: t.reshape(6),
    "flatten": lambda t: t.flatten(),
    "unsqueeze": lambda t: t.unsqueeze(0),
    "squeeze": lambda t: t.squeeze(),
    "permute": lambda t: t.permute(1, 0),
    "narrow": lambda t: t.narrow(0, 0, 1),
    "select": lambda t: t.select(0, 1),
    "diagonal": lambda t: t.diagonal(),
    "unfold": lambda t: t.unfold(1, 2, 2),
    "movedim": lambda t: t.movedim(0, 1),
    "unflatten": lambda t: t.unflatten(1, (3, 1)),
    "tensor_split": lambda t: t.tensor_split(2)[0],
    "unbind": lambda t: t.unbind()[0],
    "split": lambda t: t.split(1)[0],
    "chunk": lambda t: t.chunk(2)[1],
    "iteration": lambda t: next(iter(t)),
    "contiguous": lambda t: t.contiguous(),
    "detach": lambda t: t.detach(),
    "data": lambda t: t.data,
    "to the same dtype": lambda t: t.to(t.dtype),
    "as_subclass": lambda t: t.as_subclass(type(t)),
}
COPYING = {
    "clone": lambda t: t.clone(),
    "diag": lambda t: t[:, :2].diag(),
    "reshape of a transpose": lambda t: t.T.reshape(6),
    "contiguous of a transpose": lambda t: t.T.contiguous(),
    "flip": lambda t: t.flip(0),
    "a list": lambda t: t[[0]],
    "a mask": lambda t: t[t > 0],
    "an index by a tensor": lambda t: t[tensor([0])],
    "repeat": lambda t: t.repeat(1, 1),
    "a cast": lambda t: t.float(),
    "roll": lambda t: t.roll(0),
    "cat": lambda t: autodiff.cat([t]),
    "triu": lambda t: t.triu(-5),
    "sum of nothing": lambda t: t[None].sum(0),
}


@pytest.mark.parametrize(
    ("take_part", "shared"),
    [(f, True) for f in SHARING.values()] + [(f, False) for f in COPYING.values()],
    ids=[*SHARING, *COPYING],
)
def test_results_share_memory_where_pytorchs_do(take_part, shared):
    t = leaf_of(autodiff) * 1
    with autodiff.no_grad():
        take_part(t).zero_()
    assert (0.0 in t) is shared


def test_a_write_through_a_subclass_is_differentiated():
    class Special(autodiff.Tensor):
        pass

    x = leaf_of(autodiff, (1, 2))
    y = x * 2
    y.as_subclass(Special).mul_(5)
    y.sum().backward()
    assert x.grad.tolist() == [10, 10]


# Kinds of refusal: each before anything is written

REFUSED = {
    "a shape that does not fit": (lambda y: y.add_(autodiff.ones(2, 2, 3)), r"\(2, 2, 3\)"),
    "a value that does not broadcast": (lambda y: y.__setitem__(0, autodiff.ones(4)), "4"),
    "a value with more axes": (lambda y: y.__setitem__(0, autodiff.ones(2, 3)), r"2, ?3"),
    "an expanded view": (lambda y: y.expand(2, 2, 3).add_(1), r"clone\(\)"),
    "windows that overlap": (lambda y: y.unfold(1, 2, 1).add_(1), r"clone\(\)"),
    "a diagonal of axes of several lengths": (lambda y: y[None].fill_diagonal_(1), "1, 2, 3"),
    "an expanded row": (lambda y: y[:1].expand(4, 3).mul_(2), r"clone\(\)"),
    "float into integers": (lambda y: autodiff.ones(2).long().add_(0.5), "int64"),
    "integers divided": (lambda y: autodiff.ones(2).long().div_(2), "int64"),
    "numbers into bools": (lambda y: (y > 0).add_(1), "bool"),
}


@pytest.mark.parametrize(("write", "named"), REFUSED.values(), ids=REFUSED)
def test_a_refused_write_changes_nothing(write, named):
    x = leaf_of(autodiff)
    y = x * 2
    row = y[0]
    before = state([x, y, row])
    with pytest.raises(RuntimeError, match=named):
        write(y)
    assert same(before, state([x, y, row]))


@pytest.mark.parametrize("key", [5, (0, 7), [3], "a", 1.5, (0, 0, 0)])
def test_a_key_that_does_not_index_changes_nothing(key):
    y = leaf_of(autodiff) * 2
    before = state([y])
    with pytest.raises((IndexError, TypeError)):
        y[key] = 1.0
    assert same(before, state([y]))


def test_memory_that_is_read_only_is_not_written():
    array = np.zeros(3)
    array.flags.writeable = False
    x = autodiff.as_tensor(array)
    try:
        x += 1
    except RuntimeError as error:
        assert "read-only" in str(error)
    assert array.tolist() == [0, 0, 0]


START = [[0.5, 0.25, 0.75], [0.3, 0.6, 0.9]]
INDEX = tensor([[1, 0, 1], [0, 1, 1]])
OTHER = tensor([[0.35, 0.2, 0.5], [0.25, 0.4, 0.55]]).double()
ARGUMENTS = {
    "addmm": (OTHER[:, :2], OTHER),
    "cumprod": (1,),
    "cumsum": (0,),
    "fill": (0.5,),
    "index_add": (0, tensor([1, 1]), OTHER),
    "index_copy": (0, tensor([1, 0]), OTHER),
    "index_fill": (1, tensor([2, 0]), 0.5),
    "index_put": ((tensor([0, 1]), tensor([2, 0])), OTHER[0, :2]),
    "masked_fill": (INDEX > 0, 0.5),
    "masked_scatter": (INDEX > 0, OTHER),
    "scatter": (0, INDEX, OTHER),
    "scatter_add": (0, INDEX, OTHER),
    "scatter_reduce": (0, INDEX, OTHER, "sum"),
}
"""Arguments after the first, where these are not (), (other,), (other, other) or two numbers."""


def arguments_of(name):
    for arguments in (ARGUMENTS.get(name, ()), (OTHER,), (OTHER, OTHER), (0.2, 0.6)):
        try:
            result = getattr(autodiff, name)(tensor(START).double(), *arguments)
        except (TypeError, RuntimeError):
            continue
        if result.shape == (2, 3):
            return arguments
    return None


SHAPES = {
    "squeeze_": (),
    "swapaxes_": (0, 1),
    "swapdims_": (0, -1),
    "t_": (),
    "transpose_": (0, 1),
    "unsqueeze_": (1,),
}
"""The forms that change the shape of a tensor and no element, with arguments."""

IN_PLACE = {
    name: arguments_of(name[:-1])
    for name in dir(autodiff.Tensor)
    if name.endswith("_") and not name.startswith("_") and hasattr(autodiff, name[:-1])
    if name not in ("bernoulli_", "normal_")  # they draw anew, whatever was there
    if name not in SHAPES
    if arguments_of(name[:-1]) is not None  # floats are not for the bitwise ones
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_every_in_place_form_gives_the_gradient_of_the_other(name):
    x, z = (leaf_of(autodiff, START) for _ in range(2))
    arguments = IN_PLACE[name]
    y, plain = x * 1, getattr(autodiff, name[:-1])(z * 1, *arguments).double()
    assert getattr(y, name)(*arguments) is y
    np.testing.assert_array_equal(y.detach().numpy(), plain.detach().numpy())
    assert y.dtype == x.dtype
    assert y._version == 1
    if plain.requires_grad:
        weighted(autodiff, y).backward()
        weighted(autodiff, plain).backward()
        np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_changed_in_place_gives_the_gradient_of_the_other(name):
    x, z = (leaf_of(autodiff, START) for _ in range(2))
    y, plain = x * 1, getattr(z * 1, name[:-1])(*SHAPES[name])
    memory, view = y.detach().numpy(), y[0]
    assert getattr(y, name)(*SHAPES[name]) is y
    assert y.shape == plain.shape
    assert np.shares_memory(y.detach().numpy(), memory)
    assert view._base is y
    weighted(autodiff, y).backward()
    weighted(autodiff, plain).backward()
    np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_of_a_leaf_is_changed_under_no_grad_alone(name):
    w = leaf_of(autodiff)
    for t, what in (w, "a leaf"), (w[0], "a view of a leaf"):
        with pytest.raises(RuntimeError, match=what):
            getattr(t, name)(*SHAPES[name])
    assert w.shape == (2, 3)
    with autodiff.no_grad():
        assert getattr(w, name)(*SHAPES[name]) is w
    assert w.is_leaf
    (w * w).sum().backward()
    assert w.grad.shape == w.shape
    np.testing.assert_array_equal(w.grad.numpy(), 2 * w.detach().numpy())


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_of_a_computed_tensor_is_not_changed_under_no_grad(name):
    y = leaf_of(autodiff) * 2
    before = state([y])
    with autodiff.no_grad(), pytest.raises(RuntimeError, match=f"{name}.*use x = x"):
        getattr(y, name)(*SHAPES[name])
    assert same(before, state([y]))


def test_a_change_of_shape_that_is_refused_changes_nothing():
    y = leaf_of(autodiff) * 2
    before = state([y])
    for name, arguments in ("unsqueeze_", (5,)), ("transpose_", (0, 7)), ("squeeze_", (4,)):
        with pytest.raises(IndexError):
            getattr(y, name)(*arguments)
    assert same(before, state([y]))


def test_a_changed_shape_is_no_write():
    x = leaf_of(autodiff)
    y = x.exp()
    y.t_()
    y.sum().backward()  # exp has saved y
    np.testing.assert_allclose(x.grad.numpy(), np.exp(x.detach().numpy()))
    part = autodiff.zeros(2, 3)
    part.detach().t_()
    assert part.shape == (2, 3)


def test_a_shape_is_changed_in_a_compiled_step_too():
    @autodiff.compile(fullgraph=True)
    def step(x):
        y = x * 2
        y.unsqueeze_(0).transpose_(1, 2)
        y += 1
        return y

    for values in ((1, 2), (3, 4)), ((5, 6), (7, 8)):
        x = leaf_of(autodiff, values).detach()
        assert step(x).tolist() == [(x * 2 + 1).T.tolist()]


def test_the_functions_of_the_package_that_write_are_the_methods(torch):
    names = [n for n in dir(torch) if n.endswith("_") and not n.startswith("_")]
    expected = {n for n in names if hasattr(autodiff.Tensor, n) and callable(getattr(torch, n))}
    assert {n for n in autodiff.__all__ if n.endswith("_")} >= expected
    x = autodiff.tensor([-1.0, 2.0])
    assert autodiff.relu_(x) is x
    assert x.tolist() == [0, 2]


def test_most_in_place_forms_are_tried():
    assert len(IN_PLACE) > 80


@pytest.mark.parametrize("value", [None, "3", object()])
def test_a_write_of_what_is_no_number_is_refused(value):
    x = autodiff.zeros(2)
    with pytest.raises(TypeError, match="numbers"):
        x[0] = value
    assert x.tolist() == [0.0, 0.0]


def test_a_list_is_no_operand():
    x = tensor([1.0, 2.0])
    for write in (x.__iadd__, x.__imul__, x.add_):
        with pytest.raises(TypeError), autodiff.no_grad():
            write([1.0, 1.0])
    assert x.tolist() == [1.0, 2.0]
