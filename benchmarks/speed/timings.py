"""`python -m benchmarks speed`: times workloads by name, with the results in tables."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from benchmarks import results
from benchmarks.learn.pictures import canvas
from benchmarks.results import Table
from benchmarks.speed import convolution, operations, report
from benchmarks.speed.comparison import Outcome, compare
from benchmarks.speed.contenders import CONTENDERS, PACKAGES
from benchmarks.speed.workloads import WORKLOADS

COMPILING = ("torch-compile", "jax")
"""Contenders that take seconds to compile a step."""
FEW = 5
"""Rounds of operations on ten million elements, which are slow and steady."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `speed`."""
    parser = commands.add_parser(
        "speed",
        help="time whole training steps beside hand-written NumPy, PyTorch, JAX, HIPS autograd",
        description="Without a name, times every workload: " + listing(),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="W1 to W12, ops or conv")
    parser.add_argument(
        "--contenders",
        type=lambda text: text.split(","),
        metavar="NAME,NAME",
        help="all that are installed, of " + ", ".join(CONTENDERS),
    )
    parser.add_argument("--rounds", type=results.positive, help="rounds of every contender (30)")
    parser.add_argument("--threads", type=results.positive, default=1, help="BLAS threads (1)")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="one more contender (not for ops and conv): a function from a Problem to its step",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios there")
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Times what was asked for; the exit status."""
    return speed(
        asked.names,
        contenders=asked.contenders,
        rounds=asked.rounds,
        threads=asked.threads,
        dtype=asked.dtype,
        also=asked.also,
        json_file=asked.json,
        plot=asked.plot,
        quick=asked.quick,
    )


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
    plot: Path | None = None,
    quick: bool = False,
) -> int:
    """Times the named workloads, or all of them, and prints what they took; the exit status.

    `contenders` are all that are installed unless named; the hand-written steps, the reference,
    are always among them where there are any, else the first one is the reference. `also` names
    contenders of the caller's as "module:function". `quick` makes three rounds of a few
    milliseconds, without the contenders that compile for seconds unless they are named. A missed
    bar is marked in the tables and does not change the status.

    Raises: ImportError if there is something to draw and matplotlib is not installed.
    Returns: 0; 1 if a contender was refused; 2, with a line on stderr, for unknown names.
    """
    names = names or list(WORKLOADS)
    for kind, given, known in (
        ("workload", names, [*WORKLOADS, "ops", "conv"]),
        ("contender", contenders or [], list(CONTENDERS)),
    ):
        if unknown := [name for name in given if name not in known]:
            return results.refuse("speed", kind, unknown[0], known)
    if plot is not None:
        canvas(1)  # without matplotlib better said now than after the timing
    rounds = rounds or (3 if quick else 30)
    chosen = _chosen(contenders, quick)
    print(results.described(results.machine()))
    print(f"{rounds} rounds, threads {threads}, {dtype}\n")

    everything: list[Outcome] = []
    tables: list[Table] = []
    bars, steps, said = [], [], set()

    def show(table: Table) -> None:
        tables.append(table)
        print(f"{table}\n", flush=True)

    def timed(workload: str, who: list[str], rounds: int = rounds) -> list[Outcome]:
        long = not quick and not workload.startswith("ops")
        outcomes = compare(
            *(workload, who),
            rounds=rounds,
            seconds=0.03 if long else 0.002,
            threads=threads,
            dtype=dtype,
        )
        everything.extend(outcomes)
        return outcomes

    packages = [each for each in chosen if each in PACKAGES]
    for name in names:
        if name == "ops":
            outcomes = []
            for size in operations.QUICK_SIZES if quick else operations.SIZES:
                few = min(rounds, FEW) if size == operations.SIZES[-1] else rounds
                outcomes += timed(f"ops/{size}", ["numpy", *packages], few)
            for table in report.operations_tables(outcomes):
                show(table)
            bars += report.operation_judgements(outcomes)
            show(report.bars_table(bars))
        elif name == "conv":
            for outcome in timed(
                "conv", ["eager", *(each for each in packages if each != "eager")]
            ):
                title = f"conv: {outcome.name}, forward and backward"
                show(report.steps_table(outcome, title, ("torch",), convolution.BARS))
        else:
            given = WORKLOADS[name].bars
            for outcome in timed(name, [*chosen, *also]):
                title = f"{outcome.name}: {WORKLOADS[name].title}"
                show(report.steps_table(outcome, title, ("hand", "torch"), given))
                steps.append((outcome, given))
                new = {f"{who} left out: {why}" for who, why in outcome.left_out.items()} - said
                print("".join(f"{line}\n" for line in sorted(new)), end="", flush=True)
                said |= new

    bars += report.judgements(steps)
    if len(steps) > 1:
        for table in report.summary(steps):
            show(table)
    if plot is not None and steps:
        report.picture(plot, steps)
    if json_file is not None:
        results.write(
            *(json_file, f"speed {names[0]}" if names in (["ops"], ["conv"]) else "speed"),
            tables=tables,
            bars=[bar for bar, _ in bars],
            pictures=[plot] if plot is not None and steps else [],
            rounds=rounds,
            threads=threads,
            dtype=dtype,
            **report.numbers(everything),
        )
    return 1 if any(outcome.refused for outcome in everything) else 0


def _chosen(contenders: list[str] | None, quick: bool) -> list[str]:
    """The contenders that can be timed here; says which are left out, and why."""
    wanted = [name for name in CONTENDERS if name == "hand" or name in (contenders or CONTENDERS)]
    chosen = []
    for name in results.present(wanted):
        if quick and name in COMPILING and not contenders:
            print(f"{name} left out: compiling takes longer than a quick run (--contenders {name})")
        else:
            chosen.append(name)
    return chosen
