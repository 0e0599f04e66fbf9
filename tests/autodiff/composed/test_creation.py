"""Making tensors: every call that PyTorch takes gives what PyTorch gives, or is refused alike."""

import numpy as np
import pytest

import autodiff
from autodiff import tensor

SAME = """
t.tensor(3)
t.tensor(3.5)
t.tensor(True)
t.tensor([1, 2])
t.tensor([1, 2.5])
t.tensor([True, 2])
t.tensor([True, 2.5])
t.tensor([[True], [2.5]])
t.tensor([(1, 2), [3, 4]])
t.tensor(range(3))
t.tensor([])
t.tensor([[], []])
t.tensor(np.float64(1))
t.tensor([np.float64(1), 2.0])
t.tensor([np.float32(1), 2])
t.tensor([np.int32(1), 3])
t.tensor(np.int32(3))
t.tensor(np.bool_(True))
t.tensor(np.arange(6).reshape(2, 3).T)
t.tensor([np.arange(2), np.arange(2.0)])
t.tensor([t.tensor(1.0, dtype=t.float64), 2.0])
t.tensor([t.tensor(1), 2])
t.tensor(t.tensor([1.5]))
t.tensor([1, 2], dtype=t.float64)
t.tensor(3.7, dtype=t.int64)
t.tensor([1.5, 0.0], dtype=t.bool)
t.tensor([1], dtype=float)
t.tensor([1.0], requires_grad=True)
t.as_tensor([1.0, 2])
t.as_tensor(np.arange(2.0))
t.as_tensor(np.arange(2.0), dtype=t.float32)
t.asarray(3)
t.asarray([1.0], requires_grad=True)
t.from_numpy(np.arange(3, dtype=np.int16))
t.zeros(2, 3)
t.zeros((2, 3))
t.zeros([2])
t.zeros(size=(2,))
t.zeros(())
t.zeros(0, 2)
t.zeros(t.Size([1, 2]))
t.zeros(t.tensor(3))
t.zeros(np.int64(2))
t.zeros(2, dtype=t.int32)
t.zeros(2, device="cpu")
t.ones(2, 2, dtype=bool)
t.ones(1, requires_grad=True)
t.full((2,), True)
t.full((2,), 3)
t.full((2,), 3.5)
t.full((2,), t.tensor(3))
t.full((2,), np.float64(3))
t.full((2,), 2.7, dtype=t.int32)
t.full(size=(1, 2), fill_value=0.5)
t.scalar_tensor(3)
t.zeros_like(t.arange(3))
t.ones_like(t.arange(3), dtype=t.float32, requires_grad=True)
t.full_like(t.arange(3), 2.7)
t.zeros_like(t.ones(2, 3).t(), memory_format=t.preserve_format)
t.empty(2, 3).shape
t.empty_like(t.ones(2, dtype=t.int8)).dtype
t.arange(5)
t.arange(5.0)
t.arange(1, 5, 2)
t.arange(0, 1, 0.3)
t.arange(0, 1, 0.1)
t.arange(0.9, 0, -0.3)
t.arange(5, 1, -1)
t.arange(end=3)
t.arange(start=1, end=3)
t.arange(t.tensor(3))
t.arange(t.tensor(3.0))
t.arange(np.int64(4))
t.arange(2.5, dtype=t.int64)
t.arange(1, 1)
t.arange(0.5, 3.5, dtype=t.int64)
t.arange(-3, 3, dtype=t.float64)
t.arange(True)
t.linspace(0, 1, 5)
t.linspace(-3, 10, 7, dtype=t.float64)
t.linspace(1, 0, 4)
t.linspace(0, 1, 1)
t.linspace(0, 1, 0)
t.linspace(0, 10, 4, dtype=t.int64)
t.linspace(-10, 10, 6, dtype=t.int32)
t.linspace(t.tensor(0.0), 1, steps=3)
t.logspace(0, 2, 3)
t.logspace(0, 3, steps=4, base=2.0)
t.eye(3)
t.eye(2, 3, dtype=t.int64)
t.eye(0)
t.ones(2).new_tensor([1, 2])
t.ones(2).new_tensor(np.arange(2), dtype=t.int32)
t.arange(2).new_tensor(t.tensor([1.7]))
t.ones(2).new_zeros(2, 3)
t.ones(2).new_zeros((2,), dtype=t.int64)
t.arange(2).new_ones(2)
t.arange(2).new_full((2,), 3.5)
t.ones(2).new_full((2,), 3)
t.ones(2, dtype=t.float64).new_empty(2, 3).dtype
t.ones(2).new(2, 3).shape
t.arange(2).new([1.5, 2])
""".strip().split("\n")

REFUSED = """
t.tensor([[1], [2, 3]])
t.tensor([[1], 2])
t.tensor("abc")
t.tensor([1, "a"])
t.tensor(b"ab")
t.tensor(np.array(["a"]))
t.tensor(np.array([None]))
t.tensor(300, dtype=t.uint8)
t.tensor([1], requires_grad=True)
t.tensor([1], dtype="float32x")
t.zeros()
t.zeros(-1)
t.zeros(2.5)
t.zeros((2, 3.0))
t.zeros(None)
t.zeros(t.tensor([2, 3]))
t.zeros(2, dtype=3)
t.zeros(2, dtype=t.int64, requires_grad=True)
t.zeros(2, device="nonsense")
t.full(2, 3)
t.zeros_like([1.0])
t.arange(5, 1)
t.arange(1, 5, 0)
t.arange(float("nan"))
t.arange(3, requires_grad=True)
t.linspace(0, 1, -1)
t.linspace(0, 1, 2.5)
t.linspace(0, 1)
t.eye(-1)
t.eye(2.0)
t.from_numpy([1])
t.from_numpy(np.array(["a"]))
""".strip().split("\n")


def evaluate(expression: str, library):
    return eval(expression, {"t": library, "np": np})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("expression", SAME)
def test_tensors_are_those_of_pytorch(expression, torch):
    ours, theirs = (evaluate(expression, library) for library in (autodiff, torch))
    if not isinstance(theirs, torch.Tensor):
        assert str(ours).partition(".")[2] == str(theirs).partition(".")[2]
        return
    assert str(ours.dtype) == str(theirs.dtype).replace("torch", "autodiff")
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.requires_grad == theirs.requires_grad
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=3e-7)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_pytorch_refuses_is_refused(expression, torch):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as theirs:
        evaluate(expression, torch)
    with pytest.raises(theirs.type):
        evaluate(expression, autodiff)


@pytest.mark.parametrize("data", [None, [None], [1.5, None], {}, {1}, object(), 1j, [1j]])
def test_what_is_no_number_is_a_type_error(data):
    with pytest.raises(TypeError):
        tensor(data)


def test_integers_that_are_too_large_are_refused():
    with pytest.raises(RuntimeError, match="too large"):
        tensor([2**63])


def test_another_device_is_refused():
    with pytest.raises(RuntimeError, match="CPU"):
        autodiff.zeros(2, device="cuda")


def test_tensor_copies_and_from_numpy_shares():
    array = np.arange(3.0)
    copied, shared = tensor(array), autodiff.from_numpy(array)
    array[0] = 7
    assert copied.tolist() == [0, 1, 2]
    assert shared.tolist() == [7, 1, 2]
    shared[1] = 5
    assert array[1] == 5
    assert autodiff.as_tensor(array).numpy() is array
    x = tensor([1.0], requires_grad=True)
    assert autodiff.as_tensor(x) is x
    assert not tensor(x).requires_grad
    (autodiff.as_tensor(x, dtype=autodiff.float64) * 2).backward()
    assert x.grad.tolist() == [2.0]


def test_asarray_copies_as_told():
    array = np.arange(3.0)
    assert autodiff.asarray(array).numpy() is array
    assert autodiff.asarray(array, copy=True).numpy() is not array
    with pytest.raises(ValueError, match="copy=False"):
        autodiff.asarray(array, dtype=autodiff.float32, copy=False)
    with pytest.raises(ValueError, match="copy=False"):
        autodiff.asarray([1.0], copy=False)


def test_numbers_beside_sequences_are_named():
    with pytest.raises(TypeError, match="at depth 1 there are numbers beside sequences"):
        autodiff.tensor([[1.0, 2.0], 3.0])


def test_ragged_data_name_the_depth():
    with pytest.raises(ValueError, match="depth 1"):
        tensor([[1, 2], [3]])


def test_long_lists_and_deep_ones():
    assert tensor([float(i) for i in range(100_000)]).shape == (100_000,)
    assert tensor([[[[[[[1.0]]]]]]]).shape == (1,) * 7


def test_sequences_of_arrays_are_stacked_in_their_nesting():
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    x = autodiff.tensor([[a, b], [b, a], [a, a]])
    assert x.shape == (3, 2, 2)
    np.testing.assert_array_equal(x.numpy(), [[a, b], [b, a], [a, a]])
