"""Going through a data set in batches, with workers that fetch ahead.

Workers are threads: examples are not copied between processes, NumPy computes without the
interpreter's lock, and nothing has to be picklable. Each draws from a random generator of its own,
seeded from the loader's, so that what it draws does not depend on when it runs.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from typing import Any

from autodiff.composed.random import randint
from autodiff.data.collate import default_collate, default_convert
from autodiff.data.dataset import IterableDataset, rows
from autodiff.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from autodiff.generator import Generator, draw_alone
from autodiff.grad_modes import is_grad_enabled, set_grad_enabled

_END = object()


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this is: its number, how many there are, its seed, and the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _This(threading.local):
    info: WorkerInfo | None = None
    failed: BaseException | None = None  # an error of the init function


_this = _This()


def get_worker_info() -> WorkerInfo | None:
    """In a worker which one it is, elsewhere None."""
    return _this.info


class DataLoader:
    """Batches of a data set; each pass over it is a new one.

    batch_size: examples per batch; None for single examples. shuffle: in a new random order at each
    pass, which the generator's seed decides. sampler: the indices to take, or batch_sampler: lists
    of them. collate_fn: makes a batch of a list of examples. drop_last: leave out a last batch that
    is smaller. num_workers: threads that fetch ahead, each prefetch_factor batches;
    worker_init_fn(number) is called first in each. timeout: seconds to wait for a worker's batch,
    0 for as long as it takes. pin_memory, multiprocessing_context, persistent_workers and in_order
    are accepted for PyTorch's sake and change nothing.

    Raises: ValueError for arguments that do not go together. Errors in a worker are raised where
    the batch is asked for.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers must be 0 or more, got {num_workers}")
        if timeout < 0:
            raise ValueError(f"timeout must be 0 or more, got {timeout}")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError("prefetch_factor needs num_workers > 0")
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError(f"prefetch_factor must be positive, got {prefetch_factor}")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers needs num_workers > 0")
        iterable = isinstance(dataset, IterableDataset)
        if iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "an IterableDataset has an order of its own: shuffle, sampler and batch_sampler "
                "do not go with it"
            )
        if sampler is not None and shuffle:
            raise ValueError("sampler and shuffle exclude each other")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler excludes batch_size, shuffle, sampler and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None gives single examples: drop_last has no meaning")
        if sampler is None and not iterable:
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(() if iterable else sampler, batch_size, drop_last)  # type: ignore[arg-type]
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.generator, self.pin_memory = generator, pin_memory
        self.prefetch_factor = prefetch_factor or (2 if num_workers else None)
        self.persistent_workers = persistent_workers

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            n = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        # Drawn also without workers, so that the order does not depend on them.
        seed = int(randint(2**62, (), generator=self.generator).item())
        if self.num_workers:
            return _Ahead(self, seed)
        if isinstance(self.dataset, IterableDataset):
            return self._iterated()
        return map(self._fetched, self._tasks())

    def _tasks(self) -> Iterable[Any]:
        """What to fetch, batch by batch: indices, or one index."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler  # type: ignore[return-value]

    def _fetched(self, task: Any) -> Any:
        """The batch of these indices, or the example at one."""
        dataset, collate = self.dataset, self.collate_fn
        if self.batch_sampler is None:
            return collate(dataset[task])
        if collate is default_collate:
            batch = rows(dataset, task)
            if batch is not None:
                return batch
        several = getattr(dataset, "__getitems__", None)
        return collate(several(task) if several else [dataset[i] for i in task])

    def _iterated(self) -> Iterator[Any]:
        """The batches of an iterable data set."""
        if self.batch_size is None:
            yield from map(self.collate_fn, self.dataset)
            return
        batch = []
        for example in self.dataset:
            batch.append(example)
            if len(batch) == self.batch_size:
                yield self.collate_fn(batch)
                batch = []
        if batch and not self.drop_last:
            yield self.collate_fn(batch)


class _Ahead:
    """One pass with workers: batches in the order in which they were given out, in turns.

    After an error the pass goes on with the next batch.
    """

    def __init__(self, loader: DataLoader, seed: int) -> None:
        self.loader = loader
        iterable = isinstance(loader.dataset, IterableDataset)
        count = loader.num_workers
        self.workers = [ThreadPoolExecutor(1, f"tapegrad-data-{i}") for i in range(count)]
        for i, worker in enumerate(self.workers):
            worker.submit(self._begin, i, seed + i, is_grad_enabled())
        self.streams = [loader._iterated() for _ in self.workers] if iterable else []
        self.tasks: Iterator[Any] = iter(() if iterable else loader._tasks())
        self.turns = deque(range(count))  # of those workers that may take on a batch
        self.waiting: deque[tuple[int, Future]] = deque()

    def __iter__(self) -> "_Ahead":
        return self

    def __next__(self) -> Any:
        timeout = self.loader.timeout
        while True:
            self._give_out()
            if not self.waiting:
                self.close()
                raise StopIteration
            i, future = self.waiting.popleft()
            try:
                batch = future.result(timeout or None)
            except NotInTime:
                if future.done():  # the worker's own error
                    raise
                raise RuntimeError(
                    f"DataLoader timed out after {timeout} seconds, waiting for worker {i}"
                ) from None
            if batch is not _END:
                return batch
            if i in self.turns:
                self.turns.remove(i)

    def _give_out(self) -> None:
        loader = self.loader
        ahead = loader.num_workers * (loader.prefetch_factor or 1)
        while self.turns and len(self.waiting) < ahead:
            i = self.turns[0]
            if self.streams:
                call: tuple = next, self.streams[i], _END
            elif (task := next(self.tasks, _END)) is not _END:
                call = loader._fetched, task
            else:
                self.turns.clear()
                return
            self.waiting.append((i, self.workers[i].submit(self._checked, i, *call)))
            self.turns.rotate(-1)

    def close(self) -> None:
        """End the workers."""
        self.turns.clear()
        self.waiting.clear()
        for worker in self.workers:
            worker.shutdown(wait=False, cancel_futures=True)

    __del__ = close

    def _begin(self, i: int, seed: int, with_grad: bool) -> None:
        loader = self.loader
        _this.info = WorkerInfo(i, loader.num_workers, seed, loader.dataset)
        draw_alone(seed)
        set_grad_enabled(with_grad)
        try:
            if loader.worker_init_fn is not None:
                loader.worker_init_fn(i)
        except BaseException as error:
            _this.failed = error

    @staticmethod
    def _checked(i: int, function: Callable, *args: Any) -> Any:
        """function(*args), its errors noted as this worker's."""
        try:
            if _this.failed is not None:
                raise _this.failed
            return function(*args)
        except Exception as error:
            if not getattr(error, "__notes__", None):
                error.add_note(f"in worker {i} of the DataLoader")
            raise
