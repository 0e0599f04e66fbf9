"""The timings by name: listing the workloads, and timing them with the results in tables."""

import json
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.speed import convolution, report
from benchmarks.speed.comparison import compare
from benchmarks.speed.contenders import CONTENDERS, PACKAGES, WITH_LAYERS, installed
from benchmarks.speed.workloads import WORKLOADS


def listing() -> str:
    """The workloads in one line."""
    return "; ".join(f"{name} {workload.title}" for name, workload in WORKLOADS.items())


def speed(
    names: list[str],
    *,
    contenders: list[str] | None = None,
    rounds: int | None = None,
    threads: int = 1,
    dtype: str = "float32",
    also: Iterable[str] = (),
    json_file: Path | None = None,
    quick: bool = False,
) -> int:
    """Times the named workloads, or all of them, and prints what they took; the exit status.

    `contenders` are all that are installed unless named; the hand-written steps, the reference,
    are always among them where there are any, else the first one is the reference. `also` names
    contenders of the caller's as "module:function". `quick` makes three rounds of a few
    milliseconds, and spares the wait for torch.compile unless that is named. A missed bar is marked
    in the tables and does not change the status.

    Returns: 0; 1 if a contender was refused; 2, with a line on stderr, for unknown names.
    """
    names = names or list(WORKLOADS)
    for kind, given, known in (
        ("workload", names, [*WORKLOADS, "ops", "conv"]),
        ("contender", contenders or [], list(CONTENDERS)),
    ):
        if unknown := [name for name in given if name not in known]:
            choices = ", ".join(known)
            print(f"speed: no {kind} {unknown[0]!r}; choose from {choices}", file=sys.stderr)
            return 2
    rounds = rounds or (3 if quick else 30)
    chosen = []
    for name, contender in CONTENDERS.items():
        if name != "hand" and name not in (contenders or CONTENDERS):
            continue
        if contender.needs and not installed(contender.needs):
            why = f"{contender.needs} is not installed (pip install 'tapegrad[peers]')"
            print(f"{name} left out: {why}")
        elif quick and name == "torch-compile" and not contenders:
            print(f"{name} left out: compiling takes longer than a quick run (--contenders {name})")
        else:
            chosen.append(name)
    peers = ", ".join(
        f"{each} {installed(each) or 'none'}" for each in ("torch", "jax", "autograd")
    )
    print(
        f"{rounds} rounds, threads {threads}, {dtype}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {peers}\n"
    )

    everything, steps, said = [], [], set()
    for name in names:
        packages = [each for each in chosen if each in PACKAGES]
        if name == "ops":
            timed = ["numpy", *packages]
        elif name == "conv":
            timed = ["eager", *(each for each in packages if each != "eager")]
        elif WORKLOADS[name].by_hand:
            timed = [*chosen, *also]
        else:
            timed = [each for each in chosen if each in WITH_LAYERS] + [*also]
        outcomes = compare(
            name,
            timed,
            rounds=rounds,
            seconds=0.002 if quick or name == "ops" else 0.03,
            threads=threads,
            dtype=dtype,
        )
        everything += outcomes
        if name == "ops":
            print("ops: one operation on arrays of 8 x 8, gradients wanted")
            print(report.operations_report(outcomes) + "\n")
        elif name == "conv":
            for outcome in outcomes:
                print(f"conv: {outcome.name}, forward and backward")
                print(report.steps_report(outcome, ("torch",), convolution.BARS) + "\n")
        else:
            bars = WORKLOADS[name].bars
            for outcome in outcomes:
                print(f"{outcome.name}: {WORKLOADS[name].title}")
                print(report.steps_report(outcome, ("hand", "torch"), bars))
                steps.append((outcome, bars))
                new = {f"{who} left out: {why}" for who, why in outcome.left_out.items()} - said
                print("\n".join([*sorted(new), ""]), flush=True)
                said |= new

    if len(steps) > 1:
        print(report.summary(steps))
    if json_file is not None:
        json_file.write_text(
            json.dumps(report.record(everything, rounds, threads, dtype), indent=1)
        )
    return 1 if any(outcome.refused for outcome in everything) else 0
