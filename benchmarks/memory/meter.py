"""Measures of memory, all in bytes.

Arrays: what is allocated for their elements, from an empty start (no weights, no batches, no state
of the optimizer), so what a package holds back for later is counted. For NumPy, tracemalloc tells
it; it counts Python's objects too, which are taken off as they are after a step (those of a tape,
alive at the peak, stay counted). For PyTorch its profiler lists what the allocator for tensors
gives out and gets back.

Resident: what the operating system counts for the process beyond the state before the step was
built. It includes Python's objects, scratch space of the BLAS library and what the allocators keep,
and exists on Linux only.
"""

import ctypes
import gc
import tracemalloc
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

Step = Callable[[], Any]
STEPS = 5
"""Steps before a measure, and in it."""
AVAILABLE = Path("/proc/self/clear_refs").exists()
"""Whether resident memory can be measured."""


def arrays(make: Callable[[], Step]) -> dict[str, int]:
    """Bytes in NumPy's arrays: "first", the peak while the step is made and run for the first
    times; "peak" of the steps from then on; "steady", what is held between steps.
    """
    gc.collect()
    tracemalloc.start()
    try:
        step = make()
        _run(step)
        first = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        _run(step)
        now, peak = tracemalloc.get_traced_memory()
        only_arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        held = tracemalloc.take_snapshot().filter_traces([only_arrays]).traces
    finally:
        tracemalloc.stop()
    steady = sum(trace.size for trace in held)
    objects = now - steady
    return {"first": first - objects, "peak": peak - objects, "steady": steady}


def torch_arrays(make: Callable[[], Step]) -> dict[str, int]:
    """The same of PyTorch's tensors."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile, record_function

    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step = make()
        _run(step)
        with record_function("from then on"):
            _run(step)
    events = profiler.profiler.kineto_results.events()
    begin = next(event.start_ns() for event in events if event.name() == "from then on")
    changes = sorted(
        (event.start_ns(), event.nbytes())
        for event in events
        if event.name() == "[memory]" and event.device_type() == DeviceType.CPU
    )
    held = list(accumulate(size for _, size in changes))
    before = sum(moment < begin for moment, _ in changes)
    return {"first": max(held[:before]), "peak": max(held[before:]), "steady": held[-1]}


class Resident:
    """The resident memory beyond that at the time it was made, after giving back what is free.

    Raises: OSError where the operating system does not tell it as Linux does.
    """

    def __init__(self) -> None:
        self._start = 0
        self._start = self.steady()

    def forget_peak(self) -> None:
        """Lets the next peak be one from now on."""
        Path("/proc/self/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most since the last `forget_peak`."""
        return _status("VmHWM") - self._start

    def steady(self) -> int:
        """What is in use now, once what is free was given back."""
        gc.collect()
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if give_back is not None:
            give_back(0)
        return _status("VmRSS") - self._start


def resident(make: Callable[[], Step]) -> dict[str, int]:
    """Resident bytes, with the same names as those in arrays."""
    memory = Resident()
    memory.forget_peak()
    step = make()
    _run(step)
    first = memory.peak()
    memory.steady()
    memory.forget_peak()
    _run(step)
    return {"first": first, "peak": memory.peak(), "steady": memory.steady()}


def growth(step: Step, steps: int, samples: int = 20) -> list[int]:
    """Resident bytes beyond the first of the samples, which are spread evenly over the steps.

    A twentieth of the steps is run before the first sample.
    """
    each = steps // samples
    _run(step, each)
    memory = Resident()
    grown = [0]
    for _ in range(samples - 1):
        _run(step, each)
        grown.append(memory.steady())
    return grown


def _run(step: Step, steps: int = STEPS) -> None:
    for _ in range(steps):
        step()


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))
