"""One contender whose memory is measured: `python -m benchmarks.memory.worker WORKLOAD CONTENDER`.

It reads commands as `benchmarks.speed.worker` does:

    {"do": "resident"}               -> {"first": ..., "peak": ..., "steady": ...}; ask it first
    {"do": "arrays"}                 -> the same, of the bytes in arrays
    {"do": "growth", "steps": 20000} -> resident bytes beyond the first sample, twenty samples
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.memory import meter
from benchmarks.speed import worker
from benchmarks.speed.contenders import CONTENDERS
from benchmarks.speed.workloads import problem

Make = Callable[[], meter.Step]


def load(workload: str, contender: str, dtype: str) -> tuple[str, Make]:
    """The contender and how its step is made, once a small step has loaded what they need."""
    make = CONTENDERS[contender].make
    os.environ["KINETO_LOG_LEVEL"] = "99"  # PyTorch's profiler is to say nothing on its own
    warm_up(contender)
    return contender, partial(make, problem(workload, dtype))


def warm_up(contender: str) -> None:
    """Runs a small training, so that code and scratch space are loaded before a measure begins."""
    step = CONTENDERS[contender].make(problem("W6"))
    for _ in range(meter.STEPS):
        step()


def answer(loaded: tuple[str, Make], command: dict[str, Any]) -> Any:
    """What one command is answered with, in a list: an answer that is a dict is an error's."""
    contender, make = loaded
    if command["do"] == "growth":
        return meter.growth(make(), command["steps"])
    if command["do"] == "resident":
        return [meter.resident(make)]
    return [meter.torch_arrays(make) if contender == "torch" else meter.arrays(make)]


if __name__ == "__main__":
    worker.main(load, answer)
