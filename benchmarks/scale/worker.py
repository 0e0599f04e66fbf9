"""One contender at one size after another: `python -m benchmarks.scale.worker scale CONTENDER`.

It answers the commands of `benchmarks.speed.worker` for names such as "depth/100", and

    {"do": "memory", "name": "depth/100"} -> bytes that its steps take at their peak, resident
                                             beyond what was before it was made (None if unknown)
"""

from typing import Any

from benchmarks.memory import meter
from benchmarks.memory.worker import warm_up
from benchmarks.scale.problems import problem
from benchmarks.speed import framework, worker
from benchmarks.speed.contenders import CONTENDERS

STEPS = 3
"""Steps whose losses are compared, and in which memory is measured: the largest are slow."""


class Sizes:
    """The tasks of a contender, of which one at a time is alive: they are large."""

    def __init__(self, workload: str, contender: str, dtype: str) -> None:
        self._contender = contender
        self._name = ""
        self._tasks: dict[str, worker.Task] = {}
        self._memory: meter.Resident | None = None
        warm_up(contender)

    def answer(self, command: dict[str, Any]) -> Any:
        """What one command is answered with."""
        name = command["name"]
        if name != self._name:
            self._make(name)
        if command["do"] != "memory":
            return worker.answer(self._tasks, command)
        if self._memory is None:
            return None
        self._memory.forget_peak()
        self._tasks[name].seconds(STEPS)
        return self._memory.peak()

    def _make(self, name: str) -> None:
        self._name = name
        self._tasks.clear()
        if meter.AVAILABLE:
            self._memory = meter.Resident()
        start, framework.MODELS[name] = problem(name)  # where contenders look for their model
        self._tasks[name] = worker.training(CONTENDERS[self._contender].make(start), STEPS)


if __name__ == "__main__":
    worker.main(Sizes, Sizes.answer)
