"""Batches: what is in them, in which order, and what workers do."""

import threading
import time
from collections import namedtuple

import numpy as np
import pytest

import autodiff
from autodiff import tensor
from autodiff.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    default_convert,
    get_worker_info,
)

Pair = namedtuple("Pair", "a b")
X = tensor(np.arange(20.0).reshape(10, 2))
Y = tensor(np.arange(10))


class Rows(Dataset):
    """The same rows, one by one."""

    def __getitem__(self, i):
        return X[i], Y[i]

    def __len__(self):
        return 10


class Stream(IterableDataset):
    """Numbers, shared out among the workers."""

    def __iter__(self):
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        return iter(range(first, 11, step))

    def __len__(self):
        return 11


def listed(loader):
    return [flat(batch) for batch in loader]


def flat(batch):
    if isinstance(batch, dict):
        return {k: flat(v) for k, v in batch.items()}
    if isinstance(batch, list | tuple):
        return [flat(x) for x in batch]
    return batch.tolist() if hasattr(batch, "tolist") else batch


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"batch_size": 10}], ids=str)
def test_a_tensor_dataset_is_batched_as_its_rows_are(options, workers):
    options = {"batch_size": 4, "num_workers": workers, **options}
    loader = DataLoader(TensorDataset(X, Y), **options)
    batches = listed(loader)
    assert batches == listed(DataLoader(Rows(), **options))
    assert len(batches) == len(loader)
    assert batches[0][0][1] == [2.0, 3.0]
    assert type(next(iter(loader))) is list


def test_batches_are_not_views_of_the_data():
    data = tensor([[1.0], [2.0]])
    for (batch,) in DataLoader(TensorDataset(data), batch_size=2):
        batch.zero_()
    assert data.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("workers", [0, 2])
def test_order_is_a_function_of_seed_and_pass(workers):
    runs = []
    for _ in range(2):
        g = autodiff.Generator().manual_seed(3)
        part = Subset(TensorDataset(Y), range(1, 10))
        loader = DataLoader(part, 4, shuffle=True, generator=g, num_workers=workers)
        runs.append([listed(loader), listed(loader)])
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1]
    assert sorted(i for (batch,) in runs[0][0] for i in batch) == list(range(1, 10))


def test_samplers_and_single_examples():
    data = TensorDataset(Y)
    assert listed(DataLoader(data, 2, sampler=[5, 3, 1])) == [[[5, 3]], [[1]]]
    assert listed(DataLoader(data, batch_sampler=[[1, 2], [9]])) == [[[1, 2]], [[9]]]
    assert listed(DataLoader([3, 4], batch_size=None)) == [3, 4]
    assert listed(DataLoader(Stream(), batch_size=None))[:3] == [0, 1, 2]
    assert listed(DataLoader([1, 2, 3], 2, collate_fn=sum)) == [3, 3]
    assert listed(DataLoader(TensorDataset(Y), 2, collate_fn=len)) == [2] * 5


def test_a_sampler_may_be_a_tensor_of_indices():
    data = TensorDataset(autodiff.arange(12.0).reshape(6, 2))
    order = autodiff.randperm(6)
    batches = [rows for (rows,) in DataLoader(data, batch_size=4, sampler=order)]
    assert [len(rows) for rows in batches] == [4, 2]
    np.testing.assert_array_equal(autodiff.cat(batches)[:, 0], 2 * order)


def test_several_examples_are_asked_for_at_once_where_that_is_possible():
    class Several(Rows):
        def __getitems__(self, indices):
            return [Y[i] * 10 for i in indices]

    assert listed(DataLoader(Several(), 5)) == [[0, 10, 20, 30, 40], [50, 60, 70, 80, 90]]


def test_iterable_data_sets_with_and_without_workers():
    loader = DataLoader(Stream(), 4)
    assert listed(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert len(loader) == 3
    assert len(DataLoader(Stream(), 4, drop_last=True)) == 2
    assert listed(DataLoader(Stream(), 4, drop_last=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    shared = listed(DataLoader(Stream(), 2, num_workers=2))
    assert shared == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9]]


EXAMPLES = [
    [1, 2],
    [1.5, 2.5],
    [True, False],
    ["a", "b"],
    [np.float32(1.0), np.float32(2.0)],
    [np.arange(3), np.arange(3)],
    [(1, 2.0), (3, 4.0)],
    [[1, 2], [3, 4]],
    [{"x": 1, "y": [2.0]}, {"x": 3, "y": [4.0]}],
    [Pair(1, 2.0), Pair(3, 4.0)],
    [(np.ones((2, 2)), "label"), (np.zeros((2, 2)), "other")],
]


@pytest.mark.parametrize("examples", EXAMPLES, ids=str)
def test_collating_equals_pytorch(torch, examples):
    data = torch.utils.data
    for ours, theirs in (
        (default_collate, data.default_collate),
        (default_convert, data.default_convert),
    ):
        mine, other = ours(examples), theirs(examples)
        assert flat(mine) == flat(other)
        assert kinds(mine) == kinds(other)


def kinds(thing):
    if isinstance(thing, dict):
        return {k: kinds(v) for k, v in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing), [kinds(x) for x in thing]
    return str(thing.dtype).rpartition(".")[2] if hasattr(thing, "dtype") else type(thing)


def test_collating_refuses_what_it_cannot_stack():
    with pytest.raises(TypeError, match="not of object: give collate_fn"):
        default_collate([object()])
    with pytest.raises(RuntimeError, match="of one length each"):
        default_collate([[1, 2], [3]])
    with pytest.raises(TypeError, match="<U1"):
        default_collate([np.array(["a"])])


class Failing(Rows):
    def __getitem__(self, i):
        if i == 5:
            raise KeyError("five")
        return i


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_are_raised_where_the_batch_is_asked_for(workers):
    batches = iter(DataLoader(Failing(), 2, num_workers=workers))
    assert next(batches).tolist() == [0, 1]
    assert next(batches).tolist() == [2, 3]
    with pytest.raises(KeyError, match="five") as caught:
        next(batches)
    if workers:
        assert caught.value.__notes__ == ["in worker 0 of the DataLoader"]
    assert next(batches).tolist() == [6, 7]


def test_the_order_does_not_depend_on_the_workers():
    runs = [
        listed(
            DataLoader(
                TensorDataset(Y),
                3,
                shuffle=True,
                generator=autodiff.Generator().manual_seed(3),
                num_workers=workers,
            )
        )
        for workers in (0, 2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_made_in_the_mode_of_the_caller(workers):
    class Learned(Rows):
        def __getitem__(self, i):
            return autodiff.ones(1, requires_grad=True) * i

    for mode in (True, False):
        with autodiff.set_grad_enabled(mode):
            assert next(iter(DataLoader(Learned(), 2, num_workers=workers))).requires_grad is mode


def test_indices_that_are_no_row_numbers_are_taken_as_the_data_set_takes_them():
    data = TensorDataset(Y)
    with pytest.raises(IndexError):
        listed(DataLoader(data, 2, sampler=[1.7, 0.2]))
    assert listed(DataLoader(data, 2, sampler=[(0,), (3,)])) == [[[0, 3]]]
    assert listed(DataLoader(np.array(["a", "b"]), 2)) == [["a", "b"]]


def test_workers_are_told_who_they_are():
    seen = []

    def begin(number):
        info = get_worker_info()
        seen.append((number, info.id, info.num_workers, info.seed))
        assert isinstance(info.dataset, Rows)

    g = autodiff.Generator().manual_seed(0)
    assert len(listed(DataLoader(Rows(), 2, num_workers=2, worker_init_fn=begin, generator=g))) == 5
    assert get_worker_info() is None
    (a, *_, s), (b, *_, t) = sorted(seen)
    assert (a, b, t - s) == (0, 1, 1)


def test_an_error_of_the_init_function_is_raised():
    def begin(number):
        raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk"):
        listed(DataLoader(Rows(), 2, num_workers=2, worker_init_fn=begin))


class Noisy(Rows):
    def __getitem__(self, i):
        time.sleep(0.002 * (i % 3))
        return autodiff.rand(())


def test_what_workers_draw_depends_on_the_seed_alone():
    def drawn(seed):
        g = autodiff.Generator().manual_seed(seed)
        return listed(DataLoader(Noisy(), 3, num_workers=2, generator=g))

    before = autodiff.get_rng_state()
    assert drawn(0) == drawn(0) != drawn(1)
    assert (autodiff.get_rng_state() == before).all()


def test_a_worker_that_is_late_is_reported():
    class Slow(Rows):
        def __getitem__(self, i):
            time.sleep(0.3)
            return i

    with pytest.raises(RuntimeError, match=r"timed out after 0.01 seconds"):
        listed(DataLoader(Slow(), 2, num_workers=1, timeout=0.01))


def test_a_pass_that_is_given_up_ends_its_workers():
    before = threading.active_count()
    batches = iter(DataLoader(Rows(), 2, num_workers=3))
    next(batches)
    batches.close()
    for _ in range(200):
        if threading.active_count() <= before:
            break
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers must be 0 or more"),
        ({"timeout": -1}, "timeout must be 0 or more"),
        ({"prefetch_factor": 2}, "prefetch_factor needs num_workers"),
        ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor must be positive"),
        ({"persistent_workers": True}, "persistent_workers needs num_workers"),
        ({"shuffle": True, "sampler": [1]}, "exclude each other"),
        ({"batch_sampler": [[1]], "shuffle": True}, "batch_sampler excludes"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler excludes"),
        ({"batch_size": None, "drop_last": True}, "drop_last has no meaning"),
        ({"batch_size": 0}, "batch_size must be a positive"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(torch, options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(Rows(), **options)
    if options.get("prefetch_factor") != 0:  # PyTorch would hang
        with pytest.raises(ValueError, match=r"\w"):
            torch.utils.data.DataLoader(Rows(), **options)
    if "shuffle" in options:
        with pytest.raises(ValueError, match="an order of its own"):
            DataLoader(Stream(), shuffle=True)


def test_the_module_is_found_under_its_dotted_name():
    assert autodiff.utils.data.DataLoader is DataLoader
