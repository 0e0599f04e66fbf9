"""Orders: each a function of its generator's seed, with PyTorch's lengths."""

import numpy as np
import pytest

import autodiff
from autodiff.utils.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def seeded(seed=0):
    return autodiff.Generator().manual_seed(seed)


def test_sequential_and_batches():
    order = SequentialSampler(range(5))
    assert (list(order), len(order)) == ([0, 1, 2, 3, 4], 5)
    whole, short = BatchSampler(order, 2, True), BatchSampler(order, 2, False)
    assert (list(whole), len(whole)) == ([[0, 1], [2, 3]], 2)
    assert (list(short), len(short)) == ([[0, 1], [2, 3], [4]], 3)


def test_random_orders_hold_all_and_differ_from_pass_to_pass():
    order = RandomSampler(range(20), generator=seeded())
    first, second = list(order), list(order)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert list(RandomSampler(range(20), generator=seeded())) == first


def test_random_orders_of_other_lengths():
    long = list(RandomSampler(range(4), num_samples=10, generator=seeded()))
    assert len(long) == 10
    assert sorted(long[:4]) == sorted(long[4:8]) == [0, 1, 2, 3]
    drawn = list(RandomSampler(range(4), True, 100, seeded()))
    assert len(drawn) == 100
    assert set(drawn) == {0, 1, 2, 3}
    assert sorted(SubsetRandomSampler([7, 8, 9], seeded())) == [7, 8, 9]


def test_weights_are_probabilities():
    drawn = np.bincount(list(WeightedRandomSampler([0, 1, 3], 4000, generator=seeded())))
    assert drawn[0] == 0
    assert abs(drawn[2] / drawn.sum() - 0.75) < 0.03
    assert sorted(WeightedRandomSampler([1, 2, 3], 3, replacement=False)) == [0, 1, 2]


def test_without_a_generator_the_default_one_decides():
    orders = []
    for _ in range(2):
        autodiff.manual_seed(5)
        orders.append(list(RandomSampler(range(30))))
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomSampler([1], num_samples=0), ValueError, "num_samples must be a positive"),
        (lambda: RandomSampler([1], replacement=1), TypeError, "replacement must be True or"),
        (lambda: BatchSampler([1], 0, False), ValueError, "batch_size must be a positive"),
        (lambda: BatchSampler([1], True, False), ValueError, "batch_size must be a positive"),
        (lambda: BatchSampler([1], 2, 1), ValueError, "drop_last must be True or False"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, r"a vector, got shape \(1, 1\)"),
        (lambda: WeightedRandomSampler([1.0], -1), ValueError, "num_samples must be a positive"),
        (lambda: list(RandomSampler([], num_samples=3)), ValueError, "there are no examples"),
        (lambda: list(Sampler()), NotImplementedError, "does not define __iter__"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
