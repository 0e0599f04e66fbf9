"""The timings by name: listing the workloads, and timing them with the results in tables."""

import json
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.speed import report
from benchmarks.speed.comparison import compare
from benchmarks.speed.workloads import WORKLOADS


def listing() -> str:
    """The workloads in one line."""
    return "; ".join(f"{name} {workload.title}" for name, workload in WORKLOADS.items())


def speed(
    names: list[str],
    *,
    rounds: int | None = None,
    threads: int = 1,
    dtype: str = "float32",
    also: Iterable[str] = (),
    json_file: Path | None = None,
    quick: bool = False,
) -> int:
    """Times the named workloads, or all of them, and prints what they took; the exit status.

    `also` names contenders of the caller's as "module:function". `quick` makes three rounds of a
    few milliseconds. A missed bar is marked in the table and does not change the status.

    Returns: 0; 1 if a contender was refused; 2, with a line on stderr, for unknown names.
    """
    names = names or list(WORKLOADS)
    if unknown := [name for name in names if name not in WORKLOADS and name != "ops"]:
        choices = ", ".join([*WORKLOADS, "ops"])
        print(f"speed: no workload {unknown[0]!r}; choose from {choices}", file=sys.stderr)
        return 2
    rounds = rounds or (3 if quick else 30)
    packages = ["eager"]
    if report.installed("torch"):
        packages.append("torch")
    else:
        print("torch left out: it is not installed (pip install 'tapegrad[peers]')")
    print(
        f"{rounds} rounds, threads {threads}, {dtype}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {report.installed('torch') or 'none'}\n"
    )

    everything = []
    for name in names:
        first, more = ("numpy", ()) if name == "ops" else ("hand", also)
        seconds = 0.002 if quick or name == "ops" else 0.03
        outcomes = compare(
            name,
            [first, *packages, *more],
            rounds=rounds,
            seconds=seconds,
            threads=threads,
            dtype=dtype,
        )
        everything += outcomes
        if name == "ops":
            print("ops: one operation on arrays of 8 x 8, gradients wanted")
            print(report.operations_report(outcomes))
        else:
            print(f"{name}: {WORKLOADS[name].title}")
            print(report.steps_report(outcomes[0], ("hand", "torch"), WORKLOADS[name].bars))
        print()

    if json_file is not None:
        json_file.write_text(
            json.dumps(report.record(everything, rounds, threads, dtype), indent=1)
        )
    return 1 if any(outcome.refused for outcome in everything) else 0
