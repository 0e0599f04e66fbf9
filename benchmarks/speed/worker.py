"""One contender in a process of its own: `python -m benchmarks.speed.worker WORKLOAD CONTENDER`.

It reads commands as lines of JSON from standard input and answers each with one line of JSON:

    {"do": "names"}                                    -> ["W1"], or the names of what is timed
    {"do": "result", "name": "W1"}                     -> what it computes, a list of numbers
    {"do": "first", "name": "W1"}                      -> processor time of its first step
    {"do": "calibrate", "name": "W1", "seconds": 0.03} -> how many runs take about that long
    {"do": "time", "name": "W1", "runs": 500}          -> the seconds that many runs take

The answer to a command that failed is {"error": "..."}, of a contender that cannot run here
{"unavailable": "..."}. What a contender prints goes to standard
error. Contenders are imported here, after the caller set the environment of the BLAS library.
"""

import argparse
import importlib
import json
import sys
import time
import timeit
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.speed import convolution, operations
from benchmarks.speed.contenders import CONTENDERS, PACKAGES, UnavailableError
from benchmarks.speed.workloads import problem, problems

STEPS = 10


@dataclass(frozen=True)
class Task:
    """Something to time: the numbers it computes, and the seconds that a number of runs take.

    first: the processor time of its first run, which may compile, once result() has made it.
    """

    result: Callable[[], list[float]]
    seconds: Callable[[int], float]
    first: Callable[[], float] = float


def tasks(workload: str, contender: str, dtype: str) -> dict[str, Task]:
    """The tasks of a contender by name: one per problem of a workload, or entry of "conv" or "ops".

    "ops/64" are the operations on 64 elements. `contender` is a name in CONTENDERS ("numpy",
    "eager" or "torch" for "ops", the last two for "conv"), or "module:function" for a function
    that takes a Problem and returns the step.
    """
    if workload.startswith("ops/"):
        return _operations(int(workload.removeprefix("ops/")), contender, dtype)
    if workload == "conv":
        return {name: _convolution(name, contender, dtype) for name in convolution.CONVOLUTIONS}
    if ":" in contender:
        module, _, function = contender.partition(":")
        make = getattr(importlib.import_module(module), function)
    else:
        make = CONTENDERS[contender].make
    return {name: training(make(problem(name, dtype))) for name in problems(workload)}


def training(step: Callable[[], Any], steps: int = STEPS) -> Task:
    """The task of a training step: the losses of the first steps, and how long it takes."""

    def seconds(runs):
        begin = time.perf_counter()
        for _ in range(runs):
            loss = step()
        loss.item()  # steps may still be under way until their result is asked for
        return time.perf_counter() - begin

    taken: list[float] = []

    def result():
        losses = []
        for _ in range(steps):
            begin = time.process_time()  # others are still compiling, in as many processes
            losses.append(float(step().item()))
            taken.append(time.process_time() - begin)
        return losses

    return Task(result, seconds, lambda: taken[0])


def _operations(size: int, contender: str, dtype: str) -> dict[str, Task]:
    """Tasks "add/64/record" and "add/64/backward": recording an operation, and one step back."""
    if contender == "numpy":
        names = {"np": np, **operations.arrays(size, dtype)}
    else:
        package = importlib.import_module(PACKAGES[contender][0])
        names = operations.tensors(package, size, dtype)
    made, held = {}, {}
    for operation in operations.at(size):
        record, backward = operation.expressions(contender)

        def with_gradient(operation=operation, record=record):
            """The names and `out`, also as its gradient; of one operation only, for memory."""
            if operation not in held:
                held.clear()
                out = eval(record, names)
                g = np.asarray(out) if contender == "numpy" else out.detach()
                held[operation] = names | {"out": out, "g": g}
            return held[operation]

        label = f"{operation.name}/{size}"
        made[f"{label}/record"] = _evaluated(record, lambda: names)
        made[f"{label}/backward"] = _evaluated(backward, with_gradient)
    return made


def _evaluated(expression: str, names: Callable[[], dict[str, Any]]) -> Task:
    def result():
        values = eval(expression, names())
        values = values if isinstance(values, tuple) else (values,)
        arrays = (each.detach().numpy() if hasattr(each, "detach") else each for each in values)
        return [number for array in arrays for number in operations.digest(array)]

    def seconds(runs):
        return timeit.Timer(expression, globals=names()).timeit(runs)

    return Task(result, seconds)


def _convolution(name: str, contender: str, dtype: str) -> Task:
    package, layers, _ = PACKAGES[contender]
    torch, functional = (importlib.import_module(m) for m in (package, f"{layers}.functional"))
    step = convolution.step(name, torch, functional, dtype)

    def result():  # norms: single elements may be close to 0
        return [float(np.linalg.norm(tensor.numpy().astype("float64"))) for tensor in step()]

    return Task(result, timeit.Timer(step).timeit)


def calibrated(task: Task, seconds: float) -> int:
    """How many runs take about that many seconds, at least one."""
    runs = 1
    while (taken := task.seconds(runs)) < seconds / 2:
        runs *= 2
    return max(1, round(runs * seconds / taken))


def answer(tasks: dict[str, Task], command: dict[str, Any]) -> Any:
    """What one command is answered with."""
    if command["do"] == "names":
        return list(tasks)
    task = tasks[command["name"]]
    if command["do"] == "result":
        return task.result()
    if command["do"] == "first":
        return task.first()
    if command["do"] == "calibrate":
        return calibrated(task, command["seconds"])
    task.seconds(1 + command["runs"] // 10)  # caches have served other processes meanwhile
    return task.seconds(command["runs"])


def main(tasks: Callable = tasks, answer: Callable = answer) -> None:
    """Answers commands until standard input ends; other workers pass what is theirs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("contender")
    parser.add_argument("--dtype", default="float32")
    asked = parser.parse_args()
    made: dict[str, Task] = {}
    failure = None
    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        try:  # before it is asked: what contenders import, they import side by side
            made = tasks(asked.workload, asked.contender, asked.dtype)
        except Exception as error:
            failure = error
    for line in sys.stdin:
        with redirect_stdout(sys.stderr):
            try:
                if failure is not None:
                    raise failure
                said = answer(made, json.loads(line))
            except UnavailableError as error:
                said = {"unavailable": str(error)}
            except Exception as error:
                said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    main()
