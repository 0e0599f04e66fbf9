"""The subcommand `scale`: tables and pictures of time and memory over size, on double log axes."""

import argparse
import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import results
from benchmarks.learn.pictures import canvas
from benchmarks.results import Table
from benchmarks.scale.problems import AXES
from benchmarks.speed.comparison import Outcome, Worker, timed

PROGRAM = "benchmarks.scale.worker"
CHOSEN = ("eager", "compiled", "torch")
LONGEST = 40.0
"""Seconds that a first step may take, as foretold from those of the two sizes before."""


@dataclass
class Growth:
    """What was measured along an axis, by contender and size: seconds of a step and of the first
    one, and resident bytes; `left_out` and `refused` are lines.
    """

    seconds: dict[str, dict[int, float]] = field(default_factory=dict)
    first: dict[str, dict[int, float]] = field(default_factory=dict)
    memory: dict[str, dict[int, int]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, size: int, outcome: Outcome, workers: dict[str, Worker]) -> None:
        """Takes in what one size gave."""
        for contender, seconds in outcome.seconds.items():
            self.seconds.setdefault(contender, {})[size] = float(np.median(seconds))
            self.first.setdefault(contender, {})[size] = outcome.first[contender]
            peak = workers[contender].ask("memory", name=outcome.name)
            if peak is not None:
                self.memory.setdefault(contender, {})[size] = peak
        reasons = (outcome.refused | outcome.left_out).items()
        self.refused += [f"{outcome.name} {contender}: {why}" for contender, why in reasons]

    def foretold(self, contender: str, size: int) -> float:
        """The seconds that a first step would take if it grows on as between the last two sizes.

        Before two were measured nothing is known of its growth: 0.
        """
        taken = self.first.get(contender, {})
        if len(taken) < 2:
            return 0.0
        last = max(taken)
        return taken[last] * (size / last) ** max(exponents(taken)[last], 0.0)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `scale`."""
    parser = commands.add_parser(
        "scale",
        help="how a training step's time and memory grow with batch, width, depth and length",
        description="Without a name, all of " + ", ".join(AXES),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(AXES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw times there, memory in a file beside it"
    )
    parser.add_argument("--quick", action="store_true", help="two small sizes each, one round")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Measures and prints; the exit status: 0, 1 if a contender was refused, 2 for what cannot be.

    Without matplotlib, `--plot` is one line that says so.
    """
    if unknown := [name for name in asked.names if name not in AXES]:
        return results.refuse("scale", "axis", unknown[0], AXES)
    print(results.described(results.machine()))
    chosen = results.present(CHOSEN)
    grown = {}
    said: set[str] = set()
    with ExitStack() as stack:
        workers = {
            contender: stack.enter_context(Worker("scale", contender, 1, "float32", PROGRAM))
            for contender in chosen
        }
        for name in asked.names or AXES:
            grown[name] = measured(name, workers, asked.quick)
            print("", *results.once(tables({name: grown[name]}), said), sep="\n", flush=True)

    pictures = []
    if asked.plot is not None:
        memory = asked.plot.with_stem(asked.plot.stem + "-memory")
        try:
            draw(asked.plot, "seconds a step", {a: g.seconds for a, g in grown.items()})
            draw(memory, "bytes", {a: g.memory for a, g in grown.items()})
        except ImportError as error:
            print(f"no picture: {error}")
        else:
            pictures = [asked.plot, memory]
            print(f"\npictures: {asked.plot}, {memory}")
    if asked.json is not None:
        results.write(
            *(asked.json, "scale"),
            tables=tables(grown),
            pictures=pictures,
            growth={name: vars(growth) for name, growth in grown.items()},
        )
    return 1 if any(growth.refused for growth in grown.values()) else 0


def measured(name: str, workers: dict[str, Worker], quick: bool) -> Growth:
    """Times every contender at every size of an axis, those apart that would take too long."""
    axis, growth = AXES[name], Growth()
    for size in axis.quick if quick else axis.sizes:
        asked = {}
        for contender, worker in workers.items():
            if (foretold := growth.foretold(contender, size)) > LONGEST:
                growth.left_out.append(
                    f"{name}/{size} {contender} left out: the first step would take some "
                    f"{foretold:.0f} s"
                )
            else:
                asked[contender] = worker
        if not asked:
            continue
        outcome = timed(
            *(f"{name}/{size}", asked),
            rounds=1 if quick else 3,
            seconds=0.002 if quick else 0.03,
            dtype="float32",
        )
        growth.add(size, outcome, asked)
    return growth


def tables(grown: dict[str, Growth]) -> list[Table]:
    """One table an axis: milliseconds and megabytes by size, and the exponents between sizes."""
    made = []
    for name, growth in grown.items():
        columns = {f"{who} ms": _times(growth.seconds[who], 1e3) for who in growth.seconds}
        if "compiled" in growth.first:
            columns["recording s"] = _times(growth.first["compiled"], 1)
        columns |= {f"{who} MB": _times(growth.memory[who], 1e-6) for who in growth.memory}
        sizes = sorted({size for column in columns.values() for size in column})
        rows = [
            [str(size), *(_cell(column.get(size)) for column in columns.values())] for size in sizes
        ]
        slopes = [exponents(column) for column in columns.values()]
        rows += [
            [f"{before} to {size}", *(_cell(column.get(size)) for column in slopes)]
            for before, size in pairwise(sizes)
        ]
        notes = [
            "MB: resident, beyond what was before the step was made; below, from one size to the"
            " next: b of growth as size^b",
            *growth.left_out,
            *growth.refused,
        ]
        made.append(Table(f"{name}: {AXES[name].title}", [name, *columns], rows, notes))
    return made


def exponents(column: dict[int, float]) -> dict[int, float]:
    """By size, b of value ~ size^b from the size before on; none where a value is not positive.

    >>> {size: round(b, 3) for size, b in exponents({1: 7.0, 2: 7.0, 10: 175.0}).items()}
    {2: 0.0, 10: 2.0}
    """
    return {
        size: math.log(column[size] / column[before]) / math.log(size / before)
        for before, size in pairwise(sorted(column))
        if min(column[before], column[size]) > 0
    }


def draw(path: Path, quantity: str, numbers: dict[str, dict[str, dict[int, float]]]) -> None:
    """Writes a picture with one panel an axis, one line a contender, both axes logarithmic."""
    figure, axes = canvas(len(numbers))
    for panel, (name, contenders) in zip(axes, numbers.items(), strict=True):
        for contender, column in contenders.items():
            # what is lost in the noise of resident memory has no logarithm
            points = {size: value for size, value in column.items() if value > 0}
            panel.plot(points.keys(), points.values(), marker="o", label=contender)
        panel.set(xlabel=name, ylabel=quantity, xscale="log", yscale="log")
        if contenders:
            panel.legend()
    figure.savefig(path)


def _times(column: dict[int, float], factor: float) -> dict[int, float]:
    return {size: value * factor for size, value in column.items()}


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
