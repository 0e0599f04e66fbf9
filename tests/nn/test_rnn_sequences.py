"""Padding and packing of sequences, as PyTorch's."""

import importlib

import numpy as np
import pytest

import autodiff
from autodiff import tensor
from nn.utils import rnn


def flat(thing):
    """Lists of numbers, and None, of tensors in tuples and lists."""
    if isinstance(thing, list | tuple):
        return [flat(x) for x in thing]
    return thing.tolist() if hasattr(thing, "tolist") else thing


def same(torch, scenario, *arrays):
    """What a scenario gives with our functions and with PyTorch's, and gradients of its first."""
    found = []
    for library, functions in (
        (autodiff, rnn),
        (torch, importlib.import_module("torch.nn.utils.rnn")),
    ):
        leaves = [library.tensor(a).requires_grad_() for a in arrays]
        result = scenario(functions, library, *leaves)
        total = result[0] if isinstance(result, tuple) else result
        weights = library.arange(total.numel(), dtype=library.float64).reshape(total.shape)
        (total * weights).sum().backward()
        found.append(flat([result, *[x.grad for x in leaves]]))
    assert found[0] == found[1]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[4, 4, 4], [4, 2, 1], [3, 3, 1]])
def test_packing_and_padding_again_equal_pytorch(torch, rng, lengths, batch_first):
    x = rng.normal(size=(3, 4, 2) if batch_first else (4, 3, 2))
    for scenario in (
        lambda f, L, x: f.pack_padded_sequence(x, lengths, batch_first),
        lambda f, L, x: f.pack_padded_sequence(x, L.tensor(lengths), batch_first),
        lambda f, L, x: f.pack_padded_sequence(x, lengths[::-1], batch_first, False),
        lambda f, L, x: f.pad_packed_sequence(
            f.pack_padded_sequence(x, lengths[::-1], batch_first, enforce_sorted=False),
            batch_first,
            -1.0,
            total_length=6,
        ),
        lambda f, L, x: f.pad_packed_sequence(f.pack_padded_sequence(x, lengths, batch_first)),
    ):
        same(torch, scenario, x)


@pytest.mark.parametrize("sizes", [(3, 1, 2), (2,), (2, 2)])
def test_padding_and_packing_lists_equal_pytorch(torch, rng, sizes):
    rows = [rng.normal(size=(n, 2)) for n in sizes]
    for scenario in (
        lambda f, L, *rows: f.pad_sequence(rows),
        lambda f, L, *rows: f.pad_sequence(rows, batch_first=True, padding_value=2.5),
        lambda f, L, *rows: f.pad_sequence(rows, padding_side="left"),
        lambda f, L, *rows: f.pack_sequence(rows, enforce_sorted=False),
        lambda f, L, *rows: f.unpad_sequence(f.pad_sequence(rows), L.tensor(sizes))[0],
        lambda f, L, *rows: f.unpack_sequence(f.pack_sequence(rows, False))[-1],
    ):
        same(torch, scenario, *rows)


def test_a_packed_batch_lists_the_steps_of_the_longest_first():
    packed = rnn.pack_sequence([tensor([1, 2, 3]), tensor([4])])
    assert packed.data.tolist() == [1, 4, 2, 3]
    assert packed.batch_sizes.tolist() == [2, 1, 1]
    assert packed.double().data.dtype == packed.to(autodiff.float64).data.dtype == autodiff.float64
    assert packed.cpu() is packed
    assert not packed.is_cuda


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2], RuntimeError, "lengths must fall"),
        ([2, 0], RuntimeError, "at least one element"),
        ([2], RuntimeError, "2 sequences need as many lengths, got 1"),
        ([5, 1], ValueError, "a length of 5 was given for 4 steps"),
    ],
)
def test_bad_lengths_are_refused(lengths, error, message):
    with pytest.raises(error, match=message):
        rnn.pack_padded_sequence(autodiff.zeros(4, 2, 1), lengths)


def test_bad_padding_is_refused():
    packed = rnn.pack_sequence([autodiff.zeros(3)])
    with pytest.raises(ValueError, match="total_length=2 is less than the longest"):
        rnn.pad_packed_sequence(packed, total_length=2)
    with pytest.raises(ValueError, match="'left' or 'right'"):
        rnn.pad_sequence([autodiff.zeros(3)], padding_side="top")
    with pytest.raises(RuntimeError, match="at least one"):
        rnn.pad_sequence([])


def test_packing_is_laid_out_the_same_whatever_the_memory(rng):
    x = rng.normal(size=(2, 3, 4)).astype(np.float32)
    a = rnn.pack_padded_sequence(tensor(x), [3, 2], batch_first=True)
    b = rnn.pack_padded_sequence(tensor(x.transpose(1, 0, 2).copy()), [3, 2])
    assert a.data.tolist() == b.data.tolist()
