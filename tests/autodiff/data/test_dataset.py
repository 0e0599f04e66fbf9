"""Data sets and their parts, as PyTorch's."""

import numpy as np
import pytest

import autodiff
from autodiff import tensor
from autodiff.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Squares(Dataset):
    def __init__(self, n, start=0):
        self.n, self.start = n, start

    def __getitem__(self, i):
        if not -self.n <= i < self.n:
            raise IndexError(i)
        return (self.start + i % self.n) ** 2

    def __len__(self):
        return self.n


class Counting(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def test_rows_of_tensors_are_examples():
    d = TensorDataset(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([5, 6]))
    x, y = d[1]
    assert (x.tolist(), y.item(), len(d)) == ([3.0, 4.0], 6, 2)
    assert [t.tolist() for t in d[-2:]] == [[[1.0, 2.0], [3.0, 4.0]], [5, 6]]
    with pytest.raises(ValueError, match=r"as many rows each, got \[2, 3\]"):
        TensorDataset(autodiff.zeros(2), autodiff.zeros(3))


def test_data_sets_one_after_the_other_and_side_by_side():
    both = Squares(3) + Squares(2, 10)
    assert isinstance(both, ConcatDataset)
    assert [both[i] for i in range(5)] == [0, 1, 4, 100, 121]
    assert [both[i] for i in range(-5, 0)] == [0, 1, 4, 100, 121]
    assert (len(both), both.cumulative_sizes) == (5, [3, 5])
    for i in (5, -6):
        with pytest.raises(IndexError, match="out of range for 5 examples"):
            both[i]
    assert StackDataset(Squares(3), Squares(3, 1))[1] == (1, 4)
    assert StackDataset(a=Squares(3), b=Squares(3, 1))[2] == {"a": 4, "b": 9}
    chain = Counting(2) + Counting(3)
    assert isinstance(chain, ChainDataset)
    assert (list(chain), len(chain)) == ([0, 1, 0, 1, 2], 5)


def test_subsets_translate_indices():
    d = Subset(Subset(Squares(6), [5, 3, 1]), [2, 0])
    assert (d[0], d[1], len(d), d.__getitems__([1, 0, 1])) == (1, 25, 2, [25, 1, 25])


@pytest.mark.parametrize(
    ("size", "lengths", "sizes"),
    [
        (10, [3, 7], [3, 7]),
        (10, [0.25, 0.75], [3, 7]),
        (10, [0.33, 0.33, 0.34], [4, 3, 3]),
        (4, [0, 4], [0, 4]),
        (1, [1], [1]),
    ],
)
def test_random_splits_have_the_lengths_and_all_examples(torch, size, lengths, sizes):
    parts = random_split(Squares(size), lengths)
    assert [len(p) for p in parts] == sizes
    assert [len(p) for p in torch.utils.data.random_split(range(size), lengths)] == sizes
    assert sorted(i for p in parts for i in p.indices) == list(range(size))


def test_random_splits_follow_the_seed():
    parts = [
        random_split(Squares(50), [20, 30], autodiff.Generator().manual_seed(s))[0].indices
        for s in (0, 0, 1)
    ]
    assert parts[0] == parts[1] != parts[2]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: random_split(Squares(3), [1, 1]), ValueError, "do not add up to 3"),
        (lambda: random_split(Squares(3), [2.5, 1.5]), ValueError, "must be whole or add up to 1"),
        (lambda: random_split(Squares(3), [-0.5, 1.5]), ValueError, r"lie in \[0, 1\]"),
        (lambda: ConcatDataset([]), ValueError, "at least one"),
        (lambda: ConcatDataset([Counting(2)]), TypeError, "use ChainDataset"),
        (lambda: StackDataset(), ValueError, "either by position or by keyword"),
        (lambda: StackDataset(Squares(2), Squares(3)), ValueError, "one length"),
        (lambda: Dataset()[0], NotImplementedError, "does not define __getitem__"),
        (lambda: list(IterableDataset()), NotImplementedError, "does not define __iter__"),
    ],
)
def test_what_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_generic_spellings_are_the_classes():
    class Own(Dataset[np.ndarray]):
        pass

    assert issubclass(Own, Dataset)
