"""Times contenders side by side, after checking that they agree.

A contender whose first losses differ from the reference's computes something else; it is refused
before anything is timed. The rounds of all contenders are interleaved, since the speed of a shared
machine drifts, and ratios are taken within a round.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from benchmarks import THREAD_VARIABLES

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
NOISE = 0.15
"""The spread of a ratio beyond which it is marked with "~"; another run may find another one."""
THIRDS, MANY = 3, 9
"""In how many parts, with processes of their own, so many rounds are run; fewer tell no drift."""


class RefusedError(Exception):
    """Why a contender is not timed."""


class LeftOutError(Exception):
    """Why a contender cannot run on this machine."""


class Worker:
    """A contender's process. A context manager; `ask` sends one command and returns the answer.

    `tell` and `hear` are the two halves of it: what several are told they do side by side.

    `program` is the module that runs there: `benchmarks.speed.worker`, or one that calls its main.
    """

    def __init__(
        self,
        workload: str,
        contender: str,
        threads: int,
        dtype: str,
        program: str = "benchmarks.speed.worker",
    ) -> None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        variables = (*THREAD_VARIABLES, "NPROC")  # JAX reads the last one
        environment = os.environ | dict.fromkeys(variables, str(threads))
        # -P: our path alone says where packages come from, not the current directory
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", program),
                *(workload, contender, "--dtype", dtype),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONPATH": path},
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._process.__exit__(None, None, None)

    def ask(self, do: str, **arguments: Any) -> Any:
        """The answer to a command of `worker`. Raises: as hear."""
        self.tell(do, **arguments)
        return self.hear()

    def tell(self, do: str, **arguments: Any) -> None:
        """Send a command."""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()

    def hear_or_error(self) -> Any:
        """What hear returns or raises."""
        try:
            return self.hear()
        except (RefusedError, LeftOutError) as error:
            return error

    def hear(self) -> Any:
        """The answer to the last command. Raises: RefusedError if it failed, LeftOutError."""
        line = self._process.stdout.readline()
        if not line:
            raise RefusedError(f"its process ended with status {self._process.wait()}")
        said = json.loads(line)
        if isinstance(said, dict):
            if "unavailable" in said:
                raise LeftOutError(said["unavailable"])
            raise RefusedError(said["error"])
        return said


class Ratio(NamedTuple):
    """Median and spread over the rounds of the ratio of two contenders' times in a round.

    low, high: the quartiles, or the medians of the thirds of the rounds where they lie further out:
    a ratio that drifts, or differs from process to process, is another one in the next run.
    """

    median: float
    low: float
    high: float

    @property
    def noisy(self) -> bool:
        """Whether it spreads over more than NOISE of the median."""
        return self.high - self.low > NOISE * self.median

    def __str__(self) -> str:
        return f"{self.median:.2f}{'~' * self.noisy}"


@dataclass
class Outcome:
    """What the contenders of one workload did. `seconds[contender]` has one per step and round.

    `first[contender]` is the processor time of the first step.
    """

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)

    def add(self, more: "Outcome") -> None:
        """Takes the rounds of other processes too; leaves out whoever has none there."""
        self.refused |= more.refused
        self.left_out |= more.left_out
        self.seconds = {
            contender: [*seconds, *more.seconds[contender]]
            for contender, seconds in self.seconds.items()
            if contender in more.seconds
        }

    def ratio(self, contender: str, reference: str) -> Ratio:
        """Of the two contenders' times."""
        ratios = np.divide(self.seconds[contender], self.seconds[reference])
        low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        parts = np.array_split(ratios, THIRDS) if len(ratios) >= MANY else []
        thirds = [np.median(part) for part in parts]
        return Ratio(float(median), float(min([low, *thirds])), float(max([high, *thirds])))


def check(given: list[float], wanted: list[float], dtype: str, reference: str) -> None:
    """Raises RefusedError unless two lists of numbers are equal to the tolerance of the dtype."""
    tolerance = TOLERANCE[dtype]
    if np.shape(given) != np.shape(wanted):
        raise RefusedError(
            f"computes {len(given)} numbers where {reference} computes {len(wanted)}"
        )
    close = np.isclose(given, wanted, rtol=tolerance, atol=tolerance * 1e-2)
    if not close.all():
        first = int(np.argmin(close))
        raise RefusedError(
            f"computes something else: number {first} is {given[first]:.8g}, "
            f"{reference} has {wanted[first]:.8g}"
        )


def compare(
    workload: str,
    contenders: Iterable[str],
    *,
    rounds: int,
    seconds: float,
    threads: int,
    dtype: str,
) -> list[Outcome]:
    """Times contenders on a workload (one outcome a problem; of "ops/64" and "conv" one an entry).

    The first contender is the reference that the others must agree with; `seconds` is about how
    long one contender runs in one round. With rounds enough, a third of them is run in processes of
    its own: where a process happens to lie in memory can make it faster or slower for good.
    """
    outcomes: list[Outcome] = []
    for some in np.array_split(range(rounds), THIRDS if rounds >= MANY else 1):
        with ExitStack() as stack:
            workers = {
                contender: stack.enter_context(Worker(workload, contender, threads, dtype))
                for contender in contenders
            }
            names = next(iter(workers.values())).ask("names")
            found = [
                timed(name, workers, rounds=len(some), seconds=seconds, dtype=dtype)
                for name in names
            ]
        for outcome, more in zip(outcomes, found):
            outcome.add(more)
        outcomes = outcomes or found
    return outcomes


def timed(
    name: str, workers: dict[str, Worker], *, rounds: int, seconds: float, dtype: str
) -> Outcome:
    """Times what workers call `name`, after checking that they agree with the first of them."""
    reference = next(iter(workers))
    order = np.random.default_rng(0)
    outcome = Outcome(name)
    runs = {}
    for worker in workers.values():  # side by side, for some of them compile
        worker.tell("result", name=name)
    wanted = workers[reference].hear()
    said = {contender: workers[contender].hear_or_error() for contender in list(workers)[1:]}
    for contender, worker in workers.items():
        try:
            if isinstance(answer := said.get(contender, wanted), Exception):
                raise answer
            check(answer, wanted, dtype, reference)
            outcome.first[contender] = worker.ask("first", name=name)
            runs[contender] = worker.ask("calibrate", name=name, seconds=seconds)
        except RefusedError as refusal:
            outcome.refused[contender] = str(refusal)
        except LeftOutError as reason:
            outcome.left_out[contender] = str(reason)
    outcome.seconds = {contender: [] for contender in runs}
    for _ in range(rounds):
        # in a new order each round: whoever has just waited longest starts coldest
        for contender in order.permutation(list(runs)).tolist():
            count = runs[contender]
            taken = workers[contender].ask("time", name=name, runs=count)
            outcome.seconds[contender].append(taken / count)
    return outcome
