"""Other dtypes, writing values, and what a tensor tells about itself."""

import numpy as np
import pytest

import autodiff
from autodiff import tensor

SAME = """
x.to(t.float64)
x.to("cpu")
x.to(t.device("cpu"), t.int64)
x.to(i)
x.to(float)
x.to()
x.to(None)
x.to(device="cpu", dtype=t.float16)
x.to("cpu", t.float64, True, True)
x.to(t.float64, True)
x.type(t.int64)
x.type_as(i)
x.double()
x.half()
x.float()
x.long()
x.int()
x.short()
x.char()
x.byte()
x.bool()
i.float()
i.bool()
x.cpu()
x.size()
x.size(0)
x.size(-1)
x.size(dim=1)
x.dim()
x.ndimension()
x.numel()
x.nelement()
t.numel(x)
x.element_size()
x.itemsize
x.nbytes
x.double().nbytes
x.is_contiguous()
x.t().is_contiguous()
x.stride()
x.t().stride()
x.stride(0)
x.stride(-1)
x[1:].storage_offset()
x[1:, 1].storage_offset()
x.data_ptr() - x[1:].data_ptr()
x.is_floating_point()
t.is_floating_point(i)
t.is_complex(x)
x.is_signed()
i.byte().is_signed()
t.is_tensor(x)
t.is_tensor(3)
t.is_nonzero(t.tensor([1.0]))
x.get_device()
x.is_cuda
x.is_same_size(x)
x.to(t.float32) is x
x.to(t.float32, copy=True) is x
x.cpu() is x
t.promote_types(t.int8, t.uint8)
t.promote_types(t.int64, t.float16)
t.result_type(i, 1.5)
t.result_type(1, 2.0)
t.can_cast(t.float32, t.int64)
t.can_cast(t.int64, t.float16)
t.zeros(2, 3).copy_(i)
t.zeros(3, dtype=t.int64).copy_(t.tensor([1.5, 2.5, -3.5]))
t.zeros(3).copy_(t.tensor(2))
t.zeros(3).copy_(5)
t.zeros(3).fill_(5)
t.zeros(3).fill_(t.tensor(5))
t.zeros(3, dtype=t.int64).fill_(5.5)
t.zeros(3, dtype=t.bool).fill_(5.5)
t.ones(2).zero_()
t.fill(t.zeros(2), 3)
""".strip().split("\n")

REFUSED = """
x.to("float32")
x.to("nonsense")
x.type("nonsense")
x.size(5)
x.size(0.5)
x.stride(2)
t.numel([1])
t.is_nonzero(x)
t.zeros(3).copy_(t.ones(2, 3))
t.zeros(3).copy_(np.ones(3))
t.zeros(3).fill_(t.tensor([5]))
""".strip().split("\n")


def evaluate(expression: str, library):
    x = library.arange(6, dtype=library.float32).reshape(2, 3)
    names = {"t": library, "np": np, "x": x, "i": library.arange(3)}
    return eval(expression, names)


@pytest.mark.parametrize("expression", SAME)
def test_answers_are_those_of_pytorch(expression, torch):
    ours, theirs = (evaluate(expression, library) for library in (autodiff, torch))
    if isinstance(theirs, torch.Tensor):
        assert str(ours.dtype) == str(theirs.dtype).replace("torch", "autodiff")
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    else:
        assert str(ours).replace("autodiff", "torch") == str(theirs)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_pytorch_refuses_is_refused(expression, torch):
    with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)) as theirs:
        evaluate(expression, torch)
    with pytest.raises(theirs.type):
        evaluate(expression, autodiff)


def test_another_device_is_refused():
    for move in (lambda x: x.cuda(), lambda x: x.to("cuda"), lambda x: x.to(device="cuda:0")):
        with pytest.raises(RuntimeError, match="CPU"):
            move(tensor(1.0))


def test_gradients_go_back_in_the_dtype_of_the_source():
    x = tensor([1.5, 2.5], requires_grad=True)
    (x.double() * tensor([2.0, 3.0], dtype=autodiff.float64)).sum().backward()
    assert x.grad.dtype is autodiff.float32
    assert x.grad.tolist() == [2.0, 3.0]
    assert (x.to(autodiff.float32, copy=True) * 1).requires_grad


@pytest.mark.parametrize("name", ["long", "int", "short", "char", "byte", "bool"])
def test_integers_have_no_gradient(name):
    x = tensor([1.5], requires_grad=True)
    assert not getattr(x, name)().requires_grad


def test_the_name_of_the_type():
    assert tensor(1.0).type() == "autodiff.FloatTensor"
    assert tensor(1).type() == "autodiff.LongTensor"
    assert tensor(1).type("torch.FloatTensor").dtype is autodiff.float32


def test_copy_sends_the_gradient_to_its_source():
    x = tensor([1.0, 2.0], requires_grad=True)
    s = tensor(3.0, requires_grad=True)
    y = x * 2
    y.copy_(s)
    (y * tensor([1.0, 10.0])).sum().backward()
    assert y.tolist() == [3.0, 3.0]
    assert s.grad.item() == 11.0
    assert x.grad is None or x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("write", [lambda y: y.zero_(), lambda y: y.fill_(3), lambda y: y.copy_(1)])
def test_a_constant_that_was_written_has_a_gradient_of_zero(write):
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    assert write(y) is y
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_writing_into_a_leaf_needs_no_grad():
    w = tensor([1.0, 2.0], requires_grad=True)
    for write in (lambda: w.zero_(), lambda: w.copy_(w.detach()), lambda: w.fill_(1)):
        with pytest.raises(RuntimeError, match="leaf"):
            write()
    with autodiff.no_grad():
        w.fill_(5)
    assert w.requires_grad
    assert w.tolist() == [5.0, 5.0]
