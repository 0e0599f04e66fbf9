"""The subcommand `gradients`: tables of relative errors and of kinks, and the bars for them."""

import argparse
import importlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import results
from benchmarks.results import Bar, Table
from benchmarks.speed.contenders import installed

if TYPE_CHECKING:
    from autodiff.testing import Report
    from benchmarks.gradients.checks import Tally

SEEDS = 2
BOUND = 1e-12
EXACT = ("complex step", "60 digits")
"""The references that are exact enough to judge by."""

PLACES = tuple(f"order {order}: {mode}" for order in (1, 2) for mode in ("reverse", "forward"))
HEAD = ("operation", "1 rev", "1 fwd", "2 rev", "2 fwd", "by", "checks", "kinks", "bar")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `gradients`."""
    parser = commands.add_parser(
        "gradients",
        help="how exact the gradients of every operation are, by random checks",
        description="Checks every operation, random programs, and functions at kinks.",
    )
    parser.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="only operations called so, as 'log*'"
    )
    parser.add_argument(
        "--seeds",
        type=results.positive,
        metavar="N",
        help=f"draw each sample N times, and as many programs ({SEEDS}); 17: 10 000 checks",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--quick", action="store_true", help="one sample of each operation, once")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Checks and prints; the exit status: 0, 1 after a false alarm, 2 if nothing can be checked.

    A missed bar is marked and does not change the status.
    """
    try:
        checks = importlib.import_module("benchmarks.gradients.checks")
    except ModuleNotFoundError as error:
        print(f"gradients: {error}; it needs a checkout and pip install 'tapegrad[test]'")
        return 2
    names = checks.operations(asked.pattern or "*")
    if not names:
        return results.refuse("gradients", "operation", asked.pattern, checks.operations("*"))
    print(results.described(results.machine()))
    if not installed("mpmath"):
        print("60 digits left out: mpmath is not installed (pip install 'tapegrad[dev]')")
    seeds = asked.seeds or (1 if asked.quick else SEEDS)

    begin = time.perf_counter()
    tallies = [checks.operation(name, seeds, asked.quick) for name in names]
    kinks: Mapping[str, Report] = {}
    if asked.pattern is None:
        kinks = checks.at_kinks()
        tallies.append(checks.random_programs(sum(tally.checks for tally in tallies)))
    seconds = time.perf_counter() - begin

    tables, bars = tabulated(tallies), error_bars(tallies)
    if kinks:
        tables.append(at_kinks(kinks))
        unreported = sum(not report.kinks for report in kinks.values())
        bars.append(Bar(f"kinks not reported as such, of {len(kinks)}", 0, unreported))
    count = sum(tally.checks for tally in tallies)
    alarms = [alarm for tally in tallies for alarm in tally.alarms]
    bars.append(Bar(f"false alarms in {count} random checks", 0, len(alarms)))
    for table in tables:
        print("", table, sep="\n")
    print("", *bars, *alarms, sep="\n")
    print(f"{count} random checks in {seconds:.0f} s, {len(alarms)} false alarms")
    if asked.json is not None:
        results.write(
            *(asked.json, "gradients"),
            tables=tables,
            bars=bars,
            seeds=seeds,
            checks=count,
            alarms=alarms,
            errors={tally.name: tally.errors for tally in tallies},
        )
    return 1 if alarms else 0


def tabulated(tallies: Sequence["Tally"]) -> list[Table]:
    """The errors against exact references, and those against differences, the worst first."""
    notes = (
        "Of derivatives of order 1 and 2 in reverse and forward mode, relative to the sum of the"
        " sizes of their terms.",
        "60 digits: differences of a definition in mpmath; both: these and the complex step.",
        f"kinks: checks that met some. The bar is {BOUND:g}; random programs are not judged.",
    )
    tables = [
        _errors("errors of derivatives in float64, by exact references", tallies, EXACT, notes),
        _errors("the same by differences, which are less exact", tallies, ("differences",)),
    ]
    return [table for table in tables if table.rows]


def error_bars(tallies: Sequence["Tally"]) -> list[Bar]:
    """The worst errors of operations by exact references, of each order."""
    bars = []
    for order, places in (1, PLACES[:2]), (2, PLACES[2:]):
        worst = {tally.name: tally.worst(EXACT, places) or 0.0 for tally in tallies if tally.judged}
        name = max(worst, key=worst.__getitem__)
        figure = f"gradients of order {order} in float64, relative error, worst: {name}"
        bars.append(Bar(figure, BOUND, worst[name]))
    return bars


def at_kinks(reports: Mapping[str, "Report"]) -> Table:
    """One row for each function: the slopes on both sides and the derivative it gives."""
    rows = []
    for name, report in reports.items():
        if not report.kinks:
            rows.append((name, "-", "-", "-", "NOT REPORTED"))
        for kink in report.kinks[:1]:
            slopes = (f"{x:.3g}" for x in (kink.left, kink.right, kink.given))
            rows.append((name, *slopes, "a kink"))
    head = ("at a kink", "left slope", "right slope", "given", "reported as")
    return Table("kinks, the first argument's", head, rows)


def _errors(
    title: str, tallies: Sequence["Tally"], references: Sequence[str], notes: Sequence[str] = ()
) -> Table:
    rows = []
    for tally in tallies:
        worst = tally.worst(references, PLACES)
        if worst is None:
            continue
        mark = "-"
        if tally.judged and references is EXACT:
            mark = "met" if worst <= BOUND else "MISSED"
        errors = (tally.worst(references, [place]) for place in PLACES)
        cells = ["-" if error is None else f"{error:.1e}" for error in errors]
        used = [reference for reference in references if reference in tally.errors]
        by = used[0] if len(used) == 1 else "both"
        row = (tally.name, *cells, by, str(tally.checks), str(tally.kinks), mark)
        rows.append((worst, row))
    rows.sort(key=lambda pair: -pair[0])
    return Table(title, HEAD, [row for _, row in rows], notes)
