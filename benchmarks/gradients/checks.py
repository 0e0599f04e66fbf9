"""The checks: of every operation on its samples, of random programs, and at kinks."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import product
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

import autodiff
from autodiff.families import REGISTRY
from autodiff.testing import GradcheckError, Report, check_gradients
from autodiff.testing.report import Row
from benchmarks.gradients import digits
from tests.autodiff.samples import SAMPLES
from tests.autodiff.test_exactness import smooth, worst_error
from tests.autodiff.test_primitives import active, differentiable
from tests.strategies import Program, programs

PROGRAMS = "random programs"

KINKS: dict[str, tuple[Callable, list]] = {
    "abs at 0": (autodiff.abs, [[-1.0, 0.0]]),
    "relu at 0": (autodiff.relu, [[0.0, 1.0]]),
    "sqrt at 0": (autodiff.sqrt, [[0.0, 1.0]]),
    "clamp at its bound": (lambda x: autodiff.clamp(x, -1.0, 1.0), [[0.5, 1.0]]),
    "maximum of equals": (autodiff.maximum, [[1.0, 2.0], [1.0, 3.0]]),
    "amax of equals": (autodiff.amax, [[2.0, 1.0, 2.0]]),
    "norm of zeros": (autodiff.linalg.vector_norm, [[0.0, 0.0]]),
    "median of equals": (autodiff.median, [[1.0, 1.0, 3.0]]),
}
"""Functions at places where they have no derivative, and their arguments."""


@dataclass
class Tally:
    """What the checks of one operation, or of random programs, found.

    errors: the worst ones by what they were found with and then by place, as "order 1: reverse".
    kinks: in how many checks some were met. judged: whether the bar is for these errors.
    """

    name: str
    judged: bool = True
    checks: int = 0
    kinks: int = 0
    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)

    def check(self, fn: Callable[..., Any], *args: Any, seed: int) -> None:
        """Checks a function whose derivatives are right, in both orders and modes."""
        self.checks += 1
        try:
            report = check_gradients(fn, *args, seed=seed)
        except Exception as error:  # whatever it is, nothing is wrong with the function
            self.alarms.append(f"{self.name}: {type(error).__name__}: {error}")
            return
        self.kinks += bool(report.kinks)
        self.add(report)

    def add(self, report: Report) -> None:
        """Takes in the errors of a report."""
        for row in report.rows:
            errors = self.errors.setdefault(row.method, {})
            place = f"order {row.order}: {row.mode}"
            errors[place] = max(errors.get(place, 0.0), row.error)

    def worst(self, references: Iterable[str], places: Iterable[str]) -> float | None:
        """The largest error found with these references in these places; None without any."""
        pairs = product(references, places)
        found = [self.errors[r][p] for r, p in pairs if p in self.errors.get(r, ())]
        return max(found, default=None)


def operations(pattern: str) -> list[str]:
    """The operations with a derivative whose names match the pattern."""
    return sorted(
        n for n, p in REGISTRY.items() if p.rules and n in SAMPLES and fnmatch(n, pattern)
    )


def operation(name: str, seeds: int, quick: bool) -> Tally:
    """Every sample of an operation, with values, directions and weights from each seed.

    quick: the first sample alone.
    """
    tally, primitive = Tally(name), REGISTRY[name]
    samples = [sample for sample in SAMPLES[name] if active(primitive, sample)]
    for sample in samples[:1] if quick else samples:
        for seed in range(seeds):
            fn, arrays = differentiable(primitive, sample, seed)
            tally.check(fn, *arrays, seed=seed)
            if digits.AVAILABLE and digits.known(name):
                tally.add(digits.report(primitive, sample, seed))
    rough = tally.errors.keys() == {"differences"}
    if rough and primitive in smooth() and not digits.known(name):
        # plain complex arrays go through NumPy's functions that have no protocol
        worst = worst_error(primitive)
        tally.add(Report([Row("each", 1, "reverse", "complex step", worst)]))
    return tally


def random_programs(count: int) -> Tally:
    """That many programs of a few steps, drawn by Hypothesis."""
    tally = Tally(PROGRAMS, judged=False)

    @seeded(0)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs())
    def check(program: Program) -> None:
        def fn(*inputs):
            return program(autodiff, *inputs)

        tally.check(fn, *program.inputs, seed=tally.checks)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy's, for values far from the program's own
        check()
    return tally


def at_kinks() -> dict[str, Report]:
    """What is reported of each of KINKS; an empty report where the derivative is called wrong."""
    reports = {}
    for name, (fn, arguments) in KINKS.items():
        try:
            reports[name] = check_gradients(fn, *map(np.array, arguments), order=1)
        except GradcheckError as error:
            print(f"{name}: {error}")
            reports[name] = Report()
    return reports
