"""The command line of the mutation check: see tests/mutations/__init__.py."""

import argparse
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable

from tests.mutations import trial
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.faults import DECISIONS, Fault, faults, sample
from tests.mutations.trial import ROOT, Outcome

ENGINE = """tape gradients inplace versions indexing primitive families tensor dtypes grad_modes
    function""".split()

SHARES = {"autodiff/ops/": 0.5, "autodiff/composed/": 0.2, "autodiff/": 0.3}
"""Which part of the faults is planted in the derivative rules and their operations, in what is
composed of them, and in the engine."""

UNUSED = """compiler data testing utils test_checkpoint.py test_compiled.py
    test_promises.py""".split()
"""Tests that are not run: of other code, and those of 20 000 steps, which take too long."""


def checked_files() -> list[str]:
    """The files that faults are planted in."""
    paths = [ROOT / "autodiff" / f"{name}.py" for name in ENGINE]
    for folder in ("ops", "composed"):
        paths += sorted((ROOT / "autodiff" / folder).glob("*.py"))
    return [str(path.relative_to(ROOT)) for path in paths]


def test_files() -> list[str]:
    """The test files that are to catch them: of autodiff and nn, less what is about other code."""
    found = []
    for folder in ("autodiff", "nn"):
        paths = sorted((ROOT / "tests" / folder).rglob("test_*.py"))
        paths = [path.relative_to(ROOT / "tests") for path in paths]
        found += [f"tests/{path}" for path in paths if path.parts[1] not in UNUSED]
    return found


def all_faults() -> list[Fault]:
    """Whatever can be planted, but for what is known to change nothing."""
    found = [f for path in checked_files() for f in faults(path, (ROOT / path).read_text())]
    stale = EQUIVALENT.keys() - {f.name for f in found}
    if stale:
        sys.stderr.write("no such faults, though equivalent.py names them:\n  ")
        sys.stderr.write("\n  ".join(sorted(stale)) + "\n")
    return [f for f in found if f.name not in EQUIVALENT]


def chosen(found: list[Fault], count: int, seed: int = 0) -> list[Fault]:
    """So many faults, spread over the parts of the package as SHARES says."""
    parts = defaultdict(list)
    for fault in found:
        parts[next(part for part in SHARES if fault.path.startswith(part))].append(fault)
    return [
        f for part, share in SHARES.items() for f in sample(parts[part], round(share * count), seed)
    ]


def table(found: list[Outcome], title: str, key: Callable[[Fault], str]) -> str:
    """How many faults were planted and caught, by kind or by file."""
    rows = defaultdict(list)
    for outcome in found:
        rows[key(outcome.fault)].append(bool(outcome.how))
    width = max(len(title), *map(len, rows))
    lines = [f"{title:{width}}  planted  caught"]
    lines += [f"{k:{width}}  {len(v):7}  {sum(v):6}" for k, v in sorted(rows.items())]
    return "\n".join(lines)


def summary(found: list[Outcome], minutes: float, processor: float) -> str:
    """The tables, the faults that survived, and the share that was caught."""
    survived = sorted((o for o in found if not o.how), key=lambda o: o.fault.name)
    ends = [o.how for o in found if o.how and "::" not in o.how]
    caught = len(found) - len(survived)
    return "\n".join(
        [
            table(found, "kind", lambda f: f.kind),
            "",
            table(found, "file", lambda f: f.path),
            "",
            *[f"survived {o.tried} of {o.reached} tests: {o.fault.name}" for o in survived],
            "",
            "without a failed test: "
            + ", ".join(f"{ends.count(how)} by {how}" for how in sorted(set(ends))),
            f"caught {caught} of {len(found)} faults ({caught / len(found):.1%}) in "
            f"{minutes:.1f} min, {processor:.1f} min of processor time",
        ]
    )


def main() -> None:
    """Plant the faults, run the tests, and say what was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name or kind has this pattern")
    parser.add_argument("--count", type=int, default=400, help="how many faults (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of another choice (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument(
        "--decisions", action="store_true", help="also faults in conditions, limits and checks"
    )
    parser.add_argument("--list", action="store_true", help="name the faults, and stop")
    options = parser.parse_args()
    found = [f for f in all_faults() if re.search(options.only, f"{f.kind} {f.name}")]
    if not options.decisions:
        found = [f for f in found if f.kind not in DECISIONS]
    planted = chosen(found, options.count, options.seed)
    if options.list:
        sys.stdout.writelines(f"{f.kind:11} {f.name}\n" for f in planted)
        return
    start = time.monotonic()
    trial.warm()
    known = trial.baseline(test_files(), checked_files(), options.jobs)
    sys.stdout.write(f"{len(known.seconds)} tests in {time.monotonic() - start:.0f} s\n")
    sys.stdout.writelines(f"fails without a fault: {test}\n" for test in known.broken)
    done = []
    for outcome in trial.outcomes(planted, known, options.jobs):
        done.append(outcome)
        sys.stdout.write(
            f"{len(done):3}/{len(planted)} {outcome.seconds:5.1f} s  {outcome.fault.kind:11} "
            f"{outcome.fault.name}\n          {outcome.how or 'SURVIVED'}\n"
        )
        sys.stdout.flush()
    minutes, processor = (time.monotonic() - start) / 60, sum(os.times()[:4]) / 60
    sys.stdout.write(summary(done, minutes, processor) + "\n")


if __name__ == "__main__":
    main()
