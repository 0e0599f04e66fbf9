"""The subcommand `memory`: tables of what training steps hold, and the bars for it."""

import argparse
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.memory import meter
from benchmarks.results import Bar, Table
from benchmarks.speed.comparison import LeftOutError, RefusedError, Worker
from benchmarks.speed.workloads import WORKLOADS

PROGRAM = "benchmarks.memory.worker"
CHOSEN = ("eager", "compiled", "torch")
MEASURED = ("W1", "W5", "W7", "W8", "W9", "W10")
JUDGED = {"W7", "W8", "W9", "W10"}
PEAK_BAR = 1.2
"""The peak in arrays over PyTorch's. The resident peak is not judged: on small models it says more
of what allocators and libraries keep than of the step."""

FLAT = ("W1", "W3")
GROWTH_BAR = 5.0
STEPS = 20_000
Bytes = dict[str, dict[str, int]]


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `memory`."""
    parser = commands.add_parser(
        "memory",
        help="peak and steady memory of training steps, and that it does not grow",
        description=f"Without a name, measures {', '.join(MEASURED)}.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="W1 to W11")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--quick", action="store_true", help="W1 alone, and 1000 steps")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Measures and prints; the exit status: 0, 1 if a contender failed, 2 for unknown names.

    A missed bar is marked and does not change the status.
    """
    known = [name for name, workload in WORKLOADS.items() if not workload.sizes]
    if unknown := [name for name in asked.names if name not in known]:
        return results.refuse("memory", "workload", unknown[0], known)
    print(results.described(results.machine()))
    chosen = results.present(CHOSEN)
    commands = ["resident", "arrays"] if meter.AVAILABLE else ["arrays"]
    if not meter.AVAILABLE:
        print("resident memory and growth left out: only Linux tells them as needed here")
    names = asked.names or (MEASURED[:1] if asked.quick else MEASURED)
    steps = 1000 if asked.quick else STEPS
    failed: list[str] = []

    measured: dict[str, dict[str, Bytes]] = {name: {} for name in names}
    for name in names:
        for contender in chosen:
            answers = _ask(name, contender, [{"do": do} for do in commands], failed)
            if answers:
                measured[name][contender] = {do: each for do, [each] in zip(commands, answers)}
    grown: dict[str, list[int]] = {}
    for name in FLAT if meter.AVAILABLE else ():
        for contender in ("eager", "compiled"):
            answers = _ask(name, contender, [{"do": "growth", "steps": steps}], failed)
            if answers:
                grown[f"{name} {contender}"] = answers[0]

    tables, bars = [peaks(measured)], peak_bars(measured)
    if grown:
        tables.append(growths(grown, steps))
        bars += growth_bars(grown, steps)
    print("", *tables, *bars, *failed, sep="\n")
    if asked.json is not None:
        results.write(
            *(asked.json, "memory"),
            tables=tables,
            bars=bars,
            bytes=measured,
            growth=grown,
            steps=steps,
        )
    return 1 if failed else 0


def peaks(measured: dict[str, dict[str, Bytes]]) -> Table:
    """One row per workload and contender: megabytes by both measures, and peaks over PyTorch's."""
    parts = ("first", "peak", "steady")
    head = ["step"]
    for measure in ("arrays", "resident"):
        head += [f"{measure}: first", "peak", "steady", "peak / torch"]
    rows = []
    for name, contenders in measured.items():
        for contender, figures in contenders.items():
            row = [f"{name} {contender}"]
            for measure in ("arrays", "resident"):
                row += [
                    f"{figures[measure][part] / 1e6:.2f}" if measure in figures else "-"
                    for part in parts
                ]
                peak = _over_torch(contenders, contender, measure)
                row.append("-" if peak is None else f"{peak:.2f}")
            rows.append(row)
    notes = [
        "MB (10^6 bytes), weights, batches and the optimizer's state included. first: the peak",
        f"while the step is made and run {meter.STEPS} times; peak: of {meter.STEPS} steps after"
        " that; steady: held between steps.",
    ]
    return Table("memory of training steps", head, rows, notes)


def peak_bars(measured: dict[str, dict[str, Bytes]]) -> list[Bar]:
    """The peak in arrays of our steps over PyTorch's, where it is judged."""
    return [
        Bar(f"{name} {contender}: peak in arrays", PEAK_BAR, ratio, "x torch")
        for name, contenders in measured.items()
        for contender in contenders
        if name in JUDGED and contender != "torch"
        if (ratio := _over_torch(contenders, contender, "arrays")) is not None
    ]


def growths(grown: dict[str, list[int]], steps: int) -> Table:
    """One row per workload and contender: how far the resident memory rose in a long run."""
    rows = [
        [name, f"{samples[len(samples) // 2] / 1e6:.2f}", f"{samples[-1] / 1e6:.2f}"]
        for name, samples in grown.items()
    ]
    head = ["step", "half of the run", "end"]
    note = "MB beyond the resident memory after a twentieth of the run"
    return Table(f"growth over {steps} steps", head, rows, [note])


def growth_bars(grown: dict[str, list[int]], steps: int) -> list[Bar]:
    """The most that a run rose above its first sample."""
    return [
        Bar(f"{name}: growth over {steps} steps", GROWTH_BAR, max(samples) / 1e6, "MB")
        for name, samples in grown.items()
    ]


def _ask(name: str, contender: str, commands: list[dict], failed: list[str]) -> list[Any]:
    """The answers of a fresh process, or none and a line more in `failed`."""
    with Worker(name, contender, 1, "float32", PROGRAM) as worker:
        try:
            return [worker.ask(**command) for command in commands]
        except (RefusedError, LeftOutError) as reason:
            failed.append(f"{name} {contender} failed: {reason}")
            return []


def _over_torch(contenders: dict[str, Bytes], contender: str, measure: str) -> float | None:
    if contender == "torch" or measure not in contenders.get("torch", {}):
        return None
    return contenders[contender][measure]["peak"] / contenders["torch"][measure]["peak"]
