"""What can be indexed or gone through: sets of examples."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff.composed.random import randperm
from autodiff.generator import Generator
from autodiff.tensor import Tensor


class Dataset:
    """Examples by index: a subclass defines `__getitem__`, and `__len__` for most uses.

    It may define `__getitems__(indices)`, which gives a list of examples at once.
    """

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Examples one after the other: a subclass defines `__iter__`.

    With workers each of them goes through it all: `get_worker_info()` tells which part is whose.
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")

    def __add__(self, other: Dataset) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Rows of tensors of one length: an example is a tuple of one row of each.

    Raises: ValueError if the lengths differ.
    """

    def __init__(self, *tensors: Tensor) -> None:
        lengths = [len(t) for t in tensors]
        if len(set(lengths)) > 1:
            raise ValueError(f"the tensors must have as many rows each, got {lengths}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([t[index] for t in self.tensors])

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset):
    """Data sets side by side: an example is a tuple of theirs, or a dict for keywords.

    Raises: ValueError if the lengths differ, for none, or for both kinds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("give data sets either by position or by keyword")
        self.datasets: Any = args or kwargs
        lengths = [len(d) for d in (args or kwargs.values())]
        if len(set(lengths)) > 1:
            raise ValueError(f"the data sets must have one length, got {lengths}")
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: d[index] for name, d in self.datasets.items()}
        return tuple([d[index] for d in self.datasets])

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset):
    """Data sets one after the other.

    Raises: ValueError for none; TypeError for one that cannot be indexed.
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one data set")
        for d in self.datasets:
            if isinstance(d, IterableDataset):
                raise TypeError("ConcatDataset cannot index an IterableDataset: use ChainDataset")
        self.cumulative_sizes = list(itertools.accumulate([_length(d) for d in self.datasets]))

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} examples")
        index %= len(self)
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """Iterable data sets one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for d in self.datasets:
            yield from d

    def __len__(self) -> int:
        return sum([_length(d) for d in self.datasets])


class Subset(Dataset):
    """The examples of a data set at these indices."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        mine = [self.indices[i] for i in indices]
        several = getattr(self.dataset, "__getitems__", None)
        return several(mine) if several else [self.dataset[i] for i in mine]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """Parts of these lengths, or shares that add up to 1, of the examples in random order.

    What shares leave over goes to the first parts, one each.
    Raises: ValueError if the lengths do not add up.
    """
    size = _length(dataset)
    sizes = [int(n) for n in lengths]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-9:
        if any(not 0 <= share <= 1 for share in lengths):
            raise ValueError(f"shares must lie in [0, 1], got {list(lengths)}")
        sizes = [math.floor(size * share) for share in lengths]
        for i in range(size - sum(sizes)):
            sizes[i % len(sizes)] += 1
    elif list(lengths) != sizes:
        raise ValueError(f"lengths must be whole or add up to 1, got {list(lengths)}")
    if sum(sizes) != size:
        raise ValueError(f"lengths {list(lengths)} do not add up to {size} examples")
    order = randperm(size, generator=generator).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, sizes, strict=True)]


def rows(dataset: Any, indices: Sequence[int]) -> list[Tensor] | None:
    """A batch of a TensorDataset, or of a part of one, in one piece; None for another data set."""
    while isinstance(dataset, Subset):
        indices = [dataset.indices[i] for i in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    try:
        index = np.array(indices)  # one look at the list for all tensors
    except ValueError:  # of indices of several lengths
        return None
    if index.ndim != 1 or index.dtype.kind not in "iu" or not index.size:
        return None
    return [t[index] for t in dataset.tensors]


def _length(dataset: Any) -> int:
    return len(dataset)
